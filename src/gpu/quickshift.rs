//! QuickShift's two searches, a thread for each pixel: how dense it lies, and its nearest denser pixel.
//!
//! Densities are sums of thousands of numbers, and differences a hundred million times smaller decide between them (the
//! noise against ties). So they are summed as whole numbers in two words, which loses nothing and does not depend on the
//! order.

use burn::tensor::{Int, Tensor, TensorData};
use cubecl::prelude::*;

use super::buffer::{Buffer, GROUP, groups};

/// Pixels that a call looks at, all threads together: a driver ends what takes seconds.
const AT_ONCE: usize = 1 << 28;

/// `2^x` for `x <= 0`, to a relative error of 1e-7.
#[cube]
fn power_of_two(x: f32) -> f32 {
    let x = select(x < -126.0f32, -126.0f32, x);
    let whole = (x + 0.5f32).floor();
    let f = x - whole;
    // 2^f on [-1/2, 1/2]: the powers of ln 2 over the factorials, the last adjusted to the interval.
    let power = 1.0f32
        + f * (0.693_147_2f32
            + f * (0.240_226_5f32
                + f * (0.055_504_1f32
                    + f * (0.009_618_12f32 + f * (0.001_333_36f32 + f * 0.000_154_65f32)))));
    let exponent = u32::cast_from(i32::cast_from(whole) + 127i32);
    power * f32::reinterpret(exponent << 23u32)
}

#[cube]
fn squared(a: Vector<f32, Const<4>>, b: Vector<f32, Const<4>>) -> f32 {
    let d = a - b;
    let d = d * d;
    d.extract(0usize) + d.extract(1usize) + d.extract(2usize) + d.extract(3usize)
}

/// The first place along an axis that lies within `radius` of a place.
#[cube]
fn first_near(at: i32, radius: i32) -> i32 {
    select(at < radius, 0i32, at - radius)
}

/// The place behind the last one that does.
#[cube]
fn end_near(at: i32, radius: i32, size: i32) -> i32 {
    select(at + radius < size, at + radius + 1i32, size)
}

/// The density of the pixels from `first` on with its noise, in 2^-46: two words each, the higher first.
#[cube(launch_unchecked)]
fn density_kernel(
    pixels: &[Vector<f32, Const<4>>],
    noise: &[u32],
    density: &mut [u32],
    height: i32,
    width: i32,
    radius: i32,
    // Of one pixel's distance, in the exponent of 2.
    square: f32,
    first: i32,
    count: i32,
) {
    let at = ABSOLUTE_POS as i32;
    if at < count {
        let at = first + at;
        let row = at / width;
        let column = at - row * width;
        let (top, bottom) = (first_near(row, radius), end_near(row, radius, height));
        let (left, right) = (first_near(column, radius), end_near(column, radius, width));
        let here = pixels[at as usize];
        let mut high = 0u32;
        let mut low = 0u32;
        for y in top..bottom {
            for x in left..right {
                let colour = squared(here, pixels[(y * width + x) as usize]);
                let length = (y - row) * (y - row) + (x - column) * (x - column);
                let weight = power_of_two(-(f32::cast_from(length) * square) - colour);
                let fixed = u32::cast_from(weight * 1_073_741_824.0f32);
                high += fixed >> 16u32;
                low += fixed & 65_535u32;
            }
            high += low >> 16u32;
            low = low & 65_535u32;
        }
        let place = (2i32 * at) as usize;
        let before = low << 16u32;
        let sum = before + noise[place + 1usize];
        let carry = select(sum < before, 1u32, 0u32);
        // Noise may be negative: half of the range is set aside for it.
        density[place] = high + noise[place] + carry + 2_147_483_648u32;
        density[place + 1usize] = sum;
    }
}

