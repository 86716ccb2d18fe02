//! Tables: rows of numbers and categories under the names of their columns, and series, whose rows follow one another in time.
//!
//! A table is the text of a CSV file. What its columns are to a network says [`Columns`], or is guessed and told.

mod columns;
mod plan;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use columns::Columns;
pub(crate) use plan::{Plan, Port};

use crate::{Error, Result};

/// The most bytes of a table's file.
pub const MAX_BYTES: usize = 64 << 20;

/// Cells that hold nothing, as spreadsheets, pandas and R write them.
const MISSING: [&str; 9] = ["", "na", "n/a", "#n/a", "nan", "null", "none", "?", "-"];

/// Whether a cell holds nothing.
pub(crate) fn is_missing(cell: &str) -> bool {
    MISSING.contains(&cell.trim().to_lowercase().as_str())
}

/// Rows of cells under the names of their columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    names: Vec<String>,
    rows: Vec<csv::StringRecord>,
    /// Whether a comma stands for the decimal point, as it does where cells are separated by something else.
    decimal_comma: bool,
    /// What was made of the file, in sentences.
    notes: Vec<String>,
}

fn invalid(reason: impl Into<String>) -> Error {
    Error::InputInvalid(reason.into())
}

impl Table {
    /// Reads a CSV file with a header: UTF-8 with or without its mark, cells separated by commas, semicolons, tabs or bars, quoted where
    /// they hold one of these.
    ///
    /// # Errors
    /// [`Error::InputInvalid`] for what is no such file, in words that say what to do.
    pub fn from_csv(file: &[u8]) -> Result<Self> {
        if file.len() > MAX_BYTES {
            return Err(invalid(format!(
                "The table has {} MB, more than the {} that are read: keep the row that is explained and a few hundred rows to compare it with.",
                file.len() >> 20,
                MAX_BYTES >> 20
            )));
        }
        let text = match file {
            [0xef, 0xbb, 0xbf, text @ ..] => text,
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
                return Err(invalid("The table is UTF-16: save it as CSV in UTF-8."));
            }
            [b'P', b'K', 3, 4, ..] => {
                return Err(invalid(
                    "This is a workbook of a spreadsheet and no CSV file: save its sheet as CSV in UTF-8.",
                ));
            }
            text => text,
        };
        let text = std::str::from_utf8(text)
            .map_err(|_| invalid("The table is no text in UTF-8: save it as CSV in UTF-8."))?;
        // Excel's own line that names the separator.
        let (named, text) = match text.split_once('\n') {
            Some((first, rest)) if first.trim_end().len() == 5 && first.starts_with("sep=") => {
                (first.as_bytes().get(4).copied(), rest)
            }
            _ => (None, text),
        };
        if text.trim().is_empty() {
            return Err(invalid("The table is empty: give a header and at least one row."));
        }
        let separator = named.unwrap_or_else(|| separator(text));
        let mut records = records(text, separator)?.into_iter();
        let header = records.next().ok_or_else(|| invalid("The table is empty."))?;
        let names = named_columns(&header)?;
        let mut rows: Vec<csv::StringRecord> = Vec::new();
        for record in records {
            if record.len() != names.len() {
                return Err(invalid(format!(
                    "Line {} of the table has {} cells, and the header names {} columns; cells are separated by {}. Cells that hold one \
                     stand in quotation marks.",
                    record.position().map_or(0, csv::Position::line),
                    record.len(),
                    names.len(),
                    separator_name(separator)
                )));
            }
            rows.push(record);
        }
        if rows.is_empty() {
            return Err(invalid("The table has a header and no row: there is nothing to explain."));
        }
        let decimal_comma = separator != b',';
        let mut table = Self { names, rows, decimal_comma, notes: Vec::new() };
        if table.header_is_numbers() {
            return Err(invalid(
                "The first line of the table holds numbers: put a line with the names of the columns above it.",
            ));
        }
        let with_comma = |cell: &str| cell.contains(',') && table.number(cell).is_some();
        if decimal_comma && table.rows.iter().flatten().any(with_comma) {
            table.notes.push(format!(
                "The table's cells are separated by {}, and commas in numbers are read as decimal points.",
                separator_name(separator)
            ));
        }
        Ok(table)
    }

    /// The names of its columns.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Number of rows, the header left aside.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row; never of a table that was read.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// A cell, without spaces around it.
    pub fn cell(&self, row: usize, column: usize) -> &str {
        self.rows.get(row).and_then(|row| row.get(column)).unwrap_or_default().trim()
    }

    /// What was made of the file, in sentences.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The column called so: as it is written, else whatever its capitals and the marks in it.
    pub(crate) fn column(&self, name: &str) -> Option<usize> {
        let exact = self.names.iter().position(|own| own == name);
        exact.or_else(|| {
            let alike: Vec<usize> =
                (0..self.names.len()).filter(|&at| plain(&self.names[at]) == plain(name)).collect();
            <[usize; 1]>::try_from(alike).ok().map(|[at]| at)
        })
    }

    /// The number that a cell holds.
    pub(crate) fn number(&self, cell: &str) -> Option<f64> {
        let cell = cell.trim();
        let pointed;
        let cell = match (self.decimal_comma, cell.matches(',').count(), cell.contains('.')) {
            (true, 1, false) => {
                pointed = cell.replace(',', ".");
                &pointed
            }
            _ => cell,
        };
        // "inf" and "nan" are numbers to Rust, and none to a network.
        cell.parse::<f64>().ok().filter(|number| number.is_finite())
    }

    fn header_is_numbers(&self) -> bool {
        self.names.iter().all(|name| self.number(name).is_some())
    }
}

