#!/usr/bin/env bash
# Pictures of the pages into docs/images: the demo's pages in Chromium, on a desk and on a telephone, in light and dark.
# Their number of colours is reduced: all together stay below a megabyte.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. tools/peers/lib.sh

bash tools/peers/chromium.sh
# Inter is the pages' first choice of a font.
fc-list 2>/dev/null | grep -qi inter || apt_install fontconfig fonts-inter
command -v pngquant >/dev/null || apt_install pngquant
"${CARGO:-cargo}" build --workspace
"${CARGO:-cargo}" build --workspace --example screenshots
target=${CARGO_TARGET_DIR:-target}/debug
mkdir -p docs/images
SIDETONE_BIN=$(realpath "$target/sidetone") "$target/examples/screenshots" docs/images
pngquant --force --skip-if-larger --ext .png --speed 1 --strip 64 docs/images/*.png || [ $? = 98 ]
bytes=$(cat docs/images/*.png | wc -c)
say "docs/images has $bytes bytes"
[ "$bytes" -lt 1000000 ] || die "that is more than the documents may have"
