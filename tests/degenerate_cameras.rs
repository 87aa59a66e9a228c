//! What becomes of cameras and points that no picture was ever taken of: behind a camera, in it, without a focal length, unseen.

use isograd::io::BalProblem;
use isograd::models::BundleProblem;
use isograd::{SolveError, SolverOptions};

/// Five cameras on a ring around forty points, four of the cameras on each point.
fn data() -> BalProblem {
    BalProblem::synthetic(5, 40, 4, 1).unwrap()
}

fn options() -> SolverOptions {
    SolverOptions { max_iterations: 50, ..Default::default() }
}

/// The camera's centre, -Rᵀ t, for a camera turned so that R is the identity.
fn facing(mut data: BalProblem, depth: f64) -> BalProblem {
    let seen = data.observations[0];
    let camera = &mut data.cameras[seen.camera as usize];
    camera[..3].fill(0.0);
    let [x, y, z] = [camera[3], camera[4], camera[5]];
    // P = X + t has the depth -P.z; a point in front of the camera has a negative z.
    data.points[seen.point as usize] = [0.1 - x, 0.2 - y, -depth - z];
    data
}

#[test]
fn a_point_behind_a_camera_counts_by_the_formula() {
    let mut bundle = BundleProblem::new(&facing(data(), -2.0)).unwrap();
    let report = bundle.problem.solve(&options()).unwrap();
    // The model knows no front: the residual is finite, large, and the solve goes on from it.
    assert!(report.initial_cost.is_finite() && report.final_cost < report.initial_cost, "{report}");
    assert!(bundle.problem.parameters().values().iter().all(|x| x.is_finite()));
}

#[test]
fn a_point_in_the_plane_of_a_camera_is_named() {
    let data = facing(data(), 0.0);
    let mut bundle = BundleProblem::new(&data).unwrap();
    let before = bundle.problem.parameters().values().to_vec();
    let error = bundle.problem.solve(&options()).unwrap_err();
    let SolveError::NonFinite { iterations: 0, residual } = &error else { panic!("{error}") };
    assert_eq!(residual.residual_block, 0, "{error}");
    assert!(error.to_string().contains("reprojection"), "{error}");
    assert_eq!(bundle.problem.parameters().values(), before);
}

#[test]
fn a_camera_without_a_focal_length_gains_one() {
    let mut data = data();
    data.cameras[2][6] = 0.0;
    let mut bundle = BundleProblem::new(&data).unwrap();
    let report = bundle.problem.solve(&options()).unwrap();
    assert!(report.final_cost < 1e-2 * report.initial_cost, "{report}");
    assert!(bundle.problem.parameter_block(bundle.cameras[2])[6] != 0.0);
}

#[test]
fn two_cameras_in_one_place_leave_no_trace() {
    // Depth cannot be told by them; the damping makes up for what the systems lack.
    let mut data = data();
    data.cameras[1] = data.cameras[0];
    let mut bundle = BundleProblem::new(&data).unwrap();
    let report = bundle.problem.solve(&options()).unwrap();
    assert!(report.final_cost.is_finite() && report.final_cost <= report.initial_cost, "{report}");
}

#[test]
fn a_camera_and_a_point_that_nothing_sees_stay_where_they_are() {
    let mut data = data();
    data.observations.retain(|seen| seen.camera != 3 && seen.point != 7);
    let mut bundle = BundleProblem::new(&data).unwrap();
    let report = bundle.problem.solve(&options()).unwrap();
    assert!(report.final_cost < report.initial_cost, "{report}");
    assert_eq!(bundle.problem.parameter_block(bundle.cameras[3]), data.cameras[3]);
    assert_eq!(bundle.problem.parameter_block(bundle.points[7]), data.points[7]);
}
