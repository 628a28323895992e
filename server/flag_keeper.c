#include "server/flag_keeper.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/flag_sources.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    LOOK_MS = 500,       /* without a word from Postgres */
    PAUSE_LEAST_MS = 50, /* after a failure of Postgres; doubles */
    PAUSE_MOST_MS = 1000,
    PAUSE_SILENT_MS = 5000, /* where it does not even refuse: each try holds up the look into the mirror */
    MIRROR_MS = 10000,      /* after which the mirror is written again, should Redis have lost it */
    REASON_SIZE = 1001,
};

/* An endpoint that this process took back to its files. */
struct fallback {
    bool on;
    bool stored;     /* the store has it; it holds here until it comes back from there */
    int64_t version; /* of the flag, as it was known then */
    char reason[REASON_SIZE];
};

enum rows_from { FROM_NOWHERE, FROM_POSTGRES, FROM_REDIS, FROM_FILE };

struct flag_keeper {
    void (*on_set)(void *arg, struct snapshot *snapshot, struct flag_set *set);
    void *arg;
    struct flag_overrides overrides;
    int wake_fd;
    bool started;
    pthread_t thread;
    atomic_bool stopping;
    atomic_bool store_up;
    atomic_uint_least64_t sets; /* that were handed on */

    pthread_mutex_t lock; /* of what follows, up to the errands */
    struct snapshot *snapshot;
    struct flag_value defaults[FLAG_COUNT];
    struct flag_store_rows rows;
    struct fallback fallbacks[FLAG_COUNT];
    struct flag_set *set;
    struct flag_errand *first_errand;
    struct flag_errand **last_errand;

    /* The thread's own. */
    struct flag_sources *sources;
    int64_t next_try_ms; /* of Postgres */
    int64_t pause_ms;    /* 0: all is well */
    int64_t mirrored_ms; /* when the mirror was written; 0: it is to be */
    struct flag_store_rows mirrored;
    struct flag_store_rows filed;
    bool file_failed;
};

