//! What is known of the methods; whoever lists, describes or runs methods reads it from here.

use std::{future::Future, pin::Pin};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Attribution, Subject,
    anytime::Anytime,
    display::Display,
    method::Given,
    methods::METHODS,
    params::{configure, in_force, params_of},
};
pub use super::{
    method::{Cost, End, Method, Need},
    params::{ParamDescription, ParamKind},
};
use crate::{Error, Model, Result, input::parts::Joined};

type Running<'a> = Pin<Box<dyn Future<Output = Result<(Attribution, Map<String, Value>)>> + 'a>>;

/// A registered method.
pub struct Entry {
    describe: fn() -> MethodDescription,
    run: for<'a> fn(&'a Subject<'a>, &'a Map<String, Value>) -> Running<'a>,
    unsuited: fn(&Model) -> Option<String>,
    first_gradient: fn(&Model, &Map<String, Value>) -> Option<End>,
    name: &'static str,
    display: Display,
    joined: Joined,
    anytime: Anytime,
    given: &'static [Given],
    needs: &'static [Need],
    shortfall: &'static str,
}

impl Entry {
    /// A method of one's own, for [`crate::Explainer::explain_by`].
    pub const fn of<M: Method>() -> Self {
        Self {
            describe: describe::<M>,
            run: |subject, params| {
                Box::pin(async move {
                    let (config, mut in_force) = configure::<M::Config>(M::NAME, params)?;
                    let goes_back =
                        M::NEEDS.iter().any(|need| matches!(need, Need::Gradient | Need::BackwardRule));
                    if let Some(reason) = subject.model().lacks_gradient().filter(|_| goes_back) {
                        return Err(subject.unsuited(reason));
                    }
                    if let Some(reason) = M::unsuited(subject.model()) {
                        return Err(subject.unsuited(&reason));
                    }
                    let attribution = M::attribute(subject, &config).await?;
                    for (name, value) in subject.decisions() {
                        // A method may share code that decides what it has no parameter for.
                        in_force.entry(name).and_modify(|known| *known = value);
                    }
                    Ok((attribution, in_force))
                })
            },
            unsuited: M::unsuited,
            // Parameters that do not hold are told by the run.
            first_gradient: |model, params| {
                let (config, _) = configure::<M::Config>(M::NAME, params).ok()?;
                M::first_gradient(&config, model)
            },
            name: M::NAME,
            display: M::DISPLAY,
            joined: M::JOINED,
            anytime: M::ANYTIME,
            given: M::GIVEN,
            needs: M::NEEDS,
            shortfall: M::SHORTFALL,
        }
    }
}

/// The description of every method, cheapest first.
pub fn methods() -> Vec<MethodDescription> {
    METHODS.iter().map(|entry| (entry.describe)()).collect()
}

/// Whether a method applies to a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct MethodSupport {
    /// The method's name.
    pub name: String,
    /// Whether it applies.
    pub applies: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Which methods apply to a model, with or without a masker, and why others do not.
pub(crate) fn support(model: &Model, masker: bool) -> Vec<MethodSupport> {
    let picture = model.info().layout.is_picture();
    let gradient = model.lacks_gradient();
    let missing = |need: &Need| match need {
        Need::Gradient | Need::BackwardRule => gradient,
        Need::Image if !picture => Some("the explained value is no picture"),
        Need::Activations if gradient.is_some() || model.info().layers.is_empty() => {
            Some("it looks at maps of more than one position inside of the network, and there is none")
        }
        Need::Masker if !masker => Some("it needs a masking network that was trained for this one"),
        _ => None,
    };
    let support = |entry: &Entry| {
        let needs = entry.describe().needs;
        let reason = needs.iter().find_map(missing).map(str::to_owned).or_else(|| (entry.unsuited)(model));
        MethodSupport { name: entry.name.to_owned(), applies: reason.is_none(), reason }
    };
    METHODS.iter().map(support).collect()
}

/// The method called `name`.
///
/// # Errors
/// [`Error::MethodUnknown`].
pub fn find(name: &str) -> Result<&'static Entry> {
    METHODS.iter().find(|entry| entry.name == name).ok_or_else(|| Error::MethodUnknown {
        name: name.to_owned(),
        known: METHODS.iter().map(|entry| entry.name).collect::<Vec<_>>().join(", "),
    })
}

impl Entry {
    /// Title, parameters and so on.
    pub fn describe(&self) -> MethodDescription {
        (self.describe)()
    }

    /// The name in every interface.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Where the first walk back from the explained input ends with these parameters, if the method takes one.
    pub(crate) fn first_gradient(&self, model: &Model, params: &Map<String, Value>) -> Option<End> {
        (self.first_gradient)(model, params)
    }

    pub(crate) fn display(&self) -> Display {
        self.display
    }

    /// How its values become one for a part of the input.
    pub(crate) fn joined(&self) -> Joined {
        self.joined
    }

    pub(super) fn needs(&self) -> &'static [Need] {
        self.needs
    }

    pub(super) fn shortfall(&self) -> &'static str {
        self.shortfall
    }

    /// Checks that the method takes every tensor that is given.
    ///
    /// # Errors
    /// [`Error::ParameterInvalid`] with the names that it takes.
    pub(super) fn check_given<'n>(&self, names: impl IntoIterator<Item = &'n String>) -> Result<()> {
        let known = |name: &String| self.given.iter().any(|given| given.name == *name);
        let Some(unknown) = names.into_iter().find(|name| !known(name)) else { return Ok(()) };
        let takes = match self.given {
            [] => "this method takes no given tensor".to_owned(),
            given => {
                let names: Vec<&str> = given.iter().map(|given| given.name).collect();
                format!("no such tensor is taken; there are {}", names.join(", "))
            }
        };
        Err(Error::ParameterInvalid {
            method: self.name.into(),
            name: format!("given.{unknown}"),
            reason: takes,
        })
    }

    pub(crate) fn anytime(&self) -> Anytime {
        self.anytime
    }

    pub(super) async fn run(
        &self,
        subject: &Subject<'_>,
        params: &Map<String, Value>,
    ) -> Result<(Attribution, Map<String, Value>)> {
        (self.run)(subject, params).await
    }
}

