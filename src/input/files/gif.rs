//! GIF: the first picture on its canvas, as Pillow has it. Where the picture does not cover the canvas, that has the
//! transparent colour, or else the first one.

use image::metadata::Orientation;

use super::{Decoded, Ink, check_size, unreadable};
use crate::{Error, Result};

pub(super) fn decode(file: &[u8]) -> Result<Decoded> {
    let mut options = gif::DecodeOptions::new();
    options.set_color_output(gif::ColorOutput::Indexed);
    let mut decoder = options.read_info(file).map_err(unreadable)?;
    let (width, height) = (decoder.width(), decoder.height());
    check_size(width.into(), height.into())?;
    let profile = decoder.icc_profile().map(<[u8]>::to_vec);
    let global = decoder.global_palette().map(<[u8]>::to_vec);
    // Its memory is limited by its own 16 bits of width and height.
    let Some(frame) = decoder.next_frame_info().map_err(unreadable)? else {
        return Err(Error::InputInvalid("This GIF holds no picture.".into()));
    };
    let right = u32::from(frame.left) + u32::from(frame.width);
    let bottom = u32::from(frame.top) + u32::from(frame.height);
    let (width, height) = (u32::from(width).max(right) as usize, u32::from(height).max(bottom) as usize);
    check_size(width as u64, height as u64)?;
    let Some(frame) = decoder.read_next_frame().map_err(unreadable)? else {
        return Err(Error::InputInvalid("This GIF holds no picture.".into()));
    };
    let mut indices = vec![frame.transparent.unwrap_or(0); width * height];
    let rows = frame.buffer.chunks_exact(usize::from(frame.width).max(1));
    for (row, pixels) in rows.enumerate() {
        let start = (usize::from(frame.top) + row) * width + usize::from(frame.left);
        indices[start..start + pixels.len()].copy_from_slice(pixels);
    }
    let palette = frame.palette.as_ref().or(global.as_ref());
    let colour = |index: u8| match palette {
        // Without a palette, numbers are shades of grey.
        None => [index; 3],
        Some(palette) => palette.as_chunks::<3>().0.get(usize::from(index)).copied().unwrap_or([0; 3]),
    };
    let data = indices.into_iter().flat_map(colour).collect();
    Ok(Decoded { ink: Ink::Rgb, data, width, height, profile, orientation: Orientation::NoTransforms })
}
