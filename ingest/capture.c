#include "ingest/capture.h"

#include "base/clock.h"
#include "base/json_read.h"
#include "base/mem.h"
#include "ingest/capture_keep.h"
#include "ingest/capture_time.h"
#include "ingest/capture_totals.h"
#include "ingest/report.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>

enum { US_PER_MS = 1000, WHOLE_TOTALS_EVERY_MS = 5 * 60 * 1000 };

struct run {
    const struct capture_options *options;
    struct report *report;
    struct capture_fetch *fetch;
    struct capture_state *state;
    struct targets targets;
    int64_t start_us;
    /* Since the last summary. */
    size_t got;
    size_t changed;
    size_t failed;
    bool news;     /* something is worth a summary */
    bool rejected; /* ever, some event */
    struct capture_keep keep;
    int64_t import_us[CAPTURE_ENDPOINT_COUNT]; /* when one that failed may be tried again */
    /* Account totals in parts. */
    struct capture_markers markers;
    bool totals_known;      /* the folder's list was looked at */
    bool in_parts;          /* and can be continued from markers.from */
    int64_t whole_again_us; /* when to ask for all of it the next time */
};

static void say(struct run *run, bool problem, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* A line; with the time before it when there will be many. */
static void say(struct run *run, bool problem, const char *format, ...)
{
    struct buf line = BUF_INIT;
    char time[CLOCK_ISO_SIZE];
    if (run->options->every_ms)
        buf_printf(&line, "%s ", clock_format_iso(time, clock_wall_ms()));
    va_list arguments;
    va_start(arguments, format);
    buf_vprintf(&line, format, arguments);
    va_end(arguments);
    if (problem)
        report_problem(run->report, "%s", buf_cstr(&line));
    else
        report_line(run->report, "%s", buf_cstr(&line));
    buf_free(&line);
}

/* The target's part of this round is over. */
static void finish(struct run *run, struct target *target)
{
    target->open = false;
    target->tries = 0;
    target->due_us = TARGET_NEVER;
    if (run->options->every_ms && target->listed)
        target->due_us = capture_next_tick(run->start_us, run->options->every_ms * US_PER_MS, clock_mono_us());
}

/* A target that goes on failing in the same way is told once. */
static void fail(struct run *run, struct target *target, const struct err *err)
{
    run->failed++;
    if (!target->trouble || strcmp(target->trouble, err->text) != 0) {
        say(run, true, "%s%s: %s", run->options->site->base, target->path, err->text);
        free(target->trouble);
        target->trouble = mem_strndup(err->text, strlen(err->text));
        run->news = true;
    }
    finish(run, target);
}

static void well(struct run *run, struct target *target, bool changed)
{
    capture_keep_confirm(&run->keep, target);
    run->got++;
    run->changed += changed;
    run->news = run->news || changed || target->trouble;
    if (target->trouble)
        say(run, false, "%s%s: well again", run->options->site->base, target->path);
    free(target->trouble);
    target->trouble = NULL;
    finish(run, target);
}

static void again(struct run *run, struct target *target, const struct capture_answer *answer, const struct err *err)
{
    uint32_t random = 0;
    if ((int64_t)target->tries > run->options->retries) {
        struct err told = *err;
        if (target->tries > 1)
            err_set(&told, err->code, "%s (tried %u times)", err->text, target->tries);
        fail(run, target, &told);
        return;
    }
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0)
        random = 0;
    int64_t wait_ms = capture_wait_ms(target->tries, answer->retry_after_s, random);
    if (run->options->verbose)
        say(run, false, "GET %s: %s; again in %" PRId64 " ms", target->path, err->text, wait_ms);
    target->due_us = clock_mono_us() + wait_ms * US_PER_MS;
}

