//! Products of matrices.

use burn::tensor::{Float, Tensor};

use super::{
    Described, Inputs, Kind, Lowering, Node, Operator, Plan, check_size, one,
    quantization::{Quantized, dequantized, requantized},
    shape::permuted,
    too_many,
};
use crate::model::value::{Ranked, Value};

/// The product of two values of any rank, as numpy's `matmul` defines it.
pub(super) fn product(a: Ranked<Float>, b: Ranked<Float>) -> Result<Ranked<Float>, String> {
    let (a_dims, b_dims) = (a.dims(), b.dims());
    let mismatch = || format!("its inputs of shapes {a_dims:?} and {b_dims:?} do not multiply");
    if a_dims.is_empty() || b_dims.is_empty() || a.is_empty() || b.is_empty() {
        return Err(mismatch());
    }
    // A vector is a row on the left and a column on the right; its dimension of size 1 is dropped again.
    let (row, column) = (a_dims.len() == 1, b_dims.len() == 1);
    let a = if row { a.reshape(&[1, a_dims[0]]).ok_or_else(mismatch)? } else { a };
    let b = if column { b.reshape(&[b_dims[0], 1]).ok_or_else(mismatch)? } else { b };
    let (left, right) = (a.dims(), b.dims());
    let (m, k) = (left[left.len() - 2], left[left.len() - 1]);
    let (k_too, n) = (right[right.len() - 2], right[right.len() - 1]);
    if k != k_too {
        return Err(mismatch());
    }
    let rank = left.len().max(right.len());
    let mut dims = Vec::with_capacity(rank);
    for index in 0..rank - 2 {
        let size = |dims: &[usize]| (index + dims.len()).checked_sub(rank).map_or(1, |index| dims[index]);
        dims.push(match (size(&left), size(&right)) {
            (1, size) | (size, 1) => size,
            (l, r) if l == r => l,
            _ => return Err(mismatch()),
        });
    }
    let batch = dims.clone();
    dims.extend([m, n]);
    check_size(&dims)?;
    let result = if right.len() == 2 {
        // One matrix for all rows: a single product.
        let rows: usize = left[..left.len() - 1].iter().product();
        let a: Tensor<2> = a.reshape(&[rows, k]).and_then(|a| a.get()).ok_or_else(mismatch)?;
        let b: Tensor<2> = b.get().ok_or_else(mismatch)?;
        Ranked::from(a.matmul(b))
    } else {
        let count: usize = batch.iter().product();
        let stack = |value: Ranked<Float>, rows: usize, columns: usize| {
            let mut wide = batch.clone();
            wide.extend([rows, columns]);
            value
                .expand(&wide)
                .and_then(|value| value.reshape(&[count, rows, columns]))
                .and_then(|value| value.get())
        };
        let a: Tensor<3> = stack(a, m, k).ok_or_else(mismatch)?;
        let b: Tensor<3> = stack(b, k, n).ok_or_else(mismatch)?;
        Ranked::from(a.matmul(b))
    };
    if column {
        dims.pop();
    }
    if row {
        dims.remove(dims.len() - if column { 1 } else { 2 });
    }
    result.reshape(&dims).ok_or_else(|| too_many(&dims))
}

/// `MatMul`.
pub(super) fn matmul(_: &Node) -> Described {
    Ok(Operator::new(Kind::Matmul, |inputs| match (inputs.value(0)?, inputs.value(1)?) {
        (Value::Float(a), Value::Float(b)) => one(product(a, b)?),
        (Value::Int(a), Value::Int(b)) => {
            let real = super::quantization::real;
            let y = product(real(a), real(b))?;
            one(y.round().int())
        }
        _ => Err("its inputs are of different kinds".into()),
    })
    .learns(0..2)
    .lowers(Lowering::Matmul { transposed: false, alpha: 1.0, beta: 1.0 }))
}

/// `MatMulInteger`: whole numbers, minus their zero points.
pub(super) fn matmul_integer(_: &Node) -> Described {
    Ok(Operator::new(Kind::Matmul, |inputs| {
        let rows = inputs.raw(0)?.rank().checked_sub(2);
        let a = dequantized(inputs, Quantized { value: 0, scale: None, zero: Some(2), axis: rows })?;
        let columns = inputs.raw(1)?.rank().checked_sub(1);
        let b = dequantized(inputs, Quantized { value: 1, scale: None, zero: Some(3), axis: columns })?;
        one(product(a, b)?)
    }))
}

