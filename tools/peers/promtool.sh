#!/usr/bin/env bash
# promtool (and prometheus): checks /metrics and the shipped alert rules.
# Taken out of Debian's package rather than installed, so that no Prometheus server is left on the machine.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

target=$peers_dir/prometheus
[ -x "$target/promtool" ] && exit 0
need_debian prometheus

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
cd "$work"
apt-get -qq download prometheus 2>/dev/null || { apt_get update && apt-get -qq download prometheus; } ||
    die "apt-get could not download prometheus"
dpkg-deb -x prometheus_*.deb unpacked
mkdir -p "$target"
mv unpacked/usr/bin/prometheus "$target/"
mv unpacked/usr/bin/promtool "$target/"
