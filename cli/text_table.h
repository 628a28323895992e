/* A table for people: columns as wide as what stands in them, those without anything left out. */
#ifndef NOF0_CLI_TEXT_TABLE_H
#define NOF0_CLI_TEXT_TABLE_H

#include "base/buf.h"

struct text_table;

/* `heads` must outlive the table. */
struct text_table *text_table_new(const char *const *heads, size_t columns);
void text_table_free(struct text_table *table); /* NULL is fine */

/* Begins a row, whose cells are empty. */
void text_table_row(struct text_table *table);
/* Appends to a cell of the row that was begun last. Any bytes: nothing in them reaches a terminal as a command. */
void text_table_add(struct text_table *table, size_t column, struct slice text);

/* Appends the heads and all rows, a line each. */
void text_table_put(struct buf *out, const struct text_table *table);

#endif
