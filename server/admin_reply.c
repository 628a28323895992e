#include "server/admin_reply.h"

#include "base/json_write.h"

#include <inttypes.h>

static void put_etag(struct http_request *request, int64_t version)
{
    http_reply_header(request, "ETag",
                      slice_of(arena_printf(http_request_arena(request), "\"v%" PRId64 "\"", version)));
}

void admin_reply_flags(struct http_request *request, const struct flag_view *view)
{
    struct buf json = BUF_INIT;
    struct json_writer w = json_writer_on(&json);
    json_begin_object(&w);
    json_key(&w, SLICE("version"));
    json_i64(&w, view->set.version);
    json_key(&w, SLICE("flags"));
    json_begin_array(&w);
    for (enum flag flag = 0; flag < FLAG_COUNT; flag++) {
        json_begin_object(&w);
        flag_view_put(&w, view, flag);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    put_etag(request, view->set.version);
    reply_private_json(request, 200, buf_slice(&json));
    buf_free(&json);
}

void admin_reply_flag(struct http_request *request, const struct flag_view *view, enum flag flag)
{
    struct buf json = BUF_INIT;
    struct json_writer w = json_writer_on(&json);
    json_begin_object(&w);
    flag_view_put(&w, view, flag);
    json_end_object(&w);
    put_etag(request, view->set.states[flag].version);
    reply_private_json(request, 200, buf_slice(&json));
    buf_free(&json);
}

void admin_fail(struct http_request *request, const struct settings *settings, unsigned status, const char *code,
                const char *message, const char *param)
{
    reply_private_error(request, settings,
                        &(struct reply_fault){.status = status, .code = code, .message = message, .param = param});
}

void admin_fail_of(struct http_request *request, const struct settings *settings, const struct err *err)
{
    switch (err->code) {
    case ERR_CONFLICT:
        admin_fail(request, settings, 412, "precondition_failed", err->text, NULL);
        return;
    case ERR_REFUSED:
        admin_fail(request, settings, 409, "refused", err->text, NULL);
        return;
    case ERR_INVALID:
        admin_fail(request, settings, 422, "invalid", err->text, NULL);
        return;
    case ERR_UNAVAILABLE:
    case ERR_TIMEOUT:
        admin_fail(request, settings, 503, "unavailable", "the store of the flags cannot be reached", NULL);
        return;
    default:
        admin_fail(request, settings, 500, "internal", "this cannot be done", NULL);
    }
}
