//! What the axes of a network's values are, found by how the graph uses them.
//!
//! Each axis of a value is followed back to the axes of the explained value: through transpositions, reshapes, sums and
//! products. The first convolution, pooling, product or recurrent layer that reads such a value says which of them are
//! the batch, the channels and the positions; sizes alone say nothing.

use std::collections::HashMap;

use super::{
    TokenAxis,
    graph::{Graph, Slot, Step},
    operators::{Kind, Lowering},
    value::Value,
};

/// Where one axis of a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Origin {
    /// The axes of the explained value that it is made of, the outermost first, with their sizes; none where it is of other
    /// things, such as the filters of a convolution.
    parts: Vec<(usize, usize)>,
    /// Entries before and after those: class tokens.
    before: usize,
    after: usize,
}

impl Origin {
    fn of(axis: usize, size: usize) -> Self {
        Self { parts: vec![(axis, size)], before: 0, after: 0 }
    }

    fn is_known(&self) -> bool {
        !self.parts.is_empty()
    }

    /// The one axis of the explained value that it is.
    fn axis(&self) -> Option<usize> {
        match self.parts[..] {
            [(axis, _)] => Some(axis),
            _ => None,
        }
    }

    fn sized(&self, size: usize) -> Self {
        match self.parts[..] {
            [(axis, _)] if self.before + self.after == 0 => Self::of(axis, size),
            _ if self.size() == size => self.clone(),
            _ => Self::default(),
        }
    }

    fn size(&self) -> usize {
        self.before + self.after + self.parts.iter().map(|(_, size)| size).product::<usize>()
    }
}

/// The shapes of all values for one batch, by slot.
pub(super) type Shapes = HashMap<Slot, Vec<usize>>;

/// What the axes of the explained value are to its readers; axes are those of the file, the batch's among them.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Roles {
    /// The axis of the samples; `None` within where a reader has one and no axis of the value is it.
    pub batch: Option<Option<usize>>,
    /// The axis of the channels or features; `None` within where a reader has one and no axis of the value is it.
    pub channels: Option<Option<usize>>,
    /// The axes that a reader takes as positions.
    pub positions: Vec<usize>,
    /// The axis of the output that holds the samples, where it is known.
    pub output_batch: Option<usize>,
    /// Whether a sample's result depends on the others of its batch.
    pub mixes_samples: bool,
}

/// The origins of every value that follows from the explained one.
pub(super) struct Axes<'g> {
    graph: &'g Graph,
    shapes: &'g Shapes,
    origins: HashMap<Slot, Vec<Origin>>,
    pub roles: Roles,
}

/// How a map of positions lies in a value: `[channels, height, width]` for one sample.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MapView {
    /// Channels, height and width.
    pub shape: [usize; 3],
    /// The value's own shape.
    dims: Vec<usize>,
    channels: usize,
    positions: Positions,
}

#[derive(Debug, Clone, PartialEq)]
enum Positions {
    Apart {
        height: usize,
        width: usize,
    },
    /// Tokens, of which some before are no positions.
    Joined {
        axis: usize,
        before: usize,
    },
}

impl<'g> Axes<'g> {
    pub fn follow(graph: &'g Graph, source: Slot, output: Slot, shapes: &'g Shapes) -> Self {
        let mut axes = Self { graph, shapes, origins: HashMap::new(), roles: Roles::default() };
        let own = shapes.get(&source).map(Vec::as_slice).unwrap_or_default();
        axes.origins
            .insert(source, own.iter().enumerate().map(|(axis, &size)| Origin::of(axis, size)).collect());
        for step in &graph.steps {
            axes.step(step, source);
        }
        if let (Some(Some(batch)), Some(origins)) = (axes.roles.batch, axes.origins.get(&output)) {
            axes.roles.output_batch = origins.iter().position(|origin| origin.axis() == Some(batch));
        }
        axes
    }

