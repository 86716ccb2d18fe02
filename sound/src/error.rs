//! What can be wrong with a sound, each with a sentence that says what to do.

use crate::waveform::{MAX_SECONDS, RATES};

/// What every fallible function here returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can be wrong with a sound.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing is in the file.
    #[error("The file is empty. If it was downloaded or recorded, do that again.")]
    EmptyFile,
    /// There are no samples.
    #[error(
        "The sound has a length of zero: there is nothing to hear. Record it again, or take another file."
    )]
    Empty,
    /// There is one sample.
    #[error(
        "The sound is a single sample long, in which there is nothing to hear. Record it again, or take another file."
    )]
    OneSample,
    /// It is longer than [`MAX_SECONDS`].
    #[error(
        "The sound is {} long, more than the {} that are accepted. Cut out the part that matters first; networks for sounds listen to \
         a few seconds.", time(*.seconds), time(MAX_SECONDS)
    )]
    TooLong {
        /// How long it is, or says that it is.
        seconds: f64,
    },
    /// It holds a NaN or an infinity.
    #[error(
        "The sound holds {count} sample(s) that are no finite number, the first at {index}. What wrote the file is broken; export it \
         again, as 16-bit WAV if need be."
    )]
    NotFinite {
        /// How many.
        count: usize,
        /// Where the first is, counted in one channel from 0.
        index: usize,
    },
    /// There is a file, and nothing to hear in it.
    #[error("The file has no sound track: it is {0}. Give a file with sound.")]
    NoSound(&'static str),
    /// The file is a container that is not read here.
    #[error("The file is {0}, which is not read here. Convert it first: ffmpeg -i FILE -vn sound.wav.")]
    Container(&'static str),
    /// No decoder knows it.
    #[error("The file is no sound that can be read ({0}). WAV, FLAC, MP3 and Ogg Vorbis are.")]
    Unknown(String),
    /// A decoder knows it, and nothing comes out.
    #[error(
        "The sound cannot be decoded ({0}): the file is damaged or cut off. If it was downloaded, download it again."
    )]
    Damaged(String),
    /// The rate makes no sense.
    #[error(
        "The sound is said to have {rate} samples a second, which is no rate of a sound ({low} to {high} are). Its header is wrong: export it \
         again.", rate = .0, low = RATES.start(), high = RATES.end()
    )]
    Rate(u32),
    /// The channels have other lengths.
    #[error("The channels of the sound are of different lengths. Give as many samples for each.")]
    Ragged,
}

/// A length in words.
fn time(seconds: f64) -> String {
    match seconds {
        long if long >= 7200.0 => format!("{:.0} hours", long / 3600.0),
        middle if middle >= 120.0 => format!("{:.0} minutes", middle / 60.0),
        short => format!("{short:.1} seconds"),
    }
}

impl Error {
    /// A stable name, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "input_too_large",
            Self::NotFinite { .. } => "input_not_finite",
            _ => "input_invalid",
        }
    }
}
