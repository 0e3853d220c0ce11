#!/usr/bin/python3
"""Makes a stream of kind text from JSON lines, without ft: jsonl_stream.py <IN.jsonl >OUT.ft"""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../golden"))
from make_stream import stream  # noqa: E402

records = [json.loads(line) for line in sys.stdin]
sys.stdout.buffer.write(stream(records, list(range(0, len(records), 100))))
