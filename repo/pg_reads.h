/* The reads of repo/reads.h from Postgres: each query is one pipelined batch in one snapshot. */
#ifndef NOF0_REPO_PG_READS_H
#define NOF0_REPO_PG_READS_H

#include "repo/pg_pool.h"
#include "repo/reads.h"

struct pg_reads_config {
    int64_t query_timeout_ms;   /* of one read, > 0 */
    const char *price_provider; /* whose prices READ_CRYPTO_PRICES gives; copied */
};

/* The pool must outlive it, and so must every read under way. Free with pg_reads_free. */
struct repo_reads *pg_reads_new(struct pg_pool *pool, const struct pg_reads_config *config);
/* Reads under way must have ended (pg_pool_free ends them). NULL is fine. */
void pg_reads_free(struct repo_reads *reads);

#endif
