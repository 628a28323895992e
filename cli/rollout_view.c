#include "cli/rollout_view.h"

#include "base/clock.h"
#include "base/json_write.h"
#include "base/mem.h"
#include "cli/parity_text.h"

#include <inttypes.h>
#include <stdlib.h>

enum { US_PER_MS = 1000, KEPT_LINES = 8 };

/* How an endpoint was at the last look. */
struct before {
    enum rollout_state state;
    bool refused;
    int64_t version;
};

struct rollout_view {
    struct rollout_view_options options;
    bool began;
    bool on;
    struct before tracks[FLAG_COUNT];
    char *lines[KEPT_LINES]; /* the newest events, for below the table; oldest first, NULL where there are fewer */
};

/* What happened, to an endpoint or to the plan. */
struct event {
    const char *name;
    int64_t at_us;
    const char *text;
    const struct rollout_scene *scene; /* NULL: of no endpoint */
    size_t track;
    bool change; /* the flag went from one value to another */
};

struct rollout_view *rollout_view_new(const struct rollout_view_options *options)
{
    struct rollout_view *view = mem_zalloc(sizeof *view);
    view->options = *options;
    view->on = true;
    return view;
}

void rollout_view_free(struct rollout_view *view)
{
    if (!view)
        return;
    for (size_t i = 0; i < KEPT_LINES; i++)
        free(view->lines[i]);
    free(view);
}

/* --- An event --- */

static void put_value(struct json_writer *w, const char *key, enum flag flag, struct flag_value value)
{
    struct buf text = BUF_INIT;
    flag_value_put(&text, flag, value);
    json_key(w, slice_of(key));
    json_string(w, buf_slice(&text));
    buf_free(&text);
}

static void put_integer(struct json_writer *w, const char *key, int64_t value)
{
    json_key(w, slice_of(key));
    json_i64(w, value);
}

static void put_track_json(struct json_writer *w, const struct event *event)
{
    const struct rollout_track *track = &event->scene->plan->tracks[event->track];
    const struct rollout_sight *sight = &event->scene->look->sights[event->track];
    const struct rollout_position *position = &event->scene->positions[event->track];
    json_key(w, SLICE("endpoint"));
    json_string(w, slice_of(rollout_flag_name(track->flag)));
    if (event->change) {
        json_key(w, SLICE("by"));
        json_string(w, slice_of(sight->by));
        put_value(w, "from", track->flag, sight->from);
    }
    put_value(w, event->change ? "to" : "value", track->flag, sight->value);
    put_integer(w, "version", sight->version);
    json_key(w, SLICE("state"));
    json_string(w, slice_of(rollout_state_name(position->state)));
    put_integer(w, "step", (int64_t)position->step);
    put_integer(w, "steps", (int64_t)track->step_count);
    put_integer(w, "soak_left_ms", position->soak_left_us / US_PER_MS);
    put_integer(w, "comparisons", (int64_t)sight->comparisons);
    put_integer(w, "need", (int64_t)position->need);
    put_integer(w, "differences", (int64_t)sight->mismatches);
    put_integer(w, "failures", (int64_t)sight->failures);
}

static void put_json(struct buf *out, const struct event *event)
{
    char time[CLOCK_ISO_SIZE];
    struct json_writer w = json_writer_on(out);
    json_begin_object(&w);
    json_key(&w, SLICE("at"));
    json_string(&w, slice_of(clock_format_iso(time, event->at_us / US_PER_MS)));
    json_key(&w, SLICE("event"));
    json_string(&w, slice_of(event->name));
    if (event->scene)
        put_track_json(&w, event);
    json_key(&w, SLICE("text"));
    json_string(&w, slice_of(event->text));
    json_end_object(&w);
    buf_append_char(out, '\n');
}

/* "2026-11-24T18:40:01.123Z trades: shadow -> canary:5: step 2 of 4: ...", without an end of line. */
static void put_line(struct buf *out, const struct event *event)
{
    char time[CLOCK_ISO_SIZE];
    buf_printf(out, "%s ", clock_format_iso(time, event->at_us / US_PER_MS));
    if (event->scene) {
        const struct rollout_track *track = &event->scene->plan->tracks[event->track];
        const struct rollout_sight *sight = &event->scene->look->sights[event->track];
        buf_printf(out, "%s: ", rollout_flag_name(track->flag));
        if (event->change) {
            flag_value_put(out, track->flag, sight->from);
            buf_append_str(out, " -> ");
        }
        flag_value_put(out, track->flag, sight->value);
        buf_append_str(out, ": ");
        if (!event->change)
            buf_printf(out, "%s%s", event->name, *event->text ? ": " : "");
    }
    parity_text_put(out, slice_of(event->text));
}

static void keep_line(struct rollout_view *view, char *line)
{
    free(view->lines[0]);
    for (size_t i = 1; i < KEPT_LINES; i++)
        view->lines[i - 1] = view->lines[i];
    view->lines[KEPT_LINES - 1] = line;
}

