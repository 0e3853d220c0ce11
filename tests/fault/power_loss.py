#!/usr/bin/python3
"""Cuts the power at every point of a training run: from the trace of its system calls, builds what
the disk may then hold, and goes on from there. The end must be that of the undisturbed run, and no
checkpoint that was reported as saved may be lost.

usage: power_loss.py [--no-fsync] MOST START TRACE FOLDER COMMAND...

TRACE: of `strace -xx -s 10000000` of the COMMAND, which wrote FOLDER and nothing else that counts,
with one thread; FOLDER was a copy of START before. --no-fsync plants the defect that files are not
synced: it must be found. MOST: states that are tried at most. Prints what is wrong, then a line
"N states".

What may be on the disk: of a file, what it held at its last fsync; of what was written since,
nothing, half, all, or zeros in its place. Of names that were made, renamed or removed since the last
fsync of the folder, any.
"""
import concurrent.futures
import filecmp
import itertools
import os
import random
import re
import shutil
import subprocess
import sys

SPEED = re.compile(rb',"tokens_per_s":[0-9.]*')
CALL = re.compile(r"^(?:\d+ +)?(\w+)\((.*)\) += (-?\d+)")
STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


class Disk:
    """A folder: what programs see, and what the disk has for certain."""

    def __init__(self, start):
        self.contents = {}     # inode -> bytes, as programs see them
        self.synced = {}       # inode -> bytes on the disk
        self.names = {}        # name -> inode, as programs see them
        self.synced_names = {}
        self.pending = []      # [{name: inode or None}] since the folder's last fsync
        self.saved = 0         # step of the last checkpoint that is safe
        self.old = {}          # names of START, of whose checkpoints only the first is known good
        for name in sorted(os.listdir(start)):
            self.create(name)
            with open(f"{start}/{name}", "rb") as file:
                self.contents[self.names[name]] = self.synced[self.names[name]] = file.read()
        self.sync_folder()
        self.old = dict(self.names)
        self.saved = min(map(self.step_of, self.old), default=0)

    @staticmethod
    def step_of(name):
        match = re.fullmatch(r"checkpoint-(\d{10})\.ft", name)
        return int(match[1]) if match else 1 << 40

    def change(self, names):
        self.pending.append(names)
        self.apply(self.names, names)

    @staticmethod
    def apply(names, change):
        for name, inode in change.items():
            if inode is None:
                names.pop(name, None)
            else:
                names[name] = inode

    def create(self, name):
        inode = len(self.contents)
        self.contents[inode] = self.synced[inode] = b""
        self.change({name: inode})

    def sync_folder(self):
        self.synced_names = dict(self.names)
        self.pending = []
        for name, inode in self.names.items():
            step = self.step_of(name)
            if self.old.get(name) != inode and step < 1 << 40:
                self.saved = max(self.saved, step)

    def variants(self, inode):
        old, new = self.synced[inode], self.contents[inode]
        if not new.startswith(old):
            return {old, new}
        more = new[len(old):]
        return {old, new, old + more[:len(more) // 2], old + bytes(len(more))}

    def states(self, rng, most=48):
        """What the disk may hold now: {name: bytes}, each once."""
        found = []
        for take in itertools.product((0, 1), repeat=len(self.pending)):
            names = dict(self.synced_names)
            for taken, change in zip(take, self.pending):
                if taken:
                    self.apply(names, change)
            choices = [[(name, data) for data in sorted(self.variants(inode))]
                       for name, inode in sorted(names.items())]
            found += [dict(state) for state in itertools.product(*choices)]
        return found if len(found) <= most else rng.sample(found, most)


def replay(trace, start, folder, fsync):
    """Gives the disk after each call that changes it."""
    disk, open_files = Disk(start), {}

    def name_in(path):
        return os.path.basename(path) if os.path.dirname(path) == folder else None

    for line in trace:
        match = CALL.match(line)
        if not match or int(match[3]) < 0:
            continue
        call, args, result = match[1], match[2], int(match[3])
        strings = [bytes.fromhex(s.replace("\\x", "")) for s in STRING.findall(args)]
        fd = int(args.split(",")[0]) if args[:1].isdigit() else None
        if call == "openat":
            path = strings[0].decode()
            name = name_in(path)
            if name and name not in disk.names and "O_CREAT" in args:
                disk.create(name)
            if name and "O_TRUNC" in args:
                disk.contents[disk.names[name]] = b""
            open_files[result] = "/" if path == folder else disk.names.get(name)
        elif call == "close":
            open_files.pop(fd, None)
        elif call in ("rename", "unlink", "unlinkat"):
            old = name_in(strings[0].decode()) if call != "unlinkat" else strings[0].decode()
            if old in disk.names:
                change = {old: None}
                if call == "rename":
                    change[name_in(strings[1].decode())] = disk.names[old]
                disk.change(change)
        elif open_files.get(fd) is None:
            continue
        elif call == "fsync" and open_files[fd] == "/":
            disk.sync_folder()
        elif call == "fsync" and fsync:
            disk.synced[open_files[fd]] = disk.contents[open_files[fd]]
        elif call == "write":
            disk.contents[open_files[fd]] += strings[0]
        elif call == "ftruncate":
            at = int(args.split(",")[1])
            disk.contents[open_files[fd]] = disk.contents[open_files[fd]][:at]
        else:
            continue
        yield disk


def wrong_in(number, state, saved, folder, command):
    """Goes on from a state. Returns: what is wrong with that, or None."""
    work = f"power{number}"
    os.mkdir(work)
    for name, data in state.items():
        with open(f"{work}/{name}", "wb") as file:
            file.write(data)
    run = subprocess.run([w.replace(folder + "/", work + "/") if w != folder else work
                          for w in command], capture_output=True, text=True, check=False)
    begun = re.search(r"going on after step (\d+)", run.stderr)
    problem = None
    if run.returncode:
        problem = f"status {run.returncode}: {run.stderr.splitlines()[-1]}"
    elif (int(begun[1]) if begun else 0) < saved:
        problem = f"step {saved} was saved, but is gone: {run.stderr.splitlines()[0]}"
    else:
        logs = [SPEED.sub(b"", open(f + "/log", "rb").read()) for f in (work, folder)]
        same = filecmp.cmp(work + "/adapter.ft", folder + "/adapter.ft", shallow=False)
        if not same or logs[0] != logs[1]:
            problem = "other bytes in " + ("the log" if same else "the adapter")
    shutil.rmtree(work)
    return problem and f"{problem} (from {({n: len(d) for n, d in sorted(state.items())})})"


def main(args):
    fsync = args[0] != "--no-fsync"
    most, start, trace, folder, *command = args[not fsync:]
    rng, seen, cases = random.Random(1), set(), []
    with open(trace, encoding="ascii", errors="replace") as file:
        for disk in replay(file, start, folder, fsync):
            for state in disk.states(rng):
                key = (disk.saved, *sorted(state.items()))
                if hash(key) not in seen:
                    seen.add(hash(key))
                    cases.append((state, disk.saved))
    if len(cases) > int(most):
        cases = rng.sample(cases, int(most))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = pool.map(lambda n: wrong_in(n, *cases[n], folder, command), range(len(cases)))
        wrong = [w for w in results if w]
    print(*wrong, f"{len(cases)} states", sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
