//! What a solve leaves behind: files in a folder, a summary, a convergence plot.

mod convergence;
mod folder;
mod memory;
mod names;
mod outcome;
mod report;
mod stage;
mod summary;

pub use convergence::convergence;
pub use folder::{Folder, default_folder};
pub use memory::peak_rss_bytes;
pub use names::{Names, file_and_stem};
pub use outcome::Outcome;
pub use report::write_report;
pub use stage::{PICTURE_SIZE, camera};
pub use summary::{Summary, SummaryTimes};
