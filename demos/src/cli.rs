//! The command line.

mod problems;

use crate::goal::Goal;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use isograd::mesh::energy::Energy;
use isograd::{Backend, Precision};
use std::ops::RangeInclusive;
use std::path::PathBuf;

pub use problems::{Bundle, Case, CurveFit, LinearSolverName, Method, PoseGraph, Sketch};

/// Demos of isograd: nonlinear least squares with compiled, grouped residuals.
#[derive(Debug, Parser)]
#[command(name = "isograd-demos", version, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Minimise an energy of an icosphere from a deformed start
    Icosphere(Icosphere),
    /// Minimise an energy of a mesh file
    Mesh(Mesh),
    /// Adjust cameras and points of a BAL file, of each file of a folder, or of a made-up problem
    Bundle(Bundle),
    /// Optimise the pose graph of a g2o file, or of each file of a folder
    #[command(name = "posegraph")]
    PoseGraph(PoseGraph),
    /// Fit the curve of a NIST regression file, or of each file of a folder, and compare with the certified values
    #[command(name = "curvefit")]
    CurveFit(CurveFit),
    /// Solve the constraints of a small drawing, and tell what they leave free and which contradict each other
    Sketch(Sketch),
    /// Show what a residual becomes: topology, program, derivative, memory
    Inspect(Inspect),
    /// Show version, processor, GPU adapters, chosen backend, energies and file formats
    Info(Info),
    /// Time tracing, compiling and evaluating on icospheres
    Bench(Bench),
}

/// `icosphere`
#[derive(Debug, Args)]
pub struct Icosphere {
    /// Subdivisions of the icosahedron; each has four times the faces of the one before
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub level: u32,
    /// The energy to minimise
    #[arg(long, value_name = "NAME", default_value = "smooth", value_parser = goal())]
    pub energy: Goal,
    /// How to solve.
    #[command(flatten)]
    pub solver: Solver,
    /// Where results go.
    #[command(flatten)]
    pub results: Results,
}

/// `mesh`
#[derive(Debug, Args)]
pub struct Mesh {
    /// An OBJ, PLY or OFF file, also gzipped
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The energy to minimise
    #[arg(long, value_name = "NAME", default_value = "smooth", value_parser = goal())]
    pub energy: Goal,
    /// How to solve.
    #[command(flatten)]
    pub solver: Solver,
    /// Where results go.
    #[command(flatten)]
    pub results: Results,
}

/// `inspect`
#[derive(Debug, Args)]
pub struct Inspect {
    /// A residual to look at, instead of an energy
    #[arg(value_name = "RESIDUAL", conflicts_with = "energy", value_parser = residual())]
    pub residual: Option<String>,
    /// The energy to look at
    #[arg(long, value_name = "NAME", default_value = "smooth", value_parser = energy())]
    pub energy: Energy,
    /// The icosphere whose energy it is
    #[arg(long, value_name = "N", default_value_t = 2, conflicts_with = "residual")]
    pub level: u32,
    /// Print a graph in Graphviz DOT instead: `topology`, or `value` for the recorded numbers of a RESIDUAL
    #[arg(long, value_name = "WHAT", num_args = 0..=1, require_equals = true, default_missing_value = "topology")]
    pub dot: Option<Graph>,
    /// Print the WGSL of the kernels instead
    #[arg(long, conflicts_with_all = ["dot", "json"])]
    pub wgsl: bool,
    /// Number format of that WGSL; `auto` is f32, the most legible
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "auto", requires = "wgsl")]
    pub precision: PrecisionName,
    /// Print long listings whole
    #[arg(long)]
    pub full: bool,
    /// End with one JSON object on standard output
    #[arg(long, conflicts_with = "dot")]
    pub json: bool,
}

/// Which graph `inspect --dot` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Graph {
    /// The canonical form of each group.
    Topology,
    /// The recorded operations with their numbers.
    Value,
}

/// `info`
#[derive(Debug, Args)]
pub struct Info {
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `bench`
#[derive(Debug, Args)]
pub struct Bench {
    /// One level only
    #[arg(long, value_name = "N")]
    pub level: Option<u32>,
    /// From one level to another [default: 2..6, and with `--backend gpu` 2..9]
    #[arg(long, value_name = "FROM..TO", conflicts_with = "level", value_parser = levels)]
    pub levels: Option<RangeInclusive<u32>>,
    /// The energy to evaluate
    #[arg(long, value_name = "NAME", default_value = "smooth", value_parser = energy())]
    pub energy: Energy,
    /// Time the whole solve too
    #[arg(long)]
    pub solve: bool,
    /// How to solve.
    #[command(flatten)]
    pub solver: Solver,
    /// Print one JSON object a row
    #[arg(long)]
    pub json: bool,
}

/// How to solve.
#[derive(Debug, Clone, Args)]
pub struct Solver {
    /// Where to compute
    #[arg(long, value_name = "WHERE", value_enum, default_value = "cpu")]
    pub backend: BackendName,
    /// Number format of the kernels; the CPU always computes in f64
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "auto")]
    pub precision: PrecisionName,
    /// Threads; 0 for one a core
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub threads: usize,
    /// Most iterations, rejected ones counted; with `developable` in each of its rounds [default: 200; 12 in such a round; 2000 with `curvefit`]
    #[arg(long, value_name = "N")]
    pub max_iterations: Option<usize>,
}