static void wake(struct flag_keeper *keeper)
{
    uint64_t one = 1;
    while (write(keeper->wake_fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
}

static bool rows_same(const struct flag_store_rows *a, const struct flag_store_rows *b)
{
    bool same = a->version == b->version;
    for (unsigned i = 0; same && i < FLAG_COUNT; i++)
        same = a->flags[i].set == b->flags[i].set && a->flags[i].version == b->flags[i].version &&
               (!a->flags[i].set || flag_value_equal(a->flags[i].value, b->flags[i].value));
    return same;
}

/* --- the set; with the lock held --- */

static void log_states(const struct flag_set *old, const struct flag_set *new)
{
    for (unsigned i = 0; i < FLAG_COUNT; i++) {
        const struct flag_state *a = &old->states[i];
        const struct flag_state *b = &new->states[i];
        if (flag_value_equal(a->value, b->value) && a->source == b->source)
            continue;
        struct buf from = BUF_INIT;
        struct buf to = BUF_INIT;
        flag_value_put(&from, (enum flag)i, a->value);
        flag_value_put(&to, (enum flag)i, b->value);
        log_event(LOG_INFO, "flags.changed",
                  LOG_FIELDS(log_str("flag", flag_name((enum flag)i)), log_slice("from", buf_slice(&from)),
                             log_slice("to", buf_slice(&to)), log_str("source", flag_source_name(b->source)),
                             log_int("version", b->version)));
        buf_free(&from);
        buf_free(&to);
    }
}

static void resolve(const struct flag_keeper *keeper, struct flag_set *set)
{
    flag_resolve(keeper->defaults, &keeper->rows, &keeper->overrides, set);
    for (unsigned i = 0; i < FLAG_COUNT; i++) {
        if (!keeper->fallbacks[i].on || set->states[i].source == FLAG_FROM_ENVIRONMENT)
            continue;
        set->states[i].value = (struct flag_value){.mode = FLAG_LEGACY};
        set->states[i].source = FLAG_FROM_FALLBACK;
    }
}

static void publish(struct flag_keeper *keeper, bool always)
{
    struct flag_set fresh = {0};
    resolve(keeper, &fresh);
    if (!flag_set_equal(keeper->set, &fresh)) {
        log_states(keeper->set, &fresh);
        flag_set_unref(keeper->set);
        keeper->set = flag_set_new(&fresh);
    } else if (!always) {
        return;
    }
    (void)atomic_fetch_add_explicit(&keeper->sets, 1, memory_order_relaxed);
    keeper->on_set(keeper->arg, keeper->snapshot, keeper->set);
}

static void end_fallback(struct flag_keeper *keeper, enum flag flag)
{
    struct fallback *fallback = &keeper->fallbacks[flag];
    if (!fallback->on)
        return;
    fallback->on = false;
    log_event(LOG_INFO, fallback->stored ? "flags.fallback_stored" : "flags.fallback_overruled",
              LOG_FIELDS(log_str("flag", flag_name(flag))));
}

/* Goes over to what a source says. What the mirror has may be older than what Postgres said before it went away. */
static void take_rows(struct flag_keeper *keeper, const struct flag_store_rows *rows, enum rows_from from)
{
    if (from == FROM_REDIS && rows->version < keeper->rows.version)
        return;
    if (from == FROM_POSTGRES && rows->version < keeper->rows.version)
        log_event(LOG_WARN, "flags.version_fell",
                  LOG_FIELDS(log_int("from", keeper->rows.version), log_int("to", rows->version)));
    keeper->rows = *rows;
    for (unsigned i = 0; i < FLAG_COUNT; i++)
        if (keeper->fallbacks[i].on && keeper->fallbacks[i].version != rows->flags[i].version)
            end_fallback(keeper, (enum flag)i);
}

/* --- the thread: what it finds --- */

static void note_store(struct flag_keeper *keeper, bool up, const struct err *why)
{
    bool was_up = atomic_exchange(&keeper->store_up, up);
    if (up && keeper->pause_ms)
        log_event(LOG_INFO, "flags.store_back", NULL);
    if (!up && !keeper->pause_ms)
        log_event(LOG_WARN, "flags.store_away", LOG_FIELDS(log_bool("was_up", was_up), log_error_text(why)));
    if (up) {
        keeper->pause_ms = 0;
        keeper->next_try_ms = 0;
        return;
    }
    int64_t pause = keeper->pause_ms ? keeper->pause_ms * 2 : PAUSE_LEAST_MS;
    keeper->pause_ms = pause < PAUSE_MOST_MS ? pause : PAUSE_MOST_MS;
    keeper->next_try_ms = clock_mono_ms() + (why->code == ERR_TIMEOUT ? PAUSE_SILENT_MS : keeper->pause_ms);
}

/* One look at what there is, the file left out. False when nothing answered. */
static bool find(struct flag_keeper *keeper, struct flag_store_rows *rows, enum rows_from *from)
{
    struct err err = ERR_INIT;
    if (!flag_sources_has_store(keeper->sources)) {
        *rows = (struct flag_store_rows){0};
        *from = FROM_NOWHERE;
        return true;
    }
    if (clock_mono_ms() >= keeper->next_try_ms) {
        bool up = flag_sources_load(keeper->sources, rows, &err);
        note_store(keeper, up, &err);
        *from = FROM_POSTGRES;
        if (up)
            return true;
    }
    *from = FROM_REDIS;
    return flag_sources_read_mirror(keeper->sources, rows, &err);
}

/* Keeps the mirror and the file as the process knows the flags. Neither failing matters to who is served. */
static void write_down(struct flag_keeper *keeper)
{
    struct err err = ERR_INIT;
    if (!flag_sources_has_store(keeper->sources))
        return;
    (void)pthread_mutex_lock(&keeper->lock);
    struct flag_store_rows rows = keeper->rows;
    (void)pthread_mutex_unlock(&keeper->lock);
    int64_t now_ms = clock_mono_ms();
    if (atomic_load(&keeper->store_up) &&
        (!rows_same(&rows, &keeper->mirrored) || now_ms - keeper->mirrored_ms >= MIRROR_MS) &&
        flag_sources_write_mirror(keeper->sources, &rows, &err)) {
        keeper->mirrored = rows;
        keeper->mirrored_ms = now_ms;
    }
    if (rows_same(&rows, &keeper->filed))
        return;
    bool good = flag_sources_write_file(keeper->sources, &rows, &err);
    if (good)
        keeper->filed = rows;
    else if (!keeper->file_failed)
        log_event(LOG_WARN, "flags.not_kept", LOG_FIELDS(log_error_text(&err)));
    keeper->file_failed = !good;
}

/* --- the thread: what it brings to the store --- */

static struct slice actor_name(char out[static 128])
{
    char host[64] = "";
    (void)gethostname(host, sizeof host - 1);
    (void)snprintf(out, 128, "nof0d@%s", host);
    return slice_of(out);
}

/* True when the store's rows have changed. */
static bool store_fallback(struct flag_keeper *keeper, enum flag flag, const struct fallback *fallback)
{
    char actor[128];
    int64_t version = 0;
    struct err err = ERR_INIT;
    const struct flag_change change = {.flag = flag,
                                       .set = true,
                                       .value = {.mode = FLAG_LEGACY},
                                       .origin = FLAG_BY_SYSTEM,
                                       .actor = actor_name(actor),
                                       .reason = slice_of(fallback->reason),
                                       .expected = fallback->version};
    struct session *session = flag_sources_session(keeper->sources, &err);
    bool good = session && flag_store_change(session, &change, &version, &err);
    if (!good && err.code != ERR_CONFLICT) { /* of a conflict the next look shows the other value */
        log_event(LOG_WARN, "flags.fallback_not_stored",
                  LOG_FIELDS(log_str("flag", flag_name(flag)), log_error_text(&err)));
        flag_sources_tidy(keeper->sources);
        return false;
    }
    (void)pthread_mutex_lock(&keeper->lock);
    keeper->fallbacks[flag].stored = good;
    if (good && version == fallback->version)
        end_fallback(keeper, flag);
    (void)pthread_mutex_unlock(&keeper->lock);
    return true;
}

/* Fallbacks of which the store does not know yet. */
static bool store_fallbacks(struct flag_keeper *keeper)
{
    bool any = false;
    for (unsigned i = 0; i < FLAG_COUNT; i++) {
        (void)pthread_mutex_lock(&keeper->lock);
        struct fallback fallback = keeper->fallbacks[i];
        (void)pthread_mutex_unlock(&keeper->lock);
        if (fallback.on && !fallback.stored)
            any = store_fallback(keeper, (enum flag)i, &fallback) || any;
    }
    return any;
}

static struct flag_errand *take_errands(struct flag_keeper *keeper)
{
    (void)pthread_mutex_lock(&keeper->lock);
    struct flag_errand *first = keeper->first_errand;
    keeper->first_errand = NULL;
    keeper->last_errand = &keeper->first_errand;
    (void)pthread_mutex_unlock(&keeper->lock);
    return first;
}

static void run_errand(struct flag_keeper *keeper, struct flag_errand *errand)
{
    struct session *session = flag_sources_session(keeper->sources, &errand->err);
    if (session && !errand->run(errand->arg, session, &errand->err))
        flag_sources_tidy(keeper->sources);
}

static void look(struct flag_keeper *keeper)
{
    struct flag_store_rows rows = {0};
    enum rows_from from = FROM_NOWHERE;
    if (!find(keeper, &rows, &from))
        return;
    (void)pthread_mutex_lock(&keeper->lock);
    take_rows(keeper, &rows, from);
    publish(keeper, false);
    (void)pthread_mutex_unlock(&keeper->lock);
}

/* Those of one moment, then one look for all that change something. */
static void run_errands(struct flag_keeper *keeper)
{
    struct flag_errand *first = take_errands(keeper);
    bool changed = false;
    for (struct flag_errand *errand = first; errand; errand = errand->next) {
        run_errand(keeper, errand);
        changed = changed || errand->changes;
    }
    if (changed)
        look(keeper);
    while (first) {
        struct flag_errand *errand = first; /* its owner's again once it is posted */
        first = errand->next;
        mailbox_post(errand->mailbox, errand->done, errand->arg);
    }
}

static void go_by_snapshot(struct flag_keeper *keeper)
{
    (void)pthread_mutex_lock(&keeper->lock);
    struct snapshot *snapshot = snapshot_ref(keeper->snapshot);
    (void)pthread_mutex_unlock(&keeper->lock);
    flag_sources_go_by(keeper->sources, snapshot);
    snapshot_unref(snapshot);
}

static int64_t rest_ms(const struct flag_keeper *keeper)
{
    int64_t left = keeper->next_try_ms - clock_mono_ms();
    if (!flag_sources_has_store(keeper->sources))
        return -1;
    return left > 0 && left < LOOK_MS ? left : LOOK_MS;
}

static void *run(void *arg)
{
    struct flag_keeper *keeper = arg;
    while (!atomic_load(&keeper->stopping)) {
        go_by_snapshot(keeper);
        run_errands(keeper);
        look(keeper);
        if (atomic_load(&keeper->store_up) && store_fallbacks(keeper))
            look(keeper);
        write_down(keeper);
        flag_sources_wait(keeper->sources, keeper->wake_fd, rest_ms(keeper));
    }
    return NULL;
}

/* --- its life --- */

/* What the file says is known as well as if the store had said it, until the store says something else. */
static void find_first(struct flag_keeper *keeper)
{
    static const char *const names[] = {
        [FROM_NOWHERE] = "config", [FROM_POSTGRES] = "postgres", [FROM_REDIS] = "redis", [FROM_FILE] = "file"};
    struct err err = ERR_INIT;
    struct flag_store_rows rows = {0};
    enum rows_from from = FROM_NOWHERE;
    if (!find(keeper, &rows, &from)) {
        from = FROM_FILE;
        if (!flag_sources_read_file(keeper->sources, &rows, &err)) {
            log_event(LOG_WARN, "flags.unknown",
                      LOG_FIELDS(log_str("why", "neither Postgres nor Redis nor a file has flags; the configuration's "
                                                "values hold"),
                                 log_error_text(&err)));
            from = FROM_NOWHERE;
            rows = (struct flag_store_rows){0};
        }
    }
    take_rows(keeper, &rows, from);
    struct flag_set set = {0};
    resolve(keeper, &set);
    keeper->set = flag_set_new(&set);
    if (from == FROM_FILE)
        keeper->filed = rows;
    log_event(LOG_INFO, "flags.ready", LOG_FIELDS(log_str("from", names[from]), log_int("version", rows.version)));
}

struct flag_keeper *flag_keeper_new(const struct flag_keeper_config *config, struct err *err)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0) {
        (void)err_set_errno(err, errno, "cannot make an event descriptor");
        return NULL;
    }
    struct flag_keeper *keeper = mem_zalloc(sizeof *keeper);
    keeper->wake_fd = fd;
    keeper->on_set = config->on_set;
    keeper->arg = config->arg;
    keeper->overrides = *config->overrides;
    keeper->snapshot = snapshot_ref(config->snapshot);
    keeper->last_errand = &keeper->first_errand;
    (void)pthread_mutex_init(&keeper->lock, NULL);
    settings_flags(snapshot_settings(keeper->snapshot), keeper->defaults);
    keeper->sources = flag_sources_new();
    flag_sources_go_by(keeper->sources, keeper->snapshot);
    find_first(keeper);
    return keeper;
}

