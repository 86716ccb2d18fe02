//! The exponential, the logistic function and the hyperbolic tangent, in arithmetic that the compiler turns into vectors.
//!
//! Taylor's series on a short range; each is within three units in the last place of the exact value.

/// Beyond, the result is 0 or not finite.
const LEAST: f32 = -87.0;
const MOST: f32 = 88.0;

/// `e` to the power of `x`, for `x` from [`LEAST`] to [`MOST`]; beyond, that of the bound.
#[inline(always)]
fn exp(x: f32) -> f32 {
    // The part of ln 2 that is short enough for its products with whole numbers to be exact, and the rest.
    const HIGH: f32 = 0.693_359_375;
    const LOW: f32 = -2.121_944_4e-4;
    // Adding this leaves no room for digits behind the point, and the whole number in the last bits.
    const ROUND: f32 = 12_582_912.0;
    let above = if x < LEAST { LEAST } else { x };
    let x = if above > MOST { MOST } else { above };
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let whole = rounded - ROUND;
    let r = (x - whole * HIGH) - whole * LOW;
    let series = 1.0 / 5040.0;
    let series = series * r + 1.0 / 720.0;
    let series = series * r + 1.0 / 120.0;
    let series = series * r + 1.0 / 24.0;
    let series = series * r + 1.0 / 6.0;
    let series = series * r + 0.5;
    let series = series * r + 1.0;
    let series = series * r + 1.0;
    let exponent = rounded.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127);
    let power = f32::from_bits(exponent << 23);
    series * power
}

/// `1 / (1 + e^-x)` of each value.
pub fn sigmoid(values: &mut [f32]) {
    for value in values {
        *value = 1.0 / (1.0 + exp(-*value));
    }
}

/// The hyperbolic tangent of each value.
pub fn tanh(values: &mut [f32]) {
    for value in values {
        let x = *value;
        let size = x.abs();
        let e = exp(-2.0 * size);
        let far = (1.0 - e) / (1.0 + e);
        // Near zero the difference would lose digits.
        let q = x * x;
        let series = 21_844.0 / 6_081_075.0;
        let series = series * q - 1382.0 / 155_925.0;
        let series = series * q + 62.0 / 2835.0;
        let series = series * q - 17.0 / 315.0;
        let series = series * q + 2.0 / 15.0;
        let series = series * q - 1.0 / 3.0;
        let near = x + x * q * series;
        *value = if size < 0.4 { near } else { far.copysign(x) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest distance from the exact function, relative to its value, on a fine grid.
    fn worst(ours: impl Fn(&mut [f32]), exact: impl Fn(f64) -> f64) -> f64 {
        let grid: Vec<f32> = (-200_000..=200_000).map(|step| step as f32 * 2.5e-4).collect();
        let mut found = grid.clone();
        ours(&mut found);
        let distance = |(&x, &y): (&f32, &f32)| {
            let exact = exact(f64::from(x));
            (f64::from(y) - exact).abs() / exact.abs().max(1e-30)
        };
        grid.iter().zip(&found).map(distance).fold(0.0, f64::max)
    }

    #[test]
    fn curves_are_within_some_units_of_the_exact_ones() {
        let unit = f64::from(f32::EPSILON);
        let tangent = worst(tanh, f64::tanh);
        assert!(tangent < 3.0 * unit, "{}", tangent / unit);
        let logistic = worst(sigmoid, |x| 1.0 / (1.0 + (-x).exp()));
        assert!(logistic < 3.0 * unit, "{}", logistic / unit);
    }

    #[test]
    fn what_is_no_number_stays_none_and_the_ends_are_reached() {
        let mut values = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0];
        tanh(&mut values);
        assert!(values[0].is_nan());
        assert_eq!(values[1..], [1.0, -1.0, 0.0, 0.0]);
        let mut values = [f32::NAN, f32::INFINITY, 200.0, 0.0];
        sigmoid(&mut values);
        assert!(values[0].is_nan());
        assert_eq!(values[1..], [1.0, 1.0, 0.5]);
        let mut values = [f32::NEG_INFINITY, -200.0];
        sigmoid(&mut values);
        assert!(values.iter().all(|value| *value < 1e-37));
    }
}
