"""Games with key rotation.  Base: a log with a rotation inside; the attacker may
have the old secret, or the new one."""
import os

from . import forge
from .cases import attack

second = forge.second
PART = "Key rotation"
INNER = "vkpw"


def keys_of(v):
    return v.w.old_key, v.w.new_key


def seq_of_rotation(v):
    for lines in v.log().segments.values():
        for line in lines:
            if b'"control":"rotate"' in line:
                return second.rotation_of(line).size
    raise AssertionError("no rotation")


def key_at(v, turn):
    old, new = keys_of(v)
    return lambda size: old if size <= turn else new


def resign(v, entries, breaks, key_at_):
    log = v.log()
    log.rebuild(entries, breaks, key_at_)
    log.save()


def commits(v):
    """(size, segment, line) of each commit."""
    log = v.log()
    return [(second.parse_commit(log.segments[n][e]).size, n, e) for n, _, e in log.groups()]


def one_by(v, key, places):
    """The commit of one of these places, signed by another key."""
    size, name, at = v.rng.choice(places)
    log = v.log()
    c = second.parse_commit(log.segments[name][at])
    log.segments[name][at] = key.commit(size, c.root).line()
    log.save()


@attack(PART, INNER, base="rotated")
def old_after(v):
    """the old key signs a group behind the rotation"""
    turn = seq_of_rotation(v)
    one_by(v, keys_of(v)[0], [c for c in commits(v)[:-1] if c[0] > turn])


@attack(PART, "vkpwa", base="rotated")
def old_at_end(v):
    """the old key signs one more group behind the end"""
    log = v.log()
    size, name, _ = commits(v)[-1]
    entries, _ = log.parts()
    tree = []
    for i, line in enumerate(line for g in entries for line in g):
        tree = second.add_leaf(i, tree, line)
    line = forge.renumbered([[entries[1][0]]])[0][0]
    line = second.re.sub(rb'^\{"seq":1', b'{"seq":%d' % (size + 1), line)
    line = second.re.sub(rb'"id":"[^"]*"', b'"id":"behind"', line)
    tree = second.add_leaf(size, tree, line)
    log.segments[name] += [line, keys_of(v)[0].commit(size + 1, second.root_of(tree)).line()]
    log.save()


@attack(PART, INNER, base="rotated")
def new_before(v):
    """the new key signs a group before the rotation, or that of the rotation"""
    turn = seq_of_rotation(v)
    one_by(v, keys_of(v)[1], [c for c in commits(v)[1:] if c[0] <= turn])


@attack(PART, INNER, base="rotated")
def rotation_out(v):
    """the rotation's group left out"""
    log = v.log()
    for name, start, end in log.groups():
        if b'"control":"rotate"' in log.segments[name][start]:
            del log.segments[name][start:end + 1]
            break
    log.save()


@attack(PART, "vkpwa", base="rotated")
def rotation_out_resigned(v):
    """the rotation's group left out, and all of it signed anew by each key in its
    part"""
    turn = seq_of_rotation(v)
    entries, breaks = v.log().parts()
    at = next(i for i, g in enumerate(entries) if b'"control":"rotate"' in g[0])
    del entries[at]
    resign(v, forge.renumbered(entries), {b - (b > at) for b in breaks},
           key_at(v, turn - 1))


@attack(PART, INNER, base="rotated")
def rotation_again(v):
    """the rotation a second time, behind the end, signed by the key in force"""
    log = v.log()
    entries, breaks = log.parts()
    line = next(g[0] for g in entries if b'"control":"rotate"' in g[0])
    size = sum(map(len, entries)) + 1
    again = second.re.sub(rb'^\{"seq":[0-9]+', b'{"seq":%d' % size, line)
    resign(v, entries + [[again]], breaks, key_at(v, seq_of_rotation(v)))


def with_rotation(v, make):
    """make(old, new, size, root) in the place of the rotation; all behind it
    signed anew."""
    turn = seq_of_rotation(v)
    log = v.log()
    entries, breaks = log.parts()
    tree, size = [], 0
    for group in entries:
        if b'"control":"rotate"' in group[0]:
            group[0] = make(*keys_of(v), size + 1, second.root_of(tree))
            break
        for line in group:
            tree, size = second.add_leaf(size, tree, line), size + 1
    resign(v, entries, breaks, key_at(v, turn))


