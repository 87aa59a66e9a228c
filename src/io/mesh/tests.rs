//! Readers against any input, writers against readers, and the real files.

use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::mesh::samples::{bow_tie, quad_cube, tetrahedron};

const FORMATS: [MeshFormat; 3] = [MeshFormat::Obj, MeshFormat::Ply, MeshFormat::Off];

/// Valid files of each format, for mutilation.
fn valid_files() -> Vec<(MeshFormat, Vec<u8>)> {
    let mesh = quad_cube();
    let mut obj = Vec::new();
    write_obj_to(&mut obj, &mesh).unwrap();
    let mut files = vec![
        (MeshFormat::Obj, obj),
        (MeshFormat::Off, b"OFF\n4 2 0\n0 0 0\n1 0 0\n1 1 0\n0 1 0\n3 0 1 2\n4 0 1 2 3\n".to_vec()),
    ];
    for encoding in [PlyEncoding::Ascii, PlyEncoding::BinaryLittleEndian] {
        let mut ply = Vec::new();
        write_ply_to(&mut ply, &mesh, Some(&[[1, 2, 3]; 8]), encoding).unwrap();
        files.push((MeshFormat::Ply, ply));
    }
    files
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..300)) {
        for format in FORMATS {
            let _ = parse_mesh(&bytes, format, "random");
        }
    }

    #[test]
    fn random_words_never_panic(words in vec(
        prop::sample::select(vec![
            "v", "f", "ply\n", "format ascii 1.0\n", "format binary_big_endian 1.0\n", "element vertex ", "element face ",
            "property float x\n", "property list char int vertex_index\n", "end_header\n", "OFF", "\n", " ", "\\\n", "#",
            "1 ", "-1 ", "3 ", "0 ", "99999999999999999999 ", "18446744073709551615 ", "-9223372036854775808 ", "1/2/3 ",
            "nan ", "1e999 ", "\r",
        ]), 0..60)
    ) {
        let text = words.concat();
        for format in FORMATS {
            let _ = parse_mesh(text.as_bytes(), format, "random");
        }
    }

    #[test]
    fn changed_files_never_panic(file in 0..4usize, places in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let (format, mut bytes) = valid_files().swap_remove(file);
        for (place, byte) in places {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let _ = parse_mesh(&bytes, format, "changed");
    }

    #[test]
    fn what_is_written_reads_back_bit_for_bit(points in vec(any::<[f64; 3]>(), 4)) {
        prop_assume!(points.as_flattened().iter().all(|c| c.is_finite()));
        let mesh = tetrahedron().with_vertices(points).unwrap();
        let mut obj = Vec::new();
        write_obj_to(&mut obj, &mesh).unwrap();
        let mut files = vec![(MeshFormat::Obj, obj)];
        for encoding in [PlyEncoding::Ascii, PlyEncoding::BinaryLittleEndian] {
            let mut ply = Vec::new();
            write_ply_to(&mut ply, &mesh, None, encoding).unwrap();
            files.push((MeshFormat::Ply, ply));
        }
        for (format, bytes) in files {
            let read = parse_mesh(&bytes, format, "x").unwrap();
            let bits = |mesh: &Mesh| -> Vec<u64> {
                mesh.vertices().as_flattened().iter().map(|c| c.to_bits()).collect()
            };
            prop_assert_eq!(bits(&read), bits(&mesh));
            prop_assert_eq!(read.corners(), mesh.corners());
        }
    }
}

#[test]
fn truncated_files_never_panic() {
    for (format, bytes) in valid_files() {
        assert!(parse_mesh(&bytes, format, "whole").is_ok());
        for end in 0..bytes.len() {
            let _ = parse_mesh(&bytes[..end], format, "cut");
        }
    }
}

#[test]
fn files_round_trip_by_name() {
    let folder = tempfile::tempdir().unwrap();
    for mesh in [quad_cube(), bow_tie()] {
        for name in ["a.obj", "a.obj.gz", "a.ply", "a.ply.gz"] {
            let path = folder.path().join(name);
            if name.contains("obj") {
                write_obj(&path, &mesh).unwrap();
            } else {
                write_ply(&path, &mesh, None, PlyEncoding::default()).unwrap();
            }
            let is_packed = std::fs::read(&path).unwrap().starts_with(&[0x1f, 0x8b]);
            assert_eq!(is_packed, name.ends_with("gz"));
            assert_eq!(read_mesh(&path).unwrap(), mesh, "{name}");
        }
    }
    // A gzip file that a download cut short.
    let path = folder.path().join("a.obj.gz");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(matches!(read_mesh(&path), Err(ReadError::Truncated { .. })));
}

#[test]
fn absent_and_foreign_files() {
    let error = read_mesh("no/such/file.obj").unwrap_err();
    assert!(error.to_string().starts_with("no/such/file.obj: "));
    assert!(matches!(read_mesh("cow.stl"), Err(ReadError::UnknownFormat { .. })));
}

/// A file, and its vertices, used vertices, faces and edges.
type Counts = (&'static str, [usize; 4]);

const OWN_FILE: Counts = ("ripple.off", [25, 25, 31, 55]);

const REAL_FILES: [Counts; 8] = [
    ("bumpy-cube.obj.gz", [19970, 19970, 39936, 59904]),
    ("bunnyhead.obj", [1550, 1550, 3000, 4549]),
    ("cow.obj", [2903, 2903, 5804, 8706]),
    ("fandisk.obj.gz", [6475, 6475, 12946, 19419]),
    ("rocker-arm.obj.gz", [10044, 10044, 20088, 30132]),
    ("spot.obj.gz", [2930, 2930, 5856, 8784]),
    ("stanford-bunny.obj.gz", [35947, 34834, 69451, 104288]),
    ("suzanne.obj", [507, 507, 500, 1005]),
];

#[test]
fn files_have_the_counts_of_their_table() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    // The real meshes lie beside a checkout of this project; most readers of it have but the project's own.
    let shared = project.join("../shared/data/mesh");
    let real = if shared.is_dir() { &REAL_FILES[..] } else { &[] };
    if real.is_empty() {
        println!("{} is absent, so only the file in tests/data is read", shared.display());
    }
    let own = [(project.join("tests/data"), OWN_FILE)];
    for (folder, (name, counts)) in own.into_iter().chain(real.iter().map(|&file| (shared.clone(), file))) {
        let mesh = read_mesh(folder.join(name)).unwrap();
        let diagnosis = mesh.diagnosis();
        println!("{name}: {diagnosis}");
        let found = [mesh.vertex_count(), diagnosis.used_vertices, diagnosis.faces, diagnosis.edges];
        assert_eq!(found, counts, "{name}");

        let bad_vertices = diagnosis.non_manifold_vertices.len();
        let has_boundary = !diagnosis.boundary_edges.is_empty();
        assert_eq!(bad_vertices, usize::from(name == "cow.obj"), "{name}");
        let open = ["ripple.off", "bunnyhead.obj", "stanford-bunny.obj.gz", "suzanne.obj"];
        assert_eq!(has_boundary, open.contains(&name), "{name}");
        assert_eq!(diagnosis.non_triangles.is_empty(), name != "suzanne.obj", "{name}");
        assert!(diagnosis.non_manifold_edges.is_empty(), "{name}");
        if name == "suzanne.obj" {
            assert_eq!(diagnosis.connected_components, 3);
        }
        if name.starts_with("stanford") {
            assert_eq!(diagnosis.unused_vertices.len(), 1113);
        }
    }
}
