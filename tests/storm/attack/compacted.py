"""Attacks on redaction and compaction: orders, floors, snapshots, archives, and
what the store says of them."""
import gzip
import os
import struct
import zlib

from . import forge
from .cases import attack

second = forge.second
ORDERS, FLOOR = "Redaction", "Compaction"
INNER = "vkpw"


def with_line(v, wanted, change):
    """change(line) on the first line that has these bytes."""
    log = v.log()
    for lines in log.segments.values():
        for i, line in enumerate(lines):
            if wanted in line:
                lines[i] = change(line)
                assert lines[i] != line
                log.save()
                return
    raise AssertionError("no such line")


def redacted_form(line):
    """The line as a redaction would leave it."""
    leaf = second.b64(second.sha256(b"\x00" + line))
    m = second.re.fullmatch(
        rb'(.*"op":"upsert")(?:,"payload":\{.*?\})(,"occurred_at":.*?\})(?:,"outcome":"skipped")?'
        rb',"salt":"[^"]*"(,"logged_at":"[^"]*")?\}', line)
    return m[1] + m[2] + (m[3] or b"") + b',"redacted":"' + leaf.encode() + b'"}'


def plain_delta(v):
    """An upsert that is not redacted, in a group that is not the last."""
    log = v.log()
    return v.rng.choice([line for n, a, e in log.groups()[:-1] for line in log.segments[n][a:e]
                         if b'"op":"upsert"' in line and b'"payload"' in line])


@attack(ORDERS, INNER, base="full")
def dropped(v):
    """a payload dropped as if by a redaction, without an order"""
    line = plain_delta(v)
    with_line(v, line, redacted_form)


@attack(ORDERS, INNER, base="full")
def dropped_order_edited(v):
    """the same, and the order of another entry edited to fit"""
    line = plain_delta(v)
    seq = second.re.match(rb'\{"seq":([0-9]+)', line)[1]
    other = redacted_form(line)
    with_line(v, line, lambda _: other)
    with_line(v, b'"control":"redact"', lambda o: second.re.sub(
        rb'"args":\{"seq":[0-9]+,"leaf":"[^"]*","line":"[^"]*"', b'"args":{"seq":%s,"leaf":"%s",'
        b'"line":"%s"' % (seq, second.b64(second.redacted_leaf(other)).encode(),
                          second.b64(second.sha256(other)).encode()), o))


@attack(ORDERS, INNER, base="full")
def order_edited(v):
    """the order's reason, seq, leaf or line edited"""
    def change(line):
        what, new = v.rng.choice([(rb'"reason":"asked"', b'"reason":"asker"'),
                                  (rb'"args":\{"seq":[0-9]+', b'"args":{"seq":2'),
                                  (rb'"leaf":"[^"]{3}', b'"leaf":"AAA'),
                                  (rb'"line":"[^"]{3}', b'"line":"AAA')])
        return second.re.sub(what, new, line)
    with_line(v, b'"control":"redact"', change)


@attack(ORDERS, INNER, base="full")
def order_out(v):
    """the order's group left out"""
    log = v.log()
    for name, start, end in log.groups():
        if any(b'"control":"redact"' in line for line in log.segments[name][start:end]):
            del log.segments[name][start:end + 1]
            break
    log.save()


@attack(ORDERS, INNER, base="full")
def redacted_edited(v):
    """the redacted line's record, source, time or hash edited"""
    def change(line):
        what, new = v.rng.choice([(b'"record_id":"', b'"record_id":"9'),
                                  (b'"source":"crm"', b'"source":"cRm"'),
                                  (b'"occurred_at":"2026', b'"occurred_at":"2025'),
                                  (b'"resource":"', b'"resource":"x'),
                                  (b'"redacted":"', b'"redacted":"')])
        if what == new:
            at = line.index(what) + len(what)
            return line[:at] + (b"A" if line[at:at + 1] != b"A" else b"B") + line[at + 1:]
        return line.replace(what, new)
    with_line(v, b'"redacted":"', change)


@attack(ORDERS, INNER, base="full")
def made_up(v):
    """the redacted line with a payload that somebody made up"""
    with_line(v, b'"redacted":"', lambda line: second.re.sub(
        rb',"occurred_at"', b',"payload":{"v":1},"occurred_at"', line[:-58]) +
        b',"salt":"AAAAAAAAAAAAAAAAAAAAAA=="}')


