#!/bin/sh
# peer.sh - paritylog peer: who receives the log; what only the command does.
# Acknowledgements against the floor are in compact.sh.
. "$(dirname "$0")/lib.sh"

filled log 30 --segment-size 4096

begin 'added, acknowledged, taken back, evicted'
run 0 peer list "$L" --json
json_is "$T/out" '.schema == "paritylog/peers/1" and .peers == []'
run 0 peer add "$L" near
out_is 'added, by entry 32'
run 6 peer add "$L" near
err_has 'next: run: paritylog peer list DIR'
run 0 peer ack "$L" near 20
out_is 'the cursor moved from 0 to 20'
run 6 peer ack "$L" near 19
err_has 'peer rewind'
run 6 peer ack "$L" near 33
run 8 peer ack "$L" nobody 1
run 8 peer rewind "$L" nobody 1
run 8 peer evict "$L" nobody --reason gone
run 0 peer rewind "$L" near 10 --json
json_is "$T/out" '.action == "rewind" and .before == 20 and .cursor == 10 and
    .entry == 33'
run 0 peer evict "$L" near --reason 'gone for good' --json
json_is "$T/out" '.action == "evict" and .before == 10 and .cursor == 10 and
    .entry == 34'
run 0 log "$L" --from 33 --to 33
json_is "$T/out" '.control == "peer-rewind" and
    (.args | tojson) == "{\"name\":\"near\",\"seq\":10}"'
run 0 log "$L" --from 34
json_is "$T/out" '.control == "peer-evict" and
    (.args | tojson) == "{\"name\":\"near\",\"seq\":10,\"reason\":\"gone for good\"}"'
run 8 peer ack "$L" near 21
run 0 parity "$L"

begin 'a dry run says what the real one would, and changes nothing'
run 0 peer add "$L" far
run 0 peer ack "$L" far 20
log_digest >"$T/sum.1"
run 0 peer list "$L" --json
sed 's/"seconds":[^}]*//' "$T/out" >"$T/list.1"
run 0 peer add "$L" other --dry-run
out_has 'nothing changed'
run 6 peer add "$L" far --dry-run
run 0 peer ack "$L" far 30 --dry-run
run 6 peer ack "$L" far 10 --dry-run
run 0 peer rewind "$L" far 10 --dry-run --json
json_is "$T/out" '.dry_run and .before == 20 and .cursor == 10'
run 6 peer rewind "$L" far 25 --dry-run
run 0 peer evict "$L" far --reason gone --dry-run
run 8 peer evict "$L" other --reason gone --dry-run
log_digest >"$T/sum.2"
files_equal "$T/sum.1" "$T/sum.2"
run 0 peer list "$L" --json
sed 's/"seconds":[^}]*//' "$T/out" >"$T/list.2"
files_equal "$T/list.1" "$T/list.2"

begin 'limits warn, and are in the JSON; the exit status stays 0'
run 0 peer list "$L" --max-lag 15 --max-age 30d
err_empty
run 0 peer list "$L" --max-lag 14 --max-age 30d --json
err_has 'lacks 15 entries'
err_has 'peer evict'
json_is "$T/out" '.peers[0].over == ["lag"]'
sql "$L/store.db" "UPDATE peers SET seen='2020-01-01T00:00:00Z'"
run 0 peer list "$L" --max-lag 14 --max-age 30d --json
err_has 'lacks 15 entries and was not heard of for'
json_is "$T/out" '.peers[0].over == ["lag","age"]'
sql "$L/store.db" "UPDATE peers SET seen=NULL, cursor=0"
run 0 peer list "$L" --max-age 1h
err_empty
out_has 'never'
out_has 'far  holds the floor'

begin 'what a tampered store says does not steer a terminal'
sql "$L/store.db" "UPDATE peers SET seen=char(27)||'[31mred'"
run 0 peer list "$L"
out_has '\x1B[31mred'
out_lacks "$(printf '\033')"
sql "$L/store.db" "UPDATE peers SET seen=NULL"
run 0 peer add "$L" "$(printf 'a\033[31mb')"
run 0 peer list "$L" --max-lag 1
out_lacks "$(printf '\033')"
run 0 peer list "$L"
err_lacks 'warning'
run 0 peer list "$L" --max-lag 0
err_has 'warning'
err_lacks "$(printf '\033')"
run 0 parity "$L"

begin 'the key is asked for, also to acknowledge'
echo secret >"$T/pass"
chmod 600 "$T/pass"
fresh locked --passphrase-file "$T/pass"
run 12 peer add "$L" far
run 0 peer add "$L" far --passphrase-file "$T/pass"
run 12 peer ack "$L" far 1
run 0 peer ack "$L" far 1 --passphrase-file "$T/pass"
run 0 peer list "$L"
out_has 'far'

begin 'wrong calls write nothing, and an error is no empty list'
L=$T/log
log_digest >"$T/sum.1"
root=$(printf '%032d' 7 | base64)
for age in 0 0d nan inf 0x10 1e3 -5 +5 ' 5' 5w 5mm m '' 99999999999999999999; do
    run 2 peer list "$L" --max-age "$age"
done
run 2 peer list "$L" --max-lag -1
run 2 peer rewind "$L" far "0:$root"
err_has 'peer ack'
run 2 peer ack "$L" far 5:
run 2 peer ack "$L" far -5
run 2 peer ack "$L" far 99999999999999999999
run 2 peer ack "$L" far
run 2 peer evict "$L" far
run 6 peer evict "$L" far --reason ''
run 6 peer add "$L" ''
run 6 peer add "$L" "$(printf '%0256d' 1)"
run 6 peer add "$L" "$(printf 'a\377')"
run 2 peer
run 2 peer list
run 2 peer shift "$L"
run 10 peer list "$T/nothing" --json
out_empty
error_is NOTHING
run 10 peer ack "$T/nothing" far 1
log_digest >"$T/sum.2"
files_equal "$T/sum.1" "$T/sum.2"

finish
