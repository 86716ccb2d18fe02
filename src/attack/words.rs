//! What an attack on a text has done, told in words. It moves the numbers that tokens are looked up as, and no text has numbers between
//! those of the table: so the nearest rows of the table are named, and the network is asked again with them as real tokens.

use serde::Serialize;

use crate::{ClassScore, Error, Explainer, HostTensor, Input, Result, input::text::Tokens};

/// A token of a word whose numbers an attack has moved.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MovedToken {
    /// Its place among the tokens, from 0.
    pub place: usize,
    /// What the tokenizer calls it.
    pub piece: String,
    /// Its number in the table.
    pub id: i64,
    /// How far its row has moved: Euclid's distance.
    pub moved: f32,
    /// The length of its own row.
    pub length: f32,
    /// The number of the row that is nearest to the moved one, by Euclid's distance: often still its own.
    pub nearest: i64,
    /// The same among all others.
    pub other: i64,
    /// How far that other row is from the moved one.
    pub other_distance: f32,
}

/// A text of real tokens in place of the moved ones, and what the network says of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reread {
    /// The numbers of the tokens.
    pub ids: Vec<i64>,
    /// The most probable classes.
    pub top: Vec<ClassScore>,
    /// Whether the first of them is another than before the attack.
    pub turns: bool,
}

/// An attack on a text.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AttackedText {
    /// The tokens of words that were moved, the furthest first.
    pub tokens: Vec<MovedToken>,
    /// How many tokens that the tokenizer has added were moved, too.
    pub special: usize,
    /// The text of the nearest tokens; nothing where these are its own.
    pub nearest: Option<Reread>,
    /// The text with the nearest other token in each moved one's place.
    pub others: Option<Reread>,
}

/// What the attack on the text of `explainer` has moved; nothing where there is no text, or its table is not known row by row. `class` is
/// the network's answer before it.
pub(super) async fn told(
    explainer: &Explainer,
    before: &HostTensor,
    after: &HostTensor,
    class: usize,
    top: usize,
) -> Result<Option<AttackedText>> {
    let Some(written) = explainer.written() else { return Ok(None) };
    let tokens = &written.reading.tokens;
    let width = before.data.len() / tokens.len().max(1);
    let row = |tensor: &HostTensor, place: usize| tensor.data[place * width..(place + 1) * width].to_vec();
    let moves = |&place: &usize| row(before, place) != row(after, place);
    let places: Vec<usize> =
        (0..tokens.len()).filter(|&place| tokens.is_of_a_word(place)).filter(moves).collect();
    let special = (0..tokens.len()).filter(|&place| !tokens.is_of_a_word(place)).filter(moves).count();
    // What fills up, hides and stands for unknown words is no word, and what the tokenizer adds is none either.
    let mut barred: Vec<i64> = [tokens.padding, tokens.mask, tokens.unknown].into_iter().flatten().collect();
    barred.extend(
        (0..tokens.len()).filter(|&place| !tokens.is_of_a_word(place)).map(|place| tokens.ids[place]),
    );
    let points: Vec<Vec<f32>> = places.iter().map(|&place| row(after, place)).collect();
    let own: Vec<i64> = places.iter().map(|&place| tokens.ids[place]).collect();
    let Some(found) = explainer.model().nearest_rows(&points, &own, &barred).await? else { return Ok(None) };
    let length = |values: &mut dyn Iterator<Item = f32>| {
        values.map(|v| f64::from(v).powi(2)).sum::<f64>().sqrt() as f32
    };
    let mut moved: Vec<MovedToken> = Vec::new();
    for ((&place, point), (own, other)) in places.iter().zip(&points).zip(found) {
        let was = row(before, place);
        moved.push(MovedToken {
            place,
            piece: tokens.tokens[place].piece.clone(),
            id: tokens.ids[place],
            moved: length(&mut was.iter().zip(point).map(|(a, b)| b - a)),
            length: length(&mut was.iter().copied()),
            nearest: if own <= other.1 { tokens.ids[place] } else { other.0 },
            other: other.0,
            other_distance: other.1,
        });
    }
    let with = |id: fn(&MovedToken) -> i64| -> Vec<i64> {
        let mut ids = tokens.ids.clone();
        moved.iter().for_each(|token| ids[token.place] = id(token));
        ids
    };
    let (nearest, others) = (with(|token| token.nearest), with(|token| token.other));
    let nearest = match nearest == tokens.ids {
        true => None,
        false => Some(reread(explainer, tokens, nearest, class, top).await?),
    };
    let others = match moved.is_empty() {
        true => None,
        false => Some(reread(explainer, tokens, others, class, top).await?),
    };
    moved.sort_by(|a, b| b.moved.total_cmp(&a.moved));
    Ok(Some(AttackedText { tokens: moved, special, nearest, others }))
}

