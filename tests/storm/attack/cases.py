"""One attack: how it is made, what must find it, and how that is asked."""
import json
import os
import shutil

from . import forge
from .world import TRUTH, Victim, Wrong, fingerprint, need

second = forge.second
CASES, PROBES = [], []
# Letters of `finds`, the columns of the table.
COLUMNS = {"v": "verify", "k": "verify --key", "p": "parity", "w": "with a witness",
           "a": "append"}


class Case:
    """An attack on a directory.

    finds   which columns must report it, as letters; the others must be clean
    base    which directory of the world is attacked
    agree   False: tests/verify.py is not asked, with the reason
    either  columns that may or may not find it, by where the seed puts it
    also    (arguments, word): a command whose cell must begin with word
    """

    def __init__(self, inject, part, finds, base="plain", agree=True, also=(), keep=True,
                 either=""):
        self.inject, self.part, self.finds, self.base = inject, part, finds, base
        self.agree, self.also, self.keep, self.either = agree, also, keep, either
        if finds == "vkpw":
            self.either += "a"  # opening looks at the end of the log only
        self.name = " ".join(inject.__doc__.split())

    def due(self, number):
        return number >= 0

    def run(self, w):
        """The cells that were found, by column."""
        v = Victim(w, self.base, self.name)
        self.inject(v)
        outside = fingerprint(w.outside)
        cells = self.read_only(v)
        # Of many that may say anything, some a seed.
        free = [a for a in self.also if not a[1]]
        for args, word in [a for a in self.also if a[1]] + v.rng.sample(
                free, min(1, len(free))):
            r = w.run(*[fill(a, v) for a in args])
            need(r.cell().startswith(word), f"{args[0]}: {r.cell()}, not {word}:"
                 f" {(r.out + r.err)[-300:]}")
            shutil.rmtree(w.path("out"), ignore_errors=True)
        cells["a"] = self.append(v)
        need(fingerprint(w.outside) == outside, "something outside was changed")
        for column, word in COLUMNS.items():
            found = not all(c.endswith(" 0") for c in cells[column])
            need(found == (column in self.finds) or column in self.either,
                 f"{word}: {cells[column]}")
        return cells

    def read_only(self, v):
        w, before, cells = v.w, fingerprint(v.dir, TRUTH), {}
        key = ("--key", v.vkey)
        alone = self.ask(v, "verify", None)
        pinned = self.ask(v, "verify", v.vkey, *key)
        cells["v"], cells["k"] = [alone.cell()], [pinned.cell()]
        cells["p"] = [w.run("parity", v.dir, "--json").cell()]
        witness = ("--witness", v.witness) if w.seed % 2 else ("--expect-head", v.head)
        cells["w"] = [w.run("verify", v.dir, "--json", *key, *witness).cell()]
        need(fingerprint(v.dir, TRUTH) == before, "a command that reads has written")
        return cells

    def ask(self, v, what, pin, *more):
        """The command, and the second verifier, which must say the same."""
        r = v.w.run(what, v.dir, "--json", *more)
        if self.agree is True:
            first, other = r.first(), theirs(v.dir, pin)
            if " " not in first:
                other = other.split(" ")[0]
            need(first == other, f"verify says {first}, tests/verify.py {other}")
        return r

    def append(self, v):
        """A group more.  Refused: the log is as it was.  Taken: each line of it
        is still there, in log/ or in quarantine/."""
        lines, before = lines_of(v.dir, "log"), fingerprint(v.dir, ("log",))
        r = v.w.run("append", v.dir, "--quiet", "--json", data=ONE_MORE)
        if r.status:
            need(fingerprint(v.dir, ("log",)) == before, "a refused append wrote")
        elif self.keep:
            lost = lines - lines_of(v.dir, "log") - lines_of(v.dir, "quarantine")
            need(not lost, f"append lost {len(lost)} lines: {sorted(lost)[:1]}")
        return [r.cell()]


ONE_MORE = json.dumps({
    "id": "one-more", "resource": "pets", "record_id": "1", "op": "upsert", "payload": {},
    "occurred_at": "2026-02-01T00:00:00Z",
    "provenance": {"source": "s", "confidence": 1}}).encode() + b"\n"


def fill(text, v):
    for word, value in (("DIR", v.dir), ("OUT", v.w.path("out")), ("VKEY", v.vkey),
                        ("OUTSIDE", v.w.outside), ("BELOW", v.below())):
        text = text.replace(word, value) if text in (word, text) else text
    return text


def lines_of(directory, folder):
    found, top = set(), os.path.join(directory, folder)
    for name in os.listdir(top) if os.path.isdir(top) else []:
        path = os.path.join(top, name)
        if os.path.isfile(path):
            with open(path, "rb") as f:
                found |= set(f.read().split(b"\n"))
    return found - {b""}


def theirs(directory, pin=None):
    """What tests/verify.py says, in this process."""
    try:
        v = second.verify(second.Directory(directory), pin)
        return f"OK {v.size} {second.b64(second.root_of(v.tree))}"
    except second.Fault as f:
        return f"{f.verdict} {f.file} {'-' if f.offset is None else f.offset}"
    except OSError as why:
        raise Wrong(f"tests/verify.py: {why}") from None


def attack(part, finds, **more):
    def add(inject):
        CASES.append(Case(inject, part, finds, **more))
        return inject
    return add


class Probe:
    """Something else than a directory is attacked: run() raises Wrong, or
    returns the cell of the table."""

    def __init__(self, run, part, slow=False, heavy=False):
        self.ask, self.part, self.slow, self.heavy = run, part, slow, heavy
        self.name = " ".join(run.__doc__.split())

    def due(self, number):
        """Whether the seed of this number, from 0, is to try it."""
        return number % 10 == 0 if self.slow else not self.heavy or (
            number % 10 == 0 and "STORM_ALL" in os.environ)

    def run(self, w):
        return {"r": [self.ask(w) or "as stated"]}


def probe(part, **more):
    def add(run):
        PROBES.append(Probe(run, part, **more))
        return run
    return add
