//! What detectors end with.

use super::{Described, Kind, Node, Operator, host_ints};
use crate::model::element::Element;

/// `NonMaxSuppression`: boxes by falling score, without those that overlap a better one too much. Computed on the
/// host; the result names boxes and has no gradient.
pub(super) fn non_max_suppression(node: &Node) -> Described {
    let centred = node.flag("center_point_box", false)?;
    Ok(Operator::new(Kind::Stop, move |inputs| {
        let (boxes, scores) = (inputs.floats(0)?, inputs.floats(1)?);
        let (box_dims, score_dims) = (inputs.raw(0)?.dims(), inputs.raw(1)?.dims());
        let (&[batches, count, 4], &[score_batches, classes, score_count]) = (&box_dims[..], &score_dims[..])
        else {
            return Err(format!("its boxes {box_dims:?} or scores {score_dims:?} have the wrong shape"));
        };
        if batches != score_batches || count != score_count {
            return Err(format!("its boxes {box_dims:?} do not fit its scores {score_dims:?}"));
        }
        let most = if inputs.has(2) { inputs.ints(2)?.first().copied().unwrap_or(0) } else { 0 };
        let overlap = if inputs.has(3) { inputs.scalar(3)? } else { 0.0 };
        let least = if inputs.has(4) { Some(inputs.scalar(4)?) } else { None };
        let corners = |batch: usize, at: usize| -> [f32; 4] {
            let start = (batch * count + at) * 4;
            let [a, b, c, d] = std::array::from_fn(|i| boxes[start + i]);
            match centred {
                true => [a - c / 2.0, b - d / 2.0, a + c / 2.0, b + d / 2.0],
                // Any two opposite corners, y first; the order does not matter for the overlap.
                false => [a.min(c), b.min(d), a.max(c), b.max(d)],
            }
        };
        let area = |[x1, y1, x2, y2]: [f32; 4]| (x2 - x1).max(0.0) * (y2 - y1).max(0.0);
        let shared = |a: [f32; 4], b: [f32; 4]| {
            let both = area([a[0].max(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].min(b[3])]);
            let either = area(a) + area(b) - both;
            if either > 0.0 { both / either } else { 0.0 }
        };
        let mut chosen = Vec::new();
        for batch in 0..batches {
            for class in 0..classes {
                let score = |at: usize| scores[(batch * classes + class) * count + at];
                let mut order: Vec<usize> =
                    (0..count).filter(|&at| least.is_none_or(|least| score(at) > least)).collect();
                order.sort_by(|&a, &b| score(b).total_cmp(&score(a)).then(a.cmp(&b)));
                let mut kept: Vec<usize> = Vec::new();
                for at in order {
                    if kept.len() as i64 >= most {
                        break;
                    }
                    if kept.iter().all(|&other| shared(corners(batch, at), corners(batch, other)) <= overlap)
                    {
                        kept.push(at);
                    }
                }
                chosen.extend(kept.into_iter().flat_map(|at| [batch as i64, class as i64, at as i64]));
            }
        }
        let rows = chosen.len() / 3;
        host_ints(chosen, &[rows, 3]).map(|value| vec![value])
    })
    .gives(Some(Element::I64)))
}
