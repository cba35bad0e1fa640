#!/usr/bin/env python3
"""Every table of docs/MODEL.md that says how right the shipped weights are, made anew and written into it.

    make model-tables LABELS=labels.csv SPEECH=DIR [SOUNDS=music/,calls/] [PROMPTS=one-voice/,another/]
    tools/model-tables.py --check ...       # asks nothing new: does the document say what the answers do?

In the document a table stands between `<!-- made: NAME -->` and `<!-- end -->`. Each answer of `sidetone model` is kept as
JSON in OUT, with what it depends on: weights, labels, arguments and the sources that judge. It is asked again when one of
these has changed. The table of costs is asked only by name (--tables cost): it wants a quiet machine.
"""

import argparse
import csv
import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "MODEL.md"
# What has a say in an answer beside weights, labels and arguments.
SOURCES = ["crates/emotion/src", "crates/insight/src/affect", "crates/codec/src", "crates/sidetone/src/cli/model/budget"]
LINES = [
    ("G.711 µ-law", []),
    ("gain +12 dB, with clipping", ["--gain", "12"]),
    ("gain -12 dB", ["--gain=-12"]),
    ("3 % loss", ["--loss", "0.03"]),
    ("A-law", ["--band", "g711a"]),
    ("G.722", ["--band", "g722"]),
    ("Opus", ["--band", "opus"]),
]
# The bar asks of these that they stay near the first.
HELD = ("gain +12 dB, with clipping", "gain -12 dB", "3 % loss", "G.722", "Opus")
# The set of anger, happiness, sadness and neutral.
FOUR = "4"
# Most speakers of a corpus that are asked about over every line.
MOST_SPEAKERS = 18


def digest(paths):
    state = hashlib.sha256()
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                state.update(file.name.encode() + b"\0" + file.read_bytes())
    return state.hexdigest()[:16]


