#!/bin/sh
# continue.sh - paritylog restore --continue-as: a copy that goes on under a
# name and a key of its own.
. "$(dirname "$0")/lib.sh"

fresh log --segment-size 4096
deltas 1 20 | run 0 append "$L" --group 3 --quiet
W=$L
old=$(cat "$T/vkey")
log_digest >"$T/sum.1"

begin 'refused: its own name, a name that is none, with --adopt'
origin=$("$PARITYLOG" status "$W" --json | sed 's/.*"origin":"\([^"]*\)".*/\1/')
run 2 restore "$W" --out "$T/no" --continue-as "$origin"
run 2 restore "$W" --out "$T/no" --continue-as 'two words'
run 2 restore "$W" --out "$T/no" --continue-as new --adopt 1:AAAA
run 2 restore "$W" --out "$T/no" --passphrase-file "$T/vkey"
[ ! -e "$T/no" ] || wrong 'something was written'

begin 'it goes on, and appends'
run 0 restore "$W" --out "$T/on" --at 10 --continue-as example.org/on
new=$("$PARITYLOG" key show "$T/on")
out_has "$new"
deltas 50 60 | run 0 append "$T/on" --group 2 --quiet
run 0 parity "$T/on"
run 0 parity "$T/on" --key "$new"
run 12 parity "$T/on" --key "$old"
run 0 get "$T/on" pets 50
run 8 get "$T/on" pets 15
run 0 history "$T/on" pets 4
[ "$(sed 's/.*+\([0-9a-f]*\)+.*/\1/' "$T/on"/keys/*.vkey | sort -u | wc -l)" -eq 2 ] ||
    wrong 'not two verifier keys'

begin 'the original is untouched, and each refuses to be the other'
L=$W
log_digest >"$T/sum.2"
files_equal "$T/sum.1" "$T/sum.2"
run 0 checkpoint "$T/on"
cp "$T/out" "$T/note"
run 5 prove "$W" --from "$T/note"
run 12 verify "$W" --key "$new"

begin 'either leg of it rebuilds the other'
rm -rf "$T/built" "$T/store"
run 0 rebuild "$T/on" --log --out "$T/built"
for file in "$T/on"/log/*; do
    files_equal "$file" "$T/built/log/${file##*/}"
done
run 0 rebuild "$T/on" --store --out "$T/store"
rm -f "$T/on"/store.db*
run 0 replay "$T/on" --quiet
run 0 parity "$T/on" --key "$new"
run 0 drill "$T/on"

begin 'healed from its store, each segment in turn missing'
for file in "$T/on"/log/*; do
    rm -rf "$T/heal"
    cp -R "$T/on" "$T/heal"
    rm "$T/heal/log/${file##*/}"
    run 0 salvage "$T/heal" --from-store
    files_equal "$file" "$T/heal/log/${file##*/}"
    run 0 parity "$T/heal" --key "$new"
done

begin 'restored below and behind the place where it went on'
for at in 4 9 11 14; do
    rm -rf "$T/at"
    run 0 restore "$T/on" --out "$T/at" --at $at
    run 0 parity "$T/at"
done

begin 'under a passphrase, after a rotation, and once more'
echo sesame >"$T/pass"
chmod 600 "$T/pass"
run 0 key rotate "$T/on"
run 0 restore "$T/on" --out "$T/third" --continue-as third \
    --passphrase-file "$T/pass"
deltas 70 71 | run 12 append "$T/third" --quiet
deltas 70 71 | run 0 append "$T/third" --quiet --passphrase-file "$T/pass"
run 0 parity "$T/third" --key "$("$PARITYLOG" key show "$T/third")"
run 0 key list "$T/third"
out_lines 8

begin 'the first name again: its old key does not vouch for who took it'
run 0 restore "$T/third" --out "$T/back" --continue-as "$origin" \
    --passphrase-file "$T/pass"
run 0 verify "$T/back" --key "$("$PARITYLOG" key show "$T/back")"
run 12 verify "$T/back" --key "$old"
run 12 verify "$T/back" --key "$new"
rm "$T"/back/keys/*.vkey
run 0 key trust "$T/back" "$old"
run 12 parity "$T/back"
deltas 80 81 | run 12 append "$T/back" --quiet --passphrase-file "$T/pass"

begin 'with redactions on either side of the place'
run 0 redact "$W" 8 --reason one
run 0 restore "$W" --out "$T/black" --at 12 --continue-as black
run 0 redact "$T/black" 4 --reason two
run 0 parity "$T/black" --key "$("$PARITYLOG" key show "$T/black")"
run 0 drill "$T/black"

finish
