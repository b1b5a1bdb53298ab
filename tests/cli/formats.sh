#!/bin/sh
# formats.sh - the reports of verify and parity for other programs: JUnit,
# SARIF, annotations; each read by a reader that is not ours.
. "$(dirname "$0")/lib.sh"

unset GITHUB_STEP_SUMMARY
filled log 60 --segment-size 8192
vkey=$(cat "$T/vkey")
cp -R "$L" "$T/clean"

# Damage of several kinds: 25 rows of the store, one group of the log, a name
# with characters that every format has to escape.
L=$T/'a&b <c>,d:e%f'
cp -R "$T/clean" "$L"
sql "$L/store.db" "UPDATE events SET line=line||' ' WHERE seq BETWEEN 31 AND 55"
at=$(offset_of "$L/log/00000000000000000001.jsonl" '"v":4')
flip "$L/log/00000000000000000001.jsonl" $((at + 4))

# with MODULE: chooses the interpreter that has it; packages of the system
# belong to that of the system.
with() {
    for py in python3 /usr/bin/python3; do
        ! "$py" -c "import $1" 2>/dev/null || return 0
    done
    py=python3
    return 1
}
py=python3

# python NAME: runs the program on standard input; it has to say nothing.
python() {
    if have "$py"; then
        "$py" - "$T/out" "$top/docs/json" >"$T/why" 2>&1 || true
        [ ! -s "$T/why" ] || wrong "$1: $(tail -1 "$T/why")"
    else
        skip 'no python3'
    fi
}

# ---- JUnit ------------------------------------------------------------------------

begin 'JUnit, clean and pinned: every case passes'
run 0 parity "$T/clean" --key "$vkey" --format junit
python junit <<'END'
import sys, xml.etree.ElementTree as tree
root = tree.parse(sys.argv[1]).getroot()
assert root.tag == "testsuites" and root.get("failures") == "0" and root.get("skipped") == "0"
cases = list(root.iter("testcase"))
assert len(cases) == int(root.get("tests")) == 14
assert not [c for c in cases if len(c)]
END

begin 'JUnit, damaged: a failure for each verdict'
run 5 parity "$L" --format junit
python junit <<'END'
import sys, xml.etree.ElementTree as tree
root = tree.parse(sys.argv[1]).getroot()
failed = {f.get("type"): f for f in root.iter("failure")}
assert set(failed) == {"TAMPERED", "DIVERGED"}, failed
assert root.get("failures") == "2"
assert root[0].get("name").endswith("a&b <c>,d:e%f"), root[0].get("name")
assert failed["DIVERGED"].get("message").startswith("25 findings")
assert len(failed["DIVERGED"].text.strip().splitlines()) == 25
assert "log/00000000000000000001.jsonl" in failed["TAMPERED"].text
END

begin 'JUnit: a reader of JUnit reads it'
if with junitparser; then
    run 5 parity "$L" --format junit
    python junitparser <<'END'
import sys, junitparser
xml = junitparser.JUnitXml.fromfile(sys.argv[1])
suites = list(xml)
assert len(suites) == 1 and xml.failures == 2 and xml.errors == 0, xml
cases = list(suites[0])
bad = [c for c in cases if any(isinstance(r, junitparser.Failure) for r in c.result)]
assert sorted(c.name for c in bad) == ["no DIVERGED", "no TAMPERED"], bad
left = [c for c in cases if any(isinstance(r, junitparser.Skipped) for r in c.result)]
assert "the key is pinned" in [c.name for c in left]
END
else
    skip 'no python3 with junitparser'
fi

begin 'JUnit: what was not checked is skipped, and said'
cp -R "$T/clean" "$T/none"
rm -f "$T/none"/store.db*
run 3 parity "$T/none" --format junit
python junit <<'END'
import sys, xml.etree.ElementTree as tree
skipped = [s.get("message") for s in tree.parse(sys.argv[1]).getroot().iter("skipped")]
assert any("store" in s for s in skipped) and any("UNPINNED" in s for s in skipped), skipped
END

