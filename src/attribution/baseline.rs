//! What stands for nothing: the input from which a path starts, and what is shown in place of a hidden part.

use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Subject, Written, method::Given, tabled::Background};
use crate::{Error, Result, input::layout::Layout, segment::Segments};

/// What stands for the absence of information.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Baseline {
    /// What suits the input. Where a path starts: black for pictures, the padding token for texts, zero for all else. In place of
    /// a hidden part: the segment's own mean for pictures, where segments have four pixels or more on average and are not of
    /// one colour each; for texts the mask token, or the padding token where there is none; else zero. For a row of a table with rows to
    /// compare with their mean, and in place of hidden columns each of them in turn.
    #[default]
    Auto,
    /// 0 in model space: silence, an empty embedding, a row of zeros.
    Zero,
    /// Pixels of value 0, for pictures alone: by the declared preprocessing, or else the picture's smallest value.
    Black,
    /// Pixels of value 1, for pictures alone: by the declared preprocessing, or else the picture's largest value.
    White,
    /// The mean of the rows given as `background`; without them the mean row of a text's table of tokens in place of each word, or 0 in model space, which is the mean of the training data
    /// where the preprocessing subtracts that.
    Mean,
    /// The same as `mean`.
    TrainingMean,
    /// The mean of the hidden segment, channel by channel.
    SegmentMean,
    /// The token by which a text is filled up in place of each word, for texts alone; what the tokenizer adds stays.
    PadToken,
    /// The token that hides a word in place of each word, for texts alone; what the tokenizer adds stays.
    MaskToken,
    /// Each of the rows to compare with in turn, given as `background` or those of a table; the scores are averaged over them.
    Background,
    /// The given tensor `baseline`, which comes before every other choice.
    Given,
}

/// The choices of a method that starts from one input.
pub(super) const STARTS: [&str; 8] =
    ["auto", "zero", "black", "white", "mean", "pad_token", "mask_token", "given"];
/// The choices of a method that hides parts of any shape.
pub(super) const BLANKS: [&str; 8] =
    ["auto", "zero", "training_mean", "black", "white", "pad_token", "mask_token", "given"];
/// The choices of a method that hides segments.
pub(super) const COVERS: [&str; 10] = [
    "auto",
    "segment_mean",
    "zero",
    "training_mean",
    "background",
    "black",
    "white",
    "pad_token",
    "mask_token",
    "given",
];

/// The tensor that every method with a baseline takes.
pub(super) const BASELINE: Given = Given {
    name: "baseline",
    description: "the input that stands for nothing, in model space and in the input's shape; it comes before the parameter",
};
/// The rows of which `mean` is the mean.
pub(super) const BACKGROUND: Given = Given {
    name: "background",
    description: "inputs in model space, any number of them, of which the baseline `mean` is the mean, and which `background` shows in turn",
};

/// Pixels that a segment must have on average so that its own mean hides what it shows.
const FEWEST_TO_AVERAGE: usize = 4;
/// Colours that differ by no more of the input's range are the same.
const SAME_COLOUR: f32 = 1e-3;

impl Baseline {
    /// The input from which a path starts, `[1, features]`; the parameter is called `baseline`.
    ///
    /// # Errors
    /// [`Error::ParameterInvalid`] for colours of what is no picture, and those of the given tensors.
    pub(super) fn start(self, subject: &Subject<'_>) -> Result<Tensor<2>> {
        let black = || match subject.written() {
            Some(written) => written_token(written, [Self::PadToken, Self::MaskToken]),
            None if has_background(subject) => Self::Mean,
            None if subject.places().layout.is_picture() => Self::Black,
            None => Self::Zero,
        };
        self.settled(subject, "baseline", None, black)?.row(subject)
    }

    /// What is shown in place of hidden parts, `[1, features]`, or `[N, features]` for each of a background in turn; the parameter is called `hidden`. `segments` are the parts
    /// where they have a mean of their own to be hidden by.
    ///
    /// # Errors
    /// [`Error::ParameterInvalid`] for colours of what is no picture, and for a mean that hides nothing.
    pub(super) fn cover(self, subject: &Subject<'_>, segments: Option<&Segments>) -> Result<Tensor<2>> {
        let blank = || match subject.written() {
            Some(written) => written_token(written, [Self::MaskToken, Self::PadToken]),
            None if has_background(subject) => {
                if segments.is_some() {
                    Self::Background
                } else {
                    Self::Mean
                }
            }
            None if subject.is_prepared() => Self::TrainingMean,
            None => Self::Zero,
        };
        let auto = || match segments {
            Some(cut) if subject.places().layout.is_picture() && averages(subject, cut) => Self::SegmentMean,
            _ => blank(),
        };
        match (self.settled(subject, "hidden", segments, auto)?, segments) {
            (Self::SegmentMean, Some(segments)) => {
                Ok(subject.tensor(means(subject, segments), [1, subject.features()]))
            }
            (settled, _) => settled.row(subject),
        }
    }

