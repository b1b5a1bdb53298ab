#!/bin/sh
# refuse.sh - input that is refused: its group is not written, groups before
# it stand, and the error says where and what.
. "$(dirname "$0")/lib.sh"

# refused NAME MEMBER: the line in $T/bad, behind a good one of its group, is
# refused; MEMBER - when none is to be named.
refused() {
    begin "refused: $1"
    cp "$S" "$T/before"
    { delta "good-$1" x 1; cat "$T/bad"; } >"$T/in"
    run 6 append "$L" "$T/in" --json
    out_empty
    error_is INPUT '.error.line == 2 and .error.offset >= 1 and
        .error.durable.lines == 0 and (.error.durable.root | length == 44)'
    [ "$2" = - ] ||
        json_is "$T/err" ".error.member | test(\"$2\")"
    files_equal "$S" "$T/before"
}

bad() {
    printf '%s\n' "$1" >"$T/bad"
}

# with MEMBER TEXT: a delta whose MEMBER is TEXT (a whole "name":value).
with() {
    resource='"resource":"r"' record='"record_id":"1"' op='"op":"upsert"'
    payload='"payload":{}' time='"occurred_at":"2026-01-01T00:00:00Z"'
    provenance='"provenance":{"source":"s","confidence":1}'
    eval "$1=\$2"
    printf '{%s,%s,%s,%s,%s,%s}\n' "$resource" "$record" "$op" "$payload" \
        "$time" "$provenance" >"$T/bad"
}

fresh log
deltas 1 3 >"$T/in"
"$PARITYLOG" append "$L" "$T/in" --quiet

bad ''; refused 'an empty line' -
bad 'x'; refused 'not JSON' -
bad '[]'; refused 'an array' -
bad '"text"'; refused 'a string' -
bad '{}'; refused 'an empty object' -
bad '{"a":1} {"b":2}'; refused 'two values' -
with payload '"payload":{"a":1,"a":2}'; refused 'a duplicate member' -
with payload '"payload":{"a":1,"\u0061":2}'
refused 'a duplicate member through an escape' -
with payload '"payload":{"a":{"b":[{"c":1,"c":1}]}}'
refused 'a duplicate member, deep' -
with payload '"payload":{"a":1},"payload":{"a":1}'
refused 'a duplicate outer member' -
with payload '"payload":{"a":"\ud800"}'; refused 'a lone surrogate' -
with payload '"payload":{"a":"\udc00\ud800"}'
refused 'surrogates in the wrong order' -
with payload '"payload":{"a":"\u0000"}'; refused 'an escaped NUL' -
with payload "\"payload\":{\"a\":\"$(printf '\377')\"}"
refused 'a byte that is not UTF-8' -
with payload "\"payload\":{\"a\":\"$(printf '\300\200')\"}"
refused 'an overlong NUL' -
with payload "\"payload\":{\"a\":\"$(printf '\355\240\200')\"}"
refused 'a raw surrogate' -
with payload "\"payload\":{\"a\":\"$(printf '\364\220\200\200')\"}"
refused 'above U+10FFFF' -
with payload "\"payload\":{\"a\":\"$(printf '\001')\"}"
refused 'a raw control character' -
with payload "\"payload\":{\"a\":\"$(printf '\t')\"}"
refused 'a raw tab in a string' -
with payload '"payload":{"a":01}'; refused 'a number with a zero before' -
with payload '"payload":{"a":NaN}'; refused 'NaN' -
with payload '"payload":{"a":1,}'; refused 'a comma too many' -
with payload '"payload":{"a":1} /* x */'; refused 'a comment' -
with payload '"payload":[1]'; refused 'a payload that is an array' payload
with payload '"payload":null'; refused 'an upsert without payload' payload
with provenance '"provenance":{"source":"s","confidence":1e400}'
refused 'a confidence of 1e400' confidence
with provenance '"provenance":{"source":"s","confidence":1.0000001}'
refused 'a confidence above 1' confidence
with provenance '"provenance":{"source":"s","confidence":-0.1}'
refused 'a confidence below 0' confidence
with provenance '"provenance":{"source":"s","confidence":"1"}'
refused 'a confidence that is text' confidence
with provenance '"provenance":{"source":"","confidence":1}'
refused 'an empty source' source
with provenance '"provenance":{"source":"s"}'
refused 'no confidence' provenance
with provenance '"provenance":{"source":"s","confidence":1,"x":1}'
refused 'an unknown member of provenance' provenance
with record '"record_id":""'; refused 'an empty record_id' record_id
with record '"record_id":1'; refused 'a record_id that is a number' record_id
with record "\"record_id\":\"$(printf '%04097d' 0)\""
refused 'a record_id of 4,097 bytes' record_id
with resource '"resource":""'; refused 'an empty resource' resource
with resource "\"resource\":\"$(printf '%0256d' 0)\""
refused 'a resource of 256 bytes' resource
with resource '"id":"","resource":"r"'; refused 'an empty id' id
with resource "\"id\":\"$(printf '%0256d' 0)\",\"resource\":\"r\""
refused 'an id of 256 bytes' id
with resource '"meta":1,"resource":"r"'; refused 'a meta that is no object' meta
with op '"op":"insert"'; refused 'an unknown op' op
with op '"op":"upsert","extra":1'; refused 'an unknown member' extra
with op '"seq":7,"op":"upsert"'; refused 'a seq of its own' seq
with op '"control":"strategy","op":"upsert"'
refused 'a forged control member' control
bad '{"seq":5,"control":"strategy","args":{"strategy":"arrival"},"logged_at":"2026-01-01T00:00:00Z"}'
refused 'a forged control entry' -
grep '^{"commit"' "$S" | tail -1 >"$T/bad"
refused 'a commit line' -
head -1 "$S" >"$T/bad"; refused 'a segment header' -
for when in 2026-01-01 2026-01-01T00:00:00 2026-02-30T00:00:00Z \
    2026-01-01T00:00:60Z 2026-01-01T24:00:00Z 2026-01-01T00:00:00+24:00 \
    2026-01-01T00:00:00.1234567890Z '2026-01-01 00:00:00Z' 1767225600; do
    with time "\"occurred_at\":\"$when\""
    refused "the time $when" occurred_at
