//! Filter banks: from the samples of a sound to the energies of bands, as a table of numbers that a graph can be made of.
//!
//! Scaling, the removal of a frame's mean, pre-emphasis, the window and Fourier's transform are linear in the samples of a
//! frame, so that they are one matrix. What follows (power, bands, logarithm) is not, and stands in the graph.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// The shape of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Window {
    /// Hann's.
    #[default]
    Hann,
    /// Hamming's.
    Hamming,
    /// Hann's to the power of 0.85, as Kaldi has it.
    Povey,
    /// All ones.
    #[serde(alias = "rectangular")]
    Boxcar,
}

impl Window {
    /// The window's values; a periodic one leaves out the last of a symmetric one that is longer by one.
    pub fn values(self, length: usize, periodic: bool) -> Vec<f64> {
        let steps = if periodic { length } else { length.saturating_sub(1) }.max(1) as f64;
        let cosine = |n: usize| (2.0 * PI * n as f64 / steps).cos();
        (0..length)
            .map(|n| match self {
                Self::Hann => 0.5 - 0.5 * cosine(n),
                Self::Hamming => 0.54 - 0.46 * cosine(n),
                Self::Povey => (0.5 - 0.5 * cosine(n)).powf(0.85),
                Self::Boxcar => 1.0,
            })
            .collect()
    }
}

/// A scale of pitch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// 2595 log10(1 + f / 700).
    #[default]
    Htk,
    /// 1127 ln(1 + f / 700), with triangles that are straight in mel and not in hertz.
    Kaldi,
    /// Slaney's: linear up to 1000 Hz, logarithmic above.
    Slaney,
}

impl Scale {
    fn mel(self, hertz: f64) -> f64 {
        match self {
            Self::Htk => 2595.0 * (1.0 + hertz / 700.0).log10(),
            Self::Kaldi => 1127.0 * (1.0 + hertz / 700.0).ln(),
            Self::Slaney if hertz < 1000.0 => 3.0 * hertz / 200.0,
            Self::Slaney => 15.0 + (hertz / 1000.0).ln() * 27.0 / 6.4f64.ln(),
        }
    }

    fn hertz(self, mel: f64) -> f64 {
        match self {
            Self::Htk => 700.0 * (10f64.powf(mel / 2595.0) - 1.0),
            Self::Kaldi => 700.0 * ((mel / 1127.0).exp() - 1.0),
            Self::Slaney if mel < 15.0 => 200.0 * mel / 3.0,
            Self::Slaney => 1000.0 * (6.4f64.ln() / 27.0 * (mel - 15.0)).exp(),
        }
    }
}

/// Triangular bands on a scale of pitch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bands {
    /// How many.
    pub count: usize,
    /// Where the lowest begins, in hertz.
    pub low: f64,
    /// Where the highest ends, in hertz.
    pub high: f64,
    /// The scale on which their centres are equally far apart.
    pub scale: Scale,
    /// Whether each is divided by its width (Slaney), so that noise has the same energy in all.
    pub by_width: bool,
}

impl Bands {
    /// The weight of each frequency of a transform of `window` samples in each band, `[bands, window / 2 + 1]`.
    pub fn weights(&self, window: usize, rate: u32) -> Vec<f64> {
        let bins = window / 2 + 1;
        let (low, high) = (self.scale.mel(self.low), self.scale.mel(self.high));
        let mels: Vec<f64> =
            (0..self.count + 2).map(|at| low + (high - low) * at as f64 / (self.count + 1) as f64).collect();
        let hertz = |bin: usize| bin as f64 * f64::from(rate) / window as f64;
        let in_mel = self.scale == Scale::Kaldi;
        let corners: Vec<f64> =
            mels.iter().map(|&mel| if in_mel { mel } else { self.scale.hertz(mel) }).collect();
        let mut weights = Vec::with_capacity(self.count * bins);
        for corner in corners.windows(3) {
            let [left, centre, right] = corner else { continue };
            let width = if self.by_width { 2.0 / (right - left) } else { 1.0 };
            weights.extend((0..bins).map(|bin| {
                let at = if in_mel { self.scale.mel(hertz(bin)) } else { hertz(bin) };
                let up = (at - left) / (centre - left);
                let down = (right - at) / (right - centre);
                width * up.min(down).max(0.0)
            }));
        }
        weights
    }
}

/// How energies are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// The natural logarithm.
    #[default]
    #[serde(alias = "log", alias = "ln")]
    Natural,
    /// The decimal logarithm.
    Log10,
    /// Ten times that, of powers; twenty times, of magnitudes.
    #[serde(alias = "dB")]
    Db,
    /// None.
    None,
}

/// What is subtracted from energies, and what they are divided by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Normalisation {
    /// `(x - mean) / deviation`.
    Fixed {
        /// What is subtracted.
        mean: f64,
        /// What is divided by.
        deviation: f64,
    },
    /// The mean and the deviation (of a sample: n - 1) of each band over the frames of the sound, which SeamlessM4T takes.
    EachBand,
}

