#!/usr/bin/env bash
# Packages a binary that is built, twice over, and tries the package and the image of it: tools/package/test.sh BINARY
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
export DEB_COMPRESSION=${DEB_COMPRESSION:-none}

"$here/deb.sh" "$1" "$out/one" >/dev/null
"$here/deb.sh" "$1" "$out/two" >/dev/null
diff -r "$out/one" "$out/two" || { echo "package: the same binary gave two different packages" >&2; exit 1; }
deb=$(ls "$out"/one/sidetone_*.deb)
"$here/install-test.sh" "$deb"
"$here/image.py" "$deb" "$out/one.oci.tar" >/dev/null
"$here/image.py" "$deb" "$out/two.oci.tar" >/dev/null
cmp "$out/one.oci.tar" "$out/two.oci.tar" || { echo "package: the same package gave two different images" >&2; exit 1; }
"$here/image-test.sh" "$out/one.oci.tar"
