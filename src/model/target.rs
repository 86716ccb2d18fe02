//! What an explanation is of: a class, or something that a network says of a part of its input or in comparison.
//!
//! One value, which every interface reads: a number is a class, and an object names anything else.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::Value;

use crate::{
    HostTensor,
    input::{image::Region, text::Asked},
};

/// What is explained. In JSON: `3` or `{"class": 3}`; `{"class": 3, "against": 5}`; `{"box": {"number": 0}}`; `{"region": {"class": 3}}`;
/// `{"token": 2}`; `{"like": [0.1, …]}`.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// The score of a class, or the element of this number of an output that is none of classes.
    Class(usize),
    /// How much more one class's score is than another's.
    Against {
        /// The class that is explained.
        class: usize,
        /// The one that it is compared with.
        against: usize,
    },
    /// What a detector says of one box.
    Box(BoxTarget),
    /// The mean score of a class over a part of a dense map.
    Region(RegionTarget),
    /// The class of one token, of networks that give each token one.
    Token {
        /// Its number, or the word that it is of.
        token: Asked,
        /// The class; the predicted one where it is left out.
        class: Option<usize>,
    },
    /// The cosine of the angle between the output, which is an embedding, and these numbers.
    Like(Vec<f32>),
}

/// A box that a detector finds, and what of it is explained.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct BoxTarget {
    /// Its number in the list of boxes found ([`crate::Explainer::detect`]); the first where neither this nor `at` is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<usize>,
    /// Or where it lies: left, top, right and bottom in pixels of the picture as given. The box found is the one of the highest score among
    /// those that overlap with it by half or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<[f64; 4]>,
    /// Its class; the one that the detector gives it where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<usize>,
    /// What of it is explained.
    pub explain: BoxScore,
    /// What stands for it where the input changes; found by the method where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follow: Option<Follow>,
    /// The least score of a box found, for `number`; the detector's where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f32>,
    /// The largest overlap of two boxes of one class, for `number`; the detector's where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlap: Option<f32>,
}

/// What of a box is explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BoxScore {
    /// The score of its class: what made it this class.
    #[default]
    Class,
    /// Its objectness: what had it found at all. Heads of objectness, or with a class for nothing, have one.
    Objectness,
    /// Where its left edge lies, in pixels of the network's input.
    Left,
    /// Its upper edge.
    Top,
    /// Its right edge.
    Right,
    /// Its lower edge.
    Bottom,
    /// Its width.
    Width,
    /// Its height.
    Height,
}

/// What stands for a box where the input changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Follow {
    /// The same row of the detector's output, whose score changes steadily: for gradients and paths.
    Place,
    /// The row of the highest score of the class among those whose box overlaps with it by half or more, and the same row: for methods that
    /// hide parts of the input.
    Overlap,
}

/// A part of a dense map, `[classes, height, width]`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct RegionTarget {
    /// The class; that of the clicked pixel or the most frequent one in the mask where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<usize>,
    /// A pixel of the picture as given, `[x, y]`: the region is what hangs together with it of its class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<[f64; 2]>,
    /// What belongs to the region, above 0, as `[height, width]` of the network's input or of its map. Without this and `at`, the region is
    /// the whole area that the network gives the class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask: Option<HostTensor>,
}

/// How it is written where it is more than a number.
#[derive(Serialize, Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
struct Written {
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    against: Option<usize>,
    #[serde(rename = "box", skip_serializing_if = "Option::is_none")]
    object: Option<BoxTarget>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<RegionTarget>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<Asked>,
    #[serde(skip_serializing_if = "Option::is_none")]
    like: Option<Vec<f32>>,
}

/// What a target may be, for messages.
const FORMS: &str = "give the number of a class, or an object with `class` (and `against`), `box`, `region`, `token` (and `class`) or `like`";

