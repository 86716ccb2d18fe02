//! Room for what a kernel needs while it runs.

use std::{
    cell::RefCell,
    ops::{Deref, DerefMut},
};

thread_local! {
    static FREE: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// Bytes of a line of the processor's caches.
const LINE: usize = 64;

/// Elements that may hold anything at first, and are kept for the next kernel of the thread. They begin with a line of the caches, so that no
/// vector lies in two of them.
pub struct Scratch {
    room: Vec<f32>,
    start: usize,
    count: usize,
}

impl Scratch {
    pub fn new(count: usize) -> Self {
        let mut room = FREE.with_borrow_mut(Vec::pop).unwrap_or_default();
        let most = count + LINE / size_of::<f32>() - 1;
        if room.len() < most {
            room.resize(most, 0.0);
        }
        let start = room.as_ptr().align_offset(LINE);
        Self { room, start, count }
    }
}

impl Deref for Scratch {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.room[self.start..][..self.count]
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.room[self.start..][..self.count]
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        /// Elements of a room that is worth keeping.
        const KEPT: usize = 1 << 22;
        let room = std::mem::take(&mut self.room);
        if room.len() <= KEPT {
            FREE.with_borrow_mut(|free| free.push(room));
        }
    }
}
