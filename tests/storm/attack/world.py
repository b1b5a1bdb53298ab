"""The logs that are attacked, copies of them, and what is asked of each copy."""
import hashlib
import json
import os
import random
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time

from . import forge

SECONDS = 20  # of computing that one command may take, whatever it is given
PATIENCE = 120  # ... and of waiting: it hangs
MEMORY = 1 << 30  # bytes of address space that it may use


class Wrong(Exception):
    """A check failed; the text says which."""


def need(holds, text):
    if not holds:
        raise Wrong(text)


class Ran:
    def __init__(self, status, out, err, seconds):
        self.status, self.out, self.err, self.seconds = status, out, err, seconds

    def cell(self):
        """`VERDICT STATUS`: the verdict of a report, or the code of an error."""
        for text in (self.out, *reversed(self.err.split(b"\n"))):
            if len(text) > 1 << 24:  # a query may print 600 MB; no report does
                continue
            try:
                said = json.loads(text)
            except ValueError:
                continue
            if isinstance(said, dict):
                word = said.get("verdict") or said.get("error", {}).get("code")
                return f"{word or 'OK'} {self.status}"
        return f"OK {self.status}" if self.status == 0 else f"? {self.status}"

    def first(self):
        """What tests/verify.py would say: OK SIZE ROOT or VERDICT FILE OFFSET."""
        try:
            said = json.loads(self.out or self.err.strip().split(b"\n")[-1])
        except ValueError:
            return "no JSON: " + repr((self.out + self.err)[:200])
        if "error" in said:
            return said["error"]["code"]
        if said["findings"]:
            f = said["findings"][0]
            at = "-" if f["offset"] is None else f["offset"]
            return f"{f['verdict']} {f['file']} {at}"
        return f"OK {said['head']['size']} {said['head']['root']}"


def set_limits():
    """For this process, too: what each command starts with costs no time then."""
    if "STORM_SANITIZED" not in os.environ:  # whose shadow takes more
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def fingerprint(top, folders=None):
    """Kind, links and content of all there is below a folder."""
    found = {}
    for folder, dirs, files in os.walk(top):
        for name in dirs + files:
            path = os.path.join(folder, name)
            short = os.path.relpath(path, top)
            if folders and short.split("/")[0] not in folders:
                continue
            st = os.lstat(path)
            content = None
            if os.path.islink(path):
                content = os.readlink(path)
            elif os.path.isfile(path) and st.st_size < 1 << 22:
                with open(path, "rb") as f:
                    content = hashlib.sha256(f.read()).digest()
            kind = st.st_mode >> 12
            size = st.st_size if kind == 8 else None
            found[short] = (kind, content, size)
    return found


# What no command that reads may change.
TRUTH = ("log", "keys", "orders", "snapshots", "archive", "quarantine")


