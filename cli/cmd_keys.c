#include "cli/cmd_keys.h"

#include "base/json_write.h"
#include "cache/keys_page.h"
#include "cache/keys_scan.h"
#include "cache/redis_blocking.h"
#include "server/settings.h"

#include <hiredis/hiredis.h>
#include <stdio.h>

static const char usage[] = "usage: nof0ctl keys [--json | --markdown]\n"
                            "       nof0ctl keys --scan [--json]\n"
                            "\n"
                            "Prints every name that nof0 uses in Redis: pattern, type, TTL, value.\n"
                            "\n"
                            "  --json      one JSON document, with all that the registry knows\n"
                            "  --markdown  the page docs/redis-keys.md\n"
                            "  --scan      walks the Redis of redis.url under redis.prefix and prints each key that\n"
                            "              the registry does not know or that has a wrong type or TTL; with --json\n"
                            "              one JSON object a line\n"
                            "\n"
                            "Exit codes: 0 fine, 1 --scan found faults, 2 could not run.\n";

struct request {
    bool json;
    bool markdown;
    bool scan;
};

static bool parse(int argc, char **argv, struct request *request)
{
    for (int i = 1; i < argc; i++) {
        bool *flag = strcmp(argv[i], "--json") == 0       ? &request->json
                     : strcmp(argv[i], "--markdown") == 0 ? &request->markdown
                     : strcmp(argv[i], "--scan") == 0     ? &request->scan
                                                          : NULL;
        if (!flag || *flag)
            return false;
        *flag = true;
    }
    return !request->markdown || !(request->json || request->scan);
}

/* Keys are any bytes; what a terminal might obey, and what is not ASCII, goes out as \xNN. */
static void put_key(struct buf *out, struct slice key)
{
    for (size_t i = 0; i < key.n; i++) {
        unsigned char c = (unsigned char)key.p[i];
        if (c < ' ' || c >= 0x7f || c == '\\')
            buf_printf(out, "\\x%02x", c);
        else
            buf_append_char(out, (char)c);
    }
}

static void print_fault(void *arg, enum cache_fault fault, struct slice key, const char *what)
{
    const struct request *request = arg;
    struct buf shown = BUF_INIT;
    struct buf line = BUF_INIT;
    put_key(&shown, key);
    if (request->json) {
        struct json_writer w = json_writer_on(&line);
        json_begin_object(&w);
        json_key(&w, SLICE("key"));
        json_string(&w, buf_slice(&shown));
        json_key(&w, SLICE("fault"));
        json_string(&w, slice_of(cache_fault_name(fault)));
        json_key(&w, SLICE("what"));
        json_string(&w, slice_of(what));
        json_end_object(&w);
        buf_append_char(&line, '\n');
    } else {
        buf_append_slice(&line, buf_slice(&shown));
        buf_printf(&line, ": %s\n", what);
    }
    fwrite(line.data, 1, line.len, stdout);
    buf_free(&line);
    buf_free(&shown);
}

static int scan(const struct settings *settings, const struct cache_space *space, struct request *request)
{
    struct err err = ERR_INIT;
    struct cache_scan found;
    if (!*settings->redis_url)
        return cli_fail("keys", "no Redis is set: redis.url in the configuration file, which takes it from "
                                "NOF0_REDIS_URL");
    struct redisContext *link = redis_blocking_connect(settings->redis_url, settings->redis_connect_timeout_ms,
                                                       settings->redis_command_timeout_ms, &err);
    bool good = link && cache_keys_scan(link, space, print_fault, request, &found, &err);
    if (link)
        redisFree(link);
    if (!good)
        return cli_fail("keys", "%s", err.text);
    if (!request->json)
        printf("%llu keys, %llu faults\n", (unsigned long long)found.keys, (unsigned long long)found.faults);
    return found.faults ? CLI_FOUND : CLI_OK;
}

int cmd_keys(struct cli_context *context, int argc, char **argv)
{
    struct request request = {false, false, false};
    if (argc >= 2 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return CLI_OK;
    }
    if (!parse(argc, argv, &request)) {
        fputs(usage, stderr);
        return CLI_FAILED;
    }
    struct buf page = BUF_INIT;
    if (request.markdown) {
        cache_keys_put_markdown(&page);
    } else {
        const struct settings *settings = cli_settings(context);
        if (!settings)
            return CLI_FAILED;
        struct cache_space space;
        struct err err = ERR_INIT;
        if (!settings_cache_space(settings, &space, &err))
            return cli_fail("keys", "%s", err.text);
        if (request.scan)
            return scan(settings, &space, &request);
        if (request.json)
            cache_keys_put_json(&page, &space);
        else
            cache_keys_put_table(&page, &space);
    }
    fwrite(page.data, 1, page.len, stdout);
    buf_free(&page);
    return CLI_OK;
}
