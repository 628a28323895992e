#include "base/clock.h"
#include "base/json_read.h"
#include "legacy/legacy.h"
#include "legacy/testing.h"
#include "legacy/writer.h"

#include <pthread.h>
#include <stdatomic.h>

/* What a server keeps of the loader: the newest set, swapped under a lock. */
struct board {
    pthread_mutex_t lock;
    struct legacy_set *set;
    size_t published;
};

static void board_init(struct board *board)
{
    *board = (struct board){.set = NULL};
    assert_int_equal(pthread_mutex_init(&board->lock, NULL), 0);
}

static void board_free(struct board *board)
{
    legacy_set_unref(board->set);
    (void)pthread_mutex_destroy(&board->lock);
}

static void publish(void *arg, struct legacy_set *set)
{
    struct board *board = arg;
    (void)pthread_mutex_lock(&board->lock);
    struct legacy_set *old = board->set;
    board->set = set;
    board->published++;
    (void)pthread_mutex_unlock(&board->lock);
    legacy_set_unref(old);
}

static struct legacy_set *board_take(struct board *board, size_t *published)
{
    (void)pthread_mutex_lock(&board->lock);
    struct legacy_set *set = legacy_set_ref(board->set);
    if (published)
        *published = board->published;
    (void)pthread_mutex_unlock(&board->lock);
    return set;
}

/* The number in {"leaderboard":[{"n":<number>, ...}]}; -1 when there is no answer. Checks that what is served is
 * whole: the second element repeats the number. */
static long served_number(const struct legacy_set *set)
{
    struct read_query query = {.kind = READ_LEADERBOARD, .limit = READ_NO_LIMIT};
    struct legacy_answer answer;
    struct buf text = BUF_INIT;
    struct err err = ERR_INIT;
    if (!legacy_set_answer(set, &query, &text, &answer, &err))
        return -1;
    buf_append_slice(&text, answer.json);
    long first = -1;
    long second = -1;
    int taken = sscanf(buf_cstr(&text), "{\"leaderboard\":[{\"n\":%ld},{\"n\":%ld}]", &first, &second);
    assert_int_equal(taken, 2);
    assert_int_equal(first, second);
    buf_free(&text);
    return first;
}

static void put_number(struct buf *text, long number)
{
    buf_clear(text);
    buf_printf(text, "{\"leaderboard\":[{\"n\":%ld},{\"n\":%ld}]}", number, number);
    (void)buf_cstr(text);
}

static long wait_for_number(struct board *board, long wanted)
{
    const int64_t patience_ms = 20000;
    int64_t until = clock_mono_ms() + patience_ms;
    long number = -1;
    while (number != wanted && clock_mono_ms() < until) {
        struct legacy_set *set = board_take(board, NULL);
        number = served_number(set);
        legacy_set_unref(set);
        (void)usleep(1000);
    }
    return number;
}

static void the_first_set_is_out_before_start_returns(void **state)
{
    (void)state;
    struct folder folder = folder_new();
    folder_put(&folder, "leaderboard.json", "{\"leaderboard\":[{\"n\":1},{\"n\":1}]}");
    struct board board;
    board_init(&board);
    struct err err = ERR_INIT;
    struct legacy_loader *loader = legacy_loader_start(folder.path, 3600000, publish, &board, &err);
    assert_non_null(loader);
    assert_int_equal(served_number(board.set), 1);
    int64_t start = clock_mono_ms();
    legacy_loader_stop(loader); /* does not wait for the next poll */
    assert_in_range(clock_mono_ms() - start, 0, 10000);
    board_free(&board);
    folder_free(&folder);
}

static void changes_are_published_and_nothing_else(void **state)
{
    (void)state;
    struct folder folder = folder_new();
    struct board board;
    board_init(&board);
    struct err err = ERR_INIT;
    struct legacy_loader *loader = legacy_loader_start(folder.path, 5, publish, &board, &err);
    assert_non_null(loader);
    struct buf text = BUF_INIT;
    for (long number = 1; number <= 5; number++) {
        put_number(&text, number);
        folder_put(&folder, "leaderboard.json", text.data);
        assert_int_equal(wait_for_number(&board, number), number);
    }
    folder_put(&folder, "leaderboard.json", "{");
    folder_drop(&folder, "leaderboard.json");
    (void)usleep(50000);
    assert_int_equal(wait_for_number(&board, 5), 5);

    folder_put(&folder, "leaderboard.json", text.data);
    folder_age(&folder, "leaderboard.json", 0);
    (void)usleep(100000);
    size_t before;
    size_t after;
    legacy_set_unref(board_take(&board, &before));
    (void)usleep(100000);
    legacy_set_unref(board_take(&board, &after));
    assert_int_equal(before, after);
    buf_free(&text);
    legacy_loader_stop(loader);
    board_free(&board);
    folder_free(&folder);
}