    fn dims(&self, slot: Slot) -> Option<Vec<usize>> {
        self.shapes.get(&slot).cloned().or_else(|| self.graph.constant(slot).map(Value::dims))
    }

    /// What a reader that knows its axes says of the explained value's.
    fn read(&mut self, batch: Option<&Origin>, channels: Option<&Origin>, positions: &[Origin]) {
        let any = [batch, channels].into_iter().flatten().chain(positions).any(Origin::is_known);
        if !any {
            return;
        }
        let positions: Vec<usize> = positions.iter().filter_map(Origin::axis).collect();
        if let Some(batch) = batch.filter(|batch| batch.axis().is_some() || channels.is_some()) {
            self.roles.batch.get_or_insert(batch.axis());
        }
        if let Some(channels) = channels.filter(|channels| channels.axis().is_some() || !positions.is_empty())
        {
            self.roles.channels.get_or_insert(channels.axis());
        }
        if self.roles.positions.is_empty() {
            self.roles.positions = positions;
        }
    }

    fn step(&mut self, step: &Step, source: Slot) {
        let followed =
            |axes: &Self, slot: &Option<Slot>| slot.and_then(|slot| axes.origins.get(&slot).cloned());
        let inputs: Vec<Option<Vec<Origin>>> = step.inputs.iter().map(|slot| followed(self, slot)).collect();
        let Some(first) = inputs.iter().position(Option::is_some) else { return };
        let properties = step.operator.properties.clone();
        let origins = inputs[first].clone().unwrap_or_default();
        if !properties.is_differentiable() {
            return;
        }
        if properties.mixes_samples && first == 0 {
            self.roles.mixes_samples = true;
        }
        let pools = matches!(properties.kind, Kind::Average | Kind::Maximum) && properties.pools;
        match properties.kind {
            Kind::Convolution | Kind::BatchNormalization if first == 0 && origins.len() > 1 => {
                self.read(Some(&origins[0]), Some(&origins[1]), &origins[2..]);
            }
            _ if pools && first == 0 && origins.len() > 2 => {
                self.read(Some(&origins[0]), Some(&origins[1]), &origins[2..]);
            }
            Kind::Recurrent if first == 0 && origins.len() == 3 => {
                let (time, batch) = if properties.batch_first { (1, 0) } else { (0, 1) };
                self.read(Some(&origins[batch]), Some(&origins[2]), &origins[time..=time]);
            }
            Kind::Matmul if first == 0 && inputs.get(1).is_none_or(Option::is_none) => match &origins[..] {
                [rows, _] => self.read(Some(rows).filter(|rows| rows.is_known()), None, &[]),
                [_, between @ .., features] if features.is_known() => {
                    let between = between.to_vec();
                    self.read(None, Some(&features.clone()), &between);
                }
                _ => {}
            },
            // Constants from the left mix the axis before the last.
            Kind::Matmul if first == 1 && inputs[0].is_none() && origins.len() > 2 => {
                let (channels, positions) = (origins.len() - 2, &origins[origins.len() - 1..]);
                self.read(None, Some(&origins[channels]), positions);
            }
            Kind::Average | Kind::AxisSum | Kind::Maximum if first == 0 => {
                let reduced = self.reduced(step, origins.len());
                let batch = self.roles.batch.flatten().unwrap_or(0);
                if reduced.iter().any(|&axis| origins[axis].axis() == Some(batch))
                    && self.shapes.get(&source).is_some_and(|dims| dims.len() > 1)
                {
                    self.roles.mixes_samples = true;
                }
            }
            _ => {}
        }
        for (place, slot) in step.outputs.iter().enumerate() {
            let Some(slot) = *slot else { continue };
            let Some(dims) = self.shapes.get(&slot).cloned() else { continue };
            let made = self.made(step, &inputs, first, place, &dims);
            if made.iter().any(Origin::is_known) {
                self.origins.entry(slot).or_insert(made);
            }
        }
    }

