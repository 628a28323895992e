#include "flags/view.h"

#include "base/clock.h"
#include "base/json_write.h"

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

void flag_view_put(struct json_writer *w, const struct flag_view *view, enum flag flag)
{
    const struct flag_state *state = &view->set.states[flag];
    const struct flag_stored *stored = &view->rows.flags[flag];
    put_text(w, "name", slice_of(flag_name(flag)));
    put_text(w, "about", slice_of(flag_about(flag)));
    put_value(w, "value", flag, true, state->value);
    put_text(w, "source", slice_of(flag_source_name(state->source)));
    put_integer(w, "version", state->version);
    put_value(w, "default", flag, true, view->defaults[flag]);
    put_value(w, "stored", flag, stored->set, stored->value);
    put_value(w, "environment", flag, view->overrides.present[flag], view->overrides.values[flag]);
}

void flag_logged_put(struct json_writer *w, const struct flag_logged *logged)
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
