//! Attention in its forms, and what goes with it: positions by rotation, caches, causal convolution.

use burn::tensor::{Bool, Float, Tensor, TensorData, activation};

use super::{
    Described, Inputs, Kernel, Kind, Node, Operator, Part, Plan, Wire, axis, check_size, heads_apart,
    heads_joined,
    indexing::places,
    one, permuting,
    shape::{empty_like, joined, narrowed, padded, picked},
    weighing,
};
use crate::model::value::{Ranked, Value};

/// Heads of an input `[batch, heads, length, size]`, or of one whose heads lie one after the other in its last
/// dimension, `[batch, length, heads * size]`.
fn heads(x: Ranked<Float>, count: Option<usize>) -> Result<Tensor<4>, String> {
    let dims = x.dims();
    if x.is_empty() {
        return Err(format!("its input of shape {dims:?} is empty"));
    }
    let misfit = || format!("its input of shape {dims:?} does not divide into heads");
    match (dims.as_slice(), count) {
        ([_, _, _, _], _) => x.get().ok_or_else(misfit),
        (&[batch, length, width], Some(count)) if width % count == 0 => {
            let split = x.reshape(&[batch, length, count, width / count]).and_then(|x| x.get::<4>());
            Ok(split.ok_or_else(misfit)?.swap_dims(1, 2))
        }
        _ => Err(misfit()),
    }
}

/// `[batch, heads, length, size]` as `[batch, length, heads * size]`.
fn packed(x: Tensor<4>) -> Tensor<3> {
    let [batch, heads, length, size] = x.dims();
    x.swap_dims(1, 2).reshape([batch, length, heads * size])
}

/// Each head so often that there are `count`: several queries share a key.
fn shared(x: Tensor<4>, count: usize) -> Tensor<4> {
    let [batch, heads, length, size] = x.dims();
    if heads == count {
        return x;
    }
    let each = x.reshape([batch, heads, 1, length, size]);
    each.expand([batch, heads, count / heads, length, size]).reshape([batch, count, length, size])
}

/// A number of heads; `None` where the node does not say.
fn head_count(node: &Node, name: &str) -> Result<Option<usize>, String> {
    if node.has(name) { node.positive(name, 1).map(Some) } else { Ok(None) }
}

/// Which keys a query may look at, as far as their places decide.
#[derive(Clone, Copy)]
struct Window {
    causal: bool,
    left: Option<i64>,
    right: Option<i64>,
}

impl Window {
    fn of(node: &Node) -> Result<Self, String> {
        let bound = |name: &str| Ok::<_, String>(Some(node.int(name, -1)?).filter(|&size| size >= 0));
        Ok(Self {
            causal: node.flag("is_causal", false)?,
            left: bound("left_window_size")?,
            right: bound("right_window_size")?,
        })
    }

    fn is_open(&self) -> bool {
        !self.causal && self.left.is_none() && self.right.is_none()
    }

    /// Whether the query at `place` may look at the key at `key`.
    fn allows(&self, place: i64, key: i64) -> bool {
        let behind = place - key;
        !(self.causal && behind < 0)
            && self.left.is_none_or(|left| behind <= left)
            && self.right.is_none_or(|right| -behind <= right)
    }
}

/// What is added to the scores of a query and its keys, and which keys it may not look at.
#[derive(Default)]
struct Mask {
    added: Option<Tensor<4>>,
    blocked: Option<Tensor<4, Bool>>,
}

impl Mask {
    fn block(&mut self, more: Tensor<4, Bool>) {
        self.blocked = Some(match self.blocked.take() {
            Some(blocked) => blocked.bool_or(more),
            None => more,
        });
    }

