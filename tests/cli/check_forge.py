#!/usr/bin/python3
"""Forges streams: alters what a good stream says and seals it again, all zstd checksums valid.

usage: check_forge.py lies STREAM DIR      the records or the trailer do not agree, each in one way
       check_forge.py content STREAM DIR   all digests agree, a record makes no sense for its kind
Writes DIR/NAME.ft for each way and prints lines "NAME WORD", WORD being of the refusal it must
meet, or "-" for a stream that is good.
"""
import copy
import os
import struct
import sys

import zstandard

sys.path.insert(0, os.environ["FT_ROOT"] + "/tests")
from ft_decode import digest, frames, objects, pack     # noqa: E402

BIG = 2 ** 64 - 1


class Stream:
    def __init__(self, data):
        head, *body, tail = [[v for v, _ in objects(c)] for c in frames(data)]
        self.header, self.trailer = head[1], tail[1]
        self.records = [pack(v) for row in body for v in row[1:]]

    def seal(self):
        """Makes everything agree again."""
        t = self.trailer
        t["records"], t["bytes"] = len(self.records), sum(map(len, self.records))
        t["digest"], t["header"] = digest(b"".join(self.records)), digest(pack(self.header))
        t["counts"] = {"read": 0, "created": 1, "written": 1, "dropped": {}}
        node = t["history"][-1][1]
        node["records"], node["digest"] = t["records"], t["digest"]
        self.rename()

    def rename(self):
        """Gives the last node of the history the id that it has."""
        last = self.trailer["history"][-1]
        last[0] = digest(pack(last[1]))

    def bytes(self):
        zstd = zstandard.ZstdCompressor(level=3, write_checksum=True, write_content_size=True)
        contents = [pack([0, 0, 0]) + pack(self.header)]
        if self.records:
            contents.append(pack([1, 1, 0]) + b"".join(self.records))
        contents.append(pack([2, len(contents), len(self.records)]) + pack(self.trailer))
        return b"".join(map(zstd.compress, contents))


def flip(value, at=5):
    return value[:at] + bytes([value[at] ^ 1]) + value[at + 1:]


LIES = {}       # name -> (word, what alters the stream)


def lie(word):
    def keep(change):
        LIES[change.__name__] = word, change
        return change
    return keep


@lie("-")
def nothing(s):
    pass


@lie("-")
def sealed(s):
    s.seal()


