//! The demo program: `isograd-demos SUBCOMMAND`, see [`isograd_demos::cli`].

use clap::Parser;
use isograd_demos::cli::Cli;
use isograd_demos::{command, failure};
use std::process::ExitCode;

fn main() -> ExitCode {
    match command::run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if failure::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", failure::one_line(&error));
            ExitCode::FAILURE
        }
    }
}
