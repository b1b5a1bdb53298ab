#!/bin/sh
# network.sh - writing on a network file system is refused, unless told.
#
# The type of the file system is what the table of tests/lib/order_main.c says.
. "$(dirname "$0")/lib.sh"

case $PARITYLOG in
*paritylog-checked) ;;
*)
    begin 'a network file system'
    skip 'this command is not the one that tests are run with'
    finish
    ;;
esac

nfs=0x6969
filled log 5
W=$L
L=$T/new

# on TYPE STATUS ARGUMENT...: run, on such a file system.
on() {
    type=$1
    shift
    PARITYLOG_TEST_FS=$type
    export PARITYLOG_TEST_FS
    run "$@"
    unset PARITYLOG_TEST_FS
}

# refused ARGUMENT...
refused() {
    on $nfs 1 "$@"
    err_has 'network file system (nfs)'
    err_has '--network-fs-ok'
}

begin 'init: refused, allowed, and not kept'
refused init "$L"
[ ! -e "$L/keys/signing.key" ] || wrong 'a key was made'
on $nfs 0 init "$L" --network-fs-ok
deltas 1 3 >"$T/in"
refused append "$L" "$T/in"
on $nfs 0 append "$L" "$T/in" --network-fs-ok --quiet
run 0 parity "$L"
out_has '4 entries'

begin 'the other commands that write; a new place, too'
refused strategy "$L" arrival
on $nfs 0 strategy "$L" arrival --network-fs-ok
for fresh in '' --fresh; do
    # shellcheck disable=SC2086
    refused replay "$L" $fresh
    [ ! -e "$L/quarantine" ] || wrong 'the store was set aside'
    # shellcheck disable=SC2086
    on $nfs 0 replay "$L" $fresh --network-fs-ok
done
refused rebuild "$L" --store --out "$T/built"
refused restore "$L" --out "$T/restored"
refused restore "$L" --out "$T/goes-on" --continue-as other
for out in "$T"/built* "$T"/restored* "$T"/goes-on*; do
    [ ! -e "$out" ] || wrong "$out was left"
done
on $nfs 0 rebuild "$L" --store --out "$T/built" --network-fs-ok
on $nfs 0 restore "$L" --out "$T/restored" --network-fs-ok
on $nfs 0 restore "$L" --out "$T/goes-on" --continue-as other --network-fs-ok
refused salvage "$L"
on $nfs 0 salvage "$L" --network-fs-ok
refused salvage "$L" --from-store
on $nfs 0 salvage "$L" --from-store --network-fs-ok
refused rebuild "$L" --store --install
on $nfs 0 rebuild "$L" --store --install --network-fs-ok
on $nfs 0 rebuild "$L" --log --install --network-fs-ok
refused drill "$L" # which is noted
rm "$L/drill.json"
refused key rotate "$L"
refused redact "$L" 2 --reason test
run 0 parity "$L"

begin 'reading is as ever; doctor tells'
on $nfs 0 status "$L"
on $nfs 0 parity "$L"
on $nfs 1 doctor "$L"
grep -q '^bad *file system *nfs' "$T/out" || wrong 'doctor does not tell'
on 0x65735546 0 doctor "$L"
grep -q '^warn *file system *fuse' "$T/out" || wrong 'doctor does not warn'

begin 'for good: a file in the directory'
: >"$L/allow-network-fs"
on $nfs 0 append "$L" "$T/in" --quiet
on $nfs 0 drill "$L"
on $nfs 0 key rotate "$L"
on $nfs 0 redact "$L" 2 --reason test
on $nfs 0 doctor "$L"
grep -q '^warn *file system *nfs' "$T/out" || wrong 'doctor does not warn'

begin 'each of them; the rest passes'
for type in 0x517b 0xff534d42 0xfe534d42 0x01021997 0x00c36400 0x5346414f \
    0x73757245 0x01161970 0x7461636f; do
    on $type 1 append "$W" "$T/in" --quiet
done
for type in 0xef53 0x58465342 0x65735546 0x794c7630; do
    on $type 0 append "$W" "$T/in" --quiet
done

finish
