#include "server/mailbox.h"

#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct letter {
    struct letter *next;
    mailbox_fn *fn;
    void *arg;
};

struct mailbox {
    struct event *wake;
    int fd;
    pthread_mutex_t lock; /* guards first and last */
    struct letter *first;
    struct letter *last;
};

static void run_letters(struct mailbox *mailbox)
{
    (void)pthread_mutex_lock(&mailbox->lock);
    struct letter *letter = mailbox->first;
    mailbox->first = NULL;
    mailbox->last = NULL;
    (void)pthread_mutex_unlock(&mailbox->lock);
    while (letter) {
        struct letter *next = letter->next;
        letter->fn(letter->arg);
        free(letter);
        letter = next;
    }
}

static void on_wake(evutil_socket_t fd, short events, void *arg)
{
    (void)events;
    uint64_t count = 0;
    /* The counter is reset before the letters are taken: one posted in between wakes the loop again. */
    while (read(fd, &count, sizeof count) < 0 && errno == EINTR) {
    }
    run_letters(arg);
}

struct mailbox *mailbox_new(struct event_base *base, struct err *err)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0) {
        (void)err_set_errno(err, errno, "cannot make a mailbox");
        return NULL;
    }
    struct mailbox *mailbox = mem_zalloc(sizeof *mailbox);
    mailbox->fd = fd;
    (void)pthread_mutex_init(&mailbox->lock, NULL);
    mailbox->wake = event_new(base, fd, EV_READ | EV_PERSIST, on_wake, mailbox);
    if (!mailbox->wake || event_add(mailbox->wake, NULL) != 0) {
        (void)err_set(err, ERR_IO, "cannot watch a mailbox");
        mailbox_free(mailbox);
        return NULL;
    }
    return mailbox;
}

void mailbox_post(struct mailbox *mailbox, mailbox_fn *fn, void *arg)
{
    struct letter *letter = mem_alloc(sizeof *letter);
    *letter = (struct letter){NULL, fn, arg};
    (void)pthread_mutex_lock(&mailbox->lock);
    bool was_empty = mailbox->first == NULL;
    if (was_empty)
        mailbox->first = letter;
    else
        mailbox->last->next = letter;
    mailbox->last = letter;
    (void)pthread_mutex_unlock(&mailbox->lock);
    /* A list that was not empty has a wake-up on its way already. */
    if (was_empty) {
        uint64_t one = 1;
        while (write(mailbox->fd, &one, sizeof one) < 0 && errno == EINTR) {
        }
    }
}

void mailbox_free(struct mailbox *mailbox)
{
    if (!mailbox)
        return;
    while (mailbox->first)
        run_letters(mailbox);
    if (mailbox->wake)
        event_free(mailbox->wake);
    (void)close(mailbox->fd);
    (void)pthread_mutex_destroy(&mailbox->lock);
    free(mailbox);
}
