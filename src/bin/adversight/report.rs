//! A report: written as Markdown with its plots beside it, and as one HTML page.

use std::{fmt::Write, fs, path::Path};

use plotters::prelude::*;

use crate::{CliResult, write};

/// Parts of a report, in order.
#[derive(Default)]
pub struct Report {
    title: String,
    blocks: Vec<Block>,
}

enum Block {
    Heading(String),
    Paragraph(String),
    Table { header: Vec<String>, rows: Vec<Vec<String>> },
    Figure { name: String, caption: String, svg: String },
}

/// A line or a cloud of points in a plot.
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// Where its points are.
    pub points: Vec<(f64, f64)>,
    /// Whether they are joined.
    pub joined: bool,
}

impl Report {
    /// A report without anything in it.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), blocks: Vec::new() }
    }

    /// Begins a section.
    pub fn heading(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Heading(text.into()));
    }

    /// Adds a paragraph of plain words.
    pub fn say(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Paragraph(text.into()));
    }

    /// Adds a table.
    pub fn table(&mut self, header: Vec<String>, rows: Vec<Vec<String>>) {
        self.blocks.push(Block::Table { header, rows });
    }

    /// Adds a plot; `name` becomes its file's.
    pub fn plot(&mut self, name: &str, caption: &str, axes: (&str, &str), series: &[Series]) -> CliResult {
        let svg = draw(axes, series).map_err(|error| format!("The plot {name} cannot be drawn: {error}."))?;
        self.blocks.push(Block::Figure { name: name.to_owned(), caption: caption.to_owned(), svg });
        Ok(())
    }

    /// Writes report.md, report.html and the plots into `folder`.
    pub fn write(&self, folder: &Path) -> CliResult {
        let fault = |error: std::io::Error| format!("{} cannot be made: {error}.", folder.display());
        fs::create_dir_all(folder).map_err(fault)?;
        for block in &self.blocks {
            if let Block::Figure { name, svg, .. } = block {
                write(&folder.join(format!("{name}.svg")), svg.as_bytes())?;
            }
        }
        write(&folder.join("report.md"), self.markdown().as_bytes())?;
        write(&folder.join("report.html"), self.html().as_bytes())
    }

    fn markdown(&self) -> String {
        let mut text = format!("# {}\n", self.title);
        let row = |cells: &[String]| {
            let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        for block in &self.blocks {
            text.push('\n');
            match block {
                Block::Heading(heading) => text.push_str(&format!("## {heading}\n")),
                Block::Paragraph(words) => text.push_str(&format!("{words}\n")),
                Block::Table { header, rows } => {
                    text.push_str(&row(header));
                    text.push_str(&format!("|{}\n", "---|".repeat(header.len())));
                    rows.iter().for_each(|cells| text.push_str(&row(cells)));
                }
                Block::Figure { name, caption, .. } => {
                    text.push_str(&format!("![{caption}]({name}.svg)\n\n{caption}\n"));
                }
            }
        }
        text
    }

    fn html(&self) -> String {
        let mut body = format!("<h1>{}</h1>\n", escaped(&self.title));
        let row = |cells: &[String], tag: &str| {
            let cells: String =
                cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell))).collect();
            format!("<tr>{cells}</tr>\n")
        };
        for block in &self.blocks {
            // Writing to a String cannot fail.
            let _ = match block {
                Block::Heading(heading) => writeln!(body, "<h2>{}</h2>", escaped(heading)),
                Block::Paragraph(words) => writeln!(body, "<p>{}</p>", escaped(words)),
                Block::Table { header, rows } => {
                    let rows: String = rows.iter().map(|cells| row(cells, "td")).collect();
                    writeln!(body, "<table>\n{}{rows}</table>", row(header, "th"))
                }
                Block::Figure { caption, svg, .. } => {
                    writeln!(body, "<figure>\n{svg}\n<figcaption>{}</figcaption></figure>", escaped(caption))
                }
            };
        }
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{}</title>\n<style>\n\
             body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }}\n\
             table {{ border-collapse: collapse; margin: 1rem 0 }}\n\
             td, th {{ border-bottom: 1px solid #ccc; padding: .25rem .75rem; text-align: left }}\n\
             figure {{ margin: 1rem 0 }}\n</style>\n{body}</html>\n",
            escaped(&self.title)
        )
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(110, 110, 110),
    RGBColor(0, 0, 0),
];

fn draw((x_axis, y_axis): (&str, &str), series: &[Series]) -> Result<String, Box<dyn std::error::Error>> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (720, 420)).into_drawing_area();
        root.fill(&WHITE)?;
        let points = || series.iter().flat_map(|series| &series.points);
        let (x, y) = (range(points().map(|point| point.0)), range(points().map(|point| point.1)));
        let mut chart = ChartBuilder::on(&root)
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(60)
            .build_cartesian_2d(x, y)?;
        chart.configure_mesh().x_desc(x_axis).y_desc(y_axis).light_line_style(WHITE).draw()?;
        for (i, series) in series.iter().enumerate() {
            let colour = COLOURS[i % COLOURS.len()];
            if series.joined {
                chart
                    .draw_series(LineSeries::new(series.points.clone(), colour.stroke_width(2)))?
                    .label(&series.name)
                    .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
            }
            let radius = if series.joined { 3 } else { 2 };
            let marks = series.points.iter().map(|&point| Circle::new(point, radius, colour.filled()));
            let drawn = chart.draw_series(marks)?;
            if !series.joined {
                drawn.label(&series.name).legend(move |(x, y)| Circle::new((x + 8, y), 3, colour.filled()));
            }
        }
        chart
            .configure_series_labels()
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.3))
            .draw()?;
        root.present()?;
    }
    Ok(svg)
}

/// A range that holds all values, with some air around.
fn range(values: impl Iterator<Item = f64>) -> std::ops::Range<f64> {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(x), h.max(x)));
    if !low.is_finite() {
        return 0.0..1.0;
    }
    let air = if high > low { 0.05 * (high - low) } else { 0.5 };
    low - air..high + air
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_holds_its_tables_and_plots() {
        let mut report = Report::new("One & two");
        report.heading("First");
        report.table(vec!["a".into(), "b".into()], vec![vec!["1|2".into(), "<3".into()]]);
        let line =
            |name: &str, joined| Series { name: name.into(), points: vec![(0.0, 1.0), (1.0, 2.0)], joined };
        report.plot("curve", "A curve", ("x", "y"), &[line("one", true), line("two", false)]).unwrap();
        assert!(report.markdown().contains("| 1\\|2 | <3 |\n"));
        assert!(report.markdown().contains("![A curve](curve.svg)"));
        assert!(report.html().contains("One &amp; two") && report.html().contains("<td>&lt;3</td>"));
        assert!(report.html().contains("<svg") && report.html().contains("two"));
        assert_eq!(range([2.0].into_iter()), 1.5..2.5);
    }
}
