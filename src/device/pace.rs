//! How far the host may run ahead of a GPU.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use burn::tensor::Tensor;
use cubecl::{client::Client, server::ServerError};

use crate::{Error, Result, gpu::Buffer};

type Marker = Pin<Box<dyn Future<Output = std::result::Result<(), ServerError>> + Send>>;

/// Keeps the host one step ahead of a GPU. Handing work over takes a small part of the time that the work itself takes: all of a long method
/// would lie before the GPU at once, and no progress, no map on the way and no cancelling would mean anything.
pub(super) struct Pace {
    client: Client,
    /// Comes true when the work of all steps but the last one is done.
    marker: Mutex<Option<Marker>>,
}

impl Pace {
    /// Of a device that has been opened; nothing where it is no GPU.
    pub fn new(device: &burn::tensor::Device) -> Option<Self> {
        let client = Buffer::of(&Tensor::<1>::zeros([1], device).into())?.client().clone();
        Some(Self { client, marker: Mutex::default() })
    }

    /// To be called between two steps: waits until the GPU has done what was handed over before the last call. It has the work since
    /// then to go on with, and the page stays usable meanwhile.
    ///
    /// # Errors
    /// [`Error::DeviceLost`].
    pub async fn keep(&self) -> Result<()> {
        let lost = |error: ServerError| Error::DeviceLost(format!("{error:?}"));
        let earlier = self.slot().take();
        if let Some(marker) = earlier {
            marker.await.map_err(lost)?;
        }
        let mut marker: Marker = self.client.sync();
        // What it stands for is settled when it is asked first.
        match marker.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(done) => done.map_err(lost)?,
            Poll::Pending => *self.slot() = Some(marker),
        }
        Ok(())
    }

    fn slot(&self) -> MutexGuard<'_, Option<Marker>> {
        self.marker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pace").finish_non_exhaustive()
    }
}
