#!/bin/sh
# fuzz.sh - the fuzz targets of tests/fuzz/, built with clang's libFuzzer.
#
#     BUILD=build sh tests/fuzz.sh check|run|minimize
#
# check     replays every kept input, then a short seeded run of each target,
#           under AddressSanitizer and UBSan; for CI
# run       one target after the other for FUZZ_SECONDS each; what it learns
#           stays in $BUILD/fuzz-corpus/, what breaks in $BUILD/fuzz-found/
# minimize  puts inputs that reach every branch that those learned reach into
#           tests/fuzz/corpus/
#
# FUZZ_TARGET   words: only targets whose name has one of them
# FUZZ_SECONDS  for each target (default: check 1, run 60)
# FUZZ_RUNS     or so many executions at most
# FUZZ_SEED     (default 1); FUZZ_FAST=1: without sanitizers, some 7 times as fast;
#               FUZZ_FAST=bare: nor does libFuzzer look at what is compared
# FUZZ_LOG      a file to which `run` adds a line a target: time, target, build,
#               seed, executions, seconds, executions a second, outcome
set -u
LC_ALL=C
export LC_ALL

cd "$(dirname "$0")/.." || exit 1
BUILD=${BUILD:-build}
mode=${1:-check}
passed=0 failed=0 skipped=0

T=$(mktemp -d "${TMPDIR:-/tmp}/paritylog-fuzz.XXXXXX") || exit 1
trap 'rm -rf "$T"' EXIT
trap 'exit 1' HUP INT TERM

finish() {
    echo "$passed passed, $failed failed, $skipped skipped"
    [ $failed -eq 0 ]
    exit
}

skip() {
    echo "skip $1: $2"
    skipped=$((skipped + 1))
}

# ---- Building ---------------------------------------------------------------------

has_fuzzer() {
    echo 'int LLVMFuzzerTestOneInput(const char *p, long n);
        int LLVMFuzzerTestOneInput(const char *p, long n) { return !p && n; }' |
        "$1" -fsanitize=fuzzer,address -x c -o "$T/probe" - >/dev/null 2>&1
}

find_clang() {
    for name in ${CLANG:-} clang clang-19 clang-18 clang-17 clang-16 clang-15 clang-14; do
        command -v "$name" >/dev/null 2>&1 || continue
        if has_fuzzer "$name"; then
            echo "$name"
            return
        fi
    done
    return 1
}

build() {
    if [ "${FUZZ_FAST:-}" = bare ]; then
        kind=bare out=$BUILD/fuzz-bare
        set -- SANITIZE=fuzzer-no-link CFLAGS=-fno-sanitize-coverage=trace-cmp
    elif [ -n "${FUZZ_FAST:-}" ]; then
        kind=fast out=$BUILD/fuzz-fast
        set -- SANITIZE=fuzzer-no-link
    else
        kind=asan out=$BUILD/fuzz-asan
        set -- SANITIZE=fuzzer-no-link,address,undefined CFLAGS=-fno-sanitize-recover=all
    fi
    make --no-print-directory BUILD="$out" CC="$clang" "$@" fuzzers >"$T/make" 2>&1 || {
        tail -n 40 "$T/make"
        echo 'FAIL fuzz: the targets do not build'
        failed=1
        finish
    }
}

# ---- Running ----------------------------------------------------------------------

# The longest input: short ones are quick, and reach as far.
length_of() {
    case $1 in
    json) echo 128 ;;
    gz) echo 256 ;;
    line | delta | note | key_file) echo 1024 ;;
    query) echo 512 ;;
    proof) echo 3072 ;;
    store) echo 1024 ;;
    segment) echo 4096 ;;
    *) echo 8192 ;;
    esac
}

chosen() {
    [ -n "${FUZZ_TARGET:-}" ] || return 0
    for word in $FUZZ_TARGET; do
        case $1 in
        *"$word"*) return 0 ;;
        esac
    done
    return 1
}

# number NAME: what libFuzzer counted.
number() {
    sed -n "s/^stat::$1: *//p" "$T/out" | tail -n 1
}

