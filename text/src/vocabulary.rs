//! A plain vocabulary: one word a line, whose number is the line's.

use std::collections::HashMap;

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::{
    Error, Options, Result, Token, Tokens,
    hugging_face::{no_capitals, usual},
    offsets::Units,
};

/// How text is cut into the words that are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Runs of letters and digits, with the apostrophes within them, and each other mark by itself: `\w+(?:'\w+)*|[^\w\s]`.
    #[default]
    Words,
    /// Runs of letters, digits and underscores, and each other mark by itself: `\w+|[^\w\s]`.
    Marks,
    /// Whatever stands between spaces.
    Whitespace,
    /// Every character but spaces.
    Characters,
}

impl Split {
    /// What a word is.
    fn expression(self) -> Result<Regex> {
        let expression = match self {
            // The raised figures and fractions of Latin-1 are letters to Oniguruma, and not to this package.
            Self::Words => r"[\w²³¹¼½¾]+(?:'[\w²³¹¼½¾]+)*|[^\w²³¹¼½¾\s]",
            Self::Marks => r"[\w²³¹¼½¾]+|[^\w²³¹¼½¾\s]",
            Self::Whitespace => r"\S+",
            Self::Characters => r"\S",
        };
        Regex::new(expression).map_err(|error| Error::Invalid(error.to_string()))
    }

    fn words(self) -> &'static str {
        match self {
            Self::Words => {
                "letters, digits and the apostrophes within words together, each other mark by itself"
            }
            Self::Marks => "letters and digits together, each other mark by itself",
            Self::Whitespace => "at spaces",
            Self::Characters => "into characters",
        }
    }
}

/// Words by their numbers.
pub struct Vocabulary {
    numbers: HashMap<String, i64>,
    lowercase: bool,
    expression: Regex,
    unknown: Option<i64>,
    padding: Option<i64>,
    mask: Option<i64>,
    notes: Vec<String>,
}

impl Vocabulary {
    /// Reads one word a line; of a line with a tab, what stands before it.
    ///
    /// # Errors
    /// [`Error::Invalid`], [`Error::NoSuchToken`].
    pub fn read(text: &str, options: &Options) -> Result<Self> {
        let mut numbers = HashMap::new();
        for (number, line) in text.lines().enumerate() {
            let word = line.trim_end_matches('\r').split('\t').next().unwrap_or_default();
            // The first of two equal lines counts.
            numbers.entry(word.to_owned()).or_insert(number as i64);
        }
        if !numbers.keys().any(|word| !word.is_empty()) {
            return Err(Error::Invalid("the file holds no word; a vocabulary has one a line".into()));
        }
        let mut notes = Vec::new();
        let lowercase = options.lowercase.unwrap_or_else(|| no_capitals(numbers.keys().map(String::as_str)));
        let split = options.split.unwrap_or_default();
        if options.lowercase.is_none() || options.split.is_none() {
            let case = if lowercase { "in lower case" } else { "as it is written" };
            notes.push(format!(
                "Nothing in a plain vocabulary says how text is cut: it is cut {}, and looked up {case}; the options `split` and \
                 `lowercase` say otherwise.",
                split.words()
            ));
        }
        let named = |given: &Option<String>, option: &'static str, role| match given {
            Some(name) => match numbers.get(name) {
                Some(&number) => Ok(Some(number)),
                None => Err(Error::NoSuchToken { name: name.clone(), role, option }),
            },
            None => {
                let name = usual(option, |name| numbers.contains_key(name));
                Ok(name.and_then(|name| numbers.get(name).copied()))
            }
        };
        Ok(Self {
            unknown: named(&options.unknown, "unknown", "unknown words")?,
            padding: named(&options.padding, "padding", "filling up")?,
            mask: named(&options.mask, "mask", "hiding a word")?,
            numbers,
            lowercase,
            expression: split.expression()?,
            notes,
        })
    }

    /// What a number stands for.
    pub fn piece(&self, id: i64) -> Option<String> {
        self.numbers.iter().find(|&(_, &number)| number == id).map(|(word, _)| word.clone())
    }

    /// A text's words by their numbers.
    ///
    /// # Errors
    /// [`Error::UnknownWord`].
    pub fn encode(&self, text: &str) -> Result<Tokens> {
        let units = Units::of(text);
        let (mut ids, mut tokens, mut strangers) = (Vec::new(), Vec::new(), Vec::new());
        for (word, found) in self.expression.find_iter(text).enumerate() {
            let (written, bytes) = (found.as_str(), [found.start(), found.end()]);
            let looked_up = if self.lowercase { written.to_lowercase() } else { written.to_owned() };
            let id = match (self.numbers.get(&looked_up), self.unknown) {
                (Some(&id), _) => id,
                (None, Some(unknown)) => {
                    strangers.push(written);
                    unknown
                }
                (None, None) => return Err(Error::UnknownWord { word: written.to_owned() }),
            };
            ids.push(id);
            let units = units.range(bytes);
            tokens.push(Token { piece: looked_up, text: 0, bytes, units, word: Some(word), special: false });
        }
        let mut notes = self.notes.clone();
        if !strangers.is_empty() {
            let named: Vec<String> =
                strangers.iter().take(5).map(|word| format!("\u{201c}{word}\u{201d}")).collect();
            let more = if strangers.len() > 5 { " and others" } else { "" };
            notes.push(format!(
                "The vocabulary does not have {}{more}: the token for unknown words stands there.",
                named.join(", ")
            ));
        }
        Ok(Tokens {
            texts: vec![text.to_owned()],
            type_ids: vec![0; ids.len()],
            attention_mask: vec![1; ids.len()],
            ids,
            tokens,
            padding: self.padding,
            mask: self.mask,
            unknown: self.unknown,
            longest: None,
            notes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(split: Split, text: &str) -> Vec<&str> {
        split.expression().unwrap().find_iter(text).map(|found| found.as_str()).collect()
    }

    #[test]
    fn text_is_cut_as_the_expressions_do() {
        let text = "it's a long, un-funny one …";
        assert_eq!(cut(Split::Words, text), ["it's", "a", "long", ",", "un", "-", "funny", "one", "…"]);
        assert_eq!(
            cut(Split::Marks, text),
            ["it", "'", "s", "a", "long", ",", "un", "-", "funny", "one", "…"]
        );
        assert_eq!(cut(Split::Whitespace, text), ["it's", "a", "long,", "un-funny", "one", "…"]);
        assert_eq!(cut(Split::Characters, "a é"), ["a", "é"]);
        assert_eq!(
            cut(Split::Words, "--a rock'n'roll 'quoted'"),
            ["-", "-", "a", "rock'n'roll", "'", "quoted", "'"]
        );
    }

    #[test]
    fn words_are_looked_up_and_strangers_told() {
        let vocabulary = Vocabulary::read("<pad>\n<unk>\na\nfilm\n", &Options::default()).unwrap();
        let tokens = vocabulary.encode("A sad Film").unwrap();
        assert_eq!(tokens.ids, [2, 1, 3]);
        assert_eq!(tokens.padding, Some(0));
        assert!(tokens.notes.iter().any(|note| note.contains("\u{201c}sad\u{201d}")), "{:?}", tokens.notes);
        assert!(tokens.notes[0].contains("in lower case"));
        let strict = Vocabulary::read("a\nfilm\n", &Options::default()).unwrap();
        assert_eq!(strict.encode("a sad film"), Err(Error::UnknownWord { word: "sad".into() }));
    }
}
