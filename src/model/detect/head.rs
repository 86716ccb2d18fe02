//! What a detector's output says: boxes, objectness and classes of each row, by tensors on the network's device, so that a gradient passes.

use burn::tensor::{Int, Tensor, TensorData, activation};

use super::{BoxFormat, Edges, HeadStyle, Scoring};
use crate::{
    Error, Result,
    model::target::{BoxScore, Follow},
};

/// Rows that lie in the network's output, of which all values of a sample stand in a line: a range of it, as four axes, which are brought
/// into the order rows first, fields last.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
    pub start: usize,
    pub dims: [usize; 4],
    pub order: [usize; 4],
    pub rows: usize,
    pub fields: usize,
}

impl Part {
    /// `[N, rows, fields]` of the output `[N, values]`.
    fn of(&self, raw: &Tensor<2>) -> Tensor<3> {
        let [batch, _] = raw.dims();
        let [a, b, c, d] = self.dims;
        let end = self.start + a * b * c * d;
        let [i, j, k, l] = self.order.map(|axis| axis as isize + 1);
        raw.clone()
            .slice_dim(1, self.start as i64..end as i64)
            .reshape([batch, a, b, c, d])
            .permute([0, i, j, k, l])
            .reshape([batch, self.rows, self.fields])
    }
}

/// How coordinates become edges.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Coding {
    /// They are edges or sizes, counted in parts of which one is `scale` pixels wide and high.
    Plain { format: BoxFormat, scale: [f32; 2] },
    /// YOLOv3's: a place in a cell, and a size in anchors. Of each row the cell's column and row, the anchor's width and height, and the
    /// width and height of a cell.
    Grid(Vec<[f32; 6]>),
    /// CenterNet's: sizes, and what is left of the centre, in cells: of each row the cell's column and row, and the pixels of a cell.
    Centre { cells: Vec<[f32; 2]>, scale: [f32; 2] },
}

/// A detector's head.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Head {
    pub style: HeadStyle,
    /// Side by side the fields of a row, and of each of these one below the other its rows.
    pub(super) columns: Vec<Vec<Part>>,
    pub(super) coding: Coding,
    /// The field where the coordinates begin.
    pub(super) coordinates: usize,
    /// The field of the objectness, and whether it is a logit.
    pub(super) objectness: Option<(usize, bool)>,
    /// The fields of the classes, that of nothing among them.
    pub(super) scores: std::ops::Range<usize>,
    pub(super) scoring: Scoring,
    /// Which of them is that of nothing.
    pub(super) background: Option<usize>,
    pub rows: usize,
    /// Least score and largest overlap of what is found.
    pub threshold: f32,
    pub overlap: f32,
    /// Of a map of centres, its height and width: a box is found only where the map has a peak.
    pub peaks: Option<[usize; 2]>,
}

/// Probabilities next to 0 and 1 are kept from infinite logits; neither is reached by 32 bits closer.
const SMALLEST: f32 = 1e-30;
const LARGEST: f32 = 1.0 - f32::EPSILON / 2.0;

fn logit<const D: usize>(probability: Tensor<D>) -> Tensor<D> {
    let p = probability.clamp(SMALLEST, LARGEST);
    p.clone().log() - (p.neg() + 1.0).log()
}

impl Head {
    /// Classes, without that of nothing.
    pub fn classes(&self) -> usize {
        self.scores.len() - usize::from(self.background.is_some())
    }

    /// Whether a softmax makes probabilities of its scores.
    pub fn is_softmax(&self) -> bool {
        matches!(self.scoring, Scoring::Softmax | Scoring::Shares) && self.objectness.is_none()
    }

    pub fn has_background(&self) -> bool {
        self.background.is_some()
    }

    pub fn has_objectness(&self) -> bool {
        self.objectness.is_some()
    }