/// The nearest denser pixel no further than `longest` (squared, exclusive), row by row the first of those, or the pixel
/// itself.
#[cube(launch_unchecked)]
fn parent_kernel(
    pixels: &[Vector<f32, Const<4>>],
    density: &[u32],
    parents: &mut [f32],
    height: i32,
    width: i32,
    radius: i32,
    longest: f32,
    first: i32,
    count: i32,
) {
    let at = ABSOLUTE_POS as i32;
    if at < count {
        let at = first + at;
        let row = at / width;
        let column = at - row * width;
        let (top, bottom) = (first_near(row, radius), end_near(row, radius, height));
        let (left, right) = (first_near(column, radius), end_near(column, radius, width));
        let here = pixels[at as usize];
        let high = density[(2i32 * at) as usize];
        let low = density[(2i32 * at + 1i32) as usize];
        let mut best = longest;
        let mut found = at;
        for y in top..bottom {
            for x in left..right {
                let other = y * width + x;
                let length = f32::cast_from((y - row) * (y - row) + (x - column) * (x - column));
                if length < best {
                    let above = density[(2i32 * other) as usize];
                    let below = density[(2i32 * other + 1i32) as usize];
                    if above > high || (above == high && below > low) {
                        let distance = squared(here, pixels[other as usize]) + length;
                        if distance < best {
                            best = distance;
                            found = other;
                        }
                    }
                }
            }
        }
        parents[at as usize] = f32::cast_from(found);
    }
}

/// What the kernels are told of a picture.
pub(crate) struct Pixels<'a> {
    pub height: usize,
    pub width: usize,
    /// Four values of each pixel, those that it lacks 0.
    pub colours: Vec<f32>,
    /// How far a pixel looks.
    pub radius: usize,
    /// Factor on colours and positions that makes minus their squared distance the exponent of 2.
    pub unit: f64,
    /// What is added to each density.
    pub noise: &'a [f64],
    /// The longest link.
    pub max_dist: f64,
}

/// The number of each pixel's parent; nothing where the numbers do not fit the kernels.
pub(crate) fn parents(picture: &Pixels<'_>, device: &burn::tensor::Device) -> Option<Tensor<1>> {
    // A whole number is exact in 32 bits up to here, and sums of densities stay below 2^31.
    const MOST_PIXELS: usize = 1 << 24;
    const WIDEST: usize = 180;
    let Pixels { height, width, radius, unit, .. } = *picture;
    let count = height * width;
    let loud = picture.noise.iter().any(|noise| noise.abs() > 1e3);
    if count == 0 || count > MOST_PIXELS || radius > WIDEST || loud {
        return None;
    }
    let upload = |values: Vec<f32>| {
        let flat = [values.len()];
        Buffer::of(&Tensor::<1>::from_data(TensorData::new(values, flat), device).into())
    };
    let scaled = picture.colours.iter().map(|&value| (f64::from(value) * unit) as f32).collect();
    let (scaled, colours) = (upload(scaled)?, upload(picture.colours.clone())?);
    let words = (0..count).flat_map(|pixel| {
        // In 2^-46, as the densities are.
        let noise = picture.noise.get(pixel).copied().unwrap_or(0.0);
        let noise = (noise * 2f64.powi(46)).round() as i64;
        [(noise >> 32) as i32, noise as i32]
    });
    let noise = TensorData::new(words.collect::<Vec<i32>>(), [2 * count]);
    let noise = Buffer::whole(Tensor::<1, Int>::from_data(noise, device))?;
    let (density, parents) = (scaled.room(vec![2 * count]), scaled.room(vec![count]));
    let reach = radius.min(picture.max_dist.min(1e6) as usize);
    let longest = (picture.max_dist * picture.max_dist).min(1e30) as f32;
    let longest = f32::from_bits(longest.to_bits() + 1);
    let band = |radius: usize| (AT_ONCE / (2 * radius + 1).pow(2)).max(GROUP as usize);
    let client = scaled.client();
    // Every index is checked by the kernels themselves.
    unsafe {
        for first in (0..count).step_by(band(radius)) {
            let some = band(radius).min(count - first);
            density_kernel::launch_unchecked(
                client,
                groups(some),
                CubeDim::new_1d(GROUP),
                scaled.arg(),
                noise.arg(),
                density.arg(),
                height as i32,
                width as i32,
                radius as i32,
                (unit * unit) as f32,
                first as i32,
                some as i32,
            );
        }
        for first in (0..count).step_by(band(reach)) {
            let some = band(reach).min(count - first);
            parent_kernel::launch_unchecked(
                client,
                groups(some),
                CubeDim::new_1d(GROUP),
                colours.arg(),
                density.arg(),
                parents.arg(),
                height as i32,
                width as i32,
                reach as i32,
                longest,
                first as i32,
                some as i32,
            );
        }
    }
    parents.into_ranked()?.get::<1>()
}
