//! What onnxruntime's quantiser and optimiser write (`com.microsoft`): quantised operators, and several operators in one.
//!
//! A quantised operator is dequantised, computed and quantised again, as the operators of ONNX's own set are
//! (`quantization.rs`): a gradient passes the rounding.

use burn::tensor::{Float, Int, Tensor, activation};

use super::{
    Described, Inputs, Kernel, Kind, Node, Operator, Part, Plan, Wire, axis, check_size,
    convolution::{Window, convolve},
    float_tensor, heads_apart, heads_joined, host_ints,
    indexing::places,
    linear::product,
    normalization::{back, holding, kept, rows_of, standardized},
    one, permuting,
    pooling::{averaged, global},
    quantization::{Quantized, dequantized, number, real, requantized, through_bytes},
    shape::{joined, permuted},
    weighing,
};
use crate::model::element::Element;
use crate::model::value::{Ranked, Value};

/// A value at input `value` with its scale and zero point behind it.
fn at(inputs: &Inputs, value: usize, axis: Option<usize>) -> Result<Ranked<Float>, String> {
    dequantized(inputs, Quantized { value, scale: Some(value + 1), zero: Some(value + 2), axis })
}

/// Quantised, changed by a function of real numbers, and quantised again: scale and zero point of the result at 3 and 4.
fn between(
    node: &Node,
    function: impl Fn(Ranked<Float>, &Inputs) -> Result<Ranked<Float>, String> + Send + Sync + 'static,
) -> Plan {
    let element = node.element(4).or(node.element(0));
    Ok(Box::new(move |inputs| {
        let y = function(at(inputs, 0, None)?, inputs)?;
        one(requantized(inputs, y, 3, 4, element)?)
    }))
}

/// The last axis in the second place, or back.
fn turned(x: Ranked<Float>, channels_last: bool, back: bool) -> Result<Ranked<Float>, String> {
    let rank = x.rank();
    if !channels_last || rank < 3 {
        return Ok(x);
    }
    let order: Vec<usize> = match back {
        false => [0, rank - 1].into_iter().chain(1..rank - 1).collect(),
        true => std::iter::once(0).chain(2..rank).chain([1]).collect(),
    };
    match permuted(Value::Float(x), &order)? {
        Value::Float(x) => Ok(x),
        _ => Err("its input is not real".into()),
    }
}

pub(super) fn qlinear_sigmoid(node: &Node) -> Plan {
    between(node, |x, _| Ok(x.sigmoid()))
}

pub(super) fn qlinear_leaky_relu(node: &Node) -> Plan {
    let alpha = f64::from(node.float("alpha", 0.01)?);
    between(node, move |x, _| Ok(x.leaky_relu(alpha)))
}

/// `QLinearSoftmax`; before operator set 13, whose number is an attribute, over all axes from one on.
pub(super) fn qlinear_softmax(node: &Node) -> Plan {
    let given = node.int("axis", -1)?;
    let flattens = node.int("opset", 13)? < 13;
    between(node, move |x, _| {
        let dims = x.dims();
        let along = axis(given, dims.len())?;
        if x.is_empty() {
            return Err("its input is empty".into());
        }
        if !flattens || along + 1 == dims.len() {
            return Ok(x.softmax(along));
        }
        let flat = [dims[..along].iter().product(), dims[along..].iter().product()];
        let flat = x.reshape(&flat).ok_or("its input cannot be flattened")?;
        flat.softmax(1).reshape(&dims).ok_or_else(|| "its input cannot be flattened".into())
    })
}

pub(super) fn qlinear_global_average(node: &Node) -> Plan {
    let last = node.flag("channels_last", false)?;
    between(node, move |x, _| {
        let x = turned(x, last, false)?;
        turned(global(x, |x| x.mean_dim(2))?, last, true)
    })
}

pub(super) fn qlinear_average(node: &Node) -> Plan {
    let last = node.flag("channels_last", false)?;
    let window = Window::of(node)?;
    let with_padding = node.flag("count_include_pad", false)?;
    between(node, move |x, inputs| {
        let x = turned(x, last, false)?;
        turned(averaged(x, &window, with_padding, inputs)?, last, true)
    })
}

/// Two quantised values, the first at 0, the second at 3, and the result's scale at 6.
fn pair(node: &Node, function: fn(Ranked<Float>, Ranked<Float>) -> Ranked<Float>) -> Described {
    let element = node.element(7).or(node.element(0));
    let pair = Operator::new(Kind::Other, move |inputs| {
        let (a, b) = super::arithmetic::broadcast(at(inputs, 0, None)?, at(inputs, 3, None)?)?;
        one(requantized(inputs, function(a, b), 6, 7, element)?)
    });
    Ok(pair.gives(element))
}

pub(super) fn qlinear_add(node: &Node) -> Described {
    pair(node, |a, b| a + b)
}

pub(super) fn qlinear_mul(node: &Node) -> Described {
    pair(node, |a, b| a * b)
}

