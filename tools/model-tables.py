#!/usr/bin/env python3
"""Every table of docs/MODEL.md that says how right the shipped weights are, made anew and written as Markdown.

    make model-tables LABELS=labels.csv SPEECH=DIR [SOUNDS=hold-music/,prompts/] [OUT=target/model-tables]

Each answer of `sidetone model` is kept as JSON in OUT and taken from there the next time: remove what is to be asked again.
"""

import argparse
import csv
import json
import subprocess
import sys
from pathlib import Path

LINES = [
    ("G.711 µ-law", []),
    ("gain +12 dB, with clipping", ["--gain", "12"]),
    ("gain -12 dB", ["--gain=-12"]),
    ("3 % loss", ["--loss", "0.03"]),
    ("5 % loss", ["--loss", "0.05"]),
    ("A-law", ["--band", "g711a"]),
    ("G.722", ["--band", "g722"]),
    ("Opus", ["--band", "opus"]),
    ("as recorded (8 kHz)", ["--band", "wide"]),
]


def ask(options, name, *arguments):
    """One answer of the binary, kept."""
    path = options.out / f"{name}.json"
    if not path.exists():
        command = [options.binary, "--json", "model", *arguments, "--manifest", options.labels, "--root", options.speech]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(map(str, command))}: exit status {done.returncode}")
        path.write_text(done.stdout)
    return json.loads(path.read_text())


def figure(value):
    if value is None:
        return "-"
    return f"{value['value']:.3f} [{value['low']:.3f}, {value['high']:.3f}]".replace("0.", ".")


def share(value):
    if value is None:
        return "-"
    return f"{100 * value['value']:.0f} % [{100 * value['low']:.0f}, {100 * value['high']:.0f}]"


def set_of(corpus, name):
    return next((found for found in corpus["sets"] if found["set"] == name), corpus["sets"][-1])


def table(title, head, rows):
    print(f"\n**{title}**\n\n| {' | '.join(head)} |\n|{' --- |' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")


def strangers(options, weights):
    """Speakers that the weights have not heard, corpus by corpus."""
    rows, agreed = [], []
    for kind, of in weights.items():
        said = ask(options, f"{kind}-g711", "eval", *of)
        for known, corpora in ((False, said["corpora"]), (True, said["manner_known"])):
            for corpus in corpora:
                own, four = set_of(corpus, "native"), set_of(corpus, "4")
                name = f"{kind}, manner known" if known else kind
                rows.append([
                    name, f"{corpus['corpus']}, {corpus['clips']} clips of {corpus['speakers']}",
                    f"{len(own['classes'])}: {figure(own['uar'])}", figure(four["uar"]),
                    figure(corpus["alarm_against_calm"]), figure(corpus["distress_against_calm"]),
                    f"{four['calibration_error']:.3f}, {four['calibration_noise']:.3f}",
                ])
                if corpus["concordance"]:
                    both = corpus["concordance"]
                    agreed.append([name, corpus["corpus"], figure(both["valence"]), figure(both["arousal"])])
    table(
        "Speakers never heard, 8 kHz, µ-law",
        ["weights", "asked about", "classes: recall", "of four: recall", "anger and fear against calm, AUC",
         "all distress against calm, AUC", "calibration error, of which chance"],
        rows,
    )
    table("Agreement with listeners", ["weights", "corpus", "valence, concordance", "arousal, concordance"], agreed)


def lines(options, weights):
    """The same over other lines."""
    for kind, of in weights.items():
        rows = []
        for number, (name, line) in enumerate(LINES):
            said = ask(options, f"{kind}-g711" if not line else f"{kind}-line{number}", "eval", *of, *line)
            rows.append([name] + [
                f"{figure(set_of(corpus, 'native')['uar'])}; {figure(corpus['alarm_against_calm'])}"
                for corpus in said["corpora"]
            ])
        corpora = [corpus["corpus"] for corpus in said["corpora"]]
        table(f"{kind}: recall over a corpus's own classes; AUC of anger and fear against calm", ["line", *corpora], rows)


def calls(options, weights):
    """Calls of each corpus whose speakers are calm at times, by the alerts as shipped."""
    rows = []
    for kind, of in weights.items():
        corpora = [corpus["corpus"] for corpus in ask(options, f"{kind}-g711", "eval", *of)["corpora"]]
        for corpus in corpora:
            if corpus not in options.calm:
                continue
            sounds = ["--sounds", options.sounds] if options.sounds else []
            said = ask(options, f"{kind}-calls-{corpus}", "budget", *of, "--corpora", corpus, *sounds)
            hours = sum(scene["hours"] for scene in said["scenes"])
            alerts = sum(scene["alerts"] for scene in said["scenes"])
            upsets = said["upsets"]
            rows.append([
                kind, f"{corpus}, {upsets['calls']} calls of {upsets['speakers']}", share(upsets["told_soon"]),
                share(said["quiet_line"]["told_soon"]), share(said["busy_line"]["told_soon"]), share(upsets["told"]),
                share(upsets["calmed_soon"]), share(upsets["shift_right"]), f"{alerts} in {hours:.1f} h",
                str(upsets["early"]),
            ])
    table(
        "Calls",
        ["weights", "callers", "told within 10 s", "on a quiet line", "beside an agent, with noise", "told at all",
         "end told within 15 s", "shift right", "false alerts", "too early"],
        rows,
    )


def calm(labels):
    """The corpora that have calm clips to make calls of."""
    with open(labels, newline="") as file:
        return {row["corpus"] for row in csv.DictReader(file) if row["emotion"] in ("neutral", "calm")}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default="target/release/sidetone")
    parser.add_argument("--labels", required=True)
    parser.add_argument("--speech", required=True)
    parser.add_argument("--sounds", default="")
    parser.add_argument("--out", type=Path, default=Path("target/model-tables"))
    parser.add_argument("--open", default="models/open/model.safetensors")
    parser.add_argument("--research", default="models/research/model.safetensors")
    parser.add_argument("--tables", default="strangers,lines,calls", help="which, by name")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    options.calm = calm(options.labels)
    weights = {"open": ["--model", options.open]}
    if Path(options.research).exists():
        weights["research"] = ["--model", options.research]
    for name in options.tables.split(","):
        {"strangers": strangers, "lines": lines, "calls": calls}[name](options, weights)


if __name__ == "__main__":
    main()
