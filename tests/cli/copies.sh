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

finish
