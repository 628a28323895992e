#include "server/read_path.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "server/canary.h"
#include "server/negotiate.h"
#include "server/reply.h"
#include "server/rows_document.h"

/* As OFFLOAD_ASSEMBLE_BYTES, of a legacy file that is looked through by its index to copy what matches. */
enum { SEARCH_BYTES = 4 * 1024 * 1024 };

/* One read under way. Lives in the request's arena. */
struct read_job {
    struct read_path *path;
    struct http_request *request;
    const struct endpoint *endpoint;
    enum flag_mode mode;     /* of the endpoint, when the request came, */
    enum endpoint_side side; /* and who answers */
    struct read_query query;
    struct slice if_none_match;
    bool gzip; /* the client takes it and the settings allow it */
    int gzip_level;
    int64_t gzip_min_bytes;

    bool from_files;                 /* the answer comes from the set that is served now, */
    bool is_whole;                   /* and is one of its documents */
    struct repo_answer *answer;      /* to make the document from: these rows, */
    struct legacy_documents *legacy; /* or else this set */

    struct answer_ask ask; /* or the cache's */

    struct document *document; /* the result; NULL: see err */
    struct err err;
};

static void log_failure(struct read_job *job, enum log_level level, int64_t untold)
{
    log_event(level, "read.failed",
              LOG_FIELDS(log_str("id", http_request_id(job->request)), log_str("endpoint", job->endpoint->name),
                         log_str("code", err_code_name(job->err.code)), log_error_text(&job->err),
                         log_int("untold", untold)));
}

static void count_rows(const struct read_job *job, bool failed)
{
    if (job->side != ENDPOINT_REPO)
        return;
    job->path->of_rows[job->endpoint->flag].answers++;
    job->path->of_rows[job->endpoint->flag].errors += failed;
}

static void reply_failure(struct read_job *job)
{
    struct read_path *path = job->path;
    count_rows(job, true);
    if (job->err.code != ERR_UNAVAILABLE && job->err.code != ERR_TIMEOUT) {
        log_failure(job, LOG_ERROR, 0);
        reply_error(job->request, path->settings,
                    &(struct reply_fault){.status = 500, .code = "internal", .message = "this answer cannot be made"});
        return;
    }
    int64_t second = clock_mono_ms() / 1000;
    if (second != path->failures.second) {
        log_failure(job, LOG_WARN, path->failures.untold);
        path->failures.second = second;
        path->failures.untold = 0;
    } else {
        path->failures.untold++;
    }
    bool late = job->err.code == ERR_TIMEOUT;
    reply_error(job->request, path->settings,
                &(struct reply_fault){.status = 503,
                                      .code = late ? "timeout" : "unavailable",
                                      .message = late ? "the source of this answer did not answer in time"
                                                      : "the source of this answer is not available right now"});
}

static struct reply_answer answer_of(const struct read_job *job)
{
    return (struct reply_answer){
        .endpoint = job->endpoint, .document = job->document, .mode = job->mode, .side = job->side};
}

/* Documents that only this table holds are kept when they are small. */
static void keep_hot(const struct read_job *job)
{
    static const struct hot_term until_cleared = {.until_ms = INT64_MAX};
    const struct reply_answer answer = answer_of(job);
    if (job->path->hot && (job->is_whole || document_body(job->document).n <= RECENT_BODY_MAX))
        hot_keep(job->path->hot, job->request, &answer, &until_cleared);
}

/* Absolute targets, which only proxies send, say the same in another way. */
static void note(const struct read_job *job)
{
    struct shadow_tap *tap = &job->path->tap;
    struct slice target = http_request_target(job->request);
    if (shadow_tap_wants(tap, job->endpoint->flag) && target.n && target.p[0] == '/')
        shadow_tap_note(tap, job->endpoint->flag, job->side, target, job->document);
}

static void reply(struct read_job *job)
{
    const struct reply_answer answer = answer_of(job);
    reply_document(job->request, job->path->settings, &answer, job->gzip);
}

static void finish(struct read_job *job)
{
    bool is_current = job->from_files && (!job->legacy || job->legacy == job->path->legacy);
    if (job->document && job->legacy && is_current)
        recent_keep(job->path->recent, &job->query, job->document);
    if (job->document && is_current)
        keep_hot(job);
    legacy_documents_unref(job->legacy);
    if (!job->document) {
        reply_failure(job);
        return;
    }
    count_rows(job, false);
    note(job);
    reply(job);
}

static void finish_on_loop(void *arg)
{
    finish(arg);
}

/* Compressing costs the most by far, so only for a client that will read it. */
static bool wants_compression(const struct read_job *job, const struct document *document)
{
    return job->gzip && !document_is_compressed(document) &&
           (int64_t)document_body(document).n >= job->gzip_min_bytes &&
           !negotiate_not_modified(job->if_none_match, document_etag(document));
}

/* Somebody waits, and what is made here is not kept for long. */
static void compress(void *arg)
{
    struct read_job *job = arg;
    if (document_body(job->document).n > DOCUMENT_QUICK_MIN)
        document_compress_quickly(job->document);
    else
        document_compress(job->document, job->gzip_level);
}

/* Makes the document; on the loop or on an offload thread. Touches nothing of the request but slices that lie still. */
static void build(void *arg)
{
    struct read_job *job = arg;
    if (job->answer)
        job->document = rows_document(job->endpoint, &job->query, job->answer, &job->err);
    else
        job->document = legacy_documents_answer(job->legacy, &job->query, &job->is_whole, &job->err);
}

static void build_whole(void *arg)
{
    struct read_job *job = arg;
    build(job);
    if (job->document && wants_compression(job, job->document))
        compress(job);
}

