#!/bin/sh
# docs.sh - the manual, the completions and the JSON schemas name what the
# command has, and the schemas hold of what it prints.
. "$(dirname "$0")/lib.sh"

man=$top/docs/man/paritylog.1
commands='init append get history query log status verify parity replay
    rebuild restore drill doctor selftest salvage inspect checkpoint prove verify-proof strategy
    cursor peer rotate compact redact key'

begin 'the manual is well formed'
if have mandoc; then
    mandoc -T lint -W warning "$man" >"$T/lint" 2>&1 ||
        wrong "$(head -3 "$T/lint")"
else
    skip 'no mandoc'
fi

begin 'the manual and both completions name every command'
for command in $commands; do
    grep -q "^\\.Ss $command" "$man" || wrong "the manual lacks $command"
    for file in paritylog.bash _paritylog; do
        grep -q -w -e "$command" "$top/tools/completion/$file" ||
            wrong "$file lacks $command"
    done
done

begin 'the manual and both completions name every option'
for command in $commands; do
    "$PARITYLOG" help "$command"
done | grep -o -e '--[a-z-]*' | sort -u >"$T/options"
[ "$(wc -l <"$T/options")" -gt 15 ] || wrong 'too few options found'
while IFS= read -r option; do
    word=${option#--}
    grep -q -e "Fl -$word\\b" "$man" || wrong "the manual lacks $option"
    for file in paritylog.bash _paritylog; do
        grep -q -e "--$word\\b" "$top/tools/completion/$file" ||
            wrong "$file lacks $option"
    done
done <"$T/options"

begin 'of each command they name the options that it has, and no other'
if have python3 && have bash; then
    # shellcheck disable=SC2086
    python3 - "$PARITYLOG" "$top" $commands >"$T/differ" 2>&1 <<'END'
import re, subprocess, sys
command_path, top = sys.argv[1:3]
common = {"json", "wait", "quiet", "help"}
zsh = open(top + "/tools/completion/_paritylog").read()
man = open(top + "/docs/man/paritylog.1").read()
words = lambda text: set(re.findall(r"(?<![\w-])--([a-z][a-z-]*)", text))
shared = {}
for name, text in re.findall(r"local (?:-a )?(\w+)=(\(.*?\n    \)|'[^']*')", zsh, re.S):
    shared[name] = words(re.sub(r"\[[^]]*\]", "", text))
for command in sys.argv[3:]:
    has = words(subprocess.run([command_path, "help", command], capture_output=True,
                               text=True).stdout) | common
    found = next(filter(None, (re.search(r"\n    (?:\S+ \| )*%s(?: \| \S+)*\)\n(.*?);;" % re.escape(n), zsh, re.S) for n in (command, "*"))))
    body = re.sub(r"\[[^]]*\]", "", found.group(1))
    offered = words(body).union(*(shared.get(n, set()) for n in re.findall(r"\$(\w+)", body)))
    part = re.search(r"\n\.Ss %s\n(.*?)\n\.S[sh] " % command, man, re.S).group(1)
    told = {w.replace("\\", "") for w in re.findall(r"Fl -([a-z][a-z-]*)", part)}
    if offered ^ has:
        print(f"{command}: zsh: {sorted(offered ^ has)}")
    bash = subprocess.run(["bash", "-c", '. "$0"; _paritylog_options "$1"',
                           top + "/tools/completion/paritylog.bash", command],
                          capture_output=True, text=True).stdout
    if words(bash) ^ has:
        print(f"{command}: bash: {sorted(words(bash) ^ has)}")
    if has - told - common:
        print(f"{command}: manual lacks {sorted(has - told - common)}")
END
    same 'what differs' "$(cat "$T/differ")" ''
else
    skip 'no python3 or no bash'
fi

begin 'usage, list and parser have the same options, and completions know values'
if have python3 && have bash; then
    # shellcheck disable=SC2086
    python3 - "$PARITYLOG" "$top" $commands >"$T/differ" 2>&1 <<'END'
import re, subprocess, sys
command_path, top = sys.argv[1:3]
common = {"json", "wait", "quiet", "help"}
words = lambda text: set(re.findall(r"(?<![\w-])--([a-z][a-z-]*)", text))
run = lambda *a: subprocess.run(a, capture_output=True, text=True)
helps = {c: run(command_path, "help", c).stdout for c in sys.argv[3:]}
union = set().union(*map(words, helps.values()))
zsh = open(top + "/tools/completion/_paritylog").read()
for option, colon in re.findall(r"'[*(-]*(?:\*\) ?)?--([a-z-]+)\[[^]]*\](:?)", zsh):
    takes = {bool(re.search(r"^  --%s [A-Z]" % option, t, re.M))
             for t in helps.values() if option in words(t)} or {option == "wait"}
    if bool(colon) not in takes and option != "version":
        print(f"zsh: value of {option}")
for command, text in helps.items():
    usage, rest = text.split("\n\n", 1)
    values = set(re.findall(r"^  --([a-z-]+) [A-Z]", rest, re.M)) | {"wait"}
    listed = set(re.findall(r"^  --([a-z-]+)", rest, re.M))
    has = listed | common
    if (words(usage) ^ listed) - common:
        print(f"{command}: usage and list: {sorted((words(usage) ^ listed) - common)}")
    for option in sorted(union):
        if option not in has and any(h.startswith(option) for h in has):
            continue # short for that
        got = run(command_path, command, f"--{option}=1", "--help")
        flag = "takes no value" in got.stderr
        known = "no option" not in got.stderr
        if known != (option in has):
            print(f"{command}: --{option}: parser {known}")
        elif known and flag == (option in values):
            print(f"{command}: --{option}: a value or none")
        bash = run("bash", "-c", '. "$0"; _paritylog_values "$@"',
                   top + "/tools/completion/paritylog.bash", command, f"--{option}")
        if known and flag == (bash.returncode == 0):
            print(f"{command}: bash: value of --{option}")
END
    same 'what differs' "$(cat "$T/differ")" ''
else
    skip 'no python3 or no bash'
fi

begin 'the samples of the manual have what their schema requires'
if have python3; then
    python3 - "$top" >"$T/differ" 2>&1 <<'END'
import json, os, re, sys
top = sys.argv[1]
man = open(top + "/docs/man/paritylog.1").read()
for block in re.findall(r"\n\.Bd -literal -compact\n(.*?)\n\.Ed", man, re.S):
    for sample in re.split(r'(?="schema":)', block)[1:]:
        name = re.match(r'"schema":"paritylog/([a-z-]+)/1"', sample)
        path = f"{top}/docs/json/{name.group(1)}.schema.json" if name else ""
        if not os.path.exists(path):
            continue
        required = json.load(open(path)).get("required", [])
        lacks = [k for k in required if f'"{k}":' not in sample]
        if lacks:
            print(name.group(1), "lacks", lacks)
END
    same 'what lacks' "$(cat "$T/differ")" ''
else
    skip 'no python3'
fi

begin 'the manual names every exit status and error word'
for status in 0 1 2 3 4 5 6 7 8 9 10 11 12 130; do
    grep -q "^\\.It $status\$" "$man" || wrong "no exit status $status"
done

begin 'the hook in README.md is the one that is tested'
sed -n '/^```c$/,/^```$/p' "$top/README.md" | grep -v '^```' >"$T/readme"
sed -n '/clang-format off/,/clang-format on/p' "$top/tests/unit/test_own_tables.c" |
    grep -v clang-format >"$T/tested"
[ "$(wc -l <"$T/readme")" -gt 10 ] || wrong 'it is not there'
files_equal "$T/readme" "$T/tested"

# recipe NAME N: the N-th block of a section of docs/CI.md as a script, with our
# places for its own.
recipe() {
    sed -n "/^## $1\$/,/^## /p" "$top/docs/CI.md" |
        awk -v n="$2" '/^    / { if (!in_block) k++; in_block = 1; if (k == n) print substr($0, 5); next }
            !/^$/ { in_block = 0 }' |
        sed "s|/srv/log|$L|g; s|/mnt/elsewhere|$T|g"
}

begin 'the recipes of docs/CI.md can be followed from the first night on'
filled nightly 3
mkdir "$T/bin"
ln -s "$PARITYLOG" "$T/bin/paritylog"
KEY=$(cat "$T/vkey")
PATH=$T/bin:$PATH
export KEY PATH
recipe cron 1 >"$T/once"
recipe cron 2 >"$T/night"
grep -q ' parity .*--witness' "$T/night" || wrong 'no recipe'
for script in once night night; do
    sh -eu "$T/$script" >"$T/out" 2>"$T/err"
    got=$?
    status_is 0 $script
    [ "$script" = once ] || same 'a good night' "$(cat "$T/out" "$T/err")" ''
done
mv "$L/store.db" "$T/store.db"
sh "$T/night" >"$T/out" 2>"$T/err"
got=$?
status_is 3 'a bad night'
out_has BEHIND
mv "$T/store.db" "$L/store.db"
if have git; then
    mkdir "$T/repo"
    (
        cd "$T/repo" && git init -q . && git config paritylog.key "$KEY" &&
            git config user.name test && git config user.email test@localhost &&
            mkdir data && cp -R "$L" data/log
    )
    recipe 'Before a commit' 1 >"$T/repo/.gitignore"
    recipe 'Before a commit' 2 >"$T/repo/.git/hooks/pre-commit"
    recipe 'Before a commit' 3 >"$T/repo/.git/hooks/post-commit"
    chmod +x "$T"/repo/.git/hooks/p*-commit
    (cd "$T/repo" && git add -A && git commit -q -m before) \
        >"$T/out" 2>"$T/err" && wrong 'a commit without the witness file'
    (cd "$T/repo" && .git/hooks/post-commit && git commit -q -m first) \
        >"$T/out" 2>"$T/err"
    got=$?
    status_is 0 'the commit'
    same 'what git has of the log' "$(cd "$T/repo/data/log" && git ls-files |
        sed 's|keys/.*\.vkey|VKEY|; s|log/[0-9]*\.jsonl|SEGMENT|; s|drill.json|DRILL|' |
        sort -u | tr '\n' ' ')" 'DRILL SEGMENT VKEY '
