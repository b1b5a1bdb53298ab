"""Attacks on proofs: what verify-proof and a reading of RFC 9162 of our own say."""
from . import forge
from .cases import probe
from .world import need

second = forge.second
PART = "Proofs"


def prove(w, *args):
    return w.well("prove", w.path("plain"), *map(str, args))


def keep(w, text):
    path = w.path("proof")
    with open(path, "wb") as f:
        f.write(text if isinstance(text, bytes) else text.encode())
    return path


def consistent(size1, root1, size2, root2, path):
    """RFC 9162, 2.1.4.2"""
    if size1 == size2:
        return not path and root1 == root2
    if not 0 < size1 < size2 or not path:
        return False
    if size1 & (size1 - 1) == 0:
        path = [root1] + path
    fn, sn = size1 - 1, size2 - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = second.node(c, fr), second.node(c, sr)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = second.node(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return (fr, sr, sn) == (root1, root2, 0)


def note_holds(text, key):
    origin, c = second.parse_note(text)
    need_ = (origin, c.key) == (key[0], key[1]) and second.signature_holds(
        key[2], c.sig, second.signed_text(origin, c.size, c.root).encode())
    return c if need_ else None


def holds(text, vkey):
    """Whether a proof of either kind holds, by our own reading."""
    try:
        key = second.parse_vkey(vkey)
        if text.startswith("c2sp.org/tlog-proof@v1\n"):
            head, note = text.split("\n\n", 1)
            lines = head.split("\n")
            line = second.base64.b64decode(lines[1][6:], validate=True)
            if not lines[1].startswith("extra ") or second.b64(line) != lines[1][6:]:
                return False
            if not lines[2].startswith("index "):
                return False
            seq, _, _ = second.parse_entry(line)
            if second.redacted_leaf(line):  # it takes its order, too
                return False
            index = second.number(lines[2][6:])
            c = note_holds(note, key)
            path = [second.unb64(h, 32) for h in lines[3:]]
            return bool(c) and seq == index + 1 and second.inclusion_root(
                index, c.size, second.leaf_of(line), path) == c.root
        head, one, two = split(text)
        old, new = note_holds(one, key), note_holds(two, key)
        path = [second.unb64(h, 32) for h in head.split("\n")[1:]]
        return bool(old and new and head.startswith("paritylog/consistency@v1")) and \
            consistent(old.size, old.root, new.size, new.root, path)
    except (second.Bad, second.Unknown, second.Forged, ValueError, IndexError):
        return False


def split(text):
    """The lines before, the older and the newer note of a consistency proof."""
    parts = text.split("\n\n")
    second.need(len(parts) == 5, "not a proof")
    return parts[0], parts[1] + "\n\n" + parts[2] + "\n", parts[3] + "\n\n" + parts[4]


def judge(w, text, wanted=False):
    """Both say the same of it, and that it does not hold (None: whatever that is)."""
    r = w.run("verify-proof", keep(w, text), "--key", w.vkeys["plain"], "--json")
    need((r.status == 0) == holds(text, w.vkeys["plain"]),
         f"verify-proof says {r.cell()}, tests/verify.py otherwise: {text[:2000]}")
    need(wanted is None or (r.status == 0) == wanted, f"{r.cell()}: {text[:1500]}")
    return r.cell()


def all_of(w, texts, wanted=False):
    return ", ".join(sorted({judge(w, text, wanted) for text in texts}))


def inclusion(w):
    """A proof as (lines before the note, the note)."""
    size = int(w.heads["plain"].split(":")[0])
    seq = w.rng.randrange(2, size + 1)
    text = prove(w, seq)
    judge(w, text, True)
    head, note = text.split("\n\n", 1)
    return head.split("\n"), note, seq, size


def put(lines, note):
    return "\n".join(lines) + "\n\n" + note


@probe(PART)
def index_games(w):
    """inclusion: another index, that of the size, 2^63 - 1, 2^63, 2^64, negative, 07"""
    lines, note, seq, size = inclusion(w)
    return all_of(w, [put(lines[:2] + [f"index {i}"] + lines[3:], note) for i in (
        seq, seq - 2, size, size + 1, 2 ** 63 - 1, 2 ** 63, 2 ** 64 + seq - 1, -1,
        f"0{seq - 1}", f"+{seq - 1}", f"{seq - 1}.0", "")])


@probe(PART)
def path_games(w):
    """inclusion: a hash too many or too few, none, swapped, doubled, another one"""
    lines, note, _, _ = inclusion(w)
    path = lines[3:]
    other = second.b64(w.rng.randbytes(32))
    paths = [path + [other], path[:-1], path[1:], [], path + path[-1:], [other] + path,
             path[:-1] + [other], path * 40]
    if len(path) > 1 and path[0] != path[1]:
        paths.append([path[1], path[0]] + path[2:])
    return all_of(w, [put(lines[:3] + p, note) for p in paths if p != path])


@probe(PART)
def leaf_and_node(w):
    """inclusion: an inner node as a leaf, a leaf as a node, with the path from there"""
    lines, note, seq, size = inclusion(w)
    line = second.base64.b64decode(lines[1][6:])
    path = [second.unb64(h, 32) for h in lines[3:]]
    leaf, texts = second.leaf_of(line), []
    for kind in range(3):
        if not path:
            break
        pair = (path[0] + leaf) if (seq - 1) & 1 else (leaf + path[0])
        extra = [b"\x01" + pair, pair, b"\x00" + pair][kind]
        texts.append(put([lines[0], "extra " + second.b64(extra), f"index {(seq - 1) >> 1}"] +
                         lines[4:], note))
    return all_of(w, texts)


@probe(PART)
def entry_games(w):
    """inclusion: another line, an edited one, one with other bytes of the same JSON"""
    lines, note, seq, size = inclusion(w)
    line = second.base64.b64decode(lines[1][6:])
    other = prove(w, seq % size + 1 if size > 1 else 1).split("\n")[1][6:]
    texts = [line + b"\n", line.replace(b'"op"', b' "op"'), line[:-1], b"", b"{}",
             line.replace(b'"seq"', b'"s\\u0065q"'), line.replace(b":", b": ", 1),
             second.base64.b64decode(other)]
    return all_of(w, [put([lines[0], "extra " + second.b64(t)] + lines[2:], note)
                      for t in texts if t != line])


@probe(PART)
def leaf_stated(w):
    """inclusion: a line that ends in the leaf as a redacted one does: of another record, seq or kind, with a payload, too"""
    lines, note, seq, _ = inclusion(w)
    line = second.base64.b64decode(lines[1][6:])
    other = (b'"resource":"bank","record_id":"alice","op":"delete",%b"occurred_at":'
             b'"1999-01-01T00:00:00Z","provenance":{"source":"ceo","confidence":1}')
    bodies = [b'{"seq":%d,' % n + body for n, body in (
        (seq, other % b""), (seq + 5, other % b""), (seq, other % b'"payload":null,'),
        (seq, b'"control":"peer-evict","args":{"name":"p","seq":1,"reason":"x"}'),
        (seq, b'"x":1'))]
    leaf = second.b64(second.leaf_of(line)).encode()
    return all_of(w, [put([lines[0], "extra " + second.b64(body + b',"redacted":"%b"}' % leaf)] +
                          lines[2:], note) for body in bodies + [line[:-1]]])


def notes(w, size, root):
    """Notes that do not vouch for this: forged, foreign, of other sizes."""
    key, thief = w.key, w.thief
    good = key.commit(size, root)
    out = [thief.commit(size, root).note(key.name),
           second.Commit(size, root, key.id, thief.commit(size, root).sig).note(key.name),
           second.Commit(size, root, key.id, forge.malleable(good.sig)).note(key.name),
           second.Commit(size, root, key.id, bytes(64)).note(key.name),
           second.Commit(size, root, key.id, forge.NEUTRAL).note(key.name),
           second.Commit(size + 1, root, key.id, good.sig).note(key.name),
           key.commit(size, root, "example.org/other").note("example.org/other"),
           key.commit(0, root).note(key.name),
           key.commit(size, w.rng.randbytes(32)).note(key.name),
           key.commit(size, second.sha256(b"")).note(key.name)]
    text = good.note(key.name)
    return out + [text.replace("\u2014 ", "- "), text.replace("\n\n", "\n"), text[:-1],
                  text.replace(f"\n{size}\n", f"\n0{size}\n"), text.replace("=\n", "\n"),
                  text.upper()]  # signature lines of witnesses may follow


@probe(PART)
def inclusion_notes(w):
    """inclusion: the note forged, malleable, by another key or name, of other sizes
    (0, 2^63 - 1), other roots, otherwise spelled; signed by the right key, too"""
    lines, note, _, size = inclusion(w)
    c = second.parse_note(note)[1]
    # A size that the holder of the key signs falsely may have the same path.
    all_of(w, [put(lines, w.key.commit(n, c.root).note(w.name)) for n in (
        size + 1, size + 2, 2 * size, 2 ** 63 - 1)], None)
    return all_of(w, [put(lines, n) for n in notes(w, size, c.root)])


def consistency(w):
    old = w.path("older.witness")
    text = prove(w, "--from", old)
    judge(w, text, True)
    return split(text)


@probe(PART)
def consistency_path(w):
    """consistency: a hash too many or too few, none, swapped, another one"""
    head, one, two = consistency(w)
    path = head.split("\n")[1:]
    other = second.b64(w.rng.randbytes(32))
    paths = [path + [other], path[:-1], path[1:], [], path + path[-1:], [other] + path,
             path[:-1] + [other], path * 40, path[1:2] + path[:1] + path[2:]]
    return all_of(w, ["\n".join([HEAD] + p) + "\n\n" + one + "\n" + two
                      for p in paths if p != path])


HEAD = "paritylog/consistency@v1"


@probe(PART)
def consistency_notes(w):
    """consistency: notes swapped, equal, forged, of other sizes (0, 2^63 - 1) and
    roots, of another history of the same key"""
    head, one, two = consistency(w)
    old, new = (second.parse_note(n)[1] for n in (one, two))
    with open(w.path("fork.witness"), encoding="utf-8") as f:
        fork = f.read()
    texts = [head + "\n\n" + two + "\n" + one, head + "\n\n" + one + "\n" + one,
             head + "\n\n" + one + "\n" + fork]
    texts += [head + "\n\n" + n + "\n" + two for n in notes(w, old.size, old.root)]
    texts += [head + "\n\n" + one + "\n" + n for n in notes(w, new.size, new.root)]
    all_of(w, [head + "\n\n" + one + "\n" + w.key.commit(n, new.root).note(w.name)
               for n in (new.size + 1, new.size * 2, 2 ** 63 - 1)], None)
    same = HEAD + "\n\n" + two + "\n" + w.key.commit(
        new.size, w.rng.randbytes(32)).note(w.name)
    return all_of(w, texts + [same])


@probe(PART)
def proofs_of_key(w):
    """a good proof under another key of the same name, a key of small order, or one
    whose id is claimed"""
    text = prove(w, 2)
    name, own, data = w.vkeys["plain"].split("+", 2)
    cells = set()
    for vkey in [w.thief.vkey, f"{name}+{own}+{w.thief.vkey.split('+', 2)[2]}",
                 f"{name}x+{own}+{data}"] + [forge.vkey_of(name, p) for p in forge.SMALL_ORDER]:
        r = w.run("verify-proof", keep(w, text), "--key", vkey, "--json")
        need(r.status in (2, 12), r.cell())
        cells.add(r.cell())
    small = forge.vkey_of(name, forge.SMALL_ORDER[0])
    zero = second.Commit(2, bytes(32), small.split("+")[1], forge.NEUTRAL).note(name)
    need(w.run("verify-proof", keep(w, put(["c2sp.org/tlog-proof@v1", "index 0"], zero)),
               "--key", small).status in (2, 12), "a key of small order")
    return ", ".join(sorted(cells))


@probe(PART)
def proof_dirt(w):
    """proofs cut anywhere, with bytes turned, and with more behind them"""
    good = [put(*inclusion(w)[:2]), None]
    head, one, two = consistency(w)
    good[1] = head + "\n\n" + one + "\n" + two
    texts = []
    for text in good:
        for _ in range(6):
            at = w.rng.randrange(len(text) - 1)
            texts += [text[:at], text[:at] + chr(ord(text[at]) % 90 + 33) + text[at + 1:]]
        texts += [text + "\n", text + "x", text * 2, "\n" + text, text.replace("\n", "\r\n")]
    return ", ".join(sorted({judge(w, t) for t in texts if t not in good}))