    /// The fields of the rows, `[N, rows, fields]`, or of one of them, `[N, 1, fields]`.
    pub(super) fn fields(&self, raw: &Tensor<2>, at: Option<usize>) -> Tensor<3> {
        let column = |parts: &Vec<Part>| match at {
            None => {
                let mut rows: Vec<Tensor<3>> = parts.iter().map(|part| part.of(raw)).collect();
                if rows.len() == 1 { rows.remove(0) } else { Tensor::cat(rows, 1) }
            }
            Some(at) => {
                let (mut first, mut found) = (0, &parts[0]);
                for part in parts {
                    if at < first + part.rows {
                        found = part;
                        break;
                    }
                    first += part.rows;
                }
                found.of(raw).slice_dim(1, (at - first) as i64..(at - first) as i64 + 1)
            }
        };
        let mut columns: Vec<Tensor<3>> = self.columns.iter().map(column).collect();
        if columns.len() == 1 { columns.remove(0) } else { Tensor::cat(columns, 2) }
    }

    /// Constants of the rows, `[1, rows or 1, D]`.
    fn constants<const D: usize>(
        &self,
        of_rows: &[[f32; D]],
        at: Option<usize>,
        like: &Tensor<3>,
    ) -> Tensor<3> {
        let rows = match at {
            Some(at) => &of_rows[at..=at],
            None => of_rows,
        };
        let data = TensorData::new(rows.concat(), [1, rows.len(), D]);
        Tensor::from_data(data, &like.device())
    }

    /// Left, top, right and bottom edge in pixels of the network's input, `[N, rows or 1, 4]`.
    fn edges(&self, fields: &Tensor<3>, at: Option<usize>) -> Tensor<3> {
        let first = self.coordinates;
        let field = |k: usize| fields.clone().slice_dim(2, (first + k) as i64..(first + k + 1) as i64);
        let corners = |cx: Tensor<3>, cy: Tensor<3>, w: Tensor<3>, h: Tensor<3>| {
            let (w, h) = (w * 0.5, h * 0.5);
            Tensor::cat(vec![cx.clone() - w.clone(), cy.clone() - h.clone(), cx + w, cy + h], 2)
        };
        match &self.coding {
            Coding::Plain { format, scale: [x, y] } => {
                let [a, b, c, d] = [field(0), field(1), field(2), field(3)];
                let (x, y) = (*x, *y);
                match format {
                    BoxFormat::Cxcywh => corners(a * x, b * y, c * x, d * y),
                    BoxFormat::Xyxy => Tensor::cat(vec![a * x, b * y, c * x, d * y], 2),
                    // ONNX leaves open which corner comes first.
                    BoxFormat::Yxyx => Tensor::cat(
                        vec![
                            b.clone().min_pair(d.clone()) * x,
                            a.clone().min_pair(c.clone()) * y,
                            b.max_pair(d) * x,
                            a.max_pair(c) * y,
                        ],
                        2,
                    ),
                    BoxFormat::Xywh => {
                        Tensor::cat(vec![a.clone() * x, b.clone() * y, (a + c) * x, (b + d) * y], 2)
                    }
                }
            }
            Coding::Grid(cells) => {
                let cells = self.constants(cells, at, fields);
                let known = |k: usize| cells.clone().slice_dim(2, k as i64..k as i64 + 1);
                corners(
                    (activation::sigmoid(field(0)) + known(0)) * known(4),
                    (activation::sigmoid(field(1)) + known(1)) * known(5),
                    field(2).exp() * known(2),
                    field(3).exp() * known(3),
                )
            }
            Coding::Centre { cells, scale: [x, y] } => {
                let cells = self.constants(cells, at, fields);
                let known = |k: usize| cells.clone().slice_dim(2, k as i64..k as i64 + 1);
                // Widths and heights first, then what is left of the centre.
                corners((known(0) + field(2)) * *x, (known(1) + field(3)) * *y, field(0) * *x, field(1) * *y)
            }
        }
    }

    /// The objectness as a probability, `[N, rows or 1, 1]`.
    fn objectness(&self, fields: &Tensor<3>) -> Option<Tensor<3>> {
        let (field, is_logit) = self.objectness?;
        let value = fields.clone().slice_dim(2, field as i64..field as i64 + 1);
        Some(if is_logit { activation::sigmoid(value) } else { value })
    }

