"""What a caller hands over: lines without end, bombs, names, ids, SQL, escapes."""
import gzip
import json
import os
import pty
import select
import shutil
import sqlite3
import time
import zlib

from . import forge
from .cases import probe
from .world import TRUTH, fingerprint, need

LIMITS, NAMES, TERMINAL = "Limits", "Names and SQL", "Terminals"


def fresh(w, base="plain"):
    target = w.path("probe")
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(w.path(base), target)
    return target


def sparse(w, size, head=b""):
    path = w.path("sparse")
    with open(path, "wb") as f:
        f.write(head)
        f.truncate(size)
    return path


def refused(r, *codes):
    word = r.cell().split(" ")[0]
    need(r.status and (not codes or word in codes), f"{r.cell()}: {(r.out + r.err)[-200:]}")
    return r.cell()


def forget_peak():
    """What a new process has used at most begins with the peak of the one that
    started it, this one, which may have read a segment of hundreds of MB."""
    try:
        with open("/proc/self/clear_refs", "w") as f:
            f.write("5")
    except OSError:
        pass  # such a peak is then taken for that of the command


def frugal(run, most=256 << 20):
    """The command has used no more memory than that."""
    forget_peak()
    r = run()
    need(r.memory < most or "STORM_SANITIZED" in os.environ, f"{r.memory} bytes of memory")
    return r


# ---- Limits ------------------------------------------------------------------


@probe(LIMITS, heavy=True)
def endless_line(w):
    """append: /dev/zero, a line without an end"""
    with open("/dev/zero", "rb") as f:
        return refused(frugal(lambda: w.run("append", fresh(w), "--json", file=f)), "INPUT")


@probe(LIMITS, heavy=True)
def gigabyte_line(w):
    """append: a line of a gigabyte"""
    path = sparse(w, 1 << 30, b'{"id":"')
    return refused(frugal(lambda: w.run("append", fresh(w), path, "--json")), "INPUT")


@probe(LIMITS)
def deep(w):
    """append: 100,000 brackets open at once"""
    d = fresh(w)
    line = b'{"payload":' + b'{"a":[' * 50000 + b"1"
    return refused(w.run("append", d, "--json", data=line + b"\n"), "INPUT")


@probe(LIMITS)
def deep_good(w):
    """append: 65 brackets in a delta that is right otherwise"""
    delta = json.loads(w.deltas(1, "deep")[0])
    delta["payload"] = json.loads('{"a":' * 64 + "1" + "}" * 64)
    return refused(w.run("append", fresh(w), "--json", data=json.dumps(delta).encode()),
                   "INPUT")


@probe(LIMITS, heavy=True)
def many_members(w):
    """append: a million members in an object, each once, or the last one twice"""
    target = w.path("wide")
    shutil.rmtree(target, ignore_errors=True)
    w.well("init", target, "--max-line", "16777216")
    delta = json.loads(w.deltas(1, "wide")[0])
    delta["payload"] = "HERE"
    names = ",".join(f'"{i:x}":1' for i in range(1000000))
    text = json.dumps(delta).replace('"HERE"', "{%s%s}")
    twice = w.run("append", target, "--json", data=(text % (names, ',"0":1')).encode())
    need(twice.cell() == "INPUT 6", twice.cell())
    w.well("append", target, "--quiet", data=(text % (names, "")).encode())
    w.well("parity", target)
    return "OK 0, INPUT 6"


@probe(LIMITS)
def empty_lines(w):
    """append: a million empty lines"""
    return refused(w.run("append", fresh(w), "--json", data=b"\n" * 1000000), "INPUT")


def huge_in_log(w, size, head):
    d = fresh(w)
    name = sorted(os.listdir(os.path.join(d, "log")))[0]
    path = os.path.join(d, "log", name)
    with open(path, "rb") as f:
        data = f.read()
    with open(path, "wb") as f:
        f.write(data + head)
        f.truncate(size)
    return d


@probe(LIMITS, heavy=True)
def huge_segment(w):
    """verify, parity, salvage: a segment with 300 MB of zeros, or of one line, behind
    its end"""
    d = huge_in_log(w, 300 << 20, w.rng.choice([b"", b'{"seq":9,', b'{"commit":']))
    cells = [refused(frugal(lambda c=c: w.run(c, d, "--json"))) for c in ("verify", "parity")]
    refused(w.run("salvage", d, "--dry-run", "--json"))
    shutil.rmtree(d)
    return ", ".join(cells)


