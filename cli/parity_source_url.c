/* Another server of the API. Connections are kept; what was got once is asked for conditionally afterwards; what may
 * pass is tried again. */
#include "base/clock.h"
#include "base/mem.h"
#include "cli/parity_rows.h"
#include "cli/parity_source.h"
#include "ingest/capture_fetch.h"
#include "ingest/capture_time.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/random.h>

enum { TIMEOUT_MS = 10000, RETRIES = 3, NOT_FOUND = 404 };

/* What was last got of a path. */
struct kept {
    char *path;
    struct buf body;
    char *etag;
    char *last_modified;
};

struct url {
    struct parity_source source;
    struct capture_site site;
    struct capture_fetch *fetch;
    int stop_fd;
    struct kept **kept;
    size_t kept_count;
    bool deaf; /* a request of this look got no answer after all tries: others are tried once */
};

static bool look(struct parity_source *source, struct err *err)
{
    (void)err;
    ((struct url *)(void *)source)->deaf = false;
    return true;
}

static struct kept *kept_of(struct url *url, const char *path)
{
    for (size_t i = 0; i < url->kept_count; i++) {
        if (strcmp(url->kept[i]->path, path) == 0)
            return url->kept[i];
    }
    struct kept *kept = mem_zalloc(sizeof *kept);
    kept->path = mem_strndup(path, strlen(path));
    url->kept = mem_realloc((void *)url->kept, (url->kept_count + 1) * sizeof(struct kept *));
    url->kept[url->kept_count++] = kept;
    return kept;
}

static void replace(char **text, const char *with)
{
    free(*text);
    *text = with ? mem_strndup(with, strlen(with)) : NULL;
}

static void keep(struct kept *kept, const struct capture_answer *answer)
{
    buf_clear(&kept->body);
    buf_append_slice(&kept->body, answer->body);
    replace(&kept->etag, answer->etag);
    replace(&kept->last_modified, answer->last_modified);
}

static void forget(struct kept *kept)
{
    buf_clear(&kept->body);
    replace(&kept->etag, NULL);
    replace(&kept->last_modified, NULL);
}

/* Waits so long unless stop_fd ends it. */
static void wait_before_try(const struct url *url, unsigned tries, int64_t retry_after_s)
{
    uint32_t random = 0;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0)
        random = 0;
    struct pollfd stop = {.fd = url->stop_fd, .events = POLLIN};
    (void)poll(&stop, 1, (int)capture_wait_ms(tries, retry_after_s, random));
}

static bool stopped(const struct url *url)
{
    struct pollfd stop = {.fd = url->stop_fd, .events = POLLIN};
    return url->stop_fd >= 0 && poll(&stop, 1, 0) > 0;
}

/* One request. False when the caller is stopping. */
static bool ask(struct url *url, const struct kept *kept, struct capture_answer *answer)
{
    const int64_t for_long_ms = INT64_C(3600) * 1000;
    capture_fetch_start(url->fetch, NULL, kept->path, kept->etag, kept->last_modified);
    while (!capture_fetch_next(url->fetch, for_long_ms, url->stop_fd, answer)) {
        if (stopped(url))
            return false;
    }
    return true;
}

/* Gets the path into kept->body, or leaves that empty where the server has nothing there. */
static bool get(struct url *url, const struct endpoint *endpoint, struct kept *kept, struct err *err)
{
    for (unsigned tries = 1;; tries++) {
        struct capture_answer answer;
        if (!ask(url, kept, &answer))
            return err_set(err, ERR_UNAVAILABLE, "stopped while waiting for the answer");
        struct err fault = answer.err;
        if (answer.outcome == CAPTURE_UNCHANGED)
            return true;
        if (answer.outcome == CAPTURE_GOT && parity_source_check(endpoint, answer.body, &fault)) {
            keep(kept, &answer);
            return true;
        }
        forget(kept);
        if (answer.status == NOT_FOUND)
            return true;
        if (answer.outcome == CAPTURE_REFUSED || tries > RETRIES || url->deaf) {
            url->deaf = url->deaf || answer.outcome == CAPTURE_AGAIN;
            return err_set(err, fault.code, tries > 1 ? "%s: %s (tried %u times)" : "%s: %s", kept->path, fault.text,
                           tries);
        }
        wait_before_try(url, tries, answer.retry_after_s);
    }
}

static bool read_document(struct parity_source *source, const struct endpoint *endpoint, struct slice model,
                          struct buf *json, struct err *err)
{
    struct url *url = (struct url *)(void *)source;
    struct buf path = BUF_INIT;
    buf_append_str(&path, endpoint->path);
    if (endpoint->kind == READ_ANALYTICS_ONE) {
        char *segment = capture_escape(model);
        path.len = (size_t)(strchr(endpoint->path, '{') - endpoint->path);
        buf_append_str(&path, segment);
        free(segment);
    }
    struct kept *kept = kept_of(url, buf_cstr(&path));
    buf_free(&path);
    if (!get(url, endpoint, kept, err))
        return false;
    buf_append_slice(json, buf_slice(&kept->body));
    return true;
}

static bool models(struct parity_source *source, struct name_set *names, struct err *err)
{
    struct buf list = BUF_INIT;
    bool good = read_document(source, &endpoints[READ_ANALYTICS_ALL], (struct slice){NULL, 0}, &list, err);
    if (good)
        parity_rows_models(READ_ANALYTICS_ALL, buf_slice(&list), names);
    buf_free(&list);
    return good;
}

static void close_url(struct parity_source *source)
{
    struct url *url = (struct url *)(void *)source;
    for (size_t i = 0; i < url->kept_count; i++) {
        struct kept *kept = url->kept[i];
        buf_free(&kept->body);
        free(kept->path);
        free(kept->etag);
        free(kept->last_modified);
        free(kept);
    }
    free((void *)url->kept);
    capture_fetch_free(url->fetch);
    capture_site_free(&url->site);
    free(url);
}

struct parity_source *parity_source_url(const char *text, int stop_fd, struct err *err)
{
    static const struct parity_source_ops ops = {look, models, read_document, close_url};
    struct url *url = mem_zalloc(sizeof *url);
    url->stop_fd = stop_fd;
    struct capture_fetch_options options = {
        .site = &url->site, .timeout_ms = TIMEOUT_MS, .max_bytes = INT64_C(1) << 30};
    if (capture_site_parse(&url->site, text, err))
        url->fetch = capture_fetch_new(&options, err);
    if (!url->fetch) {
        url->source.ops = &ops;
        close_url(&url->source);
        return NULL;
    }
    url->source = (struct parity_source){&ops, PARITY_FROM_URL, mem_strndup(url->site.base, strlen(url->site.base))};
    return &url->source;
}
