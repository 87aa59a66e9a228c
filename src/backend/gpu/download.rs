//! Results on their way from the device.

use super::health::{Health, locked};
use super::{GpuContext, GpuError};
use bytemuck::Pod;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Poll, Waker};
#[cfg(not(target_arch = "wasm32"))]
use std::time::Duration;

/// What a buffer is for that is downloaded to.
pub(super) const USAGE: wgpu::BufferUsages = wgpu::BufferUsages::MAP_READ.union(wgpu::BufferUsages::COPY_DST);

/// A part of a buffer that recorded [`Commands`](super::Commands) copy to the host. It is there some time after they are submitted.
#[must_use = "what is downloaded is dropped unread"]
pub struct Download {
    staging: Result<wgpu::Buffer, GpuError>,
    bytes: u64,
    arrival: Arc<Arrival>,
    device: wgpu::Device,
    health: Arc<Health>,
}

/// What the commands and their callback report to a download.
#[derive(Debug, Default)]
pub(super) struct Arrival {
    state: Mutex<State>,
    settled: Condvar,
}

#[derive(Debug, Default)]
struct State {
    submission: Option<wgpu::SubmissionIndex>,
    result: Option<Result<(), String>>,
    waker: Option<Waker>,
}

impl Arrival {
    /// The copy was submitted.
    pub fn submitted(&self, submission: &wgpu::SubmissionIndex) {
        locked(&self.state).submission = Some(submission.clone());
    }

    fn settle(&self, result: Result<(), String>) {
        let mut state = locked(&self.state);
        state.result.get_or_insert(result);
        self.settled.notify_all();
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }
}

/// Settles an arrival, at the latest when it is dropped: commands may be dropped unsubmitted.
struct Promise(Arc<Arrival>);

impl Drop for Promise {
    fn drop(&mut self) {
        self.0.settle(Err("its commands were never submitted".to_owned()));
    }
}

impl Download {
    /// Records the copy of `range` bytes.
    pub(super) fn record(
        context: &GpuContext,
        encoder: &mut wgpu::CommandEncoder,
        buffer: &wgpu::Buffer,
        range: std::ops::Range<u64>,
    ) -> (Self, Arc<Arrival>) {
        let bytes = range.end.saturating_sub(range.start);
        let arrival = Arc::new(Arrival::default());
        let inside = range.end <= buffer.size() && (range.start | bytes).is_multiple_of(4) && range.start <= range.end;
        let staging = if inside {
            context.allocate("download", bytes, USAGE).map(|(staging, _)| staging)
        } else {
            let message = format!("bytes {range:?} of a buffer of {} bytes are no whole words in it", buffer.size());
            Err(GpuError::Validation { label: "download".to_owned(), message })
        };
        match &staging {
            Ok(staging) if bytes > 0 => {
                encoder.copy_buffer_to_buffer(buffer, range.start, staging, 0, bytes);
                let promise = Promise(arrival.clone());
                encoder.map_buffer_on_submit(staging, wgpu::MapMode::Read, 0..bytes, move |result| {
                    promise.0.settle(result.map_err(|error| error.to_string()));
                });
            }
            _ => arrival.settle(Ok(())),
        }
        let (device, health) = (context.device().clone(), context.health().clone());
        (Download { staging, bytes, arrival: arrival.clone(), device, health }, arrival)
    }

    /// Whether waiting would return at once, with the data or with an error.
    pub fn poll_ready(&self) -> bool {
        if self.staging.is_err() || self.health.poll(&self.device, wgpu::PollType::Poll).is_err() {
            return true;
        }
        locked(&self.arrival.state).result.is_some() || self.health.lost().is_some()
    }

    /// Blocks until the data are there.
    ///
    /// # Errors
    /// [`GpuError::Validation`] if the commands were not submitted, [`GpuError::Lost`], [`GpuError::Timeout`], or what kept the copy from
    /// being recorded.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn wait<T: Pod>(self, context: &GpuContext) -> Result<Vec<T>, GpuError> {
        self.drive()?;
        self.take(context)
    }

    /// Waits until the data are there. Outside browsers the device makes progress only while a thread waits for it, so there this blocks
    /// the thread that polls it.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub async fn read<T: Pod>(self, context: &GpuContext) -> Result<Vec<T>, GpuError> {
        #[cfg(not(target_arch = "wasm32"))]
        self.drive()?;
        std::future::poll_fn(|task| {
            let mut state = locked(&self.arrival.state);
            if state.result.is_some() || self.health.lost().is_some() {
                return Poll::Ready(());
            }
            state.waker = Some(task.waker().clone());
            Poll::Pending
        })
        .await;
        self.take(context)
    }

    /// Waits for the submission and then for the callback, which another thread that polls may be about to run.
    #[cfg(not(target_arch = "wasm32"))]
    fn drive(&self) -> Result<(), GpuError> {
        let submission = {
            let state = locked(&self.arrival.state);
            if self.staging.is_err() || state.result.is_some() {
                return Ok(());
            }
            state.submission.clone()
        };
        let submission = submission.ok_or_else(|| self.broken("its commands are not submitted yet"))?;
        self.health.wait(&self.device, &submission)?;
        // The submission is done; what is left is the callback, which another thread's poll may be about to run.
        let mut pause = Duration::from_micros(20);
        self.health.until(|| {
            match self.health.poll(&self.device, wgpu::PollType::Poll) {
                Ok(()) | Err(GpuError::Timeout { .. }) => {}
                Err(error) => return Err(error),
            }
            let state = locked(&self.arrival.state);
            if state.result.is_some() {
                return Ok(true);
            }
            drop(self.arrival.settled.wait_timeout(state, pause));
            pause = (2 * pause).min(Duration::from_millis(5));
            Ok(false)
        })
    }

    /// The data of a download that is settled.
    fn take<T: Pod>(self, context: &GpuContext) -> Result<Vec<T>, GpuError> {
        self.health.alive()?;
        let result = locked(&self.arrival.state).result.take();
        let result = result.unwrap_or_else(|| Err("the device finished without a word about it".to_owned()));
        let staging = self.staging.clone()?;
        if let Err(message) = result {
            // Refused for a loss, maybe, that was not reported yet.
            self.health.poll(&self.device, wgpu::PollType::Poll)?;
            self.health.alive()?;
            return Err(self.broken(&message));
        }
        if self.bytes == 0 {
            return Ok(Vec::new());
        }
        let view = staging.get_mapped_range(0..self.bytes).map_err(|error| self.broken(&error.to_string()))?;
        let whole = view.len() - view.len() % size_of::<T>().max(1);
        let elements = bytemuck::pod_collect_to_vec(&view[..whole]);
        // The view has to go before the mapping.
        drop(view);
        staging.unmap();
        context.counters().bytes_down.add(self.bytes);
        context.recycle("download".into(), staging);
        Ok(elements)
    }

    fn broken(&self, message: &str) -> GpuError {
        GpuError::Validation { label: "download".to_owned(), message: message.to_owned() }
    }
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download").field("bytes", &self.bytes).field("arrival", &self.arrival).finish_non_exhaustive()
    }
}
