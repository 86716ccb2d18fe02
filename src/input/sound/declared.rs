//! Reading how a network's sounds are prepared: Hugging Face's `preprocessor_config.json`, and a small JSON of ours.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    Features, MicroFrontEnd, SoundPreparation,
    filter_bank::{Bands, Compression, FilterBank, Normalisation, Scale, Window},
};
use crate::{Error, Result};

/// Whether a file says how sounds are prepared, and not pictures.
pub fn is_of_sounds(json: &str) -> bool {
    let Ok(Value::Object(file)) = serde_json::from_str(json) else { return false };
    let known = file.get("feature_extractor_type").and_then(Value::as_str);
    known.is_some_and(|name| EXTRACTORS.contains(&name)) || file.contains_key("sampling_rate")
}

/// The extractors that are known by name.
const EXTRACTORS: [&str; 5] = [
    "ASTFeatureExtractor",
    "WhisperFeatureExtractor",
    "Wav2Vec2FeatureExtractor",
    "SeamlessM4TFeatureExtractor",
    "MicroFrontEnd",
];

pub(super) fn read(json: &str) -> Result<SoundPreparation> {
    let file: Value =
        serde_json::from_str(json).map_err(|error| fault(format!("it is no JSON ({error})")))?;
    let Value::Object(file) = file else { return Err(fault("it is no JSON object".into())) };
    match file.get("feature_extractor_type").and_then(Value::as_str) {
        None => own(file),
        Some("ASTFeatureExtractor") => Ast::of(file)?.preparation(),
        Some("WhisperFeatureExtractor") => Whisper::of(file)?.preparation(),
        Some("Wav2Vec2FeatureExtractor") => Wav2Vec2::of(file)?.preparation(),
        Some("SeamlessM4TFeatureExtractor") => Seamless::of(file)?.preparation(),
        Some("MicroFrontEnd") => MicroFrontEnd::of(file)?.preparation(),
        Some(other) => Err(fault(format!(
            "its feature_extractor_type is {other}; known of sounds are {}, or give a JSON of its STFT (docs/sound.md)",
            EXTRACTORS.join(", ")
        ))),
    }
}

fn fault(reason: String) -> Error {
    Error::PreprocessingInvalid(format!("the preparation of sounds cannot be read: {reason}"))
}

/// A file's fields; those that are not known of its kind are left aside, as its own program does.
trait Declared: for<'de> Deserialize<'de> {
    fn of(file: Map<String, Value>) -> Result<Self> {
        serde_json::from_value(Value::Object(file)).map_err(|error| fault(error.to_string()))
    }

    fn preparation(self) -> Result<SoundPreparation>;
}

/// Kaldi's filter bank as `transformers` computes it: frames of 25 ms each 10 ms.
fn kaldi(rate: u32, bands: usize, window: Window, gain: f64) -> FilterBank {
    FilterBank {
        rate,
        frame: 400,
        transform: 512,
        hop: 160,
        window,
        periodic: false,
        gain,
        remove_mean: true,
        pre_emphasis: 0.97,
        centred: false,
        mirrored: false,
        drop_last: false,
        power: true,
        bands: Some(Bands {
            count: bands,
            low: 20.0,
            high: f64::from(rate / 2),
            scale: Scale::Kaldi,
            by_width: false,
        }),
        floor: f64::from(f32::EPSILON),
        offset: 0.0,
        compression: Compression::Natural,
        range: None,
        frames: None,
        normalisation: None,
        stacked: 1,
        frames_first: true,
    }
}

#[derive(Deserialize)]
#[serde(default)]
struct Ast {
    sampling_rate: u32,
    num_mel_bins: usize,
    max_length: usize,
    do_normalize: bool,
    mean: f64,
    std: f64,
}

impl Default for Ast {
    fn default() -> Self {
        Self {
            sampling_rate: 16_000,
            num_mel_bins: 128,
            max_length: 1024,
            do_normalize: true,
            mean: -4.267_739_3,
            std: 4.568_997_4,
        }
    }
}

