//! An explanation as one page that stands alone: what was given, the map over it, the words, the settings, and the hashes of the
//! network and the input. And as a picture of a coloured text.

use std::fmt::Write as _;

use adversight::{Detected, Detections, Explanation, Part};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};

/// The colour of what speaks for the class, and of what speaks against it: apart for colour-blind readers, too.
pub const FOR: [u8; 3] = [230, 97, 1];
pub const AGAINST: [u8; 3] = [146, 118, 214];
/// The least and the most of the colour that is laid over a word.
const FAINTEST: f32 = 0.08;
const STRONGEST: f32 = 0.85;

/// Who is asked about what.
pub struct Asked<'a> {
    /// The network's name.
    pub model: &'a str,
    /// SHA-256 of its file.
    pub model_hash: &'a str,
    /// SHA-256 of the input.
    pub input_hash: &'a str,
}

/// SHA-256 in hexadecimal.
pub fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Text as HTML has it.
pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A picture file inside of a page.
pub fn picture(png: &[u8], description: &str) -> String {
    format!("<img alt=\"{}\" src=\"data:image/png;base64,{}\">\n", escaped(description), STANDARD.encode(png))
}

/// A sound inside of a page.
pub fn sound(wav: &[u8], name: &str) -> String {
    format!(
        "<figure><figcaption>{}</figcaption><audio controls src=\"data:audio/wav;base64,{}\"></audio></figure>\n",
        escaped(name),
        STANDARD.encode(wav)
    )
}

/// The strongest score of a word.
fn strongest(parts: &[Part]) -> f32 {
    parts.iter().filter(|part| !part.special).map(|part| part.score.abs()).fold(0.0, f32::max)
}

/// The colour and its strength, 0 to 1, of a score.
fn colour(score: f32, most: f32) -> ([u8; 3], f32) {
    let share = if most > 0.0 { (score.abs() / most).clamp(0.0, 1.0) } else { 0.0 };
    let strength = if share > 0.0 { FAINTEST + (STRONGEST - FAINTEST) * share } else { 0.0 };
    (if score < 0.0 { AGAINST } else { FOR }, strength)
}

/// A text and, of each of its words, the range in bytes and the part; in between stands what is no word.
fn pieces<'e>(text: &'e str, source: usize, parts: &'e [Part]) -> Vec<(&'e str, Option<&'e Part>)> {
    let mut words: Vec<([usize; 2], &Part)> = parts
        .iter()
        .filter(|part| !part.special && part.source == source)
        .filter_map(|part| Some((part.bytes?, part)))
        .collect();
    words.sort_by_key(|([start, _], _)| *start);
    let (mut pieces, mut done) = (Vec::new(), 0);
    for ([start, end], part) in words {
        // A word that lies over another is not shown twice.
        let start = start.max(done);
        let (Some(before), Some(word)) = (text.get(done..start), text.get(start..end)) else { continue };
        if !before.is_empty() {
            pieces.push((before, None));
        }
        pieces.push((word, Some(part)));
        done = end;
    }
    pieces.extend(text.get(done..).filter(|rest| !rest.is_empty()).map(|rest| (rest, None)));
    pieces
}

/// A text with its words coloured by what they counted for; the number is said on hover and on focus.
pub fn coloured(explanation: &Explanation) -> String {
    let most = strongest(&explanation.parts);
    let mut html = String::new();
    for (source, text) in explanation.texts.iter().enumerate() {
        html.push_str("<p class=\"text\" dir=\"auto\">");
        for (written, part) in pieces(text, source, &explanation.parts) {
            let Some(part) = part else {
                html.push_str(&escaped(written));
                continue;
            };
            let ([r, g, b], strength) = colour(part.score, most);
            let _ = write!(
                html,
                "<span tabindex=\"0\" style=\"background:rgba({r},{g},{b},{strength:.3})\" title=\"{:+.4}\">{}</span>",
                part.score,
                escaped(written)
            );
        }
        html.push_str("</p>\n");
    }
    html.push_str(
        "<p class=\"legend\"><span class=\"for\">for</span> <span class=\"against\">against</span> the explained answer; the darker, \
         the more</p>\n",
    );
    html.push_str("<table><thead><tr><th>word</th><th>score</th></tr></thead><tbody>\n");
    let mut order: Vec<&Part> = explanation.parts.iter().collect();
    order.sort_by(|a, b| b.score.abs().total_cmp(&a.score.abs()));
    for part in order {
        let special = if part.special { " class=\"special\"" } else { "" };
        let _ =
            writeln!(html, "<tr{special}><td>{}</td><td>{:+.5}</td></tr>", escaped(&part.name), part.score);
    }
    html.push_str("</tbody></table>\n");
    html
}

