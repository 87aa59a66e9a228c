//! `inspect`: what a residual becomes on its way to a kernel.

use crate::cli::{Graph, Inspect, PrecisionName};
use crate::console::Console;
use crate::inspection::residuals::Example;
use crate::inspection::{GroupView, topologies_to_dot};
use anyhow::bail;
use isograd::Problem;
use isograd::kernel::Kernel;
use isograd::kernel::wgsl::{self, Addition, Format, Formats, Slot};
use isograd::mesh::energy::MeshProblem;
use isograd::mesh::icosphere;
use isograd::problem::CompiledProblem;
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
    if arguments.wgsl {
        return print_wgsl(&console, &compiled, arguments.precision);
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

/// Prints the kernels over the instances of all groups, each as a module of its own.
fn print_wgsl(console: &Console, compiled: &CompiledProblem, precision: PrecisionName) -> anyhow::Result<()> {
    let real = match precision {
        PrecisionName::Auto | PrecisionName::F32 => Format::F32,
        PrecisionName::F64 => Format::F64,
        PrecisionName::DoubleF32 => Format::DoubleF32,
    };
    let formats = Formats { real, sum: real };
    let kernels: Vec<&Kernel> = compiled.groups.iter().map(|group| &*group.kernel).collect();
    for module in [
        wgsl::residuals(&kernels, formats, Slot::Point, Slot::Residuals)?,
        wgsl::linearize(&kernels, formats)?,
        wgsl::gradient(&kernels, formats, Addition::Gather)?,
        wgsl::jtj_product(&kernels, formats, Addition::Gather)?,
    ] {
        console.say(format_args!("// ==== {}\n\n{}", module.entry, module.wgsl))?;
    }
    Ok(())
}
