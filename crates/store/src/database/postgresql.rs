//! PostgreSQL.

use std::collections::HashMap;
use std::error::Error;
use std::time::Duration;

use postgres::fallible_iterator::FallibleIterator;
use postgres::types::private::BytesMut;
use postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use postgres::{Client, Config, NoTls, Statement};

use super::{Database, Row, Value};
use crate::error::StoreError;

/// How long a connection may take to come up.
const CONNECTS_WITHIN: Duration = Duration::from_secs(5);

/// A connection to a PostgreSQL.
pub(crate) struct PostgreSql {
    client: Client,
    prepared: HashMap<String, Statement>,
}

impl PostgreSql {
    pub(crate) fn connect(config: &Config) -> Result<Self, StoreError> {
        let mut config = config.clone();
        config.connect_timeout(CONNECTS_WITHIN).application_name("sidetone");
        // A server that has gone without a word is noticed, and a statement that hangs ends.
        config.keepalives_idle(Duration::from_secs(10)).tcp_user_timeout(Duration::from_secs(20));
        let mut client = config.connect(NoTls)?;
        client.batch_execute("SET statement_timeout = '60s'; SET client_min_messages = warning")?;
        Ok(Self { client, prepared: HashMap::new() })
    }

    fn statement(&mut self, sql: &str) -> Result<Statement, StoreError> {
        if let Some(known) = self.prepared.get(sql) {
            return Ok(known.clone());
        }
        let statement = self.client.prepare(sql)?;
        self.prepared.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

impl ToSql for Value {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Int(value) if *kind == Type::FLOAT8 => (*value as f64).to_sql(kind, out),
            Self::Int(value) => value.to_sql(kind, out),
            Self::Real(value) => value.to_sql(kind, out),
            Self::Text(value) => value.to_sql(kind, out),
        }
    }

    fn accepts(kind: &Type) -> bool {
        [Type::INT8, Type::FLOAT8, Type::TEXT].contains(kind)
    }

    to_sql_checked!();
}

fn row(row: &postgres::Row) -> Result<Row, StoreError> {
    let values = row.columns().iter().enumerate().map(|(column, described)| {
        let value = match *described.type_() {
            Type::INT8 => row.try_get::<_, Option<i64>>(column)?.into(),
            Type::INT4 => row.try_get::<_, Option<i32>>(column)?.map(i64::from).into(),
            Type::FLOAT8 => row.try_get::<_, Option<f64>>(column)?.into(),
            Type::TEXT | Type::VARCHAR | Type::NAME => row.try_get::<_, Option<&str>>(column)?.into(),
            _ => return Err(StoreError::Column { column }),
        };
        Ok(value)
    });
    Ok(Row(values.collect::<Result<_, StoreError>>()?))
}

fn references(parameters: &[Value]) -> impl ExactSizeIterator<Item = &(dyn ToSql + Sync)> {
    parameters.iter().map(|value| value as &(dyn ToSql + Sync))
}

impl Database for PostgreSql {
    fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, StoreError> {
        let statement = self.statement(sql)?;
        let parameters: Vec<_> = references(parameters).collect();
        Ok(self.client.execute(&statement, &parameters)?)
    }

    fn batch(&mut self, sql: &str) -> Result<(), StoreError> {
        Ok(self.client.batch_execute(sql)?)
    }

    fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, StoreError> {
        let statement = self.statement(sql)?;
        let parameters: Vec<_> = references(parameters).collect();
        self.client.query(&statement, &parameters)?.iter().map(row).collect()
    }

    fn each(
        &mut self,
        sql: &str,
        parameters: &[Value],
        take: &mut dyn FnMut(Row) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let statement = self.statement(sql)?;
        let mut rows = self.client.query_raw(&statement, references(parameters))?;
        while let Some(next) = rows.next()? {
            take(row(&next)?)?;
        }
        Ok(())
    }

    fn has_table(&mut self, name: &str) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename::text = $1";
        Ok(!self.query(sql, &[name.into()])?.is_empty())
    }

    fn is_empty(&mut self) -> Result<bool, StoreError> {
        Ok(self.query("SELECT 1 FROM pg_tables WHERE schemaname = current_schema() LIMIT 1", &[])?.is_empty())
    }

    fn bytes(&mut self) -> Result<u64, StoreError> {
        let rows = self.query("SELECT pg_database_size(current_database())", &[])?;
        let bytes = rows.first().map_or(Ok(0), |row| row.int(0))?;
        Ok(u64::try_from(bytes).unwrap_or_default())
    }

    fn vacuum(&mut self) -> Result<(), StoreError> {
        // FULL writes the tables anew: without it what was deleted stays in their files until it is written over.
        self.batch("VACUUM (FULL, ANALYZE)")
    }
}
