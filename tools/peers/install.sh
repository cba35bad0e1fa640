#!/usr/bin/env bash
# Installs the peers named, each only if it is missing: tools/peers/install.sh NAME...
# `all` is every peer; `tests` is what `make test` needs; `bench` is what `make bench` needs.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

tests="sipp sipp_tls baresip promtool dnsmasq asterisk sounds lua postgresql chromium axe libsrtp recogniser duckdb identity clang nginx"
bench="kamailio rtpengine sipp"

names=()
for name in "$@"; do
    case $name in
        all) names+=($tests $bench) ;;
        tests) names+=($tests) ;;
        bench) names+=($bench) ;;
        *) names+=("$name") ;;
    esac
done
if [ ${#names[@]} = 0 ]; then
    printf 'usage: %s NAME...\nnames: all tests bench %s\n' "$0" \
        "$(cd "$here" && ls ./*.sh | sed 's#^\./##; s#\.sh$##' | grep -vx -e lib -e install | tr '\n' ' ')" >&2
    exit 2
fi

for name in $(printf '%s\n' "${names[@]}" | awk '!seen[$0]++'); do
    [ -f "$here/$name.sh" ] && [ "$name" != lib ] && [ "$name" != install ] || {
        printf 'peers: no such peer: %s\n' "$name" >&2
        exit 2
    }
    bash "$here/$name.sh"
done
