//! Which values of a file hold a detector's boxes and scores, and what the numbers in them are.
//!
//! First the file: what its outputs are called, their ranks, and what makes them. Where several values hold the answer they are laid end to
//! end in one output; where the file itself sorts the boxes out (NonMaxSuppression, TopK), what stands before that is taken, since no gradient
//! passes behind. Then the shapes, when they are known. What only the numbers tell is settled on the first input, and told as a guess.

use std::collections::{HashMap, HashSet};

use onnx_ir::{AttributeProto, AttributeType, NodeProto};

use super::{
    Background, BoxFormat, BoxUnit, DetectorInfo, DetectorOptions, HeadStyle, Scoring,
    head::{Coding, Head, Part},
};
use crate::{
    Error, Result,
    model::{FileParts, ValueInfo},
};

/// What the file says of a detector's outputs.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// The values, in the order of the style.
    pub values: Vec<String>,
    style: Option<HeadStyle>,
    format: Option<BoxFormat>,
    /// Whether scores come as `[N, classes, rows]`.
    classes_first: bool,
    /// Whether rows are known to come before fields.
    rows_first: bool,
    /// Whether the graph shows that the classes' numbers are probabilities of each class for itself.
    probabilities: bool,
    /// Whether the network itself leaves no two boxes of one thing.
    one_to_one: bool,
    /// The output that is explained.
    pub output: ValueInfo,
    notes: Vec<String>,
}

/// A head of which the numbers have yet to say what they are.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    head: Head,
    names: Vec<String>,
    format: Option<BoxFormat>,
    unit: Option<BoxUnit>,
    scoring: Option<Scoring>,
    background: Option<Background>,
    /// Width and height of the network's input.
    size: [f32; 2],
    notes: Vec<String>,
}

struct Nodes<'p> {
    nodes: &'p [NodeProto],
    makers: HashMap<&'p str, usize>,
}

impl<'p> Nodes<'p> {
    fn new(nodes: &'p [NodeProto]) -> Self {
        let outputs = |(index, node): (usize, &'p NodeProto)| {
            node.output.iter().map(move |name| (name.as_str(), index))
        };
        Self { nodes, makers: nodes.iter().enumerate().flat_map(outputs).collect() }
    }

    fn maker(&self, value: &str) -> Option<&'p NodeProto> {
        self.makers.get(value).map(|&index| &self.nodes[index])
    }

    /// Whether a value is put together of parts of which one leaves a sigmoid, with nothing between but what moves and scales. A map whose every place
    /// ends in one, or in a softmax, is none of boxes.
    fn holds_probabilities(&self, value: &str) -> bool {
        let (mut open, mut seen) = (vec![(value, false)], HashSet::new());
        while let Some((value, apart)) = open.pop() {
            let Some(node) = self.maker(value).filter(|_| seen.insert((value, apart))) else { continue };
            let apart = match node.op_type.as_str() {
                "Sigmoid" | "HardSigmoid" if apart => return true,
                // YOLOv5 takes the sigmoid of all fields at once and takes them apart after.
                "Concat" | "Split" | "Slice" => true,
                "Reshape" | "Transpose" | "Gather" | "Mul" | "Add" | "Sub" | "Div" | "Pow" | "Squeeze"
                | "Unsqueeze" | "Cast" | "Identity" | "Flatten" | "Clip" | "Exp" => apart,
                _ => continue,
            };
            open.extend(node.input.iter().map(|input| (input.as_str(), apart)));
        }
        false
    }

    /// The value that only moves into this one.
    fn moved_from(&self, mut value: &'p str, through: &[&str]) -> &'p str {
        while let Some(node) = self.maker(value).filter(|node| through.contains(&node.op_type.as_str())) {
            match node.input.first() {
                Some(before) => value = before,
                None => break,
            }
        }
        value
    }

    /// The node of this operator nearest to a value, going back.
    fn before(&self, value: &str, operator: &str) -> Option<&'p NodeProto> {
        let (mut open, mut seen) = (std::collections::VecDeque::from([value]), HashSet::new());
        while let Some(value) = open.pop_front() {
            let Some(&index) = self.makers.get(value).filter(|&&index| seen.insert(index)) else { continue };
            let node = &self.nodes[index];
            if node.op_type == operator {
                return Some(node);
            }
            if matches!(node.op_type.as_str(), "Conv" | "MatMul" | "Gemm") {
                continue;
            }
            open.extend(node.input.iter().map(String::as_str));
        }
        None
    }
}

