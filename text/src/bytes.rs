//! The bytes of a file as tokens, as magika 1.0.3 takes them: the first 1,024 without spaces in front, and the last 1,024 without
//! spaces behind, filled up with 256.

use crate::{Error, Result, Token, Tokens, offsets::Units};

/// Bytes from the start of a file.
pub const START: usize = 1024;
/// Bytes from the end of a file.
pub const END: usize = 1024;
/// What fills up.
pub const PADDING: i64 = 256;
/// The package looks no further into a file, from either end.
const BLOCK: usize = 4096;
/// Bytes of a group where they are shown by their numbers.
const GROUP: usize = 4;

fn is_space(byte: &u8) -> bool {
    // Python's `bytes.strip`.
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// The ranges of a file that are looked at: from the start and from the end.
fn ends(file: &[u8]) -> [[usize; 2]; 2] {
    let block = file.len().min(BLOCK);
    let skipped = file[..block].iter().take_while(|byte| is_space(byte)).count();
    let start = [skipped, block.min(skipped + START)];
    let tail = file.len() - block;
    let left = file[tail..].iter().rev().take_while(|byte| is_space(byte)).count();
    let last = file.len() - left;
    [start, [tail.max(last.saturating_sub(END)), last]]
}

/// What a number stands for: a byte as it is written, or what fills up.
pub fn piece(id: i64) -> Option<String> {
    match u8::try_from(id) {
        Ok(byte) => Some(char::from(byte).escape_default().to_string()),
        Err(_) => (id == 256).then(|| "padding".to_owned()),
    }
}

/// The first and last bytes of a file.
///
/// # Errors
/// [`Error::Empty`].
pub fn encode(file: &[u8]) -> Result<Tokens> {
    if file.is_empty() {
        return Err(Error::Empty);
    }
    let [start, end] = ends(file);
    if start[0] >= start[1] {
        return Err(Error::NoTokens);
    }
    // What is shown: all that is looked at, in one piece where the two ends meet.
    let shown: Vec<[usize; 2]> = if end[0] <= start[1] {
        vec![[start[0].min(end[0]), start[1].max(end[1])]]
    } else {
        vec![start, end]
    };
    let view = View::new(file, &shown);
    let units = Units::of(&view.text);
    let token = |at: usize| {
        let place = view.place(at);
        let bytes = place.map_or([0, 0], |place| view.ranges[place]);
        Token {
            piece: format!("{:02x}", file[at]),
            text: 0,
            bytes,
            units: units.range(bytes),
            word: place.map(|place| view.words[place]),
            special: false,
        }
    };
    let filled =
        Token { piece: "[PAD]".into(), text: 0, bytes: [0, 0], units: [0, 0], word: None, special: true };
    let (mut ids, mut tokens) = (Vec::new(), Vec::new());
    let fill = |ids: &mut Vec<i64>, tokens: &mut Vec<Token>, count: usize| {
        ids.extend(std::iter::repeat_n(PADDING, count));
        tokens.extend(std::iter::repeat_n(filled.clone(), count));
    };
    let take = |ids: &mut Vec<i64>, tokens: &mut Vec<Token>, [first, last]: [usize; 2]| {
        ids.extend(file[first..last].iter().map(|&byte| i64::from(byte)));
        tokens.extend((first..last).map(token));
    };
    take(&mut ids, &mut tokens, start);
    fill(&mut ids, &mut tokens, START - (start[1] - start[0]));
    fill(&mut ids, &mut tokens, END - (end[1] - end[0]));
    take(&mut ids, &mut tokens, end);
    let mut notes = Vec::new();
    if shown.len() > 1 {
        notes.push(format!(
            "Of the {} bytes the network sees the first {} and the last {}.",
            file.len(),
            start[1] - start[0],
            end[1] - end[0]
        ));
    }
    Ok(Tokens {
        texts: vec![view.text],
        type_ids: vec![0; ids.len()],
        attention_mask: vec![1; ids.len()],
        ids,
        tokens,
        padding: Some(PADDING),
        mask: None,
        unknown: None,
        longest: None,
        notes,
    })
}

/// What a character is joined to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Joins {
    Letters,
    Spaces,
    Nothing,
}

impl Joins {
    fn of(character: char) -> Self {
        match character {
            '_' => Self::Letters,
            _ if character.is_alphanumeric() => Self::Letters,
            _ if character.is_whitespace() => Self::Spaces,
            _ => Self::Nothing,
        }
    }
}

/// How bytes are shown: as text where they are UTF-8, else by their numbers.
struct View {
    text: String,
    /// The first byte of each part of the file that is shown, and the place of that byte.
    parts: Vec<[usize; 3]>,
    /// The range of each byte in the text.
    ranges: Vec<[usize; 2]>,
    /// The word of each byte.
    words: Vec<usize>,
}

/// What stands between the two ends of a file.
const GAP: &str = "\n…\n";

