#!/bin/sh
# setup.sh - installs what is missing on Debian or Ubuntu.
#
#     sh tests/setup.sh build|demo|test|ci...
#
# build  compiler, make, the three libraries
# demo   git
# test   what tests use as a second opinion: jq, openssl, sqlite3, python3 ...
# ci     what .ci/run uses besides: clang, valgrind, cppcheck ...
#
# What is there already is not touched; when all is there, nothing is printed
# and no package manager is called.  Without the packages of build and demo
# nothing works: if they cannot be installed the script names them and ends
# with 1.  The others are only wanted: without them tests are skipped and say
# so.
set -u

needed='' wanted='' optional=

have() {
    command -v "$1" >/dev/null 2>&1
}

# need PACKAGE COMMAND...: if the command fails, the package is missing.
need() {
    package=$1
    shift
    "$@" >/dev/null 2>&1 && return
    if [ -n "$optional" ]; then
        wanted="$wanted $package"
    else
        needed="$needed $package"
    fi
}

# That a program can be compiled; a compiler does not bring the headers of C.
# shellcheck disable=SC2317
headers() {
    echo '#include <stdio.h>' | cc -E - >/dev/null 2>&1
}

# shellcheck disable=SC2317
cxx() {
    have g++ || have clang++
}

# The package is for the interpreter of the system.
# shellcheck disable=SC2317
junitparser() {
    python3 -c 'import junitparser' || /usr/bin/python3 -c 'import junitparser'
}

# Debian may have it under a name with its version.
# shellcheck disable=SC2317
clang_tool() {
    have "$1" || have "$1-14"
}

# Not everybody has these in the path.
# shellcheck disable=SC2317
system_tool() {
    have "$1" || [ -x "/sbin/$1" ] || [ -x "/usr/sbin/$1" ]
}

# What clang links for the sanitizers and for fuzzing is a package of its own,
# named after clang's version: known only when clang is there.
clang_runtime_package() {
    echo "libclang-rt-$(clang -dumpversion | cut -d. -f1)-dev"
}
# shellcheck disable=SC2317
clang_runtime() {
    probe=$(mktemp) || return 1
    echo 'int LLVMFuzzerTestOneInput(const char *p, long n);
        int LLVMFuzzerTestOneInput(const char *p, long n) { return !p && n; }' |
        clang -fsanitize=fuzzer,address -x c -o "$probe" -
    linked=$?
    rm -f "$probe"
    return "$linked"
}

# How to become root; fails when there is no way without asking.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo -n "$@"
    fi
}

can_install() {
    have apt-get || return 1
    [ "$(id -u)" -eq 0 ] && return
    have sudo && sudo -n true 2>/dev/null
}

look() {
    needed='' wanted=
    for group; do
        optional=
        case $group in
        build)
            need gcc have cc
            need libc6-dev headers
            need make have make
            need pkg-config have pkg-config
            need libsqlite3-dev pkg-config --exists sqlite3
            need libsodium-dev pkg-config --exists libsodium
            need zlib1g-dev pkg-config --exists zlib
            # It makes hashing faster, but does not have to be there.
            ! can_install || need libssl-dev pkg-config --exists libcrypto
            ;;
        demo)
            need git have git
            ;;
        test)
            optional=yes
            need jq have jq
            need openssl have openssl
            need sqlite3 have sqlite3
            need python3 have python3
            need python3-jsonschema python3 -c 'import jsonschema'
            need python3-junitparser junitparser
            need mandoc have mandoc
            need libyajl-dev pkg-config --exists yajl
            need locales test -e /usr/share/i18n/locales/de_DE
            ;;
        ci)
            optional=yes
            need clang have clang
            ! have clang || need "$(clang_runtime_package)" clang_runtime
            need valgrind have valgrind
            need cppcheck have cppcheck
            need clang-tidy clang_tool clang-tidy
            need clang-format clang_tool clang-format
            need shellcheck have shellcheck
            need g++ cxx
            need zsh have zsh
            need strace have strace
            need xfsprogs system_tool mkfs.xfs
            need e2fsprogs system_tool mkfs.ext4
            need golang-go have go
            need golang-golang-x-mod-dev test -d /usr/share/gocode/src/golang.org/x/mod
            ;;
        *)
            echo "usage: sh tests/setup.sh build|demo|test|ci..." >&2
            exit 2
            ;;
        esac
    done
}

# The libraries are found through pkg-config; without it each of them seems to
# be missing, and installing one that is there does no harm.
look "$@"
[ -n "$needed$wanted" ] || exit 0

apt() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
        -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 "$@" >"$log" 2>&1
}

updated=
# install PACKAGE...: with fresh package lists if the old ones do not do.
install() {
    apt install --no-install-recommends "$@" && return
    if [ -z "$updated" ]; then
        updated=yes
        # A source that fails does not matter if the others have the package.
        apt update
        apt install --no-install-recommends "$@" && return
    fi
    sed 's/^/    /' "$log" | tail -8 >&2
    return 1
}

# The names, for a person.
tell() {
    echo "$1 missing packages (names of Debian and Ubuntu):$2" >&2
}

install_wanted() {
    [ -n "$wanted" ] || return 0
    echo "Installing for the tests:$wanted"
    # shellcheck disable=SC2086
    install $wanted || for package in $wanted; do
        install "$package" 2>/dev/null ||
            echo "  not to be had: $package; tests of it are skipped"
    done
}

if can_install; then
    log=$(mktemp) || exit 1
    trap 'rm -f "$log"' EXIT
    if [ -n "$needed" ]; then
        echo "Installing:$needed"
        # shellcheck disable=SC2086
        install $needed
    fi
    install_wanted
    look "$@"
    case $wanted in
    *libclang-rt*) # clang was not there before
        wanted=" $(clang_runtime_package)"
        install_wanted
        ;;
    esac
else
    [ -z "$wanted" ] || tell 'Tests will be skipped for want of' "$wanted"
fi

if [ -n "$needed" ]; then
    tell 'Cannot go on:' "$needed"
    if ! have apt-get; then
        echo 'There is no apt-get here; install them in the way of this system.' >&2
    elif ! can_install; then
        echo "Neither root nor sudo without a password. Please run:" >&2
        echo "    sudo apt-get install$needed" >&2
    fi
    exit 1
fi
exit 0
