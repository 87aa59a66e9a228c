//! What to draw: a triangle mesh, its colours, and lines on it.

use super::surface::Surface;
use super::{Camera, Picture, PictureError, Rgb, render};

/// Colours of the surface.
#[derive(Debug, Clone, Copy)]
pub enum Paint<'a> {
    /// One colour.
    Uniform(Rgb),
    /// A colour for each vertex, blended over the triangles.
    PerVertex(&'a [Rgb]),
    /// A colour for each triangle.
    PerFace(&'a [Rgb]),
}

/// How normals are made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shading {
    /// One normal a triangle: facets stay visible.
    Flat,
    /// Vertex normals: the mesh looks like the smooth surface it samples.
    Smooth,
    /// Smooth, except across edges that turn more than this many degrees.
    Creased(f64),
}

/// Colour, width and opacity of lines.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stroke {
    /// Line colour; lines are not lit.
    pub color: Rgb,
    /// Width in pixels.
    pub width: f64,
    /// 0 is invisible, 1 opaque.
    pub opacity: f64,
}

impl Stroke {
    /// Opaque lines.
    pub fn new(color: Rgb, width: f64) -> Self {
        Self { color, width, opacity: 1.0 }
    }

    /// Thin, translucent lines that show a mesh without hiding its shading.
    pub fn wireframe() -> Self {
        Self { color: Rgb([40, 52, 68]), width: 1.1, opacity: 0.42 }
    }
}

/// A mesh and all that is drawn with it.
///
/// Vertices that are not finite and triangles without area are left out, so that a diverged solve can still be shown.
#[derive(Debug, Clone)]
pub struct Scene<'a> {
    pub(super) positions: &'a [[f64; 3]],
    pub(super) triangles: &'a [[u32; 3]],
    pub(super) paint: Paint<'a>,
    pub(super) shading: Shading,
    pub(super) wireframe: Option<Stroke>,
    pub(super) polylines: Vec<(&'a [Vec<[f64; 3]>], Stroke)>,
    pub(super) ground_shadow: bool,
}

impl<'a> Scene<'a> {
    /// A smooth mesh in the default colour.
    pub fn new(positions: &'a [[f64; 3]], triangles: &'a [[u32; 3]]) -> Self {
        Self {
            positions,
            triangles,
            paint: Paint::Uniform(Rgb::STEEL),
            shading: Shading::Smooth,
            wireframe: None,
            polylines: Vec::new(),
            ground_shadow: true,
        }
    }

    /// Sets the colours.
    pub fn paint(mut self, paint: Paint<'a>) -> Self {
        self.paint = paint;
        self
    }

    /// Sets how normals are made.
    pub fn shading(mut self, shading: Shading) -> Self {
        self.shading = shading;
        self
    }

    /// Draws the edges of all triangles; only coarse meshes gain from it.
    pub fn wireframe(mut self, stroke: Stroke) -> Self {
        self.wireframe = Some(stroke);
        self
    }

    /// Draws polylines that lie on the surface, over everything added before. Hidden parts stay hidden.
    pub fn polylines(mut self, polylines: &'a [Vec<[f64; 3]>], stroke: Stroke) -> Self {
        self.polylines.push((polylines, stroke));
        self
    }

    /// Whether the mesh throws a soft shadow on the ground below it (it does by default).
    pub fn ground_shadow(mut self, visible: bool) -> Self {
        self.ground_shadow = visible;
        self
    }

    /// Draws the scene.
    pub fn render(&self, camera: &Camera, width: usize, height: usize) -> Result<Picture, PictureError> {
        let surface = Surface::of(self)?;
        render::render(self, &surface, camera, width, height)
    }
}
