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

begin 'a healthy log, and nothing is changed'
run 0 drill "$W"
log_digest >"$T/sum.1"
run 0 doctor "$W"
for what in directory 'free space' 'signing key' libsodium 'log and store' \
    quarantine 'last drill' clock; do
    says ok "$what"
done
says note 'trusted keys'
out_has 'CLEAN: '
log_digest >"$T/sum.2"
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
fresh other
cp "$L/keys/signing.key" "$T/another"
sick
cp "$T/another" "$L/keys/signing.key"
run 12 doctor "$L"
says bad 'signing key'
rm "$L"/keys/*.vkey
run 12 doctor "$L"
says bad 'trusted keys'

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
touch "$L/notes.txt"
mkdir "$L/drill-1.part-00000000"
run 0 doctor "$L"
says warn directory
out_has 'chmod 700 DIR'
out_has 'chmod 600 DIR/store.db'
out_has 'notes.txt'
out_has '1 folders of a command that was killed'

begin 'quarantine, a drill that failed, was long ago, or is no note'
sick
run 0 replay "$L" --fresh
run 0 doctor "$L"
says note quarantine
sed 's/"verdict":"CLEAN"/"verdict":"DIVERGED"/' "$W/drill.json" >"$L/drill.json"
run 1 doctor "$L"
says bad 'last drill'
sed 's/"at":"20[0-9]*/"at":"2020/' "$W/drill.json" >"$L/drill.json"
run 0 doctor "$L"
says warn 'last drill'
echo '{"at":1' >"$L/drill.json"
run 0 doctor "$L"
says unknown 'last drill'
rm "$L/drill.json"
run 0 doctor "$L"
says warn 'last drill'
out_has 'never'

finish
