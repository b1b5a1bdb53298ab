"""Every kind of damage: a function that does it; its docstring is its name.

The decorator says what parity must answer (verdict, exit code, where: leg, file, seq; `*` is any), what
verify says of the log alone, and what mends it.  In `where` and `mend`:
    {a} {c} {d} {y} {z}   the first, third, fourth, last but one and last segment
    {k}                   the segment with the control entries in the middle
    DIR                   the damaged directory
    COPY                  an undamaged copy elsewhere, where one is needed
    ASIDE                 a folder of the operator's for what he moves away
A step that begins with `$` is for the shell.  `after` is the state in the end:
whole, or older where what is gone is in no leg.  `writer` is the exit code that
appending gets where parity has nothing to say, `blind` what parity says without a
witness.
"""
import os
import random
import shutil

from . import world

KINDS = []


class Kind:
    def __init__(self, inject, verdict, exit, where, alone, mend, args, after, writer,
                 blind, note):
        self.inject, self.name = inject, inject.__doc__
        self.verdict, self.exit, self.where = verdict, exit, where
        self.alone, self.mend, self.args = alone, mend, args
        self.after, self.writer = after, writer
        self.blind, self.note = blind, note


def kind(verdict, exit, where="", alone="CLEAN 0", mend=(), args=(), after="whole",
         writer=None, blind=None, note=""):
    def add(inject):
        KINDS.append(Kind(inject, verdict, exit, where, alone, tuple(mend),
                          tuple(args), after, writer, blind, note))
        return inject
    return add


class Victim:
    """A copy of the history that a kind damages."""

    def __init__(self, w, directory):
        self.w, self.dir = w, directory
        n = w.names
        control = next(s for s in n[1:] if b'"control":"strategy"' in w.log[s])
        self.names = {"a": n[0], "c": n[2], "d": n[3], "y": n[-2], "z": n[-1],
                      "k": control}

    def start_from(self, name):
        world.copy(self.w.path(name), self.dir)

    def path(self, name):
        return os.path.join(self.dir, name.format(**self.names))

    def remove(self, *names):
        for name in names:
            os.unlink(self.path(name))

    def take(self, other, *names):
        for name in names:
            source = self.w.path(other, name.format(**self.names))
            if os.path.isdir(source):
                world.copy(source, self.path(name))
            else:
                shutil.copy(source, self.path(name))

    def drop_store(self):
        self.remove("store.db", "store.db-wal", "store.db-shm")

    def sql(self, text):
        before = world.rows_of(self.dir, self.w.scratch)
        world.sql(self.path("store.db"), text)
        world.need(world.rows_of(self.dir, self.w.scratch) != before,
                   "the statement changed nothing")

    def lines(self, name, change):
        """change(list of lines without LF) alters the segment in place."""
        path = self.path("log/" + name)
        before = world.read(path)
        lines = before.split(b"\n")[:-1]
        change(lines)
        after = b"".join(line + b"\n" for line in lines)
        world.need(after != before, "nothing was damaged")
        world.write(path, after)

    def bytes(self, name, change):
        """change(bytearray) alters any file in place."""
        data = bytearray(world.read(self.path(name)))
        before = bytes(data)
        change(data)
        world.need(data != before, "nothing was damaged")
        world.write(self.path(name), data)


def first_of(lines, begin):
    return next(i for i, line in enumerate(lines) if line.startswith(begin))


def commit_of(lines):
    return first_of(lines, b'{"commit"')


def control_of(lines):
    return next(i for i, line in enumerate(lines) if b'"control":"strategy"' in line)


def swap(lines, i, j):
    lines[i], lines[j] = lines[j], lines[i]


def drop(lines, i):
    del lines[i]


def double(lines, i):
    lines.insert(i, lines[i])


def edit(lines, i, old, new):
    lines[i] = lines[i].replace(old, new, 1)


def cut_group(data, groups):
    """Where the group `groups` from the end begins, and its commit line."""
    commits = [i for i in range(len(data)) if data.startswith(b'{"commit"', i)]
    return data.index(b"\n", commits[-1 - groups]) + 1


