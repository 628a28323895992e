#include "cli/parity_source.h"

#include "cli/parity_rows.h"
#include "ingest/capture_document.h"

#include <stdlib.h>

static bool is_url(const char *text)
{
    return strncmp(text, "http://", strlen("http://")) == 0 || strncmp(text, "https://", strlen("https://")) == 0;
}

struct parity_source *parity_source_open(const char *text, const struct settings *settings, int stop_fd,
                                         struct err *err)
{
    if (strcmp(text, "legacy") == 0) {
        if (*settings->legacy_dir)
            return parity_source_files(PARITY_FROM_LEGACY, settings->legacy_dir, err);
        err_set(err, ERR_INVALID,
                "legacy: no folder is set: legacy.dir in the configuration file, which takes it from "
                "NOF0_LEGACY_DIR");
        return NULL;
    }
    if (strcmp(text, "repo") == 0) {
        if (*settings->postgres_dsn)
            return parity_source_repo(settings, err);
        err_set(err, ERR_INVALID,
                "repo: no Postgres is set: postgres.dsn in the configuration file, which takes it "
                "from NOF0_POSTGRES_DSN");
        return NULL;
    }
    if (is_url(text))
        return parity_source_url(text, stop_fd, err);
    return parity_source_files(PARITY_FROM_FOLDER, text, err);
}

void parity_source_close(struct parity_source *source)
{
    if (!source)
        return;
    free(source->name);
    source->ops->close(source);
}

bool parity_source_check(const struct endpoint *endpoint, struct slice json, struct err *err)
{
    return capture_check(parity_rows_places[endpoint->kind].captured, json, err);
}
