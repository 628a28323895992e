/* A file as one text. */
#ifndef NOF0_BASE_FILE_H
#define NOF0_BASE_FILE_H

#include "base/buf.h"
#include "base/err.h"

/* Appends the whole file at `path`, at most `most` bytes (less than SIZE_MAX). What *text got before a failure stays in
 * it; the caller frees it either way. Fails with ERR_NOT_FOUND when nothing has that name, ERR_LIMIT when it is longer,
 * and ERR_IO; the text begins with the path. Waits for the disk, and for whoever writes when it is a pipe. */
bool file_read(const char *path, size_t most, struct buf *text, struct err *err) MUST_CHECK;

#endif
