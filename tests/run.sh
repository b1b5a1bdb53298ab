#!/bin/sh
# run.sh - runs tests that are built, and adds up.
#
#     BUILD=build sh tests/run.sh unit|short|long|cli|threads|valgrind|storm...
#
# unit      the programs $BUILD/tests/test_*
# short     of unit all but those that take longest, and long: those
# cli       the scripts tests/cli/*.sh, on the command with the order shim
# threads   of unit those about threads and processes, for a thread sanitizer
# valgrind  some of cli, with every command under valgrind
# storm     the programs $BUILD/storm/* and tests/storm/*.py; STORM_SEED, and
#           STORM_BUDGET: how many seconds all of them together may take (each
#           gets its share; the table of damage takes a minute at least)
#
# ONLY      words: run only what has one of them in its name
# EXCEPT    words: and nothing that has one of these, or is one with = before it
# JOBS      how many at once (default 1; output comes in order all the same)
# SECONDS_MAX   how long one may take (default 300; valgrind 900)
# SLOWEST   print the time of each
#
# Each of them ends with a line `N passed, N failed, N skipped`, and so does
# this script.  One that dies, hangs or lacks that line counts as one failed,
# one that says nothing of a failure and yet fails as well.  A mode that has
# nothing to run is one skip.
set -u

BUILD=${BUILD:-build}
case $BUILD in
/*) ;;
*) BUILD=$(pwd)/$BUILD ;;
esac
top=$(cd "$(dirname "$0")/.." && pwd)
ONLY=${ONLY:-}
JOBS=${JOBS:-1}
passed=0 failed=0 skipped=0

T=$(mktemp -d "${TMPDIR:-/tmp}/paritylog-run.XXXXXX") || exit 1
trap 'rm -rf "$T"' EXIT
trap 'exit 1' HUP INT TERM

# ---- One program ----------------------------------------------------------------

# run_one NUMBER PROGRAM: output, status and seconds go to files.
run_one() {
    began=$(date +%s)
    case $2 in
    *.sh) set -- "$1" sh "$2" ;;
    *.py) set -- "$1" python3 "$2" ;;
    esac
    out=$T/$1.out
    shift
    if command -v timeout >/dev/null 2>&1; then
        timeout -k 10 "$limit" "$@" >"$out" 2>&1 </dev/null
    else
        "$@" >"$out" 2>&1 </dev/null
    fi
    echo "$? $(($(date +%s) - began))" >"${out%.out}.ending"
    mv "${out%.out}.ending" "${out%.out}.end"
}

# worker K: each program of the list that no other worker has taken.
worker() {
    at=0
    while IFS= read -r each; do
        at=$((at + 1))
        ! mkdir "$T/$at.taken" 2>/dev/null || run_one $at "$each"
    done <"$T/list"
    : >"$T/$1.worked"
}

# Whether every worker has come to its end.
all_worked() {
    k=0
    while [ $k -lt "$JOBS" ]; do
        [ -e "$T/$k.worked" ] || return 1
        k=$((k + 1))
    done
}

# run_beside COUNT: all of the list, JOBS at a time; judged in order.
run_beside() {
    k=0
    while [ $k -lt "$JOBS" ]; do
        worker $k &
        k=$((k + 1))
    done
    n=0
    while [ $n -lt "$1" ]; do
        n=$((n + 1))
        until [ -e "$T/$n.end" ] || all_worked; do
            sleep 0.2
        done
        judge_one "$mode" $n
    done
    wait
}

# The three numbers of the closing line, or nothing.
counts_of() {
    tail -n 1 "$1" | sed -n \
        's/^\([0-9]\{1,9\}\) passed, \([0-9]\{1,9\}\) failed, \([0-9]\{1,9\}\) skipped$/\1 \2 \3/p'
}

# judge NUMBER NAME: prints what is to be said, adds up.
judge() {
    out=$T/$1.out
    status=none seconds=0
    if [ -e "$T/$1.end" ]; then
        read -r status seconds <"$T/$1.end"
    fi
    # shellcheck disable=SC2046
    set -- "$1" "$2" $(counts_of "$out")
    why=
    if [ "$status" = 124 ] || [ "$status" = 137 ]; then
        why="killed, or not done after $limit seconds"
    elif [ $# -ne 5 ]; then
        why="ended with status $status and without a closing line"
    elif [ "$4" -eq 0 ] && [ "$status" != 0 ]; then
        why="ended with status $status without naming a failure"
    elif [ "$4" -gt 0 ]; then
        why="$4 failed"
    fi
    if [ $# -eq 5 ]; then
        passed=$((passed + $3)) failed=$((failed + $4))
        skipped=$((skipped + $5))
        [ -z "$why" ] || [ "$4" -gt 0 ] || failed=$((failed + 1))
    else
        failed=$((failed + 1))
    fi
    if [ -n "$why" ]; then
        echo "FAIL $2: $why"
        if [ $# -eq 5 ]; then
            grep -v '^ok ' "$out" | tail -n 60 | sed 's/^/    /'
        else
            tail -n 60 "$out" | sed 's/^/    /'
        fi
        return
    fi
    echo "ok   $2: $3 passed${SLOWEST:+, $seconds s}"
    grep '^skip ' "$out" | sed 's/^/    /'
}

# ---- One mode ---------------------------------------------------------------------

chosen() {
    for word in ${EXCEPT:-}; do
        case ${1##*/} in
        *"$word"*) return 1 ;;
        esac
        [ "=${1##*/}" != "$word" ] || return 1
    done
    [ -n "$ONLY" ] || return 0
    for word in $ONLY; do
        case ${1##*/} in
        *"$word"*) return 0 ;;
        esac
    done
    return 1
}

