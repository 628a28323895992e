/* Moving through JSON text at the speed of memory, for the comparison alone. Texts are good JSON; a bad one gives NULL
 * or a wrong place, never a read outside the bounds. */
#ifndef NOF0_PARITY_SCAN_H
#define NOF0_PARITY_SCAN_H

#include "base/json_read.h"
#include "base/json_skip.h"
#include "base/slice.h"

#include <stdint.h>

/* Behind the value that begins at p, NULL when there is none or it does not end. */
const char *parity_scan_value(const char *p, const char *end);

/* p is in an open object, where a member begins or the object ends. Calls on_member for each from there on; keys as
 * they stand between their quotes. Behind the object's end; NULL when on_member returned false, or when it is
 * malformed. */
typedef bool parity_member_fn(void *arg, struct slice key, struct slice value);
const char *parity_scan_members(const char *p, const char *end, parity_member_fn *on_member, void *arg);

/* The same for the elements of an open array. */
typedef bool parity_element_fn(void *arg, struct slice element);
const char *parity_scan_elements(const char *p, const char *end, parity_element_fn *on_element, void *arg);

/* How many bytes are equal, at most n. */
size_t parity_scan_equal(const char *a, const char *b, size_t n);

/* A container that is open at the end of a scan. */
struct parity_level {
    const char *open; /* its bracket; for the outermost where the scan began */
    const char *last; /* where its newest element or member begins, perhaps with blanks */
    size_t count;     /* elements or members before that, since the scan's beginning for the outermost */
};

struct parity_levels {
    int used; /* the outermost is the container that the scan was started in */
    struct parity_level level[JSON_MAX_DEPTH + 1];
};

/* p is where an element or a member of an open container begins. Behind the container's end when that lies before
 * `limit`; else NULL, and *levels says what is open there. */
const char *parity_scan_siblings(const char *p, const char *limit, struct parity_levels *levels);

enum { PARITY_SCAN_BLOCK = 64 };

/* A bit for each of 64 bytes, the lowest for the first. */
struct parity_masks {
    uint64_t quotes, backslashes, commas;
    uint64_t opens, closes; /* of objects and arrays */
};
void parity_scan_masks(const char bytes[PARITY_SCAN_BLOCK], struct parity_masks *masks);
/* The same without the processor's vector instructions: where there are none, and to hold one against the other. */
void parity_scan_masks_portable(const char bytes[PARITY_SCAN_BLOCK], struct parity_masks *masks);

#endif
