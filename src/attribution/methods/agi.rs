//! Adversarial gradient integration (Pan, Li, Zhu 2021): what tells the class from each false class?
//!
//! For a false class `i` the input is pushed towards `i` until the network predicts `i`; on the way the gradient
//! of the explained class's probability is integrated (AGI algorithm 1). The sum over several false classes is the
//! explanation (AGI algorithm 2); a single one answers "why `t` and not `i`".

use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Subject,
    anytime::Anytime,
    display::{Channels, Display},
    method::{Cost, Method, Need},
    predicts, read,
    subject::{Pass, PixelSpace},
};
use crate::{Result, model::Score};

/// Adversarial gradient integration.
pub struct Agi;

/// The curve along which the gradient is integrated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The curve of steepest ascent: each step starts where the last one ended (the paper).
    #[default]
    Path,
    /// Each step restarts from the input (the authors' published program).
    Reference,
    /// The straight line from the adversarial example to the input (the paper's figure 4).
    Straight,
}

/// How the false classes are chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sampling {
    /// At random (the paper).
    #[default]
    Random,
    /// At equal distances by their numbers, from class 0 (the authors' published program).
    Spread,
    /// Those that the network holds most likely.
    Probable,
}

/// Parameters of AGI.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The curve along which the gradient is integrated.
    pub mode: Mode,
    /// The false classes; where none is given, as many as `samples` says are chosen as `sampling` says.
    pub classes: Vec<usize>,
    /// False classes to choose.
    #[schemars(range(min = 1, max = 1000))]
    pub samples: usize,
    /// How they are chosen.
    pub sampling: Sampling,
    /// Steps towards a false class at most; on the straight line, also the points on it.
    #[schemars(range(min = 1, max = 1000))]
    pub steps: usize,
    /// Length of a step in every pixel, where black is 0 and white is 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub step_size: f32,
    /// Also return each false class's own map: what tells the class from that one.
    pub individual: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Path,
            classes: Vec::new(),
            samples: 20,
            sampling: Sampling::Random,
            steps: 20,
            step_size: 0.05,
            individual: false,
        }
    }
}

impl Method for Agi {
    type Config = Config;
    const NAME: &'static str = "agi";
    const TITLE: &'static str = "Adversarial gradient integration";
    const SUMMARY: &'static str = "Pushes the picture towards other classes and adds up what the network gives up on the way. No baseline is needed.";
    const PAPER: &'static str =
        "Pan, Li, Zhu: Explaining Deep Neural Network Models with Adversarial Gradient Integration (2021)";
    const NEEDS: &'static [Need] = &[Need::Gradient, Need::PixelSpace];
    const DISPLAY: Display = Display { channels: Channels::Mean, low: 80.0, high: 99.0 };
    const ANYTIME: Anytime = Anytime::Shows;

    fn cost(config: &Config) -> Cost {
        let classes = if config.classes.is_empty() { config.samples } else { config.classes.len() };
        let gradients = 2 * classes * config.steps;
        Cost { forward: gradients, backward: gradients }
    }

    fn quick() -> Config {
        Config { samples: 3, steps: 10, ..Config::default() }
    }

    async fn attribute(subject: &Subject<'_>, config: &Config) -> Result<Attribution> {
        let classes = false_classes(subject, config).await?;
        let space = subject.pixel_space()?;
        let x0 = space.pixels(subject.input());
        // A batch gains nothing on the processor. One after the other, paths share their first forward pass and end where they arrive.
        let chunk = if subject.may_peek() { 1 } else { subject.batch_limit() };
        let mut start = match chunk {
            1 => Some(Point { pass: subject.pass(space.model(x0.clone()))?, descent: None }),
            _ => None,
        };
        let phases = if config.mode == Mode::Straight { 2 } else { 1 };
        let rounds = phases * config.steps * classes.len().div_ceil(chunk);
        let mut map = x0.zeros_like();
        let mut individual = Vec::new();
        for (index, classes) in classes.chunks(chunk).enumerate() {
            let done = index * phases * config.steps;
            let run = Run { subject, config, space: &space, x0: &x0, done, rounds, before: &map };
            let attributed = match config.mode {
                Mode::Path | Mode::Reference => run.ascend(classes, &mut start, true).await?.attributed,
                Mode::Straight => run.straight(run.ascend(classes, &mut start, false).await?.x).await?,
            };
            // AGI algorithm 2: the maps of all false classes together.
            map = map + attributed.clone().sum_dim(0);
            if config.individual {
                individual.push(attributed);
            }
        }
        Ok(Attribution { against: classes, individual, ..Attribution::new(map, config.steps) })
    }
}

/// False classes that are worked on together, one a row.
struct Run<'r, 's> {
    subject: &'s Subject<'s>,
    config: &'r Config,
    space: &'r PixelSpace,
    x0: &'r Tensor<2>,
    done: usize,
    rounds: usize,
    /// What the classes before these have attributed, `[1, features]`.
    before: &'r Tensor<2>,
}

/// Where the rows are on their way, `[rows, features]` each, in pixels.
struct Rows {
    x: Tensor<2>,
    attributed: Tensor<2>,
}

