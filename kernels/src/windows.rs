//! Sums and maxima of the windows of some planes side by side, row by row.
//!
//! No number has to change its place in a vector, each is read once for all the taps of a row that see it, and no tap falls above or below
//! the plane in vain.

use macerator::{AutoArch, Simd, WithSimd};

use crate::{
    across::{Across, apart, together},
    scratch::Scratch,
    sweep::{Columns, Sweep},
    threads::{self, MOVE},
    tile::{LANES, Lanes},
};

/// Numbers of each plane that are put in their places at once: more than a row, so that memory is written to in longer stretches.
const TOGETHER: usize = 256;

/// Windows that are computed at once, at most.
pub const STEP: usize = 8;

/// Computes the windows of all planes: weighted sums of their numbers, kept between bounds where there are any, or their maxima.
///
/// `lay` is asked for every [`LANES`] planes by their number: it lays out their weights, in the order of the sweep, and tells what
/// sums and maxima set out from.
pub fn slide<const MAXIMUM: bool>(
    sweep: &Sweep,
    source: &[f32],
    bounds: Option<(f32, f32)>,
    lay: &(dyn Fn(usize, &mut [Across]) -> Across + Sync),
    out: &mut [f32],
) {
    let [read, written] = [sweep.from, sweep.to].map(|[height, width]| height * width);
    let bounds = bounds.unwrap_or(UNBOUNDED);
    let work = out.len() * sweep.order.len() + (source.len() + out.len()) * MOVE;
    threads::shares(out, LANES * written, work, |first, out| {
        let rows = rows_together(sweep.to);
        let mut room = Scratch::new((sweep.ring() + rows + past(sweep) + sweep.order.len()) * LANES);
        let (ring, rest) = room.as_chunks_mut().0.split_at_mut(sweep.ring());
        let (rows, weights) = rest.split_at_mut(rows + past(sweep));
        ring.fill([beside::<MAXIMUM>(); LANES]);
        for (group, out) in (first..).zip(out.chunks_mut(LANES * written)) {
            let start = lay(group, weights);
            let windows = Windows { sweep, weights, start, bounds };
            let source = &source[group * LANES * read..];
            let (ring, rows) = (&mut ring[..], &mut rows[..]);
            AutoArch::new().dispatch(Planes::<MAXIMUM> { windows, source, ring, rows, out });
        }
    });
}

/// Bounds that keep nothing back.
pub const UNBOUNDED: (f32, f32) = (f32::NEG_INFINITY, f32::INFINITY);

/// What lies beside a plane.
pub fn beside<const MAXIMUM: bool>() -> f32 {
    if MAXIMUM { f32::NEG_INFINITY } else { 0.0 }
}

/// Numbers of the rows of such a plane that are put in their places at once.
pub fn rows_together([height, width]: [usize; 2]) -> usize {
    (TOGETHER / width).clamp(1, height) * width
}

/// Room behind rows that are written: windows past the end are computed too, where a part of some is needed.
pub fn past(sweep: &Sweep) -> usize {
    STEP * sweep.columns.iter().map(|columns| columns.step).max().unwrap_or(0)
}

/// Some planes side by side.
struct Planes<'a, const MAXIMUM: bool> {
    windows: Windows<'a, MAXIMUM>,
    source: &'a [f32],
    ring: &'a mut [Across],
    rows: &'a mut [Across],
    out: &'a mut [f32],
}

impl<const MAXIMUM: bool> WithSimd for Planes<'_, MAXIMUM> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self) {
        let Self { windows, source, ring, rows, out } = self;
        let sweep = windows.sweep;
        let ([height, width], [last, columns]) = (sweep.from, sweep.to);
        let (plane, room) = (last * columns, rows_together(sweep.to));
        let count = out.len() / plane;
        let mut read = 0;
        for (row, reads) in sweep.rows.iter().enumerate() {
            while read < reads.reach {
                let kept = &mut ring[sweep.places[read]..][..width];
                together(&source[read * width..], height * width, count, kept);
                read += 1;
            }
            let begin = row * columns % room;
            windows.row(&reads.rows, ring, &mut rows[begin..]);
            let end = begin + columns;
            if end == room || row + 1 == last {
                apart(&rows[..end], count, &mut out[row * columns - begin..], plane);
            }
        }
    }
}

/// What windows are made of.
pub struct Windows<'a, const MAXIMUM: bool> {
    pub sweep: &'a Sweep,
    pub weights: &'a [Across],
    /// What sums and maxima set out from, and the bounds that they are kept in.
    pub start: Across,
    pub bounds: (f32, f32),
}

