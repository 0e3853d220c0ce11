"""quant_hostile.py: every file of tests/bad/make_gguf.py is refused: status 65, the message names
the field, nothing is written, in 2 seconds and 256 MiB."""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.environ["FT_ROOT"], "tests", "bad"))
sys.dont_write_bytecode = True
import make_gguf  # noqa: E402

TOOL = os.path.join(os.environ["FT_BIN"], "ft-quant")
SANITIZED = bool(os.environ.get("FT_ASAN"))        # slower, and its shadow memory counts


def run(data):
    """Status, message, seconds and peak KiB of converting these bytes."""
    with open("bad.gguf", "wb") as f:
        f.write(data)
    with open("message", "wb") as err:
        begin = time.monotonic()
        p = subprocess.Popen([TOOL, "-q", "-m", "bad.gguf", "-o", "out.gguf", "--type", "f32"],
                             stderr=err)
        _, status, usage = os.wait4(p.pid, 0)
        seconds = time.monotonic() - begin
        p.returncode = status
    with open("message", encoding="utf-8", errors="replace") as f:
        return os.waitstatus_to_exitcode(status), f.read(), seconds, usage.ru_maxrss


def judge(fragment, status, message, seconds, peak):
    if status != 65:
        return "status %d" % status
    if fragment not in message or "bad.gguf" not in message:
        return "the message does not name %r" % fragment
    if any(not (c.isprintable() or c == "\n") for c in message):
        return "the message holds control characters"
    if os.path.exists("out.gguf"):
        return "an output was written"
    if not SANITIZED and (seconds > 2 or peak > 256 * 1024):
        return "%.1f s, %d KiB" % (seconds, peak)
    return None


def main():
    cases = make_gguf.cases()
    failed = 0
    status, message, _, _ = run(make_gguf.Model().bytes())
    if status != 0:
        print("not ok - the model that all cases change is good:", message)
        failed += 1
    else:
        print("ok - the model that all cases change is good")
    if os.path.exists("out.gguf"):
        os.remove("out.gguf")
    for name, data, fragment in cases:
        result = run(data)
        why = judge(fragment, *result)
        if why:
            failed += 1
            print("not ok - %s: %s: %s" % (name, why, result[1].strip()))
        else:
            print("ok - %s" % name)
    return failed > 0 or len(cases) < 80


if __name__ == "__main__":
    sys.exit(main())
