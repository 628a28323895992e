#include "base/mem.h"
#include "server/http_internal.h"

#include <arpa/inet.h>
#include <stdlib.h>

struct http_request *http_request_take(struct conn *conn)
{
    struct http_server *server = conn->server;
    struct http_request *request = STAILQ_FIRST(&server->pool);
    if (request) {
        STAILQ_REMOVE_HEAD(&server->pool, next);
        server->pooled--;
    } else {
        request = mem_alloc(sizeof *request);
        request->arena = arena_new(HTTP_ARENA);
    }
    struct arena *arena = request->arena;
    memset(request, 0, offsetof(struct http_request, head));
    request->arena = arena;
    request->conn = conn;
    request->status = 200;
    http_head_start(&request->head);
    return request;
}

static void free_request(struct http_request *request)
{
    arena_free(request->arena);
    free(request);
}

void http_request_done(struct http_request *request)
{
    struct http_server *server = request->conn->server;
    for (unsigned i = 0; i < request->part_count; i++)
        if (request->parts[i].release)
            request->parts[i].release(request->parts[i].arg);
    buf_free(&request->body);
    if (request->outlet)
        http_stream_free(request);
    if (server->pooled >= HTTP_POOL) {
        free_request(request);
        return;
    }
    arena_reset(request->arena);
    /* The last one in goes out first: its memory is still in the processor's cache. */
    STAILQ_INSERT_HEAD(&server->pool, request, next);
    server->pooled++;
}

void http_requests_free(struct http_requests *requests)
{
    while (!STAILQ_EMPTY(requests)) {
        struct http_request *request = STAILQ_FIRST(requests);
        STAILQ_REMOVE_HEAD(requests, next);
        free_request(request);
    }
}

/* SplitMix64 (Steele, Lea, Flood 2014) over a random start: no two of a server's ids are equal. */
static uint64_t next_id(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static bool is_id(struct slice s)
{
    if (s.n < 1 || s.n > HTTP_ID_SIZE - 1)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' || c == '_' ||
              c == '-'))
            return false;
    }
    return true;
}

void http_request_set_id(struct http_request *request, bool has_head)
{
    struct slice given = has_head ? http_request_header(request, "X-Request-Id") : (struct slice){NULL, 0};
    if (given.p && is_id(given)) {
        memcpy(request->id, given.p, given.n);
        request->id[given.n] = '\0';
        return;
    }
    uint64_t number = next_id(&request->conn->server->id_state);
    for (int i = 0; i < 16; i++)
        request->id[i] = "0123456789abcdef"[(number >> (60 - 4 * i)) & 15];
    request->id[16] = '\0';
}

static struct slice text_of(const struct http_request *request, struct http_span span)
{
    return (struct slice){request->bytes + span.at, span.n};
}

enum http_method http_request_method(const struct http_request *request)
{
    return request->head.method;
}

struct slice http_request_method_name(const struct http_request *request)
{
    return text_of(request, request->head.method_name);
}

struct slice http_request_path(const struct http_request *request)
{
    return request->head.path.n ? text_of(request, request->head.path) : SLICE("/");
}

struct slice http_request_query(const struct http_request *request)
{
    return text_of(request, request->head.query);
}

struct slice http_request_target(const struct http_request *request)
{
    const struct http_head *head = &request->head;
    /* The query is empty with and without a "?" before it, which would make two targets of one text. */
    struct http_span whole = head->path;
    if (head->query.n)
        whole.n = head->query.at + head->query.n - head->path.at;
    return head->path.n ? text_of(request, whole) : (struct slice){NULL, 0};
}

struct slice http_request_body(const struct http_request *request)
{
    return buf_slice(&request->body);
}

struct slice http_request_header(const struct http_request *request, const char *name)
{
    struct slice wanted = slice_of(name);
    struct slice found = {NULL, 0};
    for (unsigned i = 0; i < request->head.field_count; i++) {
        const struct http_field *field = &request->head.fields[i];
        if (field->name.n != wanted.n || !http_same_name(text_of(request, field->name), wanted))
            continue;
        struct slice value = text_of(request, field->value);
        if (!found.p) {
            found = value;
            continue;
        }
        char *joined = arena_alloc(request->arena, found.n + 2 + value.n);
        memcpy(joined, found.p, found.n);
        joined[found.n] = ',';
        joined[found.n + 1] = ' ';
        memcpy(joined + found.n + 2, value.p, value.n);
        found = (struct slice){joined, found.n + 2 + value.n};
    }
    return found;
}

struct arena *http_request_arena(struct http_request *request)
{
    return request->arena;
}

const char *http_request_id(const struct http_request *request)
{
    return request->id;
}

int64_t http_request_started_us(const struct http_request *request)
{
    return request->started_us;
}

struct slice http_request_peer(const struct http_request *request)
{
    const struct conn *conn = request->conn;
    char *text = arena_alloc(request->arena, INET6_ADDRSTRLEN);
    if (!inet_ntop(conn->peer_family, &conn->peer, text, INET6_ADDRSTRLEN))
        return SLICE("unknown");
    return slice_of(text);
}
