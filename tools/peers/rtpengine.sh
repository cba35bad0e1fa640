#!/usr/bin/env bash
# rtpengine: the media benchmark peer; the bench runs it in user space (--table=-1).
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v rtpengine >/dev/null || apt_install rtpengine-daemon
