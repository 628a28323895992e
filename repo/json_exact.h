/* JSON values that jsonb would change, kept whole. jsonb holds numbers as `numeric`, which has no negative zero, has a
 * limited range, and prints 1e300 as 301 digits and 1e20 as a large integer. A value that has such a number is stored
 * as {"$exact": "<its JSON text>"}, and so is an object that happens to have that very form, so that the way back is
 * never in doubt. Applied to whole column values only. */
#ifndef NOF0_REPO_JSON_EXACT_H
#define NOF0_REPO_JSON_EXACT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

/* True when the JSON text must be wrapped: it has a number token that is a negative zero, that would take more than
 * fifty digits without its exponent, or that is an integer of more than fifteen digits without it; or it is itself an
 * object of one member "$exact" with a text. Linear; any bytes are safe. */
bool json_exact_needed(struct slice json);

/* Appends {"$exact":"..."} around the text. */
void json_exact_wrap(struct buf *out, struct slice json);

/* `stored` is a value as Postgres prints a jsonb. *json receives `stored` itself, or the text that was wrapped in it,
 * made in the arena. False (ERR_INVALID) when what is wrapped is no JSON. */
bool json_exact_unwrap(struct slice stored, struct arena *arena, struct slice *json, struct err *err) MUST_CHECK;

#endif
