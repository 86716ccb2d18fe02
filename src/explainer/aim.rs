//! From a target to a network whose scores are what is explained, and the boxes of a detector.

use std::sync::Arc;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use web_time::Instant;

use crate::{
    ClassScore, Error, Explainer, HostTensor, Input, Result,
    attribution::read,
    input::image::Region,
    model::{
        Activation, BoxScore, BoxTarget, Follow, Model, OutputKind, RegionTarget, Seen, Target, View,
        detect::{
            BoxView, DetectOptions, DetectorInfo, Draft, Edges, Head, SAME,
            boxes::{Candidate, overlap, suppressed},
            place_of,
        },
    },
};

/// A box that was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct Detected {
    /// Its number in the list, the best first.
    pub number: usize,
    /// Left, top, right and bottom in pixels of the picture as given; of a tensor in those of the network's input.
    #[serde(rename = "box")]
    #[cfg_attr(target_family = "wasm", tsify(type = "[number, number, number, number]"))]
    pub edges: Edges,
    /// Its class, with its probability as the score.
    pub class: ClassScore,
    /// Where on the picture it lies, in words: "at the left".
    pub place: String,
    /// The row of the detector's output that it comes from.
    pub row: usize,
}

/// The boxes that a detector found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
#[cfg_attr(target_family = "wasm", tsify(missing_as_null))]
pub struct Detections {
    /// The best first.
    pub boxes: Vec<Detected>,
    /// What the detector's outputs were taken for.
    pub detector: DetectorInfo,
    /// The part of the photograph that the network saw; `null` for tensors.
    pub region: Option<Region>,
    /// What was guessed, in sentences that name the option which changes it.
    pub notes: Vec<String>,
    /// Wall time.
    pub milliseconds: f64,
}

/// What was explained where that is more than a class.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
#[cfg_attr(target_family = "wasm", tsify(missing_as_null))]
pub struct Aim {
    /// The target, with what was left to the network.
    #[cfg_attr(target_family = "wasm", tsify(type = "Target"))]
    pub target: Target,
    /// What it is, in words: "the “dog” at the left (0.83)".
    pub name: String,
    /// The box, where one is explained, in pixels of the picture as given.
    #[serde(rename = "box")]
    pub object: Option<Detected>,
    /// What is said of it before the evidence is told, as a sentence.
    pub said: String,
    /// The number of places of the region, where one is explained, and of the map.
    pub region: Option<[usize; 2]>,
}

/// A network whose scores are what a target asks for.
pub struct Aimed {
    /// The network; its classes are those of the target.
    pub explainer: Explainer,
    /// The class that is explained among them.
    pub class: Option<usize>,
    /// What is explained, where that is more than a class.
    pub aim: Option<Aim>,
    /// What was guessed, in sentences.
    pub notes: Vec<String>,
}

/// Rows of a detector's output for one input.
struct Rows {
    head: Head,
    edges: Vec<Edges>,
    /// Scores of each row's classes.
    shares: Vec<f32>,
    notes: Vec<String>,
}

impl Rows {
    fn share(&self, row: usize) -> &[f32] {
        let classes = self.head.classes();
        &self.shares[row * classes..(row + 1) * classes]
    }

    /// The class of the highest score of a row, and that.
    fn best(&self, row: usize) -> (usize, f32) {
        let best = |best: (usize, f32), (class, &score): (usize, &f32)| {
            if score > best.1 { (class, score) } else { best }
        };
        self.share(row).iter().enumerate().fold((0, f32::NEG_INFINITY), best)
    }

    /// The boxes that are told.
    fn found(&self, options: &DetectOptions) -> Result<Vec<Candidate>> {
        let share = |name: &str, value: f32| match (0.0..=1.0).contains(&value) {
            true => Ok(value),
            false => Err(Error::DetectorUnknown(format!("the {name} of {value} is not between 0 and 1"))),
        };
        let least = share("threshold", options.threshold.unwrap_or(self.head.threshold))?;
        let most = share("overlap", options.overlap.unwrap_or(self.head.overlap))?;
        let boxes = (0..self.head.rows)
            .filter_map(|row| {
                let (class, score) = self.best(row);
                let edges = self.edges[row];
                let is_box = edges.iter().all(|edge| edge.is_finite()) && self.is_peak(row, class);
                (score >= least && is_box).then_some(Candidate { edges, class, score, row })
            })
            .collect();
        let mut boxes = suppressed(boxes, most);
        boxes.truncate(options.most.unwrap_or(300));
        Ok(boxes)
    }

