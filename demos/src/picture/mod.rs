//! Pictures of meshes and solves, without a window, a GPU or installed fonts.
//!
//! A mesh picture goes `Scene` + `Camera` → `surface` (sound triangles, normals, colours) → `render` (per band:
//! `raster` finds what each sample sees, `light` and `backdrop` colour it) → [`Picture`]. `compose` sets
//! pictures side by side, `plot` draws curves and convergence, and [`Picture::save_png`] ends all of them.
//! A [`Cloud`] is dots and lines in space, without surfaces. `progress` shows a running solve on the terminal. Nothing here knows the solver: inputs are plain slices.

mod backdrop;
mod camera;
mod canvas;
mod cloud;
mod color;
mod compose;
mod error;
mod light;
mod plot;
mod progress;
mod raster;
mod render;
mod scene;
mod surface;
mod text;
mod vector;

pub use camera::{Camera, View};
pub use canvas::{MAX_SIDE, Picture};
pub use cloud::Cloud;
pub use color::{ColorMap, Rgb};
pub use compose::{Panel, color_bar, grid, side_by_side};
pub use error::PictureError;
pub use plot::{Plot, Run, Step, plot_convergence};
pub use progress::SolveProgress;
pub use scene::{Paint, Scene, Shading, Stroke};
