#!/bin/sh
# parity.sh - verify and parity: what they say of whole and of damaged legs.
. "$(dirname "$0")/lib.sh"

filled log 40
vkey=$(cat "$T/vkey")
cp -a "$L" "$T/whole"

# again: the whole log once more, to be damaged.
again() {
    rm -rf "$L"
    cp -a "$T/whole" "$L"
}

begin 'verify: a whole log'
run 0 verify "$L"
err_empty
same 'the first line' "$(sed -n 1p "$T/out")" 'CLEAN (UNPINNED)'
out_has UNPINNED
out_has '41 entries'

begin 'parity: both legs whole'
run 0 parity "$L"
err_empty
same 'the first line' "$(sed -n 1p "$T/out")" 'CLEAN (UNPINNED)'
out_has '40 records'

begin 'the JSON documents'
for check in verify parity; do
    run 0 $check "$L" --json
    out_lines 1
    json_is "$T/out" ".schema == \"paritylog/$check/1\"
        and .verdict == \"CLEAN\" and .head.size == 41 and
        (.head.root | length) == 44 and .counts == {} and
        .checked.entries == 41 and .checked.from == 1 and .checked.to == 41
        and .findings == [] and (.unchecked | type) == \"array\" and
        .pinned == false and (.origin | length > 0) and .seconds >= 0"
done
json_is "$T/out" '.checked.records == 40'
cp "$T/out" "$T/json"
run 0 parity "$L" --format json
json_is "$T/out" '.schema == "paritylog/parity/1"'
run 0 parity "$L" --format text
out_has checked

begin 'a pinned key'
for check in verify parity; do
    run 0 $check "$L" --key "$vkey" --require-pin
    out_lacks UNPINNED
    run 0 $check "$L" --key "$vkey" --json
    json_is "$T/out" '.pinned == true'
done

begin '--require-pin without a key: 12'
for check in verify parity; do
    run 12 $check "$L" --require-pin
    err_has 'not pinned'
    run 12 $check "$L" --require-pin --json
    error_is KEY
done

begin 'another key: 12'
"$PARITYLOG" init "$T/other" >"$T/other.vkey"
"$PARITYLOG" init "$T/same-name" --origin "${vkey%%+*}" >"$T/forged.vkey"
for check in verify parity; do
    run 12 $check "$L" --key "$(cat "$T/forged.vkey")"
    out_has UNKNOWN_KEY
    out_has "key        $(cat "$T/forged.vkey"), pinned"
    out_has 'ask whoever runs the log for its key'
done
run 2 verify "$L" --key nonsense

begin 'an expected head that holds'
root=$("$PARITYLOG" checkpoint "$L" | sed -n 3p)
for check in verify parity; do
    run 0 $check "$L" --expect-head "41:$root"
done
"$PARITYLOG" append "$L" --quiet <<END
$(delta later 99 1)
END
for check in verify parity; do
    run 0 $check "$L" --expect-head "41:$root"
done
again

begin 'an expected head above the log: ROLLBACK, 5'
for check in verify parity; do
    run 5 $check "$L" --expect-head "50:$root" --json
    json_is "$T/out" '.verdict == "ROLLBACK"'
done

begin 'another root at the same size: 5'
other=$("$PARITYLOG" checkpoint "$T/other" | sed -n 3p)
for check in verify parity; do
    run 5 $check "$L" --expect-head "41:$other" --json
    json_is "$T/out" '.verdict != "CLEAN" and (.findings | length) >= 1'
done

# ---- Damage to the log --------------------------------------------------------

begin 'one flipped bit in a payload: 5, located'
at=$(offset_of "$S" '"v":17')
flip "$S" $((at + 5))
for check in verify parity; do
    run 5 $check "$L" --json
    json_is "$T/out" '.verdict == "TAMPERED" and .counts.TAMPERED >= 1 and
        (.findings[0] | .verdict == "TAMPERED" and
        .file == "log/00000000000000000001.jsonl" and .offset != null and
        .expected != null and .found != null and .next != null)'
done
json_is "$T/out" '[.findings[] | select(.seq == 18)] | length >= 1'
run 5 parity "$L"
out_has 'log/00000000000000000001.jsonl'
out_has expected
out_has next

begin 'no finding names a command that destroys'
for word in --fresh --discard 'rm ' redact restore; do
    out_lacks "$word"
done

begin 'damage is graver than a missing pin'
run 5 verify "$L" --require-pin
again

begin 'a line taken out of the middle'
sed '/^{"seq":20,/d' "$S" >"$T/cut"
cat "$T/cut" >"$S"
run 5 verify "$L"
run 5 parity "$L"
again

begin 'two lines swapped'
awk '/^{"seq":20,/ { held = $0; next } { print } /^{"seq":21,/ { print held }' \
    "$S" >"$T/swapped"
cat "$T/swapped" >"$S"
run 5 verify "$L"
run 5 parity "$L"
again

begin 'a line twice'
awk '{ print } /^{"seq":20,/ { print }' "$S" >"$T/twice"
cat "$T/twice" >"$S"
run 5 verify "$L"
again

begin 'a flipped bit in a signature'
at=$(grep -b '^{"commit"' "$S" | tail -1 | cut -d: -f1)
sig=$(tail -c +$((at + 1)) "$S" | grep -b -o '"sig":"' | head -1 | cut -d: -f1)
flip "$S" $((at + sig + 12))
run 5 parity "$L"
again

begin 'an unfinished group at the end of a log without a store: 4'
without_store
printf '{"seq":42,"resource":"pets","rec' >>"$S"
run 4 verify "$L" --json
json_is "$T/out" '.verdict == "TORN"'
again

