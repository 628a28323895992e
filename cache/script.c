#include "cache/script.h"

#include "base/mem.h"
#include "cache/redis_blocking.h"

#include <hiredis/hiredis.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_WORDS = 3 + CACHE_SCRIPT_KEYS + CACHE_SCRIPT_ARGS };

/* A command under way; its words lie in `bytes` behind each other. */
struct run {
    struct redis_client *client;
    struct cache_script script;
    redis_done_fn *done;
    void *arg;
    int argc;
    size_t sizes[MAX_WORDS];
    struct buf bytes; /* from the count of keys on */
};

struct cache_script cache_script_of(const char *text)
{
    struct cache_script script = {.text = text};
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    /* Cannot fail: SHA-1 is always there. Were it not, the wrong name would only cost sending the text. */
    (void)EVP_Digest(text, strlen(text), digest, &length, EVP_sha1(), NULL);
    for (unsigned i = 0; i < 20; i++)
        (void)snprintf(script.sha + 2 * (size_t)i, 3, "%02x", i < length ? digest[i] : 0U);
    return script;
}

static void add_word(struct run *run, struct slice word)
{
    run->sizes[run->argc++] = word.n;
    buf_append_slice(&run->bytes, word);
}

static struct run *run_new(const struct cache_script_call *call)
{
    struct run *run = mem_zalloc(sizeof *run);
    char count[8];
    (void)snprintf(count, sizeof count, "%u", call->key_count);
    run->argc = 2; /* EVAL or EVALSHA, then the script */
    add_word(run, slice_of(count));
    for (unsigned i = 0; i < call->key_count; i++)
        add_word(run, cache_key_text(call->keys[i]));
    for (unsigned i = 0; i < call->arg_count; i++)
        add_word(run, call->args[i]);
    return run;
}

static void run_free(struct run *run)
{
    buf_free(&run->bytes);
    free(run);
}

/* Fills the words of the command: by name or, with `whole`, with the script's text. */
static void words_of(struct run *run, bool whole, const struct cache_script *script, const char **words)
{
    words[0] = whole ? "EVAL" : "EVALSHA";
    words[1] = whole ? script->text : script->sha;
    run->sizes[0] = strlen(words[0]);
    run->sizes[1] = strlen(words[1]);
    const char *at = run->bytes.data;
    for (int i = 2; i < run->argc; i++) {
        words[i] = at;
        at += run->sizes[i];
    }
}

static bool is_unknown(const struct redisReply *reply)
{
    return reply && reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "NOSCRIPT", 8) == 0;
}

static void on_done(void *arg, const struct redisReply *reply, const struct err *err)
{
    struct run *run = arg;
    run->done(run->arg, reply, err);
    run_free(run);
}

static void on_first_done(void *arg, const struct redisReply *reply, const struct err *err)
{
    struct run *run = arg;
    if (!is_unknown(reply)) {
        on_done(run, reply, err);
        return;
    }
    const char *words[MAX_WORDS];
    words_of(run, true, &run->script, words);
    redis_client_command(run->client, run->argc, words, run->sizes, on_done, run);
}

void cache_script_run(struct redis_client *client, const struct cache_script *script,
                      const struct cache_script_call *call, redis_done_fn *done, void *arg)
{
    const char *words[MAX_WORDS];
    struct run *run = run_new(call);
    run->client = client;
    run->script = *script;
    run->done = done;
    run->arg = arg;
    words_of(run, false, &run->script, words);
    redis_client_command(client, run->argc, words, run->sizes, on_first_done, run);
}

struct redisReply *cache_script_run_blocking(struct redisContext *link, const struct cache_script *script,
                                             const struct cache_script_call *call, struct err *err)
{
    const char *words[MAX_WORDS];
    struct run *run = run_new(call);
    words_of(run, true, script, words); /* a tool runs few: the text at once saves a round trip */
    redisAppendCommandArgv(link, run->argc, words, run->sizes);
    run_free(run);
    return redis_blocking_reply(link, err);
}
