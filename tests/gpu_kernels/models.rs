//! Every group of the demos that are no energies of a mesh by one solve (`energies`); those of a sketch are tested where they are written.

use super::gradients::check;
use isograd::backend::gpu::GpuContext;
use isograd::io::{BalProblem, parse_g2o, read_bal, read_g2o, read_nist};
use isograd::loss::{Arctan, Cauchy, Fair, GemanMcClure, Huber, SoftL1, Trivial, Tukey, Welsch};
use isograd::mesh::energy::{Developable, DevelopableOptions};
use isograd::models::{BundleProblem, CurveProblem, PoseGraphProblem};
use std::fmt::Write;
use std::path::{Path, PathBuf};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// Corners, anchors, triangle quality and folds, about the shape itself and sharpened.
pub fn developable(context: &GpuContext) {
    for sharp_levels in [0, 3] {
        let options = DevelopableOptions { sharp_levels, ..DevelopableOptions::default() };
        let problem = Developable::icosphere(2, options).unwrap().finest_problem().unwrap();
        let compiled = problem.compile().unwrap();
        for name in ["developable corner", "anchor", "quality", "fold"] {
            let found = (0..compiled.groups.len()).any(|group| compiled.name(group).is_some_and(|n| n.contains(name)));
            assert!(found, "no group {name}");
        }
        check(context, "developable", &problem, 0.02);
    }
}

/// Without a loss and with each of them.
pub fn bundle(context: &GpuContext) {
    let file = read_bal(data("dubrovnik-3-7-pre.txt")).unwrap();
    for (name, data) in [("dubrovnik-3-7", file), ("synthetic", BalProblem::synthetic(5, 40, 3, 1).unwrap())] {
        let mut bundle = BundleProblem::new(&data).unwrap();
        check(context, name, &bundle.problem, 0.0);
        macro_rules! with_losses {
            ($($loss:expr),*) => {
                $(
                    bundle.problem.set_loss(bundle.observations.clone(), $loss).unwrap();
                    check(context, &format!("{name} with {}", stringify!($loss)), &bundle.problem, 0.0);
                )*
            };
        }
        with_losses!(
            Trivial,
            Huber(1.0),
            SoftL1(1.0),
            Cauchy(1.0),
            Arctan(1.0),
            Tukey(50.0),
            GemanMcClure(1.0),
            Welsch(50.0),
            Fair(1.0)
        );
    }
}

/// Poses in the plane: a square walked twice, measured with some error.
pub fn planar_pose_graph(context: &GpuContext) {
    let mut text = String::new();
    for k in 0..8 {
        let (x, y) = [(0.0, 0.0), (1.0, 0.1), (1.1, 1.0), (-0.1, 0.9)][k % 4];
        writeln!(text, "VERTEX_SE2 {k} {x} {y} {}", 1.5 * k as f64 + 0.1).unwrap();
    }
    for (a, b) in (0..7).map(|k| (k, k + 1)).chain((0..4).map(|k| (k, k + 4))) {
        let angle = 1.6 * f64::from(b - a);
        writeln!(text, "EDGE_SE2 {a} {b} 0.9 0.2 {angle} 40 3 -2 50 5 90").unwrap();
    }
    let graph = parse_g2o(text.as_bytes(), "square.g2o").unwrap();
    check(context, "square", &PoseGraphProblem::new(&graph).unwrap().problem, 0.1);
}

/// Poses in space, away from where the measurements of one walk put them.
pub fn spatial_pose_graph(context: &GpuContext) {
    for name in ["cube.g2o", "spiral.g2o.gz"] {
        let graph = read_g2o(data(name)).unwrap();
        check(context, name, &PoseGraphProblem::new(&graph).unwrap().problem, 0.1);
    }
}

/// Every model in `tests/data`, from both starts.
pub fn curves(context: &GpuContext) {
    let mut models = 0;
    for entry in data("").read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "dat") {
            continue;
        }
        let curve = read_nist(&path).unwrap();
        for start in 0..2 {
            let problem = CurveProblem::new(&curve, &curve.start(start)).unwrap().problem;
            check(context, &format!("{}, start {}", curve.name, start + 1), &problem, 0.0);
        }
        models += 1;
    }
    assert!(models >= 4, "{models} models");
}
