/* The documents of one legacy set: each whole file as it goes out, compressed already. Made on the loader's thread when
 * a set is published, immutable and counted, so that workers read them without a lock. */
#ifndef NOF0_SERVER_LEGACY_DOCUMENTS_H
#define NOF0_SERVER_LEGACY_DOCUMENTS_H

#include "legacy/legacy.h"
#include "server/document.h"
#include "server/settings.h"

struct legacy_documents;

/* Takes the caller's reference to `set`. Documents whose bytes did not change come from `previous` (may be NULL)
 * without being compressed again. */
struct legacy_documents *legacy_documents_new(struct legacy_set *set, const struct legacy_documents *previous,
                                              const struct settings *settings);
struct legacy_documents *legacy_documents_ref(struct legacy_documents *documents);
void legacy_documents_unref(struct legacy_documents *documents);

/* Valid as long as `documents`, or longer with a reference of its own. */
struct legacy_set *legacy_documents_set(const struct legacy_documents *documents);

/* The tail of an answer of this kind from a legacy file. */
struct document_tail legacy_documents_tail(enum read_kind kind, const struct legacy_answer *answer);

/* The answer to a query, with one reference for the caller: the document of a whole file (*whole, which may be NULL),
 * or one made for this query. NULL with *err when the files have none (legacy_set_answer). From any thread. */
struct document *legacy_documents_answer(const struct legacy_documents *documents, const struct read_query *query,
                                         bool *whole, struct err *err);

#endif
