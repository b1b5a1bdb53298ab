#!/bin/sh
# debian13.sh - the two commands of the README in a bare Debian 13.
#
#     sh tests/debian13.sh [DIRECTORY]
#
# Makes a chroot of the minimal variant with debootstrap (in DIRECTORY, which
# is kept and taken up again, else in a new one that is removed), copies a
# clone into it and runs tests/demo.sh and tests/all.sh there: no compiler, no
# make, no git, until they install them.  The mirror is the one that apt uses
# here.  Needs root and debootstrap; else it is a skip.
#
# SUITE   another suite (default trixie)
#
# What stands in single quotes is for apt, or for the shell inside.
# shellcheck disable=SC2016
set -u

SUITE=${SUITE:-trixie}
top=$(cd "$(dirname "$0")/.." && pwd)
passed=0 failed=0

skip() {
    echo "skip $SUITE: $1"
    echo '0 passed, 0 failed, 1 skipped'
    exit 0
}

[ "$(id -u)" -eq 0 ] || skip 'it takes root'
command -v debootstrap >/dev/null 2>&1 || skip 'debootstrap is not installed'
command -v git >/dev/null 2>&1 || skip 'git is not installed'

# The mirror that apt has a release of Debian's own from.
mirror=$(apt-get indextargets --format '$(SITE) $(ORIGIN) $(LABEL)' 2>/dev/null |
    awk '$2 == "Debian" && $3 == "Debian" { print $1; exit }')
[ -n "$mirror" ] || mirror=$(apt-get indextargets \
    --format '$(SITE) $(COMPONENT) $(TARGET_OF)' 2>/dev/null |
    awk '$2 == "main" && $3 == "deb" { print $1; exit }')
[ -n "$mirror" ] || skip 'apt has no mirror of Debian'

if [ $# -gt 0 ]; then
    mkdir -p "$1" && root=$(cd "$1" && pwd) || exit 1
    keep=yes
else
    root=$(mktemp -d "${TMPDIR:-/tmp}/paritylog-$SUITE.XXXXXX") || exit 1
    keep=
fi
mounted=
# shellcheck disable=SC2317
cleanup() {
    for at in $mounted; do
        umount -l "$root/$at" || keep=yes
    done
    # Never through a mount that stayed.
    [ -n "$keep" ] || rm -rf --one-file-system "$root"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM

if [ ! -e "$root/etc/debian_version" ]; then
    echo "== debootstrap $SUITE"
    debootstrap --variant=minbase "$SUITE" "$root" "$mirror" >"$root.log" 2>&1 || {
        tail -n 20 "$root.log"
        rm -f "$root.log"
        skip 'debootstrap failed'
    }
    rm -f "$root.log"
fi
# How apt gets out, here as there.
for file in /etc/resolv.conf /etc/hosts; do
    [ ! -e $file ] || cp -L $file "$root$file"
done
apt-config dump 2>/dev/null | grep -E '^Acquire::(http|https)::?P' \
    >"$root/etc/apt/apt.conf.d/90here"
for at in proc dev; do
    if ! mountpoint -q "$root/$at"; then
        mount --bind "/$at" "$root/$at" || skip "cannot mount /$at"
        mounted="$at $mounted"
    fi
done

rm -rf "$root/srv/clone"
git -c 'safe.directory=*' clone -q --no-hardlinks "$top" "$root/srv/clone" ||
    skip 'cannot clone'

inside() {
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        HOME=/root TERM=dumb ${http_proxy:+http_proxy="$http_proxy"} \
        ${https_proxy:+https_proxy="$https_proxy"} \
        chroot "$root" sh -c "cd /srv/clone && $1"
}

echo "== Inside: $(inside '. /etc/os-release; echo "$PRETTY_NAME"')," \
    "$(inside 'ls /var/lib/dpkg/info/*.list | wc -l') packages"
inside 'for c in cc make git pkg-config; do
    ! command -v $c >/dev/null || echo "(already there: $c)"
done'

T=$(inside 'mktemp')
for script in demo all; do
    echo "== sh tests/$script.sh"
    began=$(date +%s)
    inside "sh tests/$script.sh >$T 2>&1; echo \$? >$T.status"
    status=$(cat "$root$T.status")
    took=$(($(date +%s) - began))
    if [ "$status" = 0 ]; then
        passed=$((passed + 1))
        grep -h -e '^ *skip ' "$root$T"
        tail -n 1 "$root$T"
        echo "ok $script in $took s, with installing"
    else
        failed=$((failed + 1))
        tail -n 60 "$root$T"
        echo "FAIL $script: exit status $status"
    fi
done

echo "$passed passed, $failed failed, 0 skipped"
[ $failed -eq 0 ]
