"""Attacks without a key: lines, groups and segments of real logs, put elsewhere."""
import os
import shutil

from . import forge
from .cases import attack

second = forge.second
PART = "Splices"
INNER = "vkpw"


def lines(v, change, last=False):
    """change(lines, start, end, other groups) on one group of a segment."""
    log = v.log()
    name, start, end = v.pick(log.groups(), last)
    before = list(log.segments[name])
    change(log.segments[name], start, end)
    assert log.segments[name] != before
    log.save()


@attack(PART, INNER)
def line_out(v):
    """an entry left out"""
    lines(v, lambda s, a, e: s.pop(v.rng.randrange(a, e)))


@attack(PART, INNER)
def line_in(v):
    """an entry of another group put in"""
    other = v.rng.choice([line for group in v.log().parts()[0] for line in group])
    lines(v, lambda s, a, e: s.insert(v.rng.randrange(a, e + 1), other))


@attack(PART, INNER)
def line_twice(v):
    """an entry doubled"""
    def change(s, a, e):
        i = v.rng.randrange(a, e)
        s.insert(i, s[i])
    lines(v, change)


@attack(PART, INNER)
def lines_swapped(v):
    """two entries swapped"""
    def change(s, a, e):
        places = [i for i, line in enumerate(s) if line.startswith(b'{"seq":')]
        i, j = v.rng.sample(places, 2)
        s[i], s[j] = s[j], s[i]
    log = v.log()
    names = log.names()[:-1]
    change(log.segments[v.rng.choice(names)], 0, 0)
    log.save()


@attack(PART, INNER)
def line_edited(v):
    """a payload edited"""
    log = v.log()
    places = [(n, i) for n, a, e in log.groups()[1:-1] for i in range(a, e)]
    name, i = v.rng.choice(places)
    line = log.segments[name][i]
    log.segments[name][i] = line.replace(b'"payload":{"v":', b'"payload":{"v":9')
    log.save()


@attack(PART, "vkpwa")
def root_recomputed(v):
    """a payload edited and all roots and headers behind it computed anew, with
    the signatures as they were"""
    log = v.log()
    old = {second.parse_commit(log.segments[n][e]).size: log.segments[n][e]
           for n, _, e in log.groups()}
    entries, breaks = log.parts()
    at = v.rng.randrange(1, len(entries) - 1)
    entries[at][0] = entries[at][0].replace(b'"payload":{"v":', b'"payload":{"v":9')
    log.rebuild(entries, breaks, lambda size: v.key, lambda c, key, tree: second.Commit(
        c.size, c.root, c.key, second.parse_commit(old[c.size]).sig))
    log.save()


@attack(PART, INNER)
def commit_out(v):
    """a commit left out, so that two groups become one"""
    lines(v, lambda s, a, e: s.pop(e))


@attack(PART, INNER)
def commit_replayed(v):
    """an earlier commit in the place of a later one"""
    log = v.log()
    groups = log.groups()
    i = v.rng.randrange(1, len(groups) - 1)
    one = groups[v.rng.randrange(i)]
    name, _, end = groups[i]
    log.segments[name][end] = log.segments[one[0]][one[2]]
    log.save()


@attack(PART, INNER)
def group_out(v):
    """a group left out"""
    def change(s, a, e):
        del s[a:e + 1]
    lines(v, change)


@attack(PART, "vkpwa")
def group_out_rehung(v):
    """a group left out and the seqs behind it counted anew"""
    log = v.log()
    entries, breaks = log.parts()
    old = [second.parse_commit(log.segments[n][e]) for n, _, e in log.groups()]
    at = v.rng.randrange(1, len(entries) - 1)
    del entries[at], old[at]
    left = iter(old)
    log.rebuild(forge.renumbered(entries), {b - (b > at) for b in breaks},
                lambda size: v.key, lambda c, key, tree: second.Commit(
                    c.size, c.root, c.key, next(left).sig))
    log.save()


@attack(PART, INNER)
def group_twice(v):
    """a group doubled"""
    def change(s, a, e):
        s[a:a] = s[a:e + 1]
    lines(v, change)


@attack(PART, INNER)
def groups_swapped(v):
    """two neighbouring groups swapped"""
    log = v.log()
    groups = log.groups()
    pairs = [(g, h) for g, h in zip(groups, groups[1:-1]) if g[0] == h[0]]
    (name, a, e), (_, b, f) = v.rng.choice(pairs)
    s = log.segments[name]
    s[a:f + 1] = s[b:f + 1] + s[a:e + 1]
    log.save()


