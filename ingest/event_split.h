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

/* An array that is taken apart while it comes. Start with {0}. */
struct event_array {
    size_t at;    /* in the window: what stands before is done with, and may be dropped when `at` is lowered as much */
    bool opened;  /* the bracket was seen */
    bool started; /* and a value: a comma is due before the next */
    bool closed;
};

enum event_step {
    EVENT_STEP_ITEM,  /* *item, which begins and ends in the window */
    EVENT_STEP_MORE,  /* call again with a longer window */
    EVENT_STEP_END,   /* the array ended, and nothing but blanks is behind it */
    EVENT_STEP_FAULT, /* it cannot be taken apart: *what says why, at array->at */
};

/* The next step in the window, whose first non-blank byte is the array's bracket when nothing was dropped yet. `last`:
 * nothing comes behind the window. What comes of it does not depend on how the window grows. */
enum event_step event_array_next(struct event_array *array, struct slice window, bool last, struct slice *item,
                                 const char **what);

/* The next line of newline-delimited JSON: *line without its end and blanks around it (n == 0: an empty one), and *text
 * what follows. False when no whole line is there; `last`: the text's end ends a line too. */
bool event_next_line(struct slice *text, bool last, struct slice *line);

#endif
