//! Support vector machines (`ai.onnx.ml`), with libsvm's voting and pairwise probabilities.

use burn::tensor::{Tensor, activation};

use super::{
    Described, Inputs, Kind, Node, Operator, Plan, check_size,
    classical::{Labels, Other, Transform, matrix, rows},
    one,
    reduction::root,
};
use crate::model::{element::Element, value::Ranked};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Linear,
    Poly,
    Rbf,
    Sigmoid,
}

/// How alike two rows are.
struct Similarity {
    shape: Shape,
    gamma: f32,
    offset: f32,
    degree: f32,
}

impl Similarity {
    fn of(node: &Node) -> Result<Self, String> {
        let shape = match node.text("kernel_type", "LINEAR")?.as_str() {
            "LINEAR" => Shape::Linear,
            "POLY" => Shape::Poly,
            "RBF" => Shape::Rbf,
            "SIGMOID" => Shape::Sigmoid,
            other => return Err(format!("its kernel_type \"{other}\" is unknown")),
        };
        let given = node.floats("kernel_params")?.unwrap_or_default();
        let number = |at: usize, default: f32| given.get(at).copied().unwrap_or(default);
        let (gamma, offset, degree) = (number(0, 0.0), number(1, 0.0), number(2, 3.0));
        // Burn takes no larger exponent.
        if shape == Shape::Poly && (degree.is_nan() || degree.abs() >= 1e9) {
            return Err(format!("its degree is {degree}"));
        }
        Ok(Self { shape, gamma, offset, degree })
    }

    /// Between each of the rows `[N, F]` and each of the vectors `[S, F]`.
    fn between(&self, x: Tensor<2>, vectors: Tensor<2>) -> Result<Tensor<2>, String> {
        let ([samples, features], [count, width]) = (x.dims(), vectors.dims());
        if features != width {
            return Err(format!("its vectors have {width} features, and its input has {features}"));
        }
        check_size(&[samples, count])?;
        if self.shape == Shape::Rbf {
            return Ok((squared_distances(&x, &vectors) * -self.gamma).exp());
        }
        let product = x.matmul(vectors.transpose());
        let scaled = |product: Tensor<2>| product * self.gamma + self.offset;
        Ok(match self.shape {
            Shape::Poly if self.degree.fract() == 0.0 && (1.0..=16.0).contains(&self.degree) => {
                scaled(product).powi_scalar(self.degree as i32)
            }
            Shape::Poly => scaled(product).powf_scalar(self.degree),
            Shape::Sigmoid => scaled(product).tanh(),
            _ => product,
        })
    }
}

/// Between each of the rows `[N, F]` and each of the vectors `[S, F]`: the squares of differences, because a difference of
/// squares would lose what is small beside them.
fn squared_distances(x: &Tensor<2>, vectors: &Tensor<2>) -> Tensor<2> {
    let ([samples, features], [count, _]) = (x.dims(), vectors.dims());
    let mut distance = Tensor::<2>::zeros([samples, count], &vectors.device());
    for feature in 0..features as i64 {
        let left = x.clone().slice_dim(1, feature..feature + 1);
        let right = vectors.clone().slice_dim(1, feature..feature + 1).transpose();
        let apart = left - right;
        distance = distance + apart.clone() * apart;
    }
    distance
}

/// `CDist`: the distances between the rows of two matrices, or their squares.
pub(super) fn distances(node: &Node) -> Plan {
    let squared = match node.text("metric", "sqeuclidean")?.as_str() {
        "sqeuclidean" => true,
        "euclidean" => false,
        other => return Err(format!("its metric \"{other}\" is unknown")),
    };
    Ok(Box::new(move |inputs| {
        let (a, b) = (inputs.tensor::<2>(0)?, inputs.tensor::<2>(1)?);
        if a.dims()[1] != b.dims()[1] || a.dims().contains(&0) || b.dims().contains(&0) {
            return Err(format!("its rows {:?} and {:?} do not go together", a.dims(), b.dims()));
        }
        check_size(&[a.dims()[0], b.dims()[0]])?;
        let distances = Ranked::from(squared_distances(&a, &b));
        one(if squared { distances } else { root(distances, 2.0) })
    }))
}