/// `QLinearWhere`: condition, two quantised values at 1 and 4, the result's scale at 7.
pub(super) fn qlinear_where(node: &Node) -> Described {
    let element = node.element(8).or(node.element(1));
    Ok(Operator::new(Kind::Other, move |inputs| {
        let condition = inputs.bool(0)?;
        let (yes, no) = (at(inputs, 1, None)?, at(inputs, 4, None)?);
        let dims = super::arithmetic::common_shape(&[condition.dims(), yes.dims(), no.dims()])?;
        check_size(&dims)?;
        let condition = condition.expand(&dims).ok_or_else(|| super::too_many(&dims))?;
        let y = super::arithmetic::masked(condition, yes, no, &dims)?;
        one(requantized(inputs, y, 7, 8, element)?)
    })
    .gives(node.element(1)))
}

/// `QLinearConcat`: the result's scale and zero point come first, then each value with its own.
pub(super) fn qlinear_concat(node: &Node) -> Described {
    let given = node.int("axis", 1)?;
    let element = node.element(1).or(node.element(2));
    Ok(Operator::new(Kind::Move, move |inputs| {
        if inputs.len() < 5 || !(inputs.len() - 2).is_multiple_of(3) {
            return Err(format!(
                "its {} inputs are not values with a scale and a zero point each",
                inputs.len()
            ));
        }
        let values = (2..inputs.len()).step_by(3).map(|index| Ok(Value::Float(at(inputs, index, None)?)));
        let values = values.collect::<Result<Vec<_>, String>>()?;
        let axis = axis(given, values.first().map_or(0, Value::rank))?;
        let Value::Float(y) = joined(values, axis)? else { return Err("its inputs are not real".into()) };
        one(requantized(inputs, y, 0, 1, element)?)
    })
    .gives(element))
}

/// `QGemm`: quantised matrices at 0 and 3, a whole bias at 6 in units of both scales; the result is real where no scale
/// at 7 says otherwise.
pub(super) fn qgemm(node: &Node) -> Described {
    let alpha = node.float("alpha", 1.0)?;
    let (turn_a, turn_b) = (node.flag("transA", false)?, node.flag("transB", false)?);
    let element = node.element(8);
    Ok(Operator::new(Kind::Matmul, move |inputs| {
        let a = at(inputs, 0, None)?;
        let b = at(inputs, 3, Some(usize::from(!turn_b)))?;
        let matrix = |x: Ranked<Float>, turn: bool| {
            let x: Tensor<2> = x.get().ok_or("its inputs are no matrices")?;
            Ok::<_, String>(Ranked::from(if turn { x.transpose() } else { x }))
        };
        let mut y = product(matrix(a, turn_a)?, matrix(b, turn_b)?)? * alpha;
        if inputs.has(6) {
            let scale = number(inputs, 1)?.flat() * number(inputs, 4)?.flat() * alpha;
            let columns = y.dims()[1];
            if ![1, columns].contains(&scale.dims()[0]) || number(inputs, 1)?.len() != 1 {
                return Err(format!("its scales do not fit {columns} columns"));
            }
            let scale = Ranked::D1(scale).with_rank(2).ok_or("its scales do not fit")?;
            let bias = number(inputs, 6)?;
            let dims = bias.dims();
            let misfit = || format!("its bias of shape {dims:?} does not fit {:?}", y.dims());
            let bias = bias.expand(&y.dims()).ok_or_else(misfit)?;
            y = y + bias * scale;
        }
        if !inputs.has(7) {
            return one(y);
        }
        one(requantized(inputs, y, 7, 8, element)?)
    })
    .gives(element.or(Some(Element::F32))))
}

/// A real bias along the last axis, where there is one.
fn with_bias(y: Ranked<Float>, inputs: &Inputs, index: usize) -> Result<Ranked<Float>, String> {
    if !inputs.has(index) {
        return Ok(y);
    }
    let bias = inputs.float(index)?;
    let dims = bias.dims();
    if bias.rank() > y.rank() || bias.clone().expand(&y.dims()).is_none() {
        return Err(format!("its bias of shape {dims:?} does not fit a result of {:?}", y.dims()));
    }
    Ok(y + bias)
}

/// `DynamicQuantizeMatMul`: the left side is quantised by its own range, the right one is.
pub(super) fn dynamic_quantize_matmul(_: &Node) -> Described {
    Ok(Operator::new(Kind::Matmul, |inputs| {
        let a = inputs.float(0)?;
        let dims = a.dims();
        let flat =
            a.reshape(&[1, dims.iter().product()]).and_then(|a| a.get()).ok_or("its input is empty")?;
        let a = Ranked::from(through_bytes(flat)?).reshape(&dims).ok_or("its input is empty")?;
        let columns = inputs.raw(1)?.rank().checked_sub(1);
        let b = dequantized(inputs, Quantized { value: 1, scale: Some(2), zero: Some(3), axis: columns })?;
        one(with_bias(product(a, b)?, inputs, 4)?)
    })
    .gives(Some(Element::F32))
    .mixes_samples(true))
}

