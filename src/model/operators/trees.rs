//! Ensembles of decision trees (`ai.onnx.ml`).
//!
//! All trees of all samples go down one level at a time, by tensors, so that they run where the rest of the network does.
//! Which leaf is reached does not change with a small step of the input: there is no gradient.

use std::collections::HashMap;

use burn::tensor::{Bool, Int, Tensor};

use super::{
    Described, Inputs, Kind, Node, Operator, check_size,
    classical::{Labels, Other, Transform, matrix, rows},
    float_tensor, int_tensor, one,
};
use crate::model::element::Element;
use crate::model::value::Value;

/// How a node compares a feature with its threshold; where it holds, the sample goes the node's first way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    LessOrEqual,
    Less,
    GreaterOrEqual,
    Greater,
    Equal,
    NotEqual,
    /// One of several values.
    Member,
}

const MODES: [Mode; 6] =
    [Mode::LessOrEqual, Mode::Less, Mode::GreaterOrEqual, Mode::Greater, Mode::Equal, Mode::NotEqual];

impl Mode {
    /// `None` for a leaf.
    fn named(name: &str) -> Result<Option<Self>, String> {
        Ok(Some(match name {
            "LEAF" => return Ok(None),
            "BRANCH_LEQ" => Self::LessOrEqual,
            "BRANCH_LT" => Self::Less,
            "BRANCH_GTE" => Self::GreaterOrEqual,
            "BRANCH_GT" => Self::Greater,
            "BRANCH_EQ" => Self::Equal,
            "BRANCH_NEQ" => Self::NotEqual,
            other => return Err(format!("its mode \"{other}\" is unknown")),
        }))
    }

    fn numbered(number: i64) -> Result<Self, String> {
        Ok(match number {
            0 => Self::LessOrEqual,
            1 => Self::Less,
            2 => Self::GreaterOrEqual,
            3 => Self::Greater,
            4 => Self::Equal,
            5 => Self::NotEqual,
            6 => Self::Member,
            other => return Err(format!("its mode {other} is unknown")),
        })
    }

    fn holds(self, value: Tensor<1>, threshold: Tensor<1>) -> Tensor<1, Bool> {
        match self {
            Self::LessOrEqual => value.lower_equal(threshold),
            Self::Less => value.lower(threshold),
            Self::GreaterOrEqual => value.greater_equal(threshold),
            Self::Greater => value.greater(threshold),
            Self::NotEqual => value.not_equal(threshold),
            Self::Equal | Self::Member => value.equal(threshold),
        }
    }
}

/// What the leaves of all trees give together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aggregate {
    Sum,
    Average,
    Least,
    Largest,
}

/// All nodes of all trees, by number. A leaf leads to itself.
#[derive(Default)]
struct Forest {
    features: Vec<i64>,
    thresholds: Vec<f32>,
    /// By the place among [`MODES`].
    modes: Vec<i64>,
    yes: Vec<i64>,
    no: Vec<i64>,
    /// Whether a missing value goes the first way.
    missing: Vec<bool>,
    /// Which row of `weights` a leaf gives; the first one is zeros.
    leaf: Vec<i64>,
    is_leaf: Vec<bool>,
    roots: Vec<i64>,
    depth: usize,
    targets: usize,
    /// `[rows, targets]`.
    weights: Vec<f32>,
    /// Which targets a row gives something to; as long as `weights`.
    given: Vec<bool>,
}

impl Forest {
    /// A node, a leaf until its ways are known.
    fn push(&mut self) -> usize {
        let at = self.features.len();
        self.features.push(0);
        self.thresholds.push(0.0);
        self.modes.push(0);
        self.yes.push(at as i64);
        self.no.push(at as i64);
        self.missing.push(false);
        self.leaf.push(0);
        self.is_leaf.push(true);
        at
    }