/* A list of totals is in the folder: how to go on. */
static void mark_totals(struct run *run, const struct target *target, struct slice text)
{
    struct capture_markers before = run->markers;
    run->totals_known = true;
    run->in_parts = run->options->every_ms && capture_totals_markers(text, &run->markers);
    /* With the hour, rows may have come that no part shows: of a model that is new, or of one that was away. */
    if (target->asked_from >= 0 && run->markers.highest > before.highest)
        run->whole_again_us = 0;
}

static void take_models(struct run *run, struct slice bulk)
{
    struct buf unusable = BUF_INIT;
    targets_set_models(&run->targets, run->state, bulk, clock_mono_us(), &unusable);
    if (unusable.len) {
        say(run, true, "models without a file of their own, since their names are no file names: %s",
            buf_cstr(&unusable));
        run->failed++;
        run->news = true;
    }
    buf_free(&unusable);
}

/* After a fetch, whatever came of it: `text` is what the folder has now, if anything. */
static void follow_up(struct run *run, const struct target *target, struct slice text)
{
    if (!text.n)
        return;
    if (target->endpoint == CAPTURE_ACCOUNT_TOTALS)
        mark_totals(run, target, text);
    else if (target->endpoint == CAPTURE_ANALYTICS)
        take_models(run, text);
}

/* A good body in hand: what the folder's file should say now, in *text. False: it cannot be said, everything must be
 * asked for. `merged` holds it when it was put together. */
static bool whole_text(const struct target *target, struct slice body, struct slice old, struct buf *merged,
                       struct slice *text)
{
    *text = body;
    if (target->asked_from < 0)
        return true;
    switch (capture_totals_merge(old, body, target->asked_from, merged)) {
    case CAPTURE_TOTALS_WHOLE:
        return true;
    case CAPTURE_TOTALS_MERGED:
        *text = buf_slice(merged);
        return true;
    case CAPTURE_TOTALS_LOST:
        break;
    }
    return false;
}

static void take(struct run *run, struct target *target, const struct capture_answer *answer)
{
    struct buf old = BUF_INIT;
    struct buf merged = BUF_INIT;
    struct slice text;
    struct err err = ERR_INIT;
    (void)capture_keep_read(&run->keep, target, &old);
    if (!whole_text(target, answer->body, buf_slice(&old), &merged, &text)) {
        run->whole_again_us = 0;
        target->due_us = clock_mono_us();
        target->tries = 0;
        goto out;
    }
    bool changed = !old.len || !capture_same(target->endpoint, buf_slice(&old), text);
    if (changed && !capture_keep_write(&run->keep, target, buf_slice(&old), text, &err)) {
        fail(run, target, &err);
        goto out;
    }
    if (target->endpoint == CAPTURE_ACCOUNT_TOTALS && target->asked_from < 0)
        run->whole_again_us = clock_mono_us() + (int64_t)WHOLE_TOTALS_EVERY_MS * US_PER_MS;
    capture_entry_validators(run->state, target->entry, target->asked, answer->etag, answer->last_modified);
    if (run->options->verbose)
        say(run, false, "GET %s: %zu bytes, %s", target->asked, answer->body.n, changed ? "changed" : "as before");
    well(run, target, changed);
    follow_up(run, target, changed ? text : buf_slice(&old));
out:
    buf_free(&old);
    buf_free(&merged);
}

static void take_unchanged(struct run *run, struct target *target)
{
    struct buf old = BUF_INIT;
    if (run->options->verbose)
        say(run, false, "GET %s: unchanged", target->asked);
    if (target->asked_from < 0 && target->endpoint == CAPTURE_ACCOUNT_TOTALS)
        run->whole_again_us = clock_mono_us() + (int64_t)WHOLE_TOTALS_EVERY_MS * US_PER_MS;
    well(run, target, false);
    bool needed = (target->endpoint == CAPTURE_ACCOUNT_TOTALS && !run->totals_known) ||
                  (target->endpoint == CAPTURE_ANALYTICS && !run->targets.models_known);
    if (needed && capture_keep_read(&run->keep, target, &old))
        follow_up(run, target, buf_slice(&old));
    buf_free(&old);
}

