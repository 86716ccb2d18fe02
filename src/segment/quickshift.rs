//! QuickShift (Vedaldi and Soatto 2008), as scikit-image defines it: every pixel is linked to the nearest pixel that
//! lies in a denser place of the joint space of colour and position; links that are too long are cut.

use super::{Picture, Segments, colour::lab, root};
use crate::{Device, Result};
#[cfg(feature = "webgpu")]
use crate::{Error, device::DeviceKind};

/// Parameters of QuickShift.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuickShift {
    /// Deviation of the Gaussian that the density is estimated with, at least 1. Larger: fewer segments.
    pub kernel_size: f64,
    /// The longest link that is kept. Larger: fewer segments.
    pub max_dist: f64,
    /// Factor on Lab colour, which weighs it against the position in pixels.
    pub ratio: f64,
}

/// Cuts a picture into segments.
///
/// `noise` is added to the density of each pixel so that no two are equal (scikit-image draws it with deviation
/// 1e-5); `None` adds nothing, and even areas then fall apart into pixels.
pub fn quickshift(picture: &Picture, settings: QuickShift, noise: Option<&[f64]>) -> Segments {
    let ratio = settings.ratio;
    let picture = lab(picture).map(|value| value * ratio);
    let radius = radius(&settings);
    let mut density = density(&picture, unit(&settings), radius);
    for (density, noise) in density.iter_mut().zip(noise.unwrap_or_default()) {
        *density += noise;
    }
    cut(parents(&picture, &density, settings.max_dist, radius))
}

/// [`quickshift`] on the device that the method computes on.
///
/// A GPU computes distances in 32 bits, the host in 64: of two pixels that are equally near within a rounding it may take
/// the other one.
///
/// # Errors
/// [`crate::Error::DeviceLost`].
pub async fn quickshift_on(
    device: &Device,
    picture: &Picture,
    settings: QuickShift,
    noise: Option<&[f64]>,
) -> Result<Segments> {
    #[cfg(feature = "webgpu")]
    if device.kind() == DeviceKind::WebGpu
        && let Some(segments) = on_gpu::quickshift(device.burn(), picture, settings, noise).await?
    {
        return Ok(segments);
    }
    let _ = device;
    Ok(quickshift(picture, settings, noise))
}

#[cfg(feature = "webgpu")]
mod on_gpu {
    use super::*;
    use crate::gpu::{Pixels, parents};

    /// The segments, or nothing for a picture that is not for the kernels.
    pub async fn quickshift(
        device: &burn::tensor::Device,
        picture: &Picture,
        settings: QuickShift,
        noise: Option<&[f64]>,
    ) -> Result<Option<Segments>> {
        if picture.channels > 4 {
            return Ok(None);
        }
        let lab = lab(picture).map(|value| value * settings.ratio);
        let four = |pixel: &[f64]| [0, 1, 2, 3].map(|i| pixel.get(i).copied().unwrap_or(0.0) as f32);
        let pixels = Pixels {
            height: lab.height,
            width: lab.width,
            colours: lab.data.chunks_exact(lab.channels).flat_map(four).collect(),
            radius: radius(&settings),
            unit: unit(&settings),
            noise: noise.unwrap_or_default(),
            max_dist: settings.max_dist,
        };
        let Some(parents) = parents(&pixels, device) else { return Ok(None) };
        let lost = |error: String| Error::DeviceLost(error);
        let found = parents.into_data_async().await.map_err(|error| lost(format!("{error:?}")))?;
        let found: Vec<f32> = found.try_into_vec().map_err(|error| lost(format!("{error:?}")))?;
        Ok(Some(cut(found.into_iter().map(|parent| parent as usize).collect())))
    }
}

/// How far a pixel looks: three deviations.
fn radius(settings: &QuickShift) -> usize {
    (3.0 * settings.kernel_size).ceil() as usize
}

/// Factor on colours and positions that makes minus their squared distance the exponent of a power of 2.
fn unit(settings: &QuickShift) -> f64 {
    (0.5 * std::f64::consts::LOG2_E).sqrt() / settings.kernel_size
}

/// The trees that the links make.
fn cut(mut parents: Vec<usize>) -> Segments {
    let roots: Vec<usize> = (0..parents.len()).map(|pixel| root(&mut parents, pixel)).collect();
    Segments::new(&roots)
}

/// The density at every pixel: the sum of `exp(-d²/2σ²)` over its window, itself included.
///
/// This is where the time goes. A pair of pixels counts once for both; whole rows are worked on together, so that
/// the compiler can use vector registers; and the exponential is taken in 32 bits, whose rounding (1e-6 of the sum)
/// is below the noise that decides between equals. The sum is kept in 64 bits.
fn density(picture: &Picture, unit: f64, radius: usize) -> Vec<f64> {
    let Picture { height, width, channels, .. } = *picture;
    // The factor of the exponent is folded into the colours and the positions.
    let planes: Vec<Vec<f32>> = (0..channels)
        .map(|channel| {
            picture.data.iter().skip(channel).step_by(channels).map(|v| (v * unit) as f32).collect()
        })
        .collect();
    let mut density = vec![1.0; picture.pixels()];
    let mut weights = vec![0.0f32; width];
    for down in 0..=radius.min(height - 1) {
        for row in 0..height - down {
            let (upper, lower) = (row * width, (row + down) * width);
            let reach = radius.min(width - 1) as isize;
            let first = if down == 0 { 1 } else { -reach };
            for right in first..=reach {
                let count = width - right.unsigned_abs();
                let from = upper + (-right).max(0) as usize;
                let to = lower + right.max(0) as usize;
                let weights = &mut weights[..count];
                let position = unit * unit * (down * down + right.unsigned_abs().pow(2)) as f64;
                distances(&planes, from, to, -(position as f32), weights);
                exp2(weights);
                // The two rows are the same one where `down` is 0, so that they are added to in turn.
                for (density, &weight) in density[from..from + count].iter_mut().zip(weights.iter()) {
                    *density += f64::from(weight);
                }
                for (density, &weight) in density[to..to + count].iter_mut().zip(weights.iter()) {
                    *density += f64::from(weight);
                }
            }
        }
    }
    density
}