fn attribute(node: &NodeProto, name: &str) -> Option<i64> {
    node.attribute.iter().find(|attribute| attribute.name == name).map(|attribute| attribute.i)
}

/// Finds a detector's values in a file, and has it give them as one output.
///
/// # Errors
/// [`Error::DetectorUnknown`] where what the caller says of it does not fit.
pub(crate) fn arrange(
    file: &mut impl FileParts,
    outputs: &[ValueInfo],
    told: Option<&DetectorOptions>,
    named: Option<&str>,
) -> Result<Option<Plan>> {
    let plan = {
        let (known, nodes) = (file.value_names(), Nodes::new(file.nodes()));
        match (told, named) {
            (Some(told), _) if told.outputs.is_some() || told.style.is_some() => {
                Some(as_told(&nodes, outputs, told, &known)?)
            }
            (None, Some(_)) => None,
            (Some(_), _) => found(&nodes, outputs),
            // Unasked, an output stays what it is: rows of boxes that are one output are read from it as they stand.
            (None, None) => found(&nodes, outputs).filter(|plan| is_an_output(plan, outputs)),
        }
    };
    let Some(mut plan) = plan else { return Ok(None) };
    match plan.values.as_slice() {
        [one] => {
            plan.output =
                outputs.iter().find(|info| info.name == *one).cloned().unwrap_or_else(|| inner(one));
        }
        several => {
            let (joined, nodes) = joined(file, several);
            file.append(nodes);
            plan.output = ValueInfo { shape: vec![None, None], symbols: vec![None, None], ..inner(&joined) };
        }
    }
    Ok(Some(plan))
}

/// Whether all that a plan reads is one output of the file.
fn is_an_output(plan: &Plan, outputs: &[ValueInfo]) -> bool {
    matches!(plan.values.as_slice(), [one] if outputs.iter().any(|info| info.name == *one))
}

/// Whether a file would be taken for a detector if one asked.
pub(crate) fn looks_like_one(file: &impl FileParts, outputs: &[ValueInfo]) -> bool {
    found(&Nodes::new(file.nodes()), outputs).is_some()
}

/// What is told of a value inside of the graph.
fn inner(name: &str) -> ValueInfo {
    ValueInfo {
        name: name.to_owned(),
        shape: Vec::new(),
        symbols: Vec::new(),
        element_type: "float32".into(),
    }
}

/// Nodes that lay values end to end, sample by sample.
fn joined(file: &impl FileParts, values: &[String]) -> (String, Vec<NodeProto>) {
    let axis = || AttributeProto {
        name: "axis".into(),
        type_: AttributeType::INT.into(),
        i: 1,
        ..Default::default()
    };
    let output = file.unused_name("boxes and scores");
    let mut nodes = Vec::new();
    let mut flat = Vec::new();
    for value in values {
        let name = file.unused_name(&format!("{value} in a line"));
        nodes.push(NodeProto {
            name: name.clone(),
            op_type: "Flatten".into(),
            input: vec![value.clone()],
            output: vec![name.clone()],
            attribute: vec![axis()],
            ..Default::default()
        });
        flat.push(name);
    }
    nodes.push(NodeProto {
        name: output.clone(),
        op_type: "Concat".into(),
        input: flat,
        output: vec![output.clone()],
        attribute: vec![axis()],
        ..Default::default()
    });
    (output, nodes)
}

fn new_plan(values: Vec<String>, style: Option<HeadStyle>) -> Plan {
    let output = inner("");
    Plan {
        values,
        style,
        format: None,
        classes_first: false,
        rows_first: false,
        probabilities: false,
        one_to_one: false,
        output,
        notes: Vec::new(),
    }
}

