#!/bin/sh
# read.sh - get, history, log: what is there, as it was written.
. "$(dirname "$0")/lib.sh"

fresh log
{
    delta a 1 '"first"' 2026-01-01T00:00:00Z
    delta b 2 '"other"' 2026-01-01T00:00:00Z
    delta c 1 '"second"' 2026-01-02T00:00:00Z
    delta d 1 '"too old"' 2025-01-01T00:00:00Z
    printf '%s\n' '{"id":"e","resource":"pets","record_id":"2","op":"delete","payload":null,"occurred_at":"2026-01-03T00:00:00Z","provenance":{"source":"test","confidence":0.5}}'
    printf '%s\n' '{"resource":"p\u0065ts","record_id":"\u00e9/ \"x\"","op":"upsert","payload":{"n":1.0E+2,"s":"\u0007"},"occurred_at":"2026-01-01T01:00:00.5+01:00","provenance":{"source":"caf\u00e9","confidence":0.1}}'
} >"$T/in"
"$PARITYLOG" append "$L" "$T/in" --quiet --group 2

begin 'get: one object, the payload as it was written'
run 0 get "$L" pets 1
out_is '{"resource":"pets","record_id":"1","payload":{"v":"second"},"source":"test","confidence":1,"occurred_at":"2026-01-02T00:00:00Z","version":2,"seq":4}'
err_empty

begin 'get: escapes are undone outside the payload and kept inside'
run 0 get "$L" pets 'é/ "x"'
json_is "$T/out" '.resource == "pets" and .record_id == "é/ \"x\"" and
    .source == "café" and .confidence == 0.1 and .version == 1'
out_has '"payload":{"n":1.0E+2,"s":"\u0007"}'
out_has '"occurred_at":"2026-01-01T01:00:00.5+01:00"'

begin 'get: none and a tombstone are both 8, and told apart'
run 8 get "$L" pets 77
out_empty
err_has never
run 8 get "$L" none 1
err_has 'next: see which there are: paritylog query DIR'
run 8 get "$L" pets 2
out_empty
err_has tombstone
run 8 get "$L" pets 2 --json
error_is NOT_FOUND '.error.message | test("version 2")'

begin 'get: an id that looks like an option'
delta dash --x 1 | run 0 append "$L" --quiet
run 0 get "$L" pets -- --x
json_is "$T/out" '.record_id == "--x"'

begin 'history: the exact lines, oldest first, losers included'
run 0 history "$L" pets 1
cp "$T/out" "$T/history"
out_lines 3
grep '"record_id":"1"' "$S" >"$T/lines"
files_equal "$T/history" "$T/lines"
json_is "$T/history" '[.[].seq] == [2, 4, 5] and .[2].outcome == "skipped"' -s

begin 'history: of a tombstone, and of what never was'
run 0 history "$L" pets 2
out_lines 2
run 8 history "$L" pets 77
run 8 history "$L" pets 77 --json
error_is NOT_FOUND

begin 'log: every entry as it stands in the file'
run 0 log "$L"
grep '^{"seq"' "$S" >"$T/entries"
files_equal "$T/out" "$T/entries"

begin 'log: ranges'
run 0 log "$L" --from 3 --to 5
json_is "$T/out" '[.[].seq] == [3, 4, 5]' -s
run 0 log "$L" --from 8
json_is "$T/out" '[.[].seq] == [8]' -s
run 8 log "$L" --from 9
out_empty
run 8 log "$L" --from 9 --json
error_is NOT_FOUND

begin 'log --follow --to: ends by itself'
run 0 log "$L" --follow --to 5
out_lines 5
run 0 log "$L" --follow --from 2 --to 2
out_lines 1

begin 'log --follow: what is there, what comes, and 130 at the end'
: >"$T/follow"
"$PARITYLOG" log "$L" --follow >"$T/follow" 2>"$T/err" &
pid=$!
wait_lines "$T/follow" 8
same lines "$(($(wc -l <"$T/follow")))" 8
deltas 20 29 >"$T/in"
run 0 append "$L" "$T/in" --quiet
wait_lines "$T/follow" 18
kill -TERM $pid
wait $pid
got=$?
status_is 130 'after SIGTERM'
grep '^{"seq"' "$S" >"$T/entries"
files_equal "$T/follow" "$T/entries"

