/* From a request to who answers it: path, then method, then parameters. */
#ifndef NOF0_SERVER_DISPATCH_H
#define NOF0_SERVER_DISPATCH_H

#include "server/admin.h"
#include "server/health.h"
#include "server/ingest.h"
#include "server/read_path.h"

/* Answers the request: an endpoint of the API through `path`, events through `ingest`, flags through `admin`, a page
 * about the server itself with `health`, or an error 400, 404 or 405. */
void dispatch_request(struct read_path *path, struct ingest_door *ingest, struct admin_door *admin,
                      const struct health_view *health, struct http_request *request);

#endif
