#!/bin/sh
# salvage.sh - paritylog salvage: what can be read of a damaged log, and
# healing it from the store.
. "$(dirname "$0")/lib.sh"

filled whole 200 --segment-size 8192
W=$L
segments=$(cd "$W/log" && echo *)
# shellcheck disable=SC2086
third=$(printf '%s\n' $segments | sed -n 3p)
# shellcheck disable=SC2086
last=$(printf '%s\n' $segments | tail -n 1)

third_seq=$(printf '%s\n' "${third%.jsonl}" | sed 's/^0*//')

# copy NAME: a copy to damage; its directory is $L.
copy() {
    L=$T/$1
    rm -rf "$L"
    cp -R "$W" "$L"
}

# is_whole: the log is what it was, byte for byte, and parity says so.
is_whole() {
    same 'the segments' "$(cd "$L/log" && echo *)" "$segments"
    for file in $segments; do
        files_equal "$W/log/$file" "$L/log/$file"
    done
    [ ! -e "$L/salvage" ] || wrong 'the scratch folder is still there'
    run 0 parity "$L"
}

# kept FILE: its bytes are in quarantine/, whole.
kept() {
    for file in "$L"/quarantine/*; do
        ! cmp -s "$1" "$file" || return 0
    done
    wrong "$1 is not in quarantine/"
}

# heals: the damaged file is set aside, and the log is whole again.
heals() {
    [ ! -e "$L/log/$third" ] || cp "$L/log/$third" "$T/damaged"
    run 0 salvage "$L" --from-store
    out_has healed
    [ ! -e "$T/damaged" ] || kept "$T/damaged"
    rm -f "$T/damaged"
    is_whole
}

# change EXPRESSION: a sed expression on the third segment.
change() {
    copy damaged.log
    sed "$1" "$W/log/$third" >"$L/log/$third"
    ! cmp -s "$W/log/$third" "$L/log/$third" || wrong "nothing changed: $1"
}

# ---- Reading ----------------------------------------------------------------------

begin 'a whole log: every line is given out, nothing is changed'
copy read
run 0 salvage "$L" --out "$T/lines"
out_has CLEAN
cat "$W"/log/* | grep -v '^{"segment"' >"$T/want"
files_equal "$T/lines" "$T/want"
[ ! -e "$L/quarantine" ] || wrong 'something is in quarantine'

begin 'a flipped byte: one group cannot be used, the others are given out'
copy flipped
at=$(offset_of "$L/log/$third" '"v":')
flip "$L/log/$third" $((at + 4))
cp "$L/log/$third" "$T/damaged"
rm -f "$T/lines"
run 5 salvage "$L" --out "$T/lines" --json
json_is "$T/out" '.schema == "paritylog/salvage/1" and .verdict == "TAMPERED"
    and (.ranges | length) == 1 and .unusable.ranges == 1 and
    .ranges[0].file == "log/'"$third"'" and .ranges[0].healed == false and
    .intact.entries == 191 and .ranges[0].to - .ranges[0].from == 9'
files_equal "$L/log/$third" "$T/damaged"
set -- "$L"/quarantine/*
if have jq; then # the range is kept, byte for byte
    from=$(jq .ranges[0].begin "$T/out") to=$(jq .ranges[0].end "$T/out")
    tail -c +$((from + 1)) "$T/damaged" | head -c $((to - from)) >"$T/range"
    files_equal "$1" "$T/range"
fi
grep -v -x -F -f "$T/lines" "$T/want" >"$T/lacking"
same 'lines that lack' "$(($(wc -l <"$T/lacking")))" 11

begin '--dry-run keeps nothing'
rm -r "$L/quarantine"
run 5 salvage "$L" --dry-run
out_has 'dry run, nothing changed'
out_has 'next       paritylog parity DIR says what mends each finding'
cp -a "$L" "$T/alone" && rm "$T/alone"/store.db*
run 5 parity "$T/alone" # which does not name `salvage` for that in turn
out_has 'what lies before the damage: paritylog rebuild DIR --store --out NEW'
out_lacks 'salvage DIR says'
run 5 rebuild "$T/alone" --store --out "$T/part"
[ ! -e "$L/quarantine" ] || wrong 'something is in quarantine'

begin '--out is a new file'
run 6 salvage "$L" --out "$T/lines"
run 2 salvage "$L" --out "$T/other" --from-store
run 2 salvage "$L" --out "$T/other" --dry-run
err_has '--out writes a file'
[ ! -e "$T/other" ] || wrong 'it was written all the same'

# left_by NAME: what a run left in the folder of the new file.
left_by() {
    same "what $1 left" "$(cd "$T/new" && echo *)" "$2"
}

# told_where: nothing is in the folder of the new file, or what the run has read
# before its error, in whole lines, and it has said where.
told_where() {
    left=$(cd "$T/new" && echo *)
    [ "$left" != '*' ] || return 0
    case $left in
    lines.part-*-0 | lines) err_has "are in $T/new/$left" ;;
    *) wrong "left was $left" ;;
    esac
    head -n "$(($(wc -l <"$T/new/$left")))" "$T/whole.lines" >"$T/first.lines"
    files_equal "$T/first.lines" "$T/new/$left"
    echo "${left%%-*}" >>"$T/were_left"
    rm "$T/new/$left"
}

begin '--out appears whole or not at all'
mkdir "$T/new"
copy large
deltas 1000 6000 >"$T/in"
run 0 append "$L" "$T/in" --quiet
run 0 salvage "$L" --out "$T/new/whole"
left_by success whole
mv "$T/new/whole" "$T/whole.lines"
(
    trap '' XFSZ
    ulimit -f 64
    run 1 salvage "$L" --out "$T/new/full"
    err_has "$T/new/full: File too large"
)
left_by 'a full disk' '*'
# end_early SIGNAL: 0 when it came in time, else the file is there, and whole.
end_early() {
    (
        "$PARITYLOG" salvage "$L" --out "$T/new/lines" >"$T/out" 2>"$T/err" &
        pid=$!
        tries=0
        while [ -z "$(ls "$T/new")" ] && [ $tries -lt 500 ]; do
            sleep 0.001
            tries=$((tries + 1))
        done
        kill -"$1" $pid
        wait $pid
    ) 2>"$T/killed"
    [ -e "$T/new/lines" ] || return 0
    files_equal "$T/new/lines" "$T/whole.lines"
    rm "$T/new/lines"
    return 1
}
for signal in TERM KILL; do
    tries=0
    until end_early $signal || [ $tries -ge 20 ]; do
        tries=$((tries + 1))
    done
    [ $tries -lt 20 ] || echo "# SIG$signal came too late 20 times"
    [ $signal = KILL ] || told_where
done
run 0 salvage "$L" --out "$T/new/lines" # whatever was left
files_equal "$T/new/lines" "$T/whole.lines"
: >"$T/new/mine.part"
run 0 salvage "$L" --out "$T/new/mine"
[ -e "$T/new/mine.part" ] || wrong "a file of the user's is gone"
run 6 salvage "$L" --out "$T/new/mine"

begin 'what was read before an error stays, and is named'
failing=${BUILD:-$top/build}/tests/paritylog-failing
[ -x "$failing" ] || failing=$(dirname "$PARITYLOG")/tests/paritylog-failing
if [ -x "$failing" ]; then
    copy small
    cp "$T/want" "$T/whole.lines"
    rm -rf "$T/new" "$T/were_left"
    mkdir "$T/new"
    n=0 status=1 # until no call is left that could fail
    while [ $n -lt 400 ]; do
        n=$((n + 1))
        SWEEP_FAIL=EIO:$n SWEEP_REPORT=$T/reached "$failing" salvage "$L" \
            --out "$T/new/lines" --json >"$T/out" 2>"$T/err"
        status=$?
        grep -q '^reached' "$T/reached" || break
        if [ $status = 0 ]; then
            files_equal "$T/new/lines" "$T/whole.lines"
            rm "$T/new/lines"
        else
            told_where
        fi
        rm -f "$T"/new/*
    done
    same 'the last one' "$status" 0
    same 'what was left' "$(sort -u "$T/were_left" | tr '\n' ' ')" \
        'lines lines.part '
else
    skip 'paritylog-failing was not built'
fi

# ---- Healing ----------------------------------------------------------------------

begin 'a flipped byte'
copy flipped
flip "$L/log/$third" $((at + 4))
run 5 salvage "$L" --from-store --dry-run
out_has 'dry run, nothing changed'
run 5 verify "$L"
heals

begin 'an entry line removed, doubled, swapped, edited'
change 5d
heals
change 5p
heals
change '5{h;d};6{G}'
heals
change '5s/"v":[0-9]*/"v":0/'
heals

begin 'a commit line removed, doubled, edited'
commit=$(grep -n '^{"commit"' "$W/log/$third" | sed -n '1s/:.*//p')
change "${commit}d"
heals
change "${commit}p"
heals
change "${commit}s/\"size\":/\"size\":1/"
heals

begin 'a header removed, doubled, edited'
change 1d
heals
change 1p
heals
change '1s/"first":/"first":1/'
heals

begin 'zeros, and a cut, in the middle'
copy zeros
dd if=/dev/zero of="$L/log/$third" bs=512 seek=4 count=3 conv=notrunc 2>/dev/null
heals
copy cut
head -c 3000 "$W/log/$third" >"$L/log/$third"
heals

begin 'a segment missing, renamed, there twice'
copy missing
rm "$L/log/$third"
heals
copy renamed
mv "$L/log/$third" "$L/log/00000000000000000077.jsonl"
heals
copy twice
cp "$L/log/$third" "$L/log/00000000000000000077.jsonl"
run 0 salvage "$L" --from-store
kept "$W/log/$third"
is_whole

begin 'two segments that took each other'"'"'s name'
copy swapped
mv "$L/log/$third" "$T/third.kept"
mv "$L/log/$last" "$L/log/$third"
mv "$T/third.kept" "$L/log/$last"
run 5 verify "$L"
run 0 salvage "$L" --from-store
kept "$W/log/$third"
kept "$W/log/$last"
is_whole

begin 'no segment at all, no log/ at all'
copy none
plan() { # what would be healed is told, and nothing is made
    run 5 salvage "$L" --from-store --dry-run
    out_has 'dry run, nothing changed'
    out_has "log/$third: healed"
    out_has "$(printf '%s\n' "$segments" | wc -w | tr -d ' ') segments, 201"
    run 5 salvage "$L" --from-store --dry-run --json
    json_is "$T/out" '.verdict == "ROLLBACK" and .healed.entries == 201 and
        .next == null'
}
rm "$L"/log/*
plan
heals
rm -r "$L/log"
plan
[ ! -e "$L/log" ] || wrong 'the plan made log/'
heals

begin 'the end of the log cut off: the store brings it back'
copy end
head -c 700 "$W/log/$last" >"$L/log/$last"
cp "$L/log/$last" "$T/damaged"
run 5 parity "$L"
run 0 salvage "$L" --from-store
kept "$T/damaged"
rm "$T/damaged"
is_whole

begin 'damage in both legs: that segment is left as it is, the others are healed'
copy both
flip "$L/log/$third" $((at + 4))
rm "$L/log/$last"
seq=$(sed -n 2p "$W/log/$third" | sed 's/{"seq":\([0-9]*\),.*/\1/')
sql "$L/store.db" "UPDATE events SET line=line||' ' WHERE seq=$seq"
cp "$L/log/$third" "$T/damaged"
run 5 salvage "$L" --from-store --json
json_is "$T/out" '.healed.segments == 1 and .healed.left == 1 and
    .verdict == "TAMPERED" and ([.ranges[] | select(.healed == false)] |
    length == 1 and .[0].begin > 0 and .[0].end > .[0].begin and
    .[0].to == .[0].from + 9) and (.next | startswith("bring what is left"))'
files_equal "$L/log/$third" "$T/damaged"
run 5 salvage "$L" --from-store
out_has 'next       bring what is left as it is back from a copy of the log'
# No hint leads back: parity names the copy, and what lies before can be had.
run 5 parity "$L"
out_has 'next      bring this file back from a copy of the log'
out_lacks 'salvage DIR --from-store'
run 5 replay "$L" --fresh
err_has 'paritylog rebuild DIR --store --out NEW'
run 5 rebuild "$L" --store --out "$T/prefix"
rm -r "$T/prefix"
files_equal "$L/log/$last" "$W/log/$last"
rm "$T/damaged"

begin 'a whole log stays as it is, whatever the table of segments says'
for change in "DELETE FROM segments WHERE first=$third_seq" \
    'DELETE FROM segments' 'INSERT INTO segments VALUES(45),(52)' \
    'UPDATE segments SET first=first+1 WHERE first>1'; do
    copy table
    sql "$L/store.db" "$change"
    run 0 salvage "$L" --from-store
    out_has 'healed     0 segments'
    [ ! -e "$L/quarantine" ] || wrong "set aside after: $change"
    for file in $segments; do
        files_equal "$W/log/$file" "$L/log/$file"
    done
    same 'the segments' "$(cd "$L/log" && echo *)" "$segments"
    run 3 parity "$L"
done

begin 'a name that is no segment'
copy names
echo notes >"$L/log/notes.txt"
mkdir "$L/log/folder"
run 5 verify "$L"
run 0 salvage "$L" --from-store
out_has 'log/notes.txt: healed: a file that is no segment; kept in quarantine/'
is_whole

begin 'two long names are told apart, and steer no terminal'
copy long
long=$(printf '%0100d' 0)
echo notes >"$L/log/$long-a"
echo notes >"$L/log/$long-b"
echo notes >"$L/log/$(printf 'c\033[31m')"
run 5 salvage "$L" --from-store --dry-run
out_has "log/$long-a: healed"
out_has "log/$long-b: healed"
out_has 'log/c\x1B[31m: healed'
run 0 salvage "$L" --from-store
out_has '; kept in quarantine/c\x1B[31m'
is_whole

begin 'the store of another log heals nothing'
copy stranger
filled stranger.log 50
cp "$L"/store.db* "$T/stranger/"
L=$T/stranger
flip "$L/log/$third" $((at + 4))
log_digest >"$T/before"
run 5 salvage "$L" --from-store
err_has 'the store belongs to'
log_digest >"$T/after"
files_equal "$T/before" "$T/after"

begin 'killed at any moment, and again'
i=0
while [ $i -lt "$(many 12)" ]; do
    i=$((i + 1))
    copy killed
    flip "$L/log/$third" $((at + 4))
    rm "$L/log/$last"
    cp "$L/log/$third" "$T/damaged"
    for again in 1 2; do
        "$PARITYLOG" salvage "$L" --from-store >/dev/null 2>&1 &
        pid=$!
        sleep "0.00$((i * again % 10))"
        kill -9 $pid 2>/dev/null
        wait $pid 2>/dev/null
    done
    run 0 salvage "$L" --from-store --quiet
    kept "$T/damaged"
    is_whole
done

begin 'a store that cannot be told of redactions'
copy index
seq=$(sed -n 2p "$L/log/$third" | sed 's/{"seq":\([0-9]*\),.*/\1/')
run 0 redact "$L" "$seq" --reason asked
sql "$L/store.db" 'PRAGMA wal_checkpoint(TRUNCATE)'
run 0 query "$L" "SELECT rootpage-1 FROM sqlite_schema WHERE
    name='redactions_pending'" --format csv
head -c 4096 /dev/zero | tr '\0' Z |
    dd of="$L/store.db" bs=4096 seek="$(tail -n 1 "$T/out")" conv=notrunc \
        2>/dev/null
sed -i '3s/"v":[0-9]*/"v":0/' "$L/log/$third"
cp "$L/log/$third" "$T/damaged"
run 0 salvage "$L" --from-store --json
json_is "$T/out" '.verdict == "CLEAN" and .healed.segments == 1 and
    .pending == null and (.pending_why | endswith("(SQLite 11)")) and
    (.next | startswith("paritylog replay DIR --fresh: "))'
kept "$T/damaged"
run 0 salvage "$L" --from-store
out_has 'pending    unknown: store.db: using the store: database disk image'
out_has 'next       paritylog replay DIR --fresh: '
run 0 replay "$L" --fresh --quiet
run 0 salvage "$L" --from-store
out_has 'pending    1 redacted entries'
rm "$T/damaged"

begin 'two signed histories: nothing is decided, 5'
fresh forked
deltas 1 5 | run 0 append "$L" --quiet
cp -R "$L" "$T/forked.2"
deltas 6 9 | run 0 append "$L" --quiet
deltas 16 19 | run 0 append "$T/forked.2" --quiet
rm "$L"/store.db*
cp "$T/forked.2"/store.db* "$L"
log_digest >"$T/sum.1"
run 5 salvage "$L"
out_has FORK
run 5 salvage "$L" --from-store
out_has FORK
run 5 parity "$L"
out_has 'compare both heads with a witness'
out_lacks '--fresh' # neither for the head nor for the entries that differ
run 5 doctor "$L"
out_lacks '--fresh'
run 5 rebuild "$L" --log --install
out_has 'two signed histories'
out_lacks WHOLE
log_digest >"$T/sum.2"
files_equal "$T/sum.1" "$T/sum.2"

begin 'a log that was set back is not called whole'
fresh set-back
deltas 1 5 | run 0 append "$L" --quiet
cp "$S" "$T/earlier"
deltas 6 9 | run 0 append "$L" --quiet
cp "$T/earlier" "$S"
run 5 salvage "$L"
out_has ROLLBACK
run 0 salvage "$L" --from-store
run 0 parity "$L"

begin 'a store that ends before the log begins heals nothing, and brings nothing back'
filled older 20 --segment-size 4096
run 0 peer add "$L" p
mkdir "$T/older.kept"
cp "$L"/store.db* "$T/older.kept"
deltas 21 60 | run 0 append "$L" --quiet
run 0 rotate "$L"
run 0 checkpoint "$L"
run 0 peer ack "$L" p "$(sed -n 2p "$T/out")"
run 0 compact "$L"
deltas 61 64 | run 0 append "$L" --quiet
rm "$L"/store.db*
cp "$T"/older.kept/* "$L"
run 0 salvage "$L" --from-store --dry-run # archive/ has what lies between
rm -r "$L/archive"
log_digest >"$T/sum.1"
run 7 salvage "$L" --from-store --dry-run
run 7 salvage "$L" --from-store
out_has 'paritylog replay DIR --fresh'
run 7 rebuild "$L" --log --install --dry-run
out_has 'NOT INSTALLED'
run 7 rebuild "$L" --log --install
out_has 'NOT INSTALLED'
out_has 'nothing was changed'
log_digest >"$T/sum.2"
files_equal "$T/sum.1" "$T/sum.2"
run 0 verify "$L"
run 0 replay "$L" --fresh
run 0 parity "$L"

finish
