//! `bundle`, `posegraph`, `curvefit` and `sketch`: costs, JSON, files, folders, and what is told of broken input.

mod common;

use common::{check_fields, demo, failure, last_json, text};
use isograd::io::{read_bal, read_g2o};
use serde_json::Value;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A file of the library's test data.
fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data").join(name)
}

/// Copies files of the test data into a folder.
fn folder_of(names: &[&str]) -> TempDir {
    let folder = TempDir::new().unwrap();
    names.iter().for_each(|name| {
        std::fs::copy(data(name), folder.path().join(name)).unwrap();
    });
    folder
}

/// The folder holds these files and no others, and pictures decode to more than one colour.
#[track_caller]
fn check_files(folder: &Path, expected: &[&str]) {
    let mut names: Vec<String> =
        folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let mut expected = [expected, &["convergence.png", "report.txt", "report.json"]].concat();
    expected.sort_unstable();
    assert_eq!(names, expected);
    for name in expected.iter().filter(|name| name.ends_with(".png")) {
        let decoder = png::Decoder::new(BufReader::new(File::open(folder.join(name)).unwrap()));
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        assert!(pixels.iter().any(|&p| p != pixels[0]), "{name} is of one colour");
    }
}

fn number(json: &Value, key: &str) -> f64 {
    json[key].as_f64().unwrap_or_else(|| panic!("no number {key} in {json}"))
}

const BUNDLE_FILES: [&str; 7] =
    ["before.png", "after.png", "pair.png", "errors.png", "before.ply", "after.ply", "adjusted.txt"];

#[test]
fn a_bundle_is_adjusted_and_shown() {
    let folder = folder_of(&["dubrovnik-3-7-pre.txt"]);
    let summary = last_json(&demo(folder.path(), &["bundle", "dubrovnik-3-7-pre.txt", "--json"]));
    check_fields(&summary);
    assert_eq!((&summary["demo"], &summary["problem"]), (&"bundle".into(), &"bal/dubrovnik-3-7-pre.txt".into()));
    assert_eq!(
        (&summary["parameters"], &summary["residuals"], &summary["groups"]),
        (&48.into(), &38.into(), &1.into())
    );
    assert!((number(&summary, "initial_cost") / 2764.2199844221627 - 1.0).abs() < 1e-12);
    assert!(number(&summary, "final_cost") < 1e-20 && number(&summary, "final_rms_pixels") < 1e-9);
    let out = folder.path().join("out/bundle-dubrovnik-3-7-pre");
    check_files(&out, &BUNDLE_FILES);

    // What was written is solved already.
    let adjusted = out.join("adjusted.txt");
    assert_eq!(read_bal(&adjusted).unwrap().observations.len(), 19);
    let again = demo(folder.path(), &["bundle", adjusted.to_str().unwrap(), "--no-files", "--json"]);
    assert!(number(&last_json(&again), "initial_cost") < 1e-20);
}

#[test]
fn a_loss_and_a_linear_solver_can_be_chosen() {
    let folder = TempDir::new().unwrap();
    let file = data("dubrovnik-3-7-pre.txt");
    let solve = |more: &[&str]| {
        let arguments = [&["bundle", file.to_str().unwrap(), "--no-files", "--json"], more].concat();
        last_json(&demo(folder.path(), &arguments))
    };
    let huber = solve(&["--loss", "huber:1.0"]);
    assert_eq!(huber["problem"], "bal/dubrovnik-3-7-pre.txt#huber1");
    assert!((number(&huber, "initial_cost") / 235.9657202184111 - 1.0).abs() < 1e-12);
    for (name, expected) in [
        ("dense-qr", "QR"),
        ("dense-cholesky", "dense"),
        ("sparse-cholesky", "sparse"),
        ("dense-schur", "Schur"),
        ("sparse-schur", "Schur"),
        ("iterative-schur", "Schur"),
        ("pcg", "conjugate gradients"),
    ] {
        let solver = solve(&["--linear-solver", name, "--max-iterations", "2"]);
        let told = solver["linear_solver"].as_str().unwrap();
        assert!(told.to_lowercase().contains(&expected.to_lowercase()), "{name}: {told}");
        assert!(number(&solver, "final_cost") < number(&solver, "initial_cost"));
    }
}

