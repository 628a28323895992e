/* One file of a legacy folder, mapped into memory, with its faults counted and told. */
#ifndef NOF0_INGEST_SOURCE_H
#define NOF0_INGEST_SOURCE_H

#include "base/err.h"
#include "base/slice.h"
#include "ingest/report.h"

#include <stdint.h>

struct source {
    struct report *report;
    char *name;        /* "trades.json"; owned */
    struct slice text; /* the mapped bytes */
    bool missing;      /* there is no such file */
    size_t faults;
    size_t notices;
};

/* Maps DIR/NAME. A file that is not there is `missing`, no fault; one that cannot be read is a fault. Close it in any
 * case. A file that changes while it is mapped is not safe to import: legacy files are replaced whole, never written in
 * place. */
void source_open(struct source *source, struct report *report, const char *dir, const char *name);
void source_close(struct source *source);

/* Checks that the text is strict JSON, telling every fault. True when there was none. */
bool source_check(struct source *source);

/* Tells a fault: "trades.json: $.trades[3].entry_tid: must be an integer, is a text". */
void source_fault(struct source *source, const char *path, const char *what);

/* The size of DIR/NAME in bytes; 0 when it is not there. */
uint64_t source_size(const char *dir, const char *name);

#endif
