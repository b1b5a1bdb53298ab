#!/usr/bin/env python3
"""json_strict.py - what Python's JSON reader says of texts, made strict.

Reads batches from standard input: the number of texts, and for each a byte
(1: our scanner took it), its length, the text, and if it was taken the length
and bytes of our compact form; numbers are 32 bits, little-endian.  Answers a
batch with a byte a text: 0 agreed, 1 we take what we should not, 2 we refuse
what we should take, 3 the compact form says something else; and at the end of
the input writes to standard error how often each of our own limits decided.

Strict: UTF-8, no NaN, no member twice, no half of a surrogate pair.  Our own
limits, which docs/FORMAT.md states: the outermost value is an object, 64
brackets at most, no \\u0000, no CR outside strings.
"""

import collections
import json
import re
import struct
import sys

STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.S)
limits = collections.Counter()


class Number(str):
    """A number as its text: 1.0 is not 1."""

    __slots__ = ()


class Refused(ValueError):
    pass


def constant(text):
    raise Refused(text)


def members(pairs):
    names = {name for name, _ in pairs}
    if len(names) != len(pairs):
        raise Refused('a member twice')
    return pairs_of(pairs)


def pairs_of(pairs):
    return ('object', pairs)


DECODER = json.JSONDecoder(object_pairs_hook=members, parse_float=Number,
                           parse_int=Number, parse_constant=constant)


def walk(value, depth, found):
    """The depth of a value; what is odd in it goes into `found`."""
    if isinstance(value, Number) or value is None or isinstance(value, bool):
        return depth
    if isinstance(value, str):
        if any(0xD800 <= ord(c) < 0xE000 for c in value):
            raise Refused('half of a surrogate pair')
        if '\0' in value:
            found.add('\\u0000')
        return depth
    deepest = depth + 1
    if isinstance(value, tuple):
        for name, inner in value[1]:
            walk(name, depth, found)
            deepest = max(deepest, walk(inner, depth + 1, found))
    else:
        for inner in value:
            deepest = max(deepest, walk(inner, depth + 1, found))
    return deepest


def strict(raw):
    """The value of a text and which of our limits refuse it; raises Refused or
    ValueError where no strict reader takes it."""
    text = raw.decode('utf-8')
    start = len(text) - len(text.lstrip(' \t\n\r'))
    value, end = DECODER.raw_decode(text, start)
    if text[end:].strip(' \t\n\r'):
        raise Refused('something behind it')
    found = set()
    if walk(value, 0, found) > 64:
        found.add('more than 64 brackets')
    if not isinstance(value, tuple):
        found.add('not an object')
    if '\r' in text and '\r' in STRING.sub('', text):
        found.add('a CR outside strings')
    return value, found


def kinds(value):
    """As what was read, for comparison: a number is no string."""
    if isinstance(value, Number):
        return ('number', str(value))
    if isinstance(value, tuple):
        return ('object', [(name, kinds(inner)) for name, inner in value[1]])
    if isinstance(value, list):
        return [kinds(inner) for inner in value]
    return value


def judge(taken, raw, compact):
    try:
        value, found = strict(raw)
    except (ValueError, RecursionError):
        return 1 if taken else 0
    if found:
        for limit in found:
            limits[limit] += 1
        return 1 if taken else 0
    if not taken:
        return 2
    try:
        again, found = strict(compact)
    except ValueError:
        return 3
    if found or kinds(again) != kinds(value):
        return 3
    return 3 if re.search(rb'\s', STRING.sub('', compact.decode()).encode()) else 0


def main():
    source, sink = sys.stdin.buffer, sys.stdout.buffer

    def number():
        raw = source.read(4)
        return struct.unpack('<I', raw)[0] if len(raw) == 4 else None

    while True:
        count = number()
        if count is None:
            break
        texts = []
        for _ in range(count):
            taken = source.read(1) == b'\1'
            raw = source.read(number())
            texts.append((taken, raw, source.read(number()) if taken else b''))
        sink.write(bytes(judge(*each) for each in texts))
        sink.flush()
    for limit, times in sorted(limits.items()):
        print(f'# refused for our own limit, {limit}: {times}', file=sys.stderr)


main()
