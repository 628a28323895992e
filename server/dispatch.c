#include "server/dispatch.h"

#include "server/reply.h"
#include "server/stream_hub.h"

static const char allowed[] = "GET, HEAD, OPTIONS";

/* True when the request is a GET or HEAD; otherwise it is answered here. */
static bool method_is_read(const struct settings *settings, struct http_request *request)
{
    switch (http_request_method(request)) {
    case HTTP_GET:
    case HTTP_HEAD:
        return true;
    case HTTP_OPTIONS:
        reply_options(request, settings, allowed);
        return false;
    default:
        reply_error(request, settings,
                    &(struct reply_fault){.status = 405,
                                          .code = "method_not_allowed",
                                          .message = "only GET, HEAD and OPTIONS are allowed here",
                                          .allow = allowed});
        return false;
    }
}

void dispatch_request(struct read_path *path, struct ingest_door *ingest, struct admin_door *admin,
                      const struct health_view *health, struct http_request *request)
{
    if (path->hot && hot_answer(path->hot, request))
        return;
    struct slice target = http_request_path(request);
    health_handler *about = health_find(target);
    if (about) {
        if (method_is_read(path->settings, request))
            about(health, request);
        return;
    }
    if (ingest_is_path(target)) {
        ingest_answer(ingest, request);
        return;
    }
    if (admin_is_path(path->settings, target)) {
        admin_answer(admin, request);
        return;
    }
    if (path->stream && slice_is(target, "/api/stream")) {
        if (method_is_read(path->settings, request))
            stream_hub_answer(path->stream, request);
        return;
    }
    struct arena *arena = http_request_arena(request);
    struct read_query query;
    const struct endpoint *endpoint = endpoints_match(target, arena, &query);
    if (!endpoint && slice_is(target, "*") && http_request_method(request) == HTTP_OPTIONS) {
        reply_options(request, path->settings, allowed);
        return;
    }
    if (!endpoint) {
        reply_error(
            request, path->settings,
            &(struct reply_fault){.status = 404, .code = "not_found", .message = "there is nothing at this path"});
        return;
    }
    if (!method_is_read(path->settings, request))
        return;

    struct param_fault fault;
    if (!params_read(endpoint->params, http_request_query(request), arena, &query, &fault)) {
        reply_error(request, path->settings,
                    &(struct reply_fault){
                        .status = 400, .code = "bad_parameter", .message = fault.message, .param = fault.param});
        return;
    }
    read_path_answer(path, request, endpoint, &query);
}
