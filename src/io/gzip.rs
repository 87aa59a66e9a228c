//! Bytes of a file, unpacked on the way in and packed on the way out where they are gzip. In a browser, which unpacks by itself and
//! has no files, packed bytes are refused: what unpacks them would be a twentieth of all that a page has to load.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

#[cfg(not(target_arch = "wasm32"))]
use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};

#[cfg(not(target_arch = "wasm32"))]
use super::read_error::FilePosition;
use super::read_error::ReadError;
use super::write_error::WriteError;

/// Whether a file of this name is to be gzipped.
pub(super) fn is_gzip_name(path: &Path) -> bool {
    let extension = path.extension().and_then(OsStr::to_str);
    extension.is_some_and(|extension| extension.eq_ignore_ascii_case("gz"))
}

/// The bytes of a file, still packed.
pub(super) fn bytes_of(path: &Path) -> Result<Vec<u8>, ReadError> {
    std::fs::read(path).map_err(|source| ReadError::Io { path: path.into(), source })
}

/// All that a stream holds, still packed; `name` stands for it in errors.
pub(super) fn bytes_from(mut input: impl Read, name: &Path) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    match input.read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(source) => Err(ReadError::Io { path: name.into(), source }),
    }
}

/// The bytes, unpacked where they are gzip. The first two bytes tell, not the name: downloads often lose or keep
/// the `.gz` wrongly, and no format that we read begins with these two.
pub(super) fn unpacked<'a>(bytes: &'a [u8], name: &Path) -> Result<Cow<'a, [u8]>, ReadError> {
    if bytes.starts_with(&[0x1f, 0x8b]) { unpack(bytes, name).map(Cow::Owned) } else { Ok(Cow::Borrowed(bytes)) }
}

#[cfg(not(target_arch = "wasm32"))]
fn unpack(bytes: &[u8], name: &Path) -> Result<Vec<u8>, ReadError> {
    let mut unpacked = Vec::new();
    match MultiGzDecoder::new(bytes).read_to_end(&mut unpacked) {
        Ok(_) => Ok(unpacked),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(ReadError::Truncated {
            path: name.into(),
            at: FilePosition::Byte(bytes.len()),
            expected: "more gzip data".into(),
        }),
        Err(source) => Err(ReadError::Io { path: name.into(), source }),
    }
}

#[cfg(target_arch = "wasm32")]
fn unpack(_: &[u8], name: &Path) -> Result<Vec<u8>, ReadError> {
    Err(ReadError::Packed { path: name.into() })
}

/// Runs a writer on a file, through gzip where the name says so.
pub(super) fn to_file(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<(), WriteError>,
) -> Result<(), WriteError> {
    let named = |source: io::Error| WriteError::Io { target: path.display().to_string(), source };
    let in_file = |error| match error {
        WriteError::Io { source, .. } => named(source),
        other => other,
    };
    let mut file = BufWriter::new(File::create(path).map_err(named)?);
    #[cfg(not(target_arch = "wasm32"))]
    if is_gzip_name(path) {
        // Buffered once more: numbers come in few bytes, and the encoder works better on many.
        let mut packed = BufWriter::new(GzEncoder::new(&mut file, Compression::default()));
        write(&mut packed).map_err(in_file)?;
        let encoder = packed.into_inner().map_err(|e| named(e.into_error()))?;
        encoder.finish().map_err(named)?;
        return file.flush().map_err(named);
    }
    write(&mut file).map_err(in_file)?;
    file.flush().map_err(named) // on drop an error would be lost
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_bytes_stay_as_they_are() {
        let name = Path::new("x");
        assert_eq!(*unpacked(b"v 1 2 3", name).unwrap(), *b"v 1 2 3");
        let error = unpacked(&[0x1f, 0x8b, 8], name).unwrap_err();
        assert!(matches!(error, ReadError::Truncated { .. }));
    }

    #[test]
    fn what_a_file_gets_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        for (name, is_packed) in [("a.txt", false), ("a.txt.GZ", true)] {
            let path = folder.path().join(name);
            to_file(&path, |out| Ok(out.write_all(b"some text")?)).unwrap();
            let bytes = bytes_of(&path).unwrap();
            assert_eq!(bytes.starts_with(&[0x1f, 0x8b]), is_packed);
            assert_eq!(*unpacked(&bytes, &path).unwrap(), *b"some text");
            let cut = unpacked(&bytes[..bytes.len() / 2], &path);
            assert_eq!(cut.is_err(), is_packed);
        }
        assert!(matches!(bytes_of(Path::new("no/such/file")), Err(ReadError::Io { .. })));
    }
}
