/* PUT and DELETE of a flag: who asks names the version that he knows and a reason. Private to server/admin*.c. */
#ifndef NOF0_SERVER_ADMIN_CHANGE_H
#define NOF0_SERVER_ADMIN_CHANGE_H

#include "server/admin.h"

/* Answers the request once the change is made and in force here, or refused. */
void admin_change(struct admin_door *door, struct http_request *request, enum flag flag);

#endif
