#!/bin/sh
# since.sh - paritylog parity --since and --watermark: the nightly check that
# reads what is new.
. "$(dirname "$0")/lib.sh"

fresh log --segment-size 4096
deltas 1 40 | run 0 append "$L" --group 3 --quiet
W=$L

# bad: a fresh copy of the log, $L.
bad() {
    L=$T/bad
    rm -rf "$L"
    cp -R "$W" "$L"
}

begin 'the first night: all of it, and the watermark is written'
run 0 parity "$W" --since "$T/mark" --watermark "$T/mark"
out_has 'unchecked  nothing'
run 0 checkpoint "$W"
files_equal "$T/out" "$T/mark"
cp "$T/mark" "$T/old"

begin 'the next night: only what is new'
deltas 41 60 | run 0 append "$W" --group 3 --quiet
run 0 parity "$W" --since "$T/mark" --watermark "$T/mark" --json
json_valid "$T/out" || wrong 'no JSON'
grep -q '"since":{"size":41},"watermark":true' "$T/out" || wrong 'no since'
from=$(sed 's/.*"from":\([0-9]*\),"to":61.*/\1/' "$T/out")
[ "$from" -gt 30 ] && [ "$from" -le 42 ] || wrong "it began at $from"
grep -q '"unchecked":\[{"leg":"both","from":1,"to":'$((from - 1))',' "$T/out" ||
    wrong 'what was not checked is not said'
run 0 verify "$W" --witness "$T/mark"

begin 'nothing new'
run 0 parity "$W" --since "$T/mark"
out_has 'head       size 61'

begin 'damage above it is found, below it is said to be unchecked'
last=$(ls "$W/log" | tail -1)
bad
flip "$L/log/$last" $(($(offset_of "$L/log/$last" '"payload"') + 12))
run 5 parity "$L" --since "$T/old" --watermark "$T/mark.bad"
[ ! -e "$T/mark.bad" ] || wrong 'the watermark of a damaged log was written'
err_has 'the watermark stays as it was'
bad
flip "$L/log/00000000000000000001.jsonl" 900
run 0 parity "$L" --since "$T/old"
out_has 'below the checkpoint'
run 5 parity "$L"

begin 'rows above it: event, record, an event too many, a commit'
for change in "UPDATE events SET op='delete' WHERE seq=55" \
    "UPDATE events SET line=line||' ' WHERE seq=55" \
    "DELETE FROM events WHERE seq=55" \
    "UPDATE state SET seq=3 WHERE last=55" \
    "UPDATE state SET last=3 WHERE last=55" \
    "UPDATE state SET payload_at=payload_at+1 WHERE last=55" \
    "DELETE FROM state WHERE last=55" \
    "DELETE FROM checkpoints WHERE size>50" \
    "INSERT INTO events(seq,line) VALUES(999,'{}')"; do
    bad
    sql "$L/store.db" "$change"
    run 3 parity "$L" --since "$T/old" --watermark "$T/mark"
done
run 0 checkpoint "$W"
files_equal "$T/out" "$T/mark"

begin 'a store that is behind'
bad
cp "$L/store.db" "$T/db"
deltas 70 80 | run 0 append "$L" --quiet
rm "$L"/store.db*
run 3 parity "$L" --since "$T/old"
run 0 replay "$L" --quiet
run 0 parity "$L" --since "$T/old"

begin 'the log was set back below it, or has another history'
bad
cp -R "$L" "$T/back"
deltas 70 90 | run 0 append "$L" --quiet
run 0 checkpoint "$L"
cp "$T/out" "$T/ahead"
run 5 parity "$T/back" --since "$T/ahead"
out_has ROLLBACK
deltas 170 190 | run 0 append "$T/back" --quiet
run 5 parity "$T/back" --since "$T/ahead"
out_has FORK
deltas 200 240 | run 0 append "$T/back" --quiet --group 1
run 5 parity "$T/back" --since "$T/ahead"
out_has FORK

begin 'notes of others, and files that are none'
fresh other
run 0 checkpoint "$L"
cp "$T/out" "$T/foreign"
run 5 parity "$W" --since "$T/foreign"
echo 'not a note' >"$T/junk"
run 6 parity "$W" --since "$T/junk"
err_has 'paritylog parity DIR'
sed 's/^61$/60/' "$T/mark" >"$T/forged"
run 5 parity "$W" --since "$T/forged"
run 10 parity "$W" --since "$T/nothing"
run 10 parity "$W" --since "$T/nothing" --watermark "$T/else"
run 1 parity "$W" --watermark "$T/no/such/folder"

begin 'across a key rotation and a redaction'
bad
run 0 key rotate "$L"
deltas 300 306 | run 0 append "$L" --quiet
run 0 redact "$L" 58 --reason x
run 0 parity "$L" --since "$T/mark" --watermark "$T/mark.2"
run 0 parity "$L" --since "$T/mark.2" --key "$("$PARITYLOG" key show "$L")"
run 0 parity "$L" --since "$T/old" --key "$("$PARITYLOG" key show "$W")"

finish