/// Vectors as rows of numbers.
struct Vectors {
    numbers: Vec<f32>,
    count: usize,
}

impl Vectors {
    fn of(node: &Node, name: &str, count: usize) -> Result<Self, String> {
        let numbers = node.floats(name)?.unwrap_or_default();
        if count == 0 || numbers.is_empty() || !numbers.len().is_multiple_of(count) {
            return Err(format!("its {name} of {} numbers are not {count} vectors", numbers.len()));
        }
        Ok(Self { numbers, count })
    }

    fn tensor(&self, inputs: &Inputs) -> Result<Tensor<2>, String> {
        matrix(&self.numbers, [self.count, self.numbers.len() / self.count], inputs)
    }
}

/// `SVMRegressor`, of one class too.
pub(super) fn regressor(node: &Node) -> Plan {
    let similarity = Similarity::of(node)?;
    let transform = Transform::of(node)?;
    let one_class = node.flag("one_class", false)?;
    let coefficients = node.floats("coefficients")?.unwrap_or_default();
    let rho = node.floats("rho")?.and_then(|rho| rho.first().copied()).unwrap_or(0.0);
    let count = match node.int("n_supports", 0)? {
        0 => None,
        _ => Some(node.positive("n_supports", 1)?),
    };
    let vectors = match count {
        Some(count) => Vectors::of(node, "support_vectors", count)?,
        // A linear one has its weights in place of vectors.
        None => Vectors::of(node, "coefficients", 1)?,
    };
    if count.is_some_and(|count| coefficients.len() != count) {
        return Err(format!("it has {} coefficients for {} vectors", coefficients.len(), vectors.count));
    }
    Ok(Box::new(move |inputs| {
        let alike = similarity.between(rows(inputs)?, vectors.tensor(inputs)?)?;
        let sum = match count {
            Some(count) => alike.matmul(matrix(&coefficients, [count, 1], inputs)?),
            None => alike,
        };
        let score = sum + rho;
        if one_class {
            return one(score.greater_elem(0.0).float() * 2.0 - 1.0);
        }
        one(transform.apply(score))
    }))
}

/// The pairs of classes, in their order.
fn pairs(classes: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..classes).flat_map(move |i| (i + 1..classes).map(move |j| (i, j)))
}

/// A machine for each pair of classes.
struct Machines {
    vectors: Vectors,
    classes: usize,
    /// `[vectors, pairs]`: what each vector adds to each pair's decision.
    weights: Vec<f32>,
    rho: Vec<f32>,
    /// The slope and offset of each pair's probability.
    probabilities: Option<(Vec<f32>, Vec<f32>)>,
}

impl Machines {
    fn of(node: &Node, each: &[usize], classes: usize) -> Result<Self, String> {
        let count = each.iter().try_fold(0usize, |sum, &count| sum.checked_add(count));
        let count = count.ok_or("its vectors are too many")?;
        let vectors = Vectors::of(node, "support_vectors", count)?;
        let coefficients = node.floats("coefficients")?.unwrap_or_default();
        let rho = node.floats("rho")?.unwrap_or_default();
        let pairs: Vec<(usize, usize)> = pairs(classes).collect();
        if each.len() != classes || rho.len() < pairs.len() || classes < 2 {
            return Err(format!("its vectors and rho do not fit {classes} classes"));
        }
        if coefficients.len() != count * (classes - 1) {
            return Err(format!(
                "it has {} coefficients for {count} vectors of {classes} classes",
                coefficients.len()
            ));
        }
        let mut starts = vec![0];
        for count in each {
            starts.push(starts[starts.len() - 1] + count);
        }
        let mut weights = vec![0.0; count * pairs.len()];
        for (pair, &(i, j)) in pairs.iter().enumerate() {
            for at in starts[i]..starts[i + 1] {
                weights[at * pairs.len() + pair] = coefficients[(j - 1) * count + at];
            }
            for at in starts[j]..starts[j + 1] {
                weights[at * pairs.len() + pair] = coefficients[i * count + at];
            }
        }
        let (slopes, offsets) =
            (node.floats("prob_a")?.unwrap_or_default(), node.floats("prob_b")?.unwrap_or_default());
        let probabilities = match slopes.is_empty() {
            true => None,
            false if slopes.len() >= pairs.len() && offsets.len() >= pairs.len() => {
                Some((slopes[..pairs.len()].to_vec(), offsets[..pairs.len()].to_vec()))
            }
            false => return Err(format!("its prob_a and prob_b do not fit {classes} classes")),
        };
        Ok(Self { vectors, classes, weights, rho: rho[..pairs.len()].to_vec(), probabilities })
    }

