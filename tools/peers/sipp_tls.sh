#!/usr/bin/env bash
# SIPp 3.8 with TLS, in Asterisk's root directory: Debian 12's own SIPp is built without.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

bash "$(dirname "${BASH_SOURCE[0]}")/asterisk.sh"
target=$peers_dir/asterisk
[ -x "$target/usr/bin/sipp" ] && exit 0

exec 9>"$peers_dir/asterisk.lock"
flock 9
[ -x "$target/usr/bin/sipp" ] && exit 0

proxy=$(mktemp)
apt-config dump | grep -E '^Acquire::https?::Proxy ' >"$proxy" || true
as_root cp "$proxy" "$target/etc/apt/apt.conf.d/90proxy"
as_root cp /etc/resolv.conf "$target/etc/resolv.conf"
# Packages that lack in Asterisk's minimal root may need certificates to be fetched; the host's are good enough.
as_root mkdir -p "$target/etc/ssl/certs"
[ ! -f /etc/ssl/certs/ca-certificates.crt ] || as_root cp /etc/ssl/certs/ca-certificates.crt "$target/etc/ssl/certs/"
rm -f "$proxy"
# A mirror's snapshot may be older than its promise; its signature is checked as ever.
log=$peers_dir/sipp_tls.log
as_root chroot "$target" sh -c 'apt-get -qq -o Acquire::Check-Valid-Until=false update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install sip-tester' >"$log" 2>&1 || {
    tail -n 20 "$log" >&2
    die "SIPp could not be installed into $target; the whole log is in $log"
}
say "$(as_root chroot "$target" sipp -v | grep -m1 SIPp) is ready"