/// The values that the caller names, or those of the style that the caller names.
fn as_told(
    nodes: &Nodes<'_>,
    outputs: &[ValueInfo],
    told: &DetectorOptions,
    known: &HashSet<String>,
) -> Result<Plan> {
    if let Some(values) = &told.outputs {
        if let Some(unknown) = values.iter().find(|name| !known.contains(*name)) {
            return Err(Error::DetectorUnknown(format!("the file has no value called \"{unknown}\"")));
        }
        if values.is_empty() {
            return Err(Error::DetectorUnknown("\"outputs\" names none".into()));
        }
        return Ok(new_plan(values.clone(), told.style));
    }
    let real: Vec<&ValueInfo> = outputs.iter().filter(|info| info.element_type.contains("float")).collect();
    let all = || real.iter().map(|info| info.name.clone()).collect::<Vec<_>>();
    let mut found = found(nodes, outputs).filter(|plan| plan.style.is_none() || plan.style == told.style);
    let plan = match told.style {
        Some(HeadStyle::Yolov8 | HeadStyle::Yolov5) => {
            found.take().filter(|plan| plan.values.len() == 1).or_else(|| {
                let rows = real.iter().find(|info| info.shape.len() == 3).or(real.first())?;
                Some(new_plan(vec![rows.name.clone()], None))
            })
        }
        Some(HeadStyle::Yolov3) => Some(new_plan(all(), None)),
        _ => found.or_else(|| Some(new_plan(all(), None))),
    };
    let mut plan =
        plan.ok_or_else(|| Error::DetectorUnknown("the file has no output of real numbers".into()))?;
    plan.style = told.style;
    Ok(plan)
}

/// What the file itself shows.
fn found(nodes: &Nodes<'_>, outputs: &[ValueInfo]) -> Option<Plan> {
    if let Some(plan) = before_suppression(nodes) {
        return Some(plan);
    }
    let real: Vec<&ValueInfo> = outputs.iter().filter(|info| info.element_type.contains("float")).collect();
    let last = |info: &ValueInfo| info.shape.last().copied().flatten();
    let named = |info: &ValueInfo, parts: &[&str]| {
        let name = info.name.to_lowercase();
        parts.iter().any(|part| name.contains(part))
    };
    let flat: Vec<&&ValueInfo> = real.iter().filter(|info| info.shape.len() == 3).collect();
    // Boxes and scores apart.
    let is_boxes = |info: &ValueInfo| {
        let rank = info.shape.len();
        last(info) == Some(4) && (rank == 3 || (rank == 4 && info.shape[2] == Some(1)))
    };
    // Of three classes and nothing, scores have four fields, too.
    let called = |info: &&&ValueInfo| is_boxes(info) && named(info, &["box", "loc", "coord"]);
    if let Some(boxes) = real.iter().find(called).or(real.iter().find(|info| is_boxes(info))) {
        let others: Vec<&&&ValueInfo> = flat.iter().filter(|info| info.name != boxes.name).collect();
        let by_name =
            others.iter().find(|info| named(info, &["logit", "score", "conf", "cls", "class", "prob"]));
        let scores = by_name.or(others.first().filter(|_| others.len() == 1));
        if let Some(scores) = scores {
            let style = match named(boxes, &["pred_boxes"]) || named(scores, &["logits"]) {
                true => HeadStyle::Detr,
                false => HeadStyle::Boxes,
            };
            let rows = |info: &ValueInfo, axis: usize| info.shape.get(axis).copied().flatten();
            let classes_first = rows(boxes, 1).is_some()
                && rows(scores, 1) != rows(boxes, 1)
                && rows(scores, 2) == rows(boxes, 1);
            let plan = new_plan(vec![boxes.name.clone(), scores.name.clone()], Some(style));
            return Some(Plan { classes_first, ..plan });
        }
    }
    // Centres, sizes and offsets.
    let maps: Vec<&&ValueInfo> = real.iter().filter(|info| info.shape.len() == 4).collect();
    if flat.is_empty() && real.len() == 3 && maps.len() == 3 {
        let two = |info: &ValueInfo| info.shape[1] == Some(2);
        let pairs: Vec<&&&ValueInfo> = maps.iter().filter(|info| two(info)).collect();
        let centres: Vec<&&&ValueInfo> = maps.iter().filter(|info| !two(info)).collect();
        if let ([centres], [a, b]) = (centres.as_slice(), pairs.as_slice()) {
            let is_size = |info: &ValueInfo| named(info, &["wh", "size", "dim"]);
            let is_offset = |info: &ValueInfo| named(info, &["reg", "off"]);
            let (size, offset, sure) = match (is_size(a) || is_offset(b), is_size(b) || is_offset(a)) {
                (true, false) => (a, b, true),
                (false, true) => (b, a, true),
                _ => (a, b, false),
            };
            let values = [centres, size, offset].iter().map(|info| info.name.clone()).collect();
            let mut plan = new_plan(values, Some(HeadStyle::Centernet));
            if !sure {
                plan.notes.push(format!(
                    "Its output \u{201c}{}\u{201d} is taken for widths and heights and \u{201c}{}\u{201d} for offsets, by their order; the \
                     detector's `outputs` say otherwise.",
                    size.name, offset.name
                ));
            }
            return Some(plan);
        }
    }
    // Rows.
    let [rows] = flat.as_slice() else { return None };
    if last(rows) == Some(6)
        && let Some(plan) = before_choice(nodes, &rows.name)
    {
        return Some(plan);
    }
    if !nodes.holds_probabilities(&rows.name) {
        return None;
    }
    let maker = nodes.maker(&rows.name);
    let along_last =
        maker.is_some_and(|node| node.op_type == "Concat" && matches!(attribute(node, "axis"), Some(2 | -1)));
    let turned = maker.is_some_and(|node| node.op_type == "Transpose");
    let mut plan = new_plan(vec![rows.name.clone()], None);
    // Turned rows of YOLOv8, and those of RT-DETR, which lays boxes and scores side by side.
    plan.style = (along_last || turned).then_some(HeadStyle::Yolov8);
    plan.rows_first = along_last || turned;
    plan.probabilities = true;
    Some(plan)
}

