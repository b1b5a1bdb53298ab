#!/bin/sh
# demo.sh - the main job of paritylog on real data.
#
#     sh tests/demo.sh [REPOSITORY]
#
# Turns the git history of this clone (or of REPOSITORY) into deltas, appends
# them, kills the process on the way with SIGKILL, continues, and asks git
# itself whether the records are right.  Then it flips one bit of the log and
# shows it found.  Exit status 0 only if everything was as promised; 2 if the
# repository given is none; 1 otherwise.
#
# KEEP=1     keep the files, and say where
# BUILD      where to build (default build)
# NO_SETUP   install nothing
set -u
LC_ALL=C
export LC_ALL

given=${1-}
case $given in
'') ;;
/*) ;;
-*)
    echo 'usage: sh tests/demo.sh [REPOSITORY]' >&2
    exit 2
    ;;
*) given=$(pwd)/$given ;;
esac
cd "$(dirname "$0")/.." || exit 1
top=$(pwd)
BUILD=${BUILD:-build}
case $BUILD in
/*) ;;
*) BUILD=$top/$BUILD ;;
esac
wrong=0

# ---- Telling ----------------------------------------------------------------------

step_number=0
# step TITLE: what comes now.
step() {
    step_number=$((step_number + 1))
    printf '\n%d. %s\n' "$step_number" "$1"
}

say() {
    printf '   %s\n' "$*"
}

# A command as the reader would type it.
show() {
    printf '   $ %s\n' "$*"
}

indent() {
    sed 's/^/   | /'
}

# promise TEXT COMMAND...: kept if the command succeeds.
promise() {
    text=$1
    shift
    if "$@"; then
        printf '   ok: %s\n' "$text"
    else
        printf '   NOT SO: %s\n' "$text"
        wrong=$((wrong + 1))
    fi
}

stop() {
    printf '\nThe demo cannot go on: %s\n' "$1" >&2
    exit "${2:-1}"
}

# Seconds since 1970 with a fraction.
now() {
    date +%s.%N | sed 's/\.N*$/.0/'
}

# since START [COUNT]: seconds, or how many in a second.
since() {
    awk -v a="$1" -v b="$(now)" -v n="${2:-0}" 'BEGIN {
        t = b - a
        if (t < 0.001) t = 0.001
        if (n > 0) printf "%.2f s, %d a second", t, n / t
        else printf "%.2f s", t
    }'
}

lines() {
    wc -l <"$1" | tr -d ' '
}

# ---- Setting up ----------------------------------------------------------------

if [ -z "${NO_SETUP:-}" ]; then
    sh tests/setup.sh build demo || exit 1
fi
T=$(mktemp -d "${TMPDIR:-/tmp}/paritylog-demo.XXXXXX") || exit 1
writer='' feeder=
# shellcheck disable=SC2317
cleanup() {
    # shellcheck disable=SC2086
    [ -z "$writer$feeder" ] || kill -9 $writer $feeder 2>/dev/null
    if [ -n "${KEEP:-}" ]; then
        echo "Kept: $T"
    else
        rm -rf "$T"
    fi
}
trap cleanup EXIT
trap 'exit 130' HUP INT TERM

if ! make -j "$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)" \
    BUILD="$BUILD" "$BUILD/paritylog" "$BUILD/demo/git2deltas" \
    >"$T/make" 2>&1; then
    tail -n 30 "$T/make" >&2
    stop 'the build failed'
fi
PATH=$BUILD:$BUILD/demo:$PATH
export PATH
log=$T/log
began=$(now)

# Git, whatever the user's settings are and whoever owns the repository.  It
# only reads.
printf '[safe]\n\tdirectory = *\n[log]\n\tdiffMerges = separate\n' >"$T/gitconfig"
repo_git() {
    GIT_CONFIG_GLOBAL=$T/gitconfig GIT_CONFIG_NOSYSTEM=1 GIT_OPTIONAL_LOCKS=0 \
        git --no-pager -C "$repo" -c 'safe.directory=*' "$@"
}

# The listing of HEAD, NUL-ended.
list_tree() {
    repo_git ls-tree -r -z --full-tree HEAD
}

# ---- Where the data comes from -----------------------------------------------------

repo=${given:-$top}
name=$(basename "$repo")
from_git=yes
if ! repo_git rev-parse -q --verify 'HEAD^{commit}' >/dev/null 2>"$T/err" ||
    { [ -z "$given" ] &&
        [ "$(repo_git rev-parse --show-toplevel 2>/dev/null)" != "$(pwd -P)" ]; }; then
    if [ -n "$given" ]; then
        sed 's/^/    /' "$T/err" >&2
        stop "$given is no git repository with a commit" 2
    fi
    from_git=
    name=raft
fi

printf 'paritylog: the main job on real data\n'
step 'Real data: a history as deltas'
if [ -n "$from_git" ]; then
    say "Every change of a file in the git history of $name becomes a delta."
    if [ "$(repo_git rev-parse --is-shallow-repository)" = true ]; then
        say 'The clone is shallow: its oldest commit counts as the first one.'
    fi
    repo_git symbolic-ref -q HEAD >/dev/null ||
        say 'HEAD is detached; the history that leads to it is taken.'
    show 'git log --first-parent -m --raw -z ... | git2deltas > deltas.jsonl'
    started=$(now)
    repo_git log --first-parent -m --raw --no-renames --no-abbrev -z \
        --reverse --root --ignore-submodules=none --no-show-signature \
        --no-color --format='commit %H %cd' --date=raw >"$T/history" ||
        stop 'git log failed'
    git2deltas "$name" <"$T/history" >"$T/deltas" 2>"$T/counts" ||
        stop "$(cat "$T/counts")"
    rm -f "$T/history"
    indent <"$T/counts"
    say "($(since "$started"))"
    list_tree >"$T/tree" || stop 'git ls-tree failed'
    case $(cat "$T/counts") in
    *', 0 paths escaped, 0 paths shortened, '*) ;;
    *)
        say 'Some paths are no UTF-8 or too long for a record_id: they are spelled'
        say 'with %XX or a hash, in the deltas and, below, in the listing of git.'
        git2deltas --tree <"$T/tree" >"$T/tree2" || stop 'git2deltas failed'
        mv "$T/tree2" "$T/tree"
        ;;
    esac
else
    say 'There is no git history here (not a clone, or without a commit). So the'
    say 'recorded history of a public repository is taken: tests/data/raft.jsonl.gz.'
    say 'For a history of your own: sh tests/demo.sh PATH-OF-A-CLONE'
    gzip -dc tests/data/raft.jsonl.gz >"$T/deltas" || stop 'no data'
fi
count=$(lines "$T/deltas")
[ "$count" -gt 0 ] || stop "the history of $name changes no file" 2
say 'One of them:'
tail -n 1 "$T/deltas" | cut -c 1-300 | indent

# ---- Appending, and a crash ----------------------------------------------------------

step 'An empty log'
say 'Strategy arrival: the last delta to arrive for a record wins, as in git.'
show 'paritylog init log --strategy arrival'
paritylog init "$log" --strategy arrival >"$T/vkey" || stop 'init failed'
indent <"$T/vkey"
say 'That line is the public key. Whoever has it can check the log.'

# A hundred groups or so, and the crash at the half.
group=$((count / 100))
[ $group -ge 1 ] || group=1
[ $group -le 100 ] || group=100
half=$(((count + 1) / 2))
[ $group -eq 1 ] || half=$(((half + group - 1) / group * group))

step "Append, and SIGKILL after half of the receipts"
say "$count deltas in groups of $group go in through a pipe. A receipt comes out"
say 'only when its group is on disk in the log and committed in the store.'
show "paritylog append log --group $group --receipts < pipe > receipts & kill -9 \$!"
mkfifo "$T/in" "$T/out" || stop 'mkfifo failed'
# Both pipes stay open here, so that nothing but SIGKILL ends the process.
exec 3<>"$T/in" 4<>"$T/out"
paritylog append "$log" --group "$group" --receipts --quiet \
    <"$T/in" >"$T/out" 2>"$T/err" 3>&- 4>&- &
writer=$!
cat "$T/deltas" >"$T/in" 2>/dev/null 3>&- 4>&- &
feeder=$!
# Takes receipts, kills at the half, and takes what was still on its way; the
# last line may be cut off and is then none.
sed -n -e "${half}e kill -9 $writer" -e '/}$/p' \
    <"$T/out" >"$T/receipts" 3>&- 4>&- &
reader=$!
wait $writer 2>/dev/null
status=$?
say "process $writer ended with exit status $status"
kill $feeder 2>/dev/null
wait $feeder 2>/dev/null
writer='' feeder=
exec 3>&- 4>&-
wait $reader
got=$(lines "$T/receipts")
say "receipts that came out: $got of $count"
[ ! -s "$T/err" ] || indent <"$T/err"
promise 'it was killed by SIGKILL (128 + 9 = 137)' test $status -eq 137
promise "half of the receipts are here ($half)" test "$got" -ge "$half"
say 'The last of them:'
tail -n 1 "$T/receipts" | cut -c 1-300 | indent
show 'paritylog status log'
paritylog status "$log" >"$T/status" 2>&1
head -n 5 "$T/status" | indent
say 'The log may hold more than was acknowledged, never less. (It begins with an'
say 'entry of its own.)'
size=$(sed -n 's/^log *size \([0-9]*\),.*/\1/p' "$T/status")
promise "the log holds $((${size:-0} - 1)) deltas, at least the $got acknowledged" \
    test $((${size:-0} - 1)) -ge "$got"