static void offload(struct read_job *job, void (*run)(void *arg))
{
    offload_submit(job->path->offload, job->path->mailbox, run, finish_on_loop, job);
}

/* `bytes` is what there is to go through, `most` how much of it may be done on the loop. */
static void build_and_finish(struct read_job *job, size_t bytes, size_t most)
{
    if (bytes > most) {
        offload(job, build_whole);
        return;
    }
    build(job);
    if (job->document && wants_compression(job, job->document)) {
        if (document_body(job->document).n > OFFLOAD_COMPRESS_BYTES) {
            offload(job, compress);
            return;
        }
        compress(job);
    }
    finish(job);
}

static void on_rows(void *arg, struct repo_answer *answer, const struct err *err)
{
    struct read_job *job = arg;
    if (!answer) {
        job->err = *err;
        finish(job);
        return;
    }
    job->answer = answer;
    build_and_finish(job, answer->bytes, job->gzip ? OFFLOAD_COMPRESS_BYTES : OFFLOAD_ASSEMBLE_BYTES);
}

/* Whether the query can ask for a part of the file, which has to be looked for. */
static bool query_narrows(const struct read_query *query)
{
    return query->has_min_marker || query->limit != READ_NO_LIMIT || read_query_is_page(query) ||
           (query->model_id.p && query->kind != READ_ANALYTICS_ONE);
}

/* How much there is to look through. */
static size_t whole_size(const struct read_job *job)
{
    struct read_query whole = {.kind = job->query.kind, .limit = READ_NO_LIMIT};
    struct buf scratch = BUF_INIT;
    struct legacy_answer answer;
    bool good = legacy_set_answer(legacy_documents_set(job->legacy), &whole, &scratch, &answer, NULL);
    buf_free(&scratch);
    return good ? answer.json.n : 0;
}

static void read_legacy(struct read_job *job)
{
    if (!job->path->legacy) {
        (void)err_set(&job->err, ERR_UNAVAILABLE, "no legacy folder is loaded");
        finish(job);
        return;
    }
    job->from_files = true;
    struct document *known = recent_find(job->path->recent, &job->query);
    if (known && !wants_compression(job, known)) {
        job->document = document_ref(known);
        finish(job);
        return;
    }
    job->legacy = legacy_documents_ref(job->path->legacy);
    build_and_finish(job, query_narrows(&job->query) ? whole_size(job) : 0, SEARCH_BYTES);
}

/* Whole answers under their plain paths, and small parts: a target may be spelled in any number of ways, and each one
 * would hold on to a document. */
static bool may_be_hot(const struct read_job *job)
{
    return job->path->hot && (job->ask.name.room == ANSWER_WHOLE ? http_request_query(job->request).n == 0
                                                                 : document_body(job->document).n <= RECENT_BODY_MAX);
}

static void on_told(void *arg, const struct answer_told *told)
{
    struct read_job *job = arg;
    struct read_path *path = job->path;
    if (!told->document) {
        job->err = *told->err;
        reply_failure(job);
        return;
    }
    job->document = document_ref(told->document);
    const struct hot_term term = {.until_ms = told->fresh_until_ms, .floor = told->floor, .version = told->version};
    const struct reply_answer answer = answer_of(job);
    if (told->fresh_until_ms && may_be_hot(job))
        hot_keep(path->hot, job->request, &answer, &term);
    if (told->despite_error) {
        char age[NUM_TEXT_SIZE];
        http_reply_header(job->request, "Age", (struct slice){age, num_format_i64(age, told->age_s)});
        http_reply_header(job->request, "Warning", SLICE("110 - \"Response is Stale\""));
    } else {
        note(job);
    }
    count_rows(job, told->despite_error);
    reply(job);
}

static void read_repo(struct read_job *job)
{
    struct read_path *path = job->path;
    if (path->answers && answer_cache_keeps(path->answers, job->endpoint)) {
        job->ask.told = on_told;
        job->ask.arg = job;
        answer_cache_ask(path->answers, &job->ask, job->endpoint, &job->query, http_request_arena(job->request));
        return;
    }
    if (!job->path->reads) {
        (void)err_set(&job->err, ERR_UNAVAILABLE, "no Postgres is configured");
        finish(job);
        return;
    }
    job->path->reads->read(job->path->reads, &job->query, on_rows, job);
}

void read_path_take_legacy(struct read_path *path, struct legacy_documents *documents)
{
    recent_clear(path->recent);
    if (path->hot)
        hot_clear(path->hot);
    legacy_documents_unref(path->legacy);
    path->legacy = documents;
}

void read_path_go_by(struct read_path *path, const struct settings *settings, struct flag_set *flags)
{
    if (path->hot)
        hot_go_by(path->hot, settings, flags);
    shadow_tap_go_by(&path->tap, settings, flags);
    struct flag_set *old = path->flags;
    path->settings = settings;
    path->flags = flags;
    flag_set_unref(old);
}

void read_path_answer(struct read_path *path, struct http_request *request, const struct endpoint *endpoint,
                      const struct read_query *query)
{
    struct read_job *job = arena_zalloc(http_request_arena(request), sizeof *job);
    job->path = path;
    job->request = request;
    job->endpoint = endpoint;
    struct flag_value value = endpoint_value(endpoint, path->flags);
    job->mode = value.mode;
    job->side = canary_side(request, path->settings, value);
    job->query = *query;
    job->if_none_match = http_request_header(request, "If-None-Match");
    job->gzip = path->settings->compression_enabled && negotiate_gzip(http_request_header(request, "Accept-Encoding"));
    job->gzip_level = (int)path->settings->compression_level;
    job->gzip_min_bytes = path->settings->compression_min_bytes;
    if (job->side == ENDPOINT_LEGACY)
        read_legacy(job);
    else
        read_repo(job);
}
