//! Insertion and deletion as games that can be watched: which pixel changes when, into what, and the score on the way.
//!
//! The two metrics keep the area alone. Whoever shows a game needs no network once it is played: the picture after any
//! number of pixels follows from [`Game::ranks`].

use serde::{Deserialize, Serialize};
use web_time::Instant;

use super::{
    Assessment, Curve, Substrate,
    assessment::First,
    curve::{Ranking, area, play},
};
use crate::{Error, HostTensor, Result};

/// Which way the pixels go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GameKind {
    /// Out of the input, into the substrate.
    #[default]
    Deletion,
    /// Out of the substrate, into the input.
    Insertion,
}

/// Who goes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// The most important pixel of the judged map.
    #[default]
    Map,
    /// Any pixel, drawn from the assessment's seed: what a map that knows nothing would come to.
    Random,
}

/// How a game is played.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GameOptions {
    /// Which way the pixels go.
    pub kind: GameKind,
    /// The picture without its pixels; by default RISE's: blank for deletion, blurred for insertion.
    pub substrate: Option<Substrate>,
    /// Pixels that change at a step, or words of a text; by default RISE's 224, and one word.
    pub step: Option<usize>,
    /// Who goes first.
    pub order: Order,
}

/// A game that was played to its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Game {
    /// The turn of every pixel, from 0. After `k` steps the pixels below `k * step` have changed. The tokens of a word have one
    /// turn, and what is no word that after the last.
    pub ranks: Vec<u32>,
    /// The picture before the first step, in the input's shape.
    pub from: HostTensor,
    /// The picture after the last one.
    pub to: HostTensor,
    /// Pixels that change at a step.
    pub step: usize,
    /// The class's probability over the part of the pixels that have changed.
    pub curve: Curve,
    /// The area under it, as the metric of the same name has it.
    pub area: f64,
    /// Samples that went through the network.
    pub forward_passes: usize,
    /// Wall time.
    pub milliseconds: f64,
}

/// Plays insertion or deletion (Petsiuk et al. 2018) with the judged map.
///
/// # Errors
/// [`Error::ParameterInvalid`] for a step of 0, [`Error::MetricUnsuited`] where there is no picture to blur,
/// [`Error::Cancelled`], and those of the network.
pub async fn game(assessment: &Assessment<'_>, options: &GameOptions) -> Result<Game> {
    let started = Instant::now();
    let (name, default) = match options.kind {
        GameKind::Deletion => ("deletion", Substrate::Blank),
        GameKind::Insertion => ("insertion", Substrate::Blur),
    };
    assessment.begin(name);
    if options.step == Some(0) {
        return Err(Error::ParameterInvalid {
            method: name.into(),
            name: "step".into(),
            reason: "at least one pixel must change at a step".into(),
        });
    }
    let turns = match options.order {
        Order::Map => assessment.turns(Ranking::AsShown, First::Most)?,
        Order::Random => assessment.random_turns(),
    };
    let (input, empty) = (&assessment.input.data, options.substrate.unwrap_or(default).values(assessment)?);
    let (from, to) = match options.kind {
        GameKind::Deletion => (input, &empty),
        GameKind::Insertion => (&empty, input),
    };
    let row = |picture: &Vec<f32>| assessment.tensor(picture.clone(), [1, picture.len()]);
    let curve = play(assessment, &turns, row(from), row(to), options.step).await?;
    let step = turns.step(options.step);
    Ok(Game {
        ranks: turns.ranks,
        from: assessment.in_order(from),
        to: assessment.in_order(to),
        step,
        area: area(&curve.y),
        curve,
        forward_passes: assessment.forward_passes(),
        milliseconds: started.elapsed().as_secs_f64() * 1e3,
    })
}
