#!/bin/sh
# measure.sh - runs tests on a build with COVERAGE=1, and reports.
#
#     BUILD=build/coverage sh tests/coverage/measure.sh short|long|again
#
# short   most of unit, and those scripts of cli that come where unit does not:
#         a minute and a half, for every change
# long    all of unit and cli, every storm (STORM_BUDGET seconds for those)
# again   runs nothing: reports as long did
#
# JOBS as for run.sh.
set -u
cd "$(dirname "$0")/../.." || exit 1
form=${1:-short}
if ! command -v python3 >/dev/null 2>&1 || ! command -v gcov >/dev/null 2>&1; then
    echo 'skip coverage: it needs python3 and gcov'
    echo '0 passed, 0 failed, 1 skipped'
    exit 0
fi

failed=0
run() {
    sh tests/run.sh "$@" >"$BUILD/run.log" 2>&1 || failed=1
    grep -v '^ok ' "$BUILD/run.log"
}

[ "$form" = again ] || find "$BUILD/obj" -name '*.gcda' -exec rm -f {} +
case $form in
short)
    EXCEPT='memory resumed hostile thread killed statements since compact_kills
        compact_range meanwhile parity_quick' run unit
    ONLY='compact continue doctor init inspect output parity query rebuild
        redact replay restore rotated since' run cli
    ;;
long)
    run unit cli
    STORM_BUDGET=${STORM_BUDGET:-300} run storm
    ;;
esac
if [ "$form" = short ]; then
    python3 tests/coverage/report.py "$BUILD/obj" || failed=1
else
    python3 tests/coverage/report.py "$BUILD/obj" --long || failed=1
fi
exit $failed