    /// Of a map of centres, whether no neighbour has a higher score of the class.
    fn is_peak(&self, row: usize, class: usize) -> bool {
        let Some([height, width]) = self.head.peaks else { return true };
        let (y, x) = (row / width, row % width);
        let near = |at: usize, size: usize| at.saturating_sub(1)..(at + 2).min(size);
        let score = self.share(row)[class];
        near(y, height).all(|y| near(x, width).all(|x| self.share(y * width + x)[class] <= score))
    }
}

impl Model {
    /// Whether boxes can be read from its output.
    pub fn is_detector(&self) -> bool {
        self.detector().is_ok()
    }
}

impl Explainer {
    /// How many classes have names: those of a detector, or else the scores.
    pub(crate) fn names_fit(&self, count: usize) -> bool {
        let draft = self.model().detector().ok();
        draft.is_some_and(|draft| draft.labels_fit(count)) || self.model().dense_classes() == Some(count)
    }

    /// The boxes that a detector finds in one input, the best first: in pixels of the photograph, or of the input where that is a tensor.
    ///
    /// # Errors
    /// [`Error::DetectorUnknown`] where the network is not seen to be a detector, and those of the input.
    pub async fn detect(&self, input: &Input<'_>, options: &DetectOptions) -> Result<Detections> {
        let started = Instant::now();
        let (bound, tensor, region) = self.locate(input).await?;
        let this = bound.as_ref().unwrap_or(self);
        let rows = this.rows(&tensor).await?;
        let found = rows.found(options)?;
        let boxes = found
            .iter()
            .enumerate()
            .map(|(number, one)| this.detected(number, one, region))
            .collect::<Result<_>>()?;
        let draft = this.draft()?;
        Ok(Detections {
            boxes,
            detector: draft.info_of(&rows.head),
            region,
            notes: rows.notes,
            milliseconds: started.elapsed().as_secs_f64() * 1e3,
        })
    }

    fn draft(&self) -> Result<&Draft> {
        self.model().detector().map_err(|reason| Error::DetectorUnknown(reason.to_owned()))
    }

    /// All rows of the output for one input.
    async fn rows(&self, input: &HostTensor) -> Result<Rows> {
        let draft = self.draft()?;
        if input.shape.first() != Some(&1) {
            return Err(Error::InputInvalid("Boxes are found in one input at a time.".into()));
        }
        let raw = self.model().unseen().logits(self.upload(input)?)?;
        let flat = async |values: Tensor<3>| {
            let count = values.dims().iter().product::<usize>();
            read(values.reshape([count])).await
        };
        let (head, notes) = draft.settled(&flat(draft.rows(&raw)).await?)?;
        let (edges, shares) = head.all(&raw);
        let (edges, shares) = (flat(edges).await?, flat(shares).await?);
        Ok(Rows { head, edges: edges.as_chunks().0.to_vec(), shares, notes })
    }

    /// Height and width of the input.
    fn input_size(&self) -> Result<[usize; 2]> {
        let places = self.model().places()?;
        Ok([places.height, places.width])
    }

    /// A box with its name, on the photograph.
    fn detected(&self, number: usize, one: &Candidate, region: Option<Region>) -> Result<Detected> {
        let [height, width] = self.input_size()?;
        let place = place_of(one.edges, [height as f32, width as f32]);
        let edges = match region {
            None => one.edges,
            Some(region) => {
                let x = |x: f32| (region.x + f64::from(x) * region.width / width as f64) as f32;
                let y = |y: f32| (region.y + f64::from(y) * region.height / height as f64) as f32;
                let [left, top, right, bottom] = one.edges;
                [x(left), y(top), x(right), y(bottom)]
            }
        };
        let logit = (one.score / (1.0 - one.score).max(f32::MIN_POSITIVE)).ln();
        let class =
            ClassScore { index: one.class, label: self.class_name(one.class), probability: one.score, logit };
        Ok(Detected { number, edges, class, place, row: one.row })
    }

