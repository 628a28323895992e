/* What the tests of answer_cache.c and answer_flight.c share: two caches of one process with a clock and rows of their
 * own, and without Redis; who asks them, and what he is told. */
#ifndef NOF0_SERVER_ANSWER_CACHE_TESTING_H
#define NOF0_SERVER_ANSWER_CACHE_TESTING_H

#include "base/mem.h"
#include "base/testing.h"
#include "server/answer_cache.h"

#include <stdlib.h>

static int64_t clock_ms;

static inline int64_t fake_clock(void)
{
    return clock_ms;
}

/* Rows by hand: a read waits until the test answers it. */
struct fake_reads {
    struct repo_reads reads; /* first */
    unsigned count;          /* reads begun */
    unsigned waiting;
    struct slice id; /* of the row */
    struct {
        repo_read_done *done;
        void *arg;
        enum read_kind kind;
    } asked[8];
};

struct fake_answer {
    struct repo_answer answer; /* first */
    struct leaderboard_entries_row row;
    struct model_analytics_row analytics;
};

static inline void fake_read(struct repo_reads *reads, const struct read_query *query, repo_read_done *done, void *arg)
{
    struct fake_reads *fake = (struct fake_reads *)reads;
    assert_true(fake->waiting < 8);
    fake->asked[fake->waiting].done = done;
    fake->asked[fake->waiting].arg = arg;
    fake->asked[fake->waiting++].kind = query->kind;
    fake->count++;
}

static inline void release(struct repo_answer *answer)
{
    free(answer);
}

struct fixture {
    struct event_base *base;
    struct cache_documents *documents;
    struct answer_shared shared;
    struct answer_cache *caches[2]; /* two workers of one process */
    struct fake_reads fakes[2];
    struct settings *settings;
    struct offload *offload;
    struct mailbox *mailbox;
    struct arena *arena;
};

/* Ends the oldest read: with a document whose equity is `content`, or with an error. */
static inline void answer_next(struct fake_reads *fake, double content, int64_t version, enum err_code code)
{
    assert_true(fake->waiting > 0);
    repo_read_done *done = fake->asked[0].done;
    void *arg = fake->asked[0].arg;
    enum read_kind kind = fake->asked[0].kind;
    fake->waiting--;
    memmove(&fake->asked[0], &fake->asked[1], fake->waiting * sizeof fake->asked[0]);
    if (code) {
        struct err err = ERR_INIT;
        (void)err_set(&err, code, "the fake was told to fail");
        done(arg, NULL, &err);
        return;
    }
    struct fake_answer *answer = mem_zalloc(sizeof *answer);
    answer->row.id = fake->id.p ? fake->id : SLICE("m");
    answer->row.equity = col_f64(content);
    answer->analytics.model_id = SLICE("known");
    answer->analytics.payload = SLICE("{}");
    answer->answer = (struct repo_answer){.kind = kind,
                                          .version = version,
                                          .leaders = &answer->row,
                                          .leader_count = kind == READ_LEADERBOARD,
                                          .analytics = &answer->analytics,
                                          .analytics_count = kind == READ_ANALYTICS_ONE && content > 0,
                                          .bytes = 100 + fake->id.n,
                                          .release = release};
    done(arg, &answer->answer, NULL);
}

static inline int set_up(void **state)
{
    struct err err = ERR_INIT;
    struct fixture *f = mem_zalloc(sizeof *f);
    clock_ms = 1000000;
    f->base = event_base_new();
    f->settings = settings_default();
    f->offload = offload_start(1, &err);
    f->mailbox = mailbox_new(f->base, &err);
    f->arena = arena_new(0);
    answer_shared_init(&f->shared);
    cache_floors_back(&f->shared.floors);
    struct cache_documents_settings documents = {.base = f->base, .floors = &f->shared.floors};
    assert_true(settings_cache_space(f->settings, &documents.space, &err));
    f->documents = cache_documents_new(&documents);
    for (int i = 0; i < 2; i++) {
        f->fakes[i].reads.read = fake_read;
        f->caches[i] = answer_cache_new(&(struct answer_cache_config){.shared = &f->shared,
                                                                      .documents = f->documents,
                                                                      .offload = f->offload,
                                                                      .mailbox = f->mailbox,
                                                                      .workers = 2,
                                                                      .mono_ms = fake_clock,
                                                                      .wall_ms = fake_clock});
        answer_cache_apply(f->caches[i], f->settings, &f->fakes[i].reads, false);
    }
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(f->fakes[i].waiting, 0);
        answer_cache_free(f->caches[i]);
    }
    cache_documents_free(f->documents);
    answer_shared_destroy(&f->shared);
    offload_stop(f->offload);
    mailbox_free(f->mailbox);
    arena_free(f->arena);
    event_base_free(f->base);
    settings_free(f->settings);
    free(f);
    return 0;
}

struct asker {
    double content; /* -1: none */
    struct answer_told what;
    struct read_query query;
    struct answer_ask ask;
    unsigned told;
    enum err_code code;
};

static inline void on_told(void *arg, const struct answer_told *told)
{
    struct asker *asker = arg;
    asker->told++;
    asker->what = *told;
    asker->content = -1;
    asker->code = told->err ? told->err->code : ERR_NONE;
    assert_true((told->document == NULL) == (told->err != NULL));
    if (!told->document)
        return;
    struct slice body = document_body(told->document);
    char *text = mem_strndup(body.p, body.n);
    const char *equity = strstr(text, "\"equity\":");
    if (equity)
        asker->content = strtod(equity + strlen("\"equity\":"), NULL);
    free(text);
}

/* Turns the loop until what Redis would have said (that it is away) is told. */
static inline void turn(struct fixture *f)
{
    for (int i = 0; i < 3; i++)
        (void)event_base_loop(f->base, EVLOOP_NONBLOCK);
}

static inline void ask_for(struct fixture *f, struct asker *asker, int worker, struct read_query query)
{
    *asker = (struct asker){.query = query, .ask = {.told = on_told, .arg = asker}};
    answer_cache_ask(f->caches[worker], &asker->ask, &endpoints[query.kind], &asker->query, f->arena);
    turn(f);
}

static const struct read_query leaderboard = {.kind = READ_LEADERBOARD, .limit = READ_NO_LIMIT};

static inline void ask(struct fixture *f, struct asker *asker, int worker)
{
    ask_for(f, asker, worker, leaderboard);
}

static inline void expect(const struct asker *asker, double content)
{
    assert_int_equal(asker->told, 1);
    assert_true(asker->content == content);
}

/* Worker 0 gets an answer with this content and version. */
static inline void fill(struct fixture *f, int worker, double content, int64_t version)
{
    struct asker asker;
    ask(f, &asker, worker);
    assert_int_equal(asker.told, 0);
    answer_next(&f->fakes[worker], content, version, ERR_NONE);
    expect(&asker, content);
}

static inline struct answer_counts counts_of(const struct fixture *f, int worker)
{
    struct answer_counts counts;
    answer_cache_counts(f->caches[worker], &counts);
    return counts;
}

#define WITH_CACHES(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
