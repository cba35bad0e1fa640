# Shared by the peer installers; sourced, not run.
# A peer is somebody else's program that the tests talk to: a SIP generator, a PBX, a proxy, a softphone.

set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
peers_dir=${SIDETONE_PEERS:-$repository/.peers}

say() { printf 'peers: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# Runs a command as root, or says plainly what root is needed for.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        sudo "$@"
    else
        die "this needs root: $*
peers: run it yourself, or run 'make peers' once as root (or with sudo that asks for no password)"
    fi
}

need_debian() {
    command -v apt-get >/dev/null || die "these installers know Debian and its derivatives only; install $1 by hand and put it on PATH"
}

# Installs Debian packages without letting any of them start a service, now or at the next boot.
# apt_install PACKAGE...
apt_install() {
    need_debian "$*"
    local policy=/usr/sbin/policy-rc.d made=
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
        made=1
    fi
    local status=0
    apt_get install -y --no-install-recommends "$@" || {
        apt_get update && apt_get install -y --no-install-recommends "$@"
    } || status=$?
    [ -z "$made" ] || as_root rm -f "$policy"
    [ "$status" = 0 ] || die "apt-get could not install: $*"
    local unit
    for unit in "$@"; do
        if [ -e "/lib/systemd/system/$unit.service" ] && command -v systemctl >/dev/null; then
            as_root systemctl disable --quiet "$unit.service" >/dev/null 2>&1 || true
        fi
    done
}

# apt-get that waits for another apt to finish, and talks only when it fails.
apt_get() {
    local log
    log=$(mktemp)
    if as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600 "$@" >"$log" 2>&1; then
        rm -f "$log"
    else
        cat "$log" >&2
        rm -f "$log"
        return 1
    fi
}

# The mirror that this machine's apt already uses for Debian proper.
debian_mirror() {
    if [ -n "${SIDETONE_DEBIAN_MIRROR:-}" ]; then
        printf '%s\n' "$SIDETONE_DEBIAN_MIRROR"
        return
    fi
    local found
    found=$(apt-get indextargets --format '$(ORIGIN) $(LABEL) $(REPO_URI)' 'Identifier: Packages' 2>/dev/null |
        awk '$1 == "Debian" && $2 == "Debian" { print $3; exit }')
    printf '%s\n' "${found:-http://deb.debian.org/debian/}"
}
