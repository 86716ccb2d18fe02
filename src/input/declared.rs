//! Files that say how pictures are prepared: Hugging Face's `preprocessor_config.json` and timm's `pretrained_cfg`.
//!
//! What a file leaves open is filled in as the class that it names does, or else by a rule that is told
//! ([`Preprocessing::notes`]); a key that would change the pixels in a way that is not known here is an error, for the
//! network's answer would be wrong without anyone noticing.

use serde_json::{Map, Value};

use super::preprocessing::{ChannelOrder, Pad, Preprocessing, Resample, Resize, Size};

type Object = Map<String, Value>;

/// Keys that say something about the pixels, under all their names.
const KNOWN: [&str; 35] = [
    "do_resize",
    "size",
    "resize_size",
    "resample",
    "interpolation",
    "do_center_crop",
    "crop_size",
    "crop_pct",
    "crop_mode",
    "input_size",
    "default_to_square",
    "do_rescale",
    "rescale_factor",
    "rescale_offset",
    "offset",
    "do_normalize",
    "image_mean",
    "image_std",
    "mean",
    "std",
    "include_top",
    "do_convert_grayscale",
    "do_grayscale",
    "do_flip_channel_order",
    "channel_order",
    "do_pad",
    "pad_size",
    "size_divisor",
    "size_divisibility",
    "padding_mode",
    "padding_value",
    "fill_value",
    "ensure_multiple_of",
    "keep_aspect_ratio",
    "crop_border_pixels",
];

/// Keys that say nothing about the pixels of a single picture.
const HARMLESS: [&str; 47] = [
    "image_processor_type",
    "feature_extractor_type",
    "processor_class",
    "auto_map",
    "backend",
    "do_convert_rgb",
    "do_convert_annotations",
    "data_format",
    "input_data_format",
    "return_tensors",
    "return_segmentation_masks",
    "disable_grouping",
    "device",
    "model_input_names",
    "model_type",
    "do_reduce_labels",
    "reduce_labels",
    "ignore_index",
    "num_labels",
    "num_text",
    "num_frames",
    "frame_rate",
    "format",
    "mask_size",
    "mask_pad_size",
    "patch_size",
    "apply_ocr",
    "ocr_lang",
    "tesseract_config",
    // timm's
    "architecture",
    "tag",
    "url",
    "file",
    "hf_hub_id",
    "hf_hub_filename",
    "source",
    "custom_load",
    "fixed_input_size",
    "min_input_size",
    "test_input_size",
    "test_crop_pct",
    "num_classes",
    "num_features",
    "pool_size",
    "first_conv",
    "classifier",
    "transformers_version",
];

/// The classes of Hugging Face that do what their keys do not say.
const PECULIAR: [&str; 18] = [
    "perceiver",
    "vilt",
    "bridgetower",
    "glpn",
    "donut",
    "nougat",
    "imagegpt",
    "qwen2vl",
    "pix2struct",
    "fuyu",
    "swin2sr",
    "idefics",
    "idefics2",
    "idefics3",
    "smolvlm",
    "layoutlmv2",
    "pixtral",
    "gemma3",
];

/// What a class of Hugging Face fills in for keys that are missing.
#[derive(Clone, Copy)]
struct Class {
    /// A size that is a bare number is the length of both edges, not of the shorter one.
    square: bool,
    resample: Resample,
    mean: [f32; 3],
    std: [f32; 3],
    crop_pct: Option<f64>,
}

impl Class {
    fn new(stem: &str) -> Option<Self> {
        let standard = ([0.5; 3], [0.5; 3]);
        let imagenet = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
        let clip = ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.2613026, 0.2757771]);
        let (square, resample, (mean, std)) = match stem {
            "vit" => (true, Resample::Bilinear, standard),
            "deit" | "beit" | "dpt" => (true, Resample::Bicubic, standard),
            "efficientnet" => (true, Resample::Nearest, standard),
            "segformer" | "pvt" => (true, Resample::Bilinear, imagenet),
            "siglip" => (false, Resample::Bicubic, standard),
            "convnext" | "mobilenetv1" | "mobilenetv2" | "mobilevit" => (false, Resample::Bilinear, standard),
            "levit" | "poolformer" => (false, Resample::Bicubic, imagenet),
            "clip" | "chineseclip" | "altclip" | "bit" | "vithybrid" => (false, Resample::Bicubic, clip),
            _ => return None,
        };
        let crop_pct = match stem {
            "convnext" => Some(224.0 / 256.0),
            "poolformer" => Some(0.9),
            _ => None,
        };
        Some(Self { square, resample, mean, std, crop_pct })
    }
}

