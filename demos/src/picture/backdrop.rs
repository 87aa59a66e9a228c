//! What is behind the mesh: a light gradient, and a soft shadow on an invisible ground.

use super::raster::Viewport;
use super::surface::Surface;
use super::vector::{Vector, cross, dot, mix, scale, subtract};
use super::{Camera, Rgb, Scene};

/// Cells along a side of the shadow map.
const CELLS: usize = 224;
/// Half the side of the shadow map, in radii of the scene.
const EXTENT: f64 = 2.4;
/// Darkest shade that the shadow reaches.
const DARKEST: f64 = 0.50;

/// Colour of everything that the mesh does not cover.
pub(super) struct Backdrop {
    top: Vector,
    bottom: Vector,
    shadow: Option<GroundShadow>,
}

/// Colours of the gradient.
const TOP: Rgb = Rgb([252, 253, 254]);
const BOTTOM: Rgb = Rgb([225, 231, 238]);

/// Linear-light colour of the gradient at a share of the height from above.
pub(super) fn gradient(top: Vector, bottom: Vector, down: f64) -> Vector {
    mix(top, bottom, down * down * (3.0 - 2.0 * down))
}

/// The gradient alone, row by row.
pub(super) fn rows(height: usize) -> Vec<Rgb> {
    let (top, bottom) = (TOP.to_linear(), BOTTOM.to_linear());
    (0..height).map(|y| Rgb::from_linear(gradient(top, bottom, (y as f64 + 0.5) / height as f64))).collect()
}

impl Backdrop {
    pub fn of(scene: &Scene, surface: &Surface, camera: &Camera) -> Self {
        Self {
            top: TOP.to_linear(),
            bottom: BOTTOM.to_linear(),
            shadow: (scene.ground_shadow && dot(camera.eye, camera.zenith) > camera.floor)
                .then(|| GroundShadow::of(scene.positions, surface, camera)),
        }
    }

    /// Linear-light colour in the middle of a pixel.
    pub fn color(&self, viewport: &Viewport, x: usize, y: usize) -> Vector {
        let (x, y) = (x as f64 + 0.5, y as f64 + 0.5);
        let gradient = gradient(self.top, self.bottom, y / viewport.height as f64);
        let shade = self.shadow.as_ref().map_or(0.0, |s| s.along(viewport.camera, viewport.ray(x, y)));
        // Shadows on a bright floor under a bright sky are slightly blue.
        mix(gradient, [0.10, 0.12, 0.16], shade)
    }
}

/// How much light the mesh takes from each cell of the ground.
struct GroundShadow {
    axes: [Vector; 2],
    shade: Vec<f64>,
}

impl GroundShadow {
    fn of(positions: &[[f64; 3]], surface: &Surface, camera: &Camera) -> Self {
        let axes = [camera.right, cross(camera.zenith, camera.right)];
        let mut shade = vec![0.0; CELLS * CELLS];
        for facet in &surface.facets {
            splat(
                &mut shade,
                facet.vertices.map(|v| {
                    let p = positions[v as usize];
                    let [x, y] = cell(camera, axes, p);
                    // Light creeps in under what hangs higher.
                    let height = (dot(p, camera.zenith) - camera.floor) / camera.radius;
                    [x, y, (-height * 1.6).exp()]
                }),
            );
        }
        // Contact is sharp and dark, the rest broad and faint.
        let mut contact = shade.clone();
        for _ in 0..3 {
            blur(&mut contact, 3);
            blur(&mut shade, 11);
        }
        let mixed = shade.iter().zip(&contact).map(|(broad, sharp)| 0.62 * broad + 0.38 * sharp * sharp);
        Self { axes, shade: mixed.collect() }
    }

