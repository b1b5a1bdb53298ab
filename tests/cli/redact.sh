#!/bin/sh
# redact.sh - paritylog redact: removes a payload and keeps its proof.
. "$(dirname "$0")/lib.sh"

fresh log --segment-size 4096
deltas 1 40 | sed 's/"v":4}/"v":"a-secret-of-four"}/' |
    run 0 append "$L" --group 3 --quiet
vkey=$(cat "$T/vkey")
run 0 prove "$L" 5 --out "$T/before"

# left WORD: no file below the directory holds it.
left() {
    grep -rlF "$1" "$L" >"$T/left"
    [ ! -s "$T/left" ] || wrong "$1 is left in $(cat "$T/left")"
}

begin 'a dry run changes nothing'
log_digest >"$T/sum.1"
run 0 redact "$L" 5 --reason 'request 7' --dry-run
out_has 'dry run, nothing changed'
log_digest >"$T/sum.2"
files_equal "$T/sum.1" "$T/sum.2"

begin 'refused: no reason, no entry, a control entry'
run 2 redact "$L" 5
run 2 redact "$L" five --reason x
run 2 redact "$L"
run 6 redact "$L" 5 --reason ''
run 6 redact "$L" 1 --reason x
run 8 redact "$L" 99 --reason x
run 10 redact "$T/nothing" 5 --reason x
files_equal "$T/sum.1" "$T/sum.2"

begin 'the payload is gone, both legs agree, proofs hold'
grep -rqF a-secret-of-four "$L/log" || wrong 'there was no secret'
run 0 redact "$L" 5 --reason 'request "7"'
out_has 'redacted entry 5, by entry 42'
left a-secret-of-four
run 0 verify "$L" --key "$vkey"
run 0 parity "$L" --key "$vkey"
run 0 verify-proof "$T/before" --key "$vkey"
run 0 prove "$L" 5 --out "$T/after"
run 6 verify-proof "$T/after" --key "$vkey" --json
error_is INPUT '(.error.message | test("its leaf .{44} is in the log")) and
    (.error.hint | test("--order FILE"))'
run 0 prove "$L" 42 --out "$T/order"
run 0 verify-proof "$T/after" --key "$vkey" --order "$T/order"
out_has PROVEN
out_has 'redacted   by entry 42'
run 0 verify-proof "$T/after" --key "$vkey" --order "$T/order" --json
json_is "$T/out" '.redacted and .order == 42 and .seq == 5'
run 6 verify-proof "$T/before" --key "$vkey" --order "$T/order"
run 6 verify-proof "$T/after" --key "$vkey" --order "$T/after"
run 12 verify-proof "$T/after" --key "$("$PARITYLOG" init "$T/foreign")" --order "$T/order"
run 1 verify-proof "$T/after" --key "$vkey" --order "$T/no-such-file"
run 0 get "$L" pets 4
out_has '"payload":null'

begin 'it is listed, and shown by status'
run 0 redact "$L" --list
out_has '5  pets 4'
out_has 'request "7"'
run 0 status "$L"
out_has '1 redacted, 0 of them pending'

begin 'once more: it was redacted already'
run 0 redact "$L" 5 --reason again
out_has 'redacted already, by entry 42'

begin 'the same delta again is a duplicate'
deltas 4 4 | sed 's/"v":4}/"v":"a-secret-of-four"}/' |
    run 0 append "$L" --receipts --quiet
out_has '"duplicate":true'
left a-secret-of-four

begin 'a redacted log comes back from either leg'
cp -R "$L" "$T/whole"
rm -f "$L"/store.db*
run 0 replay "$L" --quiet
run 0 parity "$L"
rm -rf "$T/built"
run 0 rebuild "$L" --log --out "$T/built"
for file in "$T/whole"/log/*; do
    files_equal "$file" "$T/built/log/${file##*/}"
done
run 0 drill "$L"

begin 'below the order the payload does not come back'
run 0 restore "$L" --out "$T/below" --at 20
run 0 parity "$T/below"
run 0 get "$T/below" pets 4
out_has '"payload":null'

