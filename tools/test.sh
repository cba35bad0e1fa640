#!/usr/bin/env bash
# Runs every test: with cargo-nextest where it is installed (tests of all crates side by side, hung ones ended), else
# with cargo's own runner, which needs no installation.
set -euo pipefail
if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --workspace --no-fail-fast
    cargo test --workspace --doc --quiet
else
    echo "test: cargo-nextest is not installed; cargo test does the same, one crate after the other"
    cargo test --workspace --no-fail-fast
fi
