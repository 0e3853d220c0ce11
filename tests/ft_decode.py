#!/usr/bin/python3
"""An independent decoder of ft streams, written from doc/stream.md alone: the tests' oracle.

usage: ft_decode.py [--trailer | --header | --nodes] [FILE]

Verifies everything that the format promises, then prints the records as JSON lines (binary values
as {"$bin": hex}), or the trailers, headers or history nodes. Exit 1 with a reason otherwise.
Needs Debian's python3-zstandard, python3-msgpack, python3-xxhash.
"""
import json
import sys

import msgpack
import xxhash
import zstandard

MIB = 1 << 20
KINDS = ("text", "tokens", "packed", "adapter", "checkpoint")


class Bad(Exception):
    pass


def need(ok, why):
    if not ok:
        raise Bad(why)


def digest(data):
    return xxhash.xxh3_128_digest(data)


def pack(value):
    return msgpack.packb(value, use_bin_type=True)


def frames(data):
    """Splits the input into the contents of its zstd frames."""
    while data:
        need(data[:4] == b"\x28\xb5\x2f\xfd", "no zstd frame where one was due")
        try:
            p = zstandard.get_frame_parameters(data)
        except zstandard.ZstdError as error:
            raise Bad(f"truncated: {error}") from error
        need(p.has_checksum, "no checksum")
        need(p.dict_id == 0, "dictionary")
        need(p.content_size <= 17 * MIB + 64, "content size unknown or too large")
        need(p.window_size <= 8 * MIB or data[4] & 0x20, "window")
        unpacker = zstandard.ZstdDecompressor().decompressobj()
        try:
            content = unpacker.decompress(data)
        except zstandard.ZstdError as error:
            raise Bad(str(error)) from error
        need(unpacker.eof and len(content) == p.content_size, "truncated inside a frame")
        yield content
        data = unpacker.unused_data


def depth(value):
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=-1)
    return 1 + max(map(depth, value), default=-1) if isinstance(value, list) else 0


def objects(content):
    """Gives (object, its bytes) for all of a frame's content."""
    unpacker = msgpack.Unpacker(raw=False, strict_map_key=False, max_buffer_size=len(content) + 1,
                                unicode_errors="surrogateescape")
    unpacker.feed(content)
    at = 0
    while at < len(content):
        try:
            value = unpacker.unpack()
        except Exception as error:
            raise Bad(f"msgpack: {error!r}") from error
        need(depth(value) <= 16, "nesting")
        end = unpacker.tell()
        yield value, content[at:end]
        at = end


def check_history(header, trailer):
    entry, history = header.get("entry"), trailer.get("history")
    need((entry is None) == (history is None), "only one of entry and history")
    if history is None:
        return
    seen = set()
    for node_id, node in history:
        # Nodes are in msgpack's shortest form, so packing again gives the bytes that were hashed.
        need(digest(pack(node)) == node_id, "a node that does not fit its id")
        need(all(i in seen for i in node["inputs"]), "an input that is not there")
        need(node["inputs"] == sorted(set(node["inputs"])), "inputs not sorted")
        need(node_id not in seen, "a node that is there twice")
        seen.add(node_id)
    own = {"tool": entry["tool"], "version": entry["version"], "kind": header["kind"],
           "options": entry["options"], "records": trailer["records"], "digest": trailer["digest"],
           "inputs": history[-1][1]["inputs"]}
    if "seed" in entry:
        own["seed"] = entry["seed"]
    need(history[-1][1] == own, "the last node is about another stream")


def check_certificate(c, depth):
    need(isinstance(c, dict) and len(c["split"]) == 16 and isinstance(c["split"], bytes), "split")
    need(0 <= c["part"] < c["parts"], "part")
    need(c["relations"] and all(isinstance(r, str) for r in c["relations"]), "relations")
    need(isinstance(c.get("common", {}), dict), "common")
    within = c.get("within")
    if within is not None:
        need(depth < 3 and 1 <= len(within) <= 1024, "within")
        for inner in within:
            if inner is not None:
                check_certificate(inner, depth + 1)


