//! An explanation in words: what the network said, where the evidence lies, how much of it is where.

use crate::{ClassScore, ExplanationInfo, attribution::display::Heatmap};

/// One or two sentences about an explanation; `predicted` is the network's first choice.
pub fn explanation(info: &ExplanationInfo, predicted: &ClassScore, heatmap: &Heatmap) -> Vec<String> {
    let target = &info.target;
    let mut words = vec![if target.index == predicted.index {
        format!("The network says \u{201c}{}\u{201d} ({}).", target.label, percent(target.probability.into()))
    } else {
        format!(
            "The network gives \u{201c}{}\u{201d} {}; its first choice is \u{201c}{}\u{201d} ({}).",
            target.label,
            percent(target.probability.into()),
            predicted.label,
            percent(predicted.probability.into())
        )
    }];
    words.push(match (evidence(heatmap), info.against.as_slice()) {
        (None, _) => "This method finds no part of the picture that counts more than the rest.".into(),
        (Some(evidence), [other]) => format!(
            "What makes it \u{201c}{}\u{201d} and not \u{201c}{}\u{201d} lies mostly {evidence}.",
            target.label, other.label
        ),
        (Some(evidence), _) => format!("What counts for it lies mostly {evidence}."),
    });
    words
}

fn percent(part: f64) -> String {
    match part * 100.0 {
        high if high > 99.0 && high < 100.0 => "over 99%".into(),
        low if low < 1.0 => "under 1%".into(),
        middle => format!("{middle:.0}%"),
    }
}

/// Where the map's weight lies, and how concentrated it is; `None` for a map without weight.
fn evidence(heatmap: &Heatmap) -> Option<String> {
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
        "{}: half of the weight is on {} of the picture",
        place(row, column),
        percent(half_area(heatmap))
    ))
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
        assert!(evidence(&spot(1, 8)).unwrap().starts_with("in the upper right"));
        assert!(evidence(&spot(5, 5)).unwrap().starts_with("in the middle"));
        assert!(evidence(&spot(9, 0)).unwrap().starts_with("in the lower left"));
        assert!(evidence(&spot(9, 0)).unwrap().ends_with("half of the weight is on 1% of the picture"));
    }

    #[test]
    fn an_even_map_needs_half_of_the_picture_for_half_of_its_weight() {
        let even = Heatmap { data: vec![0.5; 28 * 28], shape: [28, 28], rule: String::new() };
        assert_eq!(half_area(&even), 0.5);
    }

    #[test]
    fn an_empty_map_has_no_place() {
        assert_eq!(evidence(&Heatmap { data: vec![0.0; 100], shape: [10, 10], rule: String::new() }), None);
    }

    #[test]
    fn extreme_probabilities_are_not_rounded_to_certainty() {
        assert_eq!(percent(0.9999), "over 99%");
        assert_eq!(percent(0.0001), "under 1%");
        assert_eq!(percent(0.62), "62%");
    }
}
