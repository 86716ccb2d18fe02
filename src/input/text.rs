//! A text as a network takes it: tokens that were made elsewhere (the package `text`), cut and filled up to the network's length,
//! and the words that they are pieces of.

use serde::{Deserialize, Serialize};

use super::parts::Part;
use crate::{Error, Result};

/// A token, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    /// What the tokenizer calls it.
    pub piece: String,
    /// Which of the texts it is of.
    pub text: usize,
    /// Its range in that text, in bytes of UTF-8; empty for what the tokenizer has added.
    pub bytes: [usize; 2],
    /// The same in units of UTF-16, as JavaScript counts.
    pub units: [usize; 2],
    /// The word of that text that it is a piece of, counted from 0.
    pub word: Option<usize>,
    /// Whether the tokenizer has added it, as it does `[CLS]`.
    pub special: bool,
}

/// The token that is asked about, of a network that gives each a class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Asked {
    /// Its number, from 0, with what the tokenizer adds.
    Number(usize),
    /// The word that it is the first piece of.
    Word(String),
}

impl std::str::FromStr for Asked {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        Ok(text.parse().map_or_else(|_| Self::Word(text.to_owned()), Self::Number))
    }
}

/// A token that was asked about, by the names that a person knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct AskedToken {
    /// Its number, from 0, with what the tokenizer adds.
    pub number: usize,
    /// The word that it is a piece of, or what the tokenizer calls it where it is none.
    pub name: String,
    /// Whether it is none of the person's words.
    pub special: bool,
}

/// A text, or a pair of texts, as the numbers that a network takes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tokens {
    /// What was tokenised, as it was given.
    pub texts: Vec<String>,
    /// The number of each token.
    pub ids: Vec<i64>,
    /// The number of the text that each token is of, as the tokenizer has it.
    pub type_ids: Vec<i64>,
    /// 1 for what is to be looked at.
    pub attention_mask: Vec<i64>,
    /// Where each token stands.
    pub tokens: Vec<Token>,
    /// The number of the token that fills up.
    pub padding: Option<i64>,
    /// The number of the token that hides a word.
    pub mask: Option<i64>,
    /// The number of the token that stands for unknown words.
    pub unknown: Option<i64>,
    /// The most tokens that the tokenizer's file lets through.
    pub longest: Option<usize>,
    /// What was guessed or lost, in sentences.
    pub notes: Vec<String>,
    /// The token that is asked about, where the network gives each a class.
    #[serde(default)]
    pub token: Option<Asked>,
}

#[cfg(feature = "cli")]
impl From<adversight_text::Tokens> for Tokens {
    fn from(tokens: adversight_text::Tokens) -> Self {
        let token = |token: adversight_text::Token| {
            let adversight_text::Token { piece, text, bytes, units, word, special } = token;
            Token { piece, text, bytes, units, word, special }
        };
        Self {
            texts: tokens.texts,
            ids: tokens.ids,
            type_ids: tokens.type_ids,
            attention_mask: tokens.attention_mask,
            tokens: tokens.tokens.into_iter().map(token).collect(),
            padding: tokens.padding,
            mask: tokens.mask,
            unknown: tokens.unknown,
            longest: tokens.longest,
            notes: tokens.notes,
            token: None,
        }
    }
}

impl Tokens {
    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no token at all.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Checks that the lists are as long as each other and that there is a word among them.
    ///
    /// # Errors
    /// [`Error::InputInvalid`].
    pub(crate) fn check(&self) -> Result<()> {
        let count = self.len();
        let whole = [self.type_ids.len(), self.attention_mask.len(), self.tokens.len()];
        if whole.iter().any(|&other| other != count) {
            return Err(Error::InputInvalid(format!(
                "The tokens are {count} by their numbers, but {whole:?} by their types, their mask and their places."
            )));
        }
        if self.tokens.iter().all(|token| token.special) {
            return Err(Error::InputInvalid(
                "The text is empty: there is nothing to read. Write a word or a sentence.".into(),
            ));
        }
        if let Some(token) = self.tokens.iter().find(|token| !token.special && token.text >= self.texts.len())
        {
            return Err(Error::InputInvalid(format!(
                "The token \"{}\" is of text {}, and {} are given.",
                token.piece,
                token.text,
                self.texts.len()
            )));
        }
        Ok(())
    }

