//! A progress bar for iterative solves.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar on standard error up to the iteration limit, with the solve's figures beside it.
///
/// It prints nothing where standard error is not a terminal, or where the caller wants quiet (JSON output).
#[derive(Debug)]
pub struct SolveProgress {
    bar: ProgressBar,
}

impl SolveProgress {
    /// A bar for at most `max_iterations` iterations.
    pub fn new(max_iterations: u64, quiet: bool) -> Self {
        let target = if quiet || !std::io::stderr().is_terminal() {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr_with_hz(10)
        };
        let bar = ProgressBar::with_draw_target(Some(max_iterations), target);
        // A template that does not parse leaves the default style: not worth an error.
        if let Ok(style) = ProgressStyle::with_template("{bar:28.cyan/blue} {pos:>4}/{len}  {elapsed}  {msg}") {
            bar.set_style(style.progress_chars("━╸─"));
        }
        Self { bar }
    }

    /// Shows the state after an iteration. Figures that are not known are left out.
    pub fn update(&self, iteration: u64, cost: f64, gradient_norm: Option<f64>, step_norm: Option<f64>) {
        self.bar.set_position(iteration);
        self.bar.set_message(message(cost, gradient_norm, step_norm));
    }

    /// Prints a line above the bar, without breaking it.
    pub fn println(&self, line: impl AsRef<str>) {
        self.bar.println(line);
    }

    /// Whether anything is printed.
    pub fn is_hidden(&self) -> bool {
        self.bar.is_hidden()
    }

    /// Removes the bar, so that the caller's report stands alone.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for SolveProgress {
    /// An early return must not leave half a bar behind.
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn message(cost: f64, gradient_norm: Option<f64>, step_norm: Option<f64>) -> String {
    let mut text = format!("cost {cost:.3e}");
    if let Some(norm) = gradient_norm {
        text += &format!(" |g| {norm:.0e}");
    }
    if let Some(norm) = step_norm {
        text += &format!(" step {norm:.0e}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_has_the_known_figures() {
        assert_eq!(message(1234.0, Some(1e-3), Some(0.01)), "cost 1.234e3 |g| 1e-3 step 1e-2");
        assert_eq!(message(f64::NAN, None, None), "cost NaN");
    }

    #[test]
    fn quiet_prints_nothing() {
        let progress = SolveProgress::new(0, true);
        progress.update(7, 1.0, None, None);
        progress.finish();
        assert!(progress.is_hidden());
    }
}
