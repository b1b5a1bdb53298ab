#!/bin/sh
# doctor.sh - paritylog doctor: everything that only needs reading, in one
# report.
. "$(dirname "$0")/lib.sh"

filled log 12
W=$L

# says HEALTH NAME: the report has such a line.
says() {
    grep -q "^$1 *$2 " "$T/out" || wrong "no '$1 $2' in: $(cat "$T/out")"
}

# sick: a fresh copy of the log, $L.
sick() {
    L=$T/sick
    rm -rf "$L"
    cp -R "$W" "$L"
    chmod 700 "$L"
}

# The digest of all but what SQLite's readers share.
all_digest() {
    log_digest
    (cd "$L" && ls -ln && cksum store.db store.db-wal drill.json)
}

begin 'a healthy log, and nothing is changed'
run 0 drill "$W"
run 0 status "$W"
all_digest >"$T/sum.1"
run 0 doctor "$W"
for what in directory 'free space' 'signing key' libsodium 'log and store' \
    quarantine 'last drill' clock; do
    says ok "$what"
done
says note 'trusted keys'
out_has 'CLEAN: '
run 0 doctor "$W" --quick
all_digest >"$T/sum.2"
files_equal "$T/sum.1" "$T/sum.2"

begin 'pinned; by the heads alone'
run 0 doctor "$W" --key "$("$PARITYLOG" key show "$W")" --quick
says ok 'trusted keys'
says note 'log and store'
out_has 'HEADS_EQUAL: '
run 10 doctor "$T/nothing"

