/* post_load HOST PORT TOKEN CONNECTIONS RATE SECONDS ITEMS RUN: posts new trades to /api/ingest/trades over kept
 * connections, ITEMS in each request. RATE over 0: so many requests a second, each begun when its time has come or, if
 * all connections are busy, as soon as one is free (its latency then counts from its time: no coordinated omission).
 * RATE 0: each connection goes on at once. RUN tells the ids of one run from those of another.
 *
 * Prints one line: "<requests a second> <median us> <99th percentile us> <longest us> <requests> <not answered by
 * 200>". */
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 256, INPUT = 64 * 1024 };

struct client {
    int fd;
    bool busy;
    int64_t due_us; /* when its request should have begun */
    size_t filled;
    char input[INPUT];
};

struct plan {
    struct sockaddr_in address;
    const char *token;
    const char *run;
    unsigned connections;
    double rate;
    double seconds;
    unsigned items;
};

struct tally {
    int64_t *took_us;
    size_t count;
    size_t room;
    size_t bad;
    uint64_t number; /* of trades so far */
};

static void put_trade(struct buf *out, const char *run, uint64_t number)
{
    double exit_time = 1.7616e9 + (double)number / 1000;
    buf_printf(out,
               "{\"id\":\"bench-%s-%llu\",\"model_id\":\"bench-%llu\",\"symbol\":\"BTC\",\"side\":\"long\","
               "\"quantity\":0.5,\"leverage\":1,\"entry_price\":100.25,\"entry_time\":%.3f,\"exit_price\":101.5,"
               "\"exit_time\":%.3f,\"realized_net_pnl\":%llu.25}",
               run, (unsigned long long)number, (unsigned long long)(number % 8), exit_time - 3600, exit_time,
               (unsigned long long)(number % 100));
}

static void put_request(struct buf *out, const struct plan *plan, struct tally *tally)
{
    struct buf body = BUF_INIT;
    if (plan->items > 1)
        buf_append_char(&body, '[');
    for (unsigned i = 0; i < plan->items; i++) {
        if (i)
            buf_append_char(&body, ',');
        put_trade(&body, plan->run, tally->number++);
    }
    if (plan->items > 1)
        buf_append_char(&body, ']');
    buf_printf(out,
               "POST /api/ingest/trades HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n"
               "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
               plan->token, body.len);
    buf_append_slice(out, buf_slice(&body));
    buf_free(&body);
}

static bool write_all(int fd, struct slice bytes)
{
    while (bytes.n) {
        ssize_t n = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            struct pollfd wait = {.fd = fd, .events = POLLOUT};
            (void)poll(&wait, 1, 1000);
            continue;
        }
        if (n <= 0)
            return false;
        bytes.p += n;
        bytes.n -= (size_t)n;
    }
    return true;
}

static bool begin(struct client *client, const struct plan *plan, struct tally *tally, int64_t due_us)
{
    struct buf request = BUF_INIT;
    put_request(&request, plan, tally);
    bool good = write_all(client->fd, buf_slice(&request));
    buf_free(&request);
    client->busy = true;
    client->due_us = due_us;
    client->filled = 0;
    return good;
}

static void record(struct tally *tally, int64_t took_us, bool good)
{
    if (tally->count == tally->room) {
        tally->room = tally->room ? tally->room * 2 : 4096;
        tally->took_us = mem_realloc(tally->took_us, tally->room * sizeof *tally->took_us);
    }
    tally->took_us[tally->count++] = took_us;
    tally->bad += !good;
}

/* Whether a whole reply is there. Bodies longer than the input are counted and dropped. */
static bool is_whole(const struct client *client)
{
    const char *end = memmem(client->input, client->filled, "\r\n\r\n", 4);
    const char *length = strcasestr(client->input, "\r\nContent-Length:");
    if (!end || !length || length > end)
        return false;
    size_t head = (size_t)(end - client->input) + 4;
    return client->filled >= head + strtoul(length + 17, NULL, 10);
}

