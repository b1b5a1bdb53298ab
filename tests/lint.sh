#!/bin/sh
# lint.sh - static analysis with what is installed.
#
#     sh tests/lint.sh
#
# Each tool is one check; a tool that is not there is a skip.
set -u
LC_ALL=C
export LC_ALL

cd "$(dirname "$0")/.." || exit 1
passed=0 failed=0 skipped=0

T=$(mktemp -d "${TMPDIR:-/tmp}/paritylog-lint.XXXXXX") || exit 1
trap 'rm -rf "$T"' EXIT

have() {
    command -v "$1" >/dev/null 2>&1
}

# check NAME COMMAND...: passes if the command succeeds and says nothing.
check() {
    name=$1
    shift
    if "$@" >"$T/out" 2>&1 && [ ! -s "$T/out" ]; then
        echo "ok $name"
        passed=$((passed + 1))
    else
        echo "FAIL $name"
        head -n 40 "$T/out" | sed 's/^/    /'
        failed=$((failed + 1))
    fi
}

skip() {
    echo "skip $1: $2"
    skipped=$((skipped + 1))
}

# Every text file of the project: those of git, and new ones not ignored.
all_files() {
    if have git && git rev-parse --git-dir >/dev/null 2>&1; then
        git ls-files --cached --others --exclude-standard
    else
        find . -path ./build -prune -o -path ./.git -prune -o -type f -print |
            sed 's|^\./||'
    fi | sort -u | while IFS= read -r file; do
        [ -f "$file" ] && printf '%s\n' "$file"
    done
}

all_files >"$T/files"
grep -E '^(core|recovery|tools|tests/demo)/.*\.[ch]$' "$T/files" >"$T/styled"
grep '\.c$' "$T/files" | grep -e '^core/' -e '^recovery/' -e '^tools/' >"$T/ours"
while IFS= read -r file; do
    case $file in
    *.sh | *.bash) echo "$file" ;;
    *.*) ;;
    *) head -n 1 "$file" | grep -q '^#!.*sh$' && echo "$file" ;;
    esac
done <"$T/files" >"$T/sh"

# ---- Tools ------------------------------------------------------------------------

# first COMMAND...: the first that is there.
first() {
    for command; do
        if have "$command"; then
            echo "$command"
            return
        fi
    done
    return 1
}

c_style() {
    xargs -d '\n' "$clang_format" --dry-run --Werror <"$T/styled"
}

# Without clang-analyzer, which takes what a function of another file sets for
# uninitialised, and without matters of taste.
# shellcheck disable=SC2016
c_tidy() {
    checks='-*,bugprone-*'
    for taste in easily-swappable-parameters reserved-identifier branch-clone \
        narrowing-conversions implicit-widening-of-multiplication-result \
        suspicious-string-compare not-null-terminated-result \
        suspicious-memory-comparison sizeof-expression misplaced-widening-cast; do
        checks=$checks,-bugprone-$taste
    done
    xargs -d '\n' -n 8 -P 2 sh -c 'checks=$1; shift
        "$0" --quiet --warnings-as-errors="*" --checks="$checks" "$@" \
        -- -std=c11 -D_GNU_SOURCE -Icore -Irecovery' \
        "$clang_tidy" "$checks" <"$T/ours" >"$T/tidy" 2>&1 ||
        grep -A 4 -E ' (warning|error): ' "$T/tidy"
}

# Without two checks that take what a function of another file sets for
# uninitialised; compilers, valgrind and sanitizers look for that.
c_check() {
    xargs -d '\n' cppcheck --quiet --std=c11 --language=c --error-exitcode=1 \
        --enable=warning,portability,performance --inline-suppr \
        --suppress=missingIncludeSystem --suppress=uninitvar \
        --suppress=uninitStructMember \
        --max-configs=4 -j 2 -D_GNU_SOURCE -DPLOG_WITH_LIBCRYPTO \
        -Icore -Irecovery <"$T/ours"
}

