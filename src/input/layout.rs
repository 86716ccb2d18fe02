//! How the values of an input are arranged: what a picture, a sound or a sentence is to the engine.

use std::borrow::Cow;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// What the axes of one input mean, the batch left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub enum Layout {
    /// `[channels, height, width]` or `[height, width]`: a picture or a spectrogram.
    Picture,
    /// `[height, width, channels]`: the same as Keras and TensorFlow have it.
    PictureChannelsLast,
    /// `[channels, time]` or `[time]`: a sound, or another signal that a convolution reads.
    Sound,
    /// `[2, frequencies, steps]`: the short-time spectrum of a sound, real parts and imaginary parts; what is explained of it are its
    /// cells.
    Spectrum,
    /// `[steps, features]`: the vectors of tokens, or of steps in time.
    Sequence,
    /// `[features]`: a row of a table.
    Table,
    /// Any other: a row of values without neighbours.
    Values,
}

impl Layout {
    /// The layout of a sample of this shape, and whether it is a guess. `channels` is the axis that the first reader takes
    /// for channels or features, `Some(None)` where that is none of the sample's; `positions` are the axes that it takes for
    /// positions.
    pub(crate) fn of(sample: &[usize], channels: Option<Option<usize>>, positions: &[usize]) -> (Self, bool) {
        match (sample.len(), channels.flatten(), positions) {
            (3, Some(0), _) | (3, _, [1, 2]) => (Self::Picture, false),
            (3, Some(2), _) | (3, _, [0, 1]) => (Self::PictureChannelsLast, false),
            (2, None, [0, 1]) if channels.is_some() => (Self::Picture, false),
            (2, Some(0), _) | (2, _, [1]) => (Self::Sound, false),
            (2, Some(1), _) | (2, _, [0]) => (Self::Sequence, false),
            (1, _, [0]) => (Self::Sound, false),
            (1, ..) => (Self::Table, false),
            (3, ..) if last_are_channels(Some(sample[0]), Some(sample[2])) => {
                (Self::PictureChannelsLast, true)
            }
            (3, ..) => (Self::Picture, true),
            (2, ..) => (Self::Sequence, true),
            _ => (Self::Values, false),
        }
    }

    /// Its axes, in words.
    pub(crate) fn axes(self) -> &'static str {
        match self {
            Self::Picture => "channels, height and width",
            Self::PictureChannelsLast => "height, width and channels",
            Self::Sound => "channels and time",
            Self::Spectrum => "real and imaginary parts, frequencies and steps in time",
            Self::Sequence => "steps and features",
            Self::Table => "features",
            Self::Values => "values without neighbours",
        }
    }

    /// Whether a sample of this shape can have the layout.
    pub(crate) fn fits(self, sample: &[usize]) -> bool {
        match self {
            Self::Picture => matches!(sample.len(), 2 | 3),
            Self::PictureChannelsLast => sample.len() == 3,
            Self::Spectrum => sample.len() == 3 && sample[0] == 2,
            Self::Sound => matches!(sample.len(), 1 | 2),
            Self::Sequence => sample.len() == 2,
            Self::Table => sample.len() == 1,
            Self::Values => true,
        }
    }

    /// Whether it has rows and columns.
    pub fn is_picture(self) -> bool {
        matches!(self, Self::Picture | Self::PictureChannelsLast)
    }
}

/// Whether the last of a picture's axes are the channels: 1 or 3, where the first are not.
pub(crate) fn last_are_channels(first: Option<usize>, last: Option<usize>) -> bool {
    matches!(last, Some(1 | 3)) && !matches!(first, Some(1 | 3))
}

/// The places of one input (pixels, samples of a sound, tokens, features), with as many values each as there are
/// channels.
///
/// Inside of the engine, a row of features lies channel after channel, whatever the model's own order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// What the axes mean.
    pub layout: Layout,
    /// Values of a place.
    pub channels: usize,
    /// Rows of places; 1 for what is no picture.
    pub height: usize,
    /// Places in a row.
    pub width: usize,
    /// The axis of the input, with its batch, along which the channels lie.
    axis: Option<usize>,
}

impl Places {
    /// The places of a sample, the shape of an input without its batch.
    pub(crate) fn new(layout: Layout, sample: &[usize]) -> Self {
        let (channels, height, width, axis) = match (layout, sample) {
            (Layout::Picture | Layout::Spectrum, &[channels, height, width]) => {
                (channels, height, width, Some(1))
            }
            (Layout::Picture, &[height, width]) => (1, height, width, None),
            (Layout::PictureChannelsLast, &[height, width, channels]) => (channels, height, width, Some(3)),
            (Layout::Sound, &[channels, time]) => (channels, 1, time, Some(1)),
            (Layout::Sequence, &[steps, features]) => (features, 1, steps, Some(2)),
            _ => (1, 1, sample.iter().product(), None),
        };
        Self { layout, channels, height, width, axis }
    }

    /// Number of places.
    pub fn count(&self) -> usize {
        self.height * self.width
    }

    /// The channel of the value at `index` in the model's own order.
    pub fn channel(&self, index: usize) -> usize {
        if self.is_interleaved() { index % self.channels } else { index / self.count() }
    }

    /// The shape of a map with one value a place, for an input of this shape.
    pub fn map_shape(&self, input: &[usize]) -> Vec<usize> {
        let mut shape = input.to_vec();
        if let Some(axis) = self.axis {
            shape[axis] = 1;
        }
        shape
    }