fi

begin 'the manual names every column of the tables it shows'
fresh columns
for table in events records; do
    run 0 query "$L" "SELECT * FROM $table" --format csv
    sed -n "/^$table(/,\$p" "$man" | tr -d ' \n' | sed 's/).*/)/' >"$T/shown"
    same "$table" "$(cat "$T/shown")" "$table($(head -1 "$T/out"))"
done

begin 'the completion of bash loads'
if have bash; then
    bash -n "$top/tools/completion/paritylog.bash" || wrong 'a syntax error'
    same 'what it gives' "$(bash -c '
        . "$1"
        COMP_WORDS=(paritylog verify dir --exp) COMP_CWORD=3
        _paritylog
        printf "%s\n" "${COMPREPLY[@]}"' - \
        "$top/tools/completion/paritylog.bash")" --expect-head
else
    skip 'no bash'
fi

begin 'the completion of zsh loads'
if have zsh; then
    zsh -n "$top/tools/completion/_paritylog" || wrong 'a syntax error'
else
    skip 'no zsh'
fi

# holds SCHEMA FILE: each line of FILE is as the schema says.
holds() {
    python3 - "$top/docs/json" "$1" "$2" <<'END' >"$T/why" 2>&1 || wrong "$1: $(tail -1 "$T/why")"
import json, pathlib, sys
import jsonschema
here, name, path = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
schema = json.loads((here / f"{name}.schema.json").read_text())
cls = jsonschema.validators.validator_for(schema)
cls.check_schema(schema)
lines = pathlib.Path(path).read_text().splitlines()
assert lines, "no document"
for line in lines:
    cls(schema).validate(json.loads(line))
END
}

