#!/bin/sh
# prove.sh - paritylog prove, verify-proof, and witness files.
. "$(dirname "$0")/lib.sh"

filled log 60 --segment-size 8192
vkey=$(cat "$T/vkey")

# refused STATUS FILE: the proof is not taken.
refused() {
    run "$1" verify-proof "$2" --key "$vkey"
    out_empty
}

# ---- Inclusion --------------------------------------------------------------------

begin 'every entry of the log is proven'
seq=1
step=1
[ -z "$WRAP" ] || step=20
while [ $seq -le 61 ]; do
    run 0 prove "$L" $seq
    cp "$T/out" "$T/proof"
    run 0 verify-proof "$T/proof" --key "$vkey" --json
    json_is "$T/out" ".schema == \"paritylog/verify-proof/1\" and
        .kind == \"inclusion\" and .seq == $seq and .size == 61 and
        (.entry | fromjson | .seq) == $seq"
    seq=$((seq + step))
done

begin 'the form is that of C2SP'
run 0 prove "$L" 7
same 'first line' "$(sed -n 1p "$T/out")" c2sp.org/tlog-proof@v1
same 'index' "$(sed -n 3p "$T/out")" 'index 6'
same 'the entry' "$(sed -n '2s/^extra //p' "$T/out" | base64 -d)" \
    "$("$PARITYLOG" log "$L" --from 7 --to 7)"
"$PARITYLOG" checkpoint "$L" >"$T/note"
tail -n 5 "$T/out" >"$T/tail"
files_equal "$T/note" "$T/tail"

begin 'under an earlier commit, and only under a commit'
run 0 prove "$L" 7 --at 31 --out "$T/early"
run 0 verify-proof "$T/early" --key "$vkey"
out_has 'entry 7 is in the log of 31 entries'
run 8 prove "$L" 7 --at 30
run 8 prove "$L" 32 --at 31
run 8 prove "$L" 62
run 8 prove "$L" 7 --at 62
run 2 prove "$L" 0
run 2 prove "$L"
run 6 prove "$L" 7 --out "$T/early"

begin 'under another key: that, and not that there is none'
own=$L
fresh another
run 12 prove "$own" 7 --key "$(cat "$T/vkey")" --json
out_empty
error_is UNKNOWN_KEY '.error.file | test("^log/")'
run 12 prove "$own" 7 --at 31 --key "$(cat "$T/vkey")"
run 12 prove "$own" --from "$T/note" --key "$(cat "$T/vkey")"
run 0 prove "$own" 7 --key "$vkey"
L=$own

begin 'without the entry, which the reader then has to have'
run 0 prove "$L" 7 --hide-entry --out "$T/hidden"
! grep -q '^extra' "$T/hidden" || wrong 'the entry is in it'
refused 6 "$T/hidden"
"$PARITYLOG" log "$L" --from 7 --to 7 >"$T/seven"
"$PARITYLOG" log "$L" --from 8 --to 8 >"$T/eight"
run 0 verify-proof "$T/hidden" --key "$vkey" --entry "$T/seven"
run 5 verify-proof "$T/hidden" --key "$vkey" --entry "$T/eight"

begin 'each byte of a proof counts'
run 0 prove "$L" 3 --at 11 --out "$T/small"
if [ -n "$WRAP" ]; then
    skip 'too slow under valgrind'
elif have python3; then
    python3 - "$T/small" "$PARITYLOG" "$vkey" <<'END' >"$T/why" || wrong "$(head -3 "$T/why")"
import subprocess, sys
path, command, key = sys.argv[1:]
whole = open(path, "rb").read()
head = len(b"c2sp.org/tlog-proof@v1\nextra ")
end = whole.index(b"\n", head)
places = list(range(0, head, 5)) + list(range(head, end, 37)) + list(range(end, len(whole), 3))
bad = 0
for at in places:
    for text in (whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:],
                 whole[:at] + whole[at + 1:], whole[:at] + whole[at:at + 1] + whole[at:]):
        if text == whole:
            continue
        open(path + ".x", "wb").write(text)
        got = subprocess.run([command, "verify-proof", path + ".x", "--key", key],
                             capture_output=True).returncode
        if got not in (5, 6, 12):
            print(f"byte {at}: exit status {got}")
            bad += 1
print(f"{len(places)} places")
sys.exit(bad > 0)
END
else
    skip 'no python3'
fi

begin 'another key, no proof, too little'
fresh other
run 12 verify-proof "$T/early" --key "$(cat "$T/vkey")" --json
error_is UNKNOWN_KEY '.error.hint | test("ask whoever runs that for its key")'
sed 's/^index .*/index 1/' "$T/early" >"$T/elsewhere"
run 5 verify-proof "$T/elsewhere" --key "$vkey" --json
error_is TAMPERED '(.error.hint | test("ask for another one")) and
    (.error.hint | test("DIR") | not)'
