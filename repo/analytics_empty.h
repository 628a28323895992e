/* The analytics of a model of which nothing is known. */
#ifndef NOF0_REPO_ANALYTICS_EMPTY_H
#define NOF0_REPO_ANALYTICS_EMPTY_H

#include "base/buf.h"

/* Appends a JSON object with every member of an analytics object: model_id as given, other texts "", numbers 0, the six
 * tables {}. That is what /api/analytics/{modelId} serves for a model that it does not know. */
void analytics_put_empty(struct buf *out, struct slice model_id);

#endif
