//! TIFF: grey of 1 to 16 bits, palettes, red, green and blue, and four inks.

use std::{borrow::Cow, io::Cursor};

use image::metadata::Orientation;
use tiff::{
    ColorType, TiffError,
    decoder::{BufferLayoutPreference, Decoder, DecodingResult, Limits},
    tags::Tag,
};

use super::{Decoded, Ink, check_size, eight_bits, unreadable as damaged, unsupported};
use crate::{Error, Result, input::image::MAX_PIXELS};

pub(super) fn decode(file: &[u8]) -> Result<Decoded> {
    let (file, has_palette) = without_palette(file);
    let mut limits = Limits::default();
    limits.decoding_buffer_size = 8 * MAX_PIXELS as usize;
    limits.intermediate_buffer_size = limits.decoding_buffer_size;
    limits.ifd_value_size = 1 << 26;
    let mut decoder = Decoder::new(Cursor::new(&file[..])).map_err(fault)?.with_limits(limits);
    let (width, height) = decoder.dimensions().map_err(fault)?;
    check_size(width.into(), height.into())?;
    let (width, height) = (width as usize, height as usize);
    let profile = decoder.get_tag_u8_vec(Tag::IccProfile).ok();
    let turned = decoder.find_tag_unsigned::<u8>(Tag::Orientation).ok().flatten();
    let orientation = turned.and_then(Orientation::from_exif).unwrap_or(Orientation::NoTransforms);
    let extra = decoder.find_tag_unsigned_vec::<u16>(Tag::ExtraSamples).ok().flatten().unwrap_or_default();
    let formats = decoder.find_tag_unsigned_vec::<u16>(Tag::SampleFormat).ok().flatten().unwrap_or_default();
    let map = if has_palette { decoder.get_tag_u16_vec(Tag::ColorMap).ok() } else { None };
    let kind = decoder.colortype().map_err(fault)?;
    let compression = decoder.find_tag_unsigned::<u16>(Tag::Compression).ok().flatten();
    if compression == Some(7) && matches!(kind, ColorType::GrayA(_) | ColorType::Multiband { .. }) {
        return Err(unsupported("A TIFF with JPEG's compression of grey with transparency"));
    }
    let planar = decoder.find_tag_unsigned::<u16>(Tag::PlanarConfiguration).ok().flatten() == Some(2);
    if planar && decoder.find_tag_unsigned::<u32>(Tag::TileWidth).ok().flatten().is_some() {
        return Err(unsupported("A TIFF of tiles with a plane for each channel"));
    }
    if formats.iter().any(|&format| format != 1) {
        return Err(unsupported("A TIFF of real or signed numbers"));
    }
    let (ink, samples, bits) = match kind {
        ColorType::Gray(bits) => (Ink::Grey, 1, bits),
        ColorType::GrayA(bits) => (Ink::Grey, 2, bits),
        // Grey with transparency, which the decoder does not call so.
        ColorType::Multiband { bit_depth, num_samples } if usize::from(num_samples) == extra.len() + 1 => {
            (Ink::Grey, usize::from(num_samples), bit_depth)
        }
        ColorType::RGB(bits) => (Ink::Rgb, 3, bits),
        ColorType::RGBA(bits) => (Ink::Rgb, 4, bits),
        ColorType::CMYK(bits) => (Ink::Cmyk, 4, bits),
        ColorType::CMYKA(bits) => (Ink::Cmyk, 5, bits),
        other => return Err(unsupported(format!("A TIFF of the kind {other:?}"))),
    };
    let mut buffer = DecodingResult::U8(Vec::new());
    let layout = decoder.read_image_to_buffer(&mut buffer).map_err(fault)?;
    let values = match (buffer, bits) {
        (DecodingResult::U8(packed), 1..8) if samples == 1 => unpack(&packed, width, bits, &layout),
        (DecodingResult::U8(data), 8) => data,
        (DecodingResult::U16(data), 16) if has_palette => {
            data.iter().map(|&index| index.min(255) as u8).collect()
        }
        (DecodingResult::U16(data), 16) => eight_bits(&data),
        _ => return Err(unsupported(format!("A TIFF of {bits} bits a channel"))),
    };
    let inks = match ink {
        Ink::Grey => 1,
        Ink::Rgb => 3,
        Ink::Cmyk => 4,
    };
    let pixels = width * height;
    if values.len() < pixels * samples {
        return Err(damaged("it ends too early"));
    }
    // One plane after the other, or pixel by pixel.
    let value = |pixel: usize, sample: usize| {
        if layout.planes > 1 { values[sample * pixels + pixel] } else { values[pixel * samples + sample] }
    };
    let premultiplied = extra.first() == Some(&1) && samples > inks;
    let mut data = Vec::with_capacity(pixels * inks);
    for pixel in 0..pixels {
        for sample in 0..inks {
            let stored = value(pixel, sample);
            data.push(match premultiplied.then(|| value(pixel, inks)) {
                None => stored,
                Some(0) => 0,
                Some(alpha) => (u32::from(stored) * 255 / u32::from(alpha)).min(255) as u8,
            });
        }
    }
    let (mut ink, mut data) = (ink, data);
    if has_palette {
        let map = map.ok_or_else(|| damaged("its palette is missing"))?;
        let count = map.len() / 3;
        let colour = |&index: &u8| {
            // 16 bits in the file, of which libtiff and Pillow take the upper 8.
            [0, 1, 2].map(|channel| match map.get(channel * count + usize::from(index)) {
                Some(value) if usize::from(index) < count => (value >> 8) as u8,
                _ => 0,
            })
        };
        data = data.iter().flat_map(colour).collect();
        ink = Ink::Rgb;
    } else if bits < 8 {
        let most = (1u32 << bits) - 1;
        data.iter_mut().for_each(|value| *value = (u32::from(*value) * 255 / most) as u8);
    }
    Ok(Decoded { ink, data, width, height, profile, orientation })
}

