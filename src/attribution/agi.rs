//! Adversarial gradient integration (Pan, Li, Zhu 2021): what tells the class from each false class?
//!
//! For a false class `i` the input is pushed towards `i` until the network predicts `i`; on the way the gradient
//! of the explained class's probability is integrated (Algorithm 1). The sum over several false classes is the
//! explanation (Algorithm 2); a single one answers "why `t` and not `i`".

use burn::tensor::{Int, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Subject,
    anytime::Anytime,
    display::{Channels, Display},
    predicts, read,
    registry::{Cost, Method, Need},
    subject::PixelSpace,
};
use crate::{Result, model::Score};

pub(super) struct Agi;

/// The curve along which the gradient is integrated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Mode {
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
enum Sampling {
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
pub(super) struct Config {
    /// The curve along which the gradient is integrated.
    mode: Mode,
    /// The false classes; where none is given, as many as `samples` says are chosen as `sampling` says.
    classes: Vec<usize>,
    /// False classes to choose.
    #[schemars(range(min = 1, max = 1000))]
    samples: usize,
    /// How they are chosen.
    sampling: Sampling,
    /// Steps towards a false class at most; on the straight line, also the points on it.
    #[schemars(range(min = 1, max = 1000))]
    steps: usize,
    /// Length of a step in every pixel, where black is 0 and white is 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    step_size: f32,
    /// Also return each false class's own map: what tells the class from that one.
    individual: bool,
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
        let looks = usize::from(config.classes.is_empty() && config.sampling == Sampling::Probable);
        Cost { forward: gradients + looks, backward: gradients }
    }

    async fn attribute(subject: &Subject<'_>, config: &Config) -> Result<Attribution> {
        let classes = false_classes(subject, config).await?;
        let space = subject.pixel_space()?;
        let x0 = space.pixels(subject.input());
        let chunk = subject.batch_limit();
        let phases = if config.mode == Mode::Straight { 2 } else { 1 };
        let rounds = phases * config.steps * classes.len().div_ceil(chunk);
        let mut map = x0.zeros_like();
        let mut individual = Vec::new();
        for (index, classes) in classes.chunks(chunk).enumerate() {
            let done = index * phases * config.steps;
            let run = Run { subject, config, space: &space, x0: &x0, done, rounds, before: &map };
            let attributed = match config.mode {
                Mode::Path | Mode::Reference => run.ascend(classes, true).await?.attributed,
                Mode::Straight => run.straight(run.ascend(classes, false).await?.x).await?,
            };
            map = map + attributed.clone().sum_dim(0);
            if config.individual {
                individual.push(attributed);
            }
        }
        Ok(Attribution { against: classes, individual, ..Attribution::new(map, config.steps) })
    }
}

/// False classes that are worked on together, one a row.
struct Run<'a> {
    subject: &'a Subject<'a>,
    config: &'a Config,
    space: &'a PixelSpace,
    x0: &'a Tensor<2>,
    done: usize,
    rounds: usize,
    /// What the classes before these have attributed, `[1, features]`.
    before: &'a Tensor<2>,
}

/// Where the rows are on their way, `[rows, features]` each, in pixels.
struct Rows {
    x: Tensor<2>,
    attributed: Tensor<2>,
    /// Which of the classes each row belongs to.
    of: Vec<usize>,
}

impl Rows {
    fn select(&self, rows: &[usize]) -> Self {
        let of = rows.iter().map(|&row| self.of[row]).collect();
        Self { x: select(&self.x, rows), attributed: select(&self.attributed, rows), of }
    }

    /// Rows that ended at different times, in the order of the classes.
    fn join(parts: Vec<Self>) -> Self {
        let of: Vec<usize> = parts.iter().flat_map(|rows| rows.of.iter().copied()).collect();
        let (x, attributed) = parts.into_iter().map(|rows| (rows.x, rows.attributed)).unzip();
        let rows = Self { x: Tensor::cat(x, 0), attributed: Tensor::cat(attributed, 0), of };
        if rows.of.is_sorted() {
            return rows;
        }
        let mut order: Vec<usize> = (0..rows.of.len()).collect();
        order.sort_unstable_by_key(|&row| rows.of[row]);
        rows.select(&order)
    }
}

