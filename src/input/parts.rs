//! The parts of what a person gave, and what each counted for: the words of a text, the stretches of a sound.

use serde::Serialize;

/// A part of what a person gave, by a name that they know.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
#[cfg_attr(target_family = "wasm", tsify(missing_as_null))]
pub struct Part {
    /// What it is called: the word itself.
    pub name: String,
    /// What it holds, where a name does not say it: the cell of a column.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub value: Option<String>,
    /// Which of the texts it is of: 0, or 1 for the second of a pair.
    pub source: usize,
    /// Where it starts: in UTF-16 units of its text, as JavaScript counts, or in seconds of a sound.
    pub start: f64,
    /// Where it ends.
    pub end: f64,
    /// The same in bytes of the text's UTF-8; `null` for what is no text.
    pub bytes: Option<[usize; 2]>,
    /// The lowest frequency in hertz, for parts of a sound that are bands.
    pub low: Option<f64>,
    /// The highest frequency in hertz.
    pub high: Option<f64>,
    /// What it counted for: positive speaks for the explained class, for methods with a sign.
    pub score: f32,
    /// Whether it is none of the person's, but something that the network needs beside: `[CLS]`, padding.
    pub special: bool,
    /// The places of the network's input that it is made of: tokens, samples.
    pub places: Vec<usize>,
}

/// How the values of a map become one for a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Joined {
    /// Their sum, which speaks for the class where it is positive: what a method gives adds up to the score's change.
    #[default]
    Sum,
    /// The sum of their magnitudes: a gradient's sign says nothing of whether a value speaks for the class.
    Magnitudes,
    /// Their mean: a mask, or a mean of masks.
    Mean,
}

impl Joined {
    /// Whether a negative value speaks against the class.
    pub fn is_signed(self) -> bool {
        self == Self::Sum
    }

    /// One value of several.
    pub fn join(self, values: impl Iterator<Item = f32>) -> f32 {
        let (mut sum, mut count) = (0.0f64, 0usize);
        for value in values {
            sum += f64::from(if self == Self::Magnitudes { value.abs() } else { value });
            count += 1;
        }
        let joined = if self == Self::Mean { sum / count.max(1) as f64 } else { sum };
        joined as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_joined_as_the_method_means_them() {
        let join = |joined: Joined| joined.join([1.0, -3.0, 0.5, 0.5].into_iter());
        assert_eq!(join(Joined::Sum), -1.0);
        assert_eq!(join(Joined::Magnitudes), 5.0);
        assert_eq!(join(Joined::Mean), -0.25);
        assert_eq!(Joined::Mean.join(std::iter::empty()), 0.0);
    }
}