/// Where results go, and from where pictures look.
#[derive(Debug, Clone, Args)]
pub struct Results {
    /// Where results go.
    #[command(flatten)]
    pub files: Files,
    /// From where pictures look, in degrees about the vertical axis: 0 from the front, which is z for meshes, and 90 from x
    #[arg(long, value_name = "DEGREES", default_value_t = 32.0, allow_negative_numbers = true, value_parser = finite)]
    pub azimuth: f64,
}

/// Where results go.
#[derive(Debug, Clone, Args)]
pub struct Files {
    /// Folder for pictures, reports and results [default: out/ and the name of the problem]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Write no files: solve and report only
    #[arg(long, conflicts_with = "out")]
    pub no_files: bool,
    /// End with one JSON object on standard output; everything else goes to standard error
    #[arg(long)]
    pub json: bool,
}

/// [`Backend`] by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BackendName {
    /// This machine's processor cores
    Cpu,
    /// A graphics processor
    Gpu,
    /// Whichever is expected to be faster
    Auto,
}

impl From<BackendName> for Backend {
    fn from(name: BackendName) -> Backend {
        match name {
            BackendName::Cpu => Backend::Cpu,
            BackendName::Gpu => Backend::Gpu,
            BackendName::Auto => Backend::Auto,
        }
    }
}

/// [`Precision`] by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PrecisionName {
    /// The best the device has
    Auto,
    /// Double precision
    F64,
    /// Single precision
    F32,
    /// Pairs of single-precision numbers
    DoubleF32,
}

impl From<PrecisionName> for Precision {
    fn from(name: PrecisionName) -> Precision {
        match name {
            PrecisionName::Auto => Precision::Auto,
            PrecisionName::F64 => Precision::F64,
            PrecisionName::F32 => Precision::F32,
            PrecisionName::DoubleF32 => Precision::DoubleF32,
        }
    }
}

/// Reads a goal by name.
fn goal() -> impl TypedValueParser<Value = Goal> {
    let unknown = |name: String| Goal::named(&name).ok_or_else(|| format!("there is no energy {name}"));
    PossibleValuesParser::new(Goal::all().map(Goal::name)).try_map(unknown)
}

/// A number that is one.
fn finite(word: &str) -> Result<f64, String> {
    word.parse().ok().filter(|number: &f64| number.is_finite()).ok_or_else(|| "not a finite number".to_owned())
}

/// Reads a range of levels, both ends included.
fn levels(text: &str) -> Result<RangeInclusive<u32>, String> {
    let numbers = text.split_once("..").and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
    let levels = numbers.map(|(from, to): (u32, u32)| from..=to).filter(|levels| !levels.is_empty());
    levels.ok_or_else(|| "two numbers like 2..9, the first no larger than the second".to_owned())
}

/// Reads an energy by name; the help lists what the library has.
fn energy() -> impl TypedValueParser<Value = Energy> {
    PossibleValuesParser::new(Energy::ALL.map(Energy::name)).try_map(|name| name.parse::<Energy>())
}

/// Reads the name of a built-in residual.
fn residual() -> impl TypedValueParser<Value = String> {
    PossibleValuesParser::new(crate::inspection::residuals::ALL.map(|example| example.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn ranges_of_levels() {
        assert_eq!(levels("2..9"), Ok(2..=9));
        assert_eq!(levels("3..3"), Ok(3..=3));
        for wrong in ["", "4", "..", "2..", "..9", "9..2", "a..b", "2...9", "-1..3"] {
            assert!(levels(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn defaults() {
        let Command::Icosphere(icosphere) = Cli::parse_from(["isograd-demos", "icosphere"]).command else {
            panic!("icosphere expected")
        };
        assert_eq!((icosphere.level, icosphere.energy), (5, Goal::Energy(Energy::Smooth)));
        assert_eq!((icosphere.solver.threads, icosphere.solver.max_iterations), (0, None));
        assert_eq!(icosphere.solver.backend, BackendName::Cpu);
    }
}
