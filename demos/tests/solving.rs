//! `icosphere` and `mesh`: costs of the reference, JSON, files.

mod common;

use common::{check_fields, check_pictures_and_meshes, demo, demo_without_gpu, failure, last_json, text};
use isograd::io::read_mesh;
use std::fs::File;
use std::path::Path;
use tempfile::TempDir;

/// Level, energy, parameters, residuals, groups, and the costs that Ceres 2.1.0 gives at tolerances of 1e-12.
const REFERENCE: [(u32, &str, usize, usize, usize, f64, f64); 8] = [
    (1, "smooth", 126, 246, 3, 6.158047791259413, 0.442316364699998),
    (1, "stretch", 126, 246, 3, 8.360097072090708, 0.06924458284118283),
    (1, "sphere", 126, 162, 2, 6.255803395123327, 0.4781565182399731),
    (1, "arap", 252, 762, 2, 332.2997296589085, 3.5211380991142383),
    (2, "smooth", 486, 966, 3, 22.754241566860987, 0.5244689668559458),
    (2, "stretch", 486, 966, 3, 32.371297474714446, 0.08138142223251896),
    (2, "sphere", 486, 642, 2, 31.332387896500304, 2.4587428871944463),
    (2, "arap", 972, 2994, 2, 3017.7490539783353, 11.364102503936762),
];

const FILES: [&str; 10] = [
    "before.png",
    "before.ply",
    "before.obj",
    "after.png",
    "after.ply",
    "after.obj",
    "pair.png",
    "convergence.png",
    "report.txt",
    "report.json",
];

#[test]
fn costs_are_those_of_the_reference() {
    let folder = TempDir::new().unwrap();
    for (level, energy, parameters, residuals, groups, initial, end) in REFERENCE {
        let level_text = level.to_string();
        let mut arguments = vec!["icosphere", "--level", &level_text, "--energy", energy, "--json"];
        // Pictures take most of the time; those of one level will do.
        if level != 1 {
            arguments.push("--no-files");
        }
        let output = demo(folder.path(), &arguments);
        let summary = last_json(&output);
        check_fields(&summary);
        assert_eq!(summary["demo"], "icosphere");
        assert_eq!(summary["problem"], format!("icosphere:{level}#{energy}"));
        assert_eq!(summary["backend"], "cpu");
        assert_eq!(summary["precision"], "f64");
        assert_eq!(summary["parameters"], parameters);
        assert_eq!(summary["residuals"], residuals);
        assert_eq!(summary["groups"], groups, "{energy}");
        assert_eq!(summary["converged"], true);
        assert!(summary["termination"].as_str().unwrap().contains('-'));
        assert_close(&summary["initial_cost"], initial, 1e-9);
        assert_close(&summary["final_cost"], end, 1e-6);
        if cfg!(target_os = "linux") {
            assert!(summary["peak_rss_bytes"].as_u64().unwrap() > 1 << 20);
        }
        assert_eq!(text(&output).lines().count(), 1);
        let files = folder.path().join(format!("out/icosphere-{level}-{energy}"));
        assert_eq!(files.exists(), level == 1);
        if level == 1 {
            check_files(&files);
        }
    }
}

/// Asserts that `found` is `expected` to a relative tolerance.
#[track_caller]
fn assert_close(found: &serde_json::Value, expected: f64, tolerance: f64) {
    let found = found.as_f64().unwrap();
    assert!((found / expected - 1.0).abs() <= tolerance, "{found} is not {expected}");
}

/// Pictures and meshes are there, the report in JSON holds the summary.
fn check_files(folder: &Path) {
    check_pictures_and_meshes(folder, &FILES);
    let json: serde_json::Value = serde_json::from_reader(File::open(folder.join("report.json")).unwrap()).unwrap();
    assert_eq!(json["summary"]["final_cost"], json["report"]["final_cost"]);
}

#[test]
fn a_person_reads_table_report_and_files() {
    let folder = TempDir::new().unwrap();
    let output = demo(folder.path(), &["icosphere", "--level", "1", "--out", "here/and/there", "--threads", "1"]);
    let text = text(&output);
    assert!(text.contains("iter          cost"));
    assert!(text.contains("Termination: CONVERGENCE"));
    assert!(text.contains("here/and/there/pair.png"));
    assert!(output.stderr.is_empty(), "no progress bar where no terminal is");
    check_files(&folder.path().join("here/and/there"));
}

