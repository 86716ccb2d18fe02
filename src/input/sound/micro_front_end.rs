//! TensorFlow Lite's micro front end, in real numbers: what its integers stand for, so that gradients pass.
//!
//! Where its settings lead to values of a few units, its integers are coarse, and what is here is finer; above, both agree within their
//! last digits (tests/it/sound.rs). Names are those of the settings that Silicon Labs' MLTK keeps with a network.

use serde::Deserialize;

/// The settings; the defaults are MLTK's.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct MicroFrontEnd {
    /// Samples a second.
    pub sample_rate_hz: u32,
    /// The length of a sound in milliseconds.
    pub sample_length_ms: usize,
    /// The length of a frame in milliseconds.
    pub window_size_ms: usize,
    /// From one frame to the next, in milliseconds.
    pub window_step_ms: usize,
    /// Number of bands.
    pub filterbank_n_channels: usize,
    /// Where the highest band ends, in hertz.
    pub filterbank_upper_band_limit: f64,
    /// Where the lowest band begins, in hertz.
    pub filterbank_lower_band_limit: f64,
    /// Whether what goes on in a band is subtracted.
    pub noise_reduction_enable: bool,
    /// How quickly the estimate of that follows, in bands of even numbers.
    pub noise_reduction_even_smoothing: f64,
    /// The same in bands of odd numbers.
    pub noise_reduction_odd_smoothing: f64,
    /// The part that is always left.
    pub noise_reduction_min_signal_remaining: f64,
    /// Whether each band is brought to the same loudness (per-channel amplitude normalisation).
    pub pcan_enable: bool,
    /// How much of it.
    pub pcan_strength: f64,
    /// Added to the loudness, so that silence stays silent.
    pub pcan_offset: f64,
    /// Bits of the table of gains, which has 16 with the sign.
    pub pcan_gain_bits: i32,
    /// Whether the logarithm is taken.
    pub log_scale_enable: bool,
    /// The logarithm is multiplied by two to the power of that.
    pub log_scale_shift: i32,
    /// Whether a constant offset is filtered out of the samples.
    pub dc_notch_filter_enable: bool,
    /// How narrow that filter is.
    pub dc_notch_filter_coefficient: f64,
    /// Whether the largest value becomes 127 and what is `range_db` below it -128, and everything below that.
    pub quantize_dynamic_scale_enable: bool,
    /// That range, in decibels.
    pub quantize_dynamic_scale_range_db: f64,
}

impl Default for MicroFrontEnd {
    fn default() -> Self {
        Self {
            sample_rate_hz: 16_000,
            sample_length_ms: 1000,
            window_size_ms: 25,
            window_step_ms: 10,
            filterbank_n_channels: 32,
            filterbank_upper_band_limit: 7500.0,
            filterbank_lower_band_limit: 125.0,
            noise_reduction_enable: false,
            noise_reduction_even_smoothing: 0.025,
            noise_reduction_odd_smoothing: 0.06,
            noise_reduction_min_signal_remaining: 0.05,
            pcan_enable: false,
            pcan_strength: 0.95,
            pcan_offset: 80.0,
            pcan_gain_bits: 21,
            log_scale_enable: true,
            log_scale_shift: 6,
            dc_notch_filter_enable: false,
            dc_notch_filter_coefficient: 0.95,
            quantize_dynamic_scale_enable: false,
            quantize_dynamic_scale_range_db: 40.0,
        }
    }
}

impl MicroFrontEnd {
    fn samples(&self, milliseconds: usize) -> usize {
        (self.sample_rate_hz as usize).saturating_mul(milliseconds) / 1000
    }

    /// Samples of a sound.
    pub fn length(&self) -> usize {
        self.samples(self.sample_length_ms)
    }

    /// Samples of a frame.
    pub fn frame(&self) -> usize {
        self.samples(self.window_size_ms)
    }

    /// Samples from one frame to the next.
    pub fn hop(&self) -> usize {
        self.samples(self.window_step_ms)
    }

    /// Samples of the transform: the next power of two.
    pub fn transform(&self) -> usize {
        self.frame().next_power_of_two()
    }

    /// Frames of a sound of so many samples.
    pub fn frames_of(&self, length: usize) -> usize {
        length.checked_sub(self.frame()).map_or(0, |rest| rest / self.hop() + 1)
    }

