/* What an import or export tells whoever runs it: a line per file, problems, and on a terminal a bar that is redrawn in
 * place. One thread at a time. */
#ifndef NOF0_INGEST_REPORT_H
#define NOF0_INGEST_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct report;

/* Lines go to `out`, problems and the bar to `problems`; neither is closed. `quiet` leaves only problems; `bar` draws
 * the bar (quiet wins). */
struct report *report_new(FILE *out, FILE *problems, bool quiet, bool bar);
void report_free(struct report *report);

/* An ordinary line, ended here. */
void report_line(struct report *report, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A problem: shown even when quiet. */
void report_problem(struct report *report, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* All the work there is, in bytes, from now on; the clock of rate and remaining time starts. */
void report_begin_work(struct report *report, uint64_t total);
/* So much of it is done; `what` is what is being done ("trades.json: loading"). Cheap enough to call per row. */
void report_progress(struct report *report, uint64_t done, const char *what);
/* The same, drawn at once: before something that takes long without telling how far it is. */
void report_phase(struct report *report, uint64_t done, const char *what);
/* Takes the bar away. */
void report_end_work(struct report *report);

#endif
