//! docs/methods.md, docs/metrics.md, docs/attacks.md and the types of pkg/src/parameters.ts are made from the registries; `UPDATE_DOCS=1 cargo test --test it docs::` writes them
//! anew.

use std::{fmt::Write, fs, path::Path};

use adversight::{
    Anytime,
    attack::registry::{AttackDescription, attacks},
    attribution::registry::{MethodDescription, ParamDescription, ParamKind, methods},
    metric::registry::{Better, MetricDescription, metrics},
};
use serde::Serialize;

fn markdown() -> String {
    let mut text = String::from(
        "# Methods\n\nMade from the registry by `UPDATE_DOCS=1 cargo test --test it docs::`; do not edit by hand.\n\
         Defaults are the papers' settings. Every parameter has the same name in the npm package (`params`), on the\n\
         command line (`--param name=value`) and on the page.\n",
    );
    text += INPUTS;
    for method in methods() {
        section(&mut text, &method).unwrap();
    }
    text
}

/// What no single method says.
const INPUTS: &str = "
## Inputs and their segments

What the axes of an input mean follows from its shape and from what reads it; `layout` says it where that is wrong
(`ModelOptions`, `loadModel`, `--layout`), and `info.layout` tells what was found.

| layout | one input | when | a place is |
|---|---|---|---|
| `picture` | [channels, height, width] | three axes | a pixel |
| `picture_channels_last` | [height, width, channels] | 1 or 3 channels at the end and not at the beginning, and no convolution reads it as it is | a pixel |
| `sound` | [channels, time] or [time] | a convolution reads it as it is | a sample |
| `sequence` | [steps, features] | two axes otherwise, such as the vectors of tokens | a token or a step |
| `table` | [features] | one axis otherwise | a feature |
| `values` | any other | | a value |

A map has the shape of the input, or one value a place. Samples, tokens and features are counted from 0.

AXAI, LIME, KernelSHAP, permutation SHAP, HSIC, Sobol indices, occlusion, RISE and XRAI work on segments of any input, by one rule (`segmentation` `auto`):

- The caller's own segments (`given.segments`, a number for every place) always win.
- A photograph (three channels, or one channel and a preprocessing) is cut by QuickShift; where that finds a single segment, by a
  grid, which is told. Where its shorter side is no more
  than 8 kernel sizes, QuickShift's window would cover it, and it is cut by a grid; the paper's kernel of 1 fits pictures of
  32 pixels.
- A spectrogram (one channel and no preprocessing) and a picture of any other number of channels are cut by a grid, of about
  `segments` cells.
- A sound is cut into `segments` windows of equal length.
- A text is cut into its words; what the tokenizer adds is one more segment (text.md).
- Other tokens, steps, features and values are a segment each, padding tokens too: to leave them out, give segments that join them.
  More than 1000 of them are cut into `segments` windows.

Occlusion, RISE, HSIC and Sobol indices, whose windows and masks are those of pictures, hide one segment, or a random choice of
segments, of what is no picture. XRAI joins regions from such segments and from ever coarser grids of what has neighbours, and Felzenszwalb's
regions of pictures of one or three channels. AXAI counts the attacked values of a token's row, as its paper does for text. Methods
that blur, enlarge or look at feature maps need a picture and say so (`method_unsuited`).

## What stands for nothing

A path starts somewhere (`baseline`), and a hidden part shows something (`hidden`). `auto`, the default, is

- black for the start of a path over a picture: pixels of value 0 by the declared preprocessing, or else the picture's own
  smallest value;
- the padding token in place of each word for the start of a path over a text, the mask token in place of each hidden word (text.md);
- zero for the start of a path over what is no picture and no text: silence, an empty embedding, a row of zeros;
- the segment's own mean for a hidden segment of a picture, where segments have four pixels or more on average and are not of
  one colour each;
- zero in model space for whatever else is hidden, which is the training data's mean where a preprocessing subtracts it.

A tensor given as `baseline` (`given.baseline`, `--given baseline=file.npy`), in the input's shape, comes before all of this, in
every method that lists it below; `mean` is the mean of the inputs given as `background`. Black and white are known of pictures
alone, and are refused for other inputs. The parameters in force and `info.baseline` tell what was used. A given tensor that a
method does not list is an error.

## Small pictures

The papers' numbers of pixels hold from 224 pixels a side on. Where a parameter is left to the input (`null`), it shrinks with the
picture; what is given is kept. Occlusion's window is 15 pixels there, 2 at 32 pixels and 1 at 4; XRAI's regions and MASK's
mask likewise. The parameters in force tell the numbers that were used. An input that is a single segment is told.

## What is told besides

- The network is not sure (`info.doubt`) where the best class's probability p is less than a fifth of the way from chance to
  certainty, (p - 1/n) / (1 - 1/n) < 0.2 for n classes (60 % of two, 28 % of ten, 20 % of a thousand), or the second class has at
  least 0.9 of it; of classes that stand each for itself, where none has half.
