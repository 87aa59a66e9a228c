//! The given shape and the result as pictures with their hinges, λ as colours, and both as mesh files.

use super::Task;
use crate::output::{Folder, PICTURE_SIZE, camera};
use crate::picture::{
    Camera, ColorMap, Paint, Panel, Picture, PictureError, Rgb, Scene, Shading, Stroke, color_bar, side_by_side,
};
use isograd::io::{PlyEncoding, write_obj, write_ply};
use isograd::mesh::Mesh;
use isograd::mesh::energy::DevelopableResult;
use isograd::mesh::energy::developable::Developability;

/// Flat patches and sharp creases, where a vertex normal over everything would show neither.
const SHADING: Shading = Shading::Creased(15.0);
const HINGES: Stroke = Stroke { color: Rgb::VERMILION, width: 1.8, opacity: 1.0 };
/// λ is shown by its power of ten, from flat to sharp.
const RANGE: (f64, f64) = (-6.0, -1.0);
/// Added to λ, which may be 0.
const LEAST: f64 = 1e-8;

/// The given shape, or the result.
struct State<'a> {
    name: &'static str,
    mesh: &'a Mesh,
    measured: &'a Developability,
    /// Edges to draw; the given shape shows its shading only.
    hinges: &'a [[u32; 2]],
    caption: String,
}

/// Writes pictures and meshes of the given shape and of the result.
pub(super) fn write(folder: &mut Folder, task: &Task, result: &DevelopableResult, azimuth: f64) -> anyhow::Result<()> {
    let title = &task.names.title;
    let states = [
        State {
            name: "before",
            mesh: &result.start_mesh,
            measured: &result.before,
            hinges: &[],
            caption: format!("{title}: start"),
        },
        State {
            name: "after",
            mesh: &result.mesh,
            measured: &result.after,
            hinges: &result.hinges,
            caption: format!("developable, after {} iterations", result.iterations()),
        },
    ];
    // One camera, so that the two can be compared.
    let camera = camera(&[result.start_mesh.vertices(), result.mesh.vertices()], azimuth)?;
    let mut pictures = Vec::new();
    for state in &states {
        let picture = state.render(&camera)?;
        folder.write(&format!("{}.png", state.name), |path| Ok(picture.save_png(path)?))?;
        pictures.push(picture);
        let colors: Vec<[u8; 3]> = state.colors().iter().map(|color| color.0).collect();
        folder.write(&format!("{}.ply", state.name), |path| {
            Ok(write_ply(path, state.mesh, Some(&colors), PlyEncoding::BinaryLittleEndian)?)
        })?;
        folder.write(&format!("{}.obj", state.name), |path| Ok(write_obj(path, state.mesh)?))?;
    }
    let panels: Vec<Panel> = pictures.iter().map(|picture| Panel { picture, caption: "", note: "" }).collect();
    let pair = side_by_side(&panels)?;
    folder.write("pair.png", |path| Ok(pair.save_png(path)?))?;
    let lambda = states[1].render_lambda(&camera, title)?;
    folder.write("lambda.png", |path| Ok(lambda.save_png(path)?))
}

impl State<'_> {
    /// The shape in one colour, with its hinges.
    fn render(&self, camera: &Camera) -> Result<Picture, PictureError> {
        let (positions, triangles) = (self.mesh.vertices(), self.triangles());
        let segment = |ends: &[u32; 2]| ends.map(|v| positions[v as usize]).to_vec();
        let hinges: Vec<Vec<[f64; 3]>> = self.hinges.iter().map(segment).collect();
        let scene = Scene::new(positions, &triangles).paint(Paint::Uniform(Rgb::STEEL)).shading(SHADING);
        let (width, height) = PICTURE_SIZE;
        let picture = scene.polylines(&hinges, HINGES).render(camera, width, height)?;
        let (share, energy) = (100.0 * self.measured.share, self.measured.energy);
        let note = format!("{share:.1} % of the vertices developable, energy {energy:.3}");
        side_by_side(&[Panel { picture: &picture, caption: &self.caption, note: &note }])
    }

    /// The shape coloured by λ.
    fn render_lambda(&self, camera: &Camera, title: &str) -> Result<Picture, PictureError> {
        let (colors, triangles) = (self.colors(), self.triangles());
        let scene = Scene::new(self.mesh.vertices(), &triangles).paint(Paint::PerVertex(&colors)).shading(SHADING);
        let (width, height) = PICTURE_SIZE;
        let picture = scene.render(camera, width, height)?;
        let caption = format!("{title}: λ of each vertex");
        let note = "smallest eigenvalue of Σ θ N Nᵀ; dark is developable";
        let mut picture = side_by_side(&[Panel { picture: &picture, caption: &caption, note }])?;
        color_bar(&mut picture, ColorMap::Sequential, RANGE, "log₁₀ λ");
        Ok(picture)
    }

    fn triangles(&self) -> Vec<[u32; 3]> {
        self.mesh.triangles().collect()
    }

    fn colors(&self) -> Vec<Rgb> {
        let powers: Vec<f64> = self.measured.lambda.iter().map(|lambda| (lambda + LEAST).log10()).collect();
        ColorMap::Sequential.map(&powers, RANGE)
    }
}