    /// The axes that a reduction adds up over.
    fn reduced(&self, step: &Step, rank: usize) -> Vec<usize> {
        let given = self.graph.reduced_axes(step);
        let counted = |axis: i64| usize::try_from(if axis < 0 { axis + rank as i64 } else { axis }).ok();
        given.unwrap_or_default().into_iter().filter_map(counted).filter(|&axis| axis < rank).collect()
    }

    /// Where the axes of an output of these sizes come from.
    fn made(
        &self,
        step: &Step,
        inputs: &[Option<Vec<Origin>>],
        first: usize,
        place: usize,
        dims: &[usize],
    ) -> Vec<Origin> {
        let properties = &step.operator.properties;
        let origins = inputs[first].clone().unwrap_or_default();
        let none = || vec![Origin::default(); dims.len()];
        let sized = |origins: &[Origin]| -> Vec<Origin> {
            origins.iter().zip(dims).map(|(origin, &size)| origin.sized(size)).collect()
        };
        let in_dims = step.inputs[first].and_then(|slot| self.dims(slot)).unwrap_or_default();
        if let Some(order) = properties.permutation.as_ref().filter(|_| origins.len() == dims.len()) {
            let rank = dims.len() as i64;
            return (0..rank)
                .map(|axis| {
                    let from = order.get(axis as usize).copied().unwrap_or(rank - 1 - axis);
                    let from = if from < 0 { from + rank } else { from };
                    origins.get(from as usize).cloned().unwrap_or_default()
                })
                .collect();
        }
        match properties.kind {
            Kind::Recurrent => {
                let [time, batch] = if properties.batch_first { [1, 0] } else { [0, 1] };
                let Some((time, batch)) = origins.get(time).zip(origins.get(batch)) else { return none() };
                let (time, batch, other) = (time.clone(), batch.clone(), Origin::default());
                match (place, properties.batch_first) {
                    (0, false) => vec![time, other.clone(), batch, other],
                    (0, true) => vec![batch, time, other.clone(), other],
                    (_, false) => vec![other.clone(), batch, other],
                    (_, true) => vec![batch, other.clone(), other],
                }
            }
            Kind::Convolution if first == 0 && origins.len() == dims.len() => {
                let mut made = sized(&origins);
                made[1] = Origin::default();
                made
            }
            Kind::Matmul | Kind::Einsum => self.product(inputs, dims, properties.kind == Kind::Einsum),
            Kind::Average | Kind::AxisSum | Kind::Maximum if origins.len() > dims.len() => {
                let reduced = self.reduced(step, origins.len());
                let kept: Vec<Origin> = (0..origins.len())
                    .filter(|axis| !reduced.contains(axis))
                    .map(|axis| origins[axis].clone())
                    .collect();
                if kept.len() == dims.len() { kept } else { none() }
            }
            Kind::Average | Kind::AxisSum | Kind::Maximum if origins.len() == dims.len() => {
                let same = |(axis, origin): (usize, &Origin)| match in_dims.get(axis) == Some(&dims[axis]) {
                    true => origin.clone(),
                    false if properties.pools && dims[axis] > 1 => origin.sized(dims[axis]),
                    false => Origin::default(),
                };
                origins.iter().enumerate().map(same).collect()
            }
            Kind::Reshape => reshaped(&origins, &in_dims, dims),
            Kind::Move => match step.operator.lowering {
                Some(Lowering::Concat { axis }) => self.joined(step, inputs, axis, dims),
                // One entry of several is no longer the axis: recurrent layers that are written out take the steps one by one.
                _ if origins.len() == dims.len() => {
                    let picked =
                        |axis: usize| dims[axis] == 1 && in_dims.get(axis).is_some_and(|&size| size > 1);
                    let mut made = sized(&origins);
                    for (axis, origin) in made.iter_mut().enumerate() {
                        if picked(axis) {
                            *origin = Origin::default();
                        }
                    }
                    made
                }
                // One position is picked: the axis that is left out is the first without which the rest fits.
                _ if origins.len() == dims.len() + 1 => {
                    let fits = |&axis: &usize| {
                        in_dims
                            .iter()
                            .enumerate()
                            .filter(|(at, _)| *at != axis)
                            .map(|(_, size)| size)
                            .eq(dims)
                    };
                    match (0..origins.len()).find(fits) {
                        Some(axis) => {
                            let kept = origins.iter().enumerate().filter(|(at, _)| *at != axis);
                            kept.map(|(_, origin)| origin.clone()).collect()
                        }
                        None => none(),
                    }
                }
                _ => none(),
            },
            // Value by value, with broadcasting; and whatever else keeps the shape.
            _ => {
                let mut made = none();
                for origins in inputs.iter().flatten().filter(|origins| origins.len() <= dims.len()) {
                    let missing = dims.len() - origins.len();
                    for (axis, origin) in origins.iter().enumerate() {
                        let size = dims[axis + missing];
                        let there = &mut made[axis + missing];
                        if !there.is_known() && origin.size() == size {
                            *there = origin.clone();
                        }
                    }
                }
                made
            }
        }
    }

