//! The text of kernels, whole, so that a change to it is seen: `UPDATE_GOLDEN=1 cargo test --test wgsl` rewrites the files in
//! `tests/golden/`.
#![cfg(feature = "gpu")]

use isograd::Problem;
use isograd::kernel::Kernel;
use isograd::kernel::wgsl::{self, Addition, Format, Formats, OwnBlock, OwnKind, Shape, Slot};
use isograd::mesh::energy::{Energy, MeshProblem};
use isograd::mesh::icosphere;
use std::path::Path;

const FORMATS: Formats = Formats { real: Format::F32, sum: Format::F32 };

fn compare(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        return;
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    // A checkout may have other line ends.
    let first = golden.lines().zip(text.lines()).position(|(old, new)| old != new);
    let same = first.is_none() && golden.lines().count() == text.lines().count();
    let line = first.unwrap_or_else(|| golden.lines().count().min(text.lines().count()));
    assert!(
        same,
        "tests/golden/{name} differs from line {} on:\n- {}\n+ {}\nUPDATE_GOLDEN=1 rewrites it",
        line + 1,
        golden.lines().nth(line).unwrap_or("(end)"),
        text.lines().nth(line).unwrap_or("(end)")
    );
}

fn check(name: &str, problem: &Problem) {
    let compiled = problem.compile().unwrap();
    let kernels: Vec<&Kernel> = compiled.groups.iter().map(|group| &*group.kernel).collect();
    for module in [
        wgsl::residuals(&kernels, FORMATS, Slot::Point, Slot::Residuals).unwrap(),
        wgsl::linearize(&kernels, FORMATS).unwrap(),
        wgsl::gradient(&kernels, FORMATS, Addition::Gather).unwrap(),
        wgsl::jtj_product(&kernels, FORMATS, Addition::Gather).unwrap(),
    ] {
        compare(&format!("{name}_{}.wgsl", module.entry), &module.wgsl);
    }
}

#[test]
fn smooth_energy() {
    check("smooth", &MeshProblem::new(Energy::Smooth, &icosphere(1).unwrap()).unwrap().problem);
}

#[test]
fn rosenbrock() {
    let mut problem = Problem::new();
    let block = problem.add_parameter_block(&[-1.2, 1.0]).unwrap();
    problem.add_residual(&[block], |x| [1.0 - x[0][0], 10.0 * (x[0][1] - x[0][0] * x[0][0])]).unwrap();
    check("rosenbrock", &problem);
}

/// Components that are minimised by a lane each: a exp(−b t) with bounds.
#[test]
fn components() {
    let mut problem = Problem::new();
    let blocks = problem.add_parameter_blocks(2, &[1.0; 4]).unwrap();
    let rows = [[blocks[0]], [blocks[1]]];
    problem
        .add_residual_batch(&rows, &[[0.5, 1.0], [0.7, 2.0]], |x, d| x[0][0] * (-x[0][1] * d[0]).exp() - d[1])
        .unwrap();
    let compiled = problem.compile().unwrap();
    let block = OwnBlock { size: 2, columns: vec![Some(0), Some(1)], retraction: None };
    let kind = OwnKind { group: 0, blocks: vec![Some(0)] };
    let shape = Shape { blocks: vec![block], kinds: vec![kind], bounded: true };
    let module = wgsl::component(&shape, &[&*compiled.groups[0].kernel], FORMATS).unwrap();
    compare("decay_component.wgsl", &module.wgsl);
}

#[test]
fn atomic_sums() {
    let mut problem = Problem::new();
    let block = problem.add_parameter_block(&[-1.2, 1.0]).unwrap();
    problem.add_residual(&[block], |x| [1.0 - x[0][0], 10.0 * (x[0][1] - x[0][0] * x[0][0])]).unwrap();
    let compiled = problem.compile().unwrap();
    for (addition, name) in [(Addition::Atomic, "atomic"), (Addition::CompareExchange, "compare_exchange")] {
        let module = wgsl::gradient(&[&*compiled.groups[0].kernel], FORMATS, addition).unwrap();
        compare(&format!("rosenbrock_gradient_{name}.wgsl"), &module.wgsl);
    }
}
