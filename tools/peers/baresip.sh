#!/usr/bin/env bash
# baresip: the softphone that calls through Sidetone to a real PBX.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v baresip >/dev/null || apt_install baresip-core
