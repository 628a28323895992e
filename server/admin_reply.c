#include "server/admin_reply.h"

#include "base/clock.h"
#include "base/json_write.h"

#include <inttypes.h>

enum { US_PER_MS = 1000 };

static void put_text(struct json_writer *w, const char *key, struct slice value)
{
    json_key(w, slice_of(key));
    if (value.p)
        json_string(w, value);
    else
        json_null(w);
}

static void put_integer(struct json_writer *w, const char *key, int64_t value)
{
    json_key(w, slice_of(key));
    json_i64(w, value);
}

/* `there` false: null. */
static void put_value(struct json_writer *w, const char *key, enum flag flag, bool there, struct flag_value value)
{
    struct buf text = BUF_INIT;
    flag_value_put(&text, flag, value);
    put_text(w, key, there ? buf_slice(&text) : (struct slice){NULL, 0});
    buf_free(&text);
}

static void put_flag(struct json_writer *w, const struct flag_keeper_view *view, enum flag flag)
{
    const struct flag_state *state = &view->set.states[flag];
    const struct flag_stored *stored = &view->rows.flags[flag];
    json_begin_object(w);
    put_text(w, "name", slice_of(flag_name(flag)));
    put_text(w, "about", slice_of(flag_about(flag)));
    put_value(w, "value", flag, true, state->value);
    put_text(w, "source", slice_of(flag_source_name(state->source)));
    put_integer(w, "version", state->version);
    put_value(w, "default", flag, true, view->defaults[flag]);
    put_value(w, "stored", flag, stored->set, stored->value);
    put_value(w, "environment", flag, view->overrides.present[flag], view->overrides.values[flag]);
    json_end_object(w);
}

static void put_etag(struct http_request *request, int64_t version)
{
    http_reply_header(request, "ETag",
                      slice_of(arena_printf(http_request_arena(request), "\"v%" PRId64 "\"", version)));
}

void admin_reply_flags(struct http_request *request, const struct flag_keeper_view *view)
{
    struct buf json = BUF_INIT;
    struct json_writer w = json_writer_on(&json);
    json_begin_object(&w);
    put_integer(&w, "version", view->set.version);
    json_key(&w, SLICE("flags"));
    json_begin_array(&w);
    for (enum flag flag = 0; flag < FLAG_COUNT; flag++)
        put_flag(&w, view, flag);
    json_end_array(&w);
    json_end_object(&w);
    put_etag(request, view->set.version);
    reply_private_json(request, 200, buf_slice(&json));
    buf_free(&json);
}

void admin_reply_flag(struct http_request *request, const struct flag_keeper_view *view, enum flag flag)
{
    struct buf json = BUF_INIT;
    struct json_writer w = json_writer_on(&json);
    put_flag(&w, view, flag);
    put_etag(request, view->set.states[flag].version);
    reply_private_json(request, 200, buf_slice(&json));
    buf_free(&json);
}

void admin_put_logged(struct json_writer *w, const struct flag_logged *logged)
{
    char time[CLOCK_ISO_SIZE];
    json_begin_object(w);
    put_integer(w, "id", logged->id);
    put_text(w, "flag", slice_of(flag_name(logged->flag)));
    put_text(w, "from", logged->from);
    put_text(w, "to", logged->to);
    put_text(w, "origin", logged->origin);
    put_text(w, "actor", logged->actor);
    put_text(w, "reason", logged->reason);
    json_key(w, SLICE("forced"));
    json_bool(w, logged->forced);
    put_text(w, "at", slice_of(clock_format_iso(time, logged->at_us / US_PER_MS)));
    json_end_object(w);
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
