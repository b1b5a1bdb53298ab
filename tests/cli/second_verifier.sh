#!/bin/sh
# second_verifier.sh - tests/verify.py, written from docs/FORMAT.md alone, and
# the command say the same: of the example in that document, of good logs, and
# of damaged ones the same verdict at the same place.
. "$(dirname "$0")/lib.sh"

verifier=$top/tests/verify.py

if ! have python3; then
    begin 'a second verifier'
    skip 'no python3'
    finish
fi
python3 "$verifier" "$T/nothing" >/dev/null 2>"$T/err"
if [ $? -eq 77 ]; then
    begin 'a second verifier'
    skip 'python3 has no Ed25519 (python3-cryptography or python3-nacl)'
    finish
fi

# One process for all, which ends with this one.
mkfifo "$T/calls" "$T/answers"
python3 "$verifier" --each <"$T/calls" >"$T/answers" 2>&1 &
exec 8>"$T/calls" 9<"$T/answers"

# ---- Both of them ---------------------------------------------------------------

# first_finding: what the command says of the first thing wrong, into $first.
first_finding() {
    first=$(sed -n \
        -e 's/^head       size \([0-9]*\), root /OK \1 /p' \
        -e 's/^\([A-Z_]*\) in the log: \([^,]*\), byte \([0-9]*\).*/\1 \2 \3/p' \
        -e 's/^\([A-Z_]*\) in the log: \([^,]*\)$/\1 \2 -/p' \
        -e 's/^\([A-Z_]*\) in the log: \([^,]*\), seq .*/\1 \2 -/p' "$T/out" |
        if [ $status -eq 0 ]; then head -1; else sed -n 2p; fi)
}

# ours DIR [OPTION]...: `OK SIZE ROOT` or `VERDICT FILE OFFSET`, as the command
# sees it, into $first.
ours() {
    # shellcheck disable=SC2086
    $limit $WRAP "$PARITYLOG" verify "$@" --quiet >"$T/out" 2>"$T/err"
    status=$?
    first_finding
}

# theirs DIR [OPTION]...: the same of the second verifier.
theirs() {
    dir=$1
    shift
    printf '%s\n' "$@" "$dir" '' >&8
    : >"$T/second"
    second_status=99 # it is gone
    while IFS= read -r answer <&9; do
        case $answer in
        'exit '*)
            second_status=${answer#exit }
            break
            ;;
        esac
        printf '%s\n' "$answer" >>"$T/second"
    done
    second=$(sed '1s/: .*//' "$T/second")
}

# agree WORD DIR [OPTION]...: both begin with WORD, and say the same.
agree() {
    word=$1
    shift
    ours "$@"
    theirs "$@"
    compare
}

# agree_parity WORD DIR: the same of both legs, and of what snapshots/ holds.
agree_parity() {
    word=$1
    # shellcheck disable=SC2086
    $limit $WRAP "$PARITYLOG" parity "$2" --quiet >"$T/out" 2>"$T/err"
    status=$?
    first_finding
    theirs "$2" --snapshots
    compare
}

compare() {
    same 'the second verifier' "$second" "$first"
    case $first in
    "$word "*) ;;
    *) wrong "the verdict is '$first' instead of $word" ;;
    esac
    [ $((status == 0)) -eq $((second_status == 0)) ] ||
        wrong "exit status $status and $second_status"
}

# ---- Logs -----------------------------------------------------------------------

# edit FILE CODE: changes a file; CODE is Python and has its lines, with LF, as
# the list L, and turn(N, AT) to put another digit at a place of a line.
edit() {
    python3 - "$1" "$2" <<'END' || wrong "cannot edit: $2"
import sys
path, code = sys.argv[1:]
with open(path, 'rb') as f:
    L = f.read().split(b"\n")
L = [line + b"\n" for line in L[:-1]] + ([L[-1]] if L[-1] else [])

def turn(n, at):
    digit = b"1" if L[n][at:at + 1] != b"1" else b"2"
    L[n] = L[n][:at] + digit + L[n][at + 1:]

exec(code)
with open(path, 'wb') as f:
    f.write(b''.join(L))
END
}

# A log of three segments, in groups of 2.
fresh whole --origin example.org/whole --segment-size 4096
deltas 1 28 | "$PARITYLOG" append "$L" --group 2 --quiet 2>"$T/err"
vkey=$(cat "$T/vkey")
# shellcheck disable=SC2012
set -- "$L"/log/*
names=$(for file; do echo "${file##*/}"; done)
first_name=$(echo "$names" | sed -n 1p)
middle_name=$(echo "$names" | sed -n 2p)
last_name=$(echo "$names" | sed -n '$p')

# copied: a fresh copy of it, $C, its segments $C1, $C2, $C3.
copied() {
    C=$T/copy
    rm -rf "$C"
    mkdir -m 700 "$C"
    cp -R "$T/whole/log" "$T/whole/keys" "$C"
    C1=$C/log/$first_name C2=$C/log/$middle_name C3=$C/log/$last_name
}

# damage WORD NAME FILE CODE: edits one of C1, C2, C3 and asks both.
damage() {
    begin "damage: $2"
    copied
    eval "file=\$$3"
    edit "$file" "$4"
    agree "$1" "$C"
}

# ---- Good logs --------------------------------------------------------------------

begin 'the example in docs/FORMAT.md'
mkdir -p "$T/doc/log" "$T/doc/keys"
python3 - "$top/docs/FORMAT.md" "$T/doc" <<'END' || wrong 'no example there'
import re, sys
text, out = open(sys.argv[1], encoding='utf-8').read(), sys.argv[2]
vkey = re.search(r'^```vkey\n(.*?)^```', text, re.M | re.S)[1]
open(f'{out}/keys/example.vkey', 'w').write(vkey)
for block in re.findall(r'^```segment\n(.*?)^```', text, re.M | re.S):
    first = int(re.search(r'"first":(\d+)', block)[1])
    open(f'{out}/log/{first:020d}.jsonl', 'w', encoding='utf-8').write(block)
