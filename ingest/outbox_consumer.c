#include "ingest/outbox_consumer.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cache/redis_blocking.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
    ROWS_AT_ONCE = 256,
    ATTEMPTS = 5,          /* for a row, until it is a dead letter */
    PATIENCE_MS = 15000,   /* for each answer of Postgres */
    REDIS_LEAST_MS = 5000, /* for each answer of Redis: nobody waits for this thread */
    LOOK_MS = 1000,        /* without a word from Postgres */
    PAUSE_LEAST_MS = 50,
    PAUSE_MOST_MS = 1000,
    GIVE_UP_MS = 30000, /* of trouble: another instance may be better off */
    STAND_BACK_MS = 3000,
};

struct outbox_consumer {
    struct outbox_start start;
    const char *name;
    const struct outbox_work *work;
    void *state;
    pthread_t thread;
    int wake_fd;
    atomic_bool stopping;
    atomic_bool ended;
    bool reached;

    struct outbox_hands hands;
    bool leads;
    bool begun;
    int64_t taken;      /* rows up to here were given to the work */
    int64_t stored;     /* position as the table has it; -1: must be written */
    int64_t one_by_one; /* rows up to here are taken alone */
    int64_t suspect;    /* the last row that was read */
    unsigned attempts;  /* that failed, at the row behind the position */
    unsigned pause_ms;  /* 0: all is well */
    int64_t trouble_ms; /* since when; of this leadership */
    int64_t looked_ms;  /* when numbers were taken */
    int64_t idled_ms;   /* when idle was called */
    unsigned seed;
    struct err trouble;
};

static const struct outbox_work *work_of(enum outbox_reader reader)
{
    switch (reader) {
    case OUTBOX_LIVE:
        return &outbox_work_live;
    case OUTBOX_VIEWS:
        return &outbox_work_views;
    case OUTBOX_LEGACY:
        return &outbox_work_legacy;
    default:
        return &outbox_work_redis;
    }
}

bool outbox_reader_wanted(const struct outbox_options *options, enum outbox_reader reader)
{
    if (reader == OUTBOX_VIEWS)
        return true;
    return reader == OUTBOX_LEGACY ? options->dual_write && options->legacy_dir[0] : options->redis_url[0] != '\0';
}

bool outbox_connect_redis(struct outbox_hands *hands, struct err *err)
{
    const struct outbox_options *options = hands->options;
    int64_t patience_ms = options->redis_command_timeout_ms;
    if (!hands->link)
        hands->link = redis_blocking_connect(options->redis_url, options->redis_connect_timeout_ms,
                                             patience_ms < REDIS_LEAST_MS ? REDIS_LEAST_MS : patience_ms, err);
    return hands->link != NULL;
}

static void end_leadership(struct outbox_consumer *consumer)
{
    if (!consumer->leads)
        return;
    consumer->leads = consumer->begun = false;
    (void)atomic_fetch_sub(&consumer->start.numbers->leading, 1);
    log_event(LOG_INFO, "outbox.follows", LOG_FIELDS(log_str("consumer", consumer->name)));
}

static void close_redis(struct outbox_consumer *consumer)
{
    if (consumer->hands.link)
        redisFree(consumer->hands.link);
    consumer->hands.link = NULL;
    if (consumer->work->on_redis)
        consumer->begun = false;
}

static void close_session(struct outbox_consumer *consumer)
{
    session_close(consumer->hands.session);
    consumer->hands.session = NULL;
    end_leadership(consumer);
}

/* What was noted is forgotten: everything behind the position will be taken again. */
static void go_back(struct outbox_consumer *consumer)
{
    if (consumer->work->forget)
        consumer->work->forget(consumer->state);
    consumer->taken = consumer->hands.position;
}

