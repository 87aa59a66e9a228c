//! Bundle adjustments to measure: from files of *Bundle Adjustment in the Large* if `../shared/data/bal` has them, else generated.

use flate2::read::GzDecoder;
use isograd::{Problem, Value};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The files that are looked for.
pub const FILES: [&str; 3] = ["problem-16-22106-pre.txt.gz", "problem-21-11315-pre.txt.gz", "synthetic-b200.txt.gz"];

/// The problem of a file, or a generated one of some size with its name.
pub fn load(file: &str) -> (String, Problem) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/bal").join(file);
    match File::open(&path) {
        Ok(file_on_disk) => {
            let mut text = String::new();
            GzDecoder::new(file_on_disk).read_to_string(&mut text).expect("a gzip file");
            let numbers: Vec<f64> = text.split_whitespace().map(|word| word.parse().expect("a number")).collect();
            let name = file.split("-pre").next().and_then(|name| name.split(".txt").next()).unwrap_or(file);
            (name.to_owned(), state(&numbers))
        }
        Err(error) => {
            eprintln!("{}: {error}; a generated problem takes its place", path.display());
            ("generated".to_owned(), state(&generate(16, 22_000, 4)))
        }
    }
}

/// The numbers of a file for cameras on an arc around random points.
fn generate(cameras: usize, points: usize, views: usize) -> Vec<f64> {
    let noise = |k: usize| {
        let mixed = (k as u32 + 1).wrapping_mul(2_654_435_761).rotate_left(13).wrapping_mul(2_246_822_519);
        f64::from(mixed >> 8) / f64::from(1 << 23) - 1.0
    };
    let mut numbers = vec![cameras as f64, points as f64, (points * views) as f64];
    for point in 0..points {
        let first = point * 7 + point / 3 % 5;
        for view in 0..views {
            let k = point * views + view;
            let camera = (first + view) % cameras;
            numbers.extend([camera as f64, point as f64, 50.0 * noise(2 * k), 50.0 * noise(2 * k + 1)]);
        }
    }
    for camera in 0..cameras {
        let along = camera as f64 / cameras as f64 - 0.5;
        numbers.extend([0.1 * along, 0.5 * along + 0.01, 0.02, -2.0 * along, 0.1, -6.0, 500.0, -0.05, 0.01]);
    }
    numbers.extend((0..3 * points).map(noise));
    numbers
}

/// States the problem: P = R(w) X + t, p = -P.xy / P.z, r = f (1 + k₁ n + k₂ n²) p - observed, with n = p·p.
fn state(numbers: &[f64]) -> Problem {
    let [cameras, points, observations] = [0, 1, 2].map(|k| numbers[k] as usize);
    let (observed, start) = numbers[3..].split_at(4 * observations);
    let mut problem = Problem::new();
    let (camera_start, point_start) = start.split_at(9 * cameras);
    let cameras = problem.add_parameter_blocks(9, camera_start).expect("numbers of cameras");
    let points = problem.add_parameter_blocks(3, &point_start[..3 * points]).expect("numbers of points");
    let rows: Vec<_> = observed.chunks(4).map(|o| [cameras[o[0] as usize], points[o[1] as usize]]).collect();
    let data: Vec<[f64; 2]> = observed.chunks(4).map(|o| [o[2], o[3]]).collect();
    let added = problem.add_residual_batch(&rows[..], &data[..], |blocks, data| {
        let (camera, point) = (&blocks[0], &blocks[1]);
        let (w, x) = ([camera[0], camera[1], camera[2]], [point[0], point[1], point[2]]);
        let turned = rotate(w, x);
        let [px, py, pz] = std::array::from_fn(|k| turned[k] + camera[3 + k]);
        let p = [-px / pz, -py / pz];
        let n = p[0] * p[0] + p[1] * p[1];
        let scale = camera[6] * (1.0 + camera[7] * n + camera[8] * n * n);
        [scale * p[0] - data[0], scale * p[1] - data[1]]
    });
    added.expect("one residual for all");
    problem
}

/// Rodrigues' formula, for angles that are not zero.
fn rotate(w: [Value; 3], x: [Value; 3]) -> [Value; 3] {
    let angle = (w[0] * w[0] + w[1] * w[1] + w[2] * w[2]).sqrt();
    let axis = w.map(|w| w / angle);
    let (sin, cos) = (angle.sin(), angle.cos());
    let dot = (axis[0] * x[0] + axis[1] * x[1] + axis[2] * x[2]) * (1.0 - cos);
    let cross = |i: usize| axis[(i + 1) % 3] * x[(i + 2) % 3] - axis[(i + 2) % 3] * x[(i + 1) % 3];
    std::array::from_fn(|i| x[i] * cos + cross(i) * sin + axis[i] * dot)
}