/* Without the list of models, those of the list in the folder. */
static void models_of_folder(struct run *run, const struct target *target)
{
    struct buf old = BUF_INIT;
    if (target->endpoint == CAPTURE_ANALYTICS && !run->targets.models_known &&
        capture_keep_read(&run->keep, target, &old))
        take_models(run, buf_slice(&old));
    buf_free(&old);
}

static void answered(struct run *run, const struct capture_answer *answer)
{
    struct target *target = answer->owner;
    struct err err = answer->err;
    target->busy = false;
    switch (answer->outcome) {
    case CAPTURE_GOT:
        if (capture_check(target->endpoint, answer->body, &err))
            take(run, target, answer);
        else
            again(run, target, answer, &err);
        break;
    case CAPTURE_UNCHANGED:
        take_unchanged(run, target);
        break;
    case CAPTURE_AGAIN:
        again(run, target, answer, &err);
        break;
    case CAPTURE_REFUSED:
        fail(run, target, &err);
        break;
    }
    if (!target->open && target->trouble)
        models_of_folder(run, target);
}

static void start(struct run *run, struct target *target)
{
    const struct capture_entry *entry = target->entry;
    struct err err = ERR_INIT;
    if (!capture_keep_settle(&run->keep, target, &err)) {
        fail(run, target, &err);
        return;
    }
    struct buf path = BUF_INIT;
    target->asked_from = -1;
    buf_append_str(&path, target->path);
    /* Parts continue the file as it was left; after a change by somebody else everything is asked for. */
    bool holds = capture_entry_holds(run->state, target->entry);
    if (target->endpoint == CAPTURE_ACCOUNT_TOTALS && run->in_parts && holds && clock_mono_us() < run->whole_again_us) {
        target->asked_from = run->markers.from;
        buf_printf(&path, "?lastHourlyMarker=%" PRId64, target->asked_from);
    }
    free(target->asked);
    target->asked = mem_strndup(path.data, path.len);
    buf_free(&path);
    bool conditional = entry->path && strcmp(entry->path, target->asked) == 0;
    target->busy = true;
    target->open = true;
    target->tries++;
    capture_fetch_start(run->fetch, target, target->asked, conditional ? entry->etag : NULL,
                        conditional ? entry->last_modified : NULL);
}

/* Starts what is due. Returns how long nothing else will be, in milliseconds; -1: nothing ever. */
static int64_t start_due(struct run *run)
{
    for (;;) {
        struct target *target = targets_next(&run->targets);
        if (!target)
            return -1;
        int64_t wait_us = target->due_us - clock_mono_us();
        if (wait_us > 0)
            return (wait_us + US_PER_MS - 1) / US_PER_MS;
        if (capture_fetch_count(run->fetch) >= CAPTURE_PARALLEL)
            return run->options->timeout_ms;
        start(run, target);
    }
}

static bool stopped(const struct run *run)
{
    struct pollfd poll_fd = {.fd = run->options->stop_fd, .events = POLLIN};
    return run->options->stop_fd >= 0 && poll(&poll_fd, 1, 0) > 0;
}

/* Whether targets of the group are being asked for, or about to be. */
static bool is_busy(const struct run *run, enum capture_endpoint group)
{
    int64_t now = clock_mono_us();
    for (size_t i = 0; i < run->targets.count; i++) {
        const struct target *target = run->targets.list[i];
        if (capture_keep_group(target) == group && (target->open || target->due_us <= now))
            return true;
    }
    return false;
}