END
agree OK "$T/doc"
same 'the head' "${first% *}" 'OK 5'

begin 'three segments'
same 'segments' "$(echo "$names" | wc -l | tr -d ' ')" 3
agree OK "$T/whole"
agree OK "$T/whole" --key "$vkey"

for strategy in last-write-wins arrival highest-confidence keep-local \
    merge-json; do
    begin "strategy $strategy, groups of several sizes, tombstones"
    fresh "s-$strategy" --strategy "$strategy"
    for size in 1 2 3 7 8; do
        { deltas 1 $((size - 1)) | sed 's/"id":"[^"]*",//'
          printf '%s\n' '{"resource":"p\u0065ts","record_id":"\u00e9/","op":"delete","occurred_at":"2026-01-01t00:00:00.5+01:00","provenance":{"confidence":0.50,"source":"caf\u00e9"},"meta":{"a":[{}]}}'
        } | run 0 append "$L" --group "$size" --quiet
    done
    run 0 strategy "$L" arrival
    agree OK "$L"
done

begin 'an empty log'
fresh empty
agree OK "$L"

begin 'padding, a bare segment'
copied
printf '\n\n\n\n' >>"$C3"
agree OK "$C"
printf '\n\n' >>"$T/doc/log/00000000000000000006.jsonl"
agree OK "$T/doc"

begin 'after a SIGKILL'
fresh killed
deltas 1 3000 >"$T/many"
"$PARITYLOG" append "$L" "$T/many" --group 5 --quiet 2>/dev/null &
pid=$!
wait_lines "$S" 100
kill -9 $pid 2>/dev/null
wait $pid 2>/dev/null
ours "$L"
theirs "$L"
same 'the second verifier' "$second" "$first"
run 0 replay "$L" --quiet
agree OK "$L"

# ---- Damage: lines ------------------------------------------------------------------

damage TAMPERED 'a value in a payload' C2 \
    'L[2] = L[2].replace(b"\"v\":", b"\"v\":1", 1)'
damage CORRUPT 'a brace of a payload' C2 'L[2] = L[2].replace(b"{\"v\"", b"[\"v\"")'
damage TAMPERED 'the name of a member' C1 'L[4] = L[4].replace(b"salt", b"sal7")'
damage CORRUPT 'a salt that is not base64' C1 \
    'L[4] = L[4].replace(b"==\"", b"=!\"")'
damage CORRUPT 'white space in a line' C1 'L[4] = L[4].replace(b",\"op\"", b", \"op\"")'
damage CORRUPT 'a CR before an LF' C1 'L[4] = L[4][:-1] + b"\r\n"'
damage CORRUPT 'a member twice' C1 \
    'L[4] = L[4].replace(b"{\"v\"", b"{\"v\":0,\"v\"")'
damage CORRUPT 'a byte that is not UTF-8' C1 \
    'L[4] = L[4].replace(b"pets", b"p\xffts")'
damage CORRUPT 'a NUL block in the middle' C1 'L[4] = bytes(len(L[4]))'
damage CORRUPT 'a line is missing' C2 'del L[2]'
damage CORRUPT 'a line twice' C2 'L.insert(2, L[2])'
damage CORRUPT 'two lines swapped' C2 'L[1], L[2] = L[2], L[1]'
damage CORRUPT 'an empty line inside' C2 'L.insert(2, b"\n")'
damage CORRUPT 'two lines joined' C2 'L[1] = L[1][:-1]'
damage CORRUPT 'a logged_at is missing' C2 \
    'L[1] = L[1][:L[1].index(b",\"logged_at")] + b"}\n"'

# ---- Damage: commits and groups -----------------------------------------------------

damage TAMPERED 'a signature' C1 'turn(2, L[2].index(b"sig") + 20)'
damage TAMPERED 'a root' C1 'turn(2, L[2].index(b"root") + 20)'
damage UNKNOWN_KEY 'a key id' C1 'turn(2, L[2].index(b"key") + 8)'
damage CORRUPT 'a size' C1 'L[2] = L[2].replace(b"\"size\":1", b"\"size\":2")'
damage CORRUPT 'another spelling of a size' C1 \
    'L[2] = L[2].replace(b"\"size\":1", b"\"size\":01")'
damage CORRUPT 'a commit is missing' C2 'del L[3]'
damage CORRUPT 'a commit twice' C2 'L.insert(3, L[3])'
damage CORRUPT 'a group is missing' C2 'del L[1:4]'
damage CORRUPT 'a group twice' C2 'L[4:4] = L[1:4]'
damage CORRUPT 'two groups swapped' C2 'L[1:7] = L[4:7] + L[1:4]'

# ---- Damage: headers and segments ---------------------------------------------------

damage CORRUPT 'a header: first' C2 \
    'L[0] = L[0].replace(b"\"first\":1", b"\"first\":2")'
damage FOREIGN 'the first header: origin' C1 \
    'L[0] = L[0].replace(b"/whole", b"/where")'
damage CORRUPT 'a header: origin, but not that of its checkpoint' C2 \
    'L[0] = L[0].replace(b"/whole", b"/where", 1)'
damage CORRUPT 'a header: a hash of its range' C2 \
    'turn(0, L[0].index(b"tree") + 20)'
damage CORRUPT 'a header: the signature of its checkpoint' C2 \
    'turn(0, len(L[0]) - 30)'
damage CORRUPT 'a header: another format over lines of this one' C1 \
    'L[0] = L[0].replace(b"\"format\":1", b"\"format\":2")'
damage CORRUPT 'a header: another format over lines of this one' C2 \
    'L[0] = L[0].replace(b"\"format\":1", b"\"format\":999")'
damage UNSUPPORTED_FORMAT 'another format, and lines that are not of this one' C1 \
    'L[0] = L[0].replace(b"\"format\":1", b"\"format\":2"); L[1] = L[1].replace(b"init", b"begin")'
damage CORRUPT 'a header is missing' C2 'del L[0]'
damage CORRUPT 'padding that is not at the end of the log' C2 'L.append(b"\n")'
damage CORRUPT 'a segment is cut inside' C2 'L[-1] = L[-1][:-9]'
damage CORRUPT 'a segment is empty' C2 'del L[:]'

