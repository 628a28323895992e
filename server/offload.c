#include "server/offload.h"

#include "base/mem.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/* So long without a job, memory that large jobs left behind goes back to the system. */
enum { TIDY_AFTER_S = 2 };

struct job {
    struct job *next;
    struct mailbox *mailbox;
    void (*run)(void *arg);
    mailbox_fn *done;
    void *arg;
};

struct offload {
    pthread_mutex_t lock; /* guards everything below but the threads */
    pthread_cond_t work;
    struct job *first;
    struct job *last;
    bool stopping;
    bool untidy; /* jobs were done since memory was last given back */
    unsigned thread_count;
    pthread_t threads[];
};

/* Waits for news with the lock held. glibc keeps what was freed in small pieces, hundreds of megabytes after a rush of
 * large answers, until it is told to give it back. */
static void wait_for_work(struct offload *offload)
{
    if (!offload->untidy) {
        (void)pthread_cond_wait(&offload->work, &offload->lock);
        return;
    }
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += TIDY_AFTER_S;
    int news = pthread_cond_timedwait(&offload->work, &offload->lock, &until);
    if (news != ETIMEDOUT || offload->first || offload->stopping || !offload->untidy)
        return;
    offload->untidy = false;
    (void)pthread_mutex_unlock(&offload->lock);
    (void)malloc_trim(0);
    (void)pthread_mutex_lock(&offload->lock);
}

/* The next job, or NULL when there will be none any more. */
static struct job *take_job(struct offload *offload)
{
    (void)pthread_mutex_lock(&offload->lock);
    while (!offload->first && !offload->stopping)
        wait_for_work(offload);
    struct job *job = offload->first;
    if (job) {
        offload->first = job->next;
        if (!offload->first)
            offload->last = NULL;
        offload->untidy = true;
    }
    (void)pthread_mutex_unlock(&offload->lock);
    return job;
}

static void *work(void *arg)
{
    struct job *job;
    while ((job = take_job(arg))) {
        job->run(job->arg);
        mailbox_post(job->mailbox, job->done, job->arg);
        free(job);
    }
    return NULL;
}

struct offload *offload_start(unsigned threads, struct err *err)
{
    struct offload *offload = mem_zalloc(sizeof *offload + threads * sizeof offload->threads[0]);
    (void)pthread_mutex_init(&offload->lock, NULL);
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&offload->work, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    while (offload->thread_count < threads) {
        int failed = pthread_create(&offload->threads[offload->thread_count], NULL, work, offload);
        if (failed) {
            (void)err_set_errno(err, failed, "cannot start a thread");
            offload_stop(offload);
            return NULL;
        }
        offload->thread_count++;
    }
    return offload;
}

void offload_submit(struct offload *offload, struct mailbox *mailbox, void (*run)(void *arg), mailbox_fn *done,
                    void *arg)
{
    struct job *job = mem_alloc(sizeof *job);
    *job = (struct job){NULL, mailbox, run, done, arg};
    (void)pthread_mutex_lock(&offload->lock);
    if (offload->last)
        offload->last->next = job;
    else
        offload->first = job;
    offload->last = job;
    (void)pthread_cond_signal(&offload->work);
    (void)pthread_mutex_unlock(&offload->lock);
}

void offload_stop(struct offload *offload)
{
    if (!offload)
        return;
    (void)pthread_mutex_lock(&offload->lock);
    offload->stopping = true;
    (void)pthread_cond_broadcast(&offload->work);
    (void)pthread_mutex_unlock(&offload->lock);
    for (unsigned i = 0; i < offload->thread_count; i++)
        (void)pthread_join(offload->threads[i], NULL);
    (void)pthread_cond_destroy(&offload->work);
    (void)pthread_mutex_destroy(&offload->lock);
    free(offload);
}