    /// The node's own mask, for scores of the shape `[batch, heads, queries, keys]`: truths say which keys take part,
    /// numbers are added. Keys beyond its end do not take part.
    fn given(inputs: &Inputs, index: usize, scores: [usize; 4]) -> Result<Self, String> {
        let mut mask = Self::default();
        if !inputs.has(index) {
            return Ok(mask);
        }
        let value = inputs.value(index)?;
        let dims = value.dims();
        let misfit = || format!("its mask of shape {dims:?} does not fit scores of shape {scores:?}");
        let value = match dims.last() {
            Some(&last) if last < scores[3] && last != 1 => {
                let mut amounts = vec![(0, 0); dims.len()];
                amounts[dims.len() - 1] = (0, (scores[3] - last) as i64);
                let fill = if matches!(value, Value::Bool(_)) { 0.0 } else { f32::NEG_INFINITY };
                padded(value, &amounts, fill)?
            }
            _ => value,
        };
        match value {
            Value::Float(x) => {
                let x = x.expand(&scores).and_then(|x| x.get::<4>()).ok_or_else(misfit)?;
                // Only an infinity: the lowest number is added as any other.
                let blocked = x.clone().lower_elem(f32::MIN);
                mask.added = Some(x.mask_fill(blocked.clone(), 0.0));
                mask.block(blocked);
            }
            Value::Bool(x) => {
                let x = x.expand(&scores).and_then(|x| x.get::<4>()).ok_or_else(misfit)?;
                mask.block(x.bool_not());
            }
            Value::Int(_) => return Err("its mask must hold truth values or real numbers".into()),
        }
        Ok(mask)
    }
}

/// The places that each sample's queries and keys have: where the first query lies, and how many keys are there.
fn blocked_places(
    window: &Window,
    samples: &[(i64, i64)],
    scores: [usize; 4],
    device: &burn::tensor::Device,
) -> Result<Tensor<4, Bool>, String> {
    let [batch, _, queries, keys] = scores;
    check_size(&[samples.len(), queries, keys])?;
    let mut blocked = Vec::with_capacity(samples.len() * queries * keys);
    for &(first, filled) in samples {
        for query in 0..queries as i64 {
            blocked.extend((0..keys as i64).map(|key| key >= filled || !window.allows(first + query, key)));
        }
    }
    if samples.len() != batch {
        return Err(format!("its {} lengths do not fit a batch of {batch}", samples.len()));
    }
    let blocked = TensorData::new(blocked, [batch, 1, queries, keys]);
    Ok(Tensor::<4, Bool>::from_data(blocked, device).expand(scores))
}

