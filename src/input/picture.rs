//! The way back: a network's input as a picture for the eye.

use super::{
    HostTensor,
    preprocessing::{ChannelOrder, Preprocessing},
};

/// Rows of red, green, blue and alpha bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Four bytes a pixel.
    pub rgba: Vec<u8>,
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Preprocessing {
    /// The picture that a tensor `[1, C, H, W]` in model space shows, rounded to bytes and cut off at black and white;
    /// nothing where the tensor is no picture of this preprocessing's channels.
    pub fn picture(&self, tensor: &HostTensor) -> Option<Picture> {
        self.paint(tensor, |channel, value| {
            let (factor, offset) = self.to_pixel(channel);
            value * factor + offset
        })
    }

    /// What was added to a picture in model space, magnified until the largest change of a pixel value reaches black or
    /// white; where nothing was added it is grey. Nothing where `change` is no picture of this preprocessing's channels.
    pub fn magnified(&self, change: &HostTensor) -> Option<Picture> {
        let pixels = change.shape.iter().skip(2).product::<usize>().max(1);
        let of_pixel = |channel: usize, value: f32| value * self.to_pixel(channel).0;
        let channel = |i: usize| (i / pixels).min(self.std.len() - 1);
        let each = change.data.iter().enumerate();
        let largest = each.fold(0.0f32, |most, (i, &value)| most.max(of_pixel(channel(i), value).abs()));
        let scale = if largest > 0.0 { 0.5 / largest } else { 0.0 };
        self.paint(change, |channel, value| 0.5 + scale * of_pixel(channel, value))
    }

    /// A picture of values from 0 to 1, made of those of a tensor in model space and their channels.
    fn paint(&self, tensor: &HostTensor, pixel_value: impl Fn(usize, f32) -> f32) -> Option<Picture> {
        let [1, channels, height, width] = tensor.shape[..] else { return None };
        if channels != self.mean.len() || tensor.data.len() != channels * height * width {
            return None;
        }
        let plane = |colour: usize| match (channels, self.channel_order) {
            (1, _) => 0,
            (_, ChannelOrder::Rgb) => colour,
            (_, ChannelOrder::Bgr) => channels - 1 - colour,
        };
        let pixels = height * width;
        let byte = |pixel: usize, colour: usize| {
            let value = tensor.data[plane(colour) * pixels + pixel];
            // A cast from float to integer cuts off by itself.
            (pixel_value(plane(colour), value) * 255.0).round() as u8
        };
        let rgba =
            (0..pixels).flat_map(|pixel| [byte(pixel, 0), byte(pixel, 1), byte(pixel, 2), 255]).collect();
        Some(Picture { rgba, width, height })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Photograph, input::preprocessing::Size};

    #[test]
    fn a_picture_comes_back_as_it_went_in() {
        let rgba: Vec<u8> =
            (0..16u8).flat_map(|i| [i * 17, 255 - i * 17, 7_u8.wrapping_mul(i), 255]).collect();
        let photograph = Photograph::from_rgba(&rgba, 4, 4).unwrap();
        let size = Size { height: 4, width: 4 };
        for channel_order in [ChannelOrder::Rgb, ChannelOrder::Bgr] {
            let preprocessing = Preprocessing {
                resize: None,
                crop: Some(size),
                channel_order,
                std: vec![0.2, 0.5, 0.9],
                ..Preprocessing::imagenet(4)
            };
            let (tensor, _) = photograph.prepare(&preprocessing, None).unwrap();
            assert_eq!(preprocessing.picture(&tensor).unwrap().rgba, rgba);
        }
    }

    #[test]
    fn a_change_is_magnified_about_grey() {
        let preprocessing = Preprocessing { std: vec![0.2, 0.5, 0.9], ..Preprocessing::imagenet(1) };
        // In pixel values: 0.02, -0.01 and 0.
        let change = HostTensor::new(vec![0.1, -0.02, 0.0], vec![1, 3, 1, 1]).unwrap();
        assert_eq!(preprocessing.magnified(&change).unwrap().rgba, [255, 64, 128, 255]);
        let none = HostTensor::new(vec![0.0; 3], vec![1, 3, 1, 1]).unwrap();
        assert_eq!(preprocessing.magnified(&none).unwrap().rgba, [128, 128, 128, 255]);
    }

    #[test]
    fn what_is_no_picture_gives_none() {
        let preprocessing = Preprocessing::imagenet(4);
        let row = HostTensor::new(vec![0.0; 12], vec![1, 12]).unwrap();
        assert_eq!(preprocessing.picture(&row), None);
        let grey = HostTensor::new(vec![0.0; 16], vec![1, 1, 4, 4]).unwrap();
        assert_eq!(preprocessing.picture(&grey), None);
    }
}
