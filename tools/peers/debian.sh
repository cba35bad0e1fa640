#!/usr/bin/env bash
# A clean Debian root file system, .peers/debian: where the package is installed and started. Debian 12, the suite that
# the package is made for; libopus and what the unit needs of systemd are in it, so that installing takes no network.
# About a minute and 250 MB, once.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

suite=${SIDETONE_DEBIAN_SUITE:-$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-bookworm}")}
target=$peers_dir/debian
[ -x "$target/usr/bin/dpkg" ] && exit 0

need_debian "a Debian root file system"
command -v debootstrap >/dev/null || apt_install debootstrap

mkdir -p "$peers_dir"
exec 9>"$peers_dir/debian.lock"
flock 9
[ -x "$target/usr/bin/dpkg" ] && exit 0

# debootstrap fetches with wget, which knows nothing of apt's proxy settings.
eval "$(apt-config shell apt_http Acquire::http::Proxy apt_https Acquire::https::Proxy 2>/dev/null)" || true
[ -z "${apt_http:-}" ] || export http_proxy=${http_proxy:-$apt_http}
[ -z "${apt_https:-}" ] || export https_proxy=${https_proxy:-$apt_https}

unfinished=$peers_dir/debian.unfinished
as_root rm -rf --one-file-system "$unfinished"
say "building $target from Debian $suite; about a minute"
log=$peers_dir/debian.log
as_root debootstrap --variant=minbase --include=libopus0,systemd,man-db "$suite" "$unfinished" "$(debian_mirror)" >"$log" 2>&1 || {
    tail -n 20 "$log" >&2
    die "debootstrap of $suite failed; the whole log is in $log"
}
as_root rm -rf "$unfinished/var/cache/apt/archives"
as_root mv -T "$unfinished" "$target"
say "$target is ready"