/// `QLinearMatMul`: dequantised, multiplied, quantised again.
pub(super) fn qlinear_matmul(node: &Node) -> Described {
    let element = node.element(7);
    Ok(Operator::new(Kind::Matmul, move |inputs| {
        let rows = inputs.raw(0)?.rank().checked_sub(2);
        let a = dequantized(inputs, Quantized { value: 0, scale: Some(1), zero: Some(2), axis: rows })?;
        let columns = inputs.raw(3)?.rank().checked_sub(1);
        let b = dequantized(inputs, Quantized { value: 3, scale: Some(4), zero: Some(5), axis: columns })?;
        one(requantized(inputs, product(a, b)?, 6, 7, element)?)
    })
    .gives(element))
}

/// `Gemm`: `Y = alpha A' B' + beta C`, `C` broadcast to the product.
pub(super) fn gemm(node: &Node) -> Described {
    let (alpha, beta) = (node.float("alpha", 1.0)?, node.float("beta", 1.0)?);
    let (turn_a, turn_b) = (node.flag("transA", false)?, node.flag("transB", false)?);
    let gemm = Operator::new(Kind::Matmul, move |inputs: &Inputs| {
        let turned = |matrix: Tensor<2>, turn: bool| if turn { matrix.transpose() } else { matrix };
        let a = turned(inputs.tensor::<2>(0)?, turn_a);
        let b = turned(inputs.tensor::<2>(1)?, turn_b);
        if a.dims().contains(&0) || b.dims().contains(&0) {
            return Err(format!("its matrices {:?} and {:?} are empty", a.dims(), b.dims()));
        }
        if a.dims()[1] != b.dims()[0] {
            return Err(format!("its matrices {:?} and {:?} do not multiply", a.dims(), b.dims()));
        }
        check_size(&[a.dims()[0], b.dims()[1]])?;
        let scaled = |matrix: Tensor<2>, by: f32| if by == 1.0 { matrix } else { matrix * by };
        let mut y = scaled(a.matmul(b), alpha);
        if inputs.has(2) {
            let c = inputs.float(2)?;
            let shape = c.dims();
            let c = c.with_rank(2).and_then(|c| c.get::<2>()).ok_or("its third input is not a matrix")?;
            let fits = c.dims().iter().zip(y.dims()).all(|(&c, y)| c == y || c == 1);
            if !fits {
                return Err(format!("its third input {shape:?} does not broadcast to {:?}", y.dims()));
            }
            y = y + scaled(c, beta);
        }
        one(y)
    });
    let gemm = gemm.learns(1..3);
    Ok(if turn_a { gemm } else { gemm.lowers(Lowering::Matmul { transposed: turn_b, alpha, beta }) })
}

/// The letters of an `Einsum` operand, `...` written as upper-case letters from the end.
fn letters(term: &str, rank: usize) -> Result<Vec<char>, String> {
    let term = term.trim();
    let misfit = || format!("its term \"{term}\" does not fit an input of {rank} dimensions");
    if !term.replacen("...", "", 1).chars().all(|letter| letter.is_ascii_alphabetic()) {
        return Err(misfit());
    }
    let known: Vec<char> = term.chars().filter(|letter| letter.is_ascii_alphabetic()).collect();
    match term.split_once("...") {
        None if known.len() == rank => Ok(known),
        Some((before, after)) if known.len() <= rank && rank - known.len() <= 8 => {
            let open = rank - known.len();
            // A digit cannot be one of the equation's letters.
            let wild = (0..open).rev().map(|place| char::from(b'0' + place as u8));
            Ok(before.trim().chars().chain(wild).chain(after.trim().chars()).collect())
        }
        _ => Err(misfit()),
    }
}

/// `Einsum`: a sum of products over named dimensions. Operands are multiplied two by two, each pair as a batch of
/// matrix products: shared letters that stay are the batch, those that go are summed.
pub(super) fn einsum(node: &Node) -> Described {
    let equation = node.text("equation", "")?.replace(' ', "");
    Ok(Operator::new(Kind::Einsum, move |inputs| {
        let (left, right) = match equation.split_once("->") {
            Some((left, right)) => (left, Some(right)),
            None => (equation.as_str(), None),
        };
        let terms: Vec<&str> = left.split(',').collect();
        if terms.len() != inputs.len() {
            return Err(format!("its equation \"{equation}\" has {} terms", terms.len()));
        }
        let mut operands = Vec::new();
        for (index, term) in terms.iter().enumerate() {
            let value = inputs.float(index)?;
            if value.is_empty() {
                return Err(format!("its input {index} is empty"));
            }
            let names = letters(term, value.rank())?;
            operands.push(diagonal(value, names)?);
        }
        let all: Vec<char> = operands.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        let wild =
            all.iter().filter(|letter| letter.is_ascii_digit()).collect::<std::collections::BTreeSet<_>>();
        let output: Vec<char> = match right {
            Some(right) => letters(
                right,
                right.replace("...", "").len() + if right.contains("...") { wild.len() } else { 0 },
            )?,
            None => {
                let mut once: Vec<char> = all
                    .iter()
                    .copied()
                    .filter(|letter| letter.is_ascii_digit() || terms.concat().matches(*letter).count() == 1)
                    .collect();
                once.sort_by_key(|letter| {
                    (
                        !letter.is_ascii_digit(),
                        if letter.is_ascii_digit() { -(*letter as i32) } else { *letter as i32 },
                    )
                });
                once.dedup();
                once
            }
        };
        let mut operands = operands.into_iter();
        let mut result = operands.next().ok_or("it has no input")?;
        let mut rest: Vec<_> = operands.collect();
        while !rest.is_empty() {
            let next = rest.remove(0);
            let needed: Vec<char> = output
                .iter()
                .copied()
                .chain(rest.iter().flat_map(|(_, names)| names.iter().copied()))
                .collect();
            result = contract(result, next, &needed)?;
        }
        let result = summed(result, &output)?;
        one(arranged(result, &output)?)
    }))
}

