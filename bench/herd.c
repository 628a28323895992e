/* herd HOST PORT CLIENTS SECONDS MARKER MODE: so many browsers on the dashboard's home page, each with one kept
 * connection, that all ask within the same second, every ten seconds: prices, account totals since hour MARKER, and
 * trades; every other one shows conversations in place of trades and asks for them every third time. One request at a
 * time on each connection. MODE: "plain", "gzip", or "conditional" (gzip and If-None-Match with the last ETag). Prints
 * one line of JSON: what came of it, without the first round, which fills the clients' memory of ETags. */
#include "base/clock.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    PERIOD_US = 10 * 1000 * 1000,
    SPREAD_US = 1000 * 1000,
    HEAD_MAX = 4096,
    ETAG_MAX = 48,
    EVENTS = 256,
    CONNECTING_MAX = 100, /* so that the listener's queue does not overflow */
    TARGETS = 4
};

enum target { PRICES, TOTALS, TRADES, CONVERSATIONS };

struct client {
    int fd;
    bool connected;
    unsigned left;  /* requests of this round that were not sent yet, one bit a target */
    int asked;      /* the target that is under way, -1: none */
    int64_t due_us; /* when its round begins for this client */
    int64_t sent_us;
    size_t body_left;
    size_t head_size; /* bytes of the head so far */
    bool in_body;
    char *head; /* only while a head is under way */
    char etags[TARGETS][ETAG_MAX];
};

struct herd {
    unsigned count;
    struct client *clients;
    int epoll;
    struct sockaddr_in address;
    char paths[TARGETS][64];
    bool gzip;
    bool conditional;
    unsigned round;

    unsigned connecting;
    unsigned busy; /* clients of this round that are not done */
    uint64_t answers, full, unchanged, errors, bytes;
    uint32_t *took_us;
    size_t room;
    int64_t slowest_round_us;
};

static void fail(const char *what)
{
    fprintf(stderr, "herd: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void watch(struct herd *herd, struct client *client, int how, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = client};
    if (epoll_ctl(herd->epoll, how, client->fd, &event) < 0)
        fail("epoll_ctl");
}

static void start_connecting(struct herd *herd, struct client *client)
{
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (client->fd < 0)
        fail("socket");
    int on = 1;
    (void)setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(client->fd, (const struct sockaddr *)&herd->address, sizeof herd->address) < 0 && errno != EINPROGRESS)
        fail("connect");
    watch(herd, client, EPOLL_CTL_ADD, EPOLLOUT);
    herd->connecting++;
}

static void finish_connecting(struct herd *herd, struct client *client)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error) {
        errno = error;
        fail("connect");
    }
    client->connected = true;
    herd->connecting--;
    watch(herd, client, EPOLL_CTL_MOD, EPOLLIN);
}

/* A connection that breaks counts as an error and is not opened again: nobody should close one here. */
static void lose(struct herd *herd, struct client *client)
{
    (void)close(client->fd);
    client->fd = -1;
    herd->errors++;
    if (client->asked >= 0 || client->left)
        herd->busy--;
    client->asked = -1;
    client->left = 0;
}

static void ask(struct herd *herd, struct client *client, int64_t now_us)
{
    int target = __builtin_ctz(client->left);
    char text[512];
    int n = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: localhost\r\n%s", herd->paths[target],
                     herd->gzip ? "Accept-Encoding: gzip, deflate, br\r\n" : "");
    if (herd->conditional && client->etags[target][0])
        n += snprintf(text + n, sizeof text - (size_t)n, "If-None-Match: %s\r\n", client->etags[target]);
    n += snprintf(text + n, sizeof text - (size_t)n, "\r\n");
    client->left &= client->left - 1;
    client->asked = target;
    client->sent_us = now_us;
    client->in_body = false;
    client->head_size = 0;
    if (send(client->fd, text, (size_t)n, MSG_NOSIGNAL) != n)
        lose(herd, client);
}

static void note(struct herd *herd, int64_t took_us)
{
    if (herd->answers == herd->room) {
        herd->room = herd->room ? herd->room * 2 : 65536;
        herd->took_us = mem_realloc(herd->took_us, herd->room * sizeof *herd->took_us);
    }
    herd->took_us[herd->answers++] = (uint32_t)took_us;
}