    /// The logits of the classes, that of nothing last, `[N, rows or 1, classes]`.
    fn logits(&self, fields: &Tensor<3>) -> Tensor<3> {
        let own = self.in_order(fields);
        match (self.scoring, self.objectness(fields)) {
            (Scoring::Sigmoid | Scoring::Softmax, None) => own,
            (Scoring::Probabilities, None) => logit(own),
            (Scoring::Shares, None) => own.clamp_min(SMALLEST).log(),
            (_, Some(sure)) => logit(self.alone(own) * sure),
        }
    }

    /// The classes' own numbers, that of nothing last.
    fn in_order(&self, fields: &Tensor<3>) -> Tensor<3> {
        let cut =
            |range: std::ops::Range<usize>| fields.clone().slice_dim(2, range.start as i64..range.end as i64);
        let (start, end) = (self.scores.start, self.scores.end);
        match self.background {
            Some(0) if self.scores.len() > 1 => {
                Tensor::cat(vec![cut(start + 1..end), cut(start..start + 1)], 2)
            }
            _ => cut(start..end),
        }
    }

    /// Probabilities of the classes, whatever the objectness.
    fn alone(&self, numbers: Tensor<3>) -> Tensor<3> {
        match self.scoring {
            Scoring::Probabilities | Scoring::Shares => numbers,
            Scoring::Sigmoid => activation::sigmoid(numbers),
            Scoring::Softmax => activation::softmax(numbers, 2),
        }
    }

    /// The scores of the classes, without that of nothing, 0 to 1: `[N, rows or 1, classes]`.
    fn shares(&self, fields: &Tensor<3>) -> Tensor<3> {
        let own = self.alone(self.in_order(fields)).slice_dim(2, 0..self.classes() as i64);
        match self.objectness(fields) {
            Some(sure) => own * sure,
            None => own,
        }
    }

    /// Edges `[N, rows, 4]` and scores `[N, rows, classes]` of all rows.
    pub fn all(&self, raw: &Tensor<2>) -> (Tensor<3>, Tensor<3>) {
        let fields = self.fields(raw, None);
        (self.edges(&fields, None), self.shares(&fields))
    }

    /// What the fields of one row are, weighted so that none cancels another: a number that depends on whatever the row does.
    pub fn traced(&self, raw: &Tensor<2>, at: usize) -> Tensor<1> {
        let fields = self.fields(raw, Some(at));
        let [_, _, count] = fields.dims();
        let weights: Vec<f32> = (0..count).map(|k| 1.0 + (k as f32 * 0.618_034).fract()).collect();
        let weights = Tensor::<3>::from_data(TensorData::new(weights, [1, 1, count]), &fields.device());
        (fields * weights).sum()
    }
}

/// What a network says of one box.
#[derive(Debug, Clone)]
pub(crate) struct BoxView {
    pub head: std::sync::Arc<Head>,
    /// Its row at the explained input.
    pub row: usize,
    /// Its edges there, in pixels of the network's input.
    pub edges: Edges,
    pub class: usize,
    /// The scores of its classes there, 0 to 1.
    pub shares: Vec<f32>,
    pub score: BoxScore,
    pub follow: Follow,
}

/// Rows whose box overlaps with the explained one by so much may stand for it.
pub(crate) const SAME: f32 = 0.5;

