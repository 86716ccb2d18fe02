//! The attacks on one input, each by one line; whoever lists, describes or runs them reads them from here.

use std::{future::Future, pin::Pin};

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{
    AttackOptions, apgd, carlini_wagner, deep_fool, explanation, mi_fgsm, pgd, square,
    victim::{Found, Victim},
};
use crate::{
    Error, Result,
    attribution::params::{ParamDescription, configure, params_of},
};

/// An option of [`AttackOptions`] that not every attack reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Shared {
    /// How the size of the change is measured.
    Norm,
    /// The largest change in all.
    Epsilon,
    /// The length of a step.
    Step,
    /// Number of steps.
    Steps,
    /// The class that the attack leads to.
    Towards,
    /// A random start.
    RandomStart,
}

impl Shared {
    const ALL: [Self; 6] =
        [Self::Norm, Self::Epsilon, Self::Step, Self::Steps, Self::Towards, Self::RandomStart];

    /// The option's name, where it has another value than the default's.
    fn set(self, options: &AttackOptions) -> Option<&'static str> {
        let default = AttackOptions::default();
        let (name, changed) = match self {
            Self::Norm => ("norm", options.norm != default.norm),
            Self::Epsilon => ("epsilon", options.epsilon != default.epsilon),
            Self::Step => ("step", options.step.is_some()),
            Self::Steps => ("steps", options.steps != default.steps),
            Self::Towards => ("towards", options.towards.is_some()),
            Self::RandomStart => ("randomStart", options.random_start),
        };
        changed.then_some(name)
    }
}

/// An attack on one input.
pub(super) trait Attacking {
    /// The parameters; `Default` is the paper's setting, or what a browser can bear.
    type Config: Default + Serialize + DeserializeOwned + JsonSchema;
    /// The name in every interface.
    const NAME: &'static str;
    /// The name for people.
    const TITLE: &'static str;
    /// One or two sentences: what it does, and what it finds.
    const SUMMARY: &'static str;
    /// The paper.
    const PAPER: &'static str;
    /// The options of [`AttackOptions`] that it reads beside `space` and `seed`.
    const READS: &'static [Shared];
    /// The work that it takes, in words.
    const COST: &'static str;

    /// The change that it finds, in the victim's space.
    fn run(
        victim: &Victim<'_>,
        options: &AttackOptions,
        config: &Self::Config,
    ) -> impl Future<Output = Result<Found>>;
}

type Running<'a> = Pin<Box<dyn Future<Output = Result<Found>> + 'a>>;

/// A registered attack.
pub struct Entry {
    describe: fn() -> AttackDescription,
    run: for<'a> fn(&'a Victim<'a>, &'a AttackOptions) -> Running<'a>,
    name: &'static str,
    reads: &'static [Shared],
}

impl Entry {
    const fn of<A: Attacking>() -> Self {
        Self {
            describe: describe::<A>,
            run: |victim, options| {
                Box::pin(async move {
                    let (config, _) = configure::<A::Config>(A::NAME, &options.params)?;
                    A::run(victim, options, &config).await
                })
            },
            name: A::NAME,
            reads: A::READS,
        }
    }

    /// Title, parameters and so on.
    pub fn describe(&self) -> AttackDescription {
        (self.describe)()
    }

    pub(super) async fn run(&self, victim: &Victim<'_>, options: &AttackOptions) -> Result<Found> {
        (self.run)(victim, options).await
    }

    /// Refuses an option that the attack would not look at.
    pub(super) fn check(&self, options: &AttackOptions) -> Result<()> {
        let ignored = Shared::ALL.into_iter().filter(|option| !self.reads.contains(option));
        match ignored.into_iter().find_map(|option| option.set(options)) {
            None => Ok(()),
            Some(name) => Err(Error::ParameterInvalid {
                method: self.name.into(),
                name: name.into(),
                reason: "this attack does not read it; leave it out, and give what it has by its params"
                    .into(),
            }),
        }
    }
}

static ATTACKS: &[Entry] = &[
    Entry::of::<pgd::Pgd>(),
    Entry::of::<mi_fgsm::MiFgsm>(),
    Entry::of::<apgd::Apgd>(),
    Entry::of::<square::Square>(),
    Entry::of::<deep_fool::DeepFool>(),
    Entry::of::<carlini_wagner::CarliniWagner>(),
    Entry::of::<explanation::Explanation>(),
];

/// The description of every attack on one input.
pub fn attacks() -> Vec<AttackDescription> {
    ATTACKS.iter().map(Entry::describe).collect()
}

/// The attack called `name`.
///
/// # Errors
/// [`Error::ParameterInvalid`].
pub fn find(name: &str) -> Result<&'static Entry> {
    ATTACKS.iter().find(|entry| entry.name == name).ok_or_else(|| Error::ParameterInvalid {
        method: "attack".into(),
        name: "attack".into(),
        reason: format!(
            "there is no \"{name}\"; choose one of {}",
            ATTACKS.iter().map(|entry| entry.name).collect::<Vec<_>>().join(", ")
        ),
    })
}

/// An attack, as the command line and the docs show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AttackDescription {
    /// The name in every interface.
    pub name: String,
    /// The name for people.
    pub title: String,
    /// One or two sentences: what it does, and what it finds.
    pub summary: String,
    /// The paper that defines it.
    pub paper: String,
    /// The options of [`AttackOptions`] that it reads beside `space` and `seed`.
    pub reads: Vec<Shared>,
    /// The work that it takes, in words.
    pub cost: String,
    /// Its own parameters.
    pub params: Vec<ParamDescription>,
}

fn describe<A: Attacking>() -> AttackDescription {
    AttackDescription {
        name: A::NAME.into(),
        title: A::TITLE.into(),
        summary: A::SUMMARY.into(),
        paper: A::PAPER.into(),
        reads: A::READS.to_vec(),
        cost: A::COST.into(),
        params: params_of::<A::Config>(),
    }
}

/// An attack's own parameters, by name.
pub type Params = Map<String, Value>;
