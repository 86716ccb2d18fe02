//! What methods know of a table: the columns that a row's features are of, which are hidden and judged as wholes, and the rows to compare
//! with; of a series its channels and its stretches of time.

use std::collections::BTreeMap;

use super::{
    Segmentation,
    written::{place_values, scored},
};
use crate::{
    Error, HostTensor, HostValue, Model, Result,
    input::{
        layout::{Layout, Places},
        parts::{Joined, Part},
        table::{Plan, Port, SeriesView, Table, TableColumn, TableKind, TableRow, TableView},
    },
    segment::{self, Segments},
};

/// The most rows that scores are averaged over: more change little, and each costs a pass.
pub(crate) const MOST_ROWS: usize = 100;
/// Stretches of time that a series is told by, and that are hidden where nobody asks for more.
const WINDOWS: usize = 20;

/// The rows that a row is compared with.
#[derive(Debug)]
pub(crate) struct Background {
    /// The explained values of some of them, a sample each.
    pub rows: HostTensor,
    /// Their mean, of all of them.
    pub mean: HostTensor,
    /// How many there are.
    pub count: usize,
    /// What they are called: "the 177 other rows of the table".
    words: String,
    /// What the mean is called, where it is none of rows.
    named: Option<&'static str>,
}

/// A row or a series that is explained.
#[derive(Debug)]
pub(crate) struct Tabled {
    /// Which of the two.
    pub kind: TableKind,
    /// The number of the column of each feature, among those that are explained; of a series that of each stretch of time.
    pub labels: Vec<u32>,
    /// The columns; the scores are 0. None of a series.
    parts: Vec<Part>,
    /// What it is compared with.
    pub background: Option<Background>,
    /// What was guessed or left aside.
    pub notes: Vec<String>,
    /// The row, or the first of the series.
    row: usize,
    columns: Vec<TableColumn>,
    /// Of a series, the cells of each channel.
    values: Vec<Vec<f32>>,
}

/// A row or series, the values of other inputs that its columns give, and that of the explained one.
pub(crate) type Taken = (Tabled, BTreeMap<String, HostValue>, HostTensor);

/// The inputs that columns may fill: the explained ones first, in the order of the explained row.
fn ports(model: &Model) -> Result<Vec<(Port, Vec<usize>, String)>> {
    let info = model.info();
    let mut ports = Vec::new();
    let port =
        |name: &str, features: usize, explained: bool| Port { name: name.to_owned(), features, explained };
    match model.joint() {
        Some(joint) => {
            for (name, range) in joint.ranges() {
                ports.push((port(name, range.len(), true), Vec::new(), String::new()));
            }
        }
        None => {
            let features = model.sample_shape()?.iter().product();
            ports.push((port(&info.input.name, features, true), Vec::new(), String::new()));
        }
    }
    for input in &info.inputs {
        let known: Option<Vec<usize>> = input.shape.iter().skip(1).copied().collect();
        let explained = ports.iter().any(|(port, ..)| port.explained && port.name == input.name);
        if let (false, false, Some(sizes)) = (explained, input.element_type.contains("string"), known) {
            let shape: Vec<usize> = std::iter::once(1).chain(sizes).collect();
            let features = shape.iter().product();
            ports.push((port(&input.name, features, false), shape, input.element_type.clone()));
        }
    }
    Ok(ports)
}

impl Tabled {
    /// Takes a row, or a series, for the inputs of a network.
    ///
    /// # Errors
    /// [`Error::InputInvalid`] where they do not fit, and those of [`Plan`].
    pub fn new(model: &Model, asked: &TableRow) -> Result<Taken> {
        asked.check()?;
        if model.explains_a_node() {
            return Err(Error::InputInvalid(
                "Of a table the network\u{2019}s input is explained, and no node inside of it: leave `at` out.".into(),
            ));
        }
        let places = model.places()?;
        let sample = model.sample_shape()?;
        match asked.kind.unwrap_or_else(|| kind(&sample, &asked.table)) {
            TableKind::Row => Self::of_row(model, asked, &places, &sample),
            TableKind::Series => Self::of_series(model, asked, &places, &sample),
        }
    }

