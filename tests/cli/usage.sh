#!/bin/sh
# usage.sh - help, versions, and what a wrong command line gives.
. "$(dirname "$0")/lib.sh"

commands='init append get history query log status verify parity replay
    checkpoint strategy key'

begin 'no command: the list on standard error, 2'
run 2
out_empty
err_has 'usage: paritylog COMMAND DIR'

begin 'help lists every command on standard output'
run 0 help
err_empty
for command in $commands; do
    out_has "  $command "
done

begin '--help is help'
run 0 help
cp "$T/out" "$T/help"
run 0 --help
files_equal "$T/out" "$T/help"

begin 'help with --json, which every command takes, is help'
for arguments in 'help --json' '--json help' '--help --json'; do
    # shellcheck disable=SC2086
    run 0 $arguments
    files_equal "$T/out" "$T/help"
done
run 0 help status
cp "$T/out" "$T/help"
for arguments in 'help --json status' 'help status --json' 'status --help --json'; do
    # shellcheck disable=SC2086
    run 0 $arguments
    files_equal "$T/out" "$T/help"
done
run 2 help --json nonsense
error_is USAGE '.error.message | test("nonsense")'

begin 'help of help is help'
run 0 help
cp "$T/out" "$T/help"
for arguments in 'help help' 'help --json help'; do
    # shellcheck disable=SC2086
    run 0 $arguments
    files_equal "$T/out" "$T/help"
done

begin 'each command explains itself, by help and by --help'
for command in $commands; do
    run 0 help "$command"
    cp "$T/out" "$T/help"
    out_has "usage: paritylog $command "
    run 0 "$command" --help
    files_equal "$T/out" "$T/help"
done

begin '--version says version and format'
run 0 --version
grep -q '^paritylog [0-9][0-9.]* (format 1)$' "$T/out" || wrong 'its form'
run 0 --version --json
json_is "$T/out" '.schema == "paritylog/version/1" and .format == 1'

begin 'an unknown command is refused, in text and JSON'
run 2 frobnicate "$T/x"
out_empty
err_has frobnicate
run 2 frobnicate --json
error_is USAGE '.error.hint | length > 0'

begin 'a word that is nearly a command: which one, and nothing is done'
for pair in statu:status sattus:status verfiy:verify apend:append compactt:compact; do
    run 2 "${pair%:*}" "$T/x"
    out_empty
    err_has "no command '${pair%:*}'; is it '${pair#*:}'?"
done
run 2 help vrify
err_has "is it 'verify'?"
for word in head x add frobnicate verify-proofs-of-everything; do
    run 2 "$word" "$T/x"
    grep -q 'is it' "$T/err" && wrong "'$word' is near to nothing"
done
[ ! -e "$T/x" ] || wrong 'something was made'

begin 'each command without arguments is refused'
for command in $commands; do
    run 2 "$command"
    out_empty
    err_has "paritylog help $command"
done

begin 'an unknown option, a missing value, a value too many'
run 2 status "$T/x" --frobnicate
err_has --frobnicate
run 2 append "$T/x" --group
err_has --group
run 2 status "$T/x" --json=1
run 2 status "$T/x" -z
run 2 status "$T/x" "$T/y"
err_has 'too many'

begin 'numbers out of range are refused'
for n in 0 -1 1x '' 1000001 18446744073709551616 ' 1' +1 1.5; do
    run 2 append "$T/x" --group "$n"
done
for n in -1 x 1e3 inf ''; do
    run 2 append "$T/x" --wait "$n"
done
run 2 log "$T/x" --from 0
run 2 log "$T/x" --to 0
run 2 log "$T/x" --from 5 --to 4

begin 'an option with a value is given once: of two the first would not count'
for command in verify parity doctor compact replay salvage drill; do
    run 2 $command "$T/x" --key a --key b
    err_has '--key may be given once'
