//! Numbers written in decimal.

use std::str::FromStr;

/// A number as `f64` reads it from text. A browser has a reader of its own, which a module need not carry: that of the standard library
/// has ten kilobytes of tables, and they do not compress.
pub(crate) struct Decimal(pub f64);

/// What was read is no number.
#[derive(Debug)]
pub(crate) struct NotDecimal;

impl FromStr for Decimal {
    type Err = NotDecimal;

    #[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
    fn from_str(text: &str) -> Result<Self, NotDecimal> {
        text.parse().map(Decimal).map_err(|_| NotDecimal)
    }

    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    fn from_str(text: &str) -> Result<Self, NotDecimal> {
        match named(text) {
            None if is_decimal(text) => Ok(Decimal(js_sys::parse_float(text))),
            None => Err(NotDecimal),
            Some(number) => Ok(Decimal(number)),
        }
    }
}

/// Whether text is a number in digits, with nothing before or behind it.
#[cfg(any(test, target_arch = "wasm32"))]
fn is_decimal(text: &str) -> bool {
    let unsigned = |text: &'_ str| text.strip_prefix(['+', '-']).unwrap_or(text).to_owned();
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (unsigned(mantissa), Some(unsigned(exponent))),
        None => (unsigned(text), None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((&mantissa, ""));
    are_digits(whole)
        && are_digits(fraction)
        && whole.len() + fraction.len() > 0
        && exponent.is_none_or(|exponent| are_digits(&exponent) && !exponent.is_empty())
}

/// A number that is not finite, by its name.
#[cfg(any(test, target_arch = "wasm32"))]
fn named(text: &str) -> Option<f64> {
    let name = text.strip_prefix(['+', '-']).unwrap_or(text);
    let number = match name.to_ascii_lowercase().as_str() {
        "inf" | "infinity" => f64::INFINITY,
        "nan" => f64::NAN,
        _ => return None,
    };
    Some(if text.starts_with('-') { -number } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// What a browser takes for a number is what the standard library takes for one.
        #[test]
        fn numbers_are_told_as_the_standard_library_tells_them(text in "[-+]?[0-9.]{0,3}[eE.x _]?[-+]?[0-9]{0,2}|[-+]?(inf|NaN|Infinity|infin)") {
            let expected = text.parse::<f64>();
            prop_assert_eq!(is_decimal(&text) || named(&text).is_some(), expected.is_ok(), "{}", text);
            if let Some(number) = named(&text) {
                prop_assert_eq!(number.to_bits(), expected.unwrap().to_bits());
            }
            prop_assert_eq!(text.parse::<Decimal>().is_ok(), text.parse::<f64>().is_ok());
        }
    }
}
