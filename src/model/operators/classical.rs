//! What scikit-learn's converters write beside trees and support vectors (`ai.onnx.ml`): scaling, linear models, codes.
//!
//! Where ONNX's text leaves a result open, it is onnxruntime's. Text has no place in this engine: a label that is a word is
//! given by its place in the list of labels.

use burn::tensor::{Float, Int, Tensor, activation};

use super::{
    Described, Inputs, Kind, Node, Operator, Plan, check_size, float_tensor,
    indexing::places,
    int_tensor, one,
    quantization::number,
    reduction::root,
    shape::{joined, narrowed, padded},
};
use crate::model::element::Element;
use crate::model::value::{Ranked, Value, move_elements};

/// Why an operator on words cannot run.
const WORDS: &str = "it reads or writes text, and the engine computes with numbers only";

/// The samples as rows; one sample may come without its axis.
pub(super) fn rows(inputs: &Inputs) -> Result<Tensor<2>, String> {
    let x = number(inputs, 0)?;
    let dims = x.dims();
    let shape = match dims[..] {
        [features] => [1, features],
        [samples, features] => [samples, features],
        _ => return Err(format!("its input of shape {dims:?} is not rows of features")),
    };
    if x.is_empty() {
        return Err(format!("its input of shape {dims:?} is empty"));
    }
    x.reshape(&shape).and_then(|x| x.get()).ok_or_else(|| "its input is not rows of features".into())
}

/// Numbers of an attribute as a matrix.
pub(super) fn matrix(
    values: &[f32],
    [rows, columns]: [usize; 2],
    inputs: &Inputs,
) -> Result<Tensor<2>, String> {
    if rows.checked_mul(columns) != Some(values.len()) || values.is_empty() {
        return Err(format!("its {} numbers are no matrix of {rows} x {columns}", values.len()));
    }
    float_tensor(values.to_vec(), &[rows, columns], inputs.device())?
        .get()
        .ok_or_else(|| "its numbers are no matrix".into())
}

/// What is done to the scores of a sample at the end (`post_transform`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transform {
    None,
    Logistic,
    Softmax,
    /// Among the scores that are not zero.
    SoftmaxZero,
    Probit,
}

/// What the score of the first of two classes is where only that of the second is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Other {
    /// The rest up to one.
    Rest,
    /// The opposite.
    Opposite,
}

/// The number whose share of a normal distribution this is: by Winitzki's formula, as onnxruntime has it.
fn probit(p: Tensor<2>) -> Tensor<2> {
    const A: f32 = 0.147;
    let x = p * 2.0 - 1.0;
    let sign = x.clone().detach().lower_elem(0.0).float() * -2.0 + 1.0;
    let logarithm = ((x.clone().neg() + 1.0) * (x + 1.0)).log();
    let v = logarithm.clone() * 0.5 + 2.0 / (std::f32::consts::PI * A);
    let inner = (v.clone() * v.clone() - logarithm / A).sqrt() - v;
    match root(inner.into(), 2.0).get::<2>() {
        Some(root) => root * sign * std::f32::consts::SQRT_2,
        None => unreachable!("a matrix stays one"),
    }
}

impl Transform {
    /// The bounds of what it leaves.
    pub(super) fn range(self) -> Option<(f32, f32)> {
        matches!(self, Self::Logistic | Self::Softmax | Self::SoftmaxZero).then_some((0.0, 1.0))
    }

    pub fn of(node: &Node) -> Result<Self, String> {
        Self::named(&node.text("post_transform", "NONE")?)
    }

    fn named(name: &str) -> Result<Self, String> {
        Ok(match name {
            "NONE" | "" => Self::None,
            "LOGISTIC" => Self::Logistic,
            "SOFTMAX" => Self::Softmax,
            "SOFTMAX_ZERO" => Self::SoftmaxZero,
            "PROBIT" => Self::Probit,
            other => return Err(format!("its post_transform \"{other}\" is unknown")),
        })
    }

    /// By the number that newer operators have for it.
    pub fn numbered(number: i64) -> Result<Self, String> {
        Ok(match number {
            0 => Self::None,
            1 => Self::Softmax,
            2 => Self::Logistic,
            3 => Self::SoftmaxZero,
            4 => Self::Probit,
            other => return Err(format!("its post_transform {other} is unknown")),
        })
    }