done
run 2 get "$T/x" a b --wait 1 --wait=2
err_has '--wait may be given once'
run 2 verify "$T/x" --key a --json --json --quiet --quiet --ke b
error_is USAGE '.error.message | test("--key may be given once")'

# without MODE OPTION... -- ARGUMENT...: each of the options is refused.
without() {
    mode=$1
    shift
    refused=
    while [ "$1" != -- ]; do
        refused="$refused $1"
        shift
    done
    shift
    for option in $refused; do
        run 2 "$@" "$option"
        out_empty
        err_has "$mode takes no ${option%%=*}"
    done
}

begin 'an option that a mode does not heed is refused, and not passed over'
without 'cursor list' --dry-run --passphrase-file=x --network-fs-ok -- \
    cursor list "$T/x"
without 'strategy without S' --dry-run --passphrase-file=x --network-fs-ok -- \
    strategy "$T/x"
without 'redact --list' --reason=x --dry-run --passphrase-file=x -- \
    redact "$T/x" --list
without 'key show' --dry-run --passphrase-file=x --new-passphrase-file=x -- \
    key show "$T/x"
without 'key list' --dry-run --passphrase-file=x --new-passphrase-file=x -- \
    key list "$T/x"
without 'key trust' --passphrase-file=x --new-passphrase-file=x -- \
    key trust "$T/x" y
without 'peer list' --reason=x --dry-run --passphrase-file=x --network-fs-ok -- \
    peer list "$T/x"
without 'peer add' --reason=x --max-lag=1 --max-age=1d -- peer add "$T/x" y
without 'peer ack' --reason=x --max-lag=1 --max-age=1d -- peer ack "$T/x" y 1
without 'peer rewind' --reason=x --max-lag=1 --max-age=1d -- \
    peer rewind "$T/x" y 1
without 'peer evict' --max-lag=1 --max-age=1d -- \
    peer evict "$T/x" y --reason z
without 'prove --from' --hide-entry -- prove "$T/x" --from y
run 2 compact "$T/x" --undo --discard
run 2 salvage "$T/x" --from-store --out y
run 2 restore "$T/x" --out y --passphrase-file z

begin 'a head that is none is refused'
root=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
for head in 3 3: ":$root=" "3:$root" "x:$root=" "3:${root}B" "3:$root==" \
    "3:AAAA" "3:${root%A}B="; do
    run 2 verify "$T/x" --expect-head "$head"
done

begin 'formats that there are not'
run 2 parity "$T/x" --format xml
err_has 'text, json, junit, sarif or github'
run 2 parity "$T/x" --format text --json
run 2 query "$T/x" 'SELECT 1' --format xml
run 2 key revoke "$T/x"
err_has 'key takes show, list, rotate or trust'
run 2 key trust "$T/x"

begin 'the strategy custom is not on the command line'
run 2 init "$T/x" --strategy custom
run 2 init "$T/x" --strategy coin-toss
err_has keep-local
[ ! -e "$T/x" ] || wrong 'a refused init left something'

begin 'an error before --json is JSON too'
run 2 append --group x "$T/x" --json
error_is USAGE

begin 'nothing there: 10, and nothing is made'
: >"$T/in"
mkdir "$T/empty"
for dir in "$T/nowhere" "$T/empty"; do
    run 10 append "$dir" "$T/in"
    run 10 get "$dir" a b
    run 10 history "$dir" a b
    run 10 query "$dir" 'SELECT 1'
    run 10 log "$dir"
    run 10 log "$dir" --follow
    run 10 status "$dir"
    run 10 verify "$dir"
    run 10 parity "$dir"
    run 10 replay "$dir"
    run 10 checkpoint "$dir"
    run 10 strategy "$dir"
    run 10 strategy "$dir" arrival
    run 10 key show "$dir"
    run 10 status "$dir" --json
    out_empty
    error_is NOTHING
done
[ ! -e "$T/nowhere" ] || wrong 'something was made'
same 'the empty directory' "$(ls -A "$T/empty")" ''

finish