/// A tensor that a method takes in place of what it would draw or compute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct GivenDescription {
    /// The name under which it is given.
    pub name: String,
    /// What it holds, in which shape.
    pub description: String,
}

/// A method, as the API, the page, the command line and the docs show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct MethodDescription {
    /// The name in every interface.
    pub name: String,
    /// The name for people.
    pub title: String,
    /// One or two sentences.
    pub summary: String,
    /// The paper that defines it.
    pub paper: String,
    /// What it needs of the model.
    pub needs: Vec<Need>,
    /// How its values become a picture, in words.
    pub display: String,
    /// What it costs at most with its default parameters, the pass of the input itself included.
    pub cost: Cost,
    /// The parameters that its quick settings change, with their values: on a processor alone it is then done in seconds
    /// or within a minute.
    #[serde(default)]
    #[cfg_attr(target_family = "wasm", tsify(optional, type = "Record<string, unknown>"))]
    pub quick: Map<String, Value>,
    /// What it costs at most with its quick settings.
    #[serde(default)]
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub quick_cost: Cost,
    /// The tensors that it takes in `given`.
    #[serde(default)]
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub given: Vec<GivenDescription>,
    /// Whether it has a map to show while it runs, and may end when that no longer changes.
    pub anytime: Anytime,
    /// Whether its values speak for the class where they are above zero and against it where they are below; else they are magnitudes.
    #[serde(default)]
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub signed: bool,
    /// Its parameters.
    pub params: Vec<ParamDescription>,
}

fn describe<M: Method>() -> MethodDescription {
    let (paper, quick) = (in_force(&M::Config::default()), in_force(&M::quick()));
    let cost = |config: &M::Config| {
        let Cost { forward, backward } = M::cost(config);
        Cost { forward: forward + 1, backward }
    };
    let given = |given: &Given| GivenDescription {
        name: given.name.to_owned(),
        description: given.description.to_owned(),
    };
    MethodDescription {
        name: M::NAME.into(),
        title: M::TITLE.into(),
        summary: M::SUMMARY.into(),
        paper: M::PAPER.into(),
        needs: M::NEEDS.to_vec(),
        display: M::DISPLAY.rule(),
        cost: cost(&M::Config::default()),
        quick: quick.into_iter().filter(|(name, value)| paper.get(name) != Some(value)).collect(),
        quick_cost: cost(&M::quick()),
        given: M::GIVEN.iter().map(given).collect(),
        anytime: M::ANYTIME,
        signed: M::JOINED == Joined::Sum,
        params: params_of::<M::Config>(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_papers_settings_are_the_defaults() {
        let agi = find("agi").unwrap().describe();
        let default =
            |name: &str| agi.params.iter().find(|param| param.name == name).unwrap().default.clone();
        assert_eq!(default("samples"), 20);
        assert_eq!(default("steps"), 20);
        assert_eq!(default("step_size"), 0.05);
        assert_eq!(default("mode"), "path");
    }

    #[test]
    fn every_parameter_is_described() {
        for method in methods() {
            for param in &method.params {
                assert!(!param.description.is_empty(), "{}.{}", method.name, param.name);
                let numeric = matches!(param.kind, ParamKind::Integer | ParamKind::Number);
                assert_eq!(numeric, param.maximum.is_some(), "{}.{}", method.name, param.name);
                param.check(&param.default).unwrap();
            }
        }
    }

    #[test]
    fn values_are_checked_and_completed() {
        let values = |json: Value| json.as_object().unwrap().clone();
        let (config, in_force) = configure::<<crate::attribution::agi::Agi as Method>::Config>(
            "agi",
            &values(serde_json::json!({ "steps": 5.0, "classes": [1, 2] })),
        )
        .unwrap();
        assert_eq!(in_force["steps"], 5);
        assert_eq!(in_force["step_size"], 0.05);
        drop(config);
        for bad in [
            serde_json::json!({ "steps": 0 }),
            serde_json::json!({ "steps": 1.5 }),
            serde_json::json!({ "mode": "sideways" }),
            serde_json::json!({ "classes": [-1] }),
            serde_json::json!({ "classes": 3 }),
            serde_json::json!({ "stepsize": 0.1 }),
        ] {
            let error =
                configure::<<crate::attribution::agi::Agi as Method>::Config>("agi", &values(bad.clone()))
                    .err()
                    .unwrap();
            assert_eq!(error.code(), "parameter_invalid", "{bad}");
        }
    }

    #[test]
    fn command_line_values_are_parsed_by_their_kind() {
        let agi = find("agi").unwrap().describe();
        let param = |name: &str| agi.params.iter().find(|param| param.name == name).unwrap().clone();
        assert_eq!(param("classes").parse("0,250,500").unwrap(), serde_json::json!([0, 250, 500]));
        assert_eq!(param("step_size").parse("0.05").unwrap(), serde_json::json!(0.05));
        assert!(param("steps").parse("many").is_err());
    }
}
