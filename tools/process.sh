# shellcheck shell=bash
# Processes that we started, remembered in files so that a later ./run finds them. A process id comes back to life as
# another program's; an id together with its start time does not. A record is "PID STARTTIME BOOT".

# process_start PID: its start time in clock ticks since boot (field 22 of proc(5)'s stat); fails when there is none.
process_start() {
    local line fields
    line=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    read -ra fields <<<"${line##*) }" # behind the command, which may hold spaces
    [[ ${fields[0]} != Z ]] || return 1
    printf '%s\n' "${fields[19]}"
}

# process_record FILE PID
process_record() {
    local start
    start=$(process_start "$2") || return 1
    printf '%s %s %s\n' "$2" "$start" "$(cat /proc/sys/kernel/random/boot_id)" >"$1.new" && mv "$1.new" "$1"
}

# process_alive FILE: prints the id of the recorded process if it is still that very one; removes a stale record.
process_alive() {
    local pid start boot
    [[ -f $1 ]] || return 1
    if read -r pid start boot <"$1" && [[ $pid =~ ^[0-9]+$ && $start =~ ^[0-9]+$ ]] &&
        [[ $boot == "$(cat /proc/sys/kernel/random/boot_id)" && $(process_start "$pid") == "$start" ]]; then
        printf '%s\n' "$pid"
        return 0
    fi
    rm -f "$1"
    return 1
}

# process_stop FILE SIGNAL SECONDS: sends the signal, waits, then kills. Nothing happens when the record is stale.
process_stop() {
    local pid deadline
    pid=$(process_alive "$1") || return 0
    kill -s "$2" "$pid" 2>/dev/null || true
    deadline=$((SECONDS + $3))
    while process_alive "$1" >/dev/null; do
        if ((SECONDS >= deadline)); then
            kill -s KILL "$pid" 2>/dev/null || true
            deadline=$((SECONDS + 5))
        fi
        sleep 0.05
    done
    rm -f "$1"
}
