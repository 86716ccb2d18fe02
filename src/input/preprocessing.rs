//! The declared way from pixels to a network's input; `declared.rs` reads it from a file.

use serde::{Deserialize, Serialize};

use super::declared;
use crate::{Error, Result};

/// Height and width in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Size {
    /// As many rows as columns.
    pub fn square(edge: usize) -> Self {
        Self { height: edge, width: edge }
    }
}

/// How an image is scaled before cropping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resize {
    /// To exactly this size, whatever the image's proportions.
    Exact(Size),
    /// So that the shorter edge has this length; the longer one is cut off to whole pixels (torchvision).
    ShortestEdge(usize),
    /// So that the longer edge has this length; the shorter one is rounded (Hugging Face's `SamImageProcessor`).
    LongestEdge(usize),
    /// The shorter edge, or less where the longer one would become too long (Hugging Face's `get_size_with_aspect_ratio`).
    Edges {
        /// Length of the shorter edge.
        shortest: usize,
        /// What the longer edge may be at most.
        longest: usize,
    },
    /// As large as fits into this size in the image's proportions (Hugging Face's `max_height` and `max_width`).
    Within(Size),
    /// As [`Resize::Within`], but rounded as timm does (`crop_mode` "border").
    Inside(Size),
    /// As small as covers this size in the image's proportions (timm, for sizes that are not square).
    Covering(Size),
}

impl Resize {
    /// The size of a scaled image, at least 1 by 1.
    pub fn size(self, Size { height, width }: Size) -> Size {
        let (h, w) = (height as f64, width as f64);
        let shortest = |edge: usize, factor: f64| {
            // A cast cuts off.
            let long = |long: f64, short: f64| (factor * long / short) as usize;
            if width <= height {
                Size { height: long(h, w), width: edge }
            } else {
                Size { height: edge, width: long(w, h) }
            }
        };
        let by_ratio = |ratio: f64| Size {
            height: (h / ratio).round_ties_even() as usize,
            width: (w / ratio).round_ties_even() as usize,
        };
        let size = match self {
            Self::Exact(size) => size,
            Self::ShortestEdge(edge) => shortest(edge, edge as f64),
            Self::LongestEdge(edge) => {
                let scale = edge as f64 / h.max(w);
                Size { height: (h * scale + 0.5) as usize, width: (w * scale + 0.5) as usize }
            }
            Self::Edges { shortest: edge, longest } => {
                let (short, long) = (h.min(w), h.max(w));
                if long / short * edge as f64 <= longest as f64 {
                    shortest(edge, edge as f64)
                } else {
                    let raw = longest as f64 * short / long;
                    let edge = raw.round_ties_even() as usize;
                    if edge == height.min(width) { Size { height, width } } else { shortest(edge, raw) }
                }
            }
            Self::Within(most) => {
                let scale = (most.height as f64 / h).min(most.width as f64 / w);
                Size { height: (h * scale) as usize, width: (w * scale) as usize }
            }
            Self::Inside(size) => by_ratio((h / size.height as f64).max(w / size.width as f64)),
            Self::Covering(size) => by_ratio((h / size.height as f64).min(w / size.width as f64)),
        };
        Size { height: size.height.max(1), width: size.width.max(1) }
    }
}

/// The filter of a resize, numbered as in PIL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Resample {
    /// PIL 0.
    Nearest,
    /// PIL 1.
    Lanczos,
    /// PIL 2.
    #[default]
    Bilinear,
    /// PIL 3.
    Bicubic,
    /// PIL 4.
    Box,
    /// PIL 5.
    Hamming,
}

/// How far an image is filled up to the right and below, with zeros in model space.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pad {
    /// To this size.
    To(Size),
    /// To multiples of this number of pixels.
    Multiple(usize),
}

impl Pad {
    /// The size of a padded image.
    pub fn size(self, Size { height, width }: Size) -> Size {
        match self {
            Self::To(size) => Size { height: height.max(size.height), width: width.max(size.width) },
            Self::Multiple(of) => Size {
                height: height.div_ceil(of.max(1)) * of.max(1),
                width: width.div_ceil(of.max(1)) * of.max(1),
            },
        }
    }
}

