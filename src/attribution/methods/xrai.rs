//! XRAI (Kapishnikov et al. 2019): integrated gradients summed up over regions, which join the explanation one after
//! the other, the densest first.

use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Segmentation, Subject,
    baseline::{rows, zeros},
    display::{Channels, Display},
    integrated_gradients::{STAGE, along_a_line},
    method::{Cost, Given, Method, Need},
    partition::{Partition, told_if_single},
    read,
};
use crate::{
    Error, Result,
    input::layout::{Layout, Places},
    model::Score,
    segment::{Felzenszwalb, Picture, Segments, felzenszwalb, grid},
};

/// XRAI.
pub struct Xrai;

/// Parameters of XRAI.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Points of integrated gradients from each of the baselines: black and white for pictures, zero for all else, or those
    /// that are given.
    #[schemars(range(min = 2, max = 1000))]
    pub steps: usize,
    /// Pixels by which every region of a picture grows, so that it holds its edges. Left out: 5 for pictures of 224 pixels a
    /// side and more, in proportion for smaller ones.
    #[schemars(range(min = 0, max = 50))]
    pub dilation: Option<usize>,
    /// Regions of a picture that would add fewer pixels are left out. Left out itself: 50 for pictures of 224 pixels a side
    /// and more, the same part of a smaller one.
    #[schemars(range(min = 1, max = 10000))]
    pub min_pixels: Option<usize>,
    /// The score whose gradient is taken.
    pub score: Score,
}

impl Default for Config {
    fn default() -> Self {
        Self { steps: 100, dilation: None, min_pixels: None, score: Score::Logit }
    }
}

/// The scales at which the picture is cut, and the rest of the segmentation's parameters, as in the authors' program.
const SCALES: [f64; 6] = [50.0, 100.0, 150.0, 250.0, 500.0, 1200.0];
const SIGMA: f64 = 0.8;
const MIN_SEGMENT: f64 = 150.0;

impl Method for Xrai {
    type Config = Config;
    const NAME: &'static str = "xrai";
    const TITLE: &'static str = "XRAI";
    const SUMMARY: &'static str =
        "Sums up integrated gradients over regions of the picture and ranks the regions.";
    const PAPER: &'static str =
        "Kapishnikov, Bolukbasi, Viégas, Terry: XRAI: Better Attributions Through Regions (2019)";
    const NEEDS: &'static [Need] = &[Need::Gradient, Need::PixelSpace];
    const DISPLAY: Display = Display { channels: Channels::Mean, low: 50.0, high: 99.0 };

    const GIVEN: &'static [Given] = &[
        Given {
            name: "segments",
            description: "the number of the segment of every pixel or place, from 0, one partition after the other: \
                          `[levels, 1, height, width]` for pictures",
        },
        Given {
            name: "baseline",
            description: "inputs in model space from which integrated gradients start, one or several; their mean is taken",
        },
    ];

    fn cost(config: &Config) -> Cost {
        Cost { forward: 2 * config.steps, backward: 2 * config.steps }
    }

    fn quick() -> Config {
        Config { steps: 15, ..Config::default() }
    }

    async fn attribute(subject: &Subject<'_>, config: &Config) -> Result<Attribution> {
        let &Places { layout, channels, height, width, .. } = subject.places();
        let pixels = height * width;
        // Other inputs have no edges to hold, and a region may be a single token.
        let (dilation, least) = match layout.is_picture() {
            true => {
                let part = part_of_the_papers(pixels);
                // The paper's 5 pixels are a 45th of its pictures' sides.
                let dilation = config.dilation.unwrap_or((5.0 * part.sqrt()).round() as usize);
                let least = config.min_pixels.unwrap_or((50.0 * part).round().max(1.0) as usize);
                subject.decided("dilation", dilation);
                subject.decided("min_pixels", least);
                (dilation, least)
            }
            false => (0, 1),
        };
        let baselines = baselines(subject)?;
        let count = baselines.dims()[0];
        let all = count * config.steps;
        subject.checkpoint(0, all, "cutting the picture into regions").await?;
        let levels = levels(subject).await?;
        let mut integrated = subject.input().zeros_like();
        for index in 0..count {
            let baseline = baselines.clone().slice(index..index + 1);
            let batches = subject.batches(config.steps, STAGE).within(index * config.steps, all);
            integrated = integrated
                + along_a_line(subject, baseline, config.steps, config.score, batches, false).await?.map;
        }
        let map = (integrated / count as f32).reshape([channels, pixels]).max_dim(0);
        let attribution: Vec<f64> = read(map.reshape([pixels])).await?.into_iter().map(f64::from).collect();
        let regions: Vec<Vec<usize>> =
            levels.iter().flat_map(|level| regions(level, height, width, dilation)).collect();
        let ranked = rank(&attribution, &regions, least);
        let painted = ranked.labels.iter().map(|&label| ranked.values[label as usize]).collect();
        let map = subject.tensor(painted, [1, pixels]);
        Ok(Attribution { segments: Some(ranked), ..Attribution::new(map, all) })
    }
}

