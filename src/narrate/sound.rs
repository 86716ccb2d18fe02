//! Where in a sound the evidence lies: when, and at which frequencies.

use super::{half_stretch, percent};
use crate::input::sound::Ruler;

/// The stretch of time that holds half of the weight, and the frequencies that hold half of it there; `weights` are at least 0, row
/// by row. `None` without weight.
pub(super) fn evidence(weights: &[f32], ruler: &Ruler) -> Option<String> {
    let steps = ruler.steps();
    let total: f64 = weights.iter().map(|&value| f64::from(value)).sum();
    if total <= 0.0 || steps < 2 || weights.len() < steps {
        return None;
    }
    let mut times = vec![0.0f32; steps];
    for row in weights.chunks_exact(steps) {
        times.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    let (first, last) = half_stretch(&times, total);
    let time = ruler.time(first, last);
    let held = |from: usize, to: usize| -> f64 {
        let rows = weights.chunks_exact(steps).skip(from).take(to + 1 - from);
        rows.flat_map(|row| &row[first..=last]).map(|&value| f64::from(value)).sum()
    };
    let rows: Vec<f32> = (0..weights.len() / steps).map(|row| held(row, row) as f32).collect();
    let part = percent(((time.1 - time.0) / ruler.seconds()).min(1.0));
    let when = ruler.when(time);
    if !ruler.cells || rows.len() < 2 {
        return Some(format!("in {when}: half of the weight is on {part} of the sound"));
    }
    let (low, high) = half_stretch(&rows, rows.iter().map(|&value| f64::from(value)).sum());
    let share = percent(held(low, high) / total);
    Some(format!(
        "in {when}, {}: half of the weight is in that time, {part} of the sound, and {share} in those frequencies of it",
        ruler.pitch(ruler.band(low, high))
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::sound::Spectrum;

    #[test]
    fn a_spot_is_told_in_seconds_and_hertz() {
        let spectrum = Spectrum::new(16_000, 16_000);
        let ruler = Ruler { spectrum, rate: 16_000, cells: true };
        let mut weights = vec![0.0; spectrum.cells()];
        for bin in 10..=28 {
            weights[bin * spectrum.frames()..][50..=60].fill(1.0);
        }
        let found = evidence(&weights, &ruler).unwrap();
        // Half of eleven equal steps are six, and half of nineteen rows ten.
        assert!(found.starts_with("in 0.40 to 0.44 s, 300 to 610 Hz: half of the weight"), "{found}");
        assert_eq!(evidence(&vec![0.0; spectrum.cells()], &ruler), None);
        let samples = Ruler { cells: false, ..ruler };
        let mut weights = vec![0.0; 16_000];
        weights[..3200].fill(1.0);
        assert_eq!(
            evidence(&weights, &samples).unwrap(),
            "in the first 0.10 s: half of the weight is on 10% of the sound"
        );
    }
}
