//! Photographs: decoded pixels to a network's input, and back to where on the photograph a value lies.

use image::{RgbImage, imageops};
use serde::{Deserialize, Serialize};

use super::{
    HostTensor,
    preprocessing::{ChannelOrder, Preprocessing, Resample, Resize, Size},
};
use crate::{Error, Result};

/// The largest image that is accepted: 64 megapixels.
pub const MAX_PIXELS: u64 = 1 << 26;

/// The part of a photograph that the network saw, in the photograph's pixels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct Region {
    /// Left edge.
    pub x: f64,
    /// Upper edge.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

/// A photograph as decoded: 8 bits a channel, without its transparency.
#[derive(Debug, Clone)]
pub struct Photograph {
    rgb: RgbImage,
}

impl Photograph {
    /// From rows of red, green, blue and alpha bytes; alpha is dropped, as PIL's `convert("RGB")` does.
    ///
    /// # Errors
    /// [`Error::InputInvalid`] for an empty image or a wrong number of bytes, [`Error::InputTooLarge`].
    pub fn from_rgba(pixels: &[u8], width: usize, height: usize) -> Result<Self> {
        let count = check_size(width as u64, height as u64)?;
        if pixels.len() as u64 != 4 * count {
            return Err(Error::InputInvalid(format!(
                "An image of {width} x {height} pixels has {} bytes, not {}.",
                4 * count,
                pixels.len()
            )));
        }
        let rgb = pixels.chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
        let rgb = RgbImage::from_raw(width as u32, height as u32, rgb)
            .ok_or_else(|| Error::Internal("pixels do not fill the image".into()))?;
        Ok(Self { rgb })
    }

    /// From the bytes of a JPEG or PNG file, turned upright.
    ///
    /// # Errors
    /// [`Error::InputInvalid`] where the bytes are no such file, [`Error::InputTooLarge`].
    #[cfg(feature = "cli")]
    pub fn decode(file: &[u8]) -> Result<Self> {
        use image::{DynamicImage, ImageDecoder, ImageReader};
        let unreadable =
            |error: image::ImageError| Error::InputInvalid(format!("This is no readable image: {error}."));
        let mut reader = ImageReader::new(std::io::Cursor::new(file))
            .with_guessed_format()
            .map_err(|error| unreadable(error.into()))?;
        reader.no_limits();
        let mut decoder = reader.into_decoder().map_err(unreadable)?;
        let (width, height) = decoder.dimensions();
        check_size(u64::from(width), u64::from(height))?;
        let orientation = decoder.orientation().map_err(unreadable)?;
        let mut image = DynamicImage::from_decoder(decoder).map_err(unreadable)?;
        image.apply_orientation(orientation);
        Ok(Self { rgb: image.into_rgb8() })
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.rgb.width() as usize
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.rgb.height() as usize
    }

    /// The pixels, three bytes each, row by row.
    pub fn rgb(&self) -> &RgbImage {
        &self.rgb
    }

    /// The network's input `[1, C, H, W]`, and the part of the photograph that it shows.
    ///
    /// `network` is the size that the network takes; a preprocessing that ends elsewhere is followed by a
    /// resize to it, so that every photograph can be classified.
    pub fn prepare(&self, preprocessing: &Preprocessing, network: Option<Size>) -> (HostTensor, Region) {
        let (width, height) = (self.width(), self.height());
        let scaled = match preprocessing.resize {
            None => Size { height, width },
            Some(Resize::Exact(size)) => size,
            Some(Resize::ShortestEdge(edge)) => shortest_edge(height, width, edge),
        };
        let crop = preprocessing.crop.unwrap_or(scaled);
        let image = resize(&self.rgb, scaled, preprocessing.resample);
        let (image, mut region) = centre_crop(image, crop);
        let (sx, sy) = (width as f64 / scaled.width as f64, height as f64 / scaled.height as f64);
        region = Region {
            x: region.x * sx,
            y: region.y * sy,
            width: region.width * sx,
            height: region.height * sy,
        };
        let image = match network {
            Some(size) => resize(&image, size, preprocessing.resample),
            None => image,
        };
        (normalise(&image, preprocessing), region)
    }
}

/// The number of pixels, refused where it is none or too many.
///
/// # Errors
/// [`Error::InputInvalid`], [`Error::InputTooLarge`].
pub fn check_size(width: u64, height: u64) -> Result<u64> {
    let pixels = width.saturating_mul(height);
    if pixels == 0 {
        return Err(Error::InputInvalid(format!("The image is empty ({width} x {height} pixels).")));
    }
    if pixels > MAX_PIXELS {
        return Err(Error::InputTooLarge { pixels, limit: MAX_PIXELS });
    }
    Ok(pixels)
}

/// The size whose shorter edge is `edge`; the longer one is cut off to whole pixels, as torchvision does.
fn shortest_edge(height: usize, width: usize, edge: usize) -> Size {
    let long = |long: usize, short: usize| (edge * long / short).max(1);
    if width <= height {
        Size { height: long(height, width), width: edge }
    } else {
        Size { height: edge, width: long(width, height) }
    }
}

