//! Reading, writing and taking apart pose graphs.

use std::f64::consts::PI;

use proptest::prelude::*;

use super::*;
use crate::io::{FilePosition, WriteError};

const PLANE: &str = "# two squares, apart
VERTEX_SE2 10 0 0 0
VERTEX_SE2 3 1 0 0.5   # the lowest

VERTEX_SE2 11 1 1 -1.5
VERTEX_SE2 12 0 1 3
EDGE_SE2 10 3 1 0 0.5 4 1 0 5 0.5 9
FIX 11 3
EDGE_SE2 11 12 1 0 -0.25 1 0 0 1 0 1
EDGE_SE2 3 10 -1 0 -0.5 1 0 0 1 0 1
";

const SPACE: &str = "VERTEX_SE3:QUAT 0 1 2 3 0 0 0 2
VERTEX_SE3:QUAT 1 0 0 0 0.5 -0.5 0.5 -0.5
EDGE_SE3:QUAT 0 1 1 2 3 0 0 0 -1 1 .1 .2 .3 .4 .5 2 .6 .7 .8 .9 3 -.1 -.2 -.3 4 -.4 -.5 5 -.6 6
";

fn plane(text: &str) -> PoseGraph2 {
    match parse_g2o(text.as_bytes(), "plane") {
        Ok(PoseGraph::Se2(graph)) => graph,
        other => panic!("{other:?}"),
    }
}

#[test]
fn ids_become_indices_in_ascending_order() {
    let graph = plane(PLANE);
    assert_eq!(graph.ids, [3, 10, 11, 12]);
    assert_eq!(graph.poses[0], [1.0, 0.0, 0.5]);
    assert_eq!(graph.fixed, [0, 2]);
    let ends: Vec<_> = graph.edges.iter().map(|edge| (edge.from, edge.to)).collect();
    assert_eq!(ends, [(1, 0), (2, 3), (0, 1)]);
    assert_eq!(graph.edges[0].information, [[4.0, 1.0, 0.0], [1.0, 5.0, 0.5], [0.0, 0.5, 9.0]]);
    let squares = graph.square_root_information().unwrap();
    assert_eq!((squares.len(), squares[0], squares[1], squares[3]), (3 * 9, 2.0, 0.5, 0.0));
    assert_eq!(graph.components(), [vec![0, 1], vec![2, 3]]);
    assert_eq!(graph.detached_components(), [[2, 3]]);
}

#[test]
fn quaternions_are_normalised_and_matrices_filled() {
    let Ok(PoseGraph::Se3(graph)) = parse_g2o(SPACE.as_bytes(), "space") else { panic!() };
    assert_eq!(graph.poses[0], [1.0, 2.0, 3.0, 0.0, 0.0, 0.0, 1.0]);
    assert_eq!(graph.poses[1][3..], [0.5, -0.5, 0.5, -0.5]);
    let information = graph.edges[0].information;
    assert_eq!(information[0], [1.0, 0.1, 0.2, 0.3, 0.4, 0.5]);
    assert_eq!(information[5], [0.5, 0.9, -0.3, -0.5, -0.6, 6.0]);
    assert_eq!(graph.square_root_information().unwrap().len(), 36);
    assert_eq!(graph.components().len(), 1);
}

#[test]
fn files_without_vertices_start_by_dead_reckoning() {
    let angle = 0.75 * PI;
    let unit = "1 0 0 1 0 1";
    // A closure first, and a second way from 5 to 6, neither of which is taken.
    let text = format!(
        "EDGE_SE2 7 5 9 9 9 {unit}\nEDGE_SE2 6 7 2 0 {angle} {unit}\nEDGE_SE2 5 6 1 0 {angle} {unit}\nEDGE_SE2 5 6 8 8 8 {unit}\n"
    );
    let graph = plane(&text);
    assert_eq!(graph.ids, [5, 6, 7]);
    let half = 0.5_f64.sqrt();
    let expected = [[0.0, 0.0, 0.0], [1.0, 0.0, angle], [1.0 - 2.0 * half, 2.0 * half, -0.5 * PI]];
    for (found, expected) in graph.poses.as_flattened().iter().zip(expected.as_flattened()) {
        assert!((found - expected).abs() < 1e-15, "{:?}", graph.poses);
    }

    let error =
        parse_g2o(format!("EDGE_SE2 1 2 1 0 0 {unit}\nEDGE_SE2 2 4 1 0 0 {unit}\n").as_bytes(), "x").unwrap_err();
    let source = PoseGraphError::NoStart { id: 4 };
    assert!(
        matches!(&error, ReadError::PoseGraph { at: FilePosition::Line(2), source: s, .. } if *s == source),
        "{error}"
    );
    assert!(error.to_string().contains("no edge from vertex 3 to it"), "{error}");
    let far = "1e308 0 0 1 0 0 1 0 1";
    let error = parse_g2o(format!("EDGE_SE2 1 2 {far}\nEDGE_SE2 2 3 {far}\n").as_bytes(), "x").unwrap_err();
    assert!(matches!(error, ReadError::NonFinite { at: FilePosition::Line(2), .. }), "{error}");
}