    /// The network whose scores are what `target` asks for of one input, `[1, …]` in model space; places are those of the photograph where
    /// `region` is the part of it that the input shows. `follow` says what stands for a box where the input changes and the target does not.
    ///
    /// # Errors
    /// [`Error::TargetInvalid`], [`Error::TargetOutOfRange`], [`Error::DetectorUnknown`], and those of the network.
    pub async fn aimed(
        &self,
        target: &Target,
        input: &HostTensor,
        region: Option<Region>,
        follow: Follow,
    ) -> Result<Aimed> {
        let size = self.input_size().unwrap_or([1, 1]);
        match target.clone().on_input(region, size) {
            Target::Class(class) => {
                self.model().check_target(class)?;
                Ok(Aimed { explainer: self.clone(), class: Some(class), aim: None, notes: Vec::new() })
            }
            _ if self.model().view().is_some() => {
                Err(Error::TargetInvalid("a target of this network is chosen already".into()))
            }
            Target::Token { .. } => {
                Err(Error::TargetInvalid("tokens are those of a text, and the input is none".into()))
            }
            Target::Against { class, against } => self.aimed_against(target, class, against),
            Target::Like(embedding) => self.aimed_like(target, embedding),
            Target::Region(asked) => self.aimed_region(target, &asked, input).await,
            Target::Box(asked) => self.aimed_box(&asked, input, region, follow).await,
        }
    }

    fn aimed_against(&self, target: &Target, class: usize, against: usize) -> Result<Aimed> {
        let model = self.model();
        model.check_target(class)?;
        model.check_target(against)?;
        let (one, other) = (self.class_name(class), self.class_name(against));
        let name = format!("\u{201c}{one}\u{201d} against \u{201c}{other}\u{201d}");
        let softmax = model.info().activation == Activation::Softmax;
        let seen = Seen {
            classes: 1,
            kind: OutputKind::Single,
            // Of two classes of a softmax alone.
            activation: if softmax { Activation::Sigmoid } else { Activation::None },
            name: name.clone(),
        };
        let said = format!(
            "What is explained is how much more the network\u{2019}s score of \u{201c}{one}\u{201d} is than that of \u{201c}{other}\u{201d}."
        );
        let explainer = self.with_model(model.seen(View::Against { class, against }, seen));
        let aim = Some(Aim { target: target.clone(), name, object: None, said, region: None });
        Ok(Aimed { explainer, class: Some(0), aim, notes: Vec::new() })
    }

    fn aimed_like(&self, target: &Target, embedding: Vec<f32>) -> Result<Aimed> {
        let model = self.model();
        if embedding.len() != model.classes() {
            return Err(Error::TargetInvalid(format!(
                "the embedding has {} numbers, and the network\u{2019}s output \"{}\" has {}; another output may be named (`output`)",
                embedding.len(),
                model.info().output.name,
                model.classes()
            )));
        }
        if !embedding.iter().all(|value| value.is_finite()) || embedding.iter().all(|&value| value == 0.0) {
            return Err(Error::TargetInvalid(
                "the embedding has no direction: its numbers must be finite and not all 0".into(),
            ));
        }
        let name = "the likeness to the given embedding".to_owned();
        let seen =
            Seen { classes: 1, kind: OutputKind::Single, activation: Activation::None, name: name.clone() };
        let said = "What is explained is how like the given embedding the network\u{2019}s output is, by the cosine of the angle between them.".to_owned();
        let explainer = self.with_model(model.seen(View::Like(embedding), seen));
        let aim = Some(Aim { target: target.clone(), name, object: None, said, region: None });
        Ok(Aimed { explainer, class: Some(0), aim, notes: Vec::new() })
    }

