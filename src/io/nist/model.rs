//! The lines of the model to formulas.
//!
//! `log[y] = b1 - b2*x1 * exp[-b3*x2]  +  e` has the response on the left and the error `e` at the end. A statement goes on in the next
//! line where that has no `=`. Statements before the model's give names to numbers: `pi = 3.14159...E0`.

use super::NistParameter;
use crate::formula::Formula;
use crate::io::read_error::Fault;
use crate::io::text::{Line, finite, quoted};

/// A statement: what is left and right of its `=`.
struct Statement {
    left: String,
    /// Blank up to the `=`, and with the line ends of the file, so that positions in it are positions in the file.
    right: String,
    line: Line<'static>,
}

/// The formulas of the response and of the model.
pub(super) fn parse(
    lines: &[Line<'_>],
    parameters: &[NistParameter],
    columns: &[String],
) -> Result<(Formula, Formula), Fault> {
    let mut statements = statements(lines)?;
    let Some(model) = statements.pop() else {
        let at = lines.last().map_or(crate::io::FilePosition::Line(1), |line| line.at());
        return Err(Fault::syntax(at, "a model such as y = b1*x + e", "no line with ="));
    };
    let mut constants: Vec<(&str, f64)> = Vec::new();
    for Statement { left, right, line } in &statements {
        let formula = Formula::in_file::<&str>(right, line.number, &[], &constants)?;
        constants.push((left.trim(), finite(formula.evaluate(&[]), line.at())?));
    }

    let line = model.line.number;
    let (response, predictors) = columns.split_at(1);
    let left = Formula::in_file(&model.left, line, response, &constants)?;
    let text = without_error(&model.right).ok_or_else(|| {
        let found = quoted(model.right.trim().as_bytes());
        Fault::syntax(model.line.at(), "a model that ends with \"+ e\"", found)
    })?;
    let names: Vec<&str> =
        parameters.iter().map(|p| p.name.as_str()).chain(predictors.iter().map(String::as_str)).collect();
    let right = Formula::in_file(text, line, &names, &constants)?;
    Ok((left, right))
}

fn statements(lines: &[Line<'_>]) -> Result<Vec<Statement>, Fault> {
    let mut statements: Vec<Statement> = Vec::new();
    for line in lines {
        let Ok(text) = std::str::from_utf8(line.text) else {
            return Err(Fault::syntax(line.at(), "a formula", quoted(line.text)));
        };
        match (text.split_once('='), statements.last_mut()) {
            (Some((left, right)), _) => {
                let blank = " ".repeat(left.chars().count() + 1);
                let line = Line { number: line.number, text: b"" };
                statements.push(Statement { left: left.to_owned(), right: blank + right, line });
            }
            (None, Some(statement)) => {
                statement.right.push('\n');
                statement.right.push_str(text);
            }
            (None, None) if text.trim().is_empty() => {}
            (None, None) => return Err(Fault::syntax(line.at(), "a model such as y = b1*x + e", quoted(line.text))),
        }
    }
    Ok(statements)
}

/// What is before the final `+ e`.
fn without_error(model: &str) -> Option<&str> {
    model.trim_end().strip_suffix('e')?.trim_end().strip_suffix('+')
}
