//! How methods that work on segments cut the input, and what they report of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Attribution, Segmentation, Subject, method::Given};
use crate::{
    Error, Result,
    input::{layout::Layout, table::TableKind},
    segment::{self, QuickShift, Segments, Slic},
};
use rand_distr::{Distribution, StandardNormal};

/// The algorithm that cuts the input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// What suits the input.
    #[default]
    Auto,
    /// QuickShift: segments follow colours and edges.
    QuickShift,
    /// SLIC: segments of about equal size.
    Slic,
    /// Equal rectangles, or equal lengths.
    Grid,
    /// The words of a text; what the tokenizer adds is one more.
    Words,
    /// The columns of a table, a one-hot group at once.
    Columns,
}

/// Parameters of the segmentation, which a method's own parameters flatten in.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Partition {
    /// How the input is cut into segments. auto: a photograph by QuickShift; a spectrogram (one channel and no
    /// preprocessing), a picture of other channels, or one whose shorter side is no more than 8 kernel sizes, by a
    /// grid; a sound into windows of equal length, its spectrum by a grid of steps in time and of bands that grow wider; a text into its words; a row of a table into its columns, a series into at most 20 windows; other tokens (padding too), steps and features one by one, where they are
    /// no more than 1000, else into windows. Segments that are given come before all of this.
    pub segmentation: Algorithm,
    /// QuickShift: width of the density's Gaussian in pixels; larger: fewer segments. About 1 for pictures of 32
    /// pixels a side.
    #[schemars(range(min = 1.0, max = 50.0))]
    pub kernel_size: f32,
    /// QuickShift: the longest link between pixels; larger: fewer segments.
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub max_dist: f32,
    /// QuickShift: weight of colour against position.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub ratio: f32,
    /// SLIC, grid and windows: about how many segments to make.
    #[schemars(range(min = 1, max = 10000))]
    pub segments: usize,
    /// SLIC: weight of position against colour.
    #[schemars(range(min = 0.001, max = 1000.0))]
    pub compactness: f32,
}

impl Default for Partition {
    /// QuickShift as in AXAI's paper; scikit-image's SLIC.
    fn default() -> Self {
        Self {
            segmentation: Algorithm::Auto,
            kernel_size: 8.0,
            max_dist: 10.0,
            ratio: 0.1,
            segments: 100,
            compactness: 10.0,
        }
    }
}

impl Partition {
    /// The segments of the input: those that were given as `segments` (a number for every pixel, token, ...), or else
    /// what the algorithm finds. QuickShift's noise against ties is drawn from the seed, or given as `density_noise`
    /// (a value for every pixel).
    ///
    /// # Errors
    /// [`Error::MethodUnsuited`] where the algorithm follows colours and there are none, [`Error::InputInvalid`] for
    /// given tensors of another size or with numbers that are no labels, [`Error::Cancelled`].
    pub(super) async fn cut(&self, subject: &Subject<'_>) -> Result<Segments> {
        subject.checkpoint(0, 1, "cutting the input into segments").await?;
        let mut segments = self.found(subject).await?;
        // A flat or tiny picture: what nobody asked for by name gives way to what tells its parts apart.
        let chosen = self.algorithm(subject) == self.segmentation || subject.given("segments").is_some();
        if !chosen && segments.count == 1 {
            let finer = segment::grid(subject.places().height, subject.places().width, self.segments);
            if finer.count > 1 {
                subject.decided("segmentation", Algorithm::Grid);
                subject.note(format!(
                    "QuickShift finds a single segment here, so the {} is cut by a grid of {} cells instead.",
                    subject.names().whole,
                    finer.count
                ));
                segments = finer;
            }
        }
        told_if_single(subject, &segments);
        Ok(segments)
    }

    async fn found(&self, subject: &Subject<'_>) -> Result<Segments> {
        let (height, width) = (subject.places().height, subject.places().width);
        let pixels = height * width;
        if let Some(given) = subject.given("segments") {
            return labels(subject, &given.data);
        }
        let algorithm = self.algorithm(subject);
        subject.decided("segmentation", algorithm);
        Ok(match algorithm {
            Algorithm::Auto => Segments::new(&(0..pixels).collect::<Vec<_>>()),
            Algorithm::Grid if subject.places().layout == Layout::Spectrum => {
                segment::time_frequency(height, width, self.segments)
            }
            Algorithm::Grid => match subject.tabled() {
                // A series where nobody has said how finely.
                Some(series) if self.segmentation == Algorithm::Auto => series.segments(),
                _ => segment::grid(height, width, self.segments),
            },
            Algorithm::Columns => match subject.tabled().filter(|tabled| tabled.kind == TableKind::Row) {
                Some(tabled) => tabled.segments(),
                None => {
                    let reason = format!(
                        "columns are known of tables alone, and this input is a {}",
                        subject.names().whole
                    );
                    return Err(subject.parameter_invalid("segmentation", &reason));
                }
            },
            Algorithm::Words => match subject.written() {
                Some(written) => written.segments(MOST_TO_FIT),
                None => {
                    let reason = format!(
                        "words are known of texts alone, and this input is a {}",
                        subject.names().whole
                    );
                    return Err(subject.parameter_invalid("segmentation", &reason));
                }
            },
            Algorithm::Slic => {
                let compactness = f64::from(self.compactness);
                let settings = Slic { segments: self.segments, compactness, ..Slic::default() };
                segment::slic(&subject.picture()?, settings)
            }
            Algorithm::QuickShift => {
                let noise: Vec<f64> = match subject.given("density_noise") {
                    Some(given) if given.data.len() != pixels => {
                        return Err(wrong_size(subject, "density_noise"));
                    }
                    Some(given) => given.data.iter().map(|&value| value.into()).collect(),
                    None => {
                        let mut random = subject.random();
                        let normal = StandardNormal.sample_iter(&mut random).take(pixels);
                        normal.map(|value: f64| 1e-5 * value).collect()
                    }
                };
                let settings = QuickShift {
                    kernel_size: self.kernel_size.into(),
                    max_dist: self.max_dist.into(),
                    // The digits that were meant, not those of 32 bits.
                    ratio: f64::from((self.ratio * 1e6).round()) / 1e6,
                };
                let device = subject.model().device();
                segment::quickshift_on(device, &subject.picture()?, settings, Some(&noise)).await?
            }
        })
    }

