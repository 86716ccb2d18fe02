//! Values across the boundary.

use std::collections::BTreeMap;

use js_sys::{
    Array, ArrayBuffer, BigInt64Array, BigUint64Array, DataView, Float32Array, Float64Array, Int32Array,
    Object, Reflect, Uint8Array, Uint8ClampedArray, Uint16Array, Uint32Array,
};
use serde::{Serialize, de::DeserializeOwned};
use wasm_bindgen::{JsCast, JsValue};

use super::JsResult;
use crate::{
    Error, Explanation, HostTensor, Input, Partial, TableKind, TableRow, Tokens, Waveform,
    attribution::display::Heatmap,
    input::{
        image::Region,
        table::{Columns, Table},
    },
    model::{HostValue, ValueInfo},
};

pub(super) use super::get as field;

/// An error as JavaScript sees it.
pub(super) fn js_error(error: Error) -> JsValue {
    let object = js_sys::Error::new(&error.to_string());
    object.set_name("AdversightError");
    let set = |name: &str, value: &str| {
        let _ = Reflect::set(&object, &name.into(), &value.into());
    };
    set("code", error.code());
    if let Some(node) = error.node() {
        set("node", node);
    }
    object.into()
}

pub(super) fn to_js(value: &impl Serialize) -> JsResult {
    value
        .serialize(&serde_wasm_bindgen::Serializer::json_compatible())
        .map_err(|error| js_error(Error::Internal(error.to_string())))
}

/// Reads an argument; one of the wrong type is the caller's fault.
pub(super) fn from_js<T: DeserializeOwned>(value: JsValue) -> JsResult<T> {
    serde_wasm_bindgen::from_value(value)
        .map_err(|error| js_error(Error::InputInvalid(format!("An argument is not of its type: {error}."))))
}

/// An argument that may be left out.
pub(super) fn optional<T: Default + DeserializeOwned>(value: JsValue) -> JsResult<T> {
    if value.is_undefined() || value.is_null() { Ok(T::default()) } else { from_js(value) }
}

fn invalid(reason: &str) -> JsValue {
    js_error(Error::InputInvalid(reason.to_owned()))
}

/// An input that has been copied into the engine's memory.
pub(super) enum OwnedInput {
    Pixels { rgba: Vec<u8>, width: usize, height: usize },
    Tokens(Box<Tokens>),
    Sound(Waveform),
    Table(Box<TableRow>),
    Tensor(HostTensor),
    Named(BTreeMap<String, HostTensor>),
    Bound,
}

impl OwnedInput {
    pub fn from_js(input: &JsValue) -> JsResult<Self> {
        if input.is_null() {
            return Ok(Self::Bound);
        }
        if let Some(values) = field(input, "values")? {
            let mut named = BTreeMap::new();
            for name in Object::keys(&Object::from(values.clone())) {
                let name = name.as_string().unwrap_or_default();
                let tensor = field(&values, &name)?.ok_or_else(|| invalid("An input has no value."))?;
                named.insert(name, tensor_from_js(&tensor)?);
            }
            return Ok(Self::Named(named));
        }
        if field(input, "ids")?.is_some() {
            return from_js(input.clone()).map(|tokens| Self::Tokens(Box::new(tokens)));
        }
        if let Some(table) = field(input, "table")? {
            return table_from_js(from_js(table)?).map(|row| Self::Table(Box::new(row))).map_err(js_error);
        }
        if let Some(channels) = field(input, "channels")? {
            return sound_from_js(&channels, field(input, "sampleRate")?).map(Self::Sound);
        }
        let Some(pixels) = field(input, "pixels")? else {
            return tensor_from_js(input).map(Self::Tensor);
        };
        let size = |name: &str| {
            let size = field(input, name)?.and_then(|size| size.as_f64()).filter(|size| *size >= 0.0);
            size.map(|size| size as usize).ok_or_else(|| invalid("The image's width or height is missing."))
        };
        let rgba = if let Some(pixels) = pixels.dyn_ref::<Uint8ClampedArray>() {
            pixels.to_vec()
        } else if let Some(pixels) = pixels.dyn_ref::<Uint8Array>() {
            pixels.to_vec()
        } else {
            return Err(invalid("The image's pixels must be a Uint8Array or a Uint8ClampedArray."));
        };
        Ok(Self::Pixels { rgba, width: size("width")?, height: size("height")? })
    }

    pub fn borrow(&self) -> Input<'_> {
        match self {
            Self::Pixels { rgba, width, height } => Input::Pixels { rgba, width: *width, height: *height },
            Self::Tokens(tokens) => Input::Tokens(tokens),
            Self::Sound(sound) => Input::Sound(sound),
            Self::Table(row) => Input::Table(row),
            Self::Tensor(tensor) => Input::Tensor(tensor),
            Self::Named(values) => Input::Named(values),
            Self::Bound => Input::Bound,
        }
    }
}

/// A row of a table as JavaScript has it: the texts of CSV files.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TableData {
    csv: String,
    #[serde(default)]
    row: usize,
    #[serde(default)]
    columns: Option<serde_json::Value>,
    #[serde(default)]
    background: Option<String>,
    #[serde(default)]
    changes: Option<BTreeMap<String, String>>,
    #[serde(default)]
    kind: Option<TableKind>,
}