bool flag_keeper_start(struct flag_keeper *keeper, struct err *err)
{
    int failed = pthread_create(&keeper->thread, NULL, run, keeper);
    if (failed)
        return err_set_errno(err, failed, "cannot start a thread");
    keeper->started = true;
    return true;
}

void flag_keeper_stop(struct flag_keeper *keeper)
{
    if (!keeper)
        return;
    atomic_store(&keeper->stopping, true);
    wake(keeper);
    if (keeper->started)
        (void)pthread_join(keeper->thread, NULL);
    struct flag_errand *errand = take_errands(keeper);
    while (errand) {
        struct flag_errand *next = errand->next;
        (void)err_set(&errand->err, ERR_UNAVAILABLE, "the server is ending");
        mailbox_post(errand->mailbox, errand->done, errand->arg);
        errand = next;
    }
    flag_sources_free(keeper->sources);
    flag_set_unref(keeper->set);
    snapshot_unref(keeper->snapshot);
    (void)pthread_mutex_destroy(&keeper->lock);
    (void)close(keeper->wake_fd);
    free(keeper);
}

/* --- from any thread --- */

struct flag_set *flag_keeper_set(struct flag_keeper *keeper)
{
    (void)pthread_mutex_lock(&keeper->lock);
    struct flag_set *set = flag_set_ref(keeper->set);
    (void)pthread_mutex_unlock(&keeper->lock);
    return set;
}

