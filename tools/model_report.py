#!/usr/bin/env python3
"""Makes the tables of docs/MODEL.md anew: tools/model_report.py --manifest CSV --root DIR [--sounds PATHS]

Each table stands between `<!-- table: NAME -->` and `<!-- end -->`. The figures come from `sidetone model eval` and `sidetone
model budget`; what each call printed is kept in --kept by the weights, the sources that listen, the manifest and the call's
arguments. So a run that was stopped goes on where it was, and a table of which nothing has changed costs nothing.
--only NAMES makes some tables, --check compares without writing. It needs Python alone.
"""

import argparse
import hashlib
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What decides a figure beside weights and speech.
SOURCES = ("crates/call/src", "crates/codec/src", "crates/emotion/src", "crates/insight/src", "crates/sidetone/src/cli/model")
LINES = [
    ("G.711 µ-law", []),
    ("gain +12 dB, with clipping", ["--gain", "12"]),
    ("gain -12 dB", ["--gain", "-12"]),
    ("3 % loss", ["--loss", "0.03"]),
    ("5 % loss", ["--loss", "0.05"]),
    ("A-law", ["--band", "g711a"]),
    ("G.722", ["--band", "g722"]),
    ("Opus", ["--band", "opus"]),
    ("as recorded, 8 kHz", ["--band", "wide"]),
]


def figure(value):
    """A figure with its interval, as the tables write it."""
    if value is None:
        return "-"
    if not isinstance(value, dict):
        return short(value)
    return f"{short(value['value'])} [{short(value['low'])}, {short(value['high'])}]"


def short(value):
    return f"{value:.3f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.2f}"


def percent(value):
    if value is None:
        return "-"
    return f"{100 * value['value']:.0f} % [{100 * value['low']:.0f}, {100 * value['high']:.0f}]"


class Asked:
    """Calls of `sidetone model`, with what they said kept."""

    def __init__(self, options):
        self.options = options
        self.kept = options.kept
        self.kept.mkdir(parents=True, exist_ok=True)
        self.clips = hashlib.sha256(options.manifest.read_bytes()).hexdigest()
        self.build = hashlib.sha256(b"".join(path.read_bytes() for path in self.sources())).hexdigest()

    @staticmethod
    def sources():
        return sorted(path for folder in SOURCES for path in (ROOT / folder).rglob("*.rs"))

    def info(self, model):
        return self.ask(["model", "info"], model)

    def ask(self, command, model):
        """What the command says as JSON, from what is kept if it was asked before."""
        weights = hashlib.sha256(Path(model).read_bytes()).hexdigest()
        name = json.dumps([self.build, self.clips, weights, command])
        file = self.kept / (hashlib.sha256(name.encode()).hexdigest()[:24] + ".json")
        if file.exists():
            return json.loads(file.read_text())
        words = [self.options.sidetone, *command, "--model", str(model), "--json"]
        print(" ".join(words[1:]), file=sys.stderr, flush=True)
        said = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout)
        partial = file.with_suffix(".partial")
        partial.write_text(json.dumps(said))
        partial.replace(file)
        return said

    def data(self):
        return ["--manifest", str(self.options.manifest), "--root", str(self.options.root)]

    def eval(self, model, *more):
        return self.ask(["model", "eval", *self.data(), *more], model)

    def budget(self, model, *more):
        return self.ask(["model", "budget", *self.data(), *more], model)


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def one(reports, corpus):
    return next((report for report in reports if report["corpus"] == corpus), None)


def of_set(report, name):
    return next((of for of in report["sets"] if of["set"] == name), None)


def right(asked, models):
    """How right each model is on every corpus of whose speakers it has heard none."""
    head = ["weights", "asked about", "clips, speakers", "classes: recall (chance)", "of four: recall",
            "anger and fear against calm: AUC", "all distress against calm: AUC", "calibration error, of which chance"]
    rows = []
    for name, path in models:
        trained = asked.info(path)["meta"]["corpora"]
        said = asked.eval(path)
        for known, reports in (("", said["corpora"]), (", manner known", said.get("manner_known", []))):
            for report in reports:
                four = of_set(report, "4") or report["sets"][-1]
                own = report["sets"][0]
                unseen = "" if report["corpus"] in trained else ", **unseen corpus**"
                rows.append([
                    name,
                    report["corpus"] + unseen + known,
                    f"{report['clips']}, {report['speakers']}",
                    f"{len(own['classes'])}: {figure(own['uar'])} ({short(1 / len(own['classes']))})",
                    figure(four["uar"]) if len(four["classes"]) == 4 else "-",
                    figure(report["alarm_against_calm"]),
                    figure(report["distress_against_calm"]),
                    f"{short(four['calibration_error'])}, {short(four['calibration_noise'])}",
                ])
    return table(head, rows)


