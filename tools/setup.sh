#!/usr/bin/env bash
# Installs what building lacks: `tools/setup.sh build`. Quick when all is there.
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

case "${1:-}" in
    build) build ;;
    *) echo "usage: $0 build" >&2; exit 2 ;;
esac
