#!/usr/bin/env bash
# Lua: runs the script that is shipped for FreeSWITCH, whose mod_lua embeds it. Only the interpreter.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v lua5.4 >/dev/null || apt_install lua5.4
