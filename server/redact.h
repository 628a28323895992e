/* Keys whose values must not be kept: wherever they stand in a JSON text, a hash of the value takes its place. Equal
 * values have equal hashes, so that one still sees whether and where two sides differ. */
#ifndef NOF0_SERVER_REDACT_H
#define NOF0_SERVER_REDACT_H

#include "base/buf.h"

/* Appends a good JSON text, redacted. `keys`: as shadow.redact has them, "user_prompt,cot_trace"; blanks around them do
 * not count, and without any the text comes out as it is.
 *
 * In place of a value stands "sha256:" and 16 hexadecimal digits, in quotes, with "number ", "boolean ", "object " or
 * "array " before it when it is no string. Of a string its characters are hashed, of a number its value, of anything
 * else its text without blanks. null stays, for it says nothing but that it is there. */
void redact_json(const char *keys, struct slice json, struct buf *out);

#endif