    async fn aimed_region(&self, target: &Target, asked: &RegionTarget, input: &HostTensor) -> Result<Aimed> {
        let model = self.model();
        let Some((classes, [rows, columns], classes_last)) = model.dense() else {
            return Err(Error::TargetInvalid(format!(
                "regions are those of a map of classes, [batch, classes, height, width], and the network\u{2019}s output \"{}\" is none; another \
                 output may be named (`output`)",
                model.info().output.name
            )));
        };
        let places = rows * columns;
        let values = self.logits(input).await?.data;
        let score = |class: usize, place: usize| match classes_last {
            true => values[place * classes + class],
            false => values[class * places + place],
        };
        // One class alone is there where its score speaks for it.
        let middle = match (model.info().activation, model.info().probabilities) {
            (Activation::None, true) => 0.5,
            _ => 0.0,
        };
        let best = |place: usize| match classes {
            1 => (score(0, place) > middle).then_some(0),
            _ => (0..classes)
                .reduce(|best, class| if score(class, place) > score(best, place) { class } else { best }),
        };
        if let Some(class) = asked.class.filter(|&class| class >= classes) {
            return Err(Error::TargetOutOfRange { target: class as i64, classes });
        }
        let (class, inside) = match (&asked.mask, asked.at) {
            (Some(_), Some(_)) => {
                return Err(Error::TargetInvalid(
                    "a region is told by its `mask` or by `at`, not by both".into(),
                ));
            }
            (Some(mask), None) => {
                let inside = on_map(mask, [rows, columns], self.input_size()?)?;
                let most = || {
                    let mut votes = vec![0usize; classes];
                    (0..places)
                        .filter(|&place| inside[place])
                        .filter_map(&best)
                        .for_each(|class| votes[class] += 1);
                    (0..classes)
                        .reduce(|best, class| if votes[class] > votes[best] { class } else { best })
                        .unwrap_or(0)
                };
                (asked.class.unwrap_or_else(most), inside)
            }
            (None, Some([x, y])) => {
                let [height, width] = self.input_size()?;
                if !((0.0..width as f64).contains(&x) && (0.0..height as f64).contains(&y)) {
                    return Err(Error::TargetInvalid(format!(
                        "the pixel [{x:.1}, {y:.1}] lies outside of the {width} x {height} that the network sees"
                    )));
                }
                let start = (y * rows as f64 / height as f64) as usize * columns
                    + (x * columns as f64 / width as f64) as usize;
                let start = start.min(places - 1);
                let class = match (asked.class, best(start)) {
                    (Some(class), found) if found == Some(class) => class,
                    (None, Some(class)) => class,
                    (_, found) => {
                        return Err(Error::TargetInvalid(format!(
                            "the network gives that pixel {}",
                            found.map_or("no class".into(), |class| format!(
                                "\u{201c}{}\u{201d}",
                                self.class_name(class)
                            ))
                        )));
                    }
                };
                (class, connected(start, [rows, columns], |place| best(place) == Some(class)))
            }
            (None, None) => {
                let class = asked.class.ok_or_else(|| {
                    Error::TargetInvalid("a region needs a `class`, a pixel (`at`) or a `mask`".into())
                })?;
                (class, (0..places).map(|place| best(place) == Some(class)).collect())
            }
        };
        let count = inside.iter().filter(|&&inside| inside).count();
        if count == 0 {
            return Err(Error::TargetInvalid(format!(
                "the region is empty: the network gives \u{201c}{}\u{201d} no place of it",
                self.class_name(class)
            )));
        }
        let weights = inside.iter().map(|&inside| if inside { 1.0 / count as f32 } else { 0.0 }).collect();
        let edges = inside.iter().enumerate().filter(|(_, inside)| **inside).fold(
            [f32::INFINITY, f32::INFINITY, 0.0, 0.0],
            |[left, top, right, bottom]: Edges, (place, _)| {
                let (x, y) = ((place % columns) as f32, (place / columns) as f32);
                [left.min(x), top.min(y), right.max(x + 1.0), bottom.max(y + 1.0)]
            },
        );
        let place = place_of(edges, [rows as f32, columns as f32]);
        let label = self.class_name(class);
        let name = format!("\u{201c}{label}\u{201d} {place}");
        let share = 100.0 * count as f64 / places as f64;
        let said = format!(
            "What is explained is the mean score of \u{201c}{label}\u{201d} over {count} of {places} places of the network\u{2019}s map ({share:.0}%), {place}."
        );
        let activation = model.info().activation;
        let kind = if classes == 1 { OutputKind::Single } else { OutputKind::Classes };
        let view = View::Region { classes, places, classes_last, weights };
        let probabilities = model.info().probabilities;
        let explainer = self.with_model(
            model.seen(view, Seen { classes, kind, activation, name: name.clone() }).told_as(probabilities),
        );
        let target = match target {
            Target::Region(region) => Target::Region(RegionTarget { class: Some(class), ..region.clone() }),
            other => other.clone(),
        };
        let aim = Some(Aim { target, name, object: None, said, region: Some([count, places]) });
        Ok(Aimed { explainer, class: Some(class), aim, notes: Vec::new() })
    }

