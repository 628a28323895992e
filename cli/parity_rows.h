/* The rows of an endpoint's document: counted, and narrowed to one model's or to a sample, the same on both sides.
 * Texts must be good documents of their endpoint (parity_source_check). */
#ifndef NOF0_CLI_PARITY_ROWS_H
#define NOF0_CLI_PARITY_ROWS_H

#include "base/buf.h"
#include "cli/parity_check.h"
#include "ingest/capture_document.h"
#include "ingest/name_set.h"

struct parity_rows_place {
    enum capture_endpoint captured;  /* says where the rows are, and how the file is called */
    const char *model_key, *or_else; /* the member of a row that names its model; NULL: rows are of no model */
};
extern const struct parity_rows_place parity_rows_places[READ_KIND_COUNT];

/* Whether rows can be told apart by model. */
bool parity_rows_have_models(enum read_kind kind);

size_t parity_rows_count(enum read_kind kind, struct slice json);

/* Adds the models that the rows name. */
void parity_rows_models(enum read_kind kind, struct slice json, struct name_set *models);

/* Takes other models' rows out of the document; does nothing for an endpoint whose rows are of no model. */
void parity_rows_keep_model(enum read_kind kind, struct slice model, struct buf *json);

/* Takes the rows out of both documents that the sample leaves out. What identifies a row is what `rules` say of the
 * endpoint's array, and the key of a member where the rows are members. */
void parity_rows_keep_sample(enum read_kind kind, const struct parity_rule *rules, const struct parity_sample *sample,
                             struct buf *left, struct buf *right);

#endif
