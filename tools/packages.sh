# shellcheck shell=bash
# Debian packages: which are needed for what, and how missing ones come in.

PACKAGES_RUN=(gcc libc6-dev cmake ninja-build pkg-config libcjson-dev libcurl4-openssl-dev libevent-dev
    libhiredis-dev libisal-dev libpq-dev libssl-dev libxxhash-dev libyaml-dev zlib1g-dev libcmocka-dev postgresql-15 redis-server)
PACKAGES_LEGACY=(gcc libc6-dev cmake ninja-build pkg-config libcjson-dev libcurl4-openssl-dev libevent-dev
    libhiredis-dev libisal-dev libpq-dev libssl-dev libxxhash-dev libyaml-dev zlib1g-dev libcmocka-dev)
# ./test runs these on top of PACKAGES_RUN.
PACKAGES_TEST=(clang-14 clang clang-format-14 clang-tidy-14 libclang-rt-14-dev llvm-14 shellcheck git procps
    python3 python3-jsonschema python3-psycopg2 python3-pytest python3-pytest-xdist python3-yaml)

# packages_missing NAME...: prints those that are not installed, one a line.
packages_missing() {
    local name state
    command -v dpkg-query >/dev/null || die "this needs Debian 12 (dpkg-query is missing)"
    for name in "$@"; do
        state=$(dpkg-query -W -f '${db:Status-Status}\n' "$name" 2>/dev/null) || state=none
        [[ $state == *installed* && $state != *not-installed* ]] || printf '%s\n' "$name"
    done
}

# Debian starts a service when its package is installed. A policy-rc.d that says 101 ("not allowed") for the time of the
# installation keeps the system's own Postgres and Redis from starting because of us; one that is there already (as in
# containers) stays as it is. The servers that ./run starts have unix sockets of their own and no TCP port, so a system
# service that runs anyway does not meet them.
install_as_root() {
    local -r policy=/usr/sbin/policy-rc.d
    local made=no status=0
    if [[ ! -e $policy ]]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod 755 "$policy" && made=yes
    fi
    export DEBIAN_FRONTEND=noninteractive
    { apt-get -o DPkg::Lock::Timeout=120 -y -qq --no-install-recommends install "$@" ||
        { apt-get -qq update && apt-get -o DPkg::Lock::Timeout=120 -y -qq --no-install-recommends install "$@"; }; } ||
        status=$?
    [[ $made == no ]] || rm -f "$policy"
    return $status
}

# packages_ensure NAME...: installs what is missing, with one line that says so; nothing and no line otherwise.
packages_ensure() {
    local missing log
    mapfile -t missing < <(packages_missing "$@")
    ((${#missing[@]})) || return 0
    if ! is_root && ! { command -v sudo >/dev/null && { [[ -t 0 ]] || sudo -n true 2>/dev/null; }; }; then
        die "missing Debian packages; as root: apt-get install ${missing[*]}"
    fi
    log=$(mktemp "${TMPDIR:-/tmp}/nof0-apt.XXXXXX")
    say "installing Debian packages: ${missing[*]}"
    if is_root; then
        install_as_root "${missing[@]}" >"$log" 2>&1 || die "apt-get could not install: ${missing[*]} (see $log)"
    else
        sudo -- bash -c "$(declare -f install_as_root); install_as_root \"\$@\" 2>&1" install "${missing[@]}" |
            cat >"$log" || die "apt-get could not install: ${missing[*]} (see $log)"
    fi
    rm -f "$log"
}
