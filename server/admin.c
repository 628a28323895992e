#include "server/admin.h"

#include "base/json_write.h"
#include "base/log.h"
#include "server/admin_change.h"
#include "server/admin_reply.h"
#include "server/admin_request.h"
#include "server/bearer.h"

static const char path_prefix[] = "/admin/";

bool admin_is_path(const struct settings *settings, struct slice path)
{
    size_t n = sizeof path_prefix - 1;
    return settings->admin_token[0] && path.n >= n && memcmp(path.p, path_prefix, n) == 0;
}

/* --- the log --- */

/* A look into the log, under way; lives in the request's arena. */
struct history {
    struct admin_door *door;
    struct http_request *request;
    enum flag flag; /* FLAG_COUNT: all */
    int64_t limit;
    int64_t after;
    struct buf json;
    struct json_writer w;
    struct flag_errand errand;
};

static bool on_logged(void *arg, const struct flag_logged *logged)
{
    struct history *history = arg;
    flag_logged_put(&history->w, logged);
    return true;
}

/* On the keeper's thread. */
static bool read_history(void *arg, struct session *session, struct err *err)
{
    struct history *history = arg;
    history->w = json_writer_on(&history->json);
    json_begin_object(&history->w);
    json_key(&history->w, SLICE("changes"));
    json_begin_array(&history->w);
    bool good = flag_store_history(session, history->flag, history->after, history->limit, on_logged, history, err);
    json_end_array(&history->w);
    json_end_object(&history->w);
    return good;
}

static void history_read(void *arg)
{
    struct history *history = arg;
    struct buf json = history->json;
    if (history->errand.err.code == ERR_NONE)
        reply_private_json(history->request, 200, buf_slice(&json));
    else
        admin_fail_of(history->request, history->door->settings, &history->errand.err);
    buf_free(&json);
}

static void answer_history(struct admin_door *door, struct http_request *request, enum flag flag)
{
    const char *param = NULL;
    struct history *history = arena_zalloc(http_request_arena(request), sizeof *history);
    history->door = door;
    history->request = request;
    history->flag = flag;
    if (!admin_history_query(http_request_query(request), &history->limit, &history->after, &param)) {
        admin_fail(request, door->settings, 400, "bad_parameter",
                   "limit must be an integer from 1 to 1000, and after one from 0", param);
        return;
    }
    history->errand =
        (struct flag_errand){.run = read_history, .mailbox = door->mailbox, .done = history_read, .arg = history};
    flag_keeper_run(door->flags, &history->errand);
}

/* --- the flags --- */

static void answer_flags(struct admin_door *door, struct http_request *request, enum flag flag)
{
    struct flag_view *view = arena_zalloc(http_request_arena(request), sizeof *view);
    flag_keeper_view(door->flags, view);
    if (flag == FLAG_COUNT)
        admin_reply_flags(request, view);
    else
        admin_reply_flag(request, view, flag);
}

/* What stands under the path: FLAG_COUNT for all flags; *log: their log. False when there is nothing. */
static bool find(struct slice path, enum flag *flag, bool *log)
{
    static const char flags[] = "flags/";
    static const char log_suffix[] = "/history";
    struct slice rest = {path.p + sizeof path_prefix - 1, path.n - (sizeof path_prefix - 1)};
    *flag = FLAG_COUNT;
    *log = slice_is(rest, "history");
    if (*log || slice_is(rest, "flags"))
        return true;
    if (rest.n < sizeof flags - 1 || memcmp(rest.p, flags, sizeof flags - 1) != 0)
        return false;
    rest = (struct slice){rest.p + sizeof flags - 1, rest.n - (sizeof flags - 1)};
    size_t suffix = sizeof log_suffix - 1;
    *log = rest.n > suffix && memcmp(rest.p + rest.n - suffix, log_suffix, suffix) == 0;
    if (*log)
        rest.n -= suffix;
    *flag = flag_find(rest);
    return *flag != FLAG_COUNT;
}

static void answer_method(struct admin_door *door, struct http_request *request, enum flag flag, bool log)
{
    bool changeable = !log && flag != FLAG_COUNT;
    enum http_method method = http_request_method(request);
    if ((method == HTTP_GET || method == HTTP_HEAD) && log)
        answer_history(door, request, flag);
    else if (method == HTTP_GET || method == HTTP_HEAD)
        answer_flags(door, request, flag);
    else if (changeable && (method == HTTP_PUT || method == HTTP_DELETE))
        admin_change(door, request, flag);
    else
        reply_private_error(request, door->settings,
                            &(struct reply_fault){.status = 405,
                                                  .code = "method_not_allowed",
                                                  .message = changeable
                                                                 ? "only GET, HEAD, PUT and DELETE are allowed here"
                                                                 : "only GET and HEAD are allowed here",
                                                  .allow = changeable ? "GET, HEAD, PUT, DELETE" : "GET, HEAD"});
}

void admin_answer(struct admin_door *door, struct http_request *request)
{
    enum flag flag = FLAG_COUNT;
    bool log = false;
    if (!bearer_is(request, door->settings->admin_token)) {
        http_reply_header(request, "WWW-Authenticate", SLICE("Bearer"));
        admin_fail(request, door->settings, 401, "unauthorized",
                   "a bearer token is needed, and this is none or a wrong one", NULL);
        return;
    }
    if (!find(http_request_path(request), &flag, &log)) {
        admin_fail(request, door->settings, 404, "not_found", "there is no such flag, and nothing else at this path",
                   NULL);
        return;
    }
    answer_method(door, request, flag, log);
}
