//! The declared way from pixels to a network's input: Hugging Face's `preprocessor_config.json`.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Height and width in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

/// How an image is scaled before cropping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resize {
    /// To exactly this size, whatever the image's proportions.
    Exact(Size),
    /// So that the shorter edge has this length.
    ShortestEdge(usize),
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

/// From pixels to model space: resize, crop, reorder, scale, subtract the mean, divide by the deviation.
///
/// With pixel values 0 to 255, `model = (pixel * scale - mean) / std`, where `mean` and `std` are listed in the
/// network's own channel order.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Declared")]
pub struct Preprocessing {
    /// Scaling before the crop.
    pub resize: Option<Resize>,
    /// Filter of the scaling.
    pub resample: Resample,
    /// Crop from the centre.
    pub crop: Option<Size>,
    /// Order of the channels.
    pub channel_order: ChannelOrder,
    /// Factor on pixel values 0 to 255.
    pub scale: f32,
    /// Subtracted from each channel after scaling.
    pub mean: Vec<f32>,
    /// Divisor of each channel.
    pub std: Vec<f32>,
}

impl Preprocessing {
    /// Reads a `preprocessor_config.json`, with our optional `channel_order` of `"RGB"` or `"BGR"`.
    ///
    /// # Errors
    /// [`Error::PreprocessingInvalid`].
    pub fn from_json(json: &str) -> Result<Self> {
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(json).map_err(|error| Error::PreprocessingInvalid(error.to_string()))?;
        serde_json::from_value(object.into()).map_err(|error| Error::PreprocessingInvalid(error.to_string()))
    }