step 'Continue after the last receipt'
rest=$((count - got))
say "Everything behind it is sent again: $rest deltas. What the log has of them"
say 'already is known by its id and not written twice.'
show "tail -n +$((got + 1)) deltas.jsonl | paritylog append log --group $group --receipts"
started=$(now)
tail -n "+$((got + 1))" "$T/deltas" |
    paritylog append "$log" --group "$group" --receipts \
        >"$T/receipts2" 2>"$T/err"
status=$?
took=$(since "$started" "$rest")
indent <"$T/err"
if [ "$rest" -gt 0 ]; then
    again=$(grep -c '"duplicate":true' "$T/receipts2")
    say "$rest deltas in $took; $again of them had been there"
fi
promise 'all went in' test $status -eq 0 -a \
    "$(lines "$T/receipts2")" -eq "$rest"

# ---- Checking -----------------------------------------------------------------------

step 'Nothing acknowledged is lost'
say 'Every receipt names a line of the log by number and id, and every delta is'
say 'in the log once.'
# What stands in the log and on the receipts, as `SEQ ID` in the same spelling.
seq_and_id='s/^{"seq":\([0-9]*\),"id":\("\([^"\\]\|\\.\)*"\),.*/\1 \2/p'
cat "$T/receipts" "$T/receipts2" | sed -n "$seq_and_id" | sort >"$T/promised"
paritylog log "$log" | sed -n "$seq_and_id" | sort >"$T/logged"
missing=$(comm -23 "$T/promised" "$T/logged" | wc -l | tr -d ' ')
say "$(lines "$T/promised") receipts, $(lines "$T/logged") deltas in the log, $missing receipts without a line"
promise 'every receipt stands in the log' \
    test "$missing" -eq 0 -a "$(lines "$T/promised")" -eq "$count"
