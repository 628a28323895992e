/* What a client says about the form and freshness it wants: Accept-Encoding and If-None-Match (RFC 9110, sections
 * 12.5.3, 13.1.2). A header that is no good counts as absent. */
#ifndef NOF0_SERVER_NEGOTIATE_H
#define NOF0_SERVER_NEGOTIATE_H

#include "base/slice.h"

/* Whether to send gzip: it (or "x-gzip", or "*") has a weight above 0 that is not below the one given to "identity".
 * p == NULL: no. */
bool negotiate_gzip(struct slice accept_encoding);

/* Whether the validator stands in the list, weakly compared ("W/" makes no difference), or the list is "*". `etag` as
 * it is sent: W/"...". */
bool negotiate_not_modified(struct slice if_none_match, const char *etag);

#endif