@attack(ORDERS, INNER, base="restored")
def brought_gone(v):
    """the order in orders/ of a restored copy removed"""
    for name in os.listdir(v.path("orders")):
        os.remove(v.path("orders", name))


@attack(ORDERS, INNER, base="restored")
def brought_forged(v):
    """the order in orders/ signed by another key, edited, cut, or of another
    size"""
    name = os.listdir(v.path("orders"))[0]
    text = v.read("orders/" + name).decode()
    head, note = text.split("\n\n", 1)
    origin, c = second.parse_note(note)
    lines = head.split("\n")
    what = v.rng.randrange(5)
    if what == 0:
        thief = forge.Key(origin, v.w.thief.seed)
        note = thief.commit(c.size, c.root).note(origin)
    elif what == 1:
        lines[3:] = lines[4:] if len(lines) > 3 else ["A" * 43 + "="]
    elif what == 2:
        lines[2] = f"index {second.number(lines[2][6:]) + v.rng.choice([1, -1, 2 ** 62])}"
    elif what == 3:
        note = forge.Key.commit(v.key, c.size + 1, c.root).note(origin)
        note = note.replace(second.b64(c.root), second.b64(v.rng.randbytes(32)))
    else:
        note = note[:v.rng.randrange(len(note) - 1)]
    v.write("orders/" + name, "\n".join(lines) + "\n\n" + note)


@attack(ORDERS, "", base="restored", keep=False)
def orders_dirt(v):
    """orders/ filled with dirt: huge files, binary, links, FIFOs, directories,
    names with escapes"""
    v.write("orders/dirt", v.rng.randbytes(3000))
    v.write("orders/huge", b"c2sp.org/tlog-proof@v1\n" * 200000)
    v.write("orders/x\x1b[31m", b"\x00" * 9)
    os.mkdir(v.path("orders", "folder"))
    os.mkfifo(v.path("orders", "fifo"))
    os.symlink("/dev/zero", v.path("orders", "endless"))
    os.symlink(os.path.join(v.w.outside, "canary"), v.path("orders", "link"))


@attack(ORDERS, "", base="full")
def pending_forged(v):
    """the store says that the redaction of another entry is pending, so that the
    next opening takes its payload away"""
    line = plain_delta(v)
    seq = int(second.re.match(rb'\{"seq":([0-9]+)', line)[1])
    v.sql("UPDATE redactions SET pending=1")
    v.sql("UPDATE events SET line=line WHERE seq=?", (seq,))


@attack(ORDERS, "p", base="full")
def pending_forged_line(v):
    """the same, with a row for another entry and its redacted form in the store"""
    log = v.log()
    # In an earlier segment: the last one is never replaced.
    line = v.rng.choice([
        line for n, a, e in log.groups() if n in log.names()[:-1]
        for line in log.segments[n][a:e] if b'"op":"upsert"' in line and b'"payload"' in line])
    seq = int(second.re.match(rb'\{"seq":([0-9]+)', line)[1])
    v.sql("INSERT INTO redactions VALUES((SELECT max(seq)+1 FROM redactions),?,1)", (seq,))
    v.sql("UPDATE events SET line=? WHERE seq=?", (redacted_form(line).decode(), seq))


# ---- Floors ------------------------------------------------------------------


@attack(FLOOR, INNER)
def segments_gone(v):
    """the first segments of a log that was never compacted removed"""
    names = v.log().names()
    for name in names[:v.rng.randrange(1, len(names))]:
        os.remove(v.path("log", name))


@attack(FLOOR, "vkpw", base="compacted", agree="without a segment the store is asked")
def segments_gone_above(v):
    """one segment more removed than the floor lets go"""
    os.remove(v.path("log", v.log().names()[0]))


@attack(FLOOR, INNER, base="compacted")
def entry_edited(v):
    """the compact entry's floor, root, snapshot, peers or rules edited"""
    def change(line):
        what, new = v.rng.choice([(rb'"to":[0-9]+', b'"to":3'), (rb'"root":"..', b'"root":"AA'),
                                  (rb'"snapshot":"..', b'"snapshot":"AA'),
                                  (rb'"name":"backup"', b'"name":"backun"'),
                                  (rb'"max_line":1', b'"max_line":2')])
        return second.re.sub(what, new, line)
    with_line(v, b'"control":"compact"', change)


