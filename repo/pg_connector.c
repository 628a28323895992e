#include "repo/pg_connector.h"

#include "base/clock.h"
#include "base/mem.h"
#include "repo/pg_dsn.h"
#include "repo/pg_error.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* One wish for a connection, from the port's asking to the port's answer. */
struct attempt {
    struct attempt *next;
    struct pg_port *port; /* holds one of its references */
    PGconn *conn;
    unsigned turn;                       /* of the hosts */
    PostgresPollingStatusType waits_for; /* what PQconnectPoll asked for */
    int64_t deadline_ms;                 /* monotonic */
    struct err err;
};

struct pg_port {
    struct pg_connector *connector;
    pg_connected *connected;
    void *arg;
    int wake_fd; /* readable: look at answers */
    struct event *wake;

    /* Guarded by the connector's lock. */
    struct attempt *answers; /* oldest first */
    unsigned references;     /* its owner's and one per attempt */
    bool closed;             /* nobody waits for answers any more */
};

struct garbage {
    struct garbage *next;
    PGconn *conn;
};

struct pg_connector {
    struct pg_dsn *dsn;
    int64_t timeout_ms;
    pthread_t thread;
    int wake_fd; /* readable: look at wishes, garbage, stop */

    pthread_mutex_t lock; /* guards the three below and parts of every port */
    struct attempt *wishes;
    struct garbage *garbage;
    bool stop;

    /* The thread's own. */
    struct attempt *running;
    unsigned turn; /* of the hosts, see pg_dsn_connect_start */
};

static void wake_up(int fd)
{
    uint64_t one = 1;
    /* The counter of an eventfd can only be full of wake-ups already. */
    (void)!write(fd, &one, sizeof one);
}

static void clear_wake(int fd)
{
    uint64_t count;
    (void)!read(fd, &count, sizeof count);
}

static void append_attempt(struct attempt **list, struct attempt *attempt)
{
    while (*list) {
        list = &(*list)->next;
    }
    attempt->next = NULL;
    *list = attempt;
}

static void unref_port(struct pg_port *port)
{
    struct pg_connector *connector = port->connector;
    pthread_mutex_lock(&connector->lock);
    bool last = --port->references == 0;
    pthread_mutex_unlock(&connector->lock);
    if (last) {
        free(port);
    }
}

static void free_attempts(struct attempt *attempt)
{
    while (attempt) {
        struct attempt *next = attempt->next;
        PQfinish(attempt->conn);
        unref_port(attempt->port);
        free(attempt);
        attempt = next;
    }
}

/* Takes what the loops left for the thread. False when it shall stop. */
static bool collect_work(struct pg_connector *connector, struct attempt **wishes, struct garbage **garbage)
{
    pthread_mutex_lock(&connector->lock);
    *wishes = connector->wishes;
    *garbage = connector->garbage;
    connector->wishes = NULL;
    connector->garbage = NULL;
    bool go_on = !connector->stop;
    pthread_mutex_unlock(&connector->lock);
    return go_on;
}

static void close_garbage(struct garbage *garbage)
{
    while (garbage) {
        struct garbage *next = garbage->next;
        PQfinish(garbage->conn);
        free(garbage);
        garbage = next;
    }
}

/* Hands the attempt, successful or not, to its port. It is off the running list. */
static void answer(struct pg_connector *connector, struct attempt *attempt)
{
    pthread_mutex_lock(&connector->lock);
    bool wanted = !attempt->port->closed;
    if (wanted) {
        append_attempt(&attempt->port->answers, attempt);
        wake_up(attempt->port->wake_fd);
    }
    pthread_mutex_unlock(&connector->lock);
    if (!wanted) {
        attempt->next = NULL;
        free_attempts(attempt);
    }
}

static void ignore_notice(void *arg, const PGresult *result)
{
    (void)arg;
    (void)result;
}

static void fail(struct attempt *attempt)
{
    PQfinish(attempt->conn);
    attempt->conn = NULL;
}

/* Makes a fresh connection ready for pipelined work. */
static void prepare(struct attempt *attempt)
{
    PQsetNoticeReceiver(attempt->conn, ignore_notice, NULL);
    if (PQsetnonblocking(attempt->conn, 1) != 0 || !PQenterPipelineMode(attempt->conn)) {
        pg_error_from_connection(&attempt->err, attempt->conn);
        fail(attempt);
    }
}

