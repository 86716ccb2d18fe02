//! The boundary to JavaScript.

use js_sys::{Error as JsError, Reflect};
use serde::Serialize;
use wasm_bindgen::prelude::*;

use crate::{Error, Options, Tokenizer};

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = r#"
/** What a file does not say of its tokenizer. What is left out is found, and told. */
export interface TokenizerOptions {
    /** Whether a vocabulary's words are looked up in lower case; by default where it has no word with a capital. */
    lowercase?: boolean;
    /** How text is cut before its words are looked up in a vocabulary ("words"). */
    split?: "words" | "marks" | "whitespace" | "characters";
    /** The token that stands for unknown words. */
    unknown?: string;
    /** The token that fills up. */
    padding?: string;
    /** The token that hides a word. */
    mask?: string;
}

/** A token, and where it stands. */
export interface Token {
    /** What the tokenizer calls it, as `##fun`. */
    piece: string;
    /** Which of the texts it is of. */
    text: number;
    /** Its range in that text, in bytes of UTF-8; empty for what the tokenizer has added. */
    bytes: [number, number];
    /** The same in units of UTF-16, as JavaScript counts. */
    units: [number, number];
    /** The word of that text that it is a piece of, counted from 0. */
    word: number | null;
    /** Whether the tokenizer has added it, as it does `[CLS]`. */
    special: boolean;
}

/** A text, or two, as a network takes it. */
export interface Tokens {
    texts: string[];
    ids: number[];
    typeIds: number[];
    attentionMask: number[];
    tokens: Token[];
    padding: number | null;
    mask: number | null;
    unknown: number | null;
    longest: number | null;
    notes: string[];
}
"#;

fn failed(error: &Error) -> JsValue {
    let object = JsError::new(&error.to_string());
    object.set_name("AdversightError");
    let _ = Reflect::set(&object, &"code".into(), &error.code().into());
    object.into()
}

/// A tokenizer that was read.
#[wasm_bindgen]
pub struct TextTokenizer(Tokenizer);

/// Reads a `tokenizer.json` or a vocabulary of one word a line; without a file, the tokenizer of bytes.
#[wasm_bindgen(js_name = readTokenizer)]
pub fn read_tokenizer(
    file: Option<Vec<u8>>,
    #[wasm_bindgen(unchecked_param_type = "TokenizerOptions | null")] options: JsValue,
) -> Result<TextTokenizer, JsValue> {
    let Some(file) = file else { return Ok(TextTokenizer(Tokenizer::bytes())) };
    let options: Options = match options.is_null() || options.is_undefined() {
        true => Options::default(),
        false => serde_wasm_bindgen::from_value(options)
            .map_err(|error| failed(&Error::Invalid(format!("its options cannot be read ({error})"))))?,
    };
    Tokenizer::read(&file, &options).map(TextTokenizer).map_err(|error| failed(&error))
}

#[wasm_bindgen]
impl TextTokenizer {
    /// A text, or a pair of texts, as a network takes it.
    #[wasm_bindgen(unchecked_return_type = "Tokens")]
    pub fn encode(&self, text: &str, pair: Option<String>) -> Result<JsValue, JsValue> {
        self.given(self.0.encode(text, pair.as_deref()))
    }

    /// What a number stands for: a piece, a word, or a byte.
    pub fn piece(&self, id: f64) -> Option<String> {
        self.0.piece(id as i64)
    }

    /// The same of a file: UTF-8, or whatever there is for a network of bytes.
    #[wasm_bindgen(js_name = encodeBytes, unchecked_return_type = "Tokens")]
    pub fn encode_bytes(&self, bytes: &[u8]) -> Result<JsValue, JsValue> {
        self.given(self.0.encode_bytes(bytes))
    }
}

impl TextTokenizer {
    fn given(&self, tokens: crate::Result<crate::Tokens>) -> Result<JsValue, JsValue> {
        let tokens = tokens.map_err(|error| failed(&error))?;
        tokens
            .serialize(&serde_wasm_bindgen::Serializer::json_compatible())
            .map_err(|error| failed(&Error::Invalid(error.to_string())))
    }
}