    async fn aimed_box(
        &self,
        asked: &BoxTarget,
        input: &HostTensor,
        region: Option<Region>,
        follow: Follow,
    ) -> Result<Aimed> {
        let rows = self.rows(input).await?;
        let classes = rows.head.classes();
        if let Some(class) = asked.class.filter(|&class| class >= classes) {
            return Err(Error::TargetOutOfRange { target: class as i64, classes });
        }
        let options = DetectOptions { threshold: asked.threshold, overlap: asked.overlap, most: None };
        let (number, mut one) = match asked.at {
            Some(at) => {
                let at = at.map(|edge| edge as f32);
                let score =
                    |row: usize| asked.class.map_or_else(|| rows.best(row).1, |class| rows.share(row)[class]);
                let near = (0..rows.head.rows).filter(|&row| overlap(rows.edges[row], at) >= SAME);
                let row = near.reduce(|best, row| if score(row) > score(best) { row } else { best }).ok_or_else(|| {
                    Error::TargetInvalid(
                        "no box of the detector overlaps with the given one by half or more; `detect` lists those that it finds".into(),
                    )
                })?;
                let (class, score) = rows.best(row);
                (0, Candidate { edges: rows.edges[row], class, score, row })
            }
            None => {
                let found = rows.found(&options)?;
                let number = asked.number.unwrap_or(0);
                let one = found.get(number).copied().ok_or_else(|| {
                    Error::TargetInvalid(match found.len() {
                        0 => format!(
                            "the detector finds nothing in this picture with a score of {} or more; a lower `threshold` shows what it \
                             thinks of less, or name a place (`at`)",
                            options.threshold.unwrap_or(rows.head.threshold)
                        ),
                        count => format!("there are {count} boxes, 0 to {}, and {number} is asked about", count - 1),
                    })
                })?;
                (number, one)
            }
        };
        if let Some(class) = asked.class {
            (one.class, one.score) = (class, rows.share(one.row)[class]);
        }
        let (head, score) = (Arc::new(rows.head.clone()), asked.explain);
        if score == BoxScore::Objectness && !head.has_objectness() && !head.has_background() {
            return Err(Error::TargetInvalid(
                "this detector has no objectness: that there is something, and what, is one score, its class\u{2019}s (`explain`: class)".into(),
            ));
        }
        let follow = asked.follow.unwrap_or(follow);
        let view = BoxView {
            row: one.row,
            edges: one.edges,
            class: one.class,
            shares: rows.share(one.row).to_vec(),
            score,
            follow,
            head: head.clone(),
        };
        let layer = self.model().layer_of(self.upload(input)?, &view).await?;
        let object = self.detected(number, &one, region)?;
        let name = format!("\u{201c}{}\u{201d} {}", object.class.label, object.place);
        let [left, top, right, bottom] = object.edges;
        let edge = |which: &str, at: f32| {
            (
                format!("{which} of {name}"),
                format!("{which} of {name} ({:.2}), which lies at pixel {at:.0}", one.score),
            )
        };
        let size = |which: &str, pixels: f32| {
            (
                format!("{which} of {name}"),
                format!("{which} of {name} ({:.2}), which is {pixels:.0} pixels", one.score),
            )
        };
        let (name, what) = match score {
            BoxScore::Class => (name.clone(), format!("the score of {name} ({:.2})", one.score)),
            BoxScore::Objectness => (
                format!("that there is {name}"),
                format!("that the detector finds anything there ({name}, {:.2})", one.score),
            ),
            BoxScore::Left => edge("the left edge", left),
            BoxScore::Top => edge("the upper edge", top),
            BoxScore::Right => edge("the right edge", right),
            BoxScore::Bottom => edge("the lower edge", bottom),
            BoxScore::Width => size("the width", right - left),
            BoxScore::Height => size("the height", bottom - top),
        };
        let said = format!(
            "What is explained is {what}: the box from ({left:.0}, {top:.0}) to ({right:.0}, {bottom:.0})."
        );
        let seen = match score {
            BoxScore::Class => Seen {
                classes: classes + usize::from(head.has_background()),
                kind: if classes == 1 && !head.has_background() {
                    OutputKind::Single
                } else {
                    OutputKind::Classes
                },
                activation: if head.is_softmax() { Activation::Softmax } else { Activation::Sigmoid },
                name: name.clone(),
            },
            BoxScore::Objectness => Seen {
                classes: 1,
                kind: OutputKind::Single,
                activation: Activation::Sigmoid,
                name: name.clone(),
            },
            _ => Seen {
                classes: 1,
                kind: OutputKind::Single,
                activation: Activation::None,
                name: name.clone(),
            },
        };
        let class = if score == BoxScore::Class { one.class } else { 0 };
        let explainer = self.with_model(self.model().seen(View::Box(view), seen).looking_at(layer));
        let target = Target::Box(BoxTarget {
            number: asked.at.is_none().then_some(number),
            at: asked.at.map(|_| object.edges.map(f64::from)),
            class: Some(one.class),
            ..asked.clone()
        });
        let aim = Some(Aim { target, name, object: Some(object), said, region: None });
        Ok(Aimed { explainer, class: Some(class), aim, notes: rows.notes })
    }
}