#[test]
fn errors_name_the_line() {
    let error = |text: &str| parse_g2o(text.as_bytes(), "x").unwrap_err();
    let replaced = |from: &str, to: &str| {
        assert!(PLANE.contains(from), "{from}");
        error(&PLANE.replacen(from, to, 1))
    };
    let at_line = |error: ReadError, line: usize, expected: PoseGraphError| match error {
        ReadError::PoseGraph { at, source, .. } => assert_eq!((at, source), (FilePosition::Line(line), expected)),
        other => panic!("{other}"),
    };
    at_line(replaced("VERTEX_SE2 12", "VERTEX_SE2 10"), 6, PoseGraphError::DuplicateVertex { id: 10, first: 2 });
    at_line(replaced("EDGE_SE2 11 12", "EDGE_SE2 11 13"), 9, PoseGraphError::UnknownVertex { id: 13 });
    at_line(replaced("FIX 11 3", "FIX 11 4"), 8, PoseGraphError::UnknownVertex { id: 4 });
    at_line(replaced("EDGE_SE2 11 12", "EDGE_SE2 11 11"), 9, PoseGraphError::SelfEdge { id: 11 });
    at_line(replaced("4 1 0 5", "1 3 0 5"), 7, PoseGraphError::Indefinite { row: 1, pivot: -4.0 });
    at_line(replaced("4 1 0 5", "0 0 0 5"), 7, PoseGraphError::Indefinite { row: 0, pivot: 0.0 });
    let mixed = PoseGraphError::Mixed { found: "VERTEX_SE3:QUAT", expected: "VERTEX_SE2" };
    at_line(replaced("VERTEX_SE2 12", "VERTEX_SE3:QUAT 12"), 6, mixed);
    at_line(error(&SPACE.replace("0 0 0 2", "0 0 0 0")), 1, PoseGraphError::ZeroQuaternion);

    for (from, to, line) in [
        ("VERTEX_SE2 12", "VERTEX_XY 12", 6),
        ("VERTEX_SE2 12", "VERTEX_SE2 -12", 6),
        ("VERTEX_SE2 12 0 1 3", "VERTEX_SE2 12 0 1", 6),
        ("VERTEX_SE2 12 0 1 3", "VERTEX_SE2 12 0 1 3 4", 6),
        ("0 -0.25 1 0 0 1 0 1", "0 -0.25 1 0 0 1 0", 9),
        ("0 -0.25 1 0 0 1 0 1", "0 -0.25 1 0 0 1 0 1 0", 9),
        ("0 -0.25 1", "0 x 1", 9),
        ("FIX 11 3", "FIX 11 3 x", 8),
        ("FIX 11 3", "FIX", 8),
    ] {
        let error = replaced(from, to);
        assert!(matches!(error, ReadError::Syntax { at: FilePosition::Line(l), .. } if l == line), "{to}: {error}");
    }
    for (from, to, line) in [
        ("0 1 3", "0 nan 3", 6),
        ("-0.25 1 0 0 1 0 1", "inf 1 0 0 1 0 1", 9),
        ("0 1 0 1\nEDGE", "0 1 0 1e999\nEDGE", 9),
    ] {
        let error = replaced(from, to);
        assert!(matches!(error, ReadError::NonFinite { at: FilePosition::Line(l), .. } if l == line), "{to}: {error}");
    }
    for text in ["", "# nothing\n\n"] {
        assert!(matches!(error(text), ReadError::Truncated { .. }), "{text:?}");
    }
    assert!(matches!(error("FIX 1\n"), ReadError::Truncated { .. }));
}

