//! The names of classes, from whatever file they come in, and whether they are the model's.

use serde_json::{Map, Value};

use crate::{Error, Result};

/// What TensorFlow's networks for ImageNet have before its 1000 classes.
const BACKGROUND: &str = "background";

/// Names in the order of the classes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    names: Vec<String>,
    /// The number that the file gives to the first name; nothing where it numbers none.
    first: Option<usize>,
}

impl Labels {
    /// Names whose place in the list is their class.
    pub fn new(names: Vec<String>) -> Self {
        Self { names, first: None }
    }

    /// Names from a file: JSON as in [`Labels::from_json`], or text with one name a line, whose own number or WordNet id
    /// before the name is left out.
    ///
    /// # Errors
    /// [`Error::LabelsInvalid`].
    pub fn from_text(text: &str) -> Result<Self> {
        let text = text.trim_start_matches('\u{feff}');
        if text.trim_start().starts_with(['[', '{']) {
            let json = serde_json::from_str(text)
                .map_err(|error| Error::LabelsInvalid(format!("this is no readable JSON: {error}")))?;
            return Self::from_json(&json);
        }
        let mut lines: Vec<&str> = text.lines().map(str::trim).collect();
        while lines.last().is_some_and(|line| line.is_empty()) {
            lines.pop();
        }
        if lines.is_empty() {
            return Err(Error::LabelsInvalid("the file is empty".into()));
        }
        let numbered = |from: usize| {
            let bare: Option<Vec<&str>> =
                lines.iter().enumerate().map(|(i, line)| after_number(line, i + from)).collect();
            bare.map(|bare| (bare, Some(from)))
        };
        let (bare, first) = numbered(0).or_else(|| numbered(1)).unwrap_or((lines.clone(), None));
        let without_id: Option<Vec<&str>> = bare.iter().map(|line| after_wordnet_id(line)).collect();
        let names = without_id.unwrap_or(bare).into_iter().map(str::to_owned).collect();
        Ok(Self { names, first })
    }

    /// Names from JSON: a list, an object from number to name (or to a list that ends with it, as Keras has it) or from name
    /// to number, or a file that holds one of these as `id2label` (Hugging Face), `names`, `label_names`, `labels` or
    /// `classes`.
    ///
    /// # Errors
    /// [`Error::LabelsInvalid`].
    pub fn from_json(json: &Value) -> Result<Self> {
        match json {
            Value::Array(list) => {
                let names = list.iter().map(name_of).collect::<Result<Vec<_>>>()?;
                let numbers = list.iter().map(number_of).collect::<Option<Vec<_>>>();
                match numbers {
                    Some(numbers) => Self::by_number(numbers.into_iter().zip(names).collect()),
                    None => Ok(Self::new(names)),
                }
            }
            Value::Object(object) => Self::from_object(object),
            _ => Err(Error::LabelsInvalid("the file holds neither a list nor an object of names".into())),
        }
    }

    fn from_object(object: &Map<String, Value>) -> Result<Self> {
        for key in ["id2label", "names", "label_names", "labels", "classes"] {
            if let Some(inner) = object.get(key).filter(|inner| inner.is_array() || inner.is_object()) {
                return Self::from_json(inner);
            }
        }
        let numbers = object.iter().map(|(name, number)| Some((number.as_u64()? as usize, name.clone())));
        if let Some(pairs) = numbers.collect::<Option<Vec<_>>>() {
            return Self::by_number(pairs);
        }
        let pairs = object.iter().map(|(number, name)| {
            let number = number.trim().parse().map_err(|_| {
                Error::LabelsInvalid(format!(
                    "\"{number}\" is neither the number of a class nor the key id2label"
                ))
            })?;
            Ok((number, name_of(name)?))
        });
        Self::by_number(pairs.collect::<Result<Vec<_>>>()?)
    }

    fn by_number(mut pairs: Vec<(usize, String)>) -> Result<Self> {
        pairs.sort_by_key(|(number, _)| *number);
        let Some(&(first, _)) = pairs.first() else {
            return Err(Error::LabelsInvalid("the file is empty".into()));
        };
        let gap = pairs.iter().enumerate().find(|(i, (number, _))| *number != i + first);
        if first > 1 || gap.is_some() {
            let missing = if first > 1 { 0 } else { gap.map_or(0, |(i, _)| i + first) };
            return Err(Error::LabelsInvalid(format!(
                "the names' numbers must run from 0 or 1 on without a gap, but {missing} is missing or comes twice"
            )));
        }
        Ok(Self { names: pairs.into_iter().map(|(_, name)| name).collect(), first: Some(first) })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.names.len()
    }

    /// The names of so many classes. They shift by one where there is one class more and the file itself numbers the names
    /// from 1 on, or where there are the 1000 of ImageNet for 1001 classes: the first class is then TensorFlow's
    /// background.
    ///
    /// # Errors
    /// [`Error::LabelsInvalid`] with both numbers where they do not fit.
    pub fn fit(mut self, classes: usize) -> Result<Vec<String>> {
        let count = self.names.len();
        if count == classes {
            return Ok(self.names);
        }
        if count + 1 == classes && (self.first == Some(1) || count == 1000) {
            self.names.insert(0, BACKGROUND.into());
            return Ok(self.names);
        }
        Err(Error::LabelsInvalid(format!(
            "there are {count} names for {classes} classes; give the names that the network was trained with, one for \
             each class"
        )))
    }
}