def line(asked, models):
    """What gain, loss and codecs do to the open weights."""
    _, path = models[0]
    corpora = [report["corpus"] for report in asked.eval(path)["corpora"]]
    corpora = [corpus for corpus in corpora if corpus != "emogator"]
    head = ["open weights, change"] + [f"{corpus}: recall, AUC" for corpus in corpora]
    rows = []
    for name, more in LINES:
        said = asked.eval(path, *more) if more else asked.eval(path)
        row = [name]
        for corpus in corpora:
            report = one(said["corpora"], corpus)
            area = report["alarm_against_calm"]
            row.append(f"{short(report['sets'][0]['uar']['value'])}, {short(area['value']) if area else '-'}")
        rows.append(row)
    return table(head, rows)


def leaks(asked, models):
    """What a clip's length or level alone would tell."""
    head = ["corpus", "by length alone", "by level alone", "chance"]
    rows = []
    for report in asked.eval(models[0][1])["corpora"]:
        chance = short(1 / len(report["sets"][0]["classes"]))
        rows.append([report["corpus"], figure(report["length_only"]), figure(report["level_only"]), chance])
    return table(head, rows)


def calls(asked, models):
    """Upsets, recoveries, shifts and false alerts in calls made of the clips of speakers never heard."""
    head = ["weights", "calls of", "upsets told within 10 s of upset speech", "at all", "end told within 15 s of calm speech",
            "shift right", "calls with an alert too early", "false alerts"]
    rows = []
    for name, path in models:
        corpora = [report["corpus"] for report in asked.eval(path)["corpora"] if report["alarm_against_calm"]]
        for corpus in corpora:
            if corpus == "emogator":
                continue
            for agreed in ("0", "0.5"):
                said = asked.budget(path, "--corpora", corpus, "--agreed", agreed, "--hours", str(asked.options.hours))
                upsets = said["upsets"]
                hours = sum(scene["hours"] for scene in said["scenes"])
                alerts = sum(scene["alerts"] for scene in said["scenes"])
                clips = "all clips" if agreed == "0" else "clips that half of their listeners heard as meant"
                rows.append([
                    name,
                    f"{corpus}, {upsets['speakers']} speakers, {clips}",
                    percent(upsets["told_soon"]),
                    percent(upsets["told"]),
                    percent(upsets["calmed_soon"]),
                    percent(upsets["shift_right"]),
                    f"{upsets['early']} of {upsets['calls']}",
                    f"{alerts} in {hours:.1f} h",
                ])
    return table(head, rows)


def sounds(asked, models):
    """Alerts that music and prompts raise."""
    head = ["weights", "files", "alerts"]
    rows = []
    for name, path in models:
        if asked.options.sounds:
            more = ["--corpora", "emodb,ravdess,crema_d", "--hours", "0.01", "--upsets", "0", "--sounds", asked.options.sounds]
            said = asked.budget(path, *more)
            scene = next(scene for scene in said["scenes"] if scene["scene"].startswith("music"))
            rows.append([name, f"{scene['calls']}", f"{scene['alerts']} in {scene['hours']:.2f} h"])
    return table(head, rows)


TABLES = {"right": right, "line": line, "leaks": leaks, "calls": calls, "sounds": sounds}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--sounds", default="", help="files or folders of hold music and prompts, by commas")
    parser.add_argument("--hours", type=float, default=2.0, help="of each kind of calm call")
    parser.add_argument("--sidetone", default=str(ROOT / "target/debug/sidetone"))
    parser.add_argument("--kept", type=Path, default=ROOT / "target/model-report")
    parser.add_argument("--document", type=Path, default=ROOT / "docs/MODEL.md")
    parser.add_argument("--only", default=",".join(TABLES))
    parser.add_argument("--check", action="store_true", help="fail if a table in the document is another one")
    options = parser.parse_args()
    asked = Asked(options)
    models = [(kind, ROOT / "models" / kind / "model.safetensors") for kind in ("open", "research")]
    text = options.document.read_text()
    for name in options.only.split(","):
        begin, end = f"<!-- table: {name} -->\n", "\n<!-- end -->"
        if begin not in text:
            print(f"{options.document} has no table {name}", file=sys.stderr)
            continue
        before, rest = text.split(begin, 1)
        old, after = rest.split(end, 1)
        new = TABLES[name](asked, models)
        if options.check and old != new:
            sys.exit(f"the table {name} of {options.document} is not what the models give now")
        text = before + begin + new + end + after
    if not options.check:
        options.document.write_text(text)


if __name__ == "__main__":
    main()