/// The order of the colour channels in the network's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ChannelOrder {
    /// Red first.
    #[default]
    Rgb,
    /// Blue first, as networks from Caffe take it.
    Bgr,
}

/// From pixels to model space: resize, crop, reorder, scale, subtract the mean, divide by the deviation, pad.
///
/// With pixel values 0 to 255, `model = (pixel * scale - mean) / std`, where `mean` and `std` are listed in the
/// network's own channel order.
#[derive(Debug, Clone, PartialEq)]
pub struct Preprocessing {
    /// Scaling before the crop.
    pub resize: Option<Resize>,
    /// Filter of the scaling.
    pub resample: Resample,
    /// Crop from the centre.
    pub crop: Option<Size>,
    /// What surrounds an image that is smaller than the crop: red, green and blue.
    pub fill: [u8; 3],
    /// What is added to the right and below, after all else.
    pub pad: Option<Pad>,
    /// Whether a network of three channels gets the grey picture three times. One of a single channel always gets it.
    pub grey: bool,
    /// Order of the channels.
    pub channel_order: ChannelOrder,
    /// Factor on pixel values 0 to 255.
    pub scale: f32,
    /// Subtracted from each channel after scaling.
    pub mean: Vec<f32>,
    /// Divisor of each channel.
    pub std: Vec<f32>,
    /// What the file left open and was assumed, or holds and was left out of account; a sentence each.
    pub notes: Vec<String>,
}

impl Preprocessing {
    /// Reads a Hugging Face `preprocessor_config.json`, or timm's `pretrained_cfg` (alone or in its `config.json`), with our
    /// optional `channel_order` of `"RGB"` or `"BGR"`.
    ///
    /// # Errors
    /// [`Error::PreprocessingInvalid`].
    pub fn from_json(json: &str) -> Result<Self> {
        let object =
            serde_json::from_str(json).map_err(|error| Error::PreprocessingInvalid(error.to_string()))?;
        declared::read(&object).map_err(Error::PreprocessingInvalid)
    }

    /// torchvision's preprocessing for ImageNet at `size` pixels a side.
    pub fn imagenet(size: usize) -> Self {
        Self {
            resize: Some(Resize::ShortestEdge(size * 8 / 7)),
            resample: Resample::Bilinear,
            crop: Some(Size::square(size)),
            fill: [0; 3],
            pad: None,
            grey: false,
            channel_order: ChannelOrder::Rgb,
            scale: 1.0 / 255.0,
            mean: vec![0.485, 0.456, 0.406],
            std: vec![0.229, 0.224, 0.225],
            notes: Vec::new(),
        }
    }

    /// The same for a network of so many channels: one mean and one deviation, or three equal ones, fit both grey and
    /// coloured pictures.
    ///
    /// # Errors
    /// [`Error::PreprocessingInvalid`] where they do not fit.
    pub fn for_channels(mut self, channels: usize) -> Result<Self> {
        let same = |values: &[f32]| values.windows(2).all(|pair| pair[0] == pair[1]);
        if self.mean.len() != channels && matches!(channels, 1 | 3) && same(&self.mean) && same(&self.std) {
            for values in [&mut self.mean, &mut self.std] {
                let value = values.first().copied().unwrap_or(0.0);
                values.clear();
                values.resize(channels, value);
            }
        }
        if !matches!(channels, 1 | 3) {
            return Err(Error::PreprocessingInvalid(format!(
                "pictures have 1 or 3 channels, and the model takes {channels}; give tensors in place of pictures"
            )));
        }
        if self.mean.len() == channels && self.std.len() == channels {
            return Ok(self);
        }
        let hint = if channels == 1 { "; give image_mean and image_std as one number each" } else { "" };
        Err(Error::PreprocessingInvalid(format!(
            "it declares {} channels with a mean and a deviation of their own, and the model takes {channels}{hint}",
            self.mean.len()
        )))
    }

    /// The size that every image ends at, where it does not depend on the image's own.
    pub fn final_size(&self) -> Option<Size> {
        let size = match (self.crop, self.resize) {
            (Some(size), _) | (None, Some(Resize::Exact(size))) => Some(size),
            _ => None,
        };
        match (self.pad, size) {
            (Some(pad), Some(size)) => Some(pad.size(size)),
            (Some(Pad::To(size)), None) if self.fits_into(size) => Some(size),
            (None, size) => size,
            _ => None,
        }
    }

