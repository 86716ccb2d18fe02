//! Which column of a table fills which places of a network's inputs, and the numbers of a row.

use std::ops::Range;

use super::{
    Table,
    columns::{Column, Columns, Form, Missing},
    is_missing, listed, plain,
};
use crate::{Error, Result};

/// An input of a network that columns may fill.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Port {
    /// Its name in the file.
    pub name: String,
    /// Values of one sample.
    pub features: usize,
    /// Whether it is explained.
    pub explained: bool,
}

/// A column and the places that it fills.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Placed {
    /// Its name.
    pub name: String,
    /// Its number in the table.
    pub column: usize,
    /// The number of the input.
    pub port: usize,
    /// The places in that.
    pub range: Range<usize>,
    /// How its cells become numbers.
    pub form: Form,
    missing: Option<Missing>,
}

/// Which column fills what.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    /// The columns in the order of the JSON, or of the table.
    pub placed: Vec<Placed>,
    /// What was guessed, or left aside, in sentences.
    pub notes: Vec<String>,
}

/// Names of columns that number or label rows, and are no features.
const NUMBERS: [&str; 6] = ["id", "index", "row", "rowid", "unnamed0", "rownames"];
const ANSWERS: [&str; 10] =
    ["target", "class", "label", "y", "outcome", "response", "diagnosis", "species", "output", "targetname"];
/// Names of columns that say when.
const TIMES: [&str; 9] = ["t", "time", "timestamp", "date", "datetime", "seconds", "step", "ms", "times"];

fn invalid(reason: String) -> Error {
    Error::InputInvalid(reason)
}

/// How to end a sentence that something does not fit by itself.
const SAY: &str =
    "Say which column is what by a JSON (`columns`, on the command line `--columns`; docs/tables.md).";

impl Plan {
    /// The plan for a table: as `columns` says, or guessed.
    ///
    /// # Errors
    /// [`Error::InputInvalid`] where the columns do not fit the inputs, [`Error::PreprocessingInvalid`] where the JSON names what is not there.
    pub fn new(table: &Table, columns: Option<&Columns>, ports: &[Port]) -> Result<Self> {
        match columns {
            Some(columns) => Self::declared(table, columns, ports),
            None => Self::guessed(table, ports),
        }
    }

    fn declared(table: &Table, columns: &Columns, ports: &[Port]) -> Result<Self> {
        let fault = |column: &Column, reason: String| {
            Error::PreprocessingInvalid(format!(
                "the JSON of the columns, \u{201c}{}\u{201d}: {reason}",
                column.name
            ))
        };
        let explained: Vec<usize> = (0..ports.len()).filter(|&port| ports[port].explained).collect();
        let mut next = vec![0; ports.len()];
        let mut placed: Vec<Placed> = Vec::new();
        for column in &columns.columns {
            let number = table.column(&column.name).ok_or_else(|| {
                fault(column, format!("the table has no such column, but {}", listed(table.names())))
            })?;
            let names = || ports.iter().map(|port| port.name.clone()).collect::<Vec<_>>();
            let port = match (&column.input, explained.as_slice()) {
                (Some(name), _) => ports.iter().position(|port| port.name == *name).ok_or_else(|| {
                    fault(
                        column,
                        format!("the network has no input \u{201c}{name}\u{201d}, but {}", listed(&names())),
                    )
                })?,
                (None, &[only]) => only,
                // A network with an input for each column.
                (None, _) => ports
                    .iter()
                    .position(|port| plain(&port.name) == plain(&column.name))
                    .ok_or_else(|| {
                        fault(
                            column,
                            format!("name the input that it goes into (`input`): {}", listed(&names())),
                        )
                    })?,
            };
            let form = column.form()?;
            let start = column.at.unwrap_or(next[port]);
            let range = start..start.saturating_add(form.width());
            next[port] = range.end;
            let features = ports[port].features;
            if range.end > features {
                return Err(fault(
                    column,
                    format!(
                        "it fills the places {start} to {} of \u{201c}{}\u{201d}, which has {features} (from 0)",
                        range.end - 1,
                        ports[port].name
                    ),
                ));
            }
            if let Some(other) = placed.iter().find(|other| {
                other.port == port && other.range.start < range.end && range.start < other.range.end
            }) {
                return Err(fault(
                    column,
                    format!("it fills a place that \u{201c}{}\u{201d} fills, too", other.name),
                ));
            }
            let name = table.names()[number].clone();
            placed.push(Placed { name, column: number, port, range, form, missing: column.missing.clone() });
        }
        for (number, port) in ports.iter().enumerate() {
            let own: Vec<&Placed> = placed.iter().filter(|placed| placed.port == number).collect();
            let open = (0..port.features).find(|at| !own.iter().any(|placed| placed.range.contains(at)));
            if let Some(open) = open.filter(|_| port.explained || !own.is_empty()) {
                return Err(Error::PreprocessingInvalid(format!(
                    "no column of the JSON fills place {open} of the network\u{2019}s input \u{201c}{}\u{201d}, which has {} (from 0)",
                    port.name, port.features
                )));
            }
        }
        let unused: Vec<String> = (0..table.names().len())
            .filter(|column| !placed.iter().any(|placed| placed.column == *column))
            .map(|column| table.names()[column].clone())
            .collect();
        let notes = match unused.len() {
            0 => Vec::new(),
            _ => vec![format!("The network is not given {}, which the JSON does not name.", listed(&unused))],
        };
        Ok(Self { placed, notes })
    }