fn resize(image: &RgbImage, to: Size, resample: Resample) -> RgbImage {
    let (width, height) = (to.width as u32, to.height as u32);
    if image.dimensions() == (width, height) {
        return image.clone();
    }
    let filter = match resample {
        Resample::Nearest => imageops::FilterType::Nearest,
        Resample::Lanczos => imageops::FilterType::Lanczos3,
        Resample::Bilinear => imageops::FilterType::Triangle,
        Resample::Bicubic => imageops::FilterType::CatmullRom,
    };
    imageops::resize(image, width, height, filter)
}

/// The middle of an image; where the crop is larger, the image is surrounded with black, as Hugging Face does.
fn centre_crop(image: RgbImage, crop: Size) -> (RgbImage, Region) {
    let (width, height) = (image.width() as i64, image.height() as i64);
    let (crop_width, crop_height) = (crop.width as i64, crop.height as i64);
    // torchvision rounds half to even.
    let start = |size: i64, crop: i64| ((size - crop) as f64 / 2.0).round_ties_even() as i64;
    let (left, top) = (start(width, crop_width), start(height, crop_height));
    let region =
        Region { x: left as f64, y: top as f64, width: crop_width as f64, height: crop_height as f64 };
    if (left, top, crop_width, crop_height) == (0, 0, width, height) {
        return (image, region);
    }
    let mut cropped = RgbImage::new(crop.width as u32, crop.height as u32);
    imageops::replace(&mut cropped, &image, -left, -top);
    (cropped, region)
}

/// Channels first, in the network's order, in model space.
fn normalise(image: &RgbImage, preprocessing: &Preprocessing) -> HostTensor {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let channels = preprocessing.mean.len();
    let mut data = Vec::with_capacity(channels * width * height);
    for channel in 0..channels {
        data.extend(image.pixels().map(|pixel| {
            let [red, green, blue] = pixel.0.map(f32::from);
            let value = match (channels, preprocessing.channel_order) {
                // The weights of ITU-R 601-2, as PIL's convert("L").
                (1, _) => (0.299 * red + 0.587 * green + 0.114 * blue).round(),
                (_, ChannelOrder::Rgb) => [red, green, blue][channel],
                (_, ChannelOrder::Bgr) => [blue, green, red][channel],
            };
            preprocessing.to_model(channel, value)
        }));
    }
    HostTensor { data, shape: vec![1, channels, height, width] }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(width: usize, height: usize) -> Photograph {
        Photograph::from_rgba(&[10, 20, 30, 255].repeat(width * height), width, height).unwrap()
    }

    #[test]
    fn empty_and_enormous_images_are_refused() {
        assert_eq!(Photograph::from_rgba(&[], 0, 0).unwrap_err().code(), "input_invalid");
        assert_eq!(check_size(10_000, 10_000).unwrap_err().code(), "input_too_large");
        assert_eq!(Photograph::from_rgba(&[0; 8], 3, 1).unwrap_err().code(), "input_invalid");
    }

    #[test]
    fn the_region_is_where_the_crop_lies_on_the_photograph() {
        let (tensor, region) = plain(800, 400).prepare(&Preprocessing::imagenet(224), None);
        assert_eq!(tensor.shape, [1, 3, 224, 224]);
        // 800 x 400 becomes 512 x 256; the crop starts at (144, 16).
        assert_eq!(region, Region { x: 225.0, y: 25.0, width: 350.0, height: 350.0 });
    }

    #[test]
    fn bgr_swaps_red_and_blue_before_the_mean() {
        let preprocessing = Preprocessing {
            channel_order: ChannelOrder::Bgr,
            scale: 1.0,
            mean: vec![1.0, 2.0, 3.0],
            std: vec![1.0, 1.0, 2.0],
            ..Preprocessing::imagenet(8)
        };
        let (tensor, _) = plain(8, 8).prepare(&preprocessing, None);
        assert_eq!([tensor.data[0], tensor.data[64], tensor.data[128]], [29.0, 18.0, 3.5]);
    }

    #[test]
    fn a_crop_larger_than_the_image_is_padded_with_black() {
        let preprocessing = Preprocessing {
            resize: None,
            crop: Some(Size { height: 4, width: 4 }),
            scale: 1.0,
            mean: vec![0.0; 3],
            std: vec![1.0; 3],
            ..Preprocessing::imagenet(8)
        };
        let (tensor, region) = plain(2, 2).prepare(&preprocessing, None);
        assert_eq!(tensor.data[0], 0.0);
        assert_eq!(tensor.data[5], 10.0);
        assert_eq!(region, Region { x: -1.0, y: -1.0, width: 4.0, height: 4.0 });
    }

    #[test]
    fn a_preprocessing_of_another_size_still_ends_at_the_networks() {
        let network = Some(Size { height: 32, width: 32 });
        let (tensor, _) = plain(50, 40).prepare(&Preprocessing::imagenet(224), network);
        assert_eq!(tensor.shape, [1, 3, 32, 32]);
    }
}