/// `Attention`: softmax(scale Q K^T + mask) V for each head (Vaswani et al. 2017), with heads that share keys, a cache, a
/// cap on the scores and windows. A query that may look at no key gets zeros.
pub(super) fn attention(node: &Node) -> Described {
    let scale = if node.has("scale") { Some(node.float("scale", 1.0)?) } else { None };
    let (q_heads, kv_heads) = (head_count(node, "q_num_heads")?, head_count(node, "kv_num_heads")?);
    let softcap = node.float("softcap", 0.0)?;
    let window = Window::of(node)?;
    let shown = node.int("qk_matmul_output_mode", 0)?;
    if !(0..=3).contains(&shown) {
        return Err(format!("its qk_matmul_output_mode is {shown}, and ONNX has 0 to 3"));
    }
    let outputs = node.proto.output.len();
    let shows = node.writes(3);
    let cached = (4..7).any(|index| node.proto.input.get(index).is_some_and(|name| !name.is_empty()));
    let alone = !cached && !(1..4).any(|index| node.writes(index)) && q_heads.is_some() == kv_heads.is_some();
    let parts = if alone { written_out([q_heads, kv_heads], scale, softcap, window) } else { Vec::new() };
    let kernel: Kernel = Box::new(move |inputs| {
        let flat = inputs.raw(0)?.rank() == 3;
        let q = heads(inputs.float(0)?, q_heads)?;
        let with_past = |index: usize, past: usize| -> Result<Tensor<4>, String> {
            let now = heads(inputs.float(index)?, kv_heads)?;
            if !inputs.has(past) {
                return Ok(now);
            }
            match joined(vec![inputs.value(past)?, now.into()], 2)? {
                Value::Float(all) => all.get().ok_or_else(|| "its cache must have 4 dimensions".into()),
                _ => Err("its cache must hold real numbers".into()),
            }
        };
        let (k, v) = (with_past(1, 4)?, with_past(2, 5)?);
        let ([batch, count, queries, size], [_, shared_by, keys, _]) = (q.dims(), k.dims());
        if k.dims()[0] != batch
            || k.dims()[3] != size
            || v.dims()[..3] != k.dims()[..3]
            || !count.is_multiple_of(shared_by)
        {
            return Err(format!(
                "its queries {:?}, keys {:?} and values {:?} do not go together",
                q.dims(),
                k.dims(),
                v.dims()
            ));
        }
        let scores = [batch, count, queries, keys];
        check_size(&scores)?;
        let mut mask = Mask::given(inputs, 3, scores)?;
        let past =
            if inputs.has(4) { inputs.raw(4)?.dims().get(2).map_or(0, |&past| past as i64) } else { 0 };
        if inputs.has(6) {
            let place = |filled: i64| (if inputs.has(4) { past } else { filled - queries as i64 }, filled);
            let samples: Vec<(i64, i64)> = inputs.ints(6)?.into_iter().map(place).collect();
            mask.block(blocked_places(&window, &samples, scores, inputs.device())?);
        } else if !window.is_open() {
            let samples = vec![(past, keys as i64); batch];
            mask.block(blocked_places(&window, &samples, scores, inputs.device())?);
        }
        let scale = scale.unwrap_or_else(|| (size as f32).sqrt().recip());
        let product = (q * scale).matmul(shared(k.clone(), count).swap_dims(2, 3));
        let capped = match softcap > 0.0 {
            true => (product.clone() / softcap).tanh() * softcap,
            false => product.clone(),
        };
        let added = match mask.added {
            Some(added) => capped.clone() + added,
            None => capped.clone(),
        };
        let blocked = mask.blocked;
        let filled = |x: Tensor<4>, with: f32| match &blocked {
            Some(blocked) => x.mask_fill(blocked.clone(), with),
            None => x,
        };
        // Low enough to count for nothing; an infinity would make a row without any key a row of NaNs.
        let shares = filled(activation::softmax(filled(added.clone(), -1e30), 3), 0.0);
        let y = shares.clone().matmul(shared(v.clone(), count));
        let mut results: Vec<Value> =
            vec![if flat { packed(y).into() } else { y.into() }, k.into(), v.into()];
        if shows {
            let shown = match shown {
                0 => product,
                1 => capped,
                2 => filled(added, f32::NEG_INFINITY),
                _ => shares,
            };
            results.push(shown.into());
        }
        results.truncate(outputs);
        Ok(results)
    });
    Ok(Operator::from(kernel).written_out(parts))
}

/// `Attention` in several nodes, where it reads no cache and hands on none.
fn written_out(
    [q_heads, kv_heads]: [Option<usize>; 2],
    scale: Option<f32>,
    softcap: f32,
    window: Window,
) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut sides = [Wire::Given(0), Wire::Given(1), Wire::Given(2)];
    for (side, heads) in sides.iter_mut().zip([q_heads, kv_heads, kv_heads]) {
        if let Some(heads) = heads {
            parts.push(heads_apart(heads, *side));
            parts.push(permuting([0, 2, 1, 3], parts.len() - 1));
            *side = Wire::Made(parts.len() - 1);
        }
    }
    let [q, k, v] = sides;
    let repeated = |x: Wire| {
        let operator = Operator::new(Kind::Move, |inputs| {
            let (x, q) = (inputs.tensor::<4>(0)?, inputs.tensor::<4>(1)?);
            let (own, count) = (x.dims()[1], q.dims()[1]);
            match own > 0 && count.is_multiple_of(own) {
                true => one(shared(x, count)),
                false => Err(format!("{own} heads of keys do not divide {count} of queries")),
            }
        });
        Part { name: "Expand", operator, inputs: vec![x, q] }
    };
    parts.push(repeated(k));
    parts.push(repeated(v));
    let values = parts.len() - 1;
    parts.push(permuting([0, 1, 3, 2], values - 1));
    let compare = Operator::new(Kind::Matmul, move |inputs| {
        let (q, k) = (inputs.tensor::<4>(0)?, inputs.tensor::<4>(1)?);
        let ([batch, count, queries, size], [.., keys]) = (q.dims(), k.dims());
        if k.dims() != [batch, count, size, keys] {
            return Err(format!("its queries {:?} and keys {:?} do not go together", q.dims(), k.dims()));
        }
        let dims = [batch, count, queries, keys];
        check_size(&dims)?;
        let mut mask = Mask::given(inputs, 2, dims)?;
        if !window.is_open() {
            mask.block(blocked_places(&window, &vec![(0, keys as i64); batch], dims, inputs.device())?);
        }
        let scale = scale.unwrap_or_else(|| (size as f32).sqrt().recip());
        let product = (q * scale).matmul(k);
        let capped = if softcap > 0.0 { (product / softcap).tanh() * softcap } else { product };
        let added = match mask.added {
            Some(added) => capped + added,
            None => capped,
        };
        one(match mask.blocked {
            Some(blocked) => added.mask_fill(blocked, -1e30),
            None => added,
        })
    });
    parts.push(Part {
        name: "MatMul",
        operator: compare,
        inputs: vec![q, Wire::Made(values + 1), Wire::Given(3)],
    });
    parts.extend(weighing(values + 2, values));
    if q_heads.is_some() {
        parts.push(permuting([0, 2, 1, 3], parts.len() - 1));
        parts.push(heads_joined(parts.len() - 1));
    }
    parts
}

