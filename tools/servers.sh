# shellcheck shell=bash
# Private Postgres and Redis: no TCP port, unix sockets only, all files under one folder, one unprivileged account.
# Needs common.sh and process.sh. A caller sets by servers_place: PG_HOME, REDIS_HOME, SOCKETS.

SERVICE_USER=postgres # who runs them when we are root; Postgres refuses to be root
PG_BIN=/usr/lib/postgresql/15/bin
SOCKET_PATH_MAX=107 # bytes in sun_path without its NUL, unix(7)

# as_service COMMAND...: from a folder that the service user may enter, as that user when we are root.
as_service() {
    if is_root; then
        (cd / && exec runuser -u "$SERVICE_USER" -- "$@")
    else
        (cd / && exec "$@")
    fi
}

# Only plain characters: a DSN, a URL and pg_ctl's options take such a path without quoting.
path_is_plain() { [[ $1 =~ ^[A-Za-z0-9/._+-]+$ ]]; }

# short_dir VAR: a short, reachable folder that stands for VAR. Somebody else's folder of that name is refused.
short_dir() {
    local dir
    dir=/var/tmp/nof0-$EUID-$(short_hash "$1")
    mkdir -m 755 "$dir" 2>/dev/null || true
    [[ -d $dir && ! -L $dir && -O $dir ]] || die "$dir is not ours; remove it or give another --var"
    printf '%s\n' "$dir"
}

# give_to_service DIR: makes DIR, open to the service user alone.
give_to_service() {
    mkdir -p "$1" && chmod 700 "$1" && { ! is_root || chown "$SERVICE_USER": "$1"; }
}

# servers_place VAR: where the servers' files go. Usually inside VAR; a short folder elsewhere when a socket's path would
# be too long, when the service user cannot enter VAR (a home with mode 0700), or when its name needs quoting.
servers_place() {
    local var=$1 short socket_limit
    PG_HOME=$var/postgres
    REDIS_HOME=$var/redis
    SOCKETS=$var/sock
    socket_limit=$((SOCKET_PATH_MAX - ${#SOCKET_NAME_LONGEST} - 1))
    if ! path_is_plain "$var" || ! as_service test -x "$var"; then
        short=$(short_dir "$var")
        PG_HOME=$short/postgres
        REDIS_HOME=$short/redis
        SOCKETS=$short/sock
    elif ((${#SOCKETS} > socket_limit)); then
        SOCKETS=$(short_dir "$var")/sock
    fi
}
SOCKET_NAME_LONGEST=.s.PGSQL.5432.lock

# servers_erase VAR: throws away the databases and the sockets of stopped servers.
servers_erase() {
    local short
    rm -rf -- "$1/postgres" "$1/redis" "$1/sock"
    short=/var/tmp/nof0-$EUID-$(short_hash "$1")
    if [[ -d $short && ! -L $short && -O $short ]]; then
        rm -rf -- "$short"
    fi
}

# The process that holds the data folder: Postgres works inside it, so its working directory tells it from a stranger
# that has got the id which postmaster.pid still names.
postgres_pid() {
    local pid
    pid=$(as_service head -n 1 "$PG_HOME/data/postmaster.pid" 2>/dev/null) || return 1
    [[ $pid =~ ^[0-9]+$ && $(as_service readlink "/proc/$pid/cwd") == "$PG_HOME/data" ]] || return 1
    printf '%s\n' "$pid"
}

# postgres_init: a cluster whose owner is the service user, made whole or not at all.
postgres_init() {
    [[ ! -e $PG_HOME/data/PG_VERSION ]] || return 0
    give_to_service "$PG_HOME" || return 1
    as_service rm -rf "$PG_HOME/data.new"
    as_service "$PG_BIN/initdb" -D "$PG_HOME/data.new" -U postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8 \
        --no-sync >"$1" 2>&1 || return 1
    as_service mv "$PG_HOME/data.new" "$PG_HOME/data"
}

# postgres_clear_locks: after a kill -9 the lock files name a process that is gone, or whose id now belongs to somebody
# else. They may go as soon as no process works inside the data folder any more: orphans of the killed server do for a
# moment, and a second server beside them would spoil the data.
postgres_clear_locks() {
    for _ in {1..100}; do
        if [[ -z $(find /proc -maxdepth 2 -name cwd -lname "$PG_HOME/data" -print 2>/dev/null) ]]; then
            as_service rm -f "$PG_HOME/data/postmaster.pid" "$SOCKETS/.s.PGSQL.5432" "$SOCKETS/.s.PGSQL.5432.lock"
            return
        fi
        sleep 0.1
    done
    return 1
}

# postgres_start RECORD LOG [pg_ctl -o options]: also finds one that runs already. The socket folder lets nobody else in,
# so "trust" trusts only us.
postgres_start() {
    local record=$1 log=$2 pid
    postgres_init "$log" || return 1
    give_to_service "$SOCKETS" || return 1
    if ! pid=$(postgres_pid); then
        postgres_clear_locks || { echo "processes of a killed Postgres do not end" >"$log" && return 1; }
        as_service "$PG_BIN/pg_ctl" -D "$PG_HOME/data" -l "$PG_HOME/postgres.log" -w -t 60 -s \
            -o "-c listen_addresses= -c unix_socket_directories=$SOCKETS -p 5432 ${3:-}" start </dev/null >"$log" 2>&1 9>&- ||
            { as_service tail -n 5 "$PG_HOME/postgres.log" >>"$log" 2>/dev/null; return 1; }
        pid=$(postgres_pid) || return 1
    fi
    process_record "$record" "$pid"
}

# postgres_role ROLE [attributes]: a login of that name and a database of its own, made once.
postgres_role() {
    as_service psql -X -q -v ON_ERROR_STOP=1 -h "$SOCKETS" -p 5432 -U postgres -d postgres -v role="$1" <<SQL
SELECT format('CREATE ROLE %I LOGIN ${2:-}', :'role') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec
SELECT format('CREATE DATABASE %I OWNER %I', :'role', :'role')
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'role') \gexec
SQL
}

postgres_dsn() { printf 'host=%s port=5432 user=%s dbname=%s\n' "$SOCKETS" "$1" "$1"; }

# redis_start RECORD LOG: keeps nothing on disk; what is in it can be rebuilt from Postgres.
redis_start() {
    local record=$1 log=$2 pid
    give_to_service "$REDIS_HOME" && give_to_service "$SOCKETS" || return 1
    if pid=$(process_alive "$record"); then
        return 0
    fi
    as_service rm -f "$REDIS_HOME/redis.pid"
    as_service redis-server --port 0 --unixsocket "$SOCKETS/redis.sock" --unixsocketperm 700 --dir "$REDIS_HOME" \
        --save '' --appendonly no --daemonize yes --pidfile "$REDIS_HOME/redis.pid" --logfile "$REDIS_HOME/redis.log" \
        </dev/null >"$log" 2>&1 9>&- || return 1
    for _ in {1..200}; do
        pid=$(as_service cat "$REDIS_HOME/redis.pid" 2>/dev/null) || pid=
        if [[ -n $pid && -S $SOCKETS/redis.sock ]]; then
            process_record "$record" "$pid"
            return
        fi
        sleep 0.05
    done
    as_service tail -n 5 "$REDIS_HOME/redis.log" >>"$log" 2>/dev/null
    return 1
}

redis_url() { printf 'unix://%s/redis.sock\n' "$SOCKETS"; }
