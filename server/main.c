/* nof0d: the server. Reads its arguments and its configuration, starts the server, and waits for signals. */
#include "base/clock.h"
#include "base/log.h"
#include "server/build_info.h"
#include "server/server.h"

#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { EXIT_FINE = 0, EXIT_NOT_RUN = 2 };

struct options {
    const char *config;
    bool check;
    bool print;
};

static void print_usage(FILE *out)
{
    (void)fputs("usage: nof0d [--config FILE] [--check-config | --print-config | --version | --help]\n"
                "\n"
                "Serves the dashboard API.\n"
                "\n"
                "  --config FILE   the configuration (default: $NOF0_CONFIG, else etc/nof0.yaml)\n"
                "  --check-config  says what is wrong with the configuration; exit 0 when nothing is, else 2\n"
                "  --print-config  prints every setting as it came out, passwords hidden\n"
                "  --version       prints the version\n"
                "\n"
                "SIGTERM and SIGINT finish what is in flight, then end it; a second one ends it at once.\n"
                "SIGHUP reads the configuration again; a bad one is refused and the old one stays.\n",
                out);
}

static void print_version(void)
{
    const char *commit = build_commit();
    (void)printf("nof0d %s%s%s%s\n", build_version(), commit[0] ? " (" : "", commit, commit[0] ? ")" : "");
}

/* Returns -1 to go on, else the exit code. */
static int parse_options(int argc, char **argv, struct options *options)
{
    enum { OPTION_CONFIG = 256, OPTION_CHECK, OPTION_PRINT, OPTION_VERSION, OPTION_HELP };
    static const struct option longs[] = {
        {"config", required_argument, NULL, OPTION_CONFIG}, {"check-config", no_argument, NULL, OPTION_CHECK},
        {"print-config", no_argument, NULL, OPTION_PRINT},  {"version", no_argument, NULL, OPTION_VERSION},
        {"help", no_argument, NULL, OPTION_HELP},           {NULL, 0, NULL, 0}};
    const char *from_environment = getenv("NOF0_CONFIG");
    options->config = from_environment && from_environment[0] ? from_environment : "etc/nof0.yaml";
    int option = 0;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        switch (option) {
        case OPTION_CONFIG:
            options->config = optarg;
            break;
        case OPTION_CHECK:
            options->check = true;
            break;
        case OPTION_PRINT:
            options->print = true;
            break;
        case OPTION_VERSION:
            print_version();
            return EXIT_FINE;
        case OPTION_HELP:
        case 'h':
            print_usage(stdout);
            return EXIT_FINE;
        default:
            (void)fprintf(stderr, "nof0d: %s is no option or lacks its value; nof0d --help lists them\n",
                          argv[optind - 1]);
            return EXIT_NOT_RUN;
        }
    }
    if (optind < argc) {
        (void)fprintf(stderr, "nof0d: \"%s\" is no option; nof0d --help lists them\n", argv[optind]);
        return EXIT_NOT_RUN;
    }
    return -1;
}

/* Reads and checks the file. NULL with one line for each fault. */
static struct settings *load_settings(const char *path, struct buf *faults)
{
    struct settings *settings = settings_load(path, faults);
    if (settings && !settings_check(settings, faults)) {
        settings_free(settings);
        return NULL;
    }
    return settings;
}

/* Hands out the next line of *text. */
static bool next_line(struct slice *text, struct slice *line)
{
    if (text->n == 0)
        return false;
    const char *end = memchr(text->p, '\n', text->n);
    line->p = text->p;
    line->n = end ? (size_t)(end - text->p) : text->n;
    size_t taken = line->n + (end ? 1 : 0);
    *text = (struct slice){text->p + taken, text->n - taken};
    return true;
}

/* Every connection is a descriptor, and the usual soft limit is 1024. Above the hard limit only a privileged process
 * gets; others take what there is. */
static void raise_descriptor_limit(rlim_t wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    struct rlimit raised = {wanted, limit.rlim_max < wanted ? wanted : limit.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
        return;
    raised = (struct rlimit){limit.rlim_max, limit.rlim_max};
    (void)setrlimit(RLIMIT_NOFILE, &raised);
}

/* Descriptors for max_connections, and for files, pools and loops beside them. */
static rlim_t descriptors_wanted(const struct settings *settings)
{
    enum { OTHER_DESCRIPTORS = 512 };
    return (rlim_t)settings->server_max_connections + OTHER_DESCRIPTORS;
}

static void log_descriptor_limit(rlim_t wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < wanted)
        log_event(LOG_INFO, "server.few_descriptors",
                  LOG_FIELDS(log_int("limit", (int64_t)limit.rlim_cur), log_int("wanted", (int64_t)wanted)));
}

static void log_changes(const struct settings *old, const struct settings *new)
{
    struct buf keys = BUF_INIT;
    struct slice key;
    size_t waiting = settings_changes(old, new, true, &keys);
    struct slice text = buf_slice(&keys);
    while (waiting && next_line(&text, &key))
        log_event(LOG_WARN, "config.needs_restart", LOG_FIELDS(log_slice("key", key)));
    buf_clear(&keys);

    struct buf list = BUF_INIT;
    (void)settings_changes(old, new, false, &keys);
    text = buf_slice(&keys);
    while (next_line(&text, &key)) {
        if (list.len)
            buf_append_char(&list, ' ');
        buf_append_slice(&list, key);
    }
    log_event(LOG_INFO, "config.reloaded", LOG_FIELDS(log_slice("changed", buf_slice(&list))));
    buf_free(&list);
    buf_free(&keys);
}