/// The columns of a row with what each counted for, the largest first.
pub fn columns(explanation: &Explanation) -> String {
    let mut html =
        String::from("<table><thead><tr><th>column</th><th>value</th><th>score</th></tr></thead><tbody>\n");
    let mut order: Vec<&Part> = explanation.parts.iter().collect();
    order.sort_by(|a, b| b.score.abs().total_cmp(&a.score.abs()));
    for part in order {
        let value = part.value.as_deref().unwrap_or_default();
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td>{}</td><td>{:+.5}</td></tr>",
            escaped(&part.name),
            escaped(value),
            part.score
        );
    }
    html.push_str("</tbody></table>\n");
    html
}

/// The whole page; `figure` is the input with the map over it.
pub fn page(explanation: &Explanation, asked: &Asked<'_>, figure: &str) -> String {
    let info = &explanation.info;
    let mut html = String::from(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n",
    );
    let title = format!("\u{201c}{}\u{201d}: why?", info.target.label);
    let _ = writeln!(html, "<title>{}</title>", escaped(&title));
    let [r, g, b] = FOR;
    let [r2, g2, b2] = AGAINST;
    let _ = write!(
        html,
        "<style>body{{font:1rem/1.6 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b;background:#fff}}\
         .text{{font-size:1.3rem;line-height:2;white-space:pre-wrap;overflow-wrap:anywhere}}.text span{{border-radius:.2em;padding:.1em 0}}\
         .legend .for{{background:rgba({r},{g},{b},.6)}}.legend .against{{background:rgba({r2},{g2},{b2},.6)}}\
         table{{border-collapse:collapse}}td,th{{text-align:left;padding:.1rem 1rem .1rem 0;border-bottom:1px solid #ddd}}\
         .special{{color:#767676}}code{{overflow-wrap:anywhere}}img{{max-width:100%}}</style>\n</head>\n<body>\n"
    );
    let _ = writeln!(html, "<h1>{}</h1>", escaped(&title));
    for sentence in &explanation.words {
        let _ = writeln!(html, "<p>{}</p>", escaped(sentence));
    }
    html.push_str(figure);
    html.push_str("<h2>How it came about</h2>\n<table><tbody>\n");
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(html, "<tr><th>{}</th><td><code>{}</code></td></tr>", escaped(name), escaped(value));
    };
    row("network", asked.model);
    row("network, SHA-256", asked.model_hash);
    row("input, SHA-256", asked.input_hash);
    if let Some(aim) = &info.aim {
        row("target", &aim.name);
        row("target, as JSON", &serde_json::to_string(&aim.target).unwrap_or_default());
    }
    row("answer", &format!("{} (class {})", info.target.label, info.target.index));
    row("probability", &format!("{:.6}", info.target.probability));
    row("logit", &format!("{:.6}", info.target.logit));
    row("method", &info.method);
    for (name, value) in &info.params {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        row(&format!("{}.{name}", info.method), &value);
    }
    row("seed", &info.seed.to_string());
    if let Some(gap) = info.completeness_gap {
        row("sum of the parts beyond the change of the score", &format!("{gap:.3e}"));
    }
    row("passes forward, backward", &format!("{}, {}", info.forward_passes, info.backward_passes));
    row("milliseconds", &format!("{:.0}", info.milliseconds));
    row("program", concat!("adversight ", env!("CARGO_PKG_VERSION")));
    html.push_str("</tbody></table>\n</body>\n</html>\n");
    html
}

