/* Where a Redis server is, as an operator writes it:
 *   redis://[user:password@]host[:port][/db]      host may be [IPv6]; port 6379, db 0 unless said
 *   unix://[user:password@]/path.sock[?db=N]      also redis+unix://
 * An empty user (":password@") means Redis' default user. User, password and path may be percent-encoded. */
#ifndef NOF0_CACHE_REDIS_URL_H
#define NOF0_CACHE_REDIS_URL_H

#include "base/err.h"
#include "base/slice.h"

struct redis_url {
    bool is_unix;
    bool has_password;
    char host[256]; /* name or address, without brackets; empty when is_unix */
    unsigned port;
    char path[108]; /* of the socket when is_unix */
    char user[256]; /* empty: the default user */
    char password[512];
    unsigned db;
    char shown[640]; /* the URL for people: the password is "***" */
};

/* ERR_INVALID when it is none, with a text that never holds a part of the password. */
bool redis_url_parse(struct slice text, struct redis_url *url, struct err *err) MUST_CHECK;

#endif
