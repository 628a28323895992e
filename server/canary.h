/* Which side answers a client. While an endpoint is a canary that follows from the client's key, so that a client stays
 * on its side. */
#ifndef NOF0_SERVER_CANARY_H
#define NOF0_SERVER_CANARY_H

#include "server/endpoints.h"
#include "server/http.h"

/* What tells clients apart: `named`, the value of the header that canary.client_header names, when it is not empty,
 * else the first address in `forwarded` (X-Forwarded-For), else the address of the peer. */
struct slice canary_client_key(struct slice named, struct slice forwarded, struct slice peer);

/* The side that answers the request under this value of the endpoint's flag. */
enum endpoint_side canary_side(struct http_request *request, const struct settings *settings, struct flag_value value);

#endif
