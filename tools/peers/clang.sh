#!/usr/bin/env bash
# clang for BPF: a test makes the kernel's program from its source and compares it with the one that ships.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v make >/dev/null || apt_install make
command -v clang-14 >/dev/null || apt_install clang-14
command -v llvm-strip-14 >/dev/null || apt_install llvm-14
[ -f /usr/include/linux/bpf.h ] || apt_install linux-libc-dev
