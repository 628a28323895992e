# shellcheck shell=bash
# What ./run, ./test and their helpers share: words to the user, and the place of the repository.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

say() { printf '%s\n' "$*"; }
complain() { printf '%s\n' "$*" >&2; }
# One clear line, then exit 2: it could not run.
die() {
    complain "${0##*/}: $*"
    exit 2
}

is_root() { [[ $EUID -eq 0 ]]; }

# free_mb DIR: megabytes that we may still write there.
free_mb() { df -Pk -- "$1" | awk 'NR == 2 { print int($4 / 1024) }'; }

# need_space DIR MB: stops when the file system of DIR is as good as full.
need_space() {
    local free
    free=$(free_mb "$1")
    ((free >= $2)) || die "the disk is full: $1 has $free MB left, $2 MB are needed"
}

# short_hash TEXT: 12 hexadecimal digits that stand for it.
short_hash() { printf '%s' "$1" | sha256sum | cut -c1-12; }
