//! Heat maps in colours.

use serde::{Deserialize, Serialize};

/// A scale of colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub enum ColourMap {
    /// Black to yellow-white, equal steps look equal; fit for colour-blind readers.
    #[default]
    Magma,
    /// Green-blue to yellow; fit for colour-blind readers.
    Viridis,
    /// The colours of the rainbow, for the most contrast.
    Turbo,
}

impl ColourMap {
    /// 256 colours, red, green and blue bytes.
    pub fn table(self) -> Vec<u8> {
        let gradient = match self {
            Self::Magma => colorous::MAGMA,
            Self::Viridis => colorous::VIRIDIS,
            Self::Turbo => colorous::TURBO,
        };
        (0..256).flat_map(|step| gradient.eval_rational(step, 256).into_array()).collect()
    }
}

#[cfg(feature = "cli")]
pub use overlay::overlay;

#[cfg(feature = "cli")]
mod overlay {
    use image::{RgbImage, imageops};

    use super::ColourMap;
    use crate::{attribution::display::Heatmap, input::image::Region};

    /// A photograph with a heat map over the part that the network saw; `opacity` from 0 to 1 at the map's
    /// strongest points, and nothing where the map is 0.
    pub fn overlay(
        photograph: &RgbImage,
        heatmap: &Heatmap,
        region: Region,
        colours: ColourMap,
        opacity: f32,
    ) -> RgbImage {
        let [height, width] = heatmap.shape.map(|size| size as u32);
        let values = heatmap.data.iter().map(|value| (value * 255.0).round() as u8).collect();
        let mut shown = photograph.clone();
        let (region_width, region_height) = (region.width.round() as u32, region.height.round() as u32);
        let Some(map) = image::GrayImage::from_raw(width, height, values) else { return shown };
        let map =
            imageops::resize(&map, region_width.max(1), region_height.max(1), imageops::FilterType::Triangle);
        let table = colours.table();
        for (x, y, value) in map.enumerate_pixels() {
            let (px, py) = (region.x.round() as i64 + i64::from(x), region.y.round() as i64 + i64::from(y));
            let (Ok(px), Ok(py)) = (u32::try_from(px), u32::try_from(py)) else { continue };
            let Some(pixel) = shown.get_pixel_mut_checked(px, py) else { continue };
            let level = usize::from(value.0[0]);
            let weight = opacity * (level as f32 / 255.0).sqrt();
            for channel in 0..3 {
                let colour = f32::from(table[3 * level + channel]);
                let mixed = f32::from(pixel.0[channel]) * (1.0 - weight) + colour * weight;
                pixel.0[channel] = mixed.round() as u8;
            }
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_holds_256_colours() {
        for map in [ColourMap::Magma, ColourMap::Viridis, ColourMap::Turbo] {
            assert_eq!(map.table().len(), 768);
        }
        assert_eq!(ColourMap::Magma.table()[..3], [0, 0, 4]);
    }
}