static bool open_session(struct outbox_consumer *consumer, struct err *err)
{
    if (consumer->hands.session)
        return true;
    struct session *session = session_open(consumer->start.options->postgres_dsn, err);
    if (!session)
        return err_wrap(err, "Postgres");
    session_set_patience(session, PATIENCE_MS);
    consumer->hands.session = session;
    /* A position that a crash of Postgres loses costs nothing but applying its rows again. */
    struct buf sql = BUF_INIT;
    buf_printf(&sql, "SET application_name = 'nof0 outbox %s'; SET synchronous_commit = off", consumer->name);
    bool good = session_exec(session, buf_cstr(&sql), err);
    buf_free(&sql);
    return good;
}

static bool try_lead(struct outbox_consumer *consumer, struct err *err)
{
    struct outbox_hands *hands = &consumer->hands;
    bool got = false;
    if (!outbox_try_lead(hands->session, consumer->start.reader, &got, err))
        return false;
    if (!got)
        return true;
    /* Listening comes before the first look, so that no row is missed. */
    if (!session_exec(hands->session, "LISTEN " OUTBOX_CHANNEL, err) ||
        !outbox_position(hands->session, consumer->start.reader, &hands->position, &hands->pruned, err))
        return false;
    consumer->leads = true;
    consumer->one_by_one = 0;
    consumer->attempts = 0;
    consumer->stored = -1;
    go_back(consumer);
    (void)atomic_fetch_add(&consumer->start.numbers->leading, 1);
    log_event(LOG_INFO, "outbox.leads",
              LOG_FIELDS(log_str("consumer", consumer->name), log_int("position", hands->position)));
    return true;
}

/* Rows that were deleted unseen are made up for by what begin does. */
static bool begin(struct outbox_consumer *consumer, struct err *err)
{
    struct outbox_hands *hands = &consumer->hands;
    if (consumer->work->begin && !consumer->work->begin(consumer->state, hands, err))
        return false;
    if (hands->position < hands->pruned)
        log_event(LOG_WARN, "outbox.rows_missed",
                  LOG_FIELDS(log_str("consumer", consumer->name), log_int("position", hands->position),
                             log_int("pruned", hands->pruned)));
    if (consumer->taken < hands->pruned)
        consumer->taken = hands->pruned;
    consumer->begun = true;
    return true;
}

static int64_t due_ms(const struct outbox_consumer *consumer)
{
    return consumer->work->due_ms ? consumer->work->due_ms(consumer->state) : -1;
}

/* Does what was noted when its time has come, or at once, and advances when nothing is left. */
static bool settle(struct outbox_consumer *consumer, bool at_once, struct err *err)
{
    struct outbox_hands *hands = &consumer->hands;
    int64_t due = due_ms(consumer);
    if (due >= 0 && (at_once || clock_mono_ms() >= due)) {
        if (!consumer->work->settle(consumer->state, hands, err))
            return false;
        due = due_ms(consumer);
    }
    if (due >= 0 || consumer->taken == consumer->stored)
        return true;
    if (!outbox_advance(hands->session, consumer->start.reader, consumer->taken, err))
        return false;
    hands->position = consumer->stored = consumer->taken;
    consumer->attempts = 0;
    return true;
}

static const char *fault_in(const struct outbox_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        if (batch->rows[i].fault && !batch->rows[i].is_others)
            return batch->rows[i].fault;
    return NULL;
}

static bool take(struct outbox_consumer *consumer, const struct outbox_batch *batch, struct err *err)
{
    uint64_t own = 0;
    for (size_t i = 0; i < batch->count; i++)
        own += !batch->rows[i].is_others;
    if (fault_in(batch))
        return err_set(err, ERR_INVALID, "a row of the outbox: %s", fault_in(batch));
    if (own && !consumer->work->apply(consumer->state, &consumer->hands, batch, err))
        return false;
    consumer->taken = outbox_batch_last(batch);
    (void)atomic_fetch_add_explicit(&consumer->start.numbers->applied, own, memory_order_relaxed);
    return true;
}

static bool is_reached(const struct outbox_consumer *consumer, int64_t position)
{
    return consumer->start.until >= 0 && position >= consumer->start.until;
}