    /// Rows from the left factor, columns from the right, batches from either.
    fn product(&self, inputs: &[Option<Vec<Origin>>], dims: &[usize], sums: bool) -> Vec<Origin> {
        let rank = dims.len();
        let mut made = vec![Origin::default(); rank];
        if rank < 2 || sums {
            return made;
        }
        for (place, origins) in inputs.iter().enumerate().take(2) {
            let Some(origins) = origins.as_ref().filter(|origins| origins.len() >= 2) else { continue };
            let missing = rank.saturating_sub(origins.len());
            let own = if place == 0 { origins.len() - 2 } else { origins.len() - 1 };
            for (axis, origin) in origins.iter().enumerate() {
                let batch = axis + 2 < origins.len();
                if let Some(there) = made.get_mut(axis + missing)
                    && (batch || axis == own)
                    && origin.size() == dims[axis + missing]
                    && !there.is_known()
                {
                    *there = origin.clone();
                }
            }
        }
        made
    }

    /// Parts side by side: what is of other things counts as further entries.
    fn joined(&self, step: &Step, inputs: &[Option<Vec<Origin>>], axis: i64, dims: &[usize]) -> Vec<Origin> {
        let rank = dims.len() as i64;
        let along = usize::try_from(if axis < 0 { axis + rank } else { axis }).unwrap_or(usize::MAX);
        let known: Vec<usize> = (0..inputs.len())
            .filter(|&place| inputs[place].as_ref().is_some_and(|origins| origins.len() == dims.len()))
            .collect();
        let Some(&first) = known.first() else { return vec![Origin::default(); dims.len()] };
        let mut made = inputs[first].clone().unwrap_or_default();
        let size = |place: usize| {
            step.inputs[place].and_then(|slot| self.dims(slot)).and_then(|dims| dims.get(along).copied())
        };
        let others: Option<(usize, usize)> =
            (0..inputs.len()).filter(|place| *place != first).try_fold((0, 0), |(before, after), place| {
                let size = size(place)?;
                Some(if place < first { (before + size, after) } else { (before, after + size) })
            });
        if let Some(origin) = made.get_mut(along) {
            *origin = match others {
                Some((before, after)) if known.len() == 1 && origin.is_known() => {
                    Origin { before: origin.before + before, after: origin.after + after, ..origin.clone() }
                }
                _ => Origin::default(),
            };
        }
        made
    }