    fn of_row(model: &Model, asked: &TableRow, places: &Places, sample: &[usize]) -> Result<Taken> {
        let all = ports(model)?;
        let ports: Vec<Port> = all.iter().map(|(port, ..)| port.clone()).collect();
        let features: usize = sample.iter().product();
        if places.count() != features {
            return Err(Error::InputInvalid(format!(
                "The network\u{2019}s input of shape {sample:?} is taken for {}, and a row of a table has features alone: load it with the \
                 layout \"values\", or give a series of rows (kind \"series\").",
                places.layout.axes()
            )));
        }
        let plan = Plan::new(&asked.table, asked.columns.as_ref(), &ports)?;
        let explained = |values: &[Vec<f32>]| -> Vec<f32> {
            ports
                .iter()
                .zip(values)
                .filter(|(port, _)| port.explained)
                .flat_map(|(_, values)| values.clone())
                .collect()
        };
        let values = plan.row(&asked.table, asked.row, &ports, |column| asked.cell(column))?;
        let mut others = BTreeMap::new();
        for ((port, shape, kind), values) in all.iter().zip(&values).filter(|((port, ..), _)| !port.explained)
        {
            // An input that no column fills is left to whoever gives it.
            if plan.placed.iter().any(|placed| ports.get(placed.port) == Some(port)) {
                let real = HostValue::Float { data: values.clone(), shape: shape.clone() };
                others.insert(
                    port.name.clone(),
                    if kind.contains("float") { real } else { whole(values, shape, kind) },
                );
            }
        }
        let shape: Vec<usize> = std::iter::once(1).chain(sample.iter().copied()).collect();
        let source = HostTensor::new(explained(&values), shape)?;

        // Where each explained input starts in the explained row.
        let mut starts = Vec::new();
        let mut end = 0;
        for port in &ports {
            starts.push(end);
            end += if port.explained { port.features } else { 0 };
        }
        let mut parts: Vec<Part> = Vec::new();
        let mut labels = vec![0u32; features];
        for placed in plan.placed.iter().filter(|placed| ports[placed.port].explained) {
            let first = starts[placed.port] + placed.range.start;
            let own: Vec<usize> = (first..first + placed.range.len()).collect();
            for &at in &own {
                if let Some(label) = labels.get_mut(at) {
                    *label = parts.len() as u32;
                }
            }
            parts.push(Part { value: Some(asked.cell(placed.column).to_owned()), ..part(&placed.name, own) });
        }
        let mut notes = asked.table.notes().to_vec();
        notes.extend(plan.notes.iter().cloned());
        let fixed: Vec<&str> = plan
            .placed
            .iter()
            .filter(|placed| !ports[placed.port].explained)
            .map(|placed| placed.name.as_str())
            .collect();
        if !fixed.is_empty() {
            notes.push(format!(
                "{} {} not explained: the network takes {} through an input of its own, whose value stays.",
                fixed.join(", "),
                if fixed.len() == 1 { "is" } else { "are" },
                if fixed.len() == 1 { "it" } else { "them" }
            ));
        }
        let background = Background::of_rows(asked, &plan, &ports, &source, explained, &mut notes)?;
        let columns = plan
            .placed
            .iter()
            .map(|placed| {
                let compared = asked.background.as_ref().unwrap_or(&asked.table);
                TableColumn {
                    name: placed.name.clone(),
                    value: asked.cell(placed.column).to_owned(),
                    explained: ports[placed.port].explained,
                    categories: placed.form.categories(),
                    ..described(&placed.name, &[&asked.table, compared])
                }
            })
            .collect();
        let tabled = Self {
            kind: TableKind::Row,
            labels,
            parts,
            background,
            notes,
            row: asked.row,
            columns,
            values: Vec::new(),
        };
        Ok((tabled, others, source))
    }

