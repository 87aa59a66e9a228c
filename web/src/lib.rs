//! isograd in the browser: what the npm package `isograd` is made of.
//!
//! In: typed arrays, residuals as texts, meshes. Out: promises of reports. `typescript.rs` has the types that JavaScript sees;
//! `web/README.md` says how the package is built and used.
//!
//! | file | what |
//! | --- | --- |
//! | `problem.rs` | `Problem`: parameter blocks, templates, bounds |
//! | `template.rs` | residuals from texts |
//! | `mesh.rs`, `mesh_problem.rs` | `Mesh`, `MeshProblem` |
//! | `developing.rs` | the energy whose minimisation is a run of many solves |
//! | `gpu.rs` | `Gpu`: a WebGPU device |
//! | `options.rs`, `progress.rs`, `report.rs` | what a solve is told, and what it tells |
//! | `solving.rs` | a solve as a promise: progress, cancellation, turns of the event loop |
//! | `object.rs` | properties of JavaScript's objects, read with errors that name them |
//! | `failure.rs` | errors of JavaScript, with a code |

mod developing;
mod failure;
#[cfg(feature = "gpu")]
mod gpu;
mod mesh;
mod mesh_problem;
mod object;
mod options;
mod problem;
mod progress;
mod report;
mod solving;
mod template;
mod typescript;

use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = console, js_name = error)]
    fn console_error(text: &str);
}

/// A panic is a bug, and ends the module: its message goes to the console before the trap, which has none.
#[wasm_bindgen(start)]
fn start() {
    std::panic::set_hook(Box::new(|panic| console_error(&panic.to_string())));
}
