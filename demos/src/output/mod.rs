//! What a solve leaves behind: files in a folder, a summary, a convergence plot.

mod convergence;
mod folder;
mod memory;
mod names;
mod stage;
mod summary;

pub use convergence::convergence;
pub use folder::{Folder, default_folder};
pub use memory::peak_rss_bytes;
pub use names::Names;
pub use stage::{PICTURE_SIZE, camera};
pub use summary::{Summary, SummaryTimes};
