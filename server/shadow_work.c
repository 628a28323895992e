#include "server/shadow_work.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "parity/trail.h"
#include "server/params.h"
#include "server/rows_reader.h"
#include "server/shadow_pair.h"

#include <stdlib.h>

enum {
    SUBJECTS_MOST = 64,       /* that are followed at a time */
    KEEP_MOST = 1000,         /* differences of each */
    VALUE_BYTES = 256,        /* of each difference */
    LOOKS_A_CONFIRMATION = 3, /* what still moves after so many times shadow.confirm_times looks is unsettled */
};

/* A question whose answers differed when they were last compared. */
struct subject {
    struct subject *next;
    struct arena *arena; /* holds target and query */
    struct slice target;
    const struct endpoint *endpoint;
    struct read_query query;
    enum flag_mode mode;
    struct parity_trail trail;
    bool is_known; /* the differences held were confirmed: an answer that shows them again counts at once */
    int64_t looks;
    int64_t next_look_ms; /* unless known */
};

struct shadow_work {
    struct shadow_work_config config;
    struct snapshot *snapshot;
    struct rows_reader *reader;       /* NULL: not needed yet */
    struct snapshot *reader_snapshot; /* whose settings it reads by */
    struct subject *subjects;
    size_t subject_count;
};

struct shadow_work *shadow_work_new(const struct shadow_work_config *config)
{
    struct shadow_work *work = mem_zalloc(sizeof *work);
    work->config = *config;
    return work;
}

static void close_reader(struct shadow_work *work)
{
    rows_reader_close(work->reader);
    work->reader = NULL;
    snapshot_unref(work->reader_snapshot);
    work->reader_snapshot = NULL;
}

void shadow_work_go_by(struct shadow_work *work, struct snapshot *snapshot)
{
    if (snapshot == work->snapshot)
        return;
    close_reader(work);
    snapshot_unref(work->snapshot);
    work->snapshot = snapshot_ref(snapshot);
}

static const struct settings *settings_of(const struct shadow_work *work)
{
    return snapshot_settings(work->snapshot);
}

/* --- What is asked --- */

static void free_subject(struct subject *subject)
{
    parity_trail_clear(&subject->trail);
    arena_free(subject->arena);
    free(subject);
}

/* NULL when the target is none of those that are compared. */
static struct subject *new_subject(const struct shadow_sighting *sighting)
{
    struct subject *subject = mem_zalloc(sizeof *subject);
    struct param_fault fault;
    subject->arena = arena_new(0);
    subject->mode = sighting->mode;
    subject->target = arena_copy(subject->arena, sighting->target);
    const char *mark = subject->target.n ? memchr(subject->target.p, '?', subject->target.n) : NULL;
    size_t path = mark ? (size_t)(mark - subject->target.p) : subject->target.n;
    struct slice rest = mark ? (struct slice){mark + 1, subject->target.n - path - 1} : (struct slice){NULL, 0};
    subject->endpoint = endpoints_match((struct slice){subject->target.p, path}, subject->arena, &subject->query);
    if (subject->endpoint && subject->endpoint->flag == sighting->flag &&
        params_read(subject->endpoint->params, rest, subject->arena, &subject->query, &fault) &&
        !read_query_is_page(&subject->query))
        return subject;
    free_subject(subject);
    return NULL;
}

static struct subject **find(struct shadow_work *work, struct slice target)
{
    struct subject **link = &work->subjects;
    while (*link && !slice_equal((*link)->target, target))
        link = &(*link)->next;
    return link;
}

static void drop(struct shadow_work *work, struct subject **link)
{
    struct subject *subject = *link;
    *link = subject->next;
    work->subject_count--;
    free_subject(subject);
}

/* Makes room, if there is no other way by forgetting what was known the longest. */
static bool make_room(struct shadow_work *work)
{
    struct subject **oldest = NULL;
    if (work->subject_count < SUBJECTS_MOST)
        return true;
    for (struct subject **link = &work->subjects; *link; link = &(*link)->next)
        if ((*link)->is_known)
            oldest = link; /* new ones come first */
    if (oldest)
        drop(work, oldest);
    return oldest != NULL;
}

/* --- What the sides say --- */

static struct document *make_rows(struct shadow_work *work, const struct read_query *query, struct err *err)
{
    if (!work->reader) {
        work->reader = rows_reader_open(settings_of(work), work->config.stop_fd, err);
        work->reader_snapshot = work->reader ? snapshot_ref(work->snapshot) : NULL;
    }
    struct document *document = work->reader ? rows_reader_read(work->reader, query, err) : NULL;
    if (!document && err->code == ERR_NONE)
        (void)err_set(err, ERR_NOT_FOUND, "the database has nothing of it");
    return document;
}

