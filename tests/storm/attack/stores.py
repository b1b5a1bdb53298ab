"""Malicious SQLite files in the place of store.db: never a crash, nothing outside
is touched, and never CLEAN when the rows that the log determines differ."""
import os
import shutil
import sqlite3
import struct

from .cases import CASES, Case
from .world import need

PART = "The store"
TABLES = ("events", "checkpoints", "segments", "rotations", "redactions", "cursors",
          "state", "meta", "compactions", "old_ids")
# Whatever these say, they must end, and end well.
READERS = [(args, "") for args in (
    ("get", "DIR", "pets", "1"), ("history", "DIR", "pets", "1"), ("log", "DIR"),
    ("query", "DIR", "SELECT * FROM records"), ("query", "DIR", "SELECT * FROM events"),
    ("status", "DIR"), ("peer", "list", "DIR"), ("cursor", "list", "DIR"),
    ("rebuild", "DIR", "--log", "--out", "OUT"), ("doctor", "DIR"))]


def rows(path, scratch):
    """What a store holds, as SQLite itself reads it; None where it cannot."""
    shutil.rmtree(scratch, ignore_errors=True)
    os.mkdir(scratch)
    for end in ("", "-wal"):
        if os.path.isfile(path + end):
            shutil.copy(path + end, os.path.join(scratch, "x.db" + end))
    db = sqlite3.connect(os.path.join(scratch, "x.db"))
    try:
        # A journal mode or a place on the disk is no content.
        return [sorted(map(repr, db.execute(f"SELECT * FROM {t}"))) for t in TABLES]
    except (sqlite3.Error, sqlite3.Warning, OverflowError):
        return None
    finally:
        db.close()


BLOB = "a line as a BLOB of the same bytes"


class Store(Case):
    """As a case; if parity is clean, the rows are those that were there."""

    def __init__(self, inject, finds, **more):
        more.setdefault("also", READERS)
        super().__init__(inject, PART, finds, **more)

    def read_only(self, v):
        cells = super().read_only(v)
        if cells["p"] == ["CLEAN 0"]:
            scratch = v.w.path("rows")
            have = rows(v.path("store.db"), scratch)
            need(have == rows(v.w.path(self.base, "store.db"), scratch),
                 "parity is CLEAN, and the rows differ")
        return cells


def store(finds, **more):
    def add(inject):
        CASES.append(Store(inject, finds, **more))
        return inject
    return add


def script(finds, name, *texts, **more):
    """One of these SQL texts, by seed."""
    def inject(v):
        text = v.rng.choice(texts).replace("OUTSIDE", v.w.outside)
        v.sql(text, script=True)
    inject.__doc__ = name
    CASES.append(Store(inject, finds, **more))


SCHEMA = "PRAGMA writable_schema=1; "
EVENT = " WHERE seq=(SELECT max(seq)-3 FROM events)"

script("p", "a row of a table edited, removed or added",
       "UPDATE events SET line=replace(line,'\"v\":','\"v\":1')" + EVENT,
       "DELETE FROM events" + EVENT, "UPDATE events SET id='other'" + EVENT,
       "UPDATE events SET op='delete'" + EVENT, "UPDATE events SET previous=1" + EVENT,
       "INSERT INTO events SELECT seq+1000,'more',resource,record_id,op,outcome,previous,"
       "line FROM events" + EVENT,
       "UPDATE state SET version=version+1", "DELETE FROM state",
       "UPDATE state SET payload_at=payload_at+1", "UPDATE state SET merged='{}'",
       "UPDATE state SET confidence=0.5, seconds=seconds+1",
       "DELETE FROM checkpoints WHERE size=(SELECT min(size) FROM checkpoints)",
       "INSERT INTO segments VALUES(2)", "INSERT INTO rotations VALUES(3)",
       "INSERT INTO cursors VALUES('crm','pets','stolen',3)",
       "INSERT INTO peers(name,added,cursor) VALUES('thief',3,0)",
       "INSERT INTO redactions VALUES(4,3,0)", "INSERT INTO compactions VALUES(4,3,0)",
       either="a")