/// `MatMulIntegerToFloat`: both quantised, with their scales at 2 and 3 and their zero points at 4 and 5.
pub(super) fn matmul_integer_to_float(_: &Node) -> Described {
    Ok(Operator::new(Kind::Matmul, |inputs| {
        let side = |value: usize, axis: Option<usize>| {
            dequantized(inputs, Quantized { value, scale: Some(value + 2), zero: Some(value + 4), axis })
        };
        let rows = inputs.raw(0)?.rank().checked_sub(2);
        let columns = inputs.raw(1)?.rank().checked_sub(1);
        one(with_bias(product(side(0, rows)?, side(1, columns)?)?, inputs, 6)?)
    })
    .gives(Some(Element::F32)))
}

/// `MatMulNBits`: a matrix `[N, K]` of few bits, packed with the low bits first, with a scale for each block of a row.
pub(super) fn matmul_n_bits(node: &Node) -> Plan {
    let (k, n) = (node.positive("K", 0)?, node.positive("N", 0)?);
    let bits = node.positive("bits", 4)?;
    let block = node.positive("block_size", 32)?;
    if k == 0 || n == 0 {
        return Err("its K or its N is missing".into());
    }
    if ![2, 4, 8].contains(&bits) {
        return Err(format!("its numbers have {bits} bits, and 2, 4 and 8 are known"));
    }
    check_size(&[n, k])?;
    let blocks = k.div_ceil(block);
    check_size(&[n, blocks, block])?;
    Ok(Box::new(move |inputs| {
        if inputs.has(4) {
            return Err("its groups are in another order (g_idx), which is not supported".into());
        }
        // Numbers of each byte, and bytes of each row of blocks.
        let each = 8 / bits;
        let unpacked = |index: usize, row: usize, wanted: usize| -> Result<Vec<f32>, String> {
            let bytes = inputs.ints(index)?;
            if row == 0 || bytes.len() != n * row {
                return Err(format!("its input {index} has {} bytes in place of {n} x {row}", bytes.len()));
            }
            let mask = (1i64 << bits) - 1;
            let mut numbers = Vec::with_capacity(n * wanted);
            for row in bytes.chunks_exact(row) {
                let all = row.iter().flat_map(|byte| (0..each).map(move |at| (byte >> (at * bits)) & mask));
                numbers.extend(all.take(wanted).map(|number| number as f32));
            }
            match numbers.len() == n * wanted {
                true => Ok(numbers),
                false => Err(format!("its input {index} holds too few numbers")),
            }
        };
        let blob = (block * bits).div_ceil(8);
        let packed = unpacked(1, blocks * blob, blocks * block)?;
        let shape = [n, blocks, block];
        let cube =
            |values: Ranked<Float>| values.reshape(&[n, blocks, 1]).ok_or("its scales do not fit its blocks");
        let zero = match inputs.has(3) {
            false => {
                float_tensor(vec![(1 << (bits - 1)) as f32; n * blocks], &[n, blocks, 1], inputs.device())?
            }
            true => match inputs.raw(3)? {
                Value::Float(_) => cube(inputs.float(3)?)?,
                _ => {
                    let numbers = unpacked(3, (blocks * bits).div_ceil(8), blocks)?;
                    float_tensor(numbers, &[n, blocks, 1], inputs.device())?
                }
            },
        };
        let scale = cube(inputs.float(2)?)?;
        let whole = float_tensor(packed, &shape, inputs.device())?;
        let matrix: Tensor<2> = ((whole - zero) * scale)
            .reshape(&[n, blocks * block])
            .and_then(|matrix| matrix.get())
            .ok_or("its matrix is empty")?;
        let matrix = matrix.slice_dim(1, 0..k as i64).transpose();
        one(with_bias(product(inputs.float(0)?, matrix.into())?, inputs, 5)?)
    }))
}

/// A function of one number, value by value.
type Pointwise = Box<dyn Fn(Ranked<Float>) -> Ranked<Float> + Send + Sync>;

/// The function that is done to a result in the same node.
fn function(name: &str, numbers: &[f32]) -> Result<Pointwise, String> {
    let number = |at: usize, default: f32| numbers.get(at).copied().unwrap_or(default);
    Ok(match name {
        "" => Box::new(|x| x),
        "Relu" => Box::new(Ranked::relu),
        "Sigmoid" => Box::new(Ranked::sigmoid),
        "Tanh" => Box::new(Ranked::tanh),
        "Softplus" => Box::new(|x| x.softplus(1.0)),
        "Softsign" => Box::new(Ranked::softsign),
        "LeakyRelu" => {
            let alpha = f64::from(number(0, 0.01));
            Box::new(move |x| x.leaky_relu(alpha))
        }
        "Elu" => {
            let alpha = f64::from(number(0, 1.0));
            Box::new(move |x| x.elu(alpha))
        }
        "HardSigmoid" => {
            let (alpha, beta) = (number(0, 0.2), number(1, 0.5));
            Box::new(move |x| (x * alpha + beta).clamp(0.0, 1.0))
        }
        "Clip" => {
            let (low, high) = (number(0, f32::MIN), number(1, f32::MAX));
            if low.is_nan() || high.is_nan() || low > high {
                return Err(format!("it clips between {low} and {high}"));
            }
            Box::new(move |x| x.clamp(low, high))
        }
        other => return Err(format!("its activation \"{other}\" is unknown")),
    })
}