begin 'the key: loose, gone, another one'
sick
chmod 644 "$L/keys/signing.key"
run 12 doctor "$L"
says bad 'signing key'
out_has 'chmod 600'
rm "$L/keys/signing.key"
run 0 doctor "$L"
says warn 'signing key'
sick
sed 's/.....$/AAAAA/' "$W/keys/signing.key" >"$L/keys/signing.key"
run 12 doctor "$L"
says bad 'signing key'
out_has 'next: put it back from a copy'
fresh other
cp "$L/keys/signing.key" "$T/another"
sick
cp "$T/another" "$L/keys/signing.key"
run 12 doctor "$L"
says bad 'signing key'
rm "$L"/keys/*.vkey
run 12 doctor "$L"
says bad 'trusted keys'

begin 'a rotation that was cut off, and what ends it'
sick
cp "$L/keys/signing.key" "$T/old"
run 0 key rotate "$L"
mv "$L/keys/signing.key" "$L/keys/signing.key.new"
cp "$T/old" "$L/keys/signing.key"
run 0 doctor "$L"
says warn 'signing key'
out_has 'has not ended'
out_has 'paritylog append DIR /dev/null'
run 0 append "$L" /dev/null
run 0 doctor "$L"
says ok 'signing key'

begin 'a loose key on a damaged log: the log counts'
sick
chmod 644 "$L/keys/signing.key"
S=$L/log/00000000000000000001.jsonl
flip "$S" $(($(offset_of "$S" '"v":7') + 4)) # a digit: still JSON
run 5 doctor "$L"
says bad 'signing key'
says bad 'log and store'
out_has 'TAMPERED: '

begin 'log/ is gone: the rest is told all the same'
sick
mv "$L/log" "$T/log.aside"
for quick in '' --quick; do
    # shellcheck disable=SC2086
    run 5 doctor "$L" $quick
    says bad 'log and store'
    out_has 'next: paritylog salvage DIR --from-store'
    says ok 'last drill'
    says ok clock
done
run 0 salvage "$L" --from-store
run 0 doctor "$L"
rm -rf "$T/log.aside"
mkdir "$T/empty"
run 10 doctor "$T/empty"
out_empty
err_has 'there is no log here: log and store.db are missing'

begin 'both legs: the code is that of parity, and the next step, too'
sick
rm "$L"/store.db*
run 3 doctor "$L"
says bad 'log and store'
out_has 'BEHIND'
out_has 'next: paritylog replay DIR'
sick
flip "$L/log/00000000000000000001.jsonl" 900
run 5 doctor "$L"
says bad 'log and store'
out_has 'paritylog salvage DIR --from-store'
sick
sql "$L/store.db" "UPDATE events SET op='upsert' WHERE seq=2; DELETE FROM state"
run 3 doctor "$L"
out_has 'DIVERGED'
run 0 doctor "$L" --quick

begin 'the directory: modes, strangers, leftovers'
sick
chmod 755 "$L"
chmod 644 "$L/store.db"
chmod 640 "$L/log/00000000000000000001.jsonl"
chmod 666 "$L"/keys/*.vkey
touch "$L/notes.txt" "$L/drill-notes"
cp "$L/keys/signing.key" "$L/keys/signing.key.bak"
ln -s notes.txt "$L/drill.json.tmp"
mkdir "$L/drill-1.part-00000000"
: >"$L/log/00000000000000000001.jsonl.new"
run 0 doctor "$L"
says warn directory
out_has 'chmod 700 DIR'
grep 'others may read or change' "$T/out" >"$T/loose"
for what in store.db log/00000000000000000001.jsonl .vkey; do
    grep -q "$what" "$T/loose" || wrong "$what is not told as loose"
done
grep 'what is not ours' "$T/out" >"$T/odd"
for what in notes.txt drill-notes keys/signing.key.bak drill.json.tmp; do
    grep -q "$what" "$T/odd" || wrong "$what is not told as odd"
done
grep 'under way' "$T/out" >"$T/left"
for what in drill-1.part-00000000 log/00000000000000000001.jsonl.new; do
    grep -q "$what" "$T/left" || wrong "$what is not told as left"
done

begin 'what a killed drill left goes with the next one, as it says'
sick
mkdir "$L/drill-0123abcd.part-4567ef89"
run 0 doctor "$L"
out_has 'under way: drill-0123abcd.part-4567ef89'
out_has 'paritylog drill DIR removes'
run 0 drill "$L"
run 0 doctor "$L"
says ok directory
out_lacks drill-0123abcd

begin 'a name too long to show is told all the same'
sick
touch "$L/$(printf %0210d 7)"
run 0 doctor "$L"
says warn directory
out_has 'what is not ours: 1 with long names'
touch "$L/a"
run 0 doctor "$L"
out_has 'a, and 1 more'

begin 'a file in log/ that is none of it'
sick
touch "$L/log/stranger"
run 5 doctor "$L"
out_has 'holds what is not ours: log/stranger'
says bad 'log and store'
run 5 doctor "$L" --quick
says bad 'log and store'

begin 'quarantine, a drill that failed, was long ago, or is no note'
sick
run 0 replay "$L" --fresh
run 0 doctor "$L"
says note quarantine
bytes=$(cat "$L"/quarantine/* | wc -c)
files=$(find "$L/quarantine" -type f | wc -l)
out_has "$((files)) files, $((bytes)) bytes"
sed 's/"verdict":"CLEAN"/"verdict":"DIVERGED"/' "$W/drill.json" >"$L/drill.json"
run 1 doctor "$L"
says bad 'last drill'
sed 's/"at":"20[0-9]*/"at":"2020/' "$W/drill.json" >"$L/drill.json"
run 0 doctor "$L"
says warn 'last drill'
sed 's/"at":"20[0-9]*/"at":"2999/' "$W/drill.json" >"$L/drill.json"
run 0 doctor "$L"
says warn 'last drill'
out_has 'in the future'
for note in '{"at":1' '[1]' '{"at":"2026-01-01T00:00:00Z","verdict":"CLEAN"}' \
    '{"schema":"paritylog/drill-note/1","at":"soon","verdict":"CLEAN"}'; do
    echo "$note" >"$L/drill.json"
    run 0 doctor "$L"
    says unknown 'last drill'
done
rm "$L/drill.json"
run 0 doctor "$L"
says warn 'last drill'
out_has 'never'

finish
