//! The methods, each by one line; whoever lists, describes or runs methods reads them from here.

use std::{future::Future, pin::Pin};

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{
    Attribution, Subject, agi, anytime::Anytime, axai, blur_ig, deconvnet, deep_lift, display::Display,
    expected_gradients, grad_cam, grad_cam_plus_plus, guided_backprop, guided_ig, input_x_gradient,
    integrated_gradients, kernel_shap, layer_cam, lime, lrp, mask, occlusion, relex, rise, rt_sal, saliency,
    score_cam, smoothgrad, vargrad, xrai,
};
use crate::{Error, Model, Result};

/// What a method needs of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub enum Need {
    /// The gradient of a score with respect to the input.
    Gradient,
    /// Scores alone.
    Predictions,
    /// The map from the model's input to pixels: a declared preprocessing, or else the input's own range.
    PixelSpace,
    /// A picture: an input of channels, height and width, or of height, width and channels.
    Image,
    /// The output of a node, and the gradient with respect to it.
    Activations,
    /// A backward pass with other rules than the gradient's.
    BackwardRule,
    /// A second network, trained to mask what the model looks at.
    Masker,
}

/// How many samples go through the network, and how many gradients are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct Cost {
    /// Samples that go through the network.
    pub forward: usize,
    /// Samples that a gradient is taken of.
    pub backward: usize,
}

/// An attribution method.
pub(super) trait Method {
    /// The parameters; `Default` is the paper's setting.
    type Config: Default + Serialize + DeserializeOwned + JsonSchema;
    /// The name in every interface.
    const NAME: &'static str;
    /// The name for people.
    const TITLE: &'static str;
    /// One or two sentences for the page.
    const SUMMARY: &'static str;
    /// The paper.
    const PAPER: &'static str;
    /// What it needs of the model.
    const NEEDS: &'static [Need];
    /// How its values become a picture.
    const DISPLAY: Display;
    /// Whether it has a map before its end.
    const ANYTIME: Anytime = Anytime::No;

    /// What it costs at most with these parameters.
    fn cost(config: &Self::Config) -> Cost;

    /// Why it cannot work on a model that has all that it needs, as the end of a sentence.
    fn unsuited(_: &Model) -> Option<String> {
        None
    }

    /// Computes the attribution; the caller has checked `config` against the declared ranges.
    fn attribute(subject: &Subject<'_>, config: &Self::Config) -> impl Future<Output = Result<Attribution>>;
}

type Running<'a> = Pin<Box<dyn Future<Output = Result<(Attribution, Map<String, Value>)>> + 'a>>;

/// A registered method.
pub struct Entry {
    describe: fn() -> MethodDescription,
    run: for<'a> fn(&'a Subject<'a>, &'a Map<String, Value>) -> Running<'a>,
    unsuited: fn(&Model) -> Option<String>,
    name: &'static str,
    display: Display,
    anytime: Anytime,
}

const fn entry<M: Method>() -> Entry {
    Entry {
        describe: describe::<M>,
        run: |subject, params| {
            Box::pin(async move {
                let (config, in_force) = configure::<M::Config>(M::NAME, params)?;
                if let Some(reason) = M::unsuited(subject.model()) {
                    return Err(subject.unsuited(&reason));
                }
                Ok((M::attribute(subject, &config).await?, in_force))
            })
        },
        unsuited: M::unsuited,
        name: M::NAME,
        display: M::DISPLAY,
        anytime: M::ANYTIME,
    }
}

static METHODS: &[Entry] = &[
    entry::<saliency::Saliency>(),
    entry::<input_x_gradient::InputXGradient>(),
    entry::<guided_backprop::GuidedBackprop>(),
    entry::<deconvnet::Deconvnet>(),
    entry::<deep_lift::DeepLift>(),
    entry::<lrp::Lrp>(),
    entry::<grad_cam::GradCam>(),
    entry::<grad_cam_plus_plus::GradCamPlusPlus>(),
    entry::<layer_cam::LayerCam>(),
    entry::<rt_sal::RtSal>(),
    entry::<smoothgrad::SmoothGrad>(),
    entry::<vargrad::VarGrad>(),
    entry::<integrated_gradients::IntegratedGradients>(),
    entry::<blur_ig::BlurIg>(),
    entry::<expected_gradients::ExpectedGradients>(),
    entry::<guided_ig::GuidedIg>(),
    entry::<agi::Agi>(),
    entry::<score_cam::ScoreCam>(),
    entry::<relex::RelEx>(),
    entry::<axai::Axai>(),
    entry::<xrai::Xrai>(),
    entry::<occlusion::Occlusion>(),
    entry::<mask::Mask>(),
    entry::<lime::Lime>(),
    entry::<kernel_shap::KernelShap>(),
    entry::<rise::Rise>(),
];