done
with record '"record_id":"1"'
{ printf '\357\273\277'; cat "$T/bad"; } >"$T/bom"; mv "$T/bom" "$T/bad"
refused 'a byte order mark' -
with record '"record_id":"1"'
sed "s/\$/$(printf '\r')/" "$T/bad" >"$T/cr"; mv "$T/cr" "$T/bad"
refused 'CRLF' -

# nested DEPTH: a delta with so many brackets open at its deepest place.
nested() {
    many=$(printf "%0$(($1 - 2))d" 0)
    with payload "\"payload\":{\"a\":$(echo "$many" | tr 0 '[')1$(
        echo "$many" | tr 0 ']')}"
}
nested 65; refused '65 open brackets' -
begin '64 open brackets are taken'
nested 64
run 0 append "$L" "$T/bad"

begin 'the offset is that of the byte in the input, the column in the line'
with payload '"payload":{"a":NaN}'
{ delta one 1 1; cat "$T/bad"; } >"$T/in"
run 6 append "$L" "$T/in" --json
at=$(offset_of "$T/in" NaN)
json_is "$T/err" ".error.offset == $at and
    .error.column == $((at - $(delta one 1 1 | wc -c) + 1)) and
    .error.file == \"$T/in\""

begin 'the text form says file, line, byte, member, reason and what is durable'
with provenance '"provenance":{"source":"s","confidence":7}'
run 6 append "$L" "$T/bad"
out_empty
err_has "$T/bad, line 1, "
err_has byte
err_has confidence
err_has 'durable: no line'

begin 'no payload gets into an error'
with payload '"payload":{"secret":"hunter2","a":NaN}'
run 6 append "$L" "$T/bad" --json
err_lacks hunter2

begin 'groups before it stand'
fresh stands
{ deltas 1 6; echo nonsense; deltas 8 12; } >"$T/in"
run 6 append "$L" "$T/in" --group 3 --json
error_is INPUT '.error.line == 7 and .error.durable.lines == 6 and
    .error.durable.size == 7'
run 0 log "$L"
out_lines 7
run 0 status "$L" --json
cp "$T/out" "$T/status"
run 0 parity "$L"
json_is "$T/status" '.log.size == 7'

begin 'the receipts of groups before it are printed'
fresh receipts
run 6 append "$L" "$T/in" --group 3 --receipts
out_lines 6
err_has 'lines 1 to 6 of'

begin 'a line at the limit is taken, one byte more is not'
fresh limit --max-line 2000
line() {
    # A delta of exactly $1 bytes.
    frame=$(delta "l$1" 1 '""' | tr -d '\n' | wc -c)
    delta "l$1" 1 "\"$(printf "%0$(($1 - frame))d" 0)\""
}
line 2000 | run 0 append "$L"
line 2001 | run 6 append "$L" --json
error_is INPUT '.error.line == 1'
(line 1999; line 2002) | run 6 append "$L" --json
error_is INPUT '.error.line == 2'

begin 'white space does not count against the limit'
line 2000 | sed 's/l2000/m2000/; s/:/:        /' | run 0 append "$L"

begin 'a line of 1 GB is refused without being read'
fresh gigabyte
cp "$S" "$T/before"
mkfifo "$T/big"
(head -c 1000000000 /dev/zero | tr '\0' x >"$T/big"; :) 2>/dev/null &
run 6 append "$L" "$T/big" --json
error_is INPUT '.error.line == 1 and .error.offset == 0'
wait
files_equal "$S" "$T/before"
# A sanitizer or valgrind wants more address space than that for itself.
if [ -z "$WRAP" ] &&
    (ulimit -v 150000 && "$PARITYLOG" --version; exit $?) >/dev/null 2>&1; then
    head -c 200000000 /dev/zero | tr '\0' x >"$T/big200"
    (ulimit -v 150000 && "$PARITYLOG" append "$L" "$T/big200") \
        >"$T/out" 2>"$T/err"
    got=$?
    status_is 6 'with 150 MB of memory'
    rm -f "$T/big200"
fi

begin 'NUL bytes'
fresh nul
{ delta a 1 1; head -c 100 /dev/zero; printf '\n'; } >"$T/in"
run 6 append "$L" "$T/in" --json
error_is INPUT '.error.line == 2'

begin 'an input that cannot be read'
run 1 append "$L" "$T/missing"
err_has "$T/missing"
run 1 append "$L" "$T"

finish
