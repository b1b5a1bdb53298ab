#!/bin/sh
# check_symbols.sh - what the library gives away and what it calls.
#
#     BUILD=build sh tests/check_symbols.sh
#
# Works on plain builds; a sanitizer brings symbols of its own.
set -u
LC_ALL=C
export LC_ALL

BUILD=${BUILD:-build}
case $BUILD in
/*) ;;
*) BUILD=$(pwd)/$BUILD ;;
esac
top=$(cd "$(dirname "$0")/.." && pwd)
shared=$BUILD/libparitylog.so
archive=$BUILD/libparitylog.a
passed=0 failed=0

T=$(mktemp -d "${TMPDIR:-/tmp}/paritylog-symbols.XXXXXX") || exit 1
trap 'rm -rf "$T"' EXIT

# judge NAME FILE: passes if the file is empty.
judge() {
    if [ -s "$2" ]; then
        echo "FAIL $1"
        head -n 20 "$2" | sed 's/^/    /'
        failed=$((failed + 1))
    else
        echo "ok $1"
        passed=$((passed + 1))
    fi
}

for file in "$shared" "$archive"; do
    [ -e "$file" ] || {
        echo "FAIL $file is missing; run make first"
        echo '0 passed, 1 failed, 0 skipped'
        exit 1
    }
done

# ---- What it gives ------------------------------------------------------------

nm -D --defined-only "$shared" | awk '{ print $NF }' | sort -u >"$T/exported"
grep -v '^plog_' "$T/exported" >"$T/out"
[ -s "$T/exported" ] || echo 'nothing is exported' >"$T/out"
judge 'only plog_ names leave the shared library' "$T/out"

nm -g --defined-only "$archive" 2>/dev/null | awk 'NF == 3 { print $3 }' |
    sort -u >"$T/global"
grep -v '^plog_' "$T/global" >"$T/out"
[ -s "$T/global" ] || echo 'nothing is defined' >"$T/out"
judge 'only plog_ names are global in the static library' "$T/out"

# What the two installed headers mark as part of the interface.
tr '\n' ' ' <"$top/core/paritylog.h" | cat - "$top/recovery/paritylog_recovery.h" |
    tr '\n' ' ' | sed 's/PLOG_API /\n&/g' |
    sed -n 's/^PLOG_API [^(;]*[ *]\(plog_[a-z0-9_]*\)(.*/\1/p' |
    sort -u >"$T/declared"
comm -23 "$T/declared" "$T/exported" >"$T/out"
[ -s "$T/declared" ] || echo 'no declaration found' >"$T/out"
judge 'every declared function is exported' "$T/out"
comm -13 "$T/declared" "$T/exported" >"$T/out"
judge 'every exported function is declared' "$T/out"

# ---- What it calls ------------------------------------------------------------

nm -D --undefined-only "$shared" | awk '{ print $NF }' | sed 's/@.*//' |
    sort -u >"$T/wanted"
grep -x -E 'exit|_exit|_Exit|quick_exit|printf|vprintf|__printf_chk|puts|putchar|fprintf|vfprintf|__fprintf_chk|perror|stdout|stderr|system|popen|fork|signal|sigaction|getenv|setlocale' \
    "$T/wanted" >"$T/out"
judge 'the library does not print, exit, or touch the process' "$T/out"

# System calls, the clock and randomness belong to the I/O table.  Threads sleep by
# themselves: futex.c has the one call for that, as pthread_mutex_lock has.
(cd "$BUILD" && nm -A -u libparitylog.a 2>/dev/null) |
    awk '{ split($1, where, ":"); print where[2], $NF }' |
    grep -v -e '^io_posix\.o ' |
    grep -E ' (open|openat|creat|read|pread|write|pwrite|readv|writev|preadv|pwritev|fsync|fdatasync|sync_file_range|rename|renameat|unlink|unlinkat|truncate|ftruncate|link|linkat|mkdir|mkdirat|flock|fcntl|lockf|time|gettimeofday|clock_gettime|nanosleep|usleep|sleep|getrandom|getentropy|rand|random|syscall|randombytes_buf|fopen|fwrite|mmap)(64|_r)?$' |
    grep -v -x 'futex\.o syscall' | sort -u >"$T/out"
judge 'system calls, clock and randomness only through the I/O table' "$T/out"

if command -v readelf >/dev/null 2>&1; then
    : >"$T/out"
    readelf -d "$shared" | grep -q 'SONAME.*\[libparitylog\.so\.[0-9]*\]' ||
        echo 'no soname libparitylog.so.N' >"$T/out"
    judge 'the shared library has a soname' "$T/out"
fi

echo "$passed passed, $failed failed, 0 skipped"
[ $failed -eq 0 ]