#[test]
fn a_synthetic_bundle() {
    let folder = TempDir::new().unwrap();
    let arguments = ["bundle", "--synthetic", "5", "40", "3", "--no-files", "--json"];
    let summary = last_json(&demo(folder.path(), &arguments));
    check_fields(&summary);
    assert_eq!(summary["problem"], "synthetic:5:40:3:1");
    assert_eq!(
        (&summary["cameras"], &summary["points"], &summary["observations"]),
        (&5.into(), &40.into(), &120.into())
    );
    assert!(number(&summary, "final_cost") < 0.1 * number(&summary, "initial_cost"));
    let other = last_json(&demo(folder.path(), &[&arguments[..], &["--seed", "2"]].concat()));
    assert_ne!(summary["initial_cost"], other["initial_cost"]);
    let message = failure(&demo(folder.path(), &["bundle", "--synthetic", "2", "40", "3"]), 1);
    assert!(message.contains("at most all of them"), "{message}");
}

#[test]
fn a_pose_graph_is_optimised_and_shown() {
    let folder = folder_of(&["cube.g2o"]);
    let summary = last_json(&demo(folder.path(), &["posegraph", "cube.g2o", "--out", "here", "--json"]));
    check_fields(&summary);
    assert_eq!((&summary["demo"], &summary["problem"]), (&"posegraph".into(), &"g2o/cube.g2o".into()));
    assert_eq!((&summary["dimension"], &summary["poses"], &summary["edges"]), (&3.into(), &8.into(), &11.into()));
    assert_eq!((&summary["converged"], &summary["detached_components"]), (&true.into(), &0.into()));
    assert!(number(&summary, "final_cost") < number(&summary, "initial_cost"));
    let out = folder.path().join("here");
    check_files(&out, &["before.png", "after.png", "pair.png", "optimized.g2o"]);
    read_g2o(out.join("optimized.g2o")).unwrap();
}

#[test]
fn a_compressed_graph_without_vertices_starts_from_dead_reckoning() {
    let (folder, file) = (TempDir::new().unwrap(), data("spiral.g2o.gz"));
    let arguments = ["posegraph", file.to_str().unwrap(), "--no-files", "--json"];
    let summary = last_json(&demo(folder.path(), &arguments));
    assert_eq!((&summary["poses"], &summary["loop_closures"]), (&500.into(), &475.into()));
    // Half a residual beyond the unknowns each, as the noise is what the information says.
    let expected = 0.5 * (6.0 * 974.0 - 6.0 * 499.0);
    assert!((number(&summary, "final_cost") / expected - 1.0).abs() < 0.1, "{summary}");
}

/// Two ways in the plane that nothing connects.
const TWO_PARTS: &str = "VERTEX_SE2 0 0 0 0\nVERTEX_SE2 1 1 0 0.1\nVERTEX_SE2 5 0 3 0\nVERTEX_SE2 6 1 3 0.2\n\
    EDGE_SE2 0 1 1 0 0 1 0 0 1 0 1\nEDGE_SE2 5 6 1 0 0 1 0 0 1 0 1\n";

#[test]
fn poses_that_hang_on_nothing_are_named() {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("parts.g2o"), TWO_PARTS).unwrap();
    let told = text(&demo(folder.path(), &["posegraph", "parts.g2o", "--loss", "cauchy"]));
    assert!(told.contains("not connected to the first pose, so their place is free: 5, 6"), "{told}");
    let out = folder.path().join("out/posegraph-parts-cauchy1");
    check_files(&out, &["before.png", "after.png", "pair.png", "optimized.g2o"]);
}

#[test]
fn a_curve_is_fitted_and_certified() {
    let folder = folder_of(&["Misra1a.dat"]);
    let output = demo(folder.path(), &["curvefit", "Misra1a.dat", "--json"]);
    let summary = last_json(&output);
    check_fields(&summary);
    assert_eq!((&summary["demo"], &summary["problem"]), (&"curvefit".into(), &"nist/Misra1a.dat".into()));
    assert!(number(&summary, "least_digits") > 8.0 && summary["starts"].as_array().unwrap().len() == 2);
    let b1 = &summary["estimates"][0];
    assert!((number(b1, "standard_deviation") / 2.7070075241 - 1.0).abs() < 1e-6, "{b1}");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("initial trust region radii 1e4, 1e0, 1e-4; the best of them counts"), "{told}");
    assert!(told.contains("b1             2.3894212918e2") && !told.contains("misprinted"), "{told}");
    check_files(&folder.path().join("out/curvefit-Misra1a"), &["fit.png", "residuals.png"]);

    let one = last_json(&demo(folder.path(), &["curvefit", "Misra1a.dat", "--start", "2", "--no-files", "--json"]));
    assert_eq!((&one["problem"], &one["start"]), (&"nist/Misra1a.dat#start2".into(), &2.into()));
    // This file misprints a certified value, and several predictors have another plot.
    let roszman = data("Roszman1.dat");
    let told = text(&demo(folder.path(), &["curvefit", roszman.to_str().unwrap(), "--start", "2", "--no-files"]));
    assert!(told.contains("one of them is misprinted there"), "{told}");
    let nelson = data("Nelson.dat");
    text(&demo(folder.path(), &["curvefit", nelson.to_str().unwrap(), "--start", "2", "--out", "nelson"]));
    check_files(&folder.path().join("nelson"), &["fit.png", "residuals.png"]);
}