static void reload(struct server *server, const char *path)
{
    struct buf faults = BUF_INIT;
    struct settings *settings = load_settings(path, &faults);
    if (!settings) {
        struct slice text = buf_slice(&faults);
        struct slice line;
        while (next_line(&text, &line))
            log_event(LOG_ERROR, "config.refused", LOG_FIELDS(log_slice("error", line)));
        buf_free(&faults);
        return;
    }
    buf_free(&faults);
    log_changes(server_settings(server), settings);
    log_setup(STDERR_FILENO, settings->log_level, settings->log_format);
    struct err err = ERR_INIT;
    if (!server_reload(server, settings, &err))
        log_event(LOG_ERROR, "config.refused", LOG_FIELDS(log_error_text(&err)));
}

/* Waits until the signal descriptor or the server has something, or the deadline is over. */
static void wait_for_news(int signal_fd, const struct server *server, int64_t deadline_ms)
{
    struct pollfd fds[] = {{.fd = signal_fd, .events = POLLIN}, {.fd = server_fd(server), .events = POLLIN}};
    int64_t wait_ms = deadline_ms < 0 ? -1 : deadline_ms - clock_mono_ms();
    if (deadline_ms >= 0 && wait_ms < 0)
        wait_ms = 0;
    (void)poll(fds, sizeof fds / sizeof fds[0], (int)wait_ms);
}

static int next_signal(int signal_fd)
{
    struct signalfd_siginfo info;
    ssize_t n = 0;
    while ((n = read(signal_fd, &info, sizeof info)) < 0 && errno == EINTR) {
    }
    return n == (ssize_t)sizeof info ? (int)info.ssi_signo : 0;
}

/* Ends the process as it is: connections that do not finish in time must not keep it. */
static void leave_at_once(const char *why)
{
    log_event(LOG_WARN, "server.stopped", LOG_FIELDS(log_bool("finished", false), log_str("why", why)));
    _exit(EXIT_FINE);
}

/* Until all workers have stopped. */
static void serve(struct server *server, int signal_fd, const char *config)
{
    int64_t deadline_ms = -1;
    for (;;) {
        wait_for_news(signal_fd, server, deadline_ms);
        int number = 0;
        while ((number = next_signal(signal_fd)) != 0) {
            if (number == SIGHUP && deadline_ms < 0)
                reload(server, config);
            if (number == SIGHUP)
                continue;
            if (deadline_ms >= 0)
                leave_at_once("second signal");
            log_event(LOG_INFO, "server.stopping", NULL);
            deadline_ms = clock_mono_ms() + server_settings(server)->server_shutdown_timeout_ms;
            server_drain(server);
        }
        if (server_tend(server))
            return;
        if (deadline_ms >= 0 && clock_mono_ms() >= deadline_ms)
            leave_at_once("server.shutdown_timeout_ms is over");
    }
}

/* An answer takes memory of its size again and again. What is given to the kernel between two of them costs a fault a
 * page when it comes back, so some is kept, of each thread. */
static void keep_freed_memory(void)
{
    enum { KEPT_BYTES = 16 * 1024 * 1024, MAPPED_BYTES = 4 * 1024 * 1024 };
    (void)mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
    (void)mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES);
}

static int run(struct settings *settings, const struct flag_overrides *overrides, const char *config)
{
    keep_freed_memory();
    log_setup(STDERR_FILENO, settings->log_level, settings->log_format);
    rlim_t descriptors = descriptors_wanted(settings);
    raise_descriptor_limit(descriptors);

    /* Blocked before any thread starts, so that every thread has it so and only the descriptor gets them. */
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    int signal_fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    if (signal_fd < 0) {
        (void)fputs("nof0d: cannot watch signals\n", stderr);
        settings_free(settings);
        return EXIT_NOT_RUN;
    }
    struct err err = ERR_INIT;
    struct server *server = server_start(settings, overrides, &err);
    if (!server) {
        (void)fprintf(stderr, "nof0d: %s\n", err.text);
        (void)close(signal_fd);
        return EXIT_NOT_RUN;
    }
    log_descriptor_limit(descriptors);
    serve(server, signal_fd, config);
    server_free(server);
    (void)close(signal_fd);
    log_event(LOG_INFO, "server.stopped", LOG_FIELDS(log_bool("finished", true)));
    return EXIT_FINE;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    int code = parse_options(argc, argv, &options);
    if (code >= 0)
        return code;
    struct flag_overrides overrides;
    struct err err = ERR_INIT;
    if (!flag_overrides_read(environ, &overrides, &err)) {
        (void)fprintf(stderr, "nof0d: %s\n", err.text);
        return EXIT_NOT_RUN;
    }
    struct buf faults = BUF_INIT;
    struct settings *settings = load_settings(options.config, &faults);
    if (!settings) {
        (void)fwrite(faults.data, 1, faults.len, stderr);
        buf_free(&faults);
        return EXIT_NOT_RUN;
    }
    buf_free(&faults);
    if (options.print) {
        struct buf text = BUF_INIT;
        settings_print(settings, &text);
        (void)fwrite(text.data, 1, text.len, stdout);
        buf_free(&text);
    }
    if (options.print || options.check) {
        settings_free(settings);
        return EXIT_FINE;
    }
    return run(settings, &overrides, options.config);
}
