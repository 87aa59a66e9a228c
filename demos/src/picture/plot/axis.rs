//! Ranges and ticks. Data goes into axis coordinates (itself, or its decimal logarithm) before anything is drawn.

use super::{number, power_of_ten};

/// A fitted axis.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    log: bool,
    /// Range in axis coordinates; `low < high`.
    pub low: f64,
    pub high: f64,
    /// Labelled ticks, in axis coordinates.
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    /// An axis that shows all `values`. `whole` allows ticks at whole numbers only (linear axes).
    pub fn fit(values: impl Iterator<Item = f64>, log: bool, whole: bool) -> Self {
        let (mut low, mut high, mut has_zero) = (f64::INFINITY, f64::NEG_INFINITY, false);
        for value in values {
            has_zero |= value == 0.0;
            let coordinate = if log { value.log10() } else { value };
            if coordinate.is_finite() {
                low = low.min(coordinate);
                high = high.max(coordinate);
            }
        }
        if low > high {
            // Nothing to show.
            (low, high) = (0.0, 1.0);
        }
        // Keeps the widths below finite; nobody reads a plot of larger numbers.
        (low, high) = (low.max(-1e300), high.min(1e300));
        // Data that differ by rounding only are constant.
        if high - low <= 1e-12 * low.abs().max(high.abs()) {
            let half = if log { 0.5 } else { (0.1 * low.abs()).max(0.5) };
            (low, high) = (low - half, high + half);
        }
        let room = 0.05 * (high - low);
        let floor = if log && has_zero { (0.12 * (high - low)).max(0.5) } else { 0.0 };
        let mut axis = Self { log, low: low - room - floor, high: high + room, ticks: Vec::new() };
        axis.set_ticks(whole);
        axis
    }

    /// Where a value lies, in axis coordinates. Zero on a logarithmic axis lies at the lower end.
    pub fn place(&self, value: f64) -> Option<f64> {
        if self.log && value == 0.0 {
            return Some(self.low);
        }
        let coordinate = if self.log { value.log10() } else { value };
        coordinate.is_finite().then(|| coordinate.clamp(self.low, self.high))
    }

    /// Widens the range about its middle to the given width.
    pub fn widen(&mut self, width: f64) {
        let middle = 0.5 * (self.low + self.high);
        (self.low, self.high) = (middle - 0.5 * width, middle + 0.5 * width);
        self.set_ticks(false);
    }

    pub fn width(&self) -> f64 {
        self.high - self.low
    }

    fn set_ticks(&mut self, whole: bool) {
        let (low, high) = (self.low, self.high);
        self.ticks = if !self.log {
            let step = nice_step(self.width() / 8.0);
            let step = if whole { step.max(1.0) } else { step };
            let decimals = (-step.log10().floor()).clamp(0.0, 12.0) as usize;
            let label = |value: f64| {
                if value.abs() >= 1e5 || step < 1e-4 {
                    number(value)
                } else {
                    format!("{value:.decimals$}").replace('-', "−")
                }
            };
            multiples(low, high, step).map(|v| (v, label(v))).collect()
        } else if high - low >= 1.8 {
            let step = (self.width() / 7.0).ceil();
            multiples(low, high, step).map(|e| (e, power_of_ten(e as i32))).collect()
        } else {
            // Under two decades the powers are too few; take round values.
            let (least, most) = (10f64.powf(low), 10f64.powf(high));
            let step = nice_step((most - least) / 5.0);
            multiples(least, most, step).filter(|v| *v > 0.0).map(|v| (v.log10(), number(v))).collect()
        };
    }
}

/// The least of 1, 2, 5 times a power of ten that is no less than `width`.
fn nice_step(width: f64) -> f64 {
    let power = 10f64.powf(width.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|digit| digit * power);
    let step = steps.into_iter().find(|step| *step >= width * 0.999).unwrap_or(steps[3]);
    if step.is_finite() && step > 0.0 { step } else { 1.0 }
}

/// Multiples of `step` in the interval, at most 50.
fn multiples(low: f64, high: f64, step: f64) -> impl Iterator<Item = f64> {
    let first = (low / step).ceil();
    // Adding 0 turns -0 into 0, which is shown without a sign.
    (0..50).map(move |k| (first + f64::from(k)) * step + 0.0).take_while(move |v| *v <= high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(values: &[f64], log: bool) -> Vec<String> {
        Axis::fit(values.iter().copied(), log, false).ticks.into_iter().map(|t| t.1).collect()
    }

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(labels(&[0.0, 10.0], false), ["0", "2", "4", "6", "8", "10"]);
        assert_eq!(labels(&[-0.31, 0.29], false), ["−0.3", "−0.2", "−0.1", "0.0", "0.1", "0.2", "0.3"]);
        assert_eq!(labels(&[1e-8, 1.0], true), ["10⁻⁸", "10⁻⁶", "10⁻⁴", "10⁻²", "10⁰"]);
        assert_eq!(labels(&[1e-2, 1.0], true), ["10⁻²", "10⁻¹", "10⁰"]);
        for values in [[3.0, 3.0], [1e-30, 2e-30], [1e15, 3e15], [0.98, 1.0], [0.0, 7.0]] {
            for log in [false, true] {
                let count = labels(&values, log).len();
                assert!((2..=12).contains(&count), "{values:?} {log}: {count}");
            }
        }
    }

    #[test]
    fn zeros_lie_at_the_lower_end_of_a_log_axis() {
        let axis = Axis::fit([1.0, 1e-3, 0.0, -2.0, f64::NAN].into_iter(), true, false);
        assert_eq!(axis.place(0.0), Some(axis.low));
        assert!(axis.low < -3.4);
        assert_eq!(axis.place(-2.0), None);
        assert_eq!(axis.place(f64::NAN), None);
        assert_eq!(axis.place(0.1), Some(-1.0));
    }
}