/// What the network says of other tokens in a text's place.
async fn reread(
    explainer: &Explainer,
    tokens: &Tokens,
    ids: Vec<i64>,
    class: usize,
    top: usize,
) -> Result<Reread> {
    let text = Tokens { ids: ids.clone(), ..tokens.clone() };
    let found = explainer.classify(&Input::Tokens(&text), top.max(1)).await?.top;
    let first = found.first().ok_or_else(|| Error::Internal("no class was found".into()))?.index;
    Ok(Reread { ids, turns: first != class, top: found })
}

impl AttackedText {
    /// What happened, in sentences; `name` is what the tokenizer calls a number.
    pub fn words(&self, name: &dyn Fn(i64) -> Option<String>) -> Vec<String> {
        let named =
            |id: i64| name(id).map_or_else(|| format!("row {id}"), |name| format!("\u{201c}{name}\u{201d}"));
        let Some(first) = self.tokens.first() else {
            return vec!["The attack has moved no word of the text.".into()];
        };
        let share = |token: &MovedToken| 100.0 * token.moved / token.length.max(f32::MIN_POSITIVE);
        let added = match self.special {
            0 => String::new(),
            count => format!(", and {count} that the tokenizer has added"),
        };
        let mut words = vec![format!(
            "The attack has moved the numbers that {} tokens are looked up as{added}; these numbers stand for no word, and no text has them. \
             \u{201c}{}\u{201d} has moved furthest, by {:.3}, {:.0} % of its row\u{2019}s length.",
            self.tokens.len(),
            first.piece,
            first.moved,
            share(first)
        )];
        let changed: Vec<String> = self
            .tokens
            .iter()
            .filter(|token| token.nearest != token.id)
            .map(|token| format!("\u{201c}{}\u{201d} to {}", token.piece, named(token.nearest)))
            .collect();
        let says = |reread: &Reread| {
            let first = reread.top.first();
            let answer = first.map_or_else(String::new, |class| {
                format!(
                    "the network says \u{201c}{}\u{201d} ({:.0} %)",
                    class.label,
                    100.0 * class.probability
                )
            });
            let turns = if reread.turns {
                "these words turn the answer, too"
            } else {
                "these words do not turn the answer"
            };
            format!("{answer}: {turns}")
        };
        match &self.nearest {
            Some(reread) => words.push(format!(
                "By the nearest rows of the table, {}. Read so, {}.",
                changed.join(", "),
                says(reread)
            )),
            None => words.push(
                "The nearest row of the table is still every token\u{2019}s own: read as words it is the same text, whose answer does not turn."
                    .into(),
            ),
        }
        if let (Some(reread), None) = (&self.others, &self.nearest) {
            let others: Vec<String> = self
                .tokens
                .iter()
                .take(8)
                .map(|token| format!("{} for \u{201c}{}\u{201d}", named(token.other), token.piece))
                .collect();
            let more = if self.tokens.len() > others.len() { " and so on" } else { "" };
            words.push(format!(
                "With the nearest other token in each place ({}{more}), {}.",
                others.join(", "),
                says(reread)
            ));
        }
        words
    }
}