/// What stands before the one NonMaxSuppression of a file.
fn before_suppression(nodes: &Nodes<'_>) -> Option<Plan> {
    let mut all = nodes.nodes.iter().filter(|node| node.op_type == "NonMaxSuppression");
    let (node, None) = (all.next()?, all.next()) else { return None };
    let (boxes, scores) = (node.input.first()?, node.input.get(1)?);
    let format = match attribute(node, "center_point_box") {
        Some(1) => BoxFormat::Cxcywh,
        _ => BoxFormat::Yxyx,
    };
    let mut plan = new_plan(vec![boxes.clone(), scores.clone()], Some(HeadStyle::Boxes));
    plan.classes_first = true;
    plan.format = Some(format);
    plan.notes.push(
        "The file sorts out boxes that overlap by itself (NonMaxSuppression), where no gradient passes: what is read are the boxes and scores \
         before it."
            .into(),
    );
    Some(plan)
}

/// What stands before the choice of the best rows of an end-to-end head, `[N, best, 6]`.
fn before_choice(nodes: &Nodes<'_>, output: &str) -> Option<Plan> {
    let nearest = nodes.before(output, "TopK")?;
    // A second choice may follow, of classes of the rows that the first has chosen.
    let first = nearest.input.first().and_then(|data| nodes.before(data, "TopK")).unwrap_or(nearest);
    let moves = ["ReduceMax", "Squeeze", "Flatten", "Reshape", "Identity", "Unsqueeze"];
    let scores = nodes.moved_from(first.input.first()?, &moves);
    let told = |mut plan: Plan| {
        plan.one_to_one = true;
        plan.notes.push(
            "The file chooses its best rows by itself (TopK): what is read are all rows before that, so that a box is explained by its own row."
                .into(),
        );
        plan
    };
    let maker = nodes.maker(scores)?;
    if matches!(maker.op_type.as_str(), "Split" | "Slice") {
        let all = maker.input.first()?;
        return Some(told(new_plan(vec![all.clone()], Some(HeadStyle::Yolov8))));
    }
    // Boxes and scores were never in one value: the boxes are what is gathered with the same rows.
    let gathered = nodes
        .nodes
        .iter()
        .filter(|node| matches!(node.op_type.as_str(), "GatherElements" | "Gather" | "GatherND"));
    let boxes = gathered
        .filter_map(|node| node.input.first())
        .find(|data| nodes.moved_from(data, &["Identity"]) != scores && nodes.maker(data).is_some())?;
    Some(told(new_plan(vec![boxes.clone(), scores.to_owned()], Some(HeadStyle::Boxes))))
}