static struct document *make_side(struct shadow_work *work, const struct subject *subject, enum endpoint_side side,
                                  struct err *err)
{
    if (side == ENDPOINT_REPO)
        return make_rows(work, &subject->query, err);
    struct legacy_documents *legacy = work->config.legacy(work->config.arg);
    struct document *document = NULL;
    if (legacy)
        document = legacy_documents_answer(legacy, &subject->query, NULL, err);
    else
        (void)err_set(err, ERR_UNAVAILABLE, "no legacy folder is loaded");
    legacy_documents_unref(legacy);
    return document;
}

/* A document's whole text, as it is sent. */
static void put_whole(const struct document *document, int64_t now_ms, struct buf *out)
{
    char tail[DOCUMENT_TAIL_SIZE];
    struct slice body = document_body(document);
    (void)buf_reserve(out, body.n + sizeof tail);
    buf_append_slice(out, body);
    buf_append(out, tail, document_tail(document, now_ms, tail));
}

/* --- One look --- */

struct look {
    struct document *sides[ENDPOINT_SIDES];
    struct buf texts[ENDPOINT_SIDES];
    struct parity_findings *findings; /* NULL: equal, or see err */
    struct err err;
};

static void look_free(struct look *look)
{
    for (size_t side = 0; side < ENDPOINT_SIDES; side++) {
        document_unref(look->sides[side]);
        buf_free(&look->texts[side]);
    }
    parity_findings_free(look->findings);
}

/* Makes what is missing of the two sides, and compares. False with look->err. */
static bool look_at(struct shadow_work *work, const struct subject *subject, struct look *look)
{
    char tail[DOCUMENT_TAIL_SIZE];
    size_t ends[ENDPOINT_SIDES];
    int64_t now_ms = clock_wall_ms();
    for (size_t side = 0; side < ENDPOINT_SIDES; side++) {
        if (!look->sides[side])
            look->sides[side] = make_side(work, subject, (enum endpoint_side)side, &look->err);
        if (!look->sides[side])
            return err_wrap(&look->err, "%s", endpoint_side_name((enum endpoint_side)side));
        ends[side] = document_tail(look->sides[side], now_ms, tail);
    }
    /* The validator is a hash of the body: what is the same byte for byte need not be read. */
    if (ends[0] == ends[1] && strcmp(document_etag(look->sides[0]), document_etag(look->sides[1])) == 0)
        return true;
    for (size_t side = 0; side < ENDPOINT_SIDES; side++)
        put_whole(look->sides[side], now_ms, &look->texts[side]);
    struct parity_counts counts;
    look->findings = parity_findings_new(KEEP_MOST, VALUE_BYTES);
    bool good =
        parity_compare(buf_slice(&look->texts[ENDPOINT_LEGACY]), buf_slice(&look->texts[ENDPOINT_REPO]),
                       subject->endpoint->parity_rules, parity_findings_add, look->findings, &counts, &look->err);
    if (good && parity_counts_sum(&counts) > 0)
        return true;
    parity_findings_free(look->findings);
    look->findings = NULL;
    return good;
}

/* --- What comes of it --- */

static void count(const struct shadow_work *work, const struct subject *subject, enum shadow_result result,
                  const struct parity_counts *counts)
{
    shadow_tally_add(work->config.tally, subject->endpoint->kind, subject->mode, result, counts);
    if (result == SHADOW_EQUAL || result == SHADOW_DIFFERENT)
        work->config.on_compared(work->config.arg, settings_of(work), subject->endpoint->flag,
                                 result == SHADOW_DIFFERENT);
}

static void tell_failure(const struct shadow_work *work, const struct subject *subject, const struct err *err)
{
    count(work, subject, SHADOW_FAILED, NULL);
    log_event(LOG_DEBUG, "shadow.failed",
              LOG_FIELDS(log_str("endpoint", subject->endpoint->name), log_error_text(err)));
}

