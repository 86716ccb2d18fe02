//! Scaling of 8-bit pictures as Pillow does it (its `Resample.c` and, for the nearest pixel, `Geometry.c`), to the last
//! bit: weights in fixed point, rows and columns one after the other, rounded to bytes in between. Only the part that is kept is computed, so
//! that a picture of any proportions costs what its crop costs.

use std::{collections::VecDeque, f64::consts::PI, ops::Range};

use super::{
    image::MAX_PIXELS,
    preprocessing::{Resample, Size},
};
use crate::{Error, Result};

/// Bits behind the point of a weight: what 32 bits leave beside a byte and two bits for sums beyond 1.
const PRECISION: u32 = 32 - 8 - 2;

/// A half, so that cutting off rounds.
const HALF: i32 = 1 << (PRECISION - 1);

/// A part of a picture, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// The first column.
    pub x: usize,
    /// The first row.
    pub y: usize,
    /// Height and width.
    pub size: Size,
}

/// Rows of pixels with `C` bytes each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Raster<const C: usize> {
    pub data: Vec<u8>,
    pub size: Size,
}

impl<const C: usize> Raster<C> {
    /// A picture of one colour.
    pub fn filled(size: Size, colour: [u8; C]) -> Self {
        Self { data: colour.repeat(size.height * size.width), size }
    }

    /// Puts another picture's pixels from column `x` and row `y` on, as far as they fit.
    pub fn place(&mut self, other: &Self, x: usize, y: usize) {
        let width = other.size.width.min(self.size.width.saturating_sub(x)) * C;
        let rows = other.data.chunks_exact((other.size.width * C).max(1));
        for (row, pixels) in rows.take(self.size.height.saturating_sub(y)).enumerate() {
            let start = ((y + row) * self.size.width + x) * C;
            self.data[start..start + width].copy_from_slice(&pixels[..width]);
        }
    }
}

/// The part `window` of the picture `source`, whose size is `from`, scaled to the size `to`.
///
/// # Errors
/// [`Error::InputInvalid`] where the way there would take a picture of more than [`MAX_PIXELS`].
pub(super) fn resize<const C: usize>(
    source: &[u8],
    from: Size,
    to: Size,
    window: Window,
    filter: Resample,
) -> Result<Raster<C>> {
    if filter == Resample::Nearest {
        check_steps(from, to, window.size)?;
        return Ok(nearest(source, from, to, window));
    }
    let rows = Taps::new(from.height, to.height, window.y, window.size.height, filter);
    let columns = Taps::new(from.width, to.width, window.x, window.size.width, filter);
    check_steps(from, to, window.size)?;
    let data = if rows_first(from, to) {
        down_then_across::<C>(source, from, &rows, &columns)
    } else {
        check_steps(from, to, Size { height: rows.reach().len(), width: window.size.width })?;
        across_then_down::<C>(source, from, &rows, &columns)
    };
    Ok(Raster { data, size: window.size })
}

/// Whether Pillow (13.0) makes the picture lower before it makes it narrower: where it loses more than twice as many rows as
/// columns. What is rounded in between depends on it.
fn rows_first(from: Size, to: Size) -> bool {
    let lost = |from: usize, to: usize| from as i64 - to as i64;
    let rows = lost(from.height, to.height);
    rows > 0 && rows > 2 * lost(from.width, to.width)
}

fn down_then_across<const C: usize>(source: &[u8], from: Size, rows: &Taps, columns: &Taps) -> Vec<u8> {
    let reach = columns.reach();
    let mut sums = vec![0i32; reach.len() * C];
    let mut data = Vec::with_capacity(rows.0.len() * columns.0.len() * C);
    for (start, weights) in &rows.0 {
        sums.fill(HALF);
        for (row, &weight) in (*start..).zip(weights) {
            let row = &source[(row * from.width + reach.start) * C..];
            add_row(&mut sums, row, weight);
        }
        let row: Vec<u8> = sums.iter().map(|&sum| byte(sum)).collect();
        data.extend(columns.across::<C>(&row, reach.start));
    }
    data
}

fn across_then_down<const C: usize>(source: &[u8], from: Size, rows: &Taps, columns: &Taps) -> Vec<u8> {
    let mut sums = vec![0i32; columns.0.len() * C];
    let mut data = Vec::with_capacity(rows.0.len() * sums.len());
    // The rows of the source that the current row is a sum of, scaled to the window's width; `next` is the one after them.
    let (mut held, mut next) = (VecDeque::<Vec<u8>>::new(), 0);
    for (start, weights) in &rows.0 {
        while !held.is_empty() && next - held.len() < *start {
            held.pop_front();
        }
        next = next.max(*start);
        while next < start + weights.len() {
            held.push_back(columns.across::<C>(&source[next * from.width * C..], 0));
            next += 1;
        }
        sums.fill(HALF);
        for (row, &weight) in held.iter().zip(weights) {
            add_row(&mut sums, row, weight);
        }
        data.extend(sums.iter().map(|&sum| byte(sum)));
    }
    data
}

fn add_row(sums: &mut [i32], row: &[u8], weight: i32) {
    for (sum, &value) in sums.iter_mut().zip(row) {
        *sum += i32::from(value) * weight;
    }
}

