#!/bin/sh
# selftest.sh - paritylog selftest: a disk that keeps its word passes, one that
# does not is found; nothing else is touched, and nothing is left.
. "$(dirname "$0")/lib.sh"

broken=${BUILD:-$top/build}/tests/paritylog-broken
[ -x "$broken" ] || broken=$(dirname "$PARITYLOG")/tests/paritylog-broken

# A file system in memory, where this takes two seconds and not ten.
M=$T/fast
if [ -d /dev/shm ] && [ -w /dev/shm ] &&
    [ "$(stat -f -c %T /dev/shm 2>/dev/null)" = tmpfs ]; then
    M=$(mktemp -d /dev/shm/paritylog-cli.XXXXXX) || exit 1
    # shellcheck disable=SC2064
    trap "rm -rf '$M'; cleanup" EXIT
else
    mkdir "$M"
fi

# says RESULT NAME: there is such a line.
says() {
    grep -q "^$1 *$2: " "$T/out" || wrong "no '$1 $2' in: $(cat "$T/out")"
}

# spoilt STATUS WORDS [ARGUMENT]...: a run over such a file system.
spoilt() {
    want=$1
    PARITYLOG_BROKEN=$2
    export PARITYLOG_BROKEN
    shift 2
    $limit "$broken" selftest "$M" --seconds 1 --seed 7 "$@" \
        >"$T/out" 2>"$T/err"
    got=$?
    unset PARITYLOG_BROKEN
    status_is "$want" "selftest over a broken file system"
    nothing_left "$M"
}

nothing_left() {
    same 'what is left' "$(ls -A "$1")" ''
}

# Every file with its bytes, mode, number, size and time.
all_of_it() {
    (cd "$L" && find . -type f | sort | while IFS= read -r file; do
        cksum "$file"
        stat -c '%n %i %a %s %y' "$file"
    done)
}

begin 'it passes in the directory of a log, which stays byte for byte'
filled log 12
all_of_it >"$T/sum.1"
run 0 selftest "$L" --seconds 1
for what in kernel SQLite libsodium clock flock 'byte locks' "SQLite's locks" \
    'new names' rename 'sync of a directory' links modes \
    'appends, 1 a commit' 'appends, 100 a commit' 'kill -9 at any time' \
    'kill -9 at a disk call' 'kill -9 while repairing' 'full disk (ENOSPC)' \
    'failing disk (EIO)'; do
    says ok "$what"
done
out_has 'passed: '
out_has 'seed '
err_empty
all_of_it >"$T/sum.2"
files_equal "$T/sum.1" "$T/sum.2"
run 0 parity "$L"

begin 'as JSON; in memory: a warning, and no failure'
run 0 selftest "$M" --seconds 1 --seed 5 --json
json_is "$T/out" '.schema == "paritylog/selftest/1" and .verdict == "passed"
    and .counts.ok > 15 and .counts.FAIL == 0 and .seed == 5 and .kills > 0
    and .calls > 0 and .errors > 0 and .seconds < 30
    and ([.tests[] | select(.name == "sync of appends")][0].figures
         | .median_us <= .p99_us and .p99_us <= .max_us)
    and ([.tests[] | select(.name == "kill -9 at any time")][0].figures
         | .kills_count > 0 and .acknowledged_count <= .recovered_count
           and .recovered_count <= .attempted_count)'
if [ "$M" != "$T/fast" ]; then
    json_is "$T/out" '[.tests[] | select(.result == "warn").name]
        | index("file system") != null and index("sync of appends") != null'
    json_is "$T/out" '[.tests[] | select(.name == "file system")][0].found
        | startswith("tmpfs")'
fi
err_empty
nothing_left "$M"

begin 'a wrong command line'
run 2 selftest
run 2 selftest "$M" --seconds 0
run 2 selftest "$M" --seconds 60
run 2 selftest "$M" --seconds soon
run 2 selftest "$M" --seed 0
run 2 selftest "$M" more

begin 'where it cannot run'
run 1 selftest "$T/nothing"
err_has 'No such file or directory'
out_empty
run 1 selftest "$L/lock"
err_has 'Not a directory'
if [ ! -x "$broken" ]; then
    skip 'paritylog-broken was not built'
else
    spoilt 1 space
    err_has 'no space'
    spoilt 1 readonly
    err_has 'Read-only file system'
    err_has 'that you may write to'
    spoilt 1 readonly --json
    error_is IO
    json_is "$T/out" '.verdict == "IO" and .tests == []'
fi

begin 'interrupted: it ends at once, and nothing is left'
rm -f "$T/out" # or its lines would be counted
"$PARITYLOG" selftest "$M" --seconds 30 >"$T/out" 2>"$T/err" &
pid=$!
wait_lines "$T/out" 16
sleep 0.3
kill -TERM $pid
wait $pid
got=$?
status_is 130 'an interrupted selftest'
err_has INTERRUPTED
nothing_left "$M"

begin 'killed: no process stays, and what it left is named, not removed'
rm -f "$T/out" # or its lines would be counted
"$PARITYLOG" selftest "$M" --seconds 30 >"$T/out" 2>"$T/err" &
pid=$!
wait_lines "$T/out" 16
kill -KILL $pid
wait $pid 2>/dev/null
left=$(ls -A "$M")
run 0 selftest "$M" --seconds 1
says warn 'left over'
same 'what is left' "$(ls -A "$M")" "${left:-a folder}"
rm -rf "$M"/paritylog-selftest-* # fails while a child still writes there
nothing_left "$M"

begin 'locks that are given to everybody, names that are not made once'
if [ -x "$broken" ]; then
    spoilt 1 'flock bytes exclusive rename links'
    says FAIL flock
    says FAIL 'byte locks'
    says FAIL 'new names'
    says FAIL rename
    says FAIL links
    out_has 'failed: '
else
    skip 'paritylog-broken was not built'
fi

begin 'locks that stay, links that are followed, modes that do not hold'
if [ -x "$broken" ]; then
    spoilt 1 'held follow modes folder'
    says FAIL 'byte locks'
    out_has 'is still held'
    out_has 'O_NOFOLLOW follows'
    says FAIL modes
    says FAIL 'sync of a directory'
else
    skip 'paritylog-broken was not built'
fi

begin 'writes that are forgotten: the log that was killed is not whole'
if [ -x "$broken" ]; then
    spoilt 1 forgets
    says FAIL 'kill -9 at any time'
    says FAIL 'full disk (ENOSPC)'
else
    skip 'paritylog-broken was not built'
fi

begin 'a network, and one that was allowed'
if [ -x "$broken" ]; then
    spoilt 1 'network mute'
    says FAIL 'file system'
    says FAIL 'sync of appends'
    spoilt 1 'network mute' --network-fs-ok
    says warn 'file system'
else
    skip 'paritylog-broken was not built'
fi

begin 'a sync that does nothing'
if [ -x "$broken" ]; then
    M=$T/disk
    mkdir "$M"
    spoilt 1 'sync folder' # no log can be made then, which takes no time
    says warn 'sync of appends'
    grep -q '^skip *sync reaches the disk' "$T/out" ||
        says FAIL 'sync reaches the disk'
else
    skip 'paritylog-broken was not built'
fi

finish