begin 'a pin that is missing fails in each format'
for command in verify parity; do
    run 12 $command "$T/clean" --require-pin --format json
    json_is "$T/out" '.verdict == "UNKNOWN_KEY" and .counts.UNKNOWN_KEY == 1 and
        (.findings | length) == 1 and (.findings[0].next | contains("--key"))'
    run 12 $command "$T/clean" --require-pin --format junit
    python junit <<'END'
import sys, xml.etree.ElementTree as tree
root = tree.parse(sys.argv[1]).getroot()
assert root.get("failures") == "1", root.get("failures")
assert [f.get("type") for f in root.iter("failure")] == ["UNKNOWN_KEY"]
END
    run 12 $command "$T/clean" --require-pin --format sarif
    json_is "$T/out" '[.runs[0].results[].ruleId] == ["UNKNOWN_KEY"]'
    run 12 $command "$T/clean" --require-pin --format github
    same 'errors' "$(grep -c '^::error.*UNKNOWN_KEY' "$T/out")" 1
    out_lacks CLEAN
    run 12 $command "$T/clean" --require-pin
    out_lacks CLEAN
done
run 12 parity "$T/none" --require-pin --max-lag 1000
run 5 parity "$L" --require-pin --json
json_is "$T/out" '.counts.UNKNOWN_KEY == 1 and .verdict == "TAMPERED"'

# ---- SARIF ------------------------------------------------------------------------

begin 'SARIF holds to its schema, clean, damaged, gone and never there'
cp -R "$T/clean" "$T/no-log"
rm -r "$T/no-log/log"
for dir in "$T/clean" "$L" "$T/no-log" "$T/nowhere"; do
    "$PARITYLOG" parity "$dir" --format sarif 2>/dev/null >"$T/out"
    if with jsonschema; then
        python sarif <<'END'
import json, sys, jsonschema
schema = json.load(open(sys.argv[2] + "/sarif.schema.json"))
jsonschema.Draft202012Validator.check_schema(schema)
report = json.load(open(sys.argv[1]))
jsonschema.Draft202012Validator(schema).validate(report)
run = report["runs"][0]
rules = {r["id"] for r in run["tool"]["driver"]["rules"]}
assert all(r["ruleId"] in rules for r in run["results"])
END
    else
        skip 'no python3 with jsonschema'
    fi
done

begin 'SARIF: a result each, with fingerprints that do not move'
run 5 parity "$L" --format sarif
json_is "$T/out" '.version == "2.1.0" and (.runs[0].results | length) == 26 and
    ([.runs[0].results[] | select(.ruleId == "DIVERGED")] | length) == 25'
json_is "$T/out" '[.runs[0].results[].partialFingerprints."originSeqVerdict/v1"]
    | length == 26 and (unique | length) == 26'
json_is "$T/out" 'all(.runs[0].results[].locations[0].physicalLocation
    .artifactLocation.uri; endswith("jsonl") or endswith("store.db"))'
json_is "$T/out" '.runs[0].results[0].locations[0].physicalLocation
    .artifactLocation.uri | contains("a%26b%20%3Cc%3E%2Cd%3Ae%25f")'
json_is "$T/out" '.runs[0].properties.pinned == false and
    .runs[0].properties.counts.DIVERGED == 25'
cp "$T/out" "$T/first"
run 5 parity "$L" --format sarif --max-findings 3
json_is "$T/out" '(.runs[0].results | length) == 3 and
    .runs[0].properties.counts.DIVERGED == 25'

# ---- GitHub -----------------------------------------------------------------------

begin 'annotations: ten errors at most, the gravest first, the rest counted'
run 5 parity "$L" --format github
same 'errors' "$(grep -c '^::error' "$T/out")" 10
sed -n 1p "$T/out" | grep -q 'TAMPERED' || wrong 'the gravest is not the first'
grep '^::error' "$T/out" | tail -n 1 | grep -q '17 findings more' ||
    wrong 'the rest is not counted'
! grep -v '^::\(error\|warning\|notice\) ' "$T/out" | grep -q . ||
    wrong 'a line is no annotation'
