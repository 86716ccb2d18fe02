//! Networks that nobody has thought of, against PyTorch's logits and gradients in 64 bits (tests/reference/random_networks.py).
//!
//! `ADVERSIGHT_RANDOM_NETWORKS=FOLDER cargo test --test it random_networks::` takes those of a folder in place of the committed ones.

use std::{
    fs,
    path::{Path, PathBuf},
};

use adversight::{Explainer, HostTensor, Score, model::value::Ranked};
use burn::tensor::{Float, Tensor, TensorData};
use serde::Deserialize;

use crate::common;

#[derive(Deserialize)]
struct About {
    target: usize,
    /// How far PyTorch's gradient in 32 bits is from that in 64, beside its norm.
    noise: f64,
}

fn folders() -> Vec<PathBuf> {
    let root = std::env::var_os("ADVERSIGHT_RANDOM_NETWORKS")
        .map_or_else(|| common::root().join("tests/fixtures/random_networks"), PathBuf::from);
    let mut folders: Vec<_> = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.retain(|folder| folder.join("about.json").exists());
    folders.sort();
    folders
}

/// What is wrong with a network's logits or gradient, if anything is.
fn fault(folder: &Path) -> Result<(), String> {
    let about: About = serde_json::from_str(&fs::read_to_string(folder.join("about.json")).unwrap()).unwrap();
    let read = |name: &str| common::npy(folder.join(name).to_str().unwrap());
    let (input, logits, gradient) = (read("input.npy"), read("logits.npy"), read("gradient.npy"));
    let onnx = fs::read(folder.join("model.onnx")).unwrap();
    let explainer = Explainer::load(&onnx, &common::cpu()).map_err(|error| error.to_string())?;
    let found: HostTensor =
        pollster::block_on(explainer.logits(&input)).map_err(|error| error.to_string())?;
    let size = logits.data.iter().fold(1.0_f32, |most, value| most.max(value.abs()));
    let off = found.data.iter().zip(&logits.data).fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()));
    if found.data.len() != logits.data.len() || off > 1e-4 * size {
        return Err(format!("its logits are {:?}, not {:?}", found.data, logits.data));
    }
    let data = TensorData::new(input.data.clone(), [input.data.len()]);
    let flat: Ranked<Float> = Tensor::<1>::from_data(data, explainer.model().device().burn()).into();
    let x = flat.reshape(&input.shape).ok_or("its input has too many axes")?;
    let found =
        explainer.model().gradient(x, &[about.target], Score::Logit).map_err(|error| error.to_string())?;
    let flat: Tensor<1> = found.gradient.reshape(&[input.data.len()]).unwrap().get().unwrap();
    let found: Vec<f32> = flat.into_data().try_into_vec().unwrap();
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>().sqrt();
    let wanted = || gradient.data.iter().map(|&value| f64::from(value));
    let off = norm(&mut found.iter().zip(wanted()).map(|(&found, wanted)| f64::from(found) - wanted));
    let off = off / norm(&mut wanted());
    if off > 1e-4 + 20.0 * about.noise {
        return Err(format!("its gradient differs by {off:.1e}"));
    }
    Ok(())
}

#[test]
fn networks_drawn_block_by_block_agree_with_pytorch() {
    let folders = folders();
    assert!(folders.len() >= 60);
    let faults: Vec<_> = folders
        .iter()
        .filter_map(|folder| fault(folder).err().map(|fault| format!("{}: {fault}", folder.display())))
        .collect();
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), folders.len(), faults.join("\n"));
}