/// The description of every method, cheapest first.
pub fn methods() -> Vec<MethodDescription> {
    METHODS.iter().map(|entry| (entry.describe)()).collect()
}

/// Whether a method applies to a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct MethodSupport {
    /// The method's name.
    pub name: String,
    /// Whether it applies.
    pub applies: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Which methods apply to a model, with or without a masker, and why others do not.
pub(crate) fn support(model: &Model, masker: bool) -> Vec<MethodSupport> {
    let picture = model.info().layout.is_picture();
    let gradient = model.is_differentiable();
    let missing = |need: &Need| match need {
        Need::Gradient | Need::BackwardRule if !gradient => {
            Some("no gradient passes from the explained value to the scores")
        }
        Need::Image if !picture => Some("the explained value is no picture"),
        Need::Activations if !gradient || model.info().layers.is_empty() => {
            Some("it looks at maps of more than one position inside of the network, and there is none")
        }
        Need::Masker if !masker => Some("it needs a masking network that was trained for this one"),
        _ => None,
    };
    let support = |entry: &Entry| {
        let needs = entry.describe().needs;
        let reason = needs.iter().find_map(missing).map(str::to_owned).or_else(|| (entry.unsuited)(model));
        MethodSupport { name: entry.name.to_owned(), applies: reason.is_none(), reason }
    };
    METHODS.iter().map(support).collect()
}

/// The method called `name`.
///
/// # Errors
/// [`Error::MethodUnknown`].
pub fn find(name: &str) -> Result<&'static Entry> {
    METHODS.iter().find(|entry| entry.name == name).ok_or_else(|| Error::MethodUnknown {
        name: name.to_owned(),
        known: METHODS.iter().map(|entry| entry.name).collect::<Vec<_>>().join(", "),
    })
}

impl Entry {
    /// Title, parameters and so on.
    pub fn describe(&self) -> MethodDescription {
        (self.describe)()
    }

    pub(crate) fn display(&self) -> Display {
        self.display
    }

    pub(crate) fn anytime(&self) -> Anytime {
        self.anytime
    }

    pub(super) async fn run(
        &self,
        subject: &Subject<'_>,
        params: &Map<String, Value>,
    ) -> Result<(Attribution, Map<String, Value>)> {
        (self.run)(subject, params).await
    }
}

/// A method, as the API, the page, the command line and the docs show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct MethodDescription {
    /// The name in every interface.
    pub name: String,
    /// The name for people.
    pub title: String,
    /// One or two sentences.
    pub summary: String,
    /// The paper that defines it.
    pub paper: String,
    /// What it needs of the model.
    pub needs: Vec<Need>,
    /// How its values become a picture, in words.
    pub display: String,
    /// What it costs at most with its default parameters.
    pub cost: Cost,
    /// Whether it has a map to show while it runs, and may end when that no longer changes.
    pub anytime: Anytime,
    /// Its parameters.
    pub params: Vec<ParamDescription>,
}

/// The kind of a parameter's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub enum ParamKind {
    /// A real number.
    Number,
    /// A whole number.
    Integer,
    /// True or false.
    Boolean,
    /// One of a few names.
    Choice,
    /// A list of class numbers.
    Classes,
    /// Words.
    Text,
    /// The name of a node that `ModelInfo.layers` lists, or of any other; where it is empty, of `ModelInfo.layer`.
    Layer,
}

/// A parameter of a method.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct ParamDescription {
    /// The name in every interface.
    pub name: String,
    /// The name for people.
    pub title: String,
    /// What it does.
    pub description: String,
    /// The kind of its value.
    pub kind: ParamKind,
    /// The paper's value.
    #[cfg_attr(target_family = "wasm", tsify(type = "unknown"))]
    pub default: Value,
    /// The smallest value, for numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum: Option<f64>,
    /// The largest value, for numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maximum: Option<f64>,
    /// The names to choose from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub choices: Option<Vec<String>>,
}

