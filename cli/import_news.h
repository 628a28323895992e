/* What an import tells running servers: after each commit, that a feed changed. At best: an import is good without. */
#ifndef NOF0_CLI_IMPORT_NEWS_H
#define NOF0_CLI_IMPORT_NEWS_H

#include "server/settings.h"

struct redisContext;

/* Set settings, and nothing else. */
struct import_news {
    const struct settings *settings;
    struct redisContext *link; /* NULL: not connected yet, or not any more */
    bool failed;               /* said so, and given up */
};

/* In the form of import_options.committed; arg is the struct import_news. */
void import_news_committed(void *arg, const char *endpoint, int64_t version);

void import_news_end(struct import_news *news);

#endif
