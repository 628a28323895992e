/* POST /api/ingest/{kind}: events in over HTTP. A JSON body (an object or an array of them) is taken whole and answered
 * with one document; newline-delimited JSON of any length is taken in pieces and answered line by line while it comes,
 * and its client is held back while the database is busy. docs/ingest.md says what clients see.
 *
 * Reading items happens on the loop when they are few, else on the threads of server/offload.h; storing them on those
 * of ingest/event_lanes.h. */
#ifndef NOF0_SERVER_INGEST_H
#define NOF0_SERVER_INGEST_H

#include "cache/floors.h"
#include "ingest/event_lanes.h"
#include "server/http.h"
#include "server/offload.h"
#include "server/settings.h"

/* One worker's door. All that it is made with must outlive it. */
struct ingest_door {
    struct event_base *base;
    struct event_lanes *lanes;
    struct offload *offload;
    struct mailbox *mailbox;
    struct cache_floors *floors;
    const struct settings *settings; /* the present ones; replaced on the loop */
    bool off;                        /* switch.ingest; no new requests are taken */
};

/* Whether requests for the path are answered here. */
bool ingest_is_path(struct slice path);

/* Whether the body of such a request shall come in pieces; for http_server_stream_bodies. */
bool ingest_streams(const struct http_request *request);

void ingest_answer(struct ingest_door *door, struct http_request *request);

/* What the lanes are told by the settings. */
struct event_lanes_options ingest_lanes_options(const struct settings *settings);

#endif
