//! How far the host may run ahead of a GPU.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use burn::tensor::Tensor;
use cubecl::client::Client;
use web_time::Instant;

use crate::{Error, Result, gpu::Buffer};

/// Work that takes the host so long to hand over is awaited before there is more. Handing over takes a small part of the time that the
/// work itself takes: without it all of a long method would lie before the GPU at once, and no progress, no map on the way and no
/// cancelling would mean anything.
const AHEAD: Duration = Duration::from_millis(50);

/// Waits for a GPU from time to time.
pub(super) struct Pace {
    client: Client,
    /// Since when work has been handed over that was not waited for.
    since: Mutex<Instant>,
}

impl Pace {
    /// Of a device that has been opened; nothing where it is no GPU.
    pub fn new(device: &burn::tensor::Device) -> Option<Self> {
        let client = Buffer::of(&Tensor::<1>::zeros([1], device).into())?.client().clone();
        Some(Self { client, since: Mutex::new(Instant::now()) })
    }

    /// Waits until the GPU has done what was handed over, where that was begun a while ago. The page stays usable meanwhile.
    ///
    /// # Errors
    /// [`Error::DeviceLost`].
    pub async fn keep(&self) -> Result<()> {
        if self.since.lock().unwrap_or_else(PoisonError::into_inner).elapsed() < AHEAD {
            return Ok(());
        }
        self.client.sync().await.map_err(|error| Error::DeviceLost(format!("{error:?}")))?;
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        Ok(())
    }
}

impl fmt::Debug for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pace").field("since", &self.since).finish_non_exhaustive()
    }
}