struct rewriter {
    const struct folder *folder;
    long last;
    bool careless; /* overwrites in place instead of replacing */
    atomic_bool done;
};

static void *rewrite(void *arg)
{
    struct rewriter *rewriter = arg;
    struct buf text = BUF_INIT;
    for (long number = 1; number <= rewriter->last; number++) {
        put_number(&text, number);
        struct err err = ERR_INIT;
        if (rewriter->careless)
            folder_put(rewriter->folder, "leaderboard.json", text.data);
        else if (!legacy_write_file(rewriter->folder->path, "leaderboard.json", buf_slice(&text), &err))
            break;
        (void)usleep(200);
    }
    buf_free(&text);
    atomic_store(&rewriter->done, true);
    return NULL;
}

/* Readers on several threads while a file changes all the time: numbers only grow, nothing is ever torn, and the last
 * write arrives. */
struct reader {
    struct board *board;
    struct rewriter *rewriter;
    bool went_back;
};

static void *read_on(void *arg)
{
    struct reader *reader = arg;
    long newest = -1;
    while (!atomic_load(&reader->rewriter->done)) {
        struct legacy_set *set = board_take(reader->board, NULL);
        long number = served_number(set);
        legacy_set_unref(set);
        reader->went_back |= number < newest;
        newest = number;
    }
    return NULL;
}

static void read_while_rewriting(bool careless)
{
    struct folder folder = folder_new();
    struct board board;
    board_init(&board);
    struct err err = ERR_INIT;
    struct legacy_loader *loader = legacy_loader_start(folder.path, 1, publish, &board, &err);
    assert_non_null(loader);
    struct rewriter rewriter = {.folder = &folder, .last = 1000, .careless = careless};
    struct reader readers[2] = {{&board, &rewriter, false}, {&board, &rewriter, false}};
    pthread_t threads[3];
    assert_int_equal(pthread_create(&threads[0], NULL, rewrite, &rewriter), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, read_on, &readers[0]), 0);
    assert_int_equal(pthread_create(&threads[2], NULL, read_on, &readers[1]), 0);
    for (size_t i = 0; i < 3; i++)
        (void)pthread_join(threads[i], NULL);
    assert_false(readers[0].went_back);
    assert_false(readers[1].went_back);
    assert_int_equal(wait_for_number(&board, rewriter.last), rewriter.last);
    legacy_loader_stop(loader);
    board_free(&board);
    folder_free(&folder);
}

static void readers_never_see_a_torn_file_when_it_is_replaced(void **state)
{
    (void)state;
    read_while_rewriting(false);
}

static void readers_never_see_a_torn_file_when_it_is_overwritten(void **state)
{
    (void)state;
    read_while_rewriting(true);
}

/* A set that a reader holds stays whole after the loader is gone. */
static void a_held_set_outlives_the_loader(void **state)
{
    (void)state;
    struct folder folder = folder_new();
    folder_put(&folder, "leaderboard.json", "{\"leaderboard\":[{\"n\":1},{\"n\":1}]}");
    struct board board;
    board_init(&board);
    struct err err = ERR_INIT;
    struct legacy_loader *loader = legacy_loader_start(folder.path, 1, publish, &board, &err);
    assert_non_null(loader);
    struct legacy_set *held = board_take(&board, NULL);
    folder_put(&folder, "leaderboard.json", "{\"leaderboard\":[{\"n\":22},{\"n\":22}]}");
    assert_int_equal(wait_for_number(&board, 22), 22);
    legacy_loader_stop(loader);
    board_free(&board);
    assert_int_equal(served_number(held), 1);
    legacy_set_unref(held);
    folder_free(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_set_is_out_before_start_returns),
        cmocka_unit_test(changes_are_published_and_nothing_else),
        cmocka_unit_test(readers_never_see_a_torn_file_when_it_is_replaced),
        cmocka_unit_test(readers_never_see_a_torn_file_when_it_is_overwritten),
        cmocka_unit_test(a_held_set_outlives_the_loader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
