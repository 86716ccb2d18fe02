//! Tables of comma-separated values (RFC 4180), one record a line.

use std::fmt::Write;

/// A record as a line, with a line break at its end. Line breaks inside a field become spaces, so that a file that was
/// cut off can be read up to its last whole line.
pub fn line<S: AsRef<str>>(fields: &[S]) -> String {
    let mut line = String::new();
    for (i, field) in fields.iter().enumerate() {
        if i > 0 {
            line.push(',');
        }
        let field = field.as_ref().replace(['\n', '\r'], " ");
        if field.contains([',', '"']) {
            // Writing to a String cannot fail.
            let _ = write!(line, "\"{}\"", field.replace('"', "\"\""));
        } else {
            line.push_str(&field);
        }
    }
    line.push('\n');
    line
}

/// The fields of a line; `None` where a quotation does not end.
pub fn fields(line: &str) -> Option<Vec<String>> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut characters = line.trim_end_matches(['\n', '\r']).chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                fields.last_mut()?.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            other => fields.last_mut()?.push(other),
        }
    }
    (!quoted).then_some(fields)
}

/// A table with named columns.
pub struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Reads a table whose first line names its columns; rows of another length than the header are left out.
    pub fn read(text: &str) -> Self {
        let mut lines = text.lines().filter_map(fields);
        let header = lines.next().unwrap_or_default();
        let rows = lines.filter(|row| row.len() == header.len()).collect();
        Self { header, rows }
    }

    /// The names of the columns.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// The rows, without the header.
    pub fn rows(&self) -> &[Vec<String>] {
        &self.rows
    }

    /// Where the column called `name` stands.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|column| column == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_back_as_they_went() {
        let record = ["plain", "with, comma", "with \"quotes\"", "", "a\nb"];
        let written = line(&record);
        assert_eq!(written.matches('\n').count(), 1);
        assert_eq!(fields(&written).unwrap(), ["plain", "with, comma", "with \"quotes\"", "", "a b"]);
        assert_eq!(fields("\"cut o"), None);
    }

    #[test]
    fn a_line_that_was_cut_off_is_left_out() {
        let table = Table::read("a,b\n1,2\n3");
        assert_eq!(table.rows(), [["1", "2"]]);
        assert_eq!(table.column("b"), Some(1));
    }
}
