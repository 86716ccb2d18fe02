//! Maps of methods that are still at work: shown to whoever watches, and judged for an early end.

use std::{
    cell::{Cell, RefCell},
    time::Duration,
};

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use web_time::Instant;

use super::{display::Heatmap, read};
use crate::{DeviceKind, Error, HostTensor, Result, input::image::Region};

/// Whether a method has a map before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub enum Anytime {
    /// The map is there at the end alone.
    No,
    /// The map fills up or adds up while the method runs: it can be shown, and not be judged.
    Shows,
    /// The map approaches the last one, as a mean of random samples does: the method may end when it no longer changes.
    Settles,
}

/// When a method ends before its last step: as soon as its map changes no more.
///
/// After every `every` steps the map is compared with the one before: the length (l2) of their difference over the length
/// of the newer map. Where that is at most `change` for `patience` comparisons in a row, the method ends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct Stop {
    /// The largest relative change that counts as none.
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub change: f32,
    /// How many comparisons in a row must find none.
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub patience: usize,
    /// Steps or samples from one comparison to the next; a twentieth of all where it is left out. What is computed at once
    /// is not parted, so that it may be a few more.
    #[cfg_attr(target_family = "wasm", tsify(optional, type = "number | null"))]
    pub every: Option<usize>,
}

impl Default for Stop {
    fn default() -> Self {
        Self { change: 0.01, patience: 3, every: None }
    }
}

impl Stop {
    /// What is wrong with it, as the end of a sentence.
    fn fault(&self) -> Option<&'static str> {
        match self {
            stop if !(stop.change > 0.0 && stop.change.is_finite()) => Some("its change must be above 0"),
            stop if stop.patience == 0 => Some("its patience must be at least 1"),
            stop if stop.every == Some(0) => Some("its every must be at least 1"),
            _ => None,
        }
    }

    /// Checks it for the method called `method`.
    ///
    /// # Errors
    /// [`Error::ParameterInvalid`].
    pub(super) fn check(&self, method: &str, anytime: Anytime) -> Result<()> {
        let reason = match (self.fault(), anytime) {
            (Some(fault), _) => fault,
            (None, Anytime::Settles) => return Ok(()),
            (None, _) => "this method has no map before its end that could be judged; leave it out",
        };
        Err(Error::ParameterInvalid { method: method.into(), name: "stop".into(), reason: reason.into() })
    }

    /// Steps from one comparison to the next, of `total`.
    pub(super) fn interval(&self, total: usize) -> usize {
        self.every.unwrap_or(total.div_ceil(20)).max(1)
    }
}

/// How a method came to end early.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct Stopped {
    /// Steps or samples that were made.
    pub after: usize,
    /// Steps or samples that there would have been.
    pub of: usize,
    /// The last relative change of the map.
    pub change: f32,
}

/// The map of a method that is still at work.
#[derive(Debug, Clone)]
pub struct Partial {
    /// The raw values, as they would be if the method ended here, in the shape of the input.
    pub attribution: HostTensor,
    /// The same, made for the eye.
    pub heatmap: Heatmap,
    /// Steps or samples that it is made of.
    pub done: usize,
    /// Steps or samples in all.
    pub total: usize,
    /// The part of the photograph that it covers; nothing for tensors.
    pub region: Option<Region>,
}

/// What is known of the maps of one run.
pub(super) struct Watch {
    /// When the next map is shown.
    due: Cell<Instant>,
    interval: Cell<Duration>,
    /// The map of the last comparison.
    before: RefCell<Option<Tensor<2>>>,
    compared: Cell<usize>,
    quiet: Cell<usize>,
    stopped: RefCell<Option<Stopped>>,
}

impl Watch {
    pub fn new(interval: Duration) -> Self {
        Self {
            due: Cell::new(Instant::now() + interval),
            interval: Cell::new(interval),
            before: RefCell::default(),
            compared: Cell::new(0),
            quiet: Cell::new(0),
            stopped: RefCell::default(),
        }
    }

    /// How the run came to end early.
    pub fn stopped(&self) -> Option<Stopped> {
        self.stopped.borrow().clone()
    }

    /// Whether it is time to show a map.
    pub fn is_due(&self) -> bool {
        Instant::now() >= self.due.get()
    }

    /// Notes that one has been shown. A GPU has to catch up with what was handed to it before a map can be read, so there the
    /// time between maps doubles.
    pub fn shown(&self, device: DeviceKind) {
        if device == DeviceKind::WebGpu {
            self.interval.set(self.interval.get() * 2);
        }
        self.due.set(Instant::now() + self.interval.get());
    }

    /// Compares the map with the one before where it is time to; whether the method should end.
    ///
    /// # Errors
    /// [`Error::DeviceLost`].
    pub async fn settled(
        &self,
        stop: &Stop,
        done: usize,
        total: usize,
        map: impl FnOnce() -> Tensor<2>,
    ) -> Result<bool> {
        if done >= total || done < self.compared.get() + stop.interval(total) {
            return Ok(false);
        }
        self.compared.set(done);
        let map = map();
        let Some(before) = self.before.replace(Some(map.clone())) else { return Ok(false) };
        let square = |rows: Tensor<2>| (rows.clone() * rows).sum();
        let lengths = Tensor::cat(vec![square(map.clone() - before), square(map)], 0);
        let lengths = read(lengths).await?;
        let change = (lengths[0] / lengths[1]).sqrt();
        // A map of zeros has changed as much as it may: 0 / 0 is no number, and no number is at most the limit.
        self.quiet.set(if change <= stop.change { self.quiet.get() + 1 } else { 0 });
        if self.quiet.get() < stop.patience {
            return Ok(false);
        }
        *self.stopped.borrow_mut() = Some(Stopped { after: done, of: total, change });
        Ok(true)
    }
}
