#!/usr/bin/env python3
"""run.py - runs a seeded sample of mutants; `make mutants` builds and calls it.

    run.py --suite DIRECTORY [--count 1000] [--seed 1] [--jobs 1] [--only TEXT]
           [--again] [--sweeps] [--scripts] [--least 95]

Each mutant is the suite with one conditional jump of core or recovery
inverted (flip), made unconditional (always) or removed (never).  First every
test runs alone and unmutated, and tells which jumps it came by and which way
it left them.  A mutant then meets the tests it can matter to: those that took
the jump for never, those that did not for always, both for flip; first those of
the program that has the file's name (of a header: that of the file that
includes it), then those that are quick and look at its function from many
sides, until one fails, crashes, leaks or takes much longer than it should.

--sweeps    the error sweeps (tests/storm/sweep*.c) are tests, too
--echo      what survives those is compared with the program itself in all that
            it says (echo.c): of logs with one thing wrong, or under faults, too
--scripts   and so are the scripts of tests/cli
--most      how many tests a mutant meets at most (default 30)
--programs  only these of tests/unit
--only      only mutants of files or functions with TEXT in `file:function`
--again     only those that survived when this was last called
--least     fails when fewer per cent were killed (default 95)

--update    writes what survived into survivors.txt

survivors.txt names mutants below headings: those below one that begins with
`equivalent: ` do the same as the program and do not count; one of them that is
killed is wrongly there.  What survived is in DIRECTORY/survived.txt, too.
"""
import argparse
import collections
import concurrent.futures
import functools
import glob
import hashlib
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))
from places import TOP, listed, place  # noqa: E402

KINDS = ("flip", "always", "never")
# What is slow by its nature and has no case of its own.
LEFT_OUT = {"paritylog", "echo", "memory", "year", "test_memory", "kill", "kill_compact",
            "sweep", "sweep_reading", "sweep_recovery", "sweep_upkeep", "test_resumed",
            "test_threads"}
SCRIPTS_LEFT_OUT = {"lib.sh", "docs.sh", "bench.sh", "second_verifier.sh", "c2sp.sh"}
FAULTS = ("EIO", "allocation", "short", "SQLite")
SLOWEST = 6.0  # seconds that a test may take to be used
TMP = os.environ.get("TMPDIR") or ("/dev/shm" if os.path.isdir("/dev/shm") else None)

Site = collections.namedtuple("Site", "number file line column function nth jump source")
Mutant = collections.namedtuple("Mutant", "site kind")


# ---- Running one test ----------------------------------------------------------

