//! Compiled pipelines on disk, where the driver can give them out (Vulkan).

use super::adapter::environment;
use super::health::locked;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;
use std::{fs, io, process};
use web_time::Instant;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// What our files begin with; the number is that of the layout.
const MAGIC: &[u8; 8] = b"isogpc1\n";

/// Bytes before the driver's data: magic and checksum.
const HEADER: usize = 24;

/// A file that grew beyond this starts anew; drivers never forget a pipeline.
const LARGEST: usize = 128 << 20;

/// A save must not take more than this part of the compilations it saves.
const SAVE_SHARE: u32 = 10;

/// A pipeline cache with its file.
#[derive(Debug)]
pub(super) struct PipelineCacheFile {
    cache: wgpu::PipelineCache,
    path: PathBuf,
    /// Whether the file had none.
    pub began_empty: bool,
    unsaved: Mutex<Unsaved>,
}

#[derive(Debug, Default)]
struct Unsaved {
    /// Time of the compilations that are not in the file.
    compiled: Duration,
    /// What the last save took.
    save: Duration,
}

impl PipelineCacheFile {
    /// Where files go if the options do not say.
    pub fn default_folder() -> Option<PathBuf> {
        match environment("ISOGRAD_PIPELINE_CACHE") {
            Some(off) if off == "off" => None,
            Some(folder) => Some(folder.into()),
            None => {
                let home = || environment("HOME").map(|home| Path::new(&home).join(".cache"));
                let windows = || environment("LOCALAPPDATA").map(PathBuf::from);
                let cache = environment("XDG_CACHE_HOME").map(PathBuf::from).or_else(home).or_else(windows)?;
                Some(cache.join("isograd"))
            }
        }
    }

    /// The cache of this device, with what its file in the folder holds. `None` where the device has no such caches.
    pub fn open(device: &wgpu::Device, info: &wgpu::AdapterInfo, folder: &Path) -> Option<Self> {
        if !device.features().contains(wgpu::Features::PIPELINE_CACHE) {
            return None;
        }
        // Each driver version has its own file, so that an update does not read what it would throw away.
        let driver = xxh3_64(format!("{} {} {}", info.name, info.driver, info.driver_info).as_bytes());
        let path = folder.join(format!("{}_{driver:016x}", wgpu::util::pipeline_cache_key(info)?));
        let file = fs::read(&path).unwrap_or_default();
        let data = unwrap(&file);
        let descriptor = wgpu::PipelineCacheDescriptor { label: Some("isograd"), data, fallback: true };
        #[expect(unsafe_code, reason = "wgpu hands the data to the driver, which may trust it")]
        // SAFETY: The data must come from `get_data` of such a cache. The file is in the user's own cache folder under a name that only
        // `save` writes, by a rename after the whole is written, with data from `get_data` of the same adapter and driver; the checksum
        // in front rejects what was damaged since. wgpu and the driver check their own headers besides.
        let cache = unsafe { device.create_pipeline_cache(&descriptor) };
        Some(PipelineCacheFile { cache, path, began_empty: data.is_none(), unsaved: Mutex::default() })
    }

    /// What pipelines are to be made with.
    pub fn cache(&self) -> &wgpu::PipelineCache {
        &self.cache
    }

    /// A pipeline was added, which took so long.
    pub fn grew(&self, compiled: Duration) {
        locked(&self.unsaved).compiled += compiled;
    }

    /// Saves if it is worth it: a process may end without dropping its context.
    pub fn save_if_worth(&self) {
        let worth = {
            let unsaved = locked(&self.unsaved);
            unsaved.compiled >= SAVE_SHARE * unsaved.save
        };
        if worth {
            self.save();
        }
    }

    /// Writes the file, if there is something new. Where that fails the next process compiles again, which is no error.
    pub fn save(&self) {
        // Held all along, so that threads do not write at once.
        let mut unsaved = locked(&self.unsaved);
        if unsaved.compiled.is_zero() {
            return;
        }
        let start = Instant::now();
        if let Some(data) = self.cache.get_data().filter(|data| data.len() <= LARGEST) {
            let _ = replace(&self.path, &wrap(&data));
        }
        *unsaved = Unsaved { compiled: Duration::ZERO, save: start.elapsed() };
    }
}

impl Drop for PipelineCacheFile {
    fn drop(&mut self) {
        self.save();
    }
}

/// The content of a file with these data.
fn wrap(data: &[u8]) -> Vec<u8> {
    [MAGIC.as_slice(), &xxh3_128(data).to_le_bytes(), data].concat()
}

/// The data in a file's content, unless it is damaged or none of ours.
fn unwrap(file: &[u8]) -> Option<&[u8]> {
    let (header, data) = file.split_at_checked(HEADER)?;
    let (magic, checksum) = header.split_at(MAGIC.len());
    (magic == MAGIC && checksum == xxh3_128(data).to_le_bytes() && !data.is_empty()).then_some(data)
}

/// Puts the file there in one step, so that no other process reads half of it.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let temporary = path.with_extension(format!("{}.{:016x}.tmp", process::id(), xxh3_64(content)));
    fs::write(&temporary, content).and_then(|()| fs::rename(&temporary, path)).inspect_err(|_| {
        let _ = fs::remove_file(&temporary);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_files_are_not_read() {
        let file = wrap(b"pipelines");
        assert_eq!(unwrap(&file), Some(b"pipelines".as_slice()));
        for index in 0..file.len() {
            let mut damaged = file.clone();
            damaged[index] ^= 1;
            assert_eq!(unwrap(&damaged), None, "byte {index}");
            assert_eq!(unwrap(&file[..index]), None, "cut at {index}");
        }
    }
}
