//! The report as text, after Ceres's `FullReport`.

use super::{IterationRecord, SolverReport};
use std::fmt;

impl SolverReport {
    /// One line: iterations, costs, reason.
    pub fn brief(&self) -> String {
        format!(
            "{} iterations, cost {:.6e} -> {:.6e}: {}",
            self.iteration_count(),
            self.initial_cost,
            self.final_cost,
            self.message
        )
    }

    /// The iterations as a table.
    pub fn iteration_table(&self) -> String {
        let mut text = String::from(IterationRecord::HEADER);
        for record in &self.iterations {
            text.push('\n');
            text.push_str(&record.to_string());
        }
        text
    }
}

impl IterationRecord {
    /// Column heads for the lines that records print as.
    pub const HEADER: &str =
        "iter          cost   cost_change   |gradient|        |step|    tr_ratio  tr_radius  ls_iter  total_time";
}

impl fmt::Display for IterationRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A step that could not be evaluated changed nothing.
        let change = match self.cost_change {
            change if change.is_nan() => "none".to_owned(),
            change => format!("{change:.2e}"),
        };
        write!(
            f,
            "{:4} {:13.6e} {change:>13} {:12.2e} {:13.2e} {:11.2e} {:10.2e} {:8} {:11.2e}{}",
            self.iteration,
            self.cost,
            self.gradient_max_norm,
            self.step_norm,
            self.gain_ratio,
            self.trust_region_radius,
            self.linear_iterations,
            self.elapsed_s,
            if self.accepted { "" } else { "  rejected" }
        )
    }
}

/// Bytes in a unit that keeps the number short.
fn bytes(bytes: usize) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

impl fmt::Display for SolverReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |f: &mut fmt::Formatter<'_>, name: &str, value: String| writeln!(f, "{name:<34}{value:>14}");
        writeln!(f, "isograd solver report\n")?;
        writeln!(f, "{:<34}{:>14}{:>14}", "", "Problem", "Free")?;
        writeln!(f, "{:<34}{:>14}{:>14}", "Parameter blocks", self.parameter_blocks.0, self.parameter_blocks.1)?;
        writeln!(f, "{:<34}{:>14}{:>14}", "Parameters", self.parameters.0, self.parameters.1)?;
        row(f, "Residual blocks", self.residual_blocks.to_string())?;
        row(f, "Residuals", self.residuals.to_string())?;
        writeln!(f)?;
        writeln!(f, "{:<34}Levenberg-Marquardt", "Minimizer")?;
        writeln!(f, "{:<34}{}", "Linear solver", self.linear_solver)?;
        writeln!(f, "{:<34}{}", "", self.linear_solver_reason)?;
        writeln!(f, "{:<34}{} ({})", "Backend", self.backend.device, self.backend.reason)?;
        for note in &self.notes {
            writeln!(f, "{:<34}{note}", "")?;
        }
        let compile = &self.compile;
        writeln!(
            f,
            "{:<34}{} ({} from the cache; {:.0} residual blocks each)",
            "Kernels",
            compile.kernels,
            compile.cache_hits,
            compile.reuse_factor()
        )?;
        const SHOWN: usize = 12;
        for group in self.groups.iter().take(SHOWN) {
            writeln!(
                f,
                "  {:<20} {:>9} x {} residuals of {} parameters, {} operations, {} stored [{}]",
                group.name.as_deref().unwrap_or("(no name)"),
                group.instances,
                group.residuals,
                group.parameters,
                group.operations,
                group.stored,
                group.topology
            )?;
        }
        if self.groups.len() > SHOWN {
            writeln!(f, "  … and {} more", self.groups.len() - SHOWN)?;
        }
        writeln!(f)?;
        writeln!(f, "Cost")?;
        row(f, "Initial", format!("{:.8e}", self.initial_cost))?;
        row(f, "Final", format!("{:.8e}", self.final_cost))?;
        row(f, "Change", format!("{:.8e}", self.initial_cost - self.final_cost))?;
        writeln!(f)?;
        row(f, "Minimizer iterations", self.iteration_count().to_string())?;
        row(f, "Successful steps", self.accepted_steps().to_string())?;
        row(f, "Unsuccessful steps", (self.iteration_count() - self.accepted_steps()).to_string())?;
        if self.factorizations > 0 {
            row(f, "Factorisations", self.factorizations.to_string())?;
        }
        writeln!(f)?;
        writeln!(f, "Time (in seconds)")?;
        let times = &self.times_s;
        row(f, "Trace", format!("{:.6}", times.trace))?;
        row(f, "Compile", format!("{:.6}", times.compile))?;
        if times.device_loop > 0.0 {
            // What the device did for each stage stands below, if its clock was read.
            row(f, "Iterations on the device", format!("{:.6}", times.device_loop))?;
        } else {
            let stages = [
                ("Analyse structure", times.analyse),
                ("Residuals and Jacobian", times.evaluate),
                ("Normal equations", times.normal_equations),
                ("Linear solver", times.linear_solve),
            ];
            for (name, seconds) in stages {
                row(f, name, format!("{seconds:.6}"))?;
            }
        }
        row(f, "Total", format!("{:.6}", times.total))?;
        writeln!(f)?;
        row(f, "Memory: problem and Jacobian", bytes(self.problem_bytes))?;
        row(f, "Memory: normal equations", bytes(self.normal_equations_bytes))?;
        row(f, "Memory: factor", bytes(self.factor_bytes))?;
        if let Some(device) = &self.device {
            writeln!(f)?;
            writeln!(
                f,
                "{:<34}{} compiled, {} from the cache; {} dispatches",
                "Device kernels", device.kernels_compiled, device.kernel_cache_hits, device.dispatches
            )?;
            row(f, "Device memory", bytes(device.memory_bytes as usize))?;
            row(f, "Bytes to the device", bytes(device.bytes_up as usize))?;
            row(f, "Bytes from the device", bytes(device.bytes_down as usize))?;
            for (stage, seconds) in &device.stage_times_s {
                row(f, &format!("Device time: {stage}"), format!("{seconds:.6}"))?;
            }
            if times.device_loop > 0.0 && device.stage_times_s.is_empty() {
                row(f, "Device time by stage", "not measured".to_owned())?;
            }
        }
        writeln!(f)?;
        let verdict = if self.termination.is_converged() { "CONVERGENCE" } else { "NO CONVERGENCE" };
        write!(f, "Termination: {verdict} ({})", self.message)
    }
}
