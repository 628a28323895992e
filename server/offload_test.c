/* Mailbox and offload together, since one is of use only with the other. Worth running under ThreadSanitizer. */
#include "base/testing.h"
#include "server/offload.h"

#include <pthread.h>
#include <stdlib.h>

enum { POSTERS = 4, LETTERS_EACH = 5000 };

struct inbox {
    struct event_base *base;
    struct mailbox *mailbox;
    pthread_t loop_thread;
    unsigned next_of[POSTERS]; /* each poster's letters must come in its order */
    unsigned received;
    unsigned wanted;
};

struct letter {
    struct inbox *inbox;
    unsigned poster;
    unsigned number;
};

static void on_letter(void *arg)
{
    struct letter *letter = arg;
    struct inbox *inbox = letter->inbox;
    if (!pthread_equal(inbox->loop_thread, pthread_self()) || inbox->next_of[letter->poster]++ != letter->number)
        abort();
    free(letter);
    if (++inbox->received == inbox->wanted)
        (void)event_base_loopbreak(inbox->base);
}

struct poster {
    struct inbox *inbox;
    unsigned index;
};

static void *post_many(void *arg)
{
    struct poster *poster = arg;
    for (unsigned i = 0; i < LETTERS_EACH; i++) {
        struct letter *letter = malloc(sizeof *letter);
        *letter = (struct letter){poster->inbox, poster->index, i};
        mailbox_post(poster->inbox->mailbox, on_letter, letter);
    }
    return NULL;
}

static struct inbox inbox_open(unsigned wanted)
{
    struct err err = ERR_INIT;
    struct inbox inbox = {.base = event_base_new(), .loop_thread = pthread_self(), .wanted = wanted};
    inbox.mailbox = mailbox_new(inbox.base, &err);
    assert_non_null(inbox.mailbox);
    return inbox;
}

static void inbox_close(struct inbox *inbox)
{
    mailbox_free(inbox->mailbox);
    event_base_free(inbox->base);
}

static void test_letters_of_many_threads_come_once_and_in_order(void **state)
{
    (void)state;
    struct inbox inbox = inbox_open(POSTERS * LETTERS_EACH);
    pthread_t threads[POSTERS];
    struct poster posters[POSTERS];
    for (unsigned i = 0; i < POSTERS; i++) {
        posters[i] = (struct poster){&inbox, i};
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, &posters[i]), 0);
    }
    assert_int_not_equal(event_base_dispatch(inbox.base), -1);
    for (unsigned i = 0; i < POSTERS; i++)
        (void)pthread_join(threads[i], NULL);
    assert_int_equal(inbox.received, POSTERS * LETTERS_EACH);
    inbox_close(&inbox);
}

static void test_letters_left_over_are_run(void **state)
{
    (void)state;
    struct inbox inbox = inbox_open(LETTERS_EACH + 1);
    struct poster poster = {&inbox, 0};
    (void)post_many(&poster);
    assert_int_equal(inbox.received, 0);
    struct event_base *base = inbox.base;
    mailbox_free(inbox.mailbox);
    assert_int_equal(inbox.received, LETTERS_EACH);
    event_base_free(base);
}

struct job {
    struct inbox *inbox;
    pthread_t ran_on;
    unsigned input;
    unsigned output;
};

static void square(void *arg)
{
    struct job *job = arg;
    job->ran_on = pthread_self();
    job->output = job->input * job->input;
}

static void on_squared(void *arg)
{
    struct job *job = arg;
    if (pthread_equal(job->ran_on, pthread_self()) || job->output != job->input * job->input)
        abort();
    if (++job->inbox->received == job->inbox->wanted)
        (void)event_base_loopbreak(job->inbox->base);
}

static void test_jobs_run_elsewhere_and_come_back(void **state)
{
    (void)state;
    enum { JOBS = 2000 };
    struct inbox inbox = inbox_open(JOBS);
    struct err err = ERR_INIT;
    struct offload *offload = offload_start(3, &err);
    assert_non_null(offload);
    struct job *jobs = calloc(JOBS, sizeof *jobs);
    for (unsigned i = 0; i < JOBS; i++) {
        jobs[i] = (struct job){.inbox = &inbox, .input = i};
        offload_submit(offload, inbox.mailbox, square, on_squared, &jobs[i]);
    }
    assert_int_not_equal(event_base_dispatch(inbox.base), -1);
    assert_int_equal(inbox.received, JOBS);
    offload_stop(offload);
    inbox_close(&inbox);
    free(jobs);
}

static void test_stopping_finishes_what_was_submitted(void **state)
{
    (void)state;
    enum { JOBS = 500 };
    struct inbox inbox = inbox_open(JOBS + 1);
    struct err err = ERR_INIT;
    struct offload *offload = offload_start(2, &err);
    struct job *jobs = calloc(JOBS, sizeof *jobs);
    for (unsigned i = 0; i < JOBS; i++) {
        jobs[i] = (struct job){.inbox = &inbox, .input = i};
        offload_submit(offload, inbox.mailbox, square, on_squared, &jobs[i]);
    }
    offload_stop(offload);
    mailbox_free(inbox.mailbox);
    assert_int_equal(inbox.received, JOBS);
    event_base_free(inbox.base);
    free(jobs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_letters_of_many_threads_come_once_and_in_order),
        cmocka_unit_test(test_letters_left_over_are_run),
        cmocka_unit_test(test_jobs_run_elsewhere_and_come_back),
        cmocka_unit_test(test_stopping_finishes_what_was_submitted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