impl TryFrom<Written> for Target {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { class, against, object, region, token, like } = written;
        match (class, against, object, region, token, like) {
            (Some(class), None, None, None, None, None) => Ok(Self::Class(class)),
            (Some(class), Some(against), None, None, None, None) if class != against => {
                Ok(Self::Against { class, against })
            }
            (None, None, Some(object), None, None, None) => match (object.number, object.at) {
                (Some(_), Some(_)) => Err("a box is told by its `number` or by `at`, not by both".into()),
                _ => Ok(Self::Box(object)),
            },
            (None, None, None, Some(region), None, None) => Ok(Self::Region(region)),
            (class, None, None, None, Some(token), None) => Ok(Self::Token { token, class }),
            (None, None, None, None, None, Some(like)) => Ok(Self::Like(like)),
            _ => Err(format!("this is no target: {FORMS}")),
        }
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let written = match self.clone() {
            Self::Class(class) => return class.serialize(serializer),
            Self::Against { class, against } => {
                Written { class: Some(class), against: Some(against), ..Written::default() }
            }
            Self::Box(object) => Written { object: Some(object), ..Written::default() },
            Self::Region(region) => Written { region: Some(region), ..Written::default() },
            Self::Token { token, class } => Written { token: Some(token), class, ..Written::default() },
            Self::Like(like) => Written { like: Some(like), ..Written::default() },
        };
        written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_json(Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl From<usize> for Target {
    fn from(class: usize) -> Self {
        Self::Class(class)
    }
}

impl std::str::FromStr for Target {
    type Err = String;

    /// As it is written on the command line: `3`, `3-against-5`, `box:0`, `box:0:left`, `token:4`, `token:word`, `region:3`, `at:120,40`, or
    /// JSON.
    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| {
            text.trim().parse::<usize>().map_err(|_| format!("\"{text}\" is no number from 0 on"))
        };
        if text.trim_start().starts_with('{') {
            return Self::from_json(serde_json::from_str(text).map_err(|error| error.to_string())?);
        }
        if let Some((class, against)) = text.split_once("-against-") {
            let (class, against) = (Some(number(class)?), Some(number(against)?));
            return Written { class, against, ..Written::default() }.try_into();
        }
        match text.split_once(':') {
            None => Ok(Self::Class(number(text).map_err(|_| {
                format!(
                    "\"{text}\" is no target: give the number of a class, 3-against-5, box:0, box:0:left, region:3, at:120,40, token:4, or JSON"
                )
            })?)),
            Some(("box", rest)) => {
                let (box_number, explain) = rest.split_once(':').unwrap_or((rest, "class"));
                let explain = serde_json::from_value(explain.into()).map_err(|error| error.to_string())?;
                Ok(Self::Box(BoxTarget { number: Some(number(box_number)?), explain, ..BoxTarget::default() }))
            }
            Some(("region", class)) => {
                Ok(Self::Region(RegionTarget { class: Some(number(class)?), ..RegionTarget::default() }))
            }
            Some(("at", pixel)) => {
                let parts: Vec<f64> = pixel.split(',').filter_map(|part| part.trim().parse().ok()).collect();
                let at = <[f64; 2]>::try_from(parts).map_err(|_| format!("\"{pixel}\" is no pixel: give at:x,y"))?;
                Ok(Self::Region(RegionTarget { at: Some(at), ..RegionTarget::default() }))
            }
            Some(("token", token)) => Ok(Self::Token {
                token: token.parse().unwrap_or(Asked::Word(token.to_owned())),
                class: None,
            }),
            Some((kind, _)) => Err(format!("\"{kind}\" is no kind of target; there are box, region, at and token")),
        }
    }
}

impl Target {
    fn from_json(value: Value) -> Result<Self, String> {
        match &value {
            Value::Number(number) => match (number.as_u64(), number.as_f64()) {
                (Some(class), _) => Ok(Self::Class(class as usize)),
                (None, Some(class)) if class >= 0.0 && class.fract() == 0.0 => {
                    Ok(Self::Class(class as usize))
                }
                _ => Err(format!("{number} is no class: they are counted from 0")),
            },
            Value::Object(_) => {
                serde_json::from_value::<Written>(value).map_err(|error| error.to_string())?.try_into()
            }
            _ => Err(format!("this is no target: {FORMS}")),
        }
    }