#[test]
fn sketches_tell_what_is_free_and_what_conflicts() {
    let folder = TempDir::new().unwrap();
    for (case, free, redundant) in [("bracket", 0, 0), ("linkage", 1, 0), ("conflict", 0, 1)] {
        let summary = last_json(&demo(folder.path(), &["sketch", "--case", case, "--json"]));
        check_fields(&summary);
        assert_eq!(summary["problem"], format!("sketch:{case}"));
        assert_eq!(
            (&summary["degrees_of_freedom"], &summary["redundant"]),
            (&free.into(), &redundant.into()),
            "{case}"
        );
        assert_eq!(summary["conflicting"].as_array().unwrap().is_empty(), case != "conflict");
        assert_eq!(number(&summary, "final_cost") < 1e-12, case != "conflict");
        check_files(&folder.path().join(format!("out/sketch-{case}")), &["before.png", "after.png", "pair.png"]);
    }
}

#[test]
fn a_folder_is_a_table() {
    let folder = folder_of(&["Misra1a.dat", "Kirby2.dat"]);
    std::fs::write(folder.path().join(".hidden"), "").unwrap();
    let output = demo(TempDir::new().unwrap().path(), &["curvefit", folder.path().to_str().unwrap(), "--no-files"]);
    let table = text(&output);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 4, "{table}");
    assert!(lines[1].starts_with("Kirby2.dat") && lines[2].starts_with("Misra1a.dat"), "{table}");
    assert!(lines[3].starts_with("2 of 2 files solved"), "{table}");
}

#[test]
fn a_broken_file_is_a_row_and_an_exit_code() {
    let folder = folder_of(&["cube.g2o"]);
    std::fs::write(folder.path().join("broken.g2o"), "VERTEX_SE2 0 0 zero 0\n").unwrap();
    std::fs::write(folder.path().join("parts.g2o"), TWO_PARTS).unwrap();
    let (here, path) = (TempDir::new().unwrap(), folder.path().to_str().unwrap());
    let output = demo(here.path(), &["posegraph", path, "--json"]);
    let message = failure(&output, 1);
    assert!(message.contains("error: 1 of 3 files could not be solved"), "{message}");
    let json = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 4, "{json}");
    let error = lines[0]["error"].as_str().unwrap();
    assert!(error.contains("broken.g2o, line 1") && lines[0]["problem"] == "broken.g2o", "{error}");
    check_fields(&lines[1]);
    assert_eq!((&lines[3]["files"], &lines[3]["solved"], &lines[3]["failed"]), (&3.into(), &2.into(), &1.into()));
    for name in ["cube.g2o", "parts.g2o"] {
        let out = here.path().join("out/posegraph").join(name);
        check_files(&out, &["before.png", "after.png", "pair.png", "optimized.g2o"]);
    }

    // By itself it is an error on one line.
    let broken = folder.path().join("broken.g2o");
    let message = failure(&demo(here.path(), &["posegraph", broken.to_str().unwrap()]), 1);
    assert!(message.starts_with("error: ") && message.lines().count() == 1, "{message}");
    let empty = TempDir::new().unwrap();
    let message = failure(&demo(here.path(), &["bundle", empty.path().to_str().unwrap()]), 1);
    assert!(message.contains("there are no files in the folder"), "{message}");
}

#[test]
fn misuse_is_explained() {
    let folder = TempDir::new().unwrap();
    let cases: [(&[&str], &str); 8] = [
        (&["bundle"], "<FILE>"),
        (&["bundle", "x", "--synthetic", "5", "40", "3"], "cannot be used with"),
        (&["bundle", "x", "--loss", "hubert"], "there is no loss \"hubert\"; there are none, huber"),
        (&["bundle", "x", "--loss", "huber:-1"], "\"-1\" is no width"),
        (&["posegraph", "x", "--loss", "tolerant:1"], "tolerant:A:B"),
        (&["posegraph", "x", "--linear-solver", "magic"], "dense-schur"),
        (&["curvefit", "x", "--start", "3"], "1..=2"),
        (&["sketch", "--case", "house"], "bracket, linkage, conflict"),
    ];
    for (arguments, expected) in cases {
        let message = failure(&demo(folder.path(), arguments), 2);
        assert!(message.contains(expected), "{message}");
    }
}
