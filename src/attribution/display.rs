//! From the raw values of a method to a picture from 0 to 1.

use serde::Serialize;

use crate::input::{HostTensor, layout::Places};

/// How the channels of a pixel become one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Channels {
    /// The largest magnitude.
    MaxAbs,
    /// The sum of the magnitudes.
    SumAbs,
    /// The mean, sign included.
    Mean,
}

/// A method's rule: aggregate the channels, map the percentiles `low` and `high` to 0 and 1, clip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Display {
    /// How the channels of a pixel become one value.
    pub channels: Channels,
    /// Percentile that is shown as 0.
    pub low: f32,
    /// Percentile that is shown as 1.
    pub high: f32,
}

impl Display {
    /// The rule in words.
    pub fn rule(&self) -> String {
        let channels = match self.channels {
            Channels::MaxAbs => "largest magnitude",
            Channels::SumAbs => "sum of magnitudes",
            Channels::Mean => "mean",
        };
        format!(
            "{channels} over the channels; percentile {} shown as 0, percentile {} as 1",
            self.low, self.high
        )
    }
}

/// A picture of an attribution.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Heatmap {
    /// Values from 0 to 1, row by row.
    pub data: Vec<f32>,
    /// Height and width.
    pub shape: [usize; 2],
    /// How the values came about, in words.
    pub rule: String,
}

/// One value for each of the places of an input; `map` has the input's shape, or one value a place already.
pub fn aggregate(map: &HostTensor, places: &Places, rule: Channels) -> Vec<f32> {
    if map.data.len() == places.count() {
        planes_aggregated(&map.data, places.count(), rule)
    } else {
        planes_aggregated(&places.planes(&map.data), places.count(), rule)
    }
}

/// The same of values that lie channel after channel.
pub(crate) fn planes_aggregated(planes: &[f32], pixels: usize, rule: Channels) -> Vec<f32> {
    let channels = planes.len() / pixels;
    (0..pixels)
        .map(|pixel| {
            let values = (0..channels).map(|channel| planes[channel * pixels + pixel]);
            match rule {
                Channels::MaxAbs => values.fold(0.0, |most, value| value.abs().max(most)),
                Channels::SumAbs => values.map(f32::abs).sum(),
                Channels::Mean => values.sum::<f32>() / channels as f32,
            }
        })
        .collect()
}

/// Makes the picture of a map of an input with these places; what is no picture is shown as one row.
pub fn heatmap(map: &HostTensor, places: &Places, display: Display) -> Heatmap {
    let data = scaled(&aggregate(map, places, display.channels), display);
    Heatmap { data, shape: [places.height, places.width], rule: display.rule() }
}

/// Aggregated values from 0 to 1.
pub(crate) fn scaled(aggregated: &[f32], display: Display) -> Vec<f32> {
    let mut sorted = aggregated.to_vec();
    sorted.sort_unstable_by(f32::total_cmp);
    let (low, high) = (percentile(&sorted, display.low), percentile(&sorted, display.high));
    let width = high - low;
    aggregated
        .iter()
        .map(|value| if width > 0.0 { ((value - low) / width).clamp(0.0, 1.0) } else { 0.0 })
        .collect()
}

/// A percentile of sorted values, between two of them by linear interpolation, as numpy's default.
pub(crate) fn percentile(sorted: &[f32], percent: f32) -> f32 {
    let position = f64::from(percent) / 100.0 * (sorted.len() - 1) as f64;
    let (below, part) = (position.floor() as usize, position.fract() as f32);
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * part
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::layout::Layout;

    #[test]
    fn percentiles_are_numpys() {
        let sorted = [1.0, 2.0, 4.0, 8.0];
        // numpy.percentile([1, 2, 4, 8], [0, 50, 80, 100])
        assert_eq!(percentile(&sorted, 0.0), 1.0);
        assert_eq!(percentile(&sorted, 50.0), 3.0);
        assert!((percentile(&sorted, 80.0) - 5.6).abs() < 1e-5);
        assert_eq!(percentile(&sorted, 100.0), 8.0);
    }

    #[test]
    fn channels_are_aggregated_and_the_range_is_filled() {
        let map = HostTensor::new(vec![1.0, -2.0, 0.0, 3.0, 1.0, 0.5, 0.0, -5.0], vec![1, 2, 2, 2]).unwrap();
        let places = Places::new(Layout::Picture, &[2, 2, 2]);
        let shown = |channels| heatmap(&map, &places, Display { channels, low: 0.0, high: 100.0 }).data;
        assert_eq!(shown(Channels::MaxAbs), [0.2, 0.4, 0.0, 1.0]);
        assert_eq!(shown(Channels::Mean), [1.0, 0.125, 0.5, 0.0]);
    }

    #[test]
    fn a_constant_map_is_shown_as_nothing() {
        let map = HostTensor::new(vec![0.0; 12], vec![1, 3, 2, 2]).unwrap();
        let display = Display { channels: Channels::Mean, low: 80.0, high: 99.0 };
        let places = Places::new(Layout::Picture, &[3, 2, 2]);
        assert_eq!(heatmap(&map, &places, display).data, [0.0; 4]);
    }
}
