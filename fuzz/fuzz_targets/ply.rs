//! No input makes the Ply reader panic, and what it reads can be written.
#![no_main]

use isograd::io::{MeshFormat, parse_mesh, write_obj_to};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(mesh) = parse_mesh(bytes, MeshFormat::Ply, "input") {
        write_obj_to(std::io::sink(), &mesh).unwrap();
    }
});