    fn guessed(table: &Table, ports: &[Port]) -> Result<Self> {
        let explained: Vec<usize> = (0..ports.len()).filter(|&port| ports[port].explained).collect();
        let by_name = |port: &Port| {
            table.names().iter().position(|name| *name == port.name).or_else(|| {
                table
                    .names()
                    .iter()
                    .position(|name| plain(name) == plain(&port.name) && !plain(name).is_empty())
            })
        };
        let single = |port: usize, column: usize| Placed {
            name: table.names()[column].clone(),
            column,
            port,
            range: 0..1,
            form: Form::PLAIN,
            missing: None,
        };
        // Inputs beside, as of a network with an input for each column.
        let beside: Vec<Placed> = (0..ports.len())
            .filter(|&port| ports[port].features == 1 && (!ports[port].explained || explained.len() > 1))
            .filter_map(|port| Some(single(port, by_name(&ports[port])?)))
            .collect();
        if explained.len() != 1 {
            if let Some(&port) =
                explained.iter().find(|&&port| !beside.iter().any(|placed| placed.port == port))
            {
                return Err(invalid(format!(
                    "The table has no column \u{201c}{}\u{201d} for the network\u{2019}s input of that name, but {}. {SAY}",
                    ports[port].name,
                    listed(table.names())
                )));
            }
            let note = "Each column goes into the network\u{2019}s input of its name, as it is (a guess, which `columns` changes).";
            return Ok(Self { placed: beside, notes: vec![note.into()] });
        }
        let port = explained[0];
        let features = ports[port].features;
        let open: Vec<usize> = (0..table.names().len())
            .filter(|column| !beside.iter().any(|placed| placed.column == *column))
            .collect();
        let (chosen, left) = fitting(table, &open, features, &NUMBERS, &ANSWERS).ok_or_else(|| {
            invalid(format!(
                "The table has {} columns ({}), and the network\u{2019}s input \u{201c}{}\u{201d} takes {features} numbers. {SAY}",
                open.len(),
                listed(table.names()),
                ports[port].name
            ))
        })?;
        let mut notes = Vec::new();
        notes.push(match left.len() {
            0 => format!(
                "The {features} columns are taken for the network\u{2019}s {features} features in their order, as they are (a guess, which \
                 `columns` changes)."
            ),
            _ => format!(
                "The columns but {} are taken for the network\u{2019}s {features} features in their order, as they are (a guess, which `columns` \
                 changes).",
                listed(&left.iter().map(|&column| table.names()[column].clone()).collect::<Vec<_>>())
            ),
        });
        let mut placed: Vec<Placed> = chosen
            .into_iter()
            .enumerate()
            .map(|(at, column)| Placed { range: at..at + 1, ..single(port, column) })
            .collect();
        placed.extend(beside);
        Ok(Self { placed, notes })
    }

