#include "server/listeners.h"

#include "server/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool fill_address(const char *host, unsigned port, struct sockaddr_storage *address, socklen_t *size)
{
    memset(address, 0, sizeof *address);
    struct sockaddr_in *v4 = (struct sockaddr_in *)address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        *size = sizeof *v4;
        return true;
    }
    if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        *size = sizeof *v6;
        return true;
    }
    return false;
}

/* A socket without SO_REUSEPORT cannot be bound where one listens, whoever owns that. */
static bool address_is_free(const char *host, unsigned port, struct err *err)
{
    struct sockaddr_storage address;
    socklen_t size = 0;
    if (!fill_address(host, port, &address, &size))
        return err_set(err, ERR_INVALID, "server.host %s is not an IP address", host);
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_set_errno(err, errno, "cannot make a socket");
    int one = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    int failed = bind(fd, (const struct sockaddr *)&address, size) != 0 ? errno : 0;
    (void)close(fd);
    if (failed == EADDRINUSE)
        return err_set(err, ERR_CONFLICT, "%s port %u is in use: another program listens there", host, port);
    if (failed)
        return err_set_errno(err, failed, "cannot listen at %s port %u", host, port);
    return true;
}

bool listeners_open(const char *host, unsigned port, unsigned count, int fds[], unsigned *actual_port, struct err *err)
{
    for (unsigned i = 0; i < count; i++)
        fds[i] = -1;
    if (port && !address_is_free(host, port, err))
        return false;
    for (unsigned i = 0; i < count; i++) {
        unsigned taken = 0;
        fds[i] = http_listen(host, port, &taken, err);
        if (fds[i] < 0) {
            listeners_close(fds, i);
            return false;
        }
        port = taken;
    }
    *actual_port = port;
    return true;
}

void listeners_close(const int fds[], unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (fds[i] >= 0)
            (void)close(fds[i]);
    }
}