/// `FusedConv`: a convolution, a sum, and an activation.
pub(super) fn fused_conv(node: &Node) -> Plan {
    let window = Window::of(node)?;
    let groups = node.positive("group", 1)?;
    let numbers = node.floats("activation_params")?.unwrap_or_default();
    let function = function(&node.text("activation", "")?, &numbers)?;
    Ok(Box::new(move |inputs| {
        let bias = inputs.optional::<1>(2)?;
        let mut y = convolve(&window, groups, inputs.float(0)?, inputs.float(1)?, bias)?;
        if inputs.has(3) {
            let z = inputs.float(3)?;
            if z.dims() != y.dims() {
                return Err(format!("its summand {:?} is not of the shape {:?}", z.dims(), y.dims()));
            }
            y = y + z;
        }
        one(function(y))
    }))
}

/// `FusedGemm`: `Gemm` and an activation.
pub(super) fn fused_gemm(node: &Node) -> Plan {
    let gemm = super::linear::gemm(node)?;
    let numbers = match (node.has("activation_alpha"), node.has("activation_beta")) {
        (false, false) => Vec::new(),
        (_, false) => vec![node.float("activation_alpha", 0.0)?],
        _ => vec![node.float("activation_alpha", 0.0)?, node.float("activation_beta", 0.0)?],
    };
    let function = function(&node.text("activation", "")?, &numbers)?;
    Ok(Box::new(move |inputs| match gemm.forward(inputs)?.pop() {
        Some(Value::Float(y)) => one(function(y)),
        _ => Err("its product is not real".into()),
    }))
}

/// `FusedMatMul`: a product of matrices that are turned on the way, and a factor.
pub(super) fn fused_matmul(node: &Node) -> Plan {
    let alpha = node.float("alpha", 1.0)?;
    let sides = [("transA", "transBatchA"), ("transB", "transBatchB")];
    let mut turns = [[false; 2]; 2];
    for (turn, (matrix, batch)) in turns.iter_mut().zip(sides) {
        *turn = [node.flag(matrix, false)?, node.flag(batch, false)?];
    }
    Ok(Box::new(move |inputs| {
        let side = |index: usize| -> Result<Ranked<Float>, String> {
            let x = inputs.float(index)?;
            let rank = x.rank();
            let mut order: Vec<usize> = (0..rank).collect();
            let [matrix, batch] = turns[index];
            if rank < 2 {
                return Ok(x);
            }
            if batch {
                // The first axis becomes that of the rows.
                let first = order.remove(0);
                order.insert(rank - 2, first);
            }
            if matrix {
                order.swap(rank - 2, rank - 1);
            }
            match permuted(Value::Float(x), &order)? {
                Value::Float(x) => Ok(x),
                _ => Err("its inputs are not real".into()),
            }
        };
        let y = product(side(0)?, side(1)?)?;
        one(if alpha == 1.0 { y } else { y * alpha })
    }))
}

/// The tanh form of GELU.
fn tanh_gelu(x: Ranked<Float>) -> Ranked<Float> {
    let inner = (x.clone().powi_scalar(3) * 0.044_715 + x.clone()) * 0.797_884_6;
    x * 0.5 * (inner.tanh() + 1.0)
}

/// `FastGelu`: of the input and a bias, by the tanh form.
pub(super) fn fast_gelu(_: &Node) -> Plan {
    Ok(Box::new(|inputs| one(tanh_gelu(with_bias(inputs.float(0)?, inputs, 1)?))))
}

/// `BiasGelu`: of the input and a bias.
pub(super) fn bias_gelu(_: &Node) -> Plan {
    Ok(Box::new(|inputs| one(with_bias(inputs.float(0)?, inputs, 1)?.gelu())))
}

/// `QuickGelu`: `x sigmoid(alpha x)`.
pub(super) fn quick_gelu(node: &Node) -> Described {
    let alpha = node.float("alpha", 1.702)?;
    Ok(Operator::new(Kind::Activation, move |inputs| {
        let x = inputs.float(0)?;
        one((x.clone() * alpha).sigmoid() * x)
    }))
}

/// A scale or shift of the last axis.
fn last_axis(inputs: &Inputs, index: usize, width: usize) -> Result<Tensor<2>, String> {
    let values = inputs.float(index)?;
    let dims = values.dims();
    match values.len() == width {
        true => Ok(values.flat().reshape([1, width])),
        false => Err(format!("its input {index} of shape {dims:?} is not {width} numbers")),
    }
}

/// Which inputs scale and shift a normalisation, and how it is done.
#[derive(Clone, Copy)]
struct Normalization {
    gamma: usize,
    beta: usize,
    epsilon: f32,
    /// By the root of the mean square alone.
    simple: bool,
}

