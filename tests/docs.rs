//! docs/methods.md is made from the registry; `UPDATE_DOCS=1 cargo test --test docs` writes it anew.

use std::{fmt::Write, fs, path::Path};

use adversight::attribution::registry::{MethodDescription, methods};

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
    let needs: Vec<String> = needs
        .iter()
        .map(|need| serde_json::to_value(need).unwrap().as_str().unwrap().replace('_', " "))
        .collect();
    write!(text, "\n## {title} (`{name}`)\n\n{summary}\n\n")?;
    writeln!(text, "- Source: {paper}")?;
    writeln!(text, "- Needs: {}", needs.join(", "))?;
    writeln!(text, "- Shown as: {display}")?;
    writeln!(text, "- Cost at most: {} forward, {} backward passes\n", cost.forward, cost.backward)?;
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

#[test]
fn the_methods_page_is_the_registrys() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/methods.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, markdown()).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        written,
        markdown(),
        "docs/methods.md is out of date: run UPDATE_DOCS=1 cargo test --test docs"
    );
}
