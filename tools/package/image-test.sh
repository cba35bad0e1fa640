#!/usr/bin/env bash
# Unpacks an OCI image as an engine does, digests checked, and runs it as its configuration says, in a root of its own and
# a network of its own: tools/package/image-test.sh IMAGE.tar. Root is needed (chroot).
set -euo pipefail
image=$(realpath "$1")
if [ -z "${SIDETONE_IMAGE_TEST_INSIDE:-}" ]; then
    SIDETONE_IMAGE_TEST_INSIDE=1 exec unshare --net -- "$0" "$image"
fi
ip link set lo up

work=$(mktemp -d)
service=
finish() {
    [ -z "$service" ] || kill -KILL "$service" 2>/dev/null || true
    rm -rf --one-file-system "$work"
}
trap finish EXIT
fail() {
    echo "image-test: $*" >&2
    exit 1
}

mkdir "$work/image" "$work/root"
tar -C "$work/image" -xf "$image"
python3 - "$work" <<'PYTHON' >"$work/start"
import gzip, hashlib, io, json, pathlib, shlex, sys, tarfile

work = pathlib.Path(sys.argv[1])

def blob(described):
    kind, digest = described["digest"].split(":")
    data = (work / "image/blobs" / kind / digest).read_bytes()
    assert hashlib.new(kind, data).hexdigest() == digest and len(data) == described["size"], described
    return data

assert json.loads((work / "image/oci-layout").read_text())["imageLayoutVersion"] == "1.0.0"
(described,) = json.loads((work / "image/index.json").read_text())["manifests"]
manifest = json.loads(blob(described))
config = json.loads(blob(manifest["config"]))
for layer, diff in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True):
    plain = gzip.decompress(blob(layer))
    assert "sha256:" + hashlib.sha256(plain).hexdigest() == diff
    tarfile.open(fileobj=io.BytesIO(plain)).extractall(work / "root", numeric_owner=True)
run = config["config"]
print(run["User"])
print(shlex.join(run["Entrypoint"]))
print(shlex.join(run["Cmd"]))
PYTHON
{ read -r user; read -r entrypoint; read -r arguments; } <"$work/start"
[ "${user%%:*}" -gt 0 ] || fail "the image runs as root"
inside() { env -i PATH=/usr/sbin:/usr/bin chroot --userspec="$user" "$work/root" "$@"; }

inside $entrypoint --version || fail "the binary does not run"
inside $entrypoint check /etc/sidetone/sidetone.toml || fail "the configuration can't be run"
env -i PATH=/usr/sbin:/usr/bin chroot --userspec="$user" "$work/root" $entrypoint $arguments >"$work/log" 2>&1 &
service=$!
for _ in $(seq 100); do
    inside $entrypoint health >/dev/null 2>&1 && break
    kill -0 "$service" 2>/dev/null || { cat "$work/log" >&2; fail "it ended"; }
    sleep 0.2
done
inside $entrypoint health || { cat "$work/log" >&2; fail "it does not answer"; }
kill -TERM "$service"
wait "$service" || fail "it ended with $?"
service=
echo "image-test: unpacked, started, asked and stopped"