impl BoxView {
    /// What is explained of the output `[N, values]`: the classes' logits, `[N, classes]`, or one number, `[N, 1]`.
    pub fn scores(&self, raw: Tensor<2>) -> Result<Tensor<2>> {
        let head = &self.head;
        let [batch, _] = raw.dims();
        let (fields, edges) = match self.follow {
            Follow::Place => {
                let fields = head.fields(&raw, Some(self.row));
                let edges = head.edges(&fields, Some(self.row));
                (fields, edges)
            }
            Follow::Overlap => {
                let fields = head.fields(&raw, None);
                let edges = head.edges(&fields, None);
                let rows = self.matching(&fields, &edges);
                let pick = |values: Tensor<3>| {
                    let [_, _, wide] = values.dims();
                    values.gather(1, rows.clone().repeat_dim(2, wide))
                };
                (pick(fields), pick(edges))
            }
        };
        let edge = |k: usize| edges.clone().slice_dim(2, k as i64..k as i64 + 1);
        let found = match self.score {
            BoxScore::Class => head.logits(&fields),
            BoxScore::Objectness => match (head.objectness(&fields), head.has_background()) {
                (Some(sure), _) => logit(sure),
                (None, true) => {
                    let all = head.logits(&fields);
                    let count = head.classes() as i64;
                    let (some, none) =
                        (all.clone().slice_dim(2, 0..count), all.slice_dim(2, count..count + 1));
                    let most = some.clone().max_dim(2);
                    (some - most.clone()).exp().sum_dim(2).log() + most - none
                }
                (None, false) => {
                    return Err(Error::Internal("a head without objectness was asked for it".into()));
                }
            },
            BoxScore::Left => edge(0),
            BoxScore::Top => edge(1),
            BoxScore::Right => edge(2),
            BoxScore::Bottom => edge(3),
            BoxScore::Width => edge(2) - edge(0),
            BoxScore::Height => edge(3) - edge(1),
        };
        let [_, _, wide] = found.dims();
        Ok(found.reshape([batch, wide]))
    }

    /// How much each row's box overlaps with the explained one, `[N, rows, 1]`.
    fn overlaps(&self, edges: &Tensor<3>) -> Tensor<3> {
        let edge = |k: usize| edges.clone().slice_dim(2, k as i64..k as i64 + 1);
        let [left, top, right, bottom] = self.edges;
        let wide = (edge(2).clamp_max(right) - edge(0).clamp_min(left)).clamp_min(0.0);
        let high = (edge(3).clamp_max(bottom) - edge(1).clamp_min(top)).clamp_min(0.0);
        let shared = wide * high;
        let own = ((right - left).max(0.0)) * ((bottom - top).max(0.0));
        let theirs = (edge(2) - edge(0)).clamp_min(0.0) * (edge(3) - edge(1)).clamp_min(0.0);
        let all = theirs + own - shared.clone();
        shared / all.clamp_min(f32::MIN_POSITIVE)
    }

    /// The number of the row that stands for the box in each sample, `[N, 1, 1]`.
    fn matching(&self, fields: &Tensor<3>, edges: &Tensor<3>) -> Tensor<3, Int> {
        let [batch, rows, _] = fields.dims();
        let class = self.class as i64;
        let score = match self.score {
            BoxScore::Class if self.class < self.head.classes() => {
                self.head.shares(fields).slice_dim(2, class..class + 1)
            }
            _ => self.head.shares(fields).max_dim(2),
        };
        let mut own = vec![0.0; rows];
        own[self.row] = 1.0;
        let own = Tensor::<3>::from_data(TensorData::new(own, [1, rows, 1]), &fields.device());
        // Its own row always counts, so that there is one.
        let counts = (self.overlaps(edges).greater_equal_elem(SAME).float() + own).clamp_max(1.0);
        let judged = (score + 1.0) * counts;
        judged.argmax(1).reshape([batch, 1, 1])
    }

    /// D-RISE's likeness of what is found to the explained box: of each sample the largest product of overlap, the cosine between the
    /// classes' scores, and the objectness, `[N]`. A head without objectness has its best class's score in its place.
    pub fn likeness(&self, raw: &Tensor<2>) -> Tensor<1> {
        let head = &self.head;
        let [batch, _] = raw.dims();
        let fields = head.fields(raw, None);
        let edges = head.edges(&fields, None);
        let classes = head.alone(head.in_order(&fields)).slice_dim(2, 0..head.classes() as i64);
        let sure = head.objectness(&fields).unwrap_or_else(|| classes.clone().max_dim(2));
        let own = Tensor::<3>::from_data(
            TensorData::new(self.shares.clone(), [1, 1, self.shares.len()]),
            &raw.device(),
        );
        let length = |values: Tensor<3>| values.clone().mul(values).sum_dim(2).sqrt();
        let both = length(classes.clone()) * length(own.clone());
        let cosine = (classes * own).sum_dim(2) / both.clamp_min(f32::MIN_POSITIVE);
        (self.overlaps(&edges) * cosine * sure).max_dim(1).reshape([batch])
    }
}
