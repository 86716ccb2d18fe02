//! What the oracles drew, computed again, by the names under which the methods take it.

use std::collections::BTreeMap;

use adversight::{HostTensor, segment::QuickShift};

use super::{normal, uniform};

pub type Given = BTreeMap<String, HostTensor>;

fn tensor(data: Vec<f32>, shape: Vec<usize>) -> HostTensor {
    HostTensor::new(data, shape).unwrap()
}

/// Numbers from 0 to 1 as tests/reference/segments.py computes them.
pub fn split_mix(count: usize, salt: u64) -> Vec<f64> {
    (0..count as u64)
        .map(|index| {
            let mut z = (salt << 32).wrapping_add(index).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            ((z ^ (z >> 31)) >> 40) as f64 / f64::from(1 << 24)
        })
        .collect()
}

fn below(count: usize, salt: u64, limit: f64) -> Vec<f32> {
    split_mix(count, salt).into_iter().map(|part| if part < limit { 1.0 } else { 0.0 }).collect()
}

pub fn tie_noise(pixels: usize) -> Vec<f32> {
    split_mix(pixels, 1).into_iter().map(|part| ((part - 0.5) * (12f64.sqrt() * 1e-5)) as f32).collect()
}

/// QuickShift's parameters of a case, and its noise against ties.
pub fn quickshift(params: &serde_json::Value, pixels: usize) -> (QuickShift, Vec<f64>) {
    let param = |name: &str| params[name].as_f64().unwrap();
    let settings =
        QuickShift { kernel_size: param("kernel_size"), max_dist: param("max_dist"), ratio: param("ratio") };
    (settings, tie_noise(pixels).into_iter().map(f64::from).collect())
}

/// Against ties in QuickShift.
pub fn ties(height: usize, width: usize) -> Given {
    [("density_noise".into(), tensor(tie_noise(height * width), vec![1, 1, height, width]))].into()
}

/// The noise of SmoothGrad and its kin.
pub fn noise(samples: usize, features: usize) -> Given {
    [("noise".into(), tensor(normal(samples * features, 2), vec![samples, features]))].into()
}

/// The first mask of RelEx, of values below `start`.
pub fn first_mask(start: f32, shape: &[usize]) -> Given {
    let mask = uniform(shape.iter().product(), 1).into_iter().map(|u| u * start).collect();
    [("mask".into(), tensor(mask, shape.to_vec()))].into()
}

/// The same, and the noise of as many copies as all steps take.
pub fn relex(start: f32, copies: usize, shape: &[usize]) -> Given {
    let features: usize = shape.iter().product();
    let rows = std::iter::once(copies).chain(shape[1..].iter().copied()).collect();
    let mut given = first_mask(start, shape);
    given.insert("noise".into(), tensor(normal(copies * features, 2), rows));
    given
}

/// The backgrounds and positions of expected gradients.
pub fn positions(draws: &[[f32; 2]]) -> Given {
    [("draws".into(), tensor(draws.concat(), vec![draws.len(), 2]))].into()
}

/// The segments that LIME shows; in the first sample all of them.
pub fn lime(count: usize, segments: usize) -> Given {
    let mut samples = below(count * segments, 2, 0.5);
    samples[..segments].fill(1.0);
    [("samples".into(), tensor(samples, vec![count, segments]))].into()
}

/// The segments that HSIC shows.
pub fn hsic(count: usize, segments: usize) -> Given {
    [("samples".into(), tensor(below(count * segments, 7, 0.5), vec![count, segments]))].into()
}

/// Sobol's two designs.
pub fn sobol(designs: usize, segments: usize) -> Given {
    let values = split_mix(2 * designs * segments, 8).into_iter().map(|part| part as f32).collect();
    [("designs".into(), tensor(values, vec![2 * designs, segments]))].into()
}

/// KernelSHAP's samples, each of which has a bit for each segment, and their weights.
pub fn coalitions(shown: &[u32], segments: usize, weights: Vec<f32>) -> Given {
    let samples =
        shown.iter().flat_map(|bits| (0..segments).map(move |at| (bits >> at & 1) as f32)).collect();
    [
        ("samples".into(), tensor(samples, vec![shown.len(), segments])),
        ("weights".into(), tensor(weights, vec![shown.len()])),
    ]
    .into()
}

/// RISE's grids and by how much each is shifted.
pub fn rise(count: usize, side: usize, probability: f64, height: usize, width: usize) -> Given {
    let cells = [height.div_ceil(side) as f64, width.div_ceil(side) as f64];
    let shifts = split_mix(count * 2, 4).into_iter().enumerate();
    let shifts = shifts.map(|(i, part)| (part * cells[i % 2]).floor() as f32).collect();
    [
        ("grids".into(), tensor(below(count * side * side, 3, probability), vec![count, side, side])),
        ("shifts".into(), tensor(shifts, vec![count, 2])),
    ]
    .into()
}
