#!/bin/sh
# restore.sh - paritylog restore and drill.
. "$(dirname "$0")/lib.sh"

# head_of DIR: its signed head, SIZE:ROOT.
head_of() {
    "$PARITYLOG" checkpoint "$1" | sed -n '2{h;d};3{H;x;s/\n/:/;p;q}'
}

filled log 100 --segment-size 8192
log_digest >"$T/before"

begin 'all of it: both legs, clean, and without the signing key'
run 0 restore "$L" --out "$T/all"
out_has 'head: size 101'
run 0 parity "$T/all"
same 'the head' "$(head_of "$T/all")" "$(head_of "$L")"
delta new 1 1 | run 12 append "$T/all"
[ ! -e "$T/all/keys/signing.key" ] || wrong 'the signing key went along'

begin 'at each entry: down to the last commit at or below it'
for seq in 1 2 10 11 12 50 51 52 100 101; do
    rm -rf "$T/at"
    run 0 restore "$L" --out "$T/at" --at $seq --json
    size=$(((seq - 1) / 10 * 10 + 1))
    json_is "$T/out" ".head.size == $size and .left_out == 101 - $size"
    run 0 parity "$T/at" --json
    json_is "$T/out" ".head.size == $size and .verdict == \"CLEAN\""
done

begin 'above the end: 8'
run 8 restore "$L" --out "$T/none" --at 102
run 8 restore "$L" --out "$T/none" --at 1990-01-01T00:00:00Z
run 2 restore "$L" --out "$T/none" --at 0
run 6 restore "$L" --out "$T/none" --at yesterday
[ ! -e "$T/none" ] || wrong 'something was written'

begin 'at a time: what was logged at or before it'
run 0 restore "$L" --dry-run --at 2999-12-31T23:59:59Z --json
json_is "$T/out" '.head.size == 101 and .dry_run'
run 0 restore "$L" --dry-run --at 31 --json
at=$(jq -r .logged_at "$T/out" 2>/dev/null)
if [ -n "$at" ]; then
    run 0 restore "$L" --dry-run --at "$at" --json
    json_is "$T/out" ".head.size >= 31 and .logged_at == \"$at\""
fi

begin 'a path that is there is refused'
run 6 restore "$L" --out "$T/all"
err_has 'is there already'

begin '--adopt takes the signing key along, of exactly this head'
run 5 restore "$L" --out "$T/adopted" --at 50 --adopt "$(head_of "$L")"
[ ! -e "$T/adopted" ] || wrong 'something was written'
run 0 restore "$L" --out "$T/adopted" --adopt "$(head_of "$L")" --json
json_is "$T/out" '.adopted'
delta new 1 1 | run 0 append "$T/adopted" --quiet
run 0 parity "$T/adopted"

begin 'damage above the point does no harm, below it forbids'
cp -R "$L" "$T/damaged"
for last in "$T/damaged"/log/*; do :; done
flip "$last" 900
run 0 restore "$T/damaged" --out "$T/before.damage" --at 41
run 0 parity "$T/before.damage"
run 5 restore "$T/damaged" --out "$T/behind.damage"
[ ! -e "$T/behind.damage" ] || wrong 'something was written'

begin 'the original is what it was'
log_digest >"$T/after"
files_equal "$T/before" "$T/after"

# ---- Drill ------------------------------------------------------------------------

begin 'a drill: clean, timed, and nothing left behind'
run 0 drill "$L"
out_has CLEAN
out_has 'restored   101 entries'
run 0 drill "$L" --json
json_is "$T/out" '.ok and .head.size == 101 and .took.all > 0'
json_is "$L/drill.json" '.ok and .head.size == 101 and (.at | endswith("Z"))'
for left in "$L"/drill-*; do
    [ ! -e "$left" ] || wrong "left behind: $left"
done
log_digest >"$T/after"
files_equal "$T/before" "$T/after"

begin 'a drill finds a record that the log does not give'
cp -R "$L" "$T/wrong"
sql "$T/wrong/store.db" "UPDATE state SET version=version+1 WHERE record_id='7'"
run 3 drill "$T/wrong"
out_has 'records: row'
json_is "$T/wrong/drill.json" '.ok == false and .verdict == "DIVERGED"'

begin 'a drill of a damaged log fails as verify does'
run 0 restore "$L" --out "$T/drilled"
cp -R "$L" "$T/twice"
run 0 drill "$T/twice"
json_is "$T/twice/drill.json" '.ok'
cp "$T"/damaged/log/* "$T/twice/log/"
run 5 drill "$T/twice"
json_is "$T/twice/drill.json" '.ok == false'

begin 'a scratch of one'"'"'s own'
run 0 drill "$L" --scratch "$T/scratch"
[ ! -e "$T/scratch" ] || wrong 'the scratch is still there'
mkdir "$T/scratch"
run 6 drill "$L" --scratch "$T/scratch"

finish
