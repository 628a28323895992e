#include "repo/version.h"

#include <endian.h>
#include <string.h>

const char repo_version_sql[] = "SELECT pg_snapshot_xmax(s)::text::bigint - (SELECT count(*) FROM pg_snapshot_xip(s))"
                                " FROM (SELECT pg_current_snapshot() AS s OFFSET 0) AS t";

bool repo_version_decode(const PGresult *result, int64_t *version, struct err *err)
{
    uint64_t big = 0;
    if (PQntuples(result) != 1 || PQnfields(result) != 1 || PQgetisnull(result, 0, 0) ||
        PQgetlength(result, 0, 0) != sizeof big)
        return err_set(err, ERR_INTERNAL, "the version of the data is no bigint");
    memcpy(&big, PQgetvalue(result, 0, 0), sizeof big);
    *version = (int64_t)be64toh(big);
    return true;
}

bool repo_version_read(struct session *session, int64_t *version, struct err *err)
{
    PGresult *result = session_query(session, repo_version_sql, NULL, err);
    bool good = result && repo_version_decode(result, version, err);
    PQclear(result);
    return good;
}
