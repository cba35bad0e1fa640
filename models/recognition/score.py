"""What recognition got right: word error rate, and recall and precision of the core phrases.

    recognise FOLDER --line speech/*.wav | python score.py speech/said.tsv [--json]

Reads the lines that `cargo run -p sidetone-language --example recognise` prints, joins the utterances of each file, and
compares them with said.tsv (see speak.py): file, voice, sentence. An utterance with a doubt counts as not recognised.
Numbers are compared as digits ("forty two", "42"), since both spellings are right. Needs nothing but Python.
"""

import collections
import json
import pathlib
import random
import re
import sys

CORE = {
    "cancel": r"\bcancel(s|ed|led|ing|ling|lation)?\b",
    "refund": r"\brefund(s|ed|ing)?\b",
    "third time": r"\bthird time\b",
    "supervisor": r"\bsupervisors?\b",
}
UNITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
TENS = dict(zip("twenty thirty forty fifty sixty seventy eighty ninety".split(), range(20, 100, 10)))
ORDINALS = {"first": "1st", "second": "2nd", "third": "3rd", "fourteenth": "14th", "fourth": "4th"}


def plain(text):
    """Words in lower case, without punctuation, numbers as digits run together."""
    text = text.lower().replace("’", "'").replace("-", " ").replace("%", " percent")
    words = re.sub(r"[^a-z0-9äöüß' ]+", "", text).split()
    out = []
    for word in words:
        if word in UNITS:
            number = str(UNITS.index(word))
        elif word in TENS:
            number = str(TENS[word])
        elif word.isdigit():
            number = word
        else:
            out.append(ORDINALS.get(word, word))
            continue
        before = out[-1] if out else ""
        if before.isdigit() and before[-1] == "0" and len(before) == 2 and len(number) == 1:
            out[-1] = str(int(before) + int(number))
        elif before.isdigit():
            out[-1] = before + number
        else:
            out.append(number)
    return out


def distance(said, heard):
    """Substitutions, deletions and insertions between two lists of words."""
    row = list(range(len(heard) + 1))
    for i, a in enumerate(said, 1):
        corner, row[0] = row[0], i
        for j, b in enumerate(heard, 1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (a != b))
    return row[-1]


def main():
    said = {}
    for line in pathlib.Path(sys.argv[1]).read_text().split("\n"):
        if line:
            file, voice, sentence = line.split("\t")
            said[file] = (voice, sentence)
    heard, cost, seconds, doubts = collections.defaultdict(list), 0.0, 0.0, collections.Counter()
    for line in sys.stdin:
        piece = json.loads(line)
        cost, seconds = cost + piece["milliseconds"], seconds + piece["seconds"]
        if piece["doubt"]:
            doubts[piece["doubt"]] += 1
        else:
            heard[pathlib.Path(piece["file"]).name].append(piece["text"])
    voices, errors, words = collections.defaultdict(lambda: [0, 0]), 0, 0
    found = {phrase: [0, 0, 0] for phrase in CORE}
    wrong = []
    for file, (voice, sentence) in said.items():
        text = " ".join(heard.get(file, []))
        a, b = plain(sentence), plain(text)
        errors, words = errors + distance(a, b), words + len(a)
        voices[voice][0] += distance(a, b)
        voices[voice][1] += len(a)
        for phrase, pattern in CORE.items():
            is_said, is_heard = bool(re.search(pattern, sentence.lower())), bool(re.search(pattern, text.lower()))
            found[phrase][0] += is_said and is_heard
            found[phrase][1] += is_said
            found[phrase][2] += is_heard
            if is_said != is_heard:
                wrong.append(f"{file}: {phrase}: {sentence!r} heard as {text!r}")
    rng = random.Random(1)
    rates = sorted(
        sum(x for x, _ in draw) / sum(y for _, y in draw)
        for draw in ([rng.choice(list(voices.values())) for _ in voices] for _ in range(1000))
    )
    total = [sum(column) for column in zip(*found.values())]
    found["together"] = total
    result = {
        "clips": len(said),
        "voices": len(voices),
        "words": words,
        "word error rate": round(errors / words, 4),
        "its 95 % interval by voices": [round(rates[25], 4), round(rates[975], 4)],
        "worst voice": max(((round(a / b, 3), voice) for voice, (a, b) in voices.items())),
        "milliseconds a second": round(cost / seconds, 1) if seconds else None,
        "doubts": doubts,
        "phrases": {
            phrase: {"said": of, "recall": round(hit / of, 3) if of else None, "precision": round(hit / got, 3) if got else None}
            for phrase, (hit, of, got) in found.items()
        },
    }
    print(json.dumps(result, indent=1))
    if "--wrong" in sys.argv:
        print("\n".join(wrong))


if __name__ == "__main__":
    main()