    /// torchvision's preprocessing for ImageNet at `size` pixels a side.
    pub fn imagenet(size: usize) -> Self {
        Self {
            resize: Some(Resize::ShortestEdge(size * 8 / 7)),
            resample: Resample::Bilinear,
            crop: Some(Size { height: size, width: size }),
            channel_order: ChannelOrder::Rgb,
            scale: 1.0 / 255.0,
            mean: vec![0.485, 0.456, 0.406],
            std: vec![0.229, 0.224, 0.225],
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

/// The keys of the file; everything else in it (feature extractor type and so on) is of no concern here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Declared {
    do_resize: Option<bool>,
    size: Option<DeclaredSize>,
    resample: Option<u8>,
    do_center_crop: Option<bool>,
    crop_size: Option<DeclaredSize>,
    crop_pct: Option<f32>,
    do_rescale: Option<bool>,
    rescale_factor: Option<f32>,
    do_normalize: Option<bool>,
    image_mean: Option<PerChannel>,
    image_std: Option<PerChannel>,
    channel_order: ChannelOrder,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum DeclaredSize {
    Edge(usize),
    Exact(Size),
    Shortest { shortest_edge: usize },
    Pair([usize; 2]),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum PerChannel {
    All(f32),
    Each(Vec<f32>),
}

impl PerChannel {
    fn each(self) -> Vec<f32> {
        match self {
            Self::All(value) => vec![value; 3],
            Self::Each(values) => values,
        }
    }
}

impl TryFrom<Declared> for Preprocessing {
    type Error = String;

    fn try_from(file: Declared) -> Result<Self, String> {
        let square = |edge| Size { height: edge, width: edge };
        let mut crop = match file.crop_size.filter(|_| file.do_center_crop.unwrap_or(true)) {
            None => None,
            Some(DeclaredSize::Edge(edge) | DeclaredSize::Shortest { shortest_edge: edge }) => {
                Some(square(edge))
            }
            Some(DeclaredSize::Exact(size)) => Some(size),
            Some(DeclaredSize::Pair([height, width])) => Some(Size { height, width }),
        };
        let resize = match (file.size.filter(|_| file.do_resize.unwrap_or(true)), file.crop_pct) {
            (None, _) => None,
            // ConvNeXt: the edge is that of the crop, which is this part of the scaled image; large ones are
            // scaled without a crop.
            (Some(DeclaredSize::Shortest { shortest_edge: edge }), Some(part)) if part > 0.0 => {
                if edge < 384 {
                    crop = Some(square(edge));
                    Some(Resize::ShortestEdge((edge as f32 / part) as usize))
                } else {
                    Some(Resize::Exact(square(edge)))
                }
            }
            (Some(DeclaredSize::Shortest { shortest_edge: edge }), _) => Some(Resize::ShortestEdge(edge)),
            // A bare number is the shorter edge where a crop follows, and else both edges (ViT).
            (Some(DeclaredSize::Edge(edge)), _) if crop.is_some() => Some(Resize::ShortestEdge(edge)),
            (Some(DeclaredSize::Edge(edge)), _) => Some(Resize::Exact(square(edge))),
            (Some(DeclaredSize::Exact(size)), _) => Some(Resize::Exact(size)),
            (Some(DeclaredSize::Pair([height, width])), _) => Some(Resize::Exact(Size { height, width })),
        };
        let resample = match file.resample {
            None | Some(2) => Resample::Bilinear,
            Some(0) => Resample::Nearest,
            Some(1) => Resample::Lanczos,
            Some(3) => Resample::Bicubic,
            Some(other) => return Err(format!("resample {other} is none of PIL's 0 to 3")),
        };
        let scale =
            if file.do_rescale.unwrap_or(true) { file.rescale_factor.unwrap_or(1.0 / 255.0) } else { 1.0 };
        let normalise = file.do_normalize.unwrap_or(file.image_mean.is_some() || file.image_std.is_some());
        let channels = |values: Option<PerChannel>, default: f32| {
            values.filter(|_| normalise).map_or_else(|| vec![default; 3], PerChannel::each)
        };
        let (mean, std) = (channels(file.image_mean, 0.0), channels(file.image_std, 1.0));
        if mean.len() != std.len() || !matches!(mean.len(), 1 | 3) {
            return Err(format!(
                "image_mean and image_std must list 1 or 3 channels each, not {} and {}",
                mean.len(),
                std.len()
            ));
        }
        let positive = |value: &f32| value.is_finite() && *value > 0.0;
        if !std.iter().all(positive) || !positive(&scale) || !mean.iter().all(|mean| mean.is_finite()) {
            return Err("image_std and rescale_factor must be positive, image_mean finite".into());
        }
        let empty = |size: Option<Size>| size.is_some_and(|size| size.height == 0 || size.width == 0);
        let resize_empty = match resize {
            Some(Resize::Exact(size)) => empty(Some(size)),
            Some(Resize::ShortestEdge(edge)) => edge == 0,
            None => false,
        };
        if resize_empty || empty(crop) {
            return Err("size and crop_size must be positive".into());
        }
        Ok(Self { resize, resample, crop, channel_order: file.channel_order, scale, mean, std })
    }
}

/// The class names of a Hugging Face `config.json` (its `id2label`), in the order of the classes.
///
/// # Errors
/// [`Error::PreprocessingInvalid`] where `id2label` is missing or leaves classes out.
pub fn labels_from_config(json: &str) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Config {
        id2label: std::collections::HashMap<String, String>,
    }
    let invalid = |reason: String| Error::PreprocessingInvalid(format!("config.json: {reason}"));
    let config: Config = serde_json::from_str(json).map_err(|error| invalid(error.to_string()))?;
    (0..config.id2label.len())
        .map(|class| config.id2label.get(&class.to_string()).cloned())
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| invalid("id2label does not name every class from 0 on".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hugging_face_files_are_read() {
        let vit = r#"{"do_normalize": true, "do_resize": true, "feature_extractor_type": "ViTFeatureExtractor",
            "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "resample": 2, "size": 224}"#;
        let read = Preprocessing::from_json(vit).unwrap();
        assert_eq!(read.resize, Some(Resize::Exact(Size { height: 224, width: 224 })));
        assert_eq!(read.scale, 1.0 / 255.0);
        let convnext = r#"{"crop_pct": 0.875, "do_rescale": true, "image_mean": [0.485, 0.456, 0.406],
            "image_std": [0.229, 0.224, 0.225], "resample": 3, "rescale_factor": 0.00392156862745098,
            "size": {"shortest_edge": 224}}"#;
        let read = Preprocessing::from_json(convnext).unwrap();
        assert_eq!(read.resample, Resample::Bicubic);
        assert_eq!(read.resize, Some(Resize::ShortestEdge(256)));
        assert_eq!(read.crop, Some(Size { height: 224, width: 224 }));
        let resnet = r#"{"do_center_crop": true, "crop_size": 224, "size": 256}"#;
        let read = Preprocessing::from_json(resnet).unwrap();
        assert_eq!(read.resize, Some(Resize::ShortestEdge(256)));
        assert_eq!(read.crop, Some(Size { height: 224, width: 224 }));
    }

    #[test]
    fn caffe_values_map_to_pixels() {
        let caffe = r#"{"do_rescale": false, "image_mean": [103.939, 116.779, 123.68], "image_std": [1, 1, 1],
            "channel_order": "BGR"}"#;
        let read = Preprocessing::from_json(caffe).unwrap();
        assert_eq!(read.channel_order, ChannelOrder::Bgr);
        let (factor, offset) = read.to_pixel(0);
        assert!(((255.0 - 103.939) * factor + offset - 1.0).abs() < 1e-6);
        assert!((-103.939 * factor + offset).abs() < 1e-6);
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in [
            r#"{"image_mean": [0, 0], "image_std": [1, 1]}"#,
            r#"{"image_mean": [0, 0, 0], "image_std": [1, 0, 1]}"#,
            r#"{"size": 0}"#,
            r#"{"resample": 9}"#,
            r#"{"channel_order": "GRB"}"#,
            "[]",
        ] {
            assert!(Preprocessing::from_json(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn labels_come_in_the_order_of_the_classes() {
        let labels = labels_from_config(r#"{"id2label": {"1": "dog", "0": "cat"}}"#).unwrap();
        assert_eq!(labels, ["cat", "dog"]);
        assert!(labels_from_config(r#"{"id2label": {"0": "cat", "2": "dog"}}"#).is_err());
    }
}