@attack(PART, "vkpwa", base="rotated")
def rotation_forged(v):
    """a rotation of which one signature is forged, zero, malleable, by the other
    key or over another text"""
    def make(old, new, size, root):
        good = second.rotation_of(forge.rotation(old, new, size, root))
        assert good
        text = ("paritylog key rotation, format 1\n" + second.signed_text(
            old.name, size, root) + old.vkey + "\n" + new.vkey + "\n").encode()
        which = v.rng.choice(["old_sig", "new_sig"])
        key = old if which == "old_sig" else new
        other = new if which == "old_sig" else old
        bad = v.rng.choice([bytes(64), v.rng.randbytes(64), other.sign(text),
                            forge.malleable(key.sign(text)), v.w.thief.sign(text),
                            key.sign(second.signed_text(old.name, size, root)),
                            key.sign(text.replace(b"key rotation", b"restored copy"))])
        return forge.rotation(old, new, size, root, **{which: bad})
    with_rotation(v, make)


@attack(PART, "vkpwa", base="rotated")
def rotation_misplaced(v):
    """a rotation that states another size or root, signed by both keys"""
    def make(old, new, size, root):
        if v.rng.randrange(2):
            return forge.rotation(old, new, size, v.rng.randbytes(32))
        line = forge.rotation(old, new, size + v.rng.choice([-1, 1]), root)
        return second.re.sub(rb'^\{"seq":[0-9]+', b'{"seq":%d' % size, line)
    with_rotation(v, make)


@attack(PART, INNER, base="rotated")
def rotation_back(v):
    """a rotation back to the first key, signed by both, behind the end"""
    old, new = keys_of(v)
    entries, breaks = v.log().parts()
    tree, size = [], 0
    for line in (line for g in entries for line in g):
        tree, size = second.add_leaf(size, tree, line), size + 1
    entries.append([forge.rotation(new, old, size + 1, second.root_of(tree))])
    resign(v, entries, breaks, key_at(v, seq_of_rotation(v)))


@attack(PART, "kpwa", base="rotated")
def stolen_old(v):
    """who stole the old secret rotates to a key of his own instead, in the log;
    both of his keys in keys/"""
    steal(v)


@attack(PART, "kw", base="rotated")
def stolen_old_both(v):
    """the same with store and signing.key made to fit"""
    steal(v)
    v.write("keys/signing.key", v.w.thief.secret())
    v.rebuild_store()


def steal(v):
    old = keys_of(v)[0]
    turn = seq_of_rotation(v)
    log = v.log()
    entries, breaks = log.parts()
    tree, size = [], 0
    for group in entries:
        if b'"control":"rotate"' in group[0]:
            group[0] = forge.rotation(old, v.w.thief, size + 1, second.root_of(tree))
            break
        for line in group:
            tree, size = second.add_leaf(size, tree, line), size + 1
    log.rebuild(entries, breaks, lambda n: old if n <= turn else v.w.thief)
    log.save()
    v.keys(old.vkey, v.w.thief.vkey)


@attack(PART, "kw", base="rotated")
def cut_below(v):
    """the log cut below the rotation, with the old secret and a store to fit"""
    v.take("older", "log")
    v.write("keys/signing.key", keys_of(v)[0].secret())
    v.rebuild_store()


@attack(PART, "a", base="rotated")
def old_secret_back(v):
    """the old secret put back as signing.key"""
    v.write("keys/signing.key", keys_of(v)[0].secret())


@attack(PART, "", base="rotated")
def next_planted(v):
    """a signing.key.new: the old key, a thief's or dirt"""
    v.write("keys/signing.key.new", v.rng.choice(
        [keys_of(v)[0].secret(), v.w.thief.secret(), "dirt\n", ""]))
    os.chmod(v.path("keys", "signing.key.new"), 0o600)


@attack(PART, "kpwa")
def taken_over(v):
    """somebody goes on with a copy under a name of his own (restore), which
    anybody may, and puts his key into keys/"""
    new = forge.Key("example.org/thief", v.w.thief.seed)
    log = v.log()
    entries, breaks = log.parts()
    tree, size = [], 0
    for line in (line for g in entries for line in g):
        tree, size = second.add_leaf(size, tree, line), size + 1
    breaks.add(len(entries))
    entries.append([forge.restoration(v.key, new, size, second.root_of(tree))])
    end = size
    before = second.Header.line

    def line(self):  # the segment of the restore entry still has the old name
        if self.first == end + 1:
            self.origin = v.key.name
        return before(self)
    second.Header.line = line
    try:
        log.rebuild(entries, breaks, lambda n: v.key if n <= end else new)
    finally:
        second.Header.line = before
    log.save()
    v.keys(v.vkey, new.vkey)
