#!/usr/bin/env bash
# Runs every fuzz target for so many seconds: `tools/fuzz.sh 20`. What crashes is kept in fuzz/artifacts; make it a
# fixture of the crate's tests. Works on stable Rust: coverage needs no nightly, only the sanitizers do.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-20}

tools/setup.sh fuzz

# Torture messages are what the SIP parsers should start from; the first byte chooses the parser.
mkdir -p fuzz/corpus/sip
for message in crates/sip/tests/torture/*.dat; do
    [ -e "$message" ] || continue
    { printf '\0'; cat "$message"; } > "fuzz/corpus/sip/$(basename "$message")"
done

targets=$(cd fuzz/fuzz_targets && ls -- *.rs | sed 's/\.rs$//')
for target in $targets; do
    echo "fuzz: $target for $seconds s"
    cargo fuzz run --sanitizer none "$target" -- -max_total_time="$seconds" -max_len=16384 -verbosity=0 -print_final_stats=1
done
echo "fuzz: $(echo "$targets" | wc -w) targets, no crash"
