//! `inspect`: what a residual becomes on its way to a kernel.

use crate::cli::{Graph, Inspect};
use crate::console::Console;
use crate::inspection::residuals::Example;
use crate::inspection::{GroupView, topologies_to_dot};
use anyhow::bail;
use isograd::Problem;
use isograd::mesh::energy::MeshProblem;
use isograd::mesh::icosphere;
use serde_json::json;

pub(super) fn run(arguments: &Inspect) -> anyhow::Result<()> {
    let console = Console::new(arguments.json);
    let example = arguments.residual.as_deref().and_then(Example::named);
    if arguments.dot == Some(Graph::Value) {
        let Some(example) = example else {
            bail!(
                "--dot=value shows the numbers of one residual: name it, for instance `inspect edge-length --dot=value`"
            );
        };
        console.say(example.to_dot()?.trim_end())?;
        return Ok(());
    }

    let (title, problem) = stated(arguments, example)?;
    let compiled = problem.compile()?;
    if arguments.dot == Some(Graph::Topology) {
        console.say(topologies_to_dot(&compiled).trim_end())?;
        return Ok(());
    }
    let groups: Vec<GroupView> =
        (0..compiled.groups.len()).map(|index| GroupView::new(&compiled, index, arguments.full)).collect();
    console.say(format_args!(
        "{title}\n{} residual blocks, groups: {}; {} residuals, {} parameters, {} stored numbers of the Jacobian\n",
        problem.residual_blocks(),
        groups.len(),
        compiled.residuals(),
        compiled.parameters(),
        compiled.stored()
    ))?;
    for group in &groups {
        console.say(group)?;
    }
    console.json(&json!({ "demo": "inspect", "problem": title, "groups": groups }))?;
    Ok(())
}

fn stated(arguments: &Inspect, example: Option<&Example>) -> anyhow::Result<(String, Problem)> {
    if let Some(example) = example {
        return Ok((format!("{}: {}", example.name, example.formula), example.problem()?));
    }
    let Inspect { level, energy, .. } = arguments;
    let stated = MeshProblem::new(*energy, &icosphere(*level)?)?;
    Ok((format!("icosphere:{level}#{energy}"), stated.problem))
}