fn table_from_js(data: TableData) -> crate::Result<TableRow> {
    let mut row = TableRow::new(Table::from_csv(data.csv.as_bytes())?, data.row);
    row.columns = data.columns.map(|columns| Columns::from_json(&columns.to_string())).transpose()?;
    row.background = data.background.map(|text| Table::from_csv(text.as_bytes())).transpose()?;
    row.changes = data.changes.unwrap_or_default();
    row.kind = data.kind;
    Ok(row)
}

/// The channels of a sound, and its rate.
fn sound_from_js(channels: &JsValue, rate: Option<JsValue>) -> JsResult<Waveform> {
    let rate =
        rate.and_then(|rate| rate.as_f64()).ok_or_else(|| invalid("The sound's sampleRate is missing."))?;
    let mut read = Vec::new();
    for channel in Array::from(channels).iter() {
        let samples = channel.dyn_ref::<Float32Array>().map(Float32Array::to_vec);
        read.push(samples.ok_or_else(|| invalid("The channels of a sound must be Float32Arrays."))?);
    }
    // A cast from float to integer cuts off by itself, and what makes no sense is refused.
    Waveform::new(read, rate.round() as u32).map_err(|error| js_error(error.into()))
}

/// A sound of one channel: `{ channels, sampleRate }`.
pub(super) fn sound_to_js(sound: &Waveform) -> JsResult<Object> {
    let object = Object::new();
    let channels: Array =
        sound.channels().iter().map(|channel| Float32Array::from(channel.as_slice())).collect();
    Reflect::set(&object, &"channels".into(), &channels)?;
    Reflect::set(&object, &"sampleRate".into(), &sound.rate().into())?;
    Ok(object)
}

/// What each part of an explanation counted for.
pub(super) fn scores_from_js(explanation: &JsValue) -> JsResult<Vec<f32>> {
    let parts = field(explanation, "parts")?.unwrap_or_default();
    let mut scores = Vec::new();
    if Array::is_array(&parts) {
        for part in Array::from(&parts).iter() {
            let score = field(&part, "score")?.and_then(|score| score.as_f64());
            scores.push(score.ok_or_else(|| invalid("A part of an explanation has a score."))? as f32);
        }
    }
    Ok(scores)
}

pub(super) fn tensor_from_js(tensor: &JsValue) -> JsResult<HostTensor> {
    let data =
        field(tensor, "data")?.and_then(|data| data.dyn_into::<Float32Array>().ok()).ok_or_else(|| {
            invalid("The input is neither an image nor a tensor { data: Float32Array, shape }.")
        })?;
    let shape = field(tensor, "shape")?.ok_or_else(|| invalid("The tensor's shape is missing."))?;
    HostTensor::new(data.to_vec(), from_js(shape)?).map_err(js_error)
}

/// Values of a model's inputs, by name. What the numbers are is said by the element type of the graph's input, not by the array that
/// they come in: 0 and 255 in a `Uint8Array` are pixels to a graph of pixels and no truth values.
pub(super) fn values_from_js(inputs: &JsValue, known: &[ValueInfo]) -> JsResult<BTreeMap<String, HostValue>> {
    let mut values = BTreeMap::new();
    for name in Object::keys(&Object::from(inputs.clone())) {
        let name = name.as_string().unwrap_or_default();
        let tensor = field(inputs, &name)?.ok_or_else(|| invalid("An input has no value."))?;
        let shape = field(&tensor, "shape")?.ok_or_else(|| invalid("An input's shape is missing."))?;
        let shape: Vec<usize> = from_js(shape)?;
        let data = field(&tensor, "data")?.ok_or_else(|| invalid("An input's data is missing."))?;
        let declared = known.iter().find(|info| info.name == name).map(|info| info.element_type.as_str());
        let value = value_from_js(&name, &data, declared, shape)?;
        values.insert(name, value);
    }
    Ok(values)
}

/// The numbers of one input, real or whole as they are; the engine turns them into what the input declares.
fn value_from_js(
    name: &str,
    data: &JsValue,
    declared: Option<&str>,
    shape: Vec<usize>,
) -> JsResult<HostValue> {
    let refuse = |reason: &str| invalid(&format!("The values of the input \"{name}\" {reason}."));
    if matches!(declared, Some("float16" | "bfloat16")) && data.is_instance_of::<Uint16Array>() {
        // Elsewhere such an array holds the bits of halves, and here its numbers would be taken for them.
        return Err(refuse("are 16-bit floats: give them as a Float32Array"));
    }
    if let Some(data) = data.dyn_ref::<Float32Array>() {
        return Ok(HostValue::Float { data: data.to_vec(), shape });
    }
    if let Some(data) = data.dyn_ref::<BigInt64Array>() {
        return Ok(HostValue::Int { data: data.to_vec(), shape });
    }
    if let Some(data) = data.dyn_ref::<BigUint64Array>() {
        let data: Option<Vec<i64>> =
            data.to_vec().into_iter().map(|value| i64::try_from(value).ok()).collect();
        return Ok(HostValue::Int { data: data.ok_or_else(|| refuse("are larger than 2^63 - 1"))?, shape });
    }
    if !ArrayBuffer::is_view(data) || data.is_instance_of::<DataView>() {
        return Err(refuse(
            "must be a typed array: a Float32Array, an Int32Array, a BigInt64Array, a Uint8Array or another",
        ));
    }
    let numbers = Float64Array::new(data).to_vec();
    // Every whole number of a 64-bit float is kept whole: a 32-bit one would round it.
    Ok(if numbers.iter().all(|value| value.fract() == 0.0 && value.abs() < 2f64.powi(63)) {
        HostValue::Int { data: numbers.into_iter().map(|value| value as i64).collect(), shape }
    } else {
        HostValue::Float { data: numbers.into_iter().map(|value| value as f32).collect(), shape }
    })
}

