#!/usr/bin/env bash
# axe-core, .peers/axe/axe.min.js: the pages are held to its rules of accessibility in a real browser (MPL-2.0, so it is
# fetched for the tests and nothing of it goes into the project). One version, by its checksum.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

version=4.14.1
integrity='FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=='

target=$peers_dir/axe
[ -f "$target/$version" ] && exit 0

mkdir -p "$peers_dir"
exec 9>"$peers_dir/axe.lock"
flock 9
[ -f "$target/$version" ] && exit 0

command -v npm >/dev/null || apt_install npm
unfinished=$(mktemp -d)
trap 'rm -rf "$unfinished"' EXIT
(cd "$unfinished" && npm pack --silent "axe-core@$version" >/dev/null) ||
    die "npm could not fetch axe-core $version"
found=$(openssl dgst -sha512 -binary "$unfinished/axe-core-$version.tgz" | base64 -w0)
[ "$found" = "$integrity" ] || die "axe-core-$version.tgz is another one than was chosen: its SHA-512 is $found"
tar -xzf "$unfinished/axe-core-$version.tgz" -C "$unfinished" package/axe.min.js package/LICENSE
mkdir -p "$target"
mv "$unfinished/package/axe.min.js" "$unfinished/package/LICENSE" "$target/"
touch "$target/$version"
say "axe-core $version is in $target"
