#!/bin/sh
# init.sh - paritylog init: what it makes and what it refuses.
. "$(dirname "$0")/lib.sh"

mode() {
    stat -c %a "$1"
}

begin 'one line on standard output: the verifier key'
run 0 init "$T/a"
out_lines 1
err_empty
grep -E -q '^plog-[0-9a-f-]{36}\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}$' "$T/out" ||
    wrong "not a key: $(cat "$T/out")"

begin 'directory, files and modes'
for dir in "$T/a" "$T/a/log" "$T/a/keys"; do
    same "the mode of $dir" "$(mode "$dir")" 700
done
for file in "$T/a/log/00000000000000000001.jsonl" "$T/a/store.db" \
    "$T/a/keys/signing.key"; do
    same "the mode of $file" "$(mode "$file")" 600
done

begin 'modes do not depend on the umask'
(umask 000 && "$PARITYLOG" init "$T/loose" >/dev/null 2>&1)
same 'the mode' "$(mode "$T/loose")" 700
same 'the mode of the key' "$(mode "$T/loose/keys/signing.key")" 600

begin 'a new log is clean'
run 0 verify "$T/a"
run 0 parity "$T/a"
run 0 status "$T/a"

begin 'a second init is refused and changes nothing'
L=$T/a
log_digest >"$T/before"
run 6 init "$T/a"
out_empty
run 6 init "$T/a" --json
error_is EXISTS
log_digest >"$T/after"
files_equal "$T/before" "$T/after"

begin 'the origin is the name of the log and of the key'
run 0 init "$T/b" --origin example.org/log-1
grep -q '^example.org/log-1+' "$T/out" || wrong 'the name of the key'
run 0 status "$T/b" --json
json_is "$T/out" '.origin == "example.org/log-1"'
head -1 "$T/b/log/00000000000000000001.jsonl" >"$T/header"
json_is "$T/header" '.segment.origin == "example.org/log-1"'

begin 'an origin that cannot be one is refused'
long=$(printf '%0256d' 0)
for origin in '' 'a b' 'a+b' "$(printf 'a\tb')" "$(printf 'a\001b')" \
    "$long"; do
    run 2 init "$T/c" --origin "$origin"
    [ ! -e "$T/c/log" ] || wrong "made a log named '$origin'"
done
run 0 init "$T/c255" --origin "${long%0}"

begin 'the strategy is in the first entry'
run 0 init "$T/d" --strategy keep-local
run 0 strategy "$T/d"
out_is keep-local
run 0 log "$T/d" --to 1
json_is "$T/out" '.control == "init" and .args.strategy == "keep-local"'

begin 'sizes out of range are refused'
for size in 0 1 1023 16777217 x; do
    run 2 init "$T/e" --max-line $size
    err_has "--max-line wants a number from 1024 to 16777216, not '$size'"
done
for size in 0 1 4095 1099511627777 x; do
    run 2 init "$T/e" --segment-size $size
    err_has "--segment-size wants a number from 4096 to 1099511627776, not"
done
[ ! -e "$T/e" ] || wrong 'a directory was made'
run 0 init "$T/e1" --max-line 1024 --segment-size 1099511627776
run 0 init "$T/e2" --max-line 16777216 --segment-size 4096

begin '--json'
run 0 init "$T/f" --json
json_is "$T/out" '.schema == "paritylog/init/1" and (.vkey | length > 50)'

begin 'a parent that is not there'
run 1 init "$T/no/such/place"
err_has 'paritylog init: IO:'

begin 'a key under a passphrase needs it again'
printf 'open sesame\n' >"$T/pass"
chmod 600 "$T/pass"
run 0 init "$T/g" --passphrase-file "$T/pass"
err_empty
deltas 1 3 >"$T/in"
run 12 append "$T/g" "$T/in"
err_has --passphrase-file
run 0 append "$T/g" "$T/in" --passphrase-file "$T/pass"
printf 'open barley\n' >"$T/wrong"
chmod 600 "$T/wrong"
run 12 append "$T/g" "$T/in" --passphrase-file "$T/wrong"
run 12 append "$T/g" "$T/in" --passphrase-file "$T/wrong" --json
error_is KEY
! grep -q barley "$T/err" || wrong 'the passphrase is in the error'
run 0 parity "$T/g"

begin 'a passphrase without a line end is the same one'
printf 'open sesame' >"$T/pass2"
chmod 600 "$T/pass2"
deltas 4 5 >"$T/in"
run 0 append "$T/g" "$T/in" --passphrase-file "$T/pass2"

begin 'a passphrase file that others may read gives a warning'
chmod 644 "$T/pass"
deltas 6 6 >"$T/in"
run 0 append "$T/g" "$T/in" --passphrase-file "$T/pass" --quiet
err_has warning

begin 'a passphrase that is empty, of two lines, missing'
: >"$T/none"
printf 'a\nb\n' >"$T/two"
chmod 600 "$T/none" "$T/two"
run 2 init "$T/h" --passphrase-file "$T/none"
run 2 init "$T/h" --passphrase-file "$T/two"
run 1 init "$T/h" --passphrase-file "$T/missing"
[ ! -e "$T/h" ] || wrong 'a refused init left something'

begin 'log and store are lost, the key is left: nobody advises to make another'
fresh lost
deltas 1 5 | run 0 append "$L" --quiet
rm -r "$L/log" "$L"/store.db*
for what in doctor status parity verify; do
    run 10 $what "$L"
    err_has 'keys/signing.key is there'
    err_has 'bring it back from a copy'
    err_lacks 'paritylog init'
done
run 6 init "$L"
err_has 'keys/signing.key is left of it'
[ ! -e "$L/log" ] || wrong 'a refused init made log/'

finish
