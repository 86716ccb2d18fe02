//! What methods know of a text: its words, which are hidden and judged as wholes, and what may stand in their place.

use super::{Baseline, Segmentation};
use crate::{
    HostTensor, Model, Result,
    input::{
        layout::Places,
        parts::{Joined, Part},
        text::{AskedToken, Reading, Tokens},
    },
    segment::Segments,
};

/// A text that is explained.
#[derive(Debug)]
pub(crate) struct Written {
    /// Its tokens and words.
    pub reading: Reading,
    /// The token whose class is asked about, where the network gives each its own.
    pub asked: Option<AskedToken>,
    /// The input with the padding token in place of every word.
    padding: Option<HostTensor>,
    /// The same with the token that hides a word.
    mask: Option<HostTensor>,
    /// The same with the mean of the table's rows, where it was asked for and is known.
    mean: Option<HostTensor>,
}

impl Written {
    /// Looks up what may stand in place of the words of a text that is in the inputs of `model`; `source` is what its own tokens
    /// are looked up as.
    ///
    /// # Errors
    /// Those of the network.
    pub async fn new(model: &Model, tokens: Tokens, source: &HostTensor, wants_mean: bool) -> Result<Self> {
        let width = source.data.len() / tokens.len().max(1);
        let with = |row: &dyn Fn(usize) -> Option<Vec<f32>>| -> HostTensor {
            let mut hidden = source.clone();
            for at in (0..tokens.len()).filter(|&at| tokens.is_of_a_word(at)) {
                if let Some(row) = row(at).filter(|row| row.len() == width) {
                    hidden.data[at * width..(at + 1) * width].copy_from_slice(&row);
                }
            }
            hidden
        };
        let (mut padding, mut mask, mut mean) = (None, None, None);
        for (id, place) in [(tokens.padding, &mut padding), (tokens.mask, &mut mask)] {
            // A token that the network does not have hides nothing.
            let rows = model.tokens().and_then(|info| info.rows);
            if let Some(id) = id.filter(|&id| id >= 0 && rows.is_none_or(|rows| id < rows as i64)) {
                let found = model.looked_up(tokens.hidden_by(id).ids).await?;
                *place = Some(with(&|at| found.data.get(at * width..(at + 1) * width).map(<[f32]>::to_vec)));
            }
        }
        if wants_mean && let Some(row) = model.mean_embedding().await? {
            mean = Some(with(&|_| Some(row.clone())));
        }
        Ok(Self { reading: Reading::new(tokens), asked: None, padding, mask, mean })
    }

    /// What stands in place of every word by this choice; nothing where the tokenizer or the network has no such thing.
    pub fn cover(&self, baseline: Baseline) -> Option<&HostTensor> {
        match baseline {
            Baseline::PadToken => self.padding.as_ref(),
            Baseline::MaskToken => self.mask.as_ref(),
            Baseline::Mean | Baseline::TrainingMean => self.mean.as_ref(),
            _ => None,
        }
    }

    /// The words as segments, and one more of all that is no word. More than `most` are joined to groups of neighbours.
    pub fn segments(&self, most: usize) -> Segments {
        let words = self.reading.words;
        let groups = words.min(most.saturating_sub(1).max(1));
        let label = |&label: &u32| match (label as usize, words) {
            (label, words) if label < words => label * groups / words,
            _ => groups,
        };
        Segments::new(&self.reading.labels.iter().map(label).collect::<Vec<_>>())
    }

    /// Whether a segment of [`Written::segments`] is of words.
    pub fn is_of_words(&self, segments: &Segments, segment: u32) -> bool {
        segments
            .labels
            .iter()
            .zip(&self.reading.labels)
            .any(|(&label, &word)| label == segment && (word as usize) < self.reading.words)
    }

    /// What each word counted for, and what is no word.
    pub fn parts(
        &self,
        map: &HostTensor,
        places: &Places,
        segments: Option<&Segmentation>,
        joined: Joined,
    ) -> Vec<Part> {
        scored(self.reading.parts.clone(), map, places, segments, joined)
    }
}

/// Parts with what each counted for: what its places did, joined.
pub(super) fn scored(
    mut parts: Vec<Part>,
    map: &HostTensor,
    places: &Places,
    segments: Option<&Segmentation>,
    joined: Joined,
) -> Vec<Part> {
    // One value a place is that of the place's segment, painted on each of its places: where the segments are not at hand, the
    // mean of a part's places is the part's.
    let joined = match (segments, map.data.len() == places.count()) {
        (None, true) if places.channels > 1 => Joined::Mean,
        _ => joined,
    };
    let values = place_values(map, places, segments, joined);
    for part in &mut parts {
        part.score = joined.join(part.places.iter().filter_map(|&at| values.get(at).copied()));
    }
    parts
}

/// One value of a map for each place, so that those of a part can be joined.
pub(super) fn place_values(
    map: &HostTensor,
    places: &Places,
    segments: Option<&Segmentation>,
    joined: Joined,
) -> Vec<f32> {
    let count = places.count();
    if map.data.len() != count {
        let planes = places.planes(&map.data);
        let channels = planes.len() / count.max(1);
        return (0..count)
            .map(|at| joined.join((0..channels).map(|channel| planes[channel * count + at])))
            .collect();
    }
    match segments.filter(|_| joined == Joined::Sum) {
        // A segment's value stands on each of its places, and is there once.
        Some(cut) => {
            let mut sizes = vec![0.0f32; cut.values.len()];
            cut.labels.iter().for_each(|&label| sizes[label as usize] += 1.0);
            let shares = map.data.iter().zip(&cut.labels);
            shares.map(|(value, &label)| value / sizes[label as usize].max(1.0)).collect()
        }
        None => map.data.clone(),
    }
}
