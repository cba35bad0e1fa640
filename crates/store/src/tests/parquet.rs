//! Exports as Parquet, read back by a reader that is none of ours: DuckDB (`make peers` installs it).

use std::process::Command;

use serde_json::Value;
use sidetone_call::Topic;
use sidetone_scenarios::repository;

use super::labels::{labelled, labels};
use super::topics::named;
use crate::added::{CallOutcome, Survey};
use crate::notes::{NewNote, NoteKind};
use crate::query::CallFilter;
use crate::store::Store;
use crate::testing::{append, at, feed, narrator, on_each, spool};
use crate::{Role, Table};

/// Prints a file's columns with their types, and its rows with each moment as milliseconds and each day as days.
const READER: &str = r#"
import duckdb, json, sys
file = sys.argv[1]
columns = [(row[0], row[1]) for row in duckdb.sql(f"DESCRIBE SELECT * FROM read_parquet('{file}')").fetchall()]
def plain(name, kind):
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f'epoch_ms("{name}")'
    if kind == "DATE":
        return f"datediff('day', DATE '1970-01-01', \"{name}\")"
    return f'"{name}"'
asked = ", ".join(plain(*column) for column in columns)
rows = duckdb.sql(f"SELECT {asked} FROM read_parquet('{file}')").fetchall()
print(json.dumps({"columns": columns, "rows": rows}))
"#;

/// What DuckDB reads in a file.
fn read(file: &std::path::Path) -> Value {
    let peers = std::env::var_os("SIDETONE_PEERS").map_or_else(|| repository().join(".peers"), Into::into);
    let output = Command::new("python3")
        .args(["-c", READER])
        .arg(file)
        .env("PYTHONPATH", peers.join("duckdb"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "DuckDB (`make peers` installs it): {said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A store with rows in every table.
fn filled(store: &mut Store) {
    let id = store.calls(&CallFilter::default(), 1).unwrap()[0].id.clone();
    let crm = store.create_token("crm", Role::Integration, None, at(0)).unwrap().token;
    let lead = store.create_token("lead", Role::Supervisor, None, at(0)).unwrap().token;
    let outcome = CallOutcome { resolved: Some(true), escalated: None, reason: Some("=1+1".to_owned()) };
    store.seen_by(&crm).add_outcome(&id, &outcome, at(5)).unwrap();
    let comment = Some("Danke,\n\"gut\" \u{1f600}".to_owned());
    let survey = Survey { empathy: Some(5), resolved: Some(false), comment };
    store.seen_by(&crm).add_survey(&id, &survey, at(6)).unwrap();
    let note = NewNote { kind: NoteKind::Note, at_ms: None, text: "well done".to_owned() };
    store.seen_by(&lead).add_note(&id, &note, at(100_000)).unwrap();
    store.sum_stale_days().unwrap();
}

/// Whether DuckDB's value is that of the CSV, where gaps are empty.
fn is_the_same(value: &Value, text: &str) -> bool {
    match value {
        Value::Null => text.is_empty(),
        Value::Bool(yes) => text == if *yes { "1" } else { "0" },
        Value::Number(number) => text.parse::<f64>().ok() == number.as_f64(),
        Value::String(whole) => whole == text || text.strip_prefix('\'') == Some(whole),
        _ => false,
    }
}

#[test]
fn a_parquet_file_has_the_rows_and_columns_of_the_csv_with_their_types() {
    on_each(|config, folder| {
        let mut spool = spool(folder);
        for number in 0..3 {
            let mut call = narrator(u128::from(number), number * 1_000);
            append(&mut spool, labelled(&mut call, labels("billing", "2001", "north", "")));
            append(&mut spool, [named(&mut call, 92, Topic::Cancel)]);
        }
        let mut store = Store::create(config).unwrap();
        feed(&mut store, &spool);
        filled(&mut store);
        for table in Table::ALL {
            let file = folder.join(format!("{table:?}.parquet"));
            let written = store.export_parquet(table, std::fs::File::create(&file).unwrap()).unwrap();
            let found = read(&file);
            let mut csv = Vec::new();
            assert_eq!(store.export(table, &mut csv).unwrap(), written);
            assert!(written > 0, "{table:?}");
            let mut csv = csv::Reader::from_reader(csv.as_slice());
            let columns = found["columns"].as_array().unwrap();
            let names: Vec<&str> = columns.iter().map(|it| it[0].as_str().unwrap()).collect();
            assert_eq!(names, csv.headers().unwrap().iter().collect::<Vec<_>>());
            let rows = found["rows"].as_array().unwrap();
            assert_eq!(rows.len() as u64, written);
            for (row, expected) in rows.iter().zip(csv.records()) {
                for (value, text) in row.as_array().unwrap().iter().zip(&expected.unwrap()) {
                    assert!(is_the_same(value, text), "{table:?}: {value} is not {text:?}");
                }
            }
            let time = "TIMESTAMP WITH TIME ZONE";
            let expected: &[(&str, &str)] = match table {
                Table::Calls => {
                    &[("started", time), ("ended", time), ("shift", "DOUBLE"), ("alerts", "BIGINT")]
                }
                Table::Outcomes => &[("posted", time), ("resolved", "BOOLEAN")],
                Table::Days => &[("day", "DATE"), ("answered", "BIGINT")],
                Table::Affect => &[("valence", "DOUBLE"), ("at", "BIGINT")],
                Table::Events => &[("data", "VARCHAR")],
                Table::Surveys | Table::Notes => &[("posted", time)],
                Table::Topics => &[("day", "DATE")],
            };
            for (name, known) in expected {
                let found = columns.iter().find(|column| column[0] == *name);
                assert_eq!(found.unwrap()[1], *known, "{table:?}.{name}");
            }
        }
    });
}

#[test]
fn an_empty_table_is_a_file_without_rows() {
    on_each(|config, folder| {
        let mut store = Store::create(config).unwrap();
        let file = folder.join("empty.parquet");
        assert_eq!(store.export_parquet(Table::Calls, std::fs::File::create(&file).unwrap()).unwrap(), 0);
        let found = read(&file);
        assert_eq!(
            (found["rows"].as_array().unwrap().len(), found["columns"][0][0].as_str()),
            (0, Some("id"))
        );
    });
}
