/* Items of a body or a file, one after the other. Whether an item is good JSON is not looked at here: one that is not
 * must not keep the others from being read. */
#ifndef NOF0_INGEST_EVENT_SPLIT_H
#define NOF0_INGEST_EVENT_SPLIT_H

#include "base/err.h"
#include "base/slice.h"

/* Told of each item in order; returns false to stop. */
typedef bool event_item_fn(void *arg, struct slice item);

/* A JSON text: an array gives its elements, anything else is one item. False with ERR_INVALID ("line 3, column 7: ...")
 * when it is an array that cannot be taken apart (a bracket or a comma is missing, something follows): items that stand
 * before were told all the same. False too, with ERR_NONE, when on_item stopped. */
bool event_split_json(struct slice text, event_item_fn *on_item, void *arg, struct err *err);

/* The next line of newline-delimited JSON: *line without its end and blanks around it (n == 0: an empty one), and *text
 * what follows. False when no whole line is there; `last`: the text's end ends a line too. */
bool event_next_line(struct slice *text, bool last, struct slice *line);

#endif