script("p", "the row of meta edited: rules, floor, base, offset, range, root, size, name",
       "UPDATE meta SET strategy='keep-local'", "UPDATE meta SET line_max=line_max+1",
       "UPDATE meta SET segment_size=1", "UPDATE meta SET floor=3", "UPDATE meta SET base=3",
       "UPDATE meta SET offset=offset-1", "UPDATE meta SET range=zeroblob(length(range))",
       "UPDATE meta SET root=zeroblob(32)", "UPDATE meta SET size=size+1",
       "UPDATE meta SET size=-1", "UPDATE meta SET origin='example.org/other'",
       "UPDATE meta SET sig=zeroblob(64)", "UPDATE meta SET redactions=7",
       "DELETE FROM meta", "UPDATE meta SET segment=2", either="a")
script("p", "the id of a delta that is still to come planted among the old ones",
       "INSERT INTO old_ids SELECT randomblob(32),max(seq)+9,zeroblob(32),NULL FROM events",
       "INSERT INTO old_ids SELECT randomblob(32),2,zeroblob(32),zeroblob(32)",
       either="a")
script("p", "values of wrong types: texts for numbers, blobs for texts, NULs, negatives,"
       " 2^63 - 1, NaN",
       "UPDATE events SET line=line||char(0)" + EVENT,
       "UPDATE events SET resource=resource||char(0)||'x'" + EVENT,
       "UPDATE events SET previous=-1" + EVENT, "UPDATE events SET op=x'ff'" + EVENT,
       "UPDATE events SET previous=9223372036854775807" + EVENT,
       "UPDATE state SET version='many'", "UPDATE state SET seq=-5",
       "UPDATE state SET seq=9223372036854775807, last=9223372036854775807",
       "UPDATE state SET payload_at=2147483647, payload_len=2147483647",
       "UPDATE state SET payload_len=-1", "UPDATE state SET confidence='x'",
       "UPDATE state SET confidence=9e999", "UPDATE state SET nanos=-1, seconds='x'",
       "UPDATE OR IGNORE state SET resource=x'fffe'", "UPDATE meta SET root='text'",
       "UPDATE meta SET size='9'||char(0)", "UPDATE meta SET range=x'00'",
       "UPDATE meta SET origin=origin||char(0)", "UPDATE meta SET strategy=zeroblob(9)",
       "UPDATE meta SET segment=9223372036854775807",
       "UPDATE meta SET offset=9223372036854775807", "UPDATE checkpoints SET line=x'00ff'",
       "UPDATE segments SET first=-9223372036854775807 WHERE first=1", either="a")
script("p", BLOB, "UPDATE events SET line=CAST(line AS BLOB)" + EVENT, either="pa")
script("p", "values of 40 MB: a line, an id, a root, a name, a statement",
       "UPDATE events SET line=zeroblob(40000000)" + EVENT,
       "UPDATE events SET id=hex(zeroblob(20000000))" + EVENT,
       "UPDATE meta SET range=zeroblob(40000000)", "UPDATE meta SET root=zeroblob(40000000)",
       "UPDATE meta SET origin=hex(zeroblob(20000000))",
       "UPDATE state SET merged=hex(zeroblob(20000000))",
       "UPDATE checkpoints SET line=hex(zeroblob(20000000))", either="a")
script("pa", "triggers on our tables: on insert, update or delete, also recursive",
       "CREATE TRIGGER t AFTER INSERT ON events BEGIN DELETE FROM state; END",
       "CREATE TRIGGER t BEFORE INSERT ON events BEGIN SELECT RAISE(IGNORE); END",
       "CREATE TRIGGER t AFTER UPDATE ON state BEGIN UPDATE state SET version=9; END",
       "CREATE TRIGGER t AFTER INSERT ON meta BEGIN INSERT INTO events(seq,line)"
       " VALUES(new.size+1000,'x'); END",
       "CREATE TRIGGER t INSTEAD OF INSERT ON records BEGIN DELETE FROM events; END")
script("pa", "a view in the place of a table of ours",
       "ALTER TABLE events RENAME TO hidden; CREATE VIEW events AS SELECT * FROM hidden",
       "ALTER TABLE state RENAME TO hidden; CREATE VIEW state AS SELECT * FROM hidden;"
       "CREATE TRIGGER t INSTEAD OF INSERT ON state BEGIN SELECT 1; END",
       "ALTER TABLE meta RENAME TO hidden; CREATE VIEW meta AS SELECT * FROM hidden")