    /// The choice that is meant; notes it as the one in force, and in words.
    fn settled(
        self,
        subject: &Subject<'_>,
        param: &'static str,
        segments: Option<&Segments>,
        auto: impl FnOnce() -> Self,
    ) -> Result<Self> {
        let fault = |reason: &str| subject.parameter_invalid(param, reason);
        let settled = match self {
            _ if subject.given(BASELINE.name).is_some() => Self::Given,
            Self::Auto => auto(),
            chosen => chosen,
        };
        match settled {
            Self::Given if subject.given(BASELINE.name).is_none() => {
                return Err(fault("it asks for the tensor \"baseline\", and none is given"));
            }
            Self::Background if segments.is_none() => {
                return Err(fault("this method hides by one row alone; choose mean"));
            }
            Self::Background if subject.given(BACKGROUND.name).is_none() && !has_background(subject) => {
                return Err(fault(
                    "it asks for rows to compare with: give the tensor \"background\", or a table with other rows",
                ));
            }
            Self::Black | Self::White if !subject.places().layout.is_picture() => {
                return Err(fault(&format!(
                    "black and white are known of pictures alone, and this input is a {}; choose zero, or give the tensor \
                     \"baseline\"",
                    subject.names().whole
                )));
            }
            Self::PadToken | Self::MaskToken if subject.written().is_none() => {
                return Err(fault(&format!(
                    "tokens are known of texts alone, and this input is a {}",
                    subject.names().whole
                )));
            }
            Self::PadToken | Self::MaskToken
                if subject.written().is_some_and(|written| written.cover(settled).is_none()) =>
            {
                let (role, option) = if settled == Self::PadToken {
                    ("fills up", "padding")
                } else {
                    ("hides a word", "mask")
                };
                return Err(fault(&format!(
                    "the tokenizer names no token that {role}, or one that the network does not have; name one of its own \
                     (`{option}`) or choose zero or mean"
                )));
            }
            Self::SegmentMean => match segments {
                None => return Err(fault("there are no segments whose mean could be shown")),
                Some(cut) if cut.sizes().iter().all(|&size| size == 1) => {
                    return Err(fault(&format!(
                        "every segment is a single {0}, which is its own mean, so that nothing would be hidden; choose zero \
                         or fewer segments",
                        subject.names().place
                    )));
                }
                Some(_) => (),
            },
            _ => (),
        }
        subject.decided(param, settled);
        subject.compared_with(settled.words(subject));
        Ok(settled)
    }

    /// The baseline in model space, `[1, features]`.
    fn row(self, subject: &Subject<'_>) -> Result<Tensor<2>> {
        match self {
            Self::Black => Ok(subject.pixel_space()?.black),
            Self::White => Ok(subject.pixel_space()?.white),
            Self::Background => rows(subject, BACKGROUND.name)?
                .ok_or_else(|| Error::Internal("the rows to compare with are lost".into())),
            Self::Mean | Self::TrainingMean
                if subject.given(BACKGROUND.name).is_none() && has_background(subject) =>
            {
                let mean = subject
                    .tabled()
                    .and_then(|tabled| tabled.background.as_ref())
                    .map(|rows| &rows.mean.data);
                let mean = mean.ok_or_else(|| Error::Internal("the rows to compare with are lost".into()))?;
                Ok(subject.tensor(subject.places().planes(mean).into_owned(), [1, subject.features()]))
            }
            Self::Mean | Self::TrainingMean => match rows(subject, BACKGROUND.name)? {
                Some(background) => Ok(background.mean_dim(0)),
                None => Ok(covered(subject, self).unwrap_or_else(|| subject.input().zeros_like())),
            },
            Self::PadToken | Self::MaskToken => {
                covered(subject, self).ok_or_else(|| Error::Internal("a token is lost".into()))
            }
            Self::Given => given(subject)?.ok_or_else(|| Error::Internal("a given baseline is lost".into())),
            Self::Auto | Self::Zero | Self::SegmentMean => Ok(subject.input().zeros_like()),
        }
    }

    /// What it is called in a sentence.
    fn words(self, subject: &Subject<'_>) -> String {
        match self {
            Self::Auto | Self::Zero => zeros(subject).into(),
            Self::Black => "black".into(),
            Self::White => "white".into(),
            Self::Mean | Self::TrainingMean if subject.given(BACKGROUND.name).is_some() => {
                "the mean of the given background".into()
            }
            Self::Background if subject.given(BACKGROUND.name).is_some() => {
                "each row of the given background in turn".into()
            }
            Self::Background => background_words(subject, |rows| rows.each()),
            Self::Mean | Self::TrainingMean if has_background(subject) => {
                background_words(subject, |rows| rows.mean_words())
            }
            Self::PadToken => "the padding token in place of each word".into(),
            Self::MaskToken => "the mask token in place of each word".into(),
            Self::Mean | Self::TrainingMean if covers(subject, self) => {
                "the mean row of the table of tokens in place of each word".into()
            }
            Self::Mean | Self::TrainingMean if subject.is_prepared() => {
                "the mean of the training data".into()
            }
            Self::Mean | Self::TrainingMean => zeros(subject).into(),
            Self::SegmentMean => "each segment's own mean".into(),
            Self::Given => GIVEN_WORDS.into(),
        }
    }
}

