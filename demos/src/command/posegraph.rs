//! `posegraph`: the poses of a file, or of a folder of files.

use crate::cli::PoseGraph;
use crate::collection;
use crate::output::{Names, file_and_stem};
use crate::posegraph::{Task, optimize};
use isograd::io::read_g2o;

pub(super) fn run(arguments: &PoseGraph) -> anyhow::Result<()> {
    let PoseGraph { file, method, solver, results } = arguments;
    let suffix = method.loss.suffix();
    collection::solve("posegraph", file, &results.files, |path, files, console| {
        let graph = read_g2o(path)?;
        let (file, stem) = file_and_stem(path);
        let names = Names {
            demo: "posegraph",
            problem: format!("g2o/{file}{suffix}"),
            folder: format!("posegraph-{stem}{}", suffix.replace(['#', ':'], "-")),
            title: stem,
        };
        optimize(Task { names, graph, azimuth: results.azimuth }, method, solver, files, console)
    })
}