begin 'log --follow --from 0: only what comes'
: >"$T/follow"
"$PARITYLOG" log "$L" --follow --from 0 >"$T/follow" 2>"$T/err" &
pid=$!
sleep 0.5
deltas 30 31 | run 0 append "$L" --quiet
wait_lines "$T/follow" 2
kill -TERM $pid
wait $pid
got=$?
status_is 130 'after SIGTERM'
json_is "$T/follow" '[.[].seq] == [19, 20]' -s

begin 'log --follow: ends with 1 when nobody reads'
mkfifo "$T/pipe"
"$PARITYLOG" log "$L" --follow >"$T/pipe" 2>"$T/err" &
pid=$!
head -3 <"$T/pipe" >"$T/three"
wait $pid
got=$?
status_is 1 'after the reader left'
same lines "$(($(wc -l <"$T/three")))" 3

begin 'log --follow: 10 when the directory goes, and nobody is told to make a new one'
cp -R "$L" "$T/away"
: >"$T/follow"
"$PARITYLOG" log "$T/away" --follow --json >"$T/follow" 2>"$T/err" &
pid=$!
wait_lines "$T/follow" 20
rm -r "$T/away/log"
rm -r "$T/away"
wait $pid
got=$?
status_is 10 'after it went'
error_is NOTHING '.error.hint | test("bring the directory back") and
    (test("init|replay") | not)'

begin 'checkpoint: a signed note of the last commit'
run 0 status "$L" --json
cp "$T/out" "$T/status"
run 0 checkpoint "$L"
same 'the blank line' "$(sed -n 4p "$T/out")" ''
grep -q '^— [^ ]* [A-Za-z0-9+/=]*$' "$T/out" || wrong 'no signature line'
same 'the signatures' "$(grep -c '^— ' "$T/out")" 1
if have jq; then
    same 'the origin' "$(sed -n 1p "$T/out")" "$(jq -r .origin "$T/status")"
    same 'the size' "$(sed -n 2p "$T/out")" "$(jq -r .log.size "$T/status")"
    same 'the root' "$(sed -n 3p "$T/out")" "$(jq -r .log.root "$T/status")"
fi
cp "$T/out" "$T/note"
run 0 checkpoint "$L" --json
json_is "$T/out" '.schema == "paritylog/checkpoint/1" and .size == 20 and
    (.note | split("\n") | length) == 6'

begin 'key show: what init printed'
run 0 key show "$L"
files_equal "$T/out" "$T/vkey"
run 0 key show "$L" --json
json_is "$T/out" '.schema == "paritylog/key/1" and (.vkey | length > 50)'
run 2 key lose "$L"

begin 'readers change no byte of log, keys and store'
log_digest >"$T/before"
cksum "$L/store.db" >>"$T/before"
run 0 get "$L" pets 1
run 0 history "$L" pets 1
run 0 log "$L"
run 0 status "$L"
run 0 verify "$L"
run 0 parity "$L"
run 0 query "$L" 'SELECT count(*) FROM records'
run 0 checkpoint "$L"
run 0 replay "$L" --dry-run
log_digest >"$T/after"
cksum "$L/store.db" >>"$T/after"
files_equal "$T/before" "$T/after"

begin 'the log reads with jq'
if have jq; then
    jq -c . "$S" >/dev/null 2>&1 || wrong 'jq refuses it'
else
    skip 'no jq'
fi

begin 'nothing is read from the store of another directory'
filled theirs 20
theirs=$L
filled ours 20
run 0 get "$L" pets 5
without_store
cp "$theirs"/store.db* "$L/"
for what in "get $L pets 5" "history $L pets 5" "log $L" "cursor list $L" \
    "peer list $L" "strategy $L" "redact $L --list" "checkpoint $L"; do
    # shellcheck disable=SC2086
    run 5 $what
    out_empty
    err_has 'the store belongs to'
done
run 5 query "$L" 'SELECT count(*) FROM records' --json
error_is FOREIGN '.error.file == "store.db"'
run 5 parity "$L"
out_has 'paritylog replay DIR --fresh'
run 0 replay "$L" --fresh
run 0 get "$L" pets 5

finish
