//! Where text goes: to standard output for a person, or to standard error beside JSON for a program.

use serde::Serialize;
use std::fmt::Display;
use std::io::{self, Write};

/// The two ways of talking.
#[derive(Debug, Clone, Copy)]
pub struct Console {
    json: bool,
    muted: bool,
}

impl Console {
    /// With `json`, standard output is for [`Console::json`] alone.
    pub fn new(json: bool) -> Self {
        Console { json, muted: false }
    }

    /// The same, but silent: for the solves of a folder, of which a table is printed instead.
    pub fn muted(self) -> Self {
        Console { muted: true, ..self }
    }

    /// Whether a program reads.
    pub fn is_json(self) -> bool {
        self.json
    }

    /// Prints text for a person, with a line end.
    ///
    /// # Errors
    /// If nobody reads any more.
    pub fn say(self, text: impl Display) -> io::Result<()> {
        if self.muted {
            return Ok(());
        }
        if self.json { writeln!(io::stderr(), "{text}") } else { writeln!(io::stdout(), "{text}") }
    }

    /// Prints a value as one line of JSON, if a program reads.
    ///
    /// # Errors
    /// If nobody reads any more.
    pub fn json(self, value: &impl Serialize) -> io::Result<()> {
        if self.json { self.json_line(&serde_json::to_string(value)?) } else { Ok(()) }
    }

    /// Prints what is one line of JSON already, if a program reads.
    ///
    /// # Errors
    /// If nobody reads any more.
    pub fn json_line(self, line: &str) -> io::Result<()> {
        if self.json && !self.muted { writeln!(io::stdout(), "{line}") } else { Ok(()) }
    }
}
