//! Which format a path means, and unpacking gzip.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::io::{ErrorKind, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::read_error::{FilePosition, ReadError};

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

/// Whether a file of this name is to be gzipped.
pub(super) fn is_gzip_name(path: &Path) -> bool {
    let extension = path.extension().and_then(OsStr::to_str);
    extension.is_some_and(|extension| extension.eq_ignore_ascii_case("gz"))
}

/// The bytes, unpacked where they are gzip. The first two bytes tell, not the name: downloads often lose or keep
/// the `.gz` wrongly, and no mesh format begins with these two.
pub(super) fn unpacked<'a>(bytes: &'a [u8], name: &Path) -> Result<Cow<'a, [u8]>, ReadError> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(Cow::Borrowed(bytes));
    }
    let mut unpacked = Vec::new();
    match MultiGzDecoder::new(bytes).read_to_end(&mut unpacked) {
        Ok(_) => Ok(Cow::Owned(unpacked)),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(ReadError::Truncated {
            path: name.into(),
            at: FilePosition::Byte(bytes.len()),
            expected: "more gzip data".into(),
        }),
        Err(source) => Err(ReadError::Io { path: name.into(), source }),
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

    #[test]
    fn plain_bytes_stay_as_they_are() {
        let name = Path::new("x");
        assert_eq!(*unpacked(b"v 1 2 3", name).unwrap(), *b"v 1 2 3");
        let error = unpacked(&[0x1f, 0x8b, 8], name).unwrap_err();
        assert!(matches!(error, ReadError::Truncated { .. }));
    }
}
