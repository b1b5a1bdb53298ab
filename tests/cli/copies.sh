#!/bin/sh
# copies.sh - copies of copies: compacted, redacted and gone on under a name of
# their own, and then whatever a log must stand.
. "$(dirname "$0")/lib.sh"

# A log whose floor is 33, by entry 63.
filled log 60 --segment-size 4096
run 0 peer add "$L" bob
run 0 peer ack "$L" bob 33
run 0 compact "$L"
W=$L

begin 'the floor lies right before the entry by which a copy goes on'
run 0 restore "$W" --out "$T/on" --at 51 --continue-as example.org/on
deltas 101 102 | run 0 append "$T/on" --quiet
run 0 peer add "$T/on" al
run 0 peer ack "$T/on" al 51
run 0 compact "$T/on"
[ -e "$T/on/log/00000000000000000052.jsonl" ] || wrong 'another floor'
[ ! -e "$T/on/log/00000000000000000050.jsonl" ] || wrong 'nothing went'
run 0 parity "$T/on"
run 0 restore "$T/on" --out "$T/x"
run 0 drill "$T/on"
run 0 replay "$T/on" --fresh
rm "$T/on"/store.db*
run 0 replay "$T/on"
deltas 103 104 | run 0 append "$T/on" --quiet
run 0 compact "$T/on" --undo
run 0 parity "$T/on"

begin 'grown beyond the entry that lets it begin where it does'
run 0 restore "$W" --out "$T/grown" --at 51 --continue-as example.org/grown
deltas 201 240 | run 0 append "$T/grown" --group 5 --quiet
run 0 parity "$T/grown"
run 0 restore "$T/grown" --out "$T/x1" --at 61
run 0 parity "$T/x1"
run 0 restore "$T/grown" --out "$T/x2" --at 61 --continue-as example.org/x2
run 0 parity "$T/x2"
run 0 restore "$T/grown" --out "$T/x3" --at 80
run 0 parity "$T/x3"
run 0 peer add "$T/grown" al
run 0 peer ack "$T/grown" al 51 # compacted again, by a later entry than 63
run 0 compact "$T/grown"
run 0 restore "$T/grown" --out "$T/x4" --at 61
run 0 parity "$T/x4"
run 0 restore "$T/x4" --out "$T/x5" --at 57 # and a copy of that copy
run 0 parity "$T/x5"

begin 'an order of its own with the number of one that came along'
filled source 82 --segment-size 4096
run 0 redact "$L" 3 --reason source # entry 84
run 0 restore "$L" --out "$T/same" --at 51 --continue-as example.org/same
[ -e "$T/same/orders/84" ] || wrong 'no order came along'
mv "$T/same/orders/84" "$T/same/orders/by any name"
mkdir "$T/same/orders/84"
echo dirt >"$T/same/orders/85"
deltas 301 331 | run 0 append "$T/same" --group 4 --quiet
run 0 redact "$T/same" 5 --reason own
run 0 redact --list "$T/same" --json
json_is "$T/out" '.redactions[-1].order == 84'
run 0 parity "$T/same"
run 0 restore "$T/same" --out "$T/y0" --at 61 # names mean nothing
same 'files in orders/' "$(ls -x "$T/y0/orders")" '84  by any name'
run 0 parity "$T/y0"
rmdir "$T/same/orders/84"
mv "$T/same/orders/by any name" "$T/same/orders/84"
run 0 restore "$T/same" --out "$T/y1" --at 61
same 'files in orders/' "$(ls -x "$T/y1/orders")" '84  84.2'
run 0 parity "$T/y1"
run 0 restore "$T/y1" --out "$T/y2" --at 60
same 'files in orders/' "$(ls -x "$T/y2/orders")" '84  84.2'
run 0 parity "$T/y2"

begin 'a store that ends below the entry by which a copy goes on is behind'
run 0 restore "$W" --out "$T/below" --at 51 --continue-as example.org/below
deltas 401 403 | run 0 append "$T/below" --quiet
run 0 replay "$T/below" --fresh --to 51
run 3 status "$T/below"
out_has BEHIND
run 3 parity "$T/below"
out_has BEHIND
cp -R "$T/below" "$T/strange"
cp "$T/source/store.db"* "$T/strange/"
run 5 status "$T/strange"
out_has FOREIGN
run 0 replay "$T/below"
run 0 status "$T/below"

begin 'what no parity compares sends nobody to parity'
run 0 peer add "$T/grown" eve
run 0 peer ack "$T/grown" eve 70
run 0 peer ack "$T/grown" al 70
run 0 compact "$T/grown"
run 0 parity "$T/grown"
out_has 'base_state: there is a later snapshot'
run 0 doctor "$T/grown"
out_has 'not compared: base_state: there is a later snapshot'
out_lacks 'when nobody writes'

finish
