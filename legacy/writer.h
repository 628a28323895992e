/* Legacy files out: a file is replaced whole (temporary file, fsync, rename, fsync of the folder), so that a reader or
 * a crash sees the old content or the new one, never a part. */
#ifndef NOF0_LEGACY_WRITER_H
#define NOF0_LEGACY_WRITER_H

#include "base/err.h"
#include "base/slice.h"

/* Replaces dir/name by `content`. On failure (ERR_IO, the text names the file and the reason) the old file stands as it
 * was and no temporary one is left. */
bool legacy_write_file(const char *dir, const char *name, struct slice content, struct err *err) MUST_CHECK;

/* The same for content that is larger than memory: open, write any number of pieces, then commit or abort. Not to be
 * shared between threads. */
struct legacy_writer;

/* NULL on failure (ERR_IO). */
struct legacy_writer *legacy_writer_open(const char *dir, const char *name, struct err *err) MUST_CHECK;

/* Appends bytes. After a failure (ERR_IO) every further write and the commit fail too, so that a caller may look once.
 */
bool legacy_writer_write(struct legacy_writer *writer, struct slice bytes, struct err *err);

/* Puts the new file in the old one's place and frees the writer. On failure the old file stands as it was; only when
 * the last step fails, the folder's own fsync, is the new file there already. */
bool legacy_writer_commit(struct legacy_writer *writer, struct err *err) MUST_CHECK;

/* Throws the new file away and frees the writer. NULL is fine. */
void legacy_writer_abort(struct legacy_writer *writer);

#endif
