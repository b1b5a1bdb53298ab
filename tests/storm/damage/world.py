"""The bfs history, copies of it to damage, and what must not get lost.

Files are compared byte by byte and stores by all rows that parity covers; no
answer of the command under test is taken for either.
"""
import collections
import gzip
import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import time

TABLES = {
    "events": "seq", "checkpoints": "size", "segments": "first",
    "rotations": "seq", "cursors": "source, resource",
    "state": "resource, record_id", "meta": "id",
}
# Rows of these never change; a store that is only filled up keeps them all.
LASTING = ("events", "checkpoints", "segments", "rotations")
OLDER = 4000  # deltas in the older copy

Ran = collections.namedtuple("Ran", "status out err seconds")


class Wrong(Exception):
    """A check failed; the text says which."""


def need(holds, text):
    if not holds:
        raise Wrong(text)


# ---- Files -----------------------------------------------------------------


def read(path):
    with open(path, "rb") as f:
        return f.read()


def write(path, data):
    with open(path, "wb") as f:
        f.write(data)


def files(top):
    """Every regular file below a folder, as paths relative to it."""
    for folder, _, names in os.walk(top):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path) and not os.path.islink(path):
                yield os.path.relpath(path, top)


def copy(source, target):
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, symlinks=True)


def log_of(top):
    """The bytes of each segment, by name; not what a rewriting left."""
    folder = os.path.join(top, "log")
    return {n: read(os.path.join(folder, n)) for n in sorted(os.listdir(folder))
            if ".jsonl.new" not in n}


# ---- Stores ----------------------------------------------------------------


def rows_of(top, scratch):
    """All rows by table, in key order; None when SQLite cannot read them.

    Read from a copy, so that nothing beside the store changes.  The same bytes
    hold the same rows: they are read once.
    """
    parts = [os.path.join(top, n) for n in ("store.db", "store.db-wal")]
    parts = [p for p in parts if os.path.isfile(p)]
    if not parts or not parts[0].endswith(".db"):
        return None
    digest = hashlib.sha256(b"".join(os.path.basename(p).encode() + read(p)
                                     for p in parts)).digest()
    if digest not in READ:
        if len(READ) > 8:
            READ.pop(next(reversed(READ)))  # not the first ones: whole, older
        READ[digest] = read_rows(parts, scratch)
    return READ[digest]


READ = {}  # rows by the digest of a store's files


def read_rows(parts, scratch):
    shutil.rmtree(scratch, ignore_errors=True)
    os.mkdir(scratch)
    for part in parts:
        shutil.copy(part, scratch)
    db = sqlite3.connect(os.path.join(scratch, "store.db"))
    db.text_factory = bytes
    try:
        return {table: db.execute(f"SELECT * FROM {table} ORDER BY {key}").fetchall()
                for table, key in TABLES.items()}
    except sqlite3.DatabaseError:
        return None
    finally:
        db.close()


def sql(path, text):
    """Changes a store behind the engine's back; what is changed is in the file."""
    db = sqlite3.connect(path)
    try:
        db.executescript(text)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        db.close()


# ---- No byte is lost -------------------------------------------------------


class Bytes:
    """What a directory holds: lines of the log, rows of the store, files.

    Locks and SQLite's shared memory hold nothing; what is a function of the
    rest (state, meta, drill.json) may change.
    """

    def __init__(self, tops, scratch):
        self.lines, self.sums, self.rows, self.kept = {}, {}, set(), []
        for top in tops:
            for name in files(top):
                self.add(top, name)
            rows = rows_of(top, scratch) or {}
            self.rows |= {(t, r) for t in LASTING for r in rows.get(t, ())}

    def add(self, top, name):
        base = os.path.basename(name)
        if base in ("lock", "drill.json") or base.endswith("-shm"):
            return
        data = read(os.path.join(top, name))
        self.sums[hashlib.sha256(data).digest()] = name
        if name.startswith("log/"):
            for line in data.split(b"\n"):
                self.lines.setdefault(line, name)
        elif not base.startswith("store.db"):
            self.kept.append(data)
            for line in data.split(b"\n"):
                self.lines.setdefault(line, name)

    def has_line(self, line):
        return line in self.lines or any(line in data for data in self.kept)

    def lost_to(self, after):
        """What of this is not in `after`: one text each."""
        lost = []
        for line, name in self.lines.items():
            if line and name.startswith("log/") and not after.has_line(line):
                lost.append(f"a line of {len(line)} bytes of {name}")
        rows_kept = self.rows and self.rows <= after.rows
        for digest, name in self.sums.items():
            if digest in after.sums or name.startswith("log/"):
                continue
            if not (name.startswith("store.db") and rows_kept):
                lost.append(f"the file {name}")
        return lost


# ---- The world -------------------------------------------------------------