# fuzz TARGET OPTIONS... FOLDERS...: its output is in $T/out.
fuzz() {
    target=$1
    shift
    if [ -e "tests/fuzz/$target.dict" ]; then
        set -- "-dict=tests/fuzz/$target.dict" "$@"
    fi
    # Where to go on costs it more than it brings there.
    [ "$target" != store ] || set -- -entropic=0 -print_funcs=0 "$@"
    mkdir -p "$BUILD/fuzz-found"
    "$out/fuzz/$target" -max_len="$(length_of "$target")" -rss_limit_mb=2560 \
        -timeout=60 -print_final_stats=1 -verbosity=1 \
        -artifact_prefix="$BUILD/fuzz-found/$target-" "$@" >"$T/out" 2>&1
}

# What `store` says of its executions: not all of them are tried.
tried() {
    [ "$1" = store ] || return
    echo " ($(number store_without_effect) without effect, $(
        number store_as_one_before) as one before, $(
        number store_read) read, $(number store_compared) compared, $(
        number store_cpu_seconds) s of CPU)"
}

# judge TARGET STATUS WHAT
judge() {
    if [ "$2" -eq 0 ]; then
        passed=$((passed + 1))
        echo "ok $1: $3"
        return
    fi
    failed=$((failed + 1))
    echo "FAIL $1: $3"
    grep -a -e '^BROKEN' -e 'ERROR' -e 'runtime error' -e '^ *#[0-9]' -e '^artifact' \
        -e '^Base64' "$T/out" | head -n 40 | sed 's/^/    /'
}

check_one() {
    kept=$(find "tests/fuzz/corpus/$1" -type f 2>/dev/null | wc -l)
    if [ "$kept" -eq 0 ]; then
        failed=$((failed + 1))
        echo "FAIL $1: no inputs in tests/fuzz/corpus/$1"
        return
    fi
    mkdir -p "$T/$1"
    fuzz "$1" -seed="${FUZZ_SEED:-1}" -max_total_time="${FUZZ_SECONDS:-1}" \
        -runs="${FUZZ_RUNS:--1}" "$T/$1" "tests/fuzz/corpus/$1"
    judge "$1" $? "$kept kept inputs, $(number number_of_executed_units) executions"
}

run_one() {
    mkdir -p "$BUILD/fuzz-corpus/$1"
    started=$(date +%s)
    fuzz "$1" -seed="${FUZZ_SEED:-1}" -max_total_time="${FUZZ_SECONDS:-60}" \
        -runs="${FUZZ_RUNS:--1}" "$BUILD/fuzz-corpus/$1" "tests/fuzz/corpus/$1"
    status=$?
    judge "$1" $status "$(number number_of_executed_units) executions, $(
        number average_exec_per_sec) a second$(tried "$1")"
    [ -z "${FUZZ_LOG:-}" ] ||
        echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) $1 $kind seed ${FUZZ_SEED:-1} execs $(
            number number_of_executed_units) seconds $(($(date +%s) - started)) rate $(
            number average_exec_per_sec) status $status$(tried "$1")" >>"$FUZZ_LOG"
}

minimize_one() {
    mkdir -p "$T/$1" "$BUILD/fuzz-corpus/$1"
    fuzz "$1" -set_cover_merge=1 -use_counters=0 "$T/$1" "tests/fuzz/corpus/$1" "$BUILD/fuzz-corpus/$1"
    judge "$1" $? "$(find "$T/$1" -type f | wc -l) inputs reach all"
    cp "$T/$1"/* "tests/fuzz/corpus/$1/"
}

main() {
    if ! clang=$(find_clang); then
        skip fuzz 'no clang with libFuzzer is installed'
        finish
    fi
    build
    for source in tests/fuzz/*.c; do
        target=${source##*/}
        target=${target%.c}
        chosen "$target" || continue
        case $mode in
        check) check_one "$target" ;;
        run) run_one "$target" ;;
        minimize) minimize_one "$target" ;;
        *)
            echo 'usage: sh tests/fuzz.sh check|run|minimize' >&2
            exit 2
            ;;
        esac
    done
    finish
}
main
