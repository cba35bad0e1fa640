//! PostgreSQL. The client is asynchronous so that no answer is waited for longer than we want: a server that is frozen,
//! or has gone without a word, must not hold up a thread for good.

use std::collections::HashMap;
use std::error::Error;
use std::pin::pin;
use std::time::Duration;

use futures_util::TryStreamExt;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, NoTls, Statement};

use super::{Database, Row, Value};
use crate::connection::{Connection, Protection};
use crate::error::StoreError;
use crate::tls::Tls;

/// How long a connection may take to come up, its login included.
const CONNECTS_WITHIN: Duration = Duration::from_secs(5);
/// How long an answer may take. What takes longer is upkeep,
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);
/// and that may take so long a statement: an index over a year's calls takes half a minute on a slow machine.
const UPKEEP_WITHIN: Duration = Duration::from_secs(3_600);
/// The first number of the locks that feeders hold; any that other programs don't use.
const LOCKS: i64 = 0x5349_4445_544f_4e45;

/// A connection to a PostgreSQL.
pub(crate) struct PostgreSql {
    client: Client,
    prepared: HashMap<String, Statement>,
    /// Last, since it is dropped last: the connection's task runs on it.
    runtime: Own,
}

/// The runtime of one connection. It may be dropped on any thread: a runtime as it is must not be on an asynchronous
/// one, where the server's last users of a store end.
struct Own(Option<Runtime>);

impl Own {
    fn block_on<F: Future>(&self, answer: F) -> Result<F::Output, StoreError> {
        let ended = || StoreError::Thread(std::io::Error::other("the connection's runtime has ended"));
        Ok(self.0.as_ref().ok_or_else(ended)?.block_on(answer))
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl PostgreSql {
    pub(crate) fn connect(to: &Connection) -> Result<Self, StoreError> {
        let mut config = to.config.clone();
        config.application_name("sidetone").keepalives_idle(Duration::from_secs(10));
        config.ssl_mode(to.protection.mode());
        let tls = if to.protection == Protection::Disable { None } else { Some(Tls::new(to)?) };
        let runtime = Builder::new_current_thread().enable_all().build().map_err(StoreError::Thread)?;
        let runtime = Own(Some(runtime));
        let client = within(&runtime, CONNECTS_WITHIN, async {
            // The connection's end shows in the next answer.
            let client = match tls {
                Some(tls) => {
                    let (client, connection) = config.connect(tls).await?;
                    tokio::spawn(connection);
                    client
                }
                None => {
                    let (client, connection) = config.connect(NoTls).await?;
                    tokio::spawn(connection);
                    client
                }
            };
            client.batch_execute("SET client_min_messages = warning").await?;
            Ok(client)
        })?;
        Ok(Self { client, prepared: HashMap::new(), runtime })
    }

    fn statement(&mut self, sql: &str) -> Result<Statement, StoreError> {
        if let Some(known) = self.prepared.get(sql) {
            return Ok(known.clone());
        }
        let prepared = self.client.prepare(sql);
        let statement = within(&self.runtime, ANSWERS_WITHIN, async { Ok(prepared.await?) })?;
        self.prepared.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

/// Waits for an answer, and not for ever.
fn within<T>(
    runtime: &Own,
    patience: Duration,
    answer: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let answered = runtime.block_on(async { tokio::time::timeout(patience, answer).await })?;
    answered.unwrap_or(Err(StoreError::Silent { patience }))
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

fn row(row: &tokio_postgres::Row) -> Result<Row, StoreError> {
    let values = row.columns().iter().enumerate().map(|(column, described)| {
        let value = match *described.type_() {
            Type::INT8 => row.try_get::<_, Option<i64>>(column)?.into(),
            Type::INT4 => row.try_get::<_, Option<i32>>(column)?.map(i64::from).into(),
            Type::FLOAT8 => row.try_get::<_, Option<f64>>(column)?.into(),
            Type::BOOL => row.try_get::<_, Option<bool>>(column)?.into(),
            Type::TEXT | Type::VARCHAR | Type::NAME => row.try_get::<_, Option<&str>>(column)?.into(),
            _ => return Err(StoreError::Column { column }),
        };
        Ok(value)
    });
    Ok(Row(values.collect::<Result<_, StoreError>>()?))
}

fn references(parameters: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    parameters.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

impl Database for PostgreSql {
    fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, StoreError> {
        let statement = self.statement(sql)?;
        let parameters = references(parameters);
        let executed = self.client.execute(&statement, &parameters);
        within(&self.runtime, ANSWERS_WITHIN, async { Ok(executed.await?) })
    }

    fn batch(&mut self, sql: &str) -> Result<(), StoreError> {
        let done = self.client.batch_execute(sql);
        within(&self.runtime, ANSWERS_WITHIN, async { Ok(done.await?) })
    }

    fn upkeep(&mut self, sql: &str) -> Result<(), StoreError> {
        let done = self.client.batch_execute(sql);
        within(&self.runtime, UPKEEP_WITHIN, async { Ok(done.await?) })
    }

    fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, StoreError> {
        let statement = self.statement(sql)?;
        let parameters = references(parameters);
        let found = self.client.query(&statement, &parameters);
        within(&self.runtime, ANSWERS_WITHIN, async { Ok(found.await?) })?.iter().map(row).collect()
    }

    fn each(
        &mut self,
        sql: &str,
        parameters: &[Value],
        take: &mut dyn FnMut(Row) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let statement = self.statement(sql)?;
        let asked = self.client.query_raw(&statement, references(parameters));
        let rows = within(&self.runtime, ANSWERS_WITHIN, async { Ok(asked.await?) })?;
        let mut rows = pin!(rows);
        while let Some(next) = within(&self.runtime, ANSWERS_WITHIN, async { Ok(rows.try_next().await?) })? {
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
        let Self { client, runtime, .. } = self;
        Ok(runtime.block_on(client.batch_execute("VACUUM (FULL, ANALYZE)"))??)
    }

    fn settle(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    /// The connection's lock: the server gives it back when the connection ends.
    fn claim(&mut self, feed: &str) -> Result<bool, StoreError> {
        let sql = "SELECT pg_try_advisory_lock($1 # hashtextextended($2, 0))";
        let rows = self.query(sql, &[LOCKS.into(), feed.into()])?;
        Ok(rows.first().map_or(Ok(0), |row| row.int(0))? == 1)
    }

    fn is_in_place(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Deleted rows stay in PostgreSQL's files until they are vacuumed: docs/STORE.md says so.
    fn overwrite_erased(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}
