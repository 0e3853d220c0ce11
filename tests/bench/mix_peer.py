#!/usr/bin/python3
"""Mixes JSON lines by weighted chance, as scripts do: mix_peer.py FILE SHARE FILE SHARE >OUT"""
import json
import random
import sys

paths, shares = sys.argv[1::2], [float(x) for x in sys.argv[2::2]]
files = [open(p, encoding="utf-8") for p in paths]
chance = random.Random(0)
while True:
    line = chance.choices(files, shares)[0].readline()
    if not line:
        break
    sys.stdout.write(json.dumps(json.loads(line), ensure_ascii=False) + "\n")
