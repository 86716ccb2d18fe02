//! The device that computes: WebGPU where there is one that computes correctly, else the CPU.

#[cfg(feature = "webgpu")]
mod gpu;
pub(crate) mod memory;
#[cfg(feature = "webgpu")]
mod pace;
#[cfg(feature = "webgpu")]
mod self_test;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use memory::Memory;

use crate::{Error, Result};

/// Which device a caller asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub enum DeviceChoice {
    /// WebGPU if there is one and it passes the self-test, else the CPU.
    #[default]
    Auto,
    /// WebGPU, or an error.
    WebGpu,
    /// The CPU.
    Cpu,
}

/// The kind of device in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub enum DeviceKind {
    /// A GPU through WebGPU (natively: Vulkan, Metal or DirectX 12 through wgpu).
    WebGpu,
    /// Burn's flex backend.
    Cpu,
}

/// What was found and chosen, for showing to a person and for bug reports.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
#[cfg_attr(target_family = "wasm", tsify(hashmap_as_object, missing_as_null))]
pub struct DeviceReport {
    /// The kind of device in use.
    pub kind: DeviceKind,
    /// The adapter's name, or the name of the CPU backend.
    pub name: String,
    /// Why this device was chosen, in one sentence.
    pub reason: String,
    /// WebGPU features of the adapter.
    pub features: Vec<String>,
    /// WebGPU limits of the adapter that decide what fits, in bytes or counts.
    pub limits: BTreeMap<String, f64>,
    /// Threads that compute on the processor.
    pub threads: usize,
    /// Largest relative difference of the self-test from the CPU; `null` on the CPU.
    pub self_test_error: Option<f64>,
}

/// An open device.
#[derive(Debug, Clone)]
pub struct Device {
    burn: burn::tensor::Device,
    report: DeviceReport,
    batch_budget: Option<usize>,
    #[cfg(feature = "webgpu")]
    pace: Option<std::sync::Arc<pace::Pace>>,
}

impl Device {
    /// Opens the device that `choice` asks for.
    ///
    /// # Errors
    /// [`Error::DeviceUnavailable`] where [`DeviceChoice::WebGpu`] is asked for and there is none, or it fails
    /// the self-test.
    pub async fn open(choice: DeviceChoice) -> Result<Self> {
        match choice {
            DeviceChoice::Cpu => Ok(Self::cpu("The CPU was asked for.")),
            DeviceChoice::WebGpu => Self::gpu(true).await.map_err(Error::DeviceUnavailable),
            DeviceChoice::Auto => {
                Ok(Self::gpu(false).await.unwrap_or_else(|why| Self::cpu(&format!("The CPU is used: {why}"))))
            }
        }
    }

    /// The CPU, with the reason for choosing it.
    pub fn cpu(reason: &str) -> Self {
        Self {
            burn: burn::tensor::Device::flex(),
            report: DeviceReport {
                kind: DeviceKind::Cpu,
                name: "CPU (Burn flex)".into(),
                reason: reason.into(),
                features: Vec::new(),
                limits: BTreeMap::new(),
                threads: adversight_kernels::threads(),
                self_test_error: None,
            },
            batch_budget: None,
            #[cfg(feature = "webgpu")]
            pace: None,
        }
    }

    #[cfg(not(feature = "webgpu"))]
    async fn gpu(_software_is_fine: bool) -> Result<Self, String> {
        Err("this build has no GPU: build it with the feature `webgpu` (`cargo build --features webgpu`)."
            .into())
    }

    #[cfg(feature = "webgpu")]
    async fn gpu(software_is_fine: bool) -> Result<Self, String> {
        let gpu = gpu::open(software_is_fine).await?;
        let error = self_test::run(&gpu.device).await?;
        let limit = self_test::TOLERANCE;
        if error > limit {
            return Err(format!(
                "the GPU \"{}\" computes wrongly (a self-test differs from the CPU by {error:.1e}, more than {limit:.0e}).",
                gpu.name
            ));
        }
        Ok(Self {
            pace: pace::Pace::new(&gpu.device).map(Into::into),
            burn: gpu.device,
            report: DeviceReport {
                kind: DeviceKind::WebGpu,
                reason: format!(
                    "WebGPU is available and agrees with the CPU in a self-test (to {error:.0e})."
                ),
                name: gpu.name,
                features: gpu.features,
                limits: gpu.limits,
                threads: 1,
                self_test_error: Some(f64::from(error)),
            },
            batch_budget: None,
        })
    }

    /// The kind of device in use.
    pub fn kind(&self) -> DeviceKind {
        self.report.kind
    }

    /// What was found and chosen.
    pub fn report(&self) -> &DeviceReport {
        &self.report
    }

    /// The handle to create tensors with.
    pub fn burn(&self) -> &burn::tensor::Device {
        &self.burn
    }

    /// Sets the bytes that the values of one batch may take, beside the weights; larger batches are computed in chunks, of
    /// one sample at least.
    #[must_use]
    pub fn with_batch_budget(mut self, bytes: usize) -> Self {
        self.batch_budget = Some(bytes);
        self
    }

    /// To be called between two steps: lets a GPU catch up until the host is one step ahead of it.
    ///
    /// # Errors
    /// [`Error::DeviceLost`].
    pub(crate) async fn catch_up(&self) -> Result<()> {
        #[cfg(feature = "webgpu")]
        if let Some(pace) = &self.pace {
            pace.keep().await?;
        }
        Ok(())
    }

    /// The largest value that a kernel can bind at once, in bytes; none on the CPU.
    pub(crate) fn binding_limit(&self) -> Option<usize> {
        match self.kind() {
            DeviceKind::Cpu => None,
            DeviceKind::WebGpu => {
                let limit = |name: &str| self.report.limits.get(name).map(|&limit| limit as usize);
                let limits = [limit("maxStorageBufferBindingSize"), limit("maxBufferSize")];
                limits.into_iter().flatten().min().or(Some(128 << 20))
            }
        }
    }

    /// Bytes that the values of one batch may take: what [`Device::with_batch_budget`] has set, else 256 MiB on the CPU, and
    /// half of the largest buffer that a GPU's adapter allows, from 128 MiB to 2 GiB. (What memory a GPU has no browser
    /// tells, and some drivers allow buffers larger than that.)
    pub(crate) fn batch_budget(&self) -> usize {
        const MIB: usize = 1 << 20;
        if let Some(bytes) = self.batch_budget {
            return bytes;
        }
        match self.kind() {
            // Larger batches gain nothing on a CPU, and a wasm memory never shrinks again.
            DeviceKind::Cpu => 256 * MIB,
            DeviceKind::WebGpu => {
                let largest = self.report.limits.get("maxBufferSize").copied().unwrap_or(256.0 * MIB as f64);
                ((largest / 2.0) as usize).clamp(128 * MIB, 2048 * MIB)
            }
        }
    }
}
