#include "server/admin_change.h"

#include "base/log.h"
#include "server/admin_reply.h"
#include "server/admin_request.h"
#include "server/flag_guard.h"

/* A change under way; lives in the request's arena. */
struct change {
    struct admin_door *door;
    struct http_request *request;
    struct flag_change asked;
    /* From the settings that hold when it is asked: a reload may free those before its turn comes. */
    struct parity_need need;
    struct flag_value configured;
    int64_t version;
    struct flag_errand errand;
};

/* On the keeper's thread. */
static bool make_change(void *arg, struct session *session, struct err *err)
{
    struct change *change = arg;
    return parity_guarded_change(session, &change->need, change->configured, &change->asked, &change->version, err);
}

static void change_made(void *arg)
{
    struct change *change = arg;
    struct flag_view *view = arena_zalloc(http_request_arena(change->request), sizeof *view);
    if (change->errand.err.code != ERR_NONE) {
        admin_fail_of(change->request, change->door->settings, &change->errand.err);
        return;
    }
    flag_keeper_view(change->door->flags, view);
    admin_reply_flag(change->request, view, change->asked.flag);
}

/* --- what is asked for; each false after answering --- */

static bool read_match(struct admin_door *door, struct http_request *request, struct flag_change *asked)
{
    struct flag_set *set = flag_keeper_set(door->flags);
    int64_t present = set->states[asked->flag].version;
    struct slice header = http_request_header(request, "If-Match");
    flag_set_unref(set);
    if (!header.p) {
        admin_fail(request, door->settings, 428, "precondition_required",
                   "If-Match must name the version that is to be changed, as in ETag, or be *", NULL);
        return false;
    }
    switch (admin_if_match(header, present, &asked->expected)) {
    case ADMIN_MATCH_ANY:
        asked->expected = FLAG_VERSION_ANY;
        return true;
    case ADMIN_MATCH_VERSION:
        return true;
    case ADMIN_MATCH_NONE:
        break;
    }
    admin_fail(request, door->settings, 412, "precondition_failed", "If-Match names no version of a flag", NULL);
    return false;
}

static bool read_wish(struct admin_door *door, struct http_request *request, struct admin_wish *wish)
{
    struct slice body = http_request_body(request);
    struct arena *arena = http_request_arena(request);
    const char *param = NULL;
    struct err err = ERR_INIT;
    bool by_query = http_request_method(request) == HTTP_DELETE && body.n == 0;
    enum admin_fault fault = by_query ? admin_wish_of_query(http_request_query(request), arena, wish, &param, &err)
                                      : admin_wish_parse(body, arena, wish, &param, &err);
    if (fault == ADMIN_MALFORMED)
        admin_fail(request, door->settings, 400, "malformed", err.text, NULL);
    else if (fault == ADMIN_INVALID)
        admin_fail(request, door->settings, 422, "invalid", err.text, param);
    return fault == ADMIN_GOOD;
}

/* Who, when he does not say: where he asks from. */
static struct slice actor_of(struct http_request *request, const struct admin_wish *wish)
{
    if (wish->actor.n)
        return wish->actor;
    return slice_of(arena_printf(http_request_arena(request), "admin@%.*s", SLICE_ARG(http_request_peer(request))));
}

static bool read_value(struct admin_door *door, struct http_request *request, const struct admin_wish *wish,
                       struct flag_change *asked)
{
    struct err err = ERR_INIT;
    asked->set = http_request_method(request) == HTTP_PUT;
    if (!wish->reason.n) {
        admin_fail(request, door->settings, 422, "invalid", "a change needs a reason", "reason");
        return false;
    }
    if (!asked->set && wish->value.p) {
        admin_fail(request, door->settings, 422, "invalid", "DELETE takes no value: the configuration's will hold",
                   "value");
        return false;
    }
    if (asked->set && !flag_value_parse(asked->flag, wish->value, &asked->value, &err)) {
        admin_fail(request, door->settings, 422, "invalid", wish->value.p ? err.text : "value is missing", "value");
        return false;
    }
    return true;
}

void admin_change(struct admin_door *door, struct http_request *request, enum flag flag)
{
    struct admin_wish wish;
    struct change *change = arena_zalloc(http_request_arena(request), sizeof *change);
    change->door = door;
    change->request = request;
    change->asked.flag = flag;
    if (!read_match(door, request, &change->asked) || !read_wish(door, request, &wish) ||
        !read_value(door, request, &wish, &change->asked))
        return;
    change->asked.origin = FLAG_BY_OPERATOR;
    change->asked.actor = actor_of(request, &wish);
    change->asked.reason = wish.reason;
    change->asked.forced = wish.force;
    change->need = flag_guard_need(door->settings, flag);
    change->configured = flag_guard_configured(door->settings, flag);
    change->errand = (struct flag_errand){
        .run = make_change, .changes = true, .mailbox = door->mailbox, .done = change_made, .arg = change};
    flag_keeper_run(door->flags, &change->errand);
}