void flag_keeper_view(struct flag_keeper *keeper, struct flag_view *view)
{
    (void)pthread_mutex_lock(&keeper->lock);
    view->set = *keeper->set;
    view->rows = keeper->rows;
    memcpy(view->defaults, keeper->defaults, sizeof view->defaults);
    (void)pthread_mutex_unlock(&keeper->lock);
    view->overrides = keeper->overrides;
}

void flag_keeper_reload(struct flag_keeper *keeper, struct snapshot *snapshot)
{
    struct flag_value defaults[FLAG_COUNT];
    settings_flags(snapshot_settings(snapshot), defaults);
    (void)pthread_mutex_lock(&keeper->lock);
    struct snapshot *old = keeper->snapshot;
    keeper->snapshot = snapshot_ref(snapshot);
    for (unsigned i = 0; i < FLAG_COUNT; i++)
        if (!flag_value_equal(keeper->defaults[i], defaults[i]))
            end_fallback(keeper, (enum flag)i);
    memcpy(keeper->defaults, defaults, sizeof defaults);
    publish(keeper, true);
    (void)pthread_mutex_unlock(&keeper->lock);
    snapshot_unref(old);
    wake(keeper);
}

bool flag_keeper_fall_back(struct flag_keeper *keeper, enum flag flag, const char *reason)
{
    (void)pthread_mutex_lock(&keeper->lock);
    const struct flag_state *state = &keeper->set->states[flag];
    bool rows_answer = state->value.mode == FLAG_CANARY || state->value.mode == FLAG_REPO;
    bool does = flag_kind(flag) == FLAG_KIND_READ && rows_answer && state->source != FLAG_FROM_ENVIRONMENT;
    if (does) {
        struct fallback *fallback = &keeper->fallbacks[flag];
        fallback->on = true;
        fallback->stored = false;
        fallback->version = keeper->rows.flags[flag].version;
        (void)snprintf(fallback->reason, sizeof fallback->reason, "%s", reason);
        log_event(LOG_WARN, "flags.fell_back", LOG_FIELDS(log_str("flag", flag_name(flag)), log_str("why", reason)));
        publish(keeper, false);
    }
    (void)pthread_mutex_unlock(&keeper->lock);
    if (does)
        wake(keeper);
    return does;
}