@lie("digest")
def record_byte(s):
    s.records[1] = flip(s.records[1], len(s.records[1]) // 2)


@lie("digest")
def records_swapped(s):
    s.records[0], s.records[1] = s.records[1], s.records[0]


@lie("records")
def record_lost(s):
    s.records.pop()


@lie("records")
def record_twice(s):
    s.records.append(s.records[-1])


@lie("header")
def header_key(s):
    s.header["later"] = 1


@lie("header")
def header_entry(s):
    s.header["entry"]["options"]["x"] = 1


@lie("history")
def header_and_its_digest(s):
    s.header["entry"]["tool"] = "ft-other"
    s.trailer["header"] = digest(pack(s.header))


@lie("records")
def more_records(s):
    s.trailer["records"] += 1


@lie("bytes")
def fewer_bytes(s):
    s.trailer["bytes"] -= 1


@lie("digest")
def other_digest(s):
    s.trailer["digest"] = flip(s.trailer["digest"])


@lie("digest")
def short_digest(s):
    s.trailer["digest"] = s.trailer["digest"][:15]


@lie("header")
def other_header(s):
    s.trailer["header"] = flip(s.trailer["header"], 15)


@lie("counts")
def written_more(s):
    s.trailer["counts"]["written"] += 1


@lie("counts")
def dropped_more(s):
    s.trailer["counts"]["dropped"]["why"] = 1


@lie("counts")
def counts_that_overflow(s):
    s.trailer["counts"] = {"read": BIG, "created": 3, "written": 2, "dropped": {}}


@lie("counts")
def drops_that_overflow(s):
    s.trailer["counts"] = {"read": 0, "created": 1, "written": 2, "dropped": {"a": BIG}}


@lie("drops")
def drops_that_are_words(s):
    s.trailer["counts"]["dropped"] = {"a": "1"}


@lie("history")
def no_history(s):
    del s.trailer["history"]


@lie("history")
def history_without_entry(s):
    del s.header["entry"]
    s.trailer["header"] = digest(pack(s.header))


@lie("history")
def empty_history(s):
    s.trailer["history"] = []


@lie("history")
def first_node_altered(s):
    node = s.trailer["history"][0][1]
    node["options"] = {**node["options"], "role": "other"}


@lie("history")
def first_node_renamed(s):
    s.trailer["history"][0][0] = flip(s.trailer["history"][0][0])


@lie("history")
def first_node_altered_and_renamed(s):
    first = s.trailer["history"][0]
    first[1]["digest"] = flip(first[1]["digest"])
    first[0] = digest(pack(first[1]))


@lie("history")
def first_node_lost(s):
    s.trailer["history"].pop(0)


def certify(s, claims, proof):
    if claims is not None:
        s.header["certificates"] = claims
    if proof is not None:
        s.trailer["certificates"] = proof
    s.seal()


def certificate(part=0, **other):
    return {"split": b"s" * 16, "part": part, "parts": 2, "relations": ["prompt"], **other}


def in_order(*certificates):
    return sorted(certificates, key=pack)


@lie("-")
def certified(s):
    within = certificate(1, within=[certificate(), None])
    certify(s, [within], in_order(certificate(1), within, None))


@lie("certificates")
def claim_not_confirmed(s):
    certify(s, [certificate(1)], [certificate(0)])


@lie("certificates")
def claim_without_proof(s):
    certify(s, [certificate()], None)


@lie("sorted")
def certificates_out_of_order(s):
    certify(s, None, in_order(certificate(0), certificate(1))[::-1])


@lie("sorted")
def certificate_twice(s):
    certify(s, None, [certificate(), certificate()])


@lie("nil")
def nil_alone(s):
    certify(s, None, [None])


@lie("no list")
def no_certificates(s):
    certify(s, None, [])


@lie("no list")
def too_many_certificates(s):
    certify(s, None, in_order(*(certificate(split=i.to_bytes(16, "big")) for i in range(1025))))


@lie("no map")
def claim_of_nil(s):
    certify(s, [None], [certificate()])


@lie("below parts")
def part_that_is_not_there(s):
    certify(s, None, [certificate(2)])


@lie("split")
def split_of_fifteen_bytes(s):
    certify(s, None, [certificate(split=b"s" * 15)])


@lie("split")
def split_that_is_text(s):
    certify(s, None, [certificate(split="s" * 16)])


@lie("relation")
def relation_that_is_a_number(s):
    certify(s, None, [certificate(relations=["prompt", 1])])


@lie("common")
def common_that_is_a_list(s):
    certify(s, None, [certificate(common=[])])


@lie("deeper")
def within_too_deep(s):
    c = certificate()
    for _ in range(4):
        c = certificate(within=[c])
    certify(s, None, [c])


@lie("history")
def a_node_twice(s):
    s.trailer["history"].insert(0, s.trailer["history"][0])


@lie("history")
def nodes_turned_round(s):
    s.trailer["history"].reverse()


@lie("history")
def last_node_of_another_tool(s):
    s.trailer["history"][-1][1]["tool"] = "ft-other"
    s.rename()


@lie("history")
def last_node_of_other_records(s):
    s.trailer["history"][-1][1]["digest"] = flip(s.trailer["digest"])
    s.rename()


@lie("history")
def an_input_twice(s):
    s.trailer["history"][-1][1]["inputs"] *= 2
    s.rename()


@lie("history")
def an_unknown_input(s):
    s.trailer["history"][-1][1]["inputs"].append(b"\xff" * 16)
    s.rename()


for field in ("records", "bytes", "digest", "header", "counts"):
    def without(s, key=field):
        del s.trailer[key]
    without.__name__ = "no_" + field
    lie(field)(without)


def with_field(record, key, value):
    record = dict(record)
    record.pop(key, None)
    return record if value is None else {**record, key: value}


def text_ways(record):
    yield "role", "messages", {"messages": [{"content": "x"}]}
    yield "shape", "no", {"id": 1}


def token_ways(record):
    ids, mask = record["ids"], record["mask"]
    yield "first_is_target", "mask", with_field(record, "mask", bytes([mask[0] | 1]) + mask[1:])
    yield "mask_too_long", "mask", with_field(record, "mask", mask + b"\0")
    yield "odd_ids", "ids", with_field(record, "ids", ids[:-1])
    yield "no_mask", "mask", with_field(record, "mask", None)
    yield "wrong_length", "length", with_field(record, "length", len(ids))
    yield "negative_weight", "weight", with_field(record, "weight", -0.5)
    yield "no_id", "id", with_field(record, "id", None)


def packed_ways(record):
    for name, word, segment in token_ways(record["segments"][0]):
        yield name, word, {**record, "segments": [segment, *record["segments"][1:]]}
    yield "no_segments", "segments", {**record, "segments": []}
    segment = with_field(record["segments"][0], "length", None)
    yield "no_length", "length", {**record, "segments": [segment]}


def adapter_ways(record):
    data, shape = record["data"], record["shape"]
    for name, number in (("nan", float("nan")), ("infinity", float("-inf"))):
        yield name, "NaN or infinity", {**record, "data": struct.pack("<f", number) + data[4:]}
    yield "half_a_number", "data", {**record, "data": data[:-2]}
    yield "no_data", "data", {**record, "data": b""}
    yield "lacks_its_end", "end", {**record, "data": data[:-4]}
    yield "other_shape", "lacks its end", {**record, "shape": [shape[0] + 1, *shape[1:]]}
    yield "too_small_a_shape", "go on", {**record, "shape": [1, 1]}
    yield "endless_shape", "shape", {**record, "shape": [2 ** 33, 2 ** 33]}
    yield "no_shape", "shape", with_field(record, "shape", None)
    yield "offset", "go on", {**record, "offset": 1}


WAYS = {"text": text_ways, "tokens": token_ways, "packed": packed_ways, "adapter": adapter_ways}


def forge_content(stream, emit):
    kind = stream.header["kind"]
    first = next(v for v, _ in objects(stream.records[0]))
    for name, word, record in WAYS[kind](first):
        s = copy.deepcopy(stream)
        s.records[0] = pack(record)
        s.seal()
        emit(f"{kind}-{name}", word, s)
    if kind != "adapter":
        return
    for name, word, change in (
            ("no_method", "method", lambda extra: extra.pop("method")),
            ("other_method", "method", lambda extra: extra.update(method="magic")),
            ("rank_0", "rank", lambda extra: extra.update(rank=0)),
            ("alpha", "alpha", lambda extra: extra.update(alpha=float("nan"))),
            ("no_targets", "targets", lambda extra: extra.update(targets=[]))):
        s = copy.deepcopy(stream)
        change(s.header["extra"])
        s.seal()
        emit("adapter-" + name, word, s)
    s = copy.deepcopy(stream)
    s.records.append(s.records[0])
    s.seal()
    emit("adapter-tensor_twice", "twice", s)
    s = copy.deepcopy(stream)
    s.records = []
    s.seal()
    emit("adapter-no_tensors", "without tensors", s)


def main(what, path, folder):
    with open(path, "rb") as f:
        stream = Stream(f.read())

    def emit(name, word, s):
        with open(f"{folder}/{name}.ft", "wb") as out:
            out.write(s.bytes())
        print(name, word)

    if what == "content":
        forge_content(stream, emit)
        return
    for name, (word, change) in LIES.items():
        s = copy.deepcopy(stream)
        change(s)
        emit(name, word, s)


if __name__ == "__main__":
    main(*sys.argv[1:])
