#!/usr/bin/env python3
"""Checks the structure of the workspace: tools/structure.py

1. The crates and what each stands on are what ARCHITECTURE.md's table "Crates" says; `cargo metadata` knows.
2. Within a crate, no files of different folders stand in a circle, and no circle is of more than three files. A module's
   file (`calls.rs`) belongs to its folder (`calls/`). Tests don't count, nor does a re-export: it only passes a name on.
3. The walks in ARCHITECTURE.md are at most eight functions each, which stand in the files that they name.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LARGEST_CIRCLE = 3
LONGEST_WALK = 8
PREFIX = "sidetone-"
ITEM = re.compile(
    r"^\s*(?:pub(?:\([^)]*\))?\s+)?(?:const\s+fn|async\s+fn|unsafe\s+fn|fn|struct|enum|union|trait|type|const|static|macro_rules!)"
    r"\s+([A-Za-z_]\w*)",
    re.M,
)


def crates_as_built():
    """Crate name -> the workspace's own crates that it stands on, tests left out."""
    output = subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--no-deps", "--offline", "--locked"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout
    return {
        short(package["name"]): {
            short(d["name"]) for d in package["dependencies"] if d["kind"] is None and d.get("path")
        }
        for package in json.loads(output)["packages"]
    }


def short(name):
    return name.removeprefix(PREFIX)


def crates_as_told():
    """The same, from the table: | `crate` | subject | stands on | I/O |."""
    text = (ROOT / "ARCHITECTURE.md").read_text()
    section = text.split("\n## Crates", 1)[1].split("\n## ", 1)[0]
    told = {}
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        name = re.fullmatch(r"`(\w+)`", cells[0]) if len(cells) >= 4 else None
        if name:
            told[name[1]] = set(re.findall(r"`(\w+)`", cells[2]))
    return told


def check_crates():
    built, told = crates_as_built(), crates_as_told()
    for name in sorted(built.keys() | told.keys()):
        if name not in told:
            yield f"ARCHITECTURE.md's table of crates lacks `{name}`"
        elif name not in built:
            yield f"ARCHITECTURE.md's table of crates has `{name}`, and there is no such crate"
        else:
            for extra in sorted(built[name] - told[name]):
                yield f"crate `{name}` stands on `{extra}`, which ARCHITECTURE.md does not say; is that its direction?"
            for gone in sorted(told[name] - built[name]):
                yield f"ARCHITECTURE.md says that `{name}` stands on `{gone}`, and it does not"


def check_walks():
    text = (ROOT / "ARCHITECTURE.md").read_text()
    section = text.split("\n## Five walks", 1)[1].split("\n## ", 1)[0]
    for number, name, path in re.findall(r"^(\d+)\. `(\w+)` in (\S+): ", section, re.M):
        if int(number) > LONGEST_WALK:
            yield f"a walk in ARCHITECTURE.md is longer than {LONGEST_WALK}: step {number}, `{name}`"
        file = ROOT / path
        if not file.is_file():
            yield f"ARCHITECTURE.md walks through {path}, which is not there"
        elif not re.search(rf"\b(?:fn|int) {name}\b", plain(file.read_text())):
            yield f"ARCHITECTURE.md walks through `{name}` in {path}, and no function there is called so"
    steps = re.findall(r"^\d+\. ", section, re.M)
    told = re.findall(r"^\d+\. `\w+` in \S+: ", section, re.M)
    if len(steps) != len(told) or not told:
        yield "ARCHITECTURE.md's walks have steps that are not written `function` in file: what"


def plain(text):
    """Source without comments, paths of visibilities, string contents and inline test modules."""
    text = re.sub(r"//[^\n]*", "", text)
    text = re.sub(r"\bpub\(in [^)]*\)", "pub", text)
    text = re.sub(r'"(?:\\.|[^"\\])*"', '""', text, flags=re.S)
    return re.sub(r"#\[cfg\(test\)\]\s*(?:pub(?:\([^)]*\))?\s+)?mod\s+\w+\s*\{.*\Z", "", text, flags=re.S)


def use_paths(text):
    """(path as a list, is it a re-export) of every `use`."""
    for match in re.finditer(r"(?m)^\s*(pub(?:\([^)]*\))?\s+)?use\s+([^;]+);", text):
        for path in expand(re.sub(r"\s+", "", match[2].replace(" as ", "@"))):
            yield [part.split("@")[0] for part in path.split("::")], bool(match[1])