- Parts that should add up to the change of the score (`info.completenessGap`) and miss it by more than 5 %, with the likely
  reason; less than a thousandth of all that is attributed is rounding.
- A map that is zero everywhere, with the reason.
";

fn section(text: &mut String, method: &MethodDescription) -> std::fmt::Result {
    let MethodDescription {
        name,
        title,
        summary,
        paper,
        needs,
        display,
        cost,
        quick,
        quick_cost,
        given,
        anytime,
        signed,
        params,
    } = method;
    let needs = words(needs);
    write!(text, "\n## {title} (`{name}`)\n\n{summary}\n\n")?;
    writeln!(text, "- Source: {paper}")?;
    writeln!(text, "- Needs: {}", needs)?;
    writeln!(text, "- Shown as: {display}")?;
    let values = if *signed { "above zero for the class, below it against" } else { "magnitudes" };
    writeln!(text, "- Values: {values}")?;
    writeln!(text, "- Cost at most: {} forward, {} backward passes", cost.forward, cost.backward)?;
    if !quick.is_empty() {
        let settings: Vec<String> = quick.iter().map(|(name, value)| format!("`{name}` {value}")).collect();
        writeln!(
            text,
            "- Quick settings: {}; {} forward, {} backward passes",
            settings.join(", "),
            quick_cost.forward,
            quick_cost.backward
        )?;
    }
    for given in given {
        writeln!(text, "- May be given: `{}`, {}", given.name, given.description)?;
    }
    match anytime {
        Anytime::No => {}
        Anytime::Shows => writeln!(text, "- While it runs: shows its map as it fills up")?,
        Anytime::Settles => writeln!(
            text,
            "- While it runs: shows its map, and may end when that no longer changes (`stop`)"
        )?,
    }
    if params.is_empty() {
        return Ok(());
    }
    writeln!(text)?;
    table(text, params)
}

fn table(text: &mut String, params: &[ParamDescription]) -> std::fmt::Result {
    writeln!(text, "| parameter | default | values | what it does |\n|---|---|---|---|")?;
    for param in params {
        let values = match (&param.choices, param.minimum, param.maximum) {
            (Some(choices), ..) => choices.join(", "),
            (None, Some(low), Some(high)) => format!("{low} to {high}"),
            _ => serde_json::to_value(param.kind).unwrap().as_str().unwrap().to_owned(),
        };
        writeln!(text, "| `{}` | {} | {values} | {} |", param.name, param.default, param.description)?;
    }
    Ok(())
}

fn words<T: Serialize>(names: &[T]) -> String {
    let word = |name: &T| serde_json::to_value(name).unwrap().as_str().unwrap().replace('_', " ");
    names.iter().map(word).collect::<Vec<_>>().join(", ")
}

fn metrics_markdown() -> String {
    let mut text = String::from(
        "# Metrics\n\nMade from the registry by `UPDATE_DOCS=1 cargo test --test it docs::`; do not edit by hand.\n\
         `adversight evaluate` takes them as `--metric name` or `--metric name:parameter=value,parameter=value`.\n\
         Pixels are ranked and compared on the map with its channels aggregated as its method shows them. Every metric has a\n\
         value for every finite map, a constant one and one of a single pixel included.\n\n\
         ## Against chance\n\n\
         A number alone says little: some metrics are high, or low, for maps that know nothing. `chance: 20` (`measure`, `--chance 20` of\n\
         `evaluate`, `Assessment::with_chance`) measures the same metric on 20 random maps or more. A random map is the judged one with\n\
         its pixels (or segments, where it has one value a segment) in a random order; a metric that makes the map again is given another\n\
         random map each time. The range is that of 95 % of them, and a value within it is \"no better than chance\". Random pixels have no\n\
         neighbourhoods: a smooth map that is wrong may still beat them, so being better than chance is the least that can be asked.\n\n\
         ## What is not here\n\n\
         Of Quantus 0.6: pixel flipping is `deletion`, relevance mass and rank accuracy and attribution localisation are figures of\n\
         `mask_overlap`, the test by weight randomisation is `randomisation`. Consistency and sufficiency judge a batch of explanations,\n\
         focus needs mosaics of pictures, input invariance a network with a shifted first layer, continuity shifted pictures.\n",
    );
    for metric in metrics() {
        metric_section(&mut text, &metric).unwrap();
    }
    text
}

fn metric_section(text: &mut String, metric: &MetricDescription) -> std::fmt::Result {
    let MetricDescription { name, title, summary, paper, needs, better, range, cost, params } = metric;
    write!(text, "\n## {title} (`{name}`)\n\n{summary}\n\n")?;
    writeln!(text, "- Source: {paper}")?;
    if !needs.is_empty() {
        writeln!(text, "- Needs: {}", words(needs))?;
    }
    let better = match better {
        Better::Higher => "higher values are better",
        Better::Lower => "lower values are better",
        Better::Neither => "neither high nor low values are better",
    };
    writeln!(text, "- Read as: {range}; {better}")?;
    writeln!(text, "- Cost: {cost}")?;
    if params.is_empty() {
        return Ok(());
    }
    writeln!(text)?;
    table(text, params)
}

