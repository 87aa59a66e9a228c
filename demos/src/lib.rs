//! Demos of isograd.
//!
//! The command line ([`cli`]) names a subcommand, each a file of [`command`]. One that solves goes problem → [`run`] (options,
//! progress bar) → report → [`output`] (files, pictures, the JSON line):
//!
//! | module | what |
//! |---|---|
//! | [`cli`] | every option, with its documentation |
//! | [`command`] | one file a subcommand |
//! | [`goal`] | what `icosphere` and `mesh` can minimise |
//! | [`optimize`] | minimise the energy of a mesh by one solve and show it |
//! | [`develop`] | make a mesh developable by a run of solves and show it |
//! | [`bundle`], [`posegraph`], [`curvefit`], [`sketch`] | state such a problem, solve and show it |
//! | [`collection`] | one file, or a folder of them and a table |
//! | [`loss`] | robust losses by name |
//! | [`inspection`] | what `inspect` shows of a group |
//! | [`run`] | solver options from the command line, and a solve with a progress bar |
//! | [`output`] | the folder of results, the summary, the convergence plot |
//! | [`picture`] | renders, plots and progress bars; knows nothing of the solver |
//! | [`console`], [`failure`] | text to standard output, errors to standard error |
//!
//! A new subcommand is a variant in [`cli::Command`] and a file in [`command`].

pub mod bundle;
pub mod cli;
pub mod collection;
pub mod command;
pub mod console;
pub mod curvefit;
pub mod develop;
pub mod failure;
pub mod goal;
pub mod inspection;
pub mod loss;
pub mod optimize;
pub mod output;
pub mod picture;
pub mod posegraph;
pub mod run;
pub mod sketch;
