#!/usr/bin/env bash
# Asterisk 22 in a root directory of its own, .peers/asterisk: the real PBX of the tests.
# Debian 12 carries no Asterisk, so it is taken from a later suite; nothing of that suite touches the host.
# About a minute and 700 MB, once; a directory that is there was finished, and is used as it is.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

suite=${SIDETONE_ASTERISK_SUITE:-forky}
target=$peers_dir/asterisk
[ -x "$target/usr/sbin/asterisk" ] && exit 0

need_debian "an Asterisk 22"
command -v debootstrap >/dev/null || apt_install debootstrap

mkdir -p "$peers_dir"
exec 9>"$peers_dir/asterisk.lock"
flock 9
[ -x "$target/usr/sbin/asterisk" ] && exit 0

# debootstrap fetches with wget, which knows nothing of apt's proxy settings.
eval "$(apt-config shell apt_http Acquire::http::Proxy apt_https Acquire::https::Proxy 2>/dev/null)" || true
[ -z "${apt_http:-}" ] || export http_proxy=${http_proxy:-$apt_http}
[ -z "${apt_https:-}" ] || export https_proxy=${https_proxy:-$apt_https}

unfinished=$peers_dir/asterisk.unfinished
as_root rm -rf --one-file-system "$unfinished"
say "building $target from Debian $suite; about a minute"
log=$peers_dir/asterisk.log
as_root debootstrap --variant=minbase --keyring=/usr/share/keyrings/debian-archive-keyring.gpg \
    --include=asterisk,asterisk-core-sounds-en-wav \
    "$suite" "$unfinished" "$(debian_mirror)" /usr/share/debootstrap/scripts/sid >"$log" 2>&1 || {
    tail -n 20 "$log" >&2
    die "debootstrap of $suite failed; the whole log is in $log"
}
# Debian's sample configuration is of no use here: each test brings its own, whole.
as_root rm -rf "$unfinished/var/cache/apt/archives" "$unfinished/etc/asterisk"
as_root mkdir -p "$unfinished/etc/asterisk"
as_root mv -T "$unfinished" "$target"
say "$(as_root chroot "$target" asterisk -V) is ready"
