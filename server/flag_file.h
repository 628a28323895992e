/* The file in which a process keeps the flags that it last knew (flags.keep_file): what the mirror in Redis says too
 * (flags/store.h), replaced whole. */
#ifndef NOF0_SERVER_FLAG_FILE_H
#define NOF0_SERVER_FLAG_FILE_H

#include "flags/store.h"

/* ERR_NOT_FOUND when there is no file, ERR_IO when it cannot be read, ERR_INVALID when it holds something else. */
bool flag_file_read(const char *path, struct flag_store_rows *rows, struct err *err) MUST_CHECK;
/* ERR_IO; the old file stands as it was then. */
bool flag_file_write(const char *path, const struct flag_store_rows *rows, struct err *err) MUST_CHECK;

#endif