    /// The way in which a value holds a map of the positions `height` and `width`, where it does.
    pub fn map(&self, slot: Slot, batch: usize, height: usize, width: usize) -> Option<MapView> {
        let (origins, dims) = (self.origins.get(&slot)?, self.shapes.get(&slot)?);
        let find = |axis: usize| {
            origins.iter().position(|origin| origin.axis() == Some(axis) && origin.before + origin.after == 0)
        };
        let samples = find(batch);
        let positions = match (find(height), find(width)) {
            (Some(height), Some(width)) => Positions::Apart { height, width },
            _ => {
                let joined = |origin: &Origin| matches!(origin.parts[..], [(a, _), (b, _)] if a == height && b == width);
                let axis = origins.iter().position(joined)?;
                Positions::Joined { axis, before: origins[axis].before }
            }
        };
        let (rows, columns) = match positions {
            Positions::Apart { height, width } => (dims[height], dims[width]),
            Positions::Joined { axis, .. } => (origins[axis].parts[0].1, origins[axis].parts[1].1),
        };
        let taken = |axis: &usize| match positions {
            Positions::Apart { height, width } => *axis == height || *axis == width,
            Positions::Joined { axis: joined, .. } => *axis == joined,
        };
        let rest: Vec<usize> =
            (0..dims.len()).filter(|axis| !taken(axis) && Some(*axis) != samples).collect();
        let wide: Vec<usize> = rest.iter().copied().filter(|&axis| dims[axis] > 1).collect();
        let channels = match (wide.as_slice(), rest.as_slice()) {
            ([channels], _) => *channels,
            ([], [channels, ..]) => *channels,
            _ => return None,
        };
        (rows * columns > 1).then(|| MapView {
            shape: [dims[channels], rows, columns],
            dims: dims.clone(),
            channels,
            positions,
        })
    }

    /// What the last axis of a value is made of, where it is of axes of the explained value: the keys of attention.
    pub fn tokens(&self, slot: Slot) -> Option<TokenAxis> {
        let origin = self.origins.get(&slot)?.last()?;
        let Origin { parts, before, after } = origin.clone();
        origin.is_known().then_some(TokenAxis { before, after, parts })
    }

    /// Whether a value has an axis of positions.
    pub fn has_positions(&self, slot: Slot, positions: &[usize]) -> bool {
        self.origins.get(&slot).is_some_and(|origins| {
            origins.iter().any(|origin| origin.parts.iter().any(|(axis, _)| positions.contains(axis)))
        })
    }

    /// Whether a product adds up over positions, as attention does.
    pub fn contracts(&self, step: &Step, positions: &[usize]) -> bool {
        let contracted = |place: usize| {
            let origins = step.inputs.get(place).copied().flatten().and_then(|slot| self.origins.get(&slot));
            let axis = origins.and_then(|origins| {
                let last = origins.len().checked_sub(1)?;
                origins.get(if place == 0 { last } else { last.checked_sub(1)? })
            });
            axis.is_some_and(|origin| origin.parts.iter().any(|(axis, _)| positions.contains(axis)))
        };
        step.operator.properties.kind == Kind::Matmul && (contracted(0) || contracted(1))
    }
}

impl MapView {
    /// The axis of a value along which the channels of its map lie, where that is not the first, of the samples.
    pub fn channel_axis(&self) -> Option<usize> {
        (self.channels > 0 && self.dims[0] == 1).then_some(self.channels)
    }