FRESH = ["replay DIR --fresh"]
HEAL = ["salvage DIR --from-store"]

# ---- The store -------------------------------------------------------------


@kind("BEHIND", 3, "store store.db 1", mend=["replay DIR"])
def store_deleted(v):
    """store deleted"""
    v.drop_store()


@kind("FOREIGN", 5, "store store.db -", mend=FRESH)
def store_foreign(v):
    """store of another log"""
    v.drop_store()
    v.take("foreign", "store.db", "store.db-wal", "store.db-shm")


@kind("BEHIND", 3, "store store.db 4002", mend=["replay DIR"])
def store_older(v):
    """store older, copied back"""
    v.take("older", "store.db", "store.db-wal", "store.db-shm")


@kind("DIVERGED", 3, "store store.db 2000", mend=FRESH)
def event_edited(v):
    """store: row of events edited"""
    v.sql("UPDATE events SET line=replace(line,'\"mode\":\"100644\"','\"mode\":\"100755\"')"
          " WHERE seq=2000")


@kind("DIVERGED", 3, "store store.db 2000", mend=FRESH)
def event_removed(v):
    """store: row of events removed"""
    v.sql("DELETE FROM events WHERE seq=2000")


@kind("AHEAD", 3, "store store.db 9000", mend=FRESH)
def event_added(v):
    """store: row of events added behind the end"""
    v.sql("INSERT INTO events SELECT 9000,'new',resource,record_id,op,outcome,previous,line"
          " FROM events WHERE seq=2000")


@kind("DIVERGED", 3, "store store.db 2000", mend=FRESH)
def event_index(v):
    """store: id of an event edited"""
    v.sql("UPDATE events SET id='another' WHERE seq=2000")


@kind("DIVERGED", 3, "store store.db 8320", mend=FRESH)
def state_edited(v):
    """store: row of state (records) edited"""
    v.sql("UPDATE state SET version=version+1 WHERE record_id='.gitignore'")


@kind("DIVERGED", 3, "store store.db 8320", mend=FRESH)
def state_removed(v):
    """store: row of state (records) removed"""
    v.sql("DELETE FROM state WHERE record_id='.gitignore'")


@kind("DIVERGED", 3, "store store.db 8320", mend=FRESH)
def state_added(v):
    """store: row of state (records) added"""
    v.sql("INSERT INTO state SELECT resource,'nobody',seq,last,version,seconds,nanos,"
          "confidence,origin,origin_seq,payload_at,payload_len,merged FROM state"
          " WHERE record_id='.gitignore'")


@kind("DIVERGED", 3, "store store.db 2001", mend=FRESH)
def commit_row_edited(v):
    """store: row of checkpoints edited"""
    v.sql("UPDATE checkpoints SET line=replace(line,'\"sig\":\"','\"sig\":\"A')"
          " WHERE size=2001")


@kind("DIVERGED", 3, "store store.db 2001", mend=FRESH)
def commit_row_removed(v):
    """store: row of checkpoints removed"""
    v.sql("DELETE FROM checkpoints WHERE size=2001")


@kind("DIVERGED", 3, "store store.db 1302", mend=FRESH)
def segment_row_removed(v):
    """store: row of segments removed"""
    v.sql("DELETE FROM segments WHERE first=1302")


@kind("DIVERGED", 3, "store store.db 8329", mend=FRESH)
def head_edited(v):
    """store: its head (row of meta) edited"""
    v.sql("UPDATE meta SET size=size-1")


@kind("DIVERGED", 3, "store store.db -", mend=FRESH)
def trigger_added(v):
    """store: a trigger hung on events"""
    world.sql(v.path("store.db"), "CREATE TRIGGER t AFTER INSERT ON events BEGIN"
              " DELETE FROM state WHERE record_id='README.md'; END")


@kind("BEHIND", 3, "store store.db *", mend=["replay DIR"])
def wal_removed(v):
    """WAL and shm removed, with commits that were only there"""
    v.remove("store.db-wal", "store.db-shm")


@kind("CLEAN", 0)
def shm_removed(v):
    """shm removed"""
    v.remove("store.db-shm")