    /// The scores of each row. One score alone is only ever looked up in the normal distribution, as in onnxruntime.
    pub fn apply(self, scores: Tensor<2>) -> Tensor<2> {
        match self {
            Self::None => scores,
            Self::Probit => probit(scores),
            _ if scores.dims()[1] == 1 => scores,
            Self::Logistic => activation::sigmoid(scores),
            Self::Softmax => activation::softmax(scores, 1),
            Self::SoftmaxZero => {
                let zero = scores.clone().abs().lower_equal_elem(1e-7);
                let highest = scores.clone().max_dim(1).detach();
                let powers = (scores - highest).exp().mask_fill(zero, 0.0);
                let sum = powers.clone().sum_dim(1);
                // A row of zeros stays one.
                let none = sum.clone().detach().equal_elem(0.0).float();
                powers / (sum + none)
            }
        }
    }

    /// The scores of two classes from that of the second.
    pub fn of_two(self, score: Tensor<2>, other: Other) -> Result<Tensor<2>, String> {
        let first = match (self, other) {
            (Self::Probit, _) => return Err("PROBIT has no meaning for two classes with one score".into()),
            (Self::Logistic, _) | (_, Other::Opposite) => score.clone().neg(),
            (_, Other::Rest) => score.clone().neg() + 1.0,
        };
        let both = Tensor::cat(vec![first, score], 1);
        Ok(if self == Self::Logistic { activation::sigmoid(both) } else { both })
    }
}

/// The labels of a classifier's classes.
pub(super) struct Labels {
    /// Words are replaced by their places.
    numbers: Vec<i64>,
}

impl Labels {
    pub fn of(node: &Node, whole: &str) -> Result<Self, String> {
        let numbers = match (node.ints(whole)?, node.texts("classlabels_strings")?) {
            (Some(numbers), _) if !numbers.is_empty() => numbers,
            (_, Some(words)) if !words.is_empty() => (0..words.len() as i64).collect(),
            _ => return Err(format!("its labels ({whole} or classlabels_strings) are missing")),
        };
        Ok(Self { numbers })
    }

    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// The label of each row, from the places of the classes `[N, 1]`.
    pub fn at(&self, place: Tensor<2, Int>, inputs: &Inputs) -> Result<Value, String> {
        let table = int_tensor(self.numbers.clone(), &[self.numbers.len()], inputs.device())?.flat();
        let [rows, _] = place.dims();
        Ok(table.select(0, place.reshape([rows])).into())
    }

    /// The label of each row where there are two classes and one truth `[N, 1]`.
    pub fn of_two(&self, second: Tensor<2, burn::tensor::Bool>, inputs: &Inputs) -> Result<Value, String> {
        self.at(second.int(), inputs)
    }
}

/// The products of a linear model: a row of coefficients for each output.
struct Linear {
    coefficients: Vec<f32>,
    intercepts: Vec<f32>,
}

impl Linear {
    fn of(node: &Node, outputs: usize) -> Result<Self, String> {
        let coefficients = node.floats("coefficients")?.ok_or("its coefficients are missing")?;
        let intercepts = match node.floats("intercepts")? {
            Some(intercepts) if !intercepts.is_empty() => intercepts,
            _ => vec![0.0; outputs.min(coefficients.len())],
        };
        if intercepts.is_empty() || !coefficients.len().is_multiple_of(intercepts.len()) {
            return Err(format!(
                "its {} coefficients are not rows of {} outputs",
                coefficients.len(),
                intercepts.len()
            ));
        }
        Ok(Self { coefficients, intercepts })
    }

    fn scores(&self, inputs: &Inputs) -> Result<Tensor<2>, String> {
        let x = rows(inputs)?;
        let outputs = self.intercepts.len();
        let features = self.coefficients.len() / outputs;
        if x.dims()[1] != features {
            return Err(format!(
                "its coefficients are of {features} features, and its input has {}",
                x.dims()[1]
            ));
        }
        check_size(&[x.dims()[0], outputs])?;
        let weights = matrix(&self.coefficients, [outputs, features], inputs)?;
        Ok(x.matmul(weights.transpose()) + matrix(&self.intercepts, [1, outputs], inputs)?)
    }
}

/// `LinearRegressor`.
pub(super) fn linear_regressor(node: &Node) -> Plan {
    let linear = Linear::of(node, node.positive("targets", 1)?)?;
    let transform = Transform::of(node)?;
    Ok(Box::new(move |inputs| one(transform.apply(linear.scores(inputs)?))))
}

