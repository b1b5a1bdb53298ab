#!/bin/sh
# compact.sh - paritylog compact, peer and rotate, as an operator uses them.
. "$(dirname "$0")/lib.sh"

filled log 60 --segment-size 4096

begin 'nobody has received anything: nothing goes, and it says why'
run 0 compact "$L"
out_has 'no peer was added'
run 0 peer list "$L"
out_has 'no peer was added'
run 0 peer add "$L" far
run 0 peer add "$L" near
run 6 peer add "$L" far
run 0 peer ack "$L" near 50
run 0 compact "$L"
out_has 'peer far has acknowledged nothing yet'
run 0 compact "$L" --json
json_is "$T/out" '.to == 0 and .holder == "far" and .entry == null'

begin 'acknowledgements rise, stay below the head, and name a root that is so'
run 6 peer ack "$L" near 49
err_has 'peer rewind'
run 6 peer ack "$L" near 6000
run 8 peer ack "$L" nobody 5
run 5 peer ack "$L" near "51:$(printf '%032d' 7 | base64)"
run 2 peer ack "$L" near 51:short
run 0 peer ack "$L" near 55 --dry-run
run 0 checkpoint "$L"
run 0 peer ack "$L" near "$(sed -n 2p "$T/out"):$(sed -n 3p "$T/out")"
run 0 peer ack "$L" far 30
run 0 peer list "$L" --json --max-lag 10
json_is "$T/out" '.peers[0].name == "far" and .peers[0].cursor == 30 and
    .peers[0].holds_floor and .peers[0].over == ["lag"] and
    .peers[1].root != null and .peers[1].lag.entries == 0'
err_has 'peer evict'

begin 'the plan changes nothing'
log_digest >"$T/sum.1"
run 0 compact "$L" --dry-run --json
json_is "$T/out" '.dry_run and .from == 0 and .to > 0 and .to <= 30 and
    .segments > 1 and .holder == "far"'
log_digest >"$T/sum.2"
files_equal "$T/sum.1" "$T/sum.2"

begin 'segments go to the archive, and open with gzip alone'
cp -R "$L/log" "$T/before"
root=$(grep -h '"commit":{"size":11,' "$L"/log/* | sed 's/.*"root":"\([^"]*\)".*/\1/')
run 0 compact "$L" --json
floor=$(sed 's/.*"to":\([0-9]*\).*/\1/' "$T/out")
json_is "$T/out" '.segments > 1 and .snapshot.records > 0 and .entry > 60'
for file in "$L"/archive/*.gz; do
    segment=${file##*/}
    [ ! -e "$L/log/${segment%.gz}" ] || wrong "$segment is in log/, too"
    gzip -dc "$file" | cmp - "$T/before/${segment%.gz}" || wrong "$segment differs"
done
sum=$(sed 's/.*"sha256":"\([^"]*\)".*/\1/' "$T/out")
gzip -dc "$L/snapshots/$(printf '%020d' "$floor").jsonl.gz" >"$T/text"
same 'the SHA-256 of the snapshot' "$(sha256sum "$T/text" | cut -d' ' -f1)" \
    "$(printf '%s' "$sum" | base64 -d | od -An -tx1 | tr -d ' \n')"
have jq && { jq -c . "$T/text" >/dev/null || wrong 'the snapshot is no JSON'; }
run 0 verify "$L"
out_has "floor      $floor"
run 0 parity "$L" --json
json_is "$T/out" ".verdict == \"CLEAN\" and .checked.floor == $floor and
    .checked.from == $floor + 1"
run 0 status "$L" --json
json_is "$T/out" ".log.floor == $floor and .log.below_floor == 0"
run 0 doctor "$L" --json
json_is "$T/out" '[.checkups[] | select(.name == "compaction")] | length == 1'
run 0 compact "$L"
out_has 'nothing to take away'