/// A graph's outputs, by name. Whole numbers have 32 bits in the engine, whatever the file calls them.
pub(super) fn values_to_js(values: Vec<(String, HostValue)>) -> JsResult {
    let object = Object::new();
    for (name, value) in values {
        let data: JsValue = match &value {
            HostValue::Float { data, .. } => Float32Array::from(&data[..]).into(),
            HostValue::Int { data, .. } => {
                let low = |&value: &i64| value.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
                Int32Array::from(&data.iter().map(low).collect::<Vec<_>>()[..]).into()
            }
            HostValue::Bool { data, .. } => {
                Uint8Array::from(&data.iter().map(|&value| u8::from(value)).collect::<Vec<_>>()[..]).into()
            }
        };
        let shaped: JsValue = shaped(&data, value.shape())?.into();
        Reflect::set(&object, &name.into(), &shaped)?;
    }
    Ok(object.into())
}

fn floats(data: &[f32], shape: &[usize]) -> JsResult<Object> {
    shaped(&Float32Array::from(data), shape)
}

fn shaped(data: &JsValue, shape: &[usize]) -> JsResult<Object> {
    let object = Object::new();
    Reflect::set(&object, &"data".into(), data)?;
    let shape: Array = shape.iter().map(|&size| JsValue::from_f64(size as f64)).collect();
    Reflect::set(&object, &"shape".into(), &shape)?;
    Ok(object)
}

pub(super) fn tensor_to_js(tensor: &HostTensor) -> JsResult {
    floats(&tensor.data, &tensor.shape).map(Into::into)
}

fn heatmap_to_js(heatmap: &Heatmap) -> JsResult<Object> {
    let object = floats(&heatmap.data, &heatmap.shape)?;
    Reflect::set(&object, &"rule".into(), &heatmap.rule.as_str().into())?;
    Ok(object)
}

pub(super) fn partial_to_js(partial: &Partial) -> JsResult {
    let object = Object::new();
    let set = |name: &str, value: &JsValue| Reflect::set(&object, &name.into(), value);
    set("attribution", &tensor_to_js(&partial.attribution)?)?;
    set("heatmap", heatmap_to_js(&partial.heatmap)?.as_ref())?;
    set("done", &partial.done.into())?;
    set("total", &partial.total.into())?;
    set("region", &to_js(&partial.region)?)?;
    Ok(object.into())
}

pub(super) fn explanation_to_js(explanation: &Explanation, region: Option<Region>) -> JsResult {
    let object = Object::new();
    let set = |name: &str, value: &JsValue| Reflect::set(&object, &name.into(), value);
    set("attribution", &tensor_to_js(&explanation.attribution)?)?;
    set("heatmap", heatmap_to_js(&explanation.heatmap)?.as_ref())?;
    if !explanation.individual.is_empty() {
        let maps = Array::new();
        for map in &explanation.individual {
            maps.push(&tensor_to_js(map)?);
        }
        set("individual", &maps)?;
    }
    if !explanation.inputs.is_empty() {
        let inputs = Object::new();
        for (name, map) in &explanation.inputs {
            Reflect::set(&inputs, &name.into(), &tensor_to_js(map)?)?;
        }
        set("inputs", &inputs)?;
    }
    if let Some(found) = &explanation.segments {
        let segments = Object::new();
        let set = |name: &str, value: &JsValue| Reflect::set(&segments, &name.into(), value);
        set("labels", &Uint32Array::from(found.labels.as_slice()))?;
        set("values", &Float32Array::from(found.values.as_slice()))?;
        set("chosen", &Uint32Array::from(found.chosen.as_slice()))?;
        Reflect::set(&object, &"segments".into(), &segments)?;
    }
    set("parts", &to_js(&explanation.parts)?)?;
    set("texts", &to_js(&explanation.texts)?)?;
    if let Some(table) = &explanation.table {
        set("table", &to_js(table)?)?;
    }
    if let Some(series) = &explanation.series {
        set("series", &to_js(series)?)?;
    }
    set("region", &to_js(&region)?)?;
    set("info", &to_js(&explanation.info)?)?;
    set("words", &to_js(&explanation.words)?)?;
    Ok(object.into())
}
