#!/usr/bin/env bash
# Installs the package in a clean Debian root file system, starts the service as its unit does, asks it how it is, stops,
# upgrades, removes and purges it: tools/package/install-test.sh SIDETONE.deb
# Root is needed (chroot). The root file system is made once, by tools/peers/debian.sh. It has systemd's tools and no init:
# what the unit asks of systemd (account, folders, environment) is done here, the commands are read from the unit.
set -euo pipefail
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
deb=$(realpath "$1")
clean=${SIDETONE_PEERS:-$repository/.peers}/debian
[ -x "$clean/usr/bin/dpkg" ] || { echo "install-test: $clean is missing: run \`tools/peers/install.sh debian\` first" >&2; exit 1; }

# A network of its own: neither ports of this machine nor packets to the example's addresses.
if [ -z "${SIDETONE_INSTALL_TEST_INSIDE:-}" ]; then
    SIDETONE_INSTALL_TEST_INSIDE=1 exec unshare --net -- "$0" "$deb"
fi
ip link set lo up

root=$(mktemp -d)
service=
finish() {
    [ -z "$service" ] || kill -KILL "$service" 2>/dev/null || true
    rm -rf --one-file-system "$root"
}
trap finish EXIT
fail() {
    echo "install-test: $*" >&2
    exit 1
}
say() { echo "install-test: $*"; }

cp -a "$clean/." "$root"
cp "$deb" "$root/sidetone.deb"
inside() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 "$@"; }
as_service() { chroot --userspec=sidetone:sidetone "$root" /usr/bin/env -i PATH=/usr/bin:/bin "$@"; }
owner() { inside stat -c '%U:%G %a' "$1"; }
expect() { [ "$2" = "$3" ] || fail "$1: $2, where $3 was expected"; }

say "installing"
inside dpkg --install /sidetone.deb >/dev/null 2>&1 || fail "the package can't be installed"
expect "the configuration" "$(owner /etc/sidetone/sidetone.toml)" "root:sidetone 640"
expect "its folder" "$(owner /etc/sidetone)" "root:sidetone 750"
[ ! -e "$root/etc/systemd/system/multi-user.target.wants/sidetone.service" ] || fail "the service was enabled unasked"
inside systemd-analyze verify /usr/lib/systemd/system/sidetone.service || fail "systemd finds fault with the unit"
inside man --path sidetone-run >/dev/null || inside test -e /usr/share/man/man1/sidetone-run.1.gz || fail "no man page"
inside bash -n /usr/share/bash-completion/completions/sidetone || fail "bash can't read its completions"
(cd "$root" && md5sum --quiet --check var/lib/dpkg/info/sidetone.md5sums) || fail "files differ from their sums"

say "starting, as the unit does"
unit=$root/usr/lib/systemd/system/sidetone.service
command_of() { sed -n "s/^$1=//p" "$unit"; }
expect "the unit's account" "$(command_of User)" sidetone
for folder in run lib log; do
    at=/var/$folder/sidetone
    [ "$folder" != run ] || at=/run/sidetone
    inside install -d -o sidetone -g sidetone "$at"
done
as_service /usr/bin/sidetone check || fail "sidetone check"
chroot --userspec=sidetone:sidetone "$root" /usr/bin/env -i PATH=/usr/bin:/bin $(command_of ExecStart) >"$root/service.log" 2>&1 &
service=$!
for _ in $(seq 100); do
    inside sidetone health >/dev/null 2>&1 && break
    kill -0 "$service" 2>/dev/null || { cat "$root/service.log" >&2; fail "the service ended"; }
    sleep 0.2
done
inside sidetone health || { cat "$root/service.log" >&2; fail "the service does not answer"; }
exec 3<>/dev/tcp/127.0.0.1/9464
printf 'GET /openapi.json HTTP/1.1\r\nHost: sidetone\r\nConnection: close\r\n\r\n' >&3
grep -q '"openapi": "3.1' <&3 || fail "no description at /openapi.json"
exec 3<&-
inside sidetone calls >/dev/null || fail "sidetone calls"
as_service $(command_of ExecReload) >/dev/null || fail "ExecReload"

say "installing it again, as an upgrade"
echo '# changed by the administrator' >>"$root/etc/sidetone/sidetone.toml"
inside dpkg --install /sidetone.deb >/dev/null || fail "the package can't be upgraded"
grep -q 'changed by the administrator' "$root/etc/sidetone/sidetone.toml" || fail "the configuration was overwritten"
expect "the configuration, upgraded" "$(owner /etc/sidetone/sidetone.toml)" "root:sidetone 640"
kill -0 "$service" || fail "the upgrade has ended the service, and its calls"

say "stopping"
kill -TERM "$service"
wait "$service" || fail "the service ended with $?"
service=

say "removing"
inside dpkg --remove sidetone >/dev/null || fail "the package can't be removed"
[ -e "$root/etc/sidetone/sidetone.toml" ] || fail "removing took the configuration"
echo receipt >"$root/var/lib/sidetone/receipt"
inside dpkg --purge sidetone >/dev/null || fail "the package can't be purged"
[ ! -e "$root/etc/sidetone" ] || fail "purging left /etc/sidetone"
[ -e "$root/var/lib/sidetone/receipt" ] || fail "purging took the receipts"
left=$(cd "$root" && find . -xdev -iname '*sidetone*' -not -path './var/lib/sidetone*' -not -path './sidetone.deb' -not -path './run/sidetone*' -not -path './var/cache/man/*')
[ -z "$left" ] || fail "purging left: $left"
say "installed, started, upgraded, stopped, removed and purged"