    fn branch(
        &mut self,
        at: usize,
        feature: i64,
        (mode, threshold): (Mode, f32),
        [yes, no]: [usize; 2],
        missing: bool,
    ) {
        self.features[at] = feature;
        self.modes[at] = MODES.iter().position(|&other| other == mode).unwrap_or(4) as i64;
        self.thresholds[at] = threshold;
        (self.yes[at], self.no[at]) = (yes as i64, no as i64);
        self.missing[at] = missing;
        self.is_leaf[at] = false;
    }

    /// What a leaf gives to a target; several gifts add up.
    fn give(&mut self, leaf: usize, target: i64, weight: f32) -> Result<(), String> {
        if !self.is_leaf[leaf] {
            return Err("it gives a weight to a node that is no leaf".into());
        }
        let target = usize::try_from(target)
            .ok()
            .filter(|&target| target < self.targets)
            .ok_or_else(|| format!("its weight is for the target {target}, of {}", self.targets))?;
        if self.leaf[leaf] == 0 {
            self.leaf[leaf] = (self.weights.len() / self.targets) as i64;
            check_size(&[self.weights.len(), 2])?;
            self.weights.extend(std::iter::repeat_n(0.0, self.targets));
            self.given.extend(std::iter::repeat_n(false, self.targets));
        }
        let at = self.leaf[leaf] as usize * self.targets + target;
        self.weights[at] += weight;
        self.given[at] = true;
        Ok(())
    }

    fn with_targets(targets: usize) -> Result<Self, String> {
        check_size(&[targets, 2])?;
        Ok(Self { targets, weights: vec![0.0; targets], given: vec![false; targets], ..Default::default() })
    }

    /// Finds the depth, and refuses what is no tree.
    fn finished(mut self) -> Result<Self, String> {
        if self.roots.is_empty() {
            return Err("it has no tree".into());
        }
        let mut seen = vec![false; self.features.len()];
        let mut open: Vec<(i64, usize)> = self.roots.iter().map(|&root| (root, 0)).collect();
        while let Some((at, depth)) = open.pop() {
            let at = at as usize;
            self.depth = self.depth.max(depth);
            if self.is_leaf[at] {
                continue;
            }
            if std::mem::replace(&mut seen[at], true) {
                return Err("one of its nodes is reached by two ways, so that it is no tree".into());
            }
            open.extend([(self.yes[at], depth + 1), (self.no[at], depth + 1)]);
        }
        Ok(self)
    }

    /// The form before operator set 5: nodes named by tree and number, and what the leaves give under `prefix`.
    fn old(node: &Node, prefix: &str, ids: &str, targets: usize) -> Result<Self, String> {
        let ints = |name: &str| Ok::<_, String>(node.ints(name)?.unwrap_or_default());
        let (trees, numbers) = (ints("nodes_treeids")?, ints("nodes_nodeids")?);
        let (features, modes) = (ints("nodes_featureids")?, node.texts("nodes_modes")?.unwrap_or_default());
        let (yes, no) = (ints("nodes_truenodeids")?, ints("nodes_falsenodeids")?);
        let thresholds = reals(node, "nodes_values")?;
        let missing = ints("nodes_missing_value_tracks_true")?;
        let count = trees.len();
        let lengths = [numbers.len(), features.len(), modes.len(), yes.len(), no.len(), thresholds.len()];
        if count == 0 || lengths.iter().any(|&length| length != count) {
            return Err(format!("its nodes are described {count} and {lengths:?} times"));
        }
        if !missing.is_empty() && missing.len() != count {
            return Err(format!("it has {} marks for missing values and {count} nodes", missing.len()));
        }
        let mut forest = Self::with_targets(targets)?;
        let mut named = HashMap::new();
        for key in trees.iter().zip(&numbers) {
            let at = forest.push();
            if named.insert(key, at).is_some() {
                return Err(format!("it has two nodes {} of tree {}", key.1, key.0));
            }
        }
        let mut is_child = vec![false; count];
        for at in 0..count {
            let Some(mode) = Mode::named(&modes[at])? else { continue };
            let find = |number: &i64| {
                named
                    .get(&(&trees[at], number))
                    .copied()
                    .ok_or_else(|| format!("its node {number} of tree {} is nowhere", trees[at]))
            };
            let ways = [find(&yes[at])?, find(&no[at])?];
            for way in ways {
                is_child[way] = true;
            }
            let feature = check_feature(features[at])?;
            let missing = missing.get(at).is_some_and(|&missing| missing != 0);
            forest.branch(at, feature, (mode, thresholds[at]), ways, missing);
        }
        forest.roots = (0..count).filter(|&at| !is_child[at]).map(|at| at as i64).collect();
        let (of_tree, of_node) = (ints(&format!("{prefix}_treeids"))?, ints(&format!("{prefix}_nodeids"))?);
        let (of, weights) = (ints(ids)?, reals(node, &format!("{prefix}_weights"))?);
        if [of_node.len(), of.len(), weights.len()].iter().any(|&length| length != of_tree.len()) {
            return Err("its weights do not fit their leaves".into());
        }
        for (at, key) in of_tree.iter().zip(&of_node).enumerate() {
            let leaf =
                *named.get(&key).ok_or_else(|| format!("its leaf {} of tree {} is nowhere", key.1, key.0))?;
            forest.give(leaf, of[at], weights[at])?;
        }
        forest.finished()
    }

