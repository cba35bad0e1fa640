#!/usr/bin/env python3
"""Makes an OCI image of a Debian package, without a container engine: tools/package/image.py SIDETONE.deb IMAGE.tar

The image holds the package's files, the shared libraries that the binary loads (this machine's, so build it where it runs or
on the same Debian release), the certificates that webhooks are verified by, and an account. No shell, no package manager.
IMAGE.tar is an OCI image layout (https://github.com/opencontainers/image-spec, version 1.0):

    podman load -i IMAGE.tar        docker load -i IMAGE.tar (25 and later)        skopeo copy oci-archive:IMAGE.tar ...

The same package on the same machine gives the same bytes. A health check is no part of an OCI image: docker-compose.yml has
it, and `sidetone health` is the command.
"""

import datetime
import gzip
import hashlib
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile

# An account that no host is likely to have; its number is what Kubernetes' runAsNonRoot looks at.
ACCOUNT = 64789
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
# Documentation takes more room than it is read here; the licences and the list of what is inside stay.
KEPT_DOCS = ("copyright", "LICENSE-MIT", "LICENSE-APACHE", "sbom.cdx.json")


def field(deb, name):
    return subprocess.check_output(["dpkg-deb", "--field", deb, name], text=True).strip()


def libraries(binary):
    """Paths by which the loader finds what the binary needs, with the files that stand behind them."""
    listed = subprocess.check_output(["ldd", binary], text=True)
    found = re.findall(r"(/\S+) \(0x", listed)
    if "not found" in listed or not found:
        sys.exit(f"image: a library is missing:\n{listed}")
    return {path: os.path.realpath(path) for path in found}


def files(root):
    """Path in the image, bytes and mode of each file."""
    for path in sorted(pathlib.Path(root).rglob("*")):
        inside = path.relative_to(root).as_posix()
        doc = inside.removeprefix("usr/share/doc/sidetone/")
        shell = inside.startswith(("usr/share/man", "usr/share/bash", "usr/share/zsh", "usr/share/fish", "usr/lib/s"))
        if path.is_symlink() or not path.is_file() or shell or (doc != inside and doc not in KEPT_DOCS):
            continue
        yield inside, path.read_bytes(), path.stat().st_mode & 0o777
    for path, behind in sorted(libraries(f"{root}/usr/bin/sidetone").items()):
        yield path.lstrip("/"), pathlib.Path(behind).read_bytes(), 0o755
    if os.path.exists(CERTIFICATES):
        yield CERTIFICATES.lstrip("/"), pathlib.Path(CERTIFICATES).read_bytes(), 0o644
    root_line = "root:x:0:0:root:/root:/sbin/nologin\n"
    own = f"sidetone:x:{ACCOUNT}:{ACCOUNT}:Sidetone:/var/lib/sidetone:/sbin/nologin\n"
    yield "etc/passwd", (root_line + own).encode(), 0o644
    yield "etc/group", f"root:x:0:\nsidetone:x:{ACCOUNT}:\n".encode(), 0o644


def layer(root, epoch):
    buffer = io.BytesIO()
    made = set()

    def add(archive, name, mode, data=None, owner=0):
        entry = tarfile.TarInfo(name)
        entry.mode, entry.mtime, entry.uid, entry.gid = mode, epoch, owner, owner
        if data is None:
            entry.type = tarfile.DIRTYPE
            archive.addfile(entry)
        else:
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))

    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data, mode in files(root):
            for parent in reversed(pathlib.PurePosixPath(name).parents[:-1]):
                if str(parent) not in made:
                    made.add(str(parent))
                    add(archive, str(parent), 0o755)
            add(archive, name, mode, data)
        for name in ("tmp", "run", "var", "var/lib", "var/log", "proc", "sys", "dev"):
            if name not in made:
                add(archive, name, 0o1777 if name == "tmp" else 0o755)
        # What the unit's RuntimeDirectory, StateDirectory and LogsDirectory are elsewhere.
        for name in ("run/sidetone", "var/lib/sidetone", "var/log/sidetone"):
            add(archive, name, 0o750, owner=ACCOUNT)
    return buffer.getvalue()


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    deb, image = sys.argv[1:]
    with tempfile.TemporaryDirectory() as root:
        subprocess.check_call(["dpkg-deb", "--extract", deb, root])
        epoch = int(os.stat(f"{root}/usr/bin/sidetone").st_mtime)
        plain = layer(root, epoch)
    blobs = {}

    def blob(data, kind):
        digest = hashlib.sha256(data).hexdigest()
        blobs[digest] = data
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(data)}

    packed = blob(gzip.compress(plain, mtime=0), "layer.v1.tar+gzip")
    version, architecture = field(deb, "Version"), field(deb, "Architecture")
    labels = {
        "org.opencontainers.image.title": "sidetone",
        "org.opencontainers.image.version": version,
        "org.opencontainers.image.source": "https://github.com/sidetone/sidetone",
        "org.opencontainers.image.licenses": "MIT OR Apache-2.0",
    }
    created = datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    config = {
        "created": created,
        "architecture": architecture,
        "os": "linux",
        "config": {
            "User": f"{ACCOUNT}:{ACCOUNT}",
            "Entrypoint": ["/usr/bin/sidetone"],
            "Cmd": ["run", "--config", "/etc/sidetone/sidetone.toml"],
            "Env": ["PATH=/usr/bin"],
            "StopSignal": "SIGTERM",
            "ExposedPorts": {"5060/udp": {}, "5060/tcp": {}, "9464/tcp": {}},
            "Labels": labels,
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(plain).hexdigest()}"]},
        "history": [{"created": created, "created_by": "tools/package/image.py"}],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": blob(json.dumps(config, sort_keys=True).encode(), "config.v1+json"),
        "layers": [packed],
        "annotations": labels,
    }
    described = blob(json.dumps(manifest, sort_keys=True).encode(), "manifest.v1+json")
    described["annotations"] = {"org.opencontainers.image.ref.name": f"sidetone:{version}"}
    described["platform"] = {"architecture": architecture, "os": "linux"}
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [described]}
    pages = {
        "oci-layout": json.dumps({"imageLayoutVersion": "1.0.0"}).encode(),
        "index.json": json.dumps(index, sort_keys=True).encode(),
        **{f"blobs/sha256/{digest}": data for digest, data in sorted(blobs.items())},
    }
    with tarfile.open(image, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in pages.items():
            entry = tarfile.TarInfo(name)
            entry.mode, entry.mtime, entry.size = 0o644, epoch, len(data)
            archive.addfile(entry, io.BytesIO(data))
    print(image)


main()
