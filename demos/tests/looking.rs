//! `inspect`, `info` and `bench`.

mod common;

use common::{demo, failure, last_json, text};
use std::path::Path;

fn run(arguments: &[&str]) -> std::process::Output {
    demo(Path::new("."), arguments)
}

#[test]
fn inspect_shows_each_group_of_an_energy() {
    for energy in ["smooth", "stretch", "sphere", "arap"] {
        let text = text(&run(&["inspect", "--energy", energy, "--level", "1"]));
        for word in ["Group 0", "Group 1", "topology", "program", "linearization", "memory"] {
            assert!(text.contains(word), "{energy}: no {word}");
        }
    }
}

#[test]
fn inspect_shows_residuals_by_name() {
    let residuals = last_json(&run(&["info", "--json"]))["residuals"].clone();
    let names: Vec<&str> = residuals.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert!(names.contains(&"edge-length") && names.contains(&"laplacian"));
    for name in names {
        let json = last_json(&run(&["inspect", name, "--json"]));
        assert_eq!(json["groups"].as_array().unwrap().len(), 1);
        assert_eq!(json["groups"][0]["hash"].as_str().unwrap().len(), 32);
        for graph in ["--dot", "--dot=topology", "--dot=value"] {
            let dot = text(&run(&["inspect", name, graph]));
            assert!(dot.starts_with("digraph") && dot.ends_with("}\n"), "{dot}");
        }
    }
    assert!(text(&run(&["inspect", "curve"])).contains("exp(v"));
    assert!(failure(&run(&["inspect", "--dot=value"]), 1).contains("name it"));
}

#[test]
fn inspect_prints_wgsl() {
    for (precision, number) in [("f32", "f32"), ("f64", "f64"), ("double-f32", "vec2<f32>")] {
        let text = text(&run(&["inspect", "edge-length", "--wgsl", "--precision", precision]));
        for entry in ["residual", "linearize", "gradient", "jtj_product"] {
            assert!(text.contains(&format!("\nfn {entry}(")), "{precision}: no {entry}");
        }
        assert!(text.contains(&format!("alias R = {number};")), "{precision}");
    }
    assert!(failure(&run(&["inspect", "--precision", "f64"]), 2).contains("--wgsl"));
}

#[test]
fn info_says_what_there_is() {
    let json = last_json(&run(&["info", "--json"]));
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(json["energies"].as_array().unwrap().len(), isograd_demos::goal::Goal::all().count());
    let chosen = isograd::Backend::Auto.select().unwrap();
    assert_eq!(json["auto_reason"], chosen.reason);
    assert!(text(&run(&["info"])).contains("Backend auto"));
}

#[test]
fn bench_prints_a_row_for_each_number_of_threads() {
    let text = text(&run(&["bench", "--level", "1", "--threads", "1", "--solve", "--json"]));
    let rows: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["problem"], "icosphere:1#smooth");
    for time in ["trace_template_s", "trace_closure_s", "compile_s", "residuals_s", "linearize_s"] {
        assert!(rows[0][time].as_f64().unwrap() > 0.0, "{time}");
    }
    assert!(rows[0]["solve"]["final_cost"].as_f64().unwrap() > 0.0);
}