@attack(FLOOR, "vkpw", base="compacted")
def entry_out(v):
    """the compact entry's group left out"""
    log = v.log()
    for name, start, end in log.groups():
        if any(b'"control":"compact"' in line for line in log.segments[name][start:end]):
            del log.segments[name][start:end + 1]
            break
    log.save()


@attack(FLOOR, INNER, base="compacted")
def undone(v):
    """a compaction that was undone, its entry proven in orders/, and the segments that
    it had taken away removed again"""
    log = v.log()
    at, line = next((int(second.re.match(rb'\{"seq":([0-9]+)', line)[1]), line)
                    for lines in log.segments.values() for line in lines
                    if b'"control":"compact"' in line)
    floor = second.compaction_of(line).to
    v.w.well("compact", v.dir, "--undo")
    note = v.w.well("checkpoint", v.dir)
    v.head = ":".join(note.split("\n")[1:3])
    v.witness = v.w.path("undone.witness")
    v.write(v.witness, note)
    os.makedirs(v.path("orders"), exist_ok=True)
    v.write(f"orders/{at}", v.w.well("prove", v.dir, str(at)))
    for name in v.log().names():
        if int(name[:20]) <= floor:
            os.remove(v.path("log", name))


@attack(FLOOR, "", base="compacted", also=[
    (("rebuild", "DIR", "--store", "--out", "OUT", "--json"), "CLEAN")])
def snapshot_recompressed(v):
    """the snapshot compressed otherwise, with a name, a comment and a time that
    lie in its header"""
    name = snapshot_of(v)
    text = gzip.decompress(v.read(name))
    body = zlib.compressobj(1, zlib.DEFLATED, -15)
    data = body.compress(text) + body.flush()
    v.write(name, b"\x1f\x8b\x08\x18" + b"\xff" * 4 + b"\x00\x03" + b"../../../evil\x1b[31m\x00" +
            b"comment\x1b]0;x\x07\x00" + data + struct.pack(
                "<II", zlib.crc32(text), len(text)))


def snapshot_of(v):
    return "snapshots/" + os.listdir(v.path("snapshots"))[0]


@attack(FLOOR, "p", base="compacted", also=[
    (("rebuild", "DIR", "--store", "--out", "OUT", "--json"), "PRUNED")])
def snapshot_gone(v):
    """the snapshot removed"""
    os.remove(v.path(snapshot_of(v)))


REFUSED = [(("rebuild", "DIR", "--store", "--out", "OUT", "--json"), "CORRUPT")]


@attack(FLOOR, "p", base="compacted", also=REFUSED)
def snapshot_edited(v):
    """a payload, an id, a rule, a peer or the header in the snapshot edited"""
    name = snapshot_of(v)
    text = gzip.decompress(v.read(name))
    lines = text.split(b"\n")
    i = v.rng.randrange(len(lines) - 1)
    at = v.rng.randrange(len(lines[i]))
    lines[i] = lines[i][:at] + bytes([lines[i][at] ^ 1]) + lines[i][at + 1:]
    v.write(name, gzip.compress(b"\n".join(lines)))