begin 'damage: a segment is missing, each of those before the last'
for gone in "$first_name" "$middle_name"; do
    copied
    rm "$C/log/$gone"
    agree CORRUPT "$C"
done

begin 'damage: two segments swapped'
copied
mv "$C1" "$C/x"
mv "$C2" "$C1"
mv "$C/x" "$C2"
agree CORRUPT "$C"

begin 'damage: a segment under another name'
copied
mv "$C3" "$C/log/00000000000000000999.jsonl"
agree CORRUPT "$C"

begin 'damage: a segment of another log'
fresh other --origin example.org/other --segment-size 4096
deltas 1 28 | "$PARITYLOG" append "$L" --group 2 --quiet
copied
cp "$L/log/$middle_name" "$C2" 2>/dev/null || cp "$S" "$C2"
agree FOREIGN "$C"

begin 'damage: a segment of another history of this log'
rm -rf "$T/fork-a" "$T/fork-b"
fresh fork-a --segment-size 4096
deltas 1 2 | "$PARITYLOG" append "$L" --quiet
cp -R "$L" "$T/fork-b"
for copy in fork-a fork-b; do
    { deltas 3 3 | sed "s/pets/$copy/"
      deltas 4 12; } |
        "$PARITYLOG" append "$T/$copy" --group 1 --quiet
done
# shellcheck disable=SC2012
name_2=$(ls "$T/fork-a/log" | sed -n 2p)
cp "$T/fork-b/log/$name_2" "$T/fork-a/log/"
agree FORK "$T/fork-a"

begin 'damage: a symbolic link, a hard link, a directory, a FIFO'
copied
mv "$C2" "$C/x"
ln -s ../x "$C2"
agree CORRUPT "$C"
rm "$C2"
ln "$C/x" "$C2"
agree CORRUPT "$C"
rm "$C2"
mkdir "$C2"
agree CORRUPT "$C"
rmdir "$C2"
mkfifo "$C2"
agree CORRUPT "$C"

begin 'damage: a file that does not belong into log/'
copied
: >"$C/log/README"
ours "$C"
theirs "$C"
[ $status -eq 5 ] || wrong "exit status $status instead of 5"
same 'the second verifier' "$second" 'CORRUPT log/README -'

begin 'the whole log signed anew by another key'
fresh anew --origin example.org/whole --segment-size 4096
deltas 1 28 | "$PARITYLOG" append "$L" --group 2 --quiet
agree OK "$L"
agree UNKNOWN_KEY "$L" --key "$vkey"

# ---- Key rotations ------------------------------------------------------------------

# A log by four keys; segments are changed right before, behind and in between.
fresh turned --origin example.org/turned --segment-size 4096
for turn in 1 2 3; do
    deltas $((turn * 10)) $((turn * 10 + 5)) | "$PARITYLOG" append "$L" --group 2 --quiet
    "$PARITYLOG" key rotate "$L" >>"$T/turned.vkeys" 2>"$T/err"
done
deltas 50 57 | "$PARITYLOG" append "$L" --group 2 --quiet

begin 'three key rotations'
agree OK "$L"
same 'keys' "$(wc -l <"$T/turned.vkeys" | tr -d ' ')" 3

begin 'each of four keys pins it, also without keys/'
mkdir -m 700 "$T/bare"
cp -R "$L/log" "$T/bare"
{ cat "$T/vkey" "$T/turned.vkeys"; } >"$T/four"
while read -r pin; do
    agree OK "$L" --key "$pin"
    agree OK "$T/bare" --key "$pin"
done <"$T/four"
agree UNKNOWN_KEY "$L" --key "$vkey"

begin 'a rotation as the last group'
cp -R "$L" "$T/last"
run 0 key rotate "$T/last"
agree OK "$T/last"

