//! Formulas as text.
//!
//! In: a text such as `b1*(1 - exp[-b2*x])`. Out: a [`Formula`] that evaluates on `f64`, on [`Value`](crate::Value) and on any
//! other [`RealField`], so that a residual can come from a file or from a user's keyboard:
//!
//! ```
//! use isograd::Value;
//! use isograd::formula::Formula;
//!
//! let formula = Formula::with_variables("a * exp(-x**2 / 2)", &["a", "x"])?;
//! assert_eq!(formula.evaluate(&[3.0, 0.0]), 3.0);
//!
//! let x = Value::variable(1.0);
//! formula.evaluate(&[Value::from(3.0), x]).backward();
//! assert!((x.grad() + 3.0 * (-0.5_f64).exp()).abs() < 1e-15);
//! # Ok::<(), isograd::formula::FormulaError>(())
//! ```
//!
//! # Grammar
//!
//! | binds | operators | |
//! | --- | --- | --- |
//! | loosest | `+` `-` | from the left |
//! | | `*` `/` | from the left |
//! | | `-` `+` before an operand | so `-x**2` is `-(x**2)`, and `2**-x` is allowed |
//! | tightest | `**` or `^` | from the right: `a**b**c` is `a**(b**c)` |
//!
//! Brackets are `()`, `[]` or `{}`, each closed by its own kind. A name directly before a bracket is a function: `sin cos tan asin
//! acos atan sinh cosh tanh asinh acosh atanh exp log log2 log10 sqrt cbrt abs` of one argument, `atan2 hypot min max pow` of two;
//! `arcsin arccos arctan ln` are other names for `asin acos atan log`, the natural logarithm. Any other name is a variable or a
//! constant; `pi` is one unless a variable has its name. Where variables are called `p[0]`, `p[1]` …, `p[` and a number is one of
//! them. Numbers are decimal, `1`, `.5`, `2.`, `1.5E-3`. White space and the ends
//! of lines mean nothing.
//!
//! # Why not a crate
//!
//! `exmex` (0.21), which is generic over its numbers too, binds a sign tighter than a power (`-2^2` is 4), reads neither `**` nor
//! `[]` (its curly brackets quote names), gives no position in its errors, sorts the variables by name, and fixes the number type
//! when a text is parsed, so one formula would be parsed for `f64` and again for `Value`. The parser here is some hundred lines.
//!
//! | file | what |
//! | --- | --- |
//! | `lexer.rs` | characters to tokens |
//! | `parser.rs` | tokens to operations, by the binding power of operators |
//! | `function.rs` | the functions and their names |
//! | `error.rs` | what is wrong, at which line and column |

mod decimal;
mod error;
mod function;
mod lexer;
mod parser;

#[cfg(test)]
mod tests;

use std::fmt;

use nalgebra::RealField;

pub(crate) use decimal::Decimal;
pub use error::{FormulaError, TextPosition};
use function::{Binary, Unary};
use parser::{Names, Parser};

/// An expression in named variables, read from a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Formula {
    text: String,
    variables: Vec<String>,
    /// Each works on results of earlier ones; the last gives the result of the whole. A list, not a tree: walking it, copying it
    /// and dropping it need no stack, however long the text.
    operations: Vec<Operation>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Operation {
    Constant(f64),
    Variable(usize),
    Unary(Unary, usize),
    Binary(Binary, usize, usize),
}

impl Formula {
    /// Reads a formula whose names are all variables, numbered in the order in which the text first has them.
    ///
    /// ```
    /// # use isograd::formula::Formula;
    /// let formula = Formula::parse("b*x + a")?;
    /// assert_eq!(formula.variables(), ["b", "x", "a"]);
    /// # Ok::<(), isograd::formula::FormulaError>(())
    /// ```
    ///
    /// # Errors
    /// What the text lacks, and where.
    pub fn parse(text: &str) -> Result<Formula, FormulaError> {
        Formula::read(text, 1, Names::any())
    }

    /// Reads a formula in the given variables, numbered as they are given; the text need not use them all.
    ///
    /// # Errors
    /// What the text lacks, and where; also where it has any other name.
    pub fn with_variables<S: AsRef<str>>(text: &str, variables: &[S]) -> Result<Formula, FormulaError> {
        Formula::read(text, 1, Names::given(variables, &[]))
    }

    /// As [`Formula::with_variables`], with names that stand for numbers besides. A variable hides a constant of its name.
    ///
    /// # Errors
    /// As there.
    pub fn with_constants<S: AsRef<str>>(
        text: &str,
        variables: &[S],
        constants: &[(&str, f64)],
    ) -> Result<Formula, FormulaError> {
        Formula::read(text, 1, Names::given(variables, constants))
    }

    /// The same for a text that begins at that line of a file.
    pub(crate) fn in_file<S: AsRef<str>>(
        text: &str,
        line: usize,
        variables: &[S],
        constants: &[(&str, f64)],
    ) -> Result<Formula, FormulaError> {
        Formula::read(text, line, Names::given(variables, constants))
    }

    fn read(text: &str, line: usize, names: Names) -> Result<Formula, FormulaError> {
        let (operations, variables) = Parser::new(text, line, names)?.formula()?;
        Ok(Formula { text: text.split_whitespace().collect::<Vec<_>>().join(" "), variables, operations })
    }

    /// The names of the variables, in the order in which [`Formula::evaluate`] takes their values.
    pub fn variables(&self) -> &[String] {
        &self.variables
    }

    /// The value of the formula where the variables have these values.
    ///
    /// # Panics
    /// Where there are not as many values as variables.
    pub fn evaluate<T: RealField + Copy>(&self, values: &[T]) -> T {
        let (expected, found) = (self.variables.len(), values.len());
        assert_eq!(found, expected, "{found} values for the {expected} variables of \"{self}\"");
        let mut results: Vec<T> = Vec::with_capacity(self.operations.len());
        for operation in &self.operations {
            results.push(match *operation {
                Operation::Constant(number) => nalgebra::convert(number),
                Operation::Variable(k) => values[k],
                Operation::Unary(function, a) => function.of(results[a]),
                Operation::Binary(function, a, b) => function.of(results[a], results[b]),
            });
        }
        results[results.len() - 1] // a text without any operation is an error
    }
}

/// The text, white space evened out.
impl fmt::Display for Formula {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}