    /// The form since operator set 5: nodes and leaves by their places.
    fn new(node: &Node) -> Result<Self, String> {
        let ints = |name: &str| Ok::<_, String>(node.ints(name)?.unwrap_or_default());
        let (features, modes) = (ints("nodes_featureids")?, wholes(node, "nodes_modes")?);
        let (yes, no) = (ints("nodes_truenodeids")?, ints("nodes_falsenodeids")?);
        let (yes_leaf, no_leaf) = (ints("nodes_trueleafs")?, ints("nodes_falseleafs")?);
        let (thresholds, missing) = (tensor(node, "nodes_splits")?, ints("nodes_missing_value_tracks_true")?);
        let (of, weights) = (ints("leaf_targetids")?, tensor(node, "leaf_weights")?);
        let count = features.len();
        let lengths = [modes.len(), yes.len(), no.len(), yes_leaf.len(), no_leaf.len(), thresholds.len()];
        if count == 0 || lengths.iter().any(|&length| length != count) {
            return Err(format!("its nodes are described {count} and {lengths:?} times"));
        }
        if !missing.is_empty() && missing.len() != count {
            return Err(format!("it has {} marks for missing values and {count} nodes", missing.len()));
        }
        if of.len() != weights.len() {
            return Err(format!("it has {} leaves and {} weights", of.len(), weights.len()));
        }
        let mut forest = Self::with_targets(node.positive("n_targets", 1)?)?;
        for _ in 0..count + of.len() {
            forest.push();
        }
        for (leaf, (&target, &weight)) in of.iter().zip(&weights).enumerate() {
            forest.give(count + leaf, target, weight)?;
        }
        // The values of each node that asks for one of several, ended by what is no number.
        let lists = tensor(node, "membership_values")?;
        let mut lists = lists.split(|value| value.is_nan());
        for at in 0..count {
            let way = |number: i64, leaf: i64| {
                let (start, end) = if leaf != 0 { (count, count + of.len()) } else { (0, count) };
                let place = usize::try_from(number).ok().and_then(|number| number.checked_add(start));
                place.filter(|&place| place < end).ok_or_else(|| format!("its node {number} is nowhere"))
            };
            let (yes, no) = (way(yes[at], yes_leaf[at])?, way(no[at], no_leaf[at])?);
            let feature = check_feature(features[at])?;
            let missing = missing.get(at).is_some_and(|&missing| missing != 0);
            let mode = Mode::numbered(modes[at])?;
            if mode != Mode::Member {
                forest.branch(at, feature, (mode, thresholds[at]), [yes, no], missing);
                continue;
            }
            // One value after the other.
            let values = lists.next().filter(|values| !values.is_empty());
            let values = values.ok_or("its membership_values are fewer than its nodes ask for")?;
            let mut here = at;
            for (index, &value) in values.iter().enumerate() {
                let next = if index + 1 == values.len() { no } else { forest.push() };
                forest.branch(here, feature, (Mode::Equal, value), [yes, next], missing);
                here = next;
            }
        }
        let roots = ints("tree_roots")?;
        for &root in &roots {
            if !(0..count as i64).contains(&root) {
                return Err(format!("its tree begins at node {root}, of {count}"));
            }
        }
        forest.roots = roots;
        forest.finished()
    }