/// `LinearClassifier`: labels and scores.
pub(super) fn linear_classifier(node: &Node) -> Described {
    let labels = Labels::of(node, "classlabels_ints")?;
    let linear = Linear::of(node, labels.len())?;
    let transform = Transform::of(node)?;
    let range = transform.range();
    let outputs = linear.intercepts.len();
    let two = outputs == 1 && labels.len() == 2;
    if !two && outputs != labels.len() {
        return Err(format!("it has {outputs} scores for {} labels", labels.len()));
    }
    if two && transform == Transform::Probit {
        return Err("PROBIT has no meaning for two classes with one score".into());
    }
    Ok(Operator::new(Kind::Other, move |inputs| {
        let scores = linear.scores(inputs)?;
        let known = scores.clone().detach();
        Ok(match two {
            true => vec![
                labels.of_two(known.greater_elem(0.0), inputs)?,
                transform.of_two(scores, Other::Rest)?.into(),
            ],
            false => vec![labels.at(known.argmax(1), inputs)?, transform.apply(scores).into()],
        })
    })
    .gives(Some(Element::I64))
    .within(range))
}

/// One number for all features, or one for each, of an input whose last axis are the features.
fn per_feature(values: &[f32], x: &Ranked<Float>, inputs: &Inputs) -> Result<Ranked<Float>, String> {
    let features = x.dims().last().copied().unwrap_or(1);
    if values.len() != 1 && values.len() != features {
        return Err(format!("its {} numbers are not one a feature, of {features}", values.len()));
    }
    let mut wide = vec![1; x.rank()];
    if let Some(last) = wide.last_mut() {
        *last = values.len();
    }
    float_tensor(values.to_vec(), &wide, inputs.device())
}

/// `Scaler`: `(x - offset) * scale`.
pub(super) fn scaler(node: &Node) -> Plan {
    let offset = node.floats("offset")?.unwrap_or_else(|| vec![0.0]);
    let scale = node.floats("scale")?.unwrap_or_else(|| vec![1.0]);
    Ok(Box::new(move |inputs| {
        let x = number(inputs, 0)?;
        let (offset, scale) = (per_feature(&offset, &x, inputs)?, per_feature(&scale, &x, inputs)?);
        one((x - offset) * scale)
    }))
}

/// `Normalizer`: each row over its largest value, the sum of its sizes, or its length.
pub(super) fn normalizer(node: &Node) -> Plan {
    let norm = node.text("norm", "MAX")?;
    if !["MAX", "L1", "L2"].contains(&norm.as_str()) {
        return Err(format!("its norm \"{norm}\" is unknown"));
    }
    Ok(Box::new(move |inputs| {
        let dims = inputs.raw(0)?.dims();
        let x = Ranked::from(rows(inputs)?);
        let size = match norm.as_str() {
            // The largest value, not the largest size, as in onnxruntime.
            "MAX" => x.clone().max_dim(1),
            "L1" => x.clone().abs().sum_dim(1),
            _ => root((x.clone() * x.clone()).sum_dim(1), 2.0),
        };
        // A row of zeros stays one.
        let none = size.clone().equal_elem(0.0).float();
        one((x / (size + none)).reshape(&dims).ok_or("its input is empty")?)
    }))
}

/// `Binarizer`: one where the value exceeds the threshold.
pub(super) fn binarizer(node: &Node) -> Described {
    let threshold = node.float("threshold", 0.0)?;
    Ok(Operator::new(Kind::Stop, move |inputs| {
        let above = number(inputs, 0)?.greater_elem(threshold);
        match inputs.raw(0)? {
            Value::Int(_) => one(above.int()),
            _ => one(above.float()),
        }
    }))
}

/// `Imputer`: what is missing replaced.
pub(super) fn imputer(node: &Node) -> Plan {
    let (reals, wholes) = (node.floats("imputed_value_floats")?, node.ints("imputed_value_int64s")?);
    let missing = node.float("replaced_value_float", 0.0)?;
    let missing_whole = node.int("replaced_value_int64", 0)?;
    let values: Vec<f32> = match (reals, wholes) {
        (Some(reals), _) if !reals.is_empty() => reals,
        (_, Some(wholes)) if !wholes.is_empty() => wholes.iter().map(|&value| value as f32).collect(),
        _ => return Err("its imputed values are missing".into()),
    };
    Ok(Box::new(move |inputs| {
        let x = number(inputs, 0)?;
        if x.is_empty() {
            return one(inputs.value(0)?);
        }
        let dims = x.dims();
        let wide = per_feature(&values, &x, inputs)?.expand(&dims).ok_or("its values do not fit")?;
        match inputs.value(0)? {
            Value::Int(x) => {
                let mask = (x.clone() - missing_whole).not_equal_elem(0).bool_not();
                one(x.mask_where(mask, wide.int()))
            }
            _ => {
                let mask = if missing.is_nan() { x.clone().is_nan() } else { x.clone().equal_elem(missing) };
                one(x.mask_where(mask, wide))
            }
        }
    }))
}

