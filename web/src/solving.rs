//! A solve as a promise: it tells of its progress, can be cancelled, and lets the event loop turn.

use super::failure::Failure;
use super::options::SolveOptions;
use super::progress::progress;
use super::report::report;
use isograd::solver::Progress;
use isograd::{Problem, SolverOptions};
use js_sys::{Function, Promise};
use std::cell::{Ref, RefCell, RefMut};
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, future_to_promise};
use web_sys::{AbortSignal, MessageChannel};
use web_time::Instant;

/// How long a solve keeps the thread to itself. Shorter than a picture of 60 a second lasts.
const TURN: Duration = Duration::from_millis(15);

/// Something to solve, which is away while it is being solved.
pub struct Slot<T>(Rc<RefCell<Option<T>>>);

impl<T> Slot<T> {
    pub fn new(problem: T) -> Self {
        Slot(Rc::new(RefCell::new(Some(problem))))
    }

    pub fn get(&self) -> Result<Ref<'_, T>, Failure> {
        Ref::filter_map(self.0.borrow(), Option::as_ref).map_err(|_| busy())
    }

    pub fn get_mut(&self) -> Result<RefMut<'_, T>, Failure> {
        RefMut::filter_map(self.0.borrow_mut(), Option::as_mut).map_err(|_| busy())
    }
}

fn busy() -> Failure {
    Failure::new(
        "busy",
        "the problem is being solved; await that first, or read the parameters that onProgress is given",
    )
}

/// What can be solved.
pub trait Solve: 'static {
    /// What holds where the caller does not say.
    fn defaults(&self) -> SolverOptions {
        SolverOptions::default()
    }

    /// Solves it, and tells of each iteration with the accepted point.
    async fn solve(&mut self, options: &SolverOptions, listener: &mut Listener) -> Result<JsValue, Failure>;
}

/// Solves a problem by the library's own loop.
pub async fn solve_problem(
    problem: &mut Problem,
    options: &SolverOptions,
    listener: &mut Listener,
) -> Result<JsValue, Failure> {
    let hear = async |now: Progress<'_>| listener.hear(progress(now.record, now.parameters)).await;
    report(&problem.solve_async(options, hear).await?)
}

/// Starts a solve.
pub fn solve<T: Solve>(slot: &Slot<T>, options: JsValue) -> Promise {
    let slot = slot.0.clone();
    future_to_promise(async move {
        let mut problem = slot.take().ok_or_else(busy)?;
        let options = SolveOptions::read(&options, problem.defaults());
        let SolveOptions { mut solver, on_progress, signal } = match options {
            Ok(options) => options,
            Err(failure) => {
                slot.replace(Some(problem));
                return Err(failure.into());
            }
        };
        let abort = signal.map(|signal| Abort::listen(signal, &mut solver)).transpose();
        let mut listener = Listener::new(on_progress);
        let solved = match &abort {
            Ok(_) => problem.solve(&solver, &mut listener).await,
            Err(_) => Err(Failure::argument("options.signal takes no listeners")),
        };
        slot.replace(Some(problem));
        // What the caller's function threw comes before what the library makes of the stop.
        match listener.thrown.take() {
            Some(thrown) => Err(thrown),
            None => Ok(solved?),
        }
    })
}

/// Hears of every iteration.
pub struct Listener {
    on_progress: Option<Function>,
    channel: Option<MessageChannel>,
    turned: Instant,
    thrown: Option<JsValue>,
}

impl Listener {
    fn new(on_progress: Option<Function>) -> Self {
        Listener { on_progress, channel: MessageChannel::new().ok(), turned: Instant::now(), thrown: None }
    }

    /// Whether anybody is told.
    pub fn is_heard(&self) -> bool {
        self.on_progress.is_some()
    }

    /// Passes an iteration on, and waits for what comes back.
    pub async fn hear(&mut self, progress: JsValue) -> ControlFlow<()> {
        if let Some(on_progress) = &self.on_progress {
            let mut answer = on_progress.call1(&JsValue::UNDEFINED, &progress);
            if let Ok(value) = &answer
                && let Some(promise) = value.dyn_ref::<Promise>()
            {
                answer = JsFuture::from(promise.clone()).await;
            }
            match answer {
                Ok(value) if value == JsValue::FALSE => return ControlFlow::Break(()),
                Ok(_) => {}
                Err(thrown) => {
                    self.thrown = Some(thrown);
                    return ControlFlow::Break(());
                }
            }
        }
        if self.turned.elapsed() > TURN {
            self.turn().await;
            self.turned = Instant::now();
        }
        ControlFlow::Continue(())
    }

    /// Lets the event loop handle what waits: a signal to stop, a message to a worker. A timer would wait longer than asked to.
    async fn turn(&self) {
        let Some(channel) = &self.channel else { return };
        let arrived = Promise::new(&mut |resolve, _| {
            channel.port1().set_onmessage(Some(&resolve));
            // Without anything to transfer nothing can be wrong with the message.
            let _ = channel.port2().post_message(&JsValue::NULL);
        });
        let _ = JsFuture::from(arrived).await;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(channel) = &self.channel {
            channel.port1().close();
        }
    }
}

/// Watches a signal as long as it is there.
struct Abort {
    signal: AbortSignal,
    listener: Closure<dyn FnMut()>,
}

impl Abort {
    /// The signal sets the solver's flag.
    fn listen(signal: AbortSignal, solver: &mut SolverOptions) -> Result<Self, JsValue> {
        let flag = Arc::new(AtomicBool::new(signal.aborted()));
        solver.cancel = Some(flag.clone());
        let listener = Closure::<dyn FnMut()>::new(move || flag.store(true, Ordering::Relaxed));
        signal.add_event_listener_with_callback("abort", listener.as_ref().unchecked_ref())?;
        Ok(Abort { signal, listener })
    }
}

impl Drop for Abort {
    fn drop(&mut self) {
        let _ = self.signal.remove_event_listener_with_callback("abort", self.listener.as_ref().unchecked_ref());
    }
}
