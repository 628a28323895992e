#include "repo/pg_error.h"

#include <string.h>

static bool begins(const char *s, const char *head)
{
    return strncmp(s, head, strlen(head)) == 0;
}

enum err_code pg_error_code(const char *sqlstate)
{
    static const struct {
        const char *head;
        enum err_code code;
    } rows[] = {
        {"08", ERR_UNAVAILABLE},
        {"57P0", ERR_UNAVAILABLE},
        {"53", ERR_UNAVAILABLE},
        {"25006", ERR_UNAVAILABLE},
        {"28", ERR_UNAVAILABLE},
        {"3D000", ERR_UNAVAILABLE},
        {"57014", ERR_TIMEOUT},
        {"55P03", ERR_TIMEOUT},
        {"23505", ERR_CONFLICT},
        {"40001", ERR_CONFLICT},
        {"40P01", ERR_CONFLICT},
        {"55006", ERR_CONFLICT},
        {"22", ERR_INVALID},
        {"23", ERR_INVALID},
        /* A table or schema that is not there comes with the migration. */
        {"42P01", ERR_UNAVAILABLE},
        {"3F000", ERR_UNAVAILABLE},
    };
    if (!sqlstate || !*sqlstate)
        return ERR_UNAVAILABLE;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (begins(sqlstate, rows[i].head))
            return rows[i].code;
    return ERR_INTERNAL;
}

/* One line: each run of white space becomes one blank, none at the ends. */
static void flatten(char *out, size_t size, const char *text)
{
    size_t n = 0;
    bool gap = false;
    for (; *text && n + 2 < size; text++) {
        if (strchr(" \t\r\n", *text)) {
            gap = n > 0;
            continue;
        }
        if (gap)
            out[n++] = ' ';
        gap = false;
        out[n++] = *text;
    }
    /* A cut through a character takes all of it away. */
    if (*text && ((unsigned char)*text & 0xc0) == 0x80) {
        while (n > 0 && ((unsigned char)out[n - 1] & 0xc0) == 0x80)
            n--;
        n -= n > 0;
    }
    out[n] = '\0';
}

bool pg_error_from_result(struct err *err, const PGresult *result, PGconn *connection)
{
    const char *sqlstate = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *message = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    const char *detail = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL) : NULL;
    if (!message && connection)
        return pg_error_from_connection(err, connection);
    if (!message)
        message = result ? PQresultErrorMessage(result) : "no answer from Postgres";
    char line[400];
    char more[200];
    flatten(line, sizeof line, message);
    flatten(more, sizeof more, detail ? detail : "");
    return err_set(err, pg_error_code(sqlstate), "%s%s%s (SQLSTATE %s)", line, *more ? ": " : "", more,
                   sqlstate ? sqlstate : "none");
}

bool pg_error_from_connection(struct err *err, PGconn *connection)
{
    char line[400];
    flatten(line, sizeof line, connection ? PQerrorMessage(connection) : "");
    return err_set(err, ERR_UNAVAILABLE, "%s", *line ? line : "connection to Postgres is lost");
}