#[test]
fn graphs_round_trip() {
    let folder = tempfile::tempdir().unwrap();
    for text in [PLANE, SPACE] {
        let graph = parse_g2o(text.as_bytes(), "x").unwrap();
        assert_eq!(read_g2o_from(text.as_bytes(), "stream").unwrap(), graph);
        for name in ["a.g2o", "a.g2o.gz"] {
            let path = folder.path().join(name);
            write_g2o(&path, &graph).unwrap();
            assert_eq!(read_g2o(&path).unwrap(), graph);
        }
    }
}

#[test]
fn what_no_reader_would_take_is_not_written() {
    let refused = |change: fn(&mut PoseGraph2)| {
        let mut graph = plane(PLANE);
        change(&mut graph);
        write_g2o_to(std::io::sink(), &PoseGraph::Se2(graph)).unwrap_err()
    };
    assert!(matches!(refused(|g| g.poses[2][1] = f64::NAN), WriteError::NonFinite { what: "pose", index: 2 }));
    assert!(matches!(
        refused(|g| g.edges[1].measurement[0] = f64::NAN),
        WriteError::NonFinite { what: "edge", index: 1 }
    ));
    assert!(matches!(refused(|g| g.edges[1].to = 4), WriteError::BadIndex { user: "edge", number: 1, index: 4, .. }));
    assert!(matches!(refused(|g| g.fixed.push(9)), WriteError::BadIndex { user: "FIX line", number: 2, .. }));
    assert!(matches!(refused(|g| g.edges[2].information[0][1] = 0.5), WriteError::Asymmetric { edge: 2 }));
    assert!(matches!(refused(|g| g.ids.clear()), WriteError::IdCount { ids: 0, poses: 4 }));
}

proptest! {
    #[test]
    fn what_is_written_reads_back_bit_for_bit(poses in prop::collection::vec(any::<[f64; 7]>(), 2..5)) {
        prop_assume!(poses.as_flattened().iter().all(|x| x.is_finite()));
        prop_assume!(poses.iter().all(|pose| pose[3..].iter().any(|&x| x != 0.0)));
        let lines = poses.iter().enumerate().map(|(k, pose)| {
            let numbers: Vec<String> = pose.iter().map(|x| format!("{x:?}")).collect();
            format!("VERTEX_SE3:QUAT {k} {}\n", numbers.join(" "))
        });
        let graph = parse_g2o(lines.collect::<String>().as_bytes(), "x").unwrap();
        let mut out = Vec::new();
        write_g2o_to(&mut out, &graph).unwrap();
        prop_assert_eq!(parse_g2o(&out, "x").unwrap(), graph);
    }

    /// Components by flooding, against those by joining trees.
    #[test]
    fn components_are_what_can_be_reached(count in 1u32..12, ends in prop::collection::vec((any::<u32>(), any::<u32>()), 0..14)) {
        let ends: Vec<(u32, u32)> = ends.into_iter().map(|(a, b)| (a % count, b % count)).collect();
        let edge = |&(from, to): &(u32, u32)| Edge { from, to, measurement: [0.0; 3], information: [[0.0; 3]; 3] };
        let graph = PoseGraph2 {
            ids: (0..count.into()).collect(),
            poses: vec![[0.0; 3]; count as usize],
            fixed: Vec::new(),
            edges: ends.iter().map(edge).collect(),
        };
        let mut label: Vec<u32> = (0..count).collect();
        for _ in 0..count {
            for &(a, b) in &ends {
                let lower = label[a as usize].min(label[b as usize]);
                (label[a as usize], label[b as usize]) = (lower, lower);
            }
        }
        let members = |of: u32| (0..count).filter(|&k| label[k as usize] == of).collect::<Vec<u32>>();
        let expected: Vec<Vec<u32>> = (0..count).map(members).filter(|list| !list.is_empty()).collect();
        prop_assert_eq!(graph.components(), expected);
    }
}
