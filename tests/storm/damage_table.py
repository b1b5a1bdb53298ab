#!/usr/bin/env python3
"""damage_table.py - every kind of damage to the bfs history, and its mending.

    PARITYLOG=build/paritylog python3 tests/storm/damage_table.py [--write] [NAME...]

Per kind a copy of the history is damaged; parity and verify must say what the
kind expects; the mending commands run; then log and store must be what they
were, byte by byte and row by row, parity CLEAN under the pinned key and head,
and no byte of the damaged state may be gone from log, store and quarantine/.
All but the times must be what docs/DAMAGE.md says; --write writes it anew.

NAME          only kinds with one of these in their name (no comparison then)
PARITYLOG     the command (default build/paritylog)
STORM_DATA    tests/data; STORM_SEED the seed of the kills (default 1)
STORM_KILLS   pairs of kills a command (default 3)
STORM_BUDGET  seconds for all of it (default: no limit); every kind, one pair of
              kills a command and two sizes of a full disk are never left out
"""
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from damage import kinds, trouble, world  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
DOC = os.path.join(TOP, "docs", "DAMAGE.md")
BEGIN = "| damage | parity | exit | found in | verify | what mends it | check | mend |"

HEAD = """# Damage and what mends it

Made by `tests/storm/damage_table.py --write` and compared with what it finds in
every run of the storms, but for the times: change the program, not this file.

The history is that of `tests/data/bfs.jsonl.gz`: {entries} entries in groups of
up to 100, two of them changes of strategy, in {segments} segments of 256 KiB at most.
Each row is a copy of it, damaged; *parity* and *exit* are the verdict and exit
code of `paritylog parity DIR`, *found in* is leg, file and seq of the finding
(`*`: depends on SQLite's pages), and *verify* what `paritylog verify DIR` says of
the log alone. After the last command of a row parity is CLEAN with key and head
pinned, log and store are byte by byte and row by row what they were before the
damage (or, where it says so, before the unfinished group), and every byte of the
damaged state is in log, store or `quarantine/`, or where the operator moved it
(ASIDE). COPY is an undamaged copy that somebody kept; rows without it need none.

The last rows are commands that are killed at random moments, or find a small
file system full. They are run again and must then end as if nothing had been:
legs or the copy in OUT as they were; after `append` each delta once, in order,
behind what was there; after `salvage DIR`, which heals nothing, the damaged bytes
in `quarantine/`. What was in DIR before is still in it, also after the failure.

Times are seconds on one machine, to compare rows with each other; *mend* is the
time of the repeat, at worst, where there was one.

"""


# ---- One kind --------------------------------------------------------------


class Bench:
    """The world, and a place for the victim and for what an operator moves."""

    def __init__(self, w):
        self.w = w
        self.dir, self.aside = w.path("victim"), w.path("aside")

    def fill_in(self, text, v):
        for word, value in (("DIR", self.dir), ("COPY", self.w.path("whole")),
                            ("ASIDE", self.aside), ("VKEY", self.w.vkey),
                            ("WITNESS", self.w.path("whole.witness"))):
            text = text.replace(word, value)
        return text.format(**v.names)

    def mend(self, step, v):
        text = self.fill_in(step, v)
        if step.startswith("$"):
            status, err = subprocess.getstatusoutput(text[1:])
        else:
            r = self.w.run(*text.split())
            status, err = r.status, r.err[-300:]
        world.need(status == 0, f"`{step}` ended with {status}: {err}")

    def ask(self, what, args=()):
        """Verdict with exit code, the document, and the seconds."""
        said, status, seconds = self.w.check(self.dir, *args, what=what)
        verdict = said.get("verdict") or said["error"]["code"]
        return f"{verdict} {status}", said, seconds

    def run(self, kind):
        """Damage, check, mend, compare; seconds of check and of mending."""
        w = self.w
        shutil.rmtree(self.aside, ignore_errors=True)
        os.mkdir(self.aside)
        world.copy(w.path("whole"), self.dir)
        v = kinds.Victim(w, self.dir)
        kind.inject(v)
        before = world.Bytes([self.dir], w.scratch)
        checked = self.judge(kind, v)
        began = time.monotonic()
        for step in kind.mend:
            self.mend(step, v)
        mended = time.monotonic() - began
        w.is_whole(self.dir, older=kind.after == "older")
        lost = before.lost_to(world.Bytes([self.dir, self.aside], w.scratch))
        world.need(not lost, f"lost {len(lost)}: {lost[:3]}")
        if kind.writer is not None:
            w.well("append", self.dir, "--quiet", data=self.one_more())
        return checked, mended

    def judge(self, kind, v):
        """What the commands say of the damage is what the kind expects."""
        args = [self.fill_in(a, v) for a in kind.args]
        got, said, seconds = self.ask("parity", args)
        want = f"{kind.verdict} {kind.exit}"
        world.need(got == want, f"parity says {got}, not {want}")
        verdicts = [f["verdict"] for f in said.get("findings", ())]
        if kind.where:
            world.need(kind.verdict in verdicts, f"no finding is {kind.verdict}")
            self.found_where(said["findings"][verdicts.index(kind.verdict)], kind, v)
        else:
            world.need(not verdicts, f"findings of {verdicts}")
        alone = self.ask("verify")[0]
        world.need(alone == kind.alone, f"verify says {alone}, not {kind.alone}")
        if kind.blind:
            world.need(self.ask("verify", args)[0] == want, "verify is blind")
            blind = self.ask("parity")[0]
            world.need(blind == kind.blind, f"without a witness: {blind}")
        if kind.writer is not None:
            r = self.w.run("append", self.dir, "--quiet", data=self.one_more())
            world.need(r.status == kind.writer, f"append ended with {r.status}")
        return seconds

    def found_where(self, finding, kind, v):
        want = kind.where.format(**v.names).split()
        got = [finding["leg"], finding["file"] or "-",
               "-" if finding["seq"] is None else str(finding["seq"])]
        if want[2] == "*":
            got[2] = "*"
        world.need(got == want, f"found in {got}, not {want}")

    def one_more(self):
        return self.w.deltas[0].replace(b'"id": "', b'"id": "again:', 1)


