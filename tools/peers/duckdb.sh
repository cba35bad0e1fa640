#!/usr/bin/env bash
# DuckDB, as its Python package in .peers/duckdb: reads the Parquet files that the store exports, with code of its own.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

target=$peers_dir/duckdb
[ -d "$target/duckdb" ] && exit 0
python3 -m pip --version >/dev/null 2>&1 || apt_install python3-pip

mkdir -p "$peers_dir"
exec 9>"$peers_dir/duckdb.lock"
flock 9
[ -d "$target/duckdb" ] && exit 0
rm -rf "$target.new"
python3 -m pip install --quiet --root-user-action ignore --no-deps --only-binary :all: --target "$target.new" duckdb==2.0.1 >&2 ||
    die "pip could not install duckdb"
rm -rf "$target"
mv "$target.new" "$target"
say "DuckDB is in $target"
