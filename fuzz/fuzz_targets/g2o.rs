//! No input makes the reader of pose graphs panic, and what it reads comes back as it is written.
#![no_main]

use isograd::io::{PoseGraph, parse_g2o, write_g2o_to};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(graph) = parse_g2o(bytes, "input") {
        let mut text = Vec::new();
        write_g2o_to(&mut text, &graph).unwrap();
        assert_eq!(parse_g2o(&text, "written").unwrap(), graph);
        match graph {
            PoseGraph::Se2(graph) => assert!(!graph.components().is_empty() && graph.square_root_information().is_ok()),
            PoseGraph::Se3(graph) => assert!(!graph.components().is_empty() && graph.square_root_information().is_ok()),
        }
    }
});