def limits():
    """A mutant may not fill the disk; the memory: LSAN_OPTIONS."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 30, 2 << 30))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class Runner:
    def __init__(self, directory):
        self.suite = os.path.join(os.path.abspath(directory), "suite")
        self.scratch = tempfile.mkdtemp(prefix="mutate.", dir=TMP)
        self.command = os.path.join(self.scratch, "paritylog")
        os.symlink(self.suite, self.command)

    def close(self):
        shutil.rmtree(self.scratch, ignore_errors=True)

    def words(self, test):
        program, case = test
        if program.startswith("sweep"):
            return [self.suite, program]
        if program == "echo":
            return [self.suite, program, *case.split("/")]
        if program.endswith(".sh"):
            return ["sh", os.path.join(TOP, "tests/cli", program)]
        return [self.suite, program] + ([case] if case else [])

    def __call__(self, test, timeout, **more):
        """Whether the test passed in time, and what it printed."""
        tmp = tempfile.mkdtemp(dir=self.scratch)
        env = dict(os.environ, TMPDIR=tmp, PARITYLOG=self.command,
                   STORM_BUDGET="1", CHECK_STOP="1", SWEEP_MOST="60",
                   LSAN_OPTIONS="hard_rss_limit_mb=3000",
                   STORM_DATA=os.path.join(TOP, "tests/data"),
                   **more)
        if test[0].startswith("sweep"):
            op, kind = test[1].split("/")
            env.update(SWEEP_OP=op, SWEEP_KIND=kind, STORM_ALL="1")
        child = subprocess.Popen(
            self.words(test), env=env, cwd=tmp, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            start_new_session=True, preexec_fn=limits)
        try:
            out, _ = child.communicate(timeout=timeout)
            passed = child.returncode == 0
            if child.returncode == 125:
                sys.exit(f"mutate: {test} cannot be run with {more}")
        except subprocess.TimeoutExpired:
            out, passed = b"", False
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        child.wait()
        child.stdout.close()
        subprocess.run(["chmod", "-R", "u+rwx", tmp], stderr=subprocess.DEVNULL,
                       check=False)
        shutil.rmtree(tmp, ignore_errors=True)
        return passed, out


# ---- What each test comes by ------------------------------------------------------

def programs_of(directory):
    with open(directory + "/suite.h") as f:
        return sorted(re.findall(r'\{"(\w+)"', f.read()))


def cases_of(run, program):
    """Its cases when it has any that can run alone, else the program."""
    passed, out = run((program, None), 600)
    names = re.findall(r"^ok (.*)$", out.decode(errors="replace"), re.M)
    if program.startswith("test_") and names:
        return [(program, name) for name in names]
    return [(program, None)] if passed else []


def sweeps():
    """Each operation of the error sweeps with each kind of fault."""
    found = []
    for program, ops in (("sweep", "writing"), ("sweep_reading", "reading"),
                         ("sweep_recovery", "recovery"), ("sweep_upkeep", "upkeep")):
        path = f"{TOP}/tests/lib/ops_{ops}.c"
        if os.path.exists(path):
            with open(path) as f:
                ops = re.findall(r'\.name = "([^"]+)"', f.read())
            found += [(program, f"{op}/{kind}") for op in ops for kind in FAULTS]
    return found


def echoes(run, which):
    """What echo.c is asked: [] for none, `worlds`, or `faults` as well."""
    if not which:
        return []
    _, out = run(("echo", ""), 60)
    lines = [line.split(" ", 1) for line in out.decode().splitlines() if " " in line]
    worlds = [name for kind, name in lines if kind == "world"]
    calls = [name for kind, name in lines if kind == "call"]
    asked = [("echo", f"{world}/all") for world in worlds]
    if which == "faults":
        asked += [("echo", f"{world}/{call}/{fault}") for world in ("plain", "compacted")
                  for call in calls for fault in ("io", "memory")]
    return asked


class Echo:
    """What the program itself says, without what differs from run to run."""

    def __init__(self, run):
        self.run, self.known, self.lock = run, {}, threading.Lock()

    @staticmethod
    def tokens(out):
        return [line.split(" ") for line in out.decode(errors="replace").splitlines()]

    def said(self, test):
        with self.lock:
            if test not in self.known:
                runs = [self.tokens(self.run(test, 600)[1]) for _ in range(3)]
                first, lengths = runs[0], {tuple(map(len, r)) for r in runs}
                self.known[test] = None if len(lengths) > 1 else [
                    [words[0] if len(set(words)) == 1 else None for words in zip(*lines)]
                    for lines in zip(*runs)] if first else None
        return self.known[test]

    @staticmethod
    def places(said, now):
        """Where the two differ."""
        if len(said) != len(now):
            return {"length"}
        return {(i, j) for i, (a, b) in enumerate(zip(said, now))
                for j in range(max(len(a), len(b)))
                if len(a) != len(b) or a[j] is not None and a[j] != b[j]}

    def differs(self, test, out, again):
        """Whether a mutant said something else, twice, where the program says
        the same once more."""
        said = self.said(test)
        if said is None:
            return False
        found = self.places(said, self.tokens(out))
        if found:
            found &= self.places(said, self.tokens(again()))
        return bool(found) and not (
            found & self.places(said, self.tokens(self.run(test, 600)[1])))


def profile_one(run, test):
    hits = os.path.join(run.scratch, "hits." + re.sub(r"\W+", "_", repr(test)))
    began = time.monotonic()
    passed, _ = run(test, 300, MUTATE_HITS=hits)
    seconds = time.monotonic() - began
    data = b""
    if os.path.exists(hits):
        with open(hits, "rb") as f:
            data = f.read()
        os.unlink(hits)
    return passed, seconds, [i for i, byte in enumerate(data) if byte]


def digest(*paths):
    h = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as f:
            h.update(f.read())
    return h.hexdigest()


def code_of(directory):
    """Of what is mutated."""
    return digest(*sorted(glob.glob(directory + "/*/*.marked.s")))


@functools.lru_cache(maxsize=None)
def version_of_program(directory, program):
    if program.endswith(".sh"):
        path = os.path.join(TOP, "tests/cli", program)
    else:
        path = f"{directory}/main_{program}.o"
    return digest(path) if os.path.exists(path) else None


def version_of(directory, test):
    """Of the test: what it came by is known until it changes."""
    return version_of_program(directory, test[0])


def profile(run, directory, only, with_scripts, with_sweeps, with_echo, jobs):
    """{test: (seconds, [ways])}; way 2n: jump n not taken, 2n + 1: taken."""
    path, known = directory + "/profile.json", {}
    if os.path.exists(path):
        with open(path) as f:
            old = json.load(f)
        if old["code"] == code_of(directory):
            known = {tuple(t): (s, w) for t, version, s, w in old["tests"]
                     if version == version_of(directory, t)}
    programs = set(only or set(programs_of(directory)) - LEFT_OUT)
    wanted = {p for p in programs if p.startswith("test_")} - {p for p, _ in known}
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        tests = [t for ts in pool.map(lambda p: cases_of(run, p), wanted) for t in ts]
        if with_scripts:
            scripts = [(os.path.basename(s), None)
                       for s in sorted(glob.glob(TOP + "/tests/cli/*.sh"))
                       if os.path.basename(s) not in SCRIPTS_LEFT_OUT]
            tests += [s for s in scripts if s not in known]
        if with_sweeps:
            tests += [s for s in sweeps() if s not in known]
        tests += [e for e in echoes(run, with_echo) if e not in known]
        for test, (passed, seconds, ways) in zip(
                tests, pool.map(lambda t: profile_one(run, t), tests)):
            if not passed:
                print(f"skip {' '.join(filter(None, test))}: it fails unmutated")
            else:
                known[test] = (seconds, ways)
    with open(path, "w") as f:
        json.dump({"code": code_of(directory),
                   "tests": [(t, version_of(directory, t), s, w)
                             for t, (s, w) in known.items()]}, f)
    return known


# ---- Mutants ---------------------------------------------------------------------

def sites_of(directory):
    with open(directory + "/sites.tsv") as f:
        rows = [line.rstrip("\n").split("\t") for line in f]
    return [Site(int(r[0]), r[1], int(r[2]), int(r[3]), r[4], int(r[5]), r[6], r[7])
            for r in rows]


def name_of(mutant):
    """How survivors.txt names it: moves with its line."""
    s = mutant.site
    within = "" if s.file == s.source else f" in {s.source}"
    return f"{place(s.file, s.function, s.line)} #{s.nth} {mutant.kind}{within}"


class Choice:
    """Which tests a mutant meets, in which order."""

    def __init__(self, tests, sites, slowest_script):
        self.tests, self.by_way = tests, collections.defaultdict(list)
        self.seen = {}  # test: how many ways of each function and file
        for test, (seconds, ways) in tests.items():
            if seconds > SLOWEST and not (slowest_script and test[0].endswith(".sh")):
                continue
            self.seen[test] = collections.Counter()
            for way in ways:
                self.by_way[way].append(test)
                site = sites[way // 2]
                self.seen[test][site.file, site.function] += 1
                self.seen[test][site.file] += 0.1

    def __call__(self, mutant, most, echo):
        """Those of its own program, half of them at most, and those that look
        at its function from many sides, and are quick."""
        site = mutant.site
        n = site.number
        ways = {"never": [2 * n + 1], "always": [2 * n], "flip": [2 * n, 2 * n + 1]}
        found = {t for way in ways[mutant.kind] for t in self.by_way[way]}

        def worth(test):
            seen = self.seen[test]
            return ((seen[site.file, site.function] + seen[site.file])
                    / (0.05 + self.tests[test][0]) ** 0.5)
        all_of_them = sorted((t for t in found if (t[0] == "echo") == echo),
                             key=worth, reverse=True)
        name = "test_" + os.path.splitext(os.path.basename(site.source))[0]
        own = [t for t in all_of_them if t[0] == name][:most // 2]
        return (own + [t for t in all_of_them if t not in own])[:most]


def meet(run, echo, mutant, tests, candidates):
    """The test that kills it, or None."""
    for test in candidates:
        seconds = tests[test][0]
        def mutated():
            return run(test, 10 * seconds + 2,
                       MUTATE=f"{mutant.site.number}:{mutant.kind}")
        passed, out = mutated()
        if not passed:
            return test
        if test[0] == "echo" and echo.differs(test, out, lambda: mutated()[1]):
            return test
    return None


def update(known, survived):
    """Equivalent mutants stay; the others are those of this run."""
    by_reason = collections.defaultdict(list)
    for name, heading in known.items():
        if heading.startswith("equivalent: "):
            by_reason[heading].append(name)
    fresh = {n for n in survived if not known.get(n, "").startswith("equivalent: ")}
    by_reason["not killed yet"] = sorted(fresh)
    path = HERE + "/survivors.txt"
    with open(path) as f:
        head = "".join(line for line in f if line.startswith("#"))
    with open(path, "w") as f:
        f.write(head)
        for heading, names in by_reason.items():
            f.write(f"\n= {heading}\n" + "".join(n + "\n" for n in names))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--suite", required=True)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--scripts", action="store_true")
    parser.add_argument("--programs", nargs="*")
    parser.add_argument("--echo", choices=("worlds", "faults"))
    parser.add_argument("--sweeps", action="store_true")
    parser.add_argument("--most", type=int, default=30)
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--least", type=float, default=95)
    a = parser.parse_args()
    began = time.monotonic()
    run = Runner(a.suite)
    try:
        ok = judge(a, run, began)
    finally:
        run.close()
    sys.exit(0 if ok else 1)


def chosen(a):
    """The sample, in the order in which it was drawn."""
    everything = [Mutant(s, k) for s in sites_of(a.suite) for k in KINDS
                  if a.only in f"{s.file}:{s.function}"]
    sample = random.Random(a.seed).sample(everything, min(a.count, len(everything)))
    if a.again:
        names = set(listed(a.suite + "/survived.txt"))
        sample = [m for m in everything if name_of(m) in names]
    return len(everything), sample


def judge(a, run, began):
    total, sample = chosen(a)
    tests = profile(run, a.suite, a.programs, a.scripts, a.sweeps, a.echo, a.jobs)
    choose = Choice(tests, sites_of(a.suite), a.scripts)
    print(f"{len(sample)} of {total} mutants, seed {a.seed}; {len(tests)} tests, "
          f"ready after {time.monotonic() - began:.0f} s", flush=True)
    known, echo = listed(HERE + "/survivors.txt"), Echo(run)
    tally, survived, by_scripts = collections.Counter(), [], 0

    def tell(at):
        if at % 100 == 0:
            print(f"# {at}: {dict(tally)}, {time.monotonic() - began:.0f} s", flush=True)

    def one(mutant):
        found = meet(run, echo, mutant, tests, choose(mutant, a.most, False))
        return mutant, found or meet(run, echo, mutant, tests, choose(mutant, 8, True))

    with concurrent.futures.ThreadPoolExecutor(a.jobs) as pool:
        for at, (mutant, killer) in enumerate(pool.map(one, sample), 1):
            tell(at - 1)
            name = name_of(mutant)
            equivalent = known.get(name, "").startswith("equivalent: ")
            if killer:
                tally["killed"] += 1
                by_scripts += killer[0].endswith(".sh")
                tally["of these by output alone"] += killer[0] == "echo"
                if equivalent:
                    print(f"FAIL listed as equivalent, killed by {killer}: {name}")
                    tally["wrongly listed"] += 1
                continue
            tally["equivalent" if equivalent else "survived"] += 1
            reached = "" if choose(mutant, 1, False) + choose(mutant, 1, True) else "   (no test goes this way)"
            survived.append((name, reached))
            if not equivalent:
                print(f"survived: {name}{reached}  [{mutant.site.file}:{mutant.site.line}]",
                      flush=True)
    with open(a.suite + "/survived.txt", "w") as f:
        f.writelines(f"{name}\n" for name, _ in survived)
    if a.update:
        update(known, [name for name, _ in survived])
    counted = tally["killed"] + tally["survived"]
    per_cent = 100 * tally["killed"] / counted if counted else 100
    print(f"{tally['killed']} killed ({by_scripts} by scripts, "
          f"{tally['of these by output alone']} by what echo.c says), {tally['survived']} survived, "
          f"{tally['equivalent']} equivalent and not counted: {per_cent:.1f} % killed "
          f"of {counted}, {time.monotonic() - began:.0f} s")
    failed = tally["wrongly listed"] + (per_cent < a.least)
    print(f"{counted} passed, {failed} failed, 0 skipped")
    return not failed


main()
