/* Percent-decoding of a piece of a request target (RFC 3986, section 2.1). */
#ifndef NOF0_SERVER_PERCENT_H
#define NOF0_SERVER_PERCENT_H

#include "base/arena.h"

/* Decodes every %XX; a "%" without two hexadecimal digits behind it makes the result false. With `plus_is_space` a "+"
 * is a space, as in a form's query string. *out is text itself when there is nothing to decode, else lies in the arena;
 * it may hold any byte, NUL too. */
bool percent_decode(struct slice text, bool plus_is_space, struct arena *arena, struct slice *out);

#endif
