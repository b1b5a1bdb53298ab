"""Games with sizes and trees, signed by whoever holds the key: what is signed is
wrong by itself, so the signature does not make it good."""
from . import forge
from .cases import attack

second = forge.second
PART = "Sizes and trees, signed by the holder of the key"
INNER = "vkpw"


def signed(v, change, last=False):
    """change(commit, tree before the group, lines) -> (size text, root), for one
    commit, signed anew with the right key."""
    log = v.log()
    groups = log.groups()
    name, start, end = v.pick(groups, last)
    tree, size = [], 0
    for n, a, e in groups:
        if (n, a, e) == (name, start, end):
            break
        for line in log.segments[n][a:e]:
            tree, size = second.add_leaf(size, tree, line), size + 1
    c = second.parse_commit(log.segments[name][end])
    number, root = change(c, tree, log.segments[name][start:end])
    sig = v.key.sign(f"{v.key.name}\n{number}\n{second.b64(root)}\n")
    line = (f'{{"commit":{{"size":{number},"root":"{second.b64(root)}","key":"'
            f'{c.key}","sig":"{second.b64(sig)}"}}}}').encode()
    assert line != log.segments[name][end]
    log.segments[name][end] = line
    log.save()


@attack(PART, INNER)
def size_other(v):
    """a commit of another size: one more, one less, 0, the one before"""
    signed(v, lambda c, tree, lines: (v.rng.choice(
        [c.size + 1, c.size - 1, 0, c.size - len(lines), c.size + 2]), c.root))


@attack(PART, INNER)
def size_huge(v):
    """a commit of size 2^63 - 1, 2^63, 2^64 - 1, 2^64 + the right one, 10^40"""
    signed(v, lambda c, tree, lines: (v.rng.choice(
        [2 ** 63 - 1, 2 ** 63, 2 ** 64 - 1, 2 ** 64 + c.size, 10 ** 40]), c.root))


@attack(PART, INNER)
def size_spelled(v):
    """another spelling of the right size: 07, +7, 7.0, 7e0, -7, "7" """
    def change(c, tree, lines):
        n = c.size
        return v.rng.choice([f"0{n}", f"+{n}", f"{n}.0", f"{n}e0", f"-{n}", f'"{n}"',
                             f" {n}", f"{n}\t"]), c.root
    signed(v, change)


@attack(PART, INNER)
def last_leaf_twice(v):
    """the root of a tree with its last leaf doubled (of an odd tree, too)"""
    def change(c, tree, lines):
        size = c.size - len(lines)
        for line in lines + lines[-1:]:
            tree, size = second.add_leaf(size, tree, line), size + 1
        return c.size, second.root_of(tree)
    signed(v, change)


@attack(PART, INNER)
def unbalanced(v):
    """the root of another split: leaves hung on from the left one by one"""
    def change(c, tree, lines):
        hash_ = second.root_of(tree)
        for line in lines:
            hash_ = second.node(hash_, second.leaf_of(line))
        other = second.node(hash_, hash_)
        right = tree
        size = c.size - len(lines)
        for line in lines:
            right, size = second.add_leaf(size, right, line), size + 1
        return c.size, other if second.root_of(right) == hash_ else hash_
    signed(v, change)


@attack(PART, INNER)
def no_prefix(v):
    """leaves hashed without their prefix, or with that of a node"""
    def change(c, tree, lines):
        prefix = v.rng.choice([b"", b"\x01"])
        size = c.size - len(lines)
        for line in lines:
            tree, hash_, n = list(tree), second.sha256(prefix + line), size
            while n & 1:
                hash_, n = second.node(tree.pop(), hash_), n >> 1
            tree, size = tree + [hash_], size + 1
        return c.size, second.root_of(tree)
    signed(v, change)


@attack(PART, INNER)
def root_of_before(v):
    """the root of the group before, of nothing, of zeros"""
    signed(v, lambda c, tree, lines: (c.size, v.rng.choice(
        [second.root_of(tree), second.sha256(b""), bytes(32)])))


@attack(PART, INNER)
def empty_group(v):
    """a commit without an entry, of the size before or of one more"""
    log = v.log()
    name, _, end = v.pick(log.groups())
    c = second.parse_commit(log.segments[name][end])
    log.segments[name].insert(end + 1, v.key.commit(
        c.size + v.rng.randrange(2), c.root).line())
    log.save()


@attack(PART, INNER)
def two_heads(v):
    """two commits of one size with two roots in one log (equivocation)"""
    log = v.log()
    name, _, end = v.pick(log.groups())
    c = second.parse_commit(log.segments[name][end])
    log.segments[name].insert(end + v.rng.randrange(2), v.key.commit(
        c.size, v.rng.randbytes(32)).line())
    log.save()


@attack(PART, "vkpwa")
def seq_gap(v):
    """entries whose seqs leave a gap, go back or begin at 0, all signed anew"""
    log = v.log()
    entries, breaks = log.parts()
    at = v.rng.randrange(1, len(entries))
    by = v.rng.choice([1, -1, 2 ** 40])
    for group in entries[at:]:
        group[:] = [second.re.sub(rb'^\{"seq":([0-9]+)', lambda m: b'{"seq":%d' % (
            int(m[1]) + by), line) for line in group]
    log.rebuild(entries, breaks, lambda size: v.key)
    log.save()


@attack(PART, INNER)
def header_sizes(v):
    """a header that says 0, 2^63 - 1, 2^63 or another number for first, its
    checkpoint and the file's name with it"""
    log = v.log()
    name = v.rng.choice(log.names()[1:-1])
    lines = log.segments.pop(name)
    h = forge.header_of(lines[0])
    size = v.rng.choice([0, 2 ** 63 - 2, 2 ** 63 - 1, h.last.size + 1, h.last.size - 1])
    h.last = v.key.commit(size, h.last.root)
    h.first = size + 1
    while len(h.tree) > bin(size).count("1"):
        h.tree.pop()
    lines[0] = h.line()
    log.segments[name if v.rng.randrange(2) or not 0 < size < 2 ** 63 - 1
                 else f"{size + 1:020d}.jsonl"] = lines
    log.save()


@attack(PART, INNER)
def header_tree(v):
    """a header whose tree has hashes too many, too few, or another order, and
    whose checkpoint signs the root of that"""
    log = v.log()
    name = v.rng.choice(log.names()[1:-1])
    h = forge.header_of(log.segments[name][0])
    what = v.rng.randrange(3)
    before = list(h.tree)
    if what == 0 or len(h.tree) < 2:
        h.tree = h.tree + [v.rng.randbytes(32)]
    elif what == 1:
        h.tree = h.tree[:-1]
    else:
        h.tree = h.tree[::-1]
    assert h.tree != before
    h.last = v.key.commit(h.last.size, second.root_of(h.tree))
    log.segments[name][0] = h.line()
    log.save()
