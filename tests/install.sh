#!/bin/sh
# install.sh - what `make install` puts where, whether it can be used from
# there, and that `make uninstall` takes all of it away again.
#
#     BUILD=build sh tests/install.sh
#
# Installs into a scratch DESTDIR only.
# The functions below are called by name.
# shellcheck disable=SC2317
set -u
LC_ALL=C
export LC_ALL
unset MAKEFLAGS MAKELEVEL

cd "$(dirname "$0")/.." || exit 1
BUILD=${BUILD:-build}
CC=${CC:-cc}
passed=0 failed=0 skipped=0

T=$(mktemp -d "${TMPDIR:-/tmp}/paritylog-install.XXXXXX") || exit 1
trap 'rm -rf "$T"' EXIT
trap 'exit 1' HUP INT TERM
to=$T/dest
prefix=/opt/plog

# check NAME COMMAND...: passes if the command succeeds.
check() {
    name=$1
    shift
    if "$@" >"$T/out" 2>&1; then
        echo "ok $name"
        passed=$((passed + 1))
    else
        echo "FAIL $name"
        head -n 30 "$T/out" | sed 's/^/    /'
        failed=$((failed + 1))
    fi
}

skip() {
    echo "skip $1: $2"
    skipped=$((skipped + 1))
}

finish() {
    echo "$passed passed, $failed failed, $skipped skipped"
    [ $failed -eq 0 ]
    exit
}

installs() {
    make BUILD="$BUILD" PREFIX="$prefix" DESTDIR="$to" install
}

# Every file that belongs there, and none that does not.
has_all_files() {
    (cd "$to" && find . ! -type d) | sort >"$T/found"
    (cd docs && find json -name '*.schema.json') |
        sed "s|^|.$prefix/share/paritylog/|" >"$T/schemas"
    [ -s "$T/schemas" ] || return 1
    sed "s|^|.$prefix/|" <<END | sort - "$T/schemas" >"$T/wanted"
bin/paritylog
include/paritylog.h
include/paritylog_recovery.h
lib/libparitylog.a
lib/libparitylog.so
lib/libparitylog.so.0
lib/libparitylog.so.$version
lib/pkgconfig/libparitylog.pc
share/bash-completion/completions/paritylog
share/man/man1/paritylog.1
share/zsh/site-functions/_paritylog
END
    diff "$T/wanted" "$T/found"
}

names_no_scratch() {
    if grep -r -l -e "$to" -e "$(pwd)" "$to$prefix/lib/pkgconfig" \
        "$to$prefix/include" "$to$prefix/share"; then
        return 1
    fi
}

runs() {
    [ "$("$to$prefix/bin/paritylog" --version)" = "paritylog $version" ] ||
        "$to$prefix/bin/paritylog" --version | grep -F "$version"
}

flags() {
    PKG_CONFIG_PATH=$to$prefix/lib/pkgconfig pkg-config \
        --define-variable=prefix="$to$prefix" "$@" libparitylog
}

links_shared() {
    # shellcheck disable=SC2046
    $CC -std=c11 -o "$T/shared" "$T/use.c" $(flags --cflags --libs) &&
        LD_LIBRARY_PATH=$to$prefix/lib "$T/shared"
}

# The archive itself, so that the shared library next to it is not taken.
links_static() {
    # shellcheck disable=SC2046
    $CC -std=c11 $(flags --cflags) -o "$T/static" "$T/use.c" \
        "$to$prefix/lib/libparitylog.a" \
        $(flags --static --libs | tr ' ' '\n' | grep -v -x -e -lparitylog) &&
        "$T/static"
}

# The line of README.md in front of the hook there, with a program of that hook.
links_as_readme_says() {
    line=$(sed -n 's/^    \(cc .*pkg-config.*\)$/\1/p' README.md)
    [ -n "$line" ] || return 1
    {
        printf '#include <paritylog.h>\n#include <sqlite3.h>\n'
        sed -n '/^```c$/,/^```$/p' README.md | grep -v '^```'
        printf 'int main(void)\n{\n    plog *p = NULL;\n'
        printf '    return follow(NULL, NULL, NULL, 0) == 0 ||\n'
        printf '           plog_open(&p, "/nowhere", NULL, NULL) == 0;\n}\n'
    } >"$T/program.c"
    make BUILD="$BUILD" PREFIX="$T/used" DESTDIR= install &&
        (cd "$T" && PKG_CONFIG_PATH=$T/used/lib/pkgconfig &&
            export PKG_CONFIG_PATH && eval "$line") &&
        LD_LIBRARY_PATH=$T/used/lib "$T/a.out"
}

