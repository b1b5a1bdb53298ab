"""Attacks of whoever holds the key, and of whoever kept old copies: what is
signed is good, so only a head that was kept elsewhere tells."""
import os

from . import forge
from .cases import attack

second = forge.second
PART = "Another history"


def cut(v, keep):
    """The log up to its first `keep` groups."""
    log = v.log()
    groups = log.groups()
    name, _, end = groups[keep - 1]
    for other in log.names():
        if other > name:
            del log.segments[other]
    log.segments[name] = log.segments[name][:end + 1]
    log.save()


def somewhere(v):
    return v.rng.randrange(2, len(v.log().groups()))


@attack(PART, "wpa")
def tail_cut(v):
    """the tail of the log cut at a commit, the store left"""
    cut(v, somewhere(v))


@attack(PART, "w")
def both_cut(v):
    """the same, and the store made anew"""
    cut(v, somewhere(v))
    v.rebuild_store()


@attack(PART, "wpa")
def log_back(v):
    """an older copy of the log beside the newer store"""
    v.take("older", "log")


@attack(PART, "p")
def store_back(v):
    """an older copy of the store beside the newer log"""
    v.drop_store()
    v.take("older", "store.db")


@attack(PART, "w")
def both_back(v):
    """an older copy of log and store (rollback)"""
    v.drop_store()
    v.take("older", "log", "store.db")


@attack(PART, "w")
def back_and_on(v):
    """an older copy of log and store that went on otherwise (fork)"""
    v.drop_store()
    v.take("fork", "log", "store.db")


@attack(PART, "w", base="fork")
def equivocation(v):
    """two heads of one size, both signed: here the other one was kept"""
    # The plain log, up to a size that both have.
    ours = {second.parse_commit(line).size for lines in v.log().segments.values()
            for line in lines if line.startswith(b'{"commit":')}
    log = forge.Log(v.w.path("plain"))
    common = forge.Log(v.w.path("older")).groups()
    size, root = None, None
    entries, _ = log.parts()
    tree, n = [], 0
    for group in entries:
        for line in group:
            tree, n = second.add_leaf(n, tree, line), n + 1
            if n in ours and n > len(common) and differs_at(v, n, second.root_of(tree)):
                size, root = n, second.root_of(tree)
    c = v.w.key.commit(size, root)
    v.head = f"{size}:{second.b64(root)}"
    v.witness = v.w.path("equal.witness")
    v.write(v.witness, c.note(v.w.name))


def differs_at(v, size, root):
    entries, _ = v.log().parts()
    tree, n = [], 0
    for line in (line for group in entries for line in group):
        tree, n = second.add_leaf(n, tree, line), n + 1
        if n == size:
            return second.root_of(tree) != root
    return False


def rewritten(v, change, both=True):
    """The holder of the key signs all of it anew."""
    log = v.log()
    entries, breaks = log.parts()
    entries, breaks = change(entries, breaks)
    log.rebuild(forge.renumbered(entries), breaks, lambda size: v.key)
    log.save()
    if both:
        v.rebuild_store()


def edit(v):
    def change(entries, breaks):
        at = v.rng.randrange(1, len(entries))
        entries[at][0] = entries[at][0].replace(b'"payload":{"v":', b'"payload":{"v":9')
        return entries, breaks
    return change


def omit(v):
    def change(entries, breaks):
        at = v.rng.randrange(1, len(entries) - 1)
        del entries[at]
        return entries, {b - (b > at) for b in breaks}
    return change


def reorder(v):
    def change(entries, breaks):
        at = v.rng.randrange(1, len(entries) - 2)
        entries[at], entries[at + 1] = entries[at + 1], entries[at]
        return entries, breaks
    return change


def insert(v):
    def change(entries, breaks):
        at = v.rng.randrange(1, len(entries) - 1)  # behind the last: an append
        more = entries[v.rng.randrange(1, len(entries))][0]
        more = second.re.sub(rb'"id":"[^"]*"', b'"id":"put-in"', more)
        entries[at] = entries[at] + [more]
        return entries, breaks
    return change


@attack(PART, "wpa")
def holder_edits_log(v):
    """the holder of the key edits a payload and signs the log anew; store left"""
    rewritten(v, edit(v), both=False)


@attack(PART, "w")
def holder_edits(v):
    """the holder of the key edits a payload, signs anew and makes the store anew"""
    rewritten(v, edit(v))


@attack(PART, "w")
def holder_omits(v):
    """the same, leaving a group out"""
    rewritten(v, omit(v))


@attack(PART, "w")
def holder_reorders(v):
    """the same, with two groups swapped"""
    rewritten(v, reorder(v))


@attack(PART, "w")
def holder_inserts(v):
    """the same, with an entry put in"""
    rewritten(v, insert(v))


@attack(PART, "w")
def holder_cuts(v):
    """the holder of the key cuts the tail and signs a longer one"""
    def change(entries, breaks):
        at = v.rng.randrange(2, len(entries) - 1)
        more = [[line.replace(b'"id":"', b'"id":"again-') for line in g]
                for g in entries[at:]]
        doubled = [[line.replace(b'"id":"', b'"id":"more-') for line in g]
                   for g in entries[at:]]
        return entries[:at] + more + doubled, breaks
    rewritten(v, change)


@attack(PART, "")
def holder_splits(v):
    """the holder of the key divides the same entries into groups and segments
    otherwise: the history is the same"""
    log = v.log()
    entries, _ = log.parts()
    flat = [line for group in entries for line in group]
    groups = []
    while flat:
        n = 1 if not groups else v.rng.randrange(1, 5)
        groups.append(flat[:n])
        flat = flat[n:]
    rewritten_same(v, groups)


def rewritten_same(v, groups):
    """Groups whose first entries have a logged_at already stay as they are; the
    rest would hash otherwise, so only such divisions are made."""
    log = v.log()
    entries, breaks = [], {0}
    for line in (line for group in groups for line in group):
        if b',"logged_at":"' in line[-50:]:
            entries.append([])
        entries[-1].append(line)
    breaks |= set(v.rng.sample(range(1, len(entries)), 2))
    log.rebuild(entries, breaks, lambda size: v.key)
    log.save()
    v.rebuild_store()


@attack(PART, "pa")
def no_store(v):
    """the store removed"""
    v.drop_store()


@attack(PART, "wpa")
def no_store_cut(v):
    """the store removed and the tail of the log cut at a commit"""
    cut(v, somewhere(v))
    v.drop_store()


@attack(PART, "vkpwa", agree="without a segment the store is asked")
def no_log(v):
    """all segments removed"""
    for name in v.log().names():
        os.remove(v.path("log", name))
