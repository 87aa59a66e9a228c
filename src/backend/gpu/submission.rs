//! Commands under way, and how long their stages took.

use super::{Commands, Download, GpuContext, GpuError};

/// Commands that were handed to the device.
#[derive(Debug)]
pub struct Submission {
    /// For [`GpuContext::wait`].
    pub index: wgpu::SubmissionIndex,
    timings: Option<Timings>,
}

/// Timestamps on their way: two to a pass.
#[derive(Debug)]
struct Timings {
    stages: Vec<String>,
    download: Download,
    /// Seconds to a tick.
    tick: f64,
}

/// Passes that are timed; those beyond are not.
const MOST_PASSES: u32 = 512;

/// Timestamps being recorded.
#[derive(Debug)]
pub(super) struct Timer {
    queries: wgpu::QuerySet,
    /// The stage of each timed pass.
    passes: Vec<String>,
}

impl Timer {
    /// `None` on a device without timestamps.
    pub fn new(context: &GpuContext) -> Option<Self> {
        if !context.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            return None;
        }
        let queries = context.device().create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("stage times"),
            ty: wgpu::QueryType::Timestamp,
            count: 2 * MOST_PASSES,
        });
        Some(Timer { queries, passes: Vec::new() })
    }

    /// The timestamps of a new pass.
    pub fn pass(&mut self, stage: &str) -> Option<wgpu::ComputePassTimestampWrites<'_>> {
        let pass = u32::try_from(self.passes.len()).ok().filter(|&pass| pass < MOST_PASSES)?;
        self.passes.push(stage.to_owned());
        Some(wgpu::ComputePassTimestampWrites {
            query_set: &self.queries,
            beginning_of_pass_write_index: Some(2 * pass),
            end_of_pass_write_index: Some(2 * pass + 1),
        })
    }

    /// Records the download of the timestamps.
    fn record(self, context: &GpuContext, commands: &mut Commands) -> Option<Timings> {
        // Two queries a pass, of 8 bytes each.
        let queries = 2 * u32::try_from(self.passes.len()).expect("at most MOST_PASSES");
        let bytes = u64::from(queries) * 8;
        if queries == 0 {
            return None;
        }
        let resolved = context.device().create_buffer(&wgpu::BufferDescriptor {
            label: Some("stage times"),
            size: bytes,
            usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        commands.encoder().resolve_query_set(&self.queries, 0..queries, &resolved, 0);
        let download = commands.download(&resolved, 0..bytes);
        let tick = f64::from(context.queue().get_timestamp_period()) * 1e-9;
        Some(Timings { stages: self.passes, download, tick })
    }
}

impl Submission {
    /// Ends the recording and hands it to the device.
    pub(super) fn of(mut commands: Commands, timer: Option<Timer>) -> Self {
        let context = commands.context().clone();
        let timings = timer.and_then(|timer| timer.record(&context, &mut commands));
        Submission { index: commands.finish(), timings }
    }

    /// Blocks until the commands are finished.
    ///
    /// # Errors
    /// As [`GpuContext::wait`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn wait(&self, context: &GpuContext) -> Result<(), GpuError> {
        context.wait(self.index.clone())
    }

    /// Seconds spent in each stage, in the order in which they first came; blocks until they are known. Empty where no timing was asked
    /// for and where the device has no timestamps.
    ///
    /// # Errors
    /// As [`Download::wait`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn stage_times(self, context: &GpuContext) -> Result<Vec<(String, f64)>, GpuError> {
        let Some(timings) = self.timings else { return Ok(Vec::new()) };
        let ticks = timings.download.wait(context)?;
        Ok(by_stage(timings.stages, &ticks, timings.tick))
    }

    /// [`stage_times`](Self::stage_times), without blocking in a browser.
    ///
    /// # Errors
    /// As [`Download::read`].
    pub async fn read_stage_times(self, context: &GpuContext) -> Result<Vec<(String, f64)>, GpuError> {
        let Some(timings) = self.timings else { return Ok(Vec::new()) };
        let ticks = timings.download.read(context).await?;
        Ok(by_stage(timings.stages, &ticks, timings.tick))
    }
}

/// Sums the passes of each stage.
fn by_stage(stages: Vec<String>, ticks: &[u64], tick: f64) -> Vec<(String, f64)> {
    let mut times: Vec<(String, f64)> = Vec::new();
    for (stage, pair) in stages.into_iter().zip(ticks.chunks_exact(2)) {
        // A clock that was reset between the two gives nothing, rather than centuries.
        let seconds = pair[1].saturating_sub(pair[0]) as f64 * tick;
        match times.iter_mut().find(|(name, _)| *name == stage) {
            Some((_, sum)) => *sum += seconds,
            None => times.push((stage, seconds)),
        }
    }
    times
}

#[cfg(test)]
mod tests {
    use super::by_stage;

    #[test]
    fn passes_of_a_stage_are_summed() {
        let stages = ["a", "b", "a"].map(str::to_owned).to_vec();
        let times = by_stage(stages, &[10, 12, 12, 15, 20, 19], 2.0);
        assert_eq!(times, [("a".to_owned(), 4.0), ("b".to_owned(), 6.0)]);
    }
}
