#!/bin/sh
# rebuild.sh - paritylog rebuild: one leg from the other in a new place.
. "$(dirname "$0")/lib.sh"

# same_segments DIR1 DIR2: the same files in log/, byte for byte.
same_segments() {
    (cd "$1/log" && cksum -- *) >"$T/sums.1"
    (cd "$2/log" && cksum -- *) >"$T/sums.2"
    files_equal "$T/sums.1" "$T/sums.2"
}

# rows DIR: all that parity covers, in key order.
rows() {
    for sql in 'SELECT * FROM events ORDER BY seq' \
        'SELECT * FROM checkpoints ORDER BY size' \
        'SELECT * FROM segments ORDER BY first' \
        'SELECT * FROM state_now ORDER BY 1, 2' \
        'SELECT * FROM cursors ORDER BY 1, 2' \
        'SELECT size, hex(root), hex(range), segment, offset FROM meta'; do
        "$PARITYLOG" query "$1" "$sql" --format json || echo failed
    done
}

# no_parts: nothing half-built lies about.
no_parts() {
    for part in "$T"/*.part-*; do
        [ ! -e "$part" ] || wrong "left behind: $part"
    done
}

filled log 200 --segment-size 8192
cp -R "$L" "$T/kept"

begin 'the log from the store, byte for byte, over many segments'
run 0 rebuild "$L" --log --out "$T/new"
out_has 'WHOLE: the log up to entry 201'
[ "$(find "$T/new/log" -type f | wc -l)" -gt 5 ] || wrong 'too few segments'
same_segments "$L" "$T/new"
[ ! -e "$T/new/store.db" ] || wrong 'a store came along'
[ ! -e "$T/new/keys/signing.key" ] || wrong 'the signing key came along'
run 0 verify "$T/new"
no_parts

begin 'also where log/ is gone'
rm -rf "$T/new" "$L/log"
run 0 rebuild "$L" --log --out "$T/new" --json
json_is "$T/out" '.schema == "paritylog/rebuild/1" and .leg == "log" and
    .verdict == "CLEAN" and .missing == null and .head.size == 201 and
    .entries == 201'
same_segments "$T/kept" "$T/new"

begin 'the store from the log, row by row'
L=$T/kept
run 0 rebuild "$L" --store --out "$T/store"
out_has 'WHOLE: the store up to entry 201'
cp -R "$L/log/." "$T/store/log/"
rows "$L" >"$T/rows.1"
rows "$T/store" >"$T/rows.2"
files_equal "$T/rows.1" "$T/rows.2"
run 0 parity "$T/store"

begin 'a path that is there is refused, and nothing happens to it'
run 6 rebuild "$L" --log --out "$T/new"
err_has 'is there already'
run 6 rebuild "$L" --log --out "$T/new" --json
error_is EXISTS
no_parts

begin '--dry-run verifies and writes nothing'
run 0 rebuild "$L" --log --dry-run
out_has 'dry run, nothing written'
run 0 rebuild "$L" --store --dry-run --json
json_is "$T/out" '.dry_run and .out == null and .head.size == 201'
no_parts

begin 'one of --store and --log, and a path'
run 2 rebuild "$L" --out "$T/x"
run 2 rebuild "$L" --out "$T/x" --log --store
run 2 rebuild "$L" --log

begin 'a store that lacks an entry: what stands before it, and the range'
cp -R "$L" "$T/hole"
sql "$T/hole/store.db" 'DELETE FROM events WHERE seq=105'
run 3 rebuild "$T/hole" --log --out "$T/part" --json
json_is "$T/out" '.verdict == "DIVERGED" and .missing.from == 102 and
    .missing.to == 201 and .head.size == 101'
run 0 verify "$T/part"

begin 'a table of segments that no writer makes'
for change in 'DELETE FROM segments WHERE first>1 AND first<100' \
    'INSERT INTO segments VALUES(15)' \
    'DELETE FROM segments WHERE first>1'; do
    rm -rf "$T/table" "$T/elsewhere"
    cp -R "$L" "$T/table"
    sql "$T/table/store.db" "$change"
    run 3 rebuild "$T/table" --log --out "$T/elsewhere" --json
    json_is "$T/out" '.verdict == "DIVERGED" and .missing.from == 0 and
        .head.size == 201 and (.missing.why | contains("table of segments"))'
    run 0 verify "$T/elsewhere"
done

begin 'a segment that may have been begun by hand is taken for one'
rm -rf "$T/table" "$T/elsewhere"
cp -R "$L" "$T/table"
sql "$T/table/store.db" 'INSERT INTO segments VALUES(12)'
run 0 rebuild "$T/table" --log --out "$T/elsewhere"
run 0 verify "$T/elsewhere"

begin 'a store with an altered line'
cp -R "$L" "$T/altered"
sql "$T/altered/store.db" "UPDATE events SET line=replace(line,'\"v\":55','\"v\":56')
    WHERE seq=56"
run 5 rebuild "$T/altered" --log --out "$T/part2"
out_has 'IN PART: the log up to entry 51'
out_has 'not rebuilt: entries from 52 on to 201: TAMPERED'
run 0 verify "$T/part2"

begin 'a damaged log: the store up to it'
cp -R "$L" "$T/flipped"
for last in "$T/flipped"/log/*; do :; done
flip "$last" 900
run 5 rebuild "$T/flipped" --store --out "$T/part3" --json
json_is "$T/out" '.verdict == "TAMPERED" or .verdict == "CORRUPT"'
json_is "$T/out" '.missing.from == .head.size + 1 and .missing.to == 201'

begin 'another key than the one that signed: nothing is written'
fresh other
other=$(cat "$T/vkey")
run 12 rebuild "$T/kept" --log --out "$T/none" --key "$other"
run 12 rebuild "$T/kept" --store --out "$T/none" --key "$other"
[ ! -e "$T/none" ] || wrong 'something was written'
no_parts

begin 'installed in place: the old leg goes to quarantine first'
run 2 rebuild "$T/kept" --log
run 2 rebuild "$T/kept" --log --install --out "$T/none"
rm -rf "$T/there"
cp -R "$T/kept" "$T/there"
S=$(ls "$T/there/log"/*.jsonl | head -1)
flip "$S" 900
cp "$S" "$T/damaged"
run 5 verify "$T/there"
run 0 rebuild "$T/there" --log --install --dry-run
run 5 verify "$T/there"
run 0 rebuild "$T/there" --log --install
out_has 'set aside  quarantine/'
same_segments "$T/kept" "$T/there"
cmp -s "$T/damaged" "$T/there/$(sed -n 's/^set aside  //p' "$T/out")" ||
    wrong 'the damaged file was not kept'
sql "$T/there/store.db" "DELETE FROM state"
run 3 parity "$T/there"
run 0 rebuild "$T/there" --store --install
out_has 'set aside  quarantine/store.db'
run 0 parity "$T/there"
cp "$T/there/store.db" "$T/old.db"
cp "$T/there/store.db-wal" "$T/old.db-wal" 2>/dev/null
run 0 rebuild "$T/there" --store --install --json
json_is "$T/out" '.verdict == "CLEAN" and .head.size == .entries and .installed'
old=$T/there/$(sed 's/.*"quarantine":"//;s/".*//' "$T/out")
files_equal "$old" "$T/old.db"
[ ! -e "$T/old.db-wal" ] || files_equal "$old-wal" "$T/old.db-wal"
rm "$S"
sql "$T/there/store.db" "DELETE FROM events WHERE seq=3"
run 3 rebuild "$T/there" --log --install
out_has 'NOT INSTALLED: the log up to entry'
out_has 'not rebuilt'
out_has 'next       nothing was changed; mend the other leg first'
run 3 rebuild "$T/there" --log --install --json
json_is "$T/out" '.installed == false and .missing.from > 0'
[ ! -e "$S" ] || wrong 'half of a log was installed'
cp "$T/damaged" "$S"
run 5 rebuild "$T/there" --store --install
out_has 'NOT INSTALLED: the store up to entry'
out_has 'paritylog rebuild DIR --store --out NEW'

begin 'killed at any moment, and again'
i=0
while [ $i -lt "$(many 12)" ]; do
    i=$((i + 1))
    "$PARITYLOG" rebuild "$T/kept" --log --out "$T/killed" >/dev/null 2>&1 &
    pid=$!
    sleep "0.0$((i / 10))$((i % 10))"
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
    if [ -e "$T/killed" ]; then # it was whole before the signal
        run 0 verify "$T/killed" --quiet
        rm -rf "$T/killed"
    fi
done
run 0 rebuild "$T/kept" --log --out "$T/killed"
same_segments "$T/kept" "$T/killed"
no_parts

finish
