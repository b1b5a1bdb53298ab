#!/bin/sh
# replay.sh - paritylog replay: the store mended from the log.
. "$(dirname "$0")/lib.sh"

filled log 40

begin 'a whole store: nothing to do'
run 0 replay "$L"
out_has 'nothing to apply'
run 0 replay "$L" --json
json_is "$T/out" '.schema == "paritylog/replay/1" and .applied == 0 and
    .from == 0 and .to == 0 and .dry_run == false and .fresh == false and
    .head.size == 41'

begin 'without a store: appends and reads are refused with 3'
without_store
cp "$S" "$T/before"
delta new 1 1 | run 3 append "$L"
err_has replay
delta new 1 1 | run 3 append "$L" --json
error_is BEHIND
run 3 get "$L" pets 1
run 3 query "$L" 'SELECT 1'
run 3 strategy "$L" arrival
[ ! -e "$L/store.db" ] || wrong 'a store was made'
files_equal "$S" "$T/before"

begin '--dry-run says so and changes nothing'
log_digest >"$T/before.all"
run 0 replay "$L" --dry-run
out_has 'dry run, nothing changed'
run 0 replay "$L" --dry-run --json
json_is "$T/out" '.dry_run == true and .applied == 41 and .from == 1 and
    .to == 41'
[ ! -e "$L/store.db" ] || wrong 'a store was made'
log_digest >"$T/after.all"
files_equal "$T/before.all" "$T/after.all"

begin 'the store is built again from the log'
run 0 replay "$L" --json
json_is "$T/out" '.applied == 41 and .from == 1 and .to == 41 and
    .present == 0'
run 0 parity "$L"
files_equal "$S" "$T/before"
delta new 1 1 | run 0 append "$L" --quiet

begin 'again: nothing more'
run 0 replay "$L" --json
json_is "$T/out" '.applied == 0'

begin '--to stops at the last group that ends there or before'
fresh steps
deltas 1 40 >"$T/in"
run 0 append "$L" "$T/in" --group 10 --quiet
without_store
run 0 replay "$L" --to 25 --json
json_is "$T/out" '.to == 21 and .head.size == 21'
run 3 status "$L"
run 3 parity "$L" --json
json_is "$T/out" '.verdict == "BEHIND"'
run 0 replay "$L" --json
json_is "$T/out" '.from == 22 and .to == 41 and .present == 21 and
    .applied == 20'
run 0 parity "$L"

# same_end [OPTION]...: the dry run ends where the real one then does.
same_end() {
    run 0 replay "$L" --dry-run --json "$@"
    sed 's/"dry_run":true/"dry_run":false/; s/"quarantine.*"head"/"head"/
        s/,"seconds.*//' "$T/out" >"$T/dry"
    run 0 replay "$L" --json "$@"
    sed 's/"quarantine.*"head"/"head"/; s/,"seconds.*//' "$T/out" |
        cmp -s - "$T/dry" || wrong "$*: $(cat "$T/dry"), then $(cat "$T/out")"
}

begin 'a dry run ends where the real one does'
same_end
same_end --fresh --to 1
same_end --to 5
same_end --to 25
same_end --to 15
same_end
same_end --fresh --to 31
same_end --fresh
without_store
same_end
fresh dry-short --segment-size 4096
run 0 append "$L" "$T/in" --group 10 --quiet
run 0 peer add "$L" far
run 0 peer ack "$L" far 30
run 0 compact "$L"
same_end --fresh
without_store
same_end --to 21 # the snapshot alone
same_end

begin '--fresh sets the old store aside and builds a new one'
filled steps-2 40
if sql "$L/store.db" "UPDATE events SET line = line || ' ' WHERE seq = 18"; then
    run 3 parity "$L"
    run 0 replay "$L" --fresh --dry-run
    out_has 'dry run, nothing changed'
    run 3 parity "$L"
    run 0 replay "$L" --fresh --json
    json_is "$T/out" '.fresh == true and .applied == 41 and
        (.quarantine | startswith("quarantine/"))'
    run 0 parity "$L"
    [ -n "$(ls -A "$L/quarantine")" ] || wrong 'the old store is gone'
