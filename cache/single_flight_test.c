#include "base/testing.h"
#include "cache/single_flight.h"

#include <stdio.h>

struct asker {
    struct single_flight_waiter waiter;
    struct single_flights *flights;
    const void *outcome;
    int told;
    int order;
    struct asker *leaves;      /* taken out of the flight when this one is told */
    struct single_flight *new; /* begun when told, if asks_again */
    bool asks_again;
};

static int order;

static void on_told(void *arg, const void *outcome)
{
    struct asker *asker = arg;
    asker->told++;
    asker->outcome = outcome;
    asker->order = ++order;
    assert_null(asker->waiter.flight);
    if (asker->leaves)
        single_flight_leave(&asker->leaves->waiter);
    if (asker->asks_again)
        asker->new = single_flight_join(asker->flights, SLICE("name"), &asker->waiter);
}

static void prepare(struct asker *asker, struct single_flights *flights)
{
    *asker = (struct asker){.waiter = {.told = on_told, .arg = asker}, .flights = flights};
}

static void the_first_works_and_all_are_told_once(void **state)
{
    (void)state;
    struct single_flights *flights = single_flights_new();
    struct asker askers[100];
    for (int i = 0; i < 100; i++)
        prepare(&askers[i], flights);
    struct single_flight *job = single_flight_join(flights, SLICE("name"), &askers[0].waiter);
    assert_non_null(job);
    for (int i = 1; i < 99; i++)
        assert_null(single_flight_join(flights, SLICE("name"), &askers[i].waiter));
    struct single_flight *other = single_flight_join(flights, SLICE("nam"), &askers[99].waiter);
    assert_non_null(other);
    assert_int_equal(single_flight_waiting(job), 99);
    int outcome = 0;
    order = 0;
    single_flight_land(job, &outcome);
    for (int i = 0; i < 99; i++) {
        assert_int_equal(askers[i].told, 1);
        assert_int_equal(askers[i].order, i + 1);
        assert_ptr_equal(askers[i].outcome, &outcome);
    }
    assert_int_equal(askers[99].told, 0);
    single_flight_land(other, NULL);
    assert_int_equal(askers[99].told, 1);
    struct single_flights_counts counts;
    single_flights_counts(flights, &counts);
    assert_int_equal(counts.flights, 2);
    assert_int_equal(counts.joined, 98);
    single_flights_free(flights);
}

static void who_leaves_is_not_told(void **state)
{
    (void)state;
    struct single_flights *flights = single_flights_new();
    struct asker askers[4];
    for (int i = 0; i < 4; i++)
        prepare(&askers[i], flights);
    single_flight_leave(&askers[0].waiter); /* waits for nothing yet */
    struct single_flight *job = single_flight_join(flights, SLICE(""), &askers[0].waiter);
    for (int i = 1; i < 4; i++)
        assert_null(single_flight_join(flights, SLICE(""), &askers[i].waiter));
    /* The first goes away and the job stays; the third goes while the second is told. */
    single_flight_leave(&askers[0].waiter);
    single_flight_leave(&askers[0].waiter);
    askers[1].leaves = &askers[2];
    assert_int_equal(single_flight_waiting(job), 3);
    single_flight_land(job, NULL);
    assert_int_equal(askers[0].told, 0);
    assert_int_equal(askers[1].told, 1);
    assert_int_equal(askers[2].told, 0);
    assert_int_equal(askers[3].told, 1);
    single_flights_free(flights);
}

static void a_flight_without_askers_lands(void **state)
{
    (void)state;
    struct single_flights *flights = single_flights_new();
    struct asker asker;
    prepare(&asker, flights);
    struct single_flight *job = single_flight_begin(flights, SLICE("name"));
    assert_non_null(job);
    assert_null(single_flight_begin(flights, SLICE("name")));
    assert_null(single_flight_join(flights, SLICE("name"), &asker.waiter));
    single_flight_leave(&asker.waiter);
    assert_int_equal(single_flight_waiting(job), 0);
    single_flight_land(job, NULL);
    assert_int_equal(asker.told, 0);
    single_flights_free(flights);
}

static void asking_again_when_told_begins_a_new_flight(void **state)
{
    (void)state;
    struct single_flights *flights = single_flights_new();
    struct asker askers[3];
    for (int i = 0; i < 3; i++) {
        prepare(&askers[i], flights);
        askers[i].asks_again = true;
    }
    struct single_flight *job = single_flight_join(flights, SLICE("name"), &askers[0].waiter);
    (void)single_flight_join(flights, SLICE("name"), &askers[1].waiter);
    (void)single_flight_join(flights, SLICE("name"), &askers[2].waiter);
    single_flight_land(job, NULL);
    for (int i = 0; i < 3; i++)
        assert_int_equal(askers[i].told, 1);
    assert_non_null(askers[0].new);
    assert_null(askers[1].new);
    assert_null(askers[2].new);
    assert_int_equal(single_flight_waiting(askers[0].new), 3);
    for (int i = 0; i < 3; i++)
        askers[i].asks_again = false;
    single_flight_land(askers[0].new, NULL);
    for (int i = 0; i < 3; i++)
        assert_int_equal(askers[i].told, 2);
    single_flights_free(flights);
}

static void many_names_stay_apart(void **state)
{
    (void)state;
    enum { COUNT = 2000 };
    static struct asker askers[COUNT];
    static struct single_flight *jobs[COUNT];
    struct single_flights *flights = single_flights_new();
    for (int i = 0; i < COUNT; i++) {
        char name[16];
        int n = snprintf(name, sizeof name, "name%d", i);
        prepare(&askers[i], flights);
        jobs[i] = single_flight_join(flights, (struct slice){name, (size_t)n}, &askers[i].waiter);
        assert_non_null(jobs[i]);
    }
    for (int i = COUNT - 1; i >= 0; i--)
        single_flight_land(jobs[i], &askers[i]);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(askers[i].told, 1);
        assert_ptr_equal(askers[i].outcome, &askers[i]);
    }
    single_flights_free(flights);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_works_and_all_are_told_once),
        cmocka_unit_test(who_leaves_is_not_told),
        cmocka_unit_test(a_flight_without_askers_lands),
        cmocka_unit_test(asking_again_when_told_begins_a_new_flight),
        cmocka_unit_test(many_names_stay_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
