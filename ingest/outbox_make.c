#include "ingest/outbox_make.h"

#include "base/log.h"
#include "ingest/redis_put.h"

struct making {
    outbox_owns_fn *owns;
    void *arg;
    struct redis_put put;
    bool refused; /* by Redis, whose connection is of no further use then */
};

struct redis_rebuild outbox_rebuild(const struct outbox_hands *hands)
{
    return (struct redis_rebuild){
        .session = hands->session, .space = &hands->options->space, .prices_provider = hands->options->prices_provider};
}

static bool take(void *arg, const struct redis_value *value, struct err *err)
{
    struct making *making = arg;
    if (making->owns && !making->owns(making->arg, &value->key))
        return true;
    making->refused = !redis_put_take(&making->put, value, err);
    return !making->refused;
}

bool outbox_make(struct outbox_hands *hands, const struct redis_rebuild *what, outbox_owns_fn *owns, void *arg,
                 bool *failed, struct err *err)
{
    struct making making = {.owns = owns, .arg = arg, .put = {.link = hands->link, .space = &hands->options->space}};
    struct redis_rebuild rebuild = *what;
    struct err why = ERR_INIT;
    rebuild.take = take;
    rebuild.arg = &making;
    bool made = session_begin_snapshot(hands->session, &why) && redis_rebuild_run(&rebuild, &why);
    bool good = made || (outbox_is_of_content(&why) && !making.refused);
    session_rollback(hands->session);
    if (good && !made && !*failed)
        log_event(LOG_ERROR, "outbox.not_made",
                  LOG_FIELDS(log_str("consumer", outbox_reader_name(hands->reader)), log_error_text(&why)));
    if (!good)
        (void)err_set(err, why.code, "%s", why.text);
    *failed = good && !made;
    good = good && redis_put_flush(&making.put, err);
    redis_put_free(&making.put);
    return good;
}
