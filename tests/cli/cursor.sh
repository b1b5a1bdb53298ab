#!/bin/sh
# cursor.sh - paritylog cursor: where pulls from sources stand.
. "$(dirname "$0")/lib.sh"

filled log 5

begin 'none yet; set, moved, listed in order'
run 0 cursor list "$L"
out_empty
run 0 cursor set "$L" crm pets page-2
run 0 cursor set "$L" crm '*' 'a b"c'
run 0 cursor set "$L" crm pets page-3
out_has 'set, at size 9'
run 0 cursor list "$L"
printf 'crm\t*\ta b"c\t8\ncrm\tpets\tpage-3\t9\n' >"$T/want"
files_equal "$T/out" "$T/want"
run 0 cursor list "$L" --json
json_is "$T/out" '.cursors[1].cursor == "page-3"'

begin 'a store made anew has them, and parity compares them'
run 0 replay "$L" --fresh --quiet
run 0 cursor list "$L"
files_equal "$T/out" "$T/want"
run 0 parity "$L"
sql "$L/store.db" "UPDATE cursors SET cursor='page-1'"
run 3 parity "$L"

begin 'refused: a dry run changes nothing, odd ones write nothing'
filled other 3
log_digest >"$T/sum.1"
run 0 cursor set "$L" crm pets x --dry-run
run 6 cursor set "$L" '' pets x
run 6 cursor set "$L" "$(printf '%0300d' 1)" pets x
run 6 cursor set "$L" crm pets "$(printf '%05000d' 1)"
run 2 cursor set "$L" crm pets
run 2 cursor put "$L"
run 10 cursor list "$T/nothing"
log_digest >"$T/sum.2"
files_equal "$T/sum.1" "$T/sum.2"

finish
