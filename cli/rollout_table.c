#include "base/clock.h"
#include "cli/parity_text.h"
#include "cli/rollout_time.h"
#include "cli/rollout_view.h"

#include <inttypes.h>

enum { US_PER_MS = 1000, CELL_SIZE = 64 };

void rollout_put_summary(struct buf *out, const struct rollout_scene *scene)
{
    static const struct {
        enum rollout_state state;
        const char *name;
    } single[] = {{ROLLOUT_ARRIVED, "arrived"},
                  {ROLLOUT_STOPPED, "stopped"},
                  {ROLLOUT_HELD, "held"},
                  {ROLLOUT_WAITING, "waiting"}};
    enum { SINGLES = sizeof single / sizeof single[0] };
    size_t counts[SINGLES] = {0};
    size_t count = scene->plan->track_count;
    size_t others = count;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < SINGLES; k++) {
            bool is_it = scene->positions[i].state == single[k].state;
            counts[k] += is_it;
            others -= is_it;
        }
    }
    const char *before = ": ";
    buf_printf(out, "%zu %s", count, count == 1 ? "endpoint" : "endpoints");
    for (size_t k = 0; k < SINGLES; k++) {
        if (counts[k]) {
            buf_printf(out, "%s%zu %s", before, counts[k], single[k].name);
            before = ", ";
        }
    }
    if (others)
        buf_printf(out, "%s%zu under way", before, others);
}

static const char *color_of(enum rollout_state state)
{
    if (state == ROLLOUT_STOPPED)
        return "\x1b[31m";
    if (state == ROLLOUT_HELD)
        return "\x1b[33m";
    return state == ROLLOUT_ARRIVED ? "\x1b[32m" : "";
}

/* The state with what it means: "held: changed by ann: files first". */
static void put_state(struct buf *out, const struct rollout_scene *scene, size_t at)
{
    const struct rollout_position *position = &scene->positions[at];
    struct buf note = BUF_INIT;
    buf_append_str(out, rollout_state_name(position->state));
    if (scene->refused && scene->refused[at])
        buf_append_str(&note, scene->refused[at]);
    else if (position->state != ROLLOUT_SOAKING && position->state != ROLLOUT_COMPARING)
        rollout_put_note(&note, &scene->plan->tracks[at], &scene->look->sights[at], position);
    if (note.len) {
        buf_append_str(out, ": ");
        parity_text_put(out, buf_slice(&note));
    }
    buf_free(&note);
}

/* Numbers mean something while the plan looks at them. */
static void put_numbers(struct buf *out, const struct rollout_sight *sight, const struct rollout_position *position)
{
    char cell[CELL_SIZE] = "-";
    struct buf left = BUF_INIT;
    bool measured =
        sight->version && (position->state == ROLLOUT_SOAKING || position->state == ROLLOUT_COMPARING ||
                           position->state == ROLLOUT_DUE || (position->state == ROLLOUT_STOPPED && position->step));
    if (position->soak_left_us && measured)
        rollout_time_put(&left, position->soak_left_us);
    else
        buf_append_char(&left, '-');
    buf_printf(out, "  %9.*s", SLICE_ARG(buf_slice(&left)));
    if (measured)
        (void)snprintf(cell, sizeof cell, "%" PRIu64 "/%" PRIu64, sight->comparisons, position->need);
    buf_printf(out, "  %13s", cell);
    if (measured)
        (void)snprintf(cell, sizeof cell, "%" PRIu64, sight->mismatches);
    buf_printf(out, "  %11s  ", cell);
    buf_free(&left);
}

static void put_row(struct buf *out, const struct rollout_scene *scene, size_t at, size_t width, bool color)
{
    const struct rollout_track *track = &scene->plan->tracks[at];
    const struct rollout_sight *sight = &scene->look->sights[at];
    const struct rollout_position *position = &scene->positions[at];
    const char *begin = color ? color_of(position->state) : "";
    struct buf text = BUF_INIT;
    char step[CELL_SIZE];
    size_t start = out->len;
    flag_value_put(&text, track->flag, sight->value);
    (void)snprintf(step, sizeof step, "%zu/%zu", position->step, track->step_count);
    buf_printf(out, "  %-15s  %-12.*s  %5s", rollout_flag_name(track->flag), SLICE_ARG(buf_slice(&text)), step);
    put_numbers(out, sight, position);
    size_t before = out->len - start;
    buf_clear(&text);
    put_state(&text, scene, at);
    buf_append_str(out, begin);
    if (width)
        parity_text_cut_end(out, buf_slice(&text), width > before ? width - before : 1);
    else
        buf_append_slice(out, buf_slice(&text));
    buf_printf(out, "%s\n", *begin ? "\x1b[0m" : "");
    buf_free(&text);
}

void rollout_put_table(struct buf *out, const struct rollout_scene *scene, size_t width, bool color)
{
    char time[CLOCK_ISO_SIZE];
    buf_printf(out, "rollout %s  %s  ", scene->plan->name, clock_format_iso(time, scene->look->now_us / US_PER_MS));
    rollout_put_summary(out, scene);
    if (!scene->look->on)
        buf_append_str(out, "; paused: switch.rollout is off");
    buf_printf(out, "\n\n  %-15s  %-12s  %5s  %9s  %13s  %11s  state\n", "endpoint", "value", "step", "soak left",
               "comparisons", "differences");
    for (size_t i = 0; i < scene->plan->track_count; i++)
        put_row(out, scene, i, width, color);
}