def row_of(kind, names):
    """All cells of a kind but the times."""
    parity = kind.verdict
    if kind.args:
        parity += f" (`{' '.join(kind.args)}`)"
    if kind.writer is not None:
        parity += f" (`append`: {kind.writer})"
    steps = ", ".join("`" + s.lstrip("$ ") + "`" for s in kind.mend) or "nothing to mend"
    if kind.after == "older":
        steps += " (up to the last whole group)"
    note = f"; {kind.note}" if kind.note else ""
    cells = [kind.name, parity, str(kind.exit), kind.where or "-", kind.alone, steps + note]
    # Names of segments are long and differ in a few digits only.
    short = {k: n.replace("0000000000000000", "…") for k, n in names.items()}
    return [c.format(**short) for c in cells]


# ---- All of it -------------------------------------------------------------


class Tally:
    def __init__(self, only):
        self.rows, self.only = [], only
        self.passed = self.failed = self.skipped = 0

    def case(self, name, cells, run):
        """run() returns the two times; a check that fails fails the case."""
        if self.only and not any(o in name for o in self.only):
            return
        try:
            times = run()
        except (world.Wrong, OSError, ValueError, KeyError,
                subprocess.TimeoutExpired) as e:
            print(f"# {name}: {type(e).__name__}: {e}\nFAIL {name}")
            self.failed += 1
            return
        print(f"ok {name}")
        self.passed += 1
        self.rows.append(cells + ["-" if t is None else f"{t:.2f}" for t in times])

    def skip(self, name, why):
        print(f"skip {name}: {why}")
        self.skipped += 1

    def verdict(self, name, why):
        """One more case, about the document."""
        print(f"# {why}\nFAIL {name}" if why else f"ok {name}")
        self.failed += 1 if why else 0
        self.passed += 0 if why else 1


def kill_cases(w, tally, began):
    moments = int(os.environ.get("STORM_KILLS", "3"))
    left = float(os.environ.get("STORM_BUDGET", "inf")) - (time.monotonic() - began)
    budget = max(left, 0) / len(trouble.SCENES)
    seed = os.environ.get("STORM_SEED", "1")
    for what in trouble.SCENES:
        command = f"`{what.name}`"
        name = f"SIGKILL during {command}, and during its repeat"

        def run(what=what):
            died, seconds = trouble.killed(w, what, moments, seed, budget)
            print(f"# {what.name}: {died} runs killed")
            return None, seconds
        tally.case(name, [name, "-", "killed", "-", "-", command + " again"], run)


def full_cases(w, tally):
    disk = w.path("disk")
    left = (0, 262144) if "STORM_BUDGET" in os.environ else (0, 4096, 65536, 262144, 1 << 20)
    why = trouble.small_disk(disk)
    for what in trouble.SCENES:
        command = f"`{what.name}`"
        name = f"disk full during {command}"
        if why:
            tally.skip(name, why)
            continue
        tally.case(name, [name, "IO", "1", "-", "-", f"make space, {command} again"],
                   lambda what=what: (None, trouble.full(w, disk, what, left)))


def document(w, rows):
    lines = ["| " + " | ".join(cells) + " |" for cells in rows]
    return (HEAD.format(entries=len(w.rows["events"]), segments=len(w.names)) +
            BEGIN + "\n" + "| --- " * 8 + "|\n" + "\n".join(lines) + "\n")


def timeless(text):
    """The document without its times, as lines by damage."""
    rows = {}
    for line in text.split("\n"):
        cells = line.split(" | ")
        rows[cells[0]] = cells[:6] if line.startswith("| ") else line
    return rows


def differs(w, tally):
    """Why the document is not what was found, or None."""
    if not os.path.exists(DOC):
        return "docs/DAMAGE.md is not there"
    have = timeless(world.read(DOC).decode())
    now = timeless(document(w, tally.rows))
    for key, cells in now.items():
        if have.get(key) != cells:
            return f"docs/DAMAGE.md has {have.get(key)}, found was {cells}"
    more = [k for k in have if k not in now and not (tally.skipped and "disk full" in k)]
    return f"docs/DAMAGE.md has rows of nothing: {more}" if more else None


def main():
    write = "--write" in sys.argv[1:]
    began = time.monotonic()
    tally = Tally([a for a in sys.argv[1:] if a != "--write"])
    command = os.path.abspath(os.environ.get("PARITYLOG", os.path.join(TOP, "build/paritylog")))
    data = os.environ.get("STORM_DATA", os.path.join(TOP, "tests/data"))
    os.environ["LC_ALL"] = "C"
    with tempfile.TemporaryDirectory(prefix="paritylog-damage.") as top:
        w = world.World(command, data, top)
        bench = Bench(w)
        names = kinds.Victim(w, top).names
        for kind in kinds.KINDS:
            tally.case(kind.name, row_of(kind, names), lambda kind=kind: bench.run(kind))
        full_cases(w, tally)
        kill_cases(w, tally, began)
        if write and not tally.failed and not tally.skipped and not tally.only:
            world.write(DOC, document(w, tally.rows).encode())
        if not tally.only and not tally.failed:
            tally.verdict("docs/DAMAGE.md is what was found", differs(w, tally))
        subprocess.run(["umount", w.path("disk")], capture_output=True, check=False)
    print(f"{tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
