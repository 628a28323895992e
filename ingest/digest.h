/* SHA-256 as 64 lower-case hexadecimal digits. */
#ifndef NOF0_INGEST_DIGEST_H
#define NOF0_INGEST_DIGEST_H

#include "base/arena.h"

struct slice digest_hex(struct arena *arena, struct slice bytes);

#endif
