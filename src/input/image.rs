//! Photographs: decoded pixels to a network's input, and back to where on the photograph a value lies.

use image::RgbImage;
use serde::{Deserialize, Serialize};

use super::{
    HostTensor,
    preprocessing::{ChannelOrder, Preprocessing, Size},
    resample::{Raster, Window, check_steps, resize},
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

    /// From the bytes of a JPEG, PNG, WebP, GIF, BMP or TIFF file: turned upright and in sRGB, the first picture of several.
    ///
    /// Transparency is dropped, and 16 bits a channel are rounded to 8. Where the file carries a colour profile, its colours
    /// are brought to sRGB; four inks without one become what PIL's `convert("RGB")` makes of them.
    ///
    /// # Errors
    /// [`Error::InputInvalid`] where the bytes are no such file, [`Error::InputTooLarge`].
    #[cfg(feature = "cli")]
    pub fn decode(file: &[u8]) -> Result<Self> {
        Ok(Self { rgb: super::files::decode(file)? })
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
    ///
    /// # Errors
    /// [`Error::InputInvalid`] where a step would take more than [`MAX_PIXELS`], as with a picture of a single column.
    pub fn prepare(
        &self,
        preprocessing: &Preprocessing,
        network: Option<Size>,
    ) -> Result<(HostTensor, Region)> {
        let size = Size { height: self.height(), width: self.width() };
        if preprocessing.mean.len() == 1 || preprocessing.grey {
            // The weights of ITU-R 601-2 in PIL's fixed point, as its convert("L").
            let grey = |[red, green, blue]: [u8; 3]| {
                let sum = 19595 * u32::from(red) + 38470 * u32::from(green) + 7471 * u32::from(blue);
                ((sum + 0x8000) >> 16) as u8
            };
            let pixels: Vec<u8> = self.rgb.pixels().map(|pixel| grey(pixel.0)).collect();
            prepare::<1>(&pixels, size, preprocessing, network)
        } else {
            prepare::<3>(self.rgb.as_raw(), size, preprocessing, network)
        }
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

/// Scales, cuts out, normalises and pads pixels of `C` bytes.
fn prepare<const C: usize>(
    pixels: &[u8],
    from: Size,
    preprocessing: &Preprocessing,
    network: Option<Size>,
) -> Result<(HostTensor, Region)> {
    let Preprocessing { resample, pad, .. } = *preprocessing;
    let scaled = preprocessing.resize.map_or(from, |resize| resize.size(from));
    let crop = preprocessing.crop.unwrap_or(scaled);
    let (left, top) = (start(scaled.width, crop.width), start(scaled.height, crop.height));
    let padded = pad.map_or(crop, |pad| pad.size(crop));
    let (sx, sy) = (from.width as f64 / scaled.width as f64, from.height as f64 / scaled.height as f64);
    let region = Region {
        x: left as f64 * sx,
        y: top as f64 * sy,
        width: padded.width as f64 * sx,
        height: padded.height as f64 * sy,
    };
    check_steps(from, scaled, padded)?;
    let mut image = centre_crop::<C>(pixels, from, scaled, (left, top), crop, preprocessing)?;
    let network = network.unwrap_or(padded);
    if network == padded {
        return Ok((normalise(&image, padded, preprocessing), region));
    }
    if padded != crop {
        // What is 0 to the network, as nearly as a byte can say it.
        let mut whole = Raster::filled(
            padded,
            bytes::<C>(preprocessing, |channel| {
                let (_, offset) = preprocessing.to_pixel(channel);
                (offset * 255.0).round() as u8
            }),
        );
        whole.place(&image, 0, 0);
        image = whole;
    }
    let whole = Window { x: 0, y: 0, size: network };
    let image = resize::<C>(&image.data, image.size, network, whole, resample)?;
    Ok((normalise(&image, network, preprocessing), region))
}

/// A colour of the picture by the network's channels.
fn bytes<const C: usize>(preprocessing: &Preprocessing, of_channel: impl Fn(usize) -> u8) -> [u8; C] {
    std::array::from_fn(|colour| of_channel(channel(preprocessing, colour)))
}

/// The network's channel of a colour, or the colour of a channel.
fn channel(preprocessing: &Preprocessing, colour: usize) -> usize {
    match (preprocessing.mean.len(), preprocessing.channel_order) {
        (3, ChannelOrder::Bgr) => 2 - colour,
        (1, _) => 0,
        _ => colour,
    }
}

/// Where the middle part begins, as torchvision rounds it: a half to the even neighbour, and towards the picture's own
/// corner where the part is the larger one.
fn start(size: usize, crop: usize) -> i64 {
    if crop > size {
        -(((crop - size) / 2) as i64)
    } else {
        ((size - crop) as f64 / 2.0).round_ties_even() as i64
    }
}

/// The middle of the scaled picture, of which no more is computed; where the crop is larger, the picture is surrounded with
/// the declared colour.
fn centre_crop<const C: usize>(
    pixels: &[u8],
    from: Size,
    scaled: Size,
    (left, top): (i64, i64),
    crop: Size,
    preprocessing: &Preprocessing,
) -> Result<Raster<C>> {
    let (x, y) = (left.max(0) as usize, top.max(0) as usize);
    let size = Size { height: crop.height.min(scaled.height), width: crop.width.min(scaled.width) };
    let part = resize(pixels, from, scaled, Window { x, y, size }, preprocessing.resample)?;
    if size == crop {
        return Ok(part);
    }
    let fill = preprocessing.fill;
    let mut surrounded = Raster::filled(crop, std::array::from_fn(|colour| fill[colour]));
    surrounded.place(&part, (-left).max(0) as usize, (-top).max(0) as usize);
    Ok(surrounded)
}

/// Channels first, in the network's order, in model space, with zeros up to the size.
fn normalise<const C: usize>(image: &Raster<C>, to: Size, preprocessing: &Preprocessing) -> HostTensor {
    let Size { height, width } = image.size;
    let channels = preprocessing.mean.len();
    let mut data = vec![0.0; channels * to.height * to.width];
    for (index, plane) in data.chunks_exact_mut(to.height * to.width).enumerate() {
        let colour = if C == 1 { 0 } else { channel(preprocessing, index) };
        let rows = image.data.chunks_exact(width * C).zip(plane.chunks_exact_mut(to.width));
        for (pixels, row) in rows.take(height) {
            for (value, pixel) in row.iter_mut().zip(pixels.chunks_exact(C)) {
                *value = preprocessing.to_model(index, f32::from(pixel[colour]));
            }
        }
    }
    HostTensor { data, shape: vec![1, channels, to.height, to.width] }
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
        let (tensor, region) = plain(800, 400).prepare(&Preprocessing::imagenet(224), None).unwrap();
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
        let (tensor, _) = plain(8, 8).prepare(&preprocessing, None).unwrap();
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
        let (tensor, region) = plain(2, 2).prepare(&preprocessing, None).unwrap();
        assert_eq!(tensor.data[0], 0.0);
        assert_eq!(tensor.data[5], 10.0);
        assert_eq!(region, Region { x: -1.0, y: -1.0, width: 4.0, height: 4.0 });
    }

    #[test]
    fn a_preprocessing_of_another_size_still_ends_at_the_networks() {
        let network = Some(Size { height: 32, width: 32 });
        let (tensor, _) = plain(50, 40).prepare(&Preprocessing::imagenet(224), network).unwrap();
        assert_eq!(tensor.shape, [1, 3, 32, 32]);
    }
}