@probe(LIMITS, heavy=True)
def huge_files(w):
    """a gigabyte as verifier key, signing key, witness, proof, order, passphrase"""
    d = fresh(w)
    path = sparse(w, 1 << 30, b"x")
    w.run("verify", d, "--witness", path, "--json")
    refused(frugal(lambda: w.run("verify-proof", path, "--key", w.vkeys["plain"], "--json")))
    for name in ("keys/x.vkey", "keys/signing.key"):
        if os.path.exists(os.path.join(d, name)):
            os.remove(os.path.join(d, name))
        shutil.move(path, os.path.join(d, name))
        refused(w.run("append", d, "--json", data=b"{}\n"))
        shutil.move(os.path.join(d, name), path)
    refused(w.run("init", w.path("never"), "--passphrase-file", path, "--json"))
    os.remove(path)
    return "refused and none read whole"


@probe(LIMITS, heavy=True)
def inspect_bomb(w):
    """inspect: gzip that unpacks to 128 MB, bytes behind it, cut, a wrong CRC"""
    z = zlib.compressobj(9, zlib.DEFLATED, 31)
    data = b"".join(z.compress(b'{"a":1}\n' * 131072) for _ in range(128)) + z.flush()
    for text in (data, data + b"more", data[:-9], data[:-8] + bytes(8), b"\x1f\x8b\x08"):
        with open(w.path("bomb.gz"), "wb") as f:
            f.write(text)
        r = frugal(lambda: w.run("inspect", w.path("bomb.gz"), "--json"))
        need(r.status in (0, 5, 6), r.cell())
    return "OK 0, 5"


@probe(LIMITS)
def kdf_bomb(w):
    """a signing key under a passphrase with costs of 4 TiB and 2^32 passes"""
    d = fresh(w)
    key = forge.Key.of(d)
    box = b"\x01" + b"\xff" * 8 + bytes(16 + 24 + 49)
    with open(os.path.join(d, "keys", "signing.key"), "w", encoding="utf-8") as f:
        f.write(f"ENCRYPTED+KEY+{key.name}+{key.id}+{forge.second.b64(box)}\n")
    with open(w.path("pass"), "w", encoding="utf-8") as f:
        f.write("secret\n")
    os.chmod(w.path("pass"), 0o600)
    r = w.run("append", d, "--passphrase-file", w.path("pass"), "--json", data=b"{}\n")
    need(r.seconds < 60, "it paid the costs")
    return refused(r, "KEY")


# ---- Names and SQL -----------------------------------------------------------


HOSTILE = ["../../evil", "/etc/passwd", "a/../b", "-rf", "--key", "x\x1b[31m", "x\u009b31m",
           "' OR 1=1 --", "'; DROP TABLE events; --", "\"]; DELETE FROM state; --", "%s%n%x",
           "$(touch evil)", "`touch evil`", "x\u202ey", "x\x7f", "\U0001f600", "a\tb\nc",
           "?1", "NULL", ".", "..", "con", "x" * 200, "*", "store.db", "e\u0301"]


@probe(NAMES)
def hostile_ids(w):
    """ids, resources and sources with .., quotes, SQL, formats, escapes: stored as
    they are, and no file gets such a name"""
    d = fresh(w)
    before = set(fingerprint(d))
    text = []
    for i, name in enumerate(HOSTILE):
        delta = json.loads(w.deltas(1, f"h{i}")[0])
        delta.update(id=name, resource=name, record_id=name)
        delta["provenance"]["source"] = name
        text.append(json.dumps(delta))
    w.well("append", d, "--quiet", data="\n".join(text).encode())
    for name in HOSTILE:
        got = json.loads(w.well("get", d, "--json", "--", name, name))
        need((got["resource"], got["record_id"], got["source"]) == (name,) * 3,
             f"{name!r} came back as {got}")
        w.well("history", d, "--", name, name)
    for name in HOSTILE[:10]:
        r = w.run("get", d, "--json", "--", "pets", name)
        need(r.cell() == "NOT_FOUND 8", r.cell())
    need({n for n in fingerprint(d) if not n.startswith(("store.db-", "log/"))} <= before,
         "there are new files")
    w.well("parity", d)
    return "OK 0"


