//! From the raw values of a method to a picture from 0 to 1.

use serde::Serialize;

use crate::input::{HostTensor, layout::Places};
pub(crate) use crate::statistics::percentile;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::layout::Layout;

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
