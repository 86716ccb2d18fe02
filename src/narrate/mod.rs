//! An explanation in words: what the network said, where the evidence lies, how much of it is where.

mod sound;

use crate::{
    Aim, ClassScore, Detected, Explainer, ExplanationInfo, HostTensor, Target,
    attribution::{anytime::Stopped, display::Heatmap},
    input::{
        layout::{Layout, Places},
        parts::Part,
        sound::Ruler,
        table::TableKind,
    },
    model::{Activation, GraphInfo, OutputKind},
};

/// What the places of an input are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Names {
    /// One of them.
    pub place: &'static str,
    /// All of them together.
    pub whole: &'static str,
    /// Whether neighbours belong together, so that a stretch says more than single places.
    stretches: bool,
    /// What the parts are called that a person knows by name.
    part: &'static str,
    /// What they are in seconds and hertz, where they are a sound's.
    ruler: Option<Ruler>,
}

/// Of more places than that none is named by itself.
const MOST_NAMED: usize = 1000;

impl Names {
    /// The names for the inputs of an explainer.
    pub(crate) fn of(explainer: &Explainer, places: &Places) -> Self {
        if let Some(tabled) = explainer.tabled() {
            let (place, whole, stretches, part) = match tabled.kind {
                TableKind::Row => ("feature", "row", false, "column"),
                TableKind::Series => ("row", "series", true, "stretch"),
            };
            return Self { place, whole, stretches, part, ruler: None };
        }
        let model = explainer.model();
        let photograph = explainer.preprocessing().is_some() || places.channels == 3;
        let text = model.info().inputs.iter().any(|input| input.element_type.contains("int"));
        let (place, whole, stretches) = match places.layout {
            Layout::Picture | Layout::PictureChannelsLast if photograph => ("pixel", "picture", false),
            Layout::Picture | Layout::PictureChannelsLast => ("pixel", "input", false),
            Layout::Sound => ("sample", "sound", true),
            Layout::Spectrum => ("cell", "sound", true),
            Layout::Sequence if text => ("token", "text", false),
            Layout::Sequence => ("step", "sequence", places.count() > MOST_NAMED),
            Layout::Table => ("feature", "row", places.count() > MOST_NAMED),
            Layout::Values => ("value", "input", places.count() > MOST_NAMED),
        };
        Self { place, whole, stretches, part: "word", ruler: explainer.ruler() }
    }
}

/// What the network answered, in a sentence.
fn answer(info: &ExplanationInfo, graph: &GraphInfo, predicted: &ClassScore) -> String {
    let target = &info.target;
    // Scores that nothing turns into probabilities are told as what they are.
    let shares = graph.probabilities || (0.0..=1.0).contains(&predicted.probability);
    let share = |class: &ClassScore| match shares {
        true => percent(class.probability.into()),
        false => format!("{:.4}", class.probability),
    };
    let probability = share(target);
    match (graph.output_kind, graph.probabilities) {
        (OutputKind::Single, false) => {
            format!("The network\u{2019}s output \u{201c}{}\u{201d} is {:.4}.", target.label, target.logit)
        }
        (OutputKind::Single, _) => {
            format!("The network\u{2019}s output \u{201c}{}\u{201d} is {probability}.", target.label)
        }
        (OutputKind::Positions, _) => {
            format!("The network gives \u{201c}{}\u{201d} {:.4}.", target.label, target.probability)
        }
        _ => match &info.doubt {
            Some(doubt) if target.index == predicted.index => doubt.clone(),
            None if target.index == predicted.index => {
                format!("The network says \u{201c}{}\u{201d} ({probability}).", target.label)
            }
            doubt => format!(
                "The network gives \u{201c}{}\u{201d} {probability}; its first choice is \u{201c}{}\u{201d} ({}){}.",
                target.label,
                predicted.label,
                share(predicted),
                if doubt.is_some() { ", and it is not sure of that" } else { "" }
            ),
        },
    }
}

