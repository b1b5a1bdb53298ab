#!/bin/sh
# strategy.sh - the strategies, from the command line.
. "$(dirname "$0")/lib.sh"

# of RECORD MEMBER: what a record has.
of() {
    "$PARITYLOG" get "$L" pets "$1" | sed "s/.*\"$2\":\([^,}]*\).*/\1/"
}

# scored ID RECORD VALUE CONFIDENCE
scored() {
    delta "$1" "$2" "$3" | sed "s/\"confidence\":1.0/\"confidence\":$4/"
}

begin 'show and change'
fresh log
run 0 strategy "$L"
out_is last-write-wins
run 0 strategy "$L" arrival
run 0 strategy "$L"
out_is arrival
run 0 log "$L" --from 2
json_is "$T/out" '.control == "strategy" and .args.strategy == "arrival"'
run 0 parity "$L"

begin 'the same again writes nothing'
cp "$S" "$T/before"
run 0 strategy "$L" arrival
files_equal "$S" "$T/before"

begin '--dry-run says what it would do'
run 0 strategy "$L" keep-local --dry-run
out_has 'dry run, nothing changed'
out_has keep-local
files_equal "$S" "$T/before"
run 0 strategy "$L" keep-local --dry-run --json
json_is "$T/out" '.schema == "paritylog/strategy/1" and .dry_run == true and
    .changed == false and .strategy == "arrival" and
    .wanted == "keep-local"'

begin '--json'
run 0 strategy "$L" --json
json_is "$T/out" '.strategy == "arrival"'
run 0 strategy "$L" keep-local --json
json_is "$T/out" '.changed == true and .strategy == "keep-local" and
    .previous == "arrival" and .receipt.seq == 3 and .receipt.id == null'

begin 'an unknown one is refused'
run 2 strategy "$L" random
run 2 strategy "$L" custom

begin 'last-write-wins: the newer time, as an instant; a tie: the later seq'
fresh lww
{
    delta a 1 1 2026-01-01T12:00:00Z
    delta b 1 2 2026-01-01T13:30:00+02:00
    delta c 1 3 2026-01-01T11:00:00-02:00
    delta d 1 4 2026-01-01T13:00:00Z
} | run 0 append "$L" --receipts
json_is "$T/out" '[.[].skipped] == [null, true, null, null]' -s
same v "$(of 1 v)" 4
same version "$(of 1 version)" 3

begin 'arrival: the last one'
fresh arrival --strategy arrival
{
    delta a 1 1 2026-01-02T00:00:00Z
    delta b 1 2 2026-01-01T00:00:00Z
} | run 0 append "$L" --quiet
same v "$(of 1 v)" 2

begin 'highest-confidence: >='
fresh confidence --strategy highest-confidence
{
    scored a 1 1 0.5
    scored b 1 2 0.4
    scored c 1 3 0.50
} | run 0 append "$L" --receipts
json_is "$T/out" '[.[].skipped] == [null, true, null]' -s
same v "$(of 1 v)" 3

begin 'keep-local: only what is absent'
fresh keep --strategy keep-local
{
    delta a 1 1
    delta b 1 2 2030-01-01T00:00:00Z
} | run 0 append "$L" --quiet
same v "$(of 1 v)" 1

begin 'merge-json: member by member, as written'
fresh merge --strategy merge-json
{
    delta a 1 '{"x":1.0,"y":[1],"z":{"p":1}}'
    delta b 1 '{"y":[2],"w":1e2,"z":{"q":2}}'
} | run 0 append "$L" --quiet
run 0 get "$L" pets 1
out_has '"payload":{"v":{"x":1.0,"y":[2],"z":{"p":1,"q":2},"w":1e2}}'
run 0 parity "$L"

begin 'a change in the middle survives a replay'
run 0 strategy "$L" arrival
delta c 1 7 | run 0 append "$L" --quiet
run 0 get "$L" pets 1
cp "$T/out" "$T/record"
without_store
run 0 replay "$L"
run 0 get "$L" pets 1
files_equal "$T/out" "$T/record"
run 0 strategy "$L"
out_is arrival
run 0 parity "$L"

finish
