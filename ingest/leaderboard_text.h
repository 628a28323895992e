/* The leaderboard as /api/leaderboard answers it: the stored rows of the feed, and where there are none what
 * v_leaderboard computes. */
#ifndef NOF0_INGEST_LEADERBOARD_TEXT_H
#define NOF0_INGEST_LEADERBOARD_TEXT_H

#include "ingest/name_set.h"
#include "repo/session.h"

/* Appends {"leaderboard":[...]}, and the models to `models` (NULL: not wanted). */
bool leaderboard_text(struct session *session, struct buf *out, struct name_set *models, struct err *err) MUST_CHECK;

#endif
