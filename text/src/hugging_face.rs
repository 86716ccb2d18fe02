//! A `tokenizer.json`, by the package that wrote it.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use tokenizers::EncodeInput;

use crate::{Error, Options, Result, Token, Tokens, offsets::Units};

/// Names by which files call the token that fills up.
const PADDING: [&str; 4] = ["[PAD]", "<pad>", "<PAD>", "[pad]"];
/// Names of the token that hides a word.
const MASK: [&str; 4] = ["[MASK]", "<mask>", "<MASK>", "[mask]"];
/// Names of the token that stands for unknown words.
const UNKNOWN: [&str; 5] = ["[UNK]", "<unk>", "<UNK>", "[unk]", "<oov>"];

/// A tokenizer of Hugging Face's.
pub struct HuggingFace {
    tokenizer: tokenizers::Tokenizer,
    padding: Option<i64>,
    mask: Option<i64>,
    unknown: Option<i64>,
    longest: Option<usize>,
    notes: Vec<String>,
}

/// Whether a vocabulary of one token a line is one of WordPiece, as BERT's `vocab.txt` is.
pub fn is_wordpiece(text: &str) -> bool {
    let has = |name: &str| text.lines().any(|line| line == name);
    text.lines().any(|line| line.len() > 2 && line.starts_with("##"))
        && has("[UNK]")
        && has("[CLS]")
        && has("[SEP]")
}

impl HuggingFace {
    /// Reads a `tokenizer.json`.
    pub fn from_json(text: &str, options: &Options) -> Result<Self> {
        let tokenizer: tokenizers::Tokenizer = text.parse().map_err(|error| {
            Error::Invalid(format!("this is no tokenizer.json of Hugging Face that can be read ({error})"))
        })?;
        Self::new(tokenizer, options)
    }

    /// The tokenizer of a `vocab.txt` of BERT's.
    pub fn from_wordpiece(text: &str, options: &Options) -> Result<Self> {
        let words: Vec<&str> = text.lines().map(|line| line.trim_end_matches('\r')).collect();
        let number = |name: &str| words.iter().position(|&word| word == name);
        let lowercase = options.lowercase.unwrap_or_else(|| no_capitals(words.iter().copied()));
        let vocabulary: Map<String, Value> =
            words.iter().enumerate().map(|(id, &word)| (word.to_owned(), id.into())).collect();
        let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
        let added: Vec<Value> = special
            .into_iter()
            .filter_map(|name| {
                let id = number(name)?;
                Some(json!({
                    "id": id, "content": name, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
                    "special": true,
                }))
            })
            .collect();
        let file = json!({
            "version": "1.0",
            "added_tokens": added,
            "normalizer": {
                "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null,
                "lowercase": lowercase,
            },
            "pre_tokenizer": { "type": "BertPreTokenizer" },
            "post_processor": {
                "type": "BertProcessing", "sep": ["[SEP]", number("[SEP]")], "cls": ["[CLS]", number("[CLS]")],
            },
            "model": {
                "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100, "vocab": vocabulary,
            },
        });
        let case = if lowercase { "in lower case and without accents" } else { "as it is written" };
        let note = format!(
            "The vocabulary has pieces of words (\u{201c}##\u{2026}\u{201d}), and is read as BERT\u{2019}s: text is taken {case}; a \
             tokenizer.json says it for certain, the option `lowercase` otherwise."
        );
        let mut tokenizer = Self::from_json(&file.to_string(), options)?;
        tokenizer.notes.push(note);
        Ok(tokenizer)
    }

    fn new(mut tokenizer: tokenizers::Tokenizer, options: &Options) -> Result<Self> {
        // The engine cuts and fills up, since it knows what the network takes.
        let longest = tokenizer.get_truncation().map(|truncation| truncation.max_length);
        let fills = tokenizer.get_padding().map(|padding| i64::from(padding.pad_id));
        tokenizer.with_truncation(None).map_err(|error| Error::Invalid(error.to_string()))?;
        tokenizer.with_padding(None);
        let number = |name: &str| tokenizer.token_to_id(name).map(i64::from);
        let named = |given: &Option<String>, known: &[&str], role, option| match given {
            Some(name) => match number(name) {
                Some(id) => Ok(Some(id)),
                None => Err(Error::NoSuchToken { name: name.clone(), role, option }),
            },
            None => Ok(known.iter().find_map(|name| number(name))),
        };
        let padding = named(&options.padding, &PADDING, "filling up", "padding")?;
        Ok(Self {
            padding: if options.padding.is_some() { padding } else { fills.or(padding) },
            mask: named(&options.mask, &MASK, "hiding a word", "mask")?,
            unknown: named(&options.unknown, &UNKNOWN, "unknown words", "unknown")?,
            tokenizer,
            longest,
            notes: Vec::new(),
        })
    }

    /// What a number stands for.
    pub fn piece(&self, id: i64) -> Option<String> {
        self.tokenizer.id_to_token(u32::try_from(id).ok()?)
    }