impl Run<'_> {
    /// Steps of length epsilon along the sign of `grad p_i` until class `i` is predicted; adds up
    /// `-grad p_t . delta` where `integrate` says so.
    async fn ascend(&self, classes: &[usize], integrate: bool) -> Result<Rows> {
        let Config { mode, steps, step_size, .. } = *self.config;
        let start = self.x0.clone().repeat_dim(0, classes.len());
        let mut rows = Rows { attributed: start.zeros_like(), x: start, of: (0..classes.len()).collect() };
        let mut classes = classes.to_vec();
        let mut finished = Vec::new();
        for step in 0..steps {
            let stage = "pushing the picture towards other classes";
            self.subject.checkpoint(self.done + step, self.rounds, stage).await?;
            let points = self.space.model(rows.x.clone());
            let targets = vec![self.subject.target(); classes.len()];
            let choices: &[&[usize]] = if integrate { &[&classes, &targets] } else { &[&classes] };
            let mut found = self.subject.gradients_of(points, choices, Score::Probability)?.into_iter();
            let (Some(of_false), of_target) = (found.next(), found.next()) else { break };
            let mut ascent = of_false.gradient;
            let mut descent = of_target.map(|found| found.gradient);
            let mut arrived = predicts(of_false.logits, &classes);
            // A row that has arrived stays where it is, so it may as well leave the batch; where finding that
            // out would mean waiting for a GPU, it stays in and counts nothing.
            if let Some(values) = self.subject.peek(&arrived).await? {
                let (out, kept): (Vec<_>, Vec<_>) = (0..classes.len()).partition(|&row| values[row] == 1.0);
                if !out.is_empty() {
                    finished.push(rows.select(&out));
                    if kept.is_empty() {
                        return Ok(Rows::join(finished));
                    }
                    rows = rows.select(&kept);
                    (ascent, descent) = (select(&ascent, &kept), descent.map(|rows| select(&rows, &kept)));
                    arrived = select(&arrived, &kept);
                    classes = kept.iter().map(|&row| classes[row]).collect();
                }
            }
            let moving: Tensor<2> = arrived * -1.0 + 1.0;
            let origin = if mode == Mode::Reference { self.x0.clone() } else { rows.x.clone() };
            // The map to pixels has positive factors: the sign of a gradient is the same in both spaces.
            let next = (origin.clone() + ascent.sign() * step_size).clamp(0.0, 1.0);
            if let Some(descent) = descent {
                let delta = next.clone() - origin;
                rows.attributed = rows.attributed - self.space.gradient(descent) * delta * moving.clone();
            }
            rows.x = rows.x.clone() + (next - rows.x) * moving;
            if integrate {
                let parts = || finished.iter().chain([&rows]);
                let so_far = || {
                    parts().fold(self.before.clone(), |sum, rows| sum + rows.attributed.clone().sum_dim(0))
                };
                self.subject.so_far(self.done + step + 1, self.rounds, so_far).await?;
            }
        }
        finished.push(rows);
        Ok(Rows::join(finished))
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

fn select(rows: &Tensor<2>, indices: &[usize]) -> Tensor<2> {
    let indices: Vec<i64> = indices.iter().map(|&index| index as i64).collect();
    let indices = Tensor::<1, Int>::from_data(indices.as_slice(), &rows.device());
    rows.clone().select(0, indices)
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
            let logits = read(subject.logits(subject.input())?.reshape([classes])).await?;
            let mut order: Vec<usize> = (0..classes).filter(other).collect();
            order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
            order.truncate(samples);
            order
        }
    })
}