    /// The plan of a series: the columns are channels.
    ///
    /// # Errors
    /// Those of [`Plan::new`].
    pub fn of_channels(
        table: &Table,
        columns: Option<&Columns>,
        channels: usize,
        input: &str,
    ) -> Result<Self> {
        let port = Port { name: input.to_owned(), features: channels, explained: true };
        if columns.is_some() {
            let plan = Self::declared(table, columns.unwrap_or(&Columns { columns: Vec::new() }), &[port])?;
            if let Some(placed) = plan.placed.iter().find(|placed| placed.form.width() != 1) {
                return Err(Error::PreprocessingInvalid(format!(
                    "the JSON of the columns, \u{201c}{}\u{201d}: a channel of a series holds numbers or labels, and no one-hot group",
                    placed.name
                )));
            }
            return Ok(plan);
        }
        let all: Vec<usize> = (0..table.names().len()).collect();
        let (chosen, left) = fitting(table, &all, channels, &TIMES, &NUMBERS).ok_or_else(|| {
            invalid(format!(
                "The table has {} columns ({}), and the series that the network takes have {channels} channels. {SAY}",
                all.len(),
                listed(table.names())
            ))
        })?;
        let names = |columns: &[usize]| {
            listed(&columns.iter().map(|&column| table.names()[column].clone()).collect::<Vec<_>>())
        };
        let but = if left.is_empty() { String::new() } else { format!(" without {}", names(&left)) };
        let note = format!(
            "The columns{but} are taken for the network\u{2019}s channels in their order, as they are (a guess, which `columns` changes)."
        );
        let placed = chosen
            .into_iter()
            .enumerate()
            .map(|(at, column)| Placed {
                name: table.names()[column].clone(),
                column,
                port: 0,
                range: at..at + 1,
                form: Form::PLAIN,
                missing: None,
            })
            .collect();
        Ok(Self { placed, notes: vec![note] })
    }

    /// The numbers that a column's cell becomes. `cell` is of a row that is called `row`.
    ///
    /// # Errors
    /// [`Error::InputInvalid`] for a cell that is no number or no known category.
    pub fn numbers(&self, placed: &Placed, table: &Table, cell: &str, row: usize) -> Result<Vec<f32>> {
        let fault =
            |reason: String| invalid(format!("Row {row}, column \u{201c}{}\u{201d}: {reason}", placed.name));
        let known = |name: &str| placed.form.categories().iter().any(|category| same(table, category, name));
        let filled;
        let cell = match (&placed.missing, is_missing(cell) && !known(cell)) {
            (_, false) => cell,
            (None, true) => {
                return Err(fault(
                    "there is nothing in the cell. Write a value, or say what stands for a missing one (`\"missing\": 0`, or `\"mean\"`) in the \
                     JSON of the columns (`columns`; docs/tables.md)."
                        .into(),
                ));
            }
            (Some(Missing::Number(number)), true) => {
                filled = number.to_string();
                return self.encoded(placed, table, &filled, Some(*number)).map_err(fault);
            }
            (Some(Missing::Named(name)), true)
                if name == "mean" && matches!(placed.form, Form::Number { .. }) =>
            {
                let mean = mean(table, placed.column).ok_or_else(|| {
                    fault("no cell of the column holds a number whose mean could be taken.".into())
                })?;
                return self.encoded(placed, table, "", Some(mean)).map_err(fault);
            }
            (Some(Missing::Named(name)), true) => name.as_str(),
        };
        let number = table.number(cell);
        self.encoded(placed, table, cell, number).map_err(fault)
    }

    fn encoded(
        &self,
        placed: &Placed,
        table: &Table,
        cell: &str,
        number: Option<f64>,
    ) -> std::result::Result<Vec<f32>, String> {
        let unknown = || {
            format!(
                "\u{201c}{cell}\u{201d} is none of its categories: {}.",
                listed(&placed.form.categories())
            )
        };
        match &placed.form {
            Form::Number { mean, std } => match number {
                Some(number) => Ok(vec![((number - mean) / std) as f32]),
                None => Err(format!(
                    "\u{201c}{cell}\u{201d} is no number{}. If it is a category, list all of them (`categories`) in the JSON of the columns \
                     (`columns`; docs/tables.md).",
                    if cell.contains(',') {
                        " (thousands are written without a mark between them)"
                    } else {
                        ""
                    }
                )),
            },
            Form::OneHot(categories) => {
                let own =
                    categories.iter().position(|category| same(table, category, cell)).ok_or_else(unknown)?;
                Ok((0..categories.len()).map(|at| f32::from(u8::from(at == own))).collect())
            }
            Form::Codes(codes) => {
                let own =
                    codes.iter().find(|(category, _)| same(table, category, cell)).ok_or_else(unknown)?;
                Ok(vec![own.1 as f32])
            }
        }
    }

