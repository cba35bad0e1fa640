#!/usr/bin/env python3
"""Writes what the binary is made of as CycloneDX 1.5 JSON: the crates that are linked into it (neither those of the tests
nor those that only other platforms or the compiler need), each with its version, licence and the checksum in Cargo.lock.

    tools/package/sbom.py > sbom.cdx.json

A script over `cargo metadata`, since that already knows which crates are built in with which features, and needs nothing
installed. SOURCE_DATE_EPOCH makes the time stamp reproducible.
"""

import datetime
import json
import os
import pathlib
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAME = "sidetone"


def metadata():
    target = next(
        line.split(": ")[1]
        for line in subprocess.check_output(["rustc", "-vV"], text=True).splitlines()
        if line.startswith("host: ")
    )
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", target]
    return json.loads(subprocess.check_output(command, cwd=ROOT))


def linked(graph):
    """Ids of the packages that the binary holds, with those of each one's own dependencies."""
    nodes = {node["id"]: node for node in graph["resolve"]["nodes"]}
    packages = {package["id"]: package for package in graph["packages"]}
    root = next(id for id in graph["workspace_members"] if packages[id]["name"] == NAME)
    found, waiting = {}, [root]
    while waiting:
        id = waiting.pop()
        if id in found:
            continue
        # Build scripts and procedural macros run at build time, development dependencies in tests: none is in the binary.
        normal = [
            dep["pkg"]
            for dep in nodes[id]["deps"]
            if any(kind["kind"] is None for kind in dep["dep_kinds"]) and not is_macro(packages[dep["pkg"]])
        ]
        found[id] = sorted(set(normal))
        waiting += normal
    return root, {id: packages[id] for id in found}, found


def is_macro(package):
    return any("proc-macro" in target["kind"] for target in package["targets"])


def reference(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def component(package, checksums):
    made = {
        "type": "library",
        "bom-ref": reference(package),
        "name": package["name"],
        "version": package["version"],
        "purl": reference(package),
    }
    if package.get("description"):
        made["description"] = " ".join(package["description"].split())
    if package.get("license"):
        # Some write the old form, MIT/Apache-2.0, which is no SPDX expression.
        made["licenses"] = [{"expression": " ".join(package["license"].replace("/", " OR ").split())}]
    checksum = checksums.get((package["name"], package["version"]))
    if checksum:
        made["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    folder = pathlib.Path(package["manifest_path"]).parent
    if folder.parent == ROOT / "third_party":
        ancestor = {key: made[key] for key in ("type", "name", "version", "purl")}
        made["pedigree"] = {
            "ancestors": [ancestor],
            "notes": f"Changed: {folder.relative_to(ROOT)}/README.md of Sidetone's repository says what differs.",
        }
    return made


def main():
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())
    checksums = {(it["name"], it["version"]): it["checksum"] for it in lock["package"] if "checksum" in it}
    root, packages, edges = linked(metadata())
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH", "0")) or int(datetime.datetime.now().timestamp())
    stamp = datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    components = [component(it, checksums) for id, it in packages.items() if id != root]
    dependencies = [
        {"ref": reference(packages[id]), "dependsOn": sorted(reference(packages[it]) for it in on)}
        for id, on in edges.items()
    ]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": stamp,
            "component": {**component(packages[root], checksums), "type": "application"},
        },
        "components": sorted(components, key=lambda it: it["bom-ref"]),
        "dependencies": sorted(dependencies, key=lambda it: it["ref"]),
    }
    json.dump(document, sys.stdout, indent=1, ensure_ascii=False)
    print()


main()