    /// The rows of `weights` that each sample ends at, one a tree, `[N * trees]`.
    fn reached(&self, x: Tensor<2>, inputs: &Inputs) -> Result<Tensor<1, Int>, String> {
        let [samples, features] = x.dims();
        let trees = self.roots.len();
        if let Some(&feature) = self.features.iter().find(|&&feature| feature >= features as i64) {
            return Err(format!("it asks for feature {feature}, and its input has {features}"));
        }
        check_size(&[samples, trees.max(features)])?;
        let ints = |values: &[i64]| {
            Ok::<_, String>(int_tensor(values.to_vec(), &[values.len()], inputs.device())?.flat())
        };
        let repeated = |value: &mut dyn Iterator<Item = i64>| ints(&value.collect::<Vec<_>>());
        let starts = repeated(&mut (0..samples * trees).map(|at| (at / trees * features) as i64))?;
        let mut at = repeated(&mut (0..samples * trees).map(|at| self.roots[at % trees]))?;
        let values = x.detach().reshape([samples * features]);
        let (columns, yes, no) = (ints(&self.features)?, ints(&self.yes)?, ints(&self.no)?);
        let count = self.thresholds.len();
        let thresholds = float_tensor(self.thresholds.clone(), &[count], inputs.device())?.flat();
        let used: Vec<usize> = (0..MODES.len())
            .filter(|&mode| (0..count).any(|at| !self.is_leaf[at] && self.modes[at] == mode as i64))
            .collect();
        let modes = if used.len() > 1 { Some(ints(&self.modes)?) } else { None };
        let missing = match self.missing.contains(&true) {
            true => Some(ints(&self.missing.iter().map(|&missing| i64::from(missing)).collect::<Vec<_>>())?),
            false => None,
        };
        for _ in 0..self.depth {
            let value = values.clone().select(0, starts.clone() + columns.clone().select(0, at.clone()));
            let threshold = thresholds.clone().select(0, at.clone());
            let mut goes: Option<Tensor<1, Bool>> = None;
            for &mode in &used {
                let mut holds = MODES[mode].holds(value.clone(), threshold.clone());
                if let Some(modes) = &modes {
                    holds = holds.bool_and(modes.clone().select(0, at.clone()).equal_elem(mode as i64));
                }
                goes = Some(match goes {
                    Some(goes) => goes.bool_or(holds),
                    None => holds,
                });
            }
            let Some(mut goes) = goes else { break };
            if let Some(missing) = &missing {
                let tracks = missing.clone().select(0, at.clone()).not_equal_elem(0);
                goes = goes.bool_or(value.is_nan().bool_and(tracks));
            }
            at = no.clone().select(0, at.clone()).mask_where(goes, yes.clone().select(0, at));
        }
        Ok(ints(&self.leaf)?.select(0, at))
    }

