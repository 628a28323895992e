/* The version of the data: how many transactions the server had finished in a snapshot, up to a constant. Snapshots of
 * one server are totally ordered, and a later one sees every commit of an earlier one, so the number never falls and
 * rises with each commit that wrote something, without any writer having to keep it. An answer whose version is not
 * below that of a snapshot taken after a commit has that commit for certain.
 *
 * The count: every transaction below xmax has ended, but for those in xip (PostgreSQL, "pg_snapshot components"). A
 * savepoint's own number counts as ended while it is not; since it does so in every later snapshot too, order stays as
 * it is. A standby cannot tell which transactions its primary has open, so this needs a primary. Another cluster (a
 * restored backup) counts anew. */
#ifndef NOF0_REPO_VERSION_H
#define NOF0_REPO_VERSION_H

#include "repo/session.h"

/* One row with one bigint: the version of the snapshot that runs it. */
extern const char repo_version_sql[];

/* The version of a fresh snapshot; outside of a transaction. */
bool repo_version_read(struct session *session, int64_t *version, struct err *err) MUST_CHECK;

/* The bigint in the first field of a binary result of repo_version_sql. ERR_INTERNAL when it is none. */
bool repo_version_decode(const PGresult *result, int64_t *version, struct err *err) MUST_CHECK;

#endif