    /// Notes what happens where pictures do not end at the network's size by themselves.
    pub(crate) fn note_size(&mut self, network: Size) {
        let Size { height, width } = network;
        let note = match self.final_size() {
            Some(size) if size == network => return,
            Some(size) => format!(
                "The preprocessing ends at {} x {} pixels, and the network takes {width} x {height}: pictures are scaled \
                 once more.",
                size.width, size.height
            ),
            None if self.resize.is_none() && self.pad.is_none() => format!(
                "No size is declared: pictures are scaled to the network's {width} x {height}, whatever their proportions."
            ),
            None => format!(
                "The preprocessing keeps a picture's proportions: what does not end at the network's {width} x {height} is \
                 scaled to it. crop_size or pad_size would say otherwise."
            ),
        };
        self.notes.push(note);
    }

    /// Whether every scaled image lies within this size.
    fn fits_into(&self, size: Size) -> bool {
        match self.resize {
            Some(Resize::LongestEdge(edge) | Resize::Edges { longest: edge, .. }) => {
                edge <= size.height && edge <= size.width
            }
            Some(Resize::Within(most)) => most.height <= size.height && most.width <= size.width,
            _ => false,
        }
    }

    /// The model value of a pixel value from 0 to 255 in `channel`.
    pub fn to_model(&self, channel: usize, pixel: f32) -> f32 {
        (pixel * self.scale - self.mean[channel]) / self.std[channel]
    }