@probe(NAMES)
def hostile_names(w):
    """init, restore, peers, cursors, key trust: names with .., blanks, escapes"""
    d = fresh(w)
    for name in ("a b", "a\tb", "a+b", "\x1b[31m", "a\u009bb", "a\u00a0b", "a\u2028b",
                 "x" * 256, "a\nb", ""):
        refused(w.run("init", w.path("never"), "--origin", name, "--json"))
        need(not os.path.exists(w.path("never", "store.db")), "a log was made")
    for name in HOSTILE:
        w.well("peer", "add", d, "--", name)
        w.well("cursor", "set", d, "--", name, name, name)
    out = w.path("out")
    shutil.rmtree(out, ignore_errors=True)
    w.well("restore", d, "--out", out, "--continue-as", "../../../evil")
    key = forge.Key("../../../evil2", w.rng.randbytes(32))
    w.well("key", "trust", d, key.vkey)
    need(os.path.exists(os.path.join(d, "keys", key.id + ".vkey")), "keys/ID.vkey")
    names = [n for n in os.listdir(w.top) + os.listdir(d) + os.listdir(out) if "evil" in n]
    need(not names, f"made {names}")
    shutil.rmtree(out)
    w.well("parity", d)
    return "no path is made of them"


QUERIES = ["ATTACH 'OUTSIDE/new.db' AS x", "VACUUM INTO 'OUTSIDE/new.db'", "VACUUM",
           "DELETE FROM events", "UPDATE state SET version=9", "DROP TABLE events",
           "INSERT INTO events(seq,line) VALUES(99,'x')", "CREATE TABLE x(a)",
           "CREATE TEMP TABLE x(a)", "CREATE VIEW x AS SELECT 1", "PRAGMA writable_schema=1",
           "PRAGMA journal_mode=DELETE", "PRAGMA user_version=7", "PRAGMA query_only=0",
           "PRAGMA mmap_size=1", "PRAGMA temp_store_directory='OUTSIDE'", "BEGIN", "COMMIT",
           "SELECT load_extension('OUTSIDE/x.so')", "SELECT writefile('OUTSIDE/x','y')",
           "SELECT readfile('/etc/passwd')", "SELECT edit('x','sh')", "DETACH main",
           "SELECT fts3_tokenizer('simple', x'00')", "SELECT 1; DELETE FROM events", "",
           "SELECT * FROM pragma_journal_mode('delete')", "ANALYZE", "REINDEX",
           "EXPLAIN DELETE FROM events", "SAVEPOINT x", "ALTER TABLE events RENAME TO x",
           "WITH x AS (SELECT 1) DELETE FROM events", "REPLACE INTO meta SELECT * FROM meta",
           "CREATE VIRTUAL TABLE x USING fts5(a)", "SELECT sqlite_rename_table(1,2,3,4,5,6,7)",
           "\x00", "SELECT '\x00", "(" * 5000, "SELECT " + "1+" * 50000 + "1",
           "SELECT zeroblob(2000000000)", "SELECT hex(zeroblob(900000000))"]


@probe(NAMES)
def sql(w):
    """query: writing, attaching, settings, files, extensions, a second statement,
    depth, two gigabytes in a value: refused, and nothing changes"""
    d = fresh(w)
    before, outside = rows_of(w, d), fingerprint(w.outside)
    for text in QUERIES:
        if "\x00" in text:
            continue  # no argument of a command
        r = w.run("query", d, text.replace("OUTSIDE", w.outside), "--format", "json")
        need(r.status not in (0, 2) or text.startswith("EXPLAIN"), f"{text[:60]}: {r.cell()}")
    need(rows_of(w, d) == before and fingerprint(w.outside) == outside, "something changed")
    w.well("parity", d)
    return "refused"


def rows_of(w, d):
    db = sqlite3.connect(f"file:{d}/store.db?mode=ro", uri=True)
    try:
        return list(db.iterdump())
    finally:
        db.close()


# ---- Terminals ---------------------------------------------------------------


