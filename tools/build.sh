# shellcheck shell=bash
# The release build behind ./run: quiet when well. Needs common.sh. Sets NOF0D and NOF0CTL.

# build_preset PRESET TARGET...: configures once and builds into build/PRESET, one build at a time in each folder. What
# the compiler said is in build/PRESET.log.
build_preset() {
    local -r preset=$1 dir=$ROOT/build/$1 log=$ROOT/build/$1.log
    shift
    mkdir -p "$dir"
    (
        flock 8
        cd "$ROOT" || exit 1
        { [[ -e $dir/build.ninja ]] || cmake --preset "$preset"; } >"$log" 2>&1 8>&- 9>&- &&
            cmake --build "$dir" --target "$@" -- -k 0 >>"$log" 2>&1 8>&- 9>&-
    ) 8>"$dir/.build-lock"
}

build_release() {
    NOF0D=$ROOT/build/release/server/nof0d
    NOF0CTL=$ROOT/build/release/cli/nof0ctl
    if ! mkdir -p "$ROOT/build/release" 2>/dev/null || [[ ! -w $ROOT/build/release ]]; then
        [[ -x $NOF0D && -x $NOF0CTL ]] || die "cannot write $ROOT/build/release"
        return 0 # another user's checkout: its programs are as good as ours
    fi
    need_space "$ROOT/build" 150
    build_preset release nof0d nof0ctl && return 0
    tail -n 30 "$ROOT/build/release.log" >&2
    die "the build failed; all of it is in $ROOT/build/release.log"
}