static void tell(struct rollout_view *view, const struct event *event)
{
    struct buf text = BUF_INIT;
    if (view->options.format == ROLLOUT_JSON) {
        put_json(&text, event);
    } else {
        put_line(&text, event);
        if (view->options.format == ROLLOUT_TABLE) {
            (void)buf_cstr(&text);
            keep_line(view, buf_take(&text, NULL));
            return;
        }
        buf_append_char(&text, '\n');
    }
    (void)fwrite(text.data, 1, text.len, view->options.out);
    (void)fflush(view->options.out);
    buf_free(&text);
}

void rollout_view_say(struct rollout_view *view, const char *event, const char *text)
{
    tell(view, &(const struct event){.name = event, .at_us = clock_wall_ms() * US_PER_MS, .text = text});
}

/* --- What changed --- */

static void tell_of_track(struct rollout_view *view, const struct rollout_scene *scene, size_t at, const char *name,
                          bool change, const char *text)
{
    tell(view, &(const struct event){.name = name,
                                     .at_us = change ? scene->look->sights[at].since_us : scene->look->now_us,
                                     .text = text,
                                     .scene = scene,
                                     .track = at,
                                     .change = change});
}

static void show_track(struct rollout_view *view, const struct rollout_scene *scene, size_t at)
{
    const struct rollout_sight *sight = &scene->look->sights[at];
    const struct rollout_position *position = &scene->positions[at];
    struct before *before = &view->tracks[at];
    const char *refused = scene->refused ? scene->refused[at] : NULL;
    bool changed = view->began && before->version != sight->version;
    bool moved = !view->began || before->state != position->state;
    struct buf note = BUF_INIT;
    if (changed)
        tell_of_track(view, scene, at, "changed", true, sight->why);
    rollout_put_note(&note, &scene->plan->tracks[at], sight, position);
    /* A change says why the next step soaks; what waits or is due says nothing yet. */
    bool tells = moved && position->state != ROLLOUT_WAITING && position->state != ROLLOUT_DUE &&
                 !(changed && (position->state == ROLLOUT_SOAKING || position->state == ROLLOUT_COMPARING));
    if (tells)
        tell_of_track(view, scene, at, rollout_state_name(position->state), false, buf_cstr(&note));
    if (refused && (!before->refused || changed))
        tell_of_track(view, scene, at, "refused", false, refused);
    *before = (struct before){.state = position->state, .refused = refused != NULL, .version = sight->version};
    buf_free(&note);
}

static void redraw(struct rollout_view *view, const struct rollout_scene *scene)
{
    struct buf page = BUF_INIT;
    buf_append_str(&page, "\x1b[H\x1b[J");
    rollout_put_table(&page, scene, view->options.width, view->options.color);
    buf_append_char(&page, '\n');
    for (size_t i = 0; i < KEPT_LINES; i++) {
        if (!view->lines[i])
            continue;
        struct slice line = slice_of(view->lines[i]);
        if (view->options.width)
            parity_text_cut_end(&page, line, view->options.width);
        else
            buf_append_slice(&page, line);
        buf_append_char(&page, '\n');
    }
    (void)fwrite(page.data, 1, page.len, view->options.out);
    (void)fflush(view->options.out);
    buf_free(&page);
}

void rollout_view_show(struct rollout_view *view, const struct rollout_scene *scene)
{
    if (!view->began) {
        struct buf text = BUF_INIT;
        buf_printf(&text, "rollout %s, %zu at a time: ", scene->plan->name, scene->plan->parallel);
        rollout_put_summary(&text, scene);
        rollout_view_say(view, "begin", buf_cstr(&text));
        buf_free(&text);
    }
    if (view->on != scene->look->on) {
        view->on = scene->look->on;
        rollout_view_say(view, view->on ? "unpaused" : "paused",
                         view->on ? "switch.rollout is on again: goes on" : "paused: switch.rollout is off");
    }
    for (size_t i = 0; i < scene->plan->track_count; i++)
        show_track(view, scene, i);
    view->began = true;
    if (view->options.format == ROLLOUT_TABLE)
        redraw(view, scene);
}

void rollout_view_stand(struct rollout_view *view, const struct rollout_scene *scene)
{
    if (view->options.format != ROLLOUT_JSON) {
        struct buf table = BUF_INIT;
        if (view->options.format == ROLLOUT_TABLE)
            redraw(view, scene);
        else
            rollout_put_table(&table, scene, view->options.width, view->options.color);
        (void)fwrite(table.data, 1, table.len, view->options.out);
        buf_free(&table);
    }
    for (size_t i = 0; view->options.format == ROLLOUT_JSON && i < scene->plan->track_count; i++) {
        struct buf note = BUF_INIT;
        rollout_put_note(&note, &scene->plan->tracks[i], &scene->look->sights[i], &scene->positions[i]);
        tell_of_track(view, scene, i, "stands", false,
                      scene->refused && scene->refused[i] ? scene->refused[i] : buf_cstr(&note));
        buf_free(&note);
    }
}

void rollout_view_end(struct rollout_view *view, const char *summary)
{
    if (view->options.format == ROLLOUT_JSON)
        rollout_view_say(view, "end", summary);
}