/* Takes one attempt a step further. True when it has come to an end. */
static bool step(struct pg_connector *connector, struct attempt *attempt, short revents, int64_t now)
{
    if (revents) {
        attempt->waits_for = PQconnectPoll(attempt->conn);
        if (attempt->waits_for == PGRES_POLLING_OK) {
            prepare(attempt);
            return true;
        }
        if (attempt->waits_for == PGRES_POLLING_FAILED) {
            pg_error_from_connection(&attempt->err, attempt->conn);
            fail(attempt);
            return true;
        }
    }
    if (now < attempt->deadline_ms) {
        return false;
    }
    const char *host = PQhost(attempt->conn);
    err_set(&attempt->err, ERR_TIMEOUT, "no connection to Postgres at %s within %lld ms", host && *host ? host : "?",
            (long long)connector->timeout_ms);
    /* Of many attempts that hang on one host, the first one puts it last. */
    connector->turn += attempt->turn == connector->turn;
    fail(attempt);
    return true;
}

static void start(struct pg_connector *connector, struct attempt *attempt)
{
    attempt->turn = connector->turn;
    attempt->conn = pg_dsn_connect_start(connector->dsn, attempt->turn);
    attempt->waits_for = PGRES_POLLING_WRITING;
    attempt->deadline_ms = clock_mono_ms() + connector->timeout_ms;
    if (!attempt->conn || PQstatus(attempt->conn) == CONNECTION_BAD) {
        pg_error_from_connection(&attempt->err, attempt->conn);
        fail(attempt);
        answer(connector, attempt);
        return;
    }
    append_attempt(&connector->running, attempt);
}

/* Sleeps until a running attempt or the eventfd has something, or a deadline passes. The room for the poll set is the
 * caller's; entry 0 is the eventfd, the others the running attempts in order. */
static void wait_for_work(struct pg_connector *connector, struct pollfd **fds, size_t *room)
{
    size_t count = 1;
    for (const struct attempt *attempt = connector->running; attempt; attempt = attempt->next) {
        count++;
    }
    if (count > *room) {
        *room = count * 2;
        *fds = mem_realloc(*fds, *room * sizeof **fds);
    }
    struct pollfd *set = *fds;
    set[0] = (struct pollfd){.fd = connector->wake_fd, .events = POLLIN};
    int64_t now = clock_mono_ms();
    int64_t sleep_ms = -1;
    size_t i = 1;
    for (const struct attempt *attempt = connector->running; attempt; attempt = attempt->next, i++) {
        short events = attempt->waits_for == PGRES_POLLING_READING ? POLLIN : POLLOUT;
        set[i] = (struct pollfd){.fd = PQsocket(attempt->conn), .events = events};
        int64_t left = attempt->deadline_ms > now ? attempt->deadline_ms - now : 0;
        sleep_ms = sleep_ms < 0 || left < sleep_ms ? left : sleep_ms;
    }
    if (sleep_ms > INT_MAX) {
        sleep_ms = INT_MAX;
    }
    while (poll(set, (nfds_t)count, (int)sleep_ms) < 0 && errno == EINTR) {
    }
    if (set[0].revents) {
        clear_wake(connector->wake_fd);
    }
}

/* Steps every running attempt by what wait_for_work found. */
static void step_all(struct pg_connector *connector, const struct pollfd *fds)
{
    int64_t now = clock_mono_ms();
    struct attempt **link = &connector->running;
    for (size_t i = 1; *link; i++) {
        struct attempt *attempt = *link;
        if (step(connector, attempt, fds[i].revents, now)) {
            *link = attempt->next;
            answer(connector, attempt);
        } else {
            link = &attempt->next;
        }
    }
}

static void *connector_thread(void *arg)
{
    struct pg_connector *connector = arg;
    struct pollfd *fds = NULL;
    size_t room = 0;
    struct attempt *wishes;
    struct garbage *garbage;
    bool go_on;
    do {
        go_on = collect_work(connector, &wishes, &garbage);
        close_garbage(garbage);
        while (wishes) {
            struct attempt *attempt = wishes;
            wishes = attempt->next;
            attempt->next = NULL;
            if (go_on) {
                start(connector, attempt);
            } else {
                free_attempts(attempt);
            }
        }
        if (go_on) {
            wait_for_work(connector, &fds, &room);
            step_all(connector, fds);
        }
    } while (go_on);
    free_attempts(connector->running);
    free(fds);
    return NULL;
}

