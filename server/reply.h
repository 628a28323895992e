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

/* A JSON text that must not be cached. */
void reply_json(struct http_request *request, const struct settings *settings, unsigned status, struct slice json);

/* 204 for OPTIONS: what the path allows, and the answer to a browser's preflight (Fetch standard, 3.2). */
void reply_options(struct http_request *request, const struct settings *settings, const char *allow);

/* The document, or 304 when the client has it already. `gzip`: the client takes it. Takes the caller's reference. */
void reply_document(struct http_request *request, const struct settings *settings, const struct endpoint *endpoint,
                    struct document *document, bool gzip);

#endif