begin 'without a snapshot: what is said can be followed, and leads out'
cp -R "$L" "$T/lost"
rm -r "$T/lost/snapshots"
cp -R "$T/lost" "$T/bare"
rm "$T/lost"/store.db*
run 0 replay "$T/lost" --dry-run
out_has 'would make the snapshot at the floor anew'
run 7 restore "$T/lost" --out "$T/x"
err_has 'run: paritylog replay DIR (makes it anew from archive/)'
[ ! -e "$T/lost/snapshots" ] || wrong 'something was written'
run 0 replay "$T/lost"
run 0 parity "$T/lost"
rm -r "$T/bare/archive"
run 7 compact "$T/bare"
run 7 compact "$T/bare" --dry-run
run 7 parity "$T/bare"
out_has 'copy it, or archive/, from a backup; or, if the store was never trimmed'
cp -R "$T/bare" "$T/barer"
run 0 rebuild "$T/bare" --log --out "$T/whole"
mkdir "$T/bare/archive"
for file in "$T/whole/log"/*; do
    segment=${file##*/}
    [ -e "$T/bare/log/$segment" ] ||
        gzip -c "$file" >"$T/bare/archive/$segment.gz"
done
run 0 compact "$T/bare" --dry-run
out_has 'would make the snapshot at the floor anew'
run 0 compact "$T/bare"
run 0 parity "$T/bare"
rm "$T/barer"/store.db*
run 7 replay "$T/barer" --dry-run
run 7 replay "$T/barer"
err_has 'from a backup'
err_lacks 'paritylog compact'

begin 'a segment that a killed compaction left: told, and taken away'
cp -R "$L" "$T/left"
cp "$T"/before/00000000000000000012.jsonl "$T/left/log"
sql "$T/left/store.db" 'UPDATE compactions SET pending=1'
run 0 parity "$T/left"
run 0 status "$T/left"
out_has '1 segments below the floor wait'
run 0 doctor "$T/left"
out_has 'paritylog compact DIR'
run 0 compact "$T/left"
out_has 'finished a compaction that was cut off'
[ ! -e "$T/left/log/00000000000000000012.jsonl" ] || wrong 'it is still there'
run 0 parity "$T/left"