    fn of_series(model: &Model, asked: &TableRow, places: &Places, sample: &[usize]) -> Result<Taken> {
        if !matches!(places.layout, Layout::Sound | Layout::Sequence | Layout::Table | Layout::Values)
            || (places.layout == Layout::Values && sample.len() > 1)
        {
            return Err(Error::InputInvalid(format!(
                "The network\u{2019}s input of shape {sample:?} is taken for {}, and a series has channels and time: load it with the layout \
                 \"sound\" for [N, channels, time] or \"sequence\" for [N, time, channels].",
                places.layout.axes()
            )));
        }
        if !asked.changes.is_empty() {
            return Err(Error::InputInvalid(
                "Cells are changed in a row, and a series has many: change the table.".into(),
            ));
        }
        let (table, channels, length) = (&asked.table, places.channels, places.width);
        let name = &model.info().input.name;
        let plan = Plan::of_channels(table, asked.columns.as_ref(), channels, name).map_err(|error| {
            if sample.len() == 2 && channels != table.names().len() && length == table.names().len() {
                let layout = if places.layout == Layout::Sound { "sequence" } else { "sound" };
                return Error::InputInvalid(format!(
                    "The network\u{2019}s input of shape {sample:?} is taken for {channels} channels of {length} steps, and the table has {length} \
                     columns: load it with the layout \"{layout}\".",
                ));
            }
            error
        })?;
        let last = asked.row + length;
        if last > table.len() {
            return Err(Error::InputInvalid(format!(
                "The network takes {length} rows, and the table has {} from row {} on.",
                table.len() - asked.row,
                asked.row
            )));
        }
        let mut notes = table.notes().to_vec();
        notes.extend(plan.notes.iter().cloned());
        if last - asked.row < table.len() {
            notes.push(format!(
                "Of the {} rows the network is given the rows {} to {} (`row` names the first).",
                table.len(),
                asked.row,
                last - 1
            ));
        }
        let planes = |plan: &Plan, table: &Table, first: usize| -> Result<Vec<f32>> {
            let mut planes = vec![0.0; channels * length];
            for placed in &plan.placed {
                for time in 0..length {
                    let row = first + time;
                    let cell = plan.numbers(placed, table, table.cell(row, placed.column), row)?;
                    planes[placed.range.start * length + time] = cell.first().copied().unwrap_or(0.0);
                }
            }
            Ok(planes)
        };
        let shape: Vec<usize> = std::iter::once(1).chain(sample.iter().copied()).collect();
        let tensor = |planes: Vec<f32>| HostTensor::new(places.in_order(&planes).into_owned(), shape.clone());
        let source = tensor(planes(&plan, table, asked.row)?)?;
        let background = match &asked.background {
            None => {
                let mut mean = planes(&plan, table, asked.row)?;
                for channel in mean.chunks_exact_mut(length.max(1)) {
                    let sum: f64 = channel.iter().map(|&value| f64::from(value)).sum();
                    channel.fill((sum / length as f64) as f32);
                }
                let mut own = Background::new(vec![tensor(mean)?.data], &source, String::new())?;
                own.named = Some("each channel\u{2019}s own mean over the series");
                Some(own)
            }
            Some(other) => {
                let plan = plan.for_table(other)?;
                let mut found = Vec::new();
                for first in (0..other.len() / length).map(|number| number * length) {
                    found.push(tensor(planes(&plan, other, first)?)?.data);
                }
                if found.is_empty() {
                    return Err(Error::InputInvalid(format!(
                        "The rows to compare with (`background`) are {}, and a series has {length}.",
                        other.len()
                    )));
                }
                let words = format!("the {} series of the background", found.len());
                Some(Background::new(found, &source, words)?)
            }
        };
        let mut channels_of: Vec<_> = plan.placed.iter().collect();
        channels_of.sort_by_key(|placed| placed.range.start);
        let values = channels_of
            .iter()
            .map(|placed| {
                let cell = |row| table.number(table.cell(row, placed.column)).unwrap_or(0.0) as f32;
                (asked.row..last).map(cell).collect()
            })
            .collect();
        let columns = channels_of
            .iter()
            .map(|placed| TableColumn {
                categories: placed.form.categories(),
                ..described(&placed.name, &[table])
            })
            .collect();
        let labels = segment::grid(1, length, WINDOWS.min(length)).labels;
        let (kind, row) = (TableKind::Series, asked.row);
        let tabled = Self { kind, labels, parts: Vec::new(), background, notes, row, columns, values };
        Ok((tabled, BTreeMap::new(), source))
    }

    /// The columns as segments, or stretches of time.
    pub fn segments(&self) -> Segments {
        Segments::new(&self.labels.iter().map(|&label| label as usize).collect::<Vec<_>>())
    }