/// A point on the way of each row.
struct Point<'a> {
    pass: Pass<'a>,
    /// The gradient of the explained class's probability, once it was asked for.
    descent: Option<Tensor<2>>,
}

impl Point<'_> {
    fn descent(&mut self, targets: &[usize]) -> Result<Tensor<2>> {
        match &self.descent {
            Some(known) => Ok(known.clone()),
            None => Ok(self.descent.insert(self.pass.gradient(targets, Score::Probability)?).clone()),
        }
    }
}

impl<'s> Run<'_, 's> {
    /// AGI algorithm 1: steps of length epsilon along the sign of `grad p_i` until class `i` is predicted; adds up
    /// `-grad p_t . delta` where `integrate` says so. `start` is the input, where all paths share it.
    async fn ascend(
        &self,
        classes: &[usize],
        start: &mut Option<Point<'s>>,
        integrate: bool,
    ) -> Result<Rows> {
        let Config { mode, steps, step_size, .. } = *self.config;
        let x = self.x0.clone().repeat_dim(0, classes.len());
        let mut rows = Rows { attributed: x.zeros_like(), x };
        let targets = vec![self.subject.target(); classes.len()];
        for step in 0..steps {
            let stage = "pushing the picture towards other classes";
            self.subject.checkpoint(self.done + step, self.rounds, stage).await?;
            let mut own;
            let point = match start {
                Some(start) if step == 0 => start,
                _ => {
                    let pass = self.subject.pass(self.space.model(rows.x.clone()))?;
                    own = Point { pass, descent: None };
                    &mut own
                }
            };
            let arrived = predicts(point.pass.logits(), classes);
            // Where finding out would mean waiting for a GPU, a row that has arrived stays where it is and counts nothing.
            if self.subject.peek(&arrived).await?.is_some_and(|rows| rows.iter().all(|&row| row == 1.0)) {
                break;
            }
            let ascent = point.pass.gradient(classes, Score::Probability)?;
            let moving: Tensor<2> = arrived * -1.0 + 1.0;
            let origin = if mode == Mode::Reference { self.x0.clone() } else { rows.x.clone() };
            // The map to pixels has positive factors: the sign of a gradient is the same in both spaces.
            let next = (origin.clone() + ascent.sign() * step_size).clamp(0.0, 1.0);
            if integrate {
                let delta = next.clone() - origin;
                let descent = self.space.gradient(point.descent(&targets)?);
                // AGI eq. 8, with the signed gradient's step (AGI algorithm 1) in place of the gradient of unit length.
                rows.attributed = rows.attributed - descent * delta * moving.clone();
            }
            rows.x = rows.x.clone() + (next - rows.x) * moving;
            if integrate {
                let so_far = || self.before.clone() + rows.attributed.clone().sum_dim(0);
                self.subject.so_far(self.done + step + 1, self.rounds, so_far).await?;
            }
        }
        Ok(rows)
    }

    /// The gradient of `p_t` integrated from each adversarial example straight to the input.
    async fn straight(&self, adversarial: Tensor<2>) -> Result<Tensor<2>> {
        let steps = self.config.steps;
        let count = adversarial.dims()[0];
        let difference = self.x0.clone() - adversarial.clone();
        let mut sum = difference.zeros_like();
        for step in 0..steps {
            let stage = "integrating along the straight line";
            self.subject.checkpoint(self.done + steps + step, self.rounds, stage).await?;
            let alpha = if steps == 1 { 1.0 } else { step as f32 / (steps - 1) as f32 };
            let points = self.space.model(adversarial.clone() + difference.clone() * alpha);
            let targets = vec![self.subject.target(); count];
            let gradient = self.subject.gradients(points, &targets, Score::Probability)?.gradient;
            sum = sum + self.space.gradient(gradient);
            let so_far = || {
                let attributed = difference.clone() * (sum.clone() / steps as f32);
                self.before.clone() + attributed.sum_dim(0)
            };
            self.subject.so_far(self.done + steps + step + 1, self.rounds, so_far).await?;
        }
        Ok(difference * (sum / steps as f32))
    }
}

/// The classes of the set S, all of them other than the explained one.
async fn false_classes(subject: &Subject<'_>, config: &Config) -> Result<Vec<usize>> {
    for &class in &config.classes {
        subject.check_target(class)?;
    }
    if !config.classes.is_empty() {
        return Ok(config.classes.clone());
    }
    let (classes, target) = (subject.classes(), subject.target());
    let samples = config.samples.min(classes - 1);
    let other = |class: &usize| *class != target;
    Ok(match config.sampling {
        Sampling::Random => {
            let drawn = rand::seq::index::sample(&mut subject.random(), classes - 1, samples);
            drawn.into_iter().map(|class| if class < target { class } else { class + 1 }).collect()
        }
        // As in the published program the explained class is left out where it is met, and not replaced.
        Sampling::Spread => (0..samples).map(|k| k * (classes / samples)).filter(other).collect(),
        Sampling::Probable => {
            let logits = read(subject.clean().reshape([classes])).await?;
            let mut order: Vec<usize> = (0..classes).filter(other).collect();
            order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
            order.truncate(samples);
            order
        }
    })
}