begin 'a reader in the way: 11, pending, and the next opening finishes'
if have python3; then
    mkfifo "$T/go"
    python3 - "$L/store.db" "$T/go" "$T/held" <<'END' &
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute('begin')
db.execute('select count(*) from events').fetchone()
open(sys.argv[3], 'w').write('held\n')
open(sys.argv[2]).read()
END
    pid=$!
    wait_lines "$T/held" 1
    run 11 redact "$L" 9 --reason slow --wait 0.2
    err_has 'is ordered to be redacted by entry'
    run 11 compact "$L" --wait 0.2 # not to wait: what to run
    err_has 'redact DIR 9 --reason TEXT again'
    run 0 status "$L"
    out_has '2 redacted, 1 of them pending'
    run 0 parity "$L"
    run 11 compact "$L" --wait 0.2
    err_has 'next: run: paritylog redact DIR 9 --reason TEXT again'
    echo >"$T/go"
    wait $pid
    deltas 90 90 | run 0 append "$L" --quiet
    run 0 status "$L"
    out_has '2 redacted, 0 of them pending'
    left '"v":8}'
else
    skip 'no python3'
fi

begin 'an error is no empty list, and a list cut off is not closed'
run 10 redact "$T/nothing" --list --json
out_empty
error_is NOTHING
run 0 redact "$L" --list --json
json_is "$T/out" '.redactions | length == 2'
cp -R "$L" "$T/cut"
sql "$T/cut/store.db" "UPDATE events SET line='{}' WHERE seq=(SELECT
    max(seq) FROM redactions)"
run 3 redact "$T/cut" --list --json
error_is DIVERGED
out_has '"redactions":[{"seq":'
out_lacks ']}'
sql "$T/cut/store.db" "UPDATE events SET line='{}' WHERE seq IN (SELECT
    seq FROM redactions)"
run 3 redact "$T/cut" --list --json
out_empty
fresh none
run 0 redact "$L" --list --json
out_is '{"schema":"paritylog/redactions/1","redactions":[]}'
L=$T/log

begin 'a segment from before the order: told, and taken out again'
kept=$L
fresh back
deltas 1 3 | run 0 append "$T/back" --quiet
run 0 rotate "$T/back"
cp "$T/back/log/00000000000000000001.jsonl" "$T/segment"
run 0 redact "$T/back" 2 --reason x
cp "$T/segment" "$T/back/log/00000000000000000001.jsonl"
run 0 parity "$T/back"
out_has 'pending    1 redacted entries: a payload is in the log, or may be in copies; the first seq 2'
out_has 'next      paritylog redact DIR 2 --reason TEXT'
run 0 parity "$T/back" --json
out_has '"pending":{"entries":1,"seq":2}'
run 0 doctor "$T/back"
out_has 'paritylog redact DIR 2 --reason TEXT'
run 0 salvage "$T/back" --from-store
out_has 'pending    1 redacted entries'
run 0 status "$T/back"
out_has '1 redacted, 1 of them pending'
run 0 redact "$T/back" 2 --reason x
out_has 'redacted already'
run 0 parity "$T/back"
out_lacks 'pending'
L=$kept

begin 'the same in a copy that has the order in orders/ alone'
fresh first
deltas 1 3 | run 0 append "$T/first" --quiet
run 0 rotate "$T/first"
cp "$T/first/log/00000000000000000001.jsonl" "$T/segment"
run 0 redact "$T/first" 2 --reason x
run 0 restore "$T/first" --out "$T/on" --at 4 --continue-as example.org/on
deltas 11 13 | run 0 append "$T/on" --quiet
cp "$T/segment" "$T/on/log/00000000000000000001.jsonl"
run 0 replay "$T/on" --fresh
run 0 parity "$T/on"
out_has 'pending    1 redacted entries: a payload is in the log, or may be in copies; the first seq 2'
run 0 doctor "$T/on"
out_has '1 redacted entries are whole in the log again, the first is 2'
run 0 redact "$T/on" 2 --reason y
out_has 'redacted entry 2, by entry '
out_has 'replaced 1 segments of the log'
run 0 parity "$T/on"
out_lacks 'pending'
run 0 redact "$T/on" --list
out_has ': y'
run 0 redact "$T/on" 2 --reason y
out_has 'entry 2 was redacted already, by entry '
out_lacks 'by entry 0'
L=$kept

begin 'with keys gone or under a passphrase'
mv "$L/keys/signing.key" "$T/kept.key"
run 12 redact "$L" 7 --reason x
mv "$T/kept.key" "$L/keys/signing.key"
run 0 redact "$L" 7 --reason x
run 0 parity "$L"

finish