    /// Shade at the point of the ground that a ray from the eye meets.
    fn along(&self, camera: &Camera, ray: Vector) -> f64 {
        let fall = -dot(ray, camera.zenith);
        if fall <= 1e-9 {
            return 0.0;
        }
        let drop = dot(camera.eye, camera.zenith) - camera.floor;
        let point = super::vector::add(camera.eye, scale(ray, drop / fall));
        let [x, y] = cell(camera, self.axes, point);
        let last = (CELLS - 2) as f64;
        if !(0.0..last).contains(&x) || !(0.0..last).contains(&y) {
            return 0.0;
        }
        let (i, j) = (x as usize, y as usize);
        let (s, t) = (x - i as f64, y - j as f64);
        let at = |i: usize, j: usize| self.shade[j * CELLS + i];
        let near = at(i, j) * (1.0 - s) + at(i + 1, j) * s;
        let far = at(i, j + 1) * (1.0 - s) + at(i + 1, j + 1) * s;
        DARKEST * (near * (1.0 - t) + far * t)
    }
}

/// Position on the shadow map straight below a point.
fn cell(camera: &Camera, axes: [Vector; 2], point: Vector) -> [f64; 2] {
    let from_center = subtract(point, camera.center);
    axes.map(|axis| (dot(from_center, axis) / (EXTENT * camera.radius) + 1.0) * 0.5 * CELLS as f64 - 0.5)
}

/// Raises the cells under a triangle to its shade (the third coordinate of a corner).
fn splat(shade: &mut [f64], corners: [[f64; 3]; 3]) {
    let [a, b, c] = corners;
    let area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
    let range = |axis: usize| {
        let low = a[axis].min(b[axis]).min(c[axis]).ceil().max(0.0) as usize;
        let high = a[axis].max(b[axis]).max(c[axis]).floor().max(-1.0) + 1.0;
        low..(high as usize).min(CELLS)
    };
    if area.abs() < 1e-12 {
        return;
    }
    for j in range(1) {
        for i in range(0) {
            let (x, y) = (i as f64, j as f64);
            let weight = |p: [f64; 3], q: [f64; 3]| ((q[0] - p[0]) * (y - p[1]) - (q[1] - p[1]) * (x - p[0])) / area;
            let weights = [weight(b, c), weight(c, a), weight(a, b)];
            if weights.iter().all(|&w| w >= 0.0) {
                let value = weights[0] * a[2] + weights[1] * b[2] + weights[2] * c[2];
                let under = &mut shade[j * CELLS + i];
                *under = under.max(value);
            }
        }
    }
}

/// Box blur of the given radius, along rows and columns. Three of them are nearly a Gaussian.
fn blur(map: &mut [f64], radius: usize) {
    let mut line = vec![0.0; CELLS];
    let width = (2 * radius + 1) as f64;
    for (first, step) in (0..CELLS).map(|j| (j * CELLS, 1)).chain((0..CELLS).map(|i| (i, CELLS))).collect::<Vec<_>>() {
        for (k, value) in line.iter_mut().enumerate() {
            *value = map[first + k * step];
        }
        let mut sum: f64 = line[..=radius].iter().sum();
        for k in 0..CELLS {
            map[first + k * step] = sum / width;
            sum += line.get(k + radius + 1).copied().unwrap_or(0.0);
            sum -= if k >= radius { line[k - radius] } else { 0.0 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blur_keeps_the_total_away_from_the_border() {
        let mut map = vec![0.0; CELLS * CELLS];
        map[CELLS / 2 * (CELLS + 1)] = 1.0;
        blur(&mut map, 5);
        assert!((map.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn splat_takes_the_darkest() {
        let mut shade = vec![0.0; CELLS * CELLS];
        let triangle = |s| [[1.0, 1.0, s], [9.0, 1.0, s], [1.0, 9.0, s]];
        splat(&mut shade, triangle(0.5));
        splat(&mut shade, triangle(0.2));
        assert!((shade[2 * CELLS + 2] - 0.5).abs() < 1e-12);
        assert_eq!(shade[9 * CELLS + 9], 0.0);
    }
}
