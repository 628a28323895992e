#include "base/clock.h"
#include "base/num.h"
#include "server/http_internal.h"

#include <stdio.h>
#include <stdlib.h>

void http_must(bool truth, const char *what)
{
    if (truth)
        return;
    (void)fprintf(stderr, "nof0: http: %s\n", what);
    abort();
}

void http_reply_status(struct http_request *request, unsigned status)
{
    request->status = status;
}

static char *append(char *at, struct slice s)
{
    return s.n ? (char *)memcpy(at, s.p, s.n) + s.n : at;
}

void http_reply_header(struct http_request *request, const char *name, struct slice value)
{
    struct slice key = slice_of(name);
    size_t more = key.n + 2 + value.n + 2;
    if (request->headers_room - request->headers_size < more) {
        size_t room = request->headers_room * 2;
        if (room < request->headers_size + more)
            room = request->headers_size + more + 256;
        char *moved = arena_alloc(request->arena, room);
        (void)append(moved, (struct slice){request->headers, request->headers_size});
        request->headers = moved;
        request->headers_room = room;
    }
    char *at = append(request->headers + request->headers_size, key);
    at = append(at, SLICE(": "));
    char *start = at;
    at = append(at, value);
    /* A value made from what a client sent must not be able to end its line. */
    for (char *c = start; c < at; c++)
        if (*c == '\r' || *c == '\n' || *c == '\0')
            *c = ' ';
    at = append(at, SLICE("\r\n"));
    request->headers_size = (size_t)(at - request->headers);
}

static void add_part(struct http_request *request, struct http_part part)
{
    http_must(request->part_count < HTTP_REPLY_PARTS, "a reply has too many parts");
    request->parts[request->part_count++] = part;
}

void http_reply_copy(struct http_request *request, struct slice bytes)
{
    add_part(request, (struct http_part){arena_copy(request->arena, bytes), -1, NULL, NULL});
}

void http_reply_shared(struct http_request *request, struct slice bytes, void (*release)(void *arg), void *arg)
{
    add_part(request, (struct http_part){bytes, -1, release, arg});
}

void http_reply_file(struct http_request *request, int fd, size_t size, void (*release)(void *arg), void *arg)
{
    add_part(request, (struct http_part){{NULL, size}, fd, release, arg});
}

void http_reply_send(struct http_request *request)
{
    http_must(!request->replied, "a request was replied to twice");
    request->replied = true;
    if (request->intake)
        http_receive_forget(request);
    http_conn_ready(request->conn);
}

void http_reply_send_and_close(struct http_request *request)
{
    request->close = true;
    http_reply_send(request);
}