    /// The values of every input for a row, by the inputs' numbers; `cell` gives the cell of a column.
    ///
    /// # Errors
    /// Those of [`Plan::numbers`].
    pub fn row<'c>(
        &self,
        table: &Table,
        row: usize,
        ports: &[Port],
        cell: impl Fn(usize) -> &'c str,
    ) -> Result<Vec<Vec<f32>>> {
        let mut values: Vec<Vec<f32>> = ports.iter().map(|port| vec![0.0; port.features]).collect();
        for placed in &self.placed {
            let numbers = self.numbers(placed, table, cell(placed.column), row)?;
            if let Some(into) =
                values.get_mut(placed.port).and_then(|values| values.get_mut(placed.range.clone()))
            {
                into.copy_from_slice(&numbers);
            }
        }
        Ok(values)
    }

    /// The same plan for another table with the same columns.
    ///
    /// # Errors
    /// [`Error::InputInvalid`] where it lacks one.
    pub fn for_table(&self, table: &Table) -> Result<Self> {
        let mut plan = self.clone();
        for placed in &mut plan.placed {
            placed.column = table.column(&placed.name).ok_or_else(|| {
                invalid(format!(
                    "The rows to compare with (`background`) have no column \u{201c}{}\u{201d}, but {}.",
                    placed.name,
                    listed(table.names())
                ))
            })?;
        }
        Ok(plan)
    }
}

/// Whether a cell holds a category: by its letters, or as the same number.
fn same(table: &Table, category: &str, cell: &str) -> bool {
    category == cell.trim()
        || matches!((category.parse::<f64>().ok(), table.number(cell)), (Some(a), Some(b)) if a == b)
}

/// The mean of the column's numbers.
pub(super) fn mean(table: &Table, column: usize) -> Option<f64> {
    let numbers: Vec<f64> =
        (0..table.len()).filter_map(|row| table.number(table.cell(row, column))).collect();
    (!numbers.is_empty()).then(|| numbers.iter().sum::<f64>() / numbers.len() as f64)
}

/// As many of the columns as there are features: all of them, or all but those that by their names number rows or say the answer, or but
/// those of texts. Also those that are left aside.
fn fitting(
    table: &Table,
    columns: &[usize],
    features: usize,
    first: &[&str],
    then: &[&str],
) -> Option<(Vec<usize>, Vec<usize>)> {
    let is_called = |column: usize, names: &[&str]| {
        let name = &table.names()[column];
        names.contains(&plain(name).as_str()) || name.starts_with("(column ")
    };
    let is_text = |column: usize| (0..table.len()).all(|row| table.number(table.cell(row, column)).is_none());
    let without = |drops: &dyn Fn(usize) -> bool| -> Option<(Vec<usize>, Vec<usize>)> {
        let (left, kept): (Vec<usize>, Vec<usize>) = columns.iter().partition(|&&column| drops(column));
        (kept.len() == features).then_some((kept, left))
    };
    without(&|_| false)
        .or_else(|| without(&|column| is_called(column, then)))
        .or_else(|| without(&|column| is_called(column, first)))
        .or_else(|| without(&|column| is_called(column, first) || is_called(column, then)))
        .or_else(|| without(&is_text))
        .or_else(|| without(&|column| is_text(column) || is_called(column, first) || is_called(column, then)))
}

#[cfg(test)]
mod tests {
    use super::{super::TableRow, *};

    fn table(text: &str) -> Table {
        Table::from_csv(text.as_bytes()).unwrap()
    }

    fn asked(row: &TableRow, plan: &Plan, ports: &[Port]) -> Result<Vec<Vec<f32>>> {
        plan.row(&row.table, row.row, ports, |column| row.cell(column))
    }

    fn port(name: &str, features: usize, explained: bool) -> Port {
        Port { name: name.into(), features, explained }
    }

    fn columns(json: &str) -> Columns {
        Columns::from_json(json).unwrap()
    }

    #[test]
    fn columns_in_order_are_features_where_they_fit() {
        let ports = [port("x", 2, true)];
        for (text, names) in [
            ("a,b\n1,2\n", ["a", "b"]),
            ("a,b,target\n1,2,0\n", ["a", "b"]),
            ("id,a,b\n7,1,2\n", ["a", "b"]),
            (",a,b,Species\n7,1,2,setosa\n", ["a", "b"]),
            ("who,a,b\nAnn,1,2\n", ["a", "b"]),
        ] {
            let table = table(text);
            let plan = Plan::new(&table, None, &ports).unwrap();
            let found: Vec<&str> = plan.placed.iter().map(|placed| placed.name.as_str()).collect();
            assert_eq!(found, names, "{text}");
            assert!(plan.notes[0].contains("a guess"), "{:?}", plan.notes);
            assert_eq!(asked(&TableRow::new(table, 0), &plan, &ports).unwrap(), [[1.0, 2.0]]);
        }
        let error = Plan::new(&table("a,b,c\n1,2,3\n"), None, &ports).unwrap_err().to_string();
        assert!(error.contains("takes 2 numbers") && error.contains("--columns"), "{error}");
    }