/// A name without what is often spelt otherwise: "Alcohol (%)" and "alcohol" stay two, "malic acid" and "Malic_acid" are one.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn separator_name(separator: u8) -> &'static str {
    match separator {
        b';' => "semicolons",
        b'\t' => "tabs",
        b'|' => "bars",
        _ => "commas",
    }
}

/// What separates the cells: that of four marks that cuts the first lines into equally many cells, and into the most; the comma where none
/// does.
fn separator(text: &str) -> u8 {
    let end = text.char_indices().filter(|(_, c)| *c == '\n').map(|(at, _)| at).nth(20).unwrap_or(text.len());
    let cells = |separator: u8| -> usize {
        let Ok(found) = records(&text[..end], separator) else { return 0 };
        let first = found.first().map_or(0, csv::StringRecord::len);
        // The last one may have been cut off within its quotes.
        let whole = found.len().saturating_sub(usize::from(end < text.len())).max(1);
        if found.iter().take(whole).all(|record| record.len() == first) { first } else { 0 }
    };
    let mut best = (b',', 1);
    for separator in [b';', b'\t', b'|', b','] {
        let count = cells(separator);
        if count > best.1 {
            best = (separator, count);
        }
    }
    best.0
}

fn records(text: &str, separator: u8) -> Result<Vec<csv::StringRecord>> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(separator)
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let fault = |error: csv::Error| invalid(format!("The table cannot be read: {error}."));
    reader.records().map(|record| record.map_err(fault)).collect()
}

/// The names of the columns; one without a name, as pandas writes its index, is called by its number.
fn named_columns(header: &csv::StringRecord) -> Result<Vec<String>> {
    let mut names: Vec<String> = Vec::new();
    for (at, name) in header.iter().enumerate() {
        let name = match name.trim() {
            "" => format!("(column {})", at + 1),
            name => name.to_owned(),
        };
        if names.contains(&name) {
            return Err(invalid(format!(
                "Two columns of the table are called \u{201c}{name}\u{201d}: give each a name of its own."
            )));
        }
        names.push(name);
    }
    Ok(names)
}

/// Whether a table is asked about as a row, or as a series of rows that follow one another in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub enum TableKind {
    /// One row: a place for each column.
    Row,
    /// Rows that follow one another: a channel for each column.
    Series,
}

/// A row of a table, or a series of its rows, that is asked about.
#[derive(Debug, Clone, PartialEq)]
pub struct TableRow {
    /// The table.
    pub table: Table,
    /// The row, from 0; of a series the first one.
    pub row: usize,
    /// What the columns are to the network; guessed where it is left out.
    pub columns: Option<Columns>,
    /// The rows to compare with; the others of the table where it is left out.
    pub background: Option<Table>,
    /// Cells of the row that hold something else, by the names of their columns.
    pub changes: BTreeMap<String, String>,
    /// Whether it is a row or a series; by the network where it is left out.
    pub kind: Option<TableKind>,
}

impl TableRow {
    /// The row of this number, from 0, of a table.
    pub fn new(table: Table, row: usize) -> Self {
        Self { table, row, columns: None, background: None, changes: BTreeMap::new(), kind: None }
    }

    /// Checks that the row and the columns that are changed are there.
    pub(crate) fn check(&self) -> Result<()> {
        if self.row >= self.table.len() {
            return Err(invalid(format!(
                "The table has the rows 0 to {}, the header left aside, and row {} is asked about (`row`).",
                self.table.len() - 1,
                self.row
            )));
        }
        for name in self.changes.keys() {
            if self.table.column(name).is_none() {
                return Err(invalid(format!(
                    "There is no column \u{201c}{name}\u{201d} that could be changed; the table has {}.",
                    listed(&self.table.names)
                )));
            }
        }
        Ok(())
    }

    /// A cell of the row that is asked about, as it was changed.
    pub(crate) fn cell(&self, column: usize) -> &str {
        let changed = self.changes.iter().find(|(name, _)| self.table.column(name) == Some(column));
        changed.map_or_else(|| self.table.cell(self.row, column), |(_, cell)| cell.trim())
    }
}

