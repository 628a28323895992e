#include "ingest/capture_fetch.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"

#include <curl/curl.h>
#include <stdlib.h>

enum {
    WHOLE_TIMES = 6, /* a transfer may take so many times the timeout */
    MAX_REDIRECTS = 5,
};

struct transfer {
    struct capture_fetch *fetch;
    struct transfer *next;
    CURL *easy;
    struct curl_slist *headers;
    void *owner;
    struct buf body;
    bool conditional;
    bool too_large;
    int64_t active_ms; /* when something last came */
    char error[CURL_ERROR_SIZE];
};

struct capture_fetch {
    struct capture_fetch_options options;
    CURLM *multi;
    struct transfer *transfers; /* under way */
    size_t count;
    struct transfer *ended; /* whose answer is being looked at */
    int64_t left_ms;        /* when capture_fetch_next last returned */
};

struct capture_fetch *capture_fetch_new(const struct capture_fetch_options *options, struct err *err)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        err_set(err, ERR_INTERNAL, "libcurl cannot start");
        return NULL;
    }
    struct capture_fetch *fetch = mem_zalloc(sizeof *fetch);
    fetch->options = *options;
    fetch->multi = curl_multi_init();
    if (!fetch->multi) {
        err_set(err, ERR_INTERNAL, "libcurl cannot start");
        capture_fetch_free(fetch);
        return NULL;
    }
    return fetch;
}

static void transfer_free(struct transfer *transfer)
{
    if (!transfer)
        return;
    (void)curl_multi_remove_handle(transfer->fetch->multi, transfer->easy);
    curl_easy_cleanup(transfer->easy);
    curl_slist_free_all(transfer->headers);
    buf_free(&transfer->body);
    free(transfer);
}

void capture_fetch_free(struct capture_fetch *fetch)
{
    if (!fetch)
        return;
    transfer_free(fetch->ended);
    while (fetch->transfers) {
        struct transfer *transfer = fetch->transfers;
        fetch->transfers = transfer->next;
        transfer_free(transfer);
    }
    if (fetch->multi)
        (void)curl_multi_cleanup(fetch->multi);
    curl_global_cleanup();
    free(fetch);
}

size_t capture_fetch_count(const struct capture_fetch *fetch)
{
    return fetch->count;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct transfer *transfer = arg;
    size_t n = size * count;
    transfer->active_ms = clock_mono_ms();
    if ((int64_t)(transfer->body.len + n) > transfer->fetch->options.max_bytes) {
        transfer->too_large = true;
        return 0;
    }
    buf_append(&transfer->body, bytes, n);
    return n;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *arg)
{
    static const char status_line[] = "HTTP/";
    struct transfer *transfer = arg;
    size_t n = size * count;
    transfer->active_ms = clock_mono_ms();
    if (n >= strlen(status_line) && memcmp(bytes, status_line, strlen(status_line)) == 0)
        buf_clear(&transfer->body); /* another answer begins, behind a redirect */
    return n;
}

/* curl_slist_append leaves the list as it was when memory runs out, and returns NULL. */
static void add_header(struct transfer *transfer, const char *name, const char *value)
{
    struct buf line = BUF_INIT;
    buf_printf(&line, "%s: %s", name, value);
    struct curl_slist *longer = curl_slist_append(transfer->headers, buf_cstr(&line));
    if (longer) {
        transfer->headers = longer;
        transfer->conditional = true;
    }
    buf_free(&line);
}

static void set_options(struct transfer *transfer, const char *url)
{
    const struct capture_fetch_options *options = &transfer->fetch->options;
    CURL *easy = transfer->easy;
    long timeout = (long)options->timeout_ms;
    (void)curl_easy_setopt(easy, CURLOPT_URL, url);
    (void)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long)MAX_REDIRECTS);
    (void)curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
    (void)curl_easy_setopt(easy, CURLOPT_USERAGENT, "nof0ctl/" NOF0_VERSION);
    (void)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, timeout);
    (void)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout * WHOLE_TIMES);
    (void)curl_easy_setopt(easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)options->max_bytes);
    (void)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    (void)curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    (void)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error);
    (void)curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    if (options->site->user)
        (void)curl_easy_setopt(easy, CURLOPT_USERNAME, options->site->user);
    if (options->site->password)
        (void)curl_easy_setopt(easy, CURLOPT_PASSWORD, options->site->password);
}

