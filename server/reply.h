/* The replies of this server: what each kind carries in headers and body. Every function here ends the request. */
#ifndef NOF0_SERVER_REPLY_H
#define NOF0_SERVER_REPLY_H

#include "server/document.h"
#include "server/endpoints.h"
#include "server/http.h"

/* {"error":{"code":...,"message":...,"param":...}}; param may be NULL. A 503 says when to come again. `allow` is the
 * Allow header of a 405, else NULL. */
struct reply_fault {
    unsigned status;
    const char *code;
    const char *message;
    const char *param;
    const char *allow;
};
void reply_error(struct http_request *request, const struct settings *settings, const struct reply_fault *fault);

/* A JSON text that must not be cached; reply_private_json: nor be read by other sites' pages. */
void reply_json(struct http_request *request, const struct settings *settings, unsigned status, struct slice json);

void reply_private_json(struct http_request *request, unsigned status, struct slice json);
void reply_private_error(struct http_request *request, const struct settings *settings,
                         const struct reply_fault *fault);

/* Begins a stream of server-sent events (HTML standard, 9.2): its head, then whatever is written to *stream. */
void reply_event_stream(struct http_request *request, const struct settings *settings,
                        const struct http_stream *stream);

/* 204 for OPTIONS: what the path allows, and the answer to a browser's preflight (Fetch standard, 3.2). */
void reply_options(struct http_request *request, const struct settings *settings, const char *allow);

/* A document that answers an endpoint's clients, and how it came to that. */
struct reply_answer {
    const struct endpoint *endpoint;
    struct document *document;
    enum flag_mode mode;     /* of the endpoint */
    enum endpoint_side side; /* that it is of */
};

/* The heads of a document's replies, all but Date, Connection and X-Request-Id. `gzip` is empty when the document has
 * no compressed form. While the endpoint's two sides are compared the heads say which one answers. */
struct reply_heads {
    struct slice plain;
    struct slice gzip;
    struct slice not_modified;
    size_t tail_size; /* of the document when these were made: their Content-Length counts on it */
};
void reply_heads_make(struct reply_heads *heads, const struct settings *settings, const struct reply_answer *answer);
void reply_heads_free(struct reply_heads *heads);

/* A document with its heads; release(arg) lets go of both. `gzip`: the client takes it. */
struct reply_ready {
    const struct reply_heads *heads;
    struct document *document;
    bool gzip;
    void (*release)(void *arg);
    void *arg;
};
/* The document, or 304 when the client has it already. False, and nothing is done, when the heads' Content-Length is no
 * longer right (the clock was set and has other digits now); the caller makes new ones. */
bool reply_with_heads(struct http_request *request, const struct reply_ready *ready);

/* The same with heads made for this reply alone. Takes the caller's reference to the document. */
void reply_document(struct http_request *request, const struct settings *settings, const struct reply_answer *answer,
                    bool gzip);

#endif