/// Whether the input is of a table that has rows to compare with.
fn has_background(subject: &Subject<'_>) -> bool {
    subject.tabled().is_some_and(|tabled| tabled.background.is_some())
}

/// What is said of the rows to compare with.
pub(super) fn background_words(subject: &Subject<'_>, say: impl Fn(&Background) -> String) -> String {
    subject.tabled().and_then(|tabled| tabled.background.as_ref()).map(say).unwrap_or_default()
}

/// The first of two tokens that may stand in place of each word, or zero where the tokenizer has neither.
fn written_token(written: &Written, wanted: [Baseline; 2]) -> Baseline {
    wanted.into_iter().find(|&token| written.cover(token).is_some()).unwrap_or(Baseline::Zero)
}

fn covers(subject: &Subject<'_>, baseline: Baseline) -> bool {
    subject.written().is_some_and(|written| written.cover(baseline).is_some())
}

/// A text without its words, `[1, features]`.
fn covered(subject: &Subject<'_>, baseline: Baseline) -> Option<Tensor<2>> {
    let cover = subject.written()?.cover(baseline)?;
    Some(subject.tensor(subject.places().planes(&cover.data).into_owned(), [1, subject.features()]))
}

const GIVEN_WORDS: &str = "the given baseline";

/// What zero is called.
pub(super) fn zeros(subject: &Subject<'_>) -> &'static str {
    if matches!(subject.places().layout, Layout::Sound | Layout::Spectrum) {
        "silence (zeros)"
    } else {
        "zeros"
    }
}

/// The given tensor `baseline`, `[1, features]`, for methods that have one baseline of their own otherwise, which is called
/// `otherwise`.
pub(super) fn given_or(subject: &Subject<'_>, otherwise: &str) -> Result<Option<Tensor<2>>> {
    let given = given(subject)?;
    if let (None, Some(written)) = (&given, subject.written()) {
        let token = written_token(written, [Baseline::MaskToken, Baseline::PadToken]);
        if let Some(cover) = covered(subject, token) {
            subject.compared_with(token.words(subject));
            return Ok(Some(cover));
        }
    }
    if given.is_none() && has_background(subject) {
        subject.compared_with(Baseline::Mean.words(subject));
        return Baseline::Mean.row(subject).map(Some);
    }
    subject.compared_with(if given.is_some() { GIVEN_WORDS } else { otherwise }.to_owned());
    Ok(given)
}

fn given(subject: &Subject<'_>) -> Result<Option<Tensor<2>>> {
    let features = subject.features();
    let given = subject.given_rows(BASELINE.name, 1)?;
    Ok(given.map(|row| subject.tensor(row.to_vec(), [1, features])))
}

/// Inputs that are given under `name`, `[N, features]`; as `background` those of a table where none are given.
pub(super) fn rows(subject: &Subject<'_>, name: &str) -> Result<Option<Tensor<2>>> {
    let Some(given) = subject.given(name) else {
        let rows = subject
            .tabled()
            .and_then(|tabled| tabled.background.as_ref())
            .filter(|_| name == BACKGROUND.name);
        return Ok(rows.map(|Background { rows, .. }| {
            let count = rows.data.len() / subject.features().max(1);
            subject.tensor(subject.places().planes(&rows.data).into_owned(), [count, subject.features()])
        }));
    };
    let count = given.data.len().div_ceil(subject.features()).max(1);
    let rows = subject.given_rows(name, count)?.unwrap_or_default();
    Ok(Some(subject.tensor(rows.to_vec(), [count, subject.features()])))
}

/// `x` where `mask` is 1, and `blank` (zero where there is none) where it is 0.
pub(super) fn behind<const D: usize>(x: Tensor<D>, mask: Tensor<D>, blank: Option<Tensor<D>>) -> Tensor<D> {
    match blank {
        None => x * mask,
        Some(blank) => blank.clone() + (x - blank) * mask,
    }
}

/// Whether the segments' own means hide what they show: segments of few pixels are their own means, and so are areas of one
/// colour, along whose edges a drawing is cut.
fn averages(subject: &Subject<'_>, segments: &Segments) -> bool {
    let (low, high) = subject.range();
    let far = |(value, mean): (&f32, f32)| (value - mean).abs() > SAME_COLOUR * (high - low);
    segments.labels.len() >= FEWEST_TO_AVERAGE * segments.count
        && subject.values().iter().zip(means(subject, segments)).any(far)
}

/// The input with every segment in its mean colour.
fn means(subject: &Subject<'_>, segments: &Segments) -> Vec<f32> {
    let sizes = segments.sizes();
    let mut picture = Vec::with_capacity(subject.features());
    for channel in subject.values().chunks_exact(segments.labels.len()) {
        let mut sums = vec![0.0f64; segments.count];
        for (&label, &value) in segments.labels.iter().zip(channel) {
            sums[label as usize] += f64::from(value);
        }
        picture.extend(
            segments.labels.iter().map(|&label| (sums[label as usize] / sizes[label as usize] as f64) as f32),
        );
    }
    picture
}