python github <<'END'
import re, sys
form = re.compile(r"^::(error|warning|notice) ((?:[a-z]+=[^,:\n]*)(?:,[a-z]+=[^,:\n]*)*)::([^\r\n]+)$")
for line in open(sys.argv[1], encoding="utf-8").read().splitlines():
    found = form.match(line)
    assert found, line
    names = dict(p.split("=", 1) for p in found.group(2).split(","))
    if "file" in names:
        path = re.sub("%([0-9A-F]{2})", lambda m: chr(int(m.group(1), 16)), names["file"])
        assert "/a&b <c>,d:e%f/" in path, path
END

begin 'annotations: clean, and the summary of the step'
GITHUB_STEP_SUMMARY=$T/summary
export GITHUB_STEP_SUMMARY
run 0 parity "$T/clean" --format github --key "$vkey"
out_is CLEAN
run 5 parity "$L" --format github
unset GITHUB_STEP_SUMMARY
same 'headings' "$(grep -c '^### paritylog parity: ' "$T/summary")" 2
same 'rows' "$(grep -c '^| .* in the ' "$T/summary")" 26

begin 'the summary of a step with several commands stays below its limit'
head -c 921000 /dev/zero | tr '\0' 'x' >"$T/full"
cp "$T/full" "$T/full.before"
GITHUB_STEP_SUMMARY=$T/full
export GITHUB_STEP_SUMMARY
run 5 parity "$L" --format github
unset GITHUB_STEP_SUMMARY
[ "$(wc -c <"$T/full")" -lt 1048576 ] || wrong 'more than 1 MiB'

begin 'a summary that cannot be written is said, and changes nothing else'
for summary in /dev/full "$T/no/such/folder" "$T"; do
    GITHUB_STEP_SUMMARY=$summary
    export GITHUB_STEP_SUMMARY
    run 0 parity "$T/clean" --format github --key "$vkey"
    out_is CLEAN
    err_has 'GITHUB_STEP_SUMMARY'
    run 5 parity "$L" --format github
    err_has 'GITHUB_STEP_SUMMARY'
    unset GITHUB_STEP_SUMMARY
done

# ---- What is gone -----------------------------------------------------------------

cp -R "$T/clean" "$T/gone"
rm -r "$T/gone/log"
cp -R "$T/gone" "$T/lost"
rm -f "$T/lost"/store.db*

begin 'a log that is gone is a finding in each format'
for command in verify parity; do
    run 5 $command "$T/gone" --format json --key "$vkey"
    json_is "$T/out" '.verdict == "ROLLBACK" and .counts.ROLLBACK == 1 and
        (.findings | length) == 1 and .findings[0].verdict == "ROLLBACK" and
        (.findings[0].found | test("the log is gone")) and
        (.findings[0].next | test("--from-store")) and .pinned and
        .unchecked[0].from == 1 and .unchecked[0].to == null and
        .head.root == "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="'
    error_is ROLLBACK
done
run 5 parity "$T/gone" --format text
out_empty
run 5 parity "$T/gone" --format sarif
json_is "$T/out" '.runs[0].results | length == 1 and .[0].ruleId == "ROLLBACK"'
json_is "$T/out" '.runs[0].invocations[0].exitCode == 5'
run 5 parity "$T/gone" --format junit
python junit <<'END'
import sys, xml.etree.ElementTree as tree
root = tree.parse(sys.argv[1]).getroot()
cases = {c.get("name"): c for c in root.iter("testcase")}
assert len(cases) == int(root.get("tests")) == 3, list(cases)
assert root.get("failures") == "1" and root.get("errors") == "0"
assert "the log is gone" in cases["no ROLLBACK"][0].text
assert cases["all was checked"][0].tag == "skipped"
END
run 5 parity "$T/gone" --format github
grep -q '^::error .*the log is gone' "$T/out" || wrong 'no annotation'

begin 'and so is what is no verdict, but for JSON: an error'
run 10 parity "$T/lost" --format sarif
json_is "$T/out" '.runs[0].results | length == 1 and .[0].ruleId == "NOTHING"'
json_is "$T/out" '.runs[0].invocations[0] == {"executionSuccessful":false,"exitCode":10}'
json_is "$T/out" '.runs[0] | .results[0].ruleId as $id |
    any(.tool.driver.rules[]; .id == $id)'