type Named = (Ranked<Float>, Vec<char>);

/// A letter that occurs twice in one operand means its diagonal.
fn diagonal(value: Ranked<Float>, names: Vec<char>) -> Result<Named, String> {
    let repeated = (0..names.len()).find_map(|first| {
        let again = (first + 1..names.len()).find(|&second| names[second] == names[first])?;
        Some((first, again))
    });
    let Some((first, second)) = repeated else { return Ok((value, names)) };
    let dims = value.dims();
    let n = dims[first];
    if n != dims[second] {
        return Err("a repeated letter names dimensions of different sizes".into());
    }
    let mut order: Vec<usize> = (0..names.len()).filter(|&axis| axis != first && axis != second).collect();
    let mut left: Vec<char> = order.iter().map(|&axis| names[axis]).collect();
    let mut flat: Vec<usize> = order.iter().map(|&axis| dims[axis]).collect();
    let last = flat.len();
    order.extend([first, second]);
    flat.push(n * n);
    let places: Vec<i64> = (0..n as i64).map(|at| at * (n as i64 + 1)).collect();
    let moved = permuted(Value::Float(value), &order)?.reshape(&flat)?;
    left.push(names[first]);
    match super::shape::picked(moved, last, &places) {
        Value::Float(value) => diagonal(value, left),
        _ => Err("its input is not real".into()),
    }
}

/// Sums over the letters that are not among `kept`.
fn summed((mut value, mut names): Named, kept: &[char]) -> Result<Named, String> {
    for axis in (0..names.len()).rev() {
        if !kept.contains(&names[axis]) {
            let mut dims = value.dims();
            value = value.sum_dim(axis);
            dims.remove(axis);
            value = value.reshape(&dims).ok_or("its input is empty")?;
            names.remove(axis);
        }
    }
    Ok((value, names))
}

fn arranged((value, names): Named, order: &[char]) -> Result<Ranked<Float>, String> {
    if order.len() != names.len() {
        return Err("its output names a dimension twice".into());
    }
    let places: Option<Vec<usize>> =
        order.iter().map(|name| names.iter().position(|other| other == name)).collect();
    match permuted(Value::Float(value), &places.ok_or("its output names a dimension that no input has")?)? {
        Value::Float(value) => Ok(value),
        _ => Err("its input is not real".into()),
    }
}

fn contract(left: Named, right: Named, needed: &[char]) -> Result<Named, String> {
    let kept_with = |other: &Named| other.1.iter().chain(needed).copied().collect::<Vec<char>>();
    let (keep_left, keep_right) = (kept_with(&right), kept_with(&left));
    let (left, right) = (summed(left, &keep_left)?, summed(right, &keep_right)?);
    let shared: Vec<char> = left.1.iter().copied().filter(|name| right.1.contains(name)).collect();
    let (batch, gone): (Vec<char>, Vec<char>) = shared.into_iter().partition(|name| needed.contains(name));
    let free = |side: &Named| {
        side.1.iter().copied().filter(|name| !batch.contains(name) && !gone.contains(name)).collect()
    };
    let (rows, columns): (Vec<char>, Vec<char>) = (free(&left), free(&right));
    let size = |name: &char| {
        let find =
            |side: &Named| side.1.iter().position(|other| other == name).map(|axis| side.0.dims()[axis]);
        match (find(&left), find(&right)) {
            (Some(1), Some(size)) | (Some(size), Some(1) | None) | (None, Some(size)) => Ok(size),
            (Some(l), Some(r)) if l == r => Ok(l),
            _ => Err("a letter names dimensions of different sizes".to_owned()),
        }
    };
    let sizes = |names: &[char]| names.iter().map(size).collect::<Result<Vec<usize>, String>>();
    let (b, m, k, n) = (sizes(&batch)?, sizes(&rows)?, sizes(&gone)?, sizes(&columns)?);
    let join = |parts: [&[usize]; 3]| parts.concat();
    let count = |dims: &[usize]| dims.iter().product::<usize>();
    let matrix = |side: Named, order: [&[char]; 3], dims: [&[usize]; 3]| -> Result<Tensor<3>, String> {
        let value = arranged(side, &order.concat())?;
        let value = value.expand(&join(dims)).ok_or("a letter names dimensions of different sizes")?;
        let flat = [count(dims[0]), count(dims[1]), count(dims[2])];
        value.reshape(&flat).and_then(|value| value.get()).ok_or_else(|| "its input is empty".into())
    };
    let a = matrix(left, [&batch, &rows, &gone], [&b, &m, &k])?;
    let c = matrix(right, [&batch, &gone, &columns], [&b, &k, &n])?;
    let dims = join([&b, &m, &n]);
    check_size(&dims)?;
    let value = Ranked::from(a.matmul(c)).reshape(&dims).ok_or_else(|| too_many(&dims))?;
    Ok((value, [batch, rows, columns].concat()))
}