/// What follows a line's own number.
fn after_number(line: &str, number: usize) -> Option<&str> {
    let rest = line.strip_prefix(&number.to_string())?;
    let bare = rest.trim_start_matches(|c: char| c.is_whitespace() || ":,;.=)".contains(c));
    (bare.len() < rest.len()).then_some(bare)
}

/// What follows an id such as n01440764.
fn after_wordnet_id(line: &str) -> Option<&str> {
    let digits = line.strip_prefix('n')?;
    let (id, rest) = digits.split_at_checked(8)?;
    let bare = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
    (id.bytes().all(|byte| byte.is_ascii_digit()) && bare.len() < rest.len() && !bare.is_empty())
        .then_some(bare)
}

/// A name: text, the last of a list, or what an object calls its name.
fn name_of(value: &Value) -> Result<String> {
    let found = match value {
        Value::Array(list) => list.last().and_then(Value::as_str),
        Value::Object(object) => object
            .iter()
            .find(|(key, _)| ["name", "label", "display_name"].contains(&key.to_lowercase().as_str()))
            .and_then(|(_, name)| name.as_str()),
        value => value.as_str(),
    };
    found.map(str::to_owned).ok_or_else(|| Error::LabelsInvalid(format!("{value} is no name of a class")))
}

/// The number that an object gives beside its name.
fn number_of(value: &Value) -> Option<usize> {
    let object = value.as_object()?;
    ["id", "index", "class_id"].into_iter().find_map(|key| Some(object.get(key)?.as_u64()? as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, classes: usize) -> Result<Vec<String>> {
        Labels::from_text(text)?.fit(classes)
    }

    #[test]
    fn every_usual_file_is_read() {
        for text in [
            "cat\ndog\n\n",
            "\u{feff}cat\r\ndog",
            "0 cat\n1 dog",
            "1: cat\n2: dog",
            "0, cat\n1, dog",
            "n02123045 cat\nn02084071 dog",
            "0 n02123045 cat\n1 n02084071 dog",
            r#"["cat", "dog"]"#,
            r#"{"1": "dog", "0": "cat"}"#,
            r#"{"1": "cat", "2": "dog"}"#,
            r#"{"cat": 0, "dog": 1}"#,
            r#"{"0": ["n02123045", "cat"], "1": ["n02084071", "dog"]}"#,
            r#"{"model_type": "vit", "id2label": {"0": "cat", "1": "dog"}}"#,
            r#"{"names": ["cat", "dog"]}"#,
            r#"[{"id": 2, "name": "dog"}, {"id": 1, "name": "cat"}]"#,
        ] {
            assert_eq!(read(text, 2).unwrap(), ["cat", "dog"], "{text}");
        }
        // A number that is a name stays one.
        assert_eq!(read("3\n1", 2).unwrap(), ["3", "1"]);
        assert_eq!(read("0\n1", 2).unwrap(), ["0", "1"]);
        assert_eq!(read("n0\nn1", 2).unwrap(), ["n0", "n1"]);
    }

    #[test]
    fn only_imagenet_and_lists_that_count_from_one_shift() {
        let many = |count: usize| (0..count).map(|i| format!("name {i}\n")).collect::<String>();
        let shifted = read(&many(1000), 1001).unwrap();
        assert_eq!((shifted[0].as_str(), shifted[1].as_str(), shifted.len()), ("background", "name 0", 1001));
        for (names, classes) in [(999, 1000), (9, 10), (80, 91), (1001, 1000), (2, 1)] {
            let error = read(&many(names), classes).unwrap_err();
            assert_eq!(error.code(), "labels_invalid");
            let message = error.to_string();
            assert!(message.contains(&format!("{names} names for {classes} classes")), "{message}");
        }
        assert_eq!(read("1: cat\n2: dog", 3).unwrap(), ["background", "cat", "dog"]);
        assert_eq!(read(r#"{"1": "cat", "2": "dog"}"#, 3).unwrap(), ["background", "cat", "dog"]);
        assert!(read("0: cat\n1: dog", 3).is_err());
        assert!(read(r#"{"0": "cat", "1": "dog"}"#, 3).is_err());
    }

    #[test]
    fn what_holds_no_names_is_refused() {
        for text in [
            "",
            "\n\n",
            "[1, 2]",
            "{}",
            r#"{"id2label": {"0": "cat", "2": "dog"}}"#,
            r#"{"2": "cat", "3": "dog"}"#,
            r#"{"hidden_size": 768, "kind": "x"}"#,
            "[\"cat\"",
            r#"{"id2label": "cat"}"#,
        ] {
            let found = Labels::from_text(text);
            assert!(found.as_ref().is_err_and(|error| error.code() == "labels_invalid"), "{text}: {found:?}");
        }
    }
}