    /// The pixel value from 0 to 1 of a model value in `channel`: `pixel = model * factor + offset`.
    pub fn to_pixel(&self, channel: usize) -> (f32, f32) {
        let unit = 255.0 * self.scale;
        (self.std[channel] / unit, self.mean[channel] / unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Preprocessing {
        Preprocessing::from_json(json).unwrap()
    }

    #[test]
    fn hugging_face_files_are_read() {
        let vit = r#"{"do_normalize": true, "do_resize": true, "feature_extractor_type": "ViTFeatureExtractor",
            "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "resample": 2, "size": 224}"#;
        let vit = read(vit);
        assert_eq!(vit.resize, Some(Resize::Exact(Size::square(224))));
        assert_eq!((vit.scale, vit.notes), (1.0 / 255.0, vec![]));
        let convnext = r#"{"crop_pct": 0.875, "do_rescale": true, "image_mean": [0.485, 0.456, 0.406],
            "image_std": [0.229, 0.224, 0.225], "resample": 3, "rescale_factor": 0.00392156862745098,
            "size": {"shortest_edge": 224}}"#;
        let convnext = read(convnext);
        assert_eq!(convnext.resample, Resample::Bicubic);
        assert_eq!(convnext.resize, Some(Resize::ShortestEdge(256)));
        assert_eq!(convnext.crop, Some(Size::square(224)));
        let resnet = read(r#"{"do_center_crop": true, "crop_size": 224, "size": 256}"#);
        assert_eq!(resnet.resize, Some(Resize::ShortestEdge(256)));
        assert_eq!(resnet.crop, Some(Size::square(224)));
        // The classes read a bare number in two ways.
        let deit =
            read(r#"{"image_processor_type": "DeiTImageProcessorFast", "crop_size": 224, "size": 256}"#);
        assert_eq!(deit.resize, Some(Resize::Exact(Size::square(256))));
        assert_eq!((deit.resample, deit.notes), (Resample::Bicubic, vec![]));
        let levit =
            read(r#"{"feature_extractor_type": "LevitFeatureExtractor", "crop_size": 224, "size": 224}"#);
        assert_eq!(levit.resize, Some(Resize::ShortestEdge(256)));
        let mobile =
            read(r#"{"image_processor_type": "MobileViTImageProcessor", "crop_size": 256, "size": 288}"#);
        assert_eq!((mobile.channel_order, mobile.mean), (ChannelOrder::Bgr, vec![0.0; 3]));
        let pool = read(
            r#"{"crop_pct": 0.9, "crop_size": {"height": 224, "width": 224}, "size": {"shortest_edge": 224}}"#,
        );
        assert_eq!((pool.resize, pool.crop), (Some(Resize::ShortestEdge(248)), Some(Size::square(224))));
    }

    #[test]
    fn every_kind_of_size_is_read() {
        let exact = Resize::Exact(Size { height: 2, width: 3 });
        for (size, resize) in [
            ("[2, 3]", exact),
            (r#"{"height": 2, "width": 3}"#, exact),
            (r#"{"height": 2.0, "width": 3, "shortest_edge": null}"#, exact),
            (r#"{"shortest_edge": 5}"#, Resize::ShortestEdge(5)),
            (r#"{"longest_edge": 5}"#, Resize::LongestEdge(5)),
            (r#"{"shortest_edge": 5, "longest_edge": 9}"#, Resize::Edges { shortest: 5, longest: 9 }),
            (r#"{"max_height": 2, "max_width": 3}"#, Resize::Within(Size { height: 2, width: 3 })),
        ] {
            assert_eq!(read(&format!(r#"{{"size": {size}}}"#)).resize, Some(resize), "{size}");
            assert_eq!(read(&format!(r#"{{"size": {size}, "do_resize": false}}"#)).resize, None, "{size}");
        }
    }

    #[test]
    fn mean_and_deviation_fit_the_networks_channels() {
        for (json, channels, mean, std) in [
            (r#"{"image_mean": 0.5, "image_std": 0.25}"#, 1, vec![0.5], vec![0.25]),
            (r#"{"image_mean": 0.5, "image_std": 0.25}"#, 3, vec![0.5; 3], vec![0.25; 3]),
            (r#"{"image_mean": [0.5], "image_std": [0.25]}"#, 1, vec![0.5], vec![0.25]),
            (r#"{"image_mean": [0.5], "image_std": 0.25}"#, 3, vec![0.5; 3], vec![0.25; 3]),
            (r#"{"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25]}"#, 1, vec![0.5], vec![0.25]),
            (r#"{"image_mean": [0.1, 0.2, 0.3], "image_std": 0.25}"#, 3, vec![0.1, 0.2, 0.3], vec![0.25; 3]),
            (r#"{"image_mean": [0.1, 0.2, 0.3]}"#, 3, vec![0.1, 0.2, 0.3], vec![1.0; 3]),
            (r#"{"image_std": 0.25}"#, 1, vec![0.0], vec![0.25]),
            (r#"{"size": 8}"#, 1, vec![0.0], vec![1.0]),
            (r#"{"do_normalize": false, "image_mean": [0.1, 0.2, 0.3], "size": 8}"#, 1, vec![0.0], vec![1.0]),
            (r#"{"rescale_offset": true, "rescale_factor": 0.00784313725}"#, 1, vec![1.0], vec![1.0]),
        ] {
            let read = read(json).for_channels(channels).unwrap();
            assert_eq!((read.mean, read.std), (mean, std), "{json}");
        }
        let coloured = read(r#"{"image_mean": [0.1, 0.2, 0.3], "image_std": 0.25}"#);
        let error = coloured.clone().for_channels(1).unwrap_err();
        assert!(error.to_string().contains("3 channels") && error.to_string().contains("takes 1"), "{error}");
        assert_eq!(coloured.for_channels(4).unwrap_err().code(), "preprocessing_invalid");
    }

    #[test]
    fn timms_files_are_read() {
        let flat = r#""input_size": [3, 224, 224], "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "crop_pct": 0.9,
            "interpolation": "bicubic", "classifier": "head""#;
        for json in [
            format!("{{{flat}}}"),
            format!(
                r#"{{"architecture": "vit", "num_classes": 1000, "pretrained_cfg": {{{flat}, "crop_mode": "center"}}}}"#
            ),
        ] {
            let vit = read(&json);
            assert_eq!((vit.resize, vit.crop), (Some(Resize::ShortestEdge(248)), Some(Size::square(224))));
            assert_eq!((vit.resample, vit.mean, vit.notes), (Resample::Bicubic, vec![0.5; 3], vec![]));
        }
        let squash = read(&format!(r#"{{{flat}, "crop_mode": "squash"}}"#));
        assert_eq!(squash.resize, Some(Resize::Exact(Size::square(248))));
        let border = read(&format!(r#"{{{flat}, "crop_mode": "border"}}"#));
        assert_eq!((border.resize, border.fill), (Some(Resize::Inside(Size::square(248))), [128; 3]));
        let bare = read(r#"{"input_size": [3, 224, 160]}"#);
        assert_eq!(bare.resize, Some(Resize::Covering(Size { height: 256, width: 182 })));
        assert_eq!((bare.resample, bare.notes.len()), (Resample::Bicubic, 3), "{:?}", bare.notes);
    }

    #[test]
    fn caffe_values_map_to_pixels() {
        let caffe = r#"{"do_rescale": false, "image_mean": [103.939, 116.779, 123.68], "image_std": [1, 1, 1],
            "channel_order": "BGR"}"#;
        let read = read(caffe);
        assert_eq!(read.channel_order, ChannelOrder::Bgr);
        let (factor, offset) = read.to_pixel(0);
        assert!(((255.0 - 103.939) * factor + offset - 1.0).abs() < 1e-6);
        assert!((-103.939 * factor + offset).abs() < 1e-6);
    }

    #[test]
    fn nonsense_is_refused() {
        for (bad, word) in [
            (r#"{"image_mean": [0, 0], "image_std": [1, 1]}"#, "image_mean"),
            (r#"{"image_mean": [0, 0, 0], "image_std": [1, 0, 1]}"#, "positive"),
            (r#"{"size": 0}"#, "size"),
            (r#"{"size": {"longest": 3}}"#, "longest"),
            (r#"{"size": {"height": 3}}"#, "height"),
            (r#"{"resample": 9}"#, "resample"),
            (r#"{"resample": "fancy"}"#, "fancy"),
            (r#"{"channel_order": "GRB"}"#, "GRB"),
            (r#"{"do_resize": "yes", "size": 3}"#, "do_resize"),
            (r#"{"size": 3, "do_crop_margin": true}"#, "do_crop_margin"),
            (r#"{"size": 3, "keep_aspect_ratio": true}"#, "keep_aspect_ratio"),
            (r#"{"size": 3, "image_processor_type": "PerceiverImageProcessor"}"#, "PerceiverImageProcessor"),
            (r#"{"do_normalize": true, "size": 3}"#, "image_mean"),
            (r#"{"do_center_crop": true}"#, "crop_size"),
            (r#"{"size": 3, "size_divisor": 32}"#, "do_pad"),
            (r#"{"input_size": [3, 8, 8], "crop_mode": "round"}"#, "round"),
            (r#"{"input_size": 8}"#, "input_size"),
            ("[]", "sequence"),
            ("{}", "none of the keys"),
            (r#"{"image_processor_type": "ViTImageProcessor"}"#, "none of the keys"),
            (r#"{"hidden_size": 768, "id2label": {"0": "cat"}}"#, "none of the keys"),
        ] {
            let error = Preprocessing::from_json(bad).unwrap_err();
            assert_eq!(error.code(), "preprocessing_invalid");
            assert!(error.to_string().contains(word), "{bad}: {error}");
        }
    }

    #[test]
    fn what_is_assumed_is_noted() {
        for (json, words) in [
            (r#"{"size": 8, "resample": 2}"#, vec!["both edges"]),
            (r#"{"size": 8, "crop_size": 7, "resample": 2}"#, vec!["shorter edge"]),
            (r#"{"size": [8, 8]}"#, vec!["bilinear"]),
            (r#"{"size": [8, 8], "resample": 2, "sharpen": 2}"#, vec!["sharpen"]),
            (r#"{"size": [8, 8], "resample": 2, "do_reduce_labels": true, "do_crop_margin": false}"#, vec![]),
            (r#"{"do_resize": true, "image_mean": 0, "image_std": 1}"#, vec!["size is missing"]),
            (r#"{"size": {"shortest_edge": 8}, "do_center_crop": true, "resample": 3}"#, vec!["crop_size"]),
        ] {
            let notes = read(json).notes;
            assert_eq!(notes.len(), words.len(), "{json}: {notes:?}");
            assert!(notes.iter().zip(&words).all(|(note, word)| note.contains(word)), "{json}: {notes:?}");
        }
    }
}