/// A mask of the map's size, of one of the input's or of the map's.
fn on_map(mask: &HostTensor, [rows, columns]: [usize; 2], [height, width]: [usize; 2]) -> Result<Vec<bool>> {
    let sizes: Vec<usize> = mask.shape.iter().copied().skip_while(|&size| size == 1).collect();
    let own = mask.shape.iter().rev().take(2).rev().copied().collect::<Vec<_>>();
    let fits = |size: [usize; 2]| own == size && sizes.len() <= 2 && mask.data.len() == size[0] * size[1];
    if fits([rows, columns]) {
        return Ok(mask.data.iter().map(|&value| value > 0.0).collect());
    }
    if !fits([height, width]) {
        return Err(Error::TargetInvalid(format!(
            "the mask has the shape {:?}, and neither [{height}, {width}] of the network\u{2019}s input nor [{rows}, {columns}] of its map",
            mask.shape
        )));
    }
    // A place of the map is inside where the pixel in its middle is.
    let middle = |place: usize, count: usize, size: usize| (2 * place + 1) * size / (2 * count);
    let inside = |place: usize| {
        let (y, x) = (middle(place / columns, rows, height), middle(place % columns, columns, width));
        mask.data[y * width + x] > 0.0
    };
    Ok((0..rows * columns).map(inside).collect())
}

/// The places that hang together with one by their edges.
fn connected(start: usize, [rows, columns]: [usize; 2], belongs: impl Fn(usize) -> bool) -> Vec<bool> {
    let (mut inside, mut open) = (vec![false; rows * columns], vec![start]);
    while let Some(place) = open.pop() {
        if inside[place] || !belongs(place) {
            continue;
        }
        inside[place] = true;
        let (y, x) = (place / columns, place % columns);
        let near = [
            (y > 0).then(|| place - columns),
            (y + 1 < rows).then(|| place + columns),
            (x > 0).then(|| place - 1),
            (x + 1 < columns).then(|| place + 1),
        ];
        open.extend(near.into_iter().flatten());
    }
    inside
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_what_hangs_together() {
        let map = [1, 1, 0, 0, 1, 0, 1, 0, 1];
        let inside = connected(0, [3, 3], |place| map[place] == 1);
        assert_eq!(inside, [true, true, false, false, true, false, false, false, false]);
    }

    #[test]
    fn a_mask_is_brought_to_the_map() {
        let mask = HostTensor::new(vec![1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0], vec![2, 4]).unwrap();
        assert_eq!(on_map(&mask, [1, 2], [2, 4]).unwrap(), [true, false]);
        assert!(on_map(&mask, [1, 2], [4, 4]).is_err());
    }
}