    /// The algorithm that is meant; `Auto` is left where every place is a segment.
    fn algorithm(&self, subject: &Subject<'_>) -> Algorithm {
        if self.segmentation != Algorithm::Auto {
            return self.segmentation;
        }
        let places = subject.places();
        if subject.written().is_some() {
            return Algorithm::Words;
        }
        match subject.tabled().map(|tabled| tabled.kind) {
            Some(TableKind::Row) => return Algorithm::Columns,
            Some(TableKind::Series) => return Algorithm::Grid,
            None => (),
        }
        match places.layout {
            Layout::Picture | Layout::PictureChannelsLast => {
                // QuickShift looks three kernel sizes far to each side.
                let wide = places.height.min(places.width) as f32 > 8.0 * self.kernel_size;
                if subject.is_photograph() && wide { Algorithm::QuickShift } else { Algorithm::Grid }
            }
            Layout::Sequence | Layout::Table | Layout::Values if places.count() <= MOST_TO_FIT => {
                Algorithm::Auto
            }
            _ => Algorithm::Grid,
        }
    }
}

/// Whether a segment may make up an explanation: of a text, words alone do.
pub(super) fn may_explain(subject: &Subject<'_>, segments: &Segments, segment: u32) -> bool {
    subject.written().is_none_or(|written| written.is_of_words(segments, segment))
}

/// The caller's own parts.
pub(super) const SEGMENTS: Given = Given {
    name: "segments",
    description: "the number of the segment of every pixel, sample, token or feature, from 0; it comes before every algorithm",
};
/// What decides between QuickShift's equals.
pub(super) const DENSITY_NOISE: Given = Given {
    name: "density_noise",
    description: "what is added to the density of every pixel in QuickShift, so that no two are equal",
};

/// Says so where the whole input is one segment, which no method can tell apart.
pub(super) fn told_if_single(subject: &Subject<'_>, segments: &Segments) {
    if segments.count == 1 && segments.labels.len() > 1 {
        let (whole, place) = (subject.names().whole, subject.names().place);
        subject.note(format!(
            "The whole {whole} is one segment, so that its {place}s cannot be told apart; choose more segments or another \
             segmentation."
        ));
    }
}

fn labels(subject: &Subject<'_>, values: &[f32]) -> Result<Segments> {
    if values.len() != subject.places().count() {
        return Err(wrong_size(subject, "segments"));
    }
    // Above, 32 bits do not tell whole numbers apart.
    const MOST: f32 = 16_777_216.0;
    if values.iter().any(|&label| label.fract() != 0.0 || !(0.0..MOST).contains(&label)) {
        return Err(Error::InputInvalid("The given segments must be whole numbers from 0 on.".into()));
    }
    Ok(Segments::new(&values.iter().map(|&label| label as usize).collect::<Vec<_>>()))
}

fn wrong_size(subject: &Subject<'_>, name: &str) -> Error {
    Error::InputInvalid(format!(
        "The given tensor \"{name}\" must hold a value for each of the {} {}s.",
        subject.places().count(),
        subject.names().place
    ))
}

/// Segments whose weights can be fitted in reasonable time and memory.
pub(super) const MOST_TO_FIT: usize = 1000;

/// The error for more segments than [`MOST_TO_FIT`].
pub(super) fn too_many(subject: &Subject<'_>, count: usize) -> Error {
    subject.unsuited(&format!(
        "the {} falls into {count} segments, more than the {MOST_TO_FIT} that can be fitted; choose a larger \
         kernel_size or max_dist, or fewer segments",
        subject.names().whole
    ))
}

/// The numbers of the segments, by falling value; equal ones stay in their order.
pub(super) fn ranked(values: &[f32]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..values.len() as u32).collect();
    order.sort_by(|&a, &b| values[b as usize].total_cmp(&values[a as usize]));
    order
}

/// Each segment's value at its pixels.
pub(super) fn painted(segments: &Segments, values: &[f32]) -> Vec<f32> {
    segments.labels.iter().map(|&label| values[label as usize]).collect()
}

/// What a method reports of its segments.
pub(super) fn report(segments: Segments, values: Vec<f32>, chosen: Vec<u32>) -> Segmentation {
    Segmentation { labels: segments.labels, values, chosen }
}

/// What a method gives that has fitted a value to each segment: the explanation are the `k` highest above 0.
pub(super) fn fitted(
    subject: &Subject<'_>,
    segments: Segments,
    values: Vec<f32>,
    k: usize,
    steps: usize,
) -> Attribution {
    let mut chosen = ranked(&values);
    chosen.retain(|&segment| values[segment as usize] > 0.0 && may_explain(subject, &segments, segment));
    chosen.truncate(k);
    let map = subject.tensor(painted(&segments, &values), [1, segments.labels.len()]);
    Attribution { segments: Some(report(segments, values, chosen)), ..Attribution::new(map, steps) }
}
