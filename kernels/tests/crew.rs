//! The thread pool in every order in which two threads can take their steps (up to a bound on how often one interrupts the other), by
//! loom: a race, a step on what no longer lives and a wait without an end each fail.

/// As `src/sync.rs`.
mod sync {
    pub use loom::sync::{
        Condvar, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicUsize},
    };

    pub const LOOKS: usize = 1;

    /// loom's own would have all other threads go on until they wait: the steps in between would never be tried.
    pub fn spin_loop() {}
}

#[path = "../src/crew.rs"]
#[allow(dead_code)]
mod crew;

use std::sync::atomic::Ordering::{Relaxed, SeqCst};

use crew::Crew;
use loom::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize},
    },
    thread,
};

/// A pool with one helper, which ends with the task that `dismiss` hands out.
struct Pool {
    crew: Arc<Crew>,
    dismissed: Arc<AtomicBool>,
    helper: thread::JoinHandle<()>,
}

impl Pool {
    fn new() -> Self {
        let (crew, dismissed) = (Arc::new(Crew::default()), Arc::new(AtomicBool::new(false)));
        crew.joined_by(1);
        let helper = thread::spawn({
            let (crew, dismissed) = (crew.clone(), dismissed.clone());
            move || {
                let mut seen = 0;
                while !dismissed.load(SeqCst) {
                    crew.help_once(&mut seen);
                }
            }
        });
        Self { crew, dismissed, helper }
    }

    /// A task that waits for the helper.
    fn dismiss(self) {
        let here = AtomicUsize::new(0);
        self.crew.run(&|helper| {
            if helper {
                self.dismissed.store(true, SeqCst);
            }
            here.fetch_add(1, SeqCst);
            while here.load(SeqCst) < 2 {
                thread::yield_now();
            }
        });
        self.helper.join().unwrap();
    }
}

fn in_every_order(test: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(test);
}

#[test]
fn nobody_is_at_a_task_that_has_ended() {
    in_every_order(|| {
        let pool = Pool::new();
        let (over, began, ended) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
        pool.crew.run(&|helper| {
            assert!(!over.load(SeqCst), "the task has ended");
            if helper {
                began.fetch_add(1, SeqCst);
                ended.store(1, Relaxed);
            }
        });
        over.store(true, SeqCst);
        // To add nothing reads the newest value, and a relaxed look any that it may: what a helper has done must lie before.
        assert_eq!(ended.load(Relaxed), began.fetch_add(0, SeqCst));
        pool.dismiss();
    });
}

#[test]
fn every_piece_is_done_once_by_whoever_takes_it() {
    in_every_order(|| {
        let pool = Pool::new();
        let mut pieces = [0, 0, 0];
        pool.crew.each(&mut pieces, 1, |index, piece| piece[0] += index + 1);
        assert_eq!(pieces, [1, 2, 3]);
        pool.dismiss();
    });
}
