#!/bin/sh
# output.sh - standard handles, signals, locks: ending well in bad company.
. "$(dirname "$0")/lib.sh"

filled log 20

begin 'a full disk behind standard output: 1'
if [ -c /dev/full ]; then
    for arguments in 'status' 'log' 'parity' 'verify --json' 'checkpoint' \
        'key show'; do
        # shellcheck disable=SC2086
        set -- $arguments
        command=$1
        shift
        if [ "$command" = key ]; then
            "$PARITYLOG" key show "$L" >/dev/full 2>"$T/err"
        else
            "$PARITYLOG" "$command" "$L" "$@" >/dev/full 2>"$T/err"
        fi
        got=$?
        status_is 1 "$arguments"
        err_has 'standard output'
        err_has 'make room'
    done
    "$PARITYLOG" --help >/dev/full 2>"$T/err"
    got=$?
    status_is 1 --help
else
    skip 'no /dev/full'
fi

begin 'standard output closed: 1, not silence'
"$PARITYLOG" status "$L" >&- 2>"$T/err"
got=$?
status_is 1 status
err_has 'standard output'

begin 'standard input closed: 1'
"$PARITYLOG" append "$L" <&- >"$T/out" 2>"$T/err"
got=$?
status_is 1 append
err_has 'standard input'

begin 'all standard handles closed: no file of the log gets their numbers'
cp "$S" "$T/before"
deltas 21 22 >"$T/in"
"$PARITYLOG" append "$L" "$T/in" --receipts <&- >&- 2>&-
got=$?
status_is 1 append
run 0 parity "$L"
if have jq; then
    jq -c . "$S" >/dev/null 2>&1 || wrong 'something else is in the log'
fi

begin 'receipts that nobody reads: 1, and what is durable'
fresh pipe
mkfifo "$T/p"
(deltas 1 3; sleep 0.5; deltas 4 6; sleep 0.5; deltas 7 9) |
    "$PARITYLOG" append "$L" --receipts --json >"$T/p" 2>"$T/err" &
pid=$!
head -1 <"$T/p" >"$T/one"
wait $pid
json_is "$T/err" '.error.code == "IO" and (.error.durable.lines >= 3) and
    .error.durable.size == .error.durable.lines + 1'
same 'receipts read' "$(($(wc -l <"$T/one")))" 1
run 0 parity "$L"

begin 'SIGTERM in the middle: 130, and what is durable'
fresh term
mkfifo "$T/q"
: >"$T/out"
"$PARITYLOG" append "$L" "$T/q" --receipts --json >"$T/out" 2>"$T/err" &
pid=$!
exec 7>"$T/q"
deltas 1 3 >&7
wait_lines "$T/out" 3
printf '{"id":"half' >&7
sleep 0.1
kill -TERM $pid
wait $pid
got=$?
exec 7>&-
status_is 130 'after SIGTERM'
error_is INTERRUPTED '.error.durable.lines == 3 and .error.durable.size == 4'
run 0 parity "$L"
run 0 log "$L"
out_lines 4

begin 'SIGTERM before the first line'
mkfifo "$T/r"
"$PARITYLOG" append "$L" "$T/r" >"$T/out" 2>"$T/err" &
pid=$!
exec 7>"$T/r"
sleep 0.5
kill -TERM $pid
wait $pid
got=$?
exec 7>&-
status_is 130 'after SIGTERM'

# stuck ARGUMENT...: runs it with a standard output that nobody reads, and
# interrupts it when it has filled that; $got is 137 when it had to be killed.
stuck() {
    mkfifo "$T/stuck"
    exec 8<>"$T/stuck"
    "$PARITYLOG" "$@" >"$T/stuck" 2>"$T/err" 8>&- &
    pid=$!
    sleep 0.5
    kill -TERM $pid
    (sleep 5; kill -KILL $pid) 2>/dev/null 8>&- &
    watch=$!
    wait $pid 2>/dev/null
    got=$?
    kill $watch 2>/dev/null
    exec 8>&-
    rm "$T/stuck"
}

begin 'SIGTERM while nobody reads: 130 at once'
L=$T/log
deltas 1 3000 | sed 's/"record_id":"[0-9]*"/"record_id":"one"/;
    s/"v":[0-9]*/"v":"long long long long long long long long long long"/
    s/"id":"id/"id":"one/' | run 0 append "$L" --quiet
for arguments in "log $L" "log $L --follow" "history $L pets one" \
    "replay $L --fresh --account -"; do
    # shellcheck disable=SC2086
    stuck $arguments
    status_is 130 "$arguments"
    err_has INTERRUPTED
done
for format in table csv json; do
    stuck query "$L" 'SELECT * FROM events' --format $format --json
    status_is 130 "query --format $format"
    error_is INTERRUPTED '.error.message | test("standard output")'
done
run 0 parity "$L"

begin 'a reader that goes away: a broken pipe, and no other word'
for arguments in 'replay --fresh --account -' 'log --follow'; do
    # shellcheck disable=SC2086
    set -- $arguments
    command=$1
    shift
    { "$PARITYLOG" "$command" "$L" "$@" 2>"$T/err"; echo $? >"$T/status"; } |
        head -1 >"$T/one"
    same "status of $command" "$(cat "$T/status")" 1
    err_has 'standard output'
    err_has 'Broken pipe'
