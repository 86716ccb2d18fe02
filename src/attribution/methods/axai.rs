//! AXAI (Rahnama and Tseng 2021): where does an attack on the network gather?
//!
//! An adversarial attack moves the pixels that the decision hangs on. Its strongest changes are kept, and the segments
//! of the picture in which they lie the most densely are the explanation. The attack and the segmentation do not
//! depend on how many segments are shown.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Subject,
    display::{Channels, Display, percentile},
    method::{Cost, Given, Method, Need},
    partition::{DENSITY_NOISE, Partition, SEGMENTS, may_explain, painted, ranked, report},
    read,
};
use crate::{
    Result,
    attack::{Attack, Norm, Within},
    input::{layout::Layout, parts::Joined},
    segment::Segments,
};

/// AXAI.
pub struct Axai;

/// The attack whose changes are counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Projected gradient descent: many small steps.
    #[default]
    Pgd,
    /// The fast gradient method: a single step.
    Fgm,
}

/// Parameters of AXAI.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// Length of the explanation: the number of segments that are shown; of equally dense ones all.
    #[schemars(range(min = 1, max = 1000))]
    pub k: usize,
    /// The attack.
    pub attack: Kind,
    /// Steps of PGD.
    #[schemars(range(min = 1, max = 1000))]
    pub steps: usize,
    /// Euclidean length of a step of PGD, in model space.
    #[schemars(range(min = 0.0, max = 100.0))]
    pub alpha: f32,
    /// Euclidean length of the whole change at most, in model space.
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub epsilon: f32,
    /// Changes of a channel below this percentile count.
    #[schemars(range(min = 0.0, max = 50.0))]
    pub lower_percentile: f32,
    /// Changes of a channel from this percentile on count.
    #[schemars(range(min = 50.0, max = 100.0))]
    pub upper_percentile: f32,
    /// How the input is cut.
    #[serde(flatten)]
    pub partition: Partition,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            k: 5,
            attack: Kind::Pgd,
            steps: 20,
            alpha: 0.001,
            epsilon: 0.2,
            lower_percentile: 15.0,
            upper_percentile: 85.0,
            partition: Partition::default(),
        }
    }
}

impl Method for Axai {
    type Config = Config;
    const NAME: &'static str = "axai";
    const TITLE: &'static str = "AXAI";
    const SUMMARY: &'static str = "Attacks the network and shows the parts of the picture in which the attack gathers. How many parts are shown can be changed at no cost.";
    const PAPER: &'static str = "Rahnama, Tseng: An Adversarial Approach for Explaining the Predictions of Deep Neural Networks (2021)";
    const NEEDS: &'static [Need] = &[Need::Gradient, Need::PixelSpace];
    const DISPLAY: Display = Display { channels: Channels::Mean, low: 0.0, high: 100.0 };
    const JOINED: Joined = Joined::Mean;

    const GIVEN: &'static [Given] = &[SEGMENTS, DENSITY_NOISE];

    fn cost(config: &Config) -> Cost {
        let steps = config.steps();
        Cost { forward: steps, backward: steps }
    }

    /// AXAI algorithm 1.
    async fn attribute(subject: &Subject<'_>, config: &Config) -> Result<Attribution> {
        // Segment the input.
        let segments = config.partition.cut(subject).await?;
        let attack = match config.attack {
            Kind::Pgd => Attack::pgd(Norm::L2, config.alpha, config.epsilon, config.steps),
            Kind::Fgm => Attack::fgm(Norm::L2, config.epsilon),
        };
        // Attack it: what changed.
        let delta = attack.run(subject, subject.input(), &[subject.target()], &Within::default()).await?;
        let delta = read(delta.reshape([subject.features()])).await?;
        // Filter the weak changes out, map the others to the segments, and calculate the densities.
        let density = match subject.places().layout {
            // Text: one segment is one row of the matrix of embeddings, and its values are what is counted.
            Layout::Sequence => {
                let channels = subject.places().channels;
                densities(&segments, &attacked(&delta, delta.len(), config), channels)
            }
            // Sound: a cell has one magnitude, whatever its phase.
            Layout::Spectrum => densities(&segments, &attacked_cells(&delta, segments.labels.len(), config), 1),
            _ => densities(&segments, &attacked(&delta, segments.labels.len(), config), 1),
        };
        // The top K.
        // The attack moves what the tokenizer has added too, and that explains nothing to a person.
        let counted: Vec<f32> = (0..)
            .zip(&density)
            .map(|(segment, &density)| if may_explain(subject, &segments, segment) { density } else { 0.0 })
            .collect();
        let mut chosen = densest(&counted, config.k);
        chosen.retain(|&segment| may_explain(subject, &segments, segment));
        let mut shown = vec![0.0; density.len()];
        for &segment in &chosen {
            shown[segment as usize] = counted[segment as usize];
        }
        let map = subject.tensor(painted(&segments, &shown), [1, segments.labels.len()]);
        let steps = config.steps();
        Ok(Attribution { segments: Some(report(segments, density, chosen)), ..Attribution::new(map, steps) })
    }
}