fn attacks_markdown() -> String {
    let mut text = String::from(
        "# Attacks\n\nMade from the registry by `UPDATE_DOCS=1 cargo test --test it docs::`; do not edit by hand.\n\
         `adversight attack` takes them as `--attack name --param parameter=value`, the package as `attack` and `params` of\n\
         `model.attack`. Beside its own parameters an attack reads the options that are listed; one that it would not look at is\n\
         refused. The size of a change is measured in pixels from 0 to 1 where a preprocessing is declared (`space`), and the picture\n\
         stays between black and white. What is said of a change is always measured on the input that came out: its largest value and\n\
         its length (`linf`, `l2`), and whether the answer turned (`turned`).\n",
    );
    for attack in attacks() {
        attack_section(&mut text, &attack).unwrap();
    }
    text
}

fn attack_section(text: &mut String, attack: &AttackDescription) -> std::fmt::Result {
    let AttackDescription { name, title, summary, paper, reads, cost, params } = attack;
    write!(text, "\n## {title} (`{name}`)\n\n{summary}\n\n")?;
    writeln!(text, "- Source: {paper}")?;
    let reads: Vec<String> = reads
        .iter()
        .map(|option| serde_json::to_value(option).unwrap().as_str().unwrap().to_owned())
        .collect();
    writeln!(text, "- Reads: `{}`", reads.join("`, `"))?;
    writeln!(text, "- Cost: {cost}")?;
    if params.is_empty() {
        return Ok(());
    }
    writeln!(text)?;
    table(text, params)
}

fn check(page: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, expected).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(written, expected, "{page} is out of date: run UPDATE_DOCS=1 cargo test --test it docs::");
}

#[test]
fn the_methods_page_is_the_registrys() {
    check("docs/methods.md", &markdown());
}

#[test]
fn the_metrics_page_is_the_registrys() {
    check("docs/metrics.md", &metrics_markdown());
}

#[test]
fn the_attacks_page_is_the_registrys() {
    check("docs/attacks.md", &attacks_markdown());
}

/// The parameters of methods, metrics and attacks as TypeScript has them.
fn typescript() -> String {
    let mut text = String::from(
        "// Made from the registries by `UPDATE_DOCS=1 cargo test --test it docs::`; do not edit by hand.\n",
    );
    let methods = methods();
    let described: Vec<_> = methods
        .iter()
        .map(|method| (method.name.clone(), method.summary.clone(), method.params.clone()))
        .collect();
    let metrics: Vec<_> =
        metrics().into_iter().map(|metric| (metric.name, metric.summary, metric.params)).collect();
    interface(&mut text, "MethodParams", "The parameters of each attribution method.", &described).unwrap();
    interface(&mut text, "MetricParams", "The parameters of each metric.", &metrics).unwrap();
    let attacks: Vec<_> =
        attacks().into_iter().map(|attack| (attack.name, attack.summary, attack.params)).collect();
    interface(&mut text, "AttackParams", "The parameters of each attack.", &attacks).unwrap();
    text += "\n/** Methods whose values only say how much a place counts, and nothing against the class. */\nexport const magnitudes: ReadonlySet<string> = new Set([\n";
    for method in methods.iter().filter(|method| !method.signed) {
        writeln!(text, "  \"{}\",", method.name).unwrap();
    }
    text + "]);\n"
}

fn interface(
    text: &mut String,
    name: &str,
    about: &str,
    members: &[(String, String, Vec<ParamDescription>)],
) -> std::fmt::Result {
    writeln!(text, "\n/** {about} */\nexport interface {name} {{")?;
    for (name, summary, params) in members {
        writeln!(text, "  /** {summary} */")?;
        if params.is_empty() {
            writeln!(text, "  {name}: Record<string, never>;")?;
            continue;
        }
        writeln!(text, "  {name}: {{")?;
        for param in params {
            let range = match (param.minimum, param.maximum) {
                (Some(low), Some(high)) => format!("{low} to {high}, "),
                _ => String::new(),
            };
            writeln!(text, "    /** {} ({range}default {}) */", param.description, param.default)?;
            writeln!(text, "    {}?: {} | undefined;", param.name, typescript_type(param))?;
        }
        writeln!(text, "  }};")?;
    }
    writeln!(text, "}}")
}

fn typescript_type(param: &ParamDescription) -> String {
    let kind = match param.kind {
        ParamKind::Number | ParamKind::Integer => "number".to_owned(),
        ParamKind::Boolean => "boolean".to_owned(),
        ParamKind::Classes => "number[]".to_owned(),
        ParamKind::Text | ParamKind::Layer => "string".to_owned(),
        ParamKind::Choice => {
            let names = param.choices.iter().flatten().map(|choice| format!("\"{choice}\""));
            names.collect::<Vec<_>>().join(" | ")
        }
    };
    if param.default.is_null() { format!("{kind} | null") } else { kind }
}

#[test]
fn the_packages_parameters_are_the_registries() {
    check("pkg/src/parameters.ts", &typescript());
}
