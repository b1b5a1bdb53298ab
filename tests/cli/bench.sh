#!/bin/sh
# bench.sh - the benchmark: that it refuses where a sync does nothing, and that
# every row gives a figure, whatever it is.  Nothing here judges a speed.
. "$(dirname "$0")/lib.sh"

bench=${PARITYLOG%/*}/bench
[ -x "$bench" ] || bench=${PARITYLOG%/*}/tests/bench
disk=${bench%/tests/bench}
tools=$top/tests/bench
if [ ! -x "$bench" ]; then
    begin 'the benchmark'
    skip 'it is not built'
    finish
fi

# measure STATUS ARGUMENT...
measure() {
    want=$1
    shift
    # shellcheck disable=SC2086
    $limit "$bench" "$@" >"$T/out" 2>"$T/err"
    got=$?
    status_is "$want" "bench $*"
}

# A library cannot be put before those of a sanitizer.
preloads() {
    ! grep -q -a __asan_init "$bench" && have cc &&
        cc -shared -fPIC -o "$1" "$2" 2>"$T/cc"
}

begin 'it does not run with libeatmydata'
echo 'int fsync(int fd) { (void)fd; return 0; }' >"$T/nothing.c"
if preloads "$T/libeatmydata.so" "$T/nothing.c"; then
    LD_PRELOAD=$T/libeatmydata.so measure 2 --dir "$disk" --runs 1
    err_has 'libeatmydata is loaded'
    out_empty
else
    skip 'no compiler, or a sanitizer in the program'
fi

begin 'it does not run where fdatasync comes back at once, by any name'
echo 'int fdatasync(int fd) { (void)fd; return 0; }' >"$T/nothing.c"
if preloads "$T/libfast.so" "$T/nothing.c"; then
    LD_PRELOAD=$T/libfast.so measure 2 --dir "$disk" --runs 1
    err_has 'syncs do nothing'
    out_empty
else
    skip 'no compiler, or a sanitizer in the program'
fi

begin 'it does not run on a file system in memory'
if [ "$(stat -f -c %T /dev/shm 2>/dev/null)" = tmpfs ] && [ -w /dev/shm ]; then
    measure 2 --dir /dev/shm --runs 1
    err_has 'file system in memory'
    out_empty
else
    skip 'no tmpfs that may be written to'
fi

# Where it refuses there is nothing more to try.
begin 'every row gives a figure'
ls -d "$disk"/paritylog-bench* >"$T/before" 2>/dev/null
"$bench" --dir "$disk" --command "$disk/paritylog" --runs 1 --seconds 0.02 \
    --events 2000 --large-events 3000 --disk-events 1000 --compact-mb 3 \
    --commit smoke --json "$T/json" >"$T/out" 2>"$T/err"
got=$?
if [ $got -eq 2 ]; then
    skip "$(sed 's/^bench: //' "$T/err")"
    finish
fi
status_is 0 'bench, all rows'
out_lacks nan
json_valid "$T/json"
json_is "$T/json" '.rows | length > 50'
json_is "$T/json" 'all(.rows[]; .figures | length > 0)'
json_is "$T/json" 'all(.rows[] | .figures[]; length == 1 and all(type == "number"))'
json_is "$T/json" 'all(.rows[] | .figures.events_per_s // [1] | .[]; . > 0)'
json_is "$T/json" '.limits | length >= 30'
json_is "$T/json" 'all(.limits[]; .values | length == 1)'
json_is "$T/json" '([.rows[].name] | unique | length) == (.rows | length)'
ls -d "$disk"/paritylog-bench* >"$T/after" 2>/dev/null
files_equal "$T/before" "$T/after"

begin 'without yajl its row is skipped, and says so'
if json_is "$T/json" 'any(.rows[]; .name == "yajl, the same bytes")' &&
    [ ! -e "$T/.wrong" ]; then
    out_lacks 'skip yajl'
else
    rm -f "$T/.wrong"
    out_has 'skip yajl'
fi

begin 'only the rows that are asked for'
measure 0 --dir "$disk" --runs 2 --seconds 0.02 --json "$T/two" 'O: ' 'A: '
json_is "$T/two" '[.rows[] | .figures.events_per_s | length] | all(. == 2)'
out_has 'A: append + fdatasync, 1'
out_lacks 'paritylog, 1'

begin 'a result is compared with itself, and with one that is slower'
if have python3 && have jq; then
    python3 "$tools/compare.py" "$T/json" "$T/json" >"$T/out" 2>"$T/err"
    same status $? 0
    out_is 'nothing got slower'
    jq '(.rows[] | select(.name == "verify, 1 thread") | .figures.events_per_s[0]) /= 2' \
        "$T/json" >"$T/slow"
    python3 "$tools/compare.py" "$T/json" "$T/slow" >"$T/out" 2>"$T/err"
    same status $? 1
    out_has 'slower   verify, 1 thread'
    python3 "$tools/compare.py" "$T/slow" "$T/json" >"$T/out" 2>"$T/err"
    same status $? 0
    out_has 'faster   verify, 1 thread'
    python3 "$tools/compare.py" "$T/json" >"$T/out" 2>"$T/err"
    same status $? 2
    python3 "$tools/compare.py" "$T/json" "$T/err" >"$T/out" 2>"$T/err2"
    same status $? 2
else
    skip 'no python3 or jq'
fi

begin 'what moved within its spread, or only overlaps, is not slower'
if have python3 && have jq; then
    with_verify() {
        jq "(.rows[] | select(.name == \"verify, 1 thread\") | .figures) =
            {events_per_s: $1}" "$T/json" >"$2"
    }
    with_verify '[100,110,120]' "$T/a"
    with_verify '[108,112,119]' "$T/b"
    with_verify '[50,80,105]' "$T/c"
    with_verify '[50,60,90]' "$T/d"
    python3 "$tools/compare.py" "$T/a" "$T/b" >"$T/out" 2>"$T/err"
    same status $? 0
    out_is 'nothing got slower'
    python3 "$tools/compare.py" "$T/a" "$T/c" >"$T/out" 2>"$T/err"
    same status $? 0
    out_has 'moved    verify, 1 thread'
    python3 "$tools/compare.py" "$T/a" "$T/d" >"$T/out" 2>"$T/err"
    same status $? 1
    out_has 'slower   verify, 1 thread'
else
    skip 'no python3 or jq'
fi

begin 'every peer is measured, or named with the reason'
if have python3; then
    # Servers take seconds to start: only what runs in the process.
    python3 "$tools/peers.py" --dir "$disk" --runs 1 --seconds 0.1 --json "$T/peers" \
        LMDB RocksDB nothing >"$T/out" 2>"$T/err"
    same status $? 0
    json_is "$T/peers" '[.rows[], .absent[]] | length >= 2'
    json_is "$T/peers" 'all(.rows[]; .events_per_s[0] > 0 and .o[0] > 0)'
    json_is "$T/peers" 'all(.absent[]; .why | length > 0)'
else
    skip 'no python3'
fi

begin 'the report goes between the markers, and its picture is XML'
if have python3; then
    printf 'above\n<!-- measured: begin -->\nold\n<!-- measured: end -->\nbelow\n' >"$T/doc"
    python3 "$tools/report.py" "$T/json" --plain "$T/json" \
        --peers "$T/peers" --write "$T/doc" --svg "$T/plot.svg" >"$T/out" 2>"$T/err"
    same status $? 0
    err_empty
    same 'the first line' "$(head -n 1 "$T/doc")" above
    same 'the last line' "$(tail -n 1 "$T/doc")" below
    ! grep -q '^old$' "$T/doc" || wrong 'the old text is still there'
    for words in 'paritylog, 1000' 'without libcrypto' 'signing' 'memory of verify'; do
        grep -q -e "$words" "$T/doc" || wrong "the report lacks $words"
    done
    python3 -c 'import sys, xml.dom.minidom
bars = xml.dom.minidom.parse(sys.argv[1]).getElementsByTagName("rect")
sys.exit(len(bars) < 50)' "$T/plot.svg" || wrong 'the picture lacks bars'
    cp "$T/err" "$T/doc"
    python3 "$tools/report.py" "$T/json" --write "$T/doc" >"$T/out" 2>"$T/err"
    same status $? 1
else
    skip 'no python3'
fi

finish
