#!/usr/bin/env bash
# Runs one scenario by hand, through a Sidetone of its own on 127.9.0.0/24:
#
#   sip-test-scenarios/run.sh NAME [--reverse] [--tcp]
#
# --reverse lets the PBX call the carrier; --tcp runs SIP over TCP on both sides. What each side sent and received is
# left in the folder that is named at the end. At a gate the scenario waits five seconds, or thirty, and goes on.
# `affect-info` and `ended-ringing` want more than this (a PBX that takes INFO, a stop): they are for the tests alone.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
sidetone=${SIDETONE_BIN:-${CARGO_TARGET_DIR:-$root/target}/debug/sidetone}

name=${1:-}
shift || true
caller=127.9.0.2 callee=127.9.0.3 transport=u1
for option in "$@"; do
    case $option in
        --reverse) caller=127.9.0.3 callee=127.9.0.2 ;;
        --tcp) transport=t1 ;;
        *) echo "run.sh: no such option: $option" >&2; exit 2 ;;
    esac
done
if [ ! -f "$here/$name/uac.xml" ]; then
    echo "usage: $0 NAME [--reverse] [--tcp]; scenarios:" >&2
    (cd "$here" && ls -d ./*/ | sed 's#[./]##g' | column) >&2
    exit 2
fi
[ -x "$sidetone" ] || { echo "run.sh: $sidetone is missing; run 'make build' first" >&2; exit 1; }
command -v sipp >/dev/null || { echo "run.sh: SIPp is missing; run 'make peers' first" >&2; exit 1; }

work=$(mktemp -d "${TMPDIR:-/tmp}/sidetone-$name-XXXX")
children=()
trap 'kill "${children[@]}" 2>/dev/null || true; wait 2>/dev/null || true' EXIT

to=udp
[ "$transport" = u1 ] || to=tcp
second=""
[ ! -f "$here/$name/uas-second.xml" ] || second=", { to = \"sip:127.9.0.4:5060;transport=$to\", priority = 2 }"
cat > "$work/sidetone.toml" <<TOML
[sip]
listen = ["udp:127.9.0.1:5060", "tcp:127.9.0.1:5060"]
[media]
address = "127.9.0.1"
[[trunk]]
name = "carrier"
hosts = [{ to = "sip:127.9.0.2:5060;transport=$to" }]
allow = ["127.9.0.2"]
disclosure = "given-upstream"
[[pbx]]
name = "pbx"
hosts = [{ to = "sip:127.9.0.3:5060;transport=$to" }$second]
allow = ["127.9.0.3", "127.9.0.4"]
[health]
options_interval = "0s"
[http]
listen = "127.9.0.1:9464"
[control]
socket = "$work/control.sock"
TOML
"$sidetone" run --config "$work/sidetone.toml" > "$work/sidetone.log" 2>&1 &
children+=($!)
until (exec 3<>/dev/tcp/127.9.0.1/9464) 2>/dev/null; do
    kill -0 "${children[0]}" 2>/dev/null || { cat "$work/sidetone.log" >&2; exit 1; }
    sleep 0.1
done

# part PART ADDRESS OPTIONS...: SIPp with one file of the scenario; it echoes the media that it receives.
part() {
    local part=$1 at=$2
    shift 2
    sipp "$@" -sf "$here/$name/$part.xml" -i "$at" -p 5060 -ci "$at" -cp 5061 -t "$transport" -m 1 -nostdin \
        -mi "$at" -mp 40000 -rtp_echo -s +15550123 \
        -key rtp_at "IP4 $at" -key rtp_port 40000 -key rtp_at_2 "IP4 $at" -key rtp_port_2 40010 -key tier bereavement -key said "X-Sidetone-Customer: yes" \
        -trace_msg -message_file "$work/$part.messages" -trace_err -error_file "$work/$part.errors" > "$work/$part.screen" 2>&1
}

for file in uas uas-second; do
    [ -f "$here/$name/$file.xml" ] || continue
    at=$callee
    [ "$file" = uas ] || at=127.9.0.4
    part "$file" "$at" &
    children+=($!)
done
sleep 0.3

status=0
part uac "$caller" 127.9.0.1:5060 || status=$?
grep -hE '^(UDP|TCP) message|^[A-Z]+ sip|^SIP/2.0 [0-9]' "$work/uac.messages" | sed -n 'h;n;H;x;s/ *([0-9]* bytes) *://;s/ *\[[0-9]*\] bytes *://;s/\r//g;s/\n/: /;p'
if [ "$status" = 0 ]; then
    echo "$name: as it should be; $work"
else
    cat "$work"/*.errors >&2 2>/dev/null || true
    echo "$name: FAILED; $work" >&2
fi
exit "$status"