static void end_answer(struct herd *herd, struct client *client, int64_t now_us)
{
    free(client->head);
    client->head = NULL;
    client->asked = -1;
    if (herd->round > 0)
        note(herd, now_us - client->sent_us);
    if (client->left)
        ask(herd, client, now_us);
    else
        herd->busy--;
}

/* The value of a header in a NUL-terminated head, or NULL. */
static const char *header(const char *head, const char *name)
{
    size_t n = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n"))
        if (strncasecmp(line + 2, name, n) == 0 && line[2 + n] == ':')
            return line + 2 + n + 1 + strspn(line + 2 + n + 1, " ");
    return NULL;
}

/* Takes what the head says; false when it is no good answer. */
static bool take_head(struct herd *herd, struct client *client)
{
    unsigned status = 0;
    if (sscanf(client->head, "HTTP/1.1 %u", &status) != 1 || (status != 200 && status != 304))
        return false;
    const char *length = header(client->head, "Content-Length");
    client->body_left = status == 200 && length ? (size_t)strtoull(length, NULL, 10) : 0;
    const char *etag = header(client->head, "ETag");
    size_t n = etag ? strcspn(etag, "\r") : 0;
    if (n && n < ETAG_MAX) {
        memcpy(client->etags[client->asked], etag, n);
        client->etags[client->asked][n] = '\0';
    }
    if (herd->round > 0) {
        herd->full += status == 200;
        herd->unchanged += status == 304;
    }
    return true;
}

/* Uses n bytes that came; false when they are no good answer. */
static bool take_bytes(struct herd *herd, struct client *client, const char *bytes, size_t n)
{
    if (client->asked < 0)
        return false;
    if (!client->in_body) {
        if (!client->head)
            client->head = mem_alloc(HEAD_MAX);
        size_t take = n < HEAD_MAX - 1 - client->head_size ? n : HEAD_MAX - 1 - client->head_size;
        size_t before = client->head_size;
        memcpy(client->head + before, bytes, take);
        client->head_size += take;
        client->head[client->head_size] = '\0';
        char *end = strstr(client->head, "\r\n\r\n");
        if (!end)
            return client->head_size < HEAD_MAX - 1;
        size_t used = (size_t)(end + 4 - client->head) - before;
        end[2] = '\0';
        bytes += used;
        n -= used;
        client->in_body = true;
        if (!take_head(herd, client))
            return false;
    }
    (void)bytes;
    if (n > client->body_left)
        return false;
    client->body_left -= n;
    return true;
}

static void on_readable(struct herd *herd, struct client *client)
{
    static char input[256 * 1024];
    ssize_t n = recv(client->fd, input, sizeof input, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0 || !take_bytes(herd, client, input, (size_t)n)) {
        lose(herd, client);
        return;
    }
    if (herd->round > 0)
        herd->bytes += (uint64_t)n;
    if (client->in_body && client->body_left == 0)
        end_answer(herd, client, clock_mono_us());
}

static void turn(struct herd *herd, int wait_ms)
{
    struct epoll_event events[EVENTS];
    int n = epoll_wait(herd->epoll, events, EVENTS, wait_ms);
    for (int i = 0; i < n; i++) {
        struct client *client = events[i].data.ptr;
        if (client->fd < 0)
            continue;
        if (!client->connected)
            finish_connecting(herd, client);
        else
            on_readable(herd, client);
    }
}

static void connect_all(struct herd *herd)
{
    for (unsigned i = 0; i < herd->count || herd->connecting;) {
        while (i < herd->count && herd->connecting < CONNECTING_MAX) {
            herd->clients[i].asked = -1;
            start_connecting(herd, &herd->clients[i++]);
        }
        turn(herd, 100);
    }
}

/* What a client asks for in a round. */
static unsigned wishes(unsigned client, unsigned round)
{
    unsigned wish = 1U << PRICES | 1U << TOTALS;
    if (client % 2 == 0)
        return wish | 1U << TRADES;
    return round % 3 == client / 2 % 3 ? wish | 1U << CONVERSATIONS : wish;
}

