#!/usr/bin/env python3
"""A second verifier of paritylog's log, written from docs/FORMAT.md alone.

    verify.py [--key VKEY] [--partial] [--snapshots] DIR...
    verify.py --each

Prints one line a directory: `OK SIZE ROOT`, or the first fault as `VERDICT FILE
OFFSET: WHAT` (OFFSET is - where none is stated).  Exit status 0 when all are
OK, 1 when one is not, 2 for a usage error, 77 without an Ed25519 package
(python3-cryptography or python3-nacl).

--key      trust this verifier key alone, not those of DIR/keys
--partial  begin at the first segment there is, on its header's word
--snapshots  check snapshots/, too: what the last compact entry signs is there
           and hashes to that; where archive/ and log/ hold the entries, fold
           them and see that they come to that very text

Numbers in comments are sections of docs/FORMAT.md.
"""
import base64
import copy
import functools
import hashlib
import os
import re
import stat
import sys
import zlib

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import \
        Ed25519PublicKey

    def signature_holds(public, sig, text):
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(sig, text)
            return True
        except InvalidSignature:
            return False
except ImportError:
    try:
        from nacl.exceptions import BadSignatureError
        from nacl.signing import VerifyKey

        def signature_holds(public, sig, text):
            try:
                VerifyKey(public).verify(text, sig)
                return True
            except BadSignatureError:
                return False
    except ImportError:
        sys.stderr.write('verify.py: no Ed25519: install python3-cryptography'
                         ' or python3-nacl\n')
        sys.exit(77)

signature_holds = functools.lru_cache(4096)(signature_holds)
LINE_MAX = (16 << 20) + (64 << 10)
HEADER_MAX = 64 << 10
GROUP_MAX = 64 << 20
TAIL_MAX = GROUP_MAX + (64 << 10)
PROOF_MAX = 2 << 20
NUMBER_MAX = (1 << 63) - 1


class Bad(Exception):
    """A text that is not as it must be."""


class Fault(Exception):
    """What a verifier reports (8): a verdict, a file, an offset or None."""

    def __init__(self, verdict, file, offset, what):
        super().__init__(what)
        self.verdict, self.file, self.offset = verdict, file, offset


def need(condition, what):
    if not condition:
        raise Bad(what)


def remembered(function):
    """A function of bytes that keeps what it answered, or why it refused."""
    @functools.lru_cache(4096)
    def answer(*args):
        try:
            return function(*args), None
        except (Bad, Unknown, Forged) as why:
            return None, why

    @functools.wraps(function)
    def ask(*args):
        value, why = answer(*args)
        if why is not None:
            raise why.with_traceback(None)
        return value
    return ask


class Forged(Exception):
    """A signature inside an entry that does not verify."""


class Unknown(Exception):
    """A name that this version does not know."""


class Directory:
    """Where the files of a log come from; what holds them in memory has the
    same three methods."""

    def __init__(self, path):
        self.path = path

    def names(self, folder):
        path = os.path.join(self.path, folder)
        return os.listdir(path) if os.path.isdir(path) else []

    def has(self, file):
        return os.path.lexists(os.path.join(self.path, file))

    def read(self, file):
        path = os.path.join(self.path, file)
        st = os.lstat(path)
        if not stat.S_ISREG(st.st_mode) or st.st_nlink != 1:
            raise Fault('CORRUPT', file, None,
                        'not a regular file with one link')
        with open(path, 'rb') as f:
            return f.read()


# ---- 2: encoding -----------------------------------------------------------

STRING = re.compile(
    r'"((?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*)"')
NUMBER = re.compile(r'-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?')
ESCAPE = re.compile(r'\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F]'
                    r'[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.')
