//! What the columns of a table are to a network, as a JSON file says it (docs/tables.md).

use serde::Deserialize;

use crate::{Error, Result};

/// What the columns of a table are to a network.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Columns {
    pub(crate) columns: Vec<Column>,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Column {
    /// As the table's header has it.
    pub name: String,
    /// The network's input that it goes into; the explained one where there is one only.
    pub input: Option<String>,
    /// The first position in that input; after the column before it where it is left out.
    pub at: Option<usize>,
    /// What is taken off a number before the network gets it.
    pub mean: Option<f64>,
    /// What it is divided by after that.
    pub std: Option<f64>,
    /// The categories that it may hold, and with codes of their own the codes.
    pub categories: Option<Categories>,
    /// How they become numbers.
    pub encoding: Option<Encoding>,
    /// What stands for a cell that holds nothing.
    pub missing: Option<Missing>,
}

/// The categories of a column.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Categories {
    /// In their order.
    Listed(Vec<Category>),
    /// With the number that stands for each.
    Coded(serde_json::Map<String, serde_json::Value>),
}

/// A category, which may look like a number.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Category {
    Name(String),
    Number(serde_json::Number),
    Truth(bool),
}

impl Category {
    fn name(&self) -> String {
        match self {
            Self::Name(name) => name.trim().to_owned(),
            Self::Number(number) => number.to_string(),
            Self::Truth(truth) => truth.to_string(),
        }
    }
}

/// How categories become numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Encoding {
    /// A position for each: 1 for the cell's own, 0 for the others.
    OneHot,
    /// One position, with the number of the category.
    Label,
}

/// What stands for a cell that holds nothing.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Missing {
    /// This number.
    Number(f64),
    /// "mean" of the column's numbers, or a category.
    Named(String),
}

/// How the cells of a column become numbers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Form {
    /// `(number - mean) / std`.
    Number { mean: f64, std: f64 },
    /// A position for each category.
    OneHot(Vec<String>),
    /// The number that stands for each category.
    Codes(Vec<(String, f64)>),
}

impl Form {
    /// A number as it is.
    pub const PLAIN: Self = Self::Number { mean: 0.0, std: 1.0 };

    /// How many positions it fills.
    pub fn width(&self) -> usize {
        match self {
            Self::OneHot(categories) => categories.len(),
            _ => 1,
        }
    }

    /// The categories, where it has some.
    pub fn categories(&self) -> Vec<String> {
        match self {
            Self::Number { .. } => Vec::new(),
            Self::OneHot(categories) => categories.clone(),
            Self::Codes(codes) => codes.iter().map(|(name, _)| name.clone()).collect(),
        }
    }
}

fn invalid(reason: String) -> Error {
    Error::PreprocessingInvalid(reason)
}

impl Columns {
    /// Reads the JSON.
    ///
    /// # Errors
    /// [`Error::PreprocessingInvalid`] with what is wrong in it.
    pub fn from_json(json: &str) -> Result<Self> {
        let read: Self = serde_json::from_str(json).map_err(|error| {
            invalid(format!(
                "the JSON of the columns is not {{\"columns\": [{{\"name\": \u{2026}}}, \u{2026}]}} as docs/tables.md has it ({error})"
            ))
        })?;
        if read.columns.is_empty() {
            return Err(invalid("the JSON of the columns names no column".into()));
        }
        for (at, column) in read.columns.iter().enumerate() {
            if read.columns[..at].iter().any(|other| other.name == column.name) {
                return Err(invalid(format!(
                    "the JSON of the columns names \u{201c}{}\u{201d} twice",
                    column.name
                )));
            }
            column.form()?;
        }
        Ok(read)
    }
}

impl Columns {
    /// The inputs that it names.
    pub(crate) fn inputs(&self) -> Vec<&str> {
        self.columns.iter().filter_map(|column| column.input.as_deref()).collect()
    }

    /// How many places its columns fill, those of other inputs among them.
    pub(crate) fn width(&self) -> usize {
        self.columns.iter().filter_map(|column| column.form().ok()).map(|form| form.width()).sum()
    }
}