struct pg_connector *pg_connector_start(const char *dsn, int64_t connect_timeout_ms, struct err *err)
{
    struct pg_connector *connector = mem_zalloc(sizeof *connector);
    connector->timeout_ms = connect_timeout_ms;
    connector->wake_fd = -1;
    pthread_mutex_init(&connector->lock, NULL);
    connector->dsn = pg_dsn_new(dsn, err);
    if (!connector->dsn) {
        goto out;
    }
    connector->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (connector->wake_fd < 0) {
        err_set_errno(err, errno, "no eventfd for the Postgres connector");
        goto out;
    }
    int failed = pthread_create(&connector->thread, NULL, connector_thread, connector);
    if (failed) {
        err_set_errno(err, failed, "no thread for the Postgres connector");
        goto out;
    }
    return connector;
out:
    if (connector->wake_fd >= 0) {
        close(connector->wake_fd);
    }
    pg_dsn_free(connector->dsn);
    pthread_mutex_destroy(&connector->lock);
    free(connector);
    return NULL;
}

void pg_connector_stop(struct pg_connector *connector)
{
    if (!connector) {
        return;
    }
    pthread_mutex_lock(&connector->lock);
    connector->stop = true;
    pthread_mutex_unlock(&connector->lock);
    wake_up(connector->wake_fd);
    pthread_join(connector->thread, NULL);
    close(connector->wake_fd);
    pg_dsn_free(connector->dsn);
    pthread_mutex_destroy(&connector->lock);
    free(connector);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct pg_port *port = arg;
    clear_wake(fd);
    for (;;) {
        pthread_mutex_lock(&port->connector->lock);
        struct attempt *attempt = port->answers;
        if (attempt) {
            port->answers = attempt->next;
        }
        pthread_mutex_unlock(&port->connector->lock);
        if (!attempt) {
            return;
        }
        PGconn *conn = attempt->conn;
        struct err err = attempt->err;
        attempt->conn = NULL;
        attempt->next = NULL;
        free_attempts(attempt);
        port->connected(port->arg, conn, conn ? NULL : &err);
    }
}

struct pg_port *pg_port_open(struct pg_connector *connector, struct event_base *base, pg_connected *connected,
                             void *arg, struct err *err)
{
    struct pg_port *port = mem_zalloc(sizeof *port);
    *port = (struct pg_port){.connector = connector, .connected = connected, .arg = arg, .references = 1};
    port->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (port->wake_fd < 0) {
        err_set_errno(err, errno, "no eventfd for a Postgres pool");
        goto out;
    }
    port->wake = event_new(base, port->wake_fd, EV_READ | EV_PERSIST, on_wake, port);
    if (!port->wake || event_add(port->wake, NULL) != 0) {
        err_set(err, ERR_INTERNAL, "the event loop takes no event for a Postgres pool");
        goto out;
    }
    return port;
out:
    if (port->wake) {
        event_free(port->wake);
    }
    if (port->wake_fd >= 0) {
        close(port->wake_fd);
    }
    free(port);
    return NULL;
}

void pg_port_close(struct pg_port *port)
{
    struct pg_connector *connector = port->connector;
    event_free(port->wake);
    pthread_mutex_lock(&connector->lock);
    port->closed = true;
    struct attempt *answers = port->answers;
    pthread_mutex_unlock(&connector->lock);
    close(port->wake_fd);
    free_attempts(answers);
    unref_port(port);
}

void pg_port_connect(struct pg_port *port)
{
    struct attempt *attempt = mem_zalloc(sizeof *attempt);
    attempt->port = port;
    pthread_mutex_lock(&port->connector->lock);
    port->references++;
    append_attempt(&port->connector->wishes, attempt);
    pthread_mutex_unlock(&port->connector->lock);
    wake_up(port->connector->wake_fd);
}

void pg_port_give_back(struct pg_port *port, PGconn *conn)
{
    struct garbage *garbage = mem_alloc(sizeof *garbage);
    garbage->conn = conn;
    pthread_mutex_lock(&port->connector->lock);
    garbage->next = port->connector->garbage;
    port->connector->garbage = garbage;
    pthread_mutex_unlock(&port->connector->lock);
    wake_up(port->connector->wake_fd);
}
