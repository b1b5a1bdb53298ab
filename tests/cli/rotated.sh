#!/bin/sh
# rotated.sh - the recovery commands on a log that went through four keys.
. "$(dirname "$0")/lib.sh"

fresh log --segment-size 4096
first=$(cat "$T/vkey")
for n in 1 2 3 4; do
    deltas $((n * 10)) $((n * 10 + 9)) | run 0 append "$L" --group 3 --quiet
    run 0 checkpoint "$L" --witness "$T/witness"
    [ $n -eq 4 ] || run 0 key rotate "$L"
done
last=$("$PARITYLOG" key show "$L")
W=$L

same_log() {
    (cd "$W/log" && cksum -- *) >"$T/sums.1"
    (cd "$1/log" && cksum -- *) >"$T/sums.2"
    files_equal "$T/sums.1" "$T/sums.2"
}

begin 'rebuilt from the store, and the store from it, pinned by any key'
[ "$first" != "$last" ] || wrong 'the key did not change'
for pin in "$first" "$last"; do
    rm -rf "$T/built" "$T/store"
    run 0 rebuild "$W" --log --out "$T/built" --key "$pin"
    same_log "$T/built"
    run 0 rebuild "$W" --store --out "$T/store" --key "$pin"
    run 0 verify "$T/built" --key "$pin"
done

begin 'restored at every entry'
seq=1
while [ $seq -le 44 ]; do
    rm -rf "$T/at"
    run 0 restore "$W" --out "$T/at" --at $seq --key "$first"
    run 0 parity "$T/at" --key "$first"
    seq=$((seq + 4 + 40 - $(many 40)))
done
run 0 drill "$W"

begin 'healed from the store, each segment in turn missing or damaged'
turn=0
for file in "$W"/log/*; do
    turn=$((turn + 1))
    [ $turn -le "$(many 20)" ] || continue
    segment=${file##*/}
    rm -rf "$T/heal"
    cp -R "$W" "$T/heal"
    rm "$T/heal/log/$segment"
    run 0 salvage "$T/heal" --from-store
    same_log "$T/heal"
    at=$(offset_of "$file" '"logged_at":')
    flip "$T/heal/log/$segment" $((at - 3))
    run 5 verify "$T/heal"
    run 0 salvage "$T/heal" --from-store
    same_log "$T/heal"
    run 0 parity "$T/heal"
done

begin 'proven under the commits of each key'
for seq in 1 12 13 24 35 43; do
    run 0 prove "$W" $seq --out "$T/proof"
    run 0 verify-proof "$T/proof" --key "$last"
    run 12 verify-proof "$T/proof" --key "$first"
    rm "$T/proof"
done
head -n 5 "$T/witness" >"$T/old.note"
run 0 prove "$W" --from "$T/old.note" --out "$T/extends"
run 12 verify-proof "$T/extends" --key "$last"
run 12 verify-proof "$T/extends" --key "$first"
run 0 verify-proof "$T/extends" --key "$first" --key "$last" --json
json_is "$T/out" '.kind == "consistency" and .old_size == 11 and .size == 44'
run 0 verify-proof "$T/extends" --key "$last $first"
run 2 verify-proof "$T/extends" --key "$last" --key nonsense

begin 'a witness has notes by every key'
same 'notes' "$(grep -c '^plog-' "$T/witness")" 4
run 0 verify "$W" --witness "$T/witness"
run 0 parity "$W" --witness "$T/witness" --key "$last" --json
json_is "$T/out" '.verdict == "CLEAN" and .pinned'
run 0 verify "$W" --witness "$T/witness" --key "$first"

finish
