#include "cache/redis_resolve.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Shared by the loop and the thread; the one that lets go last frees it. */
struct job {
    atomic_int holders;
    int ready_fd; /* readable when addresses are written */
    char *host;
    struct redis_addresses addresses;
};

struct redis_lookup {
    struct job *job;
    struct event *ready;
    void (*done)(void *arg, const struct redis_addresses *addresses);
    void *arg;
};

bool redis_is_address(const char *host)
{
    struct in6_addr address;
    return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

static void let_go(struct job *job)
{
    if (atomic_fetch_sub(&job->holders, 1) > 1)
        return;
    (void)close(job->ready_fd);
    free(job->host);
    free(job);
}

static void take_addresses(struct redis_addresses *addresses, const struct addrinfo *found)
{
    for (; found && addresses->count < REDIS_MAX_ADDRESSES; found = found->ai_next)
        if (getnameinfo(found->ai_addr, found->ai_addrlen, addresses->text[addresses->count], sizeof addresses->text[0],
                        NULL, 0, NI_NUMERICHOST) == 0)
            addresses->count++;
}

static void *look_up(void *arg)
{
    struct job *job = arg;
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int failure = getaddrinfo(job->host, NULL, &hints, &found);
    if (failure == 0) {
        take_addresses(&job->addresses, found);
        freeaddrinfo(found);
    }
    if (job->addresses.count == 0)
        err_set(&job->addresses.err, ERR_UNAVAILABLE, "cannot resolve \"%s\": %s", job->host,
                failure ? gai_strerror(failure) : "no usable address");
    uint64_t one = 1;
    /* An eventfd of count 0 always takes it. */
    (void)!write(job->ready_fd, &one, sizeof one);
    let_go(job);
    return NULL;
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct redis_lookup *lookup = arg;
    uint64_t count;
    if (read(fd, &count, sizeof count) != (ssize_t)sizeof count)
        return;
    event_del(lookup->ready);
    lookup->done(lookup->arg, &lookup->job->addresses);
}

static int start_thread(struct job *job)
{
    pthread_attr_t attributes;
    int failure = pthread_attr_init(&attributes);
    if (failure)
        return failure;
    (void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_t thread;
    failure = pthread_create(&thread, &attributes, look_up, job);
    (void)pthread_attr_destroy(&attributes);
    return failure;
}

struct redis_lookup *redis_lookup_start(struct event_base *base, const char *host,
                                        void (*done)(void *arg, const struct redis_addresses *addresses), void *arg,
                                        struct err *err)
{
    struct job *job = mem_zalloc(sizeof *job);
    atomic_init(&job->holders, 2);
    job->host = mem_strndup(host, strlen(host));
    job->ready_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int failure = job->ready_fd < 0 ? errno : start_thread(job);
    if (failure) {
        err_set_errno(err, failure, "cannot look up \"%s\"", host);
        atomic_store(&job->holders, 1);
        let_go(job);
        return NULL;
    }
    struct redis_lookup *lookup = mem_zalloc(sizeof *lookup);
    lookup->job = job;
    lookup->done = done;
    lookup->arg = arg;
    lookup->ready = event_new(base, job->ready_fd, EV_READ | EV_PERSIST, on_ready, lookup);
    event_add(lookup->ready, NULL);
    return lookup;
}

void redis_lookup_free(struct redis_lookup *lookup)
{
    if (!lookup)
        return;
    event_free(lookup->ready);
    let_go(lookup->job);
    free(lookup);
}
