//! Errors as a person reads them.

use crate::console::Console;
use anyhow::Error;
use serde::Serialize;
use std::io::ErrorKind;

/// The JSON of what could not be solved.
#[derive(Debug, Serialize)]
pub struct Failure<'a> {
    /// The subcommand.
    pub demo: &'a str,
    /// The file, or what was made up.
    pub problem: &'a str,
    /// Why not.
    pub error: String,
}

/// Hands on the result; if it is an error, after telling it to a program that reads.
///
/// # Errors
/// Those of the result, or if nobody reads any more.
pub fn told<T>(demo: &str, problem: &str, console: Console, result: anyhow::Result<T>) -> anyhow::Result<T> {
    if let Err(error) = &result
        && !is_closed_pipe(error)
    {
        console.json(&Failure { demo, problem, error: one_line(error) })?;
    }
    result
}

/// The error and its causes on one line. A cause that the line already quotes is not said twice.
pub fn one_line(error: &Error) -> String {
    let mut line = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if line.contains(&cause) {
            continue;
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&cause);
    }
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether the reader of our output went away, as `head` does: no error of ours.
pub fn is_closed_pipe(error: &Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|io| io.kind() == ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn causes_stand_on_one_line_and_once() {
        let error = anyhow!("no such\n  file").context("reading cow.obj");
        assert_eq!(one_line(&error), "reading cow.obj: no such file");
        let quoted = anyhow!("no space").context("writing a.png: no space");
        assert_eq!(one_line(&quoted), "writing a.png: no space");
    }

    #[test]
    fn a_closed_pipe_is_told_from_other_errors() {
        assert!(is_closed_pipe(&std::io::Error::from(ErrorKind::BrokenPipe).into()));
        assert!(!is_closed_pipe(&anyhow!("broken pipe")));
    }
}
