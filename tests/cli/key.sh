#!/bin/sh
# key.sh - key show, list, rotate and trust: a live log goes over to new keys.
. "$(dirname "$0")/lib.sh"

ids() {
    sed -n 's/^\([0-9a-f]\{8\}\)  .*/\1/p' "$T/out"
}

begin 'rotate, list, show'
fresh one --origin example.org/one
deltas 1 5 | run 0 append "$L" --quiet
first=$(cat "$T/vkey")
run 0 key rotate "$L" --dry-run
out_has 'nothing changed'
run 0 key show "$L"
out_is "$first"
run 0 key rotate "$L"
second=$(cat "$T/out")
[ "$second" != "$first" ] || wrong 'the key did not change'
run 0 key show "$L"
out_is "$second"
run 0 key list "$L"
out_has 'sizes 1 to 7'
out_has 'sizes from 8, in force, its secret is here'
same 'keys' "$(ids | wc -l | tr -d ' ')" 2
deltas 6 10 | run 0 append "$L" --quiet
run 0 parity "$L"
same 'mode' "$(stat -c %a "$L/keys/signing.key")" 600
same 'files' "$(find "$L/keys" -name 'signing.*' | wc -l | tr -d ' ')" 1

begin 'the old secret is gone'
# shellcheck disable=SC2086
id=${first#*+}
! grep -q "+${id%%+*}+" "$L/keys/signing.key" || wrong 'it is still there'

begin 'pinned by each key; another log'
for pin in "$first" "$second"; do
    run 0 verify "$L" --key "$pin"
    run 0 parity "$L" --key "$pin"
    run 0 replay "$L" --key "$pin" --quiet
done
keep=$L
fresh other
run 12 verify "$keep" --key "$(cat "$T/vkey")"
run 12 parity "$keep" --key "$(cat "$T/vkey")"
other=$(cat "$T/vkey")
L=$keep

begin 'a store made anew knows the keys'
run 0 replay "$L" --fresh --quiet
run 0 parity "$L"
mv "$L/store.db" "$T/away.db"
rm -f "$L/store.db-wal" "$L/store.db-shm"
run 0 key list "$L"
out_has 'sizes from 8, in force'
run 0 replay "$L" --quiet
run 0 parity "$L"
deltas 11 12 | run 0 append "$L" --quiet

begin 'three processes append while the key is rotated four times'
fresh live --segment-size 4096
for n in 1 2 3; do
    k=0
    while [ $k -lt 30 ]; do
        deltas $((n * 1000 + k)) $((n * 1000 + k))
        sleep 0.01
        k=$((k + 1))
    done | "$PARITYLOG" append "$L" --group 1 --quiet 2>"$T/err.$n" &
    eval "pid$n=$!"
done
for n in 1 2 3 4; do
    sleep 0.1
    run 0 key rotate "$L"
done
for n in 1 2 3; do
    eval "wait \$pid$n" || wrong "writer $n: $(cat "$T/err.$n")"
done
run 0 parity "$L" --json
same 'entries' "$(sed 's/.*"entries":\([0-9]*\).*/\1/' "$T/out")" 95
run 0 key list "$L"
same 'keys' "$(ids | wc -l | tr -d ' ')" 5

begin 'a secret that is not in force signs nothing'
fresh back
cp "$L/keys/signing.key" "$T/old.key"
run 0 key rotate "$L"
cp "$T/old.key" "$L/keys/signing.key"
deltas 1 1 | run 12 append "$L" --quiet
run 0 parity "$L"

begin 'passphrases'
printf 'one\n' >"$T/p1"
printf 'two\n' >"$T/p2"
chmod 600 "$T/p1" "$T/p2"
fresh secret --passphrase-file "$T/p1"
run 12 key rotate "$L"
run 0 key rotate "$L" --passphrase-file "$T/p1" --new-passphrase-file "$T/p2"
deltas 1 1 | run 12 append "$L" --passphrase-file "$T/p1" --quiet
deltas 1 1 | run 0 append "$L" --passphrase-file "$T/p2" --quiet
run 0 key rotate "$L" --passphrase-file "$T/p2"
run 12 append "$L" --quiet </dev/null
deltas 2 2 | run 0 append "$L" --passphrase-file "$T/p2" --quiet
run 0 parity "$L"
run 1 append "$L" --passphrase-file "$T/nowhere" --quiet </dev/null
err_has "passphrase file $T/nowhere: "
: >"$T/p3"
run 2 key rotate "$L" --passphrase-file "$T/p2" --new-passphrase-file "$T/p3"
err_has "passphrase file $T/p3 is empty"

begin 'the key of before a rotation, put back: which one is wanted'
fresh before
id=$(sed 's/.*+\([0-9a-f]\{8\}\)+.*/\1/' "$L"/keys/*.vkey)
cp "$L/keys/signing.key" "$T/before.key"
run 0 key rotate "$L"
cp "$L/keys/signing.key" "$T/after.key"
cp "$T/before.key" "$L/keys/signing.key"
deltas 1 1 | run 12 append "$L" --json
error_is KEY '(.error.message | test("signing.key is '"$id"', which it had")) and
    (.error.hint | test("^put key [0-9a-f]{8} back as keys/signing.key")) and
    (.error.hint | test("passphrase") | not)'
cp "$T/after.key" "$L/keys/signing.key"
deltas 1 1 | run 0 append "$L" --quiet

begin 'trust'
run 0 key trust "$L" "$other" --dry-run
run 0 key trust "$L" "$other"
out_is 'added to keys/'
run 0 key trust "$L" "$other"
out_is 'trusted already'
run 6 key trust "$L" "x+00000000+AAAA"
run 0 key list "$L"
out_has 'not of this log'
run 0 parity "$L"

begin 'a signing key that cannot be used: what to do, and no word of passphrases'
fresh unusable
cp "$L/keys/signing.key" "$T/kept.key"
chmod 644 "$L/keys/signing.key"
run 12 append "$L" --json </dev/null
error_is KEY '.error.hint == "chmod 600 DIR/keys/signing.key"'
sh -c "$(sed "s|.*\"hint\":\"\([^\"]*\)\".*|\1|; s|DIR|$L|" "$T/err")"
run 0 append "$L" --quiet </dev/null
for text in '' 'no key' 'PRIVATE+KEY+x+00000000+AAAA'; do
    printf %s "$text" >"$L/keys/signing.key"
    run 12 append "$L" --json </dev/null
    error_is KEY '(.error.file == "keys/signing.key") and
        (.error.hint | test("back from a copy")) and
        (.error.hint | test("passphrase") | not)'
done
rm "$L/keys/signing.key"
ln -s ../../kept.key "$L/keys/signing.key"
run 12 append "$L" --json </dev/null
error_is KEY '.error.hint | test("back from a copy")'
rm "$L/keys/signing.key"
cp "$T/kept.key" "$L/keys/signing.key"
mv "$L/keys" "$T/kept.keys"
ln -s ../kept.keys "$L/keys"
run 12 append "$L" --json </dev/null
error_is KEY '(.error.message | test("keys/ is a link")) and
    (.error.hint | test("links are not followed"))'
rm "$L/keys"
mv "$T/kept.keys" "$L/keys"
run 0 append "$L" --quiet </dev/null

begin 'trust: an empty .vkey is in the way, and how to go on'
file=$(cd "$L" && ls keys/*.vkey)
cp "$L/$file" "$T/good.vkey"
: >"$L/$file"
run 6 key trust "$L" "$(cat "$T/good.vkey")" --json
error_is EXISTS '(.error.file | startswith("keys/")) and
    (.error.hint | test("mv DIR/keys/[0-9a-f]*.vkey to another folder"))'
mv "$L/$file" "$T/empty.vkey"
run 0 key trust "$L" "$(cat "$T/good.vkey")"
run 0 parity "$L"
echo nonsense >"$L/$file"
run 12 verify "$L" --json
error_is KEY '(.error.line == 1) and (.error.hint | test("mv DIR/keys/"))'

begin 'an error is no empty list'
run 10 key list "$T/nothing" --json
out_empty
error_is NOTHING
run 12 key list "$L" --json
out_empty
error_is KEY

begin 'keys/ is lost: what is said leads to trusting the key again'
filled lost 10
kept=$(cat "$T/vkey")
rm -r "$L/keys"
run 12 parity "$L" --json
json_is "$T/out" '.findings[0].next | test("paritylog key trust DIR VKEY")'
run 0 verify "$L" --key "$kept"
run 6 init "$L"
[ ! -e "$L/keys" ] || wrong 'a refused init made keys/'
run 0 key trust "$L" "$kept" --dry-run
[ ! -e "$L/keys" ] || wrong 'a dry run made keys/'
run 0 key trust "$L" "$kept"
run 0 parity "$L"

finish