/// What was explained where that is more than a class, in sentences.
fn aimed(aim: &Aim, info: &ExplanationInfo) -> String {
    let said = &aim.said;
    match (&aim.object, &aim.target) {
        (Some(object), _) => {
            let Detected { class, place, .. } = object;
            format!(
                "The detector finds \u{201c}{}\u{201d} {place} ({:.2}). {said}",
                class.label, class.probability
            )
        }
        (None, Target::Like(_)) => format!("{said} It is {:.4}.", info.target.logit),
        (None, Target::Against { .. }) => {
            let more = info.target.logit;
            match more >= 0.0 {
                true => format!("{said} It is {more:.4} more."),
                false => format!("{said} It is {:.4} less.", -more),
            }
        }
        (None, _) => format!("{said} It is {:.4}.", info.target.logit),
    }
}

/// What an explanation has found, in all the forms that a sentence may be made of.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// The map as it is shown.
    pub heatmap: &'a Heatmap,
    /// Its value at each place.
    pub values: &'a [f32],
    /// What each word counted for; empty for what has no parts that a person knows.
    pub parts: &'a [Part],
    /// Whether a negative value speaks against the class.
    pub is_signed: bool,
}

/// One or two sentences about an explanation; `predicted` is the network's first choice. Words are told by their names; samples,
/// tokens and features are counted from 0.
pub fn explanation(
    info: &ExplanationInfo,
    graph: &GraphInfo,
    predicted: &ClassScore,
    found: &Evidence<'_>,
    names: Names,
) -> Vec<String> {
    let Evidence { heatmap, values, parts, is_signed } = *found;
    let said = match &info.aim {
        Some(aim) => aimed(aim, info),
        None => answer(info, graph, predicted),
    };
    let mut words = vec![match &info.token {
        Some(token) => {
            let what = if token.special { "token" } else { "word" };
            let rest = said.strip_prefix("The ").map_or_else(|| said.clone(), |rest| format!("the {rest}"));
            format!("Of the {what} \u{201c}{}\u{201d} (token {}), {rest}", token.name, token.number)
        }
        None => said,
    }];
    match parts.is_empty() {
        false => words.extend(written(info, graph, parts, is_signed, names.part)),
        true => words.push(placed(info, graph, heatmap, values, names)),
    }
    // What is usual for photographs goes without saying.
    if let Some(baseline) = &info.baseline
        && (names.place != "pixel" || baseline.contains("given"))
    {
        words.push(format!("Baseline: {baseline}."));
    }
    words.extend(info.notes.iter().cloned());
    if let Some(Stopped { after, of, change }) = &info.stopped {
        words.push(format!(
            "The map was left as it is after {after} of {of} steps: it no longer changed (by {} at last).",
            percent((*change).into())
        ));
    }
    words
}

/// How the weight of a map is shared among inputs that are explained at once, in a sentence.
pub fn shares(inputs: &[(String, HostTensor)]) -> Option<String> {
    let size = |map: &HostTensor| map.data.iter().map(|value| f64::from(value.abs())).sum::<f64>();
    let total: f64 = inputs.iter().map(|(_, map)| size(map)).sum();
    if inputs.len() < 2 || total <= 0.0 {
        return None;
    }
    let mut shares: Vec<_> = inputs.iter().map(|(name, map)| (name, size(map) / total)).collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut told =
        shares.iter().map(|(name, share)| format!("{} on \u{201c}{name}\u{201d}", percent(*share)));
    let first = told.next()?;
    let rest: Vec<String> = told.collect();
    Some(format!("Of the weight, {first} lies among the inputs, then {}.", rest.join(", then ")))
}

/// A word that has less of the weight of the first is not told beside it.
const WORTH_TELLING: f32 = 0.2;
/// So many words are told by their names.
const NAMED: usize = 3;

/// The words that count most, in the order of their weight, with their sign.
fn written(
    info: &ExplanationInfo,
    graph: &GraphInfo,
    parts: &[Part],
    is_signed: bool,
    noun: &str,
) -> Vec<String> {
    let target = &info.target;
    match info.against.as_slice() {
        [other] => {
            let what = format!(
                "What makes it \u{201c}{}\u{201d} and not \u{201c}{}\u{201d} is most of all",
                target.label, other.label
            );
            told(parts, noun, is_signed, "it", &what, "")
        }
        _ if graph.output_kind == OutputKind::Single => {
            told(parts, noun, is_signed, "a high output", "counts most", "makes the output rise most")
        }
        _ => told(parts, noun, is_signed, "it", "counts most for it", "speaks most for it"),
    }
}

