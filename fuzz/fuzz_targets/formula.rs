//! No text makes the formula parser panic, and what it reads can be evaluated and reads back as it prints.
#![no_main]

use isograd::formula::Formula;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(formula) = Formula::parse(text) {
        let values = vec![0.5_f64; formula.variables().len()];
        let again = Formula::parse(&formula.to_string()).unwrap();
        assert_eq!(again.evaluate(&values).to_bits(), formula.evaluate(&values).to_bits());
    }
});
