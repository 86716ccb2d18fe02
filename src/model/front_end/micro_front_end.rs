//! TensorFlow Lite's micro front end as nodes.

use super::{Chain, too_short, unfit};
use crate::{Result, input::sound::micro_front_end::MicroFrontEnd, model::ValueInfo};

/// More than that is cut off where no logarithm is taken: 16 bits.
const MOST: f64 = 65_535.0;

impl Chain {
    /// `[N, length]` to the features that the network takes.
    pub(super) fn micro_features(
        &mut self,
        end: &MicroFrontEnd,
        info: &ValueInfo,
        length: usize,
    ) -> Result<()> {
        let (bands, bins, frames) =
            (end.filterbank_n_channels, end.transform() / 2 + 1, end.frames_of(length));
        if frames == 0 {
            return Err(too_short(length, end.frame()));
        }
        self.reshaped(&[0, 1, length as i64]);
        if end.dc_notch_filter_enable {
            let weights = end.notch();
            self.padded(2, 3, weights.len() - 1, 0);
            let weights = self.numbers(&[1, 1, weights.len()], weights);
            self.then("Conv", &[weights], Vec::new());
        }
        self.energies(&end.matrix(), end.frame(), end.hop(), bins);
        self.banded(&end.weights(), bands, bins);
        // A root has no slope at 0.
        self.with_number("Max", 1e-8);
        self.then("Sqrt", &[], Vec::new());
        if end.noise_reduction_enable {
            self.without_noise(end, bands, frames);
        }
        if end.log_scale_enable {
            self.with_number("Max", 1.0);
            self.then("Log", &[], Vec::new());
            self.with_number("Mul", f64::from(end.log_scale_shift).exp2());
        } else {
            self.with_number("Mul", end.shift());
            self.with_number("Min", MOST);
        }
        if end.quantize_dynamic_scale_enable {
            let values = self.at.clone();
            self.reduced("ReduceMax", &[1, 2]);
            let most = std::mem::replace(&mut self.at, values);
            self.then("Sub", &[most], Vec::new());
            let range = end.quantize_dynamic_scale_range_db / 20.0
                * 10f64.ln()
                * f64::from(end.log_scale_shift).exp2();
            self.with_number("Mul", 255.0 / range);
            self.with_number("Add", 127.0);
            self.with_number("Max", -128.0);
        }
        self.shaped_as_features(info, true, bands, frames)
            .map_err(|_| unfit(info, &format!("{frames} frames of {bands} bands")))
    }

    /// What goes on in a band is subtracted, and, by choice, divided by.
    fn without_noise(&mut self, end: &MicroFrontEnd, bands: usize, frames: usize) {
        let signal = self.at.clone();
        let mut estimates = Vec::new();
        for odd in [false, true] {
            self.at = signal.clone();
            let mask = (0..bands).map(|band| if (band % 2 == 1) == odd { 1.0 } else { 0.0 });
            let mask = self.numbers(&[1, bands, 1], mask);
            self.then("Mul", &[mask], Vec::new());
            let memory = self.numbers(&[frames, frames], end.memory(frames, odd));
            self.then("MatMul", &[memory], Vec::new());
            estimates.push(self.at.clone());
        }
        self.then("Add", &estimates[..1], Vec::new());
        let estimate = std::mem::replace(&mut self.at, signal.clone());
        self.with_number("Mul", end.noise_reduction_min_signal_remaining);
        let least = std::mem::replace(&mut self.at, signal);
        self.then("Sub", std::slice::from_ref(&estimate), Vec::new());
        self.then("Max", &[least], Vec::new());
        if !end.pcan_enable {
            return;
        }
        let left = std::mem::replace(&mut self.at, estimate);
        self.with_number("Add", end.pcan_offset);
        self.with_number("Pow", -end.pcan_strength);
        self.then("Mul", &[left], Vec::new());
        // A parabola up to 2, and then a straight line.
        let ratio = self.at.clone();
        self.with_number("Min", 2.0);
        let low = self.at.clone();
        self.at = ratio;
        self.then("Sub", std::slice::from_ref(&low), Vec::new());
        let above = std::mem::replace(&mut self.at, low.clone());
        self.then("Mul", &[low], Vec::new());
        self.with_number("Mul", 0.25);
        self.then("Add", &[above], Vec::new());
        // Six bits after the point.
        self.with_number("Mul", 64.0 / end.shift());
    }
}