begin 'a head below the floor: archive/ tells; without it nobody can, and nobody says CLEAN'
for check in verify parity; do
    run 0 $check "$L" --expect-head "11:$root"
    run 5 $check "$L" --expect-head "10:$root"
    out_has FORK
    mv "$L/archive" "$T/archive"
    run 7 $check "$L" --expect-head "11:$root"
    out_has 'were compacted away'
    mv "$T/archive" "$L/archive"
    root_here=$(sed -n 's/.*"size":'"$floor"',"root":"\([^"]*\)".*/\1/p' \
        "$T"/before/* | head -1)
    run 0 $check "$L" --expect-head "$floor:$root_here"
done

begin 'reads below the floor say so, and what stands for them'
run 7 log "$L"
err_has 'snapshots/'
out_empty
run 7 log "$L" --from "$floor"
run 0 log "$L" --from $((floor + 1))
run 0 get "$L" pets 1
run 7 redact "$L" 2 --reason test
err_has 'compacted away'

begin 'an id from below the floor is still known'
deltas 1 1 >"$T/again"
run 0 append "$L" "$T/again" --receipts
json_is "$T/out" '.duplicate and .seq == 2'

begin 'a store from the snapshot, a copy, a point below, proofs'
run 0 query "$L" 'SELECT * FROM records ORDER BY 1,2'
mv "$T/out" "$T/records"
run 0 replay "$L" --fresh --json
json_is "$T/out" ".base == $floor"
run 0 query "$L" 'SELECT * FROM records ORDER BY 1,2'
files_equal "$T/out" "$T/records"
run 0 parity "$L"
run 0 restore "$L" --out "$T/copy"
run 0 parity "$T/copy"
run 0 restore "$L" --out "$T/below" --at $((floor - 5)) --json
json_is "$T/out" '.floor == 0'
run 0 parity "$T/below"
run 0 drill "$L"
run 0 rebuild "$L" --log --out "$T/built"
run 0 verify "$T/built"
for seq in 3 $((floor + 2)); do
    run 0 prove "$L" "$seq" --out "$T/proof.$seq"
    run 0 verify-proof "$T/proof.$seq" --key "$("$PARITYLOG" key show "$L")"
done
mv "$L/archive" "$T/archive"
run 7 prove "$L" 3
run 7 restore "$L" --out "$T/pruned" --at $((floor - 5))
mv "$T/archive" "$L/archive"

begin 'damage above the floor is healed, the snapshot made anew'
cp -R "$L" "$T/hurt"
first=$(ls "$L/log" | head -1)
rm "$T/hurt/log/$first"
run 5 parity "$T/hurt"
run 0 salvage "$T/hurt" --from-store
cmp "$L/log/$first" "$T/hurt/log/$first" || wrong 'the first segment differs'
run 0 parity "$T/hurt"
: >"$T/hurt/snapshots/$(printf '%020d' "$floor").jsonl.gz"
run 5 parity "$T/hurt"
out_has 'paritylog compact DIR'
run 0 compact "$T/hurt"
out_has 'made the snapshot at the floor anew'
run 0 parity "$T/hurt"

begin 'undone: the same files again'
run 0 compact "$L" --undo
for file in "$T"/before/*; do
    cmp "$file" "$L/log/${file##*/}" 2>/dev/null || [ -s "$L/log/${file##*/}" ] ||
        wrong "${file##*/} is not back"
done
run 0 log "$L" --from 1
run 0 parity "$L"
run 6 compact "$L" --undo

begin 'discarding needs a root from everybody; the store may let go, too'
run 0 peer ack "$L" far 30
run 0 peer ack "$L" near 50
run 6 compact "$L" --discard
err_has 'and far has not'
err_has 'peer ack '
err_has ' far SEQ:ROOT'
run 0 checkpoint "$L"
run 0 peer ack "$L" near "$(sed -n 2p "$T/out"):$(sed -n 3p "$T/out")"
run 0 peer evict "$L" far --reason 'gone for good'
out_has 'evicted, by entry'
run 2 peer evict "$L" near
run 0 compact "$L" --discard --trim-store --json
json_is "$T/out" '.discard and .to > 50'
run 0 parity "$L"
run 0 query "$L" 'SELECT * FROM records ORDER BY 1,2'
files_equal "$T/out" "$T/records"
run 6 compact "$L" --undo
run 0 append "$L" "$T/again" --receipts
json_is "$T/out" '.duplicate and .seq == 2'
run 7 peer rewind "$L" near 1

begin 'a segment ended by hand can go'
run 0 rotate "$L" --json
json_is "$T/out" '.made'
run 0 rotate "$L"
out_has 'holds no entry yet'
run 0 parity "$L"
run 0 checkpoint "$L"
run 0 peer ack "$L" near "$(sed -n 2p "$T/out")"
run 0 compact "$L"
out_has 'the floor moved'
run 0 parity "$L"

begin 'a point inside of the first group that is there'
G=$T/groups
run 0 init "$G" --origin test.example/groups --segment-size 4096
run 0 peer add "$G" p
deltas 1 80 | run 0 append "$G" --quiet --group 4
run 0 peer ack "$G" p 30
run 0 compact "$G"
run 0 peer ack "$G" p 60
run 0 compact "$G" --json
floor=$(sed 's/.*"from":\([0-9]*\).*/\1/' "$T/out")
mkdir "$T/aside"
for file in "$G"/archive/*; do
    n=${file##*/}
    [ "${n%.jsonl.gz}" -gt "$floor" ] || mv "$file" "$T/aside"
done
run 7 restore "$G" --out "$T/inside" --at $((floor + 1))
err_has "entry $((floor + 1)) is in the group up to $((floor + 4))"
at=$(sed -n 's/.* --at \([0-9]*\).*/\1/p' "$T/err")
run 0 restore "$G" --out "$T/inside" --at "$at"
run 0 parity "$T/inside"

begin 'wrong calls'
run 2 compact "$L" --undo --discard
run 2 peer shift "$L"
run 2 peer list "$L" --max-age never
run 2 peer add "$L"
run 10 compact "$T/nothing"

finish