/// `ArrayFeatureExtractor`: features by their places, along the last axis.
pub(super) fn array_feature_extractor(_: &Node) -> Plan {
    Ok(Box::new(|inputs| {
        let value = inputs.value(0)?;
        let mut dims = value.dims();
        let Some(&size) = dims.last() else { return Err("its input has no features".into()) };
        let indices = places(inputs, 1, size)?;
        if indices.is_empty() || value.is_empty() {
            return Err("one of its inputs is empty".into());
        }
        let axis = dims.len() - 1;
        dims[axis] = indices.len();
        check_size(&dims)?;
        let flat = indices.flat();
        let picked = move_elements!(value, x => x.select(axis, flat.clone()));
        if axis == 0 {
            dims.insert(0, 1);
        }
        one(picked.reshape(&dims)?)
    }))
}

/// `FeatureVectorizer`: the features of all inputs side by side.
pub(super) fn feature_vectorizer(node: &Node) -> Plan {
    let given = node.positives("inputdimensions")?;
    Ok(Box::new(move |inputs| {
        if given.as_ref().is_some_and(|given| given.len() != inputs.len()) {
            return Err(format!("its inputdimensions are not one for each of {} inputs", inputs.len()));
        }
        let mut parts = Vec::with_capacity(inputs.len());
        for index in 0..inputs.len() {
            let x = number(inputs, index)?;
            let dims = x.dims();
            let shape = match dims[..] {
                [features] => [1, features],
                [samples, features] => [samples, features],
                _ => return Err(format!("its input {index} of shape {dims:?} is not rows of features")),
            };
            if x.is_empty() {
                return Err(format!("its input {index} is empty"));
            }
            let mut x = Value::Float(x).reshape(&shape)?;
            if let Some(&wanted) = given.as_ref().and_then(|given| given.get(index)) {
                check_size(&[shape[0], wanted])?;
                x = match wanted.checked_sub(shape[1]) {
                    None => narrowed(x, 1, 0, wanted),
                    Some(more) => padded(x, &[(0, 0), (0, more as i64)], 0.0)?,
                };
            }
            parts.push(x);
        }
        one(joined(parts, 1)?)
    }))
}

/// `ZipMap`: the scores as they are; their names stand in the file.
pub(super) fn zip_map(_: &Node) -> Described {
    Ok(Operator::new(Kind::Reshape, |inputs| one(inputs.raw(0)?.clone())))
}

/// `OneHotEncoder`: for each value one number a category, one where it is that.
pub(super) fn one_hot_encoder(node: &Node) -> Described {
    let Some(categories) = node.ints("cats_int64s")?.filter(|categories| !categories.is_empty()) else {
        return Err(if node.has("cats_strings") {
            WORDS.into()
        } else {
            "its categories are missing".into()
        });
    };
    let zeros = node.flag("zeros", true)?;
    Ok(Operator::new(Kind::Stop, move |inputs| {
        let x = match inputs.value(0)? {
            Value::Int(x) => x,
            Value::Float(x) => x.int(),
            Value::Bool(_) => return Err("its input must hold numbers".into()),
        };
        let mut dims = x.dims();
        if !zeros {
            let host = burn::tensor::Device::flex();
            if inputs.raw(0)?.device() != host {
                return Err("it refuses unknown categories, which is checked on the CPU only".into());
            }
            let found: Vec<f32> = inputs.floats(0)?;
            if let Some(unknown) = found.iter().find(|&&value| !categories.contains(&(value as i64))) {
                return Err(format!("its value {unknown} is none of its categories"));
            }
        }
        if x.is_empty() {
            return Err("its input is empty".into());
        }
        dims.push(1);
        let mut wide = dims.clone();
        let last = wide.len() - 1;
        wide[last] = categories.len();
        check_size(&wide)?;
        let too_many = || super::too_many(&wide);
        let x = x.reshape(&dims).and_then(|x| x.expand(&wide)).ok_or_else(too_many)?;
        let mut row = vec![1; wide.len()];
        row[last] = categories.len();
        let row =
            int_tensor(categories.clone(), &row, inputs.device())?.expand(&wide).ok_or_else(too_many)?;
        one(x.equal(row).float())
    }))
}

