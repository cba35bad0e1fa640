#!/usr/bin/env bash
# The build that the demo waits for and the build that the tests wait for must be one: a feature that only a test asks
# of a library makes cargo compile that library, and all that stand on it, a second time. Fails and names it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Every library with its features, as one command would build it. features EDGES
features() {
    cargo tree --locked --workspace --edges "$1" --prefix none --format '{p}|{f}' |
        sed -nE 's/ \(\*\)//; s/ \(proc-macro\)//; s/ \(\/[^)]*\)//; /\|/p' | sort -u
}

demo=$(features normal,build)
tests=$(features normal,build,dev)
apart=$(comm -23 <(printf '%s\n' "$demo") <(printf '%s\n' "$tests"))
if [ -n "$apart" ]; then
    printf 'features: the tests build these with other features than the demo, so they are compiled twice:\n' >&2
    printf '%s\n' "$apart" | while IFS='|' read -r library wanted; do
        printf '  %s: the demo wants [%s], the tests [%s]\n' "$library" "$wanted" \
            "$(printf '%s\n' "$tests" | sed -n "s/^$library|//p")" >&2
    done
    printf 'features: ask for these features in [workspace.dependencies], or choose another library for the test\n' >&2
    exit 1
fi

# What a default feature takes in, the packaged binary has to do without; only the fuzz targets' module may need it.
wrong=$(grep -A2 -h 'cfg(feature = "fuzz")' crates/*/src/lib.rs | grep -cE '^(mod|pub mod|pub use|use) ' || true)
right=$(grep -A2 -h 'cfg(feature = "fuzz")' crates/*/src/lib.rs | grep -c '^pub mod fuzz;$' || true)
if [ "$wrong" != "$right" ] || [ "$right" != "$(ls crates/*/src/fuzz.rs | wc -l)" ]; then
    printf 'features: the feature fuzz is for `pub mod fuzz;` alone, in each crate that has a fuzz.rs\n' >&2
    exit 1
fi
