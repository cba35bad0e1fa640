#!/usr/bin/env bash
# JsSIP, the SIP stack of the demo's phone in a browser, as one file: crates/sidetone/src/cli/demo/browser/jssip/jssip.js.
# Its package holds modules for a bundler and no such file. Each package by its version and checksum (SHA-512); the
# bundler (esbuild) goes into nothing. With `--check`: whether the file in the tree is what comes out.
set -euo pipefail

target=$(cd "$(dirname "$0")/.." && pwd)/crates/sidetone/src/cli/demo/browser/jssip
packages='
jssip 3.13.8 ErxEdy13vXR5izGo42fpXOU64UmC2VF7Shg4oYG7R2NzZF0FTPeYikffkIIQa9w+/11YvTlgezG1nSaycWYXPA==
debug 4.4.3 RGwwWnwQvkVfavKVt22FGLw+xYSdzARwm0ru6DhTVA3umU5hZc28V3kO4stgYryrTlLpuvgI9GiijltAjNbcqA==
ms 2.1.3 6FlzubTLZG3J2a/NVCAleEhjzq5oxgHyaCU9yYXvcLsvoVaHJq/s5xXI6/XXP6tz7R9xAOtHnSO/tXtF3WRTlA==
events 3.3.0 mQw+2fkQbALzQ7V0MY0IqdnXNOeTtP4r0lN9z7AAawCXgqea7bDii20AYrIBrFd/Hx0M2Ocz6S111CaFkUcb0Q==
sdp-transform 2.15.0 KrOH82c/W+GYQ0LHqtr3caRpM3ITglq3ljGUIb8LTki7ByacJZ9z+piSGiwZDsRyhQbYBOBJgr2k6X4BZXi3Kw==
'
bundler='@esbuild/linux-x64 0.28.2 4xTZr1FUmSoQW4XIWmit3tzQrUTZM+N3P0XV8xROKYF50XfI7xeO90+1bZvNwxIufQ9hDQVRJH5YhgPVF8A/HQ=='

command -v npm >/dev/null || { echo "tools/jssip.sh needs npm" >&2; exit 1; }
unfinished=$(mktemp -d)
trap 'rm -rf "$unfinished"' EXIT
cd "$unfinished"
mkdir made

# fetch NAME VERSION SHA512: into node_modules/NAME
fetch() {
    local file found
    file=$(npm pack --silent "$1@$2")
    found=$(openssl dgst -sha512 -binary "$file" | base64 -w0)
    [ "$found" = "$3" ] || { echo "$file is another one than was chosen: its SHA-512 is $found" >&2; exit 1; }
    mkdir -p "node_modules/$1"
    tar -xzf "$file" -C "node_modules/$1" --strip-components=1
}

while read -r name version sum; do
    [ -n "$name" ] || continue
    fetch "$name" "$version" "$sum"
    licence=$(find "node_modules/$name" -maxdepth 1 -iname 'license*' | head -1)
    [ -n "$licence" ] && { printf '%s %s\n\n' "$name" "$version"; cat "$licence"; printf '\n\n'; } >>made/LICENSES
done <<<"$packages"
# shellcheck disable=SC2086
fetch $bundler

echo 'module.exports = require("jssip");' >entry.js
"node_modules/@esbuild/linux-x64/bin/esbuild" entry.js --bundle --minify --format=iife --global-name=JsSIP \
    --target=es2020 --legal-comments=none --log-level=warning --outfile=made/bundle.js
version=$(awk '$1 == "jssip" { print $2 }' <<<"$packages")
{
    echo "/* JsSIP $version with debug, events, ms and sdp-transform: MIT, see LICENSES. Made by tools/jssip.sh. */"
    cat made/bundle.js
} >made/jssip.js
sed -i 's/[ \t]*$//; s/\r$//' made/LICENSES

if [ "${1:-}" = --check ]; then
    cmp made/jssip.js "$target/jssip.js" && cmp made/LICENSES "$target/LICENSES" && echo "as in the tree"
else
    mkdir -p "$target"
    cp made/jssip.js made/LICENSES "$target/"
    ls -l "$target"
fi
