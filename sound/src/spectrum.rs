//! The short-time spectrum, and the way back from it.
//!
//! A frame is centred on every `hop`-th sample and weighed by Hann's window. On the way back it is weighed again, frames are added, and
//! the sum is divided by that of the squared windows (Griffin and Lim 1984), so that an unchanged spectrum gives the sound
//! back, and a changed one the sound whose own spectrum comes nearest.

use std::f64::consts::PI;

/// The cells of a short-time spectrum: `bins` frequencies from 0 to half of the rate in `frames` steps in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spectrum {
    /// Samples of a frame, a power of two of at least 4.
    pub window: usize,
    /// Samples of the sound.
    pub length: usize,
}

impl Spectrum {
    /// For a sound of `length` samples at `rate`: frames of 32 ms (to the next power of two), or shorter ones where a sound would have
    /// fewer than 16 steps.
    pub fn new(length: usize, rate: u32) -> Self {
        let usual = ((f64::from(rate) * 0.032) as usize).next_power_of_two();
        let most = 1 << (length / 4).max(16).ilog2();
        Self { window: usual.clamp(16, most), length }
    }

    /// Samples from one frame to the next: a quarter of a frame.
    pub fn hop(&self) -> usize {
        self.window / 4
    }

    /// Number of frames.
    pub fn frames(&self) -> usize {
        self.length.div_ceil(self.hop()) + 1
    }

    /// Number of frequencies.
    pub fn bins(&self) -> usize {
        self.window / 2 + 1
    }

    /// Number of cells.
    pub fn cells(&self) -> usize {
        self.bins() * self.frames()
    }

    /// Hann's window, periodic.
    pub fn hann(&self) -> Vec<f64> {
        (0..self.window).map(|n| 0.5 - 0.5 * (2.0 * PI * n as f64 / self.window as f64).cos()).collect()
    }

    /// What the sum of the weighed frames is multiplied by, for every sample from half a frame before the sound on,
    /// `(frames - 1) * hop + window` of them.
    pub fn scale(&self) -> Vec<f64> {
        let window = self.hann();
        let mut sums = vec![0.0f64; (self.frames() - 1) * self.hop() + self.window];
        for frame in 0..self.frames() {
            for (sum, weight) in sums[frame * self.hop()..].iter_mut().zip(&window) {
                *sum += weight * weight;
            }
        }
        sums.into_iter().map(|sum| if sum > 1e-9 { 1.0 / sum } else { 0.0 }).collect()
    }

    /// The spectrum of a sound of `length` samples: `[2, bins, frames]`, the real parts and then the imaginary ones.
    pub fn of(&self, samples: &[f32]) -> Vec<f32> {
        let (window, frames, cells) = (self.hann(), self.frames(), self.cells());
        let mut spectrum = vec![0.0f32; 2 * cells];
        let mut buffer = vec![(0.0, 0.0); self.window];
        for frame in 0..frames {
            for (n, (value, weight)) in buffer.iter_mut().zip(&window).enumerate() {
                let at = (frame * self.hop() + n).checked_sub(self.window / 2);
                let sample = at.and_then(|at| samples.get(at)).copied().unwrap_or(0.0);
                *value = (f64::from(sample) * weight, 0.0);
            }
            transform(&mut buffer);
            for (bin, (re, im)) in buffer[..self.bins()].iter().enumerate() {
                spectrum[bin * frames + frame] = *re as f32;
                spectrum[cells + bin * frames + frame] = *im as f32;
            }
        }
        spectrum
    }

    /// The sound of a spectrum, `[2, bins, frames]`: `length` samples.
    pub fn sound(&self, spectrum: &[f32]) -> Vec<f32> {
        let (window, scale, frames, cells) = (self.hann(), self.scale(), self.frames(), self.cells());
        let mut sums = vec![0.0f64; scale.len()];
        let mut buffer = vec![(0.0, 0.0); self.window];
        let value = |at: usize| spectrum.get(at).copied().map_or(0.0, f64::from);
        for frame in 0..frames {
            for bin in 0..self.bins() {
                let (re, im) = (value(bin * frames + frame), value(cells + bin * frames + frame));
                // The transform of the conjugate is the conjugate of the way back.
                buffer[bin] = (re, -im);
                buffer[(self.window - bin) % self.window] = (re, im);
            }
            // A sound's spectrum is real at both ends.
            buffer[0].1 = 0.0;
            buffer[self.window / 2].1 = 0.0;
            transform(&mut buffer);
            let start = frame * self.hop();
            for ((sum, (re, _)), weight) in sums[start..].iter_mut().zip(&buffer).zip(&window) {
                *sum += re * weight / self.window as f64;
            }
        }
        let start = self.window / 2;
        (start..start + self.length).map(|at| (sums[at] * scale[at]) as f32).collect()
    }

