#!/usr/bin/env bash
# Builds the optimised binary and measures it beside its peers: tools/bench/run.sh [OPTIONS OF sidetone-bench]
# SIDETONE_BIN names a binary to measure instead of building one. The method stands in docs/BENCH.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
target=${CARGO_TARGET_DIR:-target}
cargo=${CARGO:-cargo}

if [ -z "${SIDETONE_BIN:-}" ]; then
    printf 'bench: building the optimised binary (the first time takes some minutes)\n' >&2
    "$cargo" build --release --package sidetone
    SIDETONE_BIN=$target/release/sidetone
fi
# The generator sends and counts packets; how it was compiled changes nothing that is measured.
"$cargo" build --package sidetone-bench

# What hearing feeling costs, beside openSMILE and Whisper; SIDETONE_BENCH_EMOTION=0 leaves it out.
if [ "${SIDETONE_BENCH_EMOTION:-1}" != 0 ]; then
    "$cargo" build --release --package sidetone-emotion --example listening_cost
    tools/bench/emotion.py --cost "$target/release/examples/listening_cost" --json "$target/bench/emotion.json"
fi

for program in chrt taskset setpriv; do
    command -v "$program" >/dev/null || {
        printf 'bench: %s is missing (Debian: util-linux)\n' "$program" >&2
        exit 1
    }
done
exec "$target/debug/sidetone-bench" --sidetone "$SIDETONE_BIN" --json "$target/bench/report.json" "$@"
