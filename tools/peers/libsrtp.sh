#!/usr/bin/env bash
# libsrtp, the reference of SRTP, with its binding for Python: packets go both ways between it and ours.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
/usr/bin/python3 -c 'import pylibsrtp' 2>/dev/null || apt_install python3-pylibsrtp
