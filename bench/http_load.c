/* http_load HOST PORT TARGET CONNECTIONS SECONDS [RATE [TIMES]]: asks for one target over kept connections, one request
 * at a time on each, RATE times a second over all of them or as fast as they are answered, and prints what bench/load.h
 * says; the file TIMES receives how long the answers took. Every answer must be 200 with a Content-Length. */
#include "base/mem.h"
#include "bench/load.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct target {
    const char *host;
    const char *port;
    const char *path;
};

enum { INPUT_SIZE = 256 * 1024 };

struct client {
    int fd;
    char request[2048];
    size_t request_size;
    char *input;
};

static void client_close(void *self)
{
    struct client *client = self;
    close(client->fd);
    free(client->input);
    free(client);
}

static void *client_open(const void *arg, struct err *err)
{
    const struct target *target = arg;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *address = NULL;
    int failed = getaddrinfo(target->host, target->port, &hints, &address);
    if (failed) {
        err_set(err, ERR_UNAVAILABLE, "%s: %s", target->host, gai_strerror(failed));
        return NULL;
    }
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, address->ai_addr, address->ai_addrlen) != 0) {
        err_set_errno(err, errno, "%s:%s", target->host, target->port);
        freeaddrinfo(address);
        if (fd >= 0) {
            close(fd);
        }
        return NULL;
    }
    freeaddrinfo(address);
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct client *client = mem_zalloc(sizeof *client);
    client->fd = fd;
    client->input = mem_alloc(INPUT_SIZE);
    client->request_size = (size_t)snprintf(client->request, sizeof client->request,
                                            "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", target->path, target->host);
    return client;
}

/* Reads on until the head is whole. Returns where the body begins, 0 on failure; *filled is how much was read. */
static size_t read_head(struct client *client, size_t *filled, struct err *err)
{
    *filled = 0;
    for (;;) {
        ssize_t n = recv(client->fd, client->input + *filled, INPUT_SIZE - 1 - *filled, 0);
        if (n <= 0) {
            err_set_errno(err, n ? errno : ECONNRESET, "answer");
            return 0;
        }
        *filled += (size_t)n;
        client->input[*filled] = '\0';
        const char *end = strstr(client->input, "\r\n\r\n");
        if (end) {
            return (size_t)(end - client->input) + 4;
        }
    }
}

static bool client_once(void *self, size_t *bytes, struct err *err)
{
    struct client *client = self;
    if (send(client->fd, client->request, client->request_size, MSG_NOSIGNAL) != (ssize_t)client->request_size) {
        return err_set_errno(err, errno, "request");
    }
    size_t filled;
    size_t head = read_head(client, &filled, err);
    if (!head) {
        return false;
    }
    const char *length = strcasestr(client->input, "\r\nContent-Length:");
    if (strncmp(client->input, "HTTP/1.1 200 ", 13) != 0 || !length || length > client->input + head) {
        return err_set(err, ERR_INTERNAL, "unexpected answer: %.60s", client->input);
    }
    size_t body = strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
    size_t got = filled - head;
    while (got < body) {
        ssize_t n = recv(client->fd, client->input, INPUT_SIZE, 0);
        if (n <= 0) {
            return err_set_errno(err, n ? errno : ECONNRESET, "answer's body");
        }
        got += (size_t)n;
    }
    *bytes = body;
    return true;
}

int main(int argc, char **argv)
{
    if (argc < 6 || argc > 8) {
        fprintf(stderr, "usage: http_load HOST PORT TARGET CONNECTIONS SECONDS [RATE [TIMES]]\n");
        return 2;
    }
    struct target target = {argv[1], argv[2], argv[3]};
    struct load_plan plan = {
        .threads = (unsigned)strtoul(argv[4], NULL, 10),
        .seconds = strtod(argv[5], NULL),
        .per_second = argc >= 7 ? strtod(argv[6], NULL) : 0,
        .open = client_open,
        .once = client_once,
        .close = client_close,
        .arg = &target,
        .times = argc == 8 ? fopen(argv[7], "we") : NULL,
    };
    if (argc == 8 && !plan.times) {
        fprintf(stderr, "http_load: %s: %s\n", argv[7], strerror(errno));
        return 2;
    }
    struct err err = ERR_INIT;
    if (!plan.threads || !load_run(&plan, &err)) {
        fprintf(stderr, "http_load: %s: %s\n", argv[3], err.text);
        return 2;
    }
    if (plan.times && fclose(plan.times) != 0) {
        fprintf(stderr, "http_load: %s: %s\n", argv[7], strerror(errno));
        return 2;
    }
    return 0;
}
