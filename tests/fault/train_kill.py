#!/usr/bin/python3
"""Kills training runs at random points and goes on with them: the end must be that of a run that
nobody disturbed, to the byte.

usage: train_kill.py KILLS COMPOUND TERMS SEED COMMAND...

In the COMMAND, DIR stands for a folder of its own, which holds log, adapter and checkpoints. KILLS
runs get a KILL once; COMPOUND of them another one while they go on; TERMS runs get a TERM. Prints
TAP lines. Two runs at a time.
"""
import concurrent.futures
import filecmp
import glob
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

SPEED = re.compile(rb',"tokens_per_s":[0-9.]*')


def start(command, folder):
    return subprocess.Popen([word.replace("DIR", folder) for word in command],
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def lines_of(path):
    try:
        with open(path, "rb") as file:
            return file.read().count(b"\n")
    except FileNotFoundError:
        return 0


def disturb(child, folder, sig, rng, lines):
    """Sends a signal at a random point: after a random line of the log and a little more, or, for
    one in four, at a random time from the start on. Returns: the status."""
    begun = lines_of(folder + "/log")
    if rng.random() < 0.25 or begun >= lines:
        time.sleep(rng.random() * 0.25)
    else:
        target = rng.randrange(begun, lines)
        while lines_of(folder + "/log") < target and child.poll() is None:
            time.sleep(0.001)
        time.sleep(rng.random() * 0.012)
    child.send_signal(sig)
    child.communicate()
    return child.returncode


def differences(folder, reference):
    """What is wrong with a run that came to its end."""
    for name in ("adapter.ft", *sorted(os.path.basename(p) for p in
                                       glob.glob(reference + "/checkpoint-*"))[-1:]):
        try:
            if not filecmp.cmp(f"{folder}/{name}", f"{reference}/{name}", shallow=False):
                yield name + " differs"
        except FileNotFoundError:
            yield name + " is missing"
    logs = [SPEED.sub(b"", open(f + "/log", "rb").read()) for f in (folder, reference)]
    if logs[0] != logs[1]:
        yield "the log differs"
    if glob.glob(folder + "/*.ft-tmp"):
        yield "a temporary file is left"
    if len(glob.glob(folder + "/checkpoint-*")) > 2:
        yield "more than two checkpoints are left"


def trial(number, signals, seed, command, reference, lines):
    """One run with its disturbances. Returns: (where the first one hit, what is wrong)."""
    rng = random.Random(f"{seed} {number}")
    folder = f"trial{number}"
    os.mkdir(folder)
    where, wrong = None, []
    for sig in signals:
        status = disturb(start(command, folder), folder, sig, rng, lines)
        saved = len(glob.glob(folder + "/checkpoint-*.ft"))
        if where is None:
            where = "end" if status == 0 else "middle" if saved else "start"
        if status not in (0, -sig, 75 if sig == signal.SIGTERM else -sig):
            wrong.append(f"status {status} after {sig.name}")
        if os.path.exists(folder + "/adapter.ft") and status != 0:
            wrong += [w for w in differences(folder, reference) if w == "adapter.ft differs"]
    child = start(command, folder)
    message = child.communicate()[1].decode()
    if child.returncode:
        wrong.append(f"going on ends with {child.returncode}: {message}")
    wrong += [line for line in message.splitlines()
              if "warning" in line and "log" not in line and "certificate" not in line]
    wrong += differences(folder, reference)
    shutil.rmtree(folder)
    return where, [f"run {number}: {w}" for w in wrong]


def series(what, signals_of, count, seed, command, reference, lines):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda i: trial(f"-{what}-{i}", signals_of(i), seed, command,
                                                reference, lines), range(count)))
    wrong = [w for _, ws in results for w in ws]
    for w in wrong[:8]:
        print("#", w)
    print("not ok" if wrong else "ok", f"- {count} runs, {what}: gone on to the same bytes")
    middle = sum(where == "middle" for where, _ in results)
    print("ok" if 2 * middle >= count else "not ok",
          f"- {middle} of {count} hit between the first checkpoint and the end")
    return not wrong and 2 * middle >= count


def main(kills, compound, terms, seed, *command):
    reference = "reference"
    os.mkdir(reference)
    child = start(command, reference)
    message = child.communicate()[1]
    if child.returncode:
        print("not ok - the undisturbed run:", message.decode())
        return 1
    lines = lines_of(reference + "/log")
    rest = (seed, command, reference, lines)
    kill, term = signal.SIGKILL, signal.SIGTERM
    good = series("killed", lambda i: [kill] * (2 if i < int(compound) else 1), int(kills), *rest)
    good &= series("terminated", lambda i: [term], int(terms), *rest)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
