//! Colours of other devices as sRGB.

use moxcms::{ColorProfile, DataColorSpace, Layout, RenderingIntent, TransformOptions};

/// What the bytes of a pixel stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    /// One byte.
    Grey,
    /// Three bytes.
    Rgb,
    /// Cyan, magenta, yellow and black, 255 for full ink.
    Cmyk,
}

impl Ink {
    /// Red, green and blue without a profile, as Pillow converts them.
    pub fn to_rgb(self, data: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Grey => data.iter().flat_map(|&grey| [grey; 3]).collect(),
            Self::Rgb => data,
            Self::Cmyk => data
                .as_chunks::<4>()
                .0
                .iter()
                .flat_map(|&[cyan, magenta, yellow, black]| {
                    [cyan, magenta, yellow].map(|ink| {
                        let white = 255 - black;
                        // Pillow's MULDIV255.
                        let product = u32::from(ink) * u32::from(white) + 128;
                        white.saturating_sub((((product >> 8) + product) >> 8) as u8)
                    })
                })
                .collect(),
        }
    }

    fn layout(self) -> (DataColorSpace, Layout) {
        match self {
            Self::Grey => (DataColorSpace::Gray, Layout::Gray),
            Self::Rgb => (DataColorSpace::Rgb, Layout::Rgb),
            // moxcms has four inks in the layout of four channels.
            Self::Cmyk => (DataColorSpace::Cmyk, Layout::Rgba),
        }
    }
}

/// Red, green and blue in sRGB; nothing where the profile is not readable, is one of other inks, or is sRGB already.
///
/// The intent is the perceptual one, as Pillow's ImageCms has it; a profile that moves no colour by more than one step is
/// sRGB, whose values are to stay exactly what they are.
pub(super) fn to_srgb(profile: &[u8], ink: Ink, data: &[u8]) -> Option<Vec<u8>> {
    let profile = ColorProfile::new_from_slice(profile).ok()?;
    let (space, layout) = ink.layout();
    if profile.color_space != space {
        return None;
    }
    let options =
        TransformOptions { rendering_intent: RenderingIntent::Perceptual, ..TransformOptions::default() };
    let transform =
        profile.create_transform_8bit(layout, &ColorProfile::new_srgb(), Layout::Rgb, options).ok()?;
    let convert = |data: &[u8]| {
        let channels = match ink {
            Ink::Grey => 1,
            Ink::Rgb => 3,
            Ink::Cmyk => 4,
        };
        let mut rgb = vec![0; data.len() / channels * 3];
        transform.transform(data, &mut rgb).ok().map(|()| rgb)
    };
    if ink != Ink::Cmyk {
        let steps = (0..=8u32).map(|step| (step * 255 / 8) as u8);
        let probe: Vec<u8> = match ink {
            Ink::Grey => steps.collect(),
            _ => steps
                .clone()
                .flat_map(|red| {
                    steps.clone().flat_map({
                        let steps = steps.clone();
                        move |green| steps.clone().flat_map(move |blue| [red, green, blue])
                    })
                })
                .collect(),
        };
        let plain = ink.to_rgb(probe.clone());
        if convert(&probe)?.iter().zip(&plain).all(|(a, b)| a.abs_diff(*b) <= 1) {
            return None;
        }
    }
    convert(data)
}
