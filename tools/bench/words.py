#!/usr/bin/env python3
"""How late words come: some callers talk through a Sidetone of its own, by SIP and RTP on loopback.

    tools/bench/words.py --sidetone target/debug/sidetone --recogniser .peers/models/moonshine-tiny [--calls 10]
        [--workers 1] [--recording demo/caller.wav] [--apart 2.3] [--language en] [--json FILE]

Every caller plays the recording as PCMU, 20 ms a packet; the other side is silent. Delay: when `sidetone tail --json` tells
an utterance, less when its last word ended (the INVITE was sent, plus `to_ms`, less the 200 ms of sound behind it). Beside it
stand the processors' time that Sidetone, this script and everybody else took meanwhile: on a busy machine words wait for a
processor. Needs nothing but Python.
"""

import argparse
import json
import math
import pathlib
import re
import signal
import socket
import statistics
import subprocess
import tempfile
import threading
import time
import wave

TRUNK, OWN, PBX = "127.91.7.2", "127.91.7.1", "127.91.7.3"
BEHIND = 0.2


def ulaw(sample):
    """G.711."""
    sign, size = (0x80, -sample) if sample < 0 else (0, sample)
    size = min(size, 32635) + 132
    exponent = max(size.bit_length() - 8, 0)
    return ~(sign | exponent << 4 | size >> (exponent + 3) & 0x0F) & 0xFF


def recording(path):
    with wave.open(path) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2), "8 kHz mono, 16 bits"
        frames = memoryview(file.readframes(file.getnframes())).cast("h")
    coded = bytes(map(ulaw, frames))
    silence = b"\xff" * 160
    return [coded[at : at + 160] for at in range(0, len(coded) - 159, 160)] + [silence] * 150


def sdp(host, port):
    return (
        f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n"
        "a=rtpmap:0 PCMU/8000\r\n"
    )


def field(text, name):
    return re.search(rf"^{name}\s*:\s*(.*?)\r?$", text, re.M | re.I).group(1)


def fields(text, name):
    return re.findall(rf"^{name}\s*:\s*.*?\r?$", text, re.M | re.I)


def media_of(text):
    host = re.search(r"^c=IN IP4 (\S+)", text, re.M).group(1)
    return host, int(re.search(r"^m=audio (\d+)", text, re.M).group(1))


def callee(media):
    """Answers every call; its media comes from one port a call."""
    sip = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sip.bind((PBX, 5060))
    known = {}
    while True:
        data, peer = sip.recvfrom(65536)
        text = data.decode(errors="replace")
        method = text.split(" ", 1)[0]
        if method not in ("INVITE", "BYE"):
            continue
        name = field(text, "Call-ID")
        copied = [line.rstrip("\r") for key in ("Via", "Record-Route", "From", "Call-ID", "CSeq") for line in fields(text, key)]
        to = f"To: {field(text, 'To')}" + ("" if method == "BYE" else ";tag=callee")
        body, more = "", []
        if method == "INVITE":
            if name not in known:
                known[name] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                known[name].bind((PBX, 0))
                media[name] = (known[name], media_of(text))
            body = sdp(PBX, known[name].getsockname()[1])
            more = [f"Contact: <sip:callee@{PBX}:5060>", "Content-Type: application/sdp"]
        head = ["SIP/2.0 200 OK", *copied, to, *more, f"Content-Length: {len(body)}"]
        sip.sendto(("\r\n".join(head) + "\r\n\r\n" + body).encode(), peer)


class Caller(threading.Thread):
    """One call, from INVITE to BYE."""

    def __init__(self, number, packets, media):
        super().__init__(daemon=True)
        self.number, self.packets, self.media = number, packets, media
        self.call_id = f"words-{number}-{time.time_ns()}"
        self.sip = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sip.bind((TRUNK, 0))
        self.sip.settimeout(10)
        self.rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.rtp.bind((TRUNK, 0))
        self.began = None

    def request(self, method, uri, number, to, more=(), body=""):
        port = self.sip.getsockname()[1]
        head = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {TRUNK}:{port};branch=z9hG4bK{self.number}{method}{time.time_ns()}",
            "Max-Forwards: 70",
            f"From: <sip:+49301000{self.number:03}@{TRUNK}>;tag=caller{self.number}",
            f"To: {to}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {number} {method}",
            f"Contact: <sip:caller@{TRUNK}:{port}>",
            *more,
            f"Content-Length: {len(body)}",
        ]
        self.sip.sendto(("\r\n".join(head) + "\r\n\r\n" + body).encode(), (OWN, 5060))

    def run(self):
        body = sdp(TRUNK, self.rtp.getsockname()[1])
        self.began = time.time()
        uri = f"sip:+4930555@{OWN}"
        self.request("INVITE", uri, 1, f"<{uri}>", ["Content-Type: application/sdp"], body)
        while True:
            text = self.sip.recv(65536).decode(errors="replace")
            if text.startswith("SIP/2.0 200"):
                break
        contact = re.search(r"<([^>]+)>", field(text, "Contact")).group(1)
        routes = [line.rstrip("\r").replace("Record-Route", "Route", 1) for line in reversed(fields(text, "Record-Route"))]
        to, target = field(text, "To"), media_of(text)
        self.request("ACK", contact, 1, to, routes)
        other, there = self.media[self.call_id]
        at = time.monotonic()
        for sequence, packet in enumerate(self.packets):
            head = b"\x80\x00" + (sequence & 0xFFFF).to_bytes(2, "big") + (160 * sequence).to_bytes(4, "big")
            self.rtp.sendto(head + self.number.to_bytes(4, "big") + packet, target)
            other.sendto(head + (1000 + self.number).to_bytes(4, "big") + b"\xff" * 160, there)
            at += 0.02
            time.sleep(max(0.0, at - time.monotonic()))
        self.request("BYE", contact, 2, to, routes)


