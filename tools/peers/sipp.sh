#!/usr/bin/env bash
# SIPp: plays both ends of the scenarios in sip-test-scenarios/.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v sipp >/dev/null || apt_install sip-tester