begin 'a store that is missing: 3'
without_store
run 0 verify "$L"
run 3 parity "$L" --json
json_is "$T/out" '.verdict == "BEHIND"'
again

begin 'the log of another directory: 5'
cat "$T/other/log/00000000000000000001.jsonl" >"$S"
run 5 parity "$L"
again

begin 'the log cut back to an earlier commit: ROLLBACK, 5'
at=$(grep -n '^{"commit"' "$S" | tail -2 | head -1 | cut -d: -f1)
head -n "$at" "$S" >"$T/back"
cat "$T/back" >"$S"
run 5 parity "$L" --json
json_is "$T/out" '.verdict == "ROLLBACK"'
again

begin 'a newer format: 9 or damage, never clean'
sed '1s/"format":1/"format":2/' "$S" >"$T/newer"
cat "$T/newer" >"$S"
"$PARITYLOG" verify "$L" >"$T/out" 2>"$T/err"
got=$?
[ $got -eq 9 ] || [ $got -eq 5 ] || wrong "exit status $got"
again

# ---- Damage to the store ------------------------------------------------------

begin 'a changed record: DIVERGED, 3, named'
if sql "$L/store.db" "UPDATE events SET line = replace(line, '\"v\":17', '\"v\":71') WHERE seq = 18"; then
    run 0 verify "$L"
    run 3 parity "$L" --json
    json_is "$T/out" '.verdict == "DIVERGED" and
        ([.findings[] | select(.seq == 18)] | length >= 1) and
        all(.findings[]; .seq == null or .seq == 18)'
fi
again

begin 'a missing row: DIVERGED, 3'
if sql "$L/store.db" 'DELETE FROM events WHERE seq = 18'; then
    run 3 parity "$L" --json
    json_is "$T/out" '.verdict == "DIVERGED" and
        ([.findings[] | select(.seq == 18)] | length >= 1)'
fi
again

begin 'no payload is in a report'
if sql "$L/store.db" "UPDATE events SET line = replace(line, '\"v\":17', '\"v\":\"hunter2\"') WHERE seq = 18"; then
    run 3 parity "$L" --json
    out_lacks hunter2
    run 3 parity "$L"
    out_lacks hunter2
fi
again

begin '--max-findings: fewer findings, exact counts'
if sql "$L/store.db" "UPDATE events SET line = line || ' ' WHERE seq > 10"; then
    run 3 parity "$L" --json
    cp "$T/out" "$T/all"
    run 3 parity "$L" --json --max-findings 3
    cp "$T/out" "$T/three"
    run 3 parity "$L" --json --max-findings 0
    json_is "$T/out" '.findings == []'
    json_is "$T/three" '(.findings | length) == 3'
    if have jq; then
        same counts "$(jq -c .counts "$T/out")" "$(jq -c .counts "$T/all")"
        same counts "$(jq -c .counts "$T/three")" "$(jq -c .counts "$T/all")"
    fi
    run 3 parity "$L" --max-findings 3
    out_has '--max-findings'
fi
again

begin '--max-findings: and the first of each verdict, as the manual says'
if sql "$L/store.db" "UPDATE events SET line = line || ' ' WHERE seq > 10"; then
    flip "$S" $(($(offset_of "$S" '"v":17') + 5))
    run 5 parity "$L" --json --max-findings 1
    json_is "$T/out" '([.findings[].verdict] | sort) ==
        (.counts | keys) and (.findings | length) == 2'
fi
again

begin '--threads: the same report with one and with two'
flip "$S" $(($(offset_of "$S" '"v":17') + 5))
for check in verify parity; do
    for n in 1 2; do
        run 5 $check "$L" --json --threads $n
        sed 's/"seconds":[^,}]*//' "$T/out" >"$T/threads$n"
    done
    same "$check" "$(cat "$T/threads1")" "$(cat "$T/threads2")"
    run 2 $check "$L" --threads 0
    err_has 'from 1 to'
done
again

begin 'both legs: the gravest verdict decides'
if sql "$L/store.db" 'DELETE FROM events WHERE seq = 30'; then
    flip "$S" $(($(offset_of "$S" '"v":17') + 5))
    run 5 parity "$L"
fi
again

begin 'damage stops appends, and says where to look'
flip "$S" $(($(grep -b '^{"commit"' "$S" | tail -1 | cut -d: -f1) + 30))
cp "$S" "$T/before"
delta new 1 1 | run 5 append "$L" --json
json_is "$T/err" '.error.hint | length > 0'
files_equal "$S" "$T/before"
again

begin 'the first finding of each verdict is shown, whatever comes before it'
filled stranger 150
mv "$L" "$T/strange"
filled mine 150
cp "$T"/strange/store.db* "$L/"
run 5 parity "$L" --json
json_is "$T/out" '.verdict == "FOREIGN" and (.findings | length) <= 112 and
    ([.findings[].verdict] | index("FOREIGN") != null)'

begin '--max-lag: how far the store may be behind'
fresh lag
deltas 1 40 >"$T/in"
run 0 append "$L" "$T/in" --group 10 --quiet
rm -f "$L"/store.db*
run 0 replay "$L" --to 25 --quiet
run 3 parity "$L" --max-lag 19
run 0 parity "$L" --max-lag 20
out_has BEHIND
run 3 parity "$L"
sql "$L/store.db" "UPDATE events SET line=line||' ' WHERE seq=3"
run 3 parity "$L" --max-lag 20
rm -f "$L"/store.db*
run 3 parity "$L" --max-lag 1000

begin 'a log without segments, and a store that knows better'
filled emptied 20
rm "$L"/log/*
run 5 parity "$L"
err_has 'salvage DIR --from-store'

finish