void capture_fetch_start(struct capture_fetch *fetch, void *owner, const char *path, const char *etag,
                         const char *last_modified)
{
    struct transfer *transfer = mem_zalloc(sizeof *transfer);
    transfer->fetch = fetch;
    transfer->owner = owner;
    transfer->active_ms = clock_mono_ms();
    transfer->easy = curl_easy_init();
    if (!transfer->easy)
        abort(); /* out of memory, as base/mem.h would say */
    if (etag)
        add_header(transfer, "If-None-Match", etag);
    if (last_modified)
        add_header(transfer, "If-Modified-Since", last_modified);
    struct buf url = BUF_INIT;
    buf_printf(&url, "%s%s", fetch->options.site->base, path);
    set_options(transfer, buf_cstr(&url));
    buf_free(&url);
    transfer->next = fetch->transfers;
    fetch->transfers = transfer;
    fetch->count++;
    (void)curl_multi_add_handle(fetch->multi, transfer->easy);
}

/* Takes it from those under way; it is the one that has ended. */
static void end(struct transfer *transfer)
{
    struct capture_fetch *fetch = transfer->fetch;
    for (struct transfer **at = &fetch->transfers; *at; at = &(*at)->next) {
        if (*at == transfer) {
            *at = transfer->next;
            break;
        }
    }
    fetch->count--;
    fetch->ended = transfer;
}

static const char *header(const struct transfer *transfer, const char *name)
{
    struct curl_header *found;
    return curl_easy_header(transfer->easy, name, 0, CURLH_HEADER, -1, &found) == CURLHE_OK ? found->value : NULL;
}

static enum capture_outcome judge_failure(const struct transfer *transfer, CURLcode code, struct err *err)
{
    const char *what = transfer->error[0] ? transfer->error : curl_easy_strerror(code);
    if (transfer->too_large || code == CURLE_FILESIZE_EXCEEDED) {
        err_set(err, ERR_LIMIT, "the answer is larger than %lld bytes", (long long)transfer->fetch->options.max_bytes);
        return CAPTURE_REFUSED;
    }
    switch (code) {
    case CURLE_TOO_MANY_REDIRECTS:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
        err_set(err, ERR_INVALID, "%s", what);
        return CAPTURE_REFUSED;
    case CURLE_OPERATION_TIMEDOUT:
        err_set(err, ERR_TIMEOUT, "%s", what);
        return CAPTURE_AGAIN;
    default:
        err_set(err, ERR_UNAVAILABLE, "%s", what);
        return CAPTURE_AGAIN;
    }
}

static enum capture_outcome judge_status(const struct transfer *transfer, long status, struct err *err)
{
    enum { OK = 200, NOT_MODIFIED = 304, REQUEST_TIMEOUT = 408, TOO_MANY_REQUESTS = 429, SERVER_FAULTS = 500 };
    if (status == OK)
        return CAPTURE_GOT;
    if (status == NOT_MODIFIED && transfer->conditional)
        return CAPTURE_UNCHANGED;
    err_set(err, ERR_UNAVAILABLE, "answered %ld", status);
    bool passing = status == REQUEST_TIMEOUT || status == TOO_MANY_REQUESTS || status >= SERVER_FAULTS;
    return passing ? CAPTURE_AGAIN : CAPTURE_REFUSED;
}

static void fill(struct transfer *transfer, CURLcode code, struct capture_answer *answer)
{
    *answer = (struct capture_answer){.owner = transfer->owner, .err = ERR_INIT};
    long status = 0;
    curl_off_t retry_after = 0;
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &retry_after);
    answer->status = status;
    answer->retry_after_s = retry_after;
    answer->outcome =
        code == CURLE_OK ? judge_status(transfer, status, &answer->err) : judge_failure(transfer, code, &answer->err);
    answer->body = buf_slice(&transfer->body);
    answer->etag = header(transfer, "ETag");
    answer->last_modified = header(transfer, "Last-Modified");
}

/* Takes one that libcurl has finished. */
static bool take_finished(struct capture_fetch *fetch, struct capture_answer *answer)
{
    int left;
    const CURLMsg *message;
    while ((message = curl_multi_info_read(fetch->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE)
            continue;
        char *owner = NULL;
        CURLcode code = message->data.result;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &owner);
        struct transfer *transfer = (struct transfer *)(void *)owner;
        if (!transfer)
            continue;
        end(transfer);
        fill(transfer, code, answer);
        return true;
    }
    return false;
}

/* Takes one for which nothing came for too long; else says in *wait_ms how long none will be. */
static bool take_silent(struct capture_fetch *fetch, int64_t *wait_ms, struct capture_answer *answer)
{
    int64_t now = clock_mono_ms();
    for (struct transfer *transfer = fetch->transfers; transfer; transfer = transfer->next) {
        int64_t left = transfer->active_ms + fetch->options.timeout_ms - now;
        if (left <= 0) {
            end(transfer);
            *answer = (struct capture_answer){.owner = transfer->owner, .outcome = CAPTURE_AGAIN};
            err_set(&answer->err, ERR_TIMEOUT, "nothing came for %lld ms", (long long)fetch->options.timeout_ms);
            return true;
        }
        if (left < *wait_ms)
            *wait_ms = left;
    }
    return false;
}

