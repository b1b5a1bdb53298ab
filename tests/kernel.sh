#!/bin/sh
# kernel.sh - the storms on real kernels, in full.
#
#     BUILD=build sh tests/kernel.sh
#
# KERNEL_SEED     the seed of all of them (default 1)
# KERNEL_BUDGET   seconds for each, instead of the counts below
# STORM_KILLS STORM_CUTS STORM_CUTS_XFS STORM_FAILURES STORM_SQUEEZES
#                 kills, power cuts, failed syncs of each file system, full disks
#
# Ends with `N passed, N failed, N skipped`.
set -u

BUILD=${BUILD:-build}
CHECK_SEED=${KERNEL_SEED:-1}
STORM_SEED=$CHECK_SEED
export CHECK_SEED STORM_SEED
passed=0 failed=0 skipped=0
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT
trap 'exit 1' HUP INT TERM

# one PROGRAM...: runs it, shows what it prints, adds up.
one() {
    "$@" >"$out" 2>&1
    status=$?
    cat "$out"
    # shellcheck disable=SC2046
    set -- $(tail -n 1 "$out" | sed -n \
        's/^\([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p')
    if [ $# -ne 3 ]; then
        echo "FAIL: it ended with status $status and without a closing line"
        failed=$((failed + 1))
        return
    fi
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
    [ "$status" -eq 0 ] || [ "$2" -gt 0 ] || failed=$((failed + 1))
}

if [ -n "${KERNEL_BUDGET:-}" ]; then
    STORM_BUDGET=$KERNEL_BUDGET
    export STORM_BUDGET
    unset STORM_KILLS STORM_CUTS STORM_CUTS_XFS STORM_FAILURES STORM_SQUEEZES
else
    STORM_KILLS=${STORM_KILLS:-20000} STORM_CUTS=${STORM_CUTS:-20000}
    STORM_CUTS_XFS=${STORM_CUTS_XFS:-5000}
    STORM_FAILURES=${STORM_FAILURES:-200} STORM_SQUEEZES=${STORM_SQUEEZES:-1000}
    STORM_ALL=1
    export STORM_KILLS STORM_CUTS STORM_CUTS_XFS STORM_FAILURES STORM_SQUEEZES \
        STORM_ALL
fi

one "$BUILD/storm/kill_writers"
one "$BUILD/storm/kill_shared"
one "$BUILD/storm/power_cut"
one "$BUILD/storm/failed_sync"
one "$BUILD/storm/full_disk"
if command -v python3 >/dev/null 2>&1; then
    one env PARITYLOG="$BUILD/paritylog" JOBS="$(nproc 2>/dev/null || echo 1)" \
        python3 "$(dirname "$0")/storm/inject.py"
else
    echo 'skip inject: there is no python3'
    skipped=$((skipped + 1))
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
