#!/bin/sh
# all.sh - the tests, from a bare Debian or Ubuntu on.
#
#     sh tests/all.sh
#
# Installs what is missing (tests/setup.sh), builds, runs the unit tests, the
# tests of the command and short storms.  The last line adds up: N passed, N
# failed, N skipped.
#
# BUILD          where to build (default build)
# STORM_BUDGET   seconds for the storms (default 10), STORM_SEED their seed
# JOBS           tests at once (default: as many as there are processors)
# NO_SETUP       install nothing
set -u

cd "$(dirname "$0")/.." || exit 1
BUILD=${BUILD:-build}
STORM_BUDGET=${STORM_BUDGET:-10}
processors=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
JOBS=${JOBS:-$processors}
export BUILD STORM_BUDGET JOBS
passed=0 failed=0 skipped=0
began=$(date +%s)

if [ -z "${NO_SETUP:-}" ]; then
    sh tests/setup.sh build test || exit 1
fi

T=$(mktemp -d "${TMPDIR:-/tmp}/paritylog-all.XXXXXX") || exit 1
trap 'rm -rf "$T"' EXIT
trap 'exit 1' HUP INT TERM

echo '== Build'
if ! make -j "$processors" \
    BUILD="$BUILD" tests >"$T/make" 2>&1; then
    tail -n 40 "$T/make"
    echo 'FAIL the build'
    echo '0 passed, 1 failed, 0 skipped'
    exit 1
fi
grep -A 3 'warning:' "$T/make"
[ -z "${CC:-}" ] || echo "CC=$CC"
echo "done in $(($(date +%s) - began)) s"

# part TITLE COMMAND...: one run, whose last line is counted.
part() {
    echo "== $1"
    shift
    { "$@" 2>&1 || echo $? >"$T/status"; } | tee "$T/part"
    # shellcheck disable=SC2046
    set -- $(tail -n 1 "$T/part" | sed -n \
        's/^\([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p')
    if [ $# -eq 3 ]; then
        passed=$((passed + $1)) failed=$((failed + $2))
        skipped=$((skipped + $3))
        [ ! -e "$T/status" ] || [ "$2" -gt 0 ] || failed=$((failed + 1))
    else
        echo 'FAIL no closing line'
        failed=$((failed + 1))
    fi
    rm -f "$T/status"
}

# But for the longest, which `make check` and .ci/run run: five minutes are all
# that this may take.
part 'Unit tests' sh tests/run.sh short
part 'The command' env EXCEPT=c2sp sh tests/run.sh cli
# But for the long tables, which .ci/run compares.
part "Storms, $STORM_BUDGET seconds" env EXCEPT='damage_table attacks' sh tests/run.sh storm

echo "== All, in $(($(date +%s) - began)) s"
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
