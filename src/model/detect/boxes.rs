//! Boxes on the host: how much two of them overlap, and which of many that overlap are kept.

use serde::{Deserialize, Serialize};

/// A rectangle: left, top, right and bottom edge in pixels.
pub type Edges = [f32; 4];

/// The area that two boxes share, as a part of the area that they cover together; 0 where they do not meet.
pub fn overlap(a: Edges, b: Edges) -> f32 {
    let area = |[left, top, right, bottom]: Edges| (right - left).max(0.0) * (bottom - top).max(0.0);
    let shared = area([a[0].max(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].min(b[3])]);
    let all = area(a) + area(b) - shared;
    if all > 0.0 { shared / all } else { 0.0 }
}

/// A box before it has a name.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its edges.
    pub edges: Edges,
    /// Its class.
    pub class: usize,
    /// Its score, 0 to 1.
    pub score: f32,
    /// The row of the detector's output that it comes from.
    pub row: usize,
}

/// Non-maximum suppression, class by class: boxes by falling score, without those that overlap a better one of their class by more than
/// `most`. At equal scores the earlier row comes first, as torchvision's `batched_nms` has it.
pub fn suppressed(mut boxes: Vec<Candidate>, most: f32) -> Vec<Candidate> {
    boxes.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.row.cmp(&b.row)));
    let mut kept: Vec<Candidate> = Vec::new();
    for one in boxes {
        let hidden =
            |better: &Candidate| better.class == one.class && overlap(better.edges, one.edges) > most;
        if !kept.iter().any(hidden) {
            kept.push(one);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlap_is_the_shared_part_of_the_whole() {
        assert_eq!(overlap([0.0, 0.0, 2.0, 2.0], [1.0, 0.0, 3.0, 2.0]), 1.0 / 3.0);
        assert_eq!(overlap([0.0, 0.0, 1.0, 1.0], [1.0, 1.0, 2.0, 2.0]), 0.0);
        assert_eq!(overlap([5.0, 5.0, 5.0, 5.0], [5.0, 5.0, 5.0, 5.0]), 0.0);
    }
}