void flag_keeper_run(struct flag_keeper *keeper, struct flag_errand *errand)
{
    errand->err = (struct err)ERR_INIT;
    errand->next = NULL;
    (void)pthread_mutex_lock(&keeper->lock);
    *keeper->last_errand = errand;
    keeper->last_errand = &errand->next;
    (void)pthread_mutex_unlock(&keeper->lock);
    wake(keeper);
}

void flag_keeper_print(struct flag_keeper *keeper, const struct flag_set *set, struct buf *out)
{
    buf_append_str(out, "# HELP nof0_flag_info What each flag is set to, and by what.\n# TYPE nof0_flag_info gauge\n");
    for (unsigned i = 0; i < FLAG_COUNT; i++) {
        buf_printf(out, "nof0_flag_info{flag=\"%s\",value=\"", flag_name((enum flag)i));
        flag_value_put(out, (enum flag)i, set->states[i].value);
        buf_printf(out, "\",source=\"%s\"} 1\n", flag_source_name(set->states[i].source));
    }
    buf_printf(out,
               "# HELP nof0_flags_version Id of the last change that is in force here.\n"
               "# TYPE nof0_flags_version gauge\nnof0_flags_version %" PRId64 "\n"
               "# HELP nof0_flags_store_up 1 while flags are read from Postgres.\n"
               "# TYPE nof0_flags_store_up gauge\nnof0_flags_store_up %d\n"
               "# HELP nof0_flags_sets_total Sets of flags that were put in force here.\n"
               "# TYPE nof0_flags_sets_total counter\nnof0_flags_sets_total %" PRIu64 "\n",
               set->version, atomic_load(&keeper->store_up),
               (uint64_t)atomic_load_explicit(&keeper->sets, memory_order_relaxed));
}
