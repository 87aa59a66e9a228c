//! Many small problems in one: curve fits, arms that reach, rotations.

#![allow(dead_code, reason = "each test takes of it what it needs")]

use isograd::loss::Cauchy;
use isograd::manifold::So3;
use isograd::{BlockId, Blocks, Problem, Value};
use nalgebra::{Quaternion, UnitQuaternion, Vector3};

/// Numbers in [0, 1), the same every time (Knuth's linear congruential generator, upper bits).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.next()
    }
}

pub const SAMPLES: usize = 20;

/// A fit of a exp(−b t) + c.
pub struct Fit {
    pub start: [f64; 3],
    pub samples: Vec<[f64; 2]>,
}

pub fn fits(count: usize) -> Vec<Fit> {
    let mut random = Random(7);
    let mut fit = || {
        let [a, b, c] = [random.between(1.0, 5.0), random.between(0.3, 2.0), random.between(-1.0, 1.0)];
        let mut sample = |k: usize| {
            let t = 4.0 * k as f64 / SAMPLES as f64;
            [t, a * (-b * t).exp() + c + random.between(-0.05, 0.05)]
        };
        Fit { samples: (0..SAMPLES).map(&mut sample).collect(), start: [random.between(0.5, 6.0), 1.0, 0.0] }
    };
    (0..count).map(|_| fit()).collect()
}

pub fn decay(x: Blocks<'_>, d: &[Value]) -> Value {
    x[0][0] * (-x[0][1] * d[0]).exp() + x[0][2] - d[1]
}

pub fn add_fits(problem: &mut Problem, fits: &[Fit]) -> Vec<BlockId> {
    let blocks: Vec<BlockId> = fits.iter().map(|fit| problem.add_parameter_block(&fit.start).unwrap()).collect();
    let of_samples: Vec<[BlockId; 1]> = blocks.iter().flat_map(|&block| [[block]; SAMPLES]).collect();
    let data: Vec<[f64; 2]> = fits.iter().flat_map(|fit| fit.samples.iter().copied()).collect();
    problem.add_residual_batch(&of_samples, &data, decay).unwrap();
    blocks
}

/// Where the hand of three links of length 1 is, each turned in the frame of the one before.
pub fn add_arms(problem: &mut Problem, targets: &[[f64; 3]], loss: bool) -> Vec<[BlockId; 3]> {
    let turned = |angle: f64| UnitQuaternion::from_axis_angle(&Vector3::y_axis(), angle).coords;
    let mut arms = Vec::new();
    for _ in targets {
        arms.push([0.3, 0.6, -0.4].map(|angle| {
            let block = problem.add_parameter_block(turned(angle).as_slice()).unwrap();
            problem.set_manifold(&[block], So3).unwrap();
            block
        }));
    }
    let hand = problem
        .add_residual_batch(&arms, targets, |x, d| {
            let mut hand = Vector3::from_element(Value::constant(0.0));
            for joint in (0..3).rev() {
                let link = hand + Vector3::new(Value::constant(0.0), Value::constant(0.0), Value::constant(1.0));
                hand = UnitQuaternion::new_unchecked(Quaternion::from_vector(x.vector::<4>(joint))) * link;
            }
            [hand.x - d[0], hand.y - d[1], hand.z - d[2]]
        })
        .unwrap();
    // No joint may twist, which does not keep the hand from its target.
    let joints: Vec<[BlockId; 1]> = arms.iter().flatten().map(|&joint| [joint]).collect();
    problem.add_residual_batch(&joints, &(), |x, _| 0.1 * x[0][2]).unwrap();
    if loss {
        problem.set_loss(hand, Cauchy(0.3)).unwrap();
    }
    arms
}

pub fn targets(count: usize) -> Vec<[f64; 3]> {
    let mut random = Random(3);
    (0..count).map(|_| [0; 3].map(|_| random.between(-1.5, 1.5))).collect()
}

/// Triples of vectors, and what a rotation is to make of them.
pub fn pairs(count: usize) -> Vec<[[f64; 6]; 3]> {
    let mut random = Random(11);
    (0..count).map(|_| [0; 3].map(|_| [0; 6].map(|_| random.between(-1.0, 1.0)))).collect()
}

/// The rotation that fits each triple best.
pub fn add_rotations(problem: &mut Problem, pairs: &[[[f64; 6]; 3]], robust: bool) -> Vec<BlockId> {
    let blocks = problem.add_parameter_blocks(4, &[0.0, 0.0, 0.0, 1.0].repeat(pairs.len())).unwrap();
    problem.set_manifold(&blocks, So3).unwrap();
    let rows: Vec<[BlockId; 1]> = blocks.iter().flat_map(|&block| [[block]; 3]).collect();
    let added = problem.add_residual_batch(&rows, pairs.as_flattened(), |x, d| {
        let q = UnitQuaternion::new_unchecked(Quaternion::from_vector(x.vector::<4>(0)));
        q * Vector3::new(d[0], d[1], d[2]) - Vector3::new(d[3], d[4], d[5])
    });
    if robust {
        problem.set_loss(added.unwrap(), Cauchy(1.0)).unwrap();
    }
    blocks
}
