#!/usr/bin/env bash
# Installs what building (`tools/setup.sh build`), fuzzing (`fuzz`), the lints (`lint`) or packaging (`package`) lacks. Quick when all is there.
set -euo pipefail

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else
        echo "setup: this needs root, and there is no sudo. As root, run: $*" >&2
        exit 1
    fi
}

apt_install() {
    echo "setup: installing $*"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

build() {
    local missing=()
    command -v cc >/dev/null || missing+=(gcc libc6-dev)
    command -v pkg-config >/dev/null || missing+=(pkg-config)
    if ! pkg-config --exists opus 2>/dev/null; then missing+=(libopus-dev); fi
    if [ "${#missing[@]}" -gt 0 ]; then
        if ! command -v apt-get >/dev/null; then
            echo "setup: please install a C compiler, pkg-config and libopus with its headers" >&2
            exit 1
        fi
        apt_install "${missing[@]}"
    fi
    if ! command -v cargo >/dev/null; then
        echo "setup: Rust is missing; install it from https://rustup.rs" >&2
        exit 1
    fi
}

fuzz() {
    build
    # libFuzzer is C++.
    command -v g++ >/dev/null || apt_install g++
    if ! cargo fuzz --version >/dev/null 2>&1; then
        echo "setup: installing cargo-fuzz (some minutes, once)"
        cargo install --locked --quiet cargo-fuzz
    fi
}

lint() {
    build
    command -v python3 >/dev/null || apt_install python3
}

package() {
    local missing=()
    command -v dpkg-shlibdeps >/dev/null || missing+=(dpkg-dev)
    command -v objcopy >/dev/null || missing+=(binutils)
    command -v python3 >/dev/null || missing+=(python3)
    [ "${#missing[@]}" = 0 ] || apt_install "${missing[@]}"
}

case "${1:-}" in
    build) build ;;
    fuzz) fuzz ;;
    lint) lint ;;
    package) package ;;
    *) echo "usage: $0 build|fuzz|lint|package" >&2; exit 2 ;;
esac
