/* The differences that a comparison found, kept: to print them, and to find out which of them last. Data that are being
 * written may differ for a moment, so a difference counts only when it is still there, with the same values, after both
 * sides were read again. */
#ifndef NOF0_PARITY_FINDINGS_H
#define NOF0_PARITY_FINDINGS_H

#include "parity/compare.h"

#include <stddef.h>

struct parity_findings;

/* Keeps at most `most` differences, and of each value at most `value_bytes` bytes to show (and a hash of all of it). */
struct parity_findings *parity_findings_new(size_t most, size_t value_bytes);
void parity_findings_free(struct parity_findings *findings); /* NULL is fine */

/* A parity_difference_fn; arg is a struct parity_findings. Copies what it keeps. */
bool parity_findings_add(void *arg, const struct parity_difference *difference);

/* How many were added, by class, whether kept or not. */
const struct parity_counts *parity_findings_counts(const struct parity_findings *findings);

/* Those kept, in the order in which they were found. Slices live as long as the findings. Values that were cut end with
 * "…"; where both begin alike for long, they begin with one too, so that what differs is there. */
size_t parity_findings_kept(const struct parity_findings *findings);
struct parity_difference parity_findings_at(const struct parity_findings *findings, size_t i);

/* Takes out what is not in `again` as well, with the same class, path and values on both sides. Where some were not
 * kept for being too many, the rest stays counted only if `again` has too many as well. Returns how many of those that
 * went stand in `again` under the same path with other values: they are unsettled, neither equal nor confirmed. */
size_t parity_findings_confirm(struct parity_findings *findings, const struct parity_findings *again);

#endif
