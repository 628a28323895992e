#include "cache/redis_blocking.h"

#include "cache/redis_url.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <string.h>

static struct timeval timeval_of(int64_t ms)
{
    return (struct timeval){ms / 1000, (ms % 1000) * 1000};
}

bool redis_blocking_refused(const struct redisReply *reply, struct err *err)
{
    static const char *const passing[] = {"LOADING ",  "BUSY ",       "OOM ",        "MISCONF ",
                                          "READONLY ", "MASTERDOWN ", "NOREPLICAS ", "CLUSTERDOWN ",
                                          "TRYAGAIN ", "NOAUTH ",     "EXECABORT "};
    enum err_code code = ERR_INTERNAL;
    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
        if (strncmp(reply->str, passing[i], strlen(passing[i])) == 0)
            code = ERR_UNAVAILABLE;
    return err_set(err, code, "redis: %.*s", (int)reply->len, reply->str);
}

struct redisReply *redis_blocking_reply(struct redisContext *link, struct err *err)
{
    void *reply = NULL;
    if (redisGetReply(link, &reply) != REDIS_OK || !reply) {
        bool late = link->err == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK);
        err_set(err, late ? ERR_TIMEOUT : ERR_UNAVAILABLE, "redis: %s", late ? "no answer in time" : link->errstr);
        return NULL;
    }
    struct redisReply *answer = reply;
    if (answer->type == REDIS_REPLY_ERROR) {
        (void)redis_blocking_refused(answer, err);
        freeReplyObject(answer);
        return NULL;
    }
    return answer;
}

static bool step(struct redisContext *link, struct err *err)
{
    struct redisReply *reply = redis_blocking_reply(link, err);
    if (reply)
        freeReplyObject(reply);
    return reply != NULL;
}

static bool log_in(struct redisContext *link, const struct redis_url *url, struct err *err)
{
    if (url->has_password) {
        if (url->user[0])
            redisAppendCommand(link, "AUTH %s %s", url->user, url->password);
        else
            redisAppendCommand(link, "AUTH %s", url->password);
        if (!step(link, err))
            return false;
    }
    redisAppendCommand(link, "SELECT %u", url->db);
    return step(link, err);
}

struct redisContext *redis_blocking_connect(const char *url, int64_t connect_timeout_ms, int64_t command_timeout_ms,
                                            struct err *err)
{
    struct redis_url parsed;
    if (!redis_url_parse(slice_of(url), &parsed, err))
        return NULL;
    struct timeval wait = timeval_of(connect_timeout_ms);
    struct redisContext *link = parsed.is_unix ? redisConnectUnixWithTimeout(parsed.path, wait)
                                               : redisConnectWithTimeout(parsed.host, (int)parsed.port, wait);
    bool good = link && !link->err;
    if (!good)
        err_set(err, ERR_UNAVAILABLE, "%s: %s", parsed.shown, link ? link->errstr : "out of memory");
    else if (redisSetTimeout(link, timeval_of(command_timeout_ms)) != REDIS_OK)
        good = err_set(err, ERR_INTERNAL, "%s: cannot set a timeout", parsed.shown);
    else
        good = log_in(link, &parsed, err) || err_wrap(err, "%s", parsed.shown);
    explicit_bzero(&parsed, sizeof parsed);
    if (good)
        return link;
    if (link)
        redisFree(link);
    return NULL;
}
