# lib.sh - what the tests of the command share; sourced by each of them.
#
# A script is a row of cases: `begin NAME`, commands and checks, the next
# `begin`; `finish` at the end.  A check that fails says why on a line that
# begins with # and fails its case.  Each case gives `ok NAME`, `FAIL NAME` or
# `skip NAME: why`; the last line is `N passed, N failed, N skipped`.
#
# PARITYLOG    the command (default: build/paritylog of this checkout)
# WRAP         put before it, for example `valgrind -q --error-exitcode=99`
# RUN_SECONDS  how long one command may take (default 300; needs timeout(1))
# CHECK_STOP   end at the first check that fails
# CHECK_KEEP   keep the directory of a failed script

set -u
LC_ALL=C
TZ=UTC
export LC_ALL TZ
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
PARITYLOG=${PARITYLOG:-$top/build/paritylog}
case $PARITYLOG in
/*) ;;
*) PARITYLOG=$(pwd)/$PARITYLOG ;;
esac
WRAP=${WRAP:-}
# Under valgrind (WRAP is set) loops take fewer turns: of `many`, a few.
many() {
    if [ -n "$WRAP" ]; then echo $((($1 + 9) / 10)); else echo "$1"; fi
}
if command -v timeout >/dev/null 2>&1; then
    limit="timeout -k 5 ${RUN_SECONDS:-300}"
else
    limit=
fi

T=$(mktemp -d "${TMPDIR:-/tmp}/paritylog-cli.XXXXXX") || exit 1
name=
passed=0 failed=0 skipped=0

cleanup() {
    if [ "$failed" -gt 0 ] && [ -n "${CHECK_KEEP:-}" ]; then
        echo "# kept: $T"
    else
        rm -rf "$T"
    fi
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

# ---- Cases ------------------------------------------------------------------

# What a case came to is kept in files, because a check may stand behind a
# pipe and then runs in a shell of its own.
end_case() {
    [ -n "$name" ] || return 0
    if [ -e "$T/.wrong" ]; then
        echo "FAIL $name"
        failed=$((failed + 1))
    elif [ -e "$T/.skip" ]; then
        echo "skip $name: $(cat "$T/.skip")"
        skipped=$((skipped + 1))
    else
        echo "ok $name"
        passed=$((passed + 1))
    fi
    rm -f "$T/.wrong" "$T/.skip"
    name=
}

begin() {
    end_case
    name=$1
}

finish() {
    end_case
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ]
    exit $?
}

skip() {
    echo "$1" >"$T/.skip"
}

wrong() {
    : >"$T/.wrong"
    echo "# $name: $*"
    [ -z "${CHECK_STOP:-}" ] || kill $$
}

have() {
    command -v "$1" >/dev/null 2>&1
}

# ---- Running ------------------------------------------------------------------

# run STATUS ARGUMENT...: runs the command with the standard input of the
# caller; output goes to $T/out and $T/err.
run() {
    want=$1
    shift
    # shellcheck disable=SC2086
    $limit $WRAP "$PARITYLOG" "$@" >"$T/out" 2>"$T/err"
    got=$?
    status_is "$want" "$*"
}

# status_is STATUS WHAT: checks $got.
status_is() {
    [ "$got" -eq "$1" ] && return 0
    wrong "exit status $got instead of $1: $2"
    sed 's/^/#   /' "$T/err" | head -5
    return 1
}

# ---- Checks -------------------------------------------------------------------

# same WHAT GOT WANT
same() {
    [ "$2" = "$3" ] || wrong "$1 is '$2' instead of '$3'"
}

out_is() {
    same 'standard output' "$(cat "$T/out")" "$1"
}

out_lines() {
    same 'number of lines' "$(($(wc -l <"$T/out")))" "$1"
}

# Fixed texts that must occur.
out_has() {
    grep -F -q -e "$1" "$T/out" || wrong "standard output lacks '$1'"
}

err_has() {
    grep -F -q -e "$1" "$T/err" || {
        wrong "standard error lacks '$1'"
        sed 's/^/#   /' "$T/err" | head -5
    }
}

out_lacks() {
    ! grep -F -q -e "$1" "$T/out" || wrong "standard output has '$1'"
}

err_lacks() {
    ! grep -F -q -e "$1" "$T/err" || wrong "standard error has '$1'"
}

out_empty() {
    [ ! -s "$T/out" ] || wrong 'standard output is not empty'
}

err_empty() {
    [ ! -s "$T/err" ] || {
        wrong 'standard error is not empty'
        sed 's/^/#   /' "$T/err" | head -5
    }
}

# wait_lines FILE N: until a file has so many lines, at most 10 seconds.
wait_lines() {
    tries=0
    while [ "$(wc -l 2>/dev/null <"$1" || echo 0)" -lt "$2" ] &&
        [ $tries -lt 200 ]; do
        sleep 0.05
        tries=$((tries + 1))
    done
}

files_equal() {
    cmp -s "$1" "$2" || wrong "$1 and $2 differ"
}

# json_valid FILE: every line is one JSON value, and there is one.
json_valid() {
    if [ ! -s "$1" ]; then
        wrong "no JSON in ${1##*/}"
    elif have jq; then
        jq -c . "$1" >/dev/null 2>&1 || wrong "invalid JSON in ${1##*/}"
    elif have python3; then
        python3 -c 'import json, sys
