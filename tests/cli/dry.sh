#!/bin/sh
# dry.sh - dry runs refuse what the real ones would, and change nothing.
. "$(dirname "$0")/lib.sh"

filled other 3

# both STATUS ARGUMENT...: in earnest and dry; nothing is changed.
both() {
    run "$@"
    run "$@" --dry-run
    out_empty
    run "$@" --dry-run --json
    out_empty
    json_valid "$T/err"
}

each() {
    both "$1" cursor set "$L" crm pets y
    both "$1" strategy "$L" arrival
    both "$1" redact "$L" 2 --reason x
    both "$1" key rotate "$L"
}

begin 'a dry run refuses what the real one would'
filled dry 3
log_digest >"$T/sum.1"
both 10 cursor set "$T/nothing" crm pets x
both 6 cursor set "$L" '' pets x
err_has "a cursor's source and resource have"
both 6 cursor set "$L" "$(printf '%0300d' 1)" pets x
both 6 cursor set "$L" "$(printf 'a\377')" pets x
both 6 cursor set "$L" crm pets "$(printf '%05000d' 1)"
mv "$L/keys/signing.key" "$T/kept.key"
each 12
cp "$T/other/keys/signing.key" "$L/keys/signing.key" # of another log
each 12
mv "$T/kept.key" "$L/keys/signing.key"
mv "$L/store.db" "$T/kept.db"
each 3
mv "$T/kept.db" "$L/store.db"
run 0 strategy "$L" last-write-wins --dry-run
out_is 'last-write-wins, as before'
log_digest >"$T/sum.2"
files_equal "$T/sum.1" "$T/sum.2"
mkdir "$T/segments"
mv "$L"/log/* "$T/segments"
printf '{"x":1}\n' >"$S"
each 5
rm "$S"
mv "$T/segments"/* "$L/log"
run 0 parity "$L"

begin 'a dry run with the passphrase, and without it'
(umask 077; echo one-two >"$T/pass")
fresh sealed --passphrase-file "$T/pass"
both 12 cursor set "$L" crm pets y
run 0 cursor set "$L" crm pets y --dry-run --passphrase-file "$T/pass"
out_is 'dry run, nothing changed'
run 0 key rotate "$L" --dry-run --passphrase-file "$T/pass"
run 0 cursor set "$L" crm pets y --passphrase-file "$T/pass"

finish