    /// Number of columns, or of stretches.
    pub fn count(&self) -> usize {
        self.labels.iter().max().map_or(0, |&most| most as usize + 1)
    }

    /// What each column counted for, or each stretch of each channel.
    pub fn parts(
        &self,
        map: &HostTensor,
        places: &Places,
        segments: Option<&Segmentation>,
        joined: Joined,
    ) -> Vec<Part> {
        if self.kind == TableKind::Row {
            return scored(self.parts.clone(), map, places, segments, joined);
        }
        let stretch = |first: usize, last: usize| {
            let (first, last) = (self.row + first, self.row + last);
            if first == last { format!("row {first}") } else { format!("rows {first} to {last}") }
        };
        let (labels, count) = match segments {
            Some(cut) => (&cut.labels, cut.values.len()),
            None => (&self.labels, self.count()),
        };
        let mut own = vec![Vec::new(); count];
        for (place, &label) in labels.iter().enumerate() {
            if let Some(own) = own.get_mut(label as usize) {
                own.push(place);
            }
        }
        let ends = |own: &[usize]| (own.first().copied().unwrap_or(0), own.last().copied().unwrap_or(0));
        let timed = |name: String, own: &[usize], source: usize, score: f32| {
            let (first, last) = ends(own);
            let (start, end) = ((self.row + first) as f64, (self.row + last + 1) as f64);
            Part { start, end, source, score, ..part(&name, own.to_vec()) }
        };
        let count = places.count();
        if map.data.len() == count || segments.is_some() {
            let values = place_values(map, places, segments, joined);
            let joined = if segments.is_none() && places.channels > 1 { Joined::Mean } else { joined };
            return own
                .iter()
                .map(|own| {
                    let (first, last) = ends(own);
                    let score = joined.join(own.iter().filter_map(|&at| values.get(at).copied()));
                    timed(stretch(first, last), own, 0, score)
                })
                .collect();
        }
        let planes = places.planes(&map.data);
        let mut parts = Vec::new();
        for (channel, plane) in planes.chunks_exact(count.max(1)).enumerate() {
            for own in &own {
                let (first, last) = ends(own);
                let name = match (self.columns.get(channel), places.channels) {
                    (Some(column), 2..) => format!("channel {}, {}", column.name, stretch(first, last)),
                    _ => stretch(first, last),
                };
                let score = joined.join(own.iter().filter_map(|&at| plane.get(at).copied()));
                parts.push(timed(name, own, channel, score));
            }
        }
        parts
    }

    /// What is told of a row beside its map.
    pub fn table_view(&self) -> Option<TableView> {
        (self.kind == TableKind::Row).then(|| TableView {
            row: self.row,
            background: self.background.as_ref().map_or(0, |background| background.count),
            columns: self.columns.clone(),
        })
    }

    /// What is told of a series beside its map.
    pub fn series_view(&self, map: &HostTensor, places: &Places) -> Option<SeriesView> {
        (self.kind == TableKind::Series).then(|| SeriesView {
            channels: self.columns.iter().map(|column| column.name.clone()).collect(),
            row: self.row,
            values: self.values.clone(),
            map: match map.data.len() == places.count() {
                true => vec![map.data.clone()],
                false => places
                    .planes(&map.data)
                    .chunks_exact(places.count().max(1))
                    .map(<[f32]>::to_vec)
                    .collect(),
            },
        })
    }
}

impl Background {
    fn of_rows(
        asked: &TableRow,
        plan: &Plan,
        ports: &[Port],
        source: &HostTensor,
        explained: impl Fn(&[Vec<f32>]) -> Vec<f32>,
        notes: &mut Vec<String>,
    ) -> Result<Option<Self>> {
        let (table, plan) = match &asked.background {
            Some(other) => (other, plan.for_table(other)?),
            None => (&asked.table, plan.clone()),
        };
        let own = asked.background.is_none().then_some(asked.row);
        let (mut rows, mut left, mut why) = (Vec::new(), 0, None);
        for row in (0..table.len()).filter(|&row| own != Some(row)) {
            match plan.row(table, row, ports, |column| table.cell(row, column)) {
                Ok(values) => rows.push(explained(&values)),
                Err(error) => {
                    left += 1;
                    why.get_or_insert(error);
                }
            }
        }
        if let (true, Some(why), Some(_)) = (rows.is_empty(), &why, &asked.background) {
            return Err(Error::InputInvalid(format!(
                "None of the rows to compare with (`background`) can be used. {why}"
            )));
        }
        if let Some(why) = &why {
            let rows = if left == 1 { "row is".to_owned() } else { format!("{left} rows are") };
            notes.push(format!("{rows} not compared with. {why}").replacen(
                "row is",
                "One row is",
                usize::from(left == 1),
            ));
        }
        if rows.is_empty() {
            return Ok(None);
        }
        let words = match own {
            None => format!("the {} background rows", rows.len()),
            Some(_) => format!("the {} other rows of the table", rows.len()),
        };
        Self::new(rows, source, words).map(Some)
    }

