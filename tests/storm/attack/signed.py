"""Attacks on signatures and keys: forged, malleable, foreign, stolen."""
import os

from . import forge
from .cases import attack

second = forge.second
PART = "Signatures"
INNER = "vkpw"  # opening looks at the end of the log only


def commit_changed(v, change, last=False):
    """Puts change(commit) in the place of one commit."""
    log = v.log()
    name, _, at = v.pick(log.groups(), last)
    old = log.segments[name][at]
    new = change(second.parse_commit(old))
    new = new if isinstance(new, bytes) else new.line()
    assert new != old
    log.segments[name][at] = new
    log.save()


def with_sig(c, sig):
    return second.Commit(c.size, c.root, c.key, sig)


@attack(PART, INNER)
def random_sig(v):
    """a signature of random bytes"""
    commit_changed(v, lambda c: with_sig(c, v.rng.randbytes(64)))


@attack(PART, INNER)
def zero_sig(v):
    """a signature of zeros"""
    commit_changed(v, lambda c: with_sig(c, bytes(64)))


@attack(PART, INNER)
def bit_of_sig(v):
    """one bit of a signature turned"""
    def turn(c):
        bit = v.rng.randrange(512)
        sig = bytearray(c.sig)
        sig[bit // 8] ^= 1 << bit % 8
        return with_sig(c, bytes(sig))
    commit_changed(v, turn)


@attack(PART, INNER)
def malleable(v):
    """a signature with S + L in the place of S (malleable)"""
    commit_changed(v, lambda c: with_sig(c, forge.malleable(c.sig)))


@attack(PART, INNER)
def small_r(v):
    """a signature whose R is a point of small order, S zero or as it was"""
    r = v.rng.choice(forge.SMALL_ORDER)
    s = v.rng.choice([None, bytes(32)])
    commit_changed(v, lambda c: with_sig(c, r + (s or c.sig[32:])))


@attack(PART, INNER)
def other_groups_sig(v):
    """the signature of another commit of the log"""
    groups = v.log()
    sigs = [second.parse_commit(groups.segments[n][e]).sig for n, _, e in groups.groups()]
    commit_changed(v, lambda c: with_sig(c, v.rng.choice([s for s in sigs if s != c.sig])))


@attack(PART, INNER)
def wrong_domain(v):
    """the right key over another text: the name of another log, another size,
    the text without its end, the root alone, the text of a rotation"""
    def change(c):
        text = second.signed_text(v.key.name, c.size, c.root)
        texts = [second.signed_text("example.org/other", c.size, c.root), text[:-1],
                 text + "\n", second.signed_text(v.key.name, c.size + 1, c.root),
                 c.root, second.b64(c.root), "paritylog key rotation, format 1\n" + text,
                 "paritylog restored copy, format 1\n" + text]
        return with_sig(c, v.key.sign(v.rng.choice(texts)))
    commit_changed(v, change)


@attack(PART, INNER)
def foreign_sig(v):
    """another key signs and claims the id of ours"""
    commit_changed(v, lambda c: second.Commit(
        c.size, c.root, c.key, v.w.thief.commit(c.size, c.root).sig))


@attack(PART, INNER)
def foreign_key(v):
    """another key of the same name signs one group under its own id"""
    commit_changed(v, lambda c: v.w.thief.commit(c.size, c.root))


@attack(PART, INNER)
def foreign_key_trusted(v):
    """the same, and its verifier key is put into keys/"""
    v.keys(v.vkey, v.w.thief.vkey)
    commit_changed(v, lambda c: v.w.thief.commit(c.size, c.root))


@attack(PART, "vpkwa")
def last_sig(v):
    """a forged signature in the last group"""
    commit_changed(v, lambda c: with_sig(c, v.w.thief.commit(c.size, c.root).sig), last=True)


@attack(PART, "vkpwa")
def zero_key(v):
    """keys/ holds a verifier key of small order or of zeros, under which one
    signature holds for many texts; log signed by it"""
    public = v.rng.choice(forge.SMALL_ORDER)
    v.keys(forge.vkey_of(v.key.name, public))
    small = forge.key_id(v.key.name, public)
    log = v.log()
    entries, breaks = log.parts()
    log.rebuild(entries, breaks, lambda size: v.key,
                lambda c, key, tree: second.Commit(c.size, c.root, small, forge.NEUTRAL))
    log.save()


# ---- All of it signed anew ---------------------------------------------------


def resigned(v, key, begin=0):
    log = v.log()
    entries, breaks = log.parts()
    log.rebuild(entries, breaks, lambda size: key if size >= begin else v.key)
    log.save()


@attack("Another key", "kpwa")
def resigned_log(v):
    """the log signed anew by another key, keys/*.vkey replaced"""
    v.keys(v.w.thief.vkey)
    resigned(v, v.w.thief)


@attack("Another key", "kw")
def resigned_both(v):
    """the same with signing.key replaced and the store made anew"""
    v.keys(v.w.thief.vkey)
    resigned(v, v.w.thief)
    v.write("keys/signing.key", v.w.thief.secret())
    v.rebuild_store()


@attack("Another key", "kw")
def resigned_payloads(v):
    """the same, and payloads changed on the way"""
    log = v.log()
    entries, breaks = log.parts()
    entries = [[e.replace(b'"payload":{"v":', b'"payload":{"v":7') for e in g]
               for g in entries]
    log.rebuild(entries, breaks, lambda size: v.w.thief)
    log.save()
    v.keys(v.w.thief.vkey)
    v.write("keys/signing.key", v.w.thief.secret())
    v.rebuild_store()


@attack("Another key", "vkpwa")
def resigned_tail(v):
    """the tail signed anew by another key, which keys/ trusts beside ours"""
    v.keys(v.vkey, v.w.thief.vkey)
    sizes = [second.parse_commit(v.log().segments[n][e]).size
             for n, _, e in v.log().groups()]
    resigned(v, v.w.thief, v.rng.choice(sizes[1:]))


@attack("Another key", "vpa")
def key_removed(v):
    """the verifier keys removed, and those of others put there"""
    v.keys(v.w.vkeys["other"], v.w.thief.vkey)


@attack("Another key", "vpa")
def key_garbage(v):
    """a verifier key with another id, name, base64 or length, or binary dirt"""
    name, own, key = v.vkey.split("+", 2)
    v.write(f"keys/{own}.vkey", v.rng.choice([
        f"{name}+{'00000000'}+{key}\n", f"{name}x+{own}+{key}\n", f"{name}+{own}+{key[:-1]}\n",
        f"{name}+{own}+{key}=\n", f"{name}+{own}+{key[:-1]}-\n", f"{name}+{own}\n",
        b"\xff\xfe\x00" * 30, f"{name}+{own}+{key} \n"]))


@attack("Another key", "a")
def signing_key_of_another(v):
    """signing.key replaced by that of another key"""
    v.write("keys/signing.key", v.w.thief.secret())


@attack("Another key", "")
def new_key_planted(v):
    """a signing.key.new of the attacker, as a killed rotation would leave one"""
    v.write("keys/signing.key.new", v.w.thief.secret())
    os.chmod(v.path("keys", "signing.key.new"), 0o600)


# Two seeds whose keys have one id under one name, found by search.
COLLISION = "example.org/collision", "d3743d1f", [bytes.fromhex(seed) for seed in (
    "922dc44be8cf28101cd4eadf0d0466fc169f78b577eab8d7b4f626624335a9bb",
    "1a2901bcd36a2bb9494e27ab36e590e6a0f8bfe0193e670eceeb286be9f6b86b")]


def twins(v):
    """The log under the first of two keys with one id, whole; both keys."""
    name, own, seeds = COLLISION
    one, two = (forge.Key(name, seed) for seed in seeds)
    assert one.id == two.id == own and one.public != two.public
    resigned(v, one)
    v.keys(one.vkey)
    v.write("keys/signing.key", one.secret())
    v.rebuild_store()
    v.key, v.vkey, v.witness = one, one.vkey, v.path("..", "twins.witness")
    last = second.parse_commit(list(v.log().segments.values())[-1][-1])
    v.write(v.witness, last.note(name))
    return one, two


@attack("Another key", INNER)
def collision_signs(v):
    """a key whose id collides with that of ours signs a group"""
    _, two = twins(v)
    commit_changed(v, lambda c: two.commit(c.size, c.root))


@attack("Another key", "kw")
def collision_signs_all(v):
    """a key whose id collides with that of ours signs all of it, and takes our
    place in keys/ and in the store"""
    _, two = twins(v)
    resigned(v, two)
    v.keys(two.vkey)
    v.write("keys/signing.key", two.secret())
    v.rebuild_store()


@attack("Another key", "vpa")
def collision_trusted(v):
    """keys/ holds two keys whose ids collide"""
    one, two = twins(v)
    v.write(f"keys/{one.id}.vkey", one.vkey + "\n" + two.vkey + "\n")


@attack("Another key", INNER)
def collision_rotates(v):
    """a rotation to a key whose id collides with that of ours, signed by both"""
    one, two = twins(v)
    log = v.log()
    entries, breaks = log.parts()
    tree, size = [], 0
    for line in (line for group in entries for line in group):
        tree, size = second.add_leaf(size, tree, line), size + 1
    entries.append([forge.rotation(one, two, size + 1, second.root_of(tree))])
    log.rebuild(entries, breaks, lambda size: one)
    log.save()