echo nonsense >"$T/nonsense"
refused 6 "$T/nonsense"
head -c 100 "$T/early" >"$T/cut"
refused 6 "$T/cut"
: >"$T/empty"
refused 6 "$T/empty"
run 2 verify-proof "$T/early"
for arguments in "$T/missing" "$T/early --entry $T/missing"; do
    # shellcheck disable=SC2086
    run 1 verify-proof $arguments --key "$vkey" --json
    error_is IO '(.error.file | endswith("/missing")) and
        (.error.message | test("No such file")) and
        .error.hint == "see that the path is right"'
done
run 1 prove "$L" --from "$T/missing" --json
error_is IO '(.error.file | endswith("/missing")) and
    .error.hint == "see that the path is right"'
run 1 prove "$L" 1 --out "$T/no/such"
err_has 'see that the path is right'
L=$T/log

begin 'a damaged log proves nothing behind the damage'
cp -R "$L" "$T/damaged"
for file in "$T"/damaged/log/*; do
    ! grep -q '"seq":25,' "$file" || flip "$file" "$(offset_of "$file" '"v":24')"
done
run 5 prove "$T/damaged" 40
run 0 prove "$T/damaged" 4 --at 21

# ---- Consistency ------------------------------------------------------------------

begin 'a log that cannot be read is no log without the entry'
filled keyless 3
cp "$L"/keys/*.vkey "$T/trusted"
mv "$L/keys" "$T/keyless.keys"
run 12 prove "$L" 3 --json
error_is UNKNOWN_KEY '(.error.file | startswith("log/")) and .error.seq == 1 and
    (.error.hint | test("paritylog verify DIR"))'
run 12 prove "$L" 3 --at 2
run 12 prove "$L" 3 --out "$T/none.proof"
[ ! -e "$T/none.proof" ] || wrong 'a file without a proof'
run 0 prove "$L" 3 --key "$(cat "$T/trusted")"
mv "$T/keyless.keys" "$L/keys"
run 8 prove "$L" 9
err_has 'there is no entry 9'
err_has 'paritylog status DIR'
run 8 prove "$L" 3 --at 9
err_has 'there is no commit 9'
size=$(wc -c <"$S")
cp "$S" "$T/whole.jsonl"
head -c $((size / 2)) "$T/whole.jsonl" >"$S"
run 5 prove "$L" 3 --at 9
err_has 'log and store do not end alike'
err_has 'paritylog parity DIR'
cp "$T/whole.jsonl" "$S"

begin 'the log extends the one of an earlier checkpoint'
filled grown 30
vkey=$(cat "$T/vkey")
"$PARITYLOG" checkpoint "$L" >"$T/old.note"
deltas 31 47 | run 0 append "$L" --quiet
run 0 prove "$L" --from "$T/old.note" --out "$T/extends"
run 0 verify-proof "$T/extends" --key "$vkey" --json
json_is "$T/out" '.kind == "consistency" and .old_size == 31 and .size == 48'
run 6 verify-proof "$T/extends" --key "$vkey" --entry "$T/seven"
err_has '--entry: the proof is of no entry'
out_empty
sed '2{h;d};3{G}' "$T/extends" >"$T/changed" # two hashes change places
! cmp -s "$T/extends" "$T/changed" || wrong 'nothing changed'
run 5 verify-proof "$T/changed" --key "$vkey"

begin 'not of another log, nor with a false signature'
run 5 prove "$T/log" --from "$T/old.note"
sed '2s/31/30/' "$T/old.note" >"$T/false.note"
run 5 prove "$L" --from "$T/false.note"
run 6 prove "$L" --from "$T/nonsense"

# ---- Witness ----------------------------------------------------------------------

begin 'a witness notes heads, each once'
run 0 checkpoint "$L" --witness "$T/witness"
err_has 'noted: 48 entries'
run 0 checkpoint "$L" --witness "$T/witness"
err_has 'known already'
cp -R "$L" "$T/back"
deltas 48 50 | run 0 append "$L" --quiet
run 0 checkpoint "$L" --witness "$T/witness"
same 'notes' "$(grep -c '^plog-' "$T/witness")" 2
run 0 verify "$L" --witness "$T/witness"
run 0 parity "$L" --witness "$T/witness" --json
json_is "$T/out" '.verdict == "CLEAN"'

begin 'both legs set back together: clean by themselves, a rollback to it'
run 0 parity "$T/back"
run 5 parity "$T/back" --witness "$T/witness" --json
json_is "$T/out" '.verdict == "ROLLBACK" and .counts.ROLLBACK == 1 and
    .findings[0].seq == 51'
run 5 verify "$T/back" --witness "$T/witness"
out_has ROLLBACK
cp "$T/witness" "$T/kept"
run 5 checkpoint "$T/back" --witness "$T/witness"
files_equal "$T/witness" "$T/kept"

begin 'another history from there on: a fork'
delta other 9 9 | run 0 append "$T/back" --quiet
delta other2 9 9 | run 0 append "$T/back" --quiet
delta other3 9 9 | run 0 append "$T/back" --quiet
run 5 verify "$T/back" --witness "$T/witness" --json
json_is "$T/out" '.verdict == "FORK"'
run 5 checkpoint "$T/back" --witness "$T/witness"
files_equal "$T/witness" "$T/kept"

begin 'notes of another log, of an unknown key, with a false signature'
"$PARITYLOG" checkpoint "$T/other" >"$T/foreign"
run 5 verify "$L" --witness "$T/foreign" --json
json_is "$T/out" '.verdict == "FOREIGN"'
run 5 verify "$L" --witness "$T/false.note" --json
json_is "$T/out" '.verdict == "TAMPERED"'
run 1 verify "$L" --witness "$T/missing" --json
error_is IO '(.error.file | endswith("/missing")) and
    (.error.hint | test("checkpoint DIR --witness"))'

begin 'the pinned key counts for its notes, whatever keys/ holds'
cp -R "$L" "$T/swapped"
vkey=$("$PARITYLOG" key show "$L")
rm "$T/swapped"/keys/*.vkey
cp "$T"/other/keys/*.vkey "$T/swapped/keys"
run 0 verify "$T/swapped" --key "$vkey" --witness "$T/witness"

begin 'a witness lies outside, and is a witness file'
first=$L/log/00000000000000000001.jsonl
cp "$first" "$T/first.kept"
run 6 checkpoint "$L" --witness "$first"
err_has "in the directory of a log"
run 6 checkpoint "$L" --witness "$L/heads"
[ ! -e "$L/heads" ] || wrong 'it was made'
files_equal "$first" "$T/first.kept"
echo hello >"$T/hello"
run 6 checkpoint "$L" --witness "$T/hello"
err_has 'is no witness file'
same 'the file' "$(cat "$T/hello")" hello
: >"$T/empty.heads"
for check in verify parity; do # with nothing nobody is CLEAN
    run 6 $check "$L" --witness "$T/empty.heads"
    err_has 'holds no whole note'
    err_has 'paritylog checkpoint DIR --witness FILE'
done

begin 'a note that was changed is not taken for one that was cut'
for line in 6 7 8 10; do
    sed "${line}s/\(.*\)[0-9A-Za-z]/\1!/" "$T/kept" >"$T/garbled"
    ! cmp -s "$T/kept" "$T/garbled" || wrong "nothing changed in line $line"
    run 5 verify "$T/back" --witness "$T/garbled" --json
    json_is "$T/out" '.counts.CORRUPT == 1'
    run 5 checkpoint "$L" --witness "$T/garbled"
done

begin 'several at once note a head once'
pids=
for _ in 1 2 3 4 5 6; do
    "$PARITYLOG" checkpoint "$L" --witness "$T/many" >/dev/null 2>&1 &
    pids="$pids $!"
done
for pid in $pids; do
    wait "$pid" || wrong 'one of them failed'
done
same 'notes' "$(grep -c '^plog-' "$T/many")" 1

begin 'signatures of witnesses behind that of the log do no harm'
run 0 prove "$L" 3 --out "$T/cosigned"
printf '\342\200\224 witness.example AAAAAAAA\n' >>"$T/cosigned"
run 0 verify-proof "$T/cosigned" --key "$vkey"
echo more >>"$T/cosigned"
run 6 verify-proof "$T/cosigned" --key "$vkey"

begin 'a note that was cut off is passed over, and the next one follows'
cat "$T/kept" >"$T/cut"
head -c -30 "$T/kept" >>"$T/cut"
run 0 verify "$L" --witness "$T/cut" --json
json_is "$T/out" '.verdict == "CLEAN" and (.unchecked | length) == 1'
run 0 checkpoint "$L" --witness "$T/cut"
head -n 3 "$T/kept" >"$T/cut"
run 6 verify "$L" --witness "$T/cut"
run 0 checkpoint "$L" --witness "$T/cut"
err_has 'noted: 51 entries'
run 5 verify "$T/back" --witness "$T/cut" --json
json_is "$T/out" '.verdict == "FORK"'

finish
