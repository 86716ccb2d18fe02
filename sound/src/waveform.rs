//! A sound in the memory.

use std::ops::RangeInclusive;

use crate::{Error, Result};

/// The longest sound that is accepted, in seconds: ten minutes.
pub const MAX_SECONDS: f64 = 600.0;

/// Rates that a sound can have, in samples a second.
pub const RATES: RangeInclusive<u32> = 1_000..=768_000;

/// A sound: samples from -1 to 1 (louder ones are not cut off) for each channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Waveform {
    channels: Vec<Vec<f32>>,
    rate: u32,
}

impl Waveform {
    /// A sound of these channels, at `rate` samples a second.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::OneSample`], [`Error::TooLong`], [`Error::NotFinite`], [`Error::Rate`], [`Error::Ragged`].
    pub fn new(channels: Vec<Vec<f32>>, rate: u32) -> Result<Self> {
        if !RATES.contains(&rate) {
            return Err(Error::Rate(rate));
        }
        let length = channels.first().map_or(0, Vec::len);
        if channels.iter().any(|channel| channel.len() != length) {
            return Err(Error::Ragged);
        }
        match length {
            0 => return Err(Error::Empty),
            1 => return Err(Error::OneSample),
            _ => check_length(length as f64 / f64::from(rate))?,
        }
        let bad = |value: &f32| !value.is_finite();
        let count = channels.iter().flatten().filter(|value| bad(value)).count();
        if count > 0 {
            let index = channels.iter().filter_map(|channel| channel.iter().position(bad)).min();
            return Err(Error::NotFinite { count, index: index.unwrap_or(0) });
        }
        Ok(Self { channels, rate })
    }

    /// A sound of one channel.
    ///
    /// # Errors
    /// Those of [`Waveform::new`].
    pub fn mono(samples: Vec<f32>, rate: u32) -> Result<Self> {
        Self::new(vec![samples], rate)
    }

    /// The samples of each channel.
    pub fn channels(&self) -> &[Vec<f32>] {
        &self.channels
    }

    /// Samples a second.
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// Samples of a channel.
    pub fn length(&self) -> usize {
        self.channels[0].len()
    }

    /// Seconds.
    pub fn seconds(&self) -> f64 {
        self.length() as f64 / f64::from(self.rate)
    }

    /// One channel: the mean of all, which keeps what they have in common as loud as it is.
    pub fn mixed(&self) -> Vec<f32> {
        if let [one] = self.channels.as_slice() {
            return one.clone();
        }
        let count = self.channels.len() as f64;
        let mean =
            |at: usize| self.channels.iter().map(|channel| f64::from(channel[at])).sum::<f64>() / count;
        (0..self.length()).map(|at| mean(at) as f32).collect()
    }
}

/// Refuses what is too long, before it is decoded where a header says so.
pub(crate) fn check_length(seconds: f64) -> Result<()> {
    if seconds > MAX_SECONDS { Err(Error::TooLong { seconds }) } else { Ok(()) }
}

/// How loud samples are: the root of their mean square.
pub fn level(samples: &[f32]) -> f64 {
    let squares: f64 = samples.iter().map(|&value| f64::from(value).powi(2)).sum();
    (squares / samples.len().max(1) as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_mixed_to_their_mean() {
        let sound = Waveform::new(vec![vec![1.0, 0.5, 0.0], vec![0.0, 0.5, -1.0]], 8000).unwrap();
        assert_eq!(sound.mixed(), [0.5, 0.5, -0.5]);
        assert_eq!(sound.length(), 3);
        assert!((sound.seconds() - 3.0 / 8000.0).abs() < 1e-12);
    }

    #[test]
    fn what_is_no_sound_is_refused_each_with_its_sentence() {
        let long = vec![0.0; 1001 * 1000];
        for (channels, rate, error, says) in [
            (vec![vec![]], 16_000, Error::Empty, "length of zero"),
            (vec![], 16_000, Error::Empty, "length of zero"),
            (vec![vec![0.1]], 16_000, Error::OneSample, "a single sample"),
            (
                vec![long],
                1000,
                Error::TooLong { seconds: 1001.0 },
                "17 minutes long, more than the 10 minutes",
            ),
            (vec![vec![0.0; 4]], 7, Error::Rate(7), "7 samples a second"),
            (vec![vec![0.0; 4]], 4_000_000_000, Error::Rate(4_000_000_000), "header is wrong"),
            (vec![vec![0.0, 0.0], vec![0.0; 3]], 16_000, Error::Ragged, "different lengths"),
        ] {
            let found = Waveform::new(channels, rate).unwrap_err();
            assert_eq!(found, error);
            assert!(found.to_string().contains(says), "{found}");
        }
        let broken = Waveform::mono(vec![0.0, f32::NAN, f32::INFINITY], 16_000).unwrap_err();
        assert_eq!(broken, Error::NotFinite { count: 2, index: 1 });
        assert_eq!(broken.code(), "input_not_finite");
    }
}
