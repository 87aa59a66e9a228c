//! Idle buffers, kept for the next one of their size.

use super::health::locked;
use rustc_hash::FxHashMap;
use std::sync::Mutex;

/// The most bytes that lie idle on a device with memory of its own, where the driver takes milliseconds to find more: what a problem of a
/// million blocks takes in f64, with what the device finds its order in.
const MOST_IDLE: u64 = 1 << 30;

/// The same where all programs share the memory.
const MOST_SHARED_IDLE: u64 = 256 << 20;

/// A list of commands being recorded, in the order they were begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

/// Idle buffers by usage and size. Each goes to one of its own label only, so that a problem lies where the last one like it lay: with
/// vectors in whatever was idle, steps took 8.4 ms on an NVIDIA H200 that take 7.7 otherwise (docs/journal/gpu-starts.md).
///
/// A buffer may be dropped while recorded commands that use it wait to be submitted. Its next owner's `write_buffer` would take
/// effect before those commands, so it lies idle until every list that was open at its drop is closed.
#[derive(Debug)]
pub(super) struct Pool {
    state: Mutex<State>,
    most_idle: u64,
}

#[derive(Debug, Default)]
struct State {
    idle: FxHashMap<(wgpu::BufferUsages, u64), Vec<Idle>>,
    idle_bytes: u64,
    /// Those being recorded, in the order they were begun.
    open: Vec<Ticket>,
    next: u64,
}

#[derive(Debug)]
struct Idle {
    buffer: wgpu::Buffer,
    label: Box<str>,
    /// Usable once all lists with a smaller ticket are closed.
    after: Ticket,
}

impl Pool {
    /// Of a device of this type.
    pub fn new(device: wgpu::DeviceType) -> Self {
        let most_idle = if device == wgpu::DeviceType::DiscreteGpu { MOST_IDLE } else { MOST_SHARED_IDLE };
        Pool { state: Mutex::default(), most_idle }
    }

    /// The size to allocate for `bytes`: four sizes to each doubling, so that at most a fifth is wasted and much is alike.
    pub fn size_class(bytes: u64) -> u64 {
        const SMALLEST: u64 = 16;
        let bytes = bytes.max(SMALLEST);
        let step = ((bytes.next_power_of_two() / 2) / 4).max(4);
        bytes.div_ceil(step) * step
    }

    /// An idle buffer of exactly this size that had the same label.
    pub fn take(&self, label: &str, usage: wgpu::BufferUsages, size: u64) -> Option<wgpu::Buffer> {
        let mut state = locked(&self.state);
        let oldest = state.open.first().copied().unwrap_or(Ticket(u64::MAX));
        let alike = state.idle.get_mut(&(usage, size))?;
        let index = alike.iter().rposition(|idle| *idle.label == *label && idle.after <= oldest)?;
        let idle = alike.swap_remove(index);
        state.idle_bytes -= size;
        Some(idle.buffer)
    }

    /// Keeps a buffer, unless it takes much of the room by itself; makes room by freeing all others when there are too many.
    pub fn put(&self, label: Box<str>, buffer: wgpu::Buffer) {
        let size = buffer.size();
        if size >= self.most_idle / 4 {
            return;
        }
        let mut state = locked(&self.state);
        if state.idle_bytes + size > self.most_idle {
            state.idle.clear();
            state.idle_bytes = 0;
        }
        state.idle_bytes += size;
        let after = Ticket(state.next);
        state.idle.entry((buffer.usage(), size)).or_default().push(Idle { buffer, label, after });
    }

    /// Bytes that lie idle.
    pub fn idle_bytes(&self) -> u64 {
        locked(&self.state).idle_bytes
    }

    /// Frees everything idle.
    pub fn clear(&self) {
        let mut state = locked(&self.state);
        state.idle.clear();
        state.idle_bytes = 0;
    }

    /// Registers a list of commands.
    pub fn ticket(&self) -> Ticket {
        let mut state = locked(&self.state);
        let ticket = Ticket(state.next);
        state.next += 1;
        state.open.push(ticket);
        ticket
    }

    /// The list was submitted or dropped.
    pub fn close(&self, ticket: Ticket) {
        locked(&self.state).open.retain(|&open| open != ticket);
    }
}

#[cfg(test)]
mod tests {
    use super::Pool;

    #[test]
    fn size_classes_hold_what_they_are_for_and_waste_little() {
        assert_eq!([0, 1, 16, 17, 64, 65, 1000, 1024].map(Pool::size_class), [16, 16, 16, 20, 64, 80, 1024, 1024]);
        for bytes in (16..100_000).step_by(7) {
            let size = Pool::size_class(bytes);
            assert!(size >= bytes && size.is_multiple_of(4) && size <= bytes + bytes / 4 + 4);
            assert_eq!(Pool::size_class(size), size);
        }
    }
}