# is_long PROGRAM: five seconds and more.
is_long() {
    case ${1##*/} in
    test_compact_kills | test_compact_lines | test_compact_range | \
        test_compact_readers | test_damage | test_fresh | test_heal | test_hostile | \
        test_killed | test_meanwhile | test_one_call_fails | test_parity_floor | \
        test_parity_quick | test_recent | test_redact | test_resumed | test_rotate | \
        test_selftest_errors | test_since | test_sql_fails | test_statements | \
        test_tally) ;;
    *) return 1 ;;
    esac
}

# comes_first PROGRAM: or it would run alone at the end.
comes_first() {
    case ${1##*/} in
    second_verifier.sh | test_compact_kills | test_damage | test_recent | test_statements) ;;
    *) return 1 ;;
    esac
}

# run_all MODE PROGRAM...
run_all() {
    mode=$1
    shift
    count=0
    : >"$T/list"
    : >"$T/list.long"
    for program; do
        # Not what a pattern without a match leaves, nor the scripts' library.
        [ -f "$program" ] || continue
        case $program in
        */lib.sh) continue ;;
        *.sh | *.py) ;;
        *) [ -x "$program" ] || continue ;;
        esac
        chosen "$program" || continue
        case $mode:$(is_long "$program" && echo long) in
        short:long | long:) continue ;;
        esac
        count=$((count + 1))
        if comes_first "$program"; then
            echo "$program" >>"$T/list.long"
        else
            echo "$program" >>"$T/list"
        fi
    done
    cat "$T/list" >>"$T/list.long"
    mv "$T/list.long" "$T/list"
    if [ $count -eq 0 ]; then
        echo "skip $mode: there is nothing to run"
        skipped=$((skipped + 1))
        return
    fi
    [ "$mode" != storm ] || share_budget $count
    rm -rf "$T"/*.out "$T"/*.end "$T"/*.worked "$T"/*.taken
    if [ "$JOBS" -gt 1 ]; then
        run_beside $count
        return
    fi
    started=0
    while IFS= read -r program; do # not behind the back of an interrupt
        started=$((started + 1))
        run_one $started "$program"
        judge_one "$mode" $started
    done <"$T/list"
}

# judge_one MODE NUMBER
judge_one() {
    program=$(sed -n "$2p" "$T/list")
    name=${program##*/}
    name=${name%.sh}
    judge "$2" "$1/${name%.py}"
}

share_budget() {
    [ -n "${STORM_BUDGET:-}" ] || return 0
    STORM_BUDGET=$((STORM_BUDGET / $1))
    [ $STORM_BUDGET -gt 0 ] || STORM_BUDGET=1
    export STORM_BUDGET
    limit=$((limit + STORM_BUDGET))
}

the_command() {
    if [ -x "$BUILD/tests/paritylog-checked" ]; then
        echo "$BUILD/tests/paritylog-checked"
    else
        echo "$BUILD/paritylog"
    fi
}

