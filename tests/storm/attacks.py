#!/usr/bin/env python3
"""attacks.py - every attack that is thought of, and what finds it.

    PARITYLOG=build/paritylog python3 tests/storm/attacks.py [--write] [NAME...]

Per seed some logs are made; per attack a copy of one of them is attacked. Each
command must end in time, within a limit of memory, and not of a signal; what
reads must not write; nothing outside of the directory may change; exactly the
columns that the attack names must find it; and tests/verify.py, in this process,
must say the same of the log as the command. What was found must be what
docs/ATTACKS.md says; --write writes it anew.

NAME          only attacks with one of these in their name, or in the title of
              their table (no comparison then)
PARITYLOG     the command (default build/paritylog)
STORM_SEEDS   how many seeds (default 1; make check-attacks: 100)
STORM_ALL     also what takes gigabytes; what is slow, every tenth seed tries
STORM_SANITIZED  the command is one under AddressSanitizer: no limit of memory
STORM_SEED    the first of them (default 1)
STORM_BUDGET  seconds: no seed is begun after them (the first one always is)
"""
import os
import shutil
import sqlite3
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from attack import cases, table, world  # noqa: E402
from attack import (  # noqa: E402,F401
    signed, spliced, history, sizes, rotated, compacted, places, stores, inputs, proofs)

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))


class Tally:
    """What each attack came to, over the seeds."""

    def __init__(self, only):
        self.only, self.cells, self.runs = only, {}, {}
        self.passed = self.failed = self.skipped = 0
        self.broken = {}

    def chosen(self, case):
        return not self.only or any(o in case.name or o in case.part for o in self.only)

    def one(self, case, w):
        """One attack with one seed."""
        try:
            found = case.run(w)
        except (world.Wrong, OSError, ValueError, KeyError, AssertionError,
                IndexError, sqlite3.Error) as e:
            if case.name not in self.broken:
                print(f"# seed {w.seed}: {case.name}: {type(e).__name__}: {str(e)[:700]}")
            self.broken.setdefault(case.name, []).append(w.seed)
            return
        self.runs[case.name] = self.runs.get(case.name, 0) + 1
        cells = self.cells.setdefault(case.name, {})
        for column, values in found.items():
            cells.setdefault(column, set()).update(values)

    def close(self, case):
        if not self.chosen(case):
            return
        if case.name in self.broken:
            print(f"# seeds {self.broken[case.name][:20]}\nFAIL {case.name}")
            self.failed += 1
        elif case.name in self.runs:
            print(f"ok {case.name}: {self.runs[case.name]} seeds")
            self.passed += 1
        else:
            print(f"skip {case.name}: it takes gigabytes; STORM_ALL=1 runs it")
            self.skipped += 1

    def verdict(self, name, why):
        """One more case, about the document."""
        print(f"# {why}\nFAIL {name}" if why else f"ok {name}")
        self.failed += 1 if why else 0
        self.passed += 0 if why else 1


def one_seed(command, seed, number, tally, top):
    """number: of this seed in this run, from 0."""
    base = os.path.join(top, str(seed))
    os.mkdir(base)
    w = world.World(command, seed, base)
    for case in cases.CASES + cases.PROBES:
        if tally.chosen(case) and case.due(number):
            tally.one(case, w)
    shutil.rmtree(base)
    return w.ran


def main():
    write = "--write" in sys.argv[1:]
    tally = Tally([a for a in sys.argv[1:] if a != "--write"])
    command = os.path.abspath(os.environ.get(
        "PARITYLOG", os.path.join(TOP, "build/paritylog")))
    first = int(os.environ.get("STORM_SEED") or os.environ.get("CHECK_SEED") or 1)
    count = int(os.environ.get("STORM_SEEDS", "1"))
    budget = float(os.environ.get("STORM_BUDGET", "inf"))
    os.environ["LC_ALL"] = "C"
    world.set_limits()
    began, ran, seed = time.monotonic(), 0, first
    with tempfile.TemporaryDirectory(prefix="paritylog-attacks.") as top:
        while seed < first + count and (
                seed == first or time.monotonic() - began < budget):
            ran += one_seed(command, seed, seed - first, tally, top)
            seed += 1
    for case in cases.CASES + cases.PROBES:
        tally.close(case)
    if write and not tally.failed and not tally.only:
        table.write(TOP, tally, f"{first} to {seed - 1}")
    if not tally.only and not tally.failed:
        tally.verdict("docs/ATTACKS.md is what was found", table.differs(TOP, tally))
    print(f"# seeds {first} to {seed - 1}, {ran} commands,"
          f" {time.monotonic() - began:.1f} s")
    print(f"{tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
