//! Where a solve runs: on the CPU, on a device, or on both.

use super::on_device::Device;
use super::step::DENSE_PARAMETERS;
use super::{LinearSolverKind, Precision, SolveError, SolverOptions};
use crate::backend::gpu::{GpuContext, GpuError};
use crate::backend::{Backend, BackendUnavailable};
use crate::device::Early;
use crate::kernel::wgsl::{self, Format, Formats};
use crate::problem::{NamedGroups, Problem};

/// Operations of a program for each number it returns, from which [`Backend::Auto`] has a device evaluate what the CPU then solves:
/// every number returned crosses the bus.
const OPERATIONS_A_NUMBER: usize = 64;

/// Entries of a dense Jacobian up to which to fetch it from the device costs no more than to wait for the device.
const SMALL_ENTRIES: usize = 1 << 18;

/// Where a solve runs.
pub(super) enum Placement {
    /// On the CPU, and why.
    Cpu(String),
    /// All of it on a device.
    Device(Device),
    /// Some groups are evaluated on a device; the others, and all that follows from them, on the CPU.
    Hybrid {
        device: Device,
        /// Indices of the groups on the device.
        groups: Vec<usize>,
    },
}

/// Chooses for a problem; `Backend::Cpu` does not come here. `context` is asked only if a device would be of use.
///
/// # Errors
/// For [`Backend::Gpu`], if there is no device or it has not the precision asked for.
pub(super) async fn choose(
    problem: &Problem,
    groups: NamedGroups<'_>,
    options: &SolverOptions,
    context: impl AsyncFnOnce() -> Result<GpuContext, GpuError>,
) -> Result<Placement, SolveError> {
    let auto = options.backend == Backend::Auto;
    if auto && let Some(reason) = too_small(groups.residuals(), options) {
        return Ok(Placement::Cpu(reason));
    }
    if auto && let Some(reason) = factors_cheaply(problem, groups) {
        return Ok(Placement::Cpu(reason));
    }
    let direct = solved_directly(problem, groups, options);
    let not_worth_it =
        |reason: String| Placement::Cpu(format!("{reason}, and fetching the Jacobian from a device would not pay"));
    // Before a device is opened for nothing.
    if auto
        && let Some(reason) = &direct
        && !pays(groups, 0..groups.all.len())
    {
        return Ok(not_worth_it(reason.clone()));
    }
    let unavailable = |reason: String| match auto {
        true => Ok(Placement::Cpu(reason)),
        false => Err(BackendUnavailable { backend: Backend::Gpu, reason }.into()),
    };
    let context = match context().await {
        Ok(context) => context,
        Err(error) if auto => return Ok(Placement::Cpu(format!("no GPU: {error}"))),
        Err(error) => return unavailable(error.to_string()),
    };
    let device = &context.info().name;
    if auto && context.is_software() {
        return Ok(Placement::Cpu(format!("{device} is software, slower than the CPU backend")));
    }
    let parameters = problem.parameters();
    if (0..parameters.blocks()).all(|block| parameters.is_fixed(block)) {
        return Ok(Placement::Cpu("every parameter is fixed".to_owned()));
    }
    let (formats, mut notes) = match formats(&context, options.precision).await {
        Ok(found) => found,
        Err(reason) => return unavailable(reason),
    };
    let (able, obstacles) = sort_out(groups, formats.real);
    if obstacles.is_empty() && direct.is_none() {
        return Ok(Placement::Device(Device { context, formats, notes, early: Early::Kernels(None) }));
    }
    if able.is_empty() {
        return Ok(Placement::Cpu(format!("no group can run on the GPU: {}", obstacles.join("; "))));
    }
    if auto && !pays(groups, able.iter().copied()) {
        return Ok(not_worth_it(direct.unwrap_or_else(|| obstacles.join("; "))));
    }
    let names: Vec<String> = able.iter().map(|&group| groups.title(group)).collect();
    notes.push(format!("evaluated on {device}: {}", listed("group", &names)));
    notes.extend(obstacles);
    notes.extend(direct);
    Ok(Placement::Hybrid { device: Device { context, formats, notes, early: Early::Kernels(None) }, groups: able })
}

/// So many times as many residuals make up for opening the device first.
#[cfg(not(target_arch = "wasm32"))]
const OPENING: usize = 4;