def on_terminal(w, *args):
    """What a terminal gets of a command, as bytes."""
    w.ran += 1
    pid, fd = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm"
        os.execv(w.command, [w.command, *args])
    out, until = b"", time.monotonic() + 60
    while time.monotonic() < until:
        ready, _, _ = select.select([fd], [], [], 1)
        try:
            part = os.read(fd, 65536) if ready else None
        except OSError:
            break
        if part == b"":
            break
        out += part or b""
    os.close(fd)
    status = os.waitpid(pid, 0)[1]
    need(os.waitstatus_to_exitcode(status) >= 0, f"{args[0]} ended with {status}")
    return out


def steering(out):
    """Control characters and marks of direction in what was shown."""
    text = out.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    return sorted({c for c in text if (c < " " and c not in "\n\t") or "\x7f" <= c <= "\x9f"
                   or "\udc80" <= c <= "\udcff" or c in "\u200e\u200f\u2028\u2029\u202a\u202b"
                   "\u202c\u202d\u202e\u2066\u2067\u2068\u2069"})


EVIL = "x\u009b31m\u202ey\x7f\u0085\u2028z"


def evil_log(w):
    """A log in which every text that a caller gives steers a terminal, if it
    were shown as it is."""
    d = fresh(w)
    delta = json.loads(w.deltas(1, "evil")[0])
    delta.update(id=EVIL, resource=EVIL, record_id=EVIL, payload={EVIL: EVIL},
                 meta={EVIL: EVIL})
    delta["provenance"]["source"] = EVIL
    other = dict(delta, id="\x1b]0;x\x07", payload={"\x1b[2J": "\x1b[2J"})
    text = json.dumps(delta, ensure_ascii=False) + "\n" + json.dumps(other) + "\n"
    w.well("append", d, "--quiet", data=text.encode())
    w.well("peer", "add", d, EVIL)
    w.well("peer", "evict", d, EVIL, "--reason", EVIL)
    w.well("peer", "add", d, EVIL + "2")
    w.well("cursor", "set", d, EVIL, EVIL, EVIL + "\x1b[2J")
    seq = w.well("checkpoint", d).split("\n")[1]
    w.well("rotate", d)
    w.well("redact", d, str(int(seq) - 5), "--reason", EVIL)
    return d


SHOWN = [("get", "DIR", EVIL, EVIL), ("get", "DIR", EVIL, EVIL, "--json"),
         ("history", "DIR", EVIL, EVIL), ("history", "DIR", EVIL, EVIL, "--json"),
         ("log", "DIR"), ("log", "DIR", "--json"), ("get", "DIR", EVIL, "none" + EVIL),
         ("query", "DIR", "SELECT * FROM records"),
         ("query", "DIR", "SELECT * FROM events", "--format", "csv"),
         ("query", "DIR", "SELECT * FROM events", "--format", "json"),
         ("query", "DIR", f"SELECT char(27)||'[2J' AS \"{EVIL}\""),
         ("query", "DIR", f"SELECT char(27)||'[2J' AS \"{EVIL}\"", "--format", "csv"),
         ("query", "DIR", f"SELECT char(27)||'[2J' AS \"{EVIL}\"", "--format", "json"),
         ("query", "DIR", f"SELECT {EVIL}"), ("query", "DIR", "SELECT x'1b5b324a'"),
         ("peer", "list", "DIR"), ("peer", "list", "DIR", "--json"),
         ("peer", "ack", "DIR", "no" + EVIL, "4"), ("cursor", "list", "DIR"),
         ("cursor", "list", "DIR", "--json"), ("redact", "DIR", "--list"),
         ("redact", "DIR", "--list", "--json"), ("status", "DIR"), ("verify", "DIR"),
         ("parity", "DIR"), ("doctor", "DIR"), ("verify", "DIR/" + EVIL),
         ("verify", "DIR", "--key", EVIL), ("verify", "DIR", "--expect-head", EVIL),
         ("verify", "DIR", "--" + EVIL), (EVIL,), ("append", "DIR", "DIR/" + EVIL),
         ("inspect", "OUTSIDE/evil.jsonl"), ("inspect", "OUTSIDE/" + EVIL),
         ("prove", "DIR", "30"), ("key", "trust", "DIR", EVIL), ("key", "list", "DIR"),
         ("restore", "DIR", "--out", "DIR/" + EVIL + "/x"), ("replay", "DIR", "--dry-run"),
         ("salvage", "DIR"), ("append", "DIR", "OUTSIDE/evil.jsonl"),
         ("verify-proof", "OUTSIDE/evil.jsonl", "--key", "VKEY"),
         ("rebuild", "DIR", "--store", "--out", "OUTSIDE/" + EVIL), ("drill", "DIR"),
         ("strategy", "DIR", EVIL), ("checkpoint", "DIR", "--witness", "OUTSIDE/evil.jsonl")]


