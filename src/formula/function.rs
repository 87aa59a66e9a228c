//! The functions of formulas and their names.

use nalgebra::{ComplexField, RealField};

/// Declares an enum of functions, each with its names (none for an operator) and its value.
macro_rules! functions {
    ($(#[$comment:meta])* $kind:ident($($a:ident),+): $($variant:ident $($name:literal)* = $value:expr;)+) => {
        $(#[$comment])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum $kind {
            $($variant),+
        }

        impl $kind {
            const NAMES: &[&[(&str, $kind)]] = &[$(&[$(($name, $kind::$variant)),*]),+];

            fn named(name: &str) -> Option<$kind> {
                $kind::NAMES.iter().copied().flatten().find(|(n, _)| *n == name).map(|&(_, function)| function)
            }

            pub(super) fn of<T: RealField + Copy>(self, $($a: T),+) -> T {
                match self {
                    $($kind::$variant => $value),+
                }
            }
        }
    };
}

functions! {
    /// An operation on one number.
    Unary(a):
    Negate = -a;
    Sin "sin" = a.sin();
    Cos "cos" = a.cos();
    Tan "tan" = a.tan();
    Asin "asin" "arcsin" = a.asin();
    Acos "acos" "arccos" = a.acos();
    Atan "atan" "arctan" = a.atan();
    Sinh "sinh" = a.sinh();
    Cosh "cosh" = a.cosh();
    Tanh "tanh" = a.tanh();
    Asinh "asinh" = a.asinh();
    Acosh "acosh" = a.acosh();
    Atanh "atanh" = a.atanh();
    Exp "exp" = a.exp();
    Log "log" "ln" = a.ln();
    Log2 "log2" = a.log2();
    Log10 "log10" = a.log10();
    Sqrt "sqrt" = a.sqrt();
    Cbrt "cbrt" = a.cbrt();
    Abs "abs" = ComplexField::abs(a);
}

functions! {
    /// An operation on two numbers.
    Binary(a, b):
    Add = a + b;
    Subtract = a - b;
    Multiply = a * b;
    Divide = a / b;
    Power "pow" = a.powf(b);
    Atan2 "atan2" = a.atan2(b);
    Hypot "hypot" = a.hypot(b);
    Min "min" = a.min(b);
    Max "max" = a.max(b);
}

/// A function as a name calls it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Function {
    Unary(Unary),
    Binary(Binary),
}

impl Function {
    pub(super) fn named(name: &str) -> Option<Function> {
        Unary::named(name).map(Function::Unary).or_else(|| Binary::named(name).map(Function::Binary))
    }

    pub(super) fn arguments(self) -> usize {
        match self {
            Function::Unary(_) => 1,
            Function::Binary(_) => 2,
        }
    }
}

/// All of them, for an error.
pub(super) fn names_of_functions() -> String {
    let unary = Unary::NAMES.iter().copied().flatten().map(|(name, _)| *name);
    let binary = Binary::NAMES.iter().copied().flatten().map(|(name, _)| *name);
    unary.chain(binary).collect::<Vec<_>>().join(" ")
}
