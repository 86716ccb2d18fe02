//! Maxima of windows, and means of planes.

use macerator::{AutoArch, Simd, WithSimd};

use crate::{
    across::{Across, apart, together},
    grid::Shape,
    scratch::Scratch,
    sweep::{Columns, Sweep},
    threads::{self, MOVE},
    tile::{LANES, Lanes},
    windows::{UNBOUNDED, Windows, beside, past, rows_together, slide},
};

/// The maxima of the windows of each plane.
pub fn maximum(shape: &Shape, x: &[f32], out: &mut [f32]) {
    slide::<true>(&Sweep::forward(shape), x, None, &|_, _| [f32::NEG_INFINITY; LANES], out);
}

/// The gradient of planes from that of their maxima: the first of the largest values gets it.
pub fn maximum_backward(shape: &Shape, x: &[f32], gradient: &[f32], out: &mut [f32]) {
    let sweep = &Sweep::forward(shape);
    let [read, written] = [sweep.from, sweep.to].map(|[height, width]| height * width);
    let work = 3 * gradient.len() * sweep.order.len() + (2 * x.len() + gradient.len()) * MOVE;
    threads::shares(out, LANES * read, work, |first, out| {
        let (ring, rows) = (sweep.ring(), rows_together(sweep.from));
        let line = sweep.to[1] + past(sweep);
        let mut room = Scratch::new((2 * ring + rows + 2 * line) * LANES);
        let (values, rest) = room.as_chunks_mut().0.split_at_mut(ring);
        let (found, rest) = rest.split_at_mut(ring);
        let (rows, rest) = rest.split_at_mut(rows);
        let (maxima, left) = rest.split_at_mut(line);
        values.fill([beside::<true>(); LANES]);
        for (group, out) in (first..).zip(out.chunks_mut(LANES * read)) {
            let x = &x[group * LANES * read..];
            let gradient = &gradient[group * LANES * written..];
            let (values, found, rows) = (&mut values[..], &mut found[..], &mut rows[..]);
            let (maxima, left) = (&mut maxima[..], &mut left[..]);
            AutoArch::new().dispatch(Planes { sweep, x, gradient, values, found, rows, maxima, left, out });
        }
    });
}

/// Some planes side by side.
struct Planes<'a> {
    sweep: &'a Sweep,
    x: &'a [f32],
    gradient: &'a [f32],
    /// The rows that are read, and what each number of them has been handed.
    values: &'a mut [Across],
    found: &'a mut [Across],
    /// Rows of the gradient that are to be put in their places.
    rows: &'a mut [Across],
    /// A row of maxima, and what is left of their gradient.
    maxima: &'a mut [Across],
    left: &'a mut [Across],
    out: &'a mut [f32],
}

impl WithSimd for Planes<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self) {
        let sweep = self.sweep;
        let ([height, width], [rows, columns]) = (sweep.from, sweep.to);
        let count = self.out.len() / (height * width);
        let windows =
            Windows::<true> { sweep, weights: &[], start: [f32::NEG_INFINITY; LANES], bounds: UNBOUNDED };
        let mut read = 0;
        for (row, reads) in sweep.rows.iter().enumerate() {
            while read < reads.reach {
                // Where this row will be kept, one was that nobody needs any more.
                if let Some(done) = read.checked_sub(sweep.kept) {
                    self.put(done, count);
                }
                let place = sweep.places[read];
                together(&self.x[read * width..], height * width, count, &mut self.values[place..][..width]);
                self.found[place..][..width].fill([0.0; LANES]);
                read += 1;
            }
            windows.row(&reads.rows, self.values, self.maxima);
            together(&self.gradient[row * columns..], rows * columns, count, &mut self.left[..columns]);
            for &(row, _) in &reads.rows {
                for columns in &sweep.columns {
                    match (columns.side_by_side, columns.stride) {
                        (Some(3), 2) => self.hand::<3>(row, columns, 0),
                        _ => (0..columns.taps.len()).for_each(|tap| self.hand::<1>(row, columns, tap)),
                    }
                }
            }
        }
        for done in read.saturating_sub(sweep.kept)..height {
            if done >= read {
                self.found[sweep.places[done]..][..width].fill([0.0; LANES]);
            }
            self.put(done, count);
        }
    }
}

impl Planes<'_> {
    /// Hands what is left of the gradient to the numbers of a row that are the maxima, at some taps side by side from this one on.
    #[cfg_attr(target_family = "wasm", inline(never))]
    #[cfg_attr(not(target_family = "wasm"), inline(always))]
    fn hand<const TAPS: usize>(&mut self, row: usize, columns: &Columns, tap: usize) {
        let begin = row + columns.taps[tap];
        for (place, (maximum, left)) in
            self.maxima.iter().zip(self.left.iter_mut()).enumerate().take(columns.count)
        {
            let at = begin + place * columns.stride;
            let (values, found) = (&self.values[at..][..TAPS], &mut self.found[at..][..TAPS]);
            let (maximum, mut rest) = (Lanes::of(maximum), Lanes::of(left));
            for (value, found) in values.iter().zip(found) {
                let (taken, others) = rest.split_where_equal(Lanes::of(value), maximum);
                *found = Lanes::of(found).plus(taken).values();
                rest = others;
            }
            *left = rest.values();
        }
    }

    /// Puts a row of the gradient in its place, as soon as there are enough of them.
    #[inline(always)]
    fn put(&mut self, row: usize, count: usize) {
        let [height, width] = self.sweep.from;
        let begin = row * width % self.rows.len();
        let end = begin + width;
        self.rows[begin..end].copy_from_slice(&self.found[self.sweep.places[row]..][..width]);
        if end == self.rows.len() || row + 1 == height {
            apart(&self.rows[..end], count, &mut self.out[row * width - begin..], height * width);
        }
    }
}

/// The mean of each plane of `size` elements.
pub fn mean(x: &[f32], size: usize, out: &mut [f32]) {
    threads::shares(out, 1, x.len() * MOVE, |first, out| {
        for (x, out) in x.chunks_exact(size).skip(first).zip(out) {
            // Several sums at once are as fast as the memory, and rounded less than one.
            let (eights, rest) = x.as_chunks::<8>();
            let mut sums = [0.0; 8];
            for eight in eights {
                for (sum, value) in sums.iter_mut().zip(eight) {
                    *sum += value;
                }
            }
            *out = (sums.iter().sum::<f32>() + rest.iter().sum::<f32>()) / size as f32;
        }
    });
}
