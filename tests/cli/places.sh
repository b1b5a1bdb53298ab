#!/bin/sh
# places.sh - files that somebody put beside a log to reach something else: they
# are not followed, not waited for, not written through, and what the store says
# by itself takes nothing away.
. "$(dirname "$0")/lib.sh"

filled whole 30 --segment-size 4096
run 0 peer add "$T/whole" backup

# A copy of it, $L, and a file outside, $T/canary, as it must stay.
copied() {
    rm -rf "$T/copy" "$T/canary" "$T/kept"
    cp -R "$T/whole" "$T/copy"
    L=$T/copy
    deltas 1 400 >"$T/canary"
    cp "$T/canary" "$T/kept"
    chmod 600 "$T/canary"
}

# Runs the command for a few seconds at most.
soon() {
    if have timeout; then
        limit='timeout -k 1 20'
    fi
    run "$@"
}

# number N: 32 bits, big-endian, as octal escapes of printf.
number() {
    printf '\\0%o\\0%o\\0%o\\0%o' $(($1 >> 24 & 255)) $(($1 >> 16 & 255)) \
        $(($1 >> 8 & 255)) $(($1 & 255))
}

begin 'a journal that names a file as its super-journal: SQLite would remove it'
copied
outside=$T/canary
sum=$(printf %s "$outside" | od -An -v -tu1 | awk '{ for (i = 1; i <= NF; i++) n += $i } END { print n }')
magic='\0331\0325\05\0371\040\0241\0143\0327'
{
    printf '%b' "$magic$(number 0)$(number 0)$(number 15)$(number 512)$(number 4096)"
    head -c 484 /dev/zero
    printf '%b' "$(number 262145)"
    printf %s "$outside"
    printf '%b' "$(number ${#outside})$(number "$sum")$magic"
} >"$L/store.db-journal"
same 'bytes of the journal' "$(($(wc -c <"$L/store.db-journal")))" $((532 + ${#outside}))
soon 1 parity "$L"
deltas 90 90 | soon 0 append "$L" --quiet
[ ! -e "$L/store.db-journal" ] || wrong 'the journal was not looked at'
files_equal "$T/canary" "$T/kept"
run 0 parity "$L"

begin 'hard links in the place of the WAL, its index and the journal'
for end in -wal -shm -journal; do
    copied
    rm -f "$L/store.db$end"
    ln "$T/canary" "$L/store.db$end"
    soon 1 parity "$L"
    deltas 90 90 | soon 1 append "$L" --quiet
    files_equal "$T/canary" "$T/kept"
done

begin 'FIFOs in the place of the lock, the WAL, the journal and a key'
have timeout || skip 'no timeout'
for file in lock store.db-wal store.db-journal keys/signing.key; do
    have timeout || break
    copied
    rm -f "$L/$file"
    mkfifo "$L/$file"
    for command in verify status append; do
        # shellcheck disable=SC2086
        deltas 90 90 | timeout -k 1 20 $WRAP "$PARITYLOG" $command "$L" --quiet \
            >"$T/out" 2>"$T/err"
        got=$?
        case $command:$got in
        append:0 | *:124 | *:137) wrong "$command ended with $got, a FIFO as $file" ;;
        esac
    done
done

begin 'a redaction that only the store knows of takes no payload away'
if have python3; then
    copied
    python3 - "$L" <<'END' || wrong 'cannot change the store'
import base64, glob, hashlib, re, sqlite3, sys
first = sorted(glob.glob(sys.argv[1] + '/log/*'))[0]
line = [l for l in open(first, 'rb').read().split(b'\n') if b'"id":"id-3"' in l][0]
leaf = base64.b64encode(hashlib.sha256(b'\0' + line).digest())
seq = int(re.match(rb'\{"seq":(\d+)', line)[1])
line = re.sub(rb'"payload":\{[^}]*\},', b'', line)
line = re.sub(rb',"salt":"[^"]*"(.*)\}$', rb'\1,"redacted":"' + leaf + rb'"}', line)
db = sqlite3.connect(sys.argv[1] + '/store.db')
db.execute('UPDATE events SET line=? WHERE seq=?', (line.decode(), seq))
db.execute('INSERT INTO redactions VALUES(9,?,1)', (seq,))
db.commit()
END
    deltas 90 90 | run 0 append "$L" --quiet
    grep -q '"payload":{"v":3}' "$L"/log/*1.jsonl || wrong 'the payload is gone'
    run 0 verify "$L"
    run 3 parity "$L"
else
    skip 'no python3'
fi

begin 'an acknowledgement that only the store knows of takes no segment away'
if have python3; then
    for change in 'cursor=9000' "cursor=20, root=zeroblob(32)"; do
        copied
        python3 - "$L/store.db" "$change" <<'END' || wrong 'cannot change the store'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute('UPDATE peers SET ' + sys.argv[2])
db.commit()
END
        run 3 compact "$L"
        err_has 'by the store, peer backup'
        run 3 compact "$L" --discard
        [ -e "$L/log/00000000000000000001.jsonl" ] || wrong 'a segment is gone'
    done
else
    skip 'no python3'
fi

begin 'an id that only the store knows of swallows no delta'
if have python3; then
    copied
    run 0 rotate "$L"
    run 0 checkpoint "$L"
    run 0 peer ack "$L" backup "$(sed -n 2p "$T/out"):$(sed -n 3p "$T/out")"
    run 0 compact "$L" --trim-store
    deltas 5 5 | run 0 append "$L" --json
    json_is "$T/out" '.duplicates == 1'
    run 0 parity "$L"
    python3 - "$L/store.db" <<'END' || wrong 'cannot change the store'
import hashlib, sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute('INSERT INTO old_ids VALUES(?,900,zeroblob(32),NULL)',
           (hashlib.sha256(b'id-90').digest(),))
db.commit()
END
    run 3 parity "$L"
    deltas 90 90 | run 0 append "$L" --json
    json_is "$T/out" '.duplicates == 0 and .appended == 1'
else
    skip 'no python3'
fi

begin 'links in the place of a snapshot and of an archived segment'
copied
run 0 rotate "$L"
run 0 peer ack "$L" backup 32
run 0 compact "$L"
for file in "$L"/snapshots/* "$L"/archive/00000000000000000001.jsonl.gz; do
    mv "$file" "$T/moved"
    ln -s "$T/moved" "$file"
done
run 5 parity "$L" --json
json_is "$T/out" '.verdict == "CORRUPT"'
run 5 restore "$L" --out "$T/below" --at 5
err_has 'not a regular file with one link'

begin 'outputs in the folders of a log would be taken for damage of it'
copied
run 0 checkpoint "$L"
cp "$T/out" "$T/checkpoint"
mkdir "$L/archive"
for at in log archive keys; do
    x=$L/$at/x
    run 6 init "$x"
    err_has 'lies in a folder of a log'
    run 6 salvage "$L" --out "$x"
    err_has 'lies in the directory of the log'
    run 6 replay "$L" --account "$x"
    err_has 'lies in the directory of the log'
    run 6 prove "$L" 3 --out "$x"
    run 6 prove "$L" --from "$T/checkpoint" --out "$x"
    run 6 restore "$L" --out "$x"
    run 6 restore "$L" --out "$x" --dry-run
    run 6 rebuild "$L" --store --out "$x"
    run 6 rebuild "$L" --log --out "$x"
    run 6 drill "$L" --scratch "$x"
    err_has 'lies in a folder of a log'
    same "what lies in $at/" "$(ls -A "$L/$at")" "$(ls -A "$T/whole/$at" 2>&- || :)"
done
run 6 init "$L/log"
# Nor does any file go elsewhere in it, or into what another log has.
run 0 init "$T/second"
mkdir "$T/second/archive"
ln -s "$T/second/log" "$T/inner"
for x in "$L/x" "$L/log/x" "$T/second/log/x" "$T/second/archive/x" \
    "$T/second/drill.json" "$T/inner/x"; do
    for command in "salvage $L --out" "replay $L --account" "prove $L 3 --out" \
        "checkpoint $L --witness" "parity $L --watermark"; do
        # shellcheck disable=SC2086 # several words
        run 6 $command "$x"
        [ ! -e "$x" ] || wrong "$command made $x"
    done
done
run 0 prove "$L" 3 --out "$T/second/x" # beside it
run 0 parity "$T/second"
run 0 verify "$T/second"
# A store that is gone is none for an account, or for what is salvaged.
cp -R "$L" "$T/gone"
rm "$T"/gone/store.db*
for command in 'replay --account' 'salvage --out'; do
    # shellcheck disable=SC2086 # two words
    set -- $command
    run 6 "$1" "$T/gone" "$2" "$T/gone/store.db"
    err_has 'lies in the directory of the log'
    [ ! -e "$T/gone/store.db" ] || wrong 'it was made'
done
run 0 replay "$T/gone"
cd "$L/log" || exit 1
run 6 salvage .. --out x
run 6 init x
cd "$T" || exit 1
run 0 parity "$L"
run 0 verify "$L"

finish
