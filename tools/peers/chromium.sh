#!/usr/bin/env bash
# Chromium: the pages are tried in a real browser.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null ||
    apt_install chromium
