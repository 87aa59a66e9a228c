//! The developable energy by `icosphere` and `mesh`.

mod common;

use common::{check_fields, check_pictures_and_meshes, demo, demo_without_gpu, failure, last_json, text};
use isograd::io::write_obj;
use serde_json::Value;
use std::fs::File;
use tempfile::TempDir;

const FILES: [&str; 11] = [
    "before.png",
    "before.ply",
    "before.obj",
    "after.png",
    "after.ply",
    "after.obj",
    "pair.png",
    "lambda.png",
    "convergence.png",
    "report.txt",
    "report.json",
];

fn number(summary: &Value, field: &str) -> f64 {
    summary[field].as_f64().unwrap_or_else(|| panic!("no number {field} in {summary}"))
}

/// Complete, consistent, and well developable.
fn check(summary: &Value) {
    check_fields(summary);
    for field in ["hinges", "smallest_angle", "last_round_cost", "wall_s"] {
        assert!(number(summary, field) > 0.0, "{field}");
    }
    let [before, after, drop] = ["energy_before", "energy_after", "energy_drop"].map(|field| number(summary, field));
    assert_eq!([before, after], ["initial_cost", "final_cost"].map(|field| number(summary, field)));
    assert!((drop - (1.0 - after / before)).abs() < 1e-12);
    assert!(drop > 0.6, "{drop}");
    assert!(number(summary, "developable_share_before") < 0.1);
    assert!(number(summary, "developable_share_after") > 0.6);
    assert!(number(summary, "iterations") > number(summary, "rounds"));
}

#[test]
fn a_sphere_becomes_developable() {
    let folder = TempDir::new().unwrap();
    let output = demo(folder.path(), &["icosphere", "--level", "2", "--energy", "developable", "--json"]);
    let summary = last_json(&output);
    check(&summary);
    assert_eq!(summary["problem"], "icosphere:2#developable");
    // Places and directions of 162 vertices; corners, anchors, triangles, edges.
    assert_eq!((&summary["parameters"], &summary["groups"]), (&(6 * 162).into(), &4.into()));
    assert_eq!(text(&output).lines().count(), 1);
    let files = folder.path().join("out/icosphere-2-developable");
    check_pictures_and_meshes(&files, &FILES);
    let json: Value = serde_json::from_reader(File::open(files.join("report.json")).unwrap()).unwrap();
    assert_eq!(json["summary"], summary);
    assert_eq!(json["summary"]["last_round_cost"], json["report"]["final_cost"]);
    let rounds = json["rounds"].as_array().unwrap();
    assert_eq!(rounds.len() as f64, number(&summary, "rounds"));
    assert_eq!((&rounds[0]["level"], &rounds[0]["vertices"]), (&1.into(), &42.into()));
}

#[test]
fn a_mesh_file_becomes_developable() {
    let folder = TempDir::new().unwrap();
    write_obj(folder.path().join("ball.obj"), &isograd::mesh::icosphere(2).unwrap()).unwrap();
    let arguments = ["mesh", "ball.obj", "--energy", "developable", "--threads", "1", "--no-files", "--json"];
    let summary = last_json(&demo(folder.path(), &arguments));
    check(&summary);
    assert_eq!(summary["problem"], "mesh/ball.obj#developable");
    assert_eq!(summary["threads"], 1);
    assert!(!folder.path().join("out").exists());
}

#[test]
fn a_person_reads_rounds_and_figures() {
    let folder = TempDir::new().unwrap();
    let arguments = ["icosphere", "--level", "1", "--energy", "developable", "--max-iterations", "2", "--no-files"];
    let output = demo(folder.path(), &arguments);
    let text = text(&output);
    for words in ["cost before", "energy Σλ", "developable vertices", "smallest angle", "isograd solver report"] {
        assert!(text.contains(words), "no {words}");
    }
    let iterations = text.lines().filter(|line| line.ends_with(" s") && line.starts_with("    1"));
    let each: Vec<usize> = iterations.map(|line| line.split_whitespace().nth(6).unwrap().parse().unwrap()).collect();
    assert!(each.len() == 12 && each.iter().all(|&count| count <= 2), "{each:?}");
    assert!(output.stderr.is_empty());
}

#[test]
fn failures_are_one_line() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("flat.obj"), "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n").unwrap();
    let cases: [(&[&str], &str); 3] = [
        (&["mesh", "flat.obj"], "no vertex lies inside"),
        (&["icosphere", "--level", "99"], "level 99 is too high"),
        (&["icosphere", "--level", "1", "--backend", "gpu"], "no GPU adapter named"),
    ];
    for (arguments, expected) in cases {
        let output = demo_without_gpu(folder.path(), &[arguments, &["--energy", "developable"]].concat());
        let message = failure(&output, 1);
        assert!(message.contains(expected) && message.lines().count() == 1, "{message}");
    }
}