/// Sentences about the words of a text: what the first does, by a method without a sign and by one with a sign; `it` is what words
/// speak for. Where the sign makes no verb, the first one begins the sentence.
fn told(parts: &[Part], noun: &str, is_signed: bool, it: &str, unsigned: &str, signed: &str) -> Vec<String> {
    let mut order: Vec<&Part> = parts.iter().filter(|part| !part.special).collect();
    order.sort_by(|a, b| b.score.total_cmp(&a.score));
    let total: f64 = order.iter().map(|part| f64::from(part.score.max(0.0))).sum();
    let most = order.iter().map(|part| part.score.abs()).fold(0.0, f32::max);
    let quoted = |part: &Part| match &part.value {
        Some(value) => format!("\u{201c}{}\u{201d} ({value})", part.name),
        None => format!("\u{201c}{}\u{201d}", part.name),
    };
    let mut told = Vec::new();
    let first = order.first().filter(|part| part.score > 0.0 && part.score >= WORTH_TELLING * most);
    if let Some(first) = first {
        let others: Vec<String> = order[1..]
            .iter()
            .take_while(|part| part.score >= WORTH_TELLING * first.score)
            .take(NAMED - 1)
            .map(|part| quoted(part))
            .collect();
        let then = match others.is_empty() {
            true => String::new(),
            false => format!(", then {}", listed(others)),
        };
        let mut held = 0.0;
        let half = order
            .iter()
            .take_while(|part| {
                let more = held < total / 2.0;
                held += f64::from(part.score.max(0.0));
                more
            })
            .count();
        let share = match order.len() {
            1 => String::new(),
            count => format!(
                ": half of the weight is on {half} of {count} {noun}{}",
                if noun == "stretch" { "es" } else { "s" }
            ),
        };
        let first = quoted(first);
        told.push(match (signed, is_signed) {
            ("", _) => format!("{unsigned} {first}{then}{share}."),
            (_, true) => format!("{first} {signed}{then}{share}."),
            (_, false) => format!("{first} {unsigned}{then}{share}."),
        });
    } else if most > 0.0 {
        told.push(format!("No {noun} speaks for {it}."));
    } else {
        told.push(format!("This method finds no {noun} that counts more than the rest."));
    }
    let against: Vec<String> = order
        .iter()
        .rev()
        .take_while(|part| is_signed && part.score < 0.0 && -part.score >= WORTH_TELLING * most)
        .take(NAMED)
        .map(|part| quoted(part))
        .collect();
    if !against.is_empty() {
        let speak = if against.len() == 1 { "speaks" } else { "speak" };
        told.push(format!("{} {speak} against {it}.", listed(against)));
    }
    told
}

/// "a", "a and b", "a, b and c".
fn listed(mut names: Vec<String>) -> String {
    match (names.pop(), names.is_empty()) {
        (None, _) => String::new(),
        (Some(last), true) => last,
        (Some(last), false) => format!("{} and {last}", names.join(", ")),
    }
}

/// Where what counts lies in a picture, or in a line of places.
fn placed(
    info: &ExplanationInfo,
    graph: &GraphInfo,
    heatmap: &Heatmap,
    values: &[f32],
    names: Names,
) -> String {
    let target = &info.target;
    let found = if names.place == "pixel" {
        evidence(heatmap, names)
    } else if let Some(ruler) = &names.ruler {
        sound::evidence(&values.iter().map(|value| value.max(0.0)).collect::<Vec<_>>(), ruler)
    } else {
        // A few tokens are no picture whose contrast could be stretched: what counts for the class, counts.
        evidence_along(&values.iter().map(|value| value.max(0.0)).collect::<Vec<_>>(), names)
    };
    match (found, info.against.as_slice()) {
        (None, _) => {
            format!("This method finds no part of the {} that counts more than the rest.", names.whole)
        }
        (Some(evidence), [other]) => format!(
            "What makes it \u{201c}{}\u{201d} and not \u{201c}{}\u{201d} lies mostly {evidence}.",
            target.label, other.label
        ),
        (Some(evidence), _) if graph.output_kind == OutputKind::Single => {
            format!("What makes the output rise lies mostly {evidence}.")
        }
        (Some(evidence), _) => format!("What counts for it lies mostly {evidence}."),
    }
}