promise 'every delta stands there once' test "$(lines "$T/logged")" -eq "$count" \
    -a "$(cut -d ' ' -f 2- "$T/logged" | sort -u | wc -l)" -eq "$count"

step 'Both legs agree'
say 'parity reads all of the log and all of the store; it must say CLEAN.'
show "paritylog parity log --key $(cut -c 1-24 "$T/vkey")..."
paritylog parity "$log" --key "$(cat "$T/vkey")" >"$T/parity" 2>&1
status=$?
head -n 5 "$T/parity" | indent
promise 'parity is CLEAN, exit status 0' \
    test $status -eq 0 -a "$(head -n 1 "$T/parity")" = CLEAN

step 'An outside witness'
if [ -n "$from_git" ]; then
    say 'git knows the state that the history ends in. Each file of it, with mode,'
    say 'object and path, must be a record, and each record one of its files.'
    show 'git ls-tree -r HEAD; paritylog query log "SELECT ... FROM records"'
    # Paths may hold anything, so both sides are compared as hex digits.
    od -An -v -tx1 <"$T/tree" | awk '{
        for (i = 1; i <= NF; i++)
            if ($i == "00") printf "\n"
            else printf "%s", $i
    }' | sort >"$T/witness"
    paritylog query "$log" --format csv "
        SELECT lower(hex((payload ->> 'mode') ||
            iif(payload ->> 'mode' = '160000', ' commit ', ' blob ') ||
            (payload ->> 'blob') || char(9) || record_id)) AS file
        FROM records WHERE resource = 'files' AND payload IS NOT NULL" \
        >"$T/query" || wrong=$((wrong + 1))
else
    say 'tests/data/raft.tree is what git ls-tree said of the last commit: each'
    say 'file of it must be a record, and each record one of its files.'
    show 'sort raft.tree; paritylog query log "SELECT ... FROM records"'
    sort tests/data/raft.tree >"$T/witness"
    paritylog query "$log" --format csv "
        SELECT (payload ->> 'blob') || char(9) || record_id AS file
        FROM records WHERE resource = 'files' AND payload IS NOT NULL" \
        >"$T/query" || wrong=$((wrong + 1))