SIMPLE = {'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}


def unescape(raw):
    def one(match):
        text = match[0]
        if text[1] != 'u':
            return SIMPLE.get(text[1], text[1])
        code = int(text[2:6], 16)
        if len(text) == 12:
            low = int(text[8:12], 16)
            return chr(0x10000 + (code - 0xd800) * 0x400 + low - 0xdc00)
        need(code != 0, '\\u0000')
        need(not 0xd800 <= code <= 0xdfff, 'half of a surrogate pair')
        return chr(code)
    return ESCAPE.sub(one, raw) if '\\' in raw else raw


class Value:
    """One JSON value: kind `sona0` or `b`, its text as written, and for a
    string its decoded text, for an object its members as (raw name, name,
    value)."""

    def __init__(self, kind, raw, text=None, members=None, items=None):
        self.kind, self.raw, self.text = kind, raw, text
        self.members, self.items = members, items

    def size(self):
        return len(self.text.encode())


def parse(line):
    """A line of the log as a Value; Bad unless it is strict JSON without white
    space, and an object."""
    try:
        s = line.decode('utf-8')
    except UnicodeDecodeError:
        raise Bad('not UTF-8') from None

    def string(at):
        m = STRING.match(s, at)
        need(m, 'not a string')
        return m

    def value(at, depth):
        c = s[at:at + 1]
        if c == '"':
            m = string(at)
            return Value('s', m[0], unescape(m[1])), m.end()
        if c == '{' or c == '[':
            return container(at, depth + 1)
        for word, kind in (('true', 'b'), ('false', 'b'), ('null', '0')):
            if s.startswith(word, at):
                return Value(kind, word), at + len(word)
        m = NUMBER.match(s, at)
        need(m, 'not a value')
        return Value('n', m[0]), m.end()

    def container(start, depth):
        need(depth <= 64, 'more than 64 brackets')
        is_object, at = s[start] == '{', start + 1
        close, members, items, names = '}' if is_object else ']', [], [], set()
        while s[at:at + 1] != close or members or items:
            if is_object:
                m = string(at)
                name = unescape(m[1])
                need(name not in names, 'a member twice')
                names.add(name)
                need(s[m.end():m.end() + 1] == ':', 'no colon')
                v, at = value(m.end() + 1, depth)
                members.append((m[1], name, v))
            else:
                v, at = value(at, depth)
                items.append(v)
            if s[at:at + 1] == close:
                break
            need(s[at:at + 1] == ',', 'no comma')
            at += 1
        return Value('o' if is_object else 'a', s[start:at + 1], None, members,
                     items), at + 1

    need(s[:1] == '{', 'not an object')
    whole, end = container(0, 1)
    need(end == len(s), 'something behind the object')
    return whole


def spell(text):
    """A string in our own spelling."""
    def one(m):
        c = m[0]
        return '\\' + c if c in '"\\' else '\\n' if c == '\n' else \
            '\\u%04x' % ord(c)
    return '"' + re.sub(r'["\\\x00-\x1f]', one, text) + '"'


def number(raw, least=0):
    need(re.fullmatch(r'0|[1-9][0-9]{0,18}', raw) and
         least <= int(raw) <= NUMBER_MAX, 'not a number')
    return int(raw)


def b64(data):
    return base64.b64encode(data).decode()


def unb64(text, size):
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise Bad('not base64') from None
    need(len(data) == size and b64(data) == text, 'not base64')
    return data


def is_origin(text):
    return 1 <= len(text.encode()) <= 255 and not any(
        c < ' ' or '\x7f' <= c <= '\x9f' or c == '+' or c.isspace()
        for c in text)


# ---- 4: tree and signature -------------------------------------------------

def sha256(data):
    return hashlib.sha256(data).digest()


def node(left, right):
    return sha256(b'\x01' + left + right)


@remembered
def leaf_of(line):
    """The leaf of a line; of a redacted one that of the line as it was (3.5),
    provided that it is one."""
    return redacted_leaf(line) or sha256(b'\x00' + line)


def add_leaf(size, tree, line):
    """The range of size + 1 leaves."""
    tree, hash_ = list(tree), leaf_of(line)
    while size & 1:
        hash_ = node(tree.pop(), hash_)
        size >>= 1
    return tree + [hash_]


def root_of(tree):
    if not tree:
        return sha256(b'')
    hash_ = tree[-1]
    for left in reversed(tree[:-1]):
        hash_ = node(left, hash_)
    return hash_


def signed_text(origin, size, root):
    return f'{origin}\n{size}\n{b64(root)}\n'


class Commit:
    def __init__(self, size, root, key, sig):
        self.size, self.root, self.key, self.sig = size, root, key, sig

    def line(self):
        return (f'{{"commit":{{"size":{self.size},"root":"{b64(self.root)}",'
                f'"key":"{self.key}","sig":"{b64(self.sig)}"}}}}').encode()

    def note(self, origin):
        return (signed_text(origin, self.size, self.root) + '\n\u2014 ' +
                origin + ' ' + b64(bytes.fromhex(self.key) + self.sig) + '\n')


COMMIT = re.compile(rb'\{"commit":\{"size":([0-9]+),"root":"([^"]*)",'
                    rb'"key":"([0-9a-f]{8})","sig":"([^"]*)"\}\}')


@remembered
def parse_commit(line):
    m = COMMIT.fullmatch(line)
    need(m, 'not a commit line')
    size, root, key, sig = (part.decode('latin-1') for part in m.groups())
    c = Commit(number(size, 1), unb64(root, 32), key, unb64(sig, 64))
    need(c.line() == line, 'another spelling of a commit line')
    return c


# ---- 5: keys -----------------------------------------------------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


@functools.lru_cache
def has_prime_order(public):
    """Whether it is the canonical encoding of a point of prime order: L times
    it is the neutral element, and it is not that itself."""
    y, sign = int.from_bytes(public, 'little') % 2**255, public[31] >> 7
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if v * x * x % P == P - u and u:
        x = x * pow(2, (P - 1) // 4, P) % P
    if y >= P or v * x * x % P != u or (x == 0 and sign) or (x, y) == (0, 1):
        return False
    if x & 1 != sign:
        x = P - x

    def add(a, b):
        (x1, y1), (x2, y2) = a, b
        k = D * x1 * x2 * y1 * y2 % P
        return ((x1 * y2 + x2 * y1) * pow(1 + k, P - 2, P) % P,
                (y1 * y2 + x1 * x2) * pow(1 - k, P - 2, P) % P)
    point, total = (x, y), (0, 1)
    for bit in range(L.bit_length()):
        if L >> bit & 1:
            total = add(total, point)
        point = add(point, point)
    return total == (0, 1)


@remembered
def parse_vkey(text):
    """(name, id, public key)"""
    parts = text.split('+', 2)
    need(len(parts) == 3 and is_origin(parts[0]), 'not a verifier key')
    data = unb64(parts[2], 33)
    key_id = sha256(parts[0].encode() + b'\n' + data)[:4].hex()
    need(data[0] == 1 and parts[1] == key_id and has_prime_order(data[1:]),
         'not a verifier key')
    return parts[0], key_id, data[1:]


def trusted_keys(directory, pin):
    texts = [pin] if pin else []
    for name in [] if pin else sorted(directory.names('keys')):
        if name.endswith('.vkey'):
            try:
                data = directory.read('keys/' + name)
            except Fault as why:
                raise Bad(str(why)) from None
            texts += data.decode('utf-8').splitlines()
    found = {}
    for text in texts:
        key = parse_vkey(text)
        need(found.setdefault(key[1], key) == key, 'two keys of one id')
    return found


# ---- 3 and 6: entries --------------------------------------------------------

TIME = re.compile(r'(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(\.\d{1,9})?'
                  r'(?:[Zz]|[+-](\d\d):(\d\d))', re.ASCII)
OUR_TIME = re.compile(r'.{10}T.{8}\.\d{6}Z', re.ASCII)
CONTROLS = {'init': ['strategy', 'max_line', 'segment_size'],
            'strategy': ['strategy'],
            'source-cursor': ['source', 'resource', 'cursor'],
            'peer-add': ['name'],
            'peer-evict': ['name', 'seq', 'reason'],
            'peer-rewind': ['name', 'seq'],
            'compact': ['from', 'to', 'root', 'archive', 'snapshot', 'strategy',
                        'max_line', 'segment_size', 'peers', 'rotations'],
            'redact': ['seq', 'leaf', 'line', 'reason'],
            'restore': ['size', 'root', 'old', 'new', 'sig'],
            'rotate': ['size', 'root', 'old', 'new', 'old_sig', 'new_sig']}
STRATEGIES = ['last-write-wins', 'arrival', 'highest-confidence', 'keep-local',
              'merge-json', 'custom']


def check_time(text):
    m = TIME.fullmatch(text)
    need(m, 'not a time')
    year, month, day, hour, minute, second = (int(g) for g in m.groups()[:6])
    leap = year % 4 == 0 and year % 100 != 0 or year % 400 == 0
    days = [31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    need(1 <= month <= 12 and 1 <= day <= days[month - 1] and hour <= 23 and
         minute <= 59 and second <= 59 and int(m[8] or 0) <= 23 and
         int(m[9] or 0) <= 59, 'not a time')


def check_text(value, most):
    need(value.kind == 's' and 1 <= value.size() <= most, 'a text of odd size')


def check_provenance(value):
    need(value.kind == 'o', 'provenance is not an object')
    members = {name: v for _, name, v in value.members}
    need(set(members) == {'source', 'confidence'}, 'provenance')
    check_text(members['source'], 255)
    confidence = members['confidence']
    need(confidence.kind == 'n' and 0 <= float(confidence.raw) <= 1,
         'confidence')


def check_from(value):
    need(value.kind == 'o' and [raw for raw, _, _ in value.members] ==
         ['origin', 'seq'], 'from')
    origin, seq = (v for _, _, v in value.members)
    need(origin.kind == 's' and is_origin(origin.text), 'from.origin')
    number(seq.raw, 1)


def check_args(name, args):
    need([raw for raw, _, _ in args.members] == CONTROLS[name], 'args')
    values = {raw: v for raw, _, v in args.members}
    if 'strategy' in values:
        need(values['strategy'].raw[1:-1] in STRATEGIES, 'strategy')
    if name == 'init':
        need(number(values['max_line'].raw, 1) <= 16 << 20, 'max_line')
        number(values['segment_size'].raw, 1)
    if name == 'source-cursor':
        check_text(values['source'], 255)
        check_text(values['resource'], 255)
        need(values['cursor'].kind == 's' and values['cursor'].size() <= 4096,
             'cursor')
    if name.startswith('peer-'):
        check_text(values['name'], 255)
    if name in ('peer-evict', 'peer-rewind'):
        number(values['seq'].raw)
    if name == 'peer-evict':
        check_text(values['reason'], 255)


# 5: key rotation
class Rotation:
    """A rotate entry, or a restore entry: there the new key has another name,
    signs alone, and the entry's own commit."""

    def __init__(self, name, args, seq):
        v = {raw: value for raw, _, value in args.members}
        self.restores = name == 'restore'
        need(all(v[n].kind == 's' for n in CONTROLS[name][1:]), 'args')
        self.size = number(v['size'].raw, 1)
        need(self.size == seq - self.restores,
             'a rotation that stands elsewhere')
        self.root = unb64(v['root'].raw[1:-1], 32)
        self.old, self.new = (parse_vkey(v[n].text) for n in ('old', 'new'))
        need((self.old[0] != self.new[0]) == self.restores and
             self.old[1] != self.new[1], 'the keys of a rotation')
        need(all(v[n].raw == spell(v[n].text) for n in ('old', 'new')),
             'another spelling of a key')
        what = 'restored copy' if self.restores else 'key rotation'
        text = (f'paritylog {what}, format 1\n' + signed_text(
            self.old[0], self.size, self.root) + v['old'].text + '\n' +
            v['new'].text + '\n').encode()
        signed = [(self.new, 'sig')] if self.restores else [
            (self.old, 'old_sig'), (self.new, 'new_sig')]
        for key, sig in signed:
            if not signature_holds(key[2], unb64(v[sig].raw[1:-1], 64), text):
                raise Forged(f'{sig} of a rotation')


@remembered
def rotation_of(line):
    """The rotation that a line is, if it proves itself; else None."""
    try:
        whole = parse(line)
        if [r for r, _, _ in whole.members[:3]] == ['seq', 'control', 'args'] \
                and parse_entry(line)[1] in ('rotate', 'restore'):
            return Rotation(whole.members[1][2].raw[1:-1], whole.members[2][2],
                            number(whole.members[0][2].raw))
    except (Bad, Forged, Unknown):
        pass
    return None


class Members:
    """The outer members of an entry, taken in their order."""

    def __init__(self, value):
        self.left = list(value.members)

    def take(self, name):
        if self.left and self.left[0][0] == name:
            return self.left.pop(0)[2]
        return None

    def must(self, name):
        value = self.take(name)
        if value is None and self.left:
            raise Unknown(f'{self.left[0][1]} where {name} is expected')
        need(value, f'{name} is missing')
        return value

    def end(self):
        if self.left:
            raise Unknown(self.left[0][1])


def take_logged_at(m):
    value = m.take('logged_at')
    if value is not None:
        need(value.kind == 's' and OUR_TIME.fullmatch(value.raw[1:-1]),
             'logged_at')
        check_time(value.raw[1:-1])
    return value is not None


@remembered
def parse_entry(line):
    """(seq, control name or None, whether it has logged_at); Bad or Unknown."""
    m = Members(parse(line))
    seq = number(m.must('seq').raw, 1)
    control = m.take('control')
    if control is not None:
        need(control.kind == 's', 'control')
        name = control.raw[1:-1]
        if name not in CONTROLS:
            raise Unknown(f'control {name}')
        args = m.take('args')
        need(args and args.kind == 'o', 'args')
        first = take_logged_at(m)
        m.end()
        check_args(name, args)
        if name in ('rotate', 'restore'):
            Rotation(name, args, seq)
        if name == 'redact':
            Order(args, seq)
        if name == 'compact':
            Compaction(args, seq)
        return seq, name, first
    own_id, origin = m.take('id'), m.take('from')
    resource, record, op = (
        m.must(name) for name in ('resource', 'record_id', 'op'))
    payload = m.take('payload')
    time, provenance = m.must('occurred_at'), m.must('provenance')
    meta = payload and m.take('meta')
    outcome = m.take('outcome')
    merged = payload and m.take('merged')
    salt = payload and m.must('salt')
    first = take_logged_at(m)
    redacted = None if payload else m.must('redacted')
    m.end()
    if own_id is not None:
        check_text(own_id, 255)
    if origin is not None:
        check_from(origin)
    check_text(resource, 255)
    check_text(record, 4096)
    need(op.kind == 's' and op.text in ('upsert', 'delete'), 'op')
    need(not payload or
         payload.kind == ('o' if op.text == 'upsert' else '0'), 'payload')
    need(time.kind == 's', 'occurred_at')
    check_time(time.text)
    check_provenance(provenance)
    need(meta is None or meta.kind == 'o', 'meta')
    need(outcome is None or outcome.raw == '"skipped"', 'outcome')
    need(merged is None or merged.kind == 'o' and op.text == 'upsert',
         'merged')
    if redacted:
        need(redacted.kind == 's', 'redacted')
        unb64(redacted.raw[1:-1], 32)
    else:
        need(salt.kind == 's', 'salt')
        unb64(salt.raw[1:-1], 16)
    return seq, None, first


# ---- 3.5: redaction ----------------------------------------------------------

class Order:
    def __init__(self, args, at):
        v = {raw: value for raw, _, value in args.members}
        need(all(v[n].kind == 's' for n in CONTROLS['redact'][1:]), 'args')
        self.at, self.seq = at, number(v['seq'].raw, 1)
        need(self.seq < at, 'an order about what follows it')
        self.leaf = unb64(v['leaf'].raw[1:-1], 32)
        self.line = unb64(v['line'].raw[1:-1], 32)
        need(1 <= v['reason'].size() <= 255, 'reason')

    def same(self, other):
        return (self.seq, self.leaf, self.line) == (other.seq, other.leaf,
                                                    other.line)


@remembered
def order_of(line):
    """The order that a line is, or None."""
    try:
        if b'"control":"redact",' in line[:64] and \
                parse_entry(line)[1] == 'redact':
            whole = parse(line)
            return Order(whole.members[2][2],
                         number(whole.members[0][2].raw))
    except (Bad, Forged, Unknown):
        pass
    return None


# 3.6: compact entries
class Compaction:
    def __init__(self, args, at):
        v = {raw: value for raw, _, value in args.members}
        self.at, self.raw = at, args.raw
        self.from_, self.to = number(v['from'].raw), number(v['to'].raw)
        need(self.from_ != self.to and max(self.from_, self.to) < at, 'floors')
        self.root = unb64(v['root'].raw[1:-1], 32)
        need(v['archive'].kind == 'b', 'archive')
        need((v['snapshot'].kind == '0') == (self.to == 0), 'snapshot')
        self.snapshot = None
        if self.to:
            need(v['snapshot'].kind == 's', 'snapshot')
            self.snapshot = unb64(v['snapshot'].raw[1:-1], 32)
        need(1 <= number(v['max_line'].raw, 1) <= 16 << 20, 'max_line')
        number(v['segment_size'].raw, 1)
        need(v['peers'].kind == 'a' and v['rotations'].kind == 'a', 'arrays')
        for peer in v['peers'].items:
            self.check_peer(peer)
        need(v['peers'].items or self.to < self.from_, 'no peer')
        self.rotations = [self.rotation(r) for r in v['rotations'].items]
        self.rotations_raw = v['rotations'].raw
        self.rules = {n: v[n].raw for n in CONTROLS['init']}
        seqs = [seq for seq, _ in self.rotations]
        need(seqs == sorted(set(seqs)) and all(s <= self.to for s in seqs),
             'the order of rotations')
        self.keys(self.to)

    def check_peer(self, peer):
        need(peer.kind == 'o', 'peer')
        names = [raw for raw, _, _ in peer.members]
        need(names in (['name', 'seq'], ['name', 'seq', 'root']), 'peer')
        name, seq = peer.members[0][2], peer.members[1][2]
        check_text(name, 255)
        need(number(seq.raw) >= self.to or self.to < self.from_,
             'a peer that lacks what went')
        if len(names) == 3:
            unb64(peer.members[2][2].raw[1:-1], 32)

    @staticmethod
    def rotation(value):
        need(value.kind == 'o', 'rotation')
        names = [raw for raw, _, _ in value.members]
        need(names in (['seq', 'rotate'], ['seq', 'restore']), 'rotation')
        args = value.members[1][2]
        need(args.kind == 'o' and
             [raw for raw, _, _ in args.members] == CONTROLS[names[1]], 'args')
        seq = number(value.members[0][2].raw, 1)
        return seq, Rotation(names[1], args, seq)

    def keys(self, size):
        """The keys in force up to `size`, as a verifier's chain."""
        chain = []
        for seq, r in self.rotations:
            if seq > size:
                break
            chain = chain or [(0, r.old)]
            need(chain[-1][1] == r.old and
                 r.new[1] not in [k[1] for _, k in chain] and
                 len(chain) < 64, 'the keys')
            chain.append((r.size + 1, r.new))
        return chain


@remembered
def compaction_of(line):
    """The compact entry that a line is, or None."""
    try:
        if b'"control":"compact",' in line[:64] and \
                parse_entry(line)[1] == 'compact':
            whole = parse(line)
            return Compaction(whole.members[2][2],
                              number(whole.members[0][2].raw))
    except (Bad, Forged, Unknown):
        pass
    return None


@remembered
def redacted_leaf(line):
    """The leaf that a redacted line states, or None."""
    if not line.startswith(b'{"seq":') or \
            line[-59:-46] != b',"redacted":"':
        return None
    try:
        parse_entry(line)
        return unb64(line[-46:-2].decode('latin-1'), 32)
    except (Bad, Forged, Unknown):
        return None


def inclusion_root(index, size, leaf, path):
    """RFC 9162, 2.1.3.2"""
    fn, sn, hash_ = index, size - 1, leaf
    need(index < size, 'index')
    for other in path:
        need(sn, 'too long a path')
        if fn & 1 or fn == sn:
            hash_ = node(other, hash_)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            hash_ = node(hash_, other)
        fn, sn = fn >> 1, sn >> 1
    need(sn == 0, 'too short a path')
    return hash_


def proven_order(text, *rings):
    """The order or compact entry in a proof file (12), and the key that proves
    it, of the first ring that has it; None for the key when none has; or
    None."""
    try:
        head, note = text.split('\n\n', 1)
        lines = head.split('\n')
        need(lines[0] == 'c2sp.org/tlog-proof@v1' and
             lines[1].startswith('extra ') and lines[2].startswith('index '),
             'not a proof')
        line = base64.b64decode(lines[1][6:], validate=True)
        order = order_of(line) or compaction_of(line)
        index = number(lines[2][6:])
        name, commit = parse_note(note)
        need(order and order.at == index + 1, 'not proven')
        path = [unb64(h, 32) for h in lines[3:]]
        need(inclusion_root(index, commit.size, leaf_of(line), path) ==
             commit.root, 'not proven')
        named = False
        for keys in rings:
            key = keys.get(commit.key)
            if key and key[0] == name:
                named = True
                if signature_holds(key[2], commit.sig, signed_text(
                        name, commit.size, commit.root).encode()):
                    return order, key
        return None if named else (order, None)
    except (Bad, ValueError, IndexError):
        return None


def lines_ahead(data):
    """8: of a file that is not read in order yet.  A rest without LF is no line,
    nor is what is longer than a line may be."""
    return [line for line in data.split(b'\n')[:-1] if len(line) <= LINE_MAX]


class Orders:
    """Those that a log or its orders/ give; looked for when the first redacted
    line is met."""

    def __init__(self, directory, keys):
        self.directory, self.keys, self.known = directory, keys, None
        self.needed, self.met, self.verifier = [], [], None
        self.floors, self.brought = [], []  # compact entries
        self.floor, self.floors_met, self.floor_unknown = None, [], False
        self.claimed = []  # those that came along, by a key further ahead
        self.unknown = []  # ... by a key that nobody knows

    def look(self):
        self.known, ahead = [], {}
        for first in segments_of(self.directory):
            try:
                data = self.directory.read(f'log/{first:020d}.jsonl')
            except (Fault, OSError):
                continue
            lines = lines_ahead(data)
            self.known += [o for o in map(order_of, lines) if o]
            self.floors += [c for c in map(compaction_of, lines) if c]
            for line in lines:
                r = b'"control":"r' in line[:64] and rotation_of(line)
                for key in (r.old, r.new) if r else ():
                    ahead.setdefault(key[1], key)
        for name in self.directory.names('orders'):
            if name.startswith('.'):
                continue
            own = {key[1]: key for _, key in self.verifier.chain}
            try:
                text = self.directory.read('orders/' + name)
                text = text.decode('utf-8') if len(text) <= PROOF_MAX else ''
            except (Fault, OSError, UnicodeDecodeError):
                continue
            known = {**self.keys, **own}
            found = proven_order(text, known, ahead)
            if not found:
                continue
            order, key = found
            if not key:
                self.unknown.append(order)
                continue
            if isinstance(order, Compaction):
                self.brought.append(order)
            else:
                self.known.append(order)
            if known.get(key[1]) == key:
                self.meet(order)
            else:
                self.claimed.append(found)

    def meet(self, order):
        if isinstance(order, Compaction):
            self.floors_met.append(order)
        else:
            self.met.append(order)

    def settle(self):
        """At the end: by which keys the log was signed is known."""
        own = [key for _, key in self.verifier.chain]
        for order, key in self.claimed:
            if key in own:
                self.meet(order)

    def is_claimed(self, order):
        return any(order is other for other, _ in self.claimed)

    def floor_below(self, size):
        """The compact entry that lets a log begin behind `size`, or None."""
        if self.known is None:
            self.look()
        last = max(self.floors, key=lambda c: c.at, default=None)
        logged = [(c.at, c.raw) for c in self.floors]
        self.floor_unknown = any(
            isinstance(c, Compaction) and c.to >= size and
            (c.at, c.raw) not in logged for c in self.unknown)
        good = [c for c in self.brought
                if c.to >= size and (c.at, c.raw) not in logged]
        self.floor = last if last and last.to >= size else max(
            good, key=lambda c: (c in self.floors_met, c.at), default=None)
        return self.floor

    def good(self, line, seq):
        """Whether a redacted line has an order."""
        if self.known is None:
            self.look()
        for order in self.known:
            if self.fits(order, line, seq):
                self.needed.append(order)
                return True
        return False

    def has_unknown(self, line, seq):
        """Whether one came along for it, by a key that nobody knows."""
        return any(isinstance(order, Order) and self.fits(order, line, seq)
                   for order in self.unknown)

    @staticmethod
    def fits(order, line, seq):
        return order.seq == seq and order.leaf == redacted_leaf(line) and \
            order.line == sha256(line)

    def unmet(self):
        return [o for o in self.needed
                if not any(o.same(met) for met in self.met)]


# ---- 3.1: headers ------------------------------------------------------------

class Header:
    def __init__(self, origin, tree, last):
        self.origin, self.tree, self.last = origin, tree, last
        self.first = last.size + 1 if last else 1

    def line(self):
        tree = ','.join(f'"{b64(h)}"' for h in self.tree)
        note = spell(self.last.note(self.origin)) if self.last else 'null'
        return (f'{{"segment":{{"format":1,"origin":{spell(self.origin)},'
                f'"first":{self.first},"tree":[{tree}],"checkpoint":{note}}}}}'
                ).encode()


@remembered
def parse_note(text):
    """(origin, commit)"""
    parts = text.split('\n')
    need(len(parts) == 6, 'not a note')
    words = parts[4].split(' ')
    need(len(words) == 3, 'not a note')
    data = unb64(words[2], 68)
    last = Commit(number(parts[1]), unb64(parts[2], 32), data[:4].hex(),
                  data[4:])
    need(last.note(parts[0]) == text, 'another spelling of a note')
    return parts[0], last


@remembered
def parse_header(line):
    whole = parse(line)
    need([raw for raw, _, _ in whole.members] == ['segment'], 'no header')
    inner = whole.members[0][2]
    need(inner.kind == 'o' and inner.members and
         inner.members[0][0] == 'format', 'no header')
    if number(inner.members[0][2].raw) != 1:
        raise Unknown(f'format {inner.members[0][2].raw}')
    need([raw for raw, _, _ in inner.members] ==
         ['format', 'origin', 'first', 'tree', 'checkpoint'], 'no header')
    origin, first, tree, note = (v for _, _, v in inner.members[1:])
    need(origin.kind == 's' and tree.kind == 'a', 'no header')
    need(all(h.kind == 's' for h in tree.items), 'tree')
    last = None
    if note.kind != '0':
        need(note.kind == 's', 'checkpoint')
        name, last = parse_note(note.text)
        need(name == origin.text, 'a note of another log')
    h = Header(origin.text, [unb64(i.raw[1:-1], 32) for i in tree.items], last)
    need(is_origin(h.origin) and number(first.raw, 1) == h.first,
         'first and checkpoint do not fit')
    need(h.line() == line, 'another spelling of a header')
    need(len(h.tree) == bin(h.first - 1).count('1'), 'a range of another size')
    need(not last or root_of(h.tree) == last.root, 'range and root differ')
    return h


# ---- 8: verifying --------------------------------------------------------------

class Verifier:
    def __init__(self, keys, orders):
        self.keys, self.orders = keys, orders
        orders.verifier = self
        self.chain = []  # (first size, key), ascending
        self.open = False  # the next commit may be by another trusted key
        self.origin, self.size, self.tree, self.last = None, 0, [], None
        self.begins = None  # the commit that its first header names
        self.as_signed = False  # the faulty group's root and signature hold

    def check_commit_key(self, origin, c):
        """None, or (verdict, what): is it signed by a trusted key?"""
        key = self.key_of(c)
        if key is None:
            if c.key in self.keys or c.key in [k[1] for _, k in self.chain]:
                return 'TAMPERED', f'key {c.key} is not in force there'
            return 'UNKNOWN_KEY', f'key {c.key} is not trusted'
        if key[0] != origin:
            return 'FOREIGN', 'the origin is not the name of the key'
        if not signature_holds(key[2], c.sig, signed_text(
                origin, c.size, c.root).encode()):
            return 'TAMPERED', 'the signature does not verify'
        return None

    def key_of(self, c):
        """The key by which a commit counts, or None (5)."""
        now = self.key_at(c.size)
        if now and now[1] == c.key:
            return now
        known = c.key in [k[1] for _, k in self.chain]
        return self.keys.get(c.key) if not known and \
            (not now or self.open) else None

    def key_at(self, size):
        now = None
        for first, key in self.chain:
            if now is None or first <= size:
                now = key
        return now

    def settle(self, c):
        key = self.key_of(c)
        if key and key not in [k for _, k in self.chain]:
            self.chain.append((c.size, key))
        self.open = False

    def by_other_key(self, line):
        """Whether a line is a commit by a key that is not in force there."""
        try:
            c = parse_commit(line)
        except Bad:
            return False
        key = self.keys.get(c.key) or dict(
            (k[1], k) for _, k in self.chain).get(c.key)
        return bool(key) and self.key_of(c) is None and signature_holds(
            key[2], c.sig, signed_text(self.origin, c.size, c.root).encode())

    def go_on(self, r, file, start):
        """A restored copy takes another name, from this group on."""
        if start != self.header_end:
            return Fault('CORRUPT', file, start, 'it begins no segment')
        wrong = self.rotate(r, r.size + 1)
        if wrong:
            return Fault(wrong[0], file, start, wrong[1])
        self.origin = r.new[0]
        return None

    def rotate(self, r, size):
        """What a rotation says of the log that it stands in: None, or
        (verdict, what)."""
        if r.root != root_of(self.tree):
            return 'TAMPERED', 'a rotation over another history'
        if self.key_at(size) != r.old:
            return 'CORRUPT', 'a rotation away from another key'
        if r.new[1] in [k[1] for _, k in self.chain]:
            return 'CORRUPT', 'a key id that was used'
        if len(self.chain) >= 64:
            return 'CORRUPT', 'more than 64 keys'
        self.chain.append((r.size + 1, r.new))
        return None

    def holds(self, line):
        """Whether a line is a commit that verifies, whatever its size."""
        try:
            return line.startswith(b'{"commit":') and self.origin is not None \
                and self.check_commit_key(self.origin,
                                          parse_commit(line)) is None
        except Bad:
            return False

    # 7: TORN or damage
    def is_torn(self, data, start):
        if self.as_signed:
            return False
        end = len(data.rstrip(b'\n'))
        if end == 0:
            return True
        end = min(end + 1, len(data))
        if end - start > TAIL_MAX:
            return False
        committed, opened = False, []
        for line in data[start:end].split(b'\n'):
            if not line:
                continue
            if committed:
                return False
            if len(line) > LINE_MAX:
                continue
            if self.by_other_key(line):
                return False
            if self.holds(line):
                committed = True
                continue
            if self.whole_entry(line, opened):
                continue
            committed, second = self.look_inside(line, opened)
            if second:
                return False
        return opened in ([], [self.size + 1])

    @staticmethod
    def whole_entry(line, opened):
        """Whether a line is an entry; its seq is noted if it opens a group."""
        try:
            if line.startswith(b'{"seq":'):
                seq, _, first = parse_entry(line)
                opened += [seq] if first else []
                return True
        except (Bad, Unknown, Forged):
            pass
        return False

    def look_inside(self, line, opened):
        """7, lines that were joined: (whether a commit of the log is in the
        line, whether that shows a second group)."""
        committed, at = False, 0
        for _ in range(4):
            at = line.find(b'{"commit":{', at)
            end = line.find(b'}}', at) + 2
            if at < 0 or end < 2:
                break
            if self.by_other_key(line[at:end]):
                return committed, True
            if self.holds(line[at:end]):
                committed = True
                if end + 1 < len(line):  # one byte may be its own line end
                    return True, True
            at += 1
        at = 1
        for _ in range(4):
            at = line.find(b'{"seq":', at)
            if at < 0 or self.whole_entry(line[at:], opened):
                break
            at += 1
        return committed, False

    # 8, step 2, 2 to 4
    def read_header(self, data, file, first, follows):
        end = data.find(b'\n', 0, HEADER_MAX + 1)
        if end < 0:
            raise Fault('CORRUPT', file, 0, 'no whole header')
        line = data[:end]
        try:
            h = parse_header(line)
        except Unknown as why:
            ours = self.is_ours(data, end, file, first, follows)
            raise Fault('CORRUPT' if ours else 'UNSUPPORTED_FORMAT', file, 0,
                        str(why)) from None
        except Bad as why:
            raise Fault('CORRUPT', file, 0, str(why)) from None
        if follows:
            if line != Header(self.origin, self.tree, self.last).line():
                raise self.other_header(h, file)
            return end + 1
        if h.first != first:
            raise Fault('CORRUPT', file, 0, 'another place than the name says')
        wrong = h.last and self.check_commit_key(h.origin, h.last)
        if wrong:
            raise Fault(wrong[0], file, 0, wrong[1])
        if h.last:
            self.begins = self.begins or h.last
            self.settle(h.last)
            self.open = self.orders.floor is None
        self.origin, self.tree, self.last = h.origin, h.tree, h.last
        self.size = h.first - 1
        return end + 1

    # 3: another number of the format over lines that verify as format 1
    def is_ours(self, data, end, file, first, follows):
        line = re.sub(rb'^({"segment":{"format":)[0-9]+', rb'\g<1>1', data[:end])
        other = copy.copy(self)
        other.chain, other.tree = list(self.chain), list(self.tree)
        try:
            data = line + data[end:]
            at = other.header_end = other.read_header(data, file, first,
                                                      follows)
            if data[at:].strip(b'\n'):
                other.read_group(data, file, at)
            return True
        except Fault:
            return False

    def other_header(self, h, file):
        if h.origin != self.origin:
            return Fault('FOREIGN', file, 0, 'a segment of another log')
        if h.last and h.last.size == self.size and \
                h.last.root != self.last.root and \
                self.check_commit_key(h.origin, h.last) is None:
            return Fault('FORK', file, 0, 'another signed history')
        return Fault('CORRUPT', file, 0, 'not the header that follows')

    # 8, step 2, 5, 3
    def judge_entry(self, line, seq, opens):
        """None, or (verdict, what)."""
        if not line.startswith(b'{"seq":'):
            return 'CORRUPT', 'not a line of this format'
        try:
            found, control, first = parse_entry(line)
            need(found == seq, f'seq {found} where {seq} is expected')
            need(first == opens, 'logged_at belongs to the first of a group')
            need((control == 'init') == (seq == 1), 'init is the first entry')
            if redacted_leaf(line) and not self.orders.good(line, seq):
                if self.orders.has_unknown(line, seq):
                    return 'UNKNOWN_KEY', 'an order by a key not trusted'
                return 'TAMPERED', 'a redacted line without an order'
        except Bad as why:
            return 'CORRUPT', str(why)
        except Forged as why:
            return 'TAMPERED', str(why)
        except Unknown as why:
            return 'UNSUPPORTED_FORMAT', f'unknown: {why}'
        return None

    # 8, step 2, 5
    def read_group(self, data, file, start):
        """Moves behind the group and returns where it ends."""
        at, lines, wrong = start, [], None
        self.as_signed = False
        while True:
            end = data.find(b'\n', at)
            if end < 0 or end - at > LINE_MAX:
                what = 'no commit line' if end < 0 and \
                    len(data) - at <= LINE_MAX else 'too long a line'
                raise Fault('CORRUPT', file, wrong[2] if wrong else at, what)
            if end - start > GROUP_MAX + LINE_MAX:
                raise Fault('CORRUPT', file, start, 'too long a group')
            line = data[at:end]
            if line.startswith(b'{"commit":'):
                break
            if wrong is None:
                found = self.judge_entry(line, self.size + len(lines) + 1,
                                         at == start)
                wrong = found and (*found, at)
            r = rotation_of(line)
            if wrong is None and ((r and lines) or
                                  (lines and rotation_of(lines[0]))):
                wrong = 'CORRUPT', 'a rotation is alone in its group', at
            lines.append(line)
            at = end + 1
        before = self.origin, list(self.chain)
        rotation = lines and not wrong and rotation_of(lines[0])
        fault, tree = None, self.tree
        if rotation and rotation.restores:
            fault = self.go_on(rotation, file, start)
        if not fault:
            tree, fault = self.judge_commit(line, lines, file, start, at)
        if fault or wrong:
            self.origin, self.chain = before
        self.as_signed = not fault
        if fault and fault.verdict in ('UNKNOWN_KEY', 'FOREIGN'):
            raise fault
        if wrong:
            verdict = 'TAMPERED' if fault and \
                wrong[0] == 'UNSUPPORTED_FORMAT' else wrong[0]
            raise Fault(verdict, file, wrong[2], wrong[1])
        if fault:
            raise fault
        self.settle(parse_commit(line))
        wrong = rotation and not rotation.restores and self.rotate(
            rotation, parse_commit(line).size)
        if wrong:
            raise Fault(wrong[0], file, start, wrong[1])
        self.as_signed = False
        self.orders.met += [o for o in map(order_of, lines) if o]
        self.orders.floors_met += [c for c in map(compaction_of, lines) if c]
        self.last, self.tree = parse_commit(line), tree
        self.size = self.last.size
        return end + 1

    def judge_commit(self, line, lines, file, start, at):
        """(the range behind the group, None or the commit's fault)"""
        tree = self.tree
        try:
            c = parse_commit(line)
            need(lines and c.size == self.size + len(lines),
                 'signs another number of entries')
        except Bad as why:
            return tree, Fault('CORRUPT', file, at, str(why))
        wrong = self.check_commit_key(self.origin, c)
        if wrong:
            return tree, Fault(wrong[0], file,
                               0 if wrong[0] == 'FOREIGN' else at, wrong[1])
        for i, entry in enumerate(lines):
            tree = add_leaf(self.size + i, tree, entry)
        if root_of(tree) != c.root:
            return tree, Fault('TAMPERED', file, start,
                               'the lines do not hash to their signed root')
        return tree, None

    def read_segment(self, data, file, first, is_last, follows):
        at = 0
        try:
            at = self.header_end = self.read_header(data, file, first, follows)
            while at < len(data):
                if is_last and not data[at:].strip(b'\n'):
                    break
                at = self.read_group(data, file, at)
        except Fault as fault:
            if is_last and fault.verdict in ('CORRUPT', 'TAMPERED') and \
                    self.is_torn(data, at):
                fault.verdict = 'TORN'
            raise


def segments_of(directory):
    found = []
    for name in directory.names('log'):
        number_ = re.fullmatch(r'(0[0-9]{19})\.jsonl', name, re.ASCII)
        if number_ and 1 <= int(number_[1]) <= NUMBER_MAX:
            found.append(int(number_[1]))
        elif '.jsonl.new' not in name:
            raise Fault('CORRUPT', 'log/' + name, None, 'not a segment')
    if not found:
        raise Fault('NOTHING', 'log', None, 'there is no segment')
    return sorted(found)


def anchored(chain, trusted):
    """Whether a key is trusted of those since the present name was taken."""
    for key in reversed(chain):
        if key[0] != chain[-1][0]:
            return False
        if trusted.get(key[1]) == key:
            return True
    return False


def first_key(directory, found, trusted):
    """5: the log's first key, where a later one is trusted, named by the
    rotations ahead.  Behind a floor (3.6) it is that of the header's note."""
    first_id, first = None, None
    if found[0] > 1:
        try:
            data = directory.read(f'log/{found[0]:020d}.jsonl')
            last = parse_header(data.split(b'\n', 1)[0]).last
        except (Fault, OSError, Bad, Unknown):
            return []
        if last is None:
            return []
        first_id = last.key
        if first_id in trusted:
            return [(0, trusted[first_id])]
    for number_ in found:
        try:
            data = directory.read(f'log/{number_:020d}.jsonl')
        except (Fault, OSError):
            continue
        for line in lines_ahead(data):
            if line.startswith(b'{"commit":') and first_id is None:
                try:
                    first_id = parse_commit(line).key
                except Bad:
                    return []
                if first_id in trusted:
                    return []
            if b'"control":"r' not in line[:64]:
                continue
            r = rotation_of(line)
            if r and not first and r.old[1] == first_id:
                first = r.old
            if r and first and anchored([r.old, r.new], trusted):
                return [(0, first)]
    return []


def verify(directory, pin=None, partial=False, kind=Verifier):
    """The verifier behind the whole log, or raises its first fault.
    @directory  a Directory, or what is like it"""
    try:
        keys = trusted_keys(directory, pin)
        v = kind(keys, Orders(directory, keys))
    except (Bad, UnicodeDecodeError) as why:
        raise Fault('KEY', 'keys', None, str(why)) from None
    found = segments_of(directory)
    floor = None
    if found[0] > 1 and not partial:
        floor = v.orders.floor_below(found[0] - 1)
        if not floor and v.orders.floor_unknown:
            raise Fault('UNKNOWN_KEY', 'orders', None,
                        'a compact entry by a key that is not trusted')
        v.chain += floor.keys(found[0] - 1) if floor else []
    if not v.chain:
        v.chain += first_key(directory, found, v.keys)
    for i, first in enumerate(found):
        adopt = i == 0 and (first == 1 or partial or floor)
        if not adopt and first != v.size + 1:
            raise Fault('CORRUPT', f'log/{v.size + 1:020d}.jsonl', None,
                        'the segment is missing')
        file = f'log/{first:020d}.jsonl'
        v.read_segment(directory.read(file), file, first,
                       i + 1 == len(found), not adopt)
    if v.chain and not anchored([k for _, k in v.chain], v.keys):
        raise Fault('UNKNOWN_KEY', file, None, 'no trusted key signed this')
    v.orders.settle()
    if floor and not any(floor.at == c.at and floor.raw == c.raw
                         for c in v.orders.floors_met):
        if v.orders.is_claimed(floor):
            raise Fault('UNKNOWN_KEY', 'orders', None,
                        'a compact entry by a key that is none of the log')
        raise Fault('CORRUPT', 'log', None,
                    f'the compact entry at {floor.at} is not in the log')
    last = max(v.orders.floors_met, key=lambda c: c.at, default=None)
    if floor and v.begins and last.to == v.begins.size and \
            last.root != v.begins.root:
        raise Fault('CORRUPT', 'log', None,
                    f'the compact entry at {last.at} has another root')
    for order in v.orders.unmet():
        raise Fault('UNKNOWN_KEY' if v.orders.is_claimed(order) else
                    'TAMPERED', file, None,
                    f'the order at {order.at} is not in the log')
    return v


# ---- 3.7: snapshots ------------------------------------------------------------

class Row:
    """What the fold knows of one record (9, state)."""

    def __init__(self):
        self.seq = self.last = self.version = 0
        self.line = self.merged = self.payload = None  # payload: as text

    def lines(self, resource, record):
        yield (f'{{"record":{{"resource":{spell(resource)},"record_id":'
               f'{spell(record)},"seq":{self.seq},"last":{self.last},'
               f'"version":{self.version},"merged":'
               f'{"true" if self.merged is not None else "false"}}}}}')
        if self.seq:
            yield self.line
        if self.merged is not None:
            yield self.merged


def merge(base, over):
    """10: the object `over` laid on the object `base`, as text."""
    new = {name: v for _, name, v in over.members}
    old = [name for _, name, _ in base.members]
    out = []
    for raw, name, value in base.members:
        other = new.get(name)
        if other is None:
            text = value.raw
        elif value.kind == other.kind == 'o':
            text = merge(value, other)
        else:
            text = other.raw
        out.append(f'"{raw}":{text}')
    out += [f'"{raw}":{v.raw}' for raw, name, v in over.members
            if name not in old]
    return '{' + ','.join(out) + '}'


class Fold:
    """What entries come to (10), and the text of that (3.7)."""

    def __init__(self):
        self.rules, self.rotations = {}, []
        self.controls, self.rows, self.ids = [], {}, []
        self.cursors, self.peers, self.redactions = {}, {}, []

    def add(self, line):
        whole = parse(line)
        m = {raw: v for raw, _, v in whole.members}
        seq = int(m['seq'].raw)
        if 'control' in m:
            self.control(seq, m['control'].text, m['args'], line)
        else:
            self.delta(seq, m, line)

    def control(self, seq, name, args, line):
        v = {raw: value for raw, _, value in args.members}
        if name in ('init', 'strategy', 'rotate', 'restore'):
            self.controls.append((seq, line.decode()))
        if name in ('init', 'strategy'):
            self.rules.update((raw, value.raw) for raw, value in v.items())
        if name in ('rotate', 'restore'):
            self.rotations.append(f'{{"seq":{seq},"{name}":{args.raw}}}')
        if name == 'source-cursor':
            self.cursors[v['source'].text.encode(),
                         v['resource'].text.encode()] = (
                             v['cursor'].text, seq)
        if name == 'peer-add':
            self.peers[v['name'].text.encode()] = seq
        if name == 'peer-evict':
            self.peers.pop(v['name'].text.encode(), None)
        if name == 'redact':
            self.redactions.append((seq, int(v['seq'].raw)))

    def delta(self, seq, m, line):
        redacted = 'redacted' in m
        if 'id' in m:
            content = None
            if not redacted:
                content = b64(sha256(''.join(
                    (m[n].raw if n in m else '') + '\n' for n in (
                        'resource', 'record_id', 'op', 'payload',
                        'occurred_at', 'provenance', 'meta')).encode()))
            self.ids.append((seq, b64(sha256(m['id'].text.encode())),
                             b64(leaf_of(line)), content))
        now = self.rows.setdefault((m['resource'].text.encode(),
                                    m['record_id'].text.encode()), Row())
        now.last = seq
        if 'outcome' in m:
            return
        before = now.payload
        now.seq, now.version, now.line = seq, now.version + 1, line.decode()
        now.merged = now.payload = None
        upsert = m['op'].text == 'upsert'
        if 'merged' in m:
            now.merged = m['merged'].raw
        elif upsert and redacted:
            now.merged = 'null'
        elif upsert and self.rules['strategy'] == '"merge-json"' and \
                before is not None and before != 'null':
            now.merged = merge(parse(before.encode()), m['payload'])
        elif upsert:
            now.payload = m['payload'].raw
        if now.merged is not None:
            now.payload = now.merged

    def load(self, text):
        """Takes a snapshot as what was there before."""
        lines = iter(text.decode().split('\n')[:-1])
        first = {raw: v for raw, _, v in members_of(next(lines), 'snapshot')}
        next(lines)
        for line in lines:
            kind = line[2:].split('"', 1)[0]
            m = {raw: v for raw, _, v in members_of(line, kind)}
            seq = int(m['seq'].raw) if 'seq' in m else None
            if kind == 'control':
                self.add(next(lines).encode())
            elif kind == 'record':
                row = Row()
                self.rows[m['resource'].text.encode(),
                          m['record_id'].text.encode()] = row
                row.seq, row.last = seq, int(m['last'].raw)
                row.version = int(m['version'].raw)
                row.line = next(lines) if seq else None
                row.merged = next(lines) if m['merged'].raw == 'true' else None
                row.payload = row.merged
                if seq and row.merged is None:
                    e = {raw: v for raw, _, v in
                         parse(row.line.encode()).members}
                    row.payload = e['payload'].raw \
                        if e['op'].text == 'upsert' else None
            elif kind == 'cursor':
                self.cursors[m['source'].text.encode(),
                             m['resource'].text.encode()] = (
                                 m['cursor'].text, seq)
            elif kind == 'peer':
                self.peers[m['name'].text.encode()] = int(m['added'].raw)
            elif kind == 'redaction':
                self.redactions.append((seq, int(m['target'].raw)))
            else:
                need(kind == 'id', 'a line of no kind')
                self.ids.append((seq, m['id'].text, m['leaf'].text,
                                 m['content'].text))
        need(self.rules == {n: first[n].raw for n in CONTROLS['init']},
             'rules that its entries do not set')

    def text(self, floor, header):
        """The snapshot at `floor`, as bytes; `header` of what follows."""
        out = ['{"snapshot":{"format":1,"floor":%d,"strategy":%s,"max_line":%s,'
               '"segment_size":%s,"redactions":%d}}' % (
                   floor, self.rules['strategy'], self.rules['max_line'],
                   self.rules['segment_size'], len(self.redactions)), header]
        for seq, line in self.controls:
            out += [f'{{"control":{{"seq":{seq}}}}}', line]
        for (resource, record), row in sorted(self.rows.items()):
            out += row.lines(resource.decode(), record.decode())
        for (source, resource), (cursor, seq) in sorted(self.cursors.items()):
            out.append(f'{{"cursor":{{"source":{spell(source.decode())},'
                       f'"resource":{spell(resource.decode())},'
                       f'"cursor":{spell(cursor)},"seq":{seq}}}}}')
        for name, seq in sorted(self.peers.items()):
            out.append(f'{{"peer":{{"name":{spell(name.decode())},'
                       f'"added":{seq}}}}}')
        for seq, target in self.redactions:
            out.append(f'{{"redaction":{{"seq":{seq},"target":{target}}}}}')
        for seq, own, leaf, content in self.ids:
            content = f'"{content}"' if content else 'null'
            out.append(f'{{"id":{{"seq":{seq},"id":"{own}","leaf":"{leaf}",'
                       f'"content":{content}}}}}')
        return ''.join(line + '\n' for line in out).encode()


def members_of(line, kind):
    """The members of the object in `{"KIND":{..}}`."""
    whole = parse(line.encode())
    need([raw for raw, _, _ in whole.members] == [kind] and
         whole.members[0][2].kind == 'o', f'no {kind} line')
    return whole.members[0][2].members


def gunzip(data):
    """The text of a gzip file of one member, or Bad."""
    z = zlib.decompressobj(31)
    try:
        text = z.decompress(data)
    except zlib.error:
        raise Bad('not gzip') from None
    need(z.eof and not z.unused_data, 'not one member of gzip')
    return text


def segment_anywhere(directory, first):
    """A segment's bytes, from log/ or archive/; None when it is in neither."""
    for read, file in ((bytes, f'log/{first:020d}.jsonl'),
                       (gunzip, f'archive/{first:020d}.jsonl.gz')):
        if directory.has(file):
            try:
                return read(directory.read(file))
            except Bad as why:
                raise Fault('CORRUPT', file, None, str(why)) from None
    return None


def add_entries(directory, fold, first, to):
    """Folds entries `first` to `to`.  Returns the header behind them, or None
    where one is gone.  Nothing is verified here: the digest is."""
    while first <= to:
        data = segment_anywhere(directory, first)
        if data is None:
            return None
        for line in data.split(b'\n'):
            if line.startswith(b'{"seq":'):
                fold.add(line)
                first += 1
    data = segment_anywhere(directory, first)
    return data and first == to + 1 and data.split(b'\n', 1)[0].decode()


def check_snapshot(directory, c, file, texts):
    """@texts  those that were checked, by floor, and b'' for 0"""
    text = gunzip(directory.read(file))
    need(sha256(text) == c.snapshot, 'not what the compact entry signs')
    fold, header = Fold(), text.split(b'\n', 2)[1]
    fold.load(text)
    need(fold.text(c.to, header.decode()) == text, 'another spelling')
    h = parse_header(header)
    need(h.first == c.to + 1 and h.last.root == c.root, 'another root')
    need('[' + ','.join(fold.rotations) + ']' == c.rotations_raw and
         fold.rules == c.rules, 'rules or keys are not those of the entry')
    for floor, base in list(texts.items()):
        fold = Fold()
        if floor:
            fold.load(base)
        if floor < c.to:
            header = add_entries(directory, fold, floor + 1, c.to)
            need(not header or fold.text(c.to, header) == text,
                 f'the entries from {floor + 1} on come to another text')
    texts[c.to] = text


def archived_compactions(directory):
    """Compact entries in archive/, on their word."""
    for name in directory.names('archive'):
        if name.endswith('.jsonl.gz'):
            data = segment_anywhere(directory, int(name[:20]))
            yield from filter(None, map(compaction_of, lines_ahead(data)))


def check_snapshots(directory, verifier):
    """Those that compact entries of the log sign: that of the last one has to
    be there.  Of two entries with one floor the later one counts, and none that
    was undone.  One that an archived entry signs serves to begin with."""
    found = {c.to: c for c in sorted(verifier.orders.floors_met,
                                     key=lambda c: c.at)}
    last = max(found.values(), key=lambda c: c.at, default=None)
    texts = {0: b''}
    for c in archived_compactions(directory):
        file = f'snapshots/{c.to:020d}.jsonl.gz'
        if c.to not in found and directory.has(file):
            text = gunzip(directory.read(file))
            if sha256(text) == c.snapshot:
                texts[c.to] = text
    for to, c in sorted(found.items()):
        file = f'snapshots/{to:020d}.jsonl.gz'
        there = directory.has(file)
        if to and c is last and not there:
            raise Fault('PRUNED', file, None, 'the snapshot is missing')
        if to and there and to <= last.to:
            try:
                check_snapshot(directory, c, file, texts)
            except (Bad, Unknown, KeyError, IndexError) as why:
                raise Fault('CORRUPT', file, None, str(why)) from None


def main(argv):
    pin, partial, snapshots = None, False, False
    while argv and argv[0].startswith('--'):
        option = argv.pop(0)
        if option == '--key' and argv:
            pin = argv.pop(0)
        elif option == '--partial':
            partial = True
        elif option == '--snapshots':
            snapshots = True
        else:
            argv = []
    if not argv:
        sys.stderr.write('usage: verify.py [--key VKEY] [--partial] [--snapshots]'
                         ' DIR...\n')
        return 2
    status = 0
    for directory in map(Directory, argv):
        try:
            v = verify(directory, pin, partial)
            if snapshots:
                check_snapshots(directory, v)
            print('OK', v.size, b64(root_of(v.tree)))
        except Fault as f:
            print(f.verdict, f.file, '-' if f.offset is None else f.offset,
                  end=f': {f}\n')
            status = 1
    return status


def each():
    """Many calls in one process: their arguments on standard input, one a line,
    an empty line behind each call; its output ends with `exit STATUS`."""
    argv = []
    for line in sys.stdin:
        if line != '\n':
            argv.append(line[:-1])
            continue
        print('exit', main(argv), flush=True)
        argv = []
    return 0


if __name__ == '__main__':
    sys.exit(each() if sys.argv[1:] == ['--each'] else main(sys.argv[1:]))