/// Why a problem is too small for a device.
fn too_small(residuals: usize, options: &SolverOptions) -> Option<String> {
    let threshold = options.fallback_threshold;
    if residuals < threshold {
        return Some(format!("{residuals} residuals are fewer than the {threshold} from which a GPU pays"));
    }
    // A browser has its device open.
    #[cfg(not(target_arch = "wasm32"))]
    if options.gpu.is_none() && residuals < threshold.saturating_mul(OPENING) && !GpuContext::is_shared_known() {
        let threshold = threshold.saturating_mul(OPENING);
        return Some(format!("{residuals} residuals are fewer than the {threshold} from which opening a GPU pays"));
    }
    None
}

/// Pairs of coupled blocks for each block up to which a factorisation is cheap and conjugate gradients are slow, as on a pose graph.
const LOOSE: f64 = 2.5;
/// The same where blocks are on manifolds.
const LOOSE_ON_MANIFOLDS: f64 = 4.0;
/// Scalar residuals up to which the CPU's Schur complement is the faster one.
const SMALL_BUNDLE: usize = 300_000;

/// Why the direct linear solvers of the CPU are expected to be faster than conjugate gradients on a device.
fn factors_cheaply(problem: &Problem, groups: NamedGroups<'_>) -> Option<String> {
    let parameters = problem.parameters();
    let free = (0..parameters.blocks()).filter(|&block| !parameters.is_fixed(block));
    let (mut blocks, mut scalars, mut of_size) = (0usize, 0usize, vec![0usize; 1]);
    for size in free.map(|block| parameters.tangent_size(block)) {
        blocks += 1;
        scalars += size;
        of_size.resize(of_size.len().max(size + 1), 0);
        of_size[size] += size;
    }
    let most = of_size.iter().copied().max().unwrap_or(0);
    // Most parameters in blocks of one size, the others in another: cameras and points.
    let bundle = most < scalars && 3 * (scalars - most) <= scalars;
    if bundle {
        let small = groups.residuals() <= SMALL_BUNDLE;
        return small.then(|| "the Schur complement is small enough to be factored".to_owned());
    }
    let pairs = |slots: usize| slots * slots.saturating_sub(1) / 2;
    let coupled: usize = groups.all.iter().map(|g| g.table.count * pairs(g.table.blocks.len())).sum();
    let coupling = coupled as f64 / blocks.max(1) as f64;
    let loose = if parameters.has_manifolds() { LOOSE_ON_MANIFOLDS } else { LOOSE };
    // Blocks that nothing couples are a matter of one iteration anywhere.
    (coupled > 0 && coupling <= loose)
        .then(|| format!("a block is coupled with {:.1} others, so that a factorisation is cheap", 2.0 * coupling))
}

/// Why the linear systems are solved by a direct solver, which runs on the CPU, if they are.
fn solved_directly(problem: &Problem, groups: NamedGroups<'_>, options: &SolverOptions) -> Option<String> {
    use LinearSolverKind::{Auto, IterativeSchur, Pcg};
    match options.linear_solver {
        Pcg | IterativeSchur => None,
        // Inexact steps save nothing there, and cost digits and iterations where the system is ill-conditioned.
        Auto => {
            let parameters = problem.parameters();
            let free = (0..parameters.blocks()).filter(|&block| !parameters.is_fixed(block));
            let unknowns: usize = free.map(|block| parameters.tangent_size(block)).sum();
            (unknowns <= DENSE_PARAMETERS && groups.residuals() * unknowns <= SMALL_ENTRIES)
                .then(|| format!("systems of {unknowns} unknowns are solved directly, on the CPU"))
        }
        _ => Some("the linear solver asked for runs on the CPU".to_owned()),
    }
}

/// The groups that can run on a device, and why each of the others cannot.
pub(super) fn sort_out(groups: NamedGroups<'_>, format: Format) -> (Vec<usize>, Vec<String>) {
    let (mut able, mut obstacles) = (Vec::new(), Vec::new());
    for (index, group) in groups.all.iter().enumerate() {
        match wgsl::obstacle(&group.kernel, format) {
            None => able.push(index),
            Some(obstacle) => obstacles.push(format!("group {} runs on the CPU: {obstacle}", groups.title(index))),
        }
    }
    (able, obstacles)
}

