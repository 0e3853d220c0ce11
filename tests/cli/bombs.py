#!/usr/bin/python3
"""Small streams that ask for much, and what a program takes to refuse them.

usage: bombs.py make FOLDER           writes one file for each bomb
       bombs.py run FILE PROGRAM...   runs the program on FILE as its standard input, and prints
                                      its exit status, CPU seconds and peak resident MiB

A child's peak counts from its parent's at the fork, so that `run` imports nothing large and `make`
is a process of its own.
"""
import os
import signal
import sys

MIB = 1 << 20


def make(folder):
    import msgpack
    import zstandard

    def frame(content):
        z = zstandard.ZstdCompressor(level=5, write_checksum=True, write_content_size=True)
        return z.compress(content)

    def zeros_frame(marker, n, sized):
        c = zstandard.ZstdCompressor(level=5, write_checksum=True, write_content_size=sized)
        c = c.compressobj(size=n + len(marker)) if sized else c.compressobj()
        parts = [c.compress(marker)] + [c.compress(bytes(MIB)) for _ in range(n // MIB)]
        return b"".join(parts) + c.flush()

    header = {"magic": "ft-stream", "version": 1, "kind": "text",
              "entry": {"tool": "bomb", "version": "0.0", "options": {}, "seed": 1}}
    head = frame(msgpack.packb([0, 0, 0]) + msgpack.packb(header))
    marker = msgpack.packb([1, 1, 0])
    most = b"\xff\xff\xff\xff"
    many = 16 * MIB - 64
    contents = {"array_count": b"\xdd" + most, "map_count": b"\xdf" + most,
                "string_count": b"\x81\xa1k\xdb" + most, "binary_count": b"\x81\xa1k\xc6" + most,
                "deep_counts": (b"\xdd" + most) * 31, "deep_maps": b"\x81\xa1k" * MIB,
                "nils": b"\xdd" + many.to_bytes(4, "big") + b"\xc0" * many,
                "map_of_nils": b"\xdf" + (many // 2).to_bytes(4, "big") + b"\xc0" * many,
                "list_of_maps": b"\x81\xa1k\xdd" + many.to_bytes(4, "big") + b"\x80" * many,
                "empty_maps": b"\x80" * many}
    bombs = {name: head + frame(marker + c) for name, c in contents.items()}
    for sized in (False, True):
        bombs[f"gib_of_zeros_{sized:d}"] = head + zeros_frame(marker, 1 << 30, sized)
        bombs[f"zeros_in_the_header_{sized:d}"] = zeros_frame(b"", 256 * MIB, sized)
    for log in range(24, 32):
        # No single segment, a checksum, this window, 256 bytes of content; one raw block, cut.
        lone = b"\x28\xb5\x2f\xfd\x84" + bytes([(log - 10) << 3]) + b"\0\1\0\0\1\0\0" + bytes(4)
        bombs[f"window_{log}"] = head + lone
        bombs[f"window_{log}_first"] = lone
    # No bomb: what goes off in the others must not be their frames' wrapping.
    bombs["sound"] = head + frame(marker + msgpack.packb({"text": "a"}))
    for name, data in bombs.items():
        with open(os.path.join(folder, name), "wb") as f:
            f.write(data)


def run(path, command):
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        os.dup2(os.open(path, os.O_RDONLY), 0)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.execvp(command[0], command)
    _, status, used = os.wait4(pid, 0)
    print(os.waitstatus_to_exitcode(status), f"{used.ru_utime + used.ru_stime:.3f}",
          used.ru_maxrss >> 10)


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(sys.argv[2])
    else:
        run(sys.argv[2], sys.argv[3:])