for line in open(sys.argv[1], encoding="utf-8"): json.loads(line)' "$1" \
            2>/dev/null || wrong "invalid JSON in ${1##*/}"
    else
        skip 'neither jq nor python3'
    fi
}

# json_is FILE EXPRESSION [jq option]...: the jq expression is true of it.
json_is() {
    if ! have jq; then
        json_valid "$1"
        skip 'no jq'
        return
    fi
    json_file=$1 json_test=$2
    shift 2
    jq -e "$@" "$json_test" "$json_file" >/dev/null 2>&1 || {
        wrong "not so in ${json_file##*/}: $json_test"
        head -c 600 "$json_file" | sed 's/^/#   /'
    }
}

# error_is CODE EXPRESSION: the JSON error on standard error.
error_is() {
    same 'lines of the error' "$(($(wc -l <"$T/err")))" 1
    json_is "$T/err" ".error.code == \"$1\" and (.error.message | length > 0)
        and (${2:-true})"
}

# ---- Logs -----------------------------------------------------------------------

# fresh NAME [OPTION]...: an empty log; its directory is $L, its only segment
# $S.
fresh() {
    L=$T/$1
    shift
    S=$L/log/00000000000000000001.jsonl
    "$PARITYLOG" init "$L" "$@" >"$T/vkey" 2>"$T/err" || {
        wrong "init $* failed"
        sed 's/^/#   /' "$T/err"
    }
}

# delta ID RECORD VALUE [TIME]: one line; an ID of - leaves it out.
delta() {
    if [ "$1" = - ]; then
        printf '{'
    else
        printf '{"id":"%s",' "$1"
    fi
    printf '"resource":"pets","record_id":"%s","op":"upsert",' "$2"
    printf '"payload":{"v":%s},"occurred_at":"%s",' "$3" \
        "${4:-2026-01-01T00:00:00Z}"
    printf '"provenance":{"source":"test","confidence":1.0}}\n'
}

# deltas FIRST LAST: a line each, with ids and records of those numbers.
deltas() {
    i=$1
    while [ "$i" -le "$2" ]; do
        delta "id-$i" "$i" "$i"
        i=$((i + 1))
    done
}

# filled NAME COUNT [OPTION]...: a log with so many deltas, in groups of 10.
filled() {
    fill_name=$1 fill_count=$2
    shift 2
    fresh "$fill_name" "$@"
    deltas 1 "$fill_count" >"$T/fill"
    "$PARITYLOG" append "$L" "$T/fill" --group 10 --quiet 2>"$T/err" || {
        wrong 'filling the log failed'
        sed 's/^/#   /' "$T/err"
    }
}

# The commits of a segment: one for each group.
commits() {
    grep -c '^{"commit"' "$S"
}

# The digest of every file of the log and its keys.
log_digest() {
    (cd "$L" && find log keys -type f | sort | xargs cksum)
}

without_store() {
    rm -f "$L/store.db" "$L/store.db-wal" "$L/store.db-shm"
}

# flip FILE OFFSET: turns over the lowest bit of one byte.
flip() {
    byte=$(od -An -tu1 -j "$2" -N 1 "$1")
    # shellcheck disable=SC2059
    printf "\\$(printf %03o $((byte ^ 1)))" |
        dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

# offset FILE TEXT: where the first line that holds TEXT has it.
offset_of() {
    grep -F -b -o -e "$2" "$1" | head -1 | cut -d: -f1
}

# sql DATABASE STATEMENT: changes a database behind our back.
sql() {
    if have sqlite3; then
        sqlite3 "$1" "$2" >/dev/null || wrong "cannot run: $2"
    elif have python3; then
        python3 -c 'import sqlite3, sys
db = sqlite3.connect(sys.argv[1]); db.executescript(sys.argv[2]); db.commit()' \
            "$1" "$2" || wrong "cannot run: $2"
    else
        skip 'neither sqlite3 nor python3'
        return 1
    fi
}
