//! Sounds: from what a person gives (a file, a recording) to what a network takes, and back to what can be heard.
//!
//! The network's front end, from samples to features, is part of the graph (`model/front_end.rs`), so that a gradient reaches the
//! samples. Here is what comes before it: one channel, the network's rate, its length, and the short-time spectrum whose cells (a step in
//! time, a frequency) are explained; and what comes after: where in the sound that is, and how it sounds alone.

mod declared;
pub mod filter_bank;
mod heard;
pub mod micro_front_end;

pub use adversight_sound::{Spectrum, Waveform};
use serde::{Deserialize, Serialize};

pub use declared::is_of_sounds;
pub use heard::Heard;
pub(crate) use heard::Ruler;

use crate::{Error, Result};
use filter_bank::{Compression, FilterBank, Normalisation};
use micro_front_end::MicroFrontEnd;

/// What of a sound is explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub enum SoundView {
    /// The cells of its short-time spectrum: time and frequency.
    #[default]
    Cells,
    /// Its samples: time alone.
    Samples,
}

/// What a network takes of a sound.
#[derive(Debug, Clone, PartialEq)]
pub enum Features {
    /// Its samples.
    Samples,
    /// The energies of bands.
    FilterBank(Box<FilterBank>),
    /// Those of TensorFlow Lite's micro front end.
    MicroFrontEnd(Box<MicroFrontEnd>),
}

/// How a network's sounds are prepared.
#[derive(Debug, Clone, PartialEq)]
pub struct SoundPreparation {
    /// The network's samples a second.
    pub rate: u32,
    /// The samples that the network takes: silence follows a sound that is shorter, and the rest of a longer one is cut off. Any number
    /// where it is `None`.
    pub length: Option<usize>,
    /// Whether the mean of the samples is subtracted and they are divided by the root of their variance + 1e-7 (Wav2Vec2).
    pub normalised: bool,
    /// What follows.
    pub features: Features,
    /// What is explained.
    pub view: SoundView,
    /// What was assumed or left out, a sentence each.
    pub notes: Vec<String>,
}

/// The rate that is assumed where none is known: that of nearly all networks for speech.
const USUAL_RATE: u32 = 16_000;

impl SoundPreparation {
    /// For a network that takes these features.
    ///
    /// # Errors
    /// [`Error::PreprocessingInvalid`] for numbers that make no sense together.
    pub fn new(rate: u32, length: Option<usize>, features: Features) -> Result<Self> {
        let fault = |reason: String| Err(Error::PreprocessingInvalid(reason));
        if !adversight_sound::RATES.contains(&rate) {
            return fault(format!("a sampling rate of {rate} makes no sense"));
        }
        let most = (adversight_sound::MAX_SECONDS * f64::from(rate)) as usize;
        if length.is_some_and(|length| !(2..=most).contains(&length)) {
            return fault(format!("a length of {} samples makes no sense", length.unwrap_or(0)));
        }
        if let Features::FilterBank(bank) = &features {
            let sizes =
                [bank.frame, bank.transform, bank.hop, bank.height(), bank.stacked, bank.frames.unwrap_or(1)];
            if sizes.iter().any(|&size| !(1..=1 << 16).contains(&size))
                || bank.frame > bank.transform
                || bank.frame < 2
            {
                return fault("its frames, steps or bands make no sense".into());
            }
            if let Some(bands) = bank.bands
                && !(bands.low >= 0.0 && bands.low < bands.high && bands.high <= f64::from(rate))
            {
                return fault(format!("its bands from {} to {} Hz make no sense", bands.low, bands.high));
            }
            let none = bank.compression != Compression::None && bank.floor + bank.offset <= 0.0;
            let numbers = [bank.gain, bank.pre_emphasis, bank.floor, bank.offset, bank.range.unwrap_or(0.0)];
            let flat = matches!(bank.normalisation, Some(Normalisation::Fixed { mean, deviation })
                if deviation == 0.0 || !deviation.is_finite() || !mean.is_finite());
            if none || flat || numbers.iter().any(|number| !number.is_finite()) {
                return fault(
                    "a logarithm of 0, a division by 0 or a number without end follows from it".into(),
                );
            }
        }
        let mut notes = Vec::new();
        if let Features::MicroFrontEnd(end) = &features {
            if let Some(reason) = end.fault() {
                return fault(reason);
            }
            notes = end.notes();
        }
        Ok(Self { rate, length, normalised: false, features, view: SoundView::Cells, notes })
    }

    /// For a network on samples of which nothing is declared; the rate is assumed where none is given, and told.
    ///
    /// # Errors
    /// [`Error::PreprocessingInvalid`] for a rate that makes no sense.
    pub fn of_samples(rate: Option<u32>) -> Result<Self> {
        let mut preparation = Self::new(rate.unwrap_or(USUAL_RATE), None, Features::Samples)?;
        if rate.is_none() {
            preparation.notes.push(format!(
                "Nothing says how many samples a second the network takes, and {USUAL_RATE} are assumed; the option `rate` says \
                 otherwise."
            ));
        }
        Ok(preparation)
    }

