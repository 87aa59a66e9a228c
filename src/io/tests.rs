//! Readers of numbers and formulas against any input; those of meshes have theirs in `mesh/tests.rs`.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// A reader, a valid file for mutilation, and words that such files have.
struct Format {
    name: &'static str,
    /// Reads, and works with what came out; whether anything did.
    read: fn(&[u8]) -> Result<(), ReadError>,
    valid: &'static str,
    words: &'static [&'static str],
}

const FORMATS: [Format; 4] = [
    Format { name: "bal", read: try_bal, valid: BAL, words: &["0", "1", "-1", "4294967295", "2.5e3"] },
    Format {
        name: "plane",
        read: try_g2o,
        valid: "VERTEX_SE2 1 0 0 0\nVERTEX_SE2 2 1 0 0\nFIX 1\nEDGE_SE2 1 2 1 0 0 1 0 0 1 0 1\n",
        words: &[
            "VERTEX_SE2",
            "EDGE_SE2 0 1 1 0 0 1 0 0 1 0 1\n",
            "EDGE_SE2",
            "FIX",
            "#",
            "0",
            "1",
            "2",
            "-1",
            "18446744073709551615",
        ],
    },
    Format {
        name: "space",
        read: try_g2o,
        valid: "EDGE_SE3:QUAT 0 1 1 0 0 0 0 0 2 1 0 0 0 0 0 1 0 0 0 0 1 0 0 0 1 0 0 1 0 1\n",
        words: &[
            "VERTEX_SE3:QUAT",
            "EDGE_SE3:QUAT 0 1 1 2 3 0 0 0 1",
            "1 0 0 0 0 0 1 0 0 0 0 1 0 0 0 1 0 0 1 0 1\n",
            "0",
            "1e200",
        ],
    },
    Format {
        name: "nist",
        read: try_nist,
        valid: NIST,
        words: &[
            "Dataset Name: x\n",
            "1 Predictor\n",
            "2 Predictors\n",
            "1 Observations\n",
            "Lower Level of Difficulty\n",
            "Model:\n",
            "1 Parameters\n",
            "y = b1*x + e\n",
            "c = 1/0\n",
            "c = (\n",
            "Starting\n",
            "b1 = 1 2 3 4\n",
            "Residual Sum of Squares: 1\n",
            "Residual Standard Deviation: 1\n",
            "Degrees of Freedom: 1\n",
            "Number of Observations: 1\n",
            "Data: y x\n",
            "1",
            "2",
        ],
    },
];

const BAL: &str = "1 1 1\n0 0 1.5 2\n0 0 0 0 0 -5 500 0 0\n1\n2\n3\n";

const NIST: &str = "Dataset Name:  Line (Line.dat)\nData: 1 Response\n 1 Predictor\n 2 Observations\n Lower Level of Difficulty\n\
    Model: Straight\n 1 Parameters (b1)\n\n c = 2*3\n y = c*b1*\n  [x]  +  e\n\n Starting values\n b1 = 1 2 0.5 0.1\n\
    Residual Sum of Squares: 0\nResidual Standard Deviation: 0\nDegrees of Freedom: 1\nNumber of Observations: 2\n\
    Data: y x\n 3 1\n 6 2\n";

fn try_bal(bytes: &[u8]) -> Result<(), ReadError> {
    let problem = parse_bal(bytes, "x")?;
    write_bal_to(std::io::sink(), &problem).expect("what was read can be written");
    Ok(())
}

fn try_g2o(bytes: &[u8]) -> Result<(), ReadError> {
    let graph = parse_g2o(bytes, "x")?;
    match &graph {
        PoseGraph::Se2(graph) => {
            drop((graph.components(), graph.square_root_information().expect("checked by the reader")))
        }
        PoseGraph::Se3(graph) => {
            drop((graph.components(), graph.square_root_information().expect("checked by the reader")))
        }
    }
    write_g2o_to(std::io::sink(), &graph).expect("what was read can be written");
    Ok(())
}

