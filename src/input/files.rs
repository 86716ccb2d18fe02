//! Picture files of every usual kind, as bytes of red, green and blue in sRGB, turned upright.
//!
//! Pillow's `convert("RGB")` is the rule for what a file holds: transparency is dropped and the colours below it stay, grey
//! is three equal colours, four inks multiply. Three things are done beyond it, as browsers and other viewers do: the Exif
//! orientation is applied, 16 bits a channel are scaled to 8 and not cut off, and colours with a profile of their own are
//! brought to sRGB.

mod gif;
mod jpeg;
mod profile;
mod tiff;

use std::{io::Cursor, panic::catch_unwind};

use image::{
    DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, RgbImage, metadata::Orientation,
};

use super::image::check_size;
use crate::{Error, Result};
use profile::Ink;

/// The formats that are read, for messages.
const FORMATS: &str = "JPEG, PNG, WebP, GIF, BMP or TIFF";

/// Pixels of one byte a channel as a file holds them, before its profile and its orientation are applied.
struct Decoded {
    ink: Ink,
    /// As many bytes a pixel as there are inks.
    data: Vec<u8>,
    width: usize,
    height: usize,
    profile: Option<Vec<u8>>,
    orientation: Orientation,
}

/// The first picture of a file.
///
/// # Errors
/// [`Error::InputInvalid`] where the bytes are no such file, [`Error::InputTooLarge`].
pub(super) fn decode(file: &[u8]) -> Result<RgbImage> {
    // A decoder that stumbles over a damaged file must not end the program.
    catch_unwind(|| decode_any(file)).unwrap_or_else(|_| Err(unreadable("its decoder gave up")))
}

fn decode_any(file: &[u8]) -> Result<RgbImage> {
    let format = image::guess_format(file);
    // Their decoders fill what is missing with grey, which would be explained as if it were the picture.
    let cut_off = match format {
        Ok(ImageFormat::Jpeg) => jpeg::is_cut_off(file),
        Ok(ImageFormat::WebP) => {
            let length = file[4..].first_chunk().map_or(0, |length| u32::from_le_bytes(*length));
            (file.len() as u64) < u64::from(length) + 8
        }
        _ => false,
    };
    if cut_off {
        return Err(unreadable("it ends too early"));
    }
    let decoded = match format {
        _ if file.starts_with(b"II+\0") || file.starts_with(b"MM\0+") => tiff::decode(file)?,
        Ok(ImageFormat::Jpeg) if jpeg::has_four_inks(file) => jpeg::decode(file)?,
        Ok(ImageFormat::Gif) => gif::decode(file)?,
        Ok(ImageFormat::Tiff) => tiff::decode(file)?,
        Ok(format @ (ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::WebP | ImageFormat::Bmp)) => {
            decode_plain(file, format)?
        }
        _ => return Err(unknown(file)),
    };
    let Decoded { ink, data, width, height, profile, orientation } = decoded;
    let rgb = profile
        .and_then(|profile| profile::to_srgb(&profile, ink, &data))
        .unwrap_or_else(|| ink.to_rgb(data));
    let rgb = RgbImage::from_raw(width as u32, height as u32, rgb)
        .ok_or_else(|| Error::Internal("pixels do not fill the image".into()))?;
    let mut image = DynamicImage::ImageRgb8(rgb);
    image.apply_orientation(orientation);
    Ok(image.into_rgb8())
}

fn unreadable(error: impl std::fmt::Display) -> Error {
    Error::InputInvalid(format!(
        "This picture cannot be read: {error}. If it was downloaded, download it again."
    ))
}

fn unsupported(what: impl std::fmt::Display) -> Error {
    Error::InputInvalid(format!(
        "{what} is not read. Save the picture as {FORMATS} with 8 or 16 bits a channel."
    ))
}