static void run_round(struct herd *herd, int64_t begins_us)
{
    unsigned next = 0;
    herd->busy = 0;
    while (next < herd->count || herd->busy) {
        int64_t now_us = clock_mono_us();
        while (next < herd->count) {
            struct client *client = &herd->clients[next];
            client->due_us = begins_us + (int64_t)next * SPREAD_US / herd->count;
            if (client->due_us > now_us)
                break;
            if (client->fd >= 0 && client->asked < 0) {
                client->left = wishes(next, herd->round);
                herd->busy++;
                ask(herd, client, now_us);
            }
            next++;
        }
        turn(herd, next < herd->count ? 0 : 100);
        if (clock_mono_us() - begins_us > PERIOD_US)
            break;
    }
    int64_t took_us = clock_mono_us() - begins_us;
    if (herd->round > 0 && took_us > herd->slowest_round_us)
        herd->slowest_round_us = took_us;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void report(struct herd *herd)
{
    uint64_t n = herd->answers;
    qsort(herd->took_us, n, sizeof *herd->took_us, by_value);
    printf("{\"clients\":%u,\"rounds\":%u,\"requests\":%llu,\"full\":%llu,\"unchanged\":%llu,\"errors\":%llu,"
           "\"bytes\":%llu,\"p50_us\":%u,\"p99_us\":%u,\"max_us\":%u,\"slowest_round_us\":%lld}\n",
           herd->count, herd->round - 1, (unsigned long long)n, (unsigned long long)herd->full,
           (unsigned long long)herd->unchanged, (unsigned long long)herd->errors, (unsigned long long)herd->bytes,
           n ? herd->took_us[n / 2] : 0, n ? herd->took_us[n * 99 / 100] : 0, n ? herd->took_us[n - 1] : 0,
           (long long)herd->slowest_round_us);
}

static void wait_until(struct herd *herd, int64_t until_us)
{
    for (int64_t now_us; (now_us = clock_mono_us()) < until_us;)
        turn(herd, (int)((until_us - now_us) / 1000) + 1);
}

int main(int argc, char **argv)
{
    struct herd herd = {.address = {.sin_family = AF_INET}};
    if (argc != 7 || inet_pton(AF_INET, argv[1], &herd.address.sin_addr) != 1) {
        fprintf(stderr, "usage: herd ADDRESS PORT CLIENTS SECONDS MARKER plain|gzip|conditional\n");
        return 2;
    }
    herd.address.sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10));
    herd.count = (unsigned)strtoul(argv[3], NULL, 10);
    unsigned rounds = 1 + (unsigned)strtoul(argv[4], NULL, 10) * 1000 / (PERIOD_US / 1000);
    herd.conditional = strcmp(argv[6], "conditional") == 0;
    herd.gzip = herd.conditional || strcmp(argv[6], "gzip") == 0;
    (void)snprintf(herd.paths[PRICES], sizeof herd.paths[0], "/api/crypto-prices");
    (void)snprintf(herd.paths[TOTALS], sizeof herd.paths[0], "/api/account-totals?lastHourlyMarker=%s", argv[5]);
    (void)snprintf(herd.paths[TRADES], sizeof herd.paths[0], "/api/trades");
    (void)snprintf(herd.paths[CONVERSATIONS], sizeof herd.paths[0], "/api/conversations");
    struct rlimit files = {.rlim_cur = herd.count + 64, .rlim_max = herd.count + 64};
    struct rlimit now;
    if (getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur < files.rlim_cur) {
        files.rlim_max = now.rlim_max > files.rlim_max ? now.rlim_max : files.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &files) < 0)
            fail("too few file descriptors");
    }
    herd.clients = mem_calloc(herd.count, sizeof *herd.clients);
    herd.epoll = epoll_create1(EPOLL_CLOEXEC);
    connect_all(&herd);
    puts("connected");
    (void)fflush(stdout);
    int64_t begins_us = clock_mono_us();
    for (; herd.round < rounds; herd.round++, begins_us += PERIOD_US) {
        wait_until(&herd, begins_us);
        if (herd.round == 1) { /* from here on it is measured */
            puts("begins");
            (void)fflush(stdout);
        }
        run_round(&herd, begins_us);
    }
    report(&herd);
    return 0;
}