/// Reads a file, or the part of it that speaks of pictures.
///
/// # Errors
/// A sentence without its point.
pub(super) fn read(file: &Object) -> Result<Preprocessing, String> {
    for part in ["preprocessing", "image_processor", "pretrained_cfg"] {
        if let Some(inner) = file.get(part).and_then(Value::as_object) {
            return read(inner);
        }
    }
    if !KNOWN.iter().any(|key| file.contains_key(*key)) {
        return Err("the file holds none of the keys that say how pictures are prepared; give a Hugging Face \
                    preprocessor_config.json with size, image_mean, image_std and the like, or timm's config.json"
            .into());
    }
    Reader::new(file)?.read()
}

struct Reader<'a> {
    file: &'a Object,
    stem: String,
    class: Option<Class>,
    notes: Vec<String>,
}

impl<'a> Reader<'a> {
    fn new(file: &'a Object) -> Result<Self, String> {
        let name = ["image_processor_type", "feature_extractor_type"]
            .into_iter()
            .find_map(|key| file.get(key).and_then(Value::as_str))
            .unwrap_or_default();
        let mut stem = name;
        for end in ["Fast", "Pil", "ImageProcessor", "FeatureExtractor"] {
            stem = stem.strip_suffix(end).unwrap_or(stem);
        }
        let stem = stem.to_lowercase();
        if PECULIAR.contains(&stem.as_str()) {
            return Err(format!(
                "{name} prepares pictures in a way of its own that is not known here; give prepared tensors in place \
                 of pictures, or a file without that name whose keys say all that is done"
            ));
        }
        let class = Class::new(&stem);
        Ok(Self { file, stem, class, notes: Vec::new() })
    }

    fn read(mut self) -> Result<Preprocessing, String> {
        self.check_keys()?;
        let (mean, std) = self.normalisation()?;
        let Geometry { resize, crop, fill } =
            if self.given("input_size") { self.timm_geometry(&mean)? } else { self.geometry()? };
        let resample = self.resample(resize.is_some())?;
        let pad = self.pad()?;
        let mut scale = 1.0;
        if self.flag("do_rescale")?.unwrap_or(true) {
            scale = self.number("rescale_factor")?.map_or(1.0 / 255.0, |factor| factor as f32);
        }
        let (mut mean, mut std) = (mean, std);
        if self.flag("rescale_offset")?.or(self.flag("offset")?).unwrap_or(false) {
            // pixel * scale - 1, before the mean.
            mean.iter_mut().for_each(|mean| *mean += 1.0);
        }
        if self.stem == "efficientnet" && self.flag("include_top")?.unwrap_or(true) {
            // This class divides by the deviation twice.
            std.iter_mut().for_each(|std| *std *= *std);
        }
        let grey = self.flag("do_convert_grayscale")?.or(self.flag("do_grayscale")?).unwrap_or(false);
        let channel_order = self.channel_order()?;
        let positive = |value: &f32| value.is_finite() && *value > 0.0;
        if !std.iter().all(positive) || !positive(&scale) || !mean.iter().all(|mean| mean.is_finite()) {
            return Err("image_std and rescale_factor must be positive, image_mean finite".into());
        }
        let notes = self.notes;
        Ok(Preprocessing { resize, resample, crop, fill, pad, grey, channel_order, scale, mean, std, notes })
    }

    /// Refuses what would change the pixels unknown to us, and notes what may.
    fn check_keys(&mut self) -> Result<(), String> {
        let idle = |value: &Value| matches!(value, Value::Null | Value::Bool(false));
        for (key, value) in self.file {
            let known = KNOWN.contains(&key.as_str()) || HARMLESS.contains(&key.as_str());
            if known || key.starts_with('_') || idle(value) {
                continue;
            }
            if key.starts_with("do_") {
                return Err(format!(
                    "{key} changes the picture in a way that is not known here; leave it out, or give prepared tensors \
                     in place of pictures"
                ));
            }
            self.notes.push(format!("The key {key} is not known here and was left out of account."));
        }
        let harmless = [
            ("keep_aspect_ratio", Value::Bool(false)),
            ("ensure_multiple_of", 1.into()),
            ("padding_mode", "constant".into()),
            ("padding_value", 0.into()),
            ("fill_value", 0.into()),
            ("crop_border_pixels", 0.into()),
        ];
        for (key, only) in harmless {
            if self.file.get(key).is_some_and(|value| !value.is_null() && *value != only) {
                return Err(format!("{key} is known here as {only} alone, not as {}", self.file[key]));
            }
        }
        Ok(())
    }