# turned WORD NAME CODE: edits the segment that holds the first rotation, at
# line R.
turned() {
    begin "damage: $2"
    C=$T/copy
    rm -rf "$C"
    mkdir -m 700 "$C"
    cp -R "$T/turned/log" "$T/turned/keys" "$C"
    # shellcheck disable=SC2046
    edit $(grep -l '"control":"rotate"' "$C"/log/* | head -1) \
        'R = [i for i, l in enumerate(L) if b"rotate" in l[:40]][0]; '"$3"
    agree "$1" "$C"
}
turned TAMPERED 'the old signature in a rotation' \
    'turn(R, L[R].index(b"old_sig") + 20)'
turned TAMPERED 'the new signature in a rotation' \
    'turn(R, L[R].index(b"new_sig") + 20)'
turned TAMPERED 'the root in a rotation' 'turn(R, L[R].index(b"root") + 20)'
turned CORRUPT 'the size in a rotation' \
    'L[R] = L[R].replace(b"\"size\":", b"\"size\":1")'
turned CORRUPT 'the id of a key in a rotation' \
    'turn(R, L[R].index(b"turned+") + 9)'
turned CORRUPT 'a member of a rotation is missing' \
    'L[R] = L[R].replace(b"\"new_sig\"", b"\"sig\"")'
turned CORRUPT 'a rotation is missing' 'del L[R]'
turned CORRUPT 'a rotation with its commit is missing' 'del L[R:R + 2]'
turned CORRUPT 'a rotation twice' 'L[R:R] = L[R:R + 2]'
turned TAMPERED 'the commit of a rotation by a later key' \
    'import re; n = L[R].split(b"turned+")[2][:8]; L[R + 1] = re.sub(rb"\"key\":\"[0-9a-f]{8}", b"\"key\":\"" + n, L[R + 1])'

begin 'damage: a rotation as a rest without LF, looked for ahead'
C=$T/copy
rm -rf "$C"
mkdir -m 700 "$C"
cp -R "$T/turned/log" "$T/turned/keys" "$C"
edit "$(grep -l '"control":"rotate"' "$C"/log/* | head -1)" \
    'R = [i for i, l in enumerate(L) if b"rotate" in l[:40]][0]; del L[R + 1:]; L[R] = L[R][:-1]'
agree UNKNOWN_KEY "$C" --key "$(tail -1 "$T/turned.vkeys")"

# ---- Redactions ---------------------------------------------------------------------

# Entries 4 and 5 of the first segment, and one of the last, which begins a new
# one; then what follows.
fresh blackened --origin example.org/blackened --segment-size 4096
deltas 1 28 | "$PARITYLOG" append "$L" --group 2 --quiet
for seq in 4 5 28; do
    "$PARITYLOG" redact "$L" $seq --reason "request \"$seq\" \303\251" \
        >"$T/out" 2>"$T/err"
done
deltas 50 53 | "$PARITYLOG" append "$L" --group 2 --quiet

begin 'three redactions'
agree OK "$L"
same 'redacted lines' "$(cat "$L"/log/* | grep -c '"redacted":"')" 3

begin 'a copy below two orders, which came along'
rm -rf "$T/below"
run 0 restore "$L" --out "$T/below" --at 26
agree OK "$T/below"
# shellcheck disable=SC2012
same 'orders' "$(ls "$T/below/orders" | wc -l | tr -d ' ')" 2
rm "$T/below"/orders/*
agree TAMPERED "$T/below"

# blackened WORD NAME FILE CODE: edits the segment that FILE, a pattern, is in,
# at line R.
blackened() {
    begin "damage: $2"
    C=$T/copy
    rm -rf "$C"
    mkdir -m 700 "$C"
    cp -R "$T/blackened/log" "$T/blackened/keys" "$C"
    # shellcheck disable=SC2046
    edit $(grep -l "$3" "$C"/log/* | head -1) \
        "R = [i for i, l in enumerate(L) if b'$3' in l][0]; $4"
    agree "$1" "$C"
}
blackened TAMPERED 'the leaf in a redacted line' '"redacted":' \
    'turn(R, L[R].index(b"redacted") + 20)'
blackened TAMPERED 'the resource in a redacted line' '"redacted":' \
    'L[R] = L[R].replace(b"pets", b"cats")'
blackened TAMPERED 'another line redacted, without an order' '"redacted":' \
    'import base64, hashlib, json
n = R + 3
while not L[n].startswith(b"{\"seq\"") or b"redacted" in L[n]: n += 1
leaf = base64.b64encode(hashlib.sha256(b"\0" + L[n][:-1]).digest()).decode()
e = json.loads(L[n])
for name in ("payload", "meta", "merged", "salt"): e.pop(name, None)
e["redacted"] = leaf
L[n] = json.dumps(e, separators=(",", ":")).encode() + b"\n"'
blackened TAMPERED 'the payload is back, and another' '"redacted":' \
    'L[R] = L[R].replace(b",\"occurred_at", b",\"payload\":{},\"occurred_at")'
blackened TAMPERED 'a redacted line whose order is lost' '"control":"redact"' \
    'L[R] = L[R].replace(b"\"leaf\":\"", b"\"leaf\":\"A", 1)'
blackened TAMPERED 'an order as a rest without LF' '"control":"redact"' \
    'del L[R + 1:]; L[R] = L[R][:-1]'
blackened TAMPERED 'an order about what follows it is none' '"control":"redact"' \
    'L[R] = L[R].replace(b"\"args\":{\"seq\":", b"\"args\":{\"seq\":9", 1)'

# ---- Signed, and wrong all the same -----------------------------------------------------

# signed WORD NAME REST: one more group, of one entry with this behind its seq, by
# the log's key.  No crash leaves such a group, so none is TORN.
signed() {
    begin "signed: $2"
    C=$T/copy
    rm -rf "$C"
    cp -R "$T/whole" "$C"
    python3 - "$top/tests" "$C" "$3" <<'END' || wrong "cannot sign: $2"
import base64, glob, sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import verify
path, rest = sys.argv[2:]
v = verify.verify(verify.Directory(path))
secret = open(path + '/keys/signing.key').read().strip().split('+', 4)
seed = base64.b64decode(secret[4])[1:]
try:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import \
        Ed25519PrivateKey
    sign = Ed25519PrivateKey.from_private_bytes(seed).sign
except ImportError:
    from nacl.signing import SigningKey
    sign = lambda text: SigningKey(seed).sign(text).signature
line = f'{{"seq":{v.size + 1},{rest}'.encode()
root = verify.root_of(verify.add_leaf(v.size, v.tree, line))
sig = sign(verify.signed_text(v.origin, v.size + 1, root).encode())
with open(max(glob.glob(path + '/log/*')), 'ab') as f:
    f.write(line + b'\n' + verify.Commit(v.size + 1, root, secret[3],
                                         sig).line() + b'\n')
END
    agree "$1" "$C"
}
record='"resource":"r","record_id":"1","op":"OP","payload":PAYLOAD,"occurred_at":"2026-01-02T03:04:05Z","provenance":{"source":"s","confidence":1}'
upsert=$(echo "$record" | sed 's/OP/upsert/; s/PAYLOAD/{}/')
delete=$(echo "$record" | sed 's/OP/delete/; s/PAYLOAD/null/')
salt=',"salt":"AAECAwQFBgcICQoLDA0ODw=="'
now=',"logged_at":"2026-01-02T03:04:05.000000Z"}'
signed OK 'nothing is wrong' "$upsert$salt$now"
signed OK 'a merged payload' "$upsert,\"merged\":{}$salt$now"
signed CORRUPT 'a delete with a merged payload' "$delete,\"merged\":{}$salt$now"
signed CORRUPT 'no time' "$upsert$salt,\"logged_at\":\"2026-13-45T25:61:61.000000Z\"}"
signed CORRUPT 'no logged_at' "$upsert$salt}"
signed CORRUPT 'an order about what follows it' \
    "\"control\":\"redact\",\"args\":{\"seq\":9999,\"leaf\":\"x\",\"line\":\"x\",\"reason\":\"x\"}$now"
signed UNSUPPORTED_FORMAT 'a name of a later version' "\"control\":\"later\",\"args\":{}$now"

# ---- Copies that go on ----------------------------------------------------------------

# From a log by four keys, in the middle; then once more.
run 0 restore "$T/turned" --out "$T/on" --at 20 --continue-as example.org/on
deltas 60 65 | "$PARITYLOG" append "$T/on" --group 2 --quiet
run 0 key rotate "$T/on"
run 0 restore "$T/on" --out "$T/further" --continue-as example.org/further
deltas 70 77 | "$PARITYLOG" append "$T/further" --group 3 --quiet

begin 'a restored copy goes on under a name of its own, and one of that'
agree OK "$T/on"
agree OK "$T/further"

begin 'trust in the new name reaches all of it, trust in the old one nothing'
agree OK "$T/further" --key "$("$PARITYLOG" key show "$T/further")"
agree UNKNOWN_KEY "$T/further" --key "$("$PARITYLOG" key show "$T/on")"
agree UNKNOWN_KEY "$T/on" --key "$("$PARITYLOG" key show "$T/turned")"
agree OK "$T/on" --key "$("$PARITYLOG" key show "$T/on")"

# The order of an entry above the rotation, in a copy that has only the rotation.
filled signed 10
run 0 key rotate "$L"
deltas 11 20 | "$PARITYLOG" append "$L" --group 2 --quiet
run 0 redact "$L" 3 --reason asked
run 0 restore "$L" --out "$T/signed-on" --at 16 --continue-as example.org/signed-on

begin 'of such a copy the order that came along is by a key that is met behind it'
agree OK "$T/signed-on" --key "$("$PARITYLOG" key show "$T/signed-on")"
run 0 restore "$L" --out "$T/signed-below" --at 11 --continue-as example.org/below
pin=$("$PARITYLOG" key show "$T/signed-below")

begin 'and of one that ends below the rotation, by a key that it never had'
agree OK "$T/signed-below"
agree UNKNOWN_KEY "$T/signed-below" --key "$pin"
run 12 verify "$T/signed-below" --key "$pin"
out_has 'orders/23 by key '
out_has 'paritylog key list DIR'
run 12 parity "$T/signed-below" --key "$pin"
out_has 'orders/23 by key '
run 12 replay "$T/signed-below" --fresh --key "$pin"
err_has 'orders/23 by key '

# So it is of the compact entry that lets a copy begin where it does.
filled lowered 60 --segment-size 4096
run 0 key rotate "$L"
run 0 peer add "$L" far
run 0 peer ack "$L" far 33
run 0 compact "$L"
run 0 restore "$L" --out "$T/lowered-on" --at 51 --continue-as example.org/lowered
pin=$("$PARITYLOG" key show "$T/lowered-on")

begin 'a copy whose compact entry came along, by a key that it never had'
agree OK "$T/lowered-on"
agree UNKNOWN_KEY "$T/lowered-on" --key "$pin"
run 12 verify "$T/lowered-on" --key "$pin"
out_has 'orders/64 by key '
run 12 parity "$T/lowered-on" --key "$pin"
rm "$T/lowered-on"/orders/*
agree CORRUPT "$T/lowered-on" --key "$pin"

begin 'without the order'
rm "$T/signed-on"/orders/*
agree TAMPERED "$T/signed-on" --key "$("$PARITYLOG" key show "$T/signed-on")"

# on WORD NAME CODE: edits the segment that the copy goes on in, at line 1.
on() {
    begin "damage: $2"
    C=$T/copy
    rm -rf "$C"
    mkdir -m 700 "$C"
    cp -R "$T/on/log" "$T/on/keys" "$C"
    # shellcheck disable=SC2046
    edit $(grep -l '"control":"restore"' "$C"/log/* | head -1) "$3"
    agree "$1" "$C"
}
on TAMPERED 'the signature in a restore entry' 'turn(1, L[1].index(b"\"sig\"") + 20)'
on TAMPERED 'the root in a restore entry' 'turn(1, L[1].index(b"root") + 20)'
on CORRUPT 'the size in a restore entry' \
    'L[1] = L[1].replace(b"\"size\":", b"\"size\":1")'
on CORRUPT 'a member of a restore entry is missing' \
    'L[1] = L[1].replace(b"\"sig\"", b"\"big\"")'
on CORRUPT 'a restore entry twice' 'L[1:1] = L[1:3]'
on CORRUPT 'a restore entry with its commit is missing' 'del L[1:3]'

# ---- Compacted ------------------------------------------------------------------------

# Two rotations, of which the floor passes one; the peers have different ends.
filled compacted 60 --segment-size 4096
run 0 key rotate "$L"
deltas 61 90 | "$PARITYLOG" append "$L" --group 10 --quiet
run 0 peer add "$L" far
run 0 peer ack "$L" far 80
cp -R "$L" "$T/undone"
cp -R "$L" "$T/plain"
first_vkey=$(cat "$T/vkey")
run 0 compact "$L"
run 0 key rotate "$L"
deltas 91 95 | "$PARITYLOG" append "$L" --group 10 --quiet
run 0 restore "$L" --out "$T/above" --at 85

begin 'a log without its beginning; a copy below the entry that lets it'
agree OK "$T/compacted"
agree OK "$T/above"
run 0 restore "$T/above" --out "$T/above-again"
agree OK "$T/above-again"
run 0 restore "$L" --out "$T/above-on" --at 85 --continue-as example.org/above-on
agree OK "$T/above-on" --key "$("$PARITYLOG" key show "$T/above-on")"

begin 'each of three keys pins it'
"$PARITYLOG" key list "$L" --json >"$T/keys"
grep -o '"vkey":"[^"]*"' "$T/keys" | cut -d'"' -f4 >"$T/vkeys"
[ "$(wc -l <"$T/vkeys")" -eq 3 ] || wrong 'not three keys'
while IFS= read -r key; do
    agree OK "$L" --key "$key"
done <"$T/vkeys"

begin 'undone'
run 0 compact "$T/undone"
run 0 compact "$T/undone" --undo
agree OK "$T/undone"

begin 'damage: a segment is gone, and the entry that was undone is proven'
seq=$(grep -h -o '^{"seq":[0-9]*,"control":"compact"' "$T/undone"/log/* |
    head -1 | tr -dc '0-9')
cp -R "$T/undone" "$T/proven"
mkdir "$T/proven/orders"
run 0 prove "$T/undone" "$seq" --out "$T/order"
mv "$T/order" "$T/proven/orders/$seq" # refused there
rm "$T/proven/log/00000000000000000001.jsonl"
agree CORRUPT "$T/proven"

begin 'a second compact entry is torn: unfinished, and no more than that'
cp -R "$T/compacted" "$T/half"
deltas 100 130 | "$PARITYLOG" append "$T/half" --group 10 --quiet
run 0 peer ack "$T/half" far 120
cp -R "$T/half/log" "$T/half-log"
run 0 compact "$T/half" --quiet
cp "$T/half"/log/* "$T/half-log"
rm -rf "$T/half/log" "$T/half"/store.db*
mv "$T/half-log" "$T/half/log"
for last in "$T/half"/log/*; do :; done
edit "$last" \
    'i = [k for k, l in enumerate(L) if b"compact" in l][-1]; L[i + 1:] = [L[i + 1][:90]]'
agree TORN "$T/half"
run 0 replay "$T/half"
agree OK "$T/half"
run 0 parity "$T/half"

# short WORD NAME LINES...: files of log/ removed that hold such a text.
short() {
    begin "damage: $2"
    C=$T/copy
    rm -rf "$C"
    mkdir -m 700 "$C"
    cp -R "$L/log" "$L/keys" "$C"
    grep -l "$3" "$C"/log/* | xargs rm
    agree "$1" "$C"
}
short CORRUPT 'the segment with the compact entry is missing' '"control":"compact"'
short CORRUPT 'the first segment that is left is missing' '"seq":7[0-9],'

# held WORD NAME CODE: edits the segment with the compact entry.
held() {
    begin "damage: $2"
    C=$T/copy
    rm -rf "$C"
    mkdir -m 700 "$C"
    cp -R "$L/log" "$L/keys" "$C"
    # shellcheck disable=SC2046
    edit $(grep -l '"control":"compact"' "$C"/log/* | head -1) \
        "i = [k for k, l in enumerate(L) if b'compact' in l][0]; $3"
    agree "$1" "$C"
}
held CORRUPT 'a compact entry as a rest without LF' \
    'del L[i + 1:]; L[i] = L[i][:-1]'
held CORRUPT 'a floor that does not reach' \
    'L[i] = L[i].replace(b"\"to\":", b"\"to\":1", 1)'
held TAMPERED 'the digest of the snapshot' 'turn(i, L[i].index(b"snapshot") + 20)'
held CORRUPT 'the cursor of a peer, below the floor' \
    'L[i] = L[i].replace(b"\"seq\":80", b"\"seq\":8")'
held CORRUPT 'a rotation of those below' \
    'turn(i, L[i].index(b"old_sig") + 20)'

held CORRUPT 'a peer with a member more' \
    'L[i] = L[i].replace(b"\"seq\":80", b"\"seq\":80,\"far\":1")'
held CORRUPT 'no peer' \
    'L[i] = L[i].replace(b"{\"name\":\"far\",\"seq\":80}", b"")'
held CORRUPT 'a floor that is not below the entry' \
    'L[i] = L[i].replace(b"\"to\":", b"\"to\":9999", 1)'
held CORRUPT 'no snapshot' \
    'import re; L[i] = re.sub(rb"\"snapshot\":\"[^\"]*\"", b"\"snapshot\":null", L[i])'
held CORRUPT 'whether it is archived, as a text' \
    'L[i] = L[i].replace(b"\"archive\":true", b"\"archive\":\"true\"")'

# first WORD NAME CODE: edits the header of the first segment that is left.
first() {
    begin "damage: $2"
    C=$T/copy
    rm -rf "$C"
    mkdir -m 700 "$C"
    cp -R "$L/log" "$L/keys" "$C"
    # shellcheck disable=SC2012
    edit "$C/log/$(ls "$C/log" | head -1)" "$3"
    agree "$1" "$C"
}
first TAMPERED 'the signature in the first header that is left' \
    'turn(0, len(L[0]) - 60)'
first CORRUPT 'its range' 'turn(0, L[0].index(b"tree") + 20)'
first CORRUPT 'its origin' 'L[0] = L[0].replace(b"plog-", b"plug-", 1)'
first FOREIGN 'its origin, and in its checkpoint' \
    'L[0] = L[0].replace(b"plog-", b"plug-")'
first CORRUPT 'its number of the format' \
    'L[0] = L[0].replace(b"\"format\":1", b"\"format\":2")'
first CORRUPT 'its place' 'L[0] = L[0].replace(b"\"first\":", b"\"first\":1")'

begin 'damage: the group of the compact entry is cut off, and all behind it'
C=$T/copy
rm -rf "$C"
mkdir -m 700 "$C"
cp -R "$L/log" "$L/keys" "$C"
last=$(grep -l '"control":"compact"' "$C"/log/*)
for file in "$C"/log/*; do
    [ "${file##*/}" = "${last##*/}" ] && seen=1
    [ -n "${seen:-}" ] && [ "$file" != "$last" ] && rm "$file"
done
edit "$last" "i = [k for k, l in enumerate(L) if b'compact' in l][0]; del L[i:]"
agree CORRUPT "$C"

begin 'segments come back, the last one first: whole at each step'
rm -rf "$C"
mkdir -m 700 "$C"
cp -R "$L/log" "$L/keys" "$C"
for file in "$L"/archive/*; do
    echo "${file##*/}"
done | sort -r >"$T/archived"
while IFS= read -r file; do
    gzip -dc "$L/archive/$file" >"$C/log/${file%.gz}"
    agree OK "$C"
done <"$T/archived"
agree OK "$C" --key "$first_vkey"

begin 'damage: and one of those in between is missing'
# shellcheck disable=SC2012
rm "$C/log/$(ls "$C/log" | sed -n 3p)"
agree CORRUPT "$C"

begin 'the compact entry is torn: nothing went yet'
cp -R "$T/plain" "$T/torn"
run 0 compact "$T/torn"
rm -rf "$C"
mkdir -m 700 "$C"
cp -R "$T/plain/log" "$T/plain/keys" "$C"
cp "$T/torn"/log/* "$C/log"
edit "$(grep -l '"control":"compact"' "$C"/log/*)" \
    "i = [k for k, l in enumerate(L) if b'compact' in l][0]; L[i + 1:] = [L[i + 1][:90]]"
agree TORN "$C"

begin 'a floor right behind a rotation'
filled edge 20
run 0 peer add "$L" far
"$PARITYLOG" key show "$L" >"$T/vkeys"
run 0 key rotate "$L"
run 0 rotate "$L"
"$PARITYLOG" key show "$L" >>"$T/vkeys"
run 0 status "$L" --json
run 0 peer ack "$L" far "$(sed 's/.*"log":{"size":\([0-9]*\).*/\1/' "$T/out")"
run 0 compact "$L"
out_has 'the floor moved'
agree OK "$L"
while IFS= read -r key; do
    agree OK "$L" --key "$key"
done <"$T/vkeys"
deltas 21 23 | "$PARITYLOG" append "$L" --quiet
agree OK "$L"

begin 'peers that come and go'
fresh peers
for peer in far near '"e"\'; do
    run 0 peer add "$L" "$peer"
    run 0 peer evict "$L" "$peer" --reason "gone: $peer"
done
run 0 peer add "$L" far
deltas 1 3 | "$PARITYLOG" append "$L" --quiet
agree OK "$L"

# evicted WORD NAME FROM TO: a text of the entries about peers, and another.
evicted() {
    begin "damage: $2"
    C=$T/copy
    rm -rf "$C"
    mkdir -m 700 "$C"
    cp -R "$L/log" "$L/keys" "$C"
    edit "$C/log/${S##*/}" "L[:] = [l.replace(b'''$3''', b'''$4''') for l in L]"
    agree "$1" "$C"
}
evicted CORRUPT 'a peer without a name' '"name":"far"' '"name":""'
evicted CORRUPT 'a name that is none' '"name":"near"' '"name":1'
evicted CORRUPT 'a peer that goes without a reason' '"gone: near"' '""'
evicted CORRUPT 'what it had, as a text' '"seq":0,"reason"' '"seq":"0","reason"'
evicted TAMPERED 'another reason' 'gone: near' 'gone: NEAR'

L=$T/compacted

cp -R "$T/above" "$T/without"
rm -r "$T/without/orders"
L=$T/without
begin 'damage: the copy without the entry that came along'
agree CORRUPT "$L"

# A copy under a name of its own, compacted across the entry where it goes on.
L=$T/further
deltas 80 120 | "$PARITYLOG" append "$L" --group 5 --quiet
run 0 rotate "$L"
run 0 peer add "$L" far
begin 'a copy that goes on, compacted behind the place'
run 0 status "$L" --json
head=$(sed 's/.*"log":{"size":\([0-9]*\).*/\1/' "$T/out")
run 0 peer ack "$L" far "$head"
run 0 compact "$L"
out_has 'the floor moved'
agree OK "$L"
agree OK "$L" --key "$("$PARITYLOG" key show "$L")"
agree UNKNOWN_KEY "$L" --key "$("$PARITYLOG" key show "$T/on")"
run 0 parity "$L"
run 0 replay "$L" --fresh
run 0 parity "$L"
run 0 restore "$L" --out "$T/of-that"
agree OK "$T/of-that"

# ---- Snapshots ------------------------------------------------------------------------

# wild FIRST LAST: deltas with everything that a fold has to tell apart.
wild() {
    python3 - "$@" <<'END'
import json, random, sys
first, last = map(int, sys.argv[1:])
r = random.Random(first)
names = [r'"a"', r'"\u0061b"', r'"ab"', r'"z\/"', r'"z/"', r'"\u00e9"', '"\xe9"']

def some(depth=0):
    out, seen = [], set()
    for name in r.choices(names, k=r.randrange(5)):
        if json.loads(name) not in seen:
            seen.add(json.loads(name))
            value = r.choice(['1', '4.20', 'null', r'"x\u00e9"', '[1, {}]', '', ''])
            out.append(name + ': ' + (
                value or (some(depth + 1) if depth < 4 else '{}')))
    return '{' + ', '.join(out) + '}'

for i in range(first, last + 1):
    line = '{"resource":%s,"record_id":%s,' % (
        r.choice(['"pets"', r'"p\u0065ts"', '"Zoo"']),
        r.choice(['"1"', r'"\u0031"', '"\xe9"', r'"q\"\\\n\t"', '"z"', '"2"']))
    line += '"occurred_at":"2026-01-%02dT00:00:0%d.5+01:00",' % (
        r.randrange(1, 28), r.randrange(10))
    line += r'"provenance":{"confidence":%s,"source":"caf\u00e9"}' % r.choice(
        ['0', '1.0', '0.50', '1e-1', '-0'])
    line += ',"op":"delete"' if r.random() < .15 else \
        ',"op":"upsert","payload":' + some()
    line += r',"id":"i\u0064-%d/\"%s"' % (i, '\xe9') if r.random() < .5 else ''
    line += ',"meta":' + some() if r.random() < .3 else ''
    sys.stdout.buffer.write((line + '}\n').encode())
END
}

# received SEQ: what each peer has.
received() {
    for peer in far near back; do
        run 0 peer ack "$L" "$peer" "$1"
    done
}

# Every kind of line: losers, tombstones, merges, redactions, cursors, peers
# that went, keys, ids.
begin 'a log of everything'
fresh wild --origin example.org/wild --segment-size 4096 --strategy merge-json
wild 1 40 | "$PARITYLOG" append "$L" --group 4 --quiet
# Members of members, merged.
{ delta n nest '{"a":1,"b":{"c":2,"d":[3]},"\u0065":{"f":{}}}'
  delta - nest '{"b":{"d":4,"x":null},"e":{"f":{"g":5}}}'
} | "$PARITYLOG" append "$L" --quiet
for peer in far near back gone; do
    run 0 peer add "$L" "$peer"
done
run 0 peer evict "$L" gone --reason test
run 0 peer evict "$L" back --reason test
run 0 peer add "$L" back
run 0 cursor set "$L" 'crm "e"' pets 'to	ken\'
run 0 cursor set "$L" crm '*' 1
run 0 cursor set "$L" crm '*' 2
n=100
for strategy in keep-local highest-confidence last-write-wins arrival merge-json; do
    run 0 strategy "$L" $strategy
    wild $n $((n + 9)) | "$PARITYLOG" append "$L" --group 3 --quiet
    n=$((n + 10))
done
run 0 key rotate "$L"
wild 200 240 | "$PARITYLOG" append "$L" --group 5 --quiet
# One of the entries on which records stand, and others.
grep -h -o '^{"seq":[0-9]*,.*"op":"[a-z]*"' "$L"/log/* |
    sed 's/{"seq":\([0-9]*\),.*/\1/' >"$T/seqs"
for seq in 5 30 $(sed -n '30,40p;64,76p' "$T/seqs"); do
    "$PARITYLOG" redact "$L" "$seq" --reason test >"$T/out" 2>"$T/err"
done
agree_parity OK "$L"

begin 'a snapshot is what the entries come to, byte for byte'
received 95
run 0 compact "$L"
out_has 'the floor moved from 0'
agree_parity OK "$L"

begin 'and the next one, with ids of the one before; a store that let go'
received 135
run 0 compact "$L" --trim-store
out_has 'the floor moved'
agree_parity OK "$L"
# shellcheck disable=SC2012
same 'snapshots' "$(ls "$L/snapshots" | wc -l | tr -d ' ')" 2

begin 'undone, an entry redacted meanwhile, and once more'
run 0 compact "$L" --undo
agree_parity OK "$L"
run 0 redact "$L" "$(sed -n 95p "$T/seqs")" --reason test
agree_parity OK "$L"
received 135
run 0 compact "$L"
out_has 'the floor moved'
agree_parity OK "$L"

begin 'a store from the snapshot, a copy that goes on'
run 0 replay "$L" --fresh
agree_parity OK "$L"
run 0 restore "$L" --out "$T/wild-on" --continue-as example.org/wild-on
agree_parity OK "$T/wild-on"

# spoilt WORD NAME COMMAND: changes the snapshot at the floor, $snapshot; its
# text is in $T/text.
spoilt() {
    begin "damage: $2"
    C=$T/copy
    rm -rf "$C"
    cp -R "$T/wild-on" "$C"
    # shellcheck disable=SC2012
    snapshot=$C/snapshots/$(ls "$C/snapshots" | tail -1)
    gzip -dc "$snapshot" >"$T/text"
    eval "$3"
    agree_parity "$1" "$C"
}
# shellcheck disable=SC2016
{
    spoilt CORRUPT 'a version in the snapshot' \
        'sed "s/\"version\":/\"version\":1/" "$T/text" | gzip >"$snapshot"'
    spoilt CORRUPT 'its last line is missing' 'sed "\$d" "$T/text" | gzip >"$snapshot"'
    spoilt CORRUPT 'it is empty' ': >"$snapshot"'
    spoilt CORRUPT 'it is text' 'cp "$T/text" "$snapshot"'
    spoilt CORRUPT 'it is cut off' \
        'head -c 900 "$snapshot" >"$T/part"; cp "$T/part" "$snapshot"'
    spoilt CORRUPT 'junk behind it' 'printf junk >>"$snapshot"'
    spoilt CORRUPT 'an empty member of gzip behind it' 'gzip </dev/null >>"$snapshot"'
    spoilt CORRUPT 'two links' 'ln "$snapshot" "$C/link"'
    spoilt PRUNED 'it is missing' 'rm "$snapshot"'
    spoilt OK 'no damage: compressed in another way' 'gzip -9 <"$T/text" >"$snapshot"'
}

# ---- The end of the log ---------------------------------------------------------------

damage TORN 'a value in the last group' C3 \
    'L[-2] = L[-2].replace(b"\"v\":", b"\"v\":1", 1)'
damage TORN 'the last commit is missing' C3 'del L[-1]'
damage TORN 'the last commit lacks its LF' C3 'L[-1] = L[-1][:-1]'
damage TORN 'the last line end is changed' C3 'L[-1] = L[-1][:-1] + b"x"'
damage TORN 'the last line end is NUL, and padding' C3 \
    'L[-1] = L[-1][:-1] + b"\0"; L.append(b"\n" * 5)'
damage CORRUPT 'the last line end is two bytes' C3 'L[-1] = L[-1][:-1] + b"xx"'
damage TORN 'cut inside the last entry' C3 'del L[-1]; L[-1] = L[-1][:50]'
damage TORN 'the last commit without its entries' C3 'del L[-3:-1]'
damage TORN 'zeros for the last group' C3 \
    'n = sum(map(len, L[-3:])); L[-3:] = [bytes(n)]'
damage TORN 'zeros behind the padding' C3 'L += [b"\n" * 5, bytes(7)]'
damage TORN 'junk behind the end' C3 'L.append(b"junk")'
damage TORN 'half of a last header' C3 'L[:] = [L[0][:70]]'
damage TORN 'nothing in the last segment' C3 'del L[:]'
damage CORRUPT 'something behind the commit of a bad last group' C3 \
    'del L[-3]; L.append(b"x\n")'
damage CORRUPT 'the line end before the last group is changed' C3 \
    'L[-4] = L[-4][:-1] + b"x"'
damage CORRUPT 'the group before the last is missing' C3 'del L[-6:-3]'
damage CORRUPT 'the last group twice' C3 'L += L[-3:]'
damage TAMPERED 'a value in the group before the last' C3 \
    'L[-5] = L[-5].replace(b"\"v\":", b"\"v\":1", 1)'
damage OK 'what no log alone can show: the last group is missing' C3 'del L[-3:]'

finish
