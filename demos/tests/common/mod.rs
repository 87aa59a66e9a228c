//! Running the program, reading what it says, and checking what it leaves behind.

#![allow(dead_code, reason = "each test program uses a part")]

use isograd::io::read_mesh;
use serde_json::Value;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::process::{Command, Output};

/// Runs the program in a folder.
pub fn demo(folder: &Path, arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_isograd-demos");
    Command::new(program).args(arguments).current_dir(folder).output().unwrap()
}

/// Runs the program where it finds no GPU, whatever the machine has.
pub fn demo_without_gpu(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_isograd-demos"));
    // Mesa complains on standard error without a folder of its own.
    command.env("ISOGRAD_ADAPTER", "no such adapter").env("XDG_RUNTIME_DIR", folder);
    command.args(arguments).current_dir(folder).output().unwrap()
}

/// Standard output of a run that went well.
pub fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The JSON object on the last line of a run that went well.
pub fn last_json(output: &Output) -> Value {
    let text = text(output);
    serde_json::from_str(text.trim_end().lines().last().unwrap()).unwrap()
}

/// The message of a run that did not: one line on standard error, nothing that looks like a result.
pub fn failure(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code));
    let message = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(!message.contains("panicked"), "{message}");
    message
}

/// What the contract with readers of the JSON line names.
const FIELDS: [&str; 14] = [
    "demo",
    "problem",
    "backend",
    "device",
    "precision",
    "parameters",
    "residuals",
    "groups",
    "iterations",
    "initial_cost",
    "final_cost",
    "termination",
    "times_s",
    "peak_rss_bytes",
];

/// All fields of the contract are there.
pub fn check_fields(summary: &Value) {
    for field in FIELDS {
        assert!(summary.get(field).is_some(), "no {field}");
    }
    for stage in ["trace", "compile", "evaluate", "linear_solve", "total"] {
        assert!(summary["times_s"][stage].as_f64().unwrap() >= 0.0, "{stage}");
    }
}

/// The folder holds these files and no others; pictures decode, and `before` and `after` read back as sound meshes.
pub fn check_pictures_and_meshes(folder: &Path, files: &[&str]) {
    let mut names: Vec<String> =
        folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let mut expected = files.to_vec();
    expected.sort_unstable();
    assert_eq!(names, expected);
    for name in files.iter().filter(|name| name.ends_with(".png")) {
        let decoder = png::Decoder::new(BufReader::new(File::open(folder.join(name)).unwrap()));
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        assert!(pixels.iter().any(|&p| p != pixels[0]), "{name} is of one colour");
    }
    for state in ["before", "after"] {
        let [ply, obj] = ["ply", "obj"].map(|format| read_mesh(folder.join(format!("{state}.{format}"))).unwrap());
        assert_eq!(ply, obj);
        assert!(ply.diagnosis().is_clean());
    }
}
