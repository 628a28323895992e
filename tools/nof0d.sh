# shellcheck shell=bash
# The server process behind ./run: start, wait for /readyz, say where it is. Uses ./run's host, port, workers, data, var,
# legacy. Needs common.sh and process.sh.

CONFIG=$ROOT/etc/nof0.yaml

# The address at which a client on this machine reaches it.
client_host() {
    case $host in
    0.0.0.0) printf '127.0.0.1\n' ;;
    :: | '[::]') printf '::1\n' ;;
    *) printf '%s\n' "$host" ;;
    esac
}

# As it stands in a URL: an IPv6 address in brackets.
url_host() {
    local address
    address=$(client_host)
    [[ $address == *:* ]] && printf '[%s]\n' "$address" || printf '%s\n' "$address"
}

# A connect is the honest question: nof0d listens with SO_REUSEPORT, so a second one would bind and share the port.
port_answers() { (exec 3<>"/dev/tcp/$(client_host)/$port") 2>/dev/null; }

# http_status PATH: the status code of a GET, 000 when there was no answer within 2 seconds.
http_status() {
    local line=''
    if exec 3<>"/dev/tcp/$(client_host)/$port"; then
        printf 'GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$1" >&3 || true
        read -r -t 2 line <&3 || true
        exec 3>&-
    fi 2>/dev/null
    [[ $line =~ ^HTTP/1\.[01]\ ([0-9]{3}) ]] && printf '%s\n' "${BASH_REMATCH[1]}" || printf '000\n'
}

nof0d_start() {
    local read=repo
    [[ $legacy == no ]] || read=legacy
    export NOF0_PORT=$port NOF0_HOST=$host NOF0_LEGACY_DIR=$data NOF0_READ=$read
    export NOF0_FLAGS_KEEP_FILE=${NOF0_FLAGS_KEEP_FILE:-$var/flags.json}
    [[ -z $workers ]] || export NOF0_WORKERS=$workers
    touch "$var/log/nof0d.log"
    log_size=$(stat -c %s "$var/log/nof0d.log") # where this run's lines begin
    setsid "$NOF0D" --config "$CONFIG" </dev/null >>"$var/log/nof0d.log" 2>&1 9>&- &
    nof0d_pid=$!
    process_record "$var/run/nof0d" "$nof0d_pid" || true
    started+=(nof0d)
    printf 'http://%s:%s/api\n' "$(url_host)" "$port" >"$var/run/url"
}

nof0d_wait() {
    local deadline=$((SECONDS + 60)) status=000
    while ((SECONDS < deadline)); do
        kill -0 "$nof0d_pid" 2>/dev/null || fail_with <(tail -n 5 "$var/log/nof0d.log") "nof0d did not start"
        status=$(http_status /readyz)
        [[ $status != 200 ]] || return 0
        sleep 0.1
    done
    fail_with <(tail -n 5 "$var/log/nof0d.log") "nof0d did not become ready in 60 s (/readyz says $status)"
}

# write_env FILE: what a shell sources to work with these servers.
write_env() {
    local name
    {
        say "# source this: nof0ctl and nof0d of this checkout, and where their servers are"
        for name in NOF0_POSTGRES_DSN NOF0_REDIS_URL NOF0_LEGACY_DIR NOF0_READ; do
            if [[ -n ${!name:-} ]]; then
                printf 'export %s=%q\n' "$name" "${!name}"
            else
                printf 'unset %s\n' "$name"
            fi
        done
        printf 'export NOF0_CONFIG=%q\n' "$CONFIG"
        printf 'PATH=%q:%q:$PATH\n' "$(dirname "$NOF0CTL")" "$(dirname "$NOF0D")"
    } >"$1"
    chmod 600 "$1" # a DSN may hold a password
}

# nof0d_print_urls: the last words of a good start. Paths inside the checkout are shown as they are seen from there.
nof0d_print_urls() {
    local url
    url=$(cat "$var/run/url")
    say "nof0 serves ${data#"$ROOT"/}"
    say "  $url/account-totals"
    say "  $url/trades"
    say "  $url/leaderboard  (docs/api.md lists the others)"
    say "  ${url%/api}/readyz"
    say "source ${var#"$ROOT"/}/env puts nof0ctl and these servers into a shell"
}