/// A network is sure of a class whose probability is at least this part of the way from chance to certainty: 60 % of two
/// classes, 28 % of ten, 20 % of a thousand.
const SURE: f32 = 0.2;
/// Two classes are nearly as likely where the second has at least this part of the first one's probability.
const NEARLY: f32 = 0.9;

/// That the network is not sure of its answer, in a sentence; nothing where it is. `best` are its first two choices.
///
/// Of classes of which one is right (softmax), it is not sure where the best one's probability `p` is closer to chance than
/// to certainty by `(p - 1/n) / (1 - 1/n) < 0.2` for `n` classes, or where the second has at least 0.9 of `p`. Of classes that
/// stand each for itself (sigmoid), where none has half. Scores that are no probabilities tell nothing of the kind.
pub fn doubt(activation: Activation, best: &[ClassScore], classes: usize) -> Option<String> {
    let (first, second) = (best.first()?, best.get(1));
    let p = first.probability;
    let named = |class: &ClassScore| {
        format!("\u{201c}{}\u{201d} ({})", class.label, percent(class.probability.into()))
    };
    match activation {
        Activation::Softmax if classes > 1 => {
            let chance = 1.0 / classes as f32;
            if (p - chance) / (1.0 - chance) < SURE {
                return Some(format!("The network is not sure: its best guess is {}.", named(first)));
            }
            let second = second.filter(|second| second.probability >= NEARLY * p)?;
            Some(format!(
                "The network is not sure: {} and {} are nearly as likely.",
                named(first),
                named(second)
            ))
        }
        Activation::Sigmoid if classes > 1 && p < 0.5 => {
            Some(format!("The network is not sure of any class: its best guess is {}.", named(first)))
        }
        _ => None,
    }
}

fn percent(part: f64) -> String {
    match part * 100.0 {
        high if high > 99.0 && high < 100.0 => "over 99%".into(),
        low if low < 1.0 => "under 1%".into(),
        middle => format!("{middle:.0}%"),
    }
}

/// Where the map's weight lies, and how concentrated it is; `None` for a map without weight.
fn evidence(heatmap: &Heatmap, names: Names) -> Option<String> {
    let [height, width] = heatmap.shape;
    let total: f64 = heatmap.data.iter().map(|&value| f64::from(value)).sum();
    if total <= 0.0 || height < 3 || width < 3 {
        return None;
    }
    let (mut row, mut column) = (0.0, 0.0);
    for (index, &value) in heatmap.data.iter().enumerate() {
        row += f64::from(value) * (index / width) as f64;
        column += f64::from(value) * (index % width) as f64;
    }
    let (row, column) = (row / total / (height - 1) as f64, column / total / (width - 1) as f64);

    Some(format!(
        "{}: half of the weight is on {} of the {}",
        place(row, column),
        percent(half_area(heatmap)),
        names.whole
    ))
}

/// The same of what lies in a line: the stretch, or the places, that hold half of the weight.
fn evidence_along(weights: &[f32], names: Names) -> Option<String> {
    let Names { place, whole, stretches, .. } = names;
    let total: f64 = weights.iter().map(|&value| f64::from(value)).sum();
    if total <= 0.0 || weights.len() < 2 {
        return None;
    }
    if stretches {
        let (first, last) = half_stretch(weights, total);
        let part = percent((last - first + 1) as f64 / weights.len() as f64);
        return Some(format!(
            "in the {place}s {first} to {last}: half of the weight is on {part} of the {whole}"
        ));
    }
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by(|&a, &b| weights[b].total_cmp(&weights[a]));
    let mut held = 0.0;
    let half = order.iter().take_while(|&&index| {
        let more = held < total / 2.0;
        held += f64::from(weights[index]);
        more
    });
    let half: Vec<usize> = half.copied().collect();
    let mut named: Vec<String> = half.iter().take(3).map(|index| format!("{place} {index}")).collect();
    match half.len() - named.len() {
        0 => (),
        1 => named.push("another".into()),
        others => named.push(format!("{others} others")),
    }
    let last = named.pop()?;
    let list = if named.is_empty() { last } else { format!("{} and {last}", named.join(", ")) };
    Some(format!("on {list}: half of the weight is on {} of {} {place}s", half.len(), weights.len()))
}

