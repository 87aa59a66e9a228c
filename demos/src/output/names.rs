//! What a solve is called.

use std::path::Path;

/// The names of a solve.
pub struct Names {
    /// The subcommand.
    pub demo: &'static str,
    /// Name of the problem, as in tables of reference costs.
    pub problem: String,
    /// Name in pictures.
    pub title: String,
    /// Default folder of the results, below `out`.
    pub folder: String,
}

/// The file's name, and the same without `.obj`, `.ply.gz` and the like.
pub fn file_and_stem(path: &Path) -> (String, String) {
    let file = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let plain = file.strip_suffix(".gz").unwrap_or(&file);
    let stem = plain.rsplit_once('.').map_or(plain, |(stem, _)| stem).to_owned();
    (file, stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_without_extensions() {
        let pair = |file: &str, stem: &str| (file.to_owned(), stem.to_owned());
        assert_eq!(file_and_stem(Path::new("a/cow.obj")), pair("cow.obj", "cow"));
        assert_eq!(file_and_stem(Path::new("fan.disk.ply.gz")), pair("fan.disk.ply.gz", "fan.disk"));
    }
}
