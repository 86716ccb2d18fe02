//! What a method is: its name, its paper, what it needs, what it costs, and the formula itself.

use std::future::Future;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Attribution, Subject, anytime::Anytime, display::Display};
use crate::{Model, Result, input::parts::Joined};

/// What a method needs of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub enum Need {
    /// The gradient of a score with respect to the input.
    Gradient,
    /// Scores alone.
    Predictions,
    /// The map from the model's input to pixels: a declared preprocessing, or else the input's own range.
    PixelSpace,
    /// A picture: an input of channels, height and width, or of height, width and channels.
    Image,
    /// The output of a node, and the gradient with respect to it.
    Activations,
    /// A backward pass with other rules than the gradient's.
    BackwardRule,
    /// A second network, trained to mask what the model looks at.
    Masker,
}

/// How many samples go through the network, and how many gradients are taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct Cost {
    /// Samples that go through the network.
    pub forward: usize,
    /// Samples that a gradient is taken of.
    pub backward: usize,
}

/// A tensor that a caller may give (`ExplainOptions.given`) in place of what a method would draw or compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Given {
    /// The name under which it is given.
    pub name: &'static str,
    /// What it holds, in which shape.
    pub description: &'static str,
}

/// The noise of methods that look at noisy copies.
pub(super) const NOISE: Given = Given {
    name: "noise",
    description: "standard normal, one row of the input's values for each noisy copy",
};

/// Where a walk back ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// At the explained value.
    Input,
    /// At the output of the node of this name.
    Node(String),
}

/// An attribution method. `attribute` reads like the paper's formula, on a [`Subject`].
pub trait Method {
    /// The parameters; `Default` is the paper's setting.
    type Config: Default + Serialize + DeserializeOwned + JsonSchema;
    /// The name in every interface.
    const NAME: &'static str;
    /// The name for people.
    const TITLE: &'static str;
    /// One or two sentences for the page.
    const SUMMARY: &'static str;
    /// The paper.
    const PAPER: &'static str;
    /// What it needs of the model.
    const NEEDS: &'static [Need];
    /// How its values become a picture.
    const DISPLAY: Display;
    /// Whether it has a map before its end.
    const ANYTIME: Anytime = Anytime::No;
    /// How its values become one for a part of the input: a word.
    const JOINED: Joined = Joined::Sum;
    /// The tensors that it takes from the caller; any other name is refused.
    const GIVEN: &'static [Given] = &[];
    /// Why the parts of a method that promises completeness may miss their sum, as a sentence; empty for the others.
    const SHORTFALL: &'static str = "";

    /// What it costs at most with these parameters, beside the pass of the input itself ([`Subject::clean`]).
    fn cost(config: &Self::Config) -> Cost;

    /// Where the first walk back from the explained input ends, if the method takes one: the pass that finds the class is then kept
    /// for it ([`Subject::gradient_here`]), and costs no second one.
    fn first_gradient(_config: &Self::Config, _model: &Model) -> Option<End> {
        None
    }

    /// Settings with which a processor alone is done in seconds or within a minute; the paper's where those are quick.
    fn quick() -> Self::Config {
        Self::Config::default()
    }

    /// Why it cannot work on a model that has all that it needs, as the end of a sentence.
    fn unsuited(_: &Model) -> Option<String> {
        None
    }

    /// Computes the attribution; the caller has checked `config` against the declared ranges. What `config` leaves to
    /// the input is told by [`Subject::decided`].
    ///
    /// # Errors
    /// [`crate::Error::MethodUnsuited`], [`crate::Error::ParameterInvalid`] and [`crate::Error::InputInvalid`] for what
    /// only the input shows, [`crate::Error::Cancelled`], and those of the network.
    fn attribute(subject: &Subject<'_>, config: &Self::Config) -> impl Future<Output = Result<Attribution>>;
}