impl ParamDescription {
    /// A value as written on a command line.
    ///
    /// # Errors
    /// A sentence's end that says what is wrong with it.
    pub fn parse(&self, text: &str) -> Result<Value, String> {
        let number = |text: &str| text.trim().parse::<f64>().map_err(|_| format!("\"{text}\" is no number"));
        let integer =
            |text: &str| text.trim().parse::<u64>().map_err(|_| format!("\"{text}\" is no whole number"));
        match self.kind {
            ParamKind::Number => Ok(number(text)?.into()),
            ParamKind::Integer => Ok(integer(text)?.into()),
            ParamKind::Boolean => match text {
                "true" => Ok(true.into()),
                "false" => Ok(false.into()),
                _ => Err(format!("\"{text}\" is neither true nor false")),
            },
            ParamKind::Choice | ParamKind::Text | ParamKind::Layer => Ok(text.into()),
            ParamKind::Classes => {
                let listed = text.split(',').filter(|part| !part.trim().is_empty());
                Ok(listed.map(integer).collect::<Result<Vec<_>, _>>()?.into())
            }
        }
    }

    /// Checks a value's kind and range.
    ///
    /// # Errors
    /// A sentence's end that says what is wrong with it.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        match self.kind {
            ParamKind::Number | ParamKind::Integer => {
                let number = value.as_f64().ok_or_else(|| format!("{value} is no number"))?;
                if self.kind == ParamKind::Integer && number.fract() != 0.0 {
                    return Err(format!("{value} is no whole number"));
                }
                let (low, high) = (self.minimum.unwrap_or(f64::MIN), self.maximum.unwrap_or(f64::MAX));
                if !(low..=high).contains(&number) {
                    return Err(format!("{value} is not between {low} and {high}"));
                }
                Ok(())
            }
            ParamKind::Boolean if !value.is_boolean() => Err(format!("{value} is neither true nor false")),
            ParamKind::Choice => {
                let choices = self.choices.as_deref().unwrap_or_default();
                match value.as_str() {
                    Some(name) if choices.iter().any(|choice| choice == name) => Ok(()),
                    _ => Err(format!("{value} is none of {}", choices.join(", "))),
                }
            }
            ParamKind::Classes => match value.as_array() {
                Some(classes) if classes.iter().all(Value::is_u64) => Ok(()),
                _ => Err(format!("{value} is no list of class numbers")),
            },
            ParamKind::Text | ParamKind::Layer if !value.is_string() => Err(format!("{value} is no text")),
            ParamKind::Boolean | ParamKind::Text | ParamKind::Layer => Ok(()),
        }
    }
}

/// The configuration from the caller's values, and all values in force.
pub(crate) fn configure<C>(owner: &str, params: &Map<String, Value>) -> Result<(C, Map<String, Value>)>
where
    C: Default + Serialize + DeserializeOwned + JsonSchema,
{
    let fault = |name: &str, reason: String| Error::ParameterInvalid {
        method: owner.to_owned(),
        name: name.to_owned(),
        reason,
    };
    let known = params_of::<C>();
    // From the method's defaults on: a group of parameters that methods share may have others in each.
    let mut values = in_force(&C::default());
    for (name, value) in params {
        let param = known.iter().find(|param| param.name == *name).ok_or_else(|| {
            let names: Vec<&str> = known.iter().map(|param| param.name.as_str()).collect();
            fault(name, format!("it is unknown; there are {}", names.join(", ")))
        })?;
        param.check(value).map_err(|reason| fault(name, reason))?;
        // JavaScript has one type of number: 20 may come as 20.0.
        let value = match (param.kind, value.as_f64()) {
            (ParamKind::Integer, Some(number)) => (number as u64).into(),
            _ => value.clone(),
        };
        values.insert(name.clone(), value);
    }
    let config: C =
        serde_json::from_value(Value::Object(values)).map_err(|error| fault("", error.to_string()))?;
    let in_force = in_force(&config);
    Ok((config, in_force))
}

fn in_force(config: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(config) {
        Ok(Value::Object(values)) => values.into_iter().map(|(name, value)| (name, short(value))).collect(),
        _ => Map::new(),
    }
}

/// A number that was an f32 with the digits that an f32 has: 0.05, not 0.05000000074505806.
fn short(value: Value) -> Value {
    match value.as_f64() {
        Some(number) if value.is_f64() => (number as f32).to_string().parse::<f64>().unwrap_or(number).into(),
        _ => value,
    }
}

/// The parameters that a configuration declares, with its defaults.
pub(crate) fn params_of<C: Default + Serialize + JsonSchema>() -> Vec<ParamDescription> {
    let schema = SchemaSettings::draft2020_12()
        .with(|settings| settings.inline_subschemas = true)
        .into_generator()
        .into_root_schema_for::<C>();
    let defaults = in_force(&C::default());
    let properties = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    defaults
        .into_iter()
        .map(|(name, default)| param(&name, default, properties.get(&name).unwrap_or(&Value::Null)))
        .collect()
}

