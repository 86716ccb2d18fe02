//! Text for Adversight: sentences and files as the numbers that a network takes, and the way back from each number to what the
//! person wrote.
//!
//! [`Tokenizer`] reads a `tokenizer.json` of Hugging Face, a vocabulary of one word a line, or cuts a file into bytes. What it gives,
//! [`Tokens`], goes into the engine as it is; in a browser this package is a WebAssembly file of its own, loaded only where there is text.

mod bytes;
#[cfg(target_family = "wasm")]
mod glue;
mod hugging_face;
mod offsets;
mod vocabulary;

use serde::{Deserialize, Serialize};

pub use bytes::{END, PADDING as BYTE_PADDING, START};
pub use vocabulary::{Split, Vocabulary};

use hugging_face::HuggingFace;

/// The most characters of a text. A network reads a few hundred words; what is longer is a mistake.
pub const MOST_CHARACTERS: usize = 1_000_000;

/// What can be wrong with a text or a tokenizer; each its own sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No character at all.
    #[error("The text is empty: there is nothing to read. Write a word or a sentence.")]
    Empty,
    /// Characters, and no word among them.
    #[error(
        "The text holds nothing that the tokenizer makes a token of: spaces or control characters alone."
    )]
    NoTokens,
    /// More than [`MOST_CHARACTERS`].
    #[error(
        "The text has {characters} characters, more than the {MOST_CHARACTERS} that are accepted. A network reads a few hundred words: give \
         the part that it is to judge."
    )]
    TooLong {
        /// How many there are.
        characters: usize,
    },
    /// Bytes that are no UTF-8.
    #[error("The text is not UTF-8: byte {at} belongs to no character. Save the file as UTF-8.")]
    NotUtf8 {
        /// The first byte at fault.
        at: usize,
    },
    /// A tokenizer's file that cannot be read.
    #[error("The tokenizer is invalid: {0}.")]
    Invalid(String),
    /// A token that is to be there by name, and is not.
    #[error("The tokenizer has no token \"{name}\" for {role}; name one that it has (`{option}`).")]
    NoSuchToken {
        /// The name that was given.
        name: String,
        /// What it is for.
        role: &'static str,
        /// The option that names another.
        option: &'static str,
    },
    /// A word that a vocabulary without a token for unknown words does not have.
    #[error(
        "The vocabulary does not have the word \"{word}\", and no token stands for unknown words; name one that it has (`unknown`)."
    )]
    UnknownWord {
        /// The word.
        word: String,
    },
    /// A second text where the tokenizer takes one.
    #[error("{0} takes one text, not a pair.")]
    NoPair(&'static str),
}

impl Error {
    /// The stable name of this kind of error, as in the package's `AdversightError.code`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty | Self::NoTokens | Self::NotUtf8 { .. } | Self::NoPair(_) => "input_invalid",
            Self::TooLong { .. } => "input_too_large",
            Self::Invalid(_) | Self::NoSuchToken { .. } | Self::UnknownWord { .. } => "tokenizer_invalid",
        }
    }
}

/// What every fallible function here returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A token, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    /// What the tokenizer calls it: "##fun", "▁long".
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

/// A text, or two, as a network takes it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tokens {
    /// What was tokenised, as it was given; of a file its bytes as they are shown.
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
}

/// What a file does not say of its tokenizer. What is left out is found, and told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Options {
    /// Whether a vocabulary's words are looked up in lower case; by default where it has no word with a capital.
    pub lowercase: Option<bool>,
    /// How text is cut before its words are looked up in a vocabulary.
    pub split: Option<Split>,
    /// The token that stands for unknown words.
    pub unknown: Option<String>,
    /// The token that fills up.
    pub padding: Option<String>,
    /// The token that hides a word.
    pub mask: Option<String>,
}

/// Cuts text into tokens.
pub struct Tokenizer(Kind);

enum Kind {
    HuggingFace(Box<HuggingFace>),
    Vocabulary(Vocabulary),
    Bytes,
}

impl Tokenizer {
    /// Reads a `tokenizer.json`, or a vocabulary of one word a line.
    ///
    /// # Errors
    /// [`Error::Invalid`], [`Error::NotUtf8`], [`Error::NoSuchToken`].
    pub fn read(file: &[u8], options: &Options) -> Result<Self> {
        let text = utf8(file)?.trim_start_matches('\u{feff}');
        if text.trim_start().starts_with('{') {
            return Ok(Self(Kind::HuggingFace(Box::new(HuggingFace::from_json(text, options)?))));
        }
        if hugging_face::is_wordpiece(text) && options.split.is_none() {
            let tokenizer = HuggingFace::from_wordpiece(text, options)?;
            return Ok(Self(Kind::HuggingFace(Box::new(tokenizer))));
        }
        Ok(Self(Kind::Vocabulary(Vocabulary::read(text, options)?)))
    }

