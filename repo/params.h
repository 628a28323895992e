/* The $1, $2, ... of one statement, in binary format, in the arrays that libpq's PQexecParams and PQsendQueryParams
 * take. Values and arrays live in the arena; texts are not copied. */
#ifndef NOF0_REPO_PARAMS_H
#define NOF0_REPO_PARAMS_H

#include "base/arena.h"
#include "repo/columns.h"

#include <libpq-fe.h>

struct params {
    struct arena *arena;
    int count;
    int room;
    Oid *types;
    const char **values; /* NULL entry: SQL NULL */
    int *lengths;
    int *formats; /* all 1 */
};

/* No parameters yet; `arena` must outlive the statement. */
struct params params_on(struct arena *arena);

/* Each adds one parameter. `text` with p == NULL is SQL NULL; the bytes must live until the statement is sent. */
void params_add_text(struct params *params, struct slice text);
void params_add_i64(struct params *params, int64_t value);
void params_add_i32(struct params *params, int32_t value);
void params_add_f64(struct params *params, double value);
void params_add_bool(struct params *params, bool value);
/* Arrays: text[] (none of them NULL), bigint[], double precision[]. */
void params_add_text_array(struct params *params, const struct slice *texts, size_t count);
void params_add_i64_array(struct params *params, const int64_t *values, size_t count);
void params_add_nullable_i64_array(struct params *params, const struct col_i64 *values, size_t count);
void params_add_f64_array(struct params *params, const double *values, size_t count);
/* Any type, already in its binary form; p == NULL is SQL NULL. */
void params_add_binary(struct params *params, Oid type, struct slice bytes);

#endif
