#!/bin/sh
# append.sh - paritylog append: groups, receipts, duplicates.
. "$(dirname "$0")/lib.sh"

begin 'a file, with a summary on standard error'
fresh a
deltas 1 5 >"$T/in"
run 0 append "$L" "$T/in"
out_empty
err_has '5 lines durable: 5 appended'
run 0 parity "$L"
out_has CLEAN

begin 'standard input, named and not named'
delta id-6 6 6 | run 0 append "$L"
delta id-7 7 7 | run 0 append "$L" -
run 0 log "$L" --from 7
out_lines 2

begin 'an input that cannot be read'
run 1 append "$L" "$T/no/such"
err_has 'next: see that the path is right'
run 1 append "$L" "$T"
err_has 'next: name a file, not a folder'

begin '--quiet says nothing'
delta id-8 8 8 | run 0 append "$L" --quiet
out_empty
err_empty

begin '--json: one summary'
deltas 8 10 | run 0 append "$L" --json
out_lines 1
err_empty
json_is "$T/out" '.schema == "paritylog/append/1" and .lines == 3 and
    .appended == 2 and .duplicates == 1 and .skipped == 0 and .size == 11
    and (.root | length == 44)'

begin 'no input: nothing appended'
: >"$T/none"
cp "$S" "$T/before"
run 0 append "$L" "$T/none" --json
json_is "$T/out" '.lines == 0'
files_equal "$S" "$T/before"

begin 'a last line without a line end is taken'
printf '%s' "$(delta id-11 11 11)" | run 0 append "$L" --json
json_is "$T/out" '.lines == 1 and .appended == 1'

begin 'white space outside strings goes, nothing else'
fresh space
printf '%s\n' ' {"resource" : "pets", "record_id":"1","op":"upsert",	"payload": { "b" : [1.0, 1e0 , "x \u0041" ],"a":{ } } ,"occurred_at":"2026-01-01T02:00:00+02:00","provenance":{"source":"s","confidence":0.50}} ' |
    run 0 append "$L"
run 0 log "$L" --from 2
out_has '"payload":{"b":[1.0,1e0,"x \u0041"],"a":{}}'
out_has '"occurred_at":"2026-01-01T02:00:00+02:00"'
out_has '"confidence":0.50'

# ---- Groups ---------------------------------------------------------------------

begin 'without --group a file is one group up to 1,000 lines'
fresh thousand
before=$(commits)
deltas 1 1001 >"$T/in"
run 0 append "$L" "$T/in"
same groups $(($(commits) - before)) 2
grep '^{"commit"' "$S" | tail -2 | head -1 >"$T/commit"
json_is "$T/commit" '.commit.size == 1001'

begin '--group N closes at N and at the end'
fresh group
before=$(commits)
deltas 1 25 >"$T/in"
run 0 append "$L" "$T/in" --group 10
same groups $(($(commits) - before)) 3

begin 'a group closes at 1 MiB'
fresh mebibyte
before=$(commits)
big=$(printf '%0300000d' 1)
for i in 1 2 3 4 5; do
    delta "big-$i" "$i" "\"$big\""
done >"$T/in"
run 0 append "$L" "$T/in"
same groups $(($(commits) - before)) 2

begin 'what is there is not held back by what is slow in coming'
fresh idle
before=$(commits)
mkfifo "$T/fifo"
: >"$T/out"
"$PARITYLOG" append "$L" "$T/fifo" --receipts >"$T/out" 2>"$T/err" &
pid=$!
exec 7>"$T/fifo"
deltas 1 2 >&7
wait_lines "$T/out" 2
out_lines 2
printf '{"id":"half' >&7
sleep 0.2
out_lines 2
exec 7>&-
wait $pid
got=$?
status_is 6 'half a line at the end'
err_has 'line 3'
err_has 'lines 1 to 2 of'

begin 'what is durable is told, whoever has the lock by then'
if have flock; then
    for how in --receipts --json --quiet; do
        fresh "taken$how"
        "$PARITYLOG" append "$L" "$T/fifo" --wait 0 $how >"$T/out" 2>"$T/err" &
        pid=$!
        exec 7>"$T/fifo"
        deltas 1 2 >&7
        tries=0
        until "$PARITYLOG" get "$L" pets 2 >"$T/got" 2>&1 ||
            [ $((tries += 1)) -gt 200 ]; do
            sleep 0.05
        done
        exec 8<"$L/lock"
        flock -x 8
        exec 7>&-
        wait $pid
        got=$?
        status_is 0 "append $how"
        case $how in
        --receipts) out_lines 2 ;;
        --json) json_is "$T/out" '.appended == 2 and .size == 3' ;;
        --quiet) out_empty && err_empty ;;
        esac
        exec 8<&-
    done
else
    skip 'no flock'
fi

begin '--group N waits for N'
fresh patient
before=$(commits)
(deltas 1 2; sleep 0.4; deltas 3 4) | run 0 append "$L" --group 4
same groups $(($(commits) - before)) 1