/* Values stay out of the log: they may be what must not be kept. */
static void tell_difference(const struct shadow_work *work, const struct subject *subject, const struct look *look)
{
    const struct settings *settings = settings_of(work);
    const struct parity_findings *held = subject->trail.held;
    log_event(LOG_WARN, "shadow.different",
              LOG_FIELDS(log_str("endpoint", subject->endpoint->name), log_slice("target", subject->target),
                         log_int("differences", (int64_t)parity_counts_sum(parity_findings_counts(held))),
                         log_str("first", parity_class_name(parity_findings_at(held, 0).class))));
    const struct shadow_pair pair = {.endpoint = subject->endpoint,
                                     .mode = subject->mode,
                                     .target = subject->target,
                                     .at_ms = clock_wall_ms(),
                                     .left = buf_slice(&look->texts[ENDPOINT_LEGACY]),
                                     .right = buf_slice(&look->texts[ENDPOINT_REPO])};
    struct buf json = BUF_INIT;
    shadow_pair_put(&pair, settings->shadow_redact, (size_t)settings->shadow_keep_bytes, &json);
    work->config.on_pair(work->config.arg, subject->endpoint, buf_slice(&json));
    buf_free(&json);
}

/* Takes the look's findings. True while the subject is to be followed. */
static bool follow(struct shadow_work *work, struct subject *subject, struct look *look)
{
    const struct settings *settings = settings_of(work);
    parity_trail_follow(&subject->trail, look->findings);
    look->findings = NULL;
    if (subject->trail.confirmed >= settings->shadow_confirm_times) {
        subject->is_known = true;
        count(work, subject, SHADOW_DIFFERENT, parity_findings_counts(subject->trail.held));
        tell_difference(work, subject, look);
        return true;
    }
    if (subject->looks++ >= LOOKS_A_CONFIRMATION * settings->shadow_confirm_times) {
        count(work, subject, SHADOW_UNSETTLED, NULL);
        return false;
    }
    subject->is_known = false;
    subject->next_look_ms = clock_mono_ms() + settings->shadow_confirm_ms;
    return true;
}

/* True when the answer shows what is known of its question. */
static bool shows_again(const struct subject *known, struct look *look)
{
    (void)parity_findings_confirm(look->findings, known->trail.held);
    return parity_counts_sum(parity_findings_counts(look->findings)) > 0;
}

/* Begins to follow a question. NULL, or the subject when there is no room for it. */
static struct subject *begin(struct shadow_work *work, struct subject *fresh, struct look *look)
{
    if (!make_room(work)) {
        count(work, fresh, SHADOW_UNSETTLED, NULL);
        return fresh;
    }
    (void)follow(work, fresh, look);
    fresh->next = work->subjects;
    work->subjects = fresh;
    work->subject_count++;
    return NULL;
}

void shadow_work_compare(struct shadow_work *work, const struct shadow_sighting *sighting)
{
    struct subject **link = find(work, sighting->target);
    struct subject *known = *link;
    if (known && !known->is_known)
        return;
    struct subject *fresh = new_subject(sighting);
    if (!fresh)
        return;
    struct look look = {.err = ERR_INIT};
    look.sides[sighting->side] = document_ref(sighting->document);
    if (!look_at(work, fresh, &look)) {
        tell_failure(work, fresh, &look.err);
    } else if (!look.findings) {
        count(work, fresh, SHADOW_EQUAL, NULL);
        if (known)
            drop(work, link);
    } else if (!known) {
        fresh = begin(work, fresh, &look);
    } else if (shows_again(known, &look)) {
        count(work, fresh, SHADOW_DIFFERENT, parity_findings_counts(look.findings));
    } else {
        drop(work, link); /* the next answer tells more */
    }
    look_free(&look);
    if (fresh)
        free_subject(fresh);
}

/* True while the subject is to be followed. */
static bool look_again(struct shadow_work *work, struct subject *subject)
{
    struct look look = {.err = ERR_INIT};
    bool stays = false;
    if (!look_at(work, subject, &look))
        tell_failure(work, subject, &look.err);
    else if (!look.findings)
        count(work, subject, SHADOW_EQUAL, NULL);
    else
        stays = follow(work, subject, &look);
    look_free(&look);
    return stays;
}

int64_t shadow_work_look_again(struct shadow_work *work)
{
    int64_t next_ms = INT64_MAX;
    int64_t now_ms = clock_mono_ms();
    struct subject **link = &work->subjects;
    while (*link) {
        struct subject *subject = *link;
        if (!subject->is_known && subject->next_look_ms <= now_ms && !look_again(work, subject)) {
            drop(work, link);
            continue;
        }
        if (!subject->is_known && subject->next_look_ms < next_ms)
            next_ms = subject->next_look_ms;
        link = &subject->next;
    }
    return next_ms;
}

void shadow_work_free(struct shadow_work *work)
{
    while (work->subjects)
        drop(work, &work->subjects);
    close_reader(work);
    snapshot_unref(work->snapshot);
    free(work);
}
