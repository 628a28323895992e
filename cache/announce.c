#include "cache/announce.h"

#include "base/mem.h"
#include "base/num.h"
#include "cache/documents_scripts.h"
#include "cache/script.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

/* All that a call points to. */
struct announcement {
    struct cache_key version;
    struct cache_key documents;
    struct cache_key channel;
    char digits[NUM_TEXT_SIZE];
    struct cache_script_call call;
};

static void announcement_make(struct announcement *a, const struct cache_space *space, enum cache_feed feed,
                              int64_t version)
{
    a->version = cache_key_feed_version(space, feed);
    a->documents = cache_key_feed_documents(space, feed);
    a->channel = cache_key_invalidations(space);
    a->call = (struct cache_script_call){
        .keys = {&a->version, &a->documents},
        .key_count = 2,
        .args = {{a->digits, num_format_i64(a->digits, version)},
                 cache_key_text(&a->channel),
                 slice_of(cache_feed_name(feed))},
        .arg_count = 3,
    };
}

struct waiting {
    cache_announced_fn *announced;
    void *arg;
};

static void on_announced(void *arg, const struct redisReply *reply, const struct err *err)
{
    struct waiting *waiting = arg;
    struct err refused = ERR_INIT;
    if (reply && reply->type == REDIS_REPLY_ERROR) {
        err_set(&refused, ERR_INTERNAL, "redis: %.*s", (int)reply->len, reply->str);
        err = &refused;
    }
    if (waiting->announced)
        waiting->announced(waiting->arg, err);
    free(waiting);
}

void cache_announce(struct redis_client *client, const struct cache_space *space, enum cache_feed feed, int64_t version,
                    cache_announced_fn *announced, void *arg)
{
    struct cache_script script = cache_script_of(SCRIPT_ANNOUNCE);
    struct announcement announcement;
    struct waiting *waiting = mem_alloc(sizeof *waiting);
    *waiting = (struct waiting){announced, arg};
    announcement_make(&announcement, space, feed, version);
    cache_script_run(client, &script, &announcement.call, on_announced, waiting);
}

bool cache_announce_blocking(struct redisContext *link, const struct cache_space *space, enum cache_feed feed,
                             int64_t version, struct err *err)
{
    struct cache_script script = cache_script_of(SCRIPT_ANNOUNCE);
    struct announcement announcement;
    announcement_make(&announcement, space, feed, version);
    struct redisReply *reply = cache_script_run_blocking(link, &script, &announcement.call, err);
    if (reply)
        freeReplyObject(reply);
    return reply != NULL;
}
