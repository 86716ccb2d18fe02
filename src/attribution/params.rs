//! The parameters of methods and metrics: described, checked and filled in from a configuration's type.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{Error, Result};

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
    /// The paper's value; `null` where the input decides, and `null` may then be given too.
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
        if text.trim() == "null" && self.default.is_null() {
            return Ok(Value::Null);
        }
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
        if value.is_null() && self.default.is_null() {
            return Ok(());
        }
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

/// All values of a configuration.
pub(crate) fn in_force(config: &impl Serialize) -> Map<String, Value> {
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

fn param(name: &str, default: Value, schema: &Value) -> ParamDescription {
    let number = |key: &str| schema.get(key).and_then(Value::as_f64);
    // A parameter that takes only some of its type's names lists these as "choices".
    let names = |list: &Value| -> Vec<String> {
        list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let variants = |list: &Value| -> Vec<String> {
        let variants = list.as_array().into_iter().flatten();
        variants.filter_map(|variant| variant.get("const")?.as_str()).map(str::to_owned).collect()
    };
    let choices: Option<Vec<String>> = match (schema.get("choices"), schema.get("oneOf"), schema.get("enum"))
    {
        (Some(list), ..) | (None, None, Some(list)) => Some(names(list)),
        (None, Some(list), _) => Some(variants(list)),
        (None, None, None) => None,
    };
    // What may be left to the input is of the type "integer or null".
    let of_type = match schema.get("type") {
        Some(Value::Array(types)) => types.first().and_then(Value::as_str),
        one => one.and_then(Value::as_str),
    };
    let kind = match (&choices, of_type) {
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