    /// Whether the model has the values of a place side by side.
    fn is_interleaved(&self) -> bool {
        self.channels > 1 && matches!(self.layout, Layout::PictureChannelsLast | Layout::Sequence)
    }

    /// Rows of features in the model's order, channel after channel.
    pub(crate) fn planes<'v>(&self, values: &'v [f32]) -> Cow<'v, [f32]> {
        self.transposed(values, self.channels)
    }

    /// Rows of features that lie channel after channel, in the model's order.
    pub(crate) fn in_order<'v>(&self, planes: &'v [f32]) -> Cow<'v, [f32]> {
        self.transposed(planes, self.count())
    }

    /// Each row as the transpose of a matrix of `width` columns.
    fn transposed<'v>(&self, values: &'v [f32], width: usize) -> Cow<'v, [f32]> {
        if !self.is_interleaved() {
            return Cow::Borrowed(values);
        }
        let row = |row: &[f32]| {
            let height = row.len() / width;
            (0..row.len()).map(|i| row[i % height * width + i / height]).collect::<Vec<f32>>()
        };
        Cow::Owned(values.chunks_exact(self.channels * self.count()).flat_map(row).collect())
    }

    /// The same for rows on a device, `[N, features]`.
    pub(crate) fn planes_on_device(&self, rows: Tensor<2>) -> Tensor<2> {
        self.turned(rows, [self.count(), self.channels])
    }

    /// The same for rows on a device, `[N, features]`.
    pub(crate) fn in_order_on_device(&self, planes: Tensor<2>) -> Tensor<2> {
        self.turned(planes, [self.channels, self.count()])
    }

    fn turned(&self, rows: Tensor<2>, [height, width]: [usize; 2]) -> Tensor<2> {
        if !self.is_interleaved() {
            return rows;
        }
        let count = rows.dims()[0];
        rows.reshape([count, height, width]).swap_dims(1, 2).reshape([count, height * width])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_follow_from_the_first_reader() {
        for (sample, channels, positions, layout, guessed) in [
            (&[3, 224, 224][..], Some(Some(0)), &[1, 2][..], Layout::Picture, false),
            (&[16, 16, 4], Some(Some(2)), &[0, 1], Layout::PictureChannelsLast, false),
            (&[1, 28, 28], None, &[], Layout::Picture, true),
            (&[224, 224, 3], None, &[], Layout::PictureChannelsLast, true),
            (&[28, 28, 1], None, &[], Layout::PictureChannelsLast, true),
            // A convolution has the channels first: sixteen of them here, and pictures of three columns.
            (&[16, 28, 3], Some(Some(0)), &[1, 2], Layout::Picture, false),
            // One channel that the graph puts in.
            (&[28, 28], Some(None), &[0, 1], Layout::Picture, false),
            (&[1, 16000], Some(Some(0)), &[1], Layout::Sound, false),
            (&[16000], Some(None), &[0], Layout::Sound, false),
            (&[2, 40], Some(Some(0)), &[], Layout::Sound, false),
            (&[12, 32], Some(Some(1)), &[0], Layout::Sequence, false),
            (&[12, 32], None, &[], Layout::Sequence, true),
            (&[9], None, &[], Layout::Table, false),
            (&[3, 8, 16, 16], Some(Some(0)), &[1, 2, 3], Layout::Values, false),
        ] {
            assert_eq!(Layout::of(sample, channels, positions), (layout, guessed), "{sample:?}");
            assert!(layout.fits(sample));
            let places = Places::new(layout, sample);
            assert_eq!(places.count() * places.channels, sample.iter().product::<usize>(), "{sample:?}");
        }
        assert!(!Layout::Sound.fits(&[3, 8, 8]));
    }

    #[test]
    fn rows_become_planes_and_back() {
        let places = Places::new(Layout::Sequence, &[3, 2]);
        let rows = [0.0, 10.0, 1.0, 11.0, 2.0, 12.0, 5.0, 15.0, 6.0, 16.0, 7.0, 17.0];
        let planes = places.planes(&rows);
        assert_eq!(*planes, [0.0, 1.0, 2.0, 10.0, 11.0, 12.0, 5.0, 6.0, 7.0, 15.0, 16.0, 17.0]);
        assert_eq!(*places.in_order(&planes), rows);
        let device = burn::tensor::Device::flex();
        let there = Tensor::<2>::from_data(burn::tensor::TensorData::new(rows.to_vec(), [2, 6]), &device);
        let turned = places.planes_on_device(there);
        assert_eq!(turned.clone().into_data().try_into_vec::<f32>().unwrap(), *planes);
        let back = places.in_order_on_device(turned).into_data().try_into_vec::<f32>().unwrap();
        assert_eq!(back, rows);
        assert_eq!((0..6).map(|i| places.channel(i)).collect::<Vec<_>>(), [0, 1, 0, 1, 0, 1]);
        assert_eq!(places.map_shape(&[1, 3, 2]), [1, 3, 1]);
        let picture = Places::new(Layout::PictureChannelsLast, &[2, 2, 3]);
        assert_eq!(picture.map_shape(&[1, 2, 2, 3]), [1, 2, 2, 1]);
        assert_eq!((picture.height, picture.width, picture.channel(4)), (2, 2, 1));
    }
}