links_cxx() {
    # shellcheck disable=SC2046
    "$1" -std=c++11 -x c++ -Wall -Wextra -Werror -o "$T/cxx" "$T/use.c" \
        $(flags --cflags --libs) && LD_LIBRARY_PATH=$to$prefix/lib "$T/cxx"
}

uninstalls() {
    make BUILD="$BUILD" PREFIX="$prefix" DESTDIR="$to" uninstall &&
        [ -z "$(find "$to" ! -type d)" ] && [ ! -e "$to$prefix/share/paritylog" ]
}

# tidy COMMAND...: it succeeds, and no new file is in the source.
tidy() {
    ls -A >"$T/before"
    "$@" && ls -A | diff "$T/before" -
}

# Into a DESTDIR that a shell takes apart, and out of it again.
installs_apart() {
    odd=$T/"a b's"
    tidy make BUILD="$BUILD" PREFIX="$prefix" DESTDIR="$odd" install &&
        [ ! -e "$T/a" ] && mv "$to" "$T/kept" && mv "$odd" "$to" &&
        has_all_files && mv "$to" "$odd" && mv "$T/kept" "$to" &&
        make BUILD="$BUILD" PREFIX="$prefix" DESTDIR="$odd" uninstall &&
        [ -z "$(find "$odd" ! -type d)" ]
}

# The end of a DESTDIR is no reason to look into what PREFIX names on this
# machine.
uninstalls_only_there() {
    mkdir -p "$T/system/bin" && : >"$T/system/bin/paritylog" &&
        make BUILD="$BUILD" PREFIX="$T/system" DESTDIR="$T/a " uninstall &&
        [ -e "$T/system/bin/paritylog" ]
}

# refuses_build PATH
refuses_build() {
    ! make BUILD="$1" -n install >"$T/said" 2>&1 &&
        grep -F "BUILD is '$1'" "$T/said" && ! grep -F Circular "$T/said"
}

version=$(sed -n 's/^#define PLOG_VERSION "\(.*\)"$/\1/p' core/paritylog.h)
cat >"$T/use.c" <<'END'
#include <paritylog.h>
#include <paritylog_recovery.h>
#include <stdio.h>
#include <string.h>
int main(void)
{
    struct plog_error err;
    plog_reader *reader;

    memset(&err, 0, sizeof err);
    if (plog_reader_open(&reader, "/nowhere/at/all", NULL, &err) !=
        PLOG_E_NOTHING)
        return 1;
    return puts(plog_strerror(PLOG_E_NOTHING)) < 0;
}
END

check 'the version of the header is that of the Makefile' \
    test "$version" = "$(sed -n 's/^VERSION := //p' Makefile)"
check 'make install' installs
[ $failed -eq 0 ] || finish
check 'each file is in its place' has_all_files
check 'no installed text names a folder of this machine' names_no_scratch
check 'the installed command runs' runs
if command -v pkg-config >/dev/null 2>&1; then
    check 'a program links the shared library through pkg-config' links_shared
    check 'a program links the static library through pkg-config' links_static
    check 'a program links as README.md says' links_as_readme_says
    if command -v g++ >/dev/null 2>&1; then
        check 'a C++ program links it as well' links_cxx g++
    elif command -v clang++ >/dev/null 2>&1; then
        check 'a C++ program links it as well' links_cxx clang++
    else
        skip 'a C++ program' 'there is no C++ compiler'
    fi
else
    skip 'linking through pkg-config' 'there is no pkg-config'
fi
check 'make uninstall leaves no file' uninstalls
check 'a DESTDIR with a space and a quote is one folder' installs_apart
check 'make uninstall removes nothing beside DESTDIR' uninstalls_only_there
check 'a BUILD with a space is refused by name' refuses_build 'a b'
check 'a BUILD that ends in a space is refused by name' refuses_build 'a '
finish
