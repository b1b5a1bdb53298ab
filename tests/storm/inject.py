#!/usr/bin/env python3
"""inject.py - the command as it is shipped, killed or failed at its n-th call.

    PARITYLOG=build/paritylog python3 tests/storm/inject.py [NAME...]

strace kills the process as it enters a system call, or makes the call fail with
EIO or ENOSPC, once or from then on, without doing it.  For every command that
writes, every such call that it makes, each in a copy of one log.  Then

  - the command has said so: exit 0 or 1, or it was killed (where something could
    not be read also 12, of the key, and 3: SQLite takes EIO for a damaged file);
  - parity says CLEAN, or what a crash may leave: BEHIND, TORN;
  - the command is run again and comes to its end, and parity is CLEAN;
  - every line that was in the log is there, byte for byte (compacted and
    redacted ones apart), and every receipt that was printed is given again;
  - a copy that has its name is whole.

NAME          only commands with one of these in their name
PARITYLOG     the command (default build/paritylog)
STORM_SEED    which calls come first (default 1)
STORM_BUDGET  seconds for all of it (default 3); STORM_ALL: every call
JOBS          how many at once (default 1)
"""
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time

TOOL = os.path.abspath(os.environ.get("PARITYLOG", "build/paritylog"))
SEED = int(os.environ.get("STORM_SEED", os.environ.get("CHECK_SEED", "1")))
KILLED = -9
REDACTED = 7

CALLS = ("write", "pwrite64", "fdatasync", "fsync", "ftruncate", "rename",
         "renameat", "renameat2", "unlink", "unlinkat", "openat", "mkdir", "mkdirat",
         "pread64", "rmdir")
FAILS = ("write", "pwrite64", "fdatasync", "fsync", "ftruncate", "rename",
         "renameat", "renameat2", "unlink", "unlinkat", "openat", "mkdirat",
         "pread64")
MODES = ("kill", "EIO", "ENOSPC+")
READS = ("pread64", "openat")  # these do not say that there is no room


class Broken(Exception):
    """What must hold does not."""


def need(holds, why):
    if not holds:
        raise Broken(why)


# ---- The command -------------------------------------------------------------