/// The first and last place of the shortest stretch that holds half of the weight.
fn half_stretch(weights: &[f32], total: f64) -> (usize, usize) {
    let (mut best, mut first, mut held) = ((0, weights.len() - 1), 0, 0.0);
    for (last, &weight) in weights.iter().enumerate() {
        held += f64::from(weight);
        while first < last && held - f64::from(weights[first]) >= total / 2.0 {
            held -= f64::from(weights[first]);
            first += 1;
        }
        if held >= total / 2.0 && last - first < best.1 - best.0 {
            best = (first, last);
        }
    }
    best
}

/// The part of the picture that holds half of the map's weight, 0 to 1.
///
/// Measured on a grid: single pixels of a gradient are scattered, and their own ranking says more about the
/// display rule than about the picture.
fn half_area(heatmap: &Heatmap) -> f64 {
    const CELLS: usize = 14;
    let [height, width] = heatmap.shape;
    let (rows, columns) = (height.min(CELLS), width.min(CELLS));
    let mut cells = vec![0.0f64; rows * columns];
    for (index, &value) in heatmap.data.iter().enumerate() {
        let (row, column) = (index / width * rows / height, index % width * columns / width);
        cells[row * columns + column] += f64::from(value);
    }
    cells.sort_unstable_by(|a, b| b.total_cmp(a));
    let half = cells.iter().sum::<f64>() / 2.0;
    let mut held = 0.0;
    let needed = cells
        .iter()
        .take_while(|&&weight| {
            let more = held < half;
            held += weight;
            more
        })
        .count();
    needed as f64 / cells.len() as f64
}