    /// Leaves out what is more than `longest` tokens: the last ones of the longer text, what the tokenizer has added left aside.
    /// Says so in a note.
    #[must_use]
    pub(crate) fn cut_to(mut self, longest: usize, option: &str) -> Self {
        let count = self.len();
        if count <= longest {
            return self;
        }
        let mut sizes = vec![0usize; self.texts.len().max(1)];
        for token in self.tokens.iter().filter(|token| !token.special) {
            if let Some(size) = sizes.get_mut(token.text) {
                *size += 1;
            }
        }
        let mut surplus = count - longest;
        while surplus > 0 {
            // Of equally long texts the second goes first, as tokenizers have it.
            let Some(longer) = (0..sizes.len()).rev().max_by_key(|&text| sizes[text]) else { break };
            if sizes[longer] <= 1 {
                break;
            }
            sizes[longer] -= 1;
            surplus -= 1;
        }
        let mut seen = vec![0usize; sizes.len()];
        let keeps: Vec<bool> = self
            .tokens
            .iter()
            .map(|token| {
                token.special
                    || seen.get_mut(token.text).is_some_and(|seen| {
                        *seen += 1;
                        *seen <= sizes[token.text]
                    })
            })
            .collect();
        let kept = |numbers: &[i64]| -> Vec<i64> {
            numbers.iter().zip(&keeps).filter(|(_, keeps)| **keeps).map(|(number, _)| *number).collect()
        };
        (self.ids, self.type_ids, self.attention_mask) =
            (kept(&self.ids), kept(&self.type_ids), kept(&self.attention_mask));
        let mut flags = keeps.iter();
        self.tokens.retain(|_| flags.next().copied().unwrap_or(true));
        self.notes.push(format!(
            "The text has {count} tokens, and the network is given the first {}{option}; what comes after counts for nothing.",
            self.len()
        ));
        self
    }

    /// Fills up to `length` tokens.
    ///
    /// # Errors
    /// [`Error::InputInvalid`] where no token fills up.
    pub(crate) fn filled_to(mut self, length: usize) -> Result<Self> {
        let count = self.len();
        if count >= length {
            return Ok(self);
        }
        let padding = self.padding.ok_or_else(|| {
            Error::InputInvalid(format!(
                "The network takes {length} tokens at once and the text has {count}, but the tokenizer names no token that fills up; \
                 name one of its own (`padding`)."
            ))
        })?;
        let filled = Token {
            piece: "padding".into(),
            text: 0,
            bytes: [0, 0],
            units: [0, 0],
            word: None,
            special: true,
        };
        self.ids.resize(length, padding);
        self.type_ids.resize(length, 0);
        self.attention_mask.resize(length, 0);
        self.tokens.resize(length, filled);
        Ok(self)
    }

    /// Whether a token is a piece of what the person wrote.
    pub(crate) fn is_of_a_word(&self, at: usize) -> bool {
        self.tokens.get(at).is_some_and(|token| !token.special)
    }

    /// The same tokens with another in place of all that the person wrote.
    pub(crate) fn hidden_by(&self, id: i64) -> Self {
        let mut hidden = self.clone();
        for at in 0..hidden.len() {
            if self.is_of_a_word(at) {
                hidden.ids[at] = id;
            }
        }
        hidden
    }
}

/// Tokens with the words that they are pieces of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reading {
    /// As the network takes them.
    pub tokens: Tokens,
    /// The number of each token's word; all that is no word has the number after the last.
    pub labels: Vec<u32>,
    /// The words in their order, and then what is none; the scores are 0.
    pub parts: Vec<Part>,
    /// How many words there are.
    pub words: usize,
}