static void import_due(struct run *run)
{
    for (enum capture_endpoint group = 0; group < CAPTURE_ANALYTICS_ONE; group++) {
        struct err err = ERR_INIT;
        int64_t now = clock_mono_us();
        if (!run->keep.import_due[group] || now < run->import_us[group] || is_busy(run, group))
            continue;
        if (run->options->verbose)
            say(run, false, "importing %s", capture_kinds[group].name);
        if (capture_keep_import(&run->keep, group, &run->targets, &err)) {
            run->news = true;
            continue;
        }
        say(run, true, "%s: %s", capture_kinds[group].name, err.text);
        run->failed++;
        run->news = true;
        run->import_us[group] = run->options->every_ms
                                    ? capture_next_tick(run->start_us, run->options->every_ms * US_PER_MS, now)
                                    : TARGET_NEVER;
    }
}

static void put_feed_counts(struct run *run, struct buf *line)
{
    if (!run->keep.feed)
        return;
    struct capture_feed_counts counts = capture_feed_take_counts(run->keep.feed);
    buf_printf(line, "; %zu events stored, %zu rejected, %zu endpoints imported", counts.stored, counts.rejected,
               counts.imported);
    run->rejected = run->rejected || counts.rejected;
}

/* Between rounds: what is remembered goes to disk, what happened is told. */
static void settle(struct run *run)
{
    struct err err = ERR_INIT;
    if (!capture_state_save(run->state, &err))
        say(run, true, "%s", err.text);
    struct buf fed = BUF_INIT;
    put_feed_counts(run, &fed);
    if (run->news || !run->options->every_ms)
        say(run, false, "%zu answers: %zu changed, %zu as before, %zu failed%s", run->got + run->failed, run->changed,
            run->got - run->changed, run->failed, buf_cstr(&fed));
    buf_free(&fed);
    run->got = run->changed = run->failed = 0;
    run->news = false;
}

static enum capture_result loop(struct run *run)
{
    const int64_t for_long_ms = INT64_C(3600) * 1000;
    bool trouble = false;
    for (;;) {
        int64_t wait_ms = start_due(run);
        import_due(run);
        if (!targets_open(&run->targets)) {
            trouble = trouble || run->failed;
            if (run->got || run->failed)
                settle(run);
            if (wait_ms < 0)
                break;
        }
        struct capture_answer answer;
        if (capture_fetch_next(run->fetch, wait_ms < 0 ? for_long_ms : wait_ms, run->options->stop_fd, &answer))
            answered(run, &answer);
        if (stopped(run)) {
            settle(run);
            break;
        }
    }
    return run->rejected || (trouble && !run->options->every_ms) ? CAPTURE_TROUBLE : CAPTURE_DONE;
}

static bool make_folder(const char *dir, struct err *err)
{
    enum { FOLDER_MODE = 0777 };
    struct stat status;
    if (mkdir(dir, FOLDER_MODE) != 0 && errno != EEXIST)
        return err_set_errno(err, errno, "%s", dir);
    if (stat(dir, &status) != 0)
        return err_set_errno(err, errno, "%s", dir);
    return S_ISDIR(status.st_mode) || err_set(err, ERR_INVALID, "%s is no folder", dir);
}

enum capture_result capture_run(const struct capture_options *options)
{
    struct run run = {.options = options, .start_us = clock_mono_us()};
    struct err err = ERR_INIT;
    enum capture_result result = CAPTURE_FAILED;
    run.report = report_new(options->out, options->problems, false, false);
    const struct capture_fetch_options fetch_options = {
        .site = options->site,
        .timeout_ms = options->timeout_ms,
        .max_bytes = options->max_bytes,
    };
    if (!make_folder(options->dir, &err) || !(run.fetch = capture_fetch_new(&fetch_options, &err))) {
        report_problem(run.report, "%s", err.text);
    } else {
        run.state = capture_state_load(options->dir, options->site->base,
                                       options->feed ? capture_feed_database(options->feed) : NULL);
        run.keep = (struct capture_keep){.dir = options->dir, .state = run.state, .feed = options->feed};
        targets_start(&run.targets, run.state, run.start_us);
        result = loop(&run);
    }
    capture_fetch_free(run.fetch);
    targets_stop(&run.targets);
    capture_state_free(run.state);
    report_free(run.report);
    return result;
}
