#!/usr/bin/env bash
# dnsmasq: the name server of the tests, each with its own records on its own address. Only the program; no service.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v dnsmasq >/dev/null || [ -x /usr/sbin/dnsmasq ] || apt_install dnsmasq-base