# A command that runs the real one under valgrind.  What valgrind finds goes to
# a file, so that it is seen where a test does not look at the exit status; the
# file would take the place of a closed standard output, so there is none then.
valgrind_command() {
    {
        echo '#!/bin/sh'
        echo "[ -e /proc/self/fd/0 ] && [ -e /proc/self/fd/1 ] &&"
        echo "    [ -e /proc/self/fd/2 ] || exec '$(the_command)' \"\$@\""
        echo "exec valgrind -q --leak-check=full --error-exitcode=99 \\"
        echo "    --log-file='$T/valgrind.%p' '$(the_command)' \"\$@\""
    } >"$T/paritylog"
    chmod +x "$T/paritylog"
    echo "$T/paritylog"
}

judge_valgrind() {
    found=$(find "$T" -name 'valgrind.*' -size +0 | wc -l)
    if [ "$found" -gt 0 ]; then
        echo "FAIL valgrind: it complains of $found processes; the first:"
        find "$T" -name 'valgrind.*' -size +0 -exec head -n 30 {} \; |
            head -n 30 | sed 's/^/    /'
        failed=$((failed + 1))
    fi
    rm -f "$T"/valgrind.*
}

run_mode() {
    limit=${SECONDS_MAX:-300}
    PARITYLOG=$(the_command)
    STORM_DATA=$top/tests/data
    export PARITYLOG STORM_DATA
    case $1 in
    unit | short | long)
        run_all "$1" "$BUILD"/tests/test_*
        ;;
    threads)
        run_all threads "$BUILD"/tests/test_*thread* \
            "$BUILD"/tests/test_*process* "$BUILD"/tests/test_pipe \
            "$BUILD"/tests/test_fresh "$BUILD"/tests/test_shared_queue
        ;;
    cli | valgrind)
        if [ "$1" = valgrind ]; then
            if ! command -v valgrind >/dev/null 2>&1; then
                echo 'skip valgrind: it is not installed'
                skipped=$((skipped + 1))
                return
            fi
            PARITYLOG=$(valgrind_command)
            limit=${SECONDS_MAX:-900}
            RUN_SECONDS=${RUN_SECONDS:-600}
            # Tells the scripts that the command does not stand alone.
            WRAP='env'
            export RUN_SECONDS WRAP
        fi
        mode=$1
        set --
        for script in "$top"/tests/cli/*.sh; do
            # Under valgrind those that between them read, write and mend; all but
            # a few run under AddressSanitizer.
            case $mode:${script##*/} in
            cli:* | valgrind:append.sh | valgrind:cursor.sh | \
                valgrind:read.sh | valgrind:replay.sh)
                set -- "$@" "$script"
                ;;
            esac
        done
        if [ "$mode" = valgrind ]; then
            echo 'skip the other scripts under valgrind: too slow there'
            skipped=$((skipped + 1))
        fi
        run_all "$mode" "$@"
        [ "$mode" != valgrind ] || judge_valgrind
        ;;
    storm)
        if [ -n "${STORM_SEED:-}" ]; then
            CHECK_SEED=$STORM_SEED
            export CHECK_SEED
        fi
        set -- "$BUILD"/storm/*
        if command -v python3 >/dev/null 2>&1; then
            set -- "$@" "$top"/tests/storm/*.py
        else
            echo 'skip damage_table: there is no python3'
            skipped=$((skipped + 1))
        fi
        run_all storm "$@"
        ;;
    *)
        echo 'usage: sh tests/run.sh unit|short|long|cli|threads|valgrind|storm...' >&2
        exit 2
        ;;
    esac
}

# Where python3 is a script that looks for the real one, each of some hundred
# calls takes twice as long.
find_python() {
    real=$(python3 -c 'import sys; print(sys.executable)' 2>/dev/null) || return
    [ "${real##*/}" != python3 ] || PATH=${real%/*}:$PATH
}

# In a function, so that the shell has read all of this file before it begins.
main() {
    [ $# -gt 0 ] || set -- unit cli
    find_python
    for word; do
        run_mode "$word"
    done
    echo "$passed passed, $failed failed, $skipped skipped"
    [ $failed -eq 0 ]
    exit
}
main "$@"