    /// The spectrum with each cell multiplied by its value in `mask`, `[bins, frames]`; phases stay.
    pub fn masked(&self, spectrum: &[f32], mask: &[f32]) -> Vec<f32> {
        spectrum.iter().zip(mask.iter().cycle()).map(|(value, kept)| value * kept).collect()
    }

    /// The time from which and up to which a frame stands for the sound, in samples: half a step around its centre.
    pub fn span(&self, frame: usize) -> (f64, f64) {
        let (centre, half) = ((frame * self.hop()) as f64, self.hop() as f64 / 2.0);
        ((centre - half).max(0.0), (centre + half).min(self.length as f64))
    }
}

/// Fourier's transform in place, of a power of two of complex numbers (Cooley and Tukey 1965).
fn transform(values: &mut [(f64, f64)]) {
    let length = values.len();
    let mut reversed = 0;
    for index in 1..length {
        let mut bit = length >> 1;
        while reversed & bit != 0 {
            reversed ^= bit;
            bit >>= 1;
        }
        reversed |= bit;
        if index < reversed {
            values.swap(index, reversed);
        }
    }
    let roots: Vec<(f64, f64)> = (0..length / 2)
        .map(|k| {
            let angle = -2.0 * PI * k as f64 / length as f64;
            (angle.cos(), angle.sin())
        })
        .collect();
    let mut half = 1;
    while half < length {
        let stride = length / (2 * half);
        for block in values.chunks_exact_mut(2 * half) {
            let (low, high) = block.split_at_mut(half);
            for (k, (a, b)) in low.iter_mut().zip(high).enumerate() {
                let (cos, sin) = roots[k * stride];
                let (re, im) = (b.0 * cos - b.1 * sin, b.0 * sin + b.1 * cos);
                *b = (a.0 - re, a.1 - im);
                *a = (a.0 + re, a.1 + im);
            }
        }
        half *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(length: usize) -> Vec<f32> {
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state as f32 / u32::MAX as f32 * 2.0 - 1.0
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn an_unchanged_spectrum_gives_the_sound_back() {
        for (length, rate) in
            [(16_000, 16_000), (15_999, 16_000), (512, 16_000), (100, 8000), (2, 16_000), (70_000, 44_100)]
        {
            let cut = Spectrum::new(length, rate);
            let sound = noise(length);
            let spectrum = cut.of(&sound);
            assert_eq!(spectrum.len(), 2 * cut.cells());
            let full = cut.masked(&spectrum, &vec![1.0; cut.cells()]);
            let back = cut.sound(&full);
            assert_eq!(back.len(), length);
            let wrong: Vec<f32> = back.iter().zip(&sound).map(|(a, b)| a - b).collect();
            let ratio = 20.0 * (crate::level(&sound) / crate::level(&wrong)).log10();
            assert!(ratio > 100.0, "{length} samples: {ratio} dB");
        }
        assert_eq!(Spectrum::new(16_000, 16_000).window, 512);
        assert_eq!(Spectrum::new(44_100, 44_100).window, 2048);
        assert_eq!(Spectrum::new(512, 16_000).window, 128);
    }

    #[test]
    fn a_tone_is_found_at_its_frequency_and_time() {
        let cut = Spectrum::new(16_000, 16_000);
        let sound: Vec<f32> = (0..16_000)
            .map(|n| if n < 8000 { 0.0 } else { (2.0 * PI * 1000.0 * f64::from(n) / 16_000.0).sin() as f32 })
            .collect();
        let spectrum = cut.of(&sound);
        let size = |bin: usize, frame: usize| {
            let at = bin * cut.frames() + frame;
            spectrum[at].hypot(spectrum[cut.cells() + at])
        };
        // 1000 Hz is bin 32, half of the window's sum high; the tone starts at frame 62.5.
        assert!((size(32, 100) - 128.0).abs() < 0.5, "{}", size(32, 100));
        assert!(size(60, 100) < 0.1 && size(32, 50) < 1e-3);
    }

    #[test]
    fn both_halves_of_a_mask_add_up_to_the_sound() {
        let cut = Spectrum::new(3000, 16_000);
        let sound = noise(3000);
        let spectrum = cut.of(&sound);
        let mask: Vec<f32> = noise(cut.cells()).into_iter().map(|value| (value + 1.0) / 2.0).collect();
        let rest: Vec<f32> = mask.iter().map(|kept| 1.0 - kept).collect();
        let parts = [mask, rest].map(|mask| cut.sound(&cut.masked(&spectrum, &mask)));
        for (at, value) in sound.iter().enumerate() {
            assert!((parts[0][at] + parts[1][at] - value).abs() < 1e-5);
        }
    }
}
