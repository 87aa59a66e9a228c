//! `bench`: how long tracing, compiling and evaluating take on icospheres.

use crate::cli::Bench;
use crate::console::Console;
use crate::run;
use isograd::mesh::energy::{Energy, MeshProblem, Tracing};
use isograd::mesh::{Mesh, icosphere};
use isograd::problem::CompiledProblem;
use isograd::{Backend, SolverOptions};
use serde::Serialize;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

/// Levels unless one is named.
const LEVELS: RangeInclusive<u32> = 2..=6;
/// Timed runs of which the median counts: at least so many …
const RUNS: usize = 7;
/// … and as many more as fit in this time.
const TIME: Duration = Duration::from_millis(300);
const MOST_RUNS: usize = 1000;

/// Times at one level with one number of threads, in seconds.
#[derive(Debug, Serialize)]
struct Row {
    demo: &'static str,
    problem: String,
    level: u32,
    threads: usize,
    parameters: usize,
    residuals: usize,
    groups: usize,
    /// Kernels that an earlier level had compiled.
    cached_kernels: usize,
    trace_template_s: f64,
    trace_closure_s: f64,
    compile_s: f64,
    residuals_s: f64,
    linearize_s: f64,
    solve: Option<SolveTime>,
}

#[derive(Debug, Serialize)]
struct SolveTime {
    total_s: f64,
    linear_solve_s: f64,
    iterations: usize,
    final_cost: f64,
}

pub(super) fn run(arguments: &Bench) -> anyhow::Result<()> {
    let console = Console::new(arguments.json);
    let options = run::options(&arguments.solver);
    run::check_backend(options.backend)?;
    let levels = arguments.level.map(|level| level..=level).or_else(|| arguments.levels.clone());
    if options.backend == Backend::Gpu {
        return super::bench_gpu::run(arguments, levels);
    }
    let levels = levels.unwrap_or(LEVELS);
    console.say(Row::HEADER)?;
    for level in levels {
        let mesh = icosphere(level)?;
        let traced = Traced::new(arguments.energy, &mesh)?;
        for threads in thread_counts(options.threads) {
            let options = SolverOptions { threads, ..options.clone() };
            let mut row = traced.row(&options)?;
            (row.level, row.problem) = (level, format!("icosphere:{level}#{}", arguments.energy));
            if arguments.solve {
                row.solve = Some(solve(arguments.energy, &mesh, &options)?);
            }
            console.say(&row)?;
            console.json(&row)?;
        }
    }
    Ok(())
}

/// One thread and all of them, or the number asked for.
fn thread_counts(asked: usize) -> Vec<usize> {
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    match asked {
        0 if all > 1 => vec![1, all],
        0 => vec![1],
        asked => vec![asked],
    }
}

/// A stated and compiled problem, with the times that threads do not change.
struct Traced {
    stated: MeshProblem,
    compiled: CompiledProblem,
    template: f64,
    closure: f64,
}

impl Traced {
    fn new(energy: Energy, mesh: &Mesh) -> anyhow::Result<Traced> {
        let trace = |tracing| -> anyhow::Result<f64> {
            let times: Result<Vec<f64>, _> = (0..3)
                .map(|_| MeshProblem::with_tracing(energy, mesh, tracing))
                .map(|stated| stated.map(|stated| stated.problem.trace_time().as_secs_f64()))
                .collect();
            Ok(median(times?))
        };
        let (template, closure) = (trace(Tracing::Template)?, trace(Tracing::EachBlock)?);
        let stated = MeshProblem::new(energy, mesh)?;
        let compiled = stated.problem.compile()?;
        Ok(Traced { stated, compiled, template, closure })
    }

    fn row(&self, options: &SolverOptions) -> anyhow::Result<Row> {
        let Traced { stated, compiled, template, closure } = self;
        let pool = rayon::ThreadPoolBuilder::new().num_threads(options.threads).build()?;
        let x = stated.problem.parameters().values();
        let mut evaluation = compiled.new_evaluation();
        let residuals_s = pool.install(|| timed(|| compiled.evaluate_residuals(x, &mut evaluation)))?;
        let linearize_s = pool.install(|| timed(|| compiled.linearize(x, &mut evaluation)))?;
        Ok(Row {
            demo: "bench",
            problem: String::new(),
            level: 0,
            threads: pool.current_num_threads(),
            parameters: compiled.parameters(),
            residuals: compiled.residuals(),
            groups: compiled.groups.len(),
            cached_kernels: compiled.statistics.cache_hits,
            trace_template_s: *template,
            trace_closure_s: *closure,
            compile_s: compiled.compile_time.as_secs_f64(),
            residuals_s,
            linearize_s,
            solve: None,
        })
    }
}

fn solve(energy: Energy, mesh: &Mesh, options: &SolverOptions) -> anyhow::Result<SolveTime> {
    let report = MeshProblem::new(energy, mesh)?.problem.solve(options)?;
    Ok(SolveTime {
        total_s: report.times_s.total,
        linear_solve_s: report.times_s.linear_solve,
        iterations: report.iteration_count(),
        final_cost: report.final_cost,
    })
}

/// Median time of a run, after two to warm up.
fn timed<E>(mut run: impl FnMut() -> Result<(), E>) -> Result<f64, E> {
    run()?;
    run()?;
    let began = Instant::now();
    let mut times = Vec::new();
    while times.len() < RUNS || (began.elapsed() < TIME && times.len() < MOST_RUNS) {
        let start = Instant::now();
        run()?;
        times.push(start.elapsed().as_secs_f64());
    }
    Ok(median(times))
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

impl Row {
    const HEADER: &str = "level threads  residuals  parameters   trace: template    closure      compile  (cached)    \
                          residuals  with Jacobian";
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |seconds: f64| format!("{:.3} ms", 1e3 * seconds);
        write!(
            f,
            "{:5} {:7} {:10} {:11} {:>17} {:>10} {:>12} {:>9} {:>12} {:>14}",
            self.level,
            self.threads,
            self.residuals,
            self.parameters,
            ms(self.trace_template_s),
            ms(self.trace_closure_s),
            ms(self.compile_s),
            format!("{}/{}", self.cached_kernels, self.groups),
            ms(self.residuals_s),
            ms(self.linearize_s)
        )?;
        if let Some(solve) = &self.solve {
            write!(
                f,
                "   solve {:.3} s, {} iterations, cost {:.6e}",
                solve.total_s, solve.iterations, solve.final_cost
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(thread_counts(3), [3]);
        assert_eq!(thread_counts(0)[0], 1);
    }
}