impl Reading {
    /// Joins the pieces of each word.
    pub fn new(tokens: Tokens) -> Self {
        let mut parts: Vec<Part> = Vec::new();
        let mut labels = vec![u32::MAX; tokens.len()];
        let mut known: std::collections::HashMap<(usize, usize), usize> = std::collections::HashMap::new();
        for (at, token) in tokens.tokens.iter().enumerate().filter(|(_, token)| !token.special) {
            // A token of no word is one by itself, under a number that no word has.
            let key = (token.text, token.word.unwrap_or(usize::MAX - at));
            let part = *known.entry(key).or_insert_with(|| {
                parts.push(Part {
                    name: String::new(),
                    value: None,
                    source: token.text,
                    start: token.units[0] as f64,
                    end: token.units[1] as f64,
                    bytes: Some(token.bytes),
                    low: None,
                    high: None,
                    score: 0.0,
                    special: false,
                    places: Vec::new(),
                });
                parts.len() - 1
            });
            labels[at] = part as u32;
            let part = &mut parts[part];
            part.places.push(at);
            part.start = part.start.min(token.units[0] as f64);
            part.end = part.end.max(token.units[1] as f64);
            if let Some(bytes) = &mut part.bytes {
                *bytes = [bytes[0].min(token.bytes[0]), bytes[1].max(token.bytes[1])];
            }
        }
        for part in &mut parts {
            trim(part, &tokens);
        }
        let words = parts.len();
        labels.iter_mut().filter(|label| **label == u32::MAX).for_each(|label| *label = words as u32);
        for (at, token) in tokens.tokens.iter().enumerate().filter(|(_, token)| token.special) {
            let filled = tokens.padding == Some(tokens.ids[at]);
            if let Some(last) = parts[words..].iter_mut().rfind(|part| filled && part.name == token.piece) {
                last.places.push(at);
                continue;
            }
            parts.push(Part {
                name: token.piece.clone(),
                value: None,
                source: token.text,
                start: token.units[0] as f64,
                end: token.units[1] as f64,
                bytes: Some(token.bytes),
                low: None,
                high: None,
                score: 0.0,
                special: true,
                places: vec![at],
            });
        }
        Self { tokens, labels, parts, words }
    }
}

impl Reading {
    /// The token that is asked about; where a word stands several times, the first, which is noted.
    ///
    /// # Errors
    /// [`Error::InputInvalid`] for what is not there.
    pub fn asked(&mut self) -> Result<Option<AskedToken>> {
        let Some(token) = self.tokens.token.clone() else { return Ok(None) };
        let place = match token {
            Asked::Number(number) if number < self.tokens.len() => number,
            Asked::Number(number) => {
                return Err(Error::InputInvalid(format!(
                    "The text has the tokens 0 to {}, and {number} is asked about (`token`).",
                    self.tokens.len().saturating_sub(1)
                )));
            }
            Asked::Word(word) => self.find(word.trim())?,
        };
        let part = self.parts.iter().find(|part| part.places.contains(&place));
        Ok(Some(AskedToken {
            number: place,
            name: part.map(|part| part.name.clone()).unwrap_or_default(),
            special: part.is_none_or(|part| part.special),
        }))
    }

    /// The first token of a word: as it is written, else whatever its capitals.
    fn find(&mut self, word: &str) -> Result<usize> {
        let alike = |same: &dyn Fn(&str) -> bool| -> Vec<usize> {
            let parts = self.parts.iter().filter(|part| same(&part.name));
            parts.filter_map(|part| part.places.first().copied()).collect()
        };
        let mut found = alike(&|name| name == word);
        if found.is_empty() {
            found = alike(&|name| name.to_lowercase() == word.to_lowercase());
        }
        match found.as_slice() {
            [] => {
                let names: Vec<&str> = self.parts.iter().map(|part| part.name.as_str()).take(40).collect();
                Err(Error::InputInvalid(format!(
                    "There is no word \u{201c}{word}\u{201d} to be asked about (`token`); the text has {}.",
                    names.join(" ")
                )))
            }
            [first] => Ok(*first),
            [first, others @ ..] => {
                let others: Vec<String> = others.iter().map(usize::to_string).collect();
                self.tokens.notes.push(format!(
                    "\u{201c}{word}\u{201d} stands {} times in the text, and the first is asked about, token {first}; the others are the tokens {}                      (`token`).",
                    others.len() + 1,
                    others.join(", ")
                ));
                Ok(*first)
            }
        }
    }
}

