//! Reading, writing and making up bundle adjustment problems.

use nalgebra::{Rotation3, Vector3};
use proptest::prelude::*;

use super::random::Random;
use super::*;
use crate::io::{FilePosition, WriteError};

const TINY: &str =
    "2 1 2\n\n0 0  -3.5e+00 4.25\n1 0 1 2\n\n0 0 0 0 0 -5 500 0 0\n1\n2\n3\n4\n5\n-6\n700\n8\n9\n1 2\n3\n";

fn cost(problem: &BalProblem) -> f64 {
    let turn = |c: &[f64; 9]| Rotation3::new(Vector3::new(c[0], c[1], c[2]));
    let squares = problem.observations.iter().map(|seen| {
        let camera = &problem.cameras[seen.camera as usize];
        let [x, y] = synthetic::project(&turn(camera), camera, &problem.points[seen.point as usize]);
        (x - seen.pixel[0]).powi(2) + (y - seen.pixel[1]).powi(2)
    });
    0.5 * squares.sum::<f64>()
}

#[test]
fn numbers_may_be_spread_over_lines_in_any_way() {
    let problem = parse_bal(TINY.as_bytes(), "tiny").unwrap();
    assert_eq!(problem.cameras[1], [1.0, 2.0, 3.0, 4.0, 5.0, -6.0, 700.0, 8.0, 9.0]);
    assert_eq!(problem.points, [[1.0, 2.0, 3.0]]);
    assert_eq!(problem.observations[0], Observation { camera: 0, point: 0, pixel: [-3.5, 4.25] });
    let joined = TINY.split_whitespace().collect::<Vec<_>>().join("\r\n");
    assert_eq!(parse_bal(joined.as_bytes(), "joined").unwrap(), problem);
    assert_eq!(read_bal_from(TINY.as_bytes(), "stream").unwrap(), problem);
}

#[test]
fn errors_name_the_line() {
    let error = |text: &str| parse_bal(text.as_bytes(), "x").unwrap_err();
    let replaced = |from: &str, to: &str| {
        assert!(TINY.contains(from));
        error(&TINY.replacen(from, to, 1))
    };
    let line = |n| FilePosition::Line(n);
    assert!(
        matches!(replaced("0 0  -3", "2 0  -3"), ReadError::BadIndex { what: "camera", index: 2, count: 2, at, .. } if at == line(3))
    );
    assert!(
        matches!(replaced("1 0 1 2", "1 -1 1 2"), ReadError::BadIndex { what: "point", index: -1, at, .. } if at == line(4))
    );
    assert!(matches!(replaced("1 0 1 2", "1 0 1 nan"), ReadError::NonFinite { at, .. } if at == line(4)));
    assert!(matches!(replaced("500", "1e999"), ReadError::NonFinite { at, .. } if at == line(6)));
    assert!(matches!(replaced("500", "5OO"), ReadError::Syntax { at, .. } if at == line(6)));
    assert!(
        matches!(replaced("2 1 2", "2 1 1"), ReadError::Syntax { at, .. } if at == line(15)),
        "too few observations"
    );
    assert!(matches!(replaced("2 1 2", "2 1 3"), ReadError::Truncated { at, .. } if at == line(17)), "too many");
    assert!(matches!(replaced("2 1 2", "2 2 2"), ReadError::Truncated { at, .. } if at == line(17)));
    assert!(matches!(replaced("2 1 2", "2 -1 2"), ReadError::Syntax { at, .. } if at == line(1)));
    assert!(matches!(error(&format!("{TINY}\nrest")), ReadError::Syntax { at, .. } if at == line(19)));
    assert_eq!(
        error("2 1 2\n0 0 1").to_string(),
        "x, line 2: the file ends where the pixel's y of observation 0 (counted from 0) of 2 should follow; fetch or export it again"
    );
    for cut in 0..TINY.trim_end().len() - 1 {
        assert!(parse_bal(&TINY.as_bytes()[..cut], "cut").is_err(), "{cut}");
    }
}

#[test]
fn what_a_count_claims_is_not_reserved() {
    for text in ["4294967295 4294967295 4294967295", "1 1 18446744073709551615", "0 0 4294967295\n"] {
        assert!(matches!(parse_bal(text.as_bytes(), "x"), Err(ReadError::Truncated { .. })), "{text}");
    }
    for text in ["4294967296 1 1", "1 1 18446744073709551616"] {
        assert!(matches!(parse_bal(text.as_bytes(), "x"), Err(ReadError::Syntax { .. })), "{text}");
    }
}

proptest! {
    #[test]
    fn what_is_written_reads_back_bit_for_bit(
        cameras in prop::collection::vec(any::<[f64; 9]>(), 1..3),
        points in prop::collection::vec(any::<[f64; 3]>(), 1..3),
        pixels in prop::collection::vec(any::<[f64; 2]>(), 0..4),
    ) {
        let observations = pixels.iter().map(|&pixel| Observation { camera: 0, point: points.len() as u32 - 1, pixel }).collect();
        let problem = BalProblem { cameras, points, observations };
        let numbers = |p: &BalProblem| -> Vec<u64> {
            let pixels: Vec<[f64; 2]> = p.observations.iter().map(|seen| seen.pixel).collect();
            let all = [p.cameras.as_flattened(), p.points.as_flattened(), pixels.as_flattened()].concat();
            all.iter().map(|x| x.to_bits()).collect()
        };
        prop_assume!(numbers(&problem).iter().all(|&bits| f64::from_bits(bits).is_finite()));
        let mut out = Vec::new();
        write_bal_to(&mut out, &problem).unwrap();
        let read = parse_bal(&out, "x").unwrap();
        prop_assert_eq!(numbers(&read), numbers(&problem));
        prop_assert_eq!(read, problem);
    }
}