fi
tail -n +2 "$T/query" | sort >"$T/records"
say "git:       $(lines "$T/witness") files,   SHA-256 of the list $(sha256sum <"$T/witness" | cut -c 1-16)..."
say "paritylog: $(lines "$T/records") records, SHA-256 of the list $(sha256sum <"$T/records" | cut -c 1-16)..."
diff "$T/witness" "$T/records" | head -n 6 | indent
promise 'the records are exactly what git says' cmp -s "$T/witness" "$T/records"

# ---- One bit --------------------------------------------------------------------------

step 'One bit of the log'
cp -R "$log" "$T/copy" || stop 'cp failed'
# In the first file of the log: the entry in the middle, the first digit of a
# blob; in a delete, of its time; in the entry that init made, of the log's.
segment=$(cd "$T/copy/log" && find . -name '*.jsonl' | sort | head -n 1)
segment=${segment#./}
grep -n '^{"seq":' "$T/copy/log/$segment" | cut -d: -f1 >"$T/numbers"
number=$(sed -n "$((($(lines "$T/numbers") + 1) / 2))p" "$T/numbers")
offset=$(head -n "$((number - 1))" "$T/copy/log/$segment" | wc -c | tr -d ' ')
sed -n "${number}p" "$T/copy/log/$segment" >"$T/line"
seq=$(sed 's/^{"seq":\([0-9]*\),.*/\1/' "$T/line")
field=blob
grep -q '"payload":{"blob":"' "$T/line" || field=occurred_at
grep -q '"resource":' "$T/line" || field=logged_at
# The last one: a path might look like it.
front=$(sed "s/\(.*\"$field\":\"\).*/\1/" "$T/line" | wc -c | tr -d ' ')
at=$((offset + front - 1))
byte=$(od -An -tu1 -j "$at" -N 1 "$T/copy/log/$segment" | tr -d ' ')
# shellcheck disable=SC2059
printf "\\$(printf %03o $((byte ^ 1)))" |
    dd of="$T/copy/log/$segment" bs=1 seek="$at" conv=notrunc 2>/dev/null
say "In a copy of the log, entry $seq, $field: byte $at of log/$segment"
say "changes from $byte to $((byte ^ 1)). The line is still good JSON."

# shellcheck disable=SC2317
# Whether a report has a finding about that file that ends in these words.
located() {
    grep -q "^TAMPERED in the log: log/$segment, $1" "$2"
}

show 'paritylog verify copy'
paritylog verify "$T/copy" --key "$(cat "$T/vkey")" >"$T/verify" 2>&1
status=$?
{
    head -n 1 "$T/verify"
    grep -A 1 '^TAMPERED in' "$T/verify" | head -n 2
} | indent
# From the log alone: the group, which begins at or before the line.
group_seq=$(sed -n 's/^TAMPERED in the log: .*, seq \([0-9]*\)$/\1/p' "$T/verify" |
    head -n 1)
group_at=$(sed -n 's/^TAMPERED in the log: .*, byte \([0-9]*\), .*/\1/p' "$T/verify" |
    head -n 1)
promise "verify finds it, exit status $status: the group of $group from seq ${group_seq:-?} on" \
    test $status -eq 5 -a "${group_seq:-0}" -le "$seq" -a \
    $((${group_seq:-0} + group)) -gt "$seq" -a "${group_at:-$((at + 1))}" -le $at

show 'paritylog parity copy'
paritylog parity "$T/copy" --key "$(cat "$T/vkey")" --max-findings 1000 \
    >"$T/parity" 2>&1
status=$?
{
    head -n 1 "$T/parity"
    grep -A 3 "^TAMPERED in the log: log/$segment, byte $offset, seq $seq\$" \
        "$T/parity"
} | indent
promise "parity finds the line itself, exit status $status: byte $offset, seq $seq" \
    located "byte $offset, seq $seq\$" "$T/parity"
promise 'and does not call it clean' test $status -eq 5

# ---- The verdict ------------------------------------------------------------------------

echo
if [ $wrong -eq 0 ]; then
    echo "All as promised: $count deltas of $name, one SIGKILL, nothing lost, one flipped bit found ($(since "$began"))."
    exit 0
fi
echo "NOT as promised: $wrong times, see above."
exit 1
