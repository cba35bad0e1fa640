//! Tables as Parquet: the columns of the CSV, each with its type.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::parser::parse_message_type;

use super::Table;
use crate::database::{Row, Value};
use crate::error::StoreError;
use crate::store::Store;

/// Rows of a row group: what is held in memory at once.
const GROUP: usize = 20_000;
/// Columns of text.
const TEXTS: [&str; 31] = [
    "agent",
    "alert",
    "author",
    "call",
    "call_type",
    "callee",
    "caller",
    "cause",
    "comment",
    "consent",
    "data",
    "direction",
    "grouped",
    "held_by",
    "id",
    "kind",
    "label",
    "language",
    "name",
    "node",
    "queue",
    "reason",
    "sip_call_id",
    "state",
    "team",
    "text",
    "tier",
    "topic",
    "topics",
    "trend",
    "trunk",
];
/// Columns of numbers with decimals.
const REALS: [&str; 15] = [
    "arousal",
    "confidence",
    "distress",
    "empathy_squares",
    "empathy_sum",
    "handled_squares",
    "judged_squares",
    "shift",
    "shift_squares",
    "shift_sum",
    "speech_by_judged",
    "speech_squares",
    "valence",
    "valence_end",
    "valence_start",
];

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A moment: milliseconds since 1970, UTC.
    Time,
    /// A day since 1970.
    Date,
    Int,
    Real,
    Text,
    /// 1 is yes, 0 no.
    Yes,
}

impl Kind {
    fn of(table: Table, column: &str) -> Self {
        match (table, column) {
            (Table::Calls, "started" | "answered" | "ended")
            | (Table::Outcomes | Table::Surveys | Table::Notes, "posted") => Self::Time,
            (Table::Days | Table::Topics, "day") => Self::Date,
            (Table::Outcomes | Table::Surveys, "resolved" | "escalated") => Self::Yes,
            _ if TEXTS.contains(&column) => Self::Text,
            _ if REALS.contains(&column) => Self::Real,
            _ => Self::Int,
        }
    }

    /// The column in Parquet's notation of schemas.
    fn field(self, name: &str) -> String {
        let (physical, logical) = match self {
            Self::Time => ("INT64", " (TIMESTAMP(MILLIS,true))"),
            Self::Date => ("INT32", " (DATE)"),
            Self::Int => ("INT64", ""),
            Self::Real => ("DOUBLE", ""),
            Self::Text => ("BYTE_ARRAY", " (STRING)"),
            Self::Yes => ("BOOLEAN", ""),
        };
        format!("OPTIONAL {physical} {name}{logical};")
    }
}

impl Store {
    /// Writes a table as Parquet, compressed by Snappy; how many rows. Its columns are those of [`Self::export`], with
    /// times as timestamps in UTC, days as dates, and yes or no as such.
    ///
    /// # Errors
    /// The database's, and [`StoreError::Parquet`].
    pub fn export_parquet(&mut self, table: Table, to: impl Write + Send) -> Result<u64, StoreError> {
        let (columns, from) = table.sql();
        let names: Vec<&str> = columns.split(',').map(str::trim).collect();
        let kinds: Vec<Kind> = names.iter().map(|name| Kind::of(table, name)).collect();
        let fields: String = names.iter().zip(&kinds).map(|(name, kind)| kind.field(name)).collect();
        let schema = Arc::new(parse_message_type(&format!("message sidetone {{ {fields} }}"))?);
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(concat!("sidetone ", env!("CARGO_PKG_VERSION")).to_owned());
        let mut writer = SerializedFileWriter::new(to, schema, Arc::new(properties.build()))?;
        let (mut rows, mut waiting) = (0, Vec::new());
        self.database.each(&format!("SELECT {columns} FROM {from}"), &[], &mut |row| {
            rows += 1;
            waiting.push(row);
            if waiting.len() == GROUP {
                write_group(&mut writer, &kinds, &waiting)?;
                waiting.clear();
            }
            Ok(())
        })?;
        if !waiting.is_empty() {
            write_group(&mut writer, &kinds, &waiting)?;
        }
        writer.close()?;
        Ok(rows)
    }
}

fn write_group<W: Write + Send>(
    writer: &mut SerializedFileWriter<W>,
    kinds: &[Kind],
    rows: &[Row],
) -> Result<(), StoreError> {
    let mut group = writer.next_row_group()?;
    for (index, kind) in kinds.iter().enumerate() {
        let Some(mut column) = group.next_column()? else { return Err(StoreError::Column { column: index }) };
        let to = &mut column;
        match kind {
            Kind::Time | Kind::Int => put::<Int64Type>(to, rows, index, int),
            Kind::Date => put::<Int32Type>(to, rows, index, |value| i32::try_from(int(value)?).ok()),
            Kind::Yes => put::<BoolType>(to, rows, index, |value| Some(int(value)? != 0)),
            Kind::Real => put::<DoubleType>(to, rows, index, |value| match value {
                Value::Real(value) => Some(*value),
                // SQLite gives a column of reals a whole number where that is shorter.
                Value::Int(value) => Some(*value as f64),
                _ => None,
            }),
            Kind::Text => put::<ByteArrayType>(to, rows, index, |value| match value {
                Value::Text(text) => Some(ByteArray::from(text.as_str())),
                _ => None,
            }),
        }?;
        column.close()?;
    }
    group.close()?;
    Ok(())
}

fn int(value: &Value) -> Option<i64> {
    if let Value::Int(value) = value { Some(*value) } else { None }
}

/// Writes one column of some rows, with its gaps.
fn put<T: DataType>(
    column: &mut SerializedColumnWriter<'_>,
    rows: &[Row],
    index: usize,
    read: impl Fn(&Value) -> Option<T::T>,
) -> Result<(), StoreError> {
    let mut values = Vec::with_capacity(rows.len());
    let mut defined: Vec<i16> = Vec::with_capacity(rows.len());
    for row in rows {
        let value = row.0.get(index).unwrap_or(&Value::Null);
        defined.push(i16::from(*value != Value::Null));
        if *value != Value::Null {
            values.push(read(value).ok_or(StoreError::Column { column: index })?);
        }
    }
    column.typed::<T>().write_batch(&values, Some(&defined), None)?;
    Ok(())
}
