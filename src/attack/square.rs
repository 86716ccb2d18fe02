//! Square (Andriushchenko et al. 2020): random squares of a picture are changed to the edge of the bound, and kept where they help. It
//! asks for scores alone, and so finds what a gradient that vanishes would hide.

use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardUniform};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    AttackOptions,
    registry::{Attacking, Shared},
    victim::{Found, Victim, sign},
};
use crate::{Error, Result};

/// Square.
pub struct Square;

/// Parameters of Square.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How often the network is asked at most: 5000 in the paper.
    #[schemars(range(min = 1, max = 100000))]
    pub queries: usize,
    /// The part of the pixels that the first squares cover.
    #[schemars(range(min = 0.0001, max = 1.0))]
    pub part: f32,
}

impl Default for Config {
    fn default() -> Self {
        Self { queries: 1000, part: 0.8 }
    }
}

impl Attacking for Square {
    type Config = Config;
    const NAME: &'static str = "square";
    const TITLE: &'static str = "Square attack";
    const SUMMARY: &'static str = "Changes random squares of a picture to the edge of the bound, smaller and smaller ones, and keeps what brings \
                                   the answer nearer to its turn. It needs no gradient, and ends where the answer turns.";
    const PAPER: &'static str = "Andriushchenko, Croce, Flammarion, Hein: Square Attack: a Query-efficient Black-box Adversarial Attack via Random Search (2020)";
    const READS: &'static [Shared] = &[Shared::Epsilon, Shared::Towards];
    const COST: &'static str = "queries + 1 forward passes at most";

    /// Knows the given tensor `draws`: numbers from 0 to below 1 that are taken one by one, and from the first again, for each random
    /// choice.
    async fn run(victim: &Victim<'_>, options: &AttackOptions, config: &Config) -> Result<Found> {
        let places = &victim.places;
        if !places.layout.is_picture() {
            return Err(Error::ParameterInvalid {
                method: Self::NAME.into(),
                name: "attack".into(),
                reason: "squares are those of pictures; choose another attack for this input".into(),
            });
        }
        let (channels, height, width) = (places.channels, places.height, places.width);
        let (pixels, bound) = (height * width, options.epsilon);
        let mut draws = Draws::new(victim);
        let stripes: Vec<f32> = (0..channels * width).map(|_| draws.sign()).collect();
        let mut change: Vec<f32> =
            (0..channels * pixels).map(|i| bound * stripes[i / pixels * width + i % width]).collect();
        // As the model takes it, and brought back to what is valid.
        let made = |change: &[f32]| victim.moved(places.in_order(change).into_owned());
        let planes = |point: &[f32]| places.planes(&victim.change(point)).into_owned();
        let mut point = made(&change);
        change = planes(&point);
        let mut least = victim.margin(&victim.logits(vec![point.clone()]).await?.concat()).0;
        for query in 0..config.queries {
            if least <= 0.0 {
                break;
            }
            victim.checkpoint(query, config.queries).await?;
            let part = part(f64::from(config.part), query, config.queries);
            let side = ((part * pixels as f64).sqrt().round_ties_even() as usize).clamp(1, height.min(width));
            let (top, left) = (draws.below(height - side), draws.below(width - side));
            let signs: Vec<f32> = (0..channels).map(|_| draws.sign()).collect();
            let tried: Vec<f32> = change
                .iter()
                .enumerate()
                .map(|(i, &now)| {
                    let (row, column) = (i % pixels / width, i % width);
                    let inside = (top..top + side).contains(&row) && (left..left + side).contains(&column);
                    let added = if inside { 2.0 * bound * signs[i / pixels] } else { 0.0 };
                    (now + added).clamp(-bound, bound)
                })
                .collect();
            let moved = made(&tried);
            let margin = victim.margin(&victim.logits(vec![moved.clone()]).await?.concat()).0;
            if margin < least || margin <= 0.0 {
                least = margin;
                change = planes(&moved);
                point = moved;
            }
        }
        Ok(Found { change: victim.change(&point), step: 0.0 })
    }
}

/// The part of the pixels that a square covers at a query: the paper's steps for 10000 queries, stretched to as many as there are.
fn part(first: f64, query: usize, queries: usize) -> f64 {
    let query = query * 10000 / queries;
    let halvings =
        [10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000].iter().filter(|&&until| query > until).count();
    first / f64::from(1u32 << halvings)
}

/// Random choices, or those that follow from given numbers.
struct Draws<'a> {
    given: Option<&'a [f32]>,
    taken: usize,
    random: ChaCha8Rng,
}

impl<'a> Draws<'a> {
    fn new(victim: &'a Victim<'_>) -> Self {
        let given = victim.given("draws").filter(|draws| !draws.is_empty());
        Self { given, taken: 0, random: victim.random() }
    }

    /// From 0 to below 1.
    fn part(&mut self) -> f32 {
        match self.given {
            None => StandardUniform.sample(&mut self.random),
            Some(given) => {
                self.taken += 1;
                given[(self.taken - 1) % given.len()]
            }
        }
    }

    fn sign(&mut self) -> f32 {
        sign(2.0 * self.part() - 1.0)
    }

    /// A whole number below `bound`; 0 where there is none.
    fn below(&mut self, bound: usize) -> usize {
        (self.part() * bound as f32) as usize
    }
}
