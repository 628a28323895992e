/* The bearer tokens that protect what changes something (RFC 6750, 2.1). */
#ifndef NOF0_SERVER_BEARER_H
#define NOF0_SERVER_BEARER_H

#include "server/http.h"

/* Whether the request carries this token. How long it takes tells nothing of the token. */
bool bearer_is(const struct http_request *request, const char *token);

#endif
