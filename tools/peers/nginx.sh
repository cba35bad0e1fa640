#!/usr/bin/env bash
# nginx: the pages behind a reverse proxy, as deploy/nginx has it.
# Taken out of Debian's package rather than installed, so that no web server is left on the machine.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

command -v curl >/dev/null || apt_install curl
target=$peers_dir/nginx
[ -x "$target/nginx" ] && exit 0
need_debian nginx

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
cd "$work"
apt-get -qq download nginx 2>/dev/null || { apt_get update && apt-get -qq download nginx; } ||
    die "apt-get could not download nginx"
dpkg-deb -x nginx_*.deb unpacked
mkdir -p "$target"
mv unpacked/usr/sbin/nginx "$target/"
