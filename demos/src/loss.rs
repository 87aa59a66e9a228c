//! Robust losses by name, as `--loss` takes them.

use isograd::loss::{Arctan, Cauchy, Fair, GemanMcClure, Huber, SoftL1, Tolerant, Tukey, Welsch};
use isograd::{Problem, ProblemError};
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// A robust loss and its numbers, or none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LossChoice {
    kind: Kind,
    /// The width; of a tolerant loss a, in squared units of the residual.
    width: f64,
    /// Of a tolerant loss b.
    bend: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    None,
    Huber,
    SoftL1,
    Cauchy,
    Arctan,
    Tukey,
    GemanMcClure,
    Welsch,
    Fair,
    Tolerant,
}

/// The kinds by name, and how many numbers may follow the name.
const KINDS: [(&str, Kind, usize); 10] = [
    ("none", Kind::None, 0),
    ("huber", Kind::Huber, 1),
    ("softl1", Kind::SoftL1, 1),
    ("cauchy", Kind::Cauchy, 1),
    ("arctan", Kind::Arctan, 1),
    ("tukey", Kind::Tukey, 1),
    ("geman-mcclure", Kind::GemanMcClure, 1),
    ("welsch", Kind::Welsch, 1),
    ("fair", Kind::Fair, 1),
    ("tolerant", Kind::Tolerant, 2),
];

/// Why a text names no loss.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LossError {
    /// There is none of that name.
    #[error("there is no loss {0:?}; there are {names}", names = KINDS.map(|(name, ..)| name).join(", "))]
    Name(String),
    /// Too many numbers, or too few.
    #[error("{name} takes {form}")]
    Count {
        /// The loss.
        name: &'static str,
        /// How it is written.
        form: &'static str,
    },
    /// A number that is none, or is no width.
    #[error("{0:?} is no width: it must be a number above 0")]
    Width(String),
}

impl FromStr for LossChoice {
    type Err = LossError;

    fn from_str(text: &str) -> Result<Self, LossError> {
        let mut words = text.split(':');
        let name = words.next().unwrap_or_default();
        let known = KINDS.into_iter().find(|(other, ..)| *other == name);
        let (name, kind, most) = known.ok_or_else(|| LossError::Name(name.to_owned()))?;
        let numbers = words.map(width).collect::<Result<Vec<f64>, _>>()?;
        let count_fits = if most == 2 { numbers.len() == 2 } else { numbers.len() <= most };
        if !count_fits {
            let form = ["no number", "one number at most, NAME:WIDTH", "two numbers, tolerant:A:B"][most];
            return Err(LossError::Count { name, form });
        }
        let number = |k: usize| numbers.get(k).copied().unwrap_or(1.0);
        Ok(LossChoice { kind, width: number(0), bend: number(1) })
    }
}

fn width(word: &str) -> Result<f64, LossError> {
    let number = word.parse::<f64>().ok().filter(|number| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| LossError::Width(word.to_owned()))
}

impl LossChoice {
    /// Gives residual blocks this loss.
    ///
    /// # Errors
    /// If there are no such blocks.
    pub fn apply(self, problem: &mut Problem, blocks: Range<usize>) -> Result<(), ProblemError> {
        let a = self.width;
        match self.kind {
            Kind::None => Ok(()),
            Kind::Huber => problem.set_loss(blocks, Huber(a)),
            Kind::SoftL1 => problem.set_loss(blocks, SoftL1(a)),
            Kind::Cauchy => problem.set_loss(blocks, Cauchy(a)),
            Kind::Arctan => problem.set_loss(blocks, Arctan(a)),
            Kind::Tukey => problem.set_loss(blocks, Tukey(a)),
            Kind::GemanMcClure => problem.set_loss(blocks, GemanMcClure(a)),
            Kind::Welsch => problem.set_loss(blocks, Welsch(a)),
            Kind::Fair => problem.set_loss(blocks, Fair(a)),
            Kind::Tolerant => problem.set_loss(blocks, Tolerant { a, b: self.bend }),
        }
    }

    /// What it adds to the name of a problem: `#huber1`, or nothing.
    pub fn suffix(self) -> String {
        if self.kind == Kind::None { String::new() } else { format!("#{}", self.to_string().replacen(':', "", 1)) }
    }
}

/// As on the command line.
impl fmt::Display for LossChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, _, numbers) = KINDS.into_iter().find(|(_, kind, _)| *kind == self.kind).unwrap_or(KINDS[0]);
        match numbers {
            0 => f.write_str(name),
            1 => write!(f, "{name}:{}", self.width),
            _ => write!(f, "{name}:{}:{}", self.width, self.bend),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> LossChoice {
        text.parse().unwrap()
    }

    #[test]
    fn losses_print_as_they_are_read() {
        for text in ["none", "huber:0.5", "geman-mcclure:2", "tolerant:4:0.5"] {
            assert_eq!(parsed(text).to_string(), text);
        }
        for (name, _, numbers) in KINDS {
            let text = if numbers == 2 { format!("{name}:1:1") } else { name.to_owned() };
            assert_eq!(parsed(&text).width, 1.0, "the default width");
        }
        assert_eq!((parsed("huber:1.0").suffix(), parsed("none").suffix()), ("#huber1".to_owned(), String::new()));
    }

    #[test]
    fn every_loss_can_be_set() {
        for (name, _, numbers) in KINDS {
            let mut problem = Problem::new();
            let x = problem.add_parameter_block(&[3.0]).unwrap();
            problem.add_residual(&[x], |x| x[0][0]).unwrap();
            let text = if numbers == 2 { format!("{name}:2:1") } else { format!("{name}:2") };
            let text = if numbers == 0 { name.to_owned() } else { text };
            parsed(&text).apply(&mut problem, 0..1).unwrap();
        }
    }

    #[test]
    fn what_is_no_loss_is_told() {
        let error = |text: &str| text.parse::<LossChoice>().unwrap_err().to_string();
        assert!(error("hubert").contains("there are none, huber, softl1"));
        assert_eq!(error("huber:0"), "\"0\" is no width: it must be a number above 0");
        for text in ["huber:", "huber:x", "cauchy:-1", "fair:NaN", "welsch:inf"] {
            assert!(error(text).contains("is no width"), "{text}");
        }
        assert!(error("huber:1:2").contains("one number at most"));
        assert!(error("tolerant:1").contains("tolerant:A:B") && error("none:1").contains("no number"));
    }
}
