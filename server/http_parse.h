/* A request's head (RFC 9112 sections 2 to 6), read strictly from bytes in memory. No I/O and no allocation: the caller
 * keeps the bytes from the head's first one on and calls again when more have come. What one reader of HTTP could take
 * differently from another is refused, since that is how requests are smuggled: bare CR or LF, folded lines, space
 * before a colon, a Content-Length twice or beside Transfer-Encoding, Host missing or twice. */
#ifndef NOF0_SERVER_HTTP_PARSE_H
#define NOF0_SERVER_HTTP_PARSE_H

#include "base/slice.h"
#include "server/http.h"

enum { HTTP_MAX_FIELDS = 100 };

/* Bytes [at, at + n) of the head. Offsets, so that the bytes may move between two calls. */
struct http_span {
    uint32_t at;
    uint32_t n;
};

struct http_field {
    struct http_span name;
    struct http_span value; /* without the white space around it */
};

struct http_head {
    /* Progress; private to the parser. */
    uint32_t line_start;   /* of the line that is not complete yet */
    uint32_t searched;     /* up to here there is no further LF */
    uint32_t fields_start; /* of the first header line; 0 before the request line is complete */
    bool skipped_empty_line;
    bool has_host;
    bool says_close;
    bool says_keep_alive;
    bool has_transfer_encoding;

    /* The result when HTTP_HEAD_DONE. */
    bool has_length; /* Content-Length came */
    bool chunked;
    bool expects_continue;
    bool keep_alive; /* the client wants the connection kept */
    uint8_t minor;   /* HTTP/1.minor */
    enum http_method method;
    struct http_span method_name;
    struct http_span path;  /* empty stands for "/" */
    struct http_span query; /* behind "?" */
    uint64_t content_length;
    uint32_t size; /* bytes of the whole head with its empty line */
    unsigned field_count;

    /* The result when HTTP_HEAD_BAD: the status to answer and why, in English. */
    unsigned status;
    const char *reason;

    struct http_field fields[HTTP_MAX_FIELDS]; /* field_count of them are set */
};

enum http_head_state { HTTP_HEAD_MORE, HTTP_HEAD_DONE, HTTP_HEAD_BAD };

void http_head_start(struct http_head *head);

/* Reads on. `bytes` begins with the head's first byte and holds everything that has come so far, also what lies behind
 * the head; n may only grow from call to call. The answer for some bytes does not depend on how they were cut. Linear
 * in the head's length over all calls. After DONE or BAD start anew. */
enum http_head_state http_head_read(struct http_head *head, const char *bytes, size_t n,
                                    const struct http_limits *limits);

/* Whether two texts are equal but for the case of ASCII letters. */
bool http_same_name(struct slice a, struct slice b);

#endif
