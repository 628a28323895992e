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

/* Between programs of one machine there is no queue to be spared, so congestion control that paces (BBR) only takes
 * time there: every pause is a timer, after which the client is woken once more. Accepted sockets inherit the
 * listener's, and one that was paced once stays so. Reno is part of every kernel and free for all to choose. */
static void send_unpaced(int fd, const struct sockaddr *address)
{
    static const char reno[] = "reno";
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
    bool is_loopback = address->sa_family == AF_INET
                           ? ntohl(v4->sin_addr.s_addr) >> IN_CLASSA_NSHIFT == IN_LOOPBACKNET
                           : address->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
    if (is_loopback)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, reno, sizeof reno - 1);
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
    if (fd >= 0)
        send_unpaced(fd, address->ai_addr);
    freeaddrinfo(address);
    if (fd >= 0 && actual_port)
        *actual_port = port_of(fd);
    return fd;
}
