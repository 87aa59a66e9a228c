//! No input makes the reader of bundle adjustment problems panic, and what it reads comes back as it is written.
#![no_main]

use isograd::io::{parse_bal, write_bal_to};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(problem) = parse_bal(bytes, "input") {
        let mut text = Vec::new();
        write_bal_to(&mut text, &problem).unwrap();
        assert_eq!(parse_bal(&text, "written").unwrap(), problem);
    }
});
