//! The way back: where in a sound something is, in seconds and hertz, and how a part of it sounds alone.

use adversight_sound::{Spectrum, Waveform, level, wav};

use crate::Result;

/// What the places of an explained sound are in seconds and hertz.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ruler {
    /// Its short-time spectrum.
    pub spectrum: Spectrum,
    /// Samples a second.
    pub rate: u32,
    /// Whether places are cells of the spectrum, row by row, else samples.
    pub cells: bool,
}

impl Ruler {
    /// Seconds of the whole.
    pub fn seconds(&self) -> f64 {
        self.spectrum.length as f64 / f64::from(self.rate)
    }

    /// Places in time.
    pub fn steps(&self) -> usize {
        if self.cells { self.spectrum.frames() } else { self.spectrum.length }
    }

    /// From when to when the places `first..=last` in time are, in seconds.
    pub fn time(&self, first: usize, last: usize) -> (f64, f64) {
        let (start, end) = match self.cells {
            true => (self.spectrum.span(first).0, self.spectrum.span(last).1),
            false => (first as f64, (last + 1) as f64),
        };
        (start / f64::from(self.rate), end / f64::from(self.rate))
    }

    /// From where to where the rows `first..=last` are, in hertz.
    pub fn band(&self, first: usize, last: usize) -> (f64, f64) {
        let (width, most) = (f64::from(self.rate) / self.spectrum.window as f64, f64::from(self.rate) / 2.0);
        if !self.cells {
            return (0.0, most);
        }
        (((first as f64 - 0.5) * width).max(0.0), ((last as f64 + 0.5) * width).min(most))
    }

    /// A stretch of time in words: "the first 0.30 s", "0.30 to 0.70 s".
    pub fn when(&self, (start, end): (f64, f64)) -> String {
        let (whole, little, digits) = (self.seconds(), self.seconds() / 50.0, self.digits());
        match (start <= little, end >= whole - little) {
            (true, true) => "all of the time".into(),
            (true, false) => format!("the first {end:.digits$} s"),
            (false, true) => format!("the last {:.digits$} s", whole - start),
            (false, false) => self.span((start, end)),
        }
    }

    /// A stretch of time as both of its ends.
    pub fn span(&self, (start, end): (f64, f64)) -> String {
        let digits = self.digits();
        format!("{start:.digits$} to {end:.digits$} s")
    }

    /// The digits of a second that are told: hundredths, and thousandths of a short sound.
    fn digits(&self) -> usize {
        if self.seconds() < 0.5 { 3 } else { 2 }
    }

    /// A range of frequencies in words: "300 to 900 Hz", "above 4000 Hz".
    pub fn pitch(&self, (low, high): (f64, f64)) -> String {
        let most = f64::from(self.rate) / 2.0;
        let round = |hertz: f64| {
            if hertz < 1000.0 { (hertz / 10.0).round() * 10.0 } else { (hertz / 100.0).round() * 100.0 }
        };
        match (low < 20.0, high > 0.98 * most) {
            (true, true) => "all frequencies".into(),
            (true, false) => format!("below {} Hz", round(high)),
            (false, true) => format!("above {} Hz", round(low)),
            (false, false) if round(low) == round(high) => format!("about {} Hz", round(low)),
            (false, false) => format!("{} to {} Hz", round(low), round(high)),
        }
    }
}

/// A sound taken apart by a map: what mattered, and what is left. Before they were made as loud as the sound, both added up to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// The sound as the network heard it, at its rate.
    pub sound: Waveform,
    /// Only what mattered.
    pub only: Waveform,
    /// Only what is left.
    pub left: Waveform,
    /// What `only` was multiplied by to be as loud as the sound.
    pub only_gain: f64,
    /// What `left` was multiplied by.
    pub left_gain: f64,
}

/// No part is made louder than that: a whisper of noise is not to become a roar.
const MOST_GAIN: f64 = 10.0;