/// A file that is no picture that is read here, by its name where that is known.
fn unknown(file: &[u8]) -> Error {
    let brand = file.get(4..12).unwrap_or_default();
    let kind = match file {
        [] => return Error::InputInvalid("The file is empty.".into()),
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => {
            return Error::InputInvalid("This is a NumPy array. Let its name end in .npy.".into());
        }
        [0xff, 0x0a, ..] | [0, 0, 0, 12, b'J', b'X', b'L', b' ', ..] => "JPEG XL",
        [0, 0, 0, 12, b'j', b'P', b' ', b' ', ..] | [0xff, 0x4f, 0xff, 0x51, ..] => "JPEG 2000",
        [b'8', b'B', b'P', b'S', ..] => "Photoshop's format",
        [b'%', b'P', b'D', b'F', ..] => "PDF",
        [0, 0, 1, 0, ..] => "An icon",
        _ if matches!(brand, b"ftypavif" | b"ftypavis") => "AVIF",
        _ if brand.starts_with(b"ftyphei") || brand.starts_with(b"ftyphev") || brand == b"ftypmif1" => "HEIC",
        _ => {
            return Error::InputInvalid(format!(
                "This is no picture that is known here. Give {FORMATS}, or a .npy tensor."
            ));
        }
    };
    unsupported(kind)
}

/// A file of which the decoder gives grey or red, green and blue.
fn decode_plain(file: &[u8], format: ImageFormat) -> Result<Decoded> {
    let mut reader = ImageReader::with_format(Cursor::new(file), format);
    reader.no_limits();
    let fault = |error: ImageError| match error {
        ImageError::Unsupported(what) => unsupported(format!("This kind of picture ({what})")),
        other => unreadable(other),
    };
    let mut decoder = reader.into_decoder().map_err(fault)?;
    let (width, height) = decoder.dimensions();
    check_size(width.into(), height.into())?;
    // What is wrong with them is no reason not to look at the picture.
    let profile = decoder.icc_profile().ok().flatten();
    let exif = decoder.exif_metadata().ok().flatten();
    let image = DynamicImage::from_decoder(decoder).map_err(fault)?;
    let (ink, data) = match image {
        DynamicImage::ImageLuma8(image) => (Ink::Grey, image.into_raw()),
        DynamicImage::ImageLumaA8(image) => (Ink::Grey, first_of::<2, 1>(&image)),
        DynamicImage::ImageRgb8(image) => (Ink::Rgb, image.into_raw()),
        DynamicImage::ImageRgba8(image) => (Ink::Rgb, first_of::<4, 3>(&image)),
        DynamicImage::ImageLuma16(image) => (Ink::Grey, eight_bits(&image)),
        DynamicImage::ImageLumaA16(image) => (Ink::Grey, first_of::<2, 1>(&eight_bits(&image))),
        DynamicImage::ImageRgb16(image) => (Ink::Rgb, eight_bits(&image)),
        DynamicImage::ImageRgba16(image) => (Ink::Rgb, first_of::<4, 3>(&eight_bits(&image))),
        _ => return Err(unsupported("A picture of real numbers")),
    };
    let (width, height) = (width as usize, height as usize);
    Ok(Decoded { ink, data, width, height, profile, orientation: orientation(exif.as_deref()) })
}

/// The first `M` of every `N` bytes.
fn first_of<const N: usize, const M: usize>(data: &[u8]) -> Vec<u8> {
    data.as_chunks::<N>().0.iter().flat_map(|pixel| &pixel[..M]).copied().collect()
}

/// 0 to 65535 as 0 to 255, rounded.
fn eight_bits(data: &[u16]) -> Vec<u8> {
    data.iter().map(|&value| ((u32::from(value) + 128) / 257) as u8).collect()
}

/// How the picture lies, by its Exif block, which some files begin with its name.
fn orientation(exif: Option<&[u8]>) -> Orientation {
    exif.map(|exif| exif.strip_prefix(b"Exif\0\0").unwrap_or(exif))
        .and_then(Orientation::from_exif_chunk)
        .unwrap_or(Orientation::NoTransforms)
}