    /// The map in a value of one sample, `[channels, height, width]`, as its reshape, order and cut.
    pub fn of(&self, value: super::value::Ranked<burn::tensor::Float>) -> Option<burn::tensor::Tensor<4>> {
        let [channels, height, width] = self.shape;
        if value.dims() != self.dims {
            return None;
        }
        let (first, second) = match self.positions {
            Positions::Apart { height, width } => (height, Some(width)),
            Positions::Joined { axis, .. } => (axis, None),
        };
        let kept: Vec<usize> = [Some(self.channels), Some(first), second].into_iter().flatten().collect();
        // The axes that are left are of size 1.
        let mut ordered: Vec<usize> = kept.clone();
        ordered.sort_unstable();
        let dims: Vec<usize> = ordered.iter().map(|&axis| self.dims[axis]).collect();
        let place = |axis: usize| ordered.iter().position(|&other| other == axis);
        match (dims.as_slice(), second) {
            (&[a, b, c], Some(second)) => {
                let value = value.reshape(&[a, b, c])?.get::<3>()?;
                let order = [place(self.channels)?, place(first)?, place(second)?];
                Some(value.permute(order.map(|axis| axis as isize)).reshape([1, channels, height, width]))
            }
            (&[a, b], None) => {
                let Positions::Joined { before, .. } = self.positions else { return None };
                let value = value.reshape(&[a, b])?.get::<2>()?;
                let value = if place(self.channels)? == 0 { value } else { value.transpose() };
                let cut = before as i64..(before + height * width) as i64;
                Some(value.slice_dim(1, cut).reshape([1, channels, height, width]))
            }
            _ => None,
        }
    }
}

/// The axes of a value in another shape: those that are kept, joined or of size 1.
fn reshaped(origins: &[Origin], from: &[usize], to: &[usize]) -> Vec<Origin> {
    let mut made = vec![Origin::default(); to.len()];
    let (mut i, mut j) = (0, 0);
    while i < from.len() && j < to.len() {
        let (start_in, start_out) = (i, j);
        let (mut count_in, mut count_out) = (from[i], to[j]);
        i += 1;
        j += 1;
        while count_in != count_out {
            if count_in < count_out {
                let Some(&size) = from.get(i) else { return made };
                count_in *= size;
                i += 1;
            } else {
                let Some(&size) = to.get(j) else { return made };
                count_out *= size;
                j += 1;
            }
        }
        // Axes of size 1 change no count: they are taken with the group where the other side has none to match.
        let (group_in, group_out) = (&origins[start_in..i], &mut made[start_out..j]);
        let wide_in: Vec<&Origin> =
            group_in.iter().zip(&from[start_in..i]).filter(|(_, size)| **size > 1).map(|(o, _)| o).collect();
        let wide_out: Vec<usize> = (0..group_out.len()).filter(|&at| to[start_out + at] > 1).collect();
        match (wide_in.as_slice(), wide_out.as_slice()) {
            ([one], &[at]) => group_out[at] = (*one).clone(),
            // What was joined comes apart again.
            ([one], apart)
                if one.before + one.after == 0
                    && one
                        .parts
                        .iter()
                        .map(|(_, size)| *size)
                        .eq(apart.iter().map(|&at| to[start_out + at])) =>
            {
                for (&at, &(axis, size)) in apart.iter().zip(&one.parts) {
                    group_out[at] = Origin::of(axis, size);
                }
            }
            (several, &[at])
                if several.iter().all(|origin| origin.is_known() && origin.before + origin.after == 0) =>
            {
                let parts = several.iter().flat_map(|origin| origin.parts.clone()).collect();
                group_out[at] = Origin { parts, before: 0, after: 0 };
            }
            _ => {}
        }
    }
    ones(origins, from, to, &mut made);
    made
}

/// The axes of size 1, in their order; where there are fewer than before, those of known origin stay.
fn ones(origins: &[Origin], from: &[usize], to: &[usize], made: &mut [Origin]) {
    let mut had: Vec<&Origin> =
        (0..from.len()).filter(|&axis| from[axis] == 1).map(|axis| &origins[axis]).collect();
    let have: Vec<usize> = (0..to.len()).filter(|&axis| to[axis] == 1).collect();
    if had.len() > have.len() {
        let mut surplus = had.len() - have.len();
        had.retain(|origin| {
            let goes = surplus > 0 && !origin.is_known();
            surplus -= usize::from(goes);
            !goes
        });
    }
    // A batch of one sample stays in front.
    for (origin, axis) in had.into_iter().zip(have) {
        made[axis] = origin.clone();
    }
}
