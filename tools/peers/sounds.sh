#!/usr/bin/env bash
# Real hold music, .peers/sounds/music (Debian's asterisk-moh-opsound-wav, CC BY-SA 3.0): what must raise no alert.
# The prompts come with Asterisk. Unpacked, not installed; nothing of it goes into the project.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

target=$peers_dir/sounds
[ -d "$target/music" ] && exit 0

need_debian "hold music"
mkdir -p "$peers_dir"
exec 9>"$peers_dir/sounds.lock"
flock 9
[ -d "$target/music" ] && exit 0

unfinished=$(mktemp -d)
trap 'rm -rf "$unfinished"' EXIT
chmod 755 "$unfinished"
fetch() { (cd "$unfinished" && apt-get -qq download asterisk-moh-opsound-wav >/dev/null 2>&1); }
fetch || { apt_get update && fetch; } || die "apt-get could not download asterisk-moh-opsound-wav"
dpkg-deb -x "$unfinished"/*.deb "$unfinished/all"
mkdir -p "$target"
cp -r "$unfinished/all/usr/share/asterisk/moh" "$target/music.unfinished"
mv -T "$target/music.unfinished" "$target/music"
say "hold music is in $target/music"