/// `RotaryEmbedding`: pairs of values turned by an angle that depends on their place (Su et al. 2021).
pub(super) fn rotary(node: &Node) -> Plan {
    let count = match node.int("num_heads", 0)? {
        0 => None,
        _ => Some(node.positive("num_heads", 1)?),
    };
    let turned = match node.int("rotary_embedding_dim", 0)? {
        0 => None,
        _ => Some(node.positive("rotary_embedding_dim", 1)?),
    };
    let interleaved = node.flag("interleaved", false)?;
    Ok(Box::new(move |inputs| {
        let flat = inputs.raw(0)?.rank() == 3;
        let x = heads(inputs.float(0)?, count)?;
        let [batch, count, length, size] = x.dims();
        let turned = turned.unwrap_or(size);
        if turned > size || turned % 2 != 0 || turned == 0 {
            return Err(format!("it cannot turn {turned} of {size} values in pairs"));
        }
        let half = turned / 2;
        // One angle for each pair at each place, the same for all heads.
        let angles = |index: usize| -> Result<Tensor<4>, String> {
            let table = inputs.float(index)?;
            let dims = table.dims();
            let misfit = || format!("its table of shape {dims:?} does not hold {half} angles for each place");
            if table.is_empty() || dims.last() != Some(&half) {
                return Err(misfit());
            }
            let rows = match (inputs.has(3), table.get::<2>()) {
                (true, Some(table)) => {
                    let ids = places(inputs, 3, dims[0])?;
                    if ids.dims() != [batch, length] {
                        return Err(format!(
                            "its places of shape {:?} are not {batch} x {length}",
                            ids.dims()
                        ));
                    }
                    Ranked::from(table.select(0, ids.flat()))
                }
                (true, None) => return Err(misfit()),
                (false, _) => table,
            };
            let angles = rows.reshape(&[batch, 1, length, half]).and_then(|rows| rows.get::<4>());
            Ok(angles.ok_or_else(misfit)?.expand([batch, count, length, half]))
        };
        let (cos, sin) = (angles(1)?, angles(2)?);
        let part = |x: &Tensor<4>, from: usize, to: usize| x.clone().slice_dim(3, from as i64..to as i64);
        let moved = part(&x, 0, turned);
        let shape = [batch, count, length, half];
        let (a, b) = match interleaved {
            true => {
                let pairs: Tensor<5> = moved.reshape([batch, count, length, half, 2]);
                let one = |which: i64| pairs.clone().slice_dim(4, which..which + 1).reshape(shape);
                (one(0), one(1))
            }
            false => (part(&moved, 0, half), part(&moved, half, turned)),
        };
        let real = a.clone() * cos.clone() - b.clone() * sin.clone();
        let imaginary = a * sin + b * cos;
        let mut y = match interleaved {
            true => {
                let thin = [batch, count, length, half, 1];
                let pairs: Vec<Tensor<5>> = vec![real.reshape(thin), imaginary.reshape(thin)];
                Tensor::cat(pairs, 4).reshape([batch, count, length, turned])
            }
            false => Tensor::cat(vec![real, imaginary], 3),
        };
        if turned < size {
            y = Tensor::cat(vec![y, part(&x, turned, size)], 3);
        }
        if flat { one(packed(y)) } else { one(y) }
    }))
}