/// The part of a picture of 224 x 224 pixels that one of so many is; the papers' numbers hold from there on.
fn part_of_the_papers(pixels: usize) -> f64 {
    (pixels as f64 / (224.0 * 224.0)).min(1.0)
}

/// Where integrated gradients start, `[N, features]`.
fn baselines(subject: &Subject<'_>) -> Result<Tensor<2>> {
    if let Some(given) = rows(subject, "baseline")? {
        subject.compared_with("the given baseline".into());
        return Ok(given);
    }
    if !subject.places().layout.is_picture() {
        subject.compared_with(zeros(subject).into());
        return Ok(subject.input().zeros_like());
    }
    subject.compared_with("black and white".into());
    let space = subject.pixel_space()?;
    Ok(Tensor::cat(vec![space.black, space.white], 0))
}

/// The segmentations of the input, from fine to coarse, or those that were given. What has no colours to follow is cut
/// into equal parts, and those into ever coarser ones where they have neighbours.
async fn levels(subject: &Subject<'_>) -> Result<Vec<Segments>> {
    let &Places { layout, channels, height, width, .. } = subject.places();
    let pixels = height * width;
    if let Some(given) = subject.given("segments") {
        let whole = |label: &f32| label.fract() == 0.0 && *label >= 0.0;
        if !given.data.len().is_multiple_of(pixels) || !given.data.iter().all(whole) {
            return Err(Error::InputInvalid(format!(
                "The given tensor \"segments\" must hold whole numbers from 0 on, {pixels} a level: one for each {}.",
                subject.names().place
            )));
        }
        let level =
            |labels: &[f32]| Segments::new(&labels.iter().map(|&label| label as usize).collect::<Vec<_>>());
        let levels: Vec<Segments> = given.data.chunks_exact(pixels).map(level).collect();
        if let [only] = levels.as_slice() {
            told_if_single(subject, only);
        }
        return Ok(levels);
    }
    if !layout.is_picture() || !matches!(channels, 1 | 3) {
        let finest = Partition::default().cut(subject).await?;
        return Ok(ever_coarser(finest, height, width, layout));
    }
    let picture = spread(&subject.picture()?);
    let part = part_of_the_papers(pixels);
    let min_size = (MIN_SEGMENT * part).round().max(1.0) as usize;
    let level = |scale| felzenszwalb(&picture, Felzenszwalb { scale: scale * part, sigma: SIGMA, min_size });
    let levels: Vec<Segments> = SCALES.into_iter().map(level).collect();
    if levels.iter().any(|level| level.count > 1) || pixels == 1 {
        return Ok(levels);
    }
    let finest = grid(height, width, Partition::default().segments);
    subject.note(format!(
        "Felzenszwalb's algorithm finds a single region here, so the {} is cut by grids of {} cells and fewer instead.",
        subject.names().whole,
        finest.count
    ));
    Ok(ever_coarser(finest, height, width, layout))
}

/// The segments, and grids of ever fewer cells of what has neighbours.
fn ever_coarser(finest: Segments, height: usize, width: usize, layout: Layout) -> Vec<Segments> {
    let mut parts = finest.count / 2;
    let mut levels = vec![finest];
    while parts > 1 && !matches!(layout, Layout::Table | Layout::Values) {
        levels.push(grid(height, width, parts));
        parts /= 2;
    }
    levels
}

/// The picture with its values spread from -1 to 1, the range that the scales are meant for.
fn spread(picture: &Picture) -> Picture {
    let (low, high) = picture
        .data
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| (low.min(value), high.max(value)));
    let range = if high > low { high - low } else { 1.0 };
    let data = picture.data.iter().map(|value| (value - low) / range * 2.0 - 1.0).collect();
    Picture { data, ..*picture }
}

/// The pixels of each segment, grown by a disk of the radius `dilation`.
fn regions(segments: &Segments, height: usize, width: usize, dilation: usize) -> Vec<Vec<usize>> {
    let reach = dilation as isize;
    // The half-width of the disk in each of its rows.
    let disk: Vec<(isize, isize)> =
        (-reach..=reach).map(|down| (down, (reach * reach - down * down).isqrt())).collect();
    let mut regions = vec![Vec::new(); segments.count];
    let mut members = vec![Vec::new(); segments.count];
    for (pixel, &label) in segments.labels.iter().enumerate() {
        members[label as usize].push(pixel);
    }
    // The last region that a pixel was added to, so that none gets it twice.
    let mut seen = vec![usize::MAX; height * width];
    for (label, (region, members)) in regions.iter_mut().zip(&members).enumerate() {
        for &pixel in members {
            let (row, column) = ((pixel / width) as isize, (pixel % width) as isize);
            // Only pixels at the rim reach beyond the segment.
            if dilation > 0 && !at_rim(segments, pixel, height, width) {
                if seen[pixel] != label {
                    seen[pixel] = label;
                    region.push(pixel);
                }
                continue;
            }
            for &(down, half) in &disk {
                let row = row + down;
                if !(0..height as isize).contains(&row) {
                    continue;
                }
                let (from, to) = ((column - half).max(0), (column + half).min(width as isize - 1));
                for column in from..=to {
                    let other = row as usize * width + column as usize;
                    if seen[other] != label {
                        seen[other] = label;
                        region.push(other);
                    }
                }
            }
        }
    }
    regions
}

