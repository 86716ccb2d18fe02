//! A row of a table as bars, and a series as lines with its map beneath: pictures that are text.

use std::fmt::Write as _;

use adversight::{Explanation, Part};

use super::page::{AGAINST, FOR, escaped};

const WIDTH: f32 = 760.0;
const BAR: f32 = 26.0;
const NAMES: f32 = 300.0;
const NUMBERS: f32 = 80.0;
/// The most columns that are drawn by themselves.
const MOST: usize = 20;

fn rgb([r, g, b]: [u8; 3]) -> String {
    format!("rgb({r},{g},{b})")
}

/// What a column is called beside its bar.
fn called(part: &Part) -> String {
    let name = match &part.value {
        Some(value) => format!("{} = {value}", part.name),
        None => part.name.clone(),
    };
    match name.char_indices().nth(40) {
        Some((at, _)) => format!("{}\u{2026}", &name[..at]),
        None => name,
    }
}

fn opening(height: f32, label: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {WIDTH:.0} {height:.0}\" \
         font-family=\"system-ui,sans-serif\" font-size=\"13\" role=\"img\" aria-label=\"{}\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
        escaped(label)
    )
}

/// The largest columns of a row: a waterfall where the method has signs and its parts add up to something, else bars.
pub fn bars(explanation: &Explanation) -> String {
    let mut order: Vec<&Part> = explanation.parts.iter().filter(|part| !part.special).collect();
    order.sort_by(|a, b| b.score.abs().total_cmp(&a.score.abs()));
    let (shown, rest) = order.split_at(order.len().min(MOST));
    let mut steps: Vec<(String, f32)> = shown.iter().map(|part| (called(part), part.score)).collect();
    if !rest.is_empty() {
        steps.push((format!("{} more columns", rest.len()), rest.iter().map(|part| part.score).sum()));
    }
    let falls = explanation.info.completeness_gap.is_some();
    // Where each bar starts and ends: one after the other where they add up.
    let mut at = 0.0f32;
    let ends: Vec<(f32, f32)> = steps
        .iter()
        .map(|(_, score)| {
            let from = if falls { at } else { 0.0 };
            at = from + score;
            (from, at)
        })
        .collect();
    let low = ends.iter().map(|(from, to)| from.min(*to)).fold(0.0, f32::min);
    let high = ends.iter().map(|(from, to)| from.max(*to)).fold(0.0, f32::max);
    let span = if high > low { high - low } else { 1.0 };
    let x = |value: f32| NAMES + (value - low) / span * (WIDTH - NAMES - NUMBERS);
    let height = (steps.len() as f32 + 1.0) * BAR;
    let mut svg = opening(height, "What each column counted for");
    for (number, ((name, score), (from, to))) in steps.iter().zip(&ends).enumerate() {
        let y = number as f32 * BAR + 8.0;
        let (left, right) = (x(from.min(*to)), x(from.max(*to)));
        let colour = rgb(if *score < 0.0 { AGAINST } else { FOR });
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\n\
             <rect x=\"{left:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"18\" fill=\"{colour}\"><title>{} {score:+.5}</title></rect>\n\
             <text x=\"{:.1}\" y=\"{:.1}\" fill=\"#333\">{score:+.4}</text>\n",
            NAMES - 10.0,
            y + 14.0,
            escaped(name),
            (right - left).max(0.5),
            escaped(name),
            right + 6.0,
            y + 14.0
        );
        if falls && number > 0 {
            let joint = x(*from);
            let _ = writeln!(
                svg,
                "<line x1=\"{joint:.1}\" x2=\"{joint:.1}\" y1=\"{:.1}\" y2=\"{y:.1}\" stroke=\"#888\"/>",
                y - BAR + 18.0
            );
        }
    }
    let zero = x(0.0);
    let _ = write!(
        svg,
        "<line x1=\"{zero:.1}\" x2=\"{zero:.1}\" y1=\"0\" y2=\"{height:.1}\" stroke=\"#333\" stroke-dasharray=\"2 3\"/>\n</svg>\n"
    );
    svg
}

/// The channels of a series, a line each, with what each row counted for beneath it.
pub fn lines(explanation: &Explanation) -> String {
    const LINE: f32 = 90.0;
    const MAP: f32 = 18.0;
    const LEFT: f32 = 120.0;
    let Some(series) = &explanation.series else { return String::new() };
    let length = series.values.first().map_or(0, Vec::len).max(1);
    let each = if series.map.len() == series.channels.len() { LINE + MAP + 14.0 } else { LINE + 10.0 };
    let shared = series.map.len() != series.channels.len();
    let height = series.channels.len() as f32 * each + if shared { MAP } else { 0.0 } + 30.0;
    let step = (WIDTH - LEFT - 20.0) / length as f32;
    let most = series.map.iter().flatten().fold(0.0f32, |most, value| most.max(value.abs()));
    let mut svg = opening(height, "The series, and what each row counted for");
    let map = |svg: &mut String, values: &[f32], y: f32| {
        for (time, value) in values.iter().enumerate() {
            let strength = if most > 0.0 { value.abs() / most } else { 0.0 };
            let _ = writeln!(
                svg,
                "<rect x=\"{:.2}\" y=\"{y:.1}\" width=\"{:.2}\" height=\"{MAP}\" fill=\"{}\" fill-opacity=\"{strength:.3}\"><title>row {} \
                 {value:+.5}</title></rect>",
                LEFT + time as f32 * step,
                step + 0.2,
                rgb(if *value < 0.0 { AGAINST } else { FOR }),
                series.row + time
            );
        }
    };
    for (channel, (name, values)) in series.channels.iter().zip(&series.values).enumerate() {
        let y = channel as f32 * each + 6.0;
        let (low, high) = values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &value| {
            (low.min(value), high.max(value))
        });
        let span = if high > low { high - low } else { 1.0 };
        let points: Vec<String> = values
            .iter()
            .enumerate()
            .map(|(time, value)| {
                format!(
                    "{:.1},{:.1}",
                    LEFT + (time as f32 + 0.5) * step,
                    y + (high - value) / span * (LINE - 10.0) + 5.0
                )
            })
            .collect();
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\n<polyline fill=\"none\" stroke=\"#1b1b1b\" stroke-width=\"1.5\" \
             points=\"{}\"/>\n",
            LEFT - 10.0,
            y + LINE / 2.0,
            escaped(name),
            points.join(" ")
        );
        if !shared && let Some(values) = series.map.get(channel) {
            map(&mut svg, values, y + LINE);
        }
    }
    if let (true, Some(values)) = (shared, series.map.first()) {
        map(&mut svg, values, series.channels.len() as f32 * each + 6.0);
    }
    for (number, anchor) in [(0, "start"), (length - 1, "end")] {
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\" fill=\"#333\">row {}</text>",
            if number == 0 { LEFT } else { WIDTH - 20.0 },
            height - 6.0,
            series.row + number
        );
    }
    svg.push_str("</svg>\n");
    svg
}
