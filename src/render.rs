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
pub use spectrogram::spectrogram;

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

#[cfg(feature = "cli")]
mod spectrogram {
    use image::{Rgb, RgbImage};

    use super::ColourMap;
    use crate::{attribution::display::Heatmap, input::sound::Spectrum};

    /// Where the axis of frequencies bends from linear to logarithmic, in hertz, as in the page (pkg/src/sound-view.ts).
    const BEND: f64 = 500.0;
    /// The quietest that is shown, in decibels below the loudest.
    const QUIETEST: f64 = -80.0;

    /// The spectrogram of a sound of one channel at `rate` in grey, the lowest frequencies below and nearly logarithmic, with a map of its cells,
    /// or of its samples, over it.
    pub fn spectrogram(
        samples: &[f32],
        rate: u32,
        heatmap: &Heatmap,
        colours: ColourMap,
        opacity: f32,
    ) -> RgbImage {
        const SIZE: [u32; 2] = [800, 320];
        let cut = Spectrum::new(samples.len(), rate);
        let cells = cut.of(samples);
        let power =
            |cell: usize| f64::from(cells[cell]).powi(2) + f64::from(cells[cut.cells() + cell]).powi(2);
        let most = (0..cut.cells()).map(power).fold(1e-12, f64::max);
        let table = colours.table();
        let [map_rows, map_steps] = heatmap.shape;
        RgbImage::from_fn(SIZE[0], SIZE[1], |x, y| {
            let (across, up) =
                ((f64::from(x) + 0.5) / f64::from(SIZE[0]), 1.0 - (f64::from(y) + 0.5) / f64::from(SIZE[1]));
            let hertz = BEND * (up * (f64::from(rate) / 2.0 / BEND).ln_1p()).exp_m1();
            let row = ((hertz * cut.window as f64 / f64::from(rate)).round() as usize).min(cut.bins() - 1);
            let step =
                ((across * cut.length as f64 / cut.hop() as f64).round() as usize).min(cut.frames() - 1);
            let decibels =
                (10.0 * (power(row * cut.frames() + step) / most).max(1e-12).log10()).max(QUIETEST);
            let grey = 250.0 - 220.0 * (1.0 - decibels / QUIETEST);
            let place = match map_rows {
                1 => ((across * map_steps as f64) as usize).min(map_steps.saturating_sub(1)),
                _ => row.min(map_rows - 1) * map_steps + step.min(map_steps.saturating_sub(1)),
            };
            let value = f64::from(heatmap.data.get(place).copied().unwrap_or(0.0).clamp(0.0, 1.0));
            let (cover, level) = (f64::from(opacity) * value, 3 * (value * 255.0).round() as usize);
            Rgb([0, 1, 2]
                .map(|band| (grey * (1.0 - cover) + f64::from(table[level + band]) * cover).round() as u8))
        })
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_tone_is_dark_where_it_sounds_and_the_map_lies_over_it() {
            let samples: Vec<f32> = (0..16_000)
                .map(|n| {
                    if n < 8000 {
                        (std::f64::consts::TAU * 1000.0 * f64::from(n) / 16_000.0).sin() as f32
                    } else {
                        0.0
                    }
                })
                .collect();
            let cut = Spectrum::new(samples.len(), 16_000);
            let mut data = vec![0.0; cut.cells()];
            // The last quarter of the time, at all frequencies.
            (0..cut.cells()).filter(|cell| cell % cut.frames() > 95).for_each(|cell| data[cell] = 1.0);
            let heatmap = Heatmap { data, shape: [cut.bins(), cut.frames()], rule: String::new() };
            let shown = spectrogram(&samples, 16_000, &heatmap, ColourMap::Turbo, 1.0);
            // 1000 Hz is ln(3) / ln(17) of the height.
            let row = (320.0 * (1.0 - 3f64.ln() / 17f64.ln())) as u32;
            let [tone, silence, map] =
                [(200, row), (500, row), (780, row)].map(|(x, y)| shown.get_pixel(x, y).0);
            assert!(tone[0] < 60 && tone[0] == tone[2], "{tone:?}");
            assert!(silence[0] > 240, "{silence:?}");
            assert!(map[0] != map[2], "{map:?}");
        }
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
