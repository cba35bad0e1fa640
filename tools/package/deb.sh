#!/usr/bin/env bash
# Makes the Debian packages of a binary that has been built: tools/package/deb.sh BINARY FOLDER
# FOLDER then holds sidetone_VERSION_ARCH.deb and, with its debug symbols, sidetone-dbgsym_VERSION_ARCH.deb.
#
# dpkg-deb and a script rather than debhelper or cargo-deb: the build is cargo's already, the binary may be any that is at
# hand (the tests package the one that they have), and nothing has to be compiled or installed to read how it is done.
# The same binary and commit give the same bytes. DEB_REVISION (1) and DEB_COMPRESSION (xz) may be set.
set -euo pipefail
umask 022
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
binary=$(realpath "$1")
mkdir -p "$2"
out=$(realpath "$2")
cd "$repository"

for tool in dpkg-deb dpkg-shlibdeps objcopy strip gzip python3; do
    command -v "$tool" >/dev/null || {
        echo "deb: $tool is missing; as root: apt-get install dpkg-dev binutils gzip python3" >&2
        exit 1
    }
done

version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)-${DEB_REVISION:-1}
architecture=$(dpkg --print-architecture)
# The commit's time, so that the package is the same whenever it is made.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/sidetone
symbols=$work/sidetone-dbgsym
doc=$root/usr/share/doc/sidetone

put() { install -D -m 0644 "$1" "$2"; }

# === the binary, and its symbols apart ===

install -D -m 0755 "$binary" "$root/usr/bin/sidetone"
id=$(readelf -n "$binary" | sed -n 's/^ *Build ID: *//p')
[ -n "$id" ] || { echo "deb: $binary has no build id, by which debuggers find the symbols" >&2; exit 1; }
debug=$symbols/usr/lib/debug/.build-id/${id:0:2}/${id:2}.debug
mkdir -p "$(dirname "$debug")"
objcopy --only-keep-debug --compress-debug-sections "$binary" "$debug"
chmod 0644 "$debug"
strip --strip-all "$root/usr/bin/sidetone"

# === what the binary writes of itself ===

mkdir -p "$root/usr/share/man/man1"
"$binary" man "$root/usr/share/man/man1" >/dev/null
gzip -9n "$root"/usr/share/man/man1/*.1
mkdir -p "$root/usr/share/bash-completion/completions" "$root/usr/share/zsh/vendor-completions" \
    "$root/usr/share/fish/vendor_completions.d"
"$binary" completions bash >"$root/usr/share/bash-completion/completions/sidetone"
"$binary" completions zsh >"$root/usr/share/zsh/vendor-completions/_sidetone"
"$binary" completions fish >"$root/usr/share/fish/vendor_completions.d/sidetone.fish"

# === configuration, unit, account, documentation ===

# As it comes it listens on the loopback address only.
put deploy/sidetone.example.toml "$root/etc/sidetone/sidetone.toml"
put deploy/systemd/sidetone.service "$root/usr/lib/systemd/system/sidetone.service"
put deploy/systemd/sidetone.sysusers "$root/usr/lib/sysusers.d/sidetone.conf"
put deploy/debian/copyright "$doc/copyright"
for file in LICENSE-MIT LICENSE-APACHE README.md ARCHITECTURE.md; do put "$file" "$doc/$file"; done
(cd docs && find . -type f -print0) | while IFS= read -rd '' file; do put "docs/$file" "$doc/$file"; done
put CHANGELOG.md "$doc/changelog"
gzip -9n "$doc/changelog"
tools/package/sbom.py >"$doc/sbom.cdx.json"
# Kernel settings, PBXs and Prometheus are other programs' affairs: examples, for the administrator to take.
for folder in asterisk freeswitch prometheus sysctl; do
    (cd deploy && find "$folder" -type f) | while read -r file; do put "deploy/$file" "$doc/examples/$file"; done
done
put deploy/systemd/kernel.conf "$doc/examples/systemd/kernel.conf"
put deploy/README.md "$doc/examples/README.md"
put deploy/sidetone.example.toml "$doc/examples/sidetone.example.toml"

# === control files ===

# dpkg-shlibdeps wants a debian/control beside it.
mkdir -p "$work/shlibs/debian"
printf 'Source: sidetone\n\nPackage: sidetone\nArchitecture: any\n' >"$work/shlibs/debian/control"
depends=$(cd "$work/shlibs" && dpkg-shlibdeps -O -e"$root/usr/bin/sidetone" 2>/dev/null | sed -n 's/^shlibs:Depends=//p')
[ -n "$depends" ] || { echo "deb: dpkg-shlibdeps names no libraries" >&2; exit 1; }

control() { # PACKAGE ROOT FIELDS: writes DEBIAN/control and DEBIAN/md5sums
    mkdir -p "$2/DEBIAN"
    {
        printf 'Package: %s\nVersion: %s\nArchitecture: %s\n' "$1" "$version" "$architecture"
        printf 'Maintainer: The Sidetone authors <packages@sidetone.example>\n'
        printf 'Installed-Size: %s\n' "$(du -k -s --apparent-size --exclude=DEBIAN "$2" | cut -f1)"
        printf 'Homepage: https://github.com/sidetone/sidetone\n'
        printf '%s\n' "$3"
    } >"$2/DEBIAN/control"
    (cd "$2" && find . -path ./DEBIAN -prune -o -path ./etc -prune -o -type f -printf '%P\0' | LC_ALL=C sort -z |
        xargs -0 md5sum >DEBIAN/md5sums)
}

control sidetone "$root" "Section: comm
Priority: optional
Depends: $depends, passwd
Recommends: ca-certificates
Suggests: sidetone-dbgsym (= $version)
Description: media-plane sidecar for contact centres
 Sidetone sits between a carrier trunk and an Asterisk or FreeSWITCH PBX. It
 carries every call through untouched, and while the packets pass it hears how
 the caller feels, under consent. It tells the PBX and whoever listens when a
 caller grows upset."
echo /etc/sidetone/sidetone.toml >"$root/DEBIAN/conffiles"
install -m 0755 deploy/debian/postinst deploy/debian/prerm deploy/debian/postrm "$root/DEBIAN"

mkdir -p "$symbols/usr/share/doc"
ln -s sidetone "$symbols/usr/share/doc/sidetone-dbgsym"
control sidetone-dbgsym "$symbols" "Section: debug
Priority: optional
Depends: sidetone (= $version)
Build-Ids: $id
Description: debug symbols for sidetone
 Debuggers and profilers find them by the binary's build id."

# === both packages ===

find "$work" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
for package in "$root" "$symbols"; do
    file=$out/$(basename "$package")_${version}_${architecture}.deb
    dpkg-deb --root-owner-group -Z"${DEB_COMPRESSION:-xz}" --build "$package" "$file" >/dev/null
    echo "$file"
done