/// `TensorScatter`: new elements of each sample written into its cache along an axis, from the sample's own place on.
pub(super) fn tensor_scatter(node: &Node) -> Plan {
    let given = node.int("axis", -2)?;
    let circular = match node.text("mode", "linear")?.as_str() {
        "linear" => false,
        "circular" => true,
        other => return Err(format!("its mode \"{other}\" is unknown")),
    };
    Ok(Box::new(move |inputs| {
        let (cache, update) = (inputs.value(0)?, inputs.value(1)?);
        let dims = cache.dims();
        let axis = axis(given, dims.len())?;
        let mut fitting = update.dims();
        let misfit = || format!("its update of shape {:?} does not fit a cache of {dims:?}", update.dims());
        let length = *fitting.get(axis).ok_or_else(misfit)?;
        fitting[axis] = dims[axis];
        if axis == 0 || fitting != dims || length > dims[axis] || cache.is_empty() || update.is_empty() {
            return Err(misfit());
        }
        let size = dims[axis] as i64;
        let starts = if inputs.has(2) { inputs.ints(2)? } else { vec![0; dims[0]] };
        if starts.len() != dims[0] {
            return Err(format!("its {} places are not one for each of {} samples", starts.len(), dims[0]));
        }
        // What is written lies behind the cache, and each place takes from there or stays.
        let both = joined(vec![cache, update], axis)?;
        let mut samples = Vec::with_capacity(starts.len());
        for (sample, start) in starts.into_iter().enumerate() {
            let mut from: Vec<i64> = (0..size).collect();
            for new in 0..length as i64 {
                let place = start.checked_add(new).ok_or("its places are absurd")?;
                let place = if circular { place.rem_euclid(size) } else { place };
                let slot = usize::try_from(place).ok().and_then(|place| from.get_mut(place));
                *slot.ok_or_else(|| format!("its place {place} is beyond a cache of {size}"))? = size + new;
            }
            samples.push(picked(narrowed(both.clone(), 0, sample, sample + 1), axis, &from));
        }
        one(joined(samples, 0)?)
    }))
}

/// `LinearAttention`: a state `S` of keys and values, read by the query at each step. `S' = exp(g) S` where it is gated,
/// `v' = beta (v - S'^T k)` where it corrects itself (the delta rule), `S = S' + k v'^T`, `y = scale S^T q`.
pub(super) fn linear_attention(node: &Node) -> Plan {
    let (q_heads, kv_heads) = (head_count(node, "q_num_heads")?, head_count(node, "kv_num_heads")?);
    let (Some(q_heads), Some(kv_heads)) = (q_heads, kv_heads) else {
        return Err("its q_num_heads or kv_num_heads is missing".into());
    };
    if q_heads % kv_heads != 0 {
        return Err(format!("{kv_heads} heads of keys cannot be shared by {q_heads} of queries"));
    }
    let (gated, delta) = match node.text("update_rule", "gated_delta")?.as_str() {
        "linear" => (false, false),
        "gated" => (true, false),
        "delta" => (false, true),
        "gated_delta" => (true, true),
        other => return Err(format!("its update_rule \"{other}\" is unknown")),
    };
    let scale = Some(node.float("scale", 0.0)?).filter(|&scale| scale != 0.0);
    let outputs = node.proto.output.len();
    Ok(Box::new(move |inputs| {
        let three = |index: usize, count: usize| match inputs.raw(index)?.rank() {
            3 => heads(inputs.float(index)?, Some(count)),
            rank => Err(format!("its input {index} must have 3 dimensions, not {rank}")),
        };
        let (q, k, v) = (three(0, q_heads)?, three(1, kv_heads)?, three(2, kv_heads)?);
        let ([batch, _, length, key], value) = (k.dims(), v.dims()[3]);
        if q.dims() != [batch, q_heads, length, key] || v.dims()[..3] != [batch, kv_heads, length] {
            return Err(format!(
                "its queries {:?}, keys {:?} and values {:?} do not go together",
                q.dims(),
                k.dims(),
                v.dims()
            ));
        }
        // One number a head, or one for each of its keys' values.
        let gate = |index: usize, counts: &[usize]| -> Result<Tensor<4>, String> {
            let dims = inputs.raw(index)?.dims();
            let last = dims.last().copied().unwrap_or(0);
            let count = if last == kv_heads * key { kv_heads } else { last };
            match dims[..] == [batch, length, last] && counts.contains(&last) {
                true => three(index, count),
                false => Err(format!("its input {index} of shape {dims:?} is not one number a head")),
            }
        };
        let decay = if gated { Some(gate(4, &[kv_heads, kv_heads * key])?.exp()) } else { None };
        let rate = if delta { Some(gate(5, &[kv_heads, 1])?) } else { None };
        let mut state = match inputs.has(3) {
            true => inputs.tensor::<4>(3)?,
            false => Tensor::zeros([batch, kv_heads, key, value], inputs.device()),
        };
        if state.dims() != [batch, kv_heads, key, value] {
            return Err(format!("its state of shape {:?} does not fit", state.dims()));
        }
        let scale = scale.unwrap_or_else(|| (key as f32).sqrt().recip());
        let mut read = Vec::with_capacity(length);
        for step in 0..length as i64 {
            let at = |x: &Tensor<4>| x.clone().slice_dim(2, step..step + 1);
            if let Some(decay) = &decay {
                state = state * at(decay).swap_dims(2, 3);
            }
            let now = at(&k);
            let mut new = at(&v);
            if let Some(rate) = &rate {
                new = (new - now.clone().matmul(state.clone())) * at(rate);
            }
            state = state + now.swap_dims(2, 3).matmul(new);
            read.push((at(&q) * scale).matmul(shared(state.clone(), q_heads)));
        }
        let mut results: Vec<Value> = vec![packed(Tensor::cat(read, 2)).into(), state.into()];
        results.truncate(outputs);
        Ok(results)
    }))
}

