//! Running the program and reading what it says.

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

/// Runs the program in a folder.
pub fn demo(folder: &Path, arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_isograd-demos");
    Command::new(program).args(arguments).current_dir(folder).output().unwrap()
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