class Asker:
    """Puts questions to the binary and keeps what it says."""

    def __init__(self, options):
        self.options = options
        self.judged = digest([ROOT / name for name in SOURCES] + [Path(options.labels)])
        options.out.mkdir(parents=True, exist_ok=True)

    def ask(self, kind, name, verb, *arguments, labels=None):
        options = self.options
        weights = getattr(options, kind)
        about = {"weights": digest([Path(weights)]), "judged": self.judged, "asked": [verb, *map(str, arguments)]}
        path = options.out / f"{kind}-{name}.json"
        if path.exists():
            kept = json.loads(path.read_text())
            if kept["about"] == about or options.keep:
                return kept["said"]
        if options.check:
            sys.exit(f"model-tables: {path} is not there or of other weights, labels or sources: make the tables first")
        command = [options.binary, "--json", "model", verb, "--model", weights, *arguments]
        command += ["--manifest", labels or options.labels, "--root", options.speech]
        print(f"model-tables: {kind} {name}", file=sys.stderr, flush=True)
        done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(map(str, command))}: exit status {done.returncode}")
        said = json.loads(done.stdout)
        path.write_text(json.dumps({"about": about, "said": said}))
        return said

    def heard(self, kind):
        """What is made of every speaker whom the weights haven't heard."""
        return self.ask(kind, "line0", "eval")

    def over(self, kind, line):
        """The same over a line, of those who speak sentences, at most eighteen of a corpus."""
        unheard = {}
        with open(self.options.labels, newline="") as file:
            reader = csv.DictReader(file)
            columns, rows = reader.fieldnames, list(reader)
        heard = set(self.info(kind)["heard"])
        for row in rows:
            if row["corpus"] in self.options.calm and row["speaker"] not in heard:
                unheard.setdefault(row["corpus"], {})[row["speaker"]] = None
        asked = {name for names in unheard.values() for name in list(names)[:: -(-len(names) // MOST_SPEAKERS)]}
        manifest = self.options.out / f"{kind}-lines.csv"
        with open(manifest, "w", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(row for row in rows if row["speaker"] in asked)
        return self.ask(kind, f"over{line}", "eval", *LINES[line][1], labels=manifest)

    def info(self, kind):
        command = [self.options.binary, "--json", "model", "info", "--model", getattr(self.options, kind)]
        return json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)["meta"]

    def calls(self, kind, corpus, agreed=False):
        """Calls of a corpus's callers; `agreed`: of clips that half of their listeners heard as meant."""
        name, more = (f"agreed-{corpus}", ["--agreed", 0.5, "--hours", 0]) if agreed else (f"calls-{corpus}", [])
        speakers = next(said["speakers"] for said in self.heard(kind)["corpora"] if said["corpus"] == corpus)
        # Some seventy calls of each course, by two to six of each caller.
        return self.ask(kind, name, "budget", "--corpora", corpus, "--upsets", max(2, min(6, 72 // speakers)), *more)

    def sounds(self, kind, corpus):
        """Calls in which nobody has anything to do with a corpus; one must be named all the same."""
        given = [("--sounds", self.options.sounds), ("--prompts", self.options.prompts)]
        given = [part for flag, paths in given if paths for part in (flag, paths)]
        if not given:
            return []
        said = self.ask(kind, "sounds", "budget", "--corpora", corpus, "--hours", 0, "--upsets", 0, *given)
        return [scene for scene in said["scenes"] if scene["scene"].startswith(("sounds", "prompts"))]


def short(value, digits=3):
    text = f"{value:.{digits}f}"
    return text[: digits + 1] if value >= 1 else text.replace("0.", ".", 1)


def figure(value):
    if value is None:
        return "-"
    return f"{short(value['value'])} [{short(value['low'])}, {short(value['high'])}]"


def share(value):
    if value is None:
        return "-"
    return f"{100 * value['value']:.0f} % [{100 * value['low']:.0f}, {100 * value['high']:.0f}]"


def set_of(corpus, name):
    return next((found for found in corpus["sets"] if found["set"] == name), corpus["sets"][-1])


def excess(corpus):
    """Calibration error over four classes, above what chance would show."""
    four = set_of(corpus, FOUR)
    return four["calibration_error"] - four["calibration_noise"]


def table(head, rows):
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


def trained_on(asker, kind):
    return asker.info(kind)["corpora"]


def named(corpus, known):
    return corpus["corpus"] if corpus["corpus"] in known else f"{corpus['corpus']}, **unseen corpus**"


def strangers(asker, kinds):
    """Speakers that the weights have not heard, corpus by corpus."""
    rows = []
    for kind in kinds:
        said, known = asker.heard(kind), trained_on(asker, kind)
        for manner, corpora in (("", said["corpora"]), (", manner known", said["manner_known"])):
            for corpus in corpora:
                own, four = set_of(corpus, "native"), set_of(corpus, FOUR)
                rows.append([
                    kind + manner, named(corpus, known), f"{corpus['clips']}, {corpus['speakers']}",
                    f"{len(own['classes'])}: {figure(own['uar'])} ({short(1 / len(own['classes']))})", figure(four["uar"]),
                    figure(corpus["alarm_against_calm"]), figure(corpus["distress_against_calm"]),
                    f"{short(four['calibration_error'])}, {short(four['calibration_noise'])}",
                ])
    return table(
        ["weights", "asked about", "clips, speakers", "classes: recall (chance)", "of four: recall",
         "anger and fear against calm: AUC", "all distress against calm: AUC", "calibration error, of which chance"],
        rows,
    )


def listeners(asker, kinds):
    """Agreement with those who rated the clips."""
    rows = []
    for kind in kinds:
        said = asker.heard(kind)
        for manner, corpora in (("", said["corpora"]), (", manner known", said["manner_known"])):
            for corpus in corpora:
                if both := corpus["concordance"]:
                    speakers = str(corpus["speakers"])
                    rows.append([kind + manner, corpus["corpus"], speakers, figure(both["valence"]), figure(both["arousal"])])
    return table(["weights", "corpus", "speakers", "valence, concordance", "arousal, concordance"], rows)


def leaks(asker, kinds):
    """What knowing nothing but a clip's length or level would give."""
    rows = {}
    for kind in kinds:
        for corpus in asker.heard(kind)["corpora"]:
            row = [corpus["corpus"], str(corpus["speakers"])]
            alone = [corpus["length_only"], corpus["level_only"]]
            chance = 1 / len(set_of(corpus, "native")["classes"])
            rows[tuple(row)] = [*row, *("-" if x is None else short(x) for x in alone), short(chance)]
    return table(["corpus", "speakers", "by length alone", "by level alone", "chance"], [rows[key] for key in sorted(rows)])


def lines(asker, kinds):
    """The same over other lines."""
    out = []
    for kind in kinds:
        rows = []
        for number, (name, _) in enumerate(LINES):
            corpora = asker.over(kind, number)["corpora"]
            areas = [(set_of(corpus, "native")["uar"], corpus["alarm_against_calm"]) for corpus in corpora]
            rows.append([name] + [f"{short(own['value'])}; {short(area['value']) if area else '-'}" for own, area in areas])
        head = [f"{corpus['corpus']} {len(set_of(corpus, 'native')['classes'])} ({corpus['clips']})" for corpus in corpora]
        out.append(table([f"{kind}: recall; AUC of anger and fear against calm", *head], rows))
    return "\n\n".join(out)


def drift(asker, kind):
    """The largest loss of recall and of area on a line that the bar names, with where it is."""
    first = {corpus["corpus"]: corpus for corpus in asker.over(kind, 0)["corpora"]}
    recall, area = (0.0, ""), (0.0, "")
    for number, (name, _) in enumerate(LINES):
        if name not in HELD:
            continue
        for corpus in asker.over(kind, number)["corpora"]:
            before, place = first[corpus["corpus"]], f"{corpus['corpus']}, {name.removesuffix(', with clipping')}"
            own = set_of(before, "native")["uar"]["value"] - set_of(corpus, "native")["uar"]["value"]
            recall = max(recall, (own, place))
            if before["alarm_against_calm"]:
                change = before["alarm_against_calm"]["value"] - corpus["alarm_against_calm"]["value"]
                area = max(area, (change, place))
    return recall, area


def of_calls(asker, kind, agreed=False):
    """The corpora whose unknown speakers are calm at times, and upset at others."""
    for corpus in asker.heard(kind)["corpora"]:
        if corpus["corpus"] in asker.options.calm and (corpus["concordance"] or not agreed):
            yield corpus["corpus"], asker.calls(kind, corpus["corpus"], agreed)


def counted(scenes):
    return sum(scene["alerts"] for scene in scenes), sum(scene["hours"] for scene in scenes)


def calls(asker, kinds):
    """Calls by the alerts as shipped."""
    rows = []
    for kind in kinds:
        known = trained_on(asker, kind)
        asked = [(corpus, "", said) for corpus, said in of_calls(asker, kind)]
        asked += [(corpus, ", clips heard as meant", said) for corpus, said in of_calls(asker, kind, agreed=True)]
        for corpus, which, said in asked:
            upsets, (alerts, hours) = said["upsets"], counted(said["scenes"])
            who = f"{named({'corpus': corpus}, known)}{which}"
            rows.append([
                kind, f"{who}: {upsets['calls']} calls of {upsets['speakers']}",
                share(upsets["told_soon"]),
                f"{share(said['quiet_line']['told_soon'])}; {share(said['busy_line']['told_soon'])}", share(upsets["told"]),
                share(upsets["calmed_soon"]), share(upsets["shift_right"]), f"{alerts} in {hours:.1f} h" if hours > 1 else "-", str(upsets["early"]),
                share(said["at_once"]["share"]), f"{said['happy']['alerted']} of {said['happy']['calls']}",
            ])
    return table(
        ["weights", "callers", "told within 10 s", "on a quiet line; beside an agent, with noise", "told at all",
         "end told within 15 s", "shift right", "false alerts", "too early", "upset from the first word: told",
         "calm, then happy: alerts"],
        rows,
    )


def scenes(asker, kinds):
    """False alerts by what is heard."""
    heard, kinds = {}, list(kinds)
    for kind in kinds:
        last = None
        for corpus, said in of_calls(asker, kind):
            last = corpus
            for scene in said["scenes"]:
                if scene["calls"]:
                    heard.setdefault(f"{corpus}: {scene['scene']}", {})[kind] = scene
        for scene in asker.sounds(kind, last):
            what, path = scene["scene"].split(": ", 1)
            heard.setdefault(f"{what}: {Path(path).name}", {})[kind] = scene
    cell = lambda scene: f"{scene['alerts']} in {scene['hours']:.1f} h" if scene else "-"
    return table(["nothing is wrong", *kinds], [[name, *(cell(of.get(kind)) for kind in kinds)] for name, of in heard.items()])


def folds(card):
    """The figures of a card's folds: what trainings alike say of speakers whom they don't know."""
    text = Path(card).read_text()
    if "## Figures of the folds" not in text:
        return {}
    part = text.split("## Figures of the folds")[1].split("\n## ")[0]
    found = {}
    for corpus, classes, name, clips, value, low, high in re.findall(
        r"\| (\w+) \| (\d+) \((\w+)\) \| (\d+) \| ([\d.]+) \[([\d.]+), ([\d.]+)\]", part
    ):
        found[corpus, name] = {"value": float(value), "low": float(low), "high": float(high)}
    return found


def bars(asker, kinds):
    """What was aimed at, and what came of it."""
    columns = []
    for kind in kinds:
        said, known = asker.heard(kind), trained_on(asker, kind)
        by = {corpus["corpus"]: corpus for corpus in said["corpora"]}
        manner = {corpus["corpus"]: corpus for corpus in said["manner_known"]}
        by_folds = folds(Path(getattr(asker.options, kind)).with_name("CARD.md"))
        goals = GOALS[kind]

        def recall(corpus, name, goal):
            """Of strangers; where all speakers were heard, of the folds."""
            if corpus in by:
                own = set_of(by[corpus], name)["uar"]
                text = f"{figure(own)}, {by[corpus]['speakers']} speakers"
                text += "" if corpus in known else ", unseen corpus"
                best = own["value"]
                after = set_of(manner[corpus], name) if corpus in manner else None
                # Who is known by their calm clips has none left to be asked about, at times.
                if after and after["classes"] == set_of(by[corpus], name)["classes"]:
                    after = after["uar"]
                    text += f"; manner known {figure(after)}"
                    best = max(best, after["value"])
                return text, best >= goal
            if (corpus, name) in by_folds:
                own = by_folds[corpus, name]
                return f"{figure(own)}, by folds", own["value"] >= goal
            return "-", None

        unseen = [corpus for name, corpus in by.items() if name not in known]
        names = ", ".join(corpus["corpus"] for corpus in unseen)
        four = sum(set_of(corpus, FOUR)["uar"]["value"] for corpus in unseen) / max(len(unseen), 1)
        # Where there is one, its interval is the mean's.
        spread = figure(set_of(unseen[0], FOUR)["uar"]) if len(unseen) == 1 else short(four)
        worst = min(unseen, key=lambda corpus: corpus["alarm_against_calm"]["value"], default=None)
        told, ended = [], []
        alerts = hours = 0
        for corpus, answer in of_calls(asker, kind):
            upsets, (false, long) = answer["upsets"], counted(answer["scenes"])
            told.append((upsets["told_soon"], corpus)), ended.append((upsets["calmed_soon"], corpus))
            alerts, hours = alerts + false, hours + long
        for scene in asker.sounds(kind, told[-1][1]):
            alerts, hours = alerts + scene["alerts"], hours + scene["hours"]
        each = lambda values: "; ".join(f"{corpus} {share(value)}" for value, corpus in values)
        least = lambda values: min((value["value"] for value, _ in values if value), default=0.0)
        (points, where), (area, at) = drift(asker, kind)
        cells = [
            recall("crema_d", "native", goals[0]),
            recall("ravdess", "native", goals[1]),
            recall("ravdess", FOUR, goals[2]),
            recall("emodb", "native", goals[3]),
            (f"{spread} ({names})", four >= goals[4]),
            (f"{figure(worst['alarm_against_calm'])} ({worst['corpus']})", worst["alarm_against_calm"]["value"] >= goals[5])
            if worst else ("-", None),
            (f"{short(max(map(excess, unseen)))} ({names})", max(map(excess, unseen)) <= goals[6]) if unseen else ("-", None),
            (
                f"{each(told)}; false alerts {10 * alerts / hours:.1f} ({alerts} in {hours:.1f} h)",
                least(told) >= goals[7] and 10 * alerts / hours <= 1,
            ),
            (each(ended), least(ended) >= goals[8]),
            (f"{100 * points:.1f} points at most ({where}), AUC {short(area)} ({at})", points <= 0.03 and area <= 0.02),
        ]
        columns.append((goals, cells))
    rows = []
    for place, measure in enumerate(MEASURES):
        row = [measure]
        for goals, cells in columns:
            text, reached = cells[place]
            verdict = {True: "**reached**", False: "not reached", None: "not asked"}[reached]
            row += [BARS[place](goals[place]), text, verdict]
        rows.append(row)
    head = ["measure"] + [part for kind in kinds for part in (f"bar, {kind}", kind, "")]
    weights = ", ".join(f"{kind} `{asker.heard(kind)['sha256'][:12]}`" for kind in kinds)
    return f"{table(head, rows)}\n\nThe weights of these figures, and of every table below: {weights}."


MEASURES = [
    "CREMA-D, 6 classes, recall of strangers",
    "RAVDESS, 8 classes",
    "RAVDESS, anger happiness sadness neutral",
    "EmoDB, 7 classes",
    "corpora never heard, 4 classes, mean recall",
    "corpora never heard, anger and fear against calm, worst AUC",
    "corpora never heard, calibration error above chance",
    "calls: upsets told within 10 s of upset speech, at one false alert in ten hours",
    "calls: of those told, end told within 15 s of calm speech",
    "gain, 3 % loss, G.722, Opus: largest loss",
]
GOALS = {
    "open": [0.60, 0.40, 0.70, 0.78, 0.55, 0.85, 0.10, 0.80, 0.80, None],
    "research": [0.60, 0.72, 0.85, 0.80, 0.55, 0.85, 0.10, 0.80, 0.80, None],
}
RECALL, SHARE = (lambda goal: f"{short(goal, 2)}"), (lambda goal: f"{100 * goal:.0f} %")
BARS = [RECALL] * 7 + [SHARE, SHARE, lambda _: "3 points, AUC .02"]


def cost(asker, kinds):
    """What listening costs; `make bench` tells what others do."""
    costs = {}
    for kind in kinds:
        path = asker.options.out / f"{kind}-cost.json"
        if not path.exists():
            command = [ROOT / "tools" / "bench" / "emotion.py", "--cost", asker.options.cost, "--without-peers"]
            command += ["--model", getattr(asker.options, kind), "--json", path]
            subprocess.run(list(map(str, command)), stdout=subprocess.DEVNULL, check=True)
        costs[kind] = json.loads(path.read_text())["rows"]
    rows = [[name, *(f"{of[name]:.2f}" for of in costs.values())] for name in costs[kinds[0]]]
    return table(["CPU ms a second of speech", *kinds], rows)


TABLES = {
    "bars": bars, "strangers": strangers, "listeners": listeners, "leaks": leaks, "lines": lines, "calls": calls,
    "scenes": scenes, "cost": cost,
}


def place(text, name, made):
    """The document with a table in its place."""
    begin, end = f"<!-- made: {name} -->", "<!-- end -->"
    if begin not in text:
        sys.exit(f"model-tables: docs/MODEL.md has no place for `{name}`: {begin} ... {end}")
    before, rest = text.split(begin, 1)
    if end not in rest:
        sys.exit(f"model-tables: docs/MODEL.md: {begin} has no end")
    return f"{before}{begin}\n\n{made}\n\n{end}{rest.split(end, 1)[1]}"


def calm(labels):
    """The corpora that have calm clips in a language, to make calls of."""
    with open(labels, newline="") as file:
        return {row["corpus"] for row in csv.DictReader(file) if row["emotion"] in ("neutral", "calm") and row.get("lang")}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default="target/debug/sidetone")
    parser.add_argument("--cost", default="target/debug/examples/listening_cost")
    parser.add_argument("--labels", required=True)
    parser.add_argument("--speech", required=True)
    parser.add_argument("--sounds", default="", help="folders in which nobody is upset: each file is a call")
    parser.add_argument("--prompts", default="", help="folders of prompts of one voice: each is strung into two calls")
    parser.add_argument("--out", type=Path, default=ROOT / "target" / "model-tables")
    parser.add_argument("--open", default="models/open/model.safetensors")
    parser.add_argument("--research", default="models/research/model.safetensors")
    parser.add_argument("--tables", default=",".join(name for name in TABLES if name != "cost"), help="which, by name")
    parser.add_argument("--kinds", default="open,research", help="of which weights; the document is not written without all")
    parser.add_argument("--keep", action="store_true", help="take kept answers whatever they are of")
    parser.add_argument("--check", action="store_true", help="ask nothing, write nothing: is the document as the answers are?")
    options = parser.parse_args()
    options.calm = calm(options.labels)
    asker = Asker(options)
    kinds = [kind for kind in options.kinds.split(",") if Path(getattr(options, kind)).exists()]
    made = {name: TABLES[name](asker, kinds) for name in options.tables.split(",")}
    if options.kinds != "open,research":
        return print("\n\n".join(f"{name}\n\n{text}" for name, text in made.items()))
    # Read only now: asking takes so long that somebody may have written in it.
    old = text = DOCUMENT.read_text()
    for name, rows in made.items():
        text = place(text, name, rows)
    if options.check:
        sys.exit(text != old and "model-tables: docs/MODEL.md says something else than the answers do")
    DOCUMENT.write_text(text)
    print("docs/MODEL.md: " + ("as it was" if text == old else "tables made anew"))


if __name__ == "__main__":
    main()
