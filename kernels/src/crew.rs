//! A thread pool for WebAssembly: the page's workers join it, since a module cannot spawn threads.
//!
//! One thread hands out a task, which every helper takes part in until no piece of it is left. Tasks follow each other by fractions
//! of a millisecond, so that both sides look out for each other for a while before they sleep: waking costs as much as
//! a small task.

use std::{
    ops::Deref,
    sync::{PoisonError, atomic::Ordering::SeqCst},
};

use crate::sync::{AtomicBool, AtomicUsize, Condvar, LOOKS, Mutex, MutexGuard, spin_loop};

/// How many turns each thread takes of a task at least, so that one that was held up leaves its share to the others.
const TURNS: usize = 8;

/// It is told whether a helper calls it.
type Task<'a> = dyn Fn(bool) + Sync + 'a;

/// A thread's helpers.
#[derive(Default)]
pub struct Crew {
    state: Mutex<State>,
    /// Told of a new task, and of a task that the last helper has left.
    called: Condvar,
    left: Condvar,
    /// How many helpers there are.
    size: AtomicUsize,
    /// How many tasks there have been.
    tasks: Apart<AtomicUsize>,
    /// Whether helpers are at work.
    busy: Apart<AtomicBool>,
}

/// What lies in no cache line with anything else: a thread that looks at it takes no line away from one that works.
#[derive(Default)]
#[repr(align(128))]
struct Apart<T>(T);

impl<T> Deref for Apart<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

#[derive(Default)]
struct State {
    task: Option<&'static Task<'static>>,
    /// How many helpers are at work on it, and how many sleep.
    working: usize,
    sleeping: usize,
    /// Whether the thread that handed it out sleeps until they have left it.
    waiting: bool,
    /// Whether a helper has failed.
    lost: bool,
}

impl Crew {
    /// No helpers yet.
    #[cfg(target_family = "wasm")]
    pub const fn new() -> Self {
        Self {
            state: Mutex::new(State { task: None, working: 0, sleeping: 0, waiting: false, lost: false }),
            called: Condvar::new(),
            left: Condvar::new(),
            size: AtomicUsize::new(0),
            tasks: Apart(AtomicUsize::new(0)),
            busy: Apart(AtomicBool::new(false)),
        }
    }

    /// Says how many threads call [`Self::help`], or are about to.
    pub fn joined_by(&self, helpers: usize) {
        self.size.store(helpers, SeqCst);
    }

    /// How many threads there are, with the one that hands out tasks.
    pub fn threads(&self) -> usize {
        self.size.load(SeqCst) + 1
    }

    /// Calls `task` with each chunk of `size` elements and its place, on all threads.
    pub fn each<T: Send>(&self, data: &mut [T], size: usize, task: impl Fn(usize, &mut [T]) + Sync) {
        let turn = (data.len().div_ceil(size) / (self.threads() * TURNS)).max(1);
        let turns = Apart(Mutex::new(data.chunks_mut(turn * size).enumerate()));
        // From both ends, so that each thread mostly finds in its cache what it has written before.
        let next = |helper: bool| {
            let mut turns = lock(&turns);
            if helper { turns.next_back() } else { turns.next() }
        };
        self.run(&|helper| {
            while let Some((index, chunks)) = next(helper) {
                for (within, chunk) in chunks.chunks_mut(size).enumerate() {
                    task(index * turn + within, chunk);
                }
            }
        });
    }

    /// Calls `task` on this thread and on every helper that comes while it runs. It ends when all of them have ended.
    ///
    /// # Panics
    /// Where a helper has failed: a part of the task is then missing.
    pub fn run(&self, task: &Task<'_>) {
        let Some(_shared) = Shared::among(self, task) else { return task(false) };
        task(false);
    }

    /// Takes part in the tasks of another thread, for ever.
    pub fn help(&self) -> ! {
        let mut seen = 0;
        loop {
            self.help_once(&mut seen);
        }
    }

    /// Waits for a task after those that this thread has `seen`, and takes part in it.
    pub fn help_once(&self, seen: &mut usize) {
        look_until(|| self.tasks.load(SeqCst) != *seen);
        let mut state = self.state();
        let task = loop {
            let tasks = self.tasks.load(SeqCst);
            let task = state.task.filter(|_| tasks != *seen);
            *seen = tasks;
            if let Some(task) = task {
                break task;
            }
            state.sleeping += 1;
            state = self.called.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.sleeping -= 1;
        };
        state.working += 1;
        self.busy.store(true, SeqCst);
        drop(state);
        task(true);
        self.leave(&mut self.state());
    }

    /// Says that a helper has failed at its task, since it can no longer say so itself.
    pub fn lose(&self) {
        let mut state = self.state();
        state.lost = true;
        self.leave(&mut state);
    }

    fn leave(&self, state: &mut State) {
        state.working = state.working.saturating_sub(1);
        if state.working == 0 {
            self.busy.store(false, SeqCst);
            if state.waiting {
                self.left.notify_all();
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// A task that helpers may take part in, as long as this lives.
struct Shared<'a>(&'a Crew);

impl<'a> Shared<'a> {
    /// Nothing where there are no helpers, or where they have a task: one of a task's own parts is done by whoever does the part.
    fn among(crew: &'a Crew, task: &'a Task<'a>) -> Option<Self> {
        if crew.threads() == 1 {
            return None;
        }
        let mut state = crew.state();
        if state.task.is_some() || state.working > 0 {
            return None;
        }
        // SAFETY: helpers come by the task only here in `state`, and count themselves while they work on it. Before its lifetime is over,
        // `drop` takes it out and waits until none of them is left. (`tests/crew.rs` tries this in every order of the threads' steps. There
        // is no safe way: whoever lends a task to threads that outlive it, as `std::thread::scope` and rayon do, hides its lifetime.)
        #[allow(unsafe_code)]
        let task = unsafe { std::mem::transmute::<&'a Task<'a>, &'static Task<'static>>(task) };
        state.task = Some(task);
        crew.tasks.fetch_add(1, SeqCst);
        if state.sleeping > 0 {
            crew.called.notify_all();
        }
        Some(Self(crew))
    }
}

impl Drop for Shared<'_> {
    fn drop(&mut self) {
        let crew = self.0;
        crew.state().task = None;
        look_until(|| !crew.busy.load(SeqCst));
        let mut state = crew.state();
        state.waiting = true;
        while state.working > 0 {
            state = crew.left.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting = false;
        let lost = state.lost;
        drop(state);
        assert!(!lost || std::thread::panicking(), "a thread of the engine has failed");
    }
}

/// What is held for a few instructions only, and so is not slept for: to sleep and to be woken costs a hundred times as much.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    let mut held = None;
    look_until(|| {
        held = mutex.try_lock().ok();
        held.is_some()
    });
    held.unwrap_or_else(|| mutex.lock().unwrap_or_else(PoisonError::into_inner))
}

fn look_until(mut there: impl FnMut() -> bool) {
    for _ in 0..LOOKS {
        if there() {
            return;
        }
        spin_loop();
    }
}
