//! Whether a device still works, and the only place that polls one.

use super::GpuError;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
#[cfg(not(target_arch = "wasm32"))]
use std::time::Instant;

/// How long anything may take on the device before it counts as hung.
#[cfg(not(target_arch = "wasm32"))]
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two looks at whether the device was lost while waiting. Long, because a wait that times out while another thread uses the
/// device may panic in wgpu, see [`Health::poll`]; a driver that loses the device ends the wait itself.
const SLICE: Duration = Duration::from_secs(5);

/// Panics in a row, of wgpu in a poll, that mean a device is lost.
const PANICS: u32 = 3;

/// What the device's callbacks recorded.
#[derive(Debug, Default)]
pub(super) struct Health {
    lost: Mutex<Option<String>>,
    error: Mutex<Option<GpuError>>,
    /// Polls in a row that panicked.
    panics: AtomicU32,
}

impl Health {
    /// Has the device report here what nobody else catches; wgpu's own handler would panic.
    pub fn watch(device: &wgpu::Device) -> Arc<Health> {
        let health = Arc::new(Health::default());
        let (on_error, on_loss) = (health.clone(), health.clone());
        device.on_uncaptured_error(Arc::new(move |error| {
            let error = GpuError::from_wgpu("GPU commands", 0, &error);
            locked(&on_error.error).get_or_insert(error);
        }));
        device.set_device_lost_callback(move |reason, message| on_loss.record_loss(format!("{reason:?}: {message}")));
        health
    }

    /// Notes that the device is lost; the first reason stays.
    pub fn record_loss(&self, reason: String) {
        locked(&self.lost).get_or_insert(reason);
    }

    pub fn lost(&self) -> Option<String> {
        locked(&self.lost).clone()
    }

    /// `Lost` once the device is.
    pub fn alive(&self) -> Result<(), GpuError> {
        self.lost().map_or(Ok(()), |reason| Err(GpuError::Lost(reason)))
    }

    /// The first error that nothing else reported, once.
    pub fn check(&self) -> Result<(), GpuError> {
        self.alive()?;
        locked(&self.error).take().map_or(Ok(()), Err)
    }

    /// Lets callbacks of finished work run.
    pub fn poll(&self, device: &wgpu::Device, poll: wgpu::PollType) -> Result<(), GpuError> {
        // wgpu panics where the driver reports the loss to the poll itself. It also asserts after a wait that timed out that the queue
        // is not empty, which another thread's poll or submission may have brought about since (wgpu-core 30, Device::maintain); then
        // the next try finds the work done. Its locks do not poison, so going on is sound.
        let polled = catch_unwind(AssertUnwindSafe(|| device.poll(poll)));
        if polled.is_ok() {
            self.panics.store(0, Relaxed);
        }
        match polled {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(wgpu::PollError::Timeout)) => Err(GpuError::Timeout { seconds: 0 }),
            Ok(Err(error)) => {
                self.alive()?;
                Err(GpuError::Validation { label: "waiting".to_owned(), message: error.to_string() })
            }
            Err(_) if self.panics.fetch_add(1, Relaxed) + 1 < PANICS => Err(GpuError::Timeout { seconds: 0 }),
            Err(_) => {
                self.record_loss("the driver failed while waiting".to_owned());
                self.alive()
            }
        }
    }

    /// Waits until all that was submitted is done, but not for long.
    pub fn settle(&self, device: &wgpu::Device) {
        // Who needs it done looks again.
        let _ = self.poll(device, wgpu::PollType::Wait { submission_index: None, timeout: Some(SLICE) });
    }

    /// Blocks until the submission is finished; a lost device and one that hangs are errors.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn wait(&self, device: &wgpu::Device, submission: &wgpu::SubmissionIndex) -> Result<(), GpuError> {
        self.until(|| {
            let poll = wgpu::PollType::Wait { submission_index: Some(submission.clone()), timeout: Some(SLICE) };
            match self.poll(device, poll) {
                Err(GpuError::Timeout { .. }) => Ok(false),
                other => other.map(|()| true),
            }
        })?;
        self.alive()
    }

    /// Tries until it is so, as long as the device lives and patience lasts.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn until(&self, mut attempt: impl FnMut() -> Result<bool, GpuError>) -> Result<(), GpuError> {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            self.alive()?;
            if attempt()? {
                return Ok(());
            }
        }
        Err(GpuError::Timeout { seconds: PATIENCE.as_secs() })
    }

    /// What wgpu says about the object `label`; the loss of the device, if that is behind it.
    pub fn error(&self, label: &str, bytes: u64, error: &wgpu::Error) -> GpuError {
        self.alive().err().unwrap_or_else(|| GpuError::from_wgpu(label, bytes, error))
    }
}

/// Runs `create` and returns with its result the first error that wgpu has about it.
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn scoped<T>(device: &wgpu::Device, create: impl FnOnce() -> T) -> (T, Option<wgpu::Error>) {
    use wgpu::ErrorFilter::{Internal, OutOfMemory, Validation};
    let scopes = [Internal, OutOfMemory, Validation].map(|filter| device.push_error_scope(filter));
    let made = create();
    let mut first = None;
    for scope in scopes.into_iter().rev() {
        let error = pollster::block_on(scope.pop());
        first = first.or(error);
    }
    (made, first)
}

/// Runs `create`. A browser says what was wrong only after a turn of its event loop: [`Health::check`] has it then.
#[cfg(target_arch = "wasm32")]
pub(super) fn scoped<T>(_: &wgpu::Device, create: impl FnOnce() -> T) -> (T, Option<wgpu::Error>) {
    (create(), None)
}

/// Locks; what these locks guard is valid after any panic.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
