#!/usr/bin/env bash
# Kamailio: the SIP benchmark peer, and a stand-in record-routing proxy when a scenario is written.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v kamailio >/dev/null || apt_install kamailio
