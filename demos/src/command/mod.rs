//! The subcommands, one file each.

mod bench;
mod bench_gpu;
mod bundle;
mod curvefit;
mod icosphere;
mod info;
mod inspect;
mod mesh;
mod posegraph;
mod sketch;

use crate::cli::{Cli, Command};

/// Runs the subcommand.
///
/// # Errors
/// Whatever keeps it from doing what it was asked for.
pub fn run(cli: &Cli) -> anyhow::Result<()> {
    match &cli.command {
        Command::Icosphere(arguments) => icosphere::run(arguments),
        Command::Mesh(arguments) => mesh::run(arguments),
        Command::Bundle(arguments) => bundle::run(arguments),
        Command::PoseGraph(arguments) => posegraph::run(arguments),
        Command::CurveFit(arguments) => curvefit::run(arguments),
        Command::Sketch(arguments) => sketch::run(arguments),
        Command::Inspect(arguments) => inspect::run(arguments),
        Command::Info(arguments) => info::run(arguments),
        Command::Bench(arguments) => bench::run(arguments),
    }
}
