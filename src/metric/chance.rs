//! What a metric makes of maps that know nothing: the judged map with its values strewn at random. A value that such maps reach
//! as well says nothing for the judged one.

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::{Assessment, registry::Better};
use crate::{HostTensor, attribution::Segmentation, statistics};

/// The fewest random maps that make a range.
pub const FEWEST: usize = 20;
/// The most that are measured.
pub const MOST: usize = 1000;

/// How a value stands to those of random maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Beyond what random maps reach, on the good side.
    Better,
    /// Random maps reach it as well.
    NoBetter,
    /// Beyond what random maps reach, on the bad side.
    Worse,
    /// Beyond what random maps reach, of a metric that only describes.
    Other,
}

impl Standing {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Better => "better than chance",
            Self::NoBetter => "no better than chance",
            Self::Worse => "worse than chance",
            Self::Other => "unlike chance",
        }
    }
}

/// The same metric of random maps.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Chance {
    /// The value of each random map.
    pub values: Vec<f64>,
    /// Their mean.
    pub mean: f64,
    /// What 2.5 % of them are below.
    pub low: f64,
    /// What 2.5 % of them are above.
    pub high: f64,
    /// How the judged map's value stands to them.
    pub standing: Standing,
    /// All of it as a sentence.
    pub words: String,
}

impl Chance {
    /// How `value` stands to those of random maps; `None` where there are none.
    pub fn of(value: f64, values: Vec<f64>, better: Better) -> Option<Self> {
        let mean = statistics::mean(&values)?;
        let (low, high) = (statistics::quantile(&values, 0.025)?, statistics::quantile(&values, 0.975)?);
        // Rounding must not lift a map above others of the same value.
        let slack = 1e-9 * low.abs().max(high.abs());
        let standing = match better {
            _ if (low - slack..=high + slack).contains(&value) => Standing::NoBetter,
            Better::Neither => Standing::Other,
            Better::Higher if value > high => Standing::Better,
            Better::Lower if value < low => Standing::Better,
            _ => Standing::Worse,
        };
        let words = format!(
            "{}: {} against {} of {} random maps on average, {} to {} of 95 % of them.",
            standing.words(),
            figure(value),
            figure(mean),
            values.len(),
            figure(low),
            figure(high)
        );
        Some(Self { values, mean, low, high, standing, words })
    }
}

/// Four digits are enough for a sentence.
fn figure(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        size if (1e-3..1e5).contains(&size) => format!("{value:.4}"),
        _ => format!("{value:.3e}"),
    }
}

/// A map with its places in a random order, the channels of a place together; one that has a value a segment, in each of the
/// segment's places, with its segments in a random order.
pub(super) fn strewn(
    map: &HostTensor,
    places: usize,
    segments: Option<&Segmentation>,
    random: &mut ChaCha8Rng,
) -> HostTensor {
    let shuffled = |count: usize, random: &mut ChaCha8Rng| {
        let mut order: Vec<usize> = (0..count).collect();
        order.shuffle(random);
        order
    };
    let painted = segments.filter(|cut| {
        let value = |label: &u32| cut.values.get(*label as usize);
        map.data.len() == places
            && cut.labels.len() == places
            && cut.labels.iter().zip(&map.data).all(|(label, value_there)| value(label) == Some(value_there))
    });
    let data = match painted {
        Some(cut) => {
            let order = shuffled(cut.values.len(), random);
            cut.labels.iter().map(|&label| cut.values[order[label as usize]]).collect()
        }
        None => {
            let order = shuffled(places, random);
            map.data.chunks(places).flat_map(|plane| order.iter().map(|&from| plane[from])).collect()
        }
    };
    HostTensor { data, shape: map.shape.clone() }
}

/// The same segments with others chosen.
pub(super) fn chosen_anew(segments: &Segmentation, random: &mut ChaCha8Rng) -> Segmentation {
    let mut all: Vec<u32> = (0..segments.values.len() as u32).collect();
    all.shuffle(random);
    all.truncate(segments.chosen.len());
    Segmentation { chosen: all, ..segments.clone() }
}

/// The values of `count` random maps by the metric that `measure` is.
///
/// # Errors
/// Those of the metric.
pub(super) async fn values(
    assessment: &Assessment<'_>,
    count: usize,
    measure: impl AsyncFn(&Assessment<'_>) -> crate::Result<f64>,
) -> crate::Result<Vec<f64>> {
    let mut values = Vec::with_capacity(count);
    for number in 0..count {
        assessment.checkpoint(number, count, "measuring random maps").await?;
        let mut random = assessment.random_of(RANDOM_MAPS + number);
        let map = strewn(&assessment.map, assessment.positions(), assessment.cut(), &mut random);
        let segments = assessment.cut().map(|cut| chosen_anew(cut, &mut random));
        values.push(measure(&assessment.by_chance(map, segments.as_ref(), number)).await?);
    }
    Ok(values)
}

/// The streams of random numbers from here on are those of random maps; no metric draws as many samples.
pub(super) const RANDOM_MAPS: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_within_what_noise_reaches_is_no_better_than_chance() {
        let noise: Vec<f64> = (0..21).map(f64::from).collect();
        let standing = |value, better| Chance::of(value, noise.clone(), better).unwrap().standing;
        assert_eq!(standing(10.0, Better::Higher), Standing::NoBetter);
        assert_eq!(standing(25.0, Better::Higher), Standing::Better);
        assert_eq!(standing(-1.0, Better::Higher), Standing::Worse);
        assert_eq!(standing(-1.0, Better::Lower), Standing::Better);
        assert_eq!(standing(25.0, Better::Neither), Standing::Other);
        let chance = Chance::of(0.3, vec![0.3; 20], Better::Higher).unwrap();
        assert_eq!((chance.standing, chance.low, chance.high), (Standing::NoBetter, 0.3, 0.3));
        assert!(chance.words.starts_with("no better than chance: 0.3000 against 0.3000 of 20"));
        assert_eq!(Chance::of(1.0, Vec::new(), Better::Higher), None);
    }
}