fn fault(error: TiffError) -> Error {
    match error {
        TiffError::UnsupportedError(what) => unsupported(format!("This kind of TIFF ({what})")),
        other => damaged(other),
    }
}

/// Values of fewer than 8 bits, of which a row begins at a byte.
fn unpack(packed: &[u8], width: usize, bits: u8, layout: &BufferLayoutPreference) -> Vec<u8> {
    let bits = usize::from(bits);
    let stride = layout.row_stride.map_or((width * bits).div_ceil(8), |stride| stride.get());
    let value = |row: &[u8], at: usize| {
        // A value of 3, 5, 6 or 7 bits may lie in two bytes.
        let bit = at * bits;
        let pair = u16::from(row[bit / 8]) << 8 | u16::from(row.get(bit / 8 + 1).copied().unwrap_or(0));
        (pair >> (16 - bits - bit % 8)) as u8 & ((1 << bits) - 1)
    };
    packed.chunks_exact(stride.max(1)).flat_map(|row| (0..width).map(move |at| value(row, at))).collect()
}

/// The file, with a palette's numbers called shades of grey, because the decoder reads no palettes; and whether it had one.
fn without_palette(file: &[u8]) -> (Cow<'_, [u8]>, bool) {
    match palette_entry(file) {
        None => (Cow::Borrowed(file), false),
        Some((at, big)) => {
            const BLACK_IS_ZERO: u16 = 1;
            let value = if big { BLACK_IS_ZERO.to_be_bytes() } else { BLACK_IS_ZERO.to_le_bytes() };
            let mut file = file.to_vec();
            file[at..at + 2].copy_from_slice(&value);
            (Cow::Owned(file), true)
        }
    }
}

/// Where the first directory says that the colours are those of a palette, and whether the file's bytes are big-endian.
fn palette_entry(file: &[u8]) -> Option<(usize, bool)> {
    let big = file.starts_with(b"MM");
    let number = |at: usize, bytes: usize| {
        let bytes = file.get(at..at.checked_add(bytes)?)?;
        let add = |sum: u64, &byte: &u8| sum << 8 | u64::from(byte);
        usize::try_from(if big { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) }).ok()
    };
    // BigTIFF has longer numbers.
    let (directory, count, entries, length, value) = match number(2, 2)? {
        43 => {
            let at = number(8, 8)?;
            (at, number(at, 8)?, 8, 20, 12)
        }
        _ => {
            let at = number(4, 4)?;
            (at, number(at, 2)?, 2, 12, 8)
        }
    };
    const PHOTOMETRIC: usize = 262;
    const PALETTE: usize = 3;
    let entry = (0..count.min(1 << 16))
        .map_while(|i| directory.checked_add(entries + i * length))
        .find(|&at| number(at, 2) == Some(PHOTOMETRIC))?;
    (number(entry + value, 2)? == PALETTE).then_some((entry + value, big))
}
