#include "cache/redis_url.h"

#include "base/hex.h"
#include "base/num.h"

#include <stdio.h>

enum { MAX_DB = 1000000 };

static bool starts_with(struct slice s, struct slice prefix)
{
    return s.n >= prefix.n && memcmp(s.p, prefix.p, prefix.n) == 0;
}

static struct slice skip(struct slice s, size_t n)
{
    return (struct slice){s.p + n, s.n - n};
}

/* Cuts at the first byte `mark`: *head is before it, *rest behind it. False, and *head is everything, without one. */
static bool cut(struct slice s, char mark, struct slice *head, struct slice *rest)
{
    const char *at = s.n ? memchr(s.p, mark, s.n) : NULL;
    *head = (struct slice){s.p, at ? (size_t)(at - s.p) : s.n};
    *rest = at ? skip(s, head->n + 1) : (struct slice){s.p + s.n, 0};
    return at != NULL;
}

/* Percent-decodes into a NUL-terminated text. `what` names it in the error; its bytes are never shown. */
static bool decode(struct slice s, char *out, size_t size, const char *what, struct err *err)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '%') {
            int high = i + 2 < s.n ? hex_value(s.p[i + 1]) : -1;
            int low = i + 2 < s.n ? hex_value(s.p[i + 2]) : -1;
            if (high < 0 || low < 0)
                return err_set(err, ERR_INVALID, "the Redis URL has a malformed %%XX in its %s", what);
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (c == '\0')
            return err_set(err, ERR_INVALID, "the Redis URL has a NUL in its %s", what);
        if (n + 1 >= size)
            return err_set(err, ERR_INVALID, "the Redis URL's %s is longer than %zu bytes", what, size - 1);
        out[n++] = c;
    }
    out[n] = '\0';
    return true;
}

static bool parse_number(struct slice s, int64_t most, unsigned *value)
{
    int64_t number;
    if (!num_parse_i64(s, &number) || number < 0 || number > most)
        return false;
    *value = (unsigned)number;
    return true;
}

static bool parse_db(struct slice s, struct redis_url *url, struct err *err)
{
    if (!parse_number(s, MAX_DB, &url->db))
        return err_set(err, ERR_INVALID, "the Redis URL's database is no number from 0 to %d", MAX_DB);
    return true;
}

/* Takes "user:password@" off the front. The last "@" counts, so that one in a password need not be encoded. */
static bool parse_credentials(struct slice *rest, size_t authority_size, struct redis_url *url, struct err *err)
{
    const char *at = authority_size ? memrchr(rest->p, '@', authority_size) : NULL;
    if (!at)
        return true;
    struct slice user;
    struct slice password;
    if (!cut((struct slice){rest->p, (size_t)(at - rest->p)}, ':', &user, &password) || password.n == 0)
        return err_set(err, ERR_INVALID, "the Redis URL has a user without a password (write user:password@)");
    url->has_password = true;
    *rest = skip(*rest, (size_t)(at - rest->p) + 1);
    return decode(user, url->user, sizeof url->user, "user", err) &&
           decode(password, url->password, sizeof url->password, "password", err);
}

static bool parse_host(struct slice authority, struct redis_url *url, struct err *err)
{
    struct slice host;
    struct slice port;
    bool has_port;
    if (authority.n && authority.p[0] == '[') {
        if (!cut(skip(authority, 1), ']', &host, &port))
            return err_set(err, ERR_INVALID, "the Redis URL's host has no closing bracket");
        has_port = port.n > 0;
        if (has_port && port.p[0] != ':')
            return err_set(err, ERR_INVALID, "the Redis URL has something between host and port");
        port = has_port ? skip(port, 1) : port;
    } else {
        has_port = cut(authority, ':', &host, &port);
    }
    if (host.n == 0 || host.n >= sizeof url->host || memchr(host.p, '\0', host.n))
        return err_set(err, ERR_INVALID, "the Redis URL has no usable host");
    memcpy(url->host, host.p, host.n);
    url->host[host.n] = '\0';
    url->port = 6379;
    if (has_port && (!parse_number(port, 65535, &url->port) || url->port == 0))
        return err_set(err, ERR_INVALID, "the Redis URL's port is no number from 1 to 65535");
    return true;
}

static bool parse_tcp(struct slice rest, struct redis_url *url, struct err *err)
{
    size_t authority_size = 0;
    while (authority_size < rest.n && rest.p[authority_size] != '/')
        authority_size++;
    if (!parse_credentials(&rest, authority_size, url, err))
        return false;
    struct slice authority;
    struct slice db;
    (void)cut(rest, '/', &authority, &db);
    if (!parse_host(authority, url, err) || (db.n && !parse_db(db, url, err)))
        return false;
    bool is_v6 = strchr(url->host, ':') != NULL;
    (void)snprintf(url->shown, sizeof url->shown, "redis://%s%s%s%s%s:%u/%u", url->user,
                   url->has_password ? ":***@" : "", is_v6 ? "[" : "", url->host, is_v6 ? "]" : "", url->port, url->db);
    return true;
}

static bool parse_unix(struct slice rest, struct redis_url *url, struct err *err)
{
    url->is_unix = true;
    size_t authority_size = 0;
    while (authority_size < rest.n && rest.p[authority_size] != '/')
        authority_size++;
    if (!parse_credentials(&rest, authority_size, url, err))
        return false;
    struct slice path;
    struct slice query;
    bool has_query = cut(rest, '?', &path, &query);
    if (path.n == 0 || path.p[0] != '/')
        return err_set(err, ERR_INVALID, "the Redis URL's socket path does not begin with a slash");
    if (!decode(path, url->path, sizeof url->path, "socket path", err))
        return false;
    if (has_query && !starts_with(query, SLICE("db=")))
        return err_set(err, ERR_INVALID, "the Redis URL may have only db=N behind its question mark");
    if (has_query && !parse_db(skip(query, 3), url, err))
        return false;
    (void)snprintf(url->shown, sizeof url->shown, "unix://%s%s%s?db=%u", url->user, url->has_password ? ":***@" : "",
                   url->path, url->db);
    return true;
}

bool redis_url_parse(struct slice text, struct redis_url *url, struct err *err)
{
    static const struct {
        struct slice scheme;
        bool (*parse)(struct slice rest, struct redis_url *url, struct err *err);
    } schemes[] = {
        {{"redis://", 8}, parse_tcp},
        {{"unix://", 7}, parse_unix},
        {{"redis+unix://", 13}, parse_unix},
    };
    *url = (struct redis_url){.is_unix = false};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
        if (starts_with(text, schemes[i].scheme))
            return schemes[i].parse(skip(text, schemes[i].scheme.n), url, err);
    if (starts_with(text, SLICE("rediss://")))
        return err_set(
            err, ERR_INVALID,
            "rediss:// is not supported: this build's hiredis has no TLS; use redis:// through a local tunnel");
    return err_set(err, ERR_INVALID, "the Redis URL begins with none of redis://, unix://, redis+unix://");
}