/* One look at the outbox. *more: look again at once. */
static bool look(struct outbox_consumer *consumer, bool *more, struct err *err)
{
    struct outbox_batch batch = {0};
    bool alone = consumer->taken < consumer->one_by_one;
    bool good = outbox_batch_read(&batch, consumer->hands.session, consumer->taken, consumer->name,
                                  alone ? 1 : ROWS_AT_ONCE, err);
    if (good && batch.count) {
        consumer->suspect = outbox_batch_last(&batch);
        good = take(consumer, &batch, err);
    }
    *more = batch.more;
    good = good && settle(consumer, alone || (consumer->start.until >= 0 && !batch.more), err);
    outbox_batch_free(&batch);
    return good;
}

/* One turn of the loop. *more: the next shall follow at once. */
static bool turn(struct outbox_consumer *consumer, bool *more, struct err *err)
{
    struct outbox_hands *hands = &consumer->hands;
    *more = false;
    consumer->suspect = 0;
    if (!open_session(consumer, err))
        return false;
    if (!consumer->leads && consumer->start.until >= 0) {
        int64_t position = 0;
        int64_t pruned = 0;
        if (!outbox_position(hands->session, consumer->start.reader, &position, &pruned, err))
            return false;
        consumer->reached = is_reached(consumer, position);
        if (consumer->reached)
            return true;
    }
    if (!consumer->leads && !try_lead(consumer, err))
        return false;
    if (!consumer->leads)
        return true;
    if (consumer->work->on_redis && !outbox_connect_redis(hands, err))
        return false;
    if (!consumer->begun && !begin(consumer, err))
        return false;
    if (!look(consumer, more, err))
        return false;
    consumer->suspect = 0;
    consumer->reached = is_reached(consumer, hands->position) && consumer->stored >= 0;
    int64_t now_ms = clock_mono_ms();
    if (consumer->work->idle && now_ms - consumer->idled_ms >= LOOK_MS) {
        consumer->idled_ms = now_ms;
        return consumer->work->idle(consumer->state, hands, err);
    }
    return true;
}

/* --- Failures --- */

bool outbox_is_of_content(const struct err *err)
{
    return err->code == ERR_INTERNAL || err->code == ERR_INVALID || err->code == ERR_LIMIT;
}

/* After a failure the session goes on only when it is at rest; what of Redis' answers was not read is not known. */
static void tidy(struct outbox_consumer *consumer)
{
    struct session *session = consumer->hands.session;
    close_redis(consumer);
    if (!session)
        return;
    session_rollback(session);
    PGconn *connection = session_connection(session);
    if (PQstatus(connection) != CONNECTION_OK || PQtransactionStatus(connection) != PQTRANS_IDLE)
        close_session(consumer);
}

/* Passes the row behind the position, which failed often enough. */
static bool bury(struct outbox_consumer *consumer, const struct err *why, struct err *err)
{
    struct outbox_hands *hands = &consumer->hands;
    struct outbox_batch batch;
    bool good = outbox_batch_read(&batch, hands->session, hands->position, consumer->name, 1, err);
    if (good && batch.count) {
        const struct outbox_change *change = &batch.rows[0];
        good = outbox_bury(hands->session, consumer->start.reader, change, consumer->attempts, why->text, err);
        if (good) {
            log_event(LOG_ERROR, "outbox.dead_letter",
                      LOG_FIELDS(log_str("consumer", consumer->name), log_int("id", change->id),
                                 log_slice("feed", change->feed_name), log_error_text(why)));
            hands->position = consumer->taken = consumer->stored = change->id;
        }
    }
    if (good)
        consumer->attempts = consumer->pause_ms = 0;
    outbox_batch_free(&batch);
    return good;
}

/* True when the next attempt need not wait. */
static bool blame_rows(struct outbox_consumer *consumer, const struct err *why)
{
    int64_t suspect = consumer->suspect > consumer->taken ? consumer->suspect : consumer->taken;
    bool was_alone = consumer->hands.position < consumer->one_by_one;
    go_back(consumer);
    if (!outbox_is_of_content(why) || suspect <= consumer->hands.position)
        return false;
    if (!was_alone) {
        consumer->one_by_one = suspect;
        consumer->attempts = 0;
        return true;
    }
    if (++consumer->attempts < ATTEMPTS || !consumer->leads)
        return false;
    struct err err = ERR_INIT;
    return bury(consumer, why, &err);
}

