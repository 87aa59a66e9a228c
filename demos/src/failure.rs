//! Errors as a person reads them.

use anyhow::Error;
use std::io::ErrorKind;

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