/// `CausalConvWithState`: each channel's own kernel over the present and the past, of which the last part is handed on.
pub(super) fn causal_convolution(node: &Node) -> Plan {
    let swish = match node.text("activation", "none")?.as_str() {
        "none" => false,
        "silu" | "swish" => true,
        other => return Err(format!("its activation \"{other}\" is unknown")),
    };
    let outputs = node.proto.output.len();
    Ok(Box::new(move |inputs| {
        let (x, kernel) = (inputs.tensor::<3>(0)?, inputs.tensor::<3>(1)?);
        let ([batch, channels, length], [own, middle, reach]) = (x.dims(), kernel.dims());
        if own != channels || middle != 1 || x.dims().contains(&0) || reach == 0 {
            return Err(format!("its kernel {:?} does not fit an input of {:?}", kernel.dims(), x.dims()));
        }
        let past = reach - 1;
        check_size(&[batch, channels, past + length])?;
        let before = match inputs.has(3) {
            true => inputs.value(3)?,
            false if past == 0 => empty_like(&x.clone().into(), 2)?,
            false => Value::from(Tensor::<3>::zeros([batch, channels, past], inputs.device())),
        };
        if before.dims() != [batch, channels, past] {
            return Err(format!("its state of shape {:?} does not hold {past} places", before.dims()));
        }
        let all = joined(vec![before, x.into()], 2)?;
        let Value::Float(wide) = &all else { return Err("its state must hold real numbers".into()) };
        let wide: Tensor<3> = wide.get().ok_or("its state must have 3 dimensions")?;
        let tap = |at: usize| {
            let weight = kernel.clone().slice_dim(2, at as i64..at as i64 + 1).reshape([1, channels, 1]);
            wide.clone().slice_dim(2, at as i64..(at + length) as i64) * weight
        };
        let mut y = (1..reach).fold(tap(0), |sum, at| sum + tap(at));
        if inputs.has(2) {
            let bias = inputs.tensor::<1>(2)?;
            if bias.dims() != [channels] {
                return Err(format!("its bias of shape {:?} is not one a channel", bias.dims()));
            }
            y = y + bias.reshape([1, channels, 1]);
        }
        let y = if swish { activation::silu(y) } else { y };
        let state = match past {
            0 => empty_like(&all, 2)?,
            _ => narrowed(all, 2, length, length + past),
        };
        let mut results: Vec<Value> = vec![y.into(), state];
        results.truncate(outputs);
        Ok(results)
    }))
}
