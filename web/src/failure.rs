//! Errors of JavaScript: an `Error` with the message of ours and a code to tell it by.

use isograd::formula::FormulaError;
use isograd::io::ReadError;
use isograd::mesh::IcosphereLevelTooHigh;
use isograd::mesh::energy::EnergyError;
use isograd::{ProblemError, SolveError};
use js_sys::Reflect;
use wasm_bindgen::JsValue;

/// What JavaScript catches.
#[derive(Debug)]
pub enum Failure {
    /// An error of ours.
    Ours {
        /// To tell it by, in kebab-case.
        code: &'static str,
        /// In words.
        message: String,
    },
    /// What a function of the caller threw, as it is.
    Theirs(JsValue),
}

impl Failure {
    pub fn new(code: &'static str, message: impl ToString) -> Self {
        Failure::Ours { code, message: message.to_string() }
    }

    /// Something of the wrong type or out of range.
    pub fn argument(message: impl ToString) -> Self {
        Failure::new("invalid-argument", message)
    }
}

impl From<Failure> for JsValue {
    fn from(failure: Failure) -> JsValue {
        match failure {
            Failure::Ours { code, message } => {
                let error = js_sys::Error::new(&message);
                // A fresh object takes any property.
                let _ = Reflect::set(&error, &"code".into(), &code.into());
                error.into()
            }
            Failure::Theirs(value) => value,
        }
    }
}

impl From<ProblemError> for Failure {
    fn from(error: ProblemError) -> Failure {
        let code = match error {
            ProblemError::TemplateDiverges { .. } => "template-diverges",
            ProblemError::Empty { .. } => "empty-problem",
            _ => "invalid-problem",
        };
        Failure::new(code, error)
    }
}

impl From<SolveError> for Failure {
    fn from(error: SolveError) -> Failure {
        let code = match error {
            SolveError::Problem(error) => return error.into(),
            SolveError::Backend(_) => "no-gpu",
            SolveError::NonFinite { .. } => "not-finite",
            SolveError::CostOverflow { .. } => "cost-overflow",
            SolveError::Linear(_) => "linear-solver",
            SolveError::Memory { .. } => "memory",
            SolveError::Option { .. } => "invalid-option",
            _ => "solve",
        };
        Failure::new(code, error)
    }
}

impl From<FormulaError> for Failure {
    fn from(error: FormulaError) -> Failure {
        Failure::new("invalid-formula", error)
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Failure {
        let code = match error {
            ReadError::UnknownFormat { .. } => "unknown-format",
            _ => "unreadable-file",
        };
        Failure::new(code, error)
    }
}

impl From<EnergyError> for Failure {
    fn from(error: EnergyError) -> Failure {
        match error {
            EnergyError::Problem(error) => error.into(),
            other => Failure::new("invalid-mesh", other),
        }
    }
}

impl From<IcosphereLevelTooHigh> for Failure {
    fn from(error: IcosphereLevelTooHigh) -> Failure {
        Failure::argument(error)
    }
}