    /// The same with places on the photograph told in pixels of the network's input, of which `region` is the part of the photograph that
    /// it shows.
    pub(crate) fn on_input(mut self, region: Option<Region>, [height, width]: [usize; 2]) -> Self {
        let Some(region) = region.filter(|region| region.width > 0.0 && region.height > 0.0) else {
            return self;
        };
        let x = |x: f64| (x - region.x) * width as f64 / region.width;
        let y = |y: f64| (y - region.y) * height as f64 / region.height;
        match &mut self {
            Self::Box(BoxTarget { at: Some(edges), .. }) => {
                let [left, top, right, bottom] = *edges;
                *edges = [x(left), y(top), x(right), y(bottom)];
            }
            Self::Region(RegionTarget { at: Some(pixel), .. }) => *pixel = [x(pixel[0]), y(pixel[1])],
            _ => {}
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_form_survives_json() {
        for value in [
            json!(7),
            json!({ "class": 3, "against": 5 }),
            json!({ "box": { "number": 2, "explain": "left" } }),
            json!({ "box": { "at": [1.0, 2.0, 30.0, 40.0], "class": 1, "explain": "class", "follow": "overlap" } }),
            json!({ "region": { "at": [4.0, 5.0] } }),
            json!({ "token": "Paris", "class": 1 }),
            json!({ "token": 4 }),
            json!({ "like": [0.5, -1.0] }),
        ] {
            let target: Target = serde_json::from_value(value.clone()).unwrap();
            assert_eq!(serde_json::to_value(&target).unwrap(), value);
        }
        assert_eq!(serde_json::from_value::<Target>(json!({ "class": 3 })).unwrap(), Target::Class(3));
        assert_eq!(serde_json::from_value::<Target>(json!(3.0)).unwrap(), Target::Class(3));
    }

    #[test]
    fn what_is_no_target_is_refused() {
        for value in [
            json!(-1),
            json!(1.5),
            json!("cat"),
            json!({}),
            json!({ "class": 3, "against": 3 }),
            json!({ "class": 3, "box": {} }),
            json!({ "box": { "number": 1, "at": [0, 0, 1, 1] } }),
            json!({ "box": { "nummer": 1 } }),
        ] {
            assert!(serde_json::from_value::<Target>(value.clone()).is_err(), "{value}");
        }
    }

    #[test]
    fn the_command_line_has_short_forms() {
        let parsed = |text: &str| serde_json::to_value(text.parse::<Target>().unwrap()).unwrap();
        assert_eq!(parsed("12"), json!(12));
        assert_eq!(parsed("3-against-5"), json!({ "class": 3, "against": 5 }));
        assert_eq!(parsed("box:1"), json!({ "box": { "number": 1, "explain": "class" } }));
        assert_eq!(parsed("box:1:top"), json!({ "box": { "number": 1, "explain": "top" } }));
        assert_eq!(parsed("at:3,4.5"), json!({ "region": { "at": [3.0, 4.5] } }));
        assert_eq!(parsed("token:Paris"), json!({ "token": "Paris" }));
        assert_eq!(parsed("{\"region\": {\"class\": 2}}"), json!({ "region": { "class": 2 } }));
        for bad in ["cat", "-1", "box:x", "box:1:middle", "mask:3", "at:1"] {
            assert!(bad.parse::<Target>().is_err(), "{bad}");
        }
    }

    #[test]
    fn places_follow_the_picture_into_the_network() {
        let region = Region { x: 100.0, y: 50.0, width: 200.0, height: 400.0 };
        let target = Target::Box(BoxTarget { at: Some([100.0, 50.0, 200.0, 250.0]), ..BoxTarget::default() });
        let Target::Box(found) = target.on_input(Some(region), [100, 100]) else { panic!() };
        assert_eq!(found.at, Some([0.0, 0.0, 50.0, 50.0]));
    }
}
