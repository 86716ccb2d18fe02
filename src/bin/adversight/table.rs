//! Tables of comma-separated values (RFC 4180). A row that cannot be read is an error with its line, never left out.

use std::path::Path;

use serde::{Serialize, de::DeserializeOwned};

use crate::{CliResult, say};
use adversight::Error;

/// Reads a table whose first line names its columns, and gives each row with its line. Columns that `Row` does not name are passed over.
pub fn read<Row: DeserializeOwned>(text: &str, path: &Path, columns: &[&str]) -> CliResult<Vec<(u64, Row)>> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| fault(path, text, &error, None))?.clone();
    if columns.iter().any(|column| !header.iter().any(|name| name == *column)) {
        return Err(format!("{} needs the columns {}.", path.display(), listed(columns)));
    }
    let mut record = csv::StringRecord::new();
    let mut rows = Vec::new();
    loop {
        let read = reader.read_record(&mut record).map_err(|error| fault(path, text, &error, None))?;
        if !read {
            return Ok(rows);
        }
        let line = record.position().map_or(0, |position| line_at(text, position));
        let row = record.deserialize(Some(&header));
        rows.push((line, row.map_err(|error| fault(path, text, &error, Some((&header, &record))))?));
    }
}

/// A row as text, with the line break at its end.
pub fn written(row: &impl Serialize) -> CliResult<String> {
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    let fault = |error: String| say(Error::Internal(format!("a row cannot be written: {error}")));
    writer.serialize(row).map_err(|error| fault(error.to_string()))?;
    let bytes = writer.into_inner().map_err(|error| fault(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| fault(error.to_string()))
}

/// What is wrong in which line and column, of which value.
fn fault(
    path: &Path,
    text: &str,
    error: &csv::Error,
    found: Option<(&csv::StringRecord, &csv::StringRecord)>,
) -> String {
    let line = error.position().map(|position| line_at(text, position));
    let what = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("the row has {len} fields and the header {expected_len}")
        }
        csv::ErrorKind::Deserialize { err, .. } => {
            let cell = found.and_then(|(header, record)| {
                let at = usize::try_from(err.field()?).ok()?;
                Some(format!("\"{}\" in the column {}: ", record.get(at)?, header.get(at)?))
            });
            format!("{}{}", cell.unwrap_or_default(), err.kind())
        }
        csv::ErrorKind::Utf8 { .. } => "the row is no UTF-8".into(),
        _ => error.to_string(),
    };
    match line {
        Some(line) => format!("{}, line {line}: {what}. Mend the row or take it out.", path.display()),
        None => format!("{}: {what}.", path.display()),
    }
}

/// The line in which a row begins: the reader counts the empty ones before it as its own.
fn line_at(text: &str, position: &csv::Position) -> u64 {
    let rest = text.as_bytes().get(position.byte() as usize..).unwrap_or_default();
    let empty = rest.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).filter(|&&byte| byte == b'\n');
    position.line() + empty.count() as u64
}

fn listed(columns: &[&str]) -> String {
    match columns {
        [others @ .., last] if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        _ => columns.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize, Serialize)]
    struct Row {
        name: String,
        number: Option<u32>,
    }

    fn rows(text: &str) -> CliResult<Vec<(u64, Row)>> {
        read(text, Path::new("table.csv"), &["name", "number"])
    }

    fn row(name: &str, number: Option<u32>) -> Row {
        Row { name: name.into(), number }
    }

    #[test]
    fn rows_come_back_as_they_went() {
        for name in ["plain", "with, comma", "with \"quotes\"", "", "of two\nlines", "é"] {
            for number in [None, Some(3)] {
                let text = format!("name,number\n{}", written(&row(name, number)).unwrap());
                assert_eq!(rows(&text).unwrap(), [(2, row(name, number))], "{text}");
            }
        }
    }

    #[test]
    fn a_table_may_have_other_columns_line_ends_and_a_byte_order_mark() {
        let text = "\u{feff}number,other, name \r\n1,x,a\r\n\r\n,\"y\r\nz\",b";
        assert_eq!(rows(text).unwrap(), [(2, row("a", Some(1))), (4, row("b", None))]);
    }

    #[test]
    fn what_cannot_be_read_is_an_error_with_its_line() {
        for (text, said) in [
            ("name\na\n", "table.csv needs the columns name and number."),
            ("", "table.csv needs the columns"),
            ("name,number\na,1\nb\n", "table.csv, line 3: the row has 1 fields and the header 2"),
            ("name,number\na,1,2\n", "table.csv, line 2: the row has 3 fields"),
            ("name,number\na,1\n\nb,one\n", "line 4: \"one\" in the column number: invalid digit"),
            ("name,number\na,-1\n", "line 2: \"-1\" in the column number"),
            // A quotation that does not end takes the rest of the file with it.
            ("name,number\n\"a,1\nb,2\n", "line 2: the row has 1 fields"),
            ("name,number\na,\"1\nb,2\n", "line 2: \"1\nb,2\n\" in the column number"),
        ] {
            let error = rows(text).unwrap_err();
            assert!(error.contains(said), "{text:?}: {error}");
        }
    }
}