@attack(FLOOR, "p", base="compacted", also=REFUSED)
def snapshot_gz(v):
    """the snapshot's gzip with a byte behind it, a second member, a wrong CRC or
    length, cut, empty, or no gzip at all"""
    name = snapshot_of(v)
    data = v.read(name)
    v.write(name, v.rng.choice([
        data + b"\x00", data + gzip.compress(b"more\n"), data + data,
        data[:-8] + b"\x00\x00\x00\x00" + data[-4:], data[:-1] + b"\x7f",
        data[:len(data) // 2], b"", gzip.decompress(data)]))


@attack(FLOOR, "p", base="compacted", also=REFUSED)
def snapshot_bomb(v):
    """a snapshot that unpacks to a lot of one line, or of short ones"""
    unit = v.rng.choice([b"x" * 1024, b"{}\n" * 1024])
    body = zlib.compressobj(9, zlib.DEFLATED, 31)
    one = body.compress(unit * 1024)
    data = one + b"".join(body.compress(unit * 1024) for _ in range(bomb_size(v)))
    v.write(snapshot_of(v), data + body.flush())


def bomb_size(v):
    return 24


@attack(FLOOR, "p", base="compacted", also=REFUSED)
def snapshot_of_other(v):
    """the snapshot of another floor or log, well made"""
    name = snapshot_of(v)
    text = gzip.decompress(v.read(name))
    v.write(name, gzip.compress(text.replace(b"/full", b"/fuII")))


BELOW = ("restore", "DIR", "--out", "OUT", "--at", "BELOW", "--json")


@attack(FLOOR, "", base="compacted", also=[(BELOW, "TAMPERED")])
def archive_edited(v):
    """a payload in an archived segment edited"""
    archive(v, lambda text: text.replace(b'"payload":{"v":', b'"payload":{"v":9'), edit=True)


@attack(FLOOR, "", base="compacted", also=[(BELOW, "CORRUPT")])
def archive_gz(v):
    """an archived segment with bytes behind it, a second member, a wrong CRC,
    cut, or no gzip"""
    name = first_archived(v)
    data = v.read(name)
    v.write(name, v.rng.choice([
        data + b"\x00", data + gzip.compress(b"more\n"),
        data[:-8] + b"\x00\x00\x00\x00" + data[-4:], data[:len(data) // 2], b"",
        gzip.decompress(data)]))


@attack(FLOOR, "", base="compacted", also=[(BELOW, "CORRUPT")])
def archive_bomb(v):
    """an archived segment that unpacks to a lot"""
    unit = v.rng.choice([b"x" * 1024, b"{}\n" * 512, b"\n" * 1024])
    body = zlib.compressobj(9, zlib.DEFLATED, 31)
    # Before the last group: nobody has to read on behind what was asked for.
    head, lf, rest = gzip.decompress(v.read(first_archived(v))).partition(b"\n")
    data = body.compress(head + lf) + b"".join(
        body.compress(unit * 1024) for _ in range(bomb_size(v)))
    v.write(first_archived(v), data + body.compress(rest) + body.flush())


def first_archived(v):
    return "archive/" + sorted(os.listdir(v.path("archive")))[0]


def archive(v, change, edit=False):
    name = first_archived(v)
    text = gzip.decompress(v.read(name))
    new = change(text)
    assert new != text
    v.write(name, gzip.compress(new))


# ---- What the store says of peers and floors -----------------------------------


@attack(FLOOR, "p", base="full", also=[(("compact", "DIR", "--json"), "DIVERGED")])
def floor_forged(v):
    """the store has a row of a compaction that is pending, so that the next
    command takes segments away"""
    v.sql("INSERT INTO compactions VALUES((SELECT max(seq) FROM events),?,1)", (
        int(v.log().names()[1][:20]) - 1,))


@attack(FLOOR, "p", base="full", also=[(("compact", "DIR", "--json"), "DIVERGED")])
def meta_floor(v):
    """the store's floor set"""
    v.sql("UPDATE meta SET floor=?", (int(v.log().names()[1][:20]) - 1,))


UNPROVEN = [(("compact", "DIR", "--discard", "--json"), "DIVERGED"),
            (("compact", "DIR", "--json"), "DIVERGED")]


@attack(FLOOR, "p", base="full", also=UNPROVEN)
def acks_beyond(v):
    """a peer's acknowledgement in the store set beyond the head: compact refuses"""
    v.sql("UPDATE peers SET cursor=?", (v.rng.choice([10 ** 6, 2 ** 63 - 1]),))


@attack(FLOOR, "", base="full", also=UNPROVEN)
def acks_other_root(v):
    """the root that a peer named edited in the store to one that is none of the log:
    compact refuses"""
    v.sql("UPDATE peers SET root=?", (v.rng.randbytes(32),))


@attack(FLOOR, "", base="full")
def acks_raised(v):
    """a peer's acknowledgement in the store raised up to the head, without a root:
    compact believes it, and archives; with --discard it asks for the root"""
    v.sql("UPDATE peers SET cursor=(SELECT size FROM meta), root=NULL")


@attack(FLOOR, "p", base="full")
def peer_gone(v):
    """a peer removed from the store"""
    v.sql("DELETE FROM peers")