script("pa", "the view `records` with another text",
       "DROP VIEW records; CREATE VIEW records AS SELECT 'pets' AS resource,'1' AS record_id,"
       "'{}' AS payload,'s' AS source,1 AS confidence,'' AS occurred_at,1 AS version,1 AS seq",
       "DROP VIEW records; CREATE VIEW records AS SELECT * FROM records",
       "DROP VIEW records; CREATE TABLE records(resource,record_id,payload,source,confidence,"
       "occurred_at,version,seq)")
script("pa", "a column more: generated, with a default, a check, another collation",
       "ALTER TABLE events ADD COLUMN more INT GENERATED ALWAYS AS (length(line)) VIRTUAL",
       "ALTER TABLE events ADD COLUMN more INT DEFAULT 7",
       "ALTER TABLE state ADD COLUMN more INT CHECK(abs(1)>0)",
       SCHEMA + "UPDATE sqlite_schema SET sql=replace(sql,'TEXT','TEXT COLLATE NOCASE')"
       " WHERE name='state'",
       SCHEMA + "UPDATE sqlite_schema SET sql=replace(sql,'line TEXT','line TEXT DEFAULT"
       " (randomblob(9))') WHERE name='events'")
script("pa", "an index of somebody else on our tables, partial or on an expression",
       "CREATE INDEX i ON events(length(line))", "CREATE UNIQUE INDEX i ON state(last)",
       "CREATE INDEX i ON events(seq) WHERE json_valid(line)")
script("pa", "an index of ours dropped",
       SCHEMA + "DELETE FROM sqlite_schema WHERE type='index' AND sql IS NOT NULL",
       "DROP INDEX redactions_pending")
script("pa", "a broken schema: garbage, two tables on one page, pages 0, 2^31 or none",
       SCHEMA + "UPDATE sqlite_schema SET sql='CREATE TABLE events(' WHERE name='events'",
       SCHEMA + "UPDATE sqlite_schema SET sql='CREATE VIRTUAL TABLE events USING fts5(line)'"
       " WHERE name='events'",
       SCHEMA + "UPDATE sqlite_schema SET rootpage=0 WHERE name='events'",
       SCHEMA + "UPDATE sqlite_schema SET rootpage=2147483647 WHERE name='events'",
       SCHEMA + "UPDATE sqlite_schema SET rootpage=-1 WHERE name='state'",
       SCHEMA + "UPDATE sqlite_schema SET rootpage=1 WHERE name='state'",
       SCHEMA + "UPDATE sqlite_schema SET type='view' WHERE name='state'",
       SCHEMA + "UPDATE sqlite_schema SET name='event' WHERE name='events'",
       SCHEMA + "DELETE FROM sqlite_schema WHERE name='meta'",
       SCHEMA + "UPDATE sqlite_schema SET sql=x'00ff' WHERE name='meta'")
script("p", "two of our tables on one page",
       SCHEMA + "UPDATE sqlite_schema SET rootpage=(SELECT rootpage FROM sqlite_schema WHERE"
       " name='events') WHERE name='checkpoints'",
       SCHEMA + "UPDATE sqlite_schema SET rootpage=(SELECT rootpage FROM sqlite_schema WHERE"
       " name='segments') WHERE name='rotations'", either="a")
script("pa", "a store of a newer version, or of another program",
       "PRAGMA user_version=1", "PRAGMA user_version=3", "PRAGMA user_version=99", "PRAGMA application_id=1",
       "PRAGMA user_version=0")
script("", "tables, views, triggers and statistics of the caller beside ours",
       "CREATE TABLE mine(a); CREATE TRIGGER t AFTER INSERT ON mine BEGIN DELETE FROM mine;"
       " END", "CREATE VIEW mine AS SELECT * FROM mine", "ANALYZE",
       "CREATE VIRTUAL TABLE mine USING fts5(x)", "CREATE TABLE sqlx(a); PRAGMA foreign_keys=1")
script("", "statistics that mislead the planner",
       "ANALYZE; UPDATE sqlite_stat1 SET stat='1 1 1 1', idx=NULL",
       "ANALYZE; INSERT INTO sqlite_stat1 VALUES('events','x','0 0 0 unordered sz=1')")