    /// What makes no sense in the settings, as the end of a sentence.
    pub(super) fn fault(&self) -> Option<String> {
        let share = |value: f64| (0.0..=1.0).contains(&value);
        let sizes = [self.frame(), self.hop(), self.filterbank_n_channels];
        let half = f64::from(self.sample_rate_hz) / 2.0;
        let (low, high) = (self.filterbank_lower_band_limit, self.filterbank_upper_band_limit);
        let shares = [
            self.noise_reduction_even_smoothing,
            self.noise_reduction_odd_smoothing,
            self.noise_reduction_min_signal_remaining,
            self.dc_notch_filter_coefficient,
        ];
        if sizes.iter().any(|size| !(1..=1 << 14).contains(size)) || self.frame() < 4 {
            return Some("its frames, steps or bands make no sense".into());
        }
        if !(low >= 0.0 && low < high && high <= half) {
            return Some(format!("its bands from {low} to {high} Hz make no sense"));
        }
        if !shares.into_iter().all(share) || self.dc_notch_filter_coefficient > 0.999 {
            return Some("one of its shares is not between 0 and 1".into());
        }
        if !(0..=16).contains(&self.log_scale_shift)
            || self.pcan_offset <= 0.0
            || !self.pcan_strength.is_finite()
        {
            return Some("its logarithm or its gain makes no sense".into());
        }
        if self.quantize_dynamic_scale_enable
            && (self.quantize_dynamic_scale_range_db <= 0.0 || !self.log_scale_enable)
        {
            return Some("a dynamic scale takes a range above 0, and logarithms".into());
        }
        // What is normalised by is what the noise reduction estimates.
        (self.pcan_enable && !self.noise_reduction_enable)
            .then(|| "pcan_enable takes noise_reduction_enable, whose estimate it divides by".into())
    }

    /// What is not as in the compiled front end, as sentences.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let most = f64::from(self.pcan_gain_bits).exp2() * self.pcan_offset.powf(-self.pcan_strength);
        if self.pcan_enable && most > f64::from(i16::MAX) {
            notes.push(
                "The gains of its settings overflow the table of the compiled front end, and do not here: quiet bands are heard \
                 otherwise."
                    .to_owned(),
            );
        }
        notes
    }

    /// The filter against an offset, `y[n] = x[n] - x[n - 1] + c y[n - 1]`, as the weights of the samples so far, the present one last; as
    /// long as they count in 32 bits.
    pub fn notch(&self) -> Vec<f64> {
        let c = self.dc_notch_filter_coefficient;
        let mut weights = vec![1.0];
        let mut next = c - 1.0;
        while next.abs() > 1e-8 && weights.len() < 4096 {
            weights.push(next);
            next *= c;
        }
        weights.reverse();
        weights
    }

    /// What turns a frame into real parts and then imaginary parts: `[2 * bins, frame]`.
    pub fn matrix(&self) -> Vec<f64> {
        let (frame, transform) = (self.frame(), self.transform());
        let bins = transform / 2 + 1;
        let tau = 2.0 * std::f64::consts::PI;
        let mut matrix = Vec::with_capacity(2 * bins * frame);
        for row in 0..2 * bins {
            matrix.extend((0..frame).map(|n| {
                let window = 0.5 - 0.5 * (tau * (n as f64 + 0.5) / frame as f64).cos();
                let turn = tau * (row % bins * n % transform) as f64 / transform as f64;
                // Samples are integers of 16 bits there.
                32_768.0 * window * if row < bins { turn.cos() } else { -turn.sin() }
            }));
        }
        matrix
    }

    /// The weight of each frequency in each band, `[bands, bins]`: triangles that are straight in mel.
    pub fn weights(&self) -> Vec<f64> {
        let (bands, bins) = (self.filterbank_n_channels, self.transform() / 2 + 1);
        let mel = |hertz: f64| 1127.0 * (hertz / 700.0).ln_1p();
        let (low, high) = (mel(self.filterbank_lower_band_limit), mel(self.filterbank_upper_band_limit));
        let centre = |at: usize| low + (high - low) / (bands + 1) as f64 * at as f64;
        let width = 0.5 * f64::from(self.sample_rate_hz) / (bins - 1) as f64;
        let mut weights = vec![0.0; bands * bins];
        let mut bin = (1.5 + self.filterbank_lower_band_limit / width) as usize;
        // From one centre to the next, what leaves a band goes to the one above.
        for segment in 0..=bands {
            while bin < bins && mel(bin as f64 * width) <= centre(segment + 1) {
                let leaving =
                    (centre(segment + 1) - mel(bin as f64 * width)) / (centre(segment + 1) - centre(segment));
                if let Some(below) = segment.checked_sub(1) {
                    weights[below * bins + bin] = leaving;
                }
                if segment < bands {
                    weights[segment * bins + bin] = 1.0 - leaving;
                }
                bin += 1;
            }
        }
        weights
    }

    /// How much of each frame is in the estimate of the noise at each, `[frames, frames]`, for bands of even or of odd numbers:
    /// `estimate[t] = s x[t] + (1 - s) estimate[t - 1]`.
    pub fn memory(&self, frames: usize, odd: bool) -> Vec<f64> {
        let s = if odd { self.noise_reduction_odd_smoothing } else { self.noise_reduction_even_smoothing };
        let weight = |from: usize, to: usize| match to.checked_sub(from) {
            Some(ago) => s * (1.0 - s).powi(ago as i32),
            None => 0.0,
        };
        (0..frames * frames).map(|at| weight(at / frames, at % frames)).collect()
    }

    /// What signals are divided by where no logarithm is taken: the compiled front end then leaves out its last shift.
    pub fn shift(&self) -> f64 {
        (self.transform() as f64 / 64.0).recip()
    }
}