impl Config {
    fn steps(&self) -> usize {
        if self.attack == Kind::Fgm { 1 } else { self.steps }
    }
}

/// AXAI algorithm 1, the filter: the pixels at which the strongest changes of the channels do not cancel.
fn attacked(delta: &[f32], pixels: usize, config: &Config) -> Vec<bool> {
    let mut sum = vec![0.0f64; pixels];
    for channel in delta.chunks_exact(pixels) {
        let mut sorted = channel.to_vec();
        sorted.sort_unstable_by(f32::total_cmp);
        let low = percentile(&sorted, config.lower_percentile);
        let high = percentile(&sorted, config.upper_percentile);
        for (sum, &change) in sum.iter_mut().zip(channel) {
            if change < low || change >= high {
                *sum += f64::from(change);
            }
        }
    }
    sum.into_iter().map(|sum| sum != 0.0).collect()
}

/// The same for cells of a spectrum, whose two channels are one complex number: those that change most, as large a part as the filter
/// leaves of a channel. Cells that no change reaches, as those of silence, are no part of the distribution: they are more than half of a
/// second with a word in it, and with them every cell of the word would be among the strongest.
fn attacked_cells(delta: &[f32], cells: usize, config: &Config) -> Vec<bool> {
    let size = |cell: usize| {
        let squares = (cell..delta.len()).step_by(cells.max(1)).map(|at| delta[at] * delta[at]);
        squares.sum::<f32>().sqrt()
    };
    let sizes: Vec<f32> = (0..cells).map(size).collect();
    let mut reached: Vec<f32> = sizes.iter().copied().filter(|&size| size > 0.0).collect();
    reached.sort_unstable_by(f32::total_cmp);
    if reached.is_empty() {
        return vec![false; cells];
    }
    let least = percentile(&reached, config.upper_percentile - config.lower_percentile);
    sizes.into_iter().map(|size| size > 0.0 && size >= least).collect()
}

/// AXAI algorithm 1, the density: the attacked part of each segment's pixels, 0 to 1; a pixel may have several values that count each for itself.
fn densities(segments: &Segments, attacked: &[bool], values: usize) -> Vec<f32> {
    let mut counts = vec![0usize; segments.count];
    for (&label, &hit) in segments.labels.iter().cycle().zip(attacked) {
        counts[label as usize] += usize::from(hit);
    }
    counts.iter().zip(segments.sizes()).map(|(&count, size)| count as f32 / (size * values) as f32).collect()
}

/// The `k` densest segments, and those that are as dense as the last of them.
fn densest(density: &[f32], k: usize) -> Vec<u32> {
    let mut order = ranked(density);
    if let Some(&last) = order.get(k - 1) {
        let least = density[last as usize];
        order.truncate(order.partition_point(|&segment| density[segment as usize] >= least));
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_with_the_last_segment_are_kept() {
        let density = [0.2, 0.5, 0.3, 0.3, 0.1, 0.3];
        assert_eq!(densest(&density, 1), [1]);
        assert_eq!(densest(&density, 2), [1, 2, 3, 5]);
        assert_eq!(densest(&density, 10), [1, 2, 3, 5, 0, 4]);
    }

    #[test]
    fn the_strongest_changes_of_each_channel_are_kept() {
        // Twenty equally spaced values: numpy.percentile(range(20), [15, 85]) = 2.85, 16.15.
        let delta: Vec<f32> = (0..20).map(|i| i as f32 - 9.5).collect();
        let hit = attacked(&delta, 20, &Config::default());
        let kept: Vec<usize> = (0..20).filter(|&i| hit[i]).collect();
        assert_eq!(kept, [0, 1, 2, 17, 18, 19]);
        // A second channel that undoes the first leaves nothing.
        let both: Vec<f32> = delta.iter().copied().chain(delta.iter().map(|d| -d)).collect();
        assert!(attacked(&both, 20, &Config::default()).iter().all(|&hit| !hit));
    }

    #[test]
    fn cells_count_by_their_magnitude_and_silence_is_left_aside() {
        // Ten cells that are reached, of magnitudes 1 to 10 and of any phase, between thirty that are not.
        let mut delta = vec![0.0f32; 80];
        for cell in 0..10 {
            let (size, angle) = (cell as f32 + 1.0, cell as f32);
            delta[10 + cell] = size * angle.cos();
            delta[50 + cell] = size * angle.sin();
        }
        // numpy.percentile(range(1, 11), 70) = 7.3.
        let hit = attacked_cells(&delta, 40, &Config::default());
        let kept: Vec<usize> = (0..40).filter(|&cell| hit[cell]).collect();
        assert_eq!(kept, [17, 18, 19]);
        assert!(attacked_cells(&[0.0; 8], 4, &Config::default()).iter().all(|&hit| !hit));
    }
}
