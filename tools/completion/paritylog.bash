# paritylog.bash - completion for bash; source it, or install it as
# /usr/share/bash-completion/completions/paritylog.

_paritylog_options() {
    case $1 in
    init) echo --origin --strategy --segment-size --max-line \
        --passphrase-file --network-fs-ok ;;
    append) echo --group --receipts --passphrase-file --network-fs-ok ;;
    query) echo --format ;;
    log) echo --from --to --follow ;;
    verify) echo --format --key --require-pin --expect-head --witness --max-findings \
        --threads ;;
    parity) echo --format --key --require-pin --expect-head --witness \
        --since --watermark --max-lag --max-findings --threads ;;
    inspect) echo --max-findings ;;
    checkpoint) echo --witness --key ;;
    prove) echo --at --from --hide-entry --out --key ;;
    verify-proof) echo --key --entry --order ;;
    replay) echo --dry-run --to --fresh --account --network-fs-ok --key ;;
    rebuild) echo --store --log --out --install --network-fs-ok --dry-run --key ;;
    restore) echo --out --at --adopt --continue-as --passphrase-file --dry-run \
        --network-fs-ok --key ;;
    drill) echo --scratch --key ;;
    doctor) echo --quick --key ;;
    selftest) echo --seconds --seed --network-fs-ok ;;
    salvage) echo --from-store --out --dry-run --network-fs-ok --max-findings --key ;;
    strategy) echo --dry-run --passphrase-file --network-fs-ok ;;
    cursor) echo --dry-run --passphrase-file --network-fs-ok ;;
    peer) echo --max-lag --max-age --reason --dry-run --passphrase-file \
        --network-fs-ok ;;
    rotate) echo --passphrase-file --network-fs-ok ;;
    compact) echo --dry-run --discard --trim-store --undo --key \
        --passphrase-file --network-fs-ok ;;
    redact) echo --reason --list --dry-run --key --passphrase-file ;;
    key) echo --dry-run --passphrase-file --new-passphrase-file ;;
    esac
    echo --json --wait --quiet --help
}

# The value of the option before the cursor: prints words, or fails when the
# option takes none.
_paritylog_values() {
    case $1:$2 in
    query:--format) echo table json csv ;;
    parity:--format | verify:--format) echo text json junit sarif github ;;
    *:--strategy) _paritylog_strategies ;;
    prove:--from) echo @files ;;
    *:--since | *:--account | *:--watermark | *:--passphrase-file | *:--new-passphrase-file | *:--out | *:--scratch | \
        *:--witness | *:--entry | *:--order)
        echo @files
        ;;
    *:--origin | *:--segment-size | *:--max-line | *:--wait | *:--group | \
        *:--from | *:--to | *:--key | *:--expect-head | *:--max-findings | \
        *:--threads | *:--at | *:--adopt | *:--max-lag | *:--max-age | *:--reason | *:--continue-as | \
        *:--seconds | *:--seed)
        echo @none
        ;;
    *) return 1 ;;
    esac
}

_paritylog_strategies() {
    echo last-write-wins arrival highest-confidence keep-local merge-json
}

# What stands at argument $2 of command $1, 0 being the first.
_paritylog_argument() {
    case $1:$2 in
    key:0) echo show list rotate trust ;;
    cursor:0) echo list set ;;
    peer:0) echo list add ack rewind evict ;;
    cursor:1 | peer:1) echo @directories ;;
    key:1) echo @directories ;;
    append:1 | verify-proof:0 | inspect:0) echo @files ;;
    strategy:1) _paritylog_strategies ;;
    help:0) echo "$_paritylog_commands" ;;
    help:*) echo @none ;;
    *:0) echo @directories ;;
    *) echo @none ;;
    esac
}

_paritylog_commands='init append get history query log status verify parity
    replay rebuild restore drill doctor selftest salvage inspect checkpoint prove verify-proof strategy cursor
    peer rotate compact redact key help'

_paritylog() {
    local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]:-}
    local before=${COMP_WORDS[COMP_CWORD - 1]} words='' place=0 i
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="$_paritylog_commands --version --help"
    elif ! words=$(_paritylog_values "$command" "$before"); then
        case $word in
        -*) words=$(_paritylog_options "$command") ;;
        *)
            for ((i = 2; i < COMP_CWORD; i++)); do
                case ${COMP_WORDS[i]} in
                -?*) ;;
                *)
                    _paritylog_values "$command" "${COMP_WORDS[i - 1]}" \
                        >/dev/null || place=$((place + 1))
                    ;;
                esac
            done
            words=$(_paritylog_argument "$command" "$place")
            ;;
        esac
    fi
    local IFS=$' \t\n'
    case $words in
    @directories) mapfile -t COMPREPLY < <(compgen -d -- "$word") ;;
    @files) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
    @none) ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word") ;;
    esac
}

complete -o filenames -F _paritylog paritylog
