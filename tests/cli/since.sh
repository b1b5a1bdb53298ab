#!/bin/sh
# since.sh - paritylog parity --since and --watermark: the nightly check that
# reads what is new.
. "$(dirname "$0")/lib.sh"

fresh log --segment-size 4096
cp "$T/vkey" "$T/wkey"
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
run 0 parity "$W" --since "$T/mark" --watermark "$T/mark"
out_has 'head       size 61'
out_has 'since      size 61'
out_has 'watermark  written, size 61'
out_has 'below the checkpoint'

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

begin 'the segment that it begins with: header, other bytes, gone'
first=$(ls "$W/log" | awk '{ n = substr($0, 1, 20) + 0 } n <= 41 { f = $0 }
    END { print f }')
for at in 3 60 200 700; do
    bad
    flip "$L/log/$first" $at
    run 5 parity "$L" --since "$T/old" --watermark "$T/mark.bad"
done
bad
rm "$L/log/$first"
run 5 parity "$L" --since "$T/old" --watermark "$T/mark.bad"
rm "$L/log/$last"
run 5 parity "$L" --since "$T/mark" --watermark "$T/mark.bad"
[ ! -e "$T/mark.bad" ] || wrong 'a watermark was written'

begin 'rows above it: event, record, an event too many, a commit'
for change in "UPDATE events SET op='delete' WHERE seq=55" \
    "UPDATE events SET line=line||' ' WHERE seq=55" \
    "DELETE FROM events WHERE seq=55" \
    "UPDATE state SET seq=3 WHERE last=55" \
    "UPDATE state SET last=3 WHERE last=55" \
    "UPDATE state SET payload_at=payload_at+1 WHERE last=55" \
    "UPDATE state SET payload_len=payload_len-1 WHERE last=55" \
    "UPDATE state SET version=7 WHERE last=55" \
    "UPDATE events SET previous=3 WHERE seq=55" \
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
{ cat "$T/mark" && echo more; } >"$T/junk"
run 6 parity "$W" --since "$T/junk" --json
error_is INPUT '(.error.file | endswith("/junk")) and .error.line == 6'
bad
"$PARITYLOG" key rotate "$L" >"$T/vkey2" || wrong 'no rotation'
delta - 1 1 | run 0 append "$L" --quiet
run 0 checkpoint "$L"
cp "$T/out" "$T/unknown"
run 12 parity "$W" --since "$T/unknown"
err_has 'a key that is not'
sed 's/^61$/60/' "$T/mark" >"$T/forged"
run 5 parity "$W" --since "$T/forged"
err_has "$T/forged"
run 1 parity "$W" --since "$T/nothing"
err_has 'without --since'
out_empty
run 1 parity "$W" --since "$T/nothing" --watermark "$T/else"
run 1 parity "$W" --watermark "$T/no/such/folder"

begin 'where the watermark may not go, and when it does not'
run 6 parity "$W" --watermark "$W/store.db"
run 6 parity "$W" --watermark "$W/log/mark"
run 0 status "$W"
cp "$T/ahead" "$T/heads"
cat "$T/old" >>"$T/heads"
cp "$T/heads" "$T/kept"
run 6 parity "$W" --watermark "$T/heads"
files_equal "$T/heads" "$T/kept"
run 12 parity "$W" --watermark "$T/unpinned" --require-pin
err_has 'the watermark stays as it was'
[ ! -e "$T/unpinned" ] || wrong 'written without a pin'
run 0 parity "$W" --watermark "$T/pinned" --require-pin --key "$(cat "$T/wkey")"
cp "$T/mark" "$T/before"
bad
deltas 400 402 >"$T/more"
mkdir "$T/stores"
cp "$L"/store.db* "$T/stores"
run 0 append "$L" "$T/more" --quiet
rm "$L"/store.db*
cp "$T/stores"/* "$L"
run 0 parity "$L" --since "$T/mark" --watermark "$T/mark" --max-lag 9
out_has BEHIND
err_has 'not clean: the watermark stays as it was'
files_equal "$T/mark" "$T/before"

begin 'a real history: the tail is read, and not the rest'
fresh bfs --strategy arrival --segment-size 65536
gzip -dc "$top/tests/data/bfs.jsonl.gz" >"$T/deltas"
all=$(($(wc -l <"$T/deltas")))
tail=$((all / 100))
head -n $((all - tail)) "$T/deltas" |
    run 0 append "$L" --group 100 --quiet
run 0 parity "$L" --since "$T/mark.bfs" --watermark "$T/mark.bfs" --quiet
tail -n $tail "$T/deltas" | run 0 append "$L" --group 100 --quiet
# member NAME: of what --json printed.
member() {
    sed "s/.*\"$1\":\([0-9.]*\).*/\1/" "$T/out"
}
run 0 parity "$L" --json
entries=$(member entries) bytes=$(member bytes) whole=$(member seconds)
run 0 parity "$L" --since "$T/mark.bfs" --watermark "$T/mark.bfs" --json
same 'entries of the whole check' "$entries" $((all + 1))
[ "$(member entries)" -ge "$tail" ] &&
    [ "$(member entries)" -le $((tail + 300)) ] ||
    wrong "$(member entries) entries for a tail of $tail"
[ $(($(member bytes) * 20)) -le "$bytes" ] ||
    wrong "$(member bytes) of $bytes bytes"
[ -z "${CHECK_TELL:-}" ] ||
    echo "# whole: $entries entries, $bytes bytes, $whole s; since:" \
        "$(member entries), $(member bytes), $(member seconds)"

begin 'across a key rotation and a redaction'
bad
run 0 key rotate "$L"
deltas 300 306 | run 0 append "$L" --quiet
run 0 redact "$L" 58 --reason x
run 0 parity "$L" --since "$T/mark" --watermark "$T/mark.2"
run 0 parity "$L" --since "$T/mark.2" --key "$("$PARITYLOG" key show "$L")"
run 0 parity "$L" --since "$T/old" --key "$("$PARITYLOG" key show "$W")"

finish