impl Normalization {
    /// The normal form of rows along the last axis, the mean and the inverse deviation.
    fn of(&self, x: Ranked<Float>, inputs: &Inputs, held: bool) -> Result<[Ranked<Float>; 3], String> {
        let dims = x.dims();
        let Some((&width, lead)) = dims.split_last() else { return Err("its input is a scalar".into()) };
        let rows = rows_of(x, lead.iter().product())?;
        let (normal, mean, inverse) = match self.simple {
            false => standardized(rows, self.epsilon, held),
            true => {
                let inverse = ((rows.clone() * rows.clone()).mean_dim(1) + self.epsilon).sqrt().recip();
                let inverse = kept(inverse, held);
                (rows * inverse.clone(), inverse.clone().zeros_like(), inverse)
            }
        };
        let mut y = normal * last_axis(inputs, self.gamma, width)?;
        if inputs.has(self.beta) && !self.simple {
            y = y + last_axis(inputs, self.beta, width)?;
        }
        let small = [lead, &[1]].concat();
        Ok([back(y, &dims)?, back(mean, &small)?, back(inverse, &small)?])
    }
}

/// The sum of an input and what skips a layer, and a bias at input `bias`.
fn skipped(inputs: &Inputs, bias: usize) -> Result<Ranked<Float>, String> {
    let (x, skip) = (inputs.float(0)?, inputs.float(1)?);
    let (dims, have) = (x.dims(), skip.dims());
    let skip =
        skip.expand(&dims).ok_or_else(|| format!("its skip of shape {have:?} does not fit {dims:?}"))?;
    with_bias(x + skip, inputs, bias)
}

/// `SkipLayerNormalization` and its simple form: the sum of two values and a bias, normalised.
fn skip(node: &Node, simple: bool) -> Described {
    let epsilon = node.float("epsilon", 1e-12)?;
    let normalization = Normalization { gamma: 2, beta: 3, epsilon, simple };
    let bias = if simple { 3 } else { 4 };
    let outputs = node.proto.output.len();
    Ok(holding(Kind::Other, |held| {
        Box::new(move |inputs| {
            let sum = skipped(inputs, bias)?;
            let [y, mean, inverse] = normalization.of(sum.clone(), inputs, held)?;
            let mut results: Vec<Value> = vec![y.into(), mean.into(), inverse.into(), sum.into()];
            results.truncate(outputs);
            Ok(results)
        })
    }))
}

pub(super) fn skip_layer(node: &Node) -> Described {
    skip(node, false)
}

pub(super) fn skip_simplified_layer(node: &Node) -> Described {
    skip(node, true)
}

/// `EmbedLayerNormalization`: the sum of the vectors of words, places and segments, normalised.
pub(super) fn embed_layer(node: &Node) -> Described {
    let epsilon = node.float("epsilon", 1e-12)?;
    let normalization = Normalization { gamma: 5, beta: 6, epsilon, simple: false };
    let outputs = node.proto.output.len();
    Ok(Operator::new(Kind::Other, move |inputs| {
        let dims = inputs.raw(0)?.dims();
        let [batch, length] = dims[..] else {
            return Err(format!("its words of shape {dims:?} are not sentences"));
        };
        let vectors = |ids: Option<usize>, table: usize| -> Result<Tensor<3>, String> {
            let table = inputs.tensor::<2>(table)?;
            let [count, width] = table.dims();
            check_size(&[batch, length, width])?;
            if table.dims().contains(&0) || batch * length == 0 {
                return Err("one of its inputs is empty".into());
            }
            let ids: Tensor<1, Int> = match ids {
                Some(ids) => {
                    let given = places(inputs, ids, count)?;
                    let have = given.dims();
                    let wide = given.expand(&[batch, length]);
                    wide.ok_or_else(|| format!("its input {ids} of shape {have:?} does not fit its words"))?
                        .flat()
                }
                // Each word's place.
                None if length > count => {
                    return Err(format!("its sentences of {length} words exceed {count} places"));
                }
                None => {
                    let all: Vec<i64> = (0..batch * length).map(|at| (at % length) as i64).collect();
                    Tensor::from_data(all.as_slice(), inputs.device())
                }
            };
            Ok(table.select(0, ids).reshape([batch, length, width]))
        };
        let mut sum = vectors(Some(0), 2)?;
        let places = vectors(if inputs.has(8) { Some(8) } else { None }, 3)?;
        if places.dims() != sum.dims() {
            return Err("its words and places differ in their width".into());
        }
        sum = sum + places;
        if inputs.has(4) {
            let segments = match inputs.has(1) {
                true => vectors(Some(1), 4)?,
                false => return Err("its segments are missing".into()),
            };
            if segments.dims() != sum.dims() {
                return Err("its words and segments differ in their width".into());
            }
            sum = sum + segments;
        }
        let sum = Ranked::from(sum);
        let [y, ..] = normalization.of(sum.clone(), inputs, false)?;
        // How many words of each sentence count.
        let counts = match inputs.has(7) && outputs > 1 {
            false => vec![0; batch],
            true => {
                let mask = inputs.ints(7)?;
                if mask.len() != batch * length {
                    return Err("its mask does not fit its words".into());
                }
                mask.chunks_exact(length)
                    .map(|row| row.iter().filter(|&&one| one == 1).count() as i64)
                    .collect()
            }
        };
        let mut results: Vec<Value> = vec![y.into(), host_ints(counts, &[batch])?, sum.into()];
        results.truncate(outputs);
        Ok(results)
    })
    .gives(Some(Element::F32)))
}