/// Whether evaluating groups on a device is worth fetching what comes of it.
fn pays(groups: NamedGroups<'_>, some: impl Iterator<Item = usize> + Clone) -> bool {
    let sum = |amount: fn(&crate::kernel::Kernel) -> usize| -> usize {
        some.clone().map(|g| &groups.all[g]).map(|g| g.table.count.saturating_mul(amount(&g.kernel))).sum()
    };
    let numbers = sum(|kernel| kernel.residuals() + kernel.stored());
    sum(|kernel| kernel.linearization.program.operations()) >= numbers.saturating_mul(OPERATIONS_A_NUMBER)
}

/// `group 1`, or `groups 1, 2 and 17 more`.
fn listed(noun: &str, names: &[String]) -> String {
    const SHOWN: usize = 8;
    let plural = if names.len() == 1 { "" } else { "s" };
    let rest = if names.len() > SHOWN { format!(" and {} more", names.len() - SHOWN) } else { String::new() };
    format!("{noun}{plural} {}{rest}", names[..names.len().min(SHOWN)].join(", "))
}

/// The number formats for a precision on a device, with what there is to say about them.
pub(super) async fn formats(context: &GpuContext, precision: Precision) -> Result<(Formats, Vec<String>), String> {
    let device = &context.info().name;
    let doubles = context.has_f64();
    if doubles && matches!(precision, Precision::Auto | Precision::F64) {
        return Ok((Formats { real: Format::F64, sum: Format::F64 }, Vec::new()));
    }
    if precision == Precision::F64 {
        return Err(format!("{device} has no double precision; Precision::DoubleF32 comes close"));
    }
    if doubles && precision == Precision::F32 {
        return Ok((Formats { real: Format::F32, sum: Format::F64 }, Vec::new()));
    }
    // From here on two-float numbers are wanted, for sums if for nothing else.
    let works = context.test_double_f32().await.map_err(|error| error.to_string())?;
    match precision {
        Precision::F32 if works => Ok((Formats { real: Format::F32, sum: Format::DoubleF32 }, Vec::new())),
        _ if works => Ok((Formats { real: Format::DoubleF32, sum: Format::DoubleF32 }, Vec::new())),
        Precision::DoubleF32 => Err(format!("the driver of {device} optimises two-float roundings away")),
        _ => {
            let note = format!(
                "{device} computes in single precision, sums too: its driver optimises two-float roundings away"
            );
            Ok((Formats { real: Format::F32, sum: Format::F32 }, vec![note]))
        }
    }
}

/// The precision that a format is.
pub(super) fn precision(format: Format) -> Precision {
    match format {
        Format::F32 => Precision::F32,
        Format::F64 => Precision::F64,
        Format::DoubleF32 => Precision::DoubleF32,
    }
}

/// The largest relative error of rounding to a format.
pub(super) fn rounding(format: Format) -> f64 {
    match format {
        Format::F32 => f64::from(f32::EPSILON),
        Format::F64 => f64::EPSILON,
        Format::DoubleF32 => 2f64.powi(-46),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{BalProblem, parse_g2o};
    use crate::mesh::energy::{Energy, MeshProblem};
    use crate::mesh::icosphere;
    use crate::models::{BundleProblem, PoseGraphProblem};

    fn reason(problem: &Problem) -> Option<String> {
        factors_cheaply(problem, problem.draft().unwrap().groups())
    }

    #[test]
    fn what_factors_cheaply_is_left_to_the_cpu() {
        let mesh = MeshProblem::new(Energy::Smooth, &icosphere(2).unwrap()).unwrap();
        assert_eq!(reason(&mesh.problem), None);
        let chain: String = (0..9).map(|k| format!("EDGE_SE2 {k} {} 1 0 0.1 1 0 0 1 0 1\n", k + 1)).collect();
        let poses = PoseGraphProblem::new(&parse_g2o(chain.as_bytes(), "chain").unwrap()).unwrap();
        assert!(reason(&poses.problem).unwrap().contains("a block is coupled with 2.0 others"));
        let bundle = BundleProblem::new(&BalProblem::synthetic(4, 100, 3, 1).unwrap()).unwrap();
        assert!(reason(&bundle.problem).unwrap().contains("Schur complement"));
        let mut alone = Problem::new();
        let block = alone.add_parameter_block(&[1.0]).unwrap();
        alone.add_residual(&[block], |x| x[0][0]).unwrap();
        assert_eq!(reason(&alone), None);
    }
}
