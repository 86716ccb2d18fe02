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
    let Some(frame) = decoder.next_frame_info().map_err(unreadable)?.cloned() else {
        return Err(Error::InputInvalid("This GIF holds no picture.".into()));
    };
    let [left, top, columns, rows] = [frame.left, frame.top, frame.width, frame.height].map(usize::from);
    let (width, height) = (usize::from(width).max(left + columns), usize::from(height).max(top + rows));
    check_size(width as u64, height as u64)?;
    check_size(columns as u64, rows as u64)?;
    let mut pixels = vec![0; decoder.buffer_size()];
    decoder.read_into_buffer(&mut pixels).map_err(unreadable)?;
    let mut indices = vec![frame.transparent.unwrap_or(0); width * height];
    for (row, pixels) in pixels.chunks_exact(columns).enumerate().take(rows) {
        let start = (top + row) * width + left;
        indices[start..start + columns].copy_from_slice(pixels);
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