    fn new(rows: Vec<Vec<f32>>, source: &HostTensor, words: String) -> Result<Self> {
        let count = rows.len();
        let mut mean = vec![0.0f64; source.data.len()];
        for row in &rows {
            mean.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
        }
        let mean = mean.into_iter().map(|sum| (sum / count as f64) as f32).collect();
        // Spread evenly over all of them, so that a table that is sorted by its answers is no matter.
        let kept = count.min(MOST_ROWS);
        let data: Vec<f32> = (0..kept).flat_map(|number| rows[number * count / kept].clone()).collect();
        let shape = std::iter::once(kept).chain(source.shape.iter().skip(1).copied()).collect();
        Ok(Self {
            rows: HostTensor::new(data, shape)?,
            mean: HostTensor::new(mean, source.shape.clone())?,
            count,
            words,
            named: None,
        })
    }

    /// What their mean is called.
    pub fn mean_words(&self) -> String {
        self.named.map_or_else(|| format!("the mean of {}", self.words), str::to_owned)
    }

    /// What the rows are called, where scores are averaged over those that were kept.
    pub fn each(&self) -> String {
        if let Some(named) = self.named {
            return named.to_owned();
        }
        match self.count > MOST_ROWS {
            true => format!("each of {MOST_ROWS} of {} in turn", self.words),
            false => format!("each of {} in turn", self.words),
        }
    }
}

/// What a network takes where nobody says it: a series where it has channels and time, unless there are as many columns as values.
fn kind(sample: &[usize], table: &Table) -> TableKind {
    let values: usize = sample.iter().product();
    let axes = sample.iter().filter(|&&size| size > 1).count();
    match (sample.len(), axes) {
        (2, 2) => TableKind::Series,
        (2, 1) if values > table.names().len() => TableKind::Series,
        _ => TableKind::Row,
    }
}

fn part(name: &str, places: Vec<usize>) -> Part {
    let (first, last) = (places.first().copied().unwrap_or(0), places.last().copied().unwrap_or(0));
    Part {
        name: name.to_owned(),
        value: None,
        source: 0,
        start: first as f64,
        end: (last + 1) as f64,
        bytes: None,
        low: None,
        high: None,
        score: 0.0,
        special: false,
        places,
    }
}

/// The numbers of the column of this name in tables.
fn described(name: &str, tables: &[&Table]) -> TableColumn {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    let mut whole = true;
    let mut mean = None;
    for table in tables {
        let Some(column) = table.column(name) else { continue };
        let (mut sum, mut count) = (0.0, 0);
        for number in (0..table.len()).filter_map(|row| table.number(table.cell(row, column))) {
            (low, high) = (low.min(number), high.max(number));
            whole &= number.fract() == 0.0;
            (sum, count) = (sum + number, count + 1);
        }
        mean = (count > 0).then(|| sum / f64::from(count));
    }
    let known = |value: f64| value.is_finite().then_some(value);
    TableColumn {
        name: name.to_owned(),
        value: String::new(),
        explained: true,
        low: known(low),
        high: known(high),
        mean,
        whole,
        categories: Vec::new(),
    }
}

/// Values of an input of whole numbers or truths.
fn whole(values: &[f32], shape: &[usize], kind: &str) -> HostValue {
    match kind {
        "bool" => HostValue::Bool {
            data: values.iter().map(|&value| value != 0.0).collect(),
            shape: shape.to_vec(),
        },
        _ => HostValue::Int {
            data: values.iter().map(|&value| value.round() as i64).collect(),
            shape: shape.to_vec(),
        },
    }
}
