#include "server/stream_query.h"

#include "server/percent.h"

static const char *const topic_names[STREAM_TOPICS] = {
    [STREAM_PRICES] = "prices",           [STREAM_TRADES] = "trades",
    [STREAM_POSITIONS] = "positions",     [STREAM_ACCOUNT_TOTALS] = "account-totals",
    [STREAM_LEADERBOARD] = "leaderboard", [STREAM_CONVERSATIONS] = "conversations",
};

bool stream_topic_parse(struct slice name, enum stream_topic *topic)
{
    for (unsigned i = 0; i < STREAM_TOPICS; i++) {
        if (slice_is(name, topic_names[i])) {
            *topic = (enum stream_topic)i;
            return true;
        }
    }
    return false;
}

/* Whether it can be named in an error as it is. */
static bool is_word(struct slice text)
{
    bool good = text.n > 0 && text.n <= 32;
    for (size_t i = 0; good && i < text.n; i++)
        good = text.p[i] > ' ' && text.p[i] < 0x7f;
    return good;
}

static bool read_topics(struct slice text, unsigned *topics, struct param_fault *fault)
{
    static const char param[] = "topics";
    static const char known[] = "prices, trades, positions, account-totals, leaderboard, conversations";
    *topics = 0;
    do {
        const char *comma = text.n ? memchr(text.p, ',', text.n) : NULL;
        struct slice name = {text.p, comma ? (size_t)(comma - text.p) : text.n};
        enum stream_topic topic;
        if (!stream_topic_parse(name, &topic) && is_word(name))
            return params_fault(fault, param, "%s knows no \"%.*s\", only %s", param, (int)name.n, name.p, known);
        if (!stream_topic_parse(name, &topic))
            return params_fault(fault, param, "%s must be some of %s, with commas between", param, known);
        *topics |= 1U << topic;
        text = comma ? (struct slice){comma + 1, text.n - name.n - 1} : (struct slice){NULL, 0};
    } while (text.p);
    return true;
}

static bool read_id(struct slice text, struct stream_query *query, struct param_fault *fault)
{
    static const char param[] = "last_event_id";
    query->resumes = text.n > 0;
    if (query->resumes && !cache_live_id_parse(text, &query->after))
        return params_fault(fault, param, "%s (or Last-Event-ID) must be two integers below 2^64 with a \"-\" between",
                            param);
    return true;
}

bool stream_query_read(struct slice raw, struct slice last_event_id, struct arena *arena, struct stream_query *query,
                       struct param_fault *fault)
{
    enum { TOPICS, MODEL_ID, LAST_EVENT_ID, PARAMS };
    static const char *const names[PARAMS] = {"topics", "model_id", "last_event_id"};
    bool seen[PARAMS] = {false};
    struct slice name;
    struct slice value;
    *query = (struct stream_query){.topics = (1U << STREAM_TOPICS) - 1};
    while (params_next(&raw, arena, &name, &value, fault)) {
        unsigned i = 0;
        while (i < PARAMS && !slice_is(name, names[i]))
            i++;
        if (i == PARAMS)
            continue;
        if (!percent_decode(value, true, arena, &value))
            return params_fault(fault, names[i], "%s has a broken percent-escape", names[i]);
        if (seen[i])
            return params_fault(fault, names[i], "%s is given more than once", names[i]);
        seen[i] = true;
        bool good = true;
        if (i == TOPICS) {
            good = read_topics(value, &query->topics, fault);
        } else if (i == LAST_EVENT_ID) {
            good = read_id(value, query, fault);
        } else if (value.n) {
            query->model_id = value;
            good = params_model_id_ok(value) ||
                   params_fault(fault, names[i], "%s must be at most %d bytes of UTF-8 without control characters",
                                names[i], MODEL_ID_MAX);
        }
        if (!good)
            return false;
    }
    if (fault->message[0])
        return false;
    return last_event_id.n == 0 || read_id(last_event_id, query, fault);
}
