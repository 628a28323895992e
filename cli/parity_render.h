/* A check's result, written down: a table for people, JSON for programs, JUnit XML for CI, Markdown for a log or a pull
 * request. Texts that came from the sources are made harmless (cli/parity_text.h). */
#ifndef NOF0_CLI_PARITY_RENDER_H
#define NOF0_CLI_PARITY_RENDER_H

#include "base/buf.h"
#include "cli/parity_check.h"

struct parity_style {
    size_t max_diffs; /* shown of an endpoint */
    size_t width;     /* columns of the terminal; 0: lines of any length */
    bool color;
};

void parity_put_table(struct buf *out, const struct parity_result *result, const struct parity_style *style);

/* The parts of the table: the line of one endpoint, what differs in it, and the last line. */
void parity_put_endpoint_line(struct buf *out, const struct parity_result *result, size_t at,
                              const struct parity_style *style);
void parity_put_endpoint_differences(struct buf *out, const struct parity_endpoint *endpoint,
                                     const struct parity_style *style);
/* "9 endpoints: 8 equal, 1 different", without an end of line. */
void parity_put_summary(struct buf *out, const struct parity_result *result);

/* "1 missing, 2 value"; nothing when there are no differences. */
void parity_put_counts(struct buf *out, const struct parity_counts *counts);

/* One JSON document and an end of line; docs/parity.md says what it holds. */
void parity_put_json(struct buf *out, const struct parity_result *result, const struct parity_style *style);
void parity_put_junit(struct buf *out, const struct parity_result *result, const struct parity_style *style);
void parity_put_markdown(struct buf *out, const struct parity_result *result, const struct parity_style *style);

/* Goes through the differences of an endpoint's pairs, `most` at most. Returns how many it gave. */
typedef void parity_shown_fn(void *arg, const struct parity_pair *pair, const struct parity_difference *difference);
size_t parity_each_shown(const struct parity_endpoint *endpoint, size_t most, parity_shown_fn *shown, void *arg);

#endif
