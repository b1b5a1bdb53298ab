#!/bin/sh
# memory.sh - what parity, verify and replay take does not grow with the log.
. "$(dirname "$0")/lib.sh"

# peak COMMAND...: the most memory that it had at once, in KiB, into $peak.
peak() {
    peak=$(python3 - "$PARITYLOG" "$@" <<'END'
import resource, subprocess, sys
run = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(run.returncode)
END
    ) || wrong "failed: $*"
}

begin 'verify, parity, replay: eight times the log, within 45 MB'
if ! have python3; then
    skip 'no python3'
    finish
fi
peak status --help
if [ "$peak" -gt 20000 ] || [ -n "$WRAP" ]; then
    skip 'this build takes memory of its own (a sanitizer, valgrind)'
    finish
fi
ceiling=45000
for count in 20000 160000; do
    fresh "log-$count"
    # shellcheck disable=SC2016
    awk -v n=$count 'BEGIN { for (i = 1; i <= n; i++) printf \
        "{\"resource\":\"pets\",\"record_id\":\"%d\",\"op\":\"upsert\",\"payload\":{\"v\":%d},\"occurred_at\":\"2026-01-02T03:04:05Z\",\"provenance\":{\"source\":\"crm\",\"confidence\":1}}\n", i, i }' |
        run 0 append "$L" --group 1000 --quiet
    for command in verify parity 'replay --fresh'; do
        # shellcheck disable=SC2086
        peak $command "$L" --quiet
        [ "$peak" -lt $ceiling ] ||
            wrong "$command of $count entries took $peak KiB"
        echo "# $count entries, $command: $peak KiB"
    done
done

finish
