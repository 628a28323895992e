#include "base/buf.h"
#include "cli/cli_internal.h"
#include "server/settings.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char default_path[] = "etc/nof0.yaml";

int cli_fail(const char *command, const char *format, ...)
{
    struct buf line = BUF_INIT;
    va_list arguments;
    buf_printf(&line, "nof0ctl %s: ", command);
    va_start(arguments, format);
    buf_vprintf(&line, format, arguments);
    va_end(arguments);
    buf_append_char(&line, '\n');
    fwrite(line.data, 1, line.len, stderr);
    buf_free(&line);
    return CLI_FAILED;
}

const struct settings *cli_settings(struct cli_context *context)
{
    if (context->settings)
        return context->settings;
    const char *path = context->config_path;
    const char *from_environment = getenv("NOF0_CONFIG");
    if (!path && from_environment && *from_environment)
        path = from_environment;
    if (!path) {
        path = default_path;
        if (access(path, F_OK) != 0 && errno == ENOENT) {
            context->settings = settings_default();
            return context->settings;
        }
    }
    struct buf faults = BUF_INIT;
    context->settings = settings_load(path, &faults);
    if (!context->settings)
        fwrite(faults.data, 1, faults.len, stderr);
    buf_free(&faults);
    return context->settings;
}

const char *cli_postgres_dsn(struct cli_context *context)
{
    const struct settings *settings = cli_settings(context);
    if (!settings)
        return NULL;
    if (*settings->postgres_dsn)
        return settings->postgres_dsn;
    fprintf(stderr, "nof0ctl: no Postgres is set: postgres.dsn in the configuration file, which takes it from "
                    "NOF0_POSTGRES_DSN\n");
    return NULL;
}

void cli_context_release(struct cli_context *context)
{
    settings_free(context->settings);
    context->settings = NULL;
}