static void note_failure(struct outbox_consumer *consumer, const struct err *why)
{
    struct err ignored = ERR_INIT; /* Postgres is what failed, then */
    (void)atomic_fetch_add_explicit(&consumer->start.numbers->failures, 1, memory_order_relaxed);
    if (consumer->leads && !outbox_note_failure(consumer->hands.session, consumer->start.reader, why->text, &ignored))
        close_session(consumer);
    if (!consumer->pause_ms)
        log_event(LOG_WARN, "outbox.trouble", LOG_FIELDS(log_str("consumer", consumer->name), log_error_text(why)));
    consumer->trouble = *why;
}

/* What to wait before the next attempt. */
static int64_t fail(struct outbox_consumer *consumer, const struct err *why)
{
    tidy(consumer);
    if (consumer->leads && blame_rows(consumer, why))
        return 0;
    note_failure(consumer, why);
    if (!consumer->pause_ms)
        consumer->trouble_ms = clock_mono_ms();
    if (consumer->leads && clock_mono_ms() - consumer->trouble_ms >= GIVE_UP_MS) {
        close_session(consumer);
        consumer->trouble_ms = clock_mono_ms();
        return STAND_BACK_MS;
    }
    unsigned pause = consumer->pause_ms ? consumer->pause_ms * 2 : PAUSE_LEAST_MS;
    consumer->pause_ms = pause > PAUSE_MOST_MS ? PAUSE_MOST_MS : pause;
    return consumer->pause_ms / 2 + (unsigned)rand_r(&consumer->seed) % (consumer->pause_ms / 2 + 1);
}

static void recover(struct outbox_consumer *consumer)
{
    if (consumer->pause_ms)
        log_event(LOG_INFO, "outbox.well", LOG_FIELDS(log_str("consumer", consumer->name)));
    consumer->pause_ms = 0;
    consumer->trouble = (struct err)ERR_INIT;
}

/* --- Waiting --- */

/* Takes what NOTIFY brought; false when there was nothing. */
static bool heard(struct outbox_consumer *consumer)
{
    PGconn *connection = session_connection(consumer->hands.session);
    bool any = false;
    PGnotify *notify;
    if (!PQconsumeInput(connection))
        return true; /* the next turn says what is wrong */
    while ((notify = PQnotifies(connection)) != NULL) {
        any = true;
        PQfreemem(notify);
    }
    return any;
}

static void wait_for_news(struct outbox_consumer *consumer, int64_t ms, bool listen)
{
    struct session *session = consumer->hands.session;
    struct pollfd fds[] = {{.fd = consumer->wake_fd, .events = POLLIN}, {.fd = -1, .events = POLLIN}};
    if (session && listen) {
        if (heard(consumer))
            return;
        fds[1].fd = PQsocket(session_connection(session));
    }
    (void)poll(fds, sizeof fds / sizeof *fds, (int)ms);
    uint64_t count = 0;
    while (read(consumer->wake_fd, &count, sizeof count) < 0 && errno == EINTR) {
    }
}

static int64_t rest_ms(struct outbox_consumer *consumer)
{
    if (!consumer->leads)
        return LOOK_MS / 2 + rand_r(&consumer->seed) % (LOOK_MS / 2);
    int64_t due = due_ms(consumer);
    int64_t left = due < 0 ? LOOK_MS : due - clock_mono_ms();
    return left < 0 ? 0 : left > LOOK_MS ? LOOK_MS : left;
}

static void look_at_lag(struct outbox_consumer *consumer)
{
    struct outbox_numbers *numbers = consumer->start.numbers;
    struct outbox_lag lag;
    struct err ignored = ERR_INIT; /* the next turn meets it as well */
    int64_t now_ms = clock_mono_ms();
    if (!consumer->hands.session || (consumer->looked_ms && now_ms - consumer->looked_ms < LOOK_MS) ||
        !outbox_lag(consumer->hands.session, consumer->start.reader, &lag, &ignored))
        return;
    consumer->looked_ms = now_ms;
    atomic_store(&numbers->lag_rows, lag.rows);
    atomic_store(&numbers->lag_us, lag.us);
    atomic_store(&numbers->dead, lag.dead);
    atomic_store(&numbers->measured_mono_ms, now_ms);
}