    #[test]
    fn an_input_for_each_column_goes_by_names() {
        let table = table("Malic acid,alcohol\n1,2\n");
        let ports = [port("alcohol", 1, true), port("malic_acid", 1, true)];
        let plan = Plan::new(&table, None, &ports).unwrap();
        assert_eq!(asked(&TableRow::new(table.clone(), 0), &plan, &ports).unwrap(), [[2.0], [1.0]]);
        let error = Plan::new(&table, None, &[port("ash", 1, true), port("alcohol", 1, true)]).unwrap_err();
        assert!(error.to_string().contains("no column \u{201c}ash\u{201d}"), "{error}");
    }

    #[test]
    fn groups_codes_and_scales_are_as_declared() {
        let table = table("sex,age,class,fare\nm,40,third,1.5\nf,,first,NA\n");
        let ports = [port("x", 5, true), port("class", 1, false)];
        let declared = columns(
            r#"{"columns": [{"name": "age", "at": 2, "mean": 30, "std": 5, "missing": "mean"}, {"name": "sex", "at": 0, "categories": ["f", "m"]},
                {"name": "fare", "at": 3, "categories": {"1.50": 7}, "missing": "1.50"},
                {"name": "class", "input": "class", "categories": ["first", "second", "third"], "encoding": "label"}]}"#,
        );
        let error = Plan::new(&table, Some(&declared), &ports).unwrap_err().to_string();
        assert!(error.contains("fills place 4"), "{error}");
        let ports = [port("x", 4, true), port("class", 1, false)];
        let plan = Plan::new(&table, Some(&declared), &ports).unwrap();
        let row = |number| asked(&TableRow::new(table.clone(), number), &plan, &ports).unwrap();
        assert_eq!(row(0), [vec![0.0, 1.0, 2.0, 7.0], vec![2.0]]);
        // The mean of the column is 40, and what is missing has a category of its own.
        assert_eq!(row(1), [vec![1.0, 0.0, 2.0, 7.0], vec![0.0]]);
    }

    #[test]
    fn cells_that_do_not_fit_are_told_with_what_to_do() {
        let table = table("sex,age\nx,40\nm,old\nm,\n");
        let ports = [port("x", 3, true)];
        let declared =
            columns(r#"{"columns": [{"name": "age"}, {"name": "sex", "categories": ["f", "m"]}]}"#);
        let plan = Plan::new(&table, Some(&declared), &ports).unwrap();
        let fault = |row| asked(&TableRow::new(table.clone(), row), &plan, &ports).unwrap_err().to_string();
        assert!(
            fault(0).contains("none of its categories: \u{201c}f\u{201d}, \u{201c}m\u{201d}"),
            "{}",
            fault(0)
        );
        assert!(
            fault(1).contains("Row 1, column \u{201c}age\u{201d}: \u{201c}old\u{201d} is no number"),
            "{}",
            fault(1)
        );
        assert!(fault(2).contains("missing"), "{}", fault(2));
    }

    #[test]
    fn a_json_that_does_not_fit_is_told() {
        let table = table("a,b\n1,2\n");
        let ports = [port("x", 2, true), port("z", 1, false)];
        for (json, part) in [
            (r#"{"columns": [{"name": "c"}]}"#, "no such column, but \u{201c}a\u{201d}"),
            (r#"{"columns": [{"name": "a", "input": "w"}]}"#, "no input \u{201c}w\u{201d}"),
            (r#"{"columns": [{"name": "a", "at": 2}]}"#, "which has 2"),
            (r#"{"columns": [{"name": "a"}, {"name": "b", "at": 0}]}"#, "that \u{201c}a\u{201d} fills, too"),
            (r#"{"columns": [{"name": "a"}]}"#, "fills place 1"),
        ] {
            let error = Plan::new(&table, Some(&columns(json)), &ports).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn times_are_no_channels() {
        let plan = Plan::of_channels(&table("time,a,b\n0,1,2\n"), None, 2, "x").unwrap();
        assert_eq!(plan.placed.iter().map(|placed| placed.column).collect::<Vec<_>>(), [1, 2]);
        assert!(plan.notes[0].contains("without \u{201c}time\u{201d}"), "{:?}", plan.notes);
        assert!(Plan::of_channels(&table("a,b,c\n0,1,2\n"), None, 2, "x").is_err());
    }
}
