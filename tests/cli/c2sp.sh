#!/bin/sh
# c2sp.sh - the log's checkpoint before verifiers that we did not write.
. "$(dirname "$0")/lib.sh"

fresh c2sp
deltas 1 40 >"$T/in"
run 0 append "$L" "$T/in" --group 7
run 0 key show "$L"
vkey=$(cat "$T/out")
key=${vkey#*+} # base64 may have a + of its own
key=${key#*+}
run 0 checkpoint "$L"
cp "$T/out" "$T/note"

# go_checks NOTE: what Go's packages say of it and of the segments.
go_checks() {
    "$T/goc2sp" "$vkey" "$1" "$L"/log/*.jsonl >"$T/go" 2>&1
}

begin 'Go opens the note and finds its root in the log'
if ! have go; then
    skip 'no go'
elif [ ! -d /usr/share/gocode/src/golang.org/x/mod/sumdb ]; then
    skip 'no golang-golang-x-mod-dev'
elif ! HOME=$T GO111MODULE=off GOPATH=/usr/share/gocode GOFLAGS='' \
    GOCACHE=$T/cache go build -o "$T/goc2sp" "$top/tests/c2sp.go" >"$T/go" 2>&1; then
    wrong "the Go program does not build: $(head -n 3 "$T/go")"
else
    go_checks "$T/note" || wrong "$(cat "$T/go")"
    same 'what Go says' "$(cat "$T/go")" "ok 41 $(sed -n 3p "$T/note")"
fi

begin 'and refuses one with another size'
if [ -x "$T/goc2sp" ]; then
    sed '2s/41/40/' "$T/note" >"$T/changed"
    go_checks "$T/changed" && wrong 'it took the note'
    grep -q 'note:' "$T/go" || wrong "$(cat "$T/go")"
else
    skip 'no Go verifier'
fi

begin 'Go checks proofs of entries, and finds one that is changed'
if [ -x "$T/goc2sp" ]; then
    for seq in 1 2 17 40 41; do
        run 0 prove "$L" $seq
        cp "$T/out" "$T/proof"
        "$T/goc2sp" "$vkey" "$T/proof" -proof >"$T/go" 2>&1 || wrong "$(cat "$T/go")"
        same 'what Go says' "$(cat "$T/go")" "ok 41 $(sed -n 3p "$T/note")"
        sed 's/^index .*/index 5/' "$T/proof" >"$T/changed"
        "$T/goc2sp" "$vkey" "$T/changed" -proof >/dev/null 2>&1 &&
            wrong 'it took another index'
    done
else
    skip 'no Go verifier'
fi

# The signature is base64 of a key id of 4 bytes and the 64 bytes of Ed25519;
# the key that of one byte for the algorithm and 32 of the key, which DER wants
# behind 12 fixed ones (RFC 8410).
begin 'openssl verifies the signature'
if ! have openssl; then
    skip 'no openssl'
else
    sed -n 1,3p "$T/note" >"$T/text"
    sed -n '5s/.* //p' "$T/note" | openssl base64 -d -A | tail -c 64 >"$T/sig"
    {
        printf '\060\052\060\005\006\003\053\145\160\003\041\000'
        printf '%s' "$key" | openssl base64 -d -A | tail -c 32
    } >"$T/key"
    set -- openssl pkeyutl -verify -pubin -keyform DER -inkey "$T/key" -rawin \
        -sigfile "$T/sig"
    "$@" -in "$T/text" >"$T/ssl" 2>&1 || wrong "$(cat "$T/ssl")"
    sed '2s/41/40/' "$T/text" >"$T/changed"
    "$@" -in "$T/changed" >/dev/null 2>&1 && wrong 'it took another size'
fi

finish