/// The first names, for a message.
pub(crate) fn listed(names: &[String]) -> String {
    const MOST: usize = 30;
    let shown: Vec<String> = names.iter().take(MOST).map(|name| format!("\u{201c}{name}\u{201d}")).collect();
    match names.len().saturating_sub(MOST) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// A column of a row that was explained, and what is known of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
#[cfg_attr(target_family = "wasm", tsify(missing_as_null))]
pub struct TableColumn {
    /// Its name.
    pub name: String,
    /// The cell.
    pub value: String,
    /// Whether it was explained; one that the network takes as whole numbers is not.
    pub explained: bool,
    /// The least number of the column in the table and the background; `null` for categories.
    pub low: Option<f64>,
    /// The greatest.
    pub high: Option<f64>,
    /// The mean of the rows that it is compared with.
    pub mean: Option<f64>,
    /// Whether all of its numbers are whole.
    pub whole: bool,
    /// The categories that it may hold; empty for numbers.
    pub categories: Vec<String>,
}

/// A row that was explained.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct TableView {
    /// Its number, from 0.
    pub row: usize,
    /// Number of rows that it was compared with.
    pub background: usize,
    /// The columns that the network takes.
    pub columns: Vec<TableColumn>,
}

/// A series that was explained.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct SeriesView {
    /// The names of its channels.
    pub channels: Vec<String>,
    /// The number of its first row, from 0.
    pub row: usize,
    /// The values of each channel, as the table has them.
    pub values: Vec<Vec<f32>>,
    /// What they counted for: as many rows as there are channels, or one of all of them.
    pub map: Vec<Vec<f32>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Table {
        Table::from_csv(text.as_bytes()).unwrap()
    }

    fn fault(text: impl AsRef<[u8]>) -> String {
        Table::from_csv(text.as_ref()).unwrap_err().to_string()
    }

    #[test]
    fn separators_are_found_and_decimal_commas_read() {
        for text in [
            "a,b\n1.5,2\n",
            "\u{feff}a,b\r\n1.5,2\r\n",
            "a;b\n1,5;2\n",
            "a\tb\n1,5\t2",
            "sep=;\r\na;b\r\n1,5;2\r\n",
            "a|b\n1.5|2\n",
        ] {
            let read = table(text);
            assert_eq!(read.names(), ["a", "b"], "{text:?}");
            assert_eq!(read.number(read.cell(0, 0)), Some(1.5), "{text:?}");
            assert_eq!(read.number(read.cell(0, 1)), Some(2.0), "{text:?}");
        }
        assert!(table("a;b\n1,5;2\n").notes()[0].contains("decimal points"));
        // Without a comma in a number there is nothing to tell.
        assert!(table("a;b\n1;2\n").notes().is_empty());
        // A separator that is part of a cell stands in quotes.
        let read = table("name,\"size, cm\"\n\"a, b\",\"3\"\n");
        assert_eq!((read.names()[1].as_str(), read.cell(0, 0)), ("size, cm", "a, b"));
        assert_eq!(table("a\n1\n2\n").len(), 2);
    }

    #[test]
    fn thousands_are_not_guessed() {
        let read = table("a,b\n\"1,234\",1 234\n");
        assert_eq!((read.number(read.cell(0, 0)), read.number(read.cell(0, 1))), (None, None));
        assert_eq!(table("a;b\n1.234,5;inf\n").number("1.234,5"), None);
        assert_eq!(read.number("inf"), None);
        assert_eq!(read.number("-1e-3"), Some(-1e-3));
    }

    #[test]
    fn what_is_no_table_is_told() {
        assert!(fault("").contains("empty"));
        assert!(fault("a,b\n").contains("no row"));
        assert!(fault("1,2\n3,4\n").contains("names of the columns"));
        assert!(fault("a,a\n3,4\n").contains("a name of its own"));
        assert!(fault("a,b\n3,4\n5\n").contains("Line 3 of the table has 1 cells"));
        assert!(fault(b"PK\x03\x04rest").contains("workbook"));
        assert!(fault(b"\xff\xfea\0").contains("UTF-16"));
        assert!(fault(b"a,b\n\xe4,1\n").contains("UTF-8"));
    }

    #[test]
    fn a_row_and_its_changes_have_to_be_there() {
        let mut row = TableRow::new(table("a,Malic acid\n1,2\n3,4\n"), 1);
        row.changes = BTreeMap::from([("malic_acid".into(), "9".into())]);
        row.check().unwrap();
        assert_eq!((row.cell(0), row.cell(1)), ("3", "9"));
        row.row = 2;
        assert!(row.check().unwrap_err().to_string().contains("the rows 0 to 1"));
        row.row = 0;
        row.changes = BTreeMap::from([("c".into(), "9".into())]);
        assert!(row.check().unwrap_err().to_string().contains("no column \u{201c}c\u{201d}"));
    }
}