/// `offset` minus the squared colour distances of the pixels from `from` on to those from `to` on.
fn distances(planes: &[Vec<f32>], from: usize, to: usize, offset: f32, result: &mut [f32]) {
    let count = result.len();
    if let [red, green, blue] = planes {
        let here = [red, green, blue].map(|plane| &plane[from..from + count]);
        let there = [red, green, blue].map(|plane| &plane[to..to + count]);
        for i in 0..count {
            let (r, g, b) = (here[0][i] - there[0][i], here[1][i] - there[1][i], here[2][i] - there[2][i]);
            result[i] = offset - (r * r + g * g + b * b);
        }
        return;
    }
    result.fill(offset);
    for plane in planes {
        for (result, (a, b)) in result.iter_mut().zip(plane[from..].iter().zip(&plane[to..])) {
            *result -= (a - b) * (a - b);
        }
    }
}

/// `2^x` in place for `x <= 0`, to a relative error of 1e-7; below the smallest normal number it stays there.
fn exp2(values: &mut [f32]) {
    // Adding it leaves the nearest whole number in the low bits.
    const ROUND: f32 = 12_582_912.0;
    // 2^f on [-1/2, 1/2]: the powers of ln 2 over the factorials, the last adjusted to the interval.
    const C: [f32; 7] =
        [1.0, std::f32::consts::LN_2, 0.240_226_5, 0.055_504_1, 0.009_618_12, 0.001_333_36, 0.000_154_65];
    for value in values {
        let x = value.max(-126.0);
        let rounded = x + ROUND;
        let f = x - (rounded - ROUND);
        let power = C[0] + f * (C[1] + f * (C[2] + f * (C[3] + f * (C[4] + f * (C[5] + f * C[6])))));
        *value = f32::from_bits(power.to_bits().wrapping_add(rounded.to_bits() << 23));
    }
}

/// The nearest pixel of higher density in the window of each, or itself where there is none within `max_dist`.
///
/// Offsets are tried in the order of their length; as colour only adds to it, the search ends at the first offset
/// that is longer than the best link. Of equally near pixels the first row by row is taken, as in scikit-image.
fn parents(picture: &Picture, density: &[f64], max_dist: f64, radius: usize) -> Vec<usize> {
    let (height, width) = (picture.height as isize, picture.width as isize);
    let radius = radius as isize;
    let longest = max_dist * max_dist;
    let mut offsets: Vec<(f64, isize, isize)> = (-radius..=radius)
        .flat_map(|down| {
            (-radius..=radius).map(move |right| ((down * down + right * right) as f64, down, right))
        })
        .filter(|&(length, ..)| length > 0.0 && length <= longest)
        .collect();
    offsets.sort_by(|a, b| a.0.total_cmp(&b.0));
    (0..picture.pixels())
        .map(|pixel| {
            let (row, column) = (pixel as isize / width, pixel as isize % width);
            let here = picture.pixel(pixel);
            let mut best = (f64::INFINITY, pixel);
            for &(length, down, right) in &offsets {
                if length > best.0 {
                    break;
                }
                let (r, c) = (row + down, column + right);
                if r < 0 || r >= height || c < 0 || c >= width {
                    continue;
                }
                let other = (r * width + c) as usize;
                if density[other] <= density[pixel] {
                    continue;
                }
                let colour: f64 = here.iter().zip(picture.pixel(other)).map(|(a, b)| (a - b) * (a - b)).sum();
                let candidate = (colour + (down * down) as f64 + (right * right) as f64, other);
                if candidate < best {
                    best = candidate;
                }
            }
            if best.0.sqrt() > max_dist { pixel } else { best.1 }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_two_are_exact_to_single_precision() {
        let exponents: Vec<f32> = (0..5000).map(|i| i as f32 * -0.02).collect();
        let mut powers = exponents.clone();
        exp2(&mut powers);
        for (x, power) in exponents.iter().zip(powers) {
            let exact = f64::from(*x).exp2();
            assert!((f64::from(power) - exact).abs() < 2e-7 * exact, "2^{x}: {power}, not {exact}");
        }
    }

    #[test]
    fn two_even_halves_are_two_segments() {
        let (height, width) = (12, 16);
        let data = (0..height * width).map(|i| if i % width < 6 { 0.1 } else { 0.9 }).collect();
        let picture = Picture { data, height, width, channels: 1 };
        // Grey is not Lab: the ratio brings it to the scale of pixels.
        let settings = QuickShift { kernel_size: 2.0, max_dist: 30.0, ratio: 100.0 };
        let slope: Vec<f64> = (0..height * width).map(|i| i as f64 * 1e-9).collect();
        let segments = quickshift(&picture, settings, Some(&slope));
        assert_eq!(segments.count, 2);
        for (i, &label) in segments.labels.iter().enumerate() {
            assert_eq!(label == segments.labels[0], i % width < 6, "{i}");
        }
    }
}
