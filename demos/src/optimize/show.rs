//! Start and result as shaded pictures and as mesh files.

use super::measure::{Errors, Measure};
use super::{Solved, Task};
use crate::output::{Folder, PICTURE_SIZE, camera};
use crate::picture::{
    Camera, Paint, Panel, Picture, PictureError, Rgb, Scene, Shading, Stroke, color_bar, side_by_side,
};
use isograd::io::{PlyEncoding, write_obj, write_ply};

/// Meshes of at most so many triangles show their edges.
const COARSE: usize = 1500;
/// Smooth, but for edges that are sharp by design.
const SHADING: Shading = Shading::Creased(50.0);

/// The start, or the result.
struct State<'a> {
    name: &'static str,
    positions: &'a [[f64; 3]],
    errors: &'a Errors,
    caption: String,
    cost: f64,
}

/// Writes pictures and meshes of the start and of the result.
pub(super) fn write(folder: &mut Folder, task: &Task, solved: &Solved, azimuth: f64) -> anyhow::Result<()> {
    let measure = Measure::of(task.energy, solved);
    let report = &solved.report;
    let states = [
        State {
            name: "before",
            positions: &solved.start,
            errors: &measure.start,
            caption: format!("{}, {}: start", task.names.title, task.energy),
            cost: report.initial_cost,
        },
        State {
            name: "after",
            positions: &solved.end,
            errors: &measure.end,
            caption: format!("after {} iterations", report.iteration_count()),
            cost: report.final_cost,
        },
    ];
    // One camera, so that the two can be compared.
    let all: [&[[f64; 3]]; 2] = [&solved.start, &solved.end];
    let camera = camera(&all, azimuth)?;
    let triangles: Vec<[u32; 3]> = solved.shape.triangles().collect();
    let mut pictures = Vec::new();
    for state in &states {
        let colors = measure.colors(state.errors);
        let picture = state.render(&triangles, &colors, &camera, &measure)?;
        folder.write(&format!("{}.png", state.name), |path| Ok(picture.save_png(path)?))?;
        pictures.push(picture);

        let mesh = solved.shape.with_vertices(state.positions.to_vec())?;
        let colors: Vec<[u8; 3]> = colors.iter().map(|color| color.0).collect();
        folder.write(&format!("{}.ply", state.name), |path| {
            Ok(write_ply(path, &mesh, Some(&colors), PlyEncoding::BinaryLittleEndian)?)
        })?;
        folder.write(&format!("{}.obj", state.name), |path| Ok(write_obj(path, &mesh)?))?;
    }
    let panels: Vec<Panel> = pictures.iter().map(|picture| Panel { picture, caption: "", note: "" }).collect();
    let pair = side_by_side(&panels)?;
    folder.write("pair.png", |path| Ok(pair.save_png(path)?))
}

impl State<'_> {
    /// The picture with caption and legend.
    fn render(
        &self,
        triangles: &[[u32; 3]],
        colors: &[Rgb],
        camera: &Camera,
        measure: &Measure,
    ) -> Result<Picture, PictureError> {
        let mut scene = Scene::new(self.positions, triangles).paint(Paint::PerVertex(colors)).shading(SHADING);
        if triangles.len() <= COARSE {
            scene = scene.wireframe(Stroke::wireframe());
        }
        let (width, height) = PICTURE_SIZE;
        let picture = scene.render(camera, width, height)?;
        let error = self.errors.root_mean_square;
        let note = format!("cost {}, {} {error:.2} % rms", short(self.cost), measure.noun);
        let mut picture = side_by_side(&[Panel { picture: &picture, caption: &self.caption, note: &note }])?;
        color_bar(&mut picture, Measure::MAP, measure.range, measure.label);
        Ok(picture)
    }
}

/// Five digits, with an exponent only where the number would be long without.
fn short(number: f64) -> String {
    let digits = 4 - number.abs().log10().floor().clamp(-100.0, 100.0) as i32;
    if (0..=8).contains(&digits) { format!("{number:.*}", digits as usize) } else { format!("{number:.4e}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(short(22.754_24), "22.754");
        assert_eq!(short(0.524_469), "0.52447");
        assert_eq!(short(1.5e9), "1.5000e9");
        assert_eq!(short(0.0), "0.0000e0");
    }
}