    /// What each sample gets for each target, and whether it gets anything for it (nothing where every leaf gives to all).
    fn scores(
        &self,
        inputs: &Inputs,
        aggregate: Aggregate,
    ) -> Result<(Tensor<2>, Option<Tensor<2, Bool>>), String> {
        let x = rows(inputs)?;
        let [samples, _] = x.dims();
        let (trees, targets) = (self.roots.len(), self.targets);
        let reached = self.reached(x, inputs)?;
        check_size(&[samples, trees, targets])?;
        let rows = self.weights.len() / targets;
        let shape = [samples, trees, targets];
        let gifts = matrix(&self.weights, [rows, targets], inputs)?.select(0, reached.clone()).reshape(shape);
        let all = (0..self.is_leaf.len()).all(|at| {
            !self.is_leaf[at] || {
                let start = self.leaf[at] as usize * targets;
                self.given[start..start + targets].iter().all(|&given| given)
            }
        });
        let given = match all {
            true => None,
            false => {
                let table: Vec<f32> = self.given.iter().map(|&given| f32::from(u8::from(given))).collect();
                Some(matrix(&table, [rows, targets], inputs)?.select(0, reached).reshape(shape))
            }
        };
        let flat = |x: Tensor<3>| x.reshape([samples, targets]);
        let got = given.clone().map(|given| flat(given.max_dim(1)).not_equal_elem(0.0));
        let bounded = |without: f32| match &given {
            Some(given) => gifts.clone().mask_fill(given.clone().equal_elem(0.0), without),
            None => gifts.clone(),
        };
        let scores = match aggregate {
            Aggregate::Sum => flat(gifts.sum_dim(1)),
            Aggregate::Average => flat(gifts.sum_dim(1)) / trees as f32,
            Aggregate::Least => flat(bounded(f32::MAX).min_dim(1)),
            Aggregate::Largest => flat(bounded(f32::MIN).max_dim(1)),
        };
        let scores = match &got {
            Some(got) => scores.mask_fill(got.clone().bool_not(), 0.0),
            None => scores,
        };
        Ok((scores, got))
    }
}

/// A feature's place.
fn check_feature(feature: i64) -> Result<i64, String> {
    match (0..0x7fff_ffff).contains(&feature) {
        true => Ok(feature),
        false => Err(format!("it asks for feature {feature}")),
    }
}

/// Numbers of a list, or of the tensor that may stand in its place.
fn reals(node: &Node, name: &str) -> Result<Vec<f32>, String> {
    match node.floats(name)? {
        Some(values) if !values.is_empty() => Ok(values),
        _ => tensor(node, &format!("{name}_as_tensor")),
    }
}

fn tensor(node: &Node, name: &str) -> Result<Vec<f32>, String> {
    match node.tensor(name)? {
        Some(data) => data.convert::<f32>().try_into_vec().map_err(|_| format!("its {name} cannot be read")),
        None => Ok(Vec::new()),
    }
}

fn wholes(node: &Node, name: &str) -> Result<Vec<i64>, String> {
    match node.tensor(name)? {
        Some(data) => data.convert::<i64>().try_into_vec().map_err(|_| format!("its {name} cannot be read")),
        None => Ok(Vec::new()),
    }
}

/// `TreeEnsembleRegressor`.
pub(super) fn regressor(node: &Node) -> Described {
    let targets = node.positive("n_targets", 1)?;
    let forest = Forest::old(node, "target", "target_ids", targets)?;
    let aggregate = match node.text("aggregate_function", "SUM")?.as_str() {
        "SUM" => Aggregate::Sum,
        "AVERAGE" => Aggregate::Average,
        "MIN" => Aggregate::Least,
        "MAX" => Aggregate::Largest,
        other => return Err(format!("its aggregate_function \"{other}\" is unknown")),
    };
    let base = reals(node, "base_values")?;
    if !base.is_empty() && base.len() != targets {
        return Err(format!("it has {} base values for {targets} targets", base.len()));
    }
    let transform = Transform::of(node)?;
    Ok(Operator::new(Kind::Stop, move |inputs| {
        let (mut scores, got) = forest.scores(inputs, aggregate)?;
        if !base.is_empty() {
            let with_base = scores.clone() + matrix(&base, [1, targets], inputs)?;
            // A target that no leaf gives to stays zero, as in onnxruntime.
            scores = match got {
                Some(got) => scores.mask_where(got, with_base),
                None => with_base,
            };
        }
        one(transform.apply(scores))
    }))
}