def shown(w, d):
    for args in SHOWN:
        out = on_terminal(w, *[a.replace("DIR", d).replace("OUTSIDE", w.path("shown")).replace(
            "VKEY", w.vkeys["plain"]) for a in args])
        bad = steering(out)
        need(not bad, f"{args!r} shows {bad}: {out[:300]!r}")


def dirt_beside(w):
    os.makedirs(w.path("shown"), exist_ok=True)
    with open(w.path("shown", "evil.jsonl"), "wb") as f:
        f.write(b'{"resource":"\x1b[2J\xc2\x9b", "\x1b": \xff\x9b\x07}\n\x1b[2J\xc2\x9b\n' * 3)


@probe(TERMINAL, slow=True)
def terminal_good(w):
    """every command on a terminal: ids, payloads, sources, names of peers, cursors,
    reasons and arguments that would steer it"""
    dirt_beside(w)
    shown(w, evil_log(w))
    shutil.rmtree(w.path("shown"))
    return "escaped"


@probe(TERMINAL, slow=True)
def terminal_damaged(w):
    """the same over damage: names of files, lines, keys, notes, rows of the store"""
    dirt_beside(w)
    d = evil_log(w)
    with open(os.path.join(d, "log", f"evil{EVIL}\x1b[2J.jsonl"), "wb") as f:
        f.write(b"\x1b[2J")
    name = sorted(os.listdir(os.path.join(d, "log")))[0]
    with open(os.path.join(d, "log", name), "rb") as f:
        lines = f.read().split(b"\n")
    lines[3] = lines[3][:9] + b'\x1b[2J\xc2\x9b31m' + lines[3][9:]
    lines[0] = lines[0].replace(b'"origin":"', b'"origin":"\\u001b[2J\xc2\x9b')
    with open(os.path.join(d, "log", name), "wb") as f:
        f.write(b"\n".join(lines))
    with open(os.path.join(d, "keys", f"x{EVIL}.vkey"), "wb") as f:
        f.write(b"\x1b[2J\xc2\x9b+00000000+AAAA\n")
    db = sqlite3.connect(os.path.join(d, "store.db"))
    db.execute("UPDATE peers SET name=name||char(27)||'[2J'")
    db.execute("UPDATE state SET merged=char(27)||'[2J' WHERE merged IS NULL")
    db.execute("CREATE TRIGGER \"t\x1b[2J\u009b\" AFTER INSERT ON events BEGIN SELECT 1; END")
    db.commit()
    db.close()
    before = fingerprint(d, TRUTH)
    shown(w, d)
    shutil.rmtree(w.path("shown"))
    need({n for n in before} <= set(fingerprint(d, TRUTH)), "files are gone")
    return "escaped"


@probe(NAMES)
def archive_name(w):
    """archives and snapshots whose gzip headers name ../../evil: no such file"""
    d = fresh(w, "compacted")
    for folder in ("archive", "snapshots"):
        for name in os.listdir(os.path.join(d, folder)):
            path = os.path.join(d, folder, name)
            with open(path, "rb") as f:
                text = gzip.decompress(f.read())
            with open(path, "wb") as f:
                with gzip.GzipFile("../../../evil\x1b[2J", "wb", fileobj=f) as g:
                    g.write(text)
    out = w.path("out")
    shutil.rmtree(out, ignore_errors=True)
    w.well("restore", d, "--out", out, "--at", "5")
    w.well("parity", out)
    w.well("compact", d, "--undo")
    w.well("parity", d)
    shutil.rmtree(out)
    need(not any("evil" in n for n in os.listdir(w.top)), "a file was made")
    return "OK 0"
