#include "repo/pg_dsn.h"

#include "base/buf.h"
#include "base/mem.h"

#include <stdlib.h>

struct pg_dsn {
    char *text;
    char *host; /* comma lists as the string has them; NULL when absent */
    char *hostaddr;
    char *port;
    unsigned host_count;
};

static char *copy_or_null(const char *s)
{
    return s && *s ? mem_strndup(s, strlen(s)) : NULL;
}

static unsigned count_items(const char *list)
{
    unsigned count = 1;
    for (const char *p = list; p && *p; p++) {
        count += *p == ',';
    }
    return count;
}

struct pg_dsn *pg_dsn_new(const char *text, struct err *err)
{
    char *message = NULL;
    PQconninfoOption *options = PQconninfoParse(text, &message);
    PQfreemem(message);
    if (!options) {
        err_set(err, ERR_INVALID, "the Postgres DSN is neither a valid URI nor a valid keyword=value string");
        return NULL;
    }
    struct pg_dsn *dsn = mem_zalloc(sizeof *dsn);
    dsn->text = mem_strndup(text, strlen(text));
    for (const PQconninfoOption *option = options; option->keyword; option++) {
        if (strcmp(option->keyword, "host") == 0) {
            dsn->host = copy_or_null(option->val);
        } else if (strcmp(option->keyword, "hostaddr") == 0) {
            dsn->hostaddr = copy_or_null(option->val);
        } else if (strcmp(option->keyword, "port") == 0) {
            dsn->port = copy_or_null(option->val);
        }
    }
    PQconninfoFree(options);
    dsn->host_count = count_items(dsn->hostaddr ? dsn->hostaddr : dsn->host);
    return dsn;
}

void pg_dsn_free(struct pg_dsn *dsn)
{
    if (dsn) {
        free(dsn->text);
        free(dsn->host);
        free(dsn->hostaddr);
        free(dsn->port);
        free(dsn);
    }
}

unsigned pg_dsn_host_count(const struct pg_dsn *dsn)
{
    return dsn->host_count;
}

/* The comma list with its first `turn` items behind the others. A list of one item applies to all hosts. */
static void put_turned(struct buf *out, const char *list, unsigned turn)
{
    const char *cut = list;
    for (unsigned i = 0; i < turn; i++) {
        const char *comma = strchr(cut, ',');
        if (!comma) {
            cut = list;
            break;
        }
        cut = comma + 1;
    }
    buf_append_str(out, cut);
    if (cut != list) {
        buf_append_char(out, ',');
        buf_append(out, list, (size_t)(cut - list) - 1);
    }
}

PGconn *pg_dsn_connect_start(const struct pg_dsn *dsn, unsigned turn)
{
    enum { MAX_KEYWORDS = 8 };
    const char *keywords[MAX_KEYWORDS] = {"fallback_application_name", "dbname", "client_encoding"};
    const char *values[MAX_KEYWORDS] = {"nof0", dsn->text, "UTF8"};
    size_t count = 3;
    turn %= dsn->host_count;

    const char *const names[] = {"host", "hostaddr", "port"};
    const char *const lists[] = {dsn->host, dsn->hostaddr, dsn->port};
    struct buf turned[] = {BUF_INIT, BUF_INIT, BUF_INIT};
    for (size_t i = 0; turn && i < 3; i++) {
        if (lists[i]) {
            put_turned(&turned[i], lists[i], turn);
            keywords[count] = names[i];
            values[count++] = buf_cstr(&turned[i]);
        }
    }
    keywords[count] = NULL;
    values[count] = NULL;
    PGconn *conn = PQconnectStartParams(keywords, values, 1);
    for (size_t i = 0; i < 3; i++) {
        buf_free(&turned[i]);
    }
    return conn;
}
