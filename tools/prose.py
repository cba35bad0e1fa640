#!/usr/bin/env python3
"""Checks that prose is wrapped at 120 characters: tools/prose.py [--wrap]

Markdown paragraphs and list items, and comments in Rust sources. Tables, code blocks, headings and lines without a space to
wrap at stay as they are. --wrap mends what it finds.
"""

import re
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WIDTH = 120
# MODEL.md belongs to those who rework the model; cards are written by the training.
LEFT_OUT = ("docs/MODEL.md", "models/")
ITEM = re.compile(r"^(\s*)((?:[-*+]|\d+\.)\s+|>\s+)?")
COMMENT = re.compile(r"^(\s*)(///|//!|//)( *)((?:[-*+]|\d+\.)\s+)?")


def tracked(pattern):
    output = subprocess.run(["git", "ls-files", pattern], cwd=ROOT, check=True, capture_output=True, text=True)
    return [ROOT / name for name in output.stdout.splitlines() if not name.startswith(LEFT_OUT)]


def can_wrap(text):
    """Whether a line that is too long can be made shorter: a table, a heading and a long address can't."""
    bare = text.strip().lstrip("/!").strip()
    return len(text) > WIDTH and " " in bare and not bare.startswith(("|", "#", "[")) and not bare.startswith("http")


def wrap(words, first, rest):
    return textwrap.wrap(
        words, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )


def markdown(lines):
    """Numbers of the lines that are too long, and the same text wrapped."""
    faults, out, at, code = [], [], 0, False
    while at < len(lines):
        line = lines[at]
        if line.lstrip().startswith("```"):
            code = not code
        if code or not can_wrap(line):
            out.append(line)
            at += 1
            continue
        faults.append(at + 1)
        # The rest of the paragraph goes with it, but for lines that begin something of their own.
        match = ITEM.match(line)
        first = match[0]
        rest = " " * len(first) if not (match[2] or "").startswith(">") else first
        words, at = line[len(first):], at + 1
        while at < len(lines) and lines[at].strip() and continues(lines[at], rest):
            words += " " + lines[at].strip().removeprefix("> ")
            at += 1
        out.extend(wrap(words, first, rest))
    return faults, out


def continues(line, rest):
    match = ITEM.match(line)
    begins = bool(match[2]) and not match[2].startswith(">")
    return not begins and not line.lstrip().startswith(("|", "#", "```")) and len(match[1]) >= len(rest.replace("> ", ""))


def rust(lines):
    faults, out, at, code = [], [], 0, False
    while at < len(lines):
        line = lines[at]
        match = COMMENT.match(line)
        if match and match[2] != "//" and line[match.end(2):].strip().startswith("```"):
            code = not code
        if not match or code or not can_wrap(line) or match[2] == "//" and not match[3]:
            out.append(line)
            at += 1
            continue
        faults.append(at + 1)
        mark = match[1] + match[2]
        first = match[0]
        rest = mark + match[3] + " " * len(match[4] or "")
        words, at = line[len(first):], at + 1
        while at < len(lines):
            more = COMMENT.match(lines[at])
            said = lines[at][more.end(3):] if more else ""
            if not more or more[1] + more[2] != mark or more[4] or not said or said.startswith(("|", "#", "```")):
                break
            words += " " + said.strip()
            at += 1
        out.extend(wrap(words, first, rest))
    return faults, out


def main():
    mend, found = "--wrap" in sys.argv[1:], 0
    for paths, judge in ((tracked("*.md"), markdown), (tracked("*.rs"), rust)):
        for path in paths:
            text = path.read_text()
            faults, out = judge(text.split("\n"))
            if faults and mend:
                path.write_text("\n".join(out))
            elif faults:
                found += len(faults)
                for number in faults:
                    print(f"prose: {path.relative_to(ROOT)}:{number} is longer than {WIDTH}", file=sys.stderr)
    if found:
        print("prose: `tools/prose.py --wrap` wraps them", file=sys.stderr)
    sys.exit(1 if found else 0)


main()