#[test]
fn iterations_can_be_limited() {
    let folder = TempDir::new().unwrap();
    let arguments = ["icosphere", "--level", "1", "--max-iterations", "2", "--backend", "auto", "--precision", "f32"];
    let output = demo(folder.path(), &[&arguments[..], &["--no-files", "--json"]].concat());
    let summary = last_json(&output);
    assert_eq!(summary["iterations"], 2);
    assert_eq!(summary["termination"], "max-iterations");
    assert_eq!(summary["converged"], false);
    assert_eq!(summary["precision"], "f64");
    assert!(String::from_utf8_lossy(&output.stderr).contains("note: f32 was asked for, the device computed in f64"));
}

/// A pyramid whose base is a quad, with a vertex that nothing uses.
const PYRAMID: &str =
    "v 0 0 0\nv 2 0 0\nv 2 0 2\nv 0 0 2\nv 1 3 1\nv 9 9 9\nf 1 2 3 4\nf 2 1 5\nf 3 2 5\nf 4 3 5\nf 1 4 5\n";

#[test]
fn a_mesh_file_of_any_valence() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("tiny.pyramid.obj"), PYRAMID).unwrap();
    for energy in ["smooth", "stretch", "sphere", "arap"] {
        let output = demo(folder.path(), &["mesh", "tiny.pyramid.obj", "--energy", energy, "--json"]);
        let summary = last_json(&output);
        assert_eq!(summary["problem"], format!("mesh/tiny.pyramid.obj#{energy}"));
        assert!(summary["final_cost"].as_f64() < summary["initial_cost"].as_f64());
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(told.contains("1 faces that are not triangles") && told.contains("1 vertices that no face uses"));
        let after = read_mesh(folder.path().join(format!("out/mesh-tiny.pyramid-{energy}/after.ply"))).unwrap();
        assert_eq!((after.vertex_count(), after.face_count()), (5, 5));
    }
}

#[test]
fn failures_are_one_line_with_the_cause() {
    let folder = TempDir::new().unwrap();
    let path = folder.path();
    std::fs::write(path.join("cut.ply"), "ply\nformat ascii 1.0\nelement vertex 3\nproperty double x\n").unwrap();
    std::fs::write(path.join("file"), "").unwrap();
    std::fs::write(path.join("point.obj"), "v 0 0 0\n").unwrap();
    std::fs::write(path.join("flat.obj"), "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 1 0\nf 1 2 3\nf 2 4 3\n").unwrap();
    let cases: [(&[&str], &str); 8] = [
        (&["mesh", "flat.obj"], "vertices 2 and 3 of the mesh (counted from 0)"),
        (&["bundle", "--synthetic", "1000", "1073741824", "5"], "fewer than 2^32 parameters and residuals"),
        (&["icosphere", "--level", "1", "--backend", "gpu"], "no GPU adapter named"),
        (&["icosphere", "--level", "99"], "level 99 is too high"),
        (&["mesh", "missing.obj"], "missing.obj"),
        (&["mesh", "cut.ply"], "cut.ply"),
        (&["mesh", "point.obj"], "the mesh has no faces (1 vertices)"),
        (&["icosphere", "--level", "1", "--out", "file/below"], "making the folder file/below: "),
    ];
    for (arguments, expected) in cases {
        let output = demo_without_gpu(path, arguments);
        let message = failure(&output, 1);
        assert!(message.starts_with("error: ") && message.contains(expected), "{message}");
        assert_eq!(message.lines().count(), 1, "{message}");

        // A program hears of it on standard output.
        let output = demo_without_gpu(path, &[arguments, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(1));
        let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(told["demo"], arguments[0]);
        assert!(told["error"].as_str().unwrap().contains(expected) && told["problem"].is_string(), "{told}");
    }
}

#[test]
fn misuse_is_explained() {
    let folder = TempDir::new().unwrap();
    let cases: [(&[&str], &str); 7] = [
        (&["icosphere", "--azimuth", "nan"], "not a finite number"),
        (&["icosphere", "--energy", "foo"], "smooth, stretch, sphere, arap, developable"),
        (&["icosphere", "--level", "many"], "--level"),
        (&["icosphere", "--backend", "tpu"], "cpu, gpu, auto"),
        (&["mesh"], "<FILE>"),
        (&["inspect", "curve", "--energy", "arap"], "cannot be used with"),
        (&[], "Usage"),
    ];
    for (arguments, expected) in cases {
        let message = failure(&demo(folder.path(), arguments), 2);
        assert!(message.contains(expected), "{message}");
    }
}