class World:
    """Directories that stay as they are: whole, older, foreign, resigned, fork."""

    def __init__(self, command, data, top):
        self.command, self.top = command, top
        self.scratch = os.path.join(top, "rows")
        with gzip.open(os.path.join(data, "bfs.jsonl.gz")) as f:
            self.deltas = f.read().splitlines(keepends=True)
        self.vkey = self.make("whole", "bfs", self.deltas)
        self.make("foreign", "another", self.deltas[:900])
        self.other_vkey = self.make("resigned", "bfs", self.deltas)
        copy(self.path("older"), self.path("fork"))
        self.turn("fork")
        self.append("fork", self.deltas[OLDER + 1:] + self.deltas[OLDER:OLDER + 1])
        self.log = log_of(self.path("whole"))
        self.names = sorted(self.log)
        self.rows = rows_of(self.path("whole"), self.scratch)
        self.older_log = log_of(self.path("older"))
        self.older_rows = rows_of(self.path("older"), self.scratch)
        need(len(self.names) > 8 and self.rows and self.older_rows,
             "the history is not what the kinds need")
        self.head, self.older_head = self.note("whole"), self.note("older")

    def path(self, *names):
        return os.path.join(self.top, *names)

    def run(self, *args, data=None):
        """The command; its output, and how long it took."""
        began = time.monotonic()
        p = subprocess.run([self.command, *args], input=data, capture_output=True,
                           stdin=None if data else subprocess.DEVNULL, timeout=120)
        return Ran(p.returncode, p.stdout, p.stderr, time.monotonic() - began)

    def well(self, *args, data=None):
        r = self.run(*args, data=data)
        need(r.status == 0, f"{args[0]} ended with {r.status}: {r.err[-300:]}")
        return r.out.decode()

    def append(self, name, deltas):
        self.well("append", self.path(name), "--group", "100", "--quiet",
                  data=b"".join(deltas))

    def append_to_wal(self, name, deltas):
        """All commits stay in the WAL, as where nobody closes: a reader that stands
        on what was before keeps it from being emptied.  That is kept as NAME.wal;
        then all is moved, and the WAL has nothing but space."""
        path = os.path.abspath(self.path(name, "store.db"))
        reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT size FROM meta").fetchone()
        self.append(name, deltas)
        reader.close()
        copy(self.path(name), self.path(name + ".wal"))
        sql(path, "SELECT 1")
        write(path + "-wal", bytes(9 << 20))
        os.chmod(path + "-wal", 0o600)

    def make(self, name, origin, deltas):
        """init, deltas, two changes of strategy on the way, more deltas."""
        vkey = self.well("init", self.path(name), "--origin", origin, "--strategy",
                         "arrival", "--segment-size", "262144").strip()
        if name == "whole":
            self.append_to_wal(name, deltas[:OLDER])
            copy(self.path(name), self.path("older"))
        else:
            self.append(name, deltas[:OLDER])
        self.turn(name)
        if len(deltas) > OLDER:
            self.append(name, deltas[OLDER:])
        return vkey

    def turn(self, name):
        """Two control entries, each a group of its own."""
        for strategy in ("keep-local", "arrival"):
            self.well("strategy", self.path(name), strategy)

    def note(self, name):
        """SIZE:ROOT of the head, and the signed note as a witness keeps it."""
        note = self.well("checkpoint", self.path(name))
        write(self.path(name + ".witness"), note.encode())
        return ":".join(note.split("\n")[1:3])

    def check(self, directory, *more, what="parity"):
        """What parity or verify says, as (document, exit code, seconds)."""
        r = self.run(what, directory, "--json", *more)
        text = r.out.strip() or r.err.strip().split(b"\n")[-1]
        try:
            return json.loads(text), r.status, r.seconds
        except ValueError:
            raise Wrong(f"{what} printed no JSON: {text[:300]}") from None

    def is_whole(self, directory, older=False):
        """Both legs are what they were, and parity with pins says CLEAN."""
        log, rows, head = ((self.older_log, self.older_rows, self.older_head) if older
                           else (self.log, self.rows, self.head))
        now = log_of(directory)
        need(list(now) == list(log), f"other segments: {sorted(set(now) ^ set(log))}")
        for name, data in log.items():
            # LFs behind the end are padding and mean nothing.
            need(now[name].rstrip(b"\n") == data.rstrip(b"\n"), f"log/{name} differs")
        have = rows_of(directory, self.scratch)
        need(have is not None, "the store cannot be read")
        for table in TABLES:
            need(have[table] == rows[table], f"rows of {table} differ")
        said, status, _ = self.check(directory, "--key", self.vkey, "--expect-head", head)
        need(said.get("verdict") == "CLEAN" and status == 0,
             f"parity says {said.get('verdict')}: {said.get('findings')}")
