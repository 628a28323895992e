#include "cli/parity_show.h"

#include "base/json_read.h"
#include "base/num.h"
#include "cache/keys.h"
#include "cache/redis_blocking.h"
#include "cli/parity_arguments.h"
#include "cli/parity_text.h"
#include "server/settings.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>

/* clang-format off */
static const char usage[] =
    "usage: nof0ctl parity show [ENDPOINT...] [--limit N] [--json]\n"
    "       nof0ctl parity show ENDPOINT --text left|right\n"
    "\n"
    "Prints the pairs of answers that nof0d found to differ while it compared them (docs/flags.md), the newest first:\n"
    "when, for which request, in which mode, by which instance, and what differs, legacy | repo.\n"
    "\n"
    "  --limit N          how many of each endpoint (3); settings shadow.keep_pairs says how many there are at most\n"
    "  --json             one JSON object a line, with both answers\n"
    "  --text left|right  only that side's answer of the newest pair (left: legacy, right: repo)\n"
    "\n"
    "Exit codes: 0 nothing is kept, 1 there are pairs, 2 could not run.\n";
/* clang-format on */

enum { LIMIT = 3, LIMIT_MOST = 10000, COLUMNS_A_VALUE = 60, CLASS_WIDTH = 15 };

struct request {
    bool endpoints[READ_KIND_COUNT];
    int64_t limit;
    bool json;
    const char *text; /* "left", "right"; NULL: not asked for */
};

/* True when the word is an option of this name with a good value, which is then taken. */
static bool take_option(const char *word, const char *value, struct request *request)
{
    if (!value)
        return false;
    if (strcmp(word, "--limit") == 0)
        return num_parse_i64(slice_of(value), &request->limit) && request->limit > 0 && request->limit <= LIMIT_MOST;
    request->text = value;
    return strcmp(word, "--text") == 0 && (strcmp(value, "left") == 0 || strcmp(value, "right") == 0);
}

static bool parse(int argc, char **argv, struct request *request, struct err *err)
{
    size_t named = 0;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (word[0] != '-') {
            if (!parity_endpoints_take(word, request->endpoints, err))
                return false;
            named++;
        } else if (strcmp(word, "--json") == 0) {
            request->json = true;
        } else if (take_option(word, i + 1 < argc ? argv[i + 1] : NULL, request)) {
            i++;
        } else {
            return err_set(err, ERR_INVALID, "%s is no option, or lacks a good value", word);
        }
    }
    if (request->text && (named != 1 || request->json))
        return err_set(err, ERR_INVALID, "--text needs one endpoint, and no --json");
    for (size_t i = 0; i < READ_KIND_COUNT; i++)
        request->endpoints[i] = request->endpoints[i] || named == 0;
    return true;
}

static void put_field(struct buf *out, const cJSON *object, const char *key)
{
    const cJSON *field = cJSON_GetObjectItemCaseSensitive(object, key);
    parity_text_put(out, cJSON_IsString(field) ? slice_of(field->valuestring) : SLICE("-"));
}

static void put_value(struct buf *out, const cJSON *difference, const char *side)
{
    struct buf safe = BUF_INIT;
    put_field(&safe, difference, side);
    parity_text_cut_end(out, buf_slice(&safe), COLUMNS_A_VALUE);
    buf_free(&safe);
}

static void print_pair(const cJSON *pair)
{
    static const char *const head[] = {"endpoint", "at", "target", "mode", "instance"};
    struct buf out = BUF_INIT;
    const cJSON *difference = NULL;
    for (size_t i = 0; i < sizeof head / sizeof *head; i++) {
        buf_append_str(&out, i ? "  " : "");
        put_field(&out, pair, head[i]);
    }
    buf_append_char(&out, '\n');
    cJSON_ArrayForEach(difference, cJSON_GetObjectItemCaseSensitive(pair, "differences"))
    {
        const cJSON *class = cJSON_GetObjectItemCaseSensitive(difference, "class");
        buf_printf(&out, "  %-*s ", CLASS_WIDTH, cJSON_IsString(class) ? class->valuestring : "-");
        put_field(&out, difference, "path");
        buf_append_str(&out, "  ");
        put_value(&out, difference, "left");
        buf_append_str(&out, " | ");
        put_value(&out, difference, "right");
        buf_append_char(&out, '\n');
    }
    const cJSON *more = cJSON_GetObjectItemCaseSensitive(pair, "more");
    if (cJSON_IsNumber(more) && more->valuedouble > 0)
        buf_printf(&out, "  and %.0f more\n", more->valuedouble);
    buf_append_char(&out, '\n');
    (void)fwrite(out.data, 1, out.len, stdout);
    buf_free(&out);
}