def run(*args, data=None, prefix=()):
    done = subprocess.run([*prefix, TOOL, *args], input=data, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return done.returncode, done.stdout, done.stderr.decode(errors="replace")


def must(*args, data=None):
    status, out, err = run(*args, data=data)
    need(status == 0, f"{' '.join(args)}: exit {status}: {err}")
    return out


def deltas(first, count):
    return "".join(
        json.dumps({"id": f"d{i}", "resource": "r", "record_id": str(i % 9),
                    "op": "upsert", "payload": {"i": i, "pad": "x" * (i * 37 % 200)},
                    "occurred_at": "2026-01-02T03:04:05Z",
                    "provenance": {"source": "s", "confidence": 1.0}}) + "\n"
        for i in range(first, first + count)).encode()


def lines_of(log):
    """By seq, above the floor."""
    said, out, err = run("status", log, "--json")
    need(said in (0, 3), f"status: exit {said}: {err}")
    status = json.loads(out)
    first = status["log"]["floor"] + 1
    text = must("log", log, "--from", str(first))
    return {first + i: line for i, line in enumerate(text.splitlines())}


# ---- The logs that commands are tried on --------------------------------------


def make_bases(top):
    """Paths by name."""
    b = {name: os.path.join(top, name)
         for name in ("whole", "behind", "no-store", "archived", "damaged", "none")}
    os.mkdir(b["none"])
    log = os.path.join(b["whole"], "log")
    os.mkdir(b["whole"])
    must("init", log, "--origin", "storm", "--segment-size", "4096")
    must("append", log, "--group", "3", "--quiet", data=deltas(0, 24))
    shutil.copytree(b["whole"], b["behind"])
    must("append", log, "--group", "3", "--quiet", data=deltas(24, 24))
    for name in os.listdir(log):  # the later log, the earlier store
        if not name.startswith("store.db"):
            to = os.path.join(b["behind"], "log", name)
            shutil.rmtree(to, ignore_errors=True)
            copy = shutil.copytree if os.path.isdir(os.path.join(log, name)) else shutil.copy
            copy(os.path.join(log, name), to)
    must("peer", "add", log, "p")
    must("peer", "ack", log, "p", "40")
    shutil.copytree(b["whole"], b["no-store"])
    for name in os.listdir(os.path.join(b["no-store"], "log")):
        if name.startswith("store.db"):
            os.unlink(os.path.join(b["no-store"], "log", name))
    shutil.copytree(b["whole"], b["archived"])
    must("compact", os.path.join(b["archived"], "log"))
    shutil.copytree(b["whole"], b["damaged"])
    segments = os.path.join(b["damaged"], "log", "log")
    path = os.path.join(segments, sorted(os.listdir(segments))[1])
    with open(path, "r+b") as f:
        f.seek(900)
        f.write(b"\0" * 40)
    return b


class Command:
    """args: LOG and OUT stand for paths.  again: what a repeat may say besides 0
    when the first try had come to its end."""

    def __init__(self, base, args, data=None, again=(), before=(0, 3, 4), check=None):
        self.base, self.args, self.data = base, args.split(), data
        self.again, self.before, self.check = again, before, check
        self.name = args.replace(" LOG", "").replace(" --out OUT", "")
        self.calls = {}


COMMANDS = (
    Command("none", "init LOG --origin storm", again=(6,), before=(0, 3, 4, 10, 12)),
    Command("whole", "append LOG --receipts --group 2 --quiet", deltas(48, 6)),
    Command("behind", "append LOG --receipts --group 2 --quiet", deltas(48, 4)),
    Command("behind", "replay LOG"),
    Command("whole", "replay LOG --fresh"),
    Command("no-store", "replay LOG"),
    Command("whole", "rotate LOG"),
    Command("whole", "key rotate LOG"),
    Command("whole", f"redact LOG {REDACTED} --reason storm"),
    Command("whole", "strategy LOG arrival"),
    Command("whole", "cursor set LOG s r next"),
    Command("whole", "peer evict LOG p --reason storm", again=(8,)),
    Command("whole", "compact LOG"),
    Command("whole", "compact LOG --trim-store"),
    Command("archived", "compact LOG --undo", again=(6,)),
    Command("whole", "restore LOG --out OUT", check="parity"),
    Command("whole", "rebuild LOG --log --out OUT", check="verify"),
    Command("whole", "rebuild LOG --store --out OUT"),
    Command("whole", "rebuild LOG --store --install"),
    Command("damaged", "salvage LOG --from-store", before=(0, 3, 4, 5)),
)

# ---- One try -------------------------------------------------------------------


class Place:
    """A scratch directory of one worker."""

    def __init__(self, top, bases):
        self.bases = bases
        self.dir = tempfile.mkdtemp(dir=top)
        self.log = os.path.join(self.dir, "try", "log")
        self.out = os.path.join(self.dir, "out")
        self.trace = os.path.join(self.dir, "trace")

    def reset(self, command):
        shutil.rmtree(os.path.join(self.dir, "try"), ignore_errors=True)
        self.no_out()
        shutil.copytree(self.bases[command.base], os.path.join(self.dir, "try"))

    def no_out(self):
        for name in os.listdir(self.dir):
            if name.startswith("out"):
                shutil.rmtree(os.path.join(self.dir, name))

    def args(self, command):
        return [{"LOG": self.log, "OUT": self.out}.get(a, a) for a in command.args]

    def strace(self, command, *options):
        status, out, err = run(
            *self.args(command), data=command.data,
            prefix=("strace", "-f", "-qq", "-o", self.trace, *options))
        with open(self.trace, encoding="utf-8", errors="replace") as f:
            return status, out, err, f.read()


def injected(call, mode, n):
    if mode == "kill":
        return f"inject={call}:signal=SIGKILL:when={n}"
    return f"inject={call}:error={mode.rstrip('+')}:when={n}{'+' if '+' in mode else ''}"


def check_out(command, place):
    if command.check and os.path.exists(place.out):
        status, _, err = run(command.check, place.out)
        need(status == 0, f"the copy has its name and is not whole: {err}")


def check_lines(before, place):
    now = lines_of(place.log)
    for seq, line in before.items():
        if seq in now and now[seq] != line:
            need(seq == REDACTED and b'"redacted":' in now[seq],
                 f"line {seq} is another one")
    need(not before or max(now, default=0) >= max(before), "the log has become shorter")


def attempt(command, place, call, mode, n):
    """Whether anything was injected.  Raises Broken."""
    place.reset(command)
    status, out, err, trace = place.strace(
        command, "-e", f"trace={call}", "-e", injected(call, mode, n))
    if "INJECTED" not in trace and "killed by SIGKILL" not in trace:
        return False
    if status == 127 and "shared libraries" in err:
        return False  # it was the loader's: the program had not begun
    need(status in ((KILLED, 137) if mode == "kill" else
                    (0, 1, 3, 12) if call in READS else (0, 1)),
         f"exit {status}: {err}")
    seen, _, err = run("parity", place.log)
    need(seen in command.before, f"then parity: exit {seen}: {err}")
    check_out(command, place)
    had_out = os.path.exists(place.out)
    place.no_out()
    again, repeated, err = run(*place.args(command), data=command.data)
    need(again == 0 or again in command.again, f"once more: exit {again}: {err}")
    check_out(command, place)
    status, _, err = run("parity", place.log)
    need(status == 0, f"in the end parity: exit {status}: {err} (out: {had_out})")
    check_lines(command.lines, place)
    if "--receipts" in command.args:
        check_receipts(out, repeated, command)
    return True


def check_receipts(first, second, command):
    told = [json.loads(r) for r in first.split(b"\n")[:-1]]
    later = [json.loads(r) for r in second.splitlines()]
    need(len(later) == command.data.count(b"\n"), "a receipt is missing")
    for a, b in zip(told, later):
        need((a["seq"], a["leaf"]) == (b["seq"], b["leaf"]) and b["duplicate"],
             f"a receipt was given for entry {a['seq']}, and then {b}")


def makes_sense(call, mode):
    if mode == "kill":
        return call != "pread64"
    return call in FAILS and (mode == "EIO" or call not in READS)


# ---- All of them -----------------------------------------------------------------


def count_calls(place, command, spare):
    """How often each call is made, by the thread that makes it most often."""
    place.reset(command)
    if command.base not in ("none", "damaged", "no-store"):
        command.lines = lines_of(place.log)
    else:
        command.lines = {}
    status, _, err, trace = place.strace(command, "-e", "trace=" + ",".join(CALLS))
    need(status == 0, f"{command.name}: exit {status}: {err}")
    counts = {}
    for line in trace.splitlines():
        pid, _, rest = line.partition(" ")
        key = (rest.lstrip().partition("(")[0], pid)
        counts[key] = counts.get(key, 0) + 1
    for (call, _), n in counts.items():
        if call in CALLS:
            command.calls[call] = max(command.calls.get(call, 0), n)
    return [(command, call, mode, n)
            for call, most in command.calls.items()
            for mode in MODES if mode == "kill" or call in FAILS
            for n in range(1 + (spare if call == "openat" else 0), most + 1)]


def loader_opens(place):
    """What the program opens before it is one."""
    run("--version", prefix=("strace", "-f", "-qq", "-o", place.trace, "-e", "trace=openat"))
    with open(place.trace, encoding="utf-8") as f:
        return len(f.read().splitlines())


class Storm:
    def __init__(self, todo, until):
        self.todo, self.until = todo, until
        self.lock = threading.Lock()
        self.kills = self.errors = self.missed = 0
        self.failed = {}

    def next(self):
        with self.lock:
            if not self.todo or time.monotonic() > self.until:
                return None
            return self.todo.pop()

    def work(self, place):
        while (job := self.next()) is not None:
            command, call, mode, n = job
            try:
                hit = attempt(command, place, call, mode, n)
            except (Broken, ValueError, KeyError) as e:
                with self.lock:
                    self.failed.setdefault(command.name, []).append(
                        f"{call} {mode} {n}: {str(e).strip()}")
                continue
            with self.lock:
                self.kills += hit and mode == "kill"
                self.errors += hit and mode != "kill"
                self.missed += not hit


def storm(top):
    began = time.monotonic()
    bases = make_bases(top)
    places = [Place(top, bases) for _ in range(int(os.environ.get("JOBS", "1")))]
    spare = loader_opens(places[0])
    wanted = [c for c in COMMANDS
              if len(sys.argv) < 2 or any(w in c.name for w in sys.argv[1:])]
    todo = [t for c in wanted for t in count_calls(places[0], c, spare)]
    random.Random(SEED).shuffle(todo)
    total = len(todo)
    seconds = float(os.environ.get("STORM_BUDGET", "3"))
    s = Storm(todo, float("inf") if os.environ.get("STORM_ALL")
              else max(began + seconds, time.monotonic() + seconds / 2))
    threads = [threading.Thread(target=s.work, args=(p,)) for p in places]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for c in wanted:
        wrong = s.failed.get(c.name, [])
        for line in wrong[:8]:
            print(f"# {line}")
        print(("FAIL " if wrong else "ok ") + c.name + (f": {len(wrong)}" if wrong else ""))
    print(f"# {s.kills} kills and {s.errors} errors of {total} in all, {s.missed} calls"
          f" not made that time, seed {SEED}, {time.monotonic() - began:.1f} s")
    print(f"{len(wanted) - len(s.failed)} passed, {len(s.failed)} failed, 0 skipped")
    return 1 if s.failed else 0


def can_trace():
    try:
        done = subprocess.run(["strace", "-o", os.devnull, "-e", "trace=openat", "-e",
                               "inject=openat:error=EIO:when=999", "true"],
                              stderr=subprocess.PIPE, check=False)
    except FileNotFoundError:
        return "strace is not installed"
    return "" if done.returncode == 0 else "strace may not trace a process here"


def main():
    why = can_trace()
    if why:
        print(f"skip inject: {why}")
        print("0 passed, 0 failed, 1 skipped")
        return 0
    top = tempfile.mkdtemp(prefix="plog-inject-")
    try:
        return storm(top)
    finally:
        shutil.rmtree(top, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
