//! A problem so small that it is one piece of work is solved on the thread that asks, and starts none.
//!
//! The only test of its process, since it counts threads.

use isograd::io::{BalProblem, parse_g2o};
use isograd::loss::Huber;
use isograd::models::{BundleProblem, PoseGraphProblem};
use isograd::{Problem, SolverOptions, SolverReport};
use std::ops::ControlFlow;
use std::thread::ThreadId;

/// Threads of this process, where the system says.
fn threads_of_process() -> usize {
    if cfg!(target_os = "linux") { std::fs::read_dir("/proc/self/task").unwrap().count() } else { 1 }
}

/// Solves with as many threads; also where it ran.
fn solve(problem: &mut Problem, threads: usize) -> (SolverReport, ThreadId) {
    let options = SolverOptions { threads, max_iterations: 5, ..SolverOptions::default() };
    let mut on = std::thread::current().id();
    let report = problem.solve_with(&options, |_| {
        on = std::thread::current().id();
        ControlFlow::Continue(())
    });
    (report.unwrap(), on)
}

fn bundle(points: usize) -> Problem {
    let mut bundle = BundleProblem::new(&BalProblem::synthetic(3, points, 3, 1).unwrap()).unwrap();
    bundle.problem.set_loss(0..2, Huber(1.0)).unwrap();
    bundle.problem
}

/// Poses on a ring in space.
fn ring() -> Problem {
    let poses = 12;
    let edge = |k: usize| {
        let information = "1 0 0 0 0 0 1 0 0 0 0 1 0 0 0 1 0 0 1 0 1";
        format!("EDGE_SE3:QUAT {k} {} 1 0 0.1 0 0 0.25 0.97 {information}\n", (k + 1) % poses)
    };
    let vertex = |k: usize| format!("VERTEX_SE3:QUAT {k} {k} 0.5 0 0 0 0 1\n");
    let text: String = (0..poses).map(vertex).chain((0..poses).map(edge)).collect();
    PoseGraphProblem::new(&parse_g2o(text.as_bytes(), "ring").unwrap()).unwrap().problem
}

#[test]
fn a_small_problem_starts_no_thread() {
    let (here, before) = (std::thread::current().id(), threads_of_process());
    for state in [|| bundle(8), ring] {
        let runs = [1, 2, 0].map(|threads| {
            let mut problem = state();
            let (report, on) = solve(&mut problem, threads);
            assert_eq!((report.threads, on), (1, here));
            assert!(report.accepted_steps() > 0 && report.backend.device.contains("1 thread)"), "{report}");
            problem.parameters().values().to_vec()
        });
        assert!(runs[0] == runs[1] && runs[0] == runs[2]);
    }
    assert_eq!(threads_of_process(), before);

    // A larger one does.
    let (report, on) = solve(&mut bundle(600), 3);
    assert_eq!(report.threads, 3);
    assert_ne!(on, here);
}
