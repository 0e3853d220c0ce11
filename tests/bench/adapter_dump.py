"""adapter_dump.py ADAPTER FOLDER: the tensors of an adapter stream as files of float32, with an
index.json of names and shapes. Needs Debian's python3-zstandard and python3-msgpack."""
import json
import os
import sys

import msgpack
import zstandard

os.makedirs(sys.argv[2], exist_ok=True)
data = b""
with open(sys.argv[1], "rb") as f:
    reader = zstandard.ZstdDecompressor().stream_reader(f, read_across_frames=True)
    unpacker = msgpack.Unpacker(raw=False, max_buffer_size=1 << 30)
    while chunk := reader.read(1 << 20):
        unpacker.feed(chunk)
index = {}
for value in unpacker:
    if isinstance(value, dict) and "data" in value:
        index.setdefault(value["name"], {"shape": value["shape"], "file": f"{len(index)}.f32"})
        path = os.path.join(sys.argv[2], index[value["name"]]["file"])
        with open(path, "r+b" if os.path.exists(path) else "wb") as out:
            out.seek(4 * value["offset"])
            out.write(value["data"])
with open(os.path.join(sys.argv[2], "index.json"), "w") as out:
    json.dump(index, out)
