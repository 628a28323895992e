/* What tells an element of an array from the others: the values of the keys that its rule names. */
#ifndef NOF0_PARITY_IDENTITY_H
#define NOF0_PARITY_IDENTITY_H

#include "base/buf.h"
#include "parity/compare.h"

enum { PARITY_IDENTITY_ALTERNATIVES = 4, PARITY_IDENTITY_KEYS = 4 };

/* PARITY_IDENTITY's keys, read: "id|model_id,symbol". */
struct parity_identity_keys {
    int alternatives;
    int count[PARITY_IDENTITY_ALTERNATIVES];
    struct slice key[PARITY_IDENTITY_ALTERNATIVES][PARITY_IDENTITY_KEYS];
};

/* False with *err (ERR_INTERNAL) when there are too many or one is empty. */
bool parity_identity_read_keys(struct parity_identity_keys *keys, const char *text, struct err *err) MUST_CHECK;

struct parity_identity {
    int alternative; /* -1: the element has none */
    struct slice value[PARITY_IDENTITY_KEYS];
};

/* The first alternative whose keys all have a text, a number or a truth value in the element that begins at p; it need
 * not be an object. */
struct parity_identity parity_identity_of(const struct parity_identity_keys *keys, const char *p, const char *end);

bool parity_identity_equal(const struct parity_identity_keys *keys, const struct parity_identity *a,
                           const struct parity_identity *b);

/* Equal for equal identities. */
uint64_t parity_identity_hash(const struct parity_identity_keys *keys, const struct parity_identity *identity,
                              uint64_t seed);

/* Appends "[id=gpt-5_1b2c]". The element must have an identity. */
void parity_identity_put(struct buf *out, const struct parity_identity_keys *keys,
                         const struct parity_identity *identity);

#endif