run 10 parity "$T/lost" --format junit
python junit <<'END'
import sys, xml.etree.ElementTree as tree
root = tree.parse(sys.argv[1]).getroot()
assert root.get("errors") == "1" and root.get("failures") == "0" and root.get("tests") == "3"
assert [e.get("type") for e in root.iter("error")] == ["NOTHING"]
END
GITHUB_STEP_SUMMARY=$T/summary.lost
export GITHUB_STEP_SUMMARY
run 10 parity "$T/lost" --format github
unset GITHUB_STEP_SUMMARY
grep -q '^::error .*NOTHING' "$T/out" || wrong 'no annotation'
grep -q '^### paritylog parity: NOTHING' "$T/summary.lost" || wrong 'no summary'
grep -q '^| NOTHING; found there is no log' "$T/summary.lost" || wrong 'no row'
run 10 parity "$T/lost" --format json
out_empty
error_is NOTHING

begin 'redactions that are pending are told in each format'
cp -R "$T/clean" "$T/back"
run 0 rotate "$T/back"
cp "$T/back/log/00000000000000000001.jsonl" "$T/segment"
run 0 redact "$T/back" 2 --reason x
cp "$T/segment" "$T/back/log/00000000000000000001.jsonl"
run 0 parity "$T/back" --format github
out_has 'paritylog redact DIR 2 --reason TEXT'
run 0 parity "$T/back" --format sarif
json_is "$T/out" '.runs[0].properties.pending == {"entries": 1, "seq": 2}'
run 0 parity "$T/back" --key "$vkey" --format junit
python junit <<'END'
import sys, xml.etree.ElementTree as tree
root = tree.parse(sys.argv[1]).getroot()
cases = list(root.iter("testcase"))
assert len(cases) == int(root.get("tests")) == 15
assert root.get("skipped") == "1"
case, = [c for c in cases if len(c)]
assert case.get("name") == "no redaction is pending"
assert "redact DIR 2 --reason" in case[0].get("message")
END
run 0 redact "$T/back" 2 --reason x
run 0 parity "$T/back" --key "$vkey" --format junit
out_lacks pending
run 0 parity "$T/back" --format sarif
out_lacks pending

begin 'the next step of an error is, as a finding, without "run:"'
cp -R "$T/clean" "$T/bare"
rm "$T/bare/log"/*
run 5 parity "$T/bare" --format json
json_is "$T/out" '.findings[0].next == "paritylog salvage DIR --from-store"'
err_has 'run: paritylog salvage DIR --from-store'

begin 'a wrong command line and a text report have errors alone'
run 2 parity "$T/clean" --key nonsense --format sarif
out_empty
run 10 parity "$T/lost"
out_empty

begin 'the action of docs/github-action annotates a log that is gone, too'
if have bash; then
    mkdir "$T/bin"
    ln -s "$PARITYLOG" "$T/bin/paritylog"
    sed -n '/^      run: |/,/^    - name/s/^        //p' \
        "$top/docs/github-action/action.yml" >"$T/step"
    # step DIRECTORY: as a runner runs it; $got is its status.
    step() {
        PATH=$T/bin:$PATH KEY=$vkey DIRECTORY=$1 WITNESS='' \
            GITHUB_OUTPUT=$T/outputs bash --noprofile --norc -eo pipefail \
            "$T/step" >"$T/out" 2>"$T/err"
        got=$?
    }
    step "$T/clean"
    status_is 0 clean
    grep -q '^head=6[0-9]*:' "$T/outputs" || wrong 'no head'
    rm "$T/outputs"
    step "$T/gone"
    status_is 5 gone
    grep -q '^::error .*the log is gone' "$T/out" || wrong 'no annotation'
    [ ! -e "$T/outputs" ] || wrong 'a head'
else
    skip 'no bash'
fi

# ---- Both -------------------------------------------------------------------------

begin 'verify has the same formats'
for format in text json junit sarif github; do
    run 0 verify "$T/clean" --format $format
    run 5 verify "$L" --format $format
done
run 2 verify "$T/clean" --format xml
run 2 parity "$T/clean" --format junit --json
run 0 parity "$T/clean" --format json
json_is "$T/out" '.schema == "paritylog/parity/1"'

finish