impl Declared for Ast {
    fn preparation(self) -> Result<SoundPreparation> {
        let mut bank = kaldi(self.sampling_rate, self.num_mel_bins, Window::Hann, 1.0);
        bank.frames = Some(self.max_length);
        bank.normalisation =
            self.do_normalize.then_some(Normalisation::Fixed { mean: self.mean, deviation: 2.0 * self.std });
        SoundPreparation::new(self.sampling_rate, None, Features::FilterBank(Box::new(bank)))
    }
}

#[derive(Deserialize)]
#[serde(default)]
struct Whisper {
    feature_size: usize,
    sampling_rate: u32,
    hop_length: usize,
    chunk_length: usize,
    n_fft: usize,
    dither: f64,
    do_normalize: bool,
}

impl Default for Whisper {
    fn default() -> Self {
        Self {
            feature_size: 80,
            sampling_rate: 16_000,
            hop_length: 160,
            chunk_length: 30,
            n_fft: 400,
            dither: 0.0,
            do_normalize: false,
        }
    }
}

impl Declared for Whisper {
    fn preparation(self) -> Result<SoundPreparation> {
        let bank = FilterBank {
            rate: self.sampling_rate,
            frame: self.n_fft,
            transform: self.n_fft,
            hop: self.hop_length,
            window: Window::Hann,
            periodic: true,
            gain: 1.0,
            remove_mean: false,
            pre_emphasis: 0.0,
            centred: true,
            mirrored: true,
            drop_last: true,
            power: true,
            bands: Some(Bands {
                count: self.feature_size,
                low: 0.0,
                high: 8000.0,
                scale: Scale::Slaney,
                by_width: true,
            }),
            floor: 1e-10,
            offset: 0.0,
            compression: Compression::Log10,
            range: Some(8.0),
            frames: None,
            normalisation: Some(Normalisation::Fixed { mean: -4.0, deviation: 4.0 }),
            stacked: 1,
            frames_first: false,
        };
        let length = self.chunk_length.saturating_mul(self.sampling_rate as usize);
        let mut preparation =
            SoundPreparation::new(self.sampling_rate, Some(length), Features::FilterBank(Box::new(bank)))?;
        preparation.normalised = self.do_normalize;
        if self.dither != 0.0 {
            preparation.notes.push(dither(self.dither));
        }
        Ok(preparation)
    }
}

fn dither(amount: f64) -> String {
    format!(
        "The noise of {amount} that the file adds to the samples (dither) is left out, so that the same sound is explained alike."
    )
}

#[derive(Deserialize)]
#[serde(default)]
struct Wav2Vec2 {
    sampling_rate: u32,
    do_normalize: bool,
}

impl Default for Wav2Vec2 {
    fn default() -> Self {
        Self { sampling_rate: 16_000, do_normalize: true }
    }
}

impl Declared for Wav2Vec2 {
    fn preparation(self) -> Result<SoundPreparation> {
        let mut preparation = SoundPreparation::new(self.sampling_rate, None, Features::Samples)?;
        preparation.normalised = self.do_normalize;
        Ok(preparation)
    }
}

#[derive(Deserialize)]
#[serde(default)]
struct Seamless {
    sampling_rate: u32,
    num_mel_bins: usize,
    stride: usize,
}

impl Default for Seamless {
    fn default() -> Self {
        Self { sampling_rate: 16_000, num_mel_bins: 80, stride: 2 }
    }
}

impl Declared for Seamless {
    fn preparation(self) -> Result<SoundPreparation> {
        let mut bank = kaldi(self.sampling_rate, self.num_mel_bins, Window::Povey, 32_768.0);
        bank.normalisation = Some(Normalisation::EachBand);
        bank.stacked = self.stride;
        SoundPreparation::new(self.sampling_rate, None, Features::FilterBank(Box::new(bank)))
    }
}

impl Declared for MicroFrontEnd {
    fn preparation(self) -> Result<SoundPreparation> {
        let (rate, length) = (self.sample_rate_hz, self.length());
        SoundPreparation::new(rate, Some(length), Features::MicroFrontEnd(Box::new(self)))
    }
}

