//! docs/methods.md and docs/metrics.md are made from the registries; `UPDATE_DOCS=1 cargo test --test docs` writes them
//! anew.

use std::{fmt::Write, fs, path::Path};

use adversight::{
    attribution::registry::{MethodDescription, ParamDescription, methods},
    metric::registry::{Better, MetricDescription, metrics},
};
use serde::Serialize;

fn markdown() -> String {
    let mut text = String::from(
        "# Methods\n\nMade from the registry by `UPDATE_DOCS=1 cargo test --test docs`; do not edit by hand.\n\
         Defaults are the papers' settings. Every parameter has the same name in the npm package (`params`), on the\n\
         command line (`--param name=value`) and on the page.\n",
    );
    for method in methods() {
        section(&mut text, &method).unwrap();
    }
    text
}

fn section(text: &mut String, method: &MethodDescription) -> std::fmt::Result {
    let MethodDescription { name, title, summary, paper, needs, display, cost, params } = method;
    let needs = words(needs);
    write!(text, "\n## {title} (`{name}`)\n\n{summary}\n\n")?;
    writeln!(text, "- Source: {paper}")?;
    writeln!(text, "- Needs: {}", needs)?;
    writeln!(text, "- Shown as: {display}")?;
    writeln!(text, "- Cost at most: {} forward, {} backward passes", cost.forward, cost.backward)?;
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
        "# Metrics\n\nMade from the registry by `UPDATE_DOCS=1 cargo test --test docs`; do not edit by hand.\n\
         `adversight evaluate` takes them as `--metric name` or `--metric name:parameter=value,parameter=value`.\n\
         Pixels are ranked and compared on the map with its channels aggregated as its method shows them. Every metric has a\n\
         value for every finite map, a constant one and one of a single pixel included.\n",
    );
    for metric in metrics() {
        metric_section(&mut text, &metric).unwrap();
    }
    text
}

fn metric_section(text: &mut String, metric: &MetricDescription) -> std::fmt::Result {
    let MetricDescription { name, title, summary, paper, needs, better, params } = metric;
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
    writeln!(text, "- Read as: {better}")?;
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
    assert_eq!(written, expected, "{page} is out of date: run UPDATE_DOCS=1 cargo test --test docs");
}

#[test]
fn the_methods_page_is_the_registrys() {
    check("docs/methods.md", &markdown());
}

#[test]
fn the_metrics_page_is_the_registrys() {
    check("docs/metrics.md", &metrics_markdown());
}