class World:
    """Directories of one seed, made by the command; none is changed later.

    plain      some deltas in several segments
    older      plain as it was on the way
    fork       older, going on otherwise, by the same key
    other      a log of another name
    rotated    with a key rotation inside; old_key is the key before
    full       peers, a redaction, a rotation of the segment
    compacted  full, and its first segments compacted away
    restored   full as it was below its redact order, which is in orders/
    """

    def __init__(self, command, seed, top):
        self.command, self.seed, self.top = command, seed, top
        self.rng = random.Random(f"attacks {seed}")
        self.pipes = [tempfile.TemporaryFile() for _ in range(3)]
        self.ran, self.heads, self.vkeys, self.secrets = 0, {}, {}, set()
        self.outside = self.path("outside")
        os.makedirs(self.outside)
        with open(os.path.join(self.outside, "canary"), "wb") as f:
            f.write(b"nobody may touch this\n" * 40)
        self.name = f"example.org/seed-{seed}"
        self.make_plain()
        self.make_rotated()
        self.make_full()

    def path(self, *names):
        return os.path.join(self.top, *names)

    def run(self, *args, data=b"", file=None):
        """The command, which must end in time and not of a signal, and whose
        output must not hold a secret key.  Input: bytes, or a file."""
        self.ran += 1
        for f in self.pipes:
            f.seek(0)
            f.truncate()
        given, out, err = self.pipes
        given.write(data)
        given.seek(0)
        began = time.monotonic()
        p = subprocess.Popen([self.command, *args], stdin=file or given, stdout=out,
                             stderr=err, close_fds=False)
        signal.signal(signal.SIGALRM, lambda *_: p.kill())
        signal.alarm(PATIENCE)
        _, status, used = os.wait4(p.pid, 0)
        signal.alarm(0)
        p.returncode = os.waitstatus_to_exitcode(status)
        took = time.monotonic() - began
        for f in (out, err):
            f.seek(0)
        r = Ran(p.returncode, out.read(), err.read(), took)
        self.judge(args[0], r, used)
        return r

    def judge(self, name, r, used):
        what = f"{name}: {r.err[-300:]}"
        need(r.seconds < PATIENCE, f"hangs: {what}")
        need(0 <= r.status < 128, f"ended with {r.status}: {what}")
        need(used.ru_utime + used.ru_stime < SECONDS, f"computes for too long: {what}")
        r.memory = used.ru_maxrss << 10
        need(b"Sanitizer" not in r.err and b"runtime error" not in r.err, what)
        for secret in self.secrets:
            need(secret not in r.out + r.err, f"a secret is in the output: {what}")

    def well(self, *args, data=b""):
        r = self.run(*args, data=data)
        need(r.status == 0, f"{args[:2]} ended with {r.status}: {r.err[-300:]}")
        return r.out.decode()

    # ---- Making them

    def deltas(self, count, tag):
        rng, out = self.rng, []
        for i in range(count):
            out.append(json.dumps({
                "id": f"{tag}-{i}", "resource": rng.choice(["pets", "owners"]),
                "record_id": str(rng.randrange(9)), "op": "upsert",
                "payload": {"v": rng.randrange(1 << 30), "t": "x" * rng.randrange(90)},
                "occurred_at": f"2026-01-{1 + rng.randrange(28):02d}T00:00:00Z",
                "provenance": {"source": "crm", "confidence": 1}}))
        return out

    def put(self, name, count, tag):
        """Deltas in groups of 1 to 4."""
        left = self.deltas(count, tag)
        while left:
            n = self.rng.randrange(8, 16)
            self.well("append", self.path(name), "--quiet", "--group",
                      str(self.rng.randrange(1, 5)),
                      data="".join(d + "\n" for d in left[:n]).encode())
            left = left[n:]

    def init(self, name, origin):
        self.vkeys[name] = self.well(
            "init", self.path(name), "--origin", origin, "--segment-size", "4096",
            # Strategies under which every delta applies, so that a history
            # that its holder writes anew can be one that nobody could tell.
            "--strategy", self.rng.choice(["arrival", "merge-json"])).strip()

    def copy(self, source, target):
        shutil.copytree(self.path(source), self.path(target))
        for table in (self.vkeys, self.heads):
            if source in table:
                table[target] = table[source]

    def note(self, name):
        """Keeps the head of a log outside of it."""
        note = self.well("checkpoint", self.path(name))
        with open(self.path(name + ".witness"), "w", encoding="utf-8") as f:
            f.write(note)
        self.heads[name] = ":".join(note.split("\n")[1:3])

    def settle(self, name):
        """One file for the store, so that a copy is quick."""
        db = sqlite3.connect(self.path(name, "store.db"))
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()
        self.secrets.add(forge.second.b64(
            b"\x01" + forge.Key.of(self.path(name)).seed).encode())
        self.note(name)

    def make_plain(self):
        self.init("plain", self.name)
        self.put("plain", 14, "a")
        self.copy("plain", "older")
        self.copy("plain", "fork")
        self.put("plain", 14, "b")
        self.put("fork", 18, "c")
        self.init("other", "example.org/other")
        self.put("other", 24, "a")
        for name in ("plain", "older", "fork", "other"):
            self.settle(name)
        self.key = forge.Key.of(self.path("plain"))
        self.thief = forge.Key(self.name, self.rng.randbytes(32))

    def make_rotated(self):
        self.copy("older", "rotated")
        self.old_key = self.key
        self.vkeys["rotated"] = self.well("key", "rotate", self.path("rotated")).strip()
        self.put("rotated", 10, "d")
        self.settle("rotated")
        self.new_key = forge.Key.of(self.path("rotated"))

    def make_full(self):
        self.init("full", self.name + "/full")
        full = self.path("full")
        self.well("peer", "add", full, "backup")
        self.put("full", 20, "a")
        self.redacted = self.rng.randrange(4, 12)
        self.well("redact", full, str(self.redacted), "--reason", "asked")
        self.put("full", 6, "b")
        self.well("rotate", full)
        head = self.well("checkpoint", full).split("\n")[1:3]
        self.well("peer", "ack", full, "backup", ":".join(head))
        self.put("full", 4, "c")
        self.settle("full")
        self.copy("full", "compacted")
        self.well("compact", self.path("compacted"))
        self.put("compacted", 4, "d")
        self.settle("compacted")
        self.well("restore", full, "--out", self.path("restored"), "--at", "16")
        self.vkeys["restored"] = self.vkeys["full"]
        shutil.copy(self.path("full", "keys", "signing.key"),
                    self.path("restored", "keys", "signing.key"))
        self.settle("restored")