#[test]
fn what_no_reader_would_take_is_not_written() {
    let sound = parse_bal(TINY.as_bytes(), "tiny").unwrap();
    let refused = |change: fn(&mut BalProblem)| {
        let mut problem = sound.clone();
        change(&mut problem);
        write_bal_to(std::io::sink(), &problem).unwrap_err()
    };
    assert!(matches!(refused(|p| p.cameras[1][3] = f64::NAN), WriteError::NonFinite { what: "camera", index: 1 }));
    assert!(matches!(refused(|p| p.points[0][0] = f64::INFINITY), WriteError::NonFinite { what: "point", index: 0 }));
    assert!(matches!(refused(|p| p.observations[1].pixel[1] = f64::NAN), WriteError::NonFinite { index: 1, .. }));
    assert!(matches!(refused(|p| p.observations[1].camera = 2), WriteError::BadIndex { what: "camera", index: 2, .. }));
    assert!(matches!(refused(|p| p.points.clear()), WriteError::BadIndex { what: "point", number: 0, .. }));
}

#[test]
fn files_are_packed_where_their_name_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let problem = BalProblem::synthetic(5, 20, 3, 7).unwrap();
    for name in ["a.txt", "a.txt.gz"] {
        let path = folder.path().join(name);
        write_bal(&path, &problem).unwrap();
        assert_eq!(std::fs::read(&path).unwrap().starts_with(&[0x1f, 0x8b]), name.ends_with("gz"));
        assert_eq!(read_bal(&path).unwrap(), problem);
    }
    assert!(read_bal(folder.path().join("absent.txt")).unwrap_err().to_string().contains("absent.txt"));
}

#[test]
fn synthetic_problems_are_as_they_are_described() {
    let (cameras, points, per_point) = (40, 2000, 5);
    let problem = BalProblem::synthetic(cameras, points, per_point, 3).unwrap();
    assert_eq!(problem, BalProblem::synthetic(cameras, points, per_point, 3).unwrap());
    assert_ne!(problem, BalProblem::synthetic(cameras, points, per_point, 4).unwrap());

    let seen_by: Vec<Vec<usize>> = problem
        .observations
        .chunks(per_point)
        .enumerate()
        .map(|(k, chunk)| {
            assert!(chunk.iter().all(|seen| seen.point as usize == k));
            chunk.iter().map(|seen| seen.camera as usize).collect()
        })
        .collect();
    assert_eq!(seen_by.len(), points);
    assert!(seen_by.iter().all(|row| row.windows(2).all(|pair| pair[1] == (pair[0] + 1) % cameras)));
    let mut loads = vec![0; cameras];
    seen_by.iter().flatten().for_each(|&camera| loads[camera] += 1);
    let even = points * per_point / cameras;
    assert!(loads.iter().all(|&load| load > even / 2 && load < 2 * even), "{loads:?}");

    // Every point is well in front of every camera, at the start too.
    for camera in &problem.cameras {
        let turn = Rotation3::new(Vector3::new(camera[0], camera[1], camera[2]));
        assert!(problem.points.iter().all(|&point| (turn * Vector3::from(point)).z + camera[5] < -2.0));
    }
}

/// At the truth, residuals are the noise: half a pixel. The start is much further off, but a solver's way from there is short.
#[test]
fn the_truth_has_the_cost_of_the_noise() {
    let (cameras, points, per_point) = (40, 2000, 5);
    let truth = synthetic::truth(cameras, points, per_point, &mut Random::new(3)).unwrap();
    let start = BalProblem::synthetic(cameras, points, per_point, 3).unwrap();
    assert_eq!(start.observations, truth.observations);
    let noise = 0.5 * 0.25 * (2 * truth.observations.len()) as f64;
    // The sum of 20,000 squares is within 1 % of its mean (one standard deviation) with five to spare.
    assert!((cost(&truth) / noise - 1.0).abs() < 0.05, "{} for {noise}", cost(&truth));
    assert!(cost(&start) > 20.0 * noise && cost(&start) < 1000.0 * noise, "{} for {noise}", cost(&start));
}

#[test]
fn sizes_without_a_problem() {
    for (cameras, points, per_point) in [
        (0, 1, 1),
        (1, 0, 1),
        (1, 1, 0),
        (3, 1, 4),
        (3, usize::MAX, 2),
        (1 << 33, 1, 1),
        (1 << 29, 1, 1),
        (1000, 1 << 30, 5),
    ] {
        let error = BalProblem::synthetic(cameras, points, per_point, 0).unwrap_err();
        assert_eq!(error, SyntheticBalError { cameras, points, per_point });
    }
    // One camera, half a turn from the world's axes and round.
    for cameras in 1..5 {
        let problem = BalProblem::synthetic(cameras, 10, cameras, 0).unwrap();
        assert!(cost(&problem).is_finite());
    }
}