    /// The first and last bytes of a file as its tokens, as magika 1.0 takes them.
    pub fn bytes() -> Self {
        Self(Kind::Bytes)
    }

    /// Whether it takes bytes of any kind.
    pub fn takes_bytes(&self) -> bool {
        matches!(self.0, Kind::Bytes)
    }

    /// What a number stands for: a piece, a word, or a byte.
    pub fn piece(&self, id: i64) -> Option<String> {
        match &self.0 {
            Kind::HuggingFace(tokenizer) => tokenizer.piece(id),
            Kind::Vocabulary(vocabulary) => vocabulary.piece(id),
            Kind::Bytes => bytes::piece(id),
        }
    }

    /// A text, or a pair of texts.
    ///
    /// # Errors
    /// [`Error::Empty`], [`Error::NoTokens`], [`Error::TooLong`], [`Error::UnknownWord`], [`Error::NoPair`].
    pub fn encode(&self, text: &str, pair: Option<&str>) -> Result<Tokens> {
        for text in std::iter::once(text).chain(pair) {
            check(text)?;
        }
        let tokens = match (&self.0, pair) {
            (Kind::HuggingFace(tokenizer), pair) => tokenizer.encode(text, pair)?,
            (Kind::Vocabulary(_), Some(_)) => return Err(Error::NoPair("A vocabulary of words")),
            (Kind::Vocabulary(vocabulary), None) => vocabulary.encode(text)?,
            (Kind::Bytes, Some(_)) => return Err(Error::NoPair("A network of bytes")),
            (Kind::Bytes, None) => bytes::encode(text.as_bytes())?,
        };
        match tokens.tokens.iter().all(|token| token.special) {
            true => Err(Error::NoTokens),
            false => Ok(tokens),
        }
    }

    /// The same of bytes: UTF-8, or whatever there is for a network of bytes.
    ///
    /// # Errors
    /// Those of [`Tokenizer::encode`], and [`Error::NotUtf8`].
    pub fn encode_bytes(&self, bytes: &[u8]) -> Result<Tokens> {
        match self.0 {
            Kind::Bytes => bytes::encode(bytes),
            _ => self.encode(utf8(bytes)?.trim_start_matches('\u{feff}'), None),
        }
    }
}

/// Bytes as text.
///
/// # Errors
/// [`Error::NotUtf8`].
pub fn utf8(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|error| Error::NotUtf8 { at: error.valid_up_to() })
}

/// Refuses what is no text to look at.
fn check(text: &str) -> Result<()> {
    if text.is_empty() {
        return Err(Error::Empty);
    }
    // Characters are no more than bytes.
    if text.len() > MOST_CHARACTERS {
        let characters = text.chars().count();
        if characters > MOST_CHARACTERS {
            return Err(Error::TooLong { characters });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: &str = "[PAD]\n[UNK]\nit's\na\nfilm\n,\nlong\n";

    #[test]
    fn what_is_no_text_has_a_sentence_of_its_own() {
        let tokenizer = Tokenizer::read(WORDS.as_bytes(), &Options::default()).unwrap();
        assert_eq!(tokenizer.encode("", None), Err(Error::Empty));
        assert_eq!(tokenizer.encode(" \n\t", None), Err(Error::NoTokens));
        assert_eq!(tokenizer.encode_bytes(b"a film\xff"), Err(Error::NotUtf8 { at: 6 }));
        let long = "a ".repeat(MOST_CHARACTERS);
        assert_eq!(tokenizer.encode(&long, None), Err(Error::TooLong { characters: 2 * MOST_CHARACTERS }));
        assert!(tokenizer.encode("a", Some("film")).is_err());
        assert_eq!(tokenizer.encode(&"a ".repeat(50_000), None).unwrap().ids.len(), 50_000);
    }

    #[test]
    fn what_is_no_tokenizer_is_refused() {
        let read = |file: &[u8]| Tokenizer::read(file, &Options::default()).err();
        assert_eq!(read(b"\xff\xfe"), Some(Error::NotUtf8 { at: 0 }));
        assert!(matches!(read(b"{\"model\": 3}"), Some(Error::Invalid(_))));
        assert!(matches!(read(b""), Some(Error::Invalid(_))));
    }
}