done

begin 'a killed append: the next one goes on'
fresh kill
mkfifo "$T/k"
: >"$T/out"
"$PARITYLOG" append "$L" "$T/k" --receipts >"$T/out" 2>"$T/err" &
pid=$!
exec 7>"$T/k"
deltas 1 3 >&7
wait_lines "$T/out" 3
kill -KILL $pid
wait $pid 2>/dev/null
exec 7>&-
deltas 1 5 | run 0 append "$L" --json
json_is "$T/out" '.duplicates == 3 and .appended == 2'
run 0 parity "$L"

begin 'a file size limit is an error, not death'
fresh limit
big=$(printf '%0900000d' 1)
for i in 1 2 3; do
    delta "big-$i" "$i" "\"$big\""
done >"$T/in"
(ulimit -f 1024 && exec "$PARITYLOG" append "$L" "$T/in" --group 1 --quiet) \
    2>"$T/err"
got=$?
status_is 1 'with a limit'
run 0 append "$L" "$T/in" --quiet
run 0 parity "$L"

begin 'locked: 11, and --wait is named'
if have flock; then
    L=$T/log
    # Held until told, however slow the commands are.
    flock -x "$L/lock" sh -c \
        ': >"$1/held"; while [ ! -e "$1/go" ]; do sleep 0.05; done' sh "$T" &
    while [ ! -e "$T/held" ]; do sleep 0.05; done
    delta lock 1 1 >"$T/in"
    run 11 append "$L" "$T/in" --wait 0
    err_has --wait
    run 11 append "$L" "$T/in" --wait 0.2 --json
    error_is LOCKED '.error.hint | test("--wait")'
    run 11 strategy "$L" arrival --wait 0
    run 0 get "$L" pets 1
    run 0 parity "$L"
    (sleep 0.5; : >"$T/go") &
    run 0 append "$L" "$T/in" --wait 60 --quiet
    wait
else
    skip 'no flock'
fi

begin 'no signing key: 12, and reading goes on'
filled keyless 5
rm "$L/keys/signing.key"
delta new 1 1 | run 12 append "$L" --json
error_is KEY
run 0 get "$L" pets 1
run 0 parity "$L"

begin 'two processes at once: no gap'
fresh two
deltas 1 300 >"$T/one"
deltas 301 600 >"$T/other"
"$PARITYLOG" append "$L" "$T/one" --group 5 --wait 60 --quiet 2>"$T/err.1" &
pid=$!
run 0 append "$L" "$T/other" --group 5 --wait 60 --quiet
wait $pid
got=$?
status_is 0 'the other one'
run 0 parity "$L" --json
json_is "$T/out" '.verdict == "CLEAN" and .head.size == 601 and
    .checked.records == 600'

begin 'no progress, colour or control characters off a terminal'
run 0 parity "$L"
err_empty
! LC_ALL=C grep -q "$(printf '[\001-\010\013-\037]')" "$T/out" ||
    wrong 'a control character'

begin 'on a terminal nothing that is shown steers it'
if have python3; then
    fresh steering
    printf '%s\n' '{"id":"s","resource":"pets","record_id":"\u202e\u009b","op":"upsert","payload":{"v":"RAW"},"occurred_at":"2026-01-01T00:00:00Z","provenance":{"source":"\u2066","confidence":1}}' |
        sed "s/RAW/$(printf '\342\200\256\302\233\177')/" |
        run 0 append "$L" --quiet
    python3 - "$PARITYLOG" "$L" >"$T/shown" <<'END' || wrong 'no terminal to be had'
import json, os, pty, sys
for args in (('get', 'DIR', 'pets', '\u202e\u009b'), ('log', 'DIR', '--from', '2'),
             ('history', 'DIR', 'pets', '\u202e\u009b'),
             ('query', 'DIR', 'SELECT payload, source FROM records', '--format', 'csv'),
             ('query', 'DIR', 'SELECT * FROM records', '--format', 'json'),
             ('verify', 'DIR', '--key', '\u202e\u009b')):
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(sys.argv[1], [sys.argv[1]] + [a.replace('DIR', sys.argv[2]) for a in args])
    out = b''
    try:
        while True:
            out += os.read(fd, 65536)
    except OSError:
        pass
    os.waitpid(pid, 0)
    text = out.decode().replace('\r\n', '\n')
    if any(c in text for c in '\x7f\u009b\u202e\u2066\x1b'):
        print(args[0], ascii(text))
    if args[0] == 'get' and json.loads(text)['payload']['v'] != '\u202e\u009b\x7f':
        print('another payload', ascii(text))
END
    same 'what was shown' "$(cat "$T/shown")" ''
    run 0 history "$L" pets "$(printf '\342\200\256\302\233')"
    out_has "$(printf '{"v":"\342\200\256\302\233\177"}')"
else
    skip 'no python3'
fi

finish
