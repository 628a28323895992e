/* /admin: the flags over HTTP, for operators' tools. All of it needs the bearer token admin.token; without a token in
 * the settings the paths do not exist. docs/flags.md says what clients see. */
#ifndef NOF0_SERVER_ADMIN_H
#define NOF0_SERVER_ADMIN_H

#include "server/flag_keeper.h"
#include "server/http.h"

/* One worker's door. All that it is made with must outlive it. */
struct admin_door {
    struct flag_keeper *flags;
    struct mailbox *mailbox;
    const struct settings *settings; /* the present ones; replaced on the loop */
};

/* Whether requests for the path are answered here. */
bool admin_is_path(const struct settings *settings, struct slice path);

void admin_answer(struct admin_door *door, struct http_request *request);

#endif
