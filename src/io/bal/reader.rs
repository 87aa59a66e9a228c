//! Text to problem. Only the order of the numbers matters, not how they are spread over lines: some files have a camera a line,
//! others a number a line, and blank lines between the parts.

use super::{BalProblem, Observation};
use crate::io::read_error::Fault;
use crate::io::text::{Stream, checked_index};

/// Bytes of the shortest observation, camera and point, `0 0 0 0\n` and so on: no more are reserved than the file can hold.
const SHORTEST: [usize; 3] = [8, 18, 6];

pub(super) fn parse(bytes: &[u8]) -> Result<BalProblem, Fault> {
    let mut words = Stream::new(bytes);
    let cameras: u32 = words.number("the number of cameras")?;
    let points: u32 = words.number("the number of points")?;
    let observations: u64 = words.number("the number of observations")?;
    let room = |count: u64, shortest: usize| usize::try_from(count).unwrap_or(usize::MAX).min(bytes.len() / shortest);

    let mut problem = BalProblem {
        observations: Vec::with_capacity(room(observations, SHORTEST[0])),
        cameras: Vec::with_capacity(room(cameras.into(), SHORTEST[1])),
        points: Vec::with_capacity(room(points.into(), SHORTEST[2])),
    };
    for k in 0..observations {
        let part = |what: &'static str| Part { what, k, of: ("observation", observations) };
        let index = words.number(part("the camera's index"))?;
        let camera = checked_index(index, "camera", cameras as usize, words.at())?;
        let index = words.number(part("the point's index"))?;
        let point = checked_index(index, "point", points as usize, words.at())?;
        let pixel = [words.finite(part("the pixel's x"))?, words.finite(part("the pixel's y"))?];
        problem.observations.push(Observation { camera, point, pixel });
    }
    for k in 0..cameras {
        problem.cameras.push(numbers(&mut words, k, ("camera", cameras))?);
    }
    for k in 0..points {
        problem.points.push(numbers(&mut words, k, ("point", points))?);
    }
    words.end()?;
    Ok(problem)
}

fn numbers<const N: usize>(words: &mut Stream<'_>, k: u32, of: (&'static str, u32)) -> Result<[f64; N], Fault> {
    let mut numbers = [0.0; N];
    for number in &mut numbers {
        *number = words.finite(Part { what: "a number", k: k.into(), of: (of.0, of.1.into()) })?;
    }
    Ok(numbers)
}

/// What is expected next; put into words only when it is not there.
struct Part {
    what: &'static str,
    k: u64,
    of: (&'static str, u64),
}

impl std::fmt::Display for Part {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (name, count) = self.of;
        write!(out, "{} of {name} {} (counted from 0) of {count}", self.what, self.k)
    }
}
