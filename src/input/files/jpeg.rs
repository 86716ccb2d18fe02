//! JPEG of four inks, stored inverted as Adobe does it and as Pillow assumes of all of them.

use zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions};
use zune_jpeg::JpegDecoder;

use super::{Decoded, Ink, check_size, orientation, unreadable};
use crate::Result;

fn decoder(file: &[u8]) -> JpegDecoder<ZCursor<&[u8]>> {
    let options =
        DecoderOptions::default().set_strict_mode(false).set_max_width(usize::MAX).set_max_height(usize::MAX);
    JpegDecoder::new_with_options(ZCursor::new(file), options)
}

/// Whether the file's pixels are cyan, magenta, yellow and black.
pub(super) fn has_four_inks(file: &[u8]) -> bool {
    let mut decoder = decoder(file);
    let space = decoder.decode_headers().ok().and_then(|()| decoder.input_colorspace());
    matches!(space, Some(ColorSpace::CMYK | ColorSpace::YCCK))
}

/// Whether the mark of the picture's end is missing behind its first scan. (A thumbnail, which has one too, lies before it.)
pub(super) fn is_cut_off(file: &[u8]) -> bool {
    let mut at = 2;
    // Segments: a mark, and a length that counts itself.
    while let Some(&[0xff, mark, high, low]) = file.get(at..).and_then(<[u8]>::first_chunk) {
        match mark {
            // Fill bytes before a mark.
            0xff => at += 1,
            0xda => return !file[at..].windows(2).any(|pair| pair == [0xff, 0xd9]),
            _ => at += 2 + usize::from(u16::from_be_bytes([high, low])),
        }
    }
    // What is no chain of segments is the decoder's to judge.
    false
}

pub(super) fn decode(file: &[u8]) -> Result<Decoded> {
    let mut decoder = decoder(file);
    decoder.decode_headers().map_err(unreadable)?;
    let (width, height) = decoder.dimensions().ok_or_else(|| unreadable("it has no size"))?;
    check_size(width as u64, height as u64)?;
    let stored = decoder.input_colorspace().unwrap_or(ColorSpace::CMYK);
    let profile = decoder.icc_profile();
    let orientation = orientation(decoder.exif().map(Vec::as_slice));
    // As they are stored: the decoder's own conversion to colours leaves a profile no inks to work on.
    decoder.set_options(decoder.options().jpeg_set_out_colorspace(stored));
    let mut data = decoder.decode().map_err(unreadable)?;
    for pixel in data.as_chunks_mut::<4>().0 {
        if stored == ColorSpace::YCCK {
            let [luma, blue, red, _] = *pixel;
            // The colour that the first three make is that of the ink: libjpeg inverts it once, and Pillow once more.
            let [r, g, b] = colours(luma, blue, red);
            (pixel[0], pixel[1], pixel[2]) = (r, g, b);
        } else {
            for ink in &mut pixel[..3] {
                *ink = 255 - *ink;
            }
        }
        pixel[3] = 255 - pixel[3];
    }
    Ok(Decoded { ink: Ink::Cmyk, data, width, height, profile, orientation })
}

/// Red, green and blue of luma and its differences, in libjpeg's fixed point.
fn colours(luma: u8, blue: u8, red: u8) -> [u8; 3] {
    let (y, cb, cr) = (i32::from(luma), i32::from(blue) - 128, i32::from(red) - 128);
    let half = 1 << 15;
    [
        y + ((91881 * cr + half) >> 16),
        y + ((-22554 * cb - 46802 * cr + half) >> 16),
        y + ((116130 * cb + half) >> 16),
    ]
    .map(|value| value.clamp(0, 255) as u8)
}
