//! Opening a GPU through wgpu: which adapter there is, what it can do, and Burn's runtime on it.

use std::{collections::BTreeMap, sync::Mutex};

use burn::tensor::{DeviceKind, wgpu::wgpu};

#[derive(Clone)]
pub(super) struct Gpu {
    pub device: burn::tensor::Device,
    pub name: String,
    pub features: Vec<String>,
    pub limits: BTreeMap<String, f64>,
}

/// Burn's runtime can be set up once in a process and stays; later openings share it.
static OPENED: Mutex<Option<Gpu>> = Mutex::new(None);

/// Opens the default adapter. A software rasteriser (lavapipe, SwiftShader) is slower than the CPU backend, so
/// it is taken only where it is asked for.
pub(super) async fn open(software_is_fine: bool) -> Result<Gpu, String> {
    let kind = probe(software_is_fine).await?;
    let opened = || OPENED.lock().map_err(|_| "the GPU was lost in an earlier failure.");
    let earlier = opened()?.clone();
    if let Some(gpu) = earlier {
        return Ok(gpu);
    }
    let gpu = set_up(kind).await?;
    *opened()? = Some(gpu.clone());
    Ok(gpu)
}

/// Looks for an adapter before Burn does: its runtime cannot be undone, and compiles shaders at once.
async fn probe(software_is_fine: bool) -> Result<DeviceKind, String> {
    let instance = wgpu::Instance::default();
    match instance.request_adapter(&wgpu::RequestAdapterOptions::default()).await {
        Ok(adapter) if is_software(&adapter.get_info()) && !software_is_fine => {
            Err(format!("the only WebGPU adapter, {}, is emulated in software and slower.", name(&adapter)))
        }
        Ok(_) => Ok(DeviceKind::DefaultDevice),
        Err(_) if cfg!(target_family = "wasm") => Err("this browser offers no WebGPU adapter.".into()),
        // Natively a software rasteriser is no default adapter and must be asked for by its kind.
        Err(_) if software_is_fine => Ok(DeviceKind::Cpu),
        Err(_) => Err("there is no GPU with a Vulkan, Metal or DirectX 12 driver.".into()),
    }
}

async fn set_up(kind: DeviceKind) -> Result<Gpu, String> {
    let (device, setup) = burn::tensor::Device::wgpu_options()
        .device_kind(kind)
        .init_with_setup_async()
        .await
        .map_err(|error| format!("no GPU can be used ({error})."))?;
    let limits = setup.device.limits();
    let limits = [
        ("maxBufferSize", limits.max_buffer_size as f64),
        ("maxStorageBufferBindingSize", limits.max_storage_buffer_binding_size as f64),
        ("maxComputeInvocationsPerWorkgroup", f64::from(limits.max_compute_invocations_per_workgroup)),
        ("maxComputeWorkgroupStorageSize", f64::from(limits.max_compute_workgroup_storage_size)),
    ];
    Ok(Gpu {
        device,
        name: name(&setup.adapter),
        features: setup.device.features().iter_names().map(|(name, _)| name.to_owned()).collect(),
        limits: limits.into_iter().map(|(name, limit)| (name.to_owned(), limit)).collect(),
    })
}

fn is_software(info: &wgpu::AdapterInfo) -> bool {
    info.device_type == wgpu::DeviceType::Cpu
}

/// What the adapter calls itself; browsers often keep that to themselves.
fn name(adapter: &wgpu::Adapter) -> String {
    let info = adapter.get_info();
    let unnamed = if is_software(&info) { "a software rasteriser" } else { "the browser's GPU" };
    let named = [info.name, info.driver].into_iter().find(|name| !name.is_empty());
    named.unwrap_or_else(|| unnamed.into())
}
