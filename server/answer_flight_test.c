/* How an answer is made: once for all who ask, in haste for who waits, and not again what is there. */
#include "server/answer_cache_testing.h"

#include <unistd.h>

static void test_one_read_for_all_who_ask(void **state)
{
    struct fixture *f = *state;
    struct asker askers[20];
    for (int i = 0; i < 20; i++)
        ask(f, &askers[i], 0);
    assert_int_equal(f->fakes[0].count, 1);
    answer_next(&f->fakes[0], 7, 100, ERR_NONE);
    for (int i = 0; i < 20; i++)
        expect(&askers[i], 7);
    struct asker later;
    ask(f, &later, 0);
    expect(&later, 7);
    assert_int_equal(f->fakes[0].count, 1);
    struct answer_counts counts = counts_of(f, 0);
    assert_int_equal(counts.misses, 20);
    assert_int_equal(counts.joined, 19);
    assert_int_equal(counts.hits, 1);
    assert_int_equal(counts.rebuilds, 1);
}

/* The gzip size of a document that is held for nobody. */
static size_t gzip_size(const struct asker *asker)
{
    return document_gzip(asker->what.document).n;
}

static void test_who_waits_gets_it_compressed_in_haste_and_others_well(void **state)
{
    enum { LENGTH = 200000 };
    struct fixture *f = *state;
    struct buf id = BUF_INIT; /* as repetitive as rows are */
    for (uint32_t random = 1; id.len < LENGTH; random = random * 1664525 + 1013904223)
        buf_printf(&id, "entry_price:%u,symbol:%c,", random >> 12, "ABCDEF"[random % 6]);
    f->fakes[0].id = buf_slice(&id);
    struct asker first;
    ask(f, &first, 0);
    answer_next(&f->fakes[0], 7, 100, ERR_NONE);
    size_t in_haste = 0;
    while (!first.told)
        (void)event_base_loop(f->base, EVLOOP_ONCE);
    expect(&first, 7);
    assert_true(first.what.fresh_until_ms == 0); /* another will take its place */
    struct asker again;
    do {
        ask(f, &again, 0);
        expect(&again, 7);
        if (!again.what.fresh_until_ms) {
            in_haste = gzip_size(&again);
            (void)usleep(200); /* not for an event: asking may have turned the loop to the last one */
        }
    } while (!again.what.fresh_until_ms);
    assert_true(again.what.fresh_until_ms == clock_ms + 60000);
    assert_true(document_is_compressed(again.what.document));
    if (in_haste)
        assert_true(gzip_size(&again) < in_haste);
    assert_int_equal(f->fakes[0].count, 1);
    buf_free(&id);
}

static void test_an_answer_that_did_not_change_is_kept_as_it_is(void **state)
{
    struct fixture *f = *state;
    struct asker asker;
    char id[5000]; /* enough to be compressed */
    memset(id, 'm', sizeof id);
    f->fakes[0].id = (struct slice){id, sizeof id};
    fill(f, 0, 1, 100);
    ask(f, &asker, 0);
    struct document *first = document_ref(asker.what.document);
    assert_true(document_is_compressed(first));
    for (int i = 1; i <= 3; i++) {
        clock_ms += 60000; /* stale, old, and in between a change was announced that changed nothing */
        if (i == 3)
            (void)cache_floor_raise(&f->shared.floors, CACHE_FEED_leaderboard, 102);
        clock_ms += i == 2 ? 60000 : 0;
        ask(f, &asker, 0);
        answer_next(&f->fakes[0], 1, 100 + i, ERR_NONE);
        ask(f, &asker, 0);
        expect(&asker, 1);
        assert_ptr_equal(asker.what.document, first);
        assert_true(asker.what.version == 100 + i && asker.what.fresh_until_ms == clock_ms + 60000);
        assert_int_equal(counts_of(f, 0).unchanged, i);
    }
    clock_ms += 60000;
    ask(f, &asker, 0);
    answer_next(&f->fakes[0], 2, 104, ERR_NONE);
    ask(f, &asker, 0);
    expect(&asker, 2);
    assert_true(document_is_compressed(asker.what.document));
    assert_int_equal(counts_of(f, 0).unchanged, 3);
    assert_int_equal(counts_of(f, 0).rebuilds, 5);
    document_unref(first);
    /* Compressed otherwise than it was asked for: made anew. */
    f->settings->compression_enabled = false;
    answer_cache_apply(f->caches[0], f->settings, &f->fakes[0].reads, false);
    ask(f, &asker, 0);
    answer_next(&f->fakes[0], 2, 104, ERR_NONE);
    ask(f, &asker, 0);
    expect(&asker, 2);
    assert_false(document_is_compressed(asker.what.document));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CACHES(test_one_read_for_all_who_ask),
        WITH_CACHES(test_who_waits_gets_it_compressed_in_haste_and_others_well),
        WITH_CACHES(test_an_answer_that_did_not_change_is_kept_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