impl Column {
    /// How its cells become numbers.
    pub fn form(&self) -> Result<Form> {
        let fault = |reason: &str| {
            Err(invalid(format!("the JSON of the columns, \u{201c}{}\u{201d}: {reason}", self.name)))
        };
        let (mean, std) = (self.mean.unwrap_or(0.0), self.std.unwrap_or(1.0));
        if !(mean.is_finite() && std.is_finite() && std > 0.0) {
            return fault("std has to be above 0, and mean a number");
        }
        let scaled = self.mean.is_some() || self.std.is_some();
        match (&self.categories, self.encoding) {
            (None, None) => Ok(Form::Number { mean, std }),
            (None, Some(_)) => fault("an encoding goes with categories; list them (`categories`)"),
            (Some(_), _) if scaled => fault("categories are not scaled; leave mean and std out"),
            (Some(Categories::Listed(listed)), encoding) => {
                let names: Vec<String> = listed.iter().map(Category::name).collect();
                let twice = names.iter().enumerate().any(|(at, name)| names[..at].contains(name));
                match (names.is_empty() || twice, encoding) {
                    (true, _) => fault("its categories are none, or one of them stands there twice"),
                    (false, Some(Encoding::Label)) => Ok(Form::Codes(
                        names.into_iter().enumerate().map(|(code, name)| (name, code as f64)).collect(),
                    )),
                    (false, _) => Ok(Form::OneHot(names)),
                }
            }
            (Some(Categories::Coded(_)), Some(Encoding::OneHot)) => fault(
                "categories with codes of their own are no one-hot group; list them in the order of its positions",
            ),
            (Some(Categories::Coded(codes)), _) => {
                let codes: Option<Vec<(String, f64)>> =
                    codes.iter().map(|(name, code)| Some((name.trim().to_owned(), code.as_f64()?))).collect();
                match codes.filter(|codes| !codes.is_empty()) {
                    Some(codes) => Ok(Form::Codes(codes)),
                    None => fault("the codes of its categories have to be numbers"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_numbers_groups_or_codes() {
        let read = Columns::from_json(
            r#"{"columns": [{"name": "age", "mean": 30, "std": 2}, {"name": "sex", "categories": ["f", "m"]},
                {"name": "class", "categories": [1, 2, 3], "encoding": "label"}, {"name": "size", "categories": {"S": -1, "L": 1.5}}]}"#,
        )
        .unwrap();
        let forms: Vec<Form> = read.columns.iter().map(|column| column.form().unwrap()).collect();
        assert_eq!(forms[0], Form::Number { mean: 30.0, std: 2.0 });
        assert_eq!(forms[1], Form::OneHot(vec!["f".into(), "m".into()]));
        assert_eq!(forms[2], Form::Codes(vec![("1".into(), 0.0), ("2".into(), 1.0), ("3".into(), 2.0)]));
        assert_eq!(forms[3], Form::Codes(vec![("S".into(), -1.0), ("L".into(), 1.5)]));
    }

    #[test]
    fn faults_name_the_column() {
        for (json, part) in [
            ("[]", "docs/tables.md"),
            (r#"{"columns": []}"#, "names no column"),
            (r#"{"columns": [{"name": "a"}, {"name": "a"}]}"#, "\u{201c}a\u{201d} twice"),
            (r#"{"columns": [{"name": "a", "std": 0}]}"#, "\u{201c}a\u{201d}: std has to be above 0"),
            (r#"{"columns": [{"name": "a", "encoding": "one_hot"}]}"#, "list them"),
            (r#"{"columns": [{"name": "a", "scale": 2}]}"#, "scale"),
            (r#"{"columns": [{"name": "a", "categories": {"x": "y"}}]}"#, "have to be numbers"),
            (r#"{"columns": [{"name": "a", "categories": ["x", "x"]}]}"#, "twice"),
        ] {
            let error = Columns::from_json(json).unwrap_err();
            assert_eq!(error.code(), "preprocessing_invalid");
            assert!(error.to_string().contains(part), "{error}");
        }
    }
}
