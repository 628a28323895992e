/* What /admin says. Private to server/admin*.c. */
#ifndef NOF0_SERVER_ADMIN_REPLY_H
#define NOF0_SERVER_ADMIN_REPLY_H

#include "server/flag_keeper.h"
#include "server/reply.h"

/* All flags; one flag. Both with the ETag that If-Match takes. */
void admin_reply_flags(struct http_request *request, const struct flag_view *view);
void admin_reply_flag(struct http_request *request, const struct flag_view *view, enum flag flag);

/* An error. `param` may be NULL. */
void admin_fail(struct http_request *request, const struct settings *settings, unsigned status, const char *code,
                const char *message, const char *param);
/* The store could not do what it was asked for. */
void admin_fail_of(struct http_request *request, const struct settings *settings, const struct err *err);

#endif