/// What is added to the scores of queries and keys `[batch, heads, queries, keys]`.
#[derive(Clone, Copy)]
struct Scores {
    heads: usize,
    scale: Option<f32>,
    /// What a key that is masked out gets.
    low: f32,
    causal: bool,
}

impl Scores {
    fn of(node: &Node, causal: &str) -> Result<Self, String> {
        let heads = node.positive("num_heads", 0)?;
        if heads == 0 {
            return Err("its num_heads is missing".into());
        }
        let scale = Some(node.float("scale", 0.0)?).filter(|&scale| scale != 0.0);
        let low = node.float("mask_filter_value", -10_000.0)?;
        Ok(Self { heads, scale, low, causal: node.flag(causal, false)? })
    }

    /// `[batch, length, heads * size]` as `[batch, heads, length, size]`.
    fn split(&self, x: Tensor<3>) -> Result<Tensor<4>, String> {
        let [batch, length, width] = x.dims();
        if x.dims().contains(&0) || !width.is_multiple_of(self.heads) {
            return Err(format!("its {width} values do not divide into {} heads", self.heads));
        }
        Ok(x.reshape([batch, length, self.heads, width / self.heads]).swap_dims(1, 2))
    }

    /// The node's own mask of keys at `index`: one number a key of each sample, one for each query and key, or the length
    /// of each sample.
    fn mask(
        &self,
        inputs: &Inputs,
        index: usize,
        scores: [usize; 4],
    ) -> Result<Option<Ranked<Float>>, String> {
        if !inputs.has(index) {
            return Ok(None);
        }
        let [batch, _, queries, keys] = scores;
        let dims = inputs.raw(index)?.dims();
        let kept = match dims[..] {
            [count] if count == batch => {
                let lengths = inputs.ints(index)?;
                let row = |&length: &i64| (0..keys as i64).map(move |key| f32::from(u8::from(key < length)));
                float_tensor(lengths.iter().flat_map(row).collect(), &[batch, 1, 1, keys], inputs.device())?
            }
            // Ends, then starts.
            [count] if count == 2 * batch => {
                let ends = inputs.ints(index)?;
                let row = |at: usize| {
                    let (end, start) = (ends[at], ends[at + batch]);
                    (0..keys as i64).map(move |key| f32::from(u8::from((start..end).contains(&key))))
                };
                float_tensor((0..batch).flat_map(row).collect(), &[batch, 1, 1, keys], inputs.device())?
            }
            [samples, count] if samples == batch && count == keys => {
                number(inputs, index)?.reshape(&[batch, 1, 1, keys]).ok_or("its mask is empty")?
            }
            [samples, rows, count] if samples == batch && rows == queries && count == keys => {
                number(inputs, index)?.reshape(&[batch, 1, queries, keys]).ok_or("its mask is empty")?
            }
            _ => return Err(format!("its mask of shape {dims:?} does not fit scores of {scores:?}")),
        };
        Ok(Some((kept.neg() + 1.0) * self.low))
    }

    /// Softmax(scale Q K^T + mask + bias) V, the heads one after the other again.
    fn attend(
        &self,
        inputs: &Inputs,
        [q, k, v]: [Tensor<4>; 3],
        (mask, bias): (usize, usize),
    ) -> Result<Tensor<3>, String> {
        let ([batch, heads, queries, size], [_, _, keys, _]) = (q.dims(), k.dims());
        if k.dims() != [batch, heads, keys, size] || v.dims()[..3] != [batch, heads, keys] {
            return Err(format!(
                "its queries {:?}, keys {:?} and values {:?} do not go together",
                q.dims(),
                k.dims(),
                v.dims()
            ));
        }
        let scores = self.compared(inputs, q, k.swap_dims(2, 3), (mask, bias))?;
        let y = activation::softmax(scores, 3).matmul(v);
        let [.., size] = y.dims();
        Ok(y.swap_dims(1, 2).reshape([batch, queries, heads * size]))
    }