fn try_nist(bytes: &[u8]) -> Result<(), ReadError> {
    let problem = parse_nist(bytes, "x")?;
    problem.sum_of_squares(&problem.start(1));
    Ok(())
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..300)) {
        for format in &FORMATS {
            let _ = (format.read)(&bytes);
        }
    }

    #[test]
    fn random_words_never_panic(format in 0..FORMATS.len(), words in vec((any::<prop::sample::Index>(), 0..3usize), 0..60)) {
        let format = &FORMATS[format];
        let common = ["nan", "1e999", "\n", "\r", "-", ".", "\u{e9}", "=", "99999999999999999999"];
        let all: Vec<&str> = format.words.iter().chain(format.words).chain(&common).copied().collect();
        let text: String = words.iter().flat_map(|(word, gap)| [all[word.index(all.len())], [" ", "\n", ""][*gap]]).collect();
        let _ = (format.read)(text.as_bytes());
    }

    #[test]
    fn changed_files_never_panic(
        format in 0..FORMATS.len(),
        places in vec((any::<prop::sample::Index>(), prop_oneof![any::<u8>(), Just(b'9'), Just(b' '), Just(b'\n'), Just(b'-')]), 1..8),
    ) {
        let mut bytes = FORMATS[format].valid.as_bytes().to_vec();
        for (place, byte) in places {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let _ = (FORMATS[format].read)(&bytes);
    }

    #[test]
    fn pieces_put_together_never_panic(format in 0..FORMATS.len(), cuts in vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..5)) {
        let whole = FORMATS[format].valid.as_bytes();
        let mut bytes = Vec::new();
        for (a, b) in cuts {
            let (a, b) = (a.index(whole.len()), b.index(whole.len()));
            bytes.extend_from_slice(&whole[a.min(b)..a.max(b)]);
        }
        let _ = (FORMATS[format].read)(&bytes);
    }
}

#[test]
fn truncated_files_are_errors() {
    for format in &FORMATS {
        assert!((format.read)(format.valid.as_bytes()).is_ok(), "{}", format.name);
        let whole = format.valid.trim_end();
        for end in 0..whole.len() {
            // A graph may end after any line, and a number may lose its last digits.
            let result = (format.read)(&whole.as_bytes()[..end]);
            let may_end = whole[..end].ends_with(|c: char| c.is_ascii_digit() || c == '\n');
            assert!(may_end || result.is_err() || end + 1 == whole.len(), "{}: {end}", format.name);
        }
    }
}

#[test]
fn every_line_left_out_or_doubled_is_an_error_or_another_problem() {
    for format in &FORMATS {
        let lines: Vec<&str> = format.valid.lines().collect();
        for k in 0..lines.len() {
            let without = [&lines[..k], &lines[k + 1..]].concat().join("\n");
            let _ = (format.read)(without.as_bytes());
            let twice = [&lines[..=k], &lines[k..]].concat().join("\n");
            let _ = (format.read)(twice.as_bytes());
        }
    }
    // Those with counts must notice.
    for (name, line) in [("bal", "0 0 1.5 2\n"), ("bal", "2\n"), ("nist", " 6 2\n"), ("nist", " b1 = 1 2 0.5 0.1\n")] {
        let format = FORMATS.iter().find(|format| format.name == name).unwrap();
        assert!(format.valid.contains(line));
        assert!((format.read)(format.valid.replacen(line, "", 1).as_bytes()).is_err(), "{name} without {line:?}");
    }
    for (name, line) in [("bal", "2\n"), ("plane", "VERTEX_SE2 1 0 0 0\n"), ("nist", " 6 2\n")] {
        let format = FORMATS.iter().find(|format| format.name == name).unwrap();
        assert!(
            (format.read)(format.valid.replacen(line, &line.repeat(2), 1).as_bytes()).is_err(),
            "{name} with two {line:?}"
        );
    }
}

#[test]
fn packed_files_are_unpacked() {
    use std::io::Write;
    for format in &FORMATS {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(format.valid.as_bytes()).unwrap();
        let packed = packer.finish().unwrap();
        assert!((format.read)(&packed).is_ok(), "{}", format.name);
        assert!(
            matches!((format.read)(&packed[..packed.len() - 9]), Err(ReadError::Truncated { .. })),
            "{}",
            format.name
        );
        let mut damaged = packed.clone();
        damaged[12] ^= 0xff;
        assert!((format.read)(&damaged).is_err(), "{}", format.name);
    }
}

#[test]
fn absent_files_are_named() {
    for error in [
        read_bal("no/such/file").unwrap_err(),
        read_g2o("no/such/file").unwrap_err(),
        read_nist("no/such/file").unwrap_err(),
    ] {
        assert!(error.to_string().starts_with("no/such/file: "), "{error}");
    }
}