/// Refuses a way from one size to another on which a picture would have more pixels than may be given.
///
/// # Errors
/// [`Error::InputInvalid`].
pub(super) fn check_steps(from: Size, to: Size, step: Size) -> Result<()> {
    // Beyond this length a 32-bit browser would cut it off.
    let fits = to.height.max(to.width) <= 1 << 30;
    if fits && (step.height as u64).saturating_mul(step.width as u64) <= MAX_PIXELS {
        return Ok(());
    }
    Err(Error::InputInvalid(format!(
        "A picture of {} x {} pixels would have to be scaled to {} x {} on its way to the network, which is too large. Cut \
         out the part that matters first.",
        from.width, from.height, to.width, to.height
    )))
}

/// For each output place in a row or column, the first place of the source that counts, and the weights from there on.
struct Taps(Vec<(usize, Vec<i32>)>);

impl Taps {
    /// Weights of `count` places from `first` on, of a line of `from` places scaled to `to`.
    fn new(from: usize, to: usize, first: usize, count: usize, filter: Resample) -> Self {
        let scale = from as f64 / to as f64;
        let stretch = scale.max(1.0);
        let support = support(filter) * stretch;
        let taps = (first..first + count).map(|place| {
            let centre = (place as f64 + 0.5) * scale;
            // A cast cuts off what lies before 0.
            let start = (centre - support + 0.5) as usize;
            let end = ((centre + support + 0.5) as usize).min(from);
            let weight = |at: usize| weight(filter, (at as f64 - centre + 0.5) * (1.0 / stretch));
            let weights: Vec<f64> = (start..end).map(weight).collect();
            let total: f64 = weights.iter().sum();
            let fixed = |weight: f64| {
                let share = if total == 0.0 { weight } else { weight / total };
                (share * f64::from(1 << PRECISION) + 0.5f64.copysign(share)) as i32
            };
            (start, weights.into_iter().map(fixed).collect())
        });
        Self(taps.collect())
    }

    /// The places of the source that count.
    fn reach(&self) -> Range<usize> {
        match (self.0.first(), self.0.last()) {
            (Some((start, _)), Some((last, weights))) => *start..last + weights.len(),
            _ => 0..0,
        }
    }

    /// A row of pixels, of which the first is at place `offset`, scaled.
    fn across<const C: usize>(&self, row: &[u8], offset: usize) -> Vec<u8> {
        let mut scaled = Vec::with_capacity(self.0.len() * C);
        for (start, weights) in &self.0 {
            let mut sums = [HALF; C];
            for (pixel, &weight) in row[(start - offset) * C..].as_chunks::<C>().0.iter().zip(weights) {
                add_row(&mut sums, pixel, weight);
            }
            scaled.extend(sums.map(byte));
        }
        scaled
    }
}

fn byte(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

/// How far a filter reaches at the source's own size.
fn support(filter: Resample) -> f64 {
    match filter {
        Resample::Nearest | Resample::Box => 0.5,
        Resample::Bilinear | Resample::Hamming => 1.0,
        Resample::Bicubic => 2.0,
        Resample::Lanczos => 3.0,
    }
}

/// The filter's value at a distance in pixels.
fn weight(filter: Resample, x: f64) -> f64 {
    let sinc = |x: f64| if x == 0.0 { 1.0 } else { (x * PI).sin() / (x * PI) };
    let away = x.abs();
    match filter {
        Resample::Nearest | Resample::Box => f64::from(x > -0.5 && x <= 0.5),
        Resample::Bilinear => (1.0 - away).max(0.0),
        Resample::Hamming if away == 0.0 => 1.0,
        Resample::Hamming if away >= 1.0 => 0.0,
        Resample::Hamming => sinc(away) * (0.54 + 0.46 * (away * PI).cos()),
        // Keys' cubic with a = -1/2.
        Resample::Bicubic if away < 1.0 => (1.5 * away - 2.5) * away * away + 1.0,
        Resample::Bicubic if away < 2.0 => (((away - 5.0) * away + 8.0) * away - 4.0) * -0.5,
        Resample::Bicubic => 0.0,
        Resample::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
        Resample::Lanczos => 0.0,
    }
}

fn nearest<const C: usize>(source: &[u8], from: Size, to: Size, window: Window) -> Raster<C> {
    let columns = nearest_places(from.width, to.width, window.x, window.size.width);
    let rows = nearest_places(from.height, to.height, window.y, window.size.height);
    let pixels = source.as_chunks::<C>().0;
    let data = rows
        .iter()
        .flat_map(|row| columns.iter().flat_map(move |column| pixels[row * from.width + column]))
        .collect();
    Raster { data, size: window.size }
}

/// The places of the source that are taken. Pillow adds up the steps, whose rounding decides where a centre falls between
/// two pixels; from far away the product has to do.
fn nearest_places(from: usize, to: usize, first: usize, count: usize) -> Vec<usize> {
    let step = from as f64 / to as f64;
    let mut at = step * 0.5;
    if first as u64 > MAX_PIXELS {
        at += step * first as f64;
    } else {
        (0..first).for_each(|_| at += step);
    }
    let mut places = Vec::with_capacity(count);
    for _ in 0..count {
        places.push((at as usize).min(from.saturating_sub(1)));
        at += step;
    }
    places
}
