/* What a rollout plan shows of itself: a table that is drawn anew on a terminal, a line for each event elsewhere, or a
 * JSON object for each event. Events follow from how one look differs from the one before, so that it makes no
 * difference which process of the plan made a change. */
#ifndef NOF0_CLI_ROLLOUT_VIEW_H
#define NOF0_CLI_ROLLOUT_VIEW_H

#include "cli/rollout_store.h"

#include <stdio.h>

struct rollout_scene {
    const struct rollout_plan *plan;
    const struct rollout_look *look;
    const struct rollout_position *positions;
    const char *const *refused; /* for each track what the guard of flags misses, or NULL */
};

enum rollout_format { ROLLOUT_LINES, ROLLOUT_TABLE, ROLLOUT_JSON };

struct rollout_view_options {
    enum rollout_format format; /* TABLE: redraws */
    bool color;
    size_t width; /* columns of the terminal; 0: any */
    FILE *out;
};

struct rollout_view;
struct rollout_view *rollout_view_new(const struct rollout_view_options *options);
void rollout_view_free(struct rollout_view *view); /* NULL is fine */

/* Shows what changed since the last call, and on a terminal how things stand. */
void rollout_view_show(struct rollout_view *view, const struct rollout_scene *scene);

/* Tells of something that is about no single endpoint; `event` is its stable name, `text` a line for people. */
void rollout_view_say(struct rollout_view *view, const char *event, const char *text);

/* The end, or one look: the table on a terminal and among lines, in JSON an object for each endpoint. */
void rollout_view_stand(struct rollout_view *view, const struct rollout_scene *scene);

/* The last word; for people it stands above the table already. */
void rollout_view_end(struct rollout_view *view, const char *summary);

/* Appends the table, with a line above it that sums it up. */
void rollout_put_table(struct buf *out, const struct rollout_scene *scene, size_t width, bool color);

/* Appends "8 endpoints: 3 arrived, 1 held, 2 under way, 2 waiting". */
void rollout_put_summary(struct buf *out, const struct rollout_scene *scene);

#endif
