/* What /admin says. Private to server/admin*.c. */
#ifndef NOF0_SERVER_ADMIN_REPLY_H
#define NOF0_SERVER_ADMIN_REPLY_H

#include "server/flag_keeper.h"
#include "server/reply.h"

struct json_writer;

/* All flags; one flag. Both with the ETag that If-Match takes. */
void admin_reply_flags(struct http_request *request, const struct flag_keeper_view *view);
void admin_reply_flag(struct http_request *request, const struct flag_keeper_view *view, enum flag flag);

/* One change of the log as an object. */
void admin_put_logged(struct json_writer *w, const struct flag_logged *logged);

/* An error. `param` may be NULL. */
void admin_fail(struct http_request *request, const struct settings *settings, unsigned status, const char *code,
                const char *message, const char *param);
/* The store could not do what it was asked for. */
void admin_fail_of(struct http_request *request, const struct settings *settings, const struct err *err);

#endif