impl Heard {
    /// Of a sound, one channel at `rate`, and a mask of its cells, 1 where it matters.
    pub(crate) fn new(samples: &[f32], rate: u32, spectrum: &Spectrum, mask: &[f32]) -> Result<Self> {
        let cells = spectrum.of(samples);
        let rest: Vec<f32> = mask.iter().map(|kept| 1.0 - kept).collect();
        let [(only, only_gain), (left, left_gain)] =
            [mask, &rest].map(|mask| levelled(spectrum.sound(&spectrum.masked(&cells, mask)), samples));
        let sound = |samples| Waveform::mono(samples, rate);
        Ok(Self {
            sound: sound(samples.to_vec())?,
            only: sound(only)?,
            left: sound(left)?,
            only_gain,
            left_gain,
        })
    }

    /// What mattered, as a WAV file.
    pub fn only_wav(&self) -> Vec<u8> {
        wav(&self.only)
    }

    /// What is left, as a WAV file.
    pub fn left_wav(&self) -> Vec<u8> {
        wav(&self.left)
    }
}

/// A part as loud as the whole (the root of the mean square), but never beyond 1 where the whole is not, and at most ten times
/// louder than it was; and what it was multiplied by.
fn levelled(mut part: Vec<f32>, whole: &[f32]) -> (Vec<f32>, f64) {
    let peak = |samples: &[f32]| samples.iter().fold(0.0f32, |most, value| most.max(value.abs()));
    let (own, room) = (level(&part), f64::from(peak(whole).max(1.0)) / f64::from(peak(&part).max(1e-9)));
    let gain = if own > 0.0 { (level(whole) / own).min(room).min(MOST_GAIN) } else { 1.0 };
    part.iter_mut().for_each(|value| *value = (f64::from(*value) * gain) as f32);
    (part, gain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_in_seconds_and_hertz() {
        let ruler = Ruler { spectrum: Spectrum::new(16_000, 16_000), rate: 16_000, cells: true };
        assert_eq!(ruler.when(ruler.time(0, 37)), "the first 0.30 s");
        assert_eq!(ruler.when(ruler.time(50, 60)), "0.40 to 0.48 s");
        assert_eq!(ruler.when(ruler.time(100, 125)), "the last 0.20 s");
        assert_eq!(ruler.pitch(ruler.band(10, 28)), "300 to 890 Hz");
        assert_eq!(ruler.pitch(ruler.band(0, 28)), "below 890 Hz");
        assert_eq!(ruler.pitch(ruler.band(128, 256)), "above 4000 Hz");
        let short = Ruler { spectrum: Spectrum::new(512, 16_000), ..ruler };
        assert_eq!(short.span(short.time(3, 5)), "0.005 to 0.011 s");
        let samples = Ruler { cells: false, ..ruler };
        assert_eq!(samples.when(samples.time(1600, 3199)), "0.10 to 0.20 s");
        assert_eq!(samples.pitch(samples.band(0, 0)), "all frequencies");
    }

    #[test]
    fn a_part_is_as_loud_as_the_whole_and_both_add_up() {
        let rate = 16_000;
        let tone =
            |hertz: f64, n: usize| (2.0 * std::f64::consts::PI * hertz * n as f64 / f64::from(rate)).sin();
        let sound: Vec<f32> =
            (0..8000).map(|n| (0.3 * tone(500.0, n) + 0.03 * tone(3000.0, n)) as f32).collect();
        let spectrum = Spectrum::new(sound.len(), rate);
        let low: Vec<f32> =
            (0..spectrum.cells()).map(|cell| if cell / spectrum.frames() < 48 { 1.0 } else { 0.0 }).collect();
        let heard = Heard::new(&sound, rate, &spectrum, &low).unwrap();
        let [only, left] = [&heard.only, &heard.left].map(|part| part.channels()[0].clone());
        assert!((heard.only_gain - 1.0).abs() < 0.02, "{}", heard.only_gain);
        assert!((9.0..=10.0).contains(&heard.left_gain), "{}", heard.left_gain);
        for (n, value) in sound.iter().enumerate() {
            let sum = f64::from(only[n]) / heard.only_gain + f64::from(left[n]) / heard.left_gain;
            assert!((sum - f64::from(*value)).abs() < 1e-5);
        }
    }
}