    /// Reads a `preprocessor_config.json` by its `feature_extractor_type`, or the small JSON of docs/sound.md.
    ///
    /// # Errors
    /// [`Error::PreprocessingInvalid`].
    pub fn from_json(json: &str) -> Result<Self> {
        declared::read(json)
    }

    /// The samples that are explained: one channel at the network's rate, no longer than the network takes, with what was done to it in
    /// sentences.
    ///
    /// # Errors
    /// [`Error::Sound`] for a sound of which too little is left.
    pub fn samples(&self, sound: &Waveform) -> Result<(Vec<f32>, Vec<String>)> {
        let mut told = Vec::new();
        let mut samples = sound.mixed();
        match sound.channels().len() {
            1 => (),
            count => told.push(format!("The mean of its {count} channels is heard.")),
        }
        if sound.rate() != self.rate {
            samples = adversight_sound::resample(&samples, sound.rate(), self.rate);
            told.push(format!(
                "Its {} samples a second were made the network\u{2019}s {}.",
                sound.rate(),
                self.rate
            ));
        }
        let seconds = |samples: usize| samples as f64 / f64::from(self.rate);
        let cut = self.length.or(self.most().filter(|&most| samples.len() > most));
        match cut {
            Some(length) if samples.len() > length => {
                told.push(format!(
                    "The network hears {:.2} s, and the rest of the {:.2} s is left out.",
                    seconds(length),
                    seconds(samples.len())
                ));
                samples.truncate(length);
            }
            Some(length) if samples.len() < length => told.push(format!(
                "The network hears {:.2} s: silence follows the {:.2} s of the sound.",
                seconds(length),
                seconds(samples.len())
            )),
            _ => (),
        }
        if samples.len() < 2 {
            return Err(adversight_sound::Error::OneSample.into());
        }
        Ok((samples, told))
    }

    /// The samples beyond which the network hears nothing: those of the frames that it takes.
    fn most(&self) -> Option<usize> {
        self.length.or(match &self.features {
            Features::FilterBank(bank) => bank.frames.map(|frames| bank.length_for(frames)),
            Features::Samples | Features::MicroFrontEnd(_) => None,
        })
    }

    /// How many samples [`Self::samples`] gives of a sound of so many at `rate`.
    pub fn length_of(&self, samples: usize, rate: u32) -> usize {
        let length = adversight_sound::resampled_length(samples, rate, self.rate);
        self.most().map_or(length, |most| length.min(most))
    }

    /// The short-time spectrum of so many samples.
    pub fn spectrum(&self, samples: usize) -> Spectrum {
        Spectrum::new(samples, self.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_to_a_sound_is_told() {
        let mut preparation = SoundPreparation::of_samples(None).unwrap();
        assert!(preparation.notes[0].contains("16000 are assumed"));
        preparation.length = Some(4000);
        let sound = Waveform::new(vec![vec![0.5; 44_100], vec![0.0; 44_100]], 44_100).unwrap();
        let (samples, told) = preparation.samples(&sound).unwrap();
        assert_eq!((samples.len(), preparation.length_of(44_100, 44_100)), (4000, 4000));
        assert!((samples[2000] - 0.25).abs() < 1e-5);
        let told = told.join(" ");
        for says in ["mean of its 2 channels", "44100 samples a second", "0.25 s, and the rest of the 1.00 s"]
        {
            assert!(told.contains(says), "{told}");
        }
        let short = Waveform::mono(vec![0.5; 2000], 16_000).unwrap();
        let (samples, told) = preparation.samples(&short).unwrap();
        assert_eq!((samples.len(), told.len()), (2000, 1));
        assert!(told[0].contains("silence follows the 0.12 s"), "{told:?}");
    }

    #[test]
    fn files_are_known_by_their_kind_and_nonsense_is_refused() {
        let ast =
            r#"{"feature_extractor_type": "ASTFeatureExtractor", "num_mel_bins": 128, "max_length": 1024}"#;
        assert!(is_of_sounds(ast) && !is_of_sounds(r#"{"image_mean": [0.5]}"#));
        assert!(matches!(SoundPreparation::from_json(ast).unwrap().features, Features::FilterBank(_)));
        for (json, says) in [
            ("[1]", "no JSON object"),
            (r#"{"feature_extractor_type": "ClapFeatureExtractor"}"#, "ClapFeatureExtractor"),
            (r#"{"sampling_rate": 3}"#, "a sampling rate of 3"),
            (r#"{"sampling_rate": 16000, "nfft": 3}"#, "nfft"),
            (r#"{"sampling_rate": 16000, "features": {"n_fft": 400, "hop_length": 0}}"#, "make no sense"),
            (
                r#"{"sampling_rate": 16000, "features": {"n_fft": 400, "hop_length": 160, "floor": 0}}"#,
                "logarithm of 0",
            ),
            (
                r#"{"sampling_rate": 16000, "features": {"n_fft": 400, "hop_length": 160, "std": 0, "mean": 1}}"#,
                "division by 0",
            ),
            (
                r#"{"feature_extractor_type": "WhisperFeatureExtractor", "chunk_length": 99999999999}"#,
                "makes no sense",
            ),
        ] {
            let error = SoundPreparation::from_json(json).unwrap_err().to_string();
            assert!(error.contains(says), "{json}: {error}");
        }
    }
}
