/* The local cache against a plain model of it, and its promises one by one. */
#include "base/testing.h"
#include "cache/local.h"

#include <stdio.h>
#include <stdlib.h>

struct thing {
    int refs;
    int number;
};

static void *thing_ref(void *thing)
{
    ((struct thing *)thing)->refs++;
    return thing;
}

static void thing_unref(void *thing)
{
    struct thing *t = thing;
    assert_true(t->refs > 0);
    t->refs--;
}

struct fixture {
    struct cache_floors floors;
    struct cache_local *local;
};

static void open_local(struct fixture *f, size_t max_bytes)
{
    cache_floors_init(&f->floors);
    cache_floors_back(&f->floors);
    f->local = cache_local_new(&(struct cache_local_settings){max_bytes, thing_ref, thing_unref, &f->floors});
}

static struct cache_entry entry_of(struct fixture *f, struct thing *thing, int64_t version, int64_t now)
{
    return (struct cache_entry){.document = thing,
                                .bytes = 100,
                                .feed = CACHE_FEED_trades,
                                .version = version,
                                .losses = atomic_load(&f->floors.losses),
                                .fresh_until_ms = now + 10000,
                                .stale_until_ms = now + 20000,
                                .error_until_ms = now + 30000};
}

static bool put(struct fixture *f, const char *name, struct thing *thing, int64_t version, int64_t now)
{
    struct cache_entry entry = entry_of(f, thing, version, now);
    return cache_local_put(f->local, slice_of(name), now, &entry);
}

static enum cache_judgement get(struct fixture *f, const char *name, int64_t now)
{
    struct cache_entry entry;
    return cache_local_get(f->local, slice_of(name), now, &entry);
}

static void time_decides(void **state)
{
    (void)state;
    struct fixture f;
    struct thing thing = {0, 1};
    open_local(&f, 100000);
    assert_int_equal(get(&f, "a", 0), CACHE_MISS);
    assert_true(put(&f, "a", &thing, 5, 1000));
    assert_int_equal(thing.refs, 1);
    assert_int_equal(get(&f, "a", 10999), CACHE_FRESH);
    assert_int_equal(get(&f, "b", 10999), CACHE_MISS);
    assert_int_equal(get(&f, "a", 11000), CACHE_STALE);
    assert_int_equal(get(&f, "a", 20999), CACHE_STALE);
    assert_int_equal(get(&f, "a", 21000), CACHE_DOUBTED);
    assert_int_equal(get(&f, "a", 30999), CACHE_DOUBTED);
    assert_int_equal(get(&f, "a", 31000), CACHE_MISS);
    assert_int_equal(thing.refs, 0); /* nobody can use it any more */
    struct cache_local_counts counts;
    cache_local_counts(f.local, &counts);
    assert_int_equal(counts.hits, 1);
    assert_int_equal(counts.stale, 2);
    assert_int_equal(counts.misses, 5);
    assert_int_equal(counts.entries, 0);
    assert_int_equal(counts.bytes, 0);
    cache_local_free(f.local);
}

static void the_floor_decides(void **state)
{
    (void)state;
    struct fixture f;
    struct thing old = {0, 1};
    struct thing new = {0, 2};
    open_local(&f, 100000);
    assert_true(put(&f, "a", &old, 5, 0));
    assert_false(cache_floor_raise(&f.floors, CACHE_FEED_trades, 0));
    assert_true(cache_floor_raise(&f.floors, CACHE_FEED_positions, 99));
    assert_true(cache_floor_raise(&f.floors, CACHE_FEED_trades, 5));
    assert_int_equal(get(&f, "a", 1), CACHE_FRESH);
    assert_true(cache_floor_raise(&f.floors, CACHE_FEED_trades, 6));
    assert_false(cache_floor_raise(&f.floors, CACHE_FEED_trades, 4));
    assert_int_equal(cache_floor(&f.floors, CACHE_FEED_trades), 6);
    assert_int_equal(get(&f, "a", 1), CACHE_DOUBTED);
    assert_false(put(&f, "b", &old, 5, 1));
    assert_true(put(&f, "a", &new, 7, 1));
    assert_int_equal(old.refs, 0);
    assert_int_equal(get(&f, "a", 1), CACHE_FRESH);
    /* An older rebuild that comes late changes nothing. */
    assert_false(put(&f, "a", &old, 6, 1));
    struct cache_entry entry;
    assert_int_equal(cache_local_get(f.local, SLICE("a"), 1, &entry), CACHE_FRESH);
    assert_ptr_equal(entry.document, &new);
    cache_local_free(f.local);
    assert_int_equal(old.refs + new.refs, 0);
}