fi

begin 'a WAL without its database, then the database: never beside each other'
filled lone 10
: >"$L/store.db-wal"
: >"$L/store.db-shm"
rm "$L/store.db"
run 0 replay "$L"
run 0 replay "$L" --fresh
run 0 parity "$L"
for kept in "$L"/quarantine/store.db-*-shm; do
    [ -s "$kept" ] || [ ! -e "${kept%-shm}" ] ||
        wrong "a database lies beside the memory of another: $kept"
done

begin 'a store with other content is not written to'
fresh diverged
deltas 1 10 >"$T/in"
run 0 append "$L" "$T/in" --quiet
cp -a "$L" "$T/twin"
deltas 11 12 >"$T/in"
run 0 append "$L" "$T/in" --quiet
delta twin 1 1 >"$T/in"
L=$T/twin
run 0 append "$L" "$T/in" --quiet
deltas 13 14 >"$T/in"
run 0 append "$L" "$T/in" --quiet
L=$T/diverged
without_store
cp "$T/twin"/store.db* "$L"
run 5 replay "$L"
run 5 append "$L" "$T/in"
run 5 parity "$L"

begin 'the account of each entry'
fresh account --strategy keep-local
{ deltas 1 3; deltas 1 2 | sed 's/"id":"/"id":"again-/'; } >"$T/in"
run 0 append "$L" "$T/in" --group 2 --quiet
without_store
run 0 replay "$L" --dry-run --account -
cp "$T/out" "$T/plan"
printf '%s\n' '{"seq":1,"state":"applied"}' '{"seq":2,"state":"applied"}' \
    '{"seq":3,"state":"applied"}' '{"seq":4,"state":"applied"}' \
    '{"seq":5,"state":"skipped","reason":"keep-local"}' \
    '{"seq":6,"state":"skipped","reason":"keep-local"}' >"$T/want"
files_equal "$T/plan" "$T/want"
run 0 replay "$L" --account "$T/account.jsonl" --to 3
head -3 "$T/want" | cmp -s - "$T/account.jsonl" || wrong 'another account'
out_has '3 entries applied'
run 0 replay "$L" --account -
{ sed 's/applied/present/' "$T/want" | head -3; tail -3 "$T/want"; } >"$T/want.2"
files_equal "$T/out" "$T/want.2"
run 0 replay "$L" --json
out_has '"applied":0,"present":6,"skipped":0'
run 6 replay "$L" --account "$T/account.jsonl" # which is there already
run 0 parity "$L"

begin 'an account that cannot be written is an error, and no interruption'
fresh unwritten --segment-size 65536
deltas 1 5000 | run 0 append "$L" --group 100 --quiet
without_store
run 1 replay "$L" --account "$T/nowhere/account"
[ ! -e "$L/store.db" ] || wrong 'the store was made without its account'
(
    ulimit -f 192 # the account comes to more, the store not so soon
    run 1 replay "$L" --account "$T/short" --json
)
error_is IO
err_has 'could not be written whole'
run 0 replay "$L" --account "$T/long" --json
json_is "$T/out" '.applied + .present == 5001'
same 'lines of the account' "$(($(wc -l <"$T/long")))" 5001
run 0 parity "$L"

begin 'a damaged log: whole groups before the damage, then 5'
filled damaged 40
without_store
flip "$S" $(($(offset_of "$S" '"v":17') + 5))
run 5 replay "$L" --json
error_is TAMPERED
run 5 parity "$L"

begin 'an unfinished group is set aside at opening, not lost'
filled torn 10
printf '{"seq":12,"resource":"pets","rec' >>"$S"
delta next 1 1 | run 0 append "$L" --quiet
run 0 parity "$L"
grep -r -q '"seq":12,"resource":"pets","rec$' "$L/quarantine" ||
    wrong 'the tail is not in quarantine/'
run 0 get "$L" pets 10

finish