    /// The decisions, one for each pair.
    fn decisions(&self, similarity: &Similarity, inputs: &Inputs) -> Result<Tensor<2>, String> {
        let alike = similarity.between(rows(inputs)?, self.vectors.tensor(inputs)?)?;
        let pairs = self.rho.len();
        check_size(&[alike.dims()[0], pairs])?;
        let weights = matrix(&self.weights, [self.vectors.count, pairs], inputs)?;
        Ok(alike.matmul(weights) + matrix(&self.rho, [1, pairs], inputs)?)
    }

    /// Which class each row is: the one that wins most pairs.
    fn votes(&self, decisions: Tensor<2>, inputs: &Inputs) -> Result<Tensor<2>, String> {
        let (pairs, classes) = (self.rho.len(), self.classes);
        let (mut wins, mut losses) = (vec![0.0; pairs * classes], vec![0.0; pairs * classes]);
        for (pair, (i, j)) in self::pairs(classes).enumerate() {
            wins[pair * classes + i] = 1.0;
            losses[pair * classes + j] = 1.0;
        }
        let first = decisions.greater_elem(0.0).float();
        let second = first.clone().neg() + 1.0;
        let side = |table: &[f32]| matrix(table, [pairs, classes], inputs);
        Ok(first.matmul(side(&wins)?) + second.matmul(side(&losses)?))
    }
}

/// The probabilities of all classes from those of pairs (Wu, Lin and Weng 2004), by libsvm's iteration with its end.
/// `pair[i][j]`, each `[N, 1]`, is how probable class `i` is beside class `j`.
fn coupled(pair: &[Vec<Tensor<2>>]) -> Tensor<2> {
    let classes = pair.len();
    let mut rows: Vec<Tensor<2>> = Vec::with_capacity(classes);
    for (i, beside) in pair.iter().enumerate() {
        let entry = |(j, there): (usize, &Tensor<2>)| match i == j {
            false => (pair[j][i].clone() * there.clone()).neg(),
            true => {
                let others = (0..classes).filter(|&other| other != i);
                let squares = others.map(|other| pair[other][i].clone() * pair[other][i].clone());
                squares.reduce(|sum, square| sum + square).unwrap_or_else(|| there.clone())
            }
        };
        rows.push(Tensor::cat(beside.iter().enumerate().map(entry).collect(), 1));
    }
    let column = |x: &Tensor<2>, at: usize| x.clone().slice_dim(1, at as i64..at as i64 + 1);
    let epsilon = 0.005 / classes as f32;
    let mut p = rows[0].clone().detach().zeros_like() + 1.0 / classes as f32;
    let on_host = p.device() == burn::tensor::Device::flex() && !p.device().is_autodiff();
    for _ in 0..classes.max(100) {
        let parts = rows.iter().map(|row| (row.clone() * p.clone()).sum_dim(1)).collect();
        let mut slope = Tensor::cat(parts, 1);
        let mut level = (slope.clone() * p.clone()).sum_dim(1);
        let error = (slope.clone() - level.clone()).abs().max_dim(1);
        // A row that is near enough stays as it is.
        let open = error.detach().greater_equal_elem(epsilon).float();
        if on_host && open.clone().max().into_scalar::<f32>() == 0.0 {
            break;
        }
        for at in 0..classes {
            let own = column(&rows[at], at);
            let step = (level.clone() - column(&slope, at)) / own.clone() * open.clone();
            let scale = step.clone() + 1.0;
            level = (level + step.clone() * (step.clone() * own + column(&slope, at) * 2.0))
                / scale.clone()
                / scale.clone();
            slope = (slope + step.clone() * rows[at].clone()) / scale.clone();
            let mut parts: Vec<Tensor<2>> = (0..classes).map(|other| column(&p, other)).collect();
            parts[at] = parts[at].clone() + step;
            p = Tensor::cat(parts, 1) / scale;
        }
    }
    p
}

