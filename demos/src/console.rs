//! Where text goes: to standard output for a person, or to standard error beside JSON for a program.

use serde::Serialize;
use std::fmt::Display;
use std::io::{self, Write};

/// The two ways of talking.
#[derive(Debug, Clone, Copy)]
pub struct Console {
    json: bool,
}

impl Console {
    /// With `json`, standard output is for [`Console::json`] alone.
    pub fn new(json: bool) -> Self {
        Console { json }
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
        if self.json { writeln!(io::stderr(), "{text}") } else { writeln!(io::stdout(), "{text}") }
    }

    /// Prints a value as one line of JSON, if a program reads.
    ///
    /// # Errors
    /// If nobody reads any more.
    pub fn json(self, value: &impl Serialize) -> io::Result<()> {
        if self.json { writeln!(io::stdout(), "{}", serde_json::to_string(value)?) } else { Ok(()) }
    }
}