script("", "another page size, vacuum mode or journal mode",
       "PRAGMA journal_mode=DELETE; PRAGMA page_size=512; VACUUM",
       "PRAGMA journal_mode=DELETE; PRAGMA page_size=65536; VACUUM; PRAGMA journal_mode=WAL",
       "PRAGMA journal_mode=DELETE; PRAGMA auto_vacuum=FULL; VACUUM",
       "PRAGMA journal_mode=DELETE", "PRAGMA journal_mode=PERSIST; CREATE TABLE x(a)",
       "PRAGMA secure_delete=0; PRAGMA default_cache_size=1")


@store("p", either="pa")
def dirt(v):
    """some bytes of the file turned, anywhere"""
    data = bytearray(v.read("store.db"))
    for _ in range(v.rng.choice([1, 4, 64])):
        data[v.rng.randrange(len(data))] ^= 1 << v.rng.randrange(8)
    v.write("store.db", bytes(data))


@store("p", either="pa")
def header_dirt(v):
    """bytes of SQLite's header turned: page size, versions, counts, encoding"""
    data = bytearray(v.read("store.db"))
    at = v.rng.randrange(16, 100)
    data[at] = v.rng.choice([0, 1, 2, 3, 0x7F, 0x80, 0xFF])
    v.write("store.db", bytes(data))


@store("", either="pa")
def utf16(v):
    """the same rows in UTF-16"""
    db = sqlite3.connect(v.path("store.db"))
    parts = list(db.iterdump())
    app = db.execute("PRAGMA application_id").fetchone()[0]
    version = db.execute("PRAGMA user_version").fetchone()[0]
    db.close()
    v.drop_store()
    db = sqlite3.connect(v.path("store.db"), isolation_level=None)
    db.execute("PRAGMA encoding='UTF-16le'")
    db.executescript("\n".join(parts))
    db.execute(f"PRAGMA application_id={app}")
    db.execute(f"PRAGMA user_version={version}")
    db.execute("PRAGMA journal_mode=WAL")
    db.close()
    os.chmod(v.path("store.db"), 0o600)


@store("p", either="a")
def hot_journal(v):
    """a rollback journal that puts an old page back, and names a file outside as
    its super-journal, which SQLite would remove"""
    data = v.read("store.db")
    size = struct.unpack(">H", data[16:18])[0]
    size = 65536 if size == 1 else size
    page = data[size:2 * size]
    total = sum(page[i] for i in range(size - 200, 0, -200)) & 0xffffffff
    journal = (bytes.fromhex("d9d505f920a163d7") + struct.pack(
        ">5I", 1, 0, len(data) // size, 512, size)).ljust(512, b"\0")
    journal += struct.pack(">I", 2) + page + struct.pack(">I", total)
    name = os.path.join(v.w.outside, "canary").encode()
    if v.rng.randrange(4):
        journal += struct.pack(">I", 0x40000000 // size + 1) + name + struct.pack(
            ">2I", len(name), sum(name)) + bytes.fromhex("d9d505f920a163d7")
    v.write("store.db-journal", journal)


@store("p", either="pa")
def wal_of_another(v):
    """the WAL of another store, or dirt, beside ours"""
    other = v.w.path("walled.db")
    if not os.path.exists(other):
        shutil.copy(v.w.path("fork", "store.db"), other)
        db = sqlite3.connect(other)
        db.execute("PRAGMA wal_autocheckpoint=0")
        db.execute("UPDATE events SET line='forged'")
        db.commit()
        shutil.copy(other + "-wal", v.w.path("kept.wal"))
        db.close()
    data = open(v.w.path("kept.wal"), "rb").read()
    v.write("store.db-wal", v.rng.choice([data, data[:5000], v.rng.randbytes(9000),
                                          data[:32]]))
    os.chmod(v.path("store.db-wal"), 0o600)


@store("p", either="a")
def of_fork(v):
    """the store of another history of the same key"""
    v.drop_store()
    v.take("fork", "store.db")


@store("pa")
def of_other(v):
    """the store of another log"""
    v.drop_store()
    v.take("other", "store.db")


@store("pa")
def no_database(v):
    """no database: empty tables, a text, random bytes, an image of SQLite's header"""
    v.drop_store()
    head = b"SQLite format 3\0"
    v.write("store.db", v.rng.choice([b"text\n" * 999, v.rng.randbytes(9000), head,
                                      head + bytes(84), head + v.rng.randbytes(4080)]))

