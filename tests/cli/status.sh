#!/bin/sh
# status.sh - paritylog status: where both legs stand, never a claim about
# content.
. "$(dirname "$0")/lib.sh"

filled log 20

begin 'heads equal: 0, and never the word CLEAN'
run 0 status "$L"
err_empty
same 'the first line' "$(sed -n 1p "$T/out")" HEADS_EQUAL
out_lacks CLEAN
out_has 'size 21'

begin 'the JSON document'
run 0 status "$L" --json
out_lines 1
json_is "$T/out" '.schema == "paritylog/status/1" and
    (.origin | startswith("plog-")) and .verdict == "HEADS_EQUAL" and
    .log.size == 21 and (.log.root | length) == 44 and .log.segments == 1 and
    .log.bytes > 0 and .log.floor == 0 and
    .store.size == 21 and .store.root == .log.root'

begin 'several segments'
fresh segments --segment-size 4096
deltas 1 60 >"$T/in"
run 0 append "$L" "$T/in" --group 5 --quiet
run 0 status "$L" --json
count=$(find "$L/log" -name '*.jsonl' | wc -l)
json_is "$T/out" ".log.segments == $((count)) and .log.segments > 2"
run 0 parity "$L"

begin 'a store that is gone: 3'
L=$T/log
without_store
run 3 status "$L"
same 'the first line' "$(sed -n 1p "$T/out")" BEHIND
run 3 status "$L" --json
json_is "$T/out" '.verdict == "BEHIND" and .store == null and .log.size == 21'
run 0 replay "$L" --quiet
run 0 status "$L"

begin 'a store that stands lower: 3'
fresh lower
deltas 1 5 >"$T/in"
run 0 append "$L" "$T/in" --quiet
mkdir "$T/old"
cp "$L"/store.db* "$T/old"
deltas 6 9 >"$T/in"
run 0 append "$L" "$T/in" --quiet
without_store
cp "$T/old"/store.db* "$L"
run 3 status "$L" --json
json_is "$T/out" '.verdict == "BEHIND" and .store.size == 6 and
    .log.size == 10'

begin 'a store that is no database is read, not written'
fresh random
without_store
head -c 9000 /dev/zero | tr '\0' x >"$L/store.db"
run 3 status "$L"
out_has 'cannot be read: using the store: file is not a database'
run 3 query "$L" 'SELECT 1'
err_lacks 'writing to'

begin 'the log set back: ROLLBACK, 5'
fresh back
deltas 1 5 >"$T/in"
run 0 append "$L" "$T/in" --quiet
cp "$S" "$T/old.jsonl"
deltas 6 9 >"$T/in"
run 0 append "$L" "$T/in" --quiet
cat "$T/old.jsonl" >"$S"
run 5 status "$L" --json
json_is "$T/out" '.verdict == "ROLLBACK"'

finish