/// Takes the spaces off a word's ends, and gives it its name.
fn trim(part: &mut Part, tokens: &Tokens) {
    let (Some([start, end]), Some(text)) = (part.bytes, tokens.texts.get(part.source)) else { return };
    let written = text.get(start..end).unwrap_or_default();
    let kept = written.trim();
    if written.is_empty() {
        part.name = part.places.iter().map(|&at| tokens.tokens[at].piece.as_str()).collect();
        return;
    }
    if kept.is_empty() {
        // Spaces have names that can be seen.
        let seen = |character: char| match character {
            '\n' => '\u{23ce}',
            '\t' => '\u{21e5}',
            _ => '\u{2423}',
        };
        part.name = written.chars().map(seen).collect();
        return;
    }
    let before = written.len() - written.trim_start().len();
    let units = |text: &str| text.encode_utf16().count() as f64;
    part.start += units(&written[..before]);
    part.end = part.start + units(kept);
    part.bytes = Some([start + before, start + before + kept.len()]);
    kept.clone_into(&mut part.name);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `[CLS] un ##funny film [SEP]`
    fn tokens() -> Tokens {
        let token = |piece: &str, bytes: [usize; 2], word: Option<usize>| Token {
            piece: piece.into(),
            text: 0,
            bytes,
            units: bytes,
            word,
            special: word.is_none(),
        };
        Tokens {
            texts: vec!["unfunny film".into()],
            ids: vec![2, 8, 9, 5, 3],
            type_ids: vec![0; 5],
            attention_mask: vec![1; 5],
            tokens: vec![
                token("[CLS]", [0, 0], None),
                token("un", [0, 2], Some(0)),
                token("##funny", [2, 7], Some(0)),
                token("film", [7, 12], Some(1)),
                token("[SEP]", [0, 0], None),
            ],
            padding: Some(0),
            mask: Some(4),
            ..Tokens::default()
        }
    }

    #[test]
    fn pieces_are_joined_and_spaces_left_out() {
        let reading = Reading::new(tokens().filled_to(7).unwrap());
        assert_eq!(reading.labels, [2, 0, 0, 1, 2, 2, 2]);
        let names: Vec<&str> = reading.parts.iter().map(|part| part.name.as_str()).collect();
        assert_eq!(names, ["unfunny", "film", "[CLS]", "[SEP]", "padding"]);
        assert_eq!(reading.words, 2);
        assert_eq!((reading.parts[1].start, reading.parts[1].end), (8.0, 12.0));
        assert_eq!(reading.parts[1].bytes, Some([8, 12]));
        assert_eq!(reading.parts[4].places, [5, 6]);
    }

    #[test]
    fn what_is_too_long_is_cut_before_its_end_and_told() {
        let cut = tokens().cut_to(4, "");
        assert_eq!(cut.ids, [2, 8, 9, 3]);
        assert!(cut.notes[0].starts_with("The text has 5 tokens"), "{:?}", cut.notes);
        assert_eq!(tokens().cut_to(5, ""), tokens());
        assert_eq!(tokens().hidden_by(4).ids, [2, 4, 4, 4, 3]);
    }

    #[test]
    fn what_fills_up_has_to_be_known() {
        let nameless = Tokens { padding: None, ..tokens() };
        let error = nameless.filled_to(9).unwrap_err().to_string();
        assert!(error.contains("takes 9 tokens at once and the text has 5"), "{error}");
        assert!(Tokens::default().check().is_err());
    }
}