@kind("BEHIND", 3, "store store.db *", mend=["replay DIR"])
def wal_stale(v):
    """WAL and shm of an older store beside a newer store.db"""
    world.sql(v.path("store.db"), "SELECT 1")
    v.take("whole.wal", "store.db-wal")


@kind("DIVERGED", 3, "store store.db *", mend=FRESH)
def db_swapped(v):
    """an older store.db beside the newer WAL and shm"""
    v.take("older", "store.db")


@kind("DIVERGED", 3, "store store.db *", mend=FRESH)
def page_rotted(v):
    """store: a page of it rotted"""
    world.sql(v.path("store.db"), "SELECT 1")
    noise = random.Random(1).randbytes(4096)
    v.bytes("store.db", lambda b: b.__setitem__(slice(4096 * 300, 4096 * 301), noise))


@kind("DIVERGED", 3, "store store.db -", mend=FRESH)
def page_zeroed(v):
    """store: its first page zeroed"""
    world.sql(v.path("store.db"), "SELECT 1")
    v.bytes("store.db", lambda b: b.__setitem__(slice(0, 4096), bytes(4096)))


@kind("DIVERGED", 3, "store store.db -", mend=FRESH)
def store_cut(v):
    """store cut to its half"""
    world.sql(v.path("store.db"), "SELECT 1")
    v.bytes("store.db", lambda b: b.__delitem__(slice(len(b) // 8192 * 4096, None)))


@kind("BEHIND", 3, "store store.db 1", mend=FRESH)
def store_empty(v):
    """store.db empty, WAL and shm gone"""
    v.drop_store()
    world.write(v.path("store.db"), b"")


@kind("DIVERGED", 3, "store store.db -", mend=FRESH)
def store_directory(v):
    """a directory in place of store.db"""
    v.drop_store()
    os.mkdir(v.path("store.db"))


@kind("DIVERGED", 3, "store store.db -", mend=FRESH)
def store_fifo(v):
    """a FIFO in place of store.db"""
    v.drop_store()
    os.mkfifo(v.path("store.db"))


@kind("DIVERGED", 3, "store store.db -", mend=FRESH)
def store_symlink(v):
    """a symbolic link to the store of another log in place of store.db"""
    v.drop_store()
    os.symlink(v.w.path("foreign", "store.db"), v.path("store.db"))


# ---- The end of the log ----------------------------------------------------


def cut_edge(v):
    v.bytes("log/{z}", lambda b: b.__delitem__(slice(cut_group(b, 1), None)))


def cut_within(v):
    v.bytes("log/{z}", lambda b: b.__delitem__(slice(len(b) - 700, None)))


@kind("ROLLBACK", 5, "log log/{z} 8304", mend=HEAL)
def cut_edge_ahead(v):
    """log cut at a group edge, store ahead"""
    cut_edge(v)


@kind("CORRUPT", 5, "log log/{z} 8329", alone="TORN 4", mend=HEAL)
def cut_within_ahead(v):
    """log cut within a group, store ahead"""
    cut_within(v)


def torn_tail(v):
    """The older state with the beginning of its next group, as a crash leaves it."""
    v.start_from("older")
    whole, end = v.w.log, v.w.older_log
    name = sorted(end)[-1]
    grown = end[name].rstrip(b"\n")
    world.need(whole[name].startswith(grown), "the older log is not a beginning")
    world.write(v.path("log/" + name), whole[name][:len(grown) + 1 + 300])


@kind("TORN", 4, "log log/{k} 4003", alone="TORN 4", mend=["replay DIR"], after="older")
def tail_torn(v):
    """log ends in an unfinished group, store as old"""
    torn_tail(v)


@kind("BEHIND", 3, "store store.db 1", alone="TORN 4", mend=["replay DIR"], after="older",
      note="no store can tell whether that group was acknowledged; a witness can")
def tail_torn_no_store(v):
    """log ends in an unfinished group, no store"""
    torn_tail(v)
    v.drop_store()


@kind("TORN", 4, "log log/{k} 4002", alone="TORN 4", mend=["replay DIR"], after="older")
def tail_garbage(v):
    """garbage in the padding behind the end"""
    v.start_from("older")
    v.bytes("log/" + sorted(v.w.older_log)[-1],
            lambda b: b.extend(b"\n" * 512 + b"\x00garbage\xff" * 20))


@kind("CLEAN", 0, note="padding means nothing")
def tail_padding(v):
    """64 KiB of LFs behind the end"""
    v.bytes("log/{z}", lambda b: b.extend(b"\n" * 65536))


@kind("ROLLBACK", 5, "log - 8330", args=["--witness", "WITNESS"], blind="BEHIND 3",
      mend=["$ mv DIR/log/{z} ASIDE/", "$ cp COPY/log/{z} DIR/log/", "replay DIR"],
      note="without a witness or --expect-head only the store is missed; needs a copy of"
      " what is gone; all before the cut stays provable")
def cut_edge_no_store(v):
    """log cut at a group edge, no store"""
    cut_edge(v)
    v.drop_store()


# ---- Lines -----------------------------------------------------------------


@kind("CORRUPT", 5, "log log/{c} -", alone="CORRUPT 5", mend=HEAL)
def header_removed(v):
    """segment header removed"""
    v.lines("{c}", lambda x: drop(x, 0))


@kind("CORRUPT", 5, "log log/{c} 1302", alone="CORRUPT 5", mend=HEAL)
def header_doubled(v):
    """segment header doubled"""
    v.lines("{c}", lambda x: double(x, 0))


@kind("CORRUPT", 5, "log log/{c} 1302", alone="CORRUPT 5", mend=HEAL)
def header_swapped(v):
    """headers of two segments swapped"""
    c = world.read(v.path("log/{c}")).split(b"\n")[0]
    d = world.read(v.path("log/{d}")).split(b"\n")[0]
    v.lines("{c}", lambda x: x.__setitem__(0, d))
    v.lines("{d}", lambda x: x.__setitem__(0, c))


@kind("CORRUPT", 5, "log log/{c} -", alone="CORRUPT 5", mend=HEAL)
def header_edited(v):
    """segment header edited"""
    v.lines("{c}", lambda x: edit(x, 0, b'"tree":["', b'"tree":["A'))


@kind("CORRUPT", 5, "log log/{c} 1306", alone="CORRUPT 5", mend=HEAL)
def entry_removed(v):
    """entry removed"""
    v.lines("{c}", lambda x: drop(x, 5))


@kind("CORRUPT", 5, "log log/{c} 1307", alone="CORRUPT 5", mend=HEAL)
def entry_doubled(v):
    """entry doubled"""
    v.lines("{c}", lambda x: double(x, 5))


@kind("CORRUPT", 5, "log log/{c} 1306", alone="CORRUPT 5", mend=HEAL)
def entry_swapped(v):
    """two entries swapped"""
    v.lines("{c}", lambda x: swap(x, 5, 6))


@kind("TAMPERED", 5, "log log/{c} 1306", alone="TAMPERED 5", mend=HEAL)
def entry_edited(v):
    """entry edited"""
    v.lines("{c}", lambda x: edit(x, 5, b'"blob":"', b'"blob":"0'))


@kind("CORRUPT", 5, "log log/{k} 4002", alone="CORRUPT 5", mend=HEAL)
def control_removed(v):
    """control entry removed"""
    v.lines("{k}", lambda x: drop(x, control_of(x)))


@kind("CORRUPT", 5, "log log/{k} 4003", alone="CORRUPT 5", mend=HEAL)
def control_doubled(v):
    """control entry doubled"""
    v.lines("{k}", lambda x: double(x, control_of(x)))


@kind("CORRUPT", 5, "log log/{k} 4002", alone="CORRUPT 5", mend=HEAL)
def control_swapped(v):
    """two control entries swapped"""
    v.lines("{k}", lambda x: swap(x, control_of(x), control_of(x) + 2))


@kind("TAMPERED", 5, "log log/{k} 4002", alone="TAMPERED 5", mend=HEAL)
def control_edited(v):
    """control entry edited"""
    v.lines("{k}", lambda x: edit(x, control_of(x), b'keep-local', b'merge-json'))


@kind("CORRUPT", 5, "log log/{c} 1402", alone="CORRUPT 5", mend=HEAL)
def commit_removed(v):
    """commit removed"""
    v.lines("{c}", lambda x: drop(x, commit_of(x)))


@kind("CORRUPT", 5, "log log/{c} 1402", alone="CORRUPT 5", mend=HEAL)
def commit_doubled(v):
    """commit doubled"""
    v.lines("{c}", lambda x: double(x, commit_of(x)))


@kind("CORRUPT", 5, "log log/{c} 1302", alone="CORRUPT 5", mend=HEAL)
def commit_swapped(v):
    """two commits swapped"""
    v.lines("{c}", lambda x: swap(x, commit_of(x), commit_of(x) + 101))


@kind("CORRUPT", 5, "log log/{c} 1302", alone="CORRUPT 5", mend=HEAL)
def commit_edited(v):
    """commit edited"""
    v.lines("{c}", lambda x: edit(x, commit_of(x), b'"sig":"', b'"sig":"A'))


@kind("CORRUPT", 5, "log log/{c} 1302", alone="CORRUPT 5", mend=HEAL)
def group_removed(v):
    """a whole group removed"""
    v.lines("{c}", lambda x: x.__delitem__(slice(1, commit_of(x) + 1)))


@kind("CORRUPT", 5, "log log/{c} 1402", alone="CORRUPT 5", mend=HEAL)
def group_doubled(v):
    """a whole group doubled"""
    v.lines("{c}", lambda x: x.__setitem__(slice(1, 1), x[1:commit_of(x) + 1]))


@kind("TAMPERED", 5, "log log/{c} 1302", alone="TAMPERED 5", mend=HEAL)
def bit_flipped(v):
    """one bit flipped in a payload"""
    v.bytes("log/{c}", lambda b: b.__setitem__(b.index(b'"blob":"') + 9,
                                               b[b.index(b'"blob":"') + 9] ^ 1))


@kind("CORRUPT", 5, "log log/{c} 1306", alone="CORRUPT 5", mend=HEAL)
def salt_edited(v):
    """salt of an entry edited"""
    v.lines("{c}", lambda x: edit(x, 5, b'"salt":"', b'"salt":"A'))


@kind("CORRUPT", 5, "log log/{c} 1313", alone="CORRUPT 5", mend=HEAL)
def lf_changed(v):
    """an LF changed into a space"""
    v.bytes("log/{c}", lambda b: b.__setitem__(b.index(b"\n", 5000), 0x20))


@kind("CORRUPT", 5, "log log/{c} 1306", alone="CORRUPT 5", mend=HEAL)
def empty_line(v):
    """an empty line in the middle"""
    v.lines("{c}", lambda x: x.insert(5, b""))


@kind("CORRUPT", 5, "log log/{c} 1321", alone="CORRUPT 5", mend=HEAL)
def zeros(v):
    """a block of zeros"""
    v.bytes("log/{c}", lambda b: b.__setitem__(slice(8192, 12288), bytes(4096)))


# ---- Segments --------------------------------------------------------------


@kind("CORRUPT", 5, "log log/{a} 1", alone="CORRUPT 5", mend=HEAL)
def segment_first(v):
    """first segment removed"""
    v.remove("log/{a}")


@kind("CORRUPT", 5, "log log/{c} 1302", alone="CORRUPT 5", mend=HEAL)
def segment_middle(v):
    """segment in the middle removed"""
    v.remove("log/{c}")


@kind("ROLLBACK", 5, "log log/{y} 8004", mend=HEAL)
def segment_last(v):
    """last segment removed"""
    v.remove("log/{z}")


@kind("ROLLBACK", 5, "log - -", alone="ROLLBACK 5", mend=HEAL)
def segments_all(v):
    """all segments removed"""
    v.remove(*("log/" + n for n in v.w.names))


@kind("CORRUPT", 5, "log log/{c} 1563", alone="CORRUPT 5", mend=HEAL)
def segment_cut(v):
    """segment in the middle cut within a group"""
    v.bytes("log/{c}", lambda b: b.__delitem__(slice(100000, None)))


@kind("CORRUPT", 5, "log log/00000000000000001802.jsonl 1802", alone="CORRUPT 5", mend=HEAL)
def segment_cut_edge(v):
    """segment in the middle cut at a group edge"""
    v.bytes("log/{c}", lambda b: b.__delitem__(slice(cut_group(b, 1), None)))


@kind("CORRUPT", 5, "log log/{c} 1302", alone="CORRUPT 5", mend=HEAL)
def segment_renamed(v):
    """segment renamed"""
    os.rename(v.path("log/{c}"), v.path("log/00000000000000001399.jsonl"))


@kind("CORRUPT", 5, "log log/{d} 1902", alone="CORRUPT 5", mend=HEAL)
def segment_twice(v):
    """segment there twice, under another name"""
    shutil.copy(v.path("log/{c}"), v.path("log/00000000000000001399.jsonl"))


@kind("CORRUPT", 5, "log log/{c} 1302", alone="CORRUPT 5", mend=HEAL)
def segment_swapped(v):
    """two segments swapped"""
    os.rename(v.path("log/{c}"), v.path("log/x"))
    os.rename(v.path("log/{d}"), v.path("log/{c}"))
    os.rename(v.path("log/x"), v.path("log/{d}"))


@kind("CORRUPT", 5, "log log/{c} -", alone="CORRUPT 5", mend=HEAL)
def segment_emptied(v):
    """segment in the middle empty"""
    world.write(v.path("log/{c}"), b"")


@kind("CORRUPT", 5, "log log/{c} -", alone="CORRUPT 5", mend=HEAL)
def segment_symlink(v):
    """a symbolic link in place of a segment"""
    v.remove("log/{c}")
    os.symlink(v.w.path("whole", "log", v.names["c"]), v.path("log/{c}"))


@kind("CORRUPT", 5, "log log/{c} -", alone="CORRUPT 5", mend=HEAL)
def segment_linked(v):
    """a second hard link to a segment"""
    os.link(v.path("log/{c}"), v.path("hard-link"))


@kind("CORRUPT", 5, "log log/notes.txt -", alone="CORRUPT 5",
      mend=["$ mv DIR/log/notes.txt ASIDE/"])
def stranger(v):
    """a file in log/ that is no segment"""
    world.write(v.path("log/notes.txt"), b"remember the milk\n")


@kind("CLEAN", 0)
def rewriting(v):
    """a segment half rewritten (log/NAME.jsonl.new) left by a crash"""
    world.write(v.path("log/{z}.new"), v.w.log[v.w.names[-1]][:1000])


# ---- Whole legs ------------------------------------------------------------


@kind("ROLLBACK", 5, "log log/{k} 4002", mend=HEAL)
def log_older(v):
    """older log copied back, store newer"""
    v.take("older", "log")


@kind("FORK", 5, "store store.db 8330", mend=HEAL,
      note="pin the old key with --key")
def log_resigned(v):
    """log signed again by another key, its vkey beside the old one"""
    v.take("resigned", "log")
    key = v.w.other_vkey.split("+")[1]
    shutil.copy(v.w.path("resigned", "keys", key + ".vkey"), v.path("keys"))


@kind("UNKNOWN_KEY", 12, "log log/{a} 1", alone="UNKNOWN_KEY 12",
      args=["--key", "VKEY"], mend=HEAL)
def log_resigned_unknown(v):
    """log signed again by a key that is not trusted here"""
    v.take("resigned", "log")


@kind("FOREIGN", 5, "store store.db -", alone="UNKNOWN_KEY 12",
      mend=["rebuild DIR --log --out ASIDE/new", "$ mv DIR/log ASIDE/",
            "$ mv ASIDE/new/log DIR/"])
def log_foreign(v):
    """log of another origin"""
    v.take("foreign", "log")


@kind("FORK", 5, "store store.db 8330",
      mend=["rebuild DIR --log --out ASIDE/new", "$ mv DIR/log ASIDE/",
            "$ mv ASIDE/new/log DIR/"],
      note="both are signed; who runs the log says which one goes on, the other is kept")
def log_forked(v):
    """log went on otherwise from an older copy, under the same key"""
    v.take("fork", "log")


@kind("FORK", 5, "store store.db 8330",
      mend=["$ mv DIR/store.db* ASIDE/", "replay DIR"],
      note="as the row above, where the log is the one that goes on")
def store_forked(v):
    """store of a log that went on otherwise from an older copy, under the same key"""
    v.drop_store()
    v.take("fork", "store.db", "store.db-wal", "store.db-shm")


@kind("ROLLBACK", 5, "log - 8330", args=["--witness", "WITNESS"], blind="CLEAN 0",
      mend=["$ mv DIR/log DIR/store.db* ASIDE/", "$ cp -R COPY/log DIR/", "replay DIR"],
      note="parity says CLEAN without a witness or --expect-head; needs a copy of what"
      " is gone; all up to the older head stays provable")
def both_older(v):
    """log and store rolled back together"""
    v.start_from("older")


@kind("TAMPERED", 5, "log log/{c} 1302", alone="TAMPERED 5",
      mend=["$ mv DIR/log/{c} ASIDE/", "$ cp COPY/log/{c} DIR/log/", "replay DIR --fresh"],
      note="needs a copy of that segment; every other group stays provable")
def both_edited(v):
    """the same entry edited in log and store"""
    entry_edited(v)
    v.sql("UPDATE events SET line=replace(line,'\"blob\":\"','\"blob\":\"0') WHERE seq=1306")


@kind("CORRUPT", 5, "log log/{c} 1302", alone="CORRUPT 5",
      mend=["$ cp COPY/log/{c} DIR/log/", "replay DIR"],
      note="needs a copy of that segment; the other segments stay provable, each from its"
      " own header")
def both_lost(v):
    """segment in the middle removed, and store deleted"""
    v.remove("log/{c}")
    v.drop_store()


@kind("TAMPERED", 5, "log log/{c} 1306", alone="TAMPERED 5",
      mend=["salvage DIR --from-store", "replay DIR --fresh"])
def both_elsewhere(v):
    """log and store damaged at different places"""
    entry_edited(v)
    v.sql("UPDATE state SET version=version+1 WHERE record_id='.gitignore'")
    v.sql("DELETE FROM events WHERE seq=5000")


# ---- Keys and the rest -----------------------------------------------------


@kind("CLEAN", 0, writer=12, mend=["$ cp COPY/keys/signing.key DIR/keys/"],
      note="needs a copy of the key; both legs stay provable without it")
def key_gone(v):
    """signing key gone"""
    v.remove("keys/signing.key")


@kind("CLEAN", 0, writer=12, mend=["$ mv DIR/keys/signing.key ASIDE/",
                                   "$ cp COPY/keys/signing.key DIR/keys/"],
      note="needs a copy of the key; both legs stay provable without it")
def key_wrong(v):
    """signing key of another log"""
    v.take("resigned", "keys/signing.key")


@kind("CLEAN", 0, writer=12, mend=["$ chmod 0600 DIR/keys/signing.key"])
def key_mode(v):
    """signing key readable by others (mode 0644)"""
    os.chmod(v.path("keys/signing.key"), 0o644)


@kind("UNKNOWN_KEY", 12, "log log/{a} 1", alone="UNKNOWN_KEY 12",
      mend=["key trust DIR VKEY"])
def vkey_gone(v):
    """public key gone"""
    v.remove("keys/" + v.w.vkey.split("+")[1] + ".vkey")


@kind("KEY", 12, alone="KEY 12", mend=["$ mv DIR/keys/*.vkey ASIDE/", "key trust DIR VKEY"])
def vkey_garbage(v):
    """public key edited"""
    v.bytes("keys/" + v.w.vkey.split("+")[1] + ".vkey",
            lambda b: b.__setitem__(20, b[20] ^ 1))


@kind("CLEAN", 0)
def lock_removed(v):
    """lock file removed"""
    v.remove("lock")


@kind("CLEAN", 0)
def quarantine_there(v):
    """something in quarantine/"""
    os.mkdir(v.path("quarantine"), 0o700)
    world.write(v.path("quarantine/old"), b"kept\n")