static struct slice status_line(unsigned status)
{
    static const struct {
        unsigned status;
        struct slice line;
    } lines[] = {
#define LINE(number, text)                                                                                             \
    {                                                                                                                  \
        number,                                                                                                        \
        {                                                                                                              \
            "HTTP/1.1 " #number " " text "\r\n", sizeof("HTTP/1.1 " #number " " text "\r\n") - 1                       \
        }                                                                                                              \
    }
        LINE(200, "OK"),
        LINE(304, "Not Modified"),
        LINE(404, "Not Found"),
        LINE(503, "Service Unavailable"),
        LINE(201, "Created"),
        LINE(202, "Accepted"),
        LINE(204, "No Content"),
        LINE(206, "Partial Content"),
        LINE(207, "Multi-Status"),
        LINE(301, "Moved Permanently"),
        LINE(302, "Found"),
        LINE(303, "See Other"),
        LINE(307, "Temporary Redirect"),
        LINE(308, "Permanent Redirect"),
        LINE(400, "Bad Request"),
        LINE(401, "Unauthorized"),
        LINE(403, "Forbidden"),
        LINE(405, "Method Not Allowed"),
        LINE(406, "Not Acceptable"),
        LINE(408, "Request Timeout"),
        LINE(409, "Conflict"),
        LINE(410, "Gone"),
        LINE(412, "Precondition Failed"),
        LINE(413, "Content Too Large"),
        LINE(414, "URI Too Long"),
        LINE(415, "Unsupported Media Type"),
        LINE(417, "Expectation Failed"),
        LINE(422, "Unprocessable Content"),
        LINE(428, "Precondition Required"),
        LINE(429, "Too Many Requests"),
        LINE(431, "Request Header Fields Too Large"),
        LINE(500, "Internal Server Error"),
        LINE(501, "Not Implemented"),
        LINE(502, "Bad Gateway"),
        LINE(504, "Gateway Timeout"),
        LINE(505, "HTTP Version Not Supported"),
#undef LINE
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (lines[i].status == status)
            return lines[i].line;
    return (struct slice){NULL, 0};
}

/* "Date: ...\r\n", made anew when the second has changed. */
static struct slice date_line(struct http_server *server)
{
    int64_t now_ms = clock_wall_ms();
    if (now_ms / 1000 != server->date_s) {
        char date[CLOCK_HTTP_DATE_SIZE];
        char *at = append(server->date_line, SLICE("Date: "));
        at = append(at, slice_of(clock_format_http(date, now_ms)));
        at = append(at, SLICE("\r\n"));
        server->date_size = (size_t)(at - server->date_line);
        server->date_s = now_ms / 1000;
    }
    return (struct slice){server->date_line, server->date_size};
}

/* What the lines that only this layer knows may take. */
enum { OWN_LINES = 256 + HTTP_ID_SIZE };

void http_reply_head(struct http_request *request, unsigned status, struct slice lines)
{
    char *head = arena_alloc(request->arena, lines.n + OWN_LINES);
    (void)append(head, lines);
    request->status = status;
    request->ready_head = (struct slice){head, lines.n};
}

static char *append_status_and_length(char *at, const struct http_request *request, bool no_length)
{
    char number[NUM_TEXT_SIZE];
    struct slice line = status_line(request->status);
    at = append(at, line);
    if (!line.n) {
        at = append(at, SLICE("HTTP/1.1 "));
        at = append(at, (struct slice){number, num_format_i64(number, request->status)});
        at = append(at, SLICE(" \r\n"));
    }
    if (no_length)
        return at;
    size_t body_size = 0;
    for (unsigned i = 0; i < request->part_count; i++)
        body_size += request->parts[i].bytes.n;
    at = append(at, SLICE("Content-Length: "));
    at = append(at, (struct slice){number, num_format_i64(number, (int64_t)body_size)});
    return append(at, SLICE("\r\n"));
}

void http_reply_build_head(struct http_request *request)
{
    bool no_content = request->status == 204 || request->status == 304;
    request->drops_body = no_content || request->head.method == HTTP_HEAD;
    char *head = (char *)request->ready_head.p;
    char *at = head ? head + request->ready_head.n : NULL;
    if (!head || request->headers_size) {
        head = arena_alloc(request->arena, request->ready_head.n + request->headers_size + OWN_LINES);
        at = request->ready_head.p ? append(head, request->ready_head)
                                   : append_status_and_length(head, request, no_content || request->outlet);
    }
    if (request->outlet && http_stream_is_chunked(request))
        at = append(at, SLICE("Transfer-Encoding: chunked\r\n"));
    at = append(at, date_line(request->conn->server));
    at = append(at, request->close ? SLICE("Connection: close\r\n") : SLICE("Connection: keep-alive\r\n"));
    at = append(at, SLICE("X-Request-Id: "));
    at = append(at, slice_of(request->id));
    at = append(at, SLICE("\r\n"));
    at = append(at, (struct slice){request->headers, request->headers_size});
    at = append(at, SLICE("\r\n"));
    request->head_bytes = (struct slice){head, (size_t)(at - head)};
    request->head_built = true;
}

static const char *error_code(unsigned status)
{
    switch (status) {
    case 408:
        return "request_timeout";
    case 413:
        return "body_too_large";
    case 414:
        return "uri_too_long";
    case 417:
        return "expectation_failed";
    case 431:
        return "headers_too_large";
    case 501:
        return "not_implemented";
    case 503:
        return "too_many_connections";
    case 505:
        return "version_not_supported";
    default:
        return "bad_request";
    }
}

/* The reasons are literals of this layer without a character that JSON would escape. */
void http_reply_error(struct http_request *request, unsigned status, const char *reason)
{
    http_reply_status(request, status);
    http_reply_header(request, "Content-Type", SLICE("application/json; charset=utf-8"));
    http_reply_header(request, "Cache-Control", SLICE("no-store"));
    if (status == 503)
        http_reply_header(request, "Retry-After", SLICE("1"));
    struct slice code = slice_of(error_code(status));
    struct slice message = slice_of(reason);
    char *text = arena_alloc(request->arena, code.n + message.n + 64);
    char *at = append(text, SLICE("{\"error\":{\"code\":\""));
    at = append(at, code);
    at = append(at, SLICE("\",\"message\":\""));
    at = append(at, message);
    at = append(at, SLICE("\"}}"));
    add_part(request, (struct http_part){{text, (size_t)(at - text)}, -1, NULL, NULL});
    request->close = true;
    request->replied = true;
}

void http_reply_interim(struct http_request *request)
{
    request->head_bytes = SLICE("HTTP/1.1 100 Continue\r\n\r\n");
    request->head_built = true;
    request->replied = true;
}