/// Whether one of the four neighbours of `pixel` belongs to another segment.
fn at_rim(segments: &Segments, pixel: usize, height: usize, width: usize) -> bool {
    let label = segments.labels[pixel];
    let other = |neighbour: usize| segments.labels[neighbour] != label;
    let (row, column) = (pixel / width, pixel % width);
    (column > 0 && other(pixel - 1))
        || (column + 1 < width && other(pixel + 1))
        || (row > 0 && other(pixel - width))
        || (row + 1 < height && other(pixel + width))
}

/// Joins the regions to the explanation, each time the one whose pixels that are not yet in it have the highest mean.
///
/// The parts that the regions added are the segments of the result, the densest first. Pixels that no region added in
/// the end are its last segment, with their own mean.
fn rank(attribution: &[f64], regions: &[Vec<usize>], min_pixels: usize) -> Segmentation {
    const OPEN: usize = usize::MAX;
    let mut holders = vec![Vec::new(); attribution.len()];
    for (number, region) in regions.iter().enumerate() {
        region.iter().for_each(|&pixel| holders[pixel].push(number));
    }
    let mut sums: Vec<f64> =
        regions.iter().map(|region| region.iter().map(|&pixel| attribution[pixel]).sum()).collect();
    let mut counts: Vec<usize> = regions.iter().map(Vec::len).collect();
    let mut parts = vec![OPEN; attribution.len()];
    let mut gains = Vec::new();
    loop {
        let gain = |number: &usize| sums[*number] / counts[*number] as f64;
        let large = (0..regions.len()).filter(|&number| counts[number] >= min_pixels.max(1));
        // Of equals the first.
        let Some(best) = large.reduce(|best, other| if gain(&other) > gain(&best) { other } else { best })
        else {
            break;
        };
        let part = gains.len();
        gains.push(gain(&best));
        for &pixel in &regions[best] {
            if parts[pixel] == OPEN {
                parts[pixel] = part;
                for &holder in &holders[pixel] {
                    sums[holder] -= attribution[pixel];
                    counts[holder] -= 1;
                }
            }
        }
    }
    let rest: Vec<f64> =
        parts.iter().zip(attribution).filter(|(part, _)| **part == OPEN).map(|(_, value)| *value).collect();
    let mut order: Vec<usize> = (0..gains.len()).collect();
    order.sort_by(|&a, &b| gains[b].total_cmp(&gains[a]));
    let mut number = vec![0; gains.len()];
    for (rank, &part) in order.iter().enumerate() {
        number[part] = rank as u32;
    }
    let mut values: Vec<f32> = order.iter().map(|&part| gains[part] as f32).collect();
    let last = values.len() as u32;
    if !rest.is_empty() {
        values.push((rest.iter().sum::<f64>() / rest.len() as f64) as f32);
    }
    let labels = parts.into_iter().map(|part| number.get(part).copied().unwrap_or(last)).collect();
    let chosen = (0..last).filter(|&part| values[part as usize] > 0.0).collect();
    Segmentation { labels, values, chosen }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_densest_region_is_first_and_keeps_its_pixels() {
        let attribution = [1.0, 1.0, 4.0, 0.0, 2.0, -1.0];
        let regions = [vec![0, 1], vec![1, 2, 3], vec![2, 3], vec![4]];
        let ranked = rank(&attribution, &regions, 1);
        // {2, 3} and {4} both have the mean 2, and the earlier one is first; then {0, 1}, which leaves nothing of the rest.
        assert_eq!(ranked.labels, [2, 2, 0, 0, 1, 3]);
        assert_eq!(ranked.values, [2.0, 2.0, 1.0, -1.0]);
        assert_eq!(ranked.chosen, [0, 1, 2]);
    }

    #[test]
    fn regions_grow_by_a_disk() {
        let labels: Vec<usize> = (0..49).map(|pixel| usize::from(pixel == 24)).collect();
        let grown = regions(&Segments::new(&labels), 7, 7, 2);
        let mut dot = grown[1].clone();
        dot.sort_unstable();
        // skimage.morphology.disk(2) around the middle of 7 x 7.
        assert_eq!(dot, [10, 16, 17, 18, 22, 23, 24, 25, 26, 30, 31, 32, 38]);
        assert_eq!(grown[0].len(), 49);
    }
}
