//! What the colours show: how far each vertex is from what its energy wants.

use super::Solved;
use crate::picture::{ColorMap, Rgb};
use isograd::mesh::Mesh;
use isograd::mesh::energy::Energy;

/// Share of the vertices whose number lies inside the colour range; the rest is clipped, lest one spike fade all others.
const SHOWN: f64 = 0.98;

/// Relative errors of the start and of the end in percent, and the range of colours that suits both.
pub struct Measure {
    /// What is measured, for a legend.
    pub label: &'static str,
    /// The same in a sentence.
    pub noun: &'static str,
    /// At the start.
    pub start: Errors,
    /// At the end.
    pub end: Errors,
    /// The numbers at the two ends of the colour map.
    pub range: (f64, f64),
}

/// Relative errors in percent.
pub struct Errors {
    /// A number for each vertex, of an edge's error its part.
    pub vertices: Vec<f64>,
    /// Root mean square over all that is measured, be it vertices or edges.
    pub root_mean_square: f64,
}

impl Measure {
    /// The colour map for errors of either sign.
    pub const MAP: ColorMap = ColorMap::Diverging;

    /// The measure that suits an energy.
    pub fn of(energy: Energy, solved: &Solved) -> Self {
        let (label, noun) = match energy {
            Energy::Smooth | Energy::Stretch => ("edge length error, %", "edge length error"),
            Energy::Arap => ("stretch of edges, %", "edges stretched by"),
            Energy::Sphere => ("distance from the sphere, % of its radius", "distance from the sphere"),
        };
        let errors = |x: &[[f64; 3]]| match energy {
            Energy::Smooth | Energy::Arap => Errors::of_edges(&solved.shape, x, 1.0),
            Energy::Stretch => Errors::of_edges(&solved.shape, x, 1.2),
            Energy::Sphere => Errors::of_radii(&solved.shape, x, 1.1),
        };
        let (start, end) = (errors(&solved.start), errors(&solved.end));
        let bound = round_up(quantile(&start.vertices, SHOWN).max(quantile(&end.vertices, SHOWN)));
        Measure { label, noun, start, end, range: (-bound, bound) }
    }

    /// The colours of one of the two states.
    pub fn colors(&self, errors: &Errors) -> Vec<Rgb> {
        Self::MAP.map(&errors.vertices, self.range)
    }
}

impl Errors {
    /// How much longer edges are than `factor` times their reference length; at a vertex the mean over its edges.
    fn of_edges(shape: &Mesh, x: &[[f64; 3]], factor: f64) -> Errors {
        let p = shape.vertices();
        let mut sums = vec![(0.0, 0u32); x.len()];
        let mut all = Vec::new();
        for [a, b] in shape.edges() {
            let (a, b) = (a as usize, b as usize);
            let rest = factor * length(difference(p[a], p[b]));
            // An edge without length has no relative error.
            if rest > 0.0 {
                let error = percent(length(difference(x[a], x[b])) / rest);
                all.push(error);
                for v in [a, b] {
                    sums[v].0 += error;
                    sums[v].1 += 1;
                }
            }
        }
        let vertices = sums.into_iter().map(|(sum, count)| sum / f64::from(count.max(1))).collect();
        Errors { vertices, root_mean_square: root_mean_square(&all) }
    }

    /// How far vertices are from the sphere that is `factor` times larger than the mean of the shape.
    fn of_radii(shape: &Mesh, x: &[[f64; 3]], factor: f64) -> Errors {
        let radius = factor * mean(shape.vertices().iter().map(|&p| length(p)));
        let vertices: Vec<f64> = x.iter().map(|&v| percent(length(v) / radius)).collect();
        let root_mean_square = root_mean_square(&vertices);
        Errors { vertices, root_mean_square }
    }
}

fn root_mean_square(values: &[f64]) -> f64 {
    mean(values.iter().map(|v| v * v)).sqrt()
}

fn percent(ratio: f64) -> f64 {
    100.0 * (ratio - 1.0)
}

fn difference(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    std::array::from_fn(|axis| a[axis] - b[axis])
}

fn length(v: [f64; 3]) -> f64 {
    v.iter().map(|c| c * c).sum::<f64>().sqrt()
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len().max(1) as f64;
    values.sum::<f64>() / count
}

/// The magnitude that this share of the values stays below.
fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sizes: Vec<f64> = values.iter().map(|v| v.abs()).filter(|v| v.is_finite()).collect();
    sizes.sort_by(f64::total_cmp);
    let last = sizes.len().saturating_sub(1);
    sizes.get((share * last as f64).round() as usize).copied().unwrap_or(0.0)
}

/// Up to a short number: one of few steps a decade.
fn round_up(bound: f64) -> f64 {
    if bound <= 0.0 || !bound.is_finite() {
        return 1.0;
    }
    let unit = 10_f64.powf(bound.log10().floor());
    let step = [1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0].into_iter().find(|step| bound <= step * unit * (1.0 + 1e-9));
    step.unwrap_or(10.0) * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_ends_at_short_numbers() {
        for (bound, expected) in [(0.0, 1.0), (0.9, 1.0), (1.0, 1.0), (37.0, 40.0), (81.0, 100.0), (2.5, 3.0)] {
            assert!((round_up(bound) / expected - 1.0).abs() < 1e-12, "{bound}");
        }
        assert_eq!(quantile(&[], 0.9), 0.0);
        assert_eq!(quantile(&[-3.0, 1.0, f64::NAN], 1.0), 3.0);
    }

    #[test]
    fn a_mesh_twice_as_large_has_edges_100_percent_too_long() {
        let shape = isograd::mesh::icosphere(1).unwrap();
        let twice: Vec<[f64; 3]> = shape.vertices().iter().map(|p| p.map(|c| 2.0 * c)).collect();
        let errors = Errors::of_edges(&shape, &twice, 1.0);
        assert!(errors.vertices.iter().all(|e| (e - 100.0).abs() < 1e-9));
        assert!((errors.root_mean_square - 100.0).abs() < 1e-9);
        assert!(Errors::of_edges(&shape, &twice, 2.0).root_mean_square < 1e-9);
        assert!(Errors::of_radii(&shape, &twice, 2.0).root_mean_square < 1e-9);
    }
}
