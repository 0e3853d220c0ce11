#!/usr/bin/python3
"""Runs a program, and sends it signals once a file holds some words.

usage: signal_at.py FILE WORDS SIGNAL[,SIGNAL...] PROGRAM...

The signals are sent while the program is stopped, so that it finds them all when it wakes up. Exits
as the program did, with 128 + n when signal n ended it, or with 99 when it ended too early.
"""
import os
import signal
import subprocess
import sys
import time


def holds(path, words):
    try:
        with open(path, encoding="utf-8") as file:
            return words in file.read()
    except FileNotFoundError:
        return False


def main(path, words, names, *program):
    signal.signal(signal.SIGINT, signal.SIG_DFL)    # a job in the background ignores it
    child = subprocess.Popen(program)
    while not holds(path, words):
        if child.poll() is not None:
            return 99
        time.sleep(0.0005)
    os.kill(child.pid, signal.SIGSTOP)
    for name in names.split(","):
        os.kill(child.pid, signal.Signals["SIG" + name])
    os.kill(child.pid, signal.SIGCONT)
    status = child.wait()
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