class Victim:
    """A copy of one directory of a world, to be attacked."""

    def __init__(self, w, base, name):
        self.w, self.base = w, base
        self.rng = random.Random(f"{name} {w.seed}")
        self.dir = w.path("victim")
        shutil.rmtree(self.dir, ignore_errors=True)
        shutil.copytree(w.path(base), self.dir, symlinks=True)
        self.key = forge.Key.of(self.dir)
        self.vkey, self.head = w.vkeys[base], w.heads[base]
        self.witness = w.path(base + ".witness")

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def read(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()

    def write(self, name, data):
        with open(self.path(name), "wb") as f:
            f.write(data if isinstance(data, bytes) else data.encode())

    def log(self):
        return forge.Log(self.dir)

    def below(self):
        """The last entry of the first segment in archive/."""
        folder = self.path("archive")
        names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        return str(int(names[1][:20]) - 1) if len(names) > 1 else "-"

    def pick(self, groups, last=False):
        """One group: the last one, or any but that and the first."""
        return groups[-1] if last else groups[self.rng.randrange(1, len(groups) - 1)]

    def sql(self, text, *args, script=False):
        db = sqlite3.connect(self.path("store.db"))
        try:
            if script:
                self.run_script(db, text)
            else:
                db.execute(text, *args)
            db.commit()
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            db.close()

    @staticmethod
    def run_script(db, text):
        """Our tables are STRICT, which a file need not be: where that keeps a
        value out, the word is taken from the schema and put back afterwards."""
        try:
            db.executescript(text)
            return
        except sqlite3.IntegrityError:
            db.rollback()
        path = db.execute("PRAGMA database_list").fetchone()[2]
        strict = db.execute("SELECT name, sql FROM sqlite_schema"
                            " WHERE sql LIKE '%STRICT%'").fetchall()
        loose = [(n, re.sub(r"STRICT,? ?", "", sql)) for n, sql in strict]
        for schema in (loose, None, strict):
            other = sqlite3.connect(path)
            if schema is None:
                other.executescript("PRAGMA ignore_check_constraints=1;" + text)
            else:
                other.execute("PRAGMA writable_schema=1")
                other.executemany("UPDATE sqlite_schema SET sql=?2 WHERE name=?1", schema)
            other.commit()
            other.close()

    def keys(self, *vkeys):
        """keys/ trusts these and no others."""
        for name in os.listdir(self.path("keys")):
            if name.endswith(".vkey"):
                os.remove(self.path("keys", name))
        for i, vkey in enumerate(vkeys):
            name = vkey.split("+")[1] if vkey.count("+") > 1 else "x"
            self.write(f"keys/{name}{i or ''}.vkey", vkey + "\n")

    def drop_store(self):
        for name in ("store.db", "store.db-wal", "store.db-shm"):
            if os.path.lexists(self.path(name)):
                os.remove(self.path(name))

    def rebuild_store(self):
        """The attacker makes the other leg fit the log that he has made."""
        self.drop_store()
        self.w.well("replay", self.dir, "--quiet")

    def take(self, other, *names):
        """Files or folders of another directory of this world."""
        for name in names:
            source, target = self.w.path(other, name), self.path(name)
            if os.path.isdir(target):
                shutil.rmtree(target)
            if os.path.isdir(source):
                shutil.copytree(source, target)
            elif os.path.exists(source):
                shutil.copy(source, target)