    /// A text, or a pair of texts.
    pub fn encode(&self, text: &str, pair: Option<&str>) -> Result<Tokens> {
        let input = match pair {
            None => EncodeInput::from(text),
            Some(pair) => EncodeInput::from((text, pair)),
        };
        let found = self
            .tokenizer
            .encode(input, true)
            .map_err(|error| Error::Invalid(format!("it fails: {error}")))?;
        let texts: Vec<String> = std::iter::once(text).chain(pair).map(str::to_owned).collect();
        let units: Vec<Units> = texts.iter().map(|text| Units::of(text)).collect();
        let words = words(&found, &texts);
        let special = found.get_special_tokens_mask();
        let token = |at: usize| {
            let special = special.get(at) == Some(&1);
            let text = found.token_to_sequence(at).unwrap_or(0).min(texts.len() - 1);
            let (start, end) = if special { (0, 0) } else { found.get_offsets()[at] };
            let bytes = [start, end].map(|place| place.min(texts[text].len()));
            Token {
                piece: found.get_tokens()[at].clone(),
                text,
                bytes,
                units: units[text].range(bytes),
                word: words[at].filter(|_| !special),
                special,
            }
        };
        let widened = |numbers: &[u32]| numbers.iter().map(|&number| i64::from(number)).collect();
        Ok(Tokens {
            ids: widened(found.get_ids()),
            type_ids: widened(found.get_type_ids()),
            attention_mask: widened(found.get_attention_mask()),
            tokens: (0..found.len()).map(token).collect(),
            texts,
            padding: self.padding,
            mask: self.mask,
            unknown: self.unknown,
            longest: self.longest,
            notes: self.notes.clone(),
        })
    }
}

/// The word of each token: as the tokenizer has it, or by the spaces of the text where it does not cut before it looks for pieces
/// (SentencePiece's files without a pre-tokenizer).
fn words(found: &tokenizers::Encoding, texts: &[String]) -> Vec<Option<usize>> {
    let own: Vec<Option<usize>> =
        found.get_word_ids().iter().map(|word| word.map(|word| word as usize)).collect();
    let mut words = own.clone();
    for (number, text) in texts.iter().enumerate() {
        let of_text = |at: &usize| own[*at].is_some() && found.token_to_sequence(*at).unwrap_or(0) == number;
        let places: Vec<usize> = (0..own.len()).filter(of_text).collect();
        let cut = places.iter().any(|&at| own[at] != own[places[0]]);
        if cut || places.len() < 2 || !text.trim().contains(char::is_whitespace) {
            continue;
        }
        let mut starts: HashMap<usize, usize> = HashMap::new();
        for &at in &places {
            let (start, end) = found.get_offsets()[at];
            let start = start.min(text.len());
            // A piece may begin with the space before its word.
            let piece = text.get(start..end.min(text.len())).unwrap_or_default();
            let start = start + (piece.len() - piece.trim_start().len());
            let before = text.get(..start).unwrap_or_default();
            let begins = before.char_indices().rev().find(|(_, character)| character.is_whitespace());
            let begins = begins.map_or(0, |(at, character)| at + character.len_utf8());
            let next = starts.len();
            words[at] = Some(*starts.entry(begins).or_insert(next));
        }
    }
    words
}

/// Whether no word of a vocabulary has a capital, names in brackets left aside.
pub fn no_capitals<'w>(words: impl Iterator<Item = &'w str>) -> bool {
    let named = |word: &str| word.starts_with(['[', '<']) && word.ends_with([']', '>']);
    !words.filter(|word| !named(word)).any(|word| word.chars().any(char::is_uppercase))
}

/// The first of the usual names that `has` knows.
pub fn usual(role: &str, has: impl Fn(&str) -> bool) -> Option<&'static str> {
    let names: &[&'static str] = match role {
        "padding" => &PADDING,
        "mask" => &MASK,
        _ => &UNKNOWN,
    };
    names.iter().copied().find(|name| has(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VOCABULARY: &str = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nlong\n,\nun\n##fun\n##ny\none\ncafe\n";

    fn read(options: &Options) -> HuggingFace {
        assert!(is_wordpiece(VOCABULARY));
        HuggingFace::from_wordpiece(VOCABULARY, options).unwrap()
    }

    #[test]
    fn pieces_know_their_word_and_their_place() {
        let tokens = read(&Options::default()).encode("A long, unfunny café 🎬", None).unwrap();
        assert_eq!(tokens.ids, [2, 5, 6, 7, 8, 9, 10, 12, 1, 3]);
        let words: Vec<_> = tokens.tokens.iter().map(|token| token.word).collect();
        let four = [Some(3), Some(3), Some(3), Some(4), Some(5)];
        assert_eq!(words, [&[None, Some(0), Some(1), Some(2)][..], &four, &[None]].concat());
        assert_eq!(tokens.tokens[5].bytes, [10, 13]);
        assert_eq!(tokens.tokens[7].bytes, [16, 21]);
        assert_eq!(tokens.tokens[8].bytes, [22, 26]);
        assert_eq!(tokens.tokens[8].units, [21, 23]);
        assert!(tokens.tokens[0].special && tokens.tokens[9].special && !tokens.tokens[8].special);
        assert_eq!((tokens.padding, tokens.mask, tokens.unknown), (Some(0), Some(4), Some(1)));
    }

    #[test]
    fn pairs_have_types_and_texts() {
        let tokens = read(&Options::default()).encode("a long", Some("one")).unwrap();
        assert_eq!(tokens.ids, [2, 5, 6, 3, 11, 3]);
        assert_eq!(tokens.type_ids, [0, 0, 0, 0, 1, 1]);
        assert_eq!(tokens.tokens[4].text, 1);
        assert_eq!(tokens.tokens[4].bytes, [0, 3]);
    }

    #[test]
    fn tokens_that_are_not_there_cannot_be_named() {
        let options = Options { mask: Some("<blank>".into()), ..Options::default() };
        let error = HuggingFace::from_wordpiece(VOCABULARY, &options).err().unwrap();
        assert!(error.to_string().contains("no token \"<blank>\" for hiding a word"), "{error}");
    }
}