    /// scale Q K^T + mask + bias, of turned keys, `[batch, heads, size, keys]`.
    fn compared(
        &self,
        inputs: &Inputs,
        q: Tensor<4>,
        k: Tensor<4>,
        (mask, bias): (usize, usize),
    ) -> Result<Tensor<4>, String> {
        let ([batch, heads, queries, size], [.., keys]) = (q.dims(), k.dims());
        if k.dims() != [batch, heads, size, keys] {
            return Err(format!("its queries {:?} and keys {:?} do not go together", q.dims(), k.dims()));
        }
        let shape = [batch, heads, queries, keys];
        check_size(&shape)?;
        let scale = self.scale.unwrap_or_else(|| (size as f32).sqrt().recip());
        let mut scores = Ranked::from((q * scale).matmul(k));
        if let Some(mask) = self.mask(inputs, mask, shape)? {
            scores = scores + mask;
        }
        if self.causal {
            let before = keys.saturating_sub(queries);
            let row = |query: usize| (0..keys).map(move |key| if key > query + before { 1.0 } else { 0.0 });
            let later =
                float_tensor((0..queries).flat_map(row).collect(), &[1, 1, queries, keys], inputs.device())?;
            scores = scores + later * self.low.min(f32::MIN / 2.0);
        }
        if inputs.has(bias) {
            let bias = inputs.float(bias)?;
            let have = bias.dims();
            let bias = bias.expand(&shape);
            scores =
                scores + bias.ok_or_else(|| format!("its bias of shape {have:?} does not fit {shape:?}"))?;
        }
        scores.get().ok_or_else(|| "its scores have another rank".into())
    }

    /// What does the same as [`Scores::attend`] in several nodes, from projections that `first` parts make, with the mask and the bias
    /// at these inputs of the node.
    fn written_out(self, mut first: Vec<Part>, mask: usize, bias: usize) -> Vec<Part> {
        let from = first.len();
        let heads = self.heads;
        first.extend((from - 3..from).map(|made| heads_apart(heads, Wire::Made(made))));
        let orders = [[0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]];
        first.extend(orders.into_iter().zip(from..).map(|(order, made)| permuting(order, made)));
        let compare = Operator::new(Kind::Matmul, move |inputs| {
            one(self.compared(inputs, inputs.tensor(0)?, inputs.tensor(1)?, (2, 3))?)
        });
        let inputs = vec![Wire::Made(from + 3), Wire::Made(from + 4), Wire::Given(mask), Wire::Given(bias)];
        first.push(Part { name: "MatMul", operator: compare, inputs });
        first.extend(weighing(from + 6, from + 5));
        first.push(permuting([0, 2, 1, 3], from + 8));
        first.push(heads_joined(from + 9));
        first
    }
}

/// How many of `all` columns are of queries, of keys and of values.
fn columns(sizes: Option<&Vec<usize>>, all: usize) -> Result<[usize; 3], String> {
    let sizes = sizes.cloned().unwrap_or_else(|| vec![all / 3; 3]);
    let sum = sizes.iter().try_fold(0usize, |sum, &size| sum.checked_add(size));
    match sizes[..] {
        [q, k, v] if sum == Some(all) => Ok([q, k, v]),
        _ => Err(format!("its {all} columns do not divide into {sizes:?}")),
    }
}

/// `Attention`: queries, keys and values by one product from the input.
pub(super) fn attention(node: &Node) -> Described {
    let scores = Scores::of(node, "unidirectional")?;
    let sizes = node.positives("qkv_hidden_sizes")?;
    if node.flag("do_rotary", false)? {
        return Err("it turns its queries and keys (do_rotary), which is not supported".into());
    }
    if node.writes(1) {
        return Err("it hands on its keys and values (present), which is not supported".into());
    }
    let apart = sizes.clone();
    let projection = |which: usize| {
        let sizes = apart.clone();
        let operator = Operator::new(Kind::Matmul, move |inputs| {
            let weights = inputs.tensor::<2>(1)?;
            let sizes = columns(sizes.as_ref(), weights.dims()[1])?;
            let from: usize = sizes[..which].iter().sum();
            let range = from as i64..(from + sizes[which]) as i64;
            let y = product(inputs.float(0)?, weights.slice_dim(1, range.clone()).into())?;
            one(match inputs.has(2) {
                true => {
                    y + Ranked::from(inputs.tensor::<1>(2)?.slice_dim(0, range))
                        .with_rank(3)
                        .ok_or("its bias")?
                }
                false => y,
            })
        });
        Part { name: "MatMul", operator, inputs: (0..3).map(Wire::Given).collect() }
    };
    let parts = scores.written_out((0..3).map(projection).collect(), 3, 5);
    let kernel: Kernel = Box::new(move |inputs| {
        if inputs.has(4) || inputs.has(6) {
            return Err("it reads keys and values of before (past), which is not supported".into());
        }
        let (x, weights) = (inputs.tensor::<3>(0)?, inputs.tensor::<2>(1)?);
        let all = weights.dims()[1];
        let sizes = columns(sizes.as_ref(), all)?;
        let Some(all) = with_bias(product(x.into(), weights.into())?, inputs, 2)?.get::<3>() else {
            return Err("its input must have 3 dimensions".into());
        };
        let part = |from: usize, size: usize| {
            scores.split(all.clone().slice_dim(2, from as i64..(from + size) as i64))
        };
        let parts = [part(0, sizes[0])?, part(sizes[0], sizes[1])?, part(sizes[0] + sizes[1], sizes[2])?];
        one(scores.attend(inputs, parts, (3, 5))?)
    });
    let whole = absent(node, &[4, 6]);
    Ok(Operator::from(kernel).written_out(if whole { parts } else { Vec::new() }))
}