/// Numbers of a `LabelEncoder`, whichever attribute holds them.
enum Codes {
    Real(Vec<f32>),
    Whole(Vec<i64>),
}

impl Codes {
    fn of(node: &Node, side: &str) -> Result<Option<Self>, String> {
        if let Some(reals) = node.floats(&format!("{side}_floats"))? {
            return Ok(Some(Self::Real(reals)));
        }
        if let Some(wholes) = node.ints(&format!("{side}_int64s"))? {
            return Ok(Some(Self::Whole(wholes)));
        }
        if node.has(&format!("{side}_strings")) {
            return Err(WORDS.into());
        }
        Ok(match node.tensor(&format!("{side}_tensor"))? {
            None => None,
            Some(data) if data.dtype().is_float() => Some(Self::Real(
                data.convert::<f32>().try_into_vec().map_err(|_| "its codes cannot be read")?,
            )),
            Some(data) => Some(Self::Whole(
                data.convert::<i64>().try_into_vec().map_err(|_| "its codes cannot be read")?,
            )),
        })
    }

    fn len(&self) -> usize {
        match self {
            Self::Real(values) => values.len(),
            Self::Whole(values) => values.len(),
        }
    }
}

/// `LabelEncoder` from numbers to numbers.
pub(super) fn label_encoder(node: &Node) -> Described {
    if node.has("classes_strings") {
        return Err(WORDS.into());
    }
    let keys = Codes::of(node, "keys")?.ok_or("its keys are missing")?;
    let values = Codes::of(node, "values")?.ok_or("its values are missing")?;
    if keys.len() != values.len() {
        return Err(format!("it has {} keys and {} values", keys.len(), values.len()));
    }
    let default = node.tensor("default_tensor")?;
    let default_real = match &default {
        Some(data) => data.clone().convert::<f32>().iter::<f32>().next().unwrap_or(0.0),
        None => node.float("default_float", 0.0)?,
    };
    let default_whole = match &default {
        Some(data) => data.clone().convert::<i64>().iter::<i64>().next().unwrap_or(-1),
        None => node.int("default_int64", -1)?,
    };
    Ok(Operator::new(Kind::Stop, move |inputs| {
        let x = inputs.value(0)?;
        if x.is_empty() {
            return Err("its input is empty".into());
        }
        let dims = x.dims();
        let count = x.len();
        // Where the value is the key number `at`.
        let is = |at: usize| -> Result<Ranked<burn::tensor::Bool>, String> {
            Ok(match (&x, &keys) {
                (Value::Float(x), Codes::Real(keys)) if keys[at].is_nan() => x.clone().is_nan(),
                (Value::Float(x), Codes::Real(keys)) => x.clone().equal_elem(keys[at]),
                (Value::Float(x), Codes::Whole(keys)) => x.clone().equal_elem(keys[at] as f32),
                (Value::Int(x), Codes::Whole(keys)) => x.clone().equal(whole_like(x, keys[at])),
                (Value::Int(x), Codes::Real(keys)) => x.clone().float().equal_elem(keys[at]),
                (Value::Bool(_), _) => return Err("its input must hold numbers".into()),
            })
        };
        match &values {
            Codes::Real(values) => {
                let mut y = float_tensor(vec![default_real; count], &dims, inputs.device())?;
                for (at, &value) in values.iter().enumerate() {
                    y = y.mask_fill(is(at)?, value);
                }
                one(y)
            }
            Codes::Whole(values) => {
                let mut y = int_tensor(vec![default_whole; count], &dims, inputs.device())?;
                for (at, &value) in values.iter().enumerate() {
                    y = y.mask_fill(is(at)?, value.clamp(i64::from(i32::MIN), i64::from(i32::MAX)));
                }
                one(y)
            }
        }
    }))
}

/// The same whole number at every place.
fn whole_like(x: &Ranked<Int>, value: i64) -> Ranked<Int> {
    let value = value.clamp(i64::from(i32::MIN), i64::from(i32::MAX));
    let nothing = x.clone().clamp(0, 0);
    nothing + value
}
