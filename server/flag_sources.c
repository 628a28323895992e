#include "server/flag_sources.h"

#include "base/clock.h"
#include "base/mem.h"
#include "server/flag_file.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    PATIENCE_MS = 2000,      /* for each answer of Postgres: changes in the mirror wait as long */
    REDIS_PATIENCE_MS = 300, /* and for each of Redis: a change in Postgres waits as long */
    REDIS_REST_MS = 3000,    /* without a try after a failure */
};

struct flag_sources {
    struct snapshot *snapshot;
    struct session *session;    /* NULL: not connected */
    struct redisContext *redis; /* the same */
    int64_t redis_rests_until_ms;
};

struct flag_sources *flag_sources_new(void)
{
    return mem_zalloc(sizeof(struct flag_sources));
}

static const struct settings *settings_of(const struct flag_sources *sources)
{
    return snapshot_settings(sources->snapshot);
}

static void close_session(struct flag_sources *sources)
{
    session_close(sources->session);
    sources->session = NULL;
}

static void close_redis(struct flag_sources *sources)
{
    if (sources->redis)
        redisFree(sources->redis);
    sources->redis = NULL;
}

void flag_sources_free(struct flag_sources *sources)
{
    if (!sources)
        return;
    close_session(sources);
    close_redis(sources);
    snapshot_unref(sources->snapshot);
    free(sources);
}

void flag_sources_go_by(struct flag_sources *sources, struct snapshot *snapshot)
{
    if (snapshot == sources->snapshot)
        return;
    struct snapshot *old = sources->snapshot;
    sources->snapshot = snapshot_ref(snapshot);
    const struct settings *before = old ? snapshot_settings(old) : NULL;
    const struct settings *now = snapshot_settings(snapshot);
    if (before && (strcmp(before->postgres_dsn, now->postgres_dsn) != 0 ||
                   before->postgres_prepared_statements != now->postgres_prepared_statements))
        close_session(sources);
    if (before && strcmp(before->redis_url, now->redis_url) != 0) {
        close_redis(sources);
        sources->redis_rests_until_ms = 0;
    }
    snapshot_unref(old);
}

bool flag_sources_has_store(const struct flag_sources *sources)
{
    return settings_of(sources)->postgres_dsn[0] != '\0';
}

/* --- Postgres --- */

static int64_t shorter(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

struct session *flag_sources_session(struct flag_sources *sources, struct err *err)
{
    const struct settings *settings = settings_of(sources);
    if (sources->session)
        return sources->session;
    if (!flag_sources_has_store(sources)) {
        (void)err_set(err, ERR_UNAVAILABLE, "no Postgres is configured");
        return NULL;
    }
    struct session *session =
        session_open_within(settings->postgres_dsn, shorter(PATIENCE_MS, settings->postgres_connect_timeout_ms), err);
    if (!session)
        return NULL;
    session_set_patience(session, PATIENCE_MS);
    /* Behind a transaction pooler LISTEN would be anybody's. */
    const char *sql = settings->postgres_prepared_statements
                          ? "SET application_name = 'nof0 flags'; LISTEN " FLAG_CHANNEL
                          : "SET application_name = 'nof0 flags'";
    if (!session_exec(session, sql, err)) {
        session_close(session);
        return NULL;
    }
    sources->session = session;
    return session;
}

void flag_sources_tidy(struct flag_sources *sources)
{
    if (!sources->session)
        return;
    session_rollback(sources->session);
    PGconn *connection = session_connection(sources->session);
    if (PQstatus(connection) != CONNECTION_OK || PQtransactionStatus(connection) != PQTRANS_IDLE)
        close_session(sources);
}

bool flag_sources_load(struct flag_sources *sources, struct flag_store_rows *rows, struct err *err)
{
    if (!flag_sources_has_store(sources)) {
        *rows = (struct flag_store_rows){0};
        return true;
    }
    struct session *session = flag_sources_session(sources, err);
    if (session && flag_store_load(session, rows, NULL, err))
        return true;
    flag_sources_tidy(sources);
    return false;
}

/* --- Redis --- */

static bool open_redis(struct flag_sources *sources, struct cache_space *space, struct err *err)
{
    const struct settings *settings = settings_of(sources);
    if (!settings->redis_url[0])
        return err_set(err, ERR_NOT_FOUND, "no Redis is configured");
    if (!settings_cache_space(settings, space, err))
        return false;
    if (clock_mono_ms() < sources->redis_rests_until_ms)
        return err_set(err, ERR_UNAVAILABLE, "Redis failed a moment ago");
    if (!sources->redis)
        sources->redis =
            redis_blocking_connect(settings->redis_url, shorter(REDIS_PATIENCE_MS, settings->redis_connect_timeout_ms),
                                   shorter(REDIS_PATIENCE_MS, settings->redis_command_timeout_ms), err);
    if (!sources->redis)
        sources->redis_rests_until_ms = clock_mono_ms() + REDIS_REST_MS;
    return sources->redis != NULL;
}

static bool finish_redis(struct flag_sources *sources, bool good, const struct err *err)
{
    if (good || err->code == ERR_NOT_FOUND)
        return good;
    close_redis(sources);
    sources->redis_rests_until_ms = clock_mono_ms() + REDIS_REST_MS;
    return false;
}

bool flag_sources_read_mirror(struct flag_sources *sources, struct flag_store_rows *rows, struct err *err)
{
    struct cache_space space;
    return open_redis(sources, &space, err) &&
           finish_redis(sources, flag_mirror_read(sources->redis, &space, rows, err), err);
}

bool flag_sources_write_mirror(struct flag_sources *sources, const struct flag_store_rows *rows, struct err *err)
{
    struct cache_space space;
    return open_redis(sources, &space, err) &&
           finish_redis(sources, flag_mirror_write(sources->redis, &space, rows, err), err);
}

/* --- the file --- */

bool flag_sources_read_file(const struct flag_sources *sources, struct flag_store_rows *rows, struct err *err)
{
    const char *path = settings_of(sources)->flags_keep_file;
    return path[0] ? flag_file_read(path, rows, err) : err_set(err, ERR_NOT_FOUND, "flags.keep_file is empty");
}

bool flag_sources_write_file(const struct flag_sources *sources, const struct flag_store_rows *rows, struct err *err)
{
    const char *path = settings_of(sources)->flags_keep_file;
    return !path[0] || flag_file_write(path, rows, err);
}

/* --- waiting --- */

/* Takes what NOTIFY brought; false when there was nothing. A connection that is gone counts as news. */
static bool heard(struct session *session)
{
    PGconn *connection = session_connection(session);
    bool any = false;
    PGnotify *notify;
    if (!PQconsumeInput(connection))
        return true;
    while ((notify = PQnotifies(connection)) != NULL) {
        any = true;
        PQfreemem(notify);
    }
    return any;
}

void flag_sources_wait(struct flag_sources *sources, int wake_fd, int64_t ms)
{
    struct pollfd fds[] = {{.fd = wake_fd, .events = POLLIN}, {.fd = -1, .events = POLLIN}};
    if (sources->session) {
        if (heard(sources->session))
            return;
        fds[1].fd = PQsocket(session_connection(sources->session));
    }
    (void)poll(fds, sizeof fds / sizeof *fds, (int)ms);
    uint64_t count = 0;
    while (read(wake_fd, &count, sizeof count) < 0 && errno == EINTR) {
    }
    if (sources->session)
        (void)heard(sources->session);
}
