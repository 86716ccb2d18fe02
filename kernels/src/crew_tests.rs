//! The pool with threads of the system.

use std::{
    collections::HashSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Barrier, Mutex},
    thread,
    time::Duration,
};

use crate::crew::Crew;

fn crew(helpers: usize) -> &'static Crew {
    let crew: &'static Crew = Box::leak(Box::new(Crew::default()));
    for _ in 0..helpers {
        thread::spawn(|| {
            // What the worker's script does.
            if catch_unwind(AssertUnwindSafe(|| crew.help())).is_err() {
                crew.lose();
            }
        });
    }
    crew.joined_by(helpers);
    crew
}

#[test]
fn every_chunk_is_met_once_whatever_the_number_of_threads() {
    for helpers in 0..4 {
        let crew = crew(helpers);
        for round in 0..300 {
            let mut data = vec![0.0; 1 + round * 7];
            crew.each(&mut data, 3, |index, chunk| {
                for (within, value) in chunk.iter_mut().enumerate() {
                    *value += (index * 3 + within) as f32;
                }
            });
            assert!(data.iter().enumerate().all(|(index, value)| *value == index as f32));
            if round % 100 == 0 {
                thread::sleep(Duration::from_millis(20)); // helpers sleep, and are woken
            }
        }
    }
}

#[test]
fn all_threads_take_part() {
    let crew = crew(2);
    let (threads, together) = (Mutex::new(HashSet::new()), Barrier::new(3));
    crew.run(&|_| {
        together.wait();
        threads.lock().unwrap().insert(thread::current().id());
    });
    assert_eq!(threads.into_inner().unwrap().len(), 3);
}

#[test]
fn a_task_within_a_task_is_done_by_its_own_thread() {
    let crew = crew(1);
    let together = Barrier::new(2);
    crew.run(&|_| {
        together.wait();
        let thread = thread::current().id();
        crew.run(&|_| assert_eq!(thread, thread::current().id()));
        together.wait();
    });
}

#[test]
fn a_helper_that_fails_ends_the_task_and_all_later_ones() {
    let crew = crew(2);
    let (own, together) = (thread::current().id(), Barrier::new(3));
    let task = |_: bool| {
        together.wait();
        assert!(thread::current().id() == own, "a helper fails");
    };
    assert!(catch_unwind(AssertUnwindSafe(|| crew.run(&task))).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| crew.run(&|_| ()))).is_err());
}
