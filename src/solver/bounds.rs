//! Box constraints, by projection.
//!
//! A component that is at its bound while the gradient pushes it outward is *active* and held for the step, so that the others get a
//! Newton step of their own (Bertsekas, *Projected Newton methods for optimization problems with simple constraints*, 1982). Where the
//! step leads outside, the point is projected onto the box; a step that then promises no decrease is taken again with more damping,
//! under which it turns into one of projected gradient descent.

use super::NormalEquations;
#[cfg(feature = "gpu")]
use crate::kernel::wgsl::Format;
use crate::problem::Parameters;

/// A free component with a bound.
#[derive(Debug)]
struct Bounded {
    /// In the reduced system.
    scalar: usize,
    /// In the parameter vector.
    place: usize,
    /// In a step over all blocks.
    component: usize,
    lower: f64,
    upper: f64,
}

/// The bounds of the free components.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    bounded: Vec<Bounded>,
}

impl Bounds {
    pub fn new(parameters: &Parameters, equations: &NormalEquations) -> Self {
        let mut bounded = Vec::new();
        if !parameters.has_bounds() {
            return Bounds::default();
        }
        let offsets = parameters.offsets();
        for (reduced, place, component) in equations.blocks() {
            let block = offsets.partition_point(|&start| start as usize <= place) - 1;
            for (k, &(lower, upper)) in parameters.bounds(block).unwrap_or(&[]).iter().enumerate() {
                let scalar = reduced.start + k;
                let is_bound = lower > f64::NEG_INFINITY || upper < f64::INFINITY;
                if is_bound && !equations.is_held(scalar) {
                    bounded.push(Bounded { scalar, place: place + k, component: component + k, lower, upper });
                }
            }
        }
        Bounds { bounded }
    }

    pub fn is_empty(&self) -> bool {
        self.bounded.is_empty()
    }

    /// The scalars of the active components, which are held for the next step.
    pub fn active(&self, x: &[f64], equations: &NormalEquations) -> Vec<usize> {
        self.bounded.iter().filter(|b| b.is_active(x, &equations.gradient)).map(|b| b.scalar).collect()
    }

    /// Projects `trial` onto the box, and shortens `step`, over all blocks, accordingly. Returns whether it was outside.
    pub fn project(&self, x: &[f64], step: &mut [f64], trial: &mut [f64]) -> bool {
        let mut outside = false;
        for b in &self.bounded {
            let inside = trial[b.place].clamp(b.lower, b.upper);
            if inside != trial[b.place] {
                trial[b.place] = inside;
                step[b.component] = inside - x[b.place];
                outside = true;
            }
        }
        outside
    }

    /// The largest component of x − Π(x − g), which is the gradient but for what leads out of the box.
    pub fn gradient_max_norm(&self, x: &[f64], gradient: &[f64]) -> f64 {
        // Eight at a time, for each comparison waits for the one before it.
        let largest = |gradient: &[f64]| {
            let (eights, rest) = gradient.as_chunks::<8>();
            let larger = |max: f64, g: &f64| if g.abs() > max { g.abs() } else { max };
            let of_eights = eights.iter().fold([0.0; 8], |max, g| std::array::from_fn(|k| larger(max[k], &g[k])));
            of_eights.iter().chain(rest).fold(0.0, larger)
        };
        if self.is_empty() {
            return largest(gradient);
        }
        let mut projected = gradient.to_vec();
        for b in &self.bounded {
            let x = x[b.place];
            projected[b.scalar] = x - (x - gradient[b.scalar]).clamp(b.lower, b.upper);
        }
        largest(&projected)
    }
}

impl Bounded {
    /// At a bound, and the cost falls further out.
    fn is_active(&self, x: &[f64], gradient: &[f64]) -> bool {
        let (x, g) = (x[self.place], gradient[self.scalar]);
        (x <= self.lower && g > 0.0) || (x >= self.upper && g < 0.0)
    }
}

/// The bounds as a device rounds them.
#[cfg(feature = "gpu")]
#[derive(Debug)]
pub(super) struct DeviceBounds {
    /// Place in the parameter vector, the bounds, and what the device makes of them.
    bounded: Vec<(usize, [f64; 2], [f64; 2])>,
}

#[cfg(feature = "gpu")]
impl DeviceBounds {
    pub fn new(parameters: &Parameters, format: Format) -> Self {
        let mut bounded = Vec::new();
        for block in (0..parameters.blocks()).filter(|_| parameters.has_bounds()) {
            let start = parameters.offsets()[block] as usize;
            for (k, &(lower, upper)) in parameters.bounds(block).unwrap_or(&[]).iter().enumerate() {
                let rounded = format.decode(&format.encode(&[lower, upper]));
                bounded.push((start + k, [lower, upper], [rounded[0], rounded[1]]));
            }
        }
        DeviceBounds { bounded }
    }

    /// Moves what is at, or by rounding beyond, a bound of the device to the bound itself.
    pub fn keep(&self, x: &mut [f64]) {
        for &(place, [lower, upper], rounded) in &self.bounded {
            let at = rounded.iter().position(|bound| *bound == x[place]);
            x[place] = at.map_or(x[place].clamp(lower, upper), |at| [lower, upper][at]);
        }
    }
}
