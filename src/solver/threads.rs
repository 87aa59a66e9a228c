//! The threads of a solve.

use super::{SolveError, SolverOptions};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::sync::{Mutex, PoisonError};

/// Pools that no solve works on, with the number of threads that was asked for: to start threads takes longer than to solve a small
/// problem, and whoever solves one often solves many.
static IDLE: Mutex<Vec<(usize, ThreadPool)>> = Mutex::new(Vec::new());

/// Most pools that are kept.
const KEPT: usize = 8;

/// Runs `work` on as many threads as the options say, with no executor needed for what it awaits. Solves at the same time have
/// threads of their own.
///
/// # Errors
/// [`SolveError::Threads`].
pub(crate) fn on_threads<T: Send>(options: &SolverOptions, work: impl FnOnce() -> T + Send) -> Result<T, SolveError> {
    let threads = options.threads;
    let idle = || IDLE.lock().unwrap_or_else(PoisonError::into_inner);
    let kept = {
        let mut idle = idle();
        idle.iter().position(|&(other, _)| other == threads).map(|k| idle.remove(k).1)
    };
    let pool = match kept {
        Some(pool) => pool,
        None => ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .map_err(|error| SolveError::Threads { threads, reason: error.to_string() })?,
    };
    let result = pool.install(work);
    let mut idle = idle();
    idle.insert(0, (threads, pool));
    let kept = KEPT.min(idle.len());
    let surplus = idle.split_off(kept);
    // Threads end after the lock.
    drop(idle);
    drop(surplus);
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_runs_on_as_many_threads_as_were_asked_for() {
        for threads in [1, 2, 3, 2, 1].into_iter().chain(1..12) {
            let options = SolverOptions { threads, ..Default::default() };
            let (found, inner) = on_threads(&options, || {
                // A solve within a solve, as a callback may start one, has other threads.
                let options = SolverOptions { threads: threads + 1, ..Default::default() };
                (rayon::current_num_threads(), on_threads(&options, rayon::current_num_threads).unwrap())
            })
            .unwrap();
            assert_eq!((found, inner), (threads, threads + 1));
        }
        assert!(IDLE.lock().unwrap().len() <= KEPT);
    }

    #[test]
    fn solves_at_the_same_time_do_not_wait_for_each_other() {
        let options = SolverOptions { threads: 1, ..Default::default() };
        let barrier = std::sync::Barrier::new(3);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| on_threads(&options, || barrier.wait()).unwrap());
            }
        });
    }
}
