/* What flags' values follow from, and how that and their changes read as JSON: the same in /admin and in nof0ctl. */
#ifndef NOF0_FLAGS_VIEW_H
#define NOF0_FLAGS_VIEW_H

#include "flags/store.h"

struct json_writer;

struct flag_view {
    struct flag_set set; /* what follows */
    struct flag_store_rows rows;
    struct flag_value defaults[FLAG_COUNT]; /* the configuration's */
    struct flag_overrides overrides;
};

/* Adds a flag's members to the object that is open: name, about, value, source, version, default, stored,
 * environment. */
void flag_view_put(struct json_writer *w, const struct flag_view *view, enum flag flag);

/* One change of the log as an object: id, flag, from, to, origin, actor, reason, forced, at. */
void flag_logged_put(struct json_writer *w, const struct flag_logged *logged);

#endif