is_bash() {
    case $1 in
    *.bash) return 0 ;;
    esac
    head -n 1 "$1" | grep -q bash
}

# SC3045: dash knows ulimit -v.
sh_check() {
    while IFS= read -r file; do
        dialect="sh"
        ! is_bash "$file" || dialect=bash
        shellcheck -s $dialect -x -P SCRIPTDIR -S warning -e SC3045 "$file" ||
            return 1
    done <"$T/sh"
}

sh_parse() {
    while IFS= read -r file; do
        if is_bash "$file"; then
            ! have bash || bash -n "$file" || return 1
        else
            sh -n "$file" || return 1
        fi
    done <"$T/sh"
}

man_check() {
    mandoc -T lint -W warning docs/man/*.1
}

json_check() {
    for file in docs/json/*.json; do
        jq -e . "$file" >/dev/null || echo "$file"
    done
}

# Each public header stands alone, as strict C11 and as C++.
header_check() {
    for header in core/paritylog.h recovery/paritylog_recovery.h; do
        for compiler in "$@"; do
            # shellcheck disable=SC2086
            printf '#include "%s"\nint main(void) { return 0; }\n' "$header" |
                $compiler -fsyntax-only -Wall -Wextra -Werror -pedantic \
                    -Icore -Irecovery -I. - || echo "$header: $compiler"
        done
    done
}

# Nothing of the machine a file was written on, and no stray white space.
text_check() {
    grep -v -e '^tests/data/.*\.\(gz\|tree\)$' -e '^LICENSE$' \
        -e '^tests/fuzz/corpus/' "$T/files" >"$T/texts"
    xargs -d '\n' grep -n -I -E '[[:blank:]]+$' <"$T/texts" |
        grep -v '\.md:' | sed 's/$/  <- white space at the end/'
    xargs -d '\n' grep -n -I -E '(^|[^[:alnum:]_./-])/(work|root|home/[a-z]+)/' \
        <"$T/texts" | grep -v '^tests/lint\.sh:' |
        sed 's/$/  <- a path of one machine/'
    while IFS= read -r file; do
        [ ! -s "$file" ] || [ -z "$(tail -c 1 "$file")" ] ||
            echo "$file: no line feed at the end"
    done <"$T/texts"
    return 0
}

# Another version sets some lines in another way.
if clang_format=$(first clang-format-14 clang-format) &&
    "$clang_format" --version | grep -q 'version 14\.'; then
    check 'clang-format: the style of the C files' c_style
else
    skip 'clang-format' 'version 14 is not installed'
fi
if clang_tidy=$(first clang-tidy-14 clang-tidy); then
    check 'clang-tidy: core, recovery, tools' c_tidy
else
    skip 'clang-tidy' 'it is not installed'
fi
if have cppcheck; then
    check 'cppcheck: core, recovery, tools' c_check
else
    skip cppcheck 'it is not installed'
fi
if have shellcheck; then
    check 'shellcheck: every script' sh_check
else
    skip shellcheck 'it is not installed'
fi
check 'every script parses' sh_parse
if ! have mandoc; then
    skip mandoc 'it is not installed'
elif [ ! -e docs/man/paritylog.1 ]; then
    skip mandoc 'there is no manual'
else
    check 'mandoc: the manual' man_check
fi
if have jq; then
    check 'jq: the schemas' json_check
else
    skip jq 'it is not installed'
fi
if have cc; then
    check 'the public headers are C11' header_check 'cc -std=c11 -x c'
else
    skip 'the public headers as C11' 'no compiler'
fi
if have g++; then
    check 'the public headers are C++' header_check 'g++ -std=c++11 -x c++'
elif have clang++; then
    check 'the public headers are C++' header_check 'clang++ -std=c++11 -x c++'
else
    skip 'the public headers as C++' 'no C++ compiler'
fi
check 'no machine path, no stray white space' text_check

echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
