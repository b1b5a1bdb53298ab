"""Keys, signatures and logs as an attacker makes them.

Nothing here calls the command: lines, headers, commits and rotations are built
from what tests/verify.py knows of the format, and signed with a key that a log
of ours has in keys/signing.key, or with one of the attacker's own.
"""
import base64
import copy
import functools
import hashlib
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(os.path.dirname(HERE)))
import verify as second  # noqa: E402 - ends with 77 without an Ed25519 package

try:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import \
        Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, \
        PublicFormat

    def public_of(seed):
        return Ed25519PrivateKey.from_private_bytes(seed).public_key() \
            .public_bytes(Encoding.Raw, PublicFormat.Raw)

    def signature(seed, text):
        return Ed25519PrivateKey.from_private_bytes(seed).sign(text)
except ImportError:
    from nacl.signing import SigningKey

    def public_of(seed):
        return bytes(SigningKey(seed).verify_key)

    def signature(seed, text):
        return SigningKey(seed).sign(text).signature


# Lines and signatures come again and again, and what they are does not change.
second.parse = functools.lru_cache(1 << 12)(second.parse)
second.signature_holds = functools.lru_cache(1 << 14)(second.signature_holds)


def header_of(line):
    """One to change: the verifier remembers those that it has taken apart."""
    return copy.deepcopy(second.parse_header(line))


class Key:
    """A signing key with its name."""

    def __init__(self, name, seed):
        self.name, self.seed, self.public = name, seed, public_of(seed)
        self.id = key_id(name, self.public)
        self.vkey = vkey_of(name, self.public)

    @classmethod
    def of(cls, directory, file="signing.key"):
        with open(os.path.join(directory, "keys", file), encoding="utf-8") as f:
            name, _, data = f.read().strip().split("+", 4)[2:]
        return cls(name, base64.b64decode(data)[1:])

    def secret(self):
        """The file keys/signing.key."""
        return (f"PRIVATE+KEY+{self.name}+{self.id}+" +
                second.b64(b"\x01" + self.seed) + "\n")

    def sign(self, text):
        return signature(self.seed, text if isinstance(text, bytes) else text.encode())

    def commit(self, size, root, origin=None):
        text = second.signed_text(origin or self.name, size, root)
        return second.Commit(size, root, self.id, self.sign(text))


def key_id(name, public):
    return hashlib.sha256(name.encode() + b"\n\x01" + public).digest()[:4].hex()


def vkey_of(name, public):
    return f"{name}+{key_id(name, public)}+{second.b64(bytes([1]) + public)}"


def malleable(sig):
    """The same signature with S + L in the place of S."""
    s = int.from_bytes(sig[32:], "little") + second.L
    return sig[:32] + s.to_bytes(32, "little")


# Points whose order divides 8, in every encoding that a lax reader takes: one
# signature under such a key holds for many texts.
SMALL_ORDER = [bytes.fromhex(h) for h in (
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff")]

# R the neutral point and S zero: holds under a key of small order.
NEUTRAL = SMALL_ORDER[0] + bytes(32)


# ---- Logs ------------------------------------------------------------------


class Log:
    """The segments of a directory as lists of lines, without their LFs."""

    def __init__(self, directory):
        self.folder = os.path.join(directory, "log")
        self.segments = {}
        for name in sorted(os.listdir(self.folder)):
            with open(os.path.join(self.folder, name), "rb") as f:
                self.segments[name] = f.read().rstrip(b"\n").split(b"\n")

    def names(self):
        return list(self.segments)

    def groups(self):
        """(segment, first line, line of the commit) of each group."""
        found = []
        for name, lines in self.segments.items():
            start = 1
            for i, line in enumerate(lines):
                if line.startswith(b'{"commit":'):
                    found.append((name, start, i))
                    start = i + 1
        return found

    def parts(self):
        """The log as (entries of each group, which groups begin a segment)."""
        entries, breaks = [], set()
        for name, start, end in self.groups():
            if start == 1:
                breaks.add(len(entries))
            entries.append(self.segments[name][start:end])
        return entries, breaks

    def save(self):
        for name in os.listdir(self.folder):
            if name not in self.segments:
                os.remove(os.path.join(self.folder, name))
        for name, lines in self.segments.items():
            with open(os.path.join(self.folder, name), "wb") as f:
                f.write(b"".join(line + b"\n" for line in lines))

    def rebuild(self, entries, breaks, key_at, commit=None):
        """All of it anew: headers, roots and commits of these groups.

        @key_at  the key that signs a size
        @commit  alters a commit: (commit, key, tree) -> commit or bytes
        """
        self.segments, tree, size, last = {}, [], 0, None
        for i, lines in enumerate(entries):
            if i in breaks or not self.segments:
                first = size + 1
                now = self.segments[f"{first:020d}.jsonl"] = [
                    second.Header(key_at(max(size, 1)).name, tree, last).line()]
            for line in lines:
                tree = second.add_leaf(size, tree, line)
                size += 1
            key = key_at(size)
            c = last = key.commit(size, second.root_of(tree))
            if commit:
                c = commit(c, key, tree) or c
            now += lines + [c if isinstance(c, bytes) else c.line()]


def renumbered(entries):
    """The groups with seqs from 1 on and logged_at where it belongs."""
    seq, out = 0, []
    time = b',"logged_at":"2026-01-02T03:04:05.000000Z"}'
    for lines in entries:
        group = []
        for i, line in enumerate(lines):
            seq += 1
            line = re.sub(rb'^\{"seq":[0-9]+', b'{"seq":%d' % seq, line)
            have = re.search(rb',"logged_at":"[^"]*"\}$', line)
            if have and i:
                line = line[:have.start()] + b"}"
            elif not have and not i:
                line = line[:-1] + time
            group.append(line)
        out.append(group)
    return out


def rotation(old, new, size, root, old_sig=None, new_sig=None):
    """A rotate entry, of seq `size`; signatures as given, or good ones."""
    text = ("paritylog key rotation, format 1\n" + second.signed_text(
        old.name, size, root) + old.vkey + "\n" + new.vkey + "\n").encode()
    one, two = old_sig or old.sign(text), new_sig or new.sign(text)
    return (f'{{"seq":{size},"control":"rotate","args":{{"size":{size},"root":"'
            f'{second.b64(root)}","old":{second.spell(old.vkey)},"new":'
            f'{second.spell(new.vkey)},"old_sig":"{second.b64(one)}","new_sig":"'
            f'{second.b64(two)}"}},"logged_at":"2026-01-02T03:04:05.000000Z"}}'
            ).encode()


def restoration(old, new, size, root):
    """A restore entry, behind `size` entries."""
    text = ("paritylog restored copy, format 1\n" + second.signed_text(
        old.name, size, root) + old.vkey + "\n" + new.vkey + "\n").encode()
    return (f'{{"seq":{size + 1},"control":"restore","args":{{"size":{size},"root"'
            f':"{second.b64(root)}","old":{second.spell(old.vkey)},"new":'
            f'{second.spell(new.vkey)},"sig":"{second.b64(new.sign(text))}"}},'
            f'"logged_at":"2026-01-02T03:04:05.000000Z"}}').encode()