static void a_lost_connection_ends_trust_at_once(void **state)
{
    (void)state;
    struct fixture f;
    struct thing thing = {0, 1};
    struct thing during = {0, 2};
    open_local(&f, 100000);
    assert_true(put(&f, "a", &thing, 5, 0));
    struct cache_entry begun_before = entry_of(&f, &thing, 5, 0);
    cache_floors_lost(&f.floors);
    assert_int_equal(get(&f, "a", 1), CACHE_DOUBTED);
    /* What comes now lives for a second, and is not stale afterwards but gone. */
    assert_true(put(&f, "b", &during, 5, 100));
    assert_int_equal(get(&f, "b", 1099), CACHE_FRESH);
    assert_int_equal(get(&f, "b", 1100), CACHE_DOUBTED);
    cache_floors_back(&f.floors);
    assert_int_equal(get(&f, "b", 1100), CACHE_DOUBTED);
    assert_int_equal(get(&f, "a", 1100), CACHE_DOUBTED);
    /* A read that began before the loss may have missed a change. */
    assert_true(cache_local_put(f.local, SLICE("c"), 1200, &begun_before));
    assert_int_equal(get(&f, "c", 1201), CACHE_DOUBTED);
    assert_true(put(&f, "a", &during, 5, 1200));
    assert_int_equal(get(&f, "a", 5000), CACHE_FRESH);
    cache_local_free(f.local);
    assert_int_equal(thing.refs + during.refs, 0);
}

static void dropping_a_feed_leaves_the_others(void **state)
{
    (void)state;
    struct fixture f;
    struct thing things[3] = {{0, 0}, {0, 1}, {0, 2}};
    open_local(&f, 100000);
    assert_true(put(&f, "a", &things[0], 5, 0));
    assert_true(put(&f, "b", &things[1], 6, 0));
    struct cache_entry other = entry_of(&f, &things[2], 1, 0);
    other.feed = CACHE_FEED_positions;
    assert_true(cache_local_put(f.local, SLICE("c"), 0, &other));
    cache_local_drop_feed(f.local, CACHE_FEED_trades, 6);
    assert_int_equal(get(&f, "a", 1), CACHE_MISS);
    assert_int_equal(get(&f, "b", 1), CACHE_FRESH);
    cache_local_drop_feed(f.local, CACHE_FEED_trades, INT64_MAX);
    assert_int_equal(get(&f, "b", 1), CACHE_MISS);
    assert_int_equal(get(&f, "c", 1), CACHE_FRESH);
    cache_local_clear(f.local);
    assert_int_equal(get(&f, "c", 1), CACHE_MISS);
    cache_local_free(f.local);
}

static void what_is_asked_for_survives_a_scan(void **state)
{
    (void)state;
    struct fixture f;
    struct thing thing = {0, 1};
    open_local(&f, 12000);
    for (int i = 0; i < 10; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "hot%d", i);
        assert_true(put(&f, name, &thing, 1, 0));
    }
    for (int i = 0; i < 5000; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "once%d", i);
        assert_true(put(&f, name, &thing, 1, 1));
        (void)snprintf(name, sizeof name, "hot%d", i % 10);
        if (get(&f, name, 1) != CACHE_FRESH)
            fail_msg("%s was pushed out in round %d", name, i);
    }
    struct cache_local_counts counts;
    cache_local_counts(f.local, &counts);
    assert_true(counts.bytes <= 12000);
    assert_true(counts.evictions > 4900);
    cache_local_resize(f.local, 500);
    cache_local_counts(f.local, &counts);
    assert_true(counts.bytes <= 500 && counts.entries >= 1);
    struct cache_entry large = entry_of(&f, &thing, 1, 0);
    large.bytes = 501;
    assert_false(cache_local_put(f.local, SLICE("large"), 0, &large));
    large.bytes = SIZE_MAX;
    assert_false(cache_local_put(f.local, SLICE("large"), 0, &large));
    cache_local_free(f.local);
    assert_int_equal(thing.refs, 0);
}

/* ---- against a model ---- */

enum { NAMES = 60, MODEL_MAX = 9000 };

static uint64_t random_state = 0x2545F4914F6CDD1DU;

static unsigned random_below(unsigned n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state % n);
}

struct model_row {
    bool here; /* as far as the model knows: it does not know who was evicted */
    bool leashed;
    struct cache_entry entry;
};

struct model {
    struct fixture f;
    struct model_row rows[NAMES];
    int64_t now;
    int64_t version;
    struct thing things[NAMES];
};

static enum cache_judgement expect(const struct model *m, const struct model_row *row)
{
    const struct cache_entry *e = &row->entry;
    if (!row->here || m->now >= e->error_until_ms)
        return CACHE_MISS;
    if (e->version < cache_floor(&m->f.floors, e->feed) || e->losses != atomic_load(&m->f.floors.losses))
        return CACHE_DOUBTED;
    if (m->now < e->fresh_until_ms)
        return CACHE_FRESH;
    return m->now < e->stale_until_ms && !row->leashed ? CACHE_STALE : CACHE_DOUBTED;
}