def jiffies():
    """Processor time of the machine that is not idle, in ticks of 10 ms."""
    values = [int(value) for value in pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
    return sum(values) - values[3] - values[4]


def taken(pid):
    values = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(values[11]) + int(values[12])


def config(folder, args):
    return f"""
[sip]
listen = ["udp:{OWN}:5060"]
[media]
address = "{OWN}"
ports = "31000-31399"
[[trunk]]
name = "carrier"
hosts = [{{ to = "sip:{TRUNK}:5060", priority = 1 }}]
allow = ["{TRUNK}"]
disclosure = "given-upstream"
[[pbx]]
name = "pbx"
hosts = [{{ to = "sip:{PBX}:5060", priority = 1 }}]
allow = ["{PBX}"]
[health]
options_interval = "0s"
[control]
socket = "{folder}/control.sock"
[http]
listen = "{OWN}:9464"
[language]
enabled = true
language = "{args.language}"
model = "{args.recogniser}/"
workers = {args.workers}
calls = 100
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sidetone", required=True)
    parser.add_argument("--recogniser", required=True, type=lambda path: pathlib.Path(path).resolve())
    parser.add_argument("--recording", default="demo/caller.wav")
    parser.add_argument("--calls", type=int, default=10)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--apart", type=float, default=2.3)
    parser.add_argument("--language", default="en")
    parser.add_argument("--json")
    args = parser.parse_args()
    packets, media, told = recording(args.recording), {}, []
    threading.Thread(target=callee, args=(media,), daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "sidetone.toml")
        path.write_text(config(folder, args))
        log = open(pathlib.Path(folder, "log"), "w")
        server = subprocess.Popen([args.sidetone, "run", "--config", str(path)], stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not pathlib.Path(folder, "control.sock").exists():
            time.sleep(0.1)
        time.sleep(2)
        tail = subprocess.Popen([args.sidetone, "tail", "--json", "--config", str(path)], stdout=subprocess.PIPE, text=True)

        def listen():
            for line in tail.stdout:
                event = json.loads(line)
                if event.get("kind") == "words.final":
                    told.append((time.time(), event))

        threading.Thread(target=listen, daemon=True).start()
        time.sleep(1)
        callers = [Caller(number, packets, media) for number in range(args.calls)]
        before = (time.monotonic(), jiffies(), taken(server.pid), time.process_time())
        for caller in callers:
            caller.start()
            time.sleep(args.apart)
        for caller in callers:
            caller.join()
        time.sleep(5)
        after = (time.monotonic(), jiffies(), taken(server.pid), time.process_time())
        stats = subprocess.run([args.sidetone, "stats", "--json", "--config", str(path)], stdout=subprocess.PIPE, text=True)
        tail.send_signal(signal.SIGTERM)
        server.send_signal(signal.SIGTERM)
        server.wait(30)
        if not told:
            print(pathlib.Path(folder, "log").read_text()[-3000:])
    began = {caller.call_id: caller.began for caller in callers}
    delays, rows = [], []
    for arrived, event in told:
        data = event["data"]
        if event["call"]["sip_call_id"] in began and data["leg"] == "customer":
            delay = arrived - (began[event["call"]["sip_call_id"]] + data["to_ms"] / 1000 - BEHIND)
            delays.append(delay)
            rows.append({"delay": round(delay, 3), "seconds": (data["to_ms"] - data["from_ms"]) / 1000, "text": data["text"]})
    delays.sort()
    wall, ticks, own, script = (late - early for early, late in zip(before, after))
    share = lambda seconds: seconds / (2 * wall)
    speech = args.calls * len(packets) * 0.02
    result = {
        "calls": args.calls,
        "events": len(delays),
        "p50": round(statistics.median(delays), 3) if delays else None,
        "p95": round(delays[math.ceil(0.95 * len(delays)) - 1], 3) if delays else None,
        "most": round(delays[-1], 3) if delays else None,
        "within a second": round(sum(delay <= 1 for delay in delays) / len(delays), 2) if delays else None,
        "sidetone's share of two cores": round(share(own / 100), 2),
        "others' share": round(share(ticks / 100 - own / 100 - script), 2),
        "milliseconds a second of call": round(1000 * own / 100 / speech, 1),
    }
    print(json.dumps(result, indent=1))
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps({**result, "utterances": rows, "stats": stats.stdout}))


if __name__ == "__main__":
    main()