/// `SVMClassifier`: labels, and decisions or probabilities.
pub(super) fn classifier(node: &Node) -> Described {
    let labels = Labels::of(node, "classlabels_ints")?;
    let similarity = Similarity::of(node)?;
    let transform = Transform::of(node)?;
    let each = node.ints("vectors_per_class")?.unwrap_or_default();
    if each.is_empty() {
        return linear(node, labels, similarity, transform);
    }
    let each: Vec<usize> = each
        .iter()
        .map(|&count| usize::try_from(count).map_err(|_| "its vectors_per_class are negative".to_owned()))
        .collect::<Result<_, _>>()?;
    let machines = Machines::of(node, &each, labels.len())?;
    let two = machines.rho.len() == 1 && machines.probabilities.is_none();
    if two && transform == Transform::Probit {
        return Err("PROBIT has no meaning for two classes with one score".into());
    }
    let range = match transform {
        Transform::None if machines.probabilities.is_some() => Some((0.0, 1.0)),
        transform => transform.range(),
    };
    let classifier = Operator::new(Kind::Other, move |inputs| {
        let decisions = machines.decisions(&similarity, inputs)?;
        let votes = machines.votes(decisions.clone().detach(), inputs)?;
        let label = labels.at(votes.argmax(1), inputs)?;
        let scores = match &machines.probabilities {
            // As onnxruntime has it: the opposite, but under a softmax the rest up to one.
            None if two => match transform {
                Transform::None | Transform::Logistic => transform.of_two(decisions, Other::Opposite)?,
                _ => transform.of_two(decisions, Other::Rest)?,
            },
            None => transform.apply(decisions),
            Some((slopes, offsets)) => {
                let (classes, count) = (machines.classes, slopes.len());
                let line =
                    decisions * matrix(slopes, [1, count], inputs)? + matrix(offsets, [1, count], inputs)?;
                let first = activation::sigmoid(line.neg()).clamp(1e-7, 1.0 - 1e-7);
                let blank = first.clone().slice_dim(1, 0..1).detach().zeros_like();
                let mut table = vec![vec![blank; classes]; classes];
                for (pair, (i, j)) in pairs(classes).enumerate() {
                    let here = first.clone().slice_dim(1, pair as i64..pair as i64 + 1);
                    table[j][i] = here.clone().neg() + 1.0;
                    table[i][j] = here;
                }
                transform.apply(coupled(&table))
            }
        };
        Ok(vec![label, scores.into()])
    });
    Ok(classifier.gives(Some(Element::I64)).within(range))
}

/// A linear classifier in the same operator: a row of weights for each class, and one offset.
fn linear(node: &Node, labels: Labels, similarity: Similarity, transform: Transform) -> Described {
    let vectors = Vectors::of(node, "coefficients", labels.len())?;
    if labels.len() < 2 {
        return Err("it has one class".into());
    }
    let rho = node.floats("rho")?.and_then(|rho| rho.first().copied()).unwrap_or(0.0);
    let linear = Operator::new(Kind::Other, move |inputs| {
        let scores = similarity.between(rows(inputs)?, vectors.tensor(inputs)?)? + rho;
        let label = labels.at(scores.clone().detach().argmax(1), inputs)?;
        Ok(vec![label, transform.apply(scores).into()])
    });
    Ok(linear.gives(Some(Element::I64)).within(transform.range()))
}
