#!/usr/bin/env bash
# Licences, sources, doubled crates and known vulnerabilities of all that is built in, by cargo-deny and deny.toml.
#   tools/deny.sh            installs cargo-deny if it is missing (some minutes, once)
#   tools/deny.sh if-there   says so and passes if it is missing, as `make lint` wants it
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if ! cargo deny --version >/dev/null 2>&1; then
    if [ "${1:-}" = if-there ]; then
        echo "deny: cargo-deny is not installed, so licences and advisories were not checked; \`make deny\` installs it"
        exit 0
    fi
    echo "deny: installing cargo-deny (some minutes, once)"
    cargo install --locked --quiet cargo-deny
fi

cargo deny --locked check --hide-inclusion-graph licenses bans sources
# The database is a git repository, which not every machine may reach.
if cargo deny fetch db >/dev/null 2>&1; then
    cargo deny --locked check --disable-fetch --hide-inclusion-graph advisories
else
    echo "deny: the advisories of https://github.com/RustSec/advisory-db can't be fetched from here; THEY WERE NOT CHECKED"
fi