/// From samples to the energies of bands.
#[derive(Debug, Clone, PartialEq)]
pub struct FilterBank {
    /// Samples a second.
    pub rate: u32,
    /// Samples of a frame, by which the window is long.
    pub frame: usize,
    /// Samples of the transform; zeros follow a frame that is shorter.
    pub transform: usize,
    /// Samples from one frame to the next.
    pub hop: usize,
    /// The window.
    pub window: Window,
    /// Whether the window is periodic.
    pub periodic: bool,
    /// Samples are multiplied by that first: Kaldi's are integers of 16 bits.
    pub gain: f64,
    /// Whether each frame's mean is subtracted.
    pub remove_mean: bool,
    /// How much of the sample before is subtracted from each, 0 for nothing.
    pub pre_emphasis: f64,
    /// Whether frames are centred on their times, with half a frame before and after the sound.
    pub centred: bool,
    /// Whether what is before and after is the sound mirrored, else silence.
    pub mirrored: bool,
    /// Whether the last frame is left out, as Whisper does.
    pub drop_last: bool,
    /// Whether powers are summed up, else magnitudes.
    pub power: bool,
    /// The bands; none for the frequencies themselves.
    pub bands: Option<Bands>,
    /// Energies are raised to that at least.
    pub floor: f64,
    /// That is added before the logarithm.
    pub offset: f64,
    /// The logarithm.
    pub compression: Compression,
    /// Values further below the largest of the sound are raised to that distance.
    pub range: Option<f64>,
    /// Frames that the network takes: zeros follow a sound that has fewer (before the normalisation, as AST does), and what is more
    /// is cut off.
    pub frames: Option<usize>,
    /// Normalisation.
    pub normalisation: Option<Normalisation>,
    /// Frames that are joined to one step.
    pub stacked: usize,
    /// Whether frames come first, `[frames, bands]`, else `[bands, frames]`.
    pub frames_first: bool,
}

impl FilterBank {
    /// Number of frequencies.
    pub fn bins(&self) -> usize {
        self.transform / 2 + 1
    }

    /// Number of bands, or of frequencies where there are none.
    pub fn height(&self) -> usize {
        self.bands.map_or(self.bins(), |bands| bands.count)
    }

    /// Frames of a sound of so many samples, before any are added or cut off; 0 where it is shorter than a frame.
    pub fn frames_of(&self, length: usize) -> usize {
        let whole = if self.centred { length + self.frame / 2 * 2 } else { length };
        let frames = whole.checked_sub(self.frame).map_or(0, |rest| rest / self.hop + 1);
        frames.saturating_sub(usize::from(self.drop_last))
    }

    /// The least samples that give so many frames.
    pub fn length_for(&self, frames: usize) -> usize {
        let whole = (frames + usize::from(self.drop_last)).saturating_sub(1) * self.hop + self.frame;
        if self.centred { whole - self.frame / 2 * 2 } else { whole }.max(2)
    }

    /// What turns the samples of a frame into real parts and then imaginary parts: `[2 * bins, frame]`.
    pub fn matrix(&self) -> Vec<f64> {
        let window = self.window.values(self.frame, self.periodic);
        let mut matrix = vec![0.0; 2 * self.bins() * self.frame];
        for (row, weights) in matrix.chunks_exact_mut(self.frame).enumerate() {
            let (bin, imaginary) = (row % self.bins(), row >= self.bins());
            for (n, weight) in weights.iter_mut().enumerate() {
                let turn = 2.0 * PI * (bin * n % self.transform) as f64 / self.transform as f64;
                *weight = self.gain * window[n] * if imaginary { -turn.sin() } else { turn.cos() };
            }
            // Each sample is part of the next one's difference; the first is its own predecessor.
            for n in 0..self.frame {
                let next = weights.get(n + 1).copied().unwrap_or(0.0);
                let own = if n == 0 { 1.0 - self.pre_emphasis } else { 1.0 };
                weights[n] = own * weights[n] - self.pre_emphasis * next;
            }
            if self.remove_mean {
                let mean = weights.iter().sum::<f64>() / self.frame as f64;
                weights.iter_mut().for_each(|weight| *weight -= mean);
            }
        }
        matrix
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_of_pitch_lead_back_to_hertz() {
        for scale in [Scale::Htk, Scale::Kaldi, Scale::Slaney] {
            for hertz in [20.0, 440.0, 999.0, 1000.0, 7600.0] {
                assert!((scale.hertz(scale.mel(hertz)) - hertz).abs() < 1e-9 * hertz);
            }
        }
        // transformers.audio_utils.hertz_to_mel
        assert!((Scale::Htk.mel(1000.0) - 999.985_537).abs() < 1e-5);
        assert!((Scale::Slaney.mel(4000.0) - 35.163_760).abs() < 1e-5);
    }

    #[test]
    fn windows_are_numpys() {
        assert!(
            Window::Hann.values(4, true).iter().zip([0.0, 0.5, 1.0, 0.5]).all(|(a, b)| (a - b).abs() < 1e-12)
        );
        let hamming = Window::Hamming.values(5, false);
        assert!(hamming.iter().zip([0.08, 0.54, 1.0, 0.54, 0.08]).all(|(a, b)| (a - b).abs() < 1e-12));
    }
}
