#include "cli/flags_watch.h"

#include "cli/cli.h"
#include "cli/flags_arguments.h"
#include "cli/flags_render.h"

#include <inttypes.h>
#include <poll.h>

enum {
    PATIENCE_MS = 2000, /* for each answer */
    LOOK_MS = 1000,     /* without a word from Postgres */
    PAUSE_MS = 200,     /* between tries to reach it */
};

struct watch {
    const struct flags_watch_options *options;
    struct session *session; /* NULL: not connected */
    int64_t last;            /* id of what was printed, or lies before */
    bool known;              /* last is */
    bool away;               /* which was said */
    bool broken;             /* options->out takes no more */
};

static bool print(void *arg, const struct flag_logged *logged)
{
    struct watch *watch = arg;
    struct buf line = BUF_INIT;
    flags_put_change(&line, logged, watch->options->json);
    size_t written = fwrite(line.data, 1, line.len, watch->options->out);
    watch->broken = written != line.len || fflush(watch->options->out) != 0;
    buf_free(&line);
    watch->last = logged->id;
    return !watch->broken;
}

static bool skip(void *arg, const struct flag_logged *logged)
{
    (void)arg;
    (void)logged;
    return false;
}

/* Listens before it looks: what is changed after the look is told. */
static bool connect_to(struct watch *watch, struct err *err)
{
    const struct settings *settings = watch->options->settings;
    if (watch->session)
        return true;
    watch->session = session_open_within(settings->postgres_dsn, PATIENCE_MS, err);
    if (!watch->session)
        return false;
    /* Behind a transaction pooler LISTEN would be anybody's. */
    return !settings->postgres_prepared_statements || session_exec(watch->session, "LISTEN " FLAG_CHANNEL, err);
}

static bool look(struct watch *watch, struct err *err)
{
    int64_t newest = 0;
    if (!connect_to(watch, err))
        return false;
    if (!watch->known) {
        if (!flag_store_follow(watch->session, INT64_MAX, skip, NULL, &watch->last, err))
            return false;
        watch->known = true;
    }
    if (!flag_store_follow(watch->session, watch->last, print, watch, &newest, err))
        return false;
    if (newest < watch->last && !watch->broken) {
        (void)cli_fail("flags", "the log ends before change %" PRId64 ": another database; going on after %" PRId64,
                       watch->last, newest);
        watch->last = newest;
    }
    return true;
}

/* Postgres' state when it is another one than before. */
static void note(struct watch *watch, bool there, const struct err *err)
{
    if (there && watch->away)
        (void)cli_fail("flags", "Postgres is back");
    if (!there && !watch->away)
        (void)cli_fail("flags", "waiting for Postgres: %s", err->text);
    watch->away = !there;
    if (!there) {
        session_close(watch->session);
        watch->session = NULL;
    }
}

static void drain_notifications(PGconn *connection)
{
    PGnotify *notify;
    (void)PQconsumeInput(connection); /* a failure shows at the next look */
    while ((notify = PQnotifies(connection)) != NULL)
        PQfreemem(notify);
}

/* Until a change is told or the time is over; false when the watch shall end. */
static bool wait(struct watch *watch)
{
    struct pollfd fds[] = {{.fd = watch->options->stop_fd, .events = POLLIN}, {.fd = -1, .events = POLLIN}};
    if (watch->session)
        fds[1].fd = PQsocket(session_connection(watch->session));
    (void)poll(fds, sizeof fds / sizeof *fds, watch->session ? LOOK_MS : PAUSE_MS);
    if (watch->session)
        drain_notifications(session_connection(watch->session));
    return !fds[0].revents;
}

int flags_watch(const struct flags_watch_options *options)
{
    struct watch watch = {.options = options, .last = options->after, .known = options->after != FLAGS_AFTER_NOW};
    int code = CLI_OK;
    for (bool first = true; code == CLI_OK; first = false) {
        struct err err = ERR_INIT;
        bool good = look(&watch, &err);
        if (watch.broken || (first && !good))
            code = watch.broken ? CLI_FAILED : cli_fail("flags", "Postgres: %s", err.text);
        else
            note(&watch, good, &err);
        if (code == CLI_OK && !wait(&watch))
            break;
    }
    session_close(watch.session);
    return code;
}