@attack(PART, INNER)
def fork_group(v):
    """a group of another history of the same key, of the same place"""
    log, other = v.log(), forge.Log(v.w.path("fork"))
    ends = {second.parse_commit(log.segments[n][e]).size: (n, a, e)
            for n, a, e in log.groups()[1:-1]}
    both = [(ends[second.parse_commit(other.segments[n][e]).size], (n, a, e))
            for n, a, e in other.groups()
            if second.parse_commit(other.segments[n][e]).size in ends and
            other.segments[n][a:e + 1] not in [
                log.segments[m][b:f + 1] for m, b, f in log.groups()]]
    if not both:  # no commit of the same size: one of another size
        both = [(log.groups()[-2], other.groups()[-1])]
    (name, a, e), (n, b, f) = v.rng.choice(both)
    log.segments[name][a:e + 1] = other.segments[n][b:f + 1]
    log.save()


# ---- Segments ----------------------------------------------------------------


def segment(v, last=False):
    names = v.log().names()
    return names[-1] if last else v.rng.choice(names[:-1])


@attack(PART, INNER)
def segment_out(v):
    """a segment left out"""
    os.remove(v.path("log", segment(v)))


@attack(PART, INNER)
def segment_twice(v):
    """a segment a second time, under another number"""
    name = segment(v)
    other = int(name[:20]) + v.rng.choice([1, 2, 10 ** 6, 2 ** 62])
    shutil.copy(v.path("log", name), v.path("log", f"{other:020d}.jsonl"))


@attack(PART, INNER)
def segments_swapped(v):
    """two segments swapped"""
    one, two = v.rng.sample(v.log().names()[:-1], 2)
    a, b = v.read(f"log/{one}"), v.read(f"log/{two}")
    v.write(f"log/{one}", b)
    v.write(f"log/{two}", a)


@attack(PART, INNER)
def first_out(v):
    """the first segment left out"""
    os.remove(v.path("log", v.log().names()[0]))


@attack(PART, INNER)
def segment_of_other(v):
    """a segment of another log in the place of ours"""
    name = segment(v)
    theirs = v.rng.choice(sorted(os.listdir(v.w.path("other", "log"))))
    shutil.copy(v.w.path("other", "log", theirs), v.path("log", name))


@attack(PART, "kpwa")
def log_of_other(v):
    """all of another log, its key in keys/, beside our store"""
    v.take("other", "log")
    v.keys(v.vkey, v.w.vkeys["other"])


@attack(PART, "kw")
def both_of_other(v):
    """log, keys and store of another log"""
    v.drop_store()
    v.take("other", "log", "keys", "store.db")


@attack(PART, INNER)
def header_of_fork(v):
    """ours, and then the last segment of another history of the same key"""
    log, other = v.log(), forge.Log(v.w.path("fork"))
    name = other.names()[-1]
    for mine in log.names():
        if mine >= name:
            del log.segments[mine]
    log.segments[name] = other.segments[name]
    log.save()


@attack(PART, INNER)
def header_edited(v):
    """a header: another first, tree, origin or checkpoint"""
    log = v.log()
    name = v.rng.choice(log.names()[1:-1])
    line = log.segments[name][0]
    h = forge.header_of(line)
    what = v.rng.randrange(5)
    if what == 0:
        h.first += 1
    elif what == 1:
        h.tree = [v.rng.randbytes(32) for _ in h.tree]
    elif what == 2:
        h.tree = h.tree + h.tree[-1:]
    elif what == 3:
        h.last = second.Commit(h.last.size, h.last.root, h.last.key, v.rng.randbytes(64))
    else:
        h.origin += "/x"
    assert h.line() != line
    log.segments[name][0] = h.line()
    log.save()


@attack(PART, INNER)
def joined(v):
    """behind the end: the last group of another history of the same key"""
    log, other = v.log(), forge.Log(v.w.path("fork"))
    n, a, e = other.groups()[-1]
    log.segments[log.names()[-1]] += other.segments[n][a:e + 1]
    log.save()


@attack(PART, INNER)
def strange_file(v):
    """a file in log/ whose name is none of a segment: hidden, upper case, ..,
    20 digits from 2^63 on, zero, a terminal's escape"""
    name = v.rng.choice([".hidden", "00000000000000000001.JSONL", "..jsonl",
                         "09223372036854775808.jsonl", "00000000000000000000.jsonl",
                         "99999999999999999999.jsonl", "x\x1b[31m.jsonl", "1.jsonl",
                         "00000000000000000001.jsonl~"])
    v.write(f"log/{name}", v.read("log/" + v.log().names()[0]))
