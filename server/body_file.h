/* Bytes in a nameless file in memory, for replies that the kernel sends from there without copying. */
#ifndef NOF0_SERVER_BODY_FILE_H
#define NOF0_SERVER_BODY_FILE_H

#include "base/slice.h"

/* A file that begins with these bytes and may be longer; the caller closes it. Writes all of them, and waits for what
 * the kernel does to gather them in huge pages: some ms for some MB. -1 when the system gives none. */
int body_file_new(struct slice bytes);

#endif
