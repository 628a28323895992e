/* Where a good answer goes: into the folder, and what it says into the database, so that no difference is lost whenever
 * the program ends. With a database the order is: the new text beside the file (.NAME.json.pending), the differences
 * into the database, the new text in the file's place. What was interrupted is done again; events that come twice do
 * no harm. A file that the database does not have, or whose changes no event can say, is imported as a whole. */
#ifndef NOF0_INGEST_CAPTURE_KEEP_H
#define NOF0_INGEST_CAPTURE_KEEP_H

#include "ingest/capture_feed.h"
#include "ingest/capture_targets.h"

struct capture_keep {
    const char *dir;
    struct capture_state *state;
    struct capture_feed *feed;               /* NULL: there is no database */
    bool import_due[CAPTURE_ENDPOINT_COUNT]; /* all analytics under CAPTURE_ANALYTICS */
};

/* The endpoint whose import brings the target's file. */
enum capture_endpoint capture_keep_group(const struct target *target);

/* Ends what was interrupted: to be called before the target is asked for. */
bool capture_keep_settle(struct capture_keep *keep, struct target *target, struct err *err) MUST_CHECK;

/* The folder's file; false when it is missing or no good. */
bool capture_keep_read(struct capture_keep *keep, const struct target *target, struct buf *text);

/* The target's file says `before` (empty: it is missing or no good) and is to say `now`. */
bool capture_keep_write(struct capture_keep *keep, struct target *target, struct slice before, struct slice now,
                        struct err *err) MUST_CHECK;

/* The target's file is what the server has: if the database lacks it, an import is due. */
void capture_keep_confirm(struct capture_keep *keep, const struct target *target);

/* Imports what is due of the group, if it is; the targets are those of the capture. */
bool capture_keep_import(struct capture_keep *keep, enum capture_endpoint group, const struct targets *targets,
                         struct err *err) MUST_CHECK;

#endif
