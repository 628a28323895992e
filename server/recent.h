/* A worker's most recent small documents by the question that they answer, so that what many clients poll at the same
 * moment (account totals since the same hour) is made and compressed once. Whoever owns it clears it when the data
 * behind the documents change. */
#ifndef NOF0_SERVER_RECENT_H
#define NOF0_SERVER_RECENT_H

#include "repo/read_query.h"
#include "server/document.h"

/* At most RECENT_SLOTS documents of at most RECENT_BODY_MAX bytes each are kept. */
enum { RECENT_SLOTS = 128, RECENT_BODY_MAX = 128 * 1024 };

struct recent;
struct recent *recent_new(void);
void recent_free(struct recent *recent); /* NULL is fine */
void recent_clear(struct recent *recent);

/* The document that answers exactly this question, or NULL. It stays the table's; take a reference to keep it. */
struct document *recent_find(const struct recent *recent, const struct read_query *query);

/* Keeps a reference of its own to the document, in place of the one that its slot held; a large one is not kept. */
void recent_keep(struct recent *recent, const struct read_query *query, struct document *document);

#endif
