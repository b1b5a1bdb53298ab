#!/bin/sh
# inspect.sh - paritylog inspect: the lines of any JSONL file.
. "$(dirname "$0")/lib.sh"

# class_of LINE: what the file's line is called.
class_of() {
    jq -r ".findings[] | select(.line == $1) | .class" "$T/out" 2>/dev/null
}

begin 'a good file, plain and gzip'
deltas 1 50 >"$T/good"
run 0 inspect "$T/good"
out_has '50 lines'
run 0 inspect "$T/good" --json
json_is "$T/out" '.ok and .lines == 50 and .counts.ok == 50 and
    .findings == [] and .segment == false'
if have gzip; then
    gzip -c "$T/good" >"$T/good.gz"
    gzip -c "$T/good" >>"$T/good.gz" # two members: every line twice
    run 5 inspect "$T/good.gz" --json
    json_is "$T/out" '.gzip and .lines == 100 and .counts.duplicate == 50 and
        .findings[0].same_as == 1'
    head -c 300 "$T/good.gz" >"$T/cut.gz"
    run 5 inspect "$T/cut.gz" --json
    json_is "$T/out" '.broken_gzip'
fi

begin 'each kind of line by its name, number and place'
{
    printf '{"a":1}\n'                               # 1 ok
    printf '{"a":2}{"a":3}\n'                        # 2 joined
    printf '{"a":\n'                                 # 3 cut
    printf '{"a":"\000\000\000"}\n'                  # 4 nul-bytes
    printf 'hello\n'                                 # 5 not-json
    printf '{"a":"\377"}\n'                          # 6 not-utf8
    printf '\n'                                      # 7 empty
    printf '{"a":4}\r\n'                             # 8 cr
    printf '\357\273\277{"a":5}\n'                   # 9 bom
    printf '{"a":6,"a":7}\n'                         # 10 strict
    printf '{"a":1}\n'                               # 11 duplicate
    printf '<<<<<<< HEAD\n=======\n>>>>>>> theirs\n' # 12 to 14 conflict
    printf '{"a":"\\ud800"}\n'                       # 15 strict
    printf '[1,2]\n'                                 # 16 not-json
    printf '{"a":8'                                  # 17 torn
} >"$T/bad"
cp "$T/bad" "$T/before"
run 5 inspect "$T/bad" --json
if have jq; then
    line=1
    for class in '' joined cut nul-bytes not-json not-utf8 empty cr bom strict \
        duplicate conflict conflict conflict strict not-json torn; do
        same "line $line" "$(class_of $line)" "$class"
        line=$((line + 1))
    done
fi
json_is "$T/out" '.lines == 17 and .counts.ok == 1 and .counts.conflict == 3'
json_is "$T/out" '.findings[0].offset == 8 and .findings[0].length == 14'
files_equal "$T/bad" "$T/before"
run 5 inspect "$T/bad"
out_has 'line 2, byte 8, 14 bytes: joined'
out_has 'line 11, byte'
out_has 'duplicate of line 1'

begin 'a last line without its end is torn, even when it is whole'
printf '{"a":1}\n{"a":2}' >"$T/open"
run 5 inspect "$T/open" --json
json_is "$T/out" '.findings[0].class == "torn" and .findings[0].line == 2'

begin 'a line of 1 GB, in bounded memory'
if [ -n "$WRAP" ]; then
    skip 'too slow under valgrind'
elif ! (ulimit -v 600000 && "$PARITYLOG" --version) >/dev/null 2>&1; then
    skip 'this build does not run within 600 MB of address space'
else
    dd if=/dev/zero of="$T/huge" bs=1 count=0 seek=1073741824 2>/dev/null
    printf '\n{"a":1}\n' >>"$T/huge"
    (
        ulimit -v 600000
        run 5 inspect "$T/huge" --json
    )
    json_is "$T/out" '.counts["too-long"] == 1 and .counts.ok == 1 and
        .findings[0].length == 1073741824'
    rm -f "$T/huge"
fi

begin 'counts are exact, whatever is shown'
i=0
while [ $i -lt 30 ]; do
    echo "no $i"
    i=$((i + 1))
done >"$T/many"
run 5 inspect "$T/many" --json --max-findings 4
json_is "$T/out" '(.findings | length) == 4 and .counts["not-json"] == 30'
run 5 inspect "$T/many" --max-findings 4
out_has 'and 26 more'

begin 'a segment of ours is known as one'
filled log 5
run 0 inspect "$S"
out_has 'this is a segment of a log'

begin 'no file, no regular file'
run 1 inspect "$T/missing" --json
error_is IO '(.error.file | endswith("/missing")) and
    .error.hint == "see that the path is right"'
run 1 inspect "$T"
: >"$T/empty"
run 0 inspect "$T/empty" --json
json_is "$T/out" '.ok and .lines == 0'

finish
