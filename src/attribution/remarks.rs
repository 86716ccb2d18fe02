//! What is told beside a map: a sum that is missed, a map of zeros.

use serde_json::{Map, Value};

use super::{
    Subject,
    registry::{Entry, Need},
};

/// The part of the score's change by which the sum of the attributions may miss it without a word.
pub(super) const MISSED: f32 = 0.05;
/// Less than this part of all that is attributed is rounding.
const ROUNDING: f32 = 1e-3;

/// So far from the baseline a score is looked at that may jump there, as a part of the way to the input.
pub(super) const NEAR: f32 = 1e-3;
/// A score that has changed by this part of all that it changes by so near the baseline jumps there.
const JUMP: f32 = 0.2;

/// Whether attributions that promise completeness miss their sum by more than rounding.
pub(super) fn is_missed(gap: f32, change: f32, size: f32) -> bool {
    gap.abs() > MISSED * change.abs() && gap.abs() > ROUNDING * size
}

/// That the parts of a method that promises completeness miss their sum: by how much, and why. `size` is the sum of their
/// magnitudes, `gap` what they add up to beyond the `change` of the score, `jump` how much of that lies within [`NEAR`] of the baseline,
/// where there is one.
pub(super) fn missed_sum(
    entry: &Entry,
    gap: f32,
    change: f32,
    size: f32,
    jump: Option<f32>,
) -> Option<String> {
    if !is_missed(gap, change, size) {
        return None;
    }
    let (sum, part) = (figure(change + gap), f64::from((gap / change).abs()) * 100.0);
    let by = if part < 1000.0 { format!("{part:.0}%") } else { "many times that".into() };
    let shortfall = entry.shortfall();
    let why = match jump.filter(|jump| jump.abs() > JUMP * change.abs()) {
        // No number of steps finds a slope where the score jumps.
        Some(jump) => format!(
            " The score jumps at the baseline: a thousandth of the way to the input it has changed by {} already, as it does where a network \
             takes out how loud or how bright its input is. More steps do not help; take another baseline (`baseline`, or a tensor as \
             `given.baseline`: noise, another input), or a method that hides parts.",
            figure(jump)
        ),
        None if shortfall.is_empty() => String::new(),
        None => format!(" {shortfall}"),
    };
    Some(format!(
        "The parts add up to {sum}, and the score changes by {}: they miss it by {by}.{why}",
        figure(change)
    ))
}

/// Three digits of a number.
fn figure(value: f32) -> String {
    match value.abs() {
        0.0 => "0".into(),
        small if small < 1e-3 => format!("{value:.2e}"),
        large if large >= 1e5 => format!("{value:.2e}"),
        size => format!("{value:.*}", (2 - size.log10().floor() as i32).clamp(0, 5) as usize),
    }
}

/// Why a map is zero everywhere, as far as the method and the input show it.
pub(super) fn nothing_found(entry: &Entry, subject: &Subject<'_>, params: &Map<String, Value>) -> String {
    let (low, high) = subject.range();
    let (whole, place) = (subject.names().whole, subject.names().place);
    let given = subject.given("baseline").map(|given| subject.places().planes(&given.data));
    let same = given.is_some_and(|given| *given == *subject.values());
    let needs = |need| entry.needs().contains(&need);
    let probability = params.get("score").and_then(Value::as_str).is_some_and(|score| score != "logit");
    let why = if same {
        "the input is the given baseline itself, so that nothing changes on the way".to_owned()
    } else if low == high && !(needs(Need::Activations) || needs(Need::Masker)) {
        format!(
            "the {whole} is even (every {place} holds {}), so that nothing in it differs from what stands for nothing, or \
             the score does not react to it",
            figure(low)
        )
    } else if needs(Need::Activations) {
        "no feature map at this layer speaks for the class; another layer may".into()
    } else if needs(Need::Masker) {
        "the masking network hides nothing".into()
    } else if !needs(Need::Gradient) && needs(Need::Predictions) {
        "the score stays the same whatever is hidden".into()
    } else if probability {
        "the score's gradient vanishes, as that of a probability near 0 or 1 does; `score=logit` may show more".into()
    } else {
        "the score does not react to small changes of this input: its gradient is zero".into()
    };
    format!("The map is zero everywhere: {why}.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::registry::find;

    #[test]
    fn a_sum_is_missed_by_more_than_a_twentieth_or_not_at_all() {
        let method = find("integrated_gradients").unwrap();
        assert_eq!(missed_sum(method, 0.04, 1.0, 1.0, None), None);
        assert_eq!(missed_sum(method, -0.04, -1.0, 1.0, None), None);
        // Parts of both signs that nearly cancel: rounding is no miss.
        assert_eq!(missed_sum(method, 1e-4, 1e-4, 100.0, None), None);
        assert_eq!(
            missed_sum(method, -0.5, 2.0, 3.0, Some(0.1)).unwrap(),
            "The parts add up to 1.50, and the score changes by 2.00: they miss it by 25%. More steps come closer."
        );
        assert!(missed_sum(method, 0.5, 0.0, 3.0, None).unwrap().contains("many times that"));
    }

    #[test]
    fn where_the_score_jumps_more_steps_are_no_advice() {
        let method = find("integrated_gradients").unwrap();
        let told = missed_sum(method, -2.0, 2.0, 3.0, Some(1.9)).unwrap();
        assert!(
            told.contains("it has changed by 1.90 already") && told.contains("another baseline"),
            "{told}"
        );
        assert!(!told.contains("More steps come closer"), "{told}");
    }

    #[test]
    fn figures_have_three_digits() {
        for (value, text) in [
            (0.0, "0"),
            (12.345, "12.3"),
            (-0.012_345, "-0.0123"),
            (12_345.0, "12345"),
            (1.5e-7, "1.50e-7"),
            (0.5, "0.500"),
        ] {
            assert_eq!(figure(value), text);
        }
    }
}