    fn get(&self, key: &str) -> Option<&'a Value> {
        self.file.get(key).filter(|value| !value.is_null())
    }

    fn given(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    fn note(&mut self, note: &str) {
        self.notes.push(note.into());
    }

    fn flag(&self, key: &str) -> Result<Option<bool>, String> {
        let read = |value: &Value| {
            value.as_bool().ok_or_else(|| format!("{key} must be true or false, not {value}"))
        };
        self.get(key).map(read).transpose()
    }

    fn number(&self, key: &str) -> Result<Option<f64>, String> {
        let read =
            |value: &Value| value.as_f64().ok_or_else(|| format!("{key} must be a number, not {value}"));
        self.get(key).map(read).transpose()
    }

    fn share(&self, key: &str) -> Result<Option<f64>, String> {
        match self.number(key)? {
            Some(share) if share.is_nan() || share <= 0.0 => {
                Err(format!("{key} must be positive, not {share}"))
            }
            share => Ok(share),
        }
    }

    /// One number for all channels, or one for each.
    fn channels(&self, keys: [&str; 2]) -> Result<Option<Vec<f32>>, String> {
        let Some((key, value)) = keys.into_iter().find_map(|key| Some((key, self.get(key)?))) else {
            return Ok(None);
        };
        let fault = || format!("{key} must be a number or a list of 1 or 3 numbers, not {value}");
        let one = |value: &Value| value.as_f64().map(|value| value as f32);
        let values = match value {
            Value::Array(list) => list.iter().map(one).collect::<Option<Vec<_>>>(),
            value => one(value).map(|value| vec![value; 3]),
        };
        match values {
            Some(values) if matches!(values.len(), 1 | 3) => Ok(Some(values)),
            _ => Err(fault()),
        }
    }

    /// Mean and deviation of each channel: three, or one where a list says so.
    fn normalisation(&mut self) -> Result<(Vec<f32>, Vec<f32>), String> {
        let mean = self.channels(["image_mean", "mean"])?;
        let std = self.channels(["image_std", "std"])?;
        let any = mean.is_some() || std.is_some();
        let timm = self.given("input_size");
        // This class has a mean and does not use it unless it is told to.
        let usual = (any || timm) && self.stem != "mobilevit";
        if !self.flag("do_normalize")?.unwrap_or(usual) {
            return Ok((vec![0.0; 3], vec![1.0; 3]));
        }
        let (mean, std) = match (mean, std, self.class) {
            (Some(mean), Some(std), _) => (mean, std),
            (mean, std, Some(class)) => {
                (mean.unwrap_or(class.mean.to_vec()), std.unwrap_or(class.std.to_vec()))
            }
            (mean, std, None) if timm => {
                self.note("mean or std is missing: ImageNet's, as timm does.");
                let imagenet = Preprocessing::imagenet(224);
                (mean.unwrap_or(imagenet.mean), std.unwrap_or(imagenet.std))
            }
            (None, None, None) => {
                return Err(
                    "do_normalize is true, but image_mean and image_std are missing; give both, or set \
                            do_normalize to false"
                        .into(),
                );
            }
            (Some(mean), None, None) => {
                self.note("image_std is missing: 1, so that only the mean is subtracted.");
                let std = vec![1.0; mean.len()];
                (mean, std)
            }
            (None, Some(std), None) => {
                self.note("image_mean is missing: 0, so that values are only divided by the deviation.");
                (vec![0.0; std.len()], std)
            }
        };
        // A list of one beside a list of three stands for all of them.
        let count = mean.len().max(std.len());
        let spread = |values: Vec<f32>| if values.len() == 1 { vec![values[0]; count] } else { values };
        // A bare number has been spread over three: beside a list of one it is one.
        let single = |key: &str| matches!(self.get(key), Some(Value::Array(list)) if list.len() == 1);
        let many = |key: &str| matches!(self.get(key), Some(Value::Array(list)) if list.len() == 3);
        let one = ["image_mean", "mean", "image_std", "std"].into_iter().any(single)
            && !["image_mean", "mean", "image_std", "std"].into_iter().any(many);
        let (mut mean, mut std) = (spread(mean), spread(std));
        if one {
            mean.truncate(1);
            std.truncate(1);
        }
        Ok((mean, std))
    }

    /// A number of pixels above 0 that a picture can have.
    fn edge(key: &str, value: &Value) -> Result<usize, String> {
        // Some files write 224.0.
        let whole = value.as_f64().filter(|edge| edge.fract() == 0.0 && (1.0..=1e6).contains(edge));
        whole
            .map(|edge| edge as usize)
            .ok_or_else(|| format!("{key} must hold whole numbers from 1 on, not {value}"))
    }

    fn size(&self, key: &str) -> Result<Option<Declared>, String> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let unknown = || {
            format!(
                "{key} must be a number, [height, width], or an object with height and width, shortest_edge, \
                 longest_edge, or max_height and max_width, not {value}"
            )
        };
        let declared = match value {
            Value::Number(_) => Declared::Edge(Self::edge(key, value)?),
            Value::Array(list) => match list.as_slice() {
                [edge] => Declared::Edge(Self::edge(key, edge)?),
                [height, width] => {
                    Declared::Exact(Size { height: Self::edge(key, height)?, width: Self::edge(key, width)? })
                }
                _ => return Err(unknown()),
            },
            Value::Object(object) => {
                let names = ["height", "width", "shortest_edge", "longest_edge", "max_height", "max_width"];
                if let Some(other) = object.keys().find(|name| !names.contains(&name.as_str())) {
                    return Err(format!("{key} holds {other}, which is not known here; {}", unknown()));
                }
                let side = |name: &str| {
                    let value = object.get(name).filter(|value| !value.is_null());
                    value.map(|value| Self::edge(key, value)).transpose()
                };
                let [height, width, shortest, longest, max_height, max_width] = names.map(side);
                match (height?, width?, shortest?, longest?, max_height?, max_width?) {
                    (Some(height), Some(width), None, None, None, None) => {
                        Declared::Exact(Size { height, width })
                    }
                    (None, None, Some(edge), None, None, None) => Declared::Shortest(edge),
                    (None, None, None, Some(edge), None, None) => Declared::Longest(edge),
                    (None, None, Some(shortest), Some(longest), None, None) => {
                        Declared::Edges { shortest, longest }
                    }
                    (None, None, None, None, Some(height), Some(width)) => {
                        Declared::Within(Size { height, width })
                    }
                    _ => return Err(unknown()),
                }
            }
            _ => return Err(unknown()),
        };
        Ok(Some(declared))
    }

    /// Scaling and crop as Hugging Face's classes do them.
    fn geometry(&mut self) -> Result<Geometry, String> {
        let size = match self.size("size")? {
            None => self.size("resize_size")?,
            size => size,
        };
        let crop = self.crop(size)?;
        if !self.flag("do_resize")?.unwrap_or(size.is_some()) {
            return Ok(Geometry::new(None, crop));
        }
        let Some(size) = size else {
            self.note(
                "do_resize is true, but size is missing: pictures are scaled to the network's size alone.",
            );
            return Ok(Geometry::new(None, crop));
        };
        let part = self.share("crop_pct")?.or(self.class.and_then(|class| class.crop_pct));
        let (edge, square) = match size {
            Declared::Longest(edge) => return Ok(Geometry::new(Some(Resize::LongestEdge(edge)), crop)),
            Declared::Edges { shortest, longest } => {
                return Ok(Geometry::new(Some(Resize::Edges { shortest, longest }), crop));
            }
            Declared::Within(most) => return Ok(Geometry::new(Some(Resize::Within(most)), crop)),
            Declared::Shortest(edge) => (edge, false),
            Declared::Exact(Size { height, width }) => match part {
                Some(_) if height == width => (height, false),
                Some(part) => {
                    let scaled = |edge: usize| ((edge as f64 / part) as usize).max(1);
                    let size = Size { height: scaled(height), width: scaled(width) };
                    return Ok(Geometry::new(Some(Resize::Exact(size)), crop));
                }
                None => return Ok(Geometry::new(Some(Resize::Exact(Size { height, width })), crop)),
            },
            Declared::Edge(edge) => (edge, part.is_none() && self.is_square(crop)?),
        };
        let resize = match part {
            // ConvNeXt: the edge is that of the crop, which is this part of the scaled image; large ones are scaled without
            // a crop.
            Some(_) if !self.given("crop_size") && edge >= 384 => {
                return Ok(Geometry::new(Some(Resize::Exact(Size::square(edge))), crop));
            }
            Some(part) => {
                let crop = crop.or(Some(Size::square(edge)));
                return Ok(Geometry::new(
                    Some(Resize::ShortestEdge(((edge as f64 / part) as usize).max(1))),
                    crop,
                ));
            }
            None if square => Resize::Exact(Size::square(edge)),
            None if self.stem == "levit" => Resize::ShortestEdge((256.0 / 224.0 * edge as f64) as usize),
            None => Resize::ShortestEdge(edge),
        };
        Ok(Geometry::new(Some(resize), crop))
    }

    /// Whether a size that is a bare number is that of both edges.
    fn is_square(&mut self, crop: Option<Size>) -> Result<bool, String> {
        if let Some(square) = self.flag("default_to_square")?.or(self.class.map(|class| class.square)) {
            return Ok(square);
        }
        self.note(if crop.is_some() {
            "size is one number: the shorter edge, for a crop follows. {\"height\": …, \"width\": …} would be both edges."
        } else {
            "size is one number: both edges, for no crop follows. {\"shortest_edge\": …} would keep the proportions."
        });
        Ok(crop.is_none())
    }

    fn crop(&mut self, size: Option<Declared>) -> Result<Option<Size>, String> {
        let wanted = self.flag("do_center_crop")?;
        if wanted == Some(false) {
            return Ok(None);
        }
        match (self.size("crop_size")?, size) {
            (Some(Declared::Edge(edge) | Declared::Shortest(edge)), _) => Ok(Some(Size::square(edge))),
            (Some(Declared::Exact(size)), _) => Ok(Some(size)),
            (Some(_), _) => Err("crop_size must be a number or an object with height and width".into()),
            (None, _) if wanted.is_none() => Ok(None),
            (None, Some(Declared::Edge(edge) | Declared::Shortest(edge))) => {
                self.note("do_center_crop is true, but crop_size is missing: as many pixels as size says.");
                Ok(Some(Size::square(edge)))
            }
            (None, Some(Declared::Exact(size))) => Ok(Some(size)),
            _ => Err(
                "do_center_crop is true, but crop_size is missing; give it, or set do_center_crop to false"
                    .into(),
            ),
        }
    }

    /// Scaling and crop as timm's `transforms_imagenet_eval` does them, and the colour around a picture.
    fn timm_geometry(&mut self, mean: &[f32]) -> Result<Geometry, String> {
        let fault = || "input_size must be [channels, height, width] with whole numbers".to_owned();
        let sides = self.get("input_size").and_then(Value::as_array).ok_or_else(fault)?;
        let [_, height, width] = sides.as_slice() else { return Err(fault()) };
        let size =
            Size { height: Self::edge("input_size", height)?, width: Self::edge("input_size", width)? };
        let part = match self.share("crop_pct")? {
            Some(part) => part,
            None => {
                self.note("crop_pct is missing: 0.875, as timm does.");
                0.875
            }
        };
        let scaled = |edge: usize| ((edge as f64 / part) as usize).max(1);
        let outer = Size { height: scaled(size.height), width: scaled(size.width) };
        let mode = self
            .get("crop_mode")
            .map_or(Ok("center"), |mode| mode.as_str().ok_or("crop_mode must be a word"))?;
        let mut fill = [0; 3];
        let resize = match mode {
            "center" if outer.height == outer.width => Resize::ShortestEdge(outer.height),
            "center" => Resize::Covering(outer),
            "squash" => Resize::Exact(outer),
            "border" => {
                let byte = |channel: usize| {
                    let mean = mean.get(channel).or(mean.first()).copied().unwrap_or(0.0);
                    (f64::from(mean) * 255.0).round_ties_even() as u8
                };
                fill = [byte(0), byte(1), byte(2)];
                Resize::Inside(outer)
            }
            other => return Err(format!("crop_mode \"{other}\" is none of center, squash and border")),
        };
        Ok(Geometry { resize: Some(resize), crop: Some(size), fill })
    }

    fn resample(&mut self, resized: bool) -> Result<Resample, String> {
        let Some(value) = self.get("resample").or(self.get("interpolation")) else {
            if let Some(class) = self.class {
                return Ok(class.resample);
            }
            let timm = self.given("input_size");
            if resized {
                let name = if timm { "bicubic" } else { "bilinear" };
                self.notes.push(format!("resample is missing: {name}."));
            }
            return Ok(if timm { Resample::Bicubic } else { Resample::Bilinear });
        };
        let named = |name: &str| {
            // "PIL.Image.BICUBIC", "InterpolationMode.BICUBIC", "Resampling.BICUBIC".
            let last = name.rsplit(['.', '_']).next().unwrap_or(name).to_lowercase();
            Some(match last.as_str() {
                "nearest" | "exact" => Resample::Nearest,
                "lanczos" | "antialias" => Resample::Lanczos,
                "bilinear" | "linear" => Resample::Bilinear,
                "bicubic" | "cubic" => Resample::Bicubic,
                "box" => Resample::Box,
                "hamming" => Resample::Hamming,
                _ => return None,
            })
        };
        let found = match value {
            Value::String(name) => named(name),
            value => match value.as_f64() {
                Some(0.0) => Some(Resample::Nearest),
                Some(1.0) => Some(Resample::Lanczos),
                Some(2.0) => Some(Resample::Bilinear),
                Some(3.0) => Some(Resample::Bicubic),
                Some(4.0) => Some(Resample::Box),
                Some(5.0) => Some(Resample::Hamming),
                _ => None,
            },
        };
        found.ok_or_else(|| {
            format!(
                "resample {value} is none of PIL's 0 to 5 (nearest, lanczos, bilinear, bicubic, box, hamming) or their \
                 names"
            )
        })
    }

    fn pad(&mut self) -> Result<Option<Pad>, String> {
        let wanted = self.flag("do_pad")?;
        if wanted == Some(false) {
            return Ok(None);
        }
        match self.size("pad_size")? {
            Some(Declared::Edge(edge)) => return Ok(Some(Pad::To(Size::square(edge)))),
            Some(Declared::Exact(size)) => return Ok(Some(Pad::To(size))),
            Some(_) => return Err("pad_size must be a number or an object with height and width".into()),
            None => (),
        }
        let multiple = ["size_divisor", "size_divisibility"]
            .into_iter()
            .find_map(|key| Some((key, self.get(key)?)))
            .map(|(key, value)| Self::edge(key, value))
            .transpose()?;
        match (multiple, wanted) {
            (Some(1) | None, _) => Ok(None),
            (Some(multiple), Some(true)) => Ok(Some(Pad::Multiple(multiple))),
            (Some(multiple), _) => Err(format!(
                "size_divisor {multiple} without do_pad does not say whether pictures are padded or scaled; add \
                 \"do_pad\": true or false"
            )),
        }
    }

    fn channel_order(&self) -> Result<ChannelOrder, String> {
        let flipped = self.flag("do_flip_channel_order")?.unwrap_or(self.stem == "mobilevit");
        match self.get("channel_order").map(|order| (order, order.as_str())) {
            None if flipped => Ok(ChannelOrder::Bgr),
            None => Ok(ChannelOrder::Rgb),
            Some((_, Some("RGB"))) => Ok(ChannelOrder::Rgb),
            Some((_, Some("BGR"))) => Ok(ChannelOrder::Bgr),
            Some((other, _)) => Err(format!("channel_order must be \"RGB\" or \"BGR\", not {other}")),
        }
    }
}

/// Where a picture's pixels end up.
struct Geometry {
    resize: Option<Resize>,
    crop: Option<Size>,
    /// The colour around a picture that is smaller than the crop.
    fill: [u8; 3],
}

impl Geometry {
    fn new(resize: Option<Resize>, crop: Option<Size>) -> Self {
        Self { resize, crop, fill: [0; 3] }
    }
}

/// A size as files write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Declared {
    Edge(usize),
    Exact(Size),
    Shortest(usize),
    Longest(usize),
    Edges { shortest: usize, longest: usize },
    Within(Size),
}
