//! A database, whichever it is. SQL is written once: parameters are `$1`, `$2`, …, types are `BIGINT`, `DOUBLE
//! PRECISION` and `TEXT`, and conflicts are resolved by `ON CONFLICT`, which both databases have.

mod postgresql;
mod sqlite;

pub(crate) use postgresql::PostgreSql;
pub(crate) use sqlite::Sqlite;

use crate::error::StoreError;

/// A value of a column or parameter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Int(i64),
    Real(f64),
    Text(String),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

/// Counts and times that no database column can hold become the largest that one can.
impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Int(i64::from(value))
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl From<f32> for Value {
    fn from(value: f32) -> Self {
        // By three decimals, as events have it: 0.1 as a double, not 0.10000000149.
        Self::Real((f64::from(value) * 1e3).round() / 1e3)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        // PostgreSQL's text holds no NUL, and no event has a use for one.
        Self::Text(value.replace('\0', ""))
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::from(value.as_str())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Int(i64::from(value))
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A row of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row(pub(crate) Vec<Value>);

impl Row {
    /// A whole number, if the column holds one. Sums are whole numbers too, which PostgreSQL gives another type:
    /// queries cast them.
    pub(crate) fn maybe_int(&self, column: usize) -> Result<Option<i64>, StoreError> {
        match self.0.get(column) {
            Some(Value::Int(value)) => Ok(Some(*value)),
            Some(Value::Null) => Ok(None),
            _ => Err(StoreError::Column { column }),
        }
    }

    pub(crate) fn int(&self, column: usize) -> Result<i64, StoreError> {
        self.maybe_int(column)?.ok_or(StoreError::Column { column })
    }

    pub(crate) fn maybe_real(&self, column: usize) -> Result<Option<f64>, StoreError> {
        match self.0.get(column) {
            Some(Value::Real(value)) => Ok(Some(*value)),
            // SQLite gives a column of reals a whole number where that is shorter.
            Some(Value::Int(value)) => Ok(Some(*value as f64)),
            Some(Value::Null) => Ok(None),
            _ => Err(StoreError::Column { column }),
        }
    }

    pub(crate) fn maybe_text(&self, column: usize) -> Result<Option<String>, StoreError> {
        match self.0.get(column) {
            Some(Value::Text(value)) => Ok(Some(value.clone())),
            Some(Value::Null) => Ok(None),
            _ => Err(StoreError::Column { column }),
        }
    }

    pub(crate) fn text(&self, column: usize) -> Result<String, StoreError> {
        self.maybe_text(column)?.ok_or(StoreError::Column { column })
    }
}

/// A connection.
pub(crate) trait Database: Send {
    /// Carries out one statement; the number of rows that it touched.
    fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, StoreError>;

    /// Carries out statements that have no parameters.
    fn batch(&mut self, sql: &str) -> Result<(), StoreError>;

    /// Carries out one statement of upkeep, which may take long: on a table of millions of rows, minutes.
    fn upkeep(&mut self, sql: &str) -> Result<(), StoreError>;

    /// Asks.
    fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, StoreError>;

    /// Asks, and passes on row by row, so that a large answer needs no room.
    fn each(
        &mut self,
        sql: &str,
        parameters: &[Value],
        take: &mut dyn FnMut(Row) -> Result<(), StoreError>,
    ) -> Result<(), StoreError>;

    /// Whether there is a table of that name.
    fn has_table(&mut self, name: &str) -> Result<bool, StoreError>;

    /// Whether there is any table at all.
    fn is_empty(&mut self) -> Result<bool, StoreError>;

    /// Bytes on the disk.
    fn bytes(&mut self) -> Result<u64, StoreError>;

    /// Gives deleted content's room back, and overwrites it.
    fn vacuum(&mut self) -> Result<(), StoreError>;

    /// Sets what a store needs for good. Not before the database is known to be one, or empty.
    fn settle(&mut self) -> Result<(), StoreError>;

    /// Claims to be the one who feeds from a spool of that name, until the connection ends; false if another does.
    fn claim(&mut self, feed: &str) -> Result<bool, StoreError>;

    /// Whether what is written goes where the configuration says: a file may be deleted while it is open.
    fn is_in_place(&self) -> Result<(), StoreError>;

    /// Overwrites what was erased wherever the database keeps it beside its tables, as far as it can.
    fn overwrite_erased(&mut self) -> Result<(), StoreError>;
}

/// Runs `work` in a transaction: all of it happens, or nothing.
pub(crate) fn transaction<T>(
    database: &mut dyn Database,
    work: impl FnOnce(&mut dyn Database) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    database.batch("BEGIN")?;
    match work(database).and_then(|done| database.batch("COMMIT").map(|()| done)) {
        Ok(done) => Ok(done),
        Err(error) => {
            // Without a connection there is nothing to roll back; the first error tells more.
            let _ = database.batch("ROLLBACK");
            Err(error)
        }
    }
}
