//! Opening a GPU through wgpu: which adapter there is, what it can do, and Burn's runtime on it.

use std::{collections::BTreeMap, sync::Mutex};

use burn::tensor::{DeviceKind, wgpu::wgpu};

#[derive(Clone)]
pub(super) struct Gpu {
    pub device: burn::tensor::Device,
    pub name: String,
    pub features: Vec<String>,
    pub limits: BTreeMap<String, f64>,
    software: bool,
}

/// Burn's runtime can be set up once in a process and stays; later openings share it.
static OPENED: Mutex<Option<Gpu>> = Mutex::new(None);

/// Opens the default adapter. A software rasteriser (lavapipe, SwiftShader) is slower than the CPU backend, so
/// it is taken only where it is asked for.
pub(super) async fn open(software_is_fine: bool) -> Result<Gpu, String> {
    let opened = OPENED.lock().map_err(|_| "the GPU was lost in an earlier failure.")?.clone();
    let gpu = match opened {
        Some(gpu) => gpu,
        None => {
            let gpu = set_up().await?;
            *OPENED.lock().map_err(|_| "the GPU was lost in an earlier failure.")? = Some(gpu.clone());
            gpu
        }
    };
    if gpu.software && !software_is_fine {
        return Err(format!("the only WebGPU adapter, \"{}\", is emulated in software and slower.", gpu.name));
    }
    Ok(gpu)
}

/// Asks for an adapter before Burn does, because Burn's own failure to find one comes too late to be told apart.
async fn set_up() -> Result<Gpu, String> {
    let instance = wgpu::Instance::default();
    let found = instance.request_adapter(&wgpu::RequestAdapterOptions::default()).await;
    let kind = match found {
        Ok(_) => DeviceKind::DefaultDevice,
        Err(error) if cfg!(target_family = "wasm") => {
            return Err(format!("this browser offers no WebGPU adapter ({error})."));
        }
        Err(_) => DeviceKind::Cpu,
    };
    let (device, setup) = burn::tensor::Device::wgpu_options()
        .device_kind(kind)
        .init_with_setup_async()
        .await
        .map_err(|error| format!("no GPU can be used ({error})."))?;
    let info = setup.adapter.get_info();
    let limits = setup.device.limits();
    let name = [info.name.as_str(), info.driver.as_str(), info.device.to_string().as_str()]
        .into_iter()
        .find(|name| !name.is_empty() && *name != "0")
        .unwrap_or("WebGPU adapter")
        .to_owned();
    // A browser reports no device type; it names its software rasteriser instead.
    let software = info.device_type == wgpu::DeviceType::Cpu || name.to_lowercase().contains("swiftshader");
    Ok(Gpu {
        device,
        name,
        software,
        features: setup.device.features().iter_names().map(|(name, _)| name.to_owned()).collect(),
        limits: BTreeMap::from([
            ("maxBufferSize".to_owned(), limits.max_buffer_size as f64),
            ("maxStorageBufferBindingSize".to_owned(), limits.max_storage_buffer_binding_size as f64),
            (
                "maxComputeInvocationsPerWorkgroup".to_owned(),
                f64::from(limits.max_compute_invocations_per_workgroup),
            ),
            ("maxComputeWorkgroupStorageSize".to_owned(), f64::from(limits.max_compute_workgroup_storage_size)),
        ]),
    })
}