/* The time that the caller took for other work does not count as a server's silence. */
static void come_back(struct capture_fetch *fetch, int64_t now)
{
    for (struct transfer *transfer = fetch->transfers; transfer; transfer = transfer->next) {
        int64_t since = transfer->active_ms > fetch->left_ms ? transfer->active_ms : fetch->left_ms;
        transfer->active_ms += now - since;
    }
}

static bool next_answer(struct capture_fetch *fetch, int64_t until, int wake_fd, struct capture_answer *answer)
{
    enum { LONGEST_MS = 3600 * 1000 };
    for (;;) {
        int running;
        (void)curl_multi_perform(fetch->multi, &running);
        if (take_finished(fetch, answer))
            return true;
        int64_t left = until - clock_mono_ms();
        int64_t wait = left < LONGEST_MS ? left : LONGEST_MS;
        if (take_silent(fetch, &wait, answer))
            return true;
        if (left <= 0)
            return false;
        struct curl_waitfd wake = {.fd = wake_fd, .events = CURL_WAIT_POLLIN};
        (void)curl_multi_poll(fetch->multi, &wake, wake_fd >= 0, (int)wait, NULL);
        if (wake.revents)
            return false;
    }
}

bool capture_fetch_next(struct capture_fetch *fetch, int64_t wait_ms, int wake_fd, struct capture_answer *answer)
{
    int64_t now = clock_mono_ms();
    transfer_free(fetch->ended);
    fetch->ended = NULL;
    come_back(fetch, now);
    bool got = next_answer(fetch, now + (wait_ms < 0 ? 0 : wait_ms), wake_fd, answer);
    fetch->left_ms = clock_mono_ms();
    return got;
}

char *capture_escape(struct slice segment)
{
    char *escaped = segment.n ? curl_easy_escape(NULL, segment.p, (int)segment.n) : NULL;
    char *copy = mem_strndup(escaped ? escaped : "", escaped ? strlen(escaped) : 0);
    curl_free(escaped);
    return copy;
}

/* One part of a URL, decoded; NULL when the URL has none. */
static char *take_part(CURLU *url, CURLUPart part)
{
    char *text = NULL;
    char *copy = NULL;
    if (curl_url_get(url, part, &text, CURLU_URLDECODE) == CURLUE_OK && text)
        copy = mem_strndup(text, strlen(text));
    curl_free(text);
    return copy;
}

/* Without slashes behind and without the "/api" of the API itself. */
static void trim_base(char *base)
{
    static const char api[] = "/api";
    size_t n = strlen(base);
    while (n && base[n - 1] == '/')
        n--;
    if (n >= strlen(api) && memcmp(base + n - strlen(api), api, strlen(api)) == 0)
        n -= strlen(api);
    while (n && base[n - 1] == '/')
        n--;
    base[n] = '\0';
}

bool capture_site_parse(struct capture_site *site, const char *text, struct err *err)
{
    *site = (struct capture_site){0};
    CURLU *url = curl_url();
    char *part = NULL;
    bool good = false;
    CURLUcode code = url ? curl_url_set(url, CURLUPART_URL, text, 0) : CURLUE_OUT_OF_MEMORY;
    if (code != CURLUE_OK) {
        err_set(err, ERR_INVALID, "the URL is not understood: %s", curl_url_strerror(code));
        goto out;
    }
    if (curl_url_get(url, CURLUPART_SCHEME, &part, 0) != CURLUE_OK ||
        (strcmp(part, "http") != 0 && strcmp(part, "https") != 0)) {
        err_set(err, ERR_INVALID, "the URL must begin with http:// or https://");
        goto out;
    }
    site->user = take_part(url, CURLUPART_USER);
    site->password = take_part(url, CURLUPART_PASSWORD);
    char *query = take_part(url, CURLUPART_QUERY);
    char *fragment = take_part(url, CURLUPART_FRAGMENT);
    bool ends_there = !query && !fragment;
    free(query);
    free(fragment);
    if (!ends_there) {
        err_set(err, ERR_INVALID, "the URL must end with its path");
        goto out;
    }
    (void)curl_url_set(url, CURLUPART_USER, NULL, 0);
    (void)curl_url_set(url, CURLUPART_PASSWORD, NULL, 0);
    curl_free(part);
    part = NULL;
    if (curl_url_get(url, CURLUPART_URL, &part, 0) != CURLUE_OK) {
        err_set(err, ERR_INVALID, "the URL is not understood");
        goto out;
    }
    site->base = mem_strndup(part, strlen(part));
    trim_base(site->base);
    good = true;
out:
    curl_free(part);
    curl_url_cleanup(url);
    if (!good)
        capture_site_free(site);
    return good;
}

void capture_site_free(struct capture_site *site)
{
    free(site->base);
    free(site->user);
    free(site->password);
    *site = (struct capture_site){0};
}