static void model_get(struct model *m, unsigned i)
{
    struct cache_entry got;
    char name = (char)i;
    enum cache_judgement judgement = cache_local_get(m->f.local, (struct slice){&name, 1}, m->now, &got);
    if (judgement == CACHE_MISS) {
        m->rows[i].here = false; /* evicted, or over */
        return;
    }
    assert_int_equal(judgement, expect(m, &m->rows[i]));
    assert_memory_equal(&got, &m->rows[i].entry, sizeof got);
}

static void model_put(struct model *m, unsigned i)
{
    char name = (char)i;
    int64_t fresh = m->now + random_below(50);
    int64_t stale = fresh + random_below(50);
    struct cache_entry entry;
    memset(&entry, 0, sizeof entry); /* compared with its padding */
    entry.document = &m->things[random_below(NAMES)];
    entry.bytes = random_below(2000);
    entry.feed = (enum cache_feed)random_below(3);
    entry.version = m->version - random_below(4);
    entry.losses = atomic_load(&m->f.floors.losses) - (random_below(9) == 0);
    entry.fresh_until_ms = fresh;
    entry.stale_until_ms = stale;
    entry.error_until_ms = stale + random_below(50);

    struct cache_entry old;
    memset(&old, 0, sizeof old);
    bool has_old = cache_local_get(m->f.local, (struct slice){&name, 1}, m->now, &old) != CACHE_MISS;
    bool kept = cache_local_put(m->f.local, (struct slice){&name, 1}, m->now, &entry);
    bool should = entry.version >= cache_floor(&m->f.floors, entry.feed) && m->now < entry.error_until_ms &&
                  (!has_old || entry.version >= old.version);
    assert_int_equal(kept, should);
    if (!kept)
        return;
    struct model_row *row = &m->rows[i];
    *row = (struct model_row){.here = true};
    memcpy(&row->entry, &entry, sizeof entry);
    row->leashed = !atomic_load(&m->f.floors.connected);
    if (row->leashed && row->entry.fresh_until_ms > m->now + CACHE_LEASH_MS)
        row->entry.fresh_until_ms = m->now + CACHE_LEASH_MS;
}

static void model_other(struct model *m)
{
    switch (random_below(12)) {
    case 0:
        cache_floors_lost(&m->f.floors);
        break;
    case 1:
    case 2:
        cache_floors_back(&m->f.floors);
        break;
    case 3: {
        enum cache_feed feed = (enum cache_feed)random_below(3);
        cache_local_drop_feed(m->f.local, feed, m->version - 1);
        for (unsigned i = 0; i < NAMES; i++)
            if (m->rows[i].here && m->rows[i].entry.feed == feed && m->rows[i].entry.version < m->version - 1)
                m->rows[i].here = false;
        break;
    }
    case 4:
        cache_local_resize(m->f.local, MODEL_MAX - random_below(3000));
        break;
    case 5:
        (void)cache_floor_raise(&m->f.floors, (enum cache_feed)random_below(3), m->version - random_below(3));
        break;
    case 6:
    case 7:
        m->version++;
        break;
    default:
        m->now += random_below(20);
    }
}

static void random_work_agrees_with_the_model(void **state)
{
    (void)state;
    struct model *m = calloc(1, sizeof *m);
    assert_non_null(m);
    open_local(&m->f, MODEL_MAX);
    m->version = 100;
    uint64_t found = 0;
    for (unsigned round = 0; round < 300000; round++) {
        unsigned i = random_below(NAMES);
        unsigned what = random_below(10);
        if (what < 5)
            model_get(m, i);
        else if (what < 9)
            model_put(m, i);
        else
            model_other(m);
        struct cache_local_counts counts;
        cache_local_counts(m->f.local, &counts);
        assert_true(counts.bytes <= MODEL_MAX);
        size_t refs = 0;
        for (unsigned t = 0; t < NAMES; t++)
            refs += (size_t)m->things[t].refs;
        assert_int_equal(refs, counts.entries);
        found = counts.hits;
    }
    assert_true(found > 5000);
    cache_local_free(m->f.local);
    for (unsigned t = 0; t < NAMES; t++)
        assert_int_equal(m->things[t].refs, 0);
    free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_decides),
        cmocka_unit_test(the_floor_decides),
        cmocka_unit_test(a_lost_connection_ends_trust_at_once),
        cmocka_unit_test(dropping_a_feed_leaves_the_others),
        cmocka_unit_test(what_is_asked_for_survives_a_scan),
        cmocka_unit_test(random_work_agrees_with_the_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