/// Whether a node has none of these inputs.
fn absent(node: &Node, inputs: &[usize]) -> bool {
    inputs.iter().all(|&index| node.proto.input.get(index).is_none_or(String::is_empty))
}

/// `MultiHeadAttention`: of queries, keys and values that are given.
pub(super) fn multi_head_attention(node: &Node) -> Described {
    let scores = Scores::of(node, "unidirectional")?;
    if node.writes(1) {
        return Err("it hands on its keys and values (present), which is not supported".into());
    }
    // One bias for all three: the values' part is what the others leave.
    let biased = |which: usize| {
        let operator = Operator::new(Kind::Sum, move |inputs| {
            let x = inputs.float(0)?;
            let (Some(&size), true) = (x.dims().last(), inputs.has(1)) else { return one(x) };
            let all = inputs.tensor::<1>(1)?;
            let count = all.dims()[0];
            let from = if which == 2 { count.saturating_sub(size) } else { which * size };
            if from + size > count || size == 0 {
                return Err(format!("its bias of {count} numbers does not fit"));
            }
            let part = Ranked::from(all.slice_dim(0, from as i64..(from + size) as i64));
            one(x + part.with_rank(3).ok_or("its bias has another rank")?)
        });
        Part { name: "Add", operator, inputs: vec![Wire::Given(which), Wire::Given(3)] }
    };
    let parts = scores.written_out((0..3).map(biased).collect(), 4, 5);
    let kernel: Kernel = Box::new(move |inputs| {
        if inputs.has(6) || inputs.has(7) {
            return Err("it reads keys and values of before (past), which is not supported".into());
        }
        if !inputs.has(1) || !inputs.has(2) {
            return Err("its keys or its values are packed, which is not supported".into());
        }
        let q = inputs.tensor::<3>(0)?;
        let width = q.dims()[2];
        // One bias for all three.
        let bias = |from: usize, size: usize| -> Result<Option<Tensor<3>>, String> {
            if !inputs.has(3) {
                return Ok(None);
            }
            let all = inputs.tensor::<1>(3)?;
            match from + size <= all.dims()[0] && size > 0 {
                true => Ok(Some(all.slice_dim(0, from as i64..(from + size) as i64).reshape([1, 1, size]))),
                false => Err(format!("its bias of {} numbers does not fit", all.dims()[0])),
            }
        };
        let side = |index: usize, from: usize| -> Result<Tensor<4>, String> {
            let x = match (inputs.raw(index)?.rank(), index) {
                (4, 1 | 2) if !inputs.has(3) => return inputs.tensor::<4>(index),
                _ => inputs.tensor::<3>(index)?,
            };
            let size = x.dims()[2];
            scores.split(match bias(from, size)? {
                Some(bias) => x + bias,
                None => x,
            })
        };
        let parts = [side(0, 0)?, side(1, width)?, side(2, 2 * width)?];
        one(scores.attend(inputs, parts, (4, 5))?)
    });
    let whole = absent(node, &[6, 7]) && !absent(node, &[1]) && !absent(node, &[2]);
    Ok(Operator::from(kernel).written_out(if whole { parts } else { Vec::new() }))
}

/// `DynamicQuantizeLSTM`: an `LSTM` with quantised weights `[directions, inputs, gates]`, whose inputs and states are
/// quantised by their own ranges on the way.
pub(super) fn dynamic_quantize_lstm(node: &Node) -> Described {
    let lstm = super::recurrent::Lstm::of(node)?;
    let batch_first = lstm.is_batch_first();
    let quantized = Operator::new(Kind::Recurrent, move |inputs| {
        let weights = |value: usize, scale: usize| -> Result<Tensor<3>, String> {
            let numbers = match inputs.value(value)? {
                Value::Int(numbers) => real(numbers),
                Value::Float(numbers) => numbers,
                Value::Bool(_) => return Err(format!("its input {value} must hold numbers")),
            };
            let numbers: Tensor<3> = numbers.get().ok_or("its weights must have 3 dimensions")?;
            let [directions, _, gates] = numbers.dims();
            // One a direction, or one for each of its gates' values.
            let spread = |index: usize| -> Result<Tensor<3>, String> {
                let values = number(inputs, index)?;
                let dims = values.dims();
                let wide =
                    if values.len() == directions { [directions, 1, 1] } else { [directions, 1, gates] };
                let values = values.reshape(&wide).and_then(|values| values.get());
                values.ok_or_else(|| format!("its input {index} of shape {dims:?} does not fit its weights"))
            };
            if numbers.dims().contains(&0) {
                return Err("its weights are empty".into());
            }
            let numbers = match inputs.has(scale + 1) {
                true => numbers - spread(scale + 1)?,
                false => numbers,
            };
            Ok((numbers * spread(scale)?).swap_dims(1, 2))
        };
        lstm.run(inputs, [weights(1, 8)?, weights(2, 10)?], &through_bytes)
    });
    Ok(quantized.batch_first(batch_first).mixes_samples(true))
}