/// `TreeEnsembleClassifier`: labels and scores.
pub(super) fn classifier(node: &Node) -> Described {
    let labels = Labels::of(node, "classlabels_int64s")?;
    let classes = labels.len();
    let transform = Transform::of(node)?;
    let base = reals(node, "base_values")?;
    let ids = node.ints("class_ids")?.unwrap_or_default();
    let first = ids.first().copied().unwrap_or(0);
    let weights = reals(node, "class_weights")?;
    let positive = weights.iter().all(|&weight| weight >= 0.0);
    // Two labels and one score: that of the second, whichever number the file gives it.
    let two = classes == 2 && ids.iter().all(|&id| id == first);
    let forest = Forest::old(node, "class", "class_ids", classes)?;
    // Shares of the training data in a forest's leaves add up to 1 at most.
    let summed = || -> Result<Option<(f32, f32)>, String> {
        let trees = node.ints("class_treeids")?.unwrap_or_default();
        if transform != Transform::None || !positive || trees.len() != weights.len() {
            return Ok(None);
        }
        let mut largest: HashMap<i64, f32> = HashMap::new();
        for (tree, &weight) in trees.into_iter().zip(&weights) {
            let most = largest.entry(tree).or_insert(0.0);
            *most = most.max(weight);
        }
        let above = |bound: f32, base: &f32| bound.max(*base);
        Ok(Some((
            base.iter().copied().fold(0.0, f32::min),
            largest.values().sum::<f32>() + base.iter().fold(0.0, above),
        )))
    };
    let range = match transform.range() {
        Some(range) => Some(range),
        None => summed()?,
    };
    let misfit = match (two, base.len()) {
        (_, 0) => false,
        (true, 1) => first != 0,
        // Of several base values for two classes, runtimes make different numbers.
        (true, _) | (false, _) if classes == 2 => true,
        (_, count) => count != classes,
    };
    if misfit {
        return Err(format!("what its {} base values mean for {classes} classes is not defined", base.len()));
    }
    if two && first == 0 && transform == Transform::Probit {
        return Err("PROBIT has no meaning for two classes with one score".into());
    }
    Ok(Operator::new(Kind::Stop, move |inputs| {
        let (mut scores, got) = forest.scores(inputs, Aggregate::Sum)?;
        if two {
            let mut score = scores.clone().slice_dim(1, first..first + 1);
            if let [base] = base[..] {
                score = score + base;
            }
            let second = score.clone().greater_elem(if positive { 0.5 } else { 0.0 });
            let label = labels.of_two(second, inputs)?;
            let scores = match first {
                0 => transform.of_two(score, if positive { Other::Rest } else { Other::Opposite })?,
                _ => transform.apply(scores),
            };
            return Ok(vec![label, scores.into()]);
        }
        // Of classes that no leaf gives to, none wins.
        let rated = match (got, base.is_empty()) {
            (Some(got), true) => scores.clone().mask_fill(got.bool_not(), f32::MIN),
            (_, true) => scores.clone(),
            (_, false) => {
                scores = scores + matrix(&base, [1, classes], inputs)?;
                scores.clone()
            }
        };
        Ok(vec![labels.at(rated.argmax(1), inputs)?, transform.apply(scores).into()])
    })
    .gives(Some(Element::I64))
    .within(range))
}

/// `TreeEnsemble`, which is both since operator set 5.
pub(super) fn ensemble(node: &Node) -> Described {
    let forest = Forest::new(node)?;
    let aggregate = match node.int("aggregate_function", 1)? {
        0 => Aggregate::Average,
        1 => Aggregate::Sum,
        2 => Aggregate::Least,
        3 => Aggregate::Largest,
        other => return Err(format!("its aggregate_function {other} is unknown")),
    };
    let transform = Transform::numbered(node.int("post_transform", 0)?)?;
    Ok(Operator::new(Kind::Stop, move |inputs| {
        let (scores, _) = forest.scores(inputs, aggregate)?;
        one(Value::from(transform.apply(scores)))
    }))
}