begin 'a group above 64 MiB is refused before it is all read'
fresh huge
big=$(printf '%01000000d' 1)
i=1
while [ $i -le 80 ]; do
    printf '{"id":"%d","x":"%s"}\n' "$i" "$big"
    i=$((i + 1))
done | run 6 append "$L" --group 1000
err_has 'line 68'
run 0 parity "$L"

# ---- Receipts -------------------------------------------------------------------

begin 'receipts: one a line, in input order, checked against the log'
fresh receipts
deltas 1 30 >"$T/in"
run 0 append "$L" "$T/in" --receipts --group 7
err_empty
cp "$T/out" "$T/receipts.jsonl"
out_lines 30
json_is "$T/receipts.jsonl" 'length == 30 and
    ([.[].seq] == [range(2; 32)]) and
    ([.[].id] == [range(1; 31) | "id-\(.)"]) and
    all(.[]; .duplicate == false and (.leaf | length) == 44 and
        (.root | length) == 44 and (.sig | length) == 88) and
    .[0].size == 8 and .[6].size == 8 and .[29].size == 31' -s
grep '^{"commit"' "$S" | tail -1 >"$T/commit"
if have jq; then
    same 'the last root' "$(tail -1 "$T/receipts.jsonl" | jq -r .root)" \
        "$(jq -r .commit.root "$T/commit")"
    same 'the last signature' "$(tail -1 "$T/receipts.jsonl" | jq -r .sig)" \
        "$(jq -r .commit.sig "$T/commit")"
fi

begin 'the leaf of a receipt is the RFC 6962 hash of the line'
if have openssl && have jq; then
    run 0 log "$L" --from 5 --to 5
    same 'the leaf' "$(sed -n 4p "$T/receipts.jsonl" | jq -r .leaf)" \
        "$( (printf '\0' && tr -d '\n' <"$T/out") |
            openssl dgst -sha256 -binary | openssl base64)"
else
    skip 'no openssl or jq'
fi

begin 'an id keeps its spelling in the receipt; none is null'
fresh ids
delta 'a\u0062\"\\' 1 1 >"$T/in"
delta - 2 2 >>"$T/in"
printf '%s\n' '{"meta":{"id":"inner"},"resource":"r","record_id":"id","op":"delete","occurred_at":"2026-01-01T00:00:00Z","provenance":{"source":"id","confidence":1},"\u0069d":"outer"}' >>"$T/in"
run 0 append "$L" "$T/in" --receipts
sed -n 1p "$T/out" | grep -F -q '"id":"a\u0062\"\\",' || wrong 'spelling'
sed -n 2p "$T/out" | grep -F -q '"id":null,' || wrong 'no id'
sed -n 3p "$T/out" | grep -F -q '"id":"outer",' || wrong 'escaped name'
json_valid "$T/out"

# ---- Duplicates -----------------------------------------------------------------

begin 'the same lines again: the original receipts, marked, nothing written'
fresh twice
deltas 1 50 >"$T/in"
run 0 append "$L" "$T/in" --receipts --group 8
cp "$T/out" "$T/first"
cp "$S" "$T/before"
run 0 append "$L" "$T/in" --receipts
sed 's/"duplicate":true/"duplicate":false/' "$T/out" >"$T/again"
files_equal "$T/first" "$T/again"
files_equal "$S" "$T/before"
run 0 query "$L" 'SELECT count(*) AS n FROM events WHERE id IS NOT NULL' --json
out_is '[{"n":50}]'

begin 'an id twice in one group is as twice in a row'
fresh group-twice
(delta a 1 1; delta b 2 2; delta a 1 1) | run 0 append "$L" --receipts
json_is "$T/out" '[.[].seq] == [2, 3, 2] and
    [.[].duplicate] == [false, false, true]' -s

begin 'an old and new lines mixed keep their order'
(delta c 3 3; delta b 2 2; delta d 4 4) | run 0 append "$L" --receipts
json_is "$T/out" '[.[].seq] == [4, 3, 5] and
    [.[].id] == ["c", "b", "d"]' -s

begin 'other content under a known id is a conflict'
cp "$S" "$T/before"
delta b 2 3 | run 6 append "$L" --json
error_is CONFLICT '.error.line == 1 and .error.durable.lines == 0'
files_equal "$S" "$T/before"
(delta e 5 5; delta a 1 2) | run 6 append "$L" --json
error_is CONFLICT '.error.line == 2'
files_equal "$S" "$T/before"

begin 'a delta without an id is never a duplicate'
fresh no-id
(delta - 1 1; delta - 1 1) | run 0 append "$L" --receipts
json_is "$T/out" '[.[].duplicate] == [false, false]' -s

begin 'a delta that loses is logged, and the receipt says so'
fresh loser
(delta new 1 1 2026-02-02T00:00:00Z; delta old 1 2 2026-01-01T00:00:00Z) |
    run 0 append "$L" --receipts
json_is "$T/out" '.[0].skipped == null and .[1].skipped == true' -s
run 0 log "$L" --from 3
out_has '"outcome":"skipped"'
run 0 parity "$L"

finish