/// Four axes for fewer.
fn four(dims: &[usize]) -> Option<[usize; 4]> {
    let mut all = [1; 4];
    all.get_mut(..dims.len())?.copy_from_slice(dims);
    Some(all)
}

/// Rows `[rows, fields]` or `[fields, rows]` at `start`.
fn rows_at(start: usize, dims: &[usize], fields_first: bool) -> Option<Part> {
    let dims: Vec<usize> = match *dims {
        [rows, 1, fields] => vec![rows, fields],
        _ => dims.to_vec(),
    };
    let &[a, b] = dims.as_slice() else { return None };
    let (order, rows, fields) = if fields_first { ([1, 0, 2, 3], b, a) } else { ([0, 1, 2, 3], a, b) };
    Some(Part { start, dims: four(&dims)?, order, rows, fields })
}

impl Draft {
    /// The head of outputs of these shapes, without the samples' axis, for an input of so many pixels.
    ///
    /// # Errors
    /// Why they are none of a detector, as the end of a sentence.
    pub fn new(
        plan: &Plan,
        shapes: &[Vec<usize>],
        [height, width]: [usize; 2],
        told: &DetectorOptions,
    ) -> Result<Self, String> {
        let mut notes = plan.notes.clone();
        let starts: Vec<usize> = shapes
            .iter()
            .scan(0, |end, dims| {
                let start = *end;
                *end += dims.iter().product::<usize>();
                Some(start)
            })
            .collect();
        let size = [width as f32, height as f32];
        let style = match (plan.style, shapes) {
            (Some(style), _) => style,
            (None, [one]) => match one.as_slice() {
                &[a, b] if a < b => HeadStyle::Yolov8,
                [_, _] => {
                    notes.push(
                        "Its rows are taken for four coordinates, an objectness and the classes (yolov5); `detector` with the style yolov8 says that \
                         there is no objectness."
                            .into(),
                    );
                    HeadStyle::Yolov5
                }
                _ => return Err(format!("its output of shape {one:?} holds no rows of boxes")),
            },
            (None, [_, _]) => HeadStyle::Boxes,
            (None, [_, second, third]) if second == third => HeadStyle::Centernet,
            (None, _) => HeadStyle::Yolov3,
        };
        let plain = |format: Option<BoxFormat>, otherwise| Coding::Plain {
            format: format.unwrap_or(otherwise),
            scale: [1.0, 1.0],
        };
        let mut head = Head {
            style,
            columns: Vec::new(),
            coding: plain(told.format.or(plan.format), BoxFormat::Cxcywh),
            coordinates: 0,
            objectness: None,
            scores: 0..0,
            scoring: Scoring::Probabilities,
            background: None,
            rows: 0,
            threshold: told.threshold.unwrap_or(0.25),
            overlap: told.overlap.unwrap_or(if plan.one_to_one { 1.0 } else { 0.5 }),
            peaks: None,
        };
        let mut draft = DraftParts {
            format: told.format.or(plan.format),
            unit: told.unit,
            scoring: told.scores.or(plan.probabilities.then_some(Scoring::Probabilities)),
            background: told.background,
        };
        match (style, shapes) {
            (HeadStyle::Yolov8 | HeadStyle::Yolov5, [one]) => {
                let &[a, b] = one.as_slice() else {
                    return Err(format!("its output of shape {one:?} holds no rows of boxes"));
                };
                let before = if style == HeadStyle::Yolov8 { 4 } else { 5 };
                // There are more rows than fields, but for a few queries of many classes, which are laid side by side with the boxes.
                let fields_first = a < b && !plan.rows_first;
                let part = rows_at(0, one, fields_first).ok_or("its output holds no rows")?;
                if part.fields <= before {
                    return Err(format!(
                        "its output of shape {one:?} has no place for four coordinates and a class"
                    ));
                }
                head.scores = before..part.fields;
                head.objectness = (style == HeadStyle::Yolov5).then_some((4, false));
                head.rows = part.rows;
                head.columns = vec![vec![part]];
                draft.format = draft.format.or(Some(BoxFormat::Cxcywh));
                draft.background = draft.background.or(Some(Background::None));
            }
            (HeadStyle::Boxes | HeadStyle::Detr, [boxes, scores]) => {
                let one = rows_at(0, boxes, false)
                    .filter(|part| part.fields == 4)
                    .ok_or_else(|| format!("its boxes have the shape {boxes:?}, and not [rows, 4]"))?;
                let &[a, b] = scores.as_slice() else {
                    return Err(format!("its scores have the shape {scores:?}, and not [rows, classes]"));
                };
                let classes_first =
                    if a == one.rows && b == one.rows { plan.classes_first } else { b == one.rows };
                let two = rows_at(starts[1], scores, classes_first)
                    .filter(|part| part.rows == one.rows)
                    .ok_or_else(|| {
                        format!("it has {} boxes, and scores of the shape {scores:?}", one.rows)
                    })?;
                head.scores = 4..4 + two.fields;
                head.rows = one.rows;
                head.columns = vec![vec![one], vec![two]];
                if style == HeadStyle::Detr {
                    draft.format = draft.format.or(Some(BoxFormat::Cxcywh));
                    head.overlap = told.overlap.unwrap_or(1.0);
                }
                if plan.classes_first && plan.format.is_some() {
                    draft.background = draft.background.or(Some(Background::None));
                }
            }
            (HeadStyle::Centernet, [centres, sizes, offsets]) => {
                let (&[classes, rows, columns], [2, h, w], true) =
                    (centres.as_slice(), sizes.as_slice(), sizes == offsets)
                else {
                    return Err(format!(
                        "its outputs of shapes {shapes:?} are no map of centres with sizes and offsets"
                    ));
                };
                if [*h, *w] != [rows, columns] {
                    return Err(format!("its outputs of shapes {shapes:?} have not one size"));
                }
                let cells = rows * columns;
                let part = |start: usize, fields: usize| {
                    vec![Part {
                        start,
                        dims: [fields, rows, columns, 1],
                        order: [1, 2, 0, 3],
                        rows: cells,
                        fields,
                    }]
                };
                head.columns = vec![part(starts[0], classes), part(starts[1], 2), part(starts[2], 2)];
                head.scores = 0..classes;
                head.coordinates = classes;
                head.rows = cells;
                head.peaks = Some([rows, columns]);
                head.overlap = told.overlap.unwrap_or(1.0);
                head.coding = Coding::Centre {
                    cells: (0..cells)
                        .map(|cell| [(cell % columns) as f32, (cell / columns) as f32])
                        .collect(),
                    scale: [size[0] / columns as f32, size[1] / rows as f32],
                };
                draft.unit = Some(BoxUnit::Pixels);
                draft.format = Some(BoxFormat::Cxcywh);
                draft.background = draft.background.or(Some(Background::None));
            }
            (HeadStyle::Yolov3, grids) => {
                let anchors = told.anchors.as_ref().ok_or(
                    "the widths and heights of its anchors are in no file: give them as \"anchors\", a list for each output",
                )?;
                if anchors.len() != grids.len() {
                    return Err(format!(
                        "it has {} grids, and \"anchors\" has {} lists",
                        grids.len(),
                        anchors.len()
                    ));
                }
                let (mut parts, mut cells) = (Vec::new(), Vec::new());
                for ((dims, anchors), &start) in grids.iter().zip(anchors).zip(&starts) {
                    let count = anchors.len();
                    let fits =
                        |channels: usize| count > 0 && channels.is_multiple_of(count) && channels / count > 5;
                    let (dims, order, [rows, columns], fields) = match *dims.as_slice() {
                        [channels, h, w] if fits(channels) => {
                            let fields = channels / count;
                            ([count, fields, h, w], [0, 2, 3, 1], [h, w], fields)
                        }
                        [h, w, channels] if fits(channels) => {
                            let fields = channels / count;
                            ([h, w, count, fields], [2, 0, 1, 3], [h, w], fields)
                        }
                        [a, h, w, fields] if a == count && fields > 5 => {
                            ([a, h, w, fields], [0, 1, 2, 3], [h, w], fields)
                        }
                        [h, w, a, fields] if a == count && fields > 5 => {
                            ([h, w, a, fields], [2, 0, 1, 3], [h, w], fields)
                        }
                        _ => {
                            return Err(format!(
                                "its grid of shape {dims:?} is not [{count} * (5 + classes), height, width] for {count} anchors"
                            ));
                        }
                    };
                    let cell = [size[0] / columns as f32, size[1] / rows as f32];
                    for [wide, high] in anchors {
                        for place in 0..rows * columns {
                            let (x, y) = ((place % columns) as f32, (place / columns) as f32);
                            cells.push([x, y, *wide, *high, cell[0], cell[1]]);
                        }
                    }
                    parts.push(Part { start, dims, order, rows: count * rows * columns, fields });
                }
                let fields = parts[0].fields;
                if parts.iter().any(|part| part.fields != fields) {
                    return Err("its grids have not the same number of classes".into());
                }
                head.scores = 5..fields;
                head.objectness = Some((4, true));
                head.rows = cells.len();
                head.coding = Coding::Grid(cells);
                head.columns = vec![parts];
                draft.scoring = draft.scoring.or(Some(Scoring::Sigmoid));
                draft.unit = Some(BoxUnit::Pixels);
                draft.format = Some(BoxFormat::Cxcywh);
                draft.background = draft.background.or(Some(Background::None));
            }
            (style, shapes) => {
                return Err(format!("outputs of the shapes {shapes:?} do not go with the style {style:?}"));
            }
        }
        let DraftParts { format, unit, scoring, background } = draft;
        Ok(Self { head, names: plan.values.clone(), format, unit, scoring, background, size, notes })
    }