/// The place of a centre of gravity, from 0 to 1 from the top and from the left.
///
/// The centre of a map is seldom near an edge, so that a sixth off the middle already means a side.
fn place(row: f64, column: f64) -> &'static str {
    let third = |value: f64| if value < 0.42 { 0 } else { usize::from(value > 0.58) + 1 };
    const PLACES: [[&str; 3]; 3] = [
        ["in the upper left", "in the upper part", "in the upper right"],
        ["on the left", "in the middle", "on the right"],
        ["in the lower left", "in the lower part", "in the lower right"],
    ];
    PLACES[third(row)][third(column)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spot(row: usize, column: usize) -> Heatmap {
        let mut data = vec![0.0; 100];
        data[row * 10 + column] = 1.0;
        Heatmap { data, shape: [10, 10], rule: String::new() }
    }

    #[test]
    fn a_spot_is_found_where_it_is() {
        let found = |row, column| evidence(&spot(row, column), PICTURE).unwrap();
        assert!(found(1, 8).starts_with("in the upper right"));
        assert!(found(5, 5).starts_with("in the middle"));
        assert!(found(9, 0).starts_with("in the lower left"));
        assert!(found(9, 0).ends_with("half of the weight is on 1% of the picture"));
    }

    const PICTURE: Names =
        Names { place: "pixel", whole: "picture", stretches: false, part: "word", ruler: None };

    #[test]
    fn what_lies_in_a_line_is_named_by_its_numbers() {
        let sound = Names { place: "sample", whole: "sound", stretches: true, part: "word", ruler: None };
        let mut weights = vec![0.0; 1000];
        weights[10] = 1.0;
        weights[600..=700].fill(0.5);
        assert_eq!(
            evidence_along(&weights, sound).unwrap(),
            "in the samples 600 to 651: half of the weight is on 5% of the sound"
        );
        let text = Names { place: "token", whole: "text", stretches: false, part: "word", ruler: None };
        let found = |weights: &[f32]| evidence_along(weights, text);
        assert_eq!(
            found(&[0.0, 0.1, 1.0, 0.3]).unwrap(),
            "on token 2: half of the weight is on 1 of 4 tokens"
        );
        assert_eq!(
            found(&[0.5; 10]).unwrap(),
            "on token 0, token 1, token 2 and 2 others: half of the weight is on 5 of 10 tokens"
        );
        assert_eq!(
            found(&[0.5, 0.0, 0.5, 0.5]).unwrap(),
            "on token 0 and token 2: half of the weight is on 2 of 4 tokens"
        );
        assert_eq!(found(&[0.0; 4]), None);
    }

    fn word(name: &str, score: f32, special: bool) -> Part {
        let (bytes, low, high, places) = (None, None, None, Vec::new());
        let (source, start, end) = (0, 0.0, 1.0);
        Part { name: name.into(), value: None, source, start, end, bytes, low, high, score, special, places }
    }

    #[test]
    fn words_are_told_in_the_order_of_their_weight_with_their_sign() {
        let said = |scores: &[(&str, f32)], signed| {
            let mut parts: Vec<Part> = scores.iter().map(|(name, score)| word(name, *score, false)).collect();
            // What the tokenizer adds is never told, whatever it counted for.
            parts.push(word("[CLS]", 9.0, true));
            told(&parts, "word", signed, "it", "counts most for it", "speaks most for it").join(" ")
        };
        assert_eq!(
            said(&[("a", 0.0), ("long", 1.0), ("unfunny", 5.0), ("one", -2.0), ("at", 0.5)], true),
            "\u{201c}unfunny\u{201d} speaks most for it, then \u{201c}long\u{201d}: half of the weight is on 1 of 5 words. \
             \u{201c}one\u{201d} speaks against it."
        );
        assert_eq!(
            said(&[("dull", 2.0), ("too", 1.5), ("story", 1.0)], false),
            "\u{201c}dull\u{201d} counts most for it, then \u{201c}too\u{201d} and \u{201c}story\u{201d}: half of the weight is on 2 of 3 \
             words."
        );
        assert_eq!(
            said(&[("great", -2.0), ("warm", -1.0)], true),
            "No word speaks for it. \u{201c}great\u{201d} and \u{201c}warm\u{201d} speak against it."
        );
        assert_eq!(said(&[("a", 0.0)], true), "This method finds no word that counts more than the rest.");
        assert_eq!(said(&[("dull", 1.0)], true), "\u{201c}dull\u{201d} speaks most for it.");
    }

    #[test]
    fn an_even_map_needs_half_of_the_picture_for_half_of_its_weight() {
        let even = Heatmap { data: vec![0.5; 28 * 28], shape: [28, 28], rule: String::new() };
        assert_eq!(half_area(&even), 0.5);
    }

    #[test]
    fn an_empty_map_has_no_place() {
        assert_eq!(
            evidence(&Heatmap { data: vec![0.0; 100], shape: [10, 10], rule: String::new() }, PICTURE),
            None
        );
    }

    #[test]
    fn a_network_is_sure_by_the_number_of_its_classes() {
        let score = |index: usize, probability| ClassScore {
            index,
            label: format!("class {index}"),
            probability,
            logit: 0.0,
        };
        let doubted = |activation, first, second, classes| {
            doubt(activation, &[score(0, first), score(1, second)], classes)
        };
        let softmax = |first, second, classes| doubted(Activation::Softmax, first, second, classes);
        assert!(softmax(0.59, 0.41, 2).is_some());
        assert_eq!(softmax(0.61, 0.39, 2), None);
        assert!(softmax(0.27, 0.1, 10).is_some());
        assert_eq!(softmax(0.29, 0.1, 10), None);
        assert_eq!(
            softmax(0.02, 0.01, 1000).unwrap(),
            "The network is not sure: its best guess is \u{201c}class 0\u{201d} (2%)."
        );
        assert_eq!(softmax(0.21, 0.1, 1000), None);
        // Likely beyond chance, and still one of two.
        assert_eq!(
            softmax(0.38, 0.37, 1000).unwrap(),
            "The network is not sure: \u{201c}class 0\u{201d} (38%) and \u{201c}class 1\u{201d} (37%) are nearly as likely."
        );
        assert!(doubted(Activation::Sigmoid, 0.4, 0.1, 80).is_some());
        assert_eq!(doubted(Activation::Sigmoid, 0.9, 0.89, 80), None, "several may be there");
        assert_eq!(doubted(Activation::None, 0.1, 0.1, 3), None);
        assert_eq!(doubt(Activation::Softmax, &[score(0, 1.0)], 1), None);
    }

    #[test]
    fn extreme_probabilities_are_not_rounded_to_certainty() {
        assert_eq!(percent(0.9999), "over 99%");
        assert_eq!(percent(0.0001), "under 1%");
        assert_eq!(percent(0.62), "62%");
    }
}
