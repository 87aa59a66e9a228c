//! The folder of results, which remembers what was written to it.

use anyhow::Context;
use std::fmt;
use std::path::{Path, PathBuf};

/// A folder and the files written to it.
pub struct Folder {
    path: PathBuf,
    written: Vec<String>,
}

/// `out/NAME` under the current directory.
pub fn default_folder(name: &str) -> PathBuf {
    Path::new("out").join(name)
}

impl Folder {
    /// Makes the folder and those above it, if they are not there.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn create(path: PathBuf) -> anyhow::Result<Folder> {
        std::fs::create_dir_all(&path).with_context(|| format!("making the folder {}", path.display()))?;
        Ok(Folder { path, written: Vec::new() })
    }

    /// Lets `write` make the file of this name.
    ///
    /// # Errors
    /// What `write` returns, with the path.
    pub fn write(&mut self, name: &str, write: impl FnOnce(&Path) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let path = self.path.join(name);
        write(&path).with_context(|| format!("writing {}", path.display()))?;
        self.written.push(name.to_owned());
        Ok(())
    }
}

/// The files, one a line.
impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Written:")?;
        for name in &self.written {
            write!(f, "\n  {}", self.path.join(name).display())?;
        }
        Ok(())
    }
}