static void print_text(const cJSON *pair, const char *side)
{
    const cJSON *document = cJSON_GetObjectItemCaseSensitive(pair, side);
    const cJSON *text = cJSON_GetObjectItemCaseSensitive(document, "text");
    if (cJSON_IsString(text))
        (void)puts(text->valuestring);
    if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(document, "cut")))
        (void)cli_fail("parity show", "the answer is longer; shadow.keep_bytes says how much is kept");
}

static bool print(const struct request *request, struct slice json, struct err *err)
{
    if (request->json) {
        (void)fwrite(json.p, 1, json.n, stdout);
        (void)putchar('\n');
        return true;
    }
    cJSON *pair = json_parse(json, err);
    if (!pair)
        return err_wrap(err, "what is kept is no pair");
    if (request->text)
        print_text(pair, request->text);
    else
        print_pair(pair);
    cJSON_Delete(pair);
    return true;
}

/* Prints what is kept of one endpoint and adds up how many that were. */
static bool show(const struct request *request, struct redisContext *redis, const struct cache_space *space,
                 const struct endpoint *endpoint, size_t *shown, struct err *err)
{
    struct cache_key key = cache_key_parity_pairs(space, slice_of(endpoint->name));
    struct slice name = cache_key_text(&key);
    (void)redisAppendCommand(redis, "LRANGE %b 0 %lld", name.p, name.n,
                             (long long)(request->text ? 1 : request->limit) - 1);
    struct redisReply *reply = redis_blocking_reply(redis, err);
    bool good = reply != NULL;
    for (size_t i = 0; good && i < reply->elements; i++) {
        const struct redisReply *pair = reply->element[i];
        good = print(request, (struct slice){pair->str, pair->len}, err);
        (*shown)++;
    }
    if (reply)
        freeReplyObject(reply);
    return good || err_wrap(err, "%s", endpoint->name);
}

int cmd_parity_show(struct cli_context *context, int argc, char **argv)
{
    struct request request = {.limit = LIMIT};
    struct err err = ERR_INIT;
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        (void)fputs(usage, stdout);
        return CLI_OK;
    }
    if (!parse(argc, argv, &request, &err))
        return cli_fail("parity show", "%s; nof0ctl parity show --help", err.text);
    const struct settings *settings = cli_settings(context);
    struct cache_space space;
    if (!settings)
        return CLI_FAILED;
    if (!settings->redis_url[0])
        return cli_fail("parity show", "redis.url is empty: nothing is kept");
    if (!settings_cache_space(settings, &space, &err))
        return cli_fail("parity show", "%s", err.text);
    struct redisContext *redis = redis_blocking_connect(settings->redis_url, settings->redis_connect_timeout_ms,
                                                        settings->redis_command_timeout_ms, &err);
    if (!redis)
        return cli_fail("parity show", "%s", err.text);
    size_t shown = 0;
    bool good = true;
    for (size_t i = 0; good && i < READ_KIND_COUNT; i++)
        good = !request.endpoints[i] || show(&request, redis, &space, &endpoints[i], &shown, &err);
    redisFree(redis);
    if (!good)
        return cli_fail("parity show", "%s", err.text);
    if (shown == 0 && !request.json)
        (void)fputs("nothing is kept\n", request.text ? stderr : stdout);
    return shown ? CLI_FOUND : CLI_OK;
}