impl<const MAXIMUM: bool> Windows<'_, MAXIMUM> {
    /// A row of windows, from these rows of the ring.
    #[inline(always)]
    pub fn row(&self, reads: &[(usize, usize)], ring: &[Across], out: &mut [Across]) {
        for columns in &self.sweep.columns {
            let row = Row { windows: self, columns, reads, ring };
            match (columns.side_by_side, columns.stride) {
                (Some(2), 1) if !MAXIMUM => row.side_by_side::<2, 1>(out),
                (Some(3), 1) if !MAXIMUM => row.side_by_side::<3, 1>(out),
                (Some(5), 1) if !MAXIMUM => row.side_by_side::<5, 1>(out),
                (Some(5), 2) if !MAXIMUM => row.side_by_side::<5, 2>(out),
                (Some(3), 2) => row.side_by_side::<3, 2>(out),
                (_, 1) => row.any::<STEP>(out),
                _ => row.any::<1>(out),
            }
        }
    }

    /// A product and a sum are rounded each by itself, as Burn does: near the kinks of rectifiers gradients would differ from its else.
    #[inline(always)]
    fn step(found: Lanes, weight: Lanes, values: Lanes) -> Lanes {
        if MAXIMUM { found.maximum(values) } else { found.plus(values.times_each(weight)) }
    }
}

/// A row of windows in columns that see the same taps.
struct Row<'a, const MAXIMUM: bool> {
    windows: &'a Windows<'a, MAXIMUM>,
    columns: &'a Columns,
    reads: &'a [(usize, usize)],
    ring: &'a [Across],
}

impl<const MAXIMUM: bool> Row<'_, MAXIMUM> {
    /// Windows of so many taps in a row.
    #[inline(always)]
    fn side_by_side<const TAPS: usize, const STRIDE: usize>(&self, out: &mut [Across]) {
        // The last planes of most networks have seven columns, those before twice as many.
        let sevens = !MAXIMUM && self.columns.count.is_multiple_of(7);
        if sevens && (TAPS > 3 || !self.columns.count.is_multiple_of(STEP)) {
            self.some::<7, TAPS, STRIDE>(out);
        } else {
            self.some::<STEP, TAPS, STRIDE>(out);
        }
    }

    /// The same, `N` at once. A function by itself, so that a browser keeps what it finds in registers.
    #[cfg_attr(target_family = "wasm", inline(never))]
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    fn some<const N: usize, const TAPS: usize, const STRIDE: usize>(&self, out: &mut [Across]) {
        let Self { windows, columns, reads, ring } = self;
        let start = Lanes::of(&windows.start);
        let begin = columns.taps.first().copied().unwrap_or(0);
        for place in (0..columns.count).step_by(N) {
            let at = begin + place * STRIDE;
            let mut found = [start; N];
            for &(row, weights) in *reads {
                let values = &ring[row + at..][..(N - 1) * STRIDE + TAPS];
                let mut known = [start; TAPS];
                if !MAXIMUM {
                    let weights = &windows.weights[weights + columns.weights..][..TAPS];
                    for (known, weight) in known.iter_mut().zip(weights) {
                        *known = Lanes::of(weight);
                    }
                }
                for (n, found) in found.iter_mut().enumerate() {
                    for (tap, &weight) in known.iter().enumerate() {
                        let values = Lanes::of(&values[n * STRIDE + tap]);
                        *found = Windows::<MAXIMUM>::step(*found, weight, values);
                    }
                }
            }
            self.put(found, place, out);
        }
    }

    /// Windows of any taps, `N` at once: several where what is read moves on by one column.
    #[cfg_attr(target_family = "wasm", inline(never))]
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    fn any<const N: usize>(&self, out: &mut [Across]) {
        let Self { windows, columns, reads, ring } = self;
        let start = Lanes::of(&windows.start);
        for place in (0..columns.count).step_by(N) {
            let at = place * columns.stride;
            let mut found = [start; N];
            for &(row, weights) in *reads {
                for (number, tap) in columns.taps.iter().enumerate() {
                    let weight =
                        if MAXIMUM { None } else { windows.weights.get(weights + columns.weights + number) };
                    let weight = weight.map_or(start, Lanes::of);
                    let values = &ring[row + at + tap..][..N];
                    for (found, values) in found.iter_mut().zip(values) {
                        *found = Windows::<MAXIMUM>::step(*found, weight, Lanes::of(values));
                    }
                }
            }
            self.put(found, place, out);
        }
    }

    #[inline(always)]
    fn put<const N: usize>(&self, found: [Lanes; N], place: usize, out: &mut [Across]) {
        let ((low, high), &Columns { first, step, .. }) = (self.windows.bounds, self.columns);
        let out = &mut out[first + place * step..][..(N - 1) * step + 1];
        for (n, found) in found.into_iter().enumerate() {
            out[n * step] = found.bound(low, high).values();
        }
    }
}