/* False when the connection is of no more use. */
static bool on_readable(struct client *client, struct tally *tally)
{
    ssize_t n = recv(client->fd, client->input + client->filled, INPUT - 1 - client->filled, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return true;
    if (n <= 0)
        return false;
    client->filled += (size_t)n;
    client->input[client->filled] = '\0';
    if (!is_whole(client))
        return client->filled < INPUT - 1;
    record(tally, clock_mono_us() - client->due_us, strncmp(client->input, "HTTP/1.1 200 ", 13) == 0);
    client->busy = false;
    return true;
}

static int open_connection(const struct plan *plan)
{
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&plan->address, sizeof plan->address) != 0) {
        perror("post_load");
        exit(2);
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void start_due(const struct plan *plan, struct client *clients, struct tally *tally, int64_t began_us,
                      uint64_t *begun)
{
    int64_t now_us = clock_mono_us();
    for (unsigned i = 0; i < plan->connections; i++) {
        if (clients[i].busy)
            continue;
        int64_t due_us = plan->rate > 0 ? began_us + (int64_t)((double)*begun * 1e6 / plan->rate) : now_us;
        if (due_us > now_us)
            return;
        (*begun)++;
        if (!begin(&clients[i], plan, tally, due_us)) {
            fprintf(stderr, "post_load: a connection broke\n");
            exit(2);
        }
    }
}

static void run(const struct plan *plan, struct tally *tally)
{
    struct client *clients = mem_calloc(plan->connections, sizeof *clients);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; i < plan->connections; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
        clients[i].fd = open_connection(plan);
        (void)epoll_ctl(epoll, EPOLL_CTL_ADD, clients[i].fd, &event);
    }
    int64_t began_us = clock_mono_us();
    int64_t until_us = began_us + (int64_t)(plan->seconds * 1e6);
    uint64_t begun = 0;
    for (;;) {
        struct epoll_event events[EVENTS];
        bool over = clock_mono_us() >= until_us;
        if (!over)
            start_due(plan, clients, tally, began_us, &begun);
        if (over && tally->count == begun)
            break;
        int n = epoll_wait(epoll, events, EVENTS, 1);
        for (int i = 0; i < n; i++)
            if (!on_readable(&clients[events[i].data.u32], tally)) {
                fprintf(stderr, "post_load: a connection was closed\n");
                exit(2);
            }
    }
    for (unsigned i = 0; i < plan->connections; i++)
        (void)close(clients[i].fd);
    (void)close(epoll);
    free(clients);
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    if (argc != 9) {
        fprintf(stderr, "usage: post_load HOST PORT TOKEN CONNECTIONS RATE SECONDS ITEMS RUN\n");
        return 2;
    }
    struct plan plan = {.address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10))},
                        .token = argv[3],
                        .run = argv[8],
                        .connections = (unsigned)strtoul(argv[4], NULL, 10),
                        .rate = strtod(argv[5], NULL),
                        .seconds = strtod(argv[6], NULL),
                        .items = (unsigned)strtoul(argv[7], NULL, 10)};
    if (inet_pton(AF_INET, argv[1], &plan.address.sin_addr) != 1 || !plan.connections || !plan.items) {
        fprintf(stderr, "post_load: wrong arguments\n");
        return 2;
    }
    struct tally tally = {.count = 0};
    int64_t began_us = clock_mono_us();
    run(&plan, &tally);
    double took_s = (double)(clock_mono_us() - began_us) / 1e6;
    size_t n = tally.count;
    if (tally.took_us)
        qsort(tally.took_us, n, sizeof *tally.took_us, by_value);
    if (tally.took_us)
        printf("%.1f %lld %lld %lld %zu %zu\n", (double)n / took_s, (long long)tally.took_us[n / 2],
               (long long)tally.took_us[n * 99 / 100], (long long)tally.took_us[n - 1], n, tally.bad);
    free(tally.took_us);
    return n ? 0 : 2;
}
