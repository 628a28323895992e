#include "server/canary.h"

static struct slice trimmed(struct slice text)
{
    while (text.n && (text.p[0] == ' ' || text.p[0] == '\t'))
        text = (struct slice){text.p + 1, text.n - 1};
    while (text.n && (text.p[text.n - 1] == ' ' || text.p[text.n - 1] == '\t'))
        text.n--;
    return text;
}

struct slice canary_client_key(struct slice named, struct slice forwarded, struct slice peer)
{
    const char *comma = forwarded.n ? memchr(forwarded.p, ',', forwarded.n) : NULL;
    struct slice first = trimmed(comma ? (struct slice){forwarded.p, (size_t)(comma - forwarded.p)} : forwarded);
    if (named.n)
        return named;
    return first.n ? first : peer;
}

static struct slice client_key(struct http_request *request, const char *header)
{
    struct slice none = {NULL, 0};
    struct slice named = header[0] ? http_request_header(request, header) : none;
    if (named.n)
        return named;
    return canary_client_key(named, http_request_header(request, "X-Forwarded-For"), http_request_peer(request));
}

enum endpoint_side canary_side(struct http_request *request, const struct settings *settings, struct flag_value value)
{
    uint32_t bucket = value.mode == FLAG_CANARY ? flag_bucket(client_key(request, settings->canary_client_header)) : 0;
    return flag_reads_rows(value, bucket) ? ENDPOINT_REPO : ENDPOINT_LEGACY;
}