/// The coloured text as a picture of lines of about `columns` characters.
pub fn svg(explanation: &Explanation, columns: usize) -> String {
    const WIDTH: f32 = 9.6;
    const HEIGHT: f32 = 28.0;
    const MARGIN: f32 = 12.0;
    let most = strongest(&explanation.parts);
    let (mut boxes, mut letters) = (String::new(), String::new());
    let mut line = 0;
    for (source, text) in explanation.texts.iter().enumerate() {
        let mut column = 0;
        for (written, part) in pieces(text, source, &explanation.parts) {
            let mut fresh = true;
            for (number, written) in written.split('\n').enumerate() {
                if number > 0 {
                    (line, column) = (line + 1, 0);
                }
                let size = written.chars().count();
                if column > 0 && column + size > columns && part.is_some() {
                    (line, column) = (line + 1, 0);
                }
                let (x, y) = (MARGIN + column as f32 * WIDTH, MARGIN + line as f32 * HEIGHT);
                if let Some(part) = part.filter(|_| size > 0) {
                    let ([r, g, b], strength) = colour(part.score, most);
                    let title =
                        if fresh { format!("<title>{:+.4}</title>", part.score) } else { String::new() };
                    fresh = false;
                    let _ = writeln!(
                        boxes,
                        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"22\" rx=\"3\" fill=\"rgb({r},{g},{b})\" \
                         fill-opacity=\"{strength:.3}\">{title}</rect>",
                        size as f32 * WIDTH
                    );
                }
                if !written.trim().is_empty() {
                    // The width is given, so that boxes fit whatever the fonts that are there.
                    let _ = writeln!(
                        letters,
                        "<text x=\"{x:.1}\" y=\"{:.1}\" textLength=\"{:.1}\" lengthAdjust=\"spacingAndGlyphs\">{}</text>",
                        y + 16.0,
                        size as f32 * WIDTH,
                        escaped(written)
                    );
                }
                column += size;
            }
        }
        line += 1;
    }
    let (width, height) = (2.0 * MARGIN + columns as f32 * WIDTH, 2.0 * MARGIN + line as f32 * HEIGHT);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         font-family=\"ui-monospace,monospace\" font-size=\"16\" xml:space=\"preserve\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{boxes}{letters}</svg>\n"
    )
}

/// The words with their scores, a line each, in the order of the text.
pub fn listed(explanation: &Explanation) -> Vec<String> {
    // Of a sound's hundred cells, those that count most.
    let is_sound = explanation.parts.iter().any(|part| part.low.is_some());
    let mut shown: Vec<&Part> = explanation.parts.iter().collect();
    if explanation.series.is_some() {
        shown.sort_by(|a, b| b.score.abs().total_cmp(&a.score.abs()));
        shown.truncate(8);
    }
    if is_sound {
        shown.retain(|part| part.score > 0.0);
        shown.sort_by(|a, b| b.score.total_cmp(&a.score));
        shown.truncate(8);
    }
    let most = strongest(&explanation.parts);
    let called = |part: &Part| match &part.value {
        Some(value) => format!("{} = {value}", part.name),
        None => part.name.clone(),
    };
    let width = shown.iter().map(|part| called(part).chars().count()).max().unwrap_or(0);
    let is_tabled = explanation.table.is_some() || explanation.series.is_some();
    let width = if is_sound || is_tabled { width.min(60) } else { width.min(24) };
    let line = |part: &&Part| {
        let share = if most > 0.0 { (part.score.abs() / most * 20.0).round().min(20.0) } else { 0.0 };
        let bar = if part.score < 0.0 { "-" } else { "+" }.repeat(share as usize);
        let name = if part.special { format!("({})", part.name) } else { called(part) };
        format!("{:>10.5}  {name:<width$}  {bar}", part.score).trim_end().to_owned()
    };
    shown.iter().map(line).collect()
}

/// The boxes of a detector, a line each.
pub fn boxes(found: &Detections) -> Vec<String> {
    if found.boxes.is_empty() {
        return vec![
            "The detector finds nothing; a lower --threshold shows what it thinks of less.".to_owned(),
        ];
    }
    let line = |one: &Detected| {
        let [left, top, right, bottom] = one.edges;
        format!(
            "{:>3}  {:6.2} %  {}  {}  ({left:.1}, {top:.1}) to ({right:.1}, {bottom:.1})  (class {})",
            one.number,
            one.class.probability * 100.0,
            one.class.label,
            one.place,
            one.class.index
        )
    };
    found.boxes.iter().map(line).collect()
}

/// A picture with the edges of boxes, two pixels wide, in black and white so that they are seen on any ground.
pub fn with_boxes(picture: &image::RgbImage, boxes: &[Detected]) -> image::RgbImage {
    let mut drawn = picture.clone();
    let (width, height) = (i64::from(drawn.width()), i64::from(drawn.height()));
    for one in boxes.iter().rev() {
        let [left, top, right, bottom] = one.edges.map(|edge| edge.round() as i64);
        for (inset, shade) in [(0, 255), (1, 255), (-1, 0), (2, 0)] {
            let (left, top, right, bottom) = (left + inset, top + inset, right - inset, bottom - inset);
            let sides = (left..=right).flat_map(|x| [(x, top), (x, bottom)]);
            let sides = sides.chain((top..=bottom).flat_map(|y| [(left, y), (right, y)]));
            for (x, y) in sides.filter(|&(x, y)| (0..width).contains(&x) && (0..height).contains(&y)) {
                drawn.put_pixel(x as u32, y as u32, image::Rgb([shade; 3]));
            }
        }
    }
    drawn
}