/// The small JSON of ours; the names are torchaudio's.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    /// Samples a second.
    sampling_rate: u32,
    /// Samples that the network takes.
    length: Option<usize>,
    /// The same in seconds.
    seconds: Option<f64>,
    /// Whether the mean of the samples is subtracted, and they are divided by their deviation.
    #[serde(default)]
    do_normalize: bool,
    /// The spectrum; the samples themselves where it is left out.
    features: Option<OwnFeatures>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnFeatures {
    n_fft: usize,
    win_length: Option<usize>,
    hop_length: usize,
    #[serde(default)]
    window: Window,
    #[serde(default = "yes")]
    periodic: bool,
    #[serde(default = "yes")]
    center: bool,
    #[serde(default)]
    pad_mode: PadMode,
    #[serde(default = "two")]
    power: u8,
    n_mels: Option<usize>,
    #[serde(default)]
    f_min: f64,
    f_max: Option<f64>,
    #[serde(default)]
    mel_scale: Scale,
    norm: Option<Norm>,
    #[serde(default)]
    log: Compression,
    #[serde(default = "floor")]
    floor: f64,
    #[serde(default)]
    offset: f64,
    top_db: Option<f64>,
    #[serde(default)]
    preemphasis: f64,
    #[serde(default)]
    remove_dc_offset: bool,
    #[serde(default = "one")]
    gain: f64,
    #[serde(default)]
    mean: f64,
    #[serde(default = "one")]
    std: f64,
    frames: Option<usize>,
    #[serde(default)]
    order: Order,
}

#[derive(Deserialize, Default, PartialEq)]
#[serde(rename_all = "lowercase")]
enum PadMode {
    #[default]
    Reflect,
    Constant,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Norm {
    Slaney,
}

#[derive(Deserialize, Default, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Order {
    #[default]
    MelTime,
    TimeMel,
}

fn yes() -> bool {
    true
}
fn two() -> u8 {
    2
}
fn one() -> f64 {
    1.0
}
fn floor() -> f64 {
    1e-10
}

fn own(file: Map<String, Value>) -> Result<SoundPreparation> {
    let own: Own = serde_json::from_value(Value::Object(file)).map_err(|error| fault(error.to_string()))?;
    let length = match (own.length, own.seconds) {
        (Some(length), _) => Some(length),
        (None, Some(seconds)) if (0.0..=3600.0).contains(&seconds) => {
            Some((seconds * f64::from(own.sampling_rate)).round() as usize)
        }
        (None, Some(seconds)) => return Err(fault(format!("{seconds} seconds are no length of a sound"))),
        (None, None) => None,
    };
    let features = match own.features {
        None => Features::Samples,
        Some(given) => Features::FilterBank(Box::new(given.bank(own.sampling_rate)?)),
    };
    let mut preparation = SoundPreparation::new(own.sampling_rate, length, features)?;
    preparation.normalised = own.do_normalize;
    Ok(preparation)
}

impl OwnFeatures {
    fn bank(self, rate: u32) -> Result<FilterBank> {
        let frame = self.win_length.unwrap_or(self.n_fft);
        if self.center && frame != self.n_fft {
            return Err(fault("with `center`, win_length must be n_fft".into()));
        }
        if !matches!(self.power, 1 | 2) {
            return Err(fault(format!("its power is {}, and must be 1 or 2", self.power)));
        }
        let bands = self.n_mels.map(|count| Bands {
            count,
            low: self.f_min,
            high: self.f_max.unwrap_or(f64::from(rate) / 2.0),
            scale: self.mel_scale,
            by_width: self.norm.is_some(),
        });
        Ok(FilterBank {
            rate,
            frame,
            transform: self.n_fft,
            hop: self.hop_length,
            window: self.window,
            periodic: self.periodic,
            gain: self.gain,
            remove_mean: self.remove_dc_offset,
            pre_emphasis: self.preemphasis,
            centred: self.center,
            mirrored: self.pad_mode == PadMode::Reflect,
            drop_last: false,
            power: self.power == 2,
            bands,
            floor: self.floor,
            offset: self.offset,
            compression: self.log,
            range: self.top_db,
            frames: self.frames,
            normalisation: (self.mean != 0.0 || self.std != 1.0)
                .then_some(Normalisation::Fixed { mean: self.mean, deviation: self.std }),
            stacked: 1,
            frames_first: self.order == Order::TimeMel,
        })
    }
}