    /// What is known of it before an input has been seen.
    pub fn info(&self) -> DetectorInfo {
        self.info_of(&self.head)
    }

    pub fn info_of(&self, head: &Head) -> DetectorInfo {
        DetectorInfo {
            style: head.style,
            outputs: self.names.clone(),
            rows: head.rows,
            classes: match self.background {
                Some(Background::None) | None => head.classes(),
                _ if head.has_background() => head.classes(),
                _ => head.classes().saturating_sub(1),
            },
            objectness: head.has_objectness(),
        }
    }

    /// How many names of classes fit: those without a class of nothing, or with it.
    pub fn labels_fit(&self, count: usize) -> bool {
        let all = self.head.scores.len();
        count == all || count + 1 == all
    }

    /// The rows of an output, `[N, rows, fields]`, from which [`Self::settled`] judges.
    pub fn rows(&self, raw: &burn::tensor::Tensor<2>) -> burn::tensor::Tensor<3> {
        self.head.fields(raw, None)
    }

    /// The head, with what the numbers of an input's rows tell of it, and what was guessed.
    ///
    /// # Errors
    /// [`Error::DetectorUnknown`] where what was told does not fit.
    pub fn settled(&self, rows: &[f32]) -> Result<(Head, Vec<String>)> {
        let (mut head, mut notes, mut guessed) = (self.head.clone(), self.notes.clone(), Vec::new());
        let fields = rows.len() / head.rows.max(1);
        let all = || rows.chunks_exact(fields.max(1));
        let coordinates = |row: &[f32]| -> [f32; 4] {
            let first = head.coordinates;
            [row[first], row[first + 1], row[first + 2], row[first + 3]]
        };
        let scores = head.scores.clone();
        let part = |count: usize| count as f32 / head.rows.max(1) as f32;

        // What the scores are.
        let within = all().all(|row| row[scores.clone()].iter().all(|value| (0.0..=1.0).contains(value)));
        let one = all().all(|row| (row[scores.clone()].iter().sum::<f32>() - 1.0).abs() < 1e-3);
        let apart = matches!(head.style, HeadStyle::Boxes | HeadStyle::Detr);
        // Most queries see nothing, so a class for that stands out against all others.
        let mean =
            |field: usize| all().map(|row| f64::from(row[field])).sum::<f64>() / head.rows.max(1) as f64;
        let nothing_last = scores.len() > 1 && {
            let last = mean(scores.end - 1);
            (scores.start..scores.end - 1).all(|field| last > mean(field) + 1.0)
        };
        let scoring = self.scoring.unwrap_or_else(|| {
            let (found, what) = match (within, apart) {
                (true, true) if one && scores.len() > 1 => {
                    (Scoring::Shares, "probabilities that add up to 1")
                }
                (true, _) => (Scoring::Probabilities, "probabilities of each class for itself"),
                (false, false) => (Scoring::Sigmoid, "logits of each class for itself"),
                (false, true) if head.style == HeadStyle::Detr && !nothing_last => {
                    (Scoring::Sigmoid, "logits of each class for itself")
                }
                (false, true) if self.background == Some(Background::None) => {
                    (Scoring::Sigmoid, "logits of each class for itself")
                }
                (false, true) => (Scoring::Softmax, "logits of a softmax"),
            };
            guessed.push((format!("the scores for {what}"), "scores"));
            found
        });
        head.scoring = scoring;
        let of_all = matches!(scoring, Scoring::Shares | Scoring::Softmax);
        let background = self.background.unwrap_or_else(|| {
            if !(apart && of_all) {
                return Background::None;
            }
            let (found, which) = match head.style {
                HeadStyle::Detr => (Background::Last, "last"),
                _ => (Background::First, "first"),
            };
            guessed.push((format!("the {which} of its classes for that of nothing"), "background"));
            found
        });
        head.background = match background {
            Background::None => None,
            Background::First => Some(0),
            Background::Last => Some(scores.len() - 1),
        };
        if head.classes() == 0 {
            return Err(Error::DetectorUnknown("it has no class beside that of nothing".into()));
        }
        if let Some((field, is_logit)) = &mut head.objectness
            && head.style == HeadStyle::Yolov5
        {
            *is_logit = !all().all(|row| (0.0..=1.0).contains(&row[*field]));
        }

        // What the coordinates are.
        if let Coding::Plain { format, scale } = &mut head.coding {
            let ordered = part(
                all()
                    .filter(|row| {
                        let [a, b, c, d] = coordinates(row);
                        c >= a && d >= b
                    })
                    .count(),
            );
            *format = self.format.unwrap_or_else(|| {
                let (found, what) = match ordered > 0.99 {
                    true => (BoxFormat::Xyxy, "left, top, right and bottom edges (xyxy)"),
                    false => (BoxFormat::Cxcywh, "centre, width and height (cxcywh)"),
                };
                guessed.push((format!("the coordinates for {what}"), "box"));
                found
            });
            let most = all().flat_map(coordinates).fold(0.0f32, |most, value| most.max(value.abs()));
            let unit = self.unit.unwrap_or_else(|| {
                let (found, what) = match most <= 2.0 {
                    true => (BoxUnit::Share, "parts of the picture's width and height (share)"),
                    false => (BoxUnit::Pixels, "pixels of the network\u{2019}s input"),
                };
                guessed.push((format!("what these are counted in for {what}"), "unit"));
                found
            });
            *scale = match unit {
                BoxUnit::Share => self.size,
                BoxUnit::Pixels => [1.0, 1.0],
            };
        }
        if !guessed.is_empty() {
            let (what, options): (Vec<String>, Vec<String>) =
                guessed.into_iter().map(|(what, option)| (what, format!("`{option}`"))).unzip();
            let say = if options.len() == 1 { "says" } else { "say" };
            notes.push(format!(
                "The detector\u{2019}s numbers are taken, by their values, {}; its {} {say} otherwise.",
                what.join(", "),
                options.join(", ")
            ));
        }
        Ok((head, notes))
    }
}

/// What is known so far of what the numbers are.
struct DraftParts {
    format: Option<BoxFormat>,
    unit: Option<BoxUnit>,
    scoring: Option<Scoring>,
    background: Option<Background>,
}
