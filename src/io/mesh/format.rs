//! Which format a path means.

use std::path::Path;

use crate::io::gzip::is_gzip_name;

/// A mesh file format that we read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeshFormat {
    /// Wavefront OBJ.
    Obj,
    /// Stanford PLY, ascii or binary.
    Ply,
    /// Object File Format of Geomview.
    Off,
}

impl MeshFormat {
    /// The format that a file's extension names, a final `.gz` left aside.
    pub fn of_path(path: impl AsRef<Path>) -> Option<MeshFormat> {
        let path = path.as_ref();
        let extension = if is_gzip_name(path) { Path::new(path.file_stem()?).extension()? } else { path.extension()? };
        match extension.to_str()?.to_ascii_lowercase().as_str() {
            "obj" => Some(MeshFormat::Obj),
            "ply" => Some(MeshFormat::Ply),
            "off" => Some(MeshFormat::Off),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions() {
        for (name, format) in [
            ("a/cow.obj", Some(MeshFormat::Obj)),
            ("cow.OBJ.gz", Some(MeshFormat::Obj)),
            ("my.mesh.ply", Some(MeshFormat::Ply)),
            ("x.off.GZ", Some(MeshFormat::Off)),
            ("x.stl", None),
            ("obj", None),
            ("x.gz", None),
            ("", None),
        ] {
            assert_eq!(MeshFormat::of_path(name), format, "{name}");
        }
    }
}