fn describe<M: Method>() -> MethodDescription {
    MethodDescription {
        name: M::NAME.into(),
        title: M::TITLE.into(),
        summary: M::SUMMARY.into(),
        paper: M::PAPER.into(),
        needs: M::NEEDS.to_vec(),
        display: M::DISPLAY.rule(),
        cost: M::cost(&M::Config::default()),
        anytime: M::ANYTIME,
        params: params_of::<M::Config>(),
    }
}

fn param(name: &str, default: Value, schema: &Value) -> ParamDescription {
    let number = |key: &str| schema.get(key).and_then(Value::as_f64);
    let choices: Option<Vec<String>> = match (schema.get("oneOf"), schema.get("enum")) {
        (Some(Value::Array(variants)), _) => Some(
            variants.iter().filter_map(|variant| variant.get("const")?.as_str()).map(str::to_owned).collect(),
        ),
        (_, Some(Value::Array(names))) => {
            Some(names.iter().filter_map(Value::as_str).map(str::to_owned).collect())
        }
        _ => None,
    };
    let kind = match (&choices, schema.get("type").and_then(Value::as_str)) {
        (Some(_), _) => ParamKind::Choice,
        (None, Some("integer")) => ParamKind::Integer,
        (None, Some("boolean")) => ParamKind::Boolean,
        (None, Some("array")) => ParamKind::Classes,
        (None, Some("string")) if schema.get("format").is_some_and(|format| format == "layer") => {
            ParamKind::Layer
        }
        (None, Some("string")) => ParamKind::Text,
        _ => ParamKind::Number,
    };
    let mut title = name.replace('_', " ");
    title[..1].make_ascii_uppercase();
    let description = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    ParamDescription {
        name: name.to_owned(),
        title,
        description: description.replace('\n', " "),
        kind,
        default,
        minimum: number("minimum"),
        maximum: number("maximum"),
        choices,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_papers_settings_are_the_defaults() {
        let agi = find("agi").unwrap().describe();
        let default =
            |name: &str| agi.params.iter().find(|param| param.name == name).unwrap().default.clone();
        assert_eq!(default("samples"), 20);
        assert_eq!(default("steps"), 20);
        assert_eq!(default("step_size"), 0.05);
        assert_eq!(default("mode"), "path");
    }

    #[test]
    fn every_parameter_is_described() {
        for method in methods() {
            for param in &method.params {
                assert!(!param.description.is_empty(), "{}.{}", method.name, param.name);
                let numeric = matches!(param.kind, ParamKind::Integer | ParamKind::Number);
                assert_eq!(numeric, param.maximum.is_some(), "{}.{}", method.name, param.name);
                param.check(&param.default).unwrap();
            }
        }
    }

    #[test]
    fn values_are_checked_and_completed() {
        let values = |json: Value| json.as_object().unwrap().clone();
        let (config, in_force) = configure::<<agi::Agi as Method>::Config>(
            "agi",
            &values(serde_json::json!({ "steps": 5.0, "classes": [1, 2] })),
        )
        .unwrap();
        assert_eq!(in_force["steps"], 5);
        assert_eq!(in_force["step_size"], 0.05);
        drop(config);
        for bad in [
            serde_json::json!({ "steps": 0 }),
            serde_json::json!({ "steps": 1.5 }),
            serde_json::json!({ "mode": "sideways" }),
            serde_json::json!({ "classes": [-1] }),
            serde_json::json!({ "classes": 3 }),
            serde_json::json!({ "stepsize": 0.1 }),
        ] {
            let error = configure::<<agi::Agi as Method>::Config>("agi", &values(bad.clone())).err().unwrap();
            assert_eq!(error.code(), "parameter_invalid", "{bad}");
        }
    }

    #[test]
    fn command_line_values_are_parsed_by_their_kind() {
        let agi = find("agi").unwrap().describe();
        let param = |name: &str| agi.params.iter().find(|param| param.name == name).unwrap().clone();
        assert_eq!(param("classes").parse("0,250,500").unwrap(), serde_json::json!([0, 250, 500]));
        assert_eq!(param("step_size").parse("0.05").unwrap(), serde_json::json!(0.05));
        assert!(param("steps").parse("many").is_err());
    }
}
