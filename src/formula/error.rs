//! What is wrong with a formula, at which line and column.

use std::fmt;

use super::function::names_of_functions;

/// Where in a text something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextPosition {
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
}

impl fmt::Display for TextPosition {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "line {}, column {}", self.line, self.column)
    }
}

/// Why a text is not a formula.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormulaError {
    /// Something else stands where the grammar wants a certain thing.
    #[error("{at}: expected {expected}, found {found}")]
    Syntax {
        /// Where.
        at: TextPosition,
        /// What may stand there.
        expected: String,
        /// What does.
        found: String,
    },
    /// A name that is neither a variable nor a constant.
    #[error("{at}: unknown name \"{name}\"; {}", known(.variables))]
    UnknownName {
        /// Where.
        at: TextPosition,
        /// The name.
        name: String,
        /// What the variables are called.
        variables: Vec<String>,
    },
    /// A name before a bracket that is no function.
    #[error("{at}: unknown function \"{name}\"; there are {} (for a product, write *)", names_of_functions())]
    UnknownFunction {
        /// Where.
        at: TextPosition,
        /// The name.
        name: String,
    },
    /// A function with too few or too many arguments.
    #[error("{at}: {function} takes {expected} argument(s), not {found}")]
    Arguments {
        /// Where the function is.
        at: TextPosition,
        /// Its name.
        function: String,
        /// How many it takes.
        expected: usize,
        /// How many it is given.
        found: usize,
    },
    /// A number beyond the range of `f64`.
    #[error("{at}: the number {text} is too large for double precision")]
    TooLarge {
        /// Where.
        at: TextPosition,
        /// The number as it is written.
        text: String,
    },
    /// Brackets, signs and powers within one another, deeper than any sensible formula.
    #[error("{at}: nested deeper than {limit} levels; name a part of the formula and write it apart")]
    TooDeep {
        /// Where the limit is passed.
        at: TextPosition,
        /// The limit.
        limit: usize,
    },
}

impl FormulaError {
    /// Where the trouble is.
    pub fn position(&self) -> TextPosition {
        match self {
            FormulaError::Syntax { at, .. }
            | FormulaError::UnknownName { at, .. }
            | FormulaError::UnknownFunction { at, .. }
            | FormulaError::Arguments { at, .. }
            | FormulaError::TooLarge { at, .. }
            | FormulaError::TooDeep { at, .. } => *at,
        }
    }
}

fn known(variables: &[String]) -> String {
    const SHOWN: usize = 20;
    let mut shown = variables.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>();
    if variables.is_empty() {
        return "there are no variables".into();
    }
    if variables.len() > SHOWN {
        shown.push("...");
    }
    format!("the variables are {}", shown.join(", "))
}
