/* floor PORT FILE...: answers whatever comes in one read with the bytes of a file: the first file on PORT, the next on
 * PORT + 1, and so on. No HTTP is read or made, nothing is looked up, counted or timed; what remains are the system
 * calls that no server gets by without (one recv, and one send or, from 16 KiB on, one sendfile of a regular file). A
 * server of the same bytes cannot cost less than this on the same machine. Its clients must ask one thing at a time and
 * send each request in one piece. */
#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EVENTS = 64, SENDFILE_FROM = 16 * 1024, BACKLOG = 4096 };

struct reply {
    int listener;
    int file;
    char *bytes;
    size_t size;
};

struct client {
    int fd; /* a listener's when there is no client */
    const struct reply *reply;
    size_t sent; /* of a reply under way, else the reply's size */
};

static void fail(const char *what)
{
    fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void watch(int epoll, struct client *client, uint32_t events)
{
    struct epoll_event event = {.events = events | EPOLLET, .data.ptr = client};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, client->fd, &event) < 0)
        fail("epoll_ctl");
}

static struct client *client_new(int fd, const struct reply *reply)
{
    struct client *client = mem_zalloc(sizeof *client);
    *client = (struct client){.fd = fd, .reply = reply, .sent = reply->size};
    return client;
}

static void load(struct reply *reply, const char *path)
{
    reply->file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat stat;
    if (reply->file < 0 || fstat(reply->file, &stat) < 0)
        fail(path);
    reply->size = (size_t)stat.st_size;
    reply->bytes = mem_alloc(reply->size);
    if (read(reply->file, reply->bytes, reply->size) != stat.st_size)
        fail(path);
}

static void listen_on(struct reply *reply, uint16_t port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    static const char reno[] = "reno"; /* unpaced, as nof0d does at loopback addresses */
    reply->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (reply->listener < 0 || setsockopt(reply->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        setsockopt(reply->listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0 ||
        setsockopt(reply->listener, IPPROTO_TCP, TCP_CONGESTION, reno, sizeof reno - 1) < 0 ||
        bind(reply->listener, (const struct sockaddr *)&address, sizeof address) < 0 ||
        listen(reply->listener, BACKLOG) < 0)
        fail("cannot listen");
}

static void take_clients(int epoll, const struct reply *reply)
{
    int fd;
    while ((fd = accept4(reply->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
        watch(epoll, client_new(fd, reply), EPOLLIN | EPOLLOUT | EPOLLRDHUP);
}

static ssize_t write_some(struct client *client)
{
    const struct reply *reply = client->reply;
    size_t left = reply->size - client->sent;
    if (reply->size < SENDFILE_FROM)
        return send(client->fd, reply->bytes + client->sent, left, MSG_NOSIGNAL);
    off_t at = (off_t)client->sent;
    return sendfile(client->fd, reply->file, &at, left);
}

static void serve(struct client *client, uint32_t events)
{
    char request[8192];
    if (client->sent == client->reply->size && events & EPOLLIN) {
        ssize_t n = recv(client->fd, request, sizeof request, 0);
        if (n > 0)
            client->sent = 0;
        else if (n == 0 || errno != EAGAIN)
            events |= EPOLLRDHUP;
    }
    while (client->sent < client->reply->size) {
        ssize_t n = write_some(client);
        if (n <= 0)
            break;
        client->sent += (size_t)n;
    }
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        (void)close(client->fd);
        free(client);
    }
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: floor PORT FILE...\n");
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN); /* sendfile has no MSG_NOSIGNAL */
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        fail("epoll_create1");
    for (int i = 2; i < argc; i++) {
        struct reply *reply = mem_zalloc(sizeof *reply);
        load(reply, argv[i]);
        listen_on(reply, (uint16_t)(strtoul(argv[1], NULL, 10) + (unsigned long)(i - 2)));
        watch(epoll, client_new(reply->listener, reply), EPOLLIN);
    }
    for (;;) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(epoll, events, EVENTS, -1);
        if (count < 0 && errno != EINTR)
            fail("epoll_wait");
        for (int i = 0; i < count; i++) {
            struct client *client = events[i].data.ptr;
            if (client->fd == client->reply->listener)
                take_clients(epoll, client->reply);
            else
                serve(client, events[i].events);
        }
    }
}