def expand(tree):
    """`a::{b,c::{d}}` -> a::b, a::c::d."""
    brace = tree.find("{")
    if brace < 0:
        return [tree]
    head, inner = tree[:brace], tree[brace + 1 : tree.rindex("}")]
    parts, depth, start = [], 0, 0
    for at, char in enumerate(inner + ","):
        if char == "," and depth == 0:
            parts.append(inner[start:at])
            start = at + 1
        depth += (char == "{") - (char == "}")
    return [head + path for part in parts if part for path in expand(part)]


class Crate:
    """The files of one crate, as a graph of who uses whom."""

    def __init__(self, folder):
        self.files = {}
        source = folder / "src"
        for path in sorted(source.rglob("*.rs")):
            parts = list(path.relative_to(source).with_suffix("").parts)
            if "tests" in parts or "testing" in parts or parts[0] == "bin":
                continue
            if parts[-1] in ("lib", "main", "mod"):
                parts.pop()
            self.files[tuple(parts)] = path
        self.text = {module: plain(path.read_text()) for module, path in self.files.items()}
        self.items = {module: set(ITEM.findall(text)) for module, text in self.text.items()}
        self.passed_on = {module: {} for module in self.files}
        for module, text in self.text.items():
            for path, public in use_paths(text):
                if public or path[0] not in ("crate", "super", "self"):
                    self.passed_on[module][path[-1]] = path

    def resolve(self, module, path, seen=()):
        """The module that defines what `path` names in `module`; None if that is outside of the crate."""
        at = list(module)
        rest = list(path)
        if rest[0] == "crate":
            at, rest = [], rest[1:]
        elif rest[0] == "self":
            rest = rest[1:]
        elif rest[0] == "super":
            while rest and rest[0] == "super":
                if not at:
                    return None
                at, rest = at[:-1], rest[1:]
        elif tuple([*at, rest[0]]) not in self.files:
            return None
        while rest and tuple([*at, rest[0]]) in self.files:
            at, rest = [*at, rest[0]], rest[1:]
        at = tuple(at)
        if at not in self.files:
            return None
        if rest and rest[0] not in self.items[at] and rest[0] in self.passed_on[at] and (at, rest[0]) not in seen:
            return self.resolve(at, self.passed_on[at][rest[0]], (*seen, (at, rest[0]))) or at
        return at

    def uses(self):
        edges = {}
        for module, text in self.text.items():
            found = set()
            for path, public in use_paths(text):
                if not public:
                    found.add(self.resolve(module, path))
            body = re.sub(r"(?m)^\s*(?:pub(?:\([^)]*\))?\s+)?(?:use|mod)\s+[^;{]+(?:\{[^;]*\})?;", "", text)
            for match in re.finditer(r"\b((?:crate|super|self|[a-z_]\w*)(?:::\w+)+)", body):
                found.add(self.resolve(module, match[1].split("::")))
            edges[module] = {target for target in found if target is not None and target != module}
        return edges

    def circles(self):
        """Strongly connected components of more than one file (Tarjan 1972)."""
        edges, index, low, stack, out = self.uses(), {}, {}, [], []

        def visit(node):
            index[node] = low[node] = len(index)
            stack.append(node)
            for target in edges[node]:
                if target not in index:
                    visit(target)
                    low[node] = min(low[node], low[target])
                elif target in stack:
                    low[node] = min(low[node], index[target])
            if low[node] == index[node]:
                circle = []
                while True:
                    circle.append(stack.pop())
                    if circle[-1] == node:
                        break
                if len(circle) > 1:
                    out.append(sorted(circle))

        for node in edges:
            if node not in index:
                visit(node)
        return out

    def folder(self, module):
        """`calls.rs` and `calls/entry.rs` are of one folder."""
        has_folder = any(other[: len(module)] == module and other != module for other in self.files)
        return module if has_folder else module[:-1]


def check_files():
    for names, fault in file_circles():
        yield f"{fault}: {' '.join(names)}"


def file_circles():
    for folder in sorted((ROOT / "crates").iterdir()):
        if not (folder / "src").is_dir():
            continue
        crate = Crate(folder)
        for circle in crate.circles():
            names = [str(crate.files[module].relative_to(ROOT)) for module in circle]
            if len(circle) > LARGEST_CIRCLE:
                yield names, f"{len(circle)} files stand in a circle"
            elif len({crate.folder(module) for module in circle}) > 1:
                yield names, "files of different folders stand in a circle"


def main():
    faults = [*check_crates(), *check_walks(), *check_files()]
    for fault in faults:
        print(f"structure: {fault}", file=sys.stderr)
    sys.exit(1 if faults else 0)


main()