impl View {
    fn new(file: &[u8], shown: &[[usize; 2]]) -> Self {
        let readable = shown.iter().all(|&[first, last]| {
            let bytes = trimmed(&file[first..last]);
            let text = std::str::from_utf8(bytes);
            text.is_ok_and(|text| {
                !text.chars().any(|c| c.is_control() && !c.is_whitespace() && c != '\u{1b}')
            })
        });
        let mut view = Self { text: String::new(), parts: Vec::new(), ranges: Vec::new(), words: Vec::new() };
        let mut word = 0;
        for &[first, last] in shown {
            if !view.text.is_empty() {
                view.text.push_str(GAP);
                word += 1;
            }
            view.parts.push([first, last, view.ranges.len()]);
            word = match readable {
                true => view.add_text(&file[first..last], word),
                false => view.add_numbers(&file[first..last], word),
            };
        }
        view
    }

    /// The place of a byte of the file among those that are shown.
    fn place(&self, at: usize) -> Option<usize> {
        let part = self.parts.iter().find(|&&[first, last, _]| (first..last).contains(&at))?;
        Some(part[2] + at - part[0])
    }

    /// Letters and digits are joined to words, and spaces to one; every other character is one by itself. Returns the next word.
    fn add_text(&mut self, bytes: &[u8], mut word: usize) -> usize {
        let mut before = Joins::Nothing;
        for chunk in bytes.utf8_chunks() {
            for character in chunk.valid().chars() {
                let start = self.text.len();
                self.text.push(character);
                let joins = Joins::of(character);
                if joins == Joins::Nothing || joins != before {
                    word += 1;
                }
                before = joins;
                for _ in 0..character.len_utf8() {
                    self.ranges.push([start, self.text.len()]);
                    self.words.push(word);
                }
            }
            if !chunk.invalid().is_empty() {
                // A character that is cut off at an end.
                let start = self.text.len();
                self.text.push('\u{fffd}');
                word += 1;
                before = Joins::Nothing;
                for _ in chunk.invalid() {
                    self.ranges.push([start, self.text.len()]);
                    self.words.push(word);
                }
            }
        }
        word + 1
    }

    /// Two digits a byte, four bytes a word, sixteen bytes a line.
    fn add_numbers(&mut self, bytes: &[u8], first: usize) -> usize {
        for (at, byte) in bytes.iter().enumerate() {
            if at > 0 {
                self.text.push(if at % (4 * GROUP) == 0 { '\n' } else { ' ' });
            }
            let start = self.text.len();
            self.text.push_str(&format!("{byte:02x}"));
            self.ranges.push([start, self.text.len()]);
            self.words.push(first + at / GROUP);
        }
        first + bytes.len().div_ceil(GROUP)
    }
}

/// Without the parts of characters that are cut off at either end.
fn trimmed(bytes: &[u8]) -> &[u8] {
    let first = bytes.iter().take(3).take_while(|&&byte| byte & 0xc0 == 0x80).count();
    let bytes = &bytes[first..];
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => &bytes[..error.valid_up_to()],
        _ => bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_file_is_there_twice_and_filled_up() {
        let tokens = encode(b"  let x = 1;\n").unwrap();
        assert_eq!(tokens.ids.len(), START + END);
        // The package strips the left of the one and the right of the other.
        let head: Vec<i64> = b"let x = 1;\n".iter().map(|&byte| byte.into()).collect();
        assert_eq!(tokens.ids[..head.len()], head);
        assert!(tokens.ids[head.len()..START + END - 12].iter().all(|&id| id == PADDING));
        let tail: Vec<i64> = b"  let x = 1;".iter().map(|&byte| byte.into()).collect();
        assert_eq!(tokens.ids[START + END - 12..], tail);
        assert_eq!(tokens.texts, ["  let x = 1;\n"]);
        assert_eq!(tokens.tokens[0].bytes, [2, 3]);
        assert_eq!(tokens.tokens[0].word, tokens.tokens[START + END - 10].word);
        assert!(tokens.tokens[START].special);
    }

    #[test]
    fn what_is_no_text_is_shown_by_its_numbers() {
        let file: Vec<u8> = (0..5000u32).map(|number| (number % 251) as u8).collect();
        let tokens = encode(&file).unwrap();
        assert_eq!(tokens.ids[0], 0);
        assert_eq!(tokens.ids[START + END - 1], i64::from(file[4999]));
        assert!(tokens.texts[0].starts_with("00 01 02 03 04"));
        assert!(tokens.texts[0].contains(GAP));
        assert_eq!(tokens.tokens[4].bytes, [12, 14]);
        assert_eq!(tokens.tokens[4].word, Some(1));
        assert!(tokens.notes[0].contains("5000 bytes"));
        assert_eq!(encode(b""), Err(Error::Empty));
        assert_eq!(encode(b" \n"), Err(Error::NoTokens));
    }

    #[test]
    fn characters_that_are_cut_off_do_not_make_a_text_unreadable() {
        let file = format!("a{}", "é".repeat(3000));
        let tokens = encode(file.as_bytes()).unwrap();
        assert!(tokens.texts[0].starts_with("aééé"), "{}", &tokens.texts[0][..20]);
        assert!(tokens.texts[0].contains('\u{fffd}'));
    }
}
