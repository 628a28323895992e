# shellcheck shell=bash
# The lint stages of ./test. Each counts its files: "PASSED FAILED" goes to $COUNTS. Needs common.sh.

c_sources() { git -C "$ROOT" ls-files --cached --others --exclude-standard -- "$@" | sort -u | while read -r file; do
    [[ ! -e $ROOT/$file ]] || printf '%s\n' "$file"
done; }

lint_format() {
    local files status=0
    mapfile -t files < <(c_sources '*.c' '*.h')
    cd "$ROOT" || return 1
    printf '%s\n' "${files[@]}" | xargs -P "$(nproc)" -n 40 clang-format-14 --dry-run -Werror || status=1
    # One check of the whole tree, so that files do not drown the tests in the sum.
    printf '%d %d %s\n' "$((status == 0))" "$status" "${#files[@]} files" >"$COUNTS"
    return $status
}

lint_shell() {
    cd "$ROOT" || return 1
    shellcheck -x run test .ci/run tools/link.sh
}

# The static analyzer takes nearly all of the time. A budget of paths per function (225000 without one) takes most of that
# away; unit tests, which run under sanitizers anyway, do without.
TIDY_PATHS=40000

# lint_tidy_one FILE: clang-tidy, unless the file and everything that it includes were found clean before.
lint_tidy_one() {
    local file=$1 key log options
    case $file in
    *_test.c) options=(--checks=-clang-analyzer-*) ;;
    *) options=(--extra-arg={-Xclang,-analyzer-config,-Xclang,"max-nodes=$TIDY_PATHS"}) ;;
    esac
    key=$({ cat "$ROOT/.clang-tidy" && echo "${options[*]}" && clang-tidy-14 --version && tidy_inputs "$file" |
        xargs cat; } 2>/dev/null | sha256sum | cut -c1-40)
    [[ ! -e $TIDY_CACHE/$key ]] || return 0
    log=$(mktemp)
    if clang-tidy-14 --quiet -p "$TIDY_BUILD" "${options[@]}" "$file" >"$log" 2>/dev/null; then
        : >"$TIDY_CACHE/$key"
        rm -f "$log"
        return 0
    fi
    grep -E ': (error|warning):' "$log" | sort -u
    say "    (clang-tidy-14 -p $TIDY_BUILD $file says more)"
    rm -f "$log"
    return 1
}

# The file and the headers of this project that it reaches.
tidy_inputs() {
    clang-14 -MM -D_GNU_SOURCE -DNOF0_VERSION='""' -I"$ROOT" "$1" | tr -d '\\' | tr ' ' '\n' | grep -vE ':$|^$'
}

lint_tidy() {
    local status=0 files
    cd "$ROOT" || return 1
    export ROOT TIDY_PATHS TIDY_BUILD=$ROOT/build/release TIDY_CACHE=$ROOT/build/tidy
    export -f lint_tidy_one tidy_inputs say
    mkdir -p "$TIDY_CACHE"
    mapfile -t files < <(c_sources '*.c')
    # shellcheck disable=SC2016 # bash -c expands it
    printf '%s\n' "${files[@]}" | grep -v '_fuzz\.c$' |
        xargs -P "$(nproc)" -n 1 bash -c 'lint_tidy_one "$1"' tidy || status=1
    printf '%d %d %s\n' "$((status == 0))" "$status" "${#files[@]} files" >"$COUNTS"
    return $status
}