def check_certificates(header, trailer):
    claims, proof = header.get("certificates"), trailer.get("certificates")
    for found in (claims, proof):
        need(found is None or (isinstance(found, list) and 1 <= len(found) <= 1024), "certificates")
    for c in claims or []:
        check_certificate(c, 0)
    for c in proof or []:
        if c is not None:
            check_certificate(c, 0)
    raw = [pack(c) for c in proof or []]
    need(raw == sorted(set(raw)), "certificates not sorted, each once")
    need(proof is None or any(c is not None for c in proof), "nil alone")
    need(all(pack(c) in raw for c in claims or []), "a claim that is not confirmed")


def check_trailer(trailer, header, header_bytes, hasher, records, size):
    need(trailer["records"] == records and trailer["bytes"] == size, "records or bytes")
    need(trailer["digest"] == hasher.digest(), "digest of the records")
    need(trailer["header"] == digest(header_bytes), "digest of the header")
    c = trailer["counts"]
    need(c["read"] + c["created"] == c["written"] + sum(c["dropped"].values()), "counts")
    check_history(header, trailer)
    check_certificates(header, trailer)


def check_header(header, first):
    need(header.get("magic") == "ft-stream", "no magic")
    need(header["version"] == 1, "version")
    need(header["kind"] in KINDS, "kind")
    if first is not None:
        need(all(header.get(k) == first.get(k) for k in ("kind", "tokenizer", "template")),
             "streams that do not go together")


def check_records(row, kind):
    need(row, "empty frame")
    limit = 8 * MIB if kind == "text" else 16 * MIB
    start = 0
    for record, raw in row:
        need(isinstance(record, dict), "record that is no map")
        need(len(raw) <= limit, "record too long")
        need(start < MIB, "frame too long")
        start += len(raw)


def decode(data):
    """Verifies an input. Returns: headers, records, trailers."""
    headers, records, trailers = [], [], []
    header = None          # of the stream we are in, else None
    for content in frames(data):
        row = list(objects(content))
        marker = row.pop(0)[0] if row else None
        need(isinstance(marker, list) and len(marker) == 3, "no frame marker")
        if header is None:
            number = n = size = 0
            hasher = xxhash.xxh3_128()
        need(marker == [marker[0], number, n], f"frame marker {marker} where {number}, {n} was due")
        need((marker[0] == 0) == (header is None) and marker[0] in (0, 1, 2), "frame out of place")
        number += 1
        if marker[0] == 1:
            check_records(row, header["kind"])
            for record, raw in row:
                hasher.update(raw)
                n, size = n + 1, size + len(raw)
                records.append(record)
            continue
        need(len(row) == 1 and len(row[0][1]) <= 4 * MIB, "not one map of at most 4 MiB")
        if marker[0] == 0:
            header, header_bytes = row[0]
            check_header(header, headers[0] if headers else None)
            headers.append(header)
        else:
            check_trailer(row[0][0], header, header_bytes, hasher, n, size)
            trailers.append(row[0][0])
            header = None
    need(trailers and header is None, f"truncated after {len(records)} records")
    return headers, records, trailers


def plain(value):
    if isinstance(value, bytes):
        return {"$bin": value.hex()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    return value


def main(args):
    what = args.pop(0) if args and args[0].startswith("--") else "--records"
    with open(args[0], "rb") if args else sys.stdin.buffer as file:
        data = file.read()
    try:
        headers, records, trailers = decode(data)
    except (Bad, KeyError, TypeError, ValueError) as error:
        sys.exit(f"ft_decode: {error!r}")
    nodes = [node for t in trailers for node in t.get("history", [])]
    for value in {"--records": records, "--trailer": trailers, "--header": headers,
                  "--nodes": nodes}[what]:
        print(json.dumps(plain(value), ensure_ascii=True))


if __name__ == "__main__":
    main(sys.argv[1:])
