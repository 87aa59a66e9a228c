//! No input makes the reader of regression problems panic, and what it reads can be evaluated.
#![no_main]

use isograd::io::parse_nist;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(problem) = parse_nist(bytes, "input") {
        problem.sum_of_squares(&problem.certified());
    }
});