begin 'the schemas are JSON'
for file in "$top"/docs/json/*.schema.json; do
    if have jq; then
        jq -e '."$id" and .title and ."$schema"' "$file" >/dev/null ||
            wrong "${file##*/}"
    fi
done

begin 'each schema that the source names is there'
grep -rhoE 'paritylog/[a-z-]+/[0-9]+' "$top/core" "$top/recovery" "$top/tools" \
    --include='*.c' | sort -u >"$T/named"
[ "$(wc -l <"$T/named")" -gt 25 ] || wrong 'too few found'
while IFS= read -r schema; do
    word=${schema#paritylog/}
    grep -q -F "\"$schema\"" "$top/docs/json/${word%/*}.schema.json" ||
        wrong "no $schema"
done <"$T/named"

begin 'what is printed holds to the schemas'
if have python3 && python3 -c 'import jsonschema' 2>/dev/null; then
    run 0 --version --json
    holds version "$T/out"
    run 0 init "$T/json" --json
    holds init "$T/out"
    L=$T/json
    deltas 1 5 >"$T/in"
    (cat "$T/in"; delta - 9 9) | run 0 append "$L" --receipts
    holds receipt "$T/out"
    run 0 append "$L" "$T/in" --json
    holds append "$T/out"
    run 0 status "$L" --json
    holds status "$T/out"
    run 0 verify "$L" --json
    holds verify "$T/out"
    run 0 parity "$L" --json
    holds parity "$T/out"
    run 0 checkpoint "$L" --json
    holds checkpoint "$T/out"
    run 0 key list "$L" --json
    holds key-list "$T/out"
    run 0 key rotate "$L" --json --dry-run
    holds key-rotate "$T/out"
    run 0 key rotate "$L" --json
    holds key-rotate "$T/out"
    run 0 key trust "$L" "$(sed 's/.*"new":"//;s/".*//' "$T/out")" --json
    holds key-trust "$T/out"
    run 0 key show "$L" --json
    holds key "$T/out"
    run 0 get "$L" pets 1
    holds record "$T/out"
    run 0 query "$L" "SELECT *, x'00' AS b, 1e999 AS i, 0.5 AS r FROM events" --json
    holds query "$T/out"
    run 0 query "$L" 'SELECT 1 WHERE 0' --json
    holds query "$T/out"
    run 0 strategy "$L" --json
    holds strategy "$T/out"
    run 0 strategy "$L" arrival --json
    holds strategy "$T/out"
    run 0 replay "$L" --json
    holds replay "$T/out"
    delta older 1 1 2020-01-01T00:00:00Z | run 0 append "$L" --quiet
    run 0 strategy "$L" keep-local
    delta kept 1 1 | run 0 append "$L" --quiet
    run 0 replay "$L" --fresh --dry-run --account -
    out_has '"state":"applied"'
    out_has '"state":"skipped"'
    holds account "$T/out"
    run 0 replay "$L" --account -
    out_has '"state":"present"'
    holds account "$T/out"
    run 0 prove "$L" 3 --out "$T/proof"
    run 0 verify-proof "$T/proof" --key "$("$PARITYLOG" key show "$L")" --json
    holds verify-proof "$T/out"
    run 0 cursor set "$L" crm pets p2 --json --dry-run
    holds cursor-set "$T/out"
    run 0 cursor set "$L" crm pets p2 --json
    holds cursor-set "$T/out"
    run 0 cursor list "$L" --json
    holds cursor-list "$T/out"
    run 0 peer add "$L" far --json --dry-run
    holds peer "$T/out"
    run 0 peer add "$L" far --json
    holds peer "$T/out"
    run 0 peer list "$L" --json
    holds peers "$T/out"
    run 0 peer ack "$L" far 2 --json
    holds peer "$T/out"
    run 0 peer list "$L" --max-lag 1 --json
    holds peers "$T/out"
    holds note "$T/err"
    run 0 checkpoint "$L" --witness "$T/witness" --json
    holds note "$T/err"
    echo secret >"$T/shared"
    chmod 644 "$T/shared"
    run 0 init "$T/shared-pass" --passphrase-file "$T/shared" --json
    holds note "$T/err"
    run 0 rotate "$L" --json
    holds rotate "$T/out"
    run 0 compact "$L" --json
    holds compact "$T/out"
    run 0 redact "$L" 3 --reason test --json --dry-run
    holds redact "$T/out"
    run 0 redact "$L" 3 --reason test --json
    holds redact "$T/out"
    run 0 redact "$L" --list --json
    holds redactions "$T/out"
    run 0 rebuild "$L" --log --out "$T/built" --json
    holds rebuild "$T/out"
    run 0 restore "$L" --out "$T/restored" --at 3 --json
    holds restore "$T/out"
    run 0 restore "$L" --out "$T/goes-on" --continue-as other --json
    holds restore "$T/out"
    run 0 doctor "$L" --json
    holds doctor "$T/out"
    "$PARITYLOG" selftest "$T" --seconds 1 --json >"$T/out"
    holds selftest "$T/out"
    run 0 drill "$L" --json
    holds drill "$T/out"
    holds drill-note "$L/drill.json"
    filled many 60 --segment-size 4096
    run 0 peer add "$L" far --quiet
    run 0 peer ack "$L" far 30 --quiet
    run 0 compact "$L" --json
    holds compact "$T/out"
    run 0 status "$L" --json
    holds status "$T/out"
    run 0 parity "$L" --json
    holds parity "$T/out"
    run 0 compact "$L" --undo --json
    holds compact "$T/out"
    L=$T/json
    run 2 status --json
    holds error "$T/err"
    echo x | run 6 append "$L" --json
    holds error "$T/err"
    flip "$L/log/00000000000000000001.jsonl" 700
    run 5 parity "$L" --json --watermark "$T/mark"
    holds parity "$T/out"
    holds note "$T/err"
    run 5 verify "$L" --json
    holds verify "$T/out"
    run 5 inspect "$top/tests/cli/docs.sh" --json --max-findings 5
    holds inspect "$T/out"
    run 5 salvage "$L" --json
    holds salvage "$T/out"
    run 0 salvage "$L" --from-store --json
    holds salvage "$T/out"
    without_store
    "$PARITYLOG" status "$L" --json >"$T/out"
    holds status "$T/out"
    rm -r "$T/restored/log"
    run 5 verify "$T/restored" --json
    holds verify "$T/out"
    run 5 parity "$T/restored" --json
    holds parity "$T/out"
    holds error "$T/err"
else
    skip 'no python3 with jsonschema'
fi

finish
