#include "server/http.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static bool set_option(int fd, int level, int option)
{
    int on = 1;
    return setsockopt(fd, level, option, &on, sizeof on) == 0;
}

static unsigned port_of(int fd)
{
    struct sockaddr_in6 own = {.sin6_family = AF_UNSPEC};
    socklen_t size = sizeof own;
    if (getsockname(fd, (struct sockaddr *)&own, &size) < 0)
        return 0;
    /* The port stands at the same place in struct sockaddr_in. */
    return ntohs(own.sin6_port);
}

int http_listen(const char *host, unsigned port, unsigned *actual_port, struct err *err)
{
    char service[16];
    (void)snprintf(service, sizeof service, "%u", port);
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
    struct addrinfo *address = NULL;
    if (port > 65535 || getaddrinfo(host, service, &hints, &address) != 0 || !address) {
        err_set(err, ERR_INVALID, "%s port %u is no address to listen on", host, port);
        return -1;
    }
    /* Accepted sockets inherit TCP_NODELAY on Linux. */
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || !set_option(fd, SOL_SOCKET, SO_REUSEADDR) || !set_option(fd, SOL_SOCKET, SO_REUSEPORT) ||
        !set_option(fd, IPPROTO_TCP, TCP_NODELAY) || bind(fd, address->ai_addr, address->ai_addrlen) < 0 ||
        listen(fd, SOMAXCONN) < 0) {
        err_set_errno(err, errno, "cannot listen on %s port %u", host, port);
        if (fd >= 0)
            (void)close(fd);
        fd = -1;
    }
    freeaddrinfo(address);
    if (fd >= 0 && actual_port)
        *actual_port = port_of(fd);
    return fd;
}