/// `Det`: the determinants of square matrices, by elimination. Which row is next is read on the host; of small matrices
/// the formula is written out.
pub(super) fn determinant(_: &Node) -> Plan {
    Ok(Box::new(|inputs| {
        let x = inputs.float(0)?;
        let dims = x.dims();
        let [ref lead @ .., rows, columns] = dims[..] else { return Err("its input is no matrix".into()) };
        if rows != columns || x.is_empty() {
            return Err(format!("its input of shape {dims:?} holds no square matrices"));
        }
        let count: usize = lead.iter().product();
        let wrong = || "its input is empty".to_owned();
        let stack: Tensor<3> = x.reshape(&[count, rows, rows]).and_then(|x| x.get()).ok_or_else(wrong)?;
        let found: Tensor<1> = match rows {
            1..=3 => expanded(stack),
            _ => {
                let one = |at: usize| {
                    eliminated(stack.clone().slice_dim(0, at as i64..at as i64 + 1).reshape([rows, rows]))
                };
                Tensor::cat((0..count).map(one).collect::<Result<Vec<_>, _>>()?, 0)
            }
        };
        one(Ranked::D1(found).reshape(lead).ok_or_else(wrong)?)
    }))
}

/// The determinants of matrices of up to three rows, `[N, rows, rows]`.
fn expanded(x: Tensor<3>) -> Tensor<1> {
    let [count, rows, _] = x.dims();
    let at = |row: usize, column: usize| -> Tensor<1> {
        let (row, column) = (row as i64, column as i64);
        x.clone().slice_dim(1, row..row + 1).slice_dim(2, column..column + 1).reshape([count])
    };
    let two = |[a, b]: [usize; 2], [c, d]: [usize; 2]| at(a, c) * at(b, d) - at(a, d) * at(b, c);
    match rows {
        1 => at(0, 0),
        2 => two([0, 1], [0, 1]),
        _ => at(0, 0) * two([1, 2], [1, 2]) - at(0, 1) * two([1, 2], [0, 2]) + at(0, 2) * two([1, 2], [0, 1]),
    }
}

fn eliminated(mut x: Tensor<2>) -> Result<Tensor<1>, String> {
    if x.device() != burn::tensor::Device::flex() {
        return Err("its matrices of more than 3 rows are computed on the CPU only".into());
    }
    let mut product: Option<Tensor<1>> = None;
    loop {
        let [rows, _] = x.dims();
        let first = x.clone().slice_dim(1, 0..1);
        let sizes: Vec<f32> = first.clone().detach().abs().into_data().iter::<f32>().collect();
        let pivot = (0..rows).max_by(|&a, &b| sizes[a].total_cmp(&sizes[b])).unwrap_or(0);
        let row = x.clone().slice_dim(0, pivot as i64..pivot as i64 + 1);
        let value: Tensor<1> = row.clone().slice_dim(1, 0..1).reshape([1]);
        // A row taken out of its place changes the sign as often as it passes another.
        let signed = if pivot % 2 == 1 { value.clone().neg() } else { value.clone() };
        let so_far = match product {
            Some(product) => product * signed,
            None => signed,
        };
        if rows == 1 || sizes[pivot] == 0.0 {
            return Ok(so_far);
        }
        product = Some(so_far);
        let others: Vec<i64> = (0..rows as i64).filter(|&row| row != pivot as i64).collect();
        let others = Tensor::<1, burn::tensor::Int>::from_data(others.as_slice(), &x.device());
        let rest = x.select(0, others);
        let factors = rest.clone().slice_dim(1, 0..1) / value.reshape([1, 1]);
        x = (rest - factors.matmul(row)).slice_dim(1, 1..rows as i64);
    }
}