/* What was committed until now is done before the end, not only what was noted. */
static void settle_at_stop(struct outbox_consumer *consumer)
{
    struct err err = ERR_INIT;
    bool more = true;
    bool good = true;
    if (!consumer->leads || !consumer->begun || !consumer->work->settles_at_stop)
        return;
    while (good && more)
        good = look(consumer, &more, &err);
    if (!good || !settle(consumer, true, &err))
        log_event(LOG_WARN, "outbox.trouble", LOG_FIELDS(log_str("consumer", consumer->name), log_error_text(&err)));
}

static void *run(void *arg)
{
    struct outbox_consumer *consumer = arg;
    while (!atomic_load(&consumer->stopping) && !consumer->reached) {
        struct err err = ERR_INIT;
        bool more = false;
        int64_t rest;
        bool good = turn(consumer, &more, &err);
        if (good)
            recover(consumer);
        rest = good ? (more || consumer->reached ? 0 : rest_ms(consumer)) : fail(consumer, &err);
        look_at_lag(consumer);
        if (rest > 0)
            wait_for_news(consumer, rest, good && consumer->leads);
    }
    settle_at_stop(consumer);
    close_redis(consumer);
    close_session(consumer);
    (void)atomic_fetch_sub(&consumer->start.numbers->running, 1);
    atomic_store(&consumer->ended, true);
    if (consumer->start.on_ended)
        consumer->start.on_ended(consumer->start.arg);
    return NULL;
}

struct outbox_consumer *outbox_consumer_start(const struct outbox_start *start, struct err *err)
{
    struct outbox_consumer *consumer = mem_zalloc(sizeof *consumer);
    consumer->start = *start;
    consumer->name = outbox_reader_name(start->reader);
    consumer->work = work_of(start->reader);
    consumer->hands = (struct outbox_hands){.options = start->options, .reader = start->reader};
    consumer->seed = (unsigned)clock_mono_us() ^ (unsigned)getpid() ^ (unsigned)start->reader << 8;
    consumer->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (consumer->wake_fd < 0) {
        (void)err_set_errno(err, errno, "cannot make an event descriptor");
        free(consumer);
        return NULL;
    }
    consumer->state = consumer->work->start(start->options, start->reader);
    (void)atomic_fetch_add(&start->numbers->running, 1);
    int failed = pthread_create(&consumer->thread, NULL, run, consumer);
    if (failed) {
        (void)err_set_errno(err, failed, "cannot start a thread");
        (void)atomic_fetch_sub(&start->numbers->running, 1);
        consumer->work->stop(consumer->state);
        (void)close(consumer->wake_fd);
        free(consumer);
        return NULL;
    }
    return consumer;
}

void outbox_consumer_wake(struct outbox_consumer *consumer)
{
    uint64_t one = 1;
    while (write(consumer->wake_fd, &one, sizeof one) < 0 && errno == EINTR) {
    }
}

void outbox_consumer_stop(struct outbox_consumer *consumer)
{
    atomic_store(&consumer->stopping, true);
    outbox_consumer_wake(consumer);
}

bool outbox_consumer_ended(const struct outbox_consumer *consumer)
{
    return atomic_load(&consumer->ended);
}

bool outbox_consumer_reached(const struct outbox_consumer *consumer)
{
    return consumer->reached;
}

const char *outbox_consumer_trouble(const struct outbox_consumer *consumer)
{
    return consumer->trouble.text;
}

void outbox_consumer_free(struct outbox_consumer *consumer)
{
    if (!consumer)
        return;
    (void)pthread_join(consumer->thread, NULL);
    consumer->work->stop(consumer->state);
    (void)close(consumer->wake_fd);
    free(consumer);
}
