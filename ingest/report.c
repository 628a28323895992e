#include "ingest/report.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>

enum { REDRAW_MS = 100, BAR_CELLS = 24, DEFAULT_WIDTH = 80, CALLS_PER_CLOCK = 64 };

struct report {
    FILE *out;
    FILE *problems;
    bool quiet;
    bool bar;
    bool drawn; /* the bar is on the screen now */
    uint64_t total;
    int64_t started_ms;
    int64_t drawn_ms;
    unsigned calls;
};

struct report *report_new(FILE *out, FILE *problems, bool quiet, bool bar)
{
    struct report *report = mem_zalloc(sizeof *report);
    *report = (struct report){.out = out, .problems = problems, .quiet = quiet, .bar = bar && !quiet};
    return report;
}

static void clear_bar(struct report *report)
{
    if (!report->drawn)
        return;
    (void)fputs("\r\033[K", report->problems);
    (void)fflush(report->problems);
    report->drawn = false;
}

void report_free(struct report *report)
{
    if (!report)
        return;
    clear_bar(report);
    free(report);
}

static void put_line(FILE *file, const char *format, va_list arguments) __attribute__((format(printf, 2, 0)));
static void put_line(FILE *file, const char *format, va_list arguments)
{
    struct buf line = BUF_INIT;
    buf_vprintf(&line, format, arguments);
    buf_append_char(&line, '\n');
    (void)fwrite(line.data, 1, line.len, file);
    (void)fflush(file);
    buf_free(&line);
}

void report_line(struct report *report, const char *format, ...)
{
    if (report->quiet)
        return;
    clear_bar(report);
    va_list arguments;
    va_start(arguments, format);
    put_line(report->out, format, arguments);
    va_end(arguments);
}

void report_problem(struct report *report, const char *format, ...)
{
    clear_bar(report);
    va_list arguments;
    va_start(arguments, format);
    put_line(report->problems, format, arguments);
    va_end(arguments);
}

void report_begin_work(struct report *report, uint64_t total)
{
    report->total = total;
    report->started_ms = clock_mono_ms();
    report->drawn_ms = report->started_ms;
}

static int screen_width(FILE *file)
{
    struct winsize size;
    if (ioctl(fileno(file), TIOCGWINSZ, &size) == 0 && size.ws_col > 20)
        return size.ws_col;
    return DEFAULT_WIDTH;
}

static void put_bytes(struct buf *line, double bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    size_t unit = 0;
    while (bytes >= 1000 && unit + 1 < sizeof units / sizeof *units) {
        bytes /= 1000;
        unit++;
    }
    buf_printf(line, "%.*f %s", unit ? 1 : 0, bytes, units[unit]);
}

static void draw(struct report *report, uint64_t done, const char *what, int64_t now_ms)
{
    double seconds = (double)(now_ms - report->started_ms) / 1000;
    double part = report->total ? (double)done / (double)report->total : 1;
    if (part > 1)
        part = 1;
    int filled = (int)(part * BAR_CELLS);
    struct buf line = BUF_INIT;
    buf_append_char(&line, '[');
    for (int i = 0; i < BAR_CELLS; i++)
        buf_append_char(&line, i < filled ? '#' : '.');
    buf_printf(&line, "] %3.0f%% ", part * 100);
    put_bytes(&line, (double)done);
    buf_append_str(&line, " of ");
    put_bytes(&line, (double)report->total);
    if (seconds > 0 && done > 0) {
        double rate = (double)done / seconds;
        int64_t left = (int64_t)((double)(report->total - (done < report->total ? done : report->total)) / rate);
        buf_append_str(&line, ", ");
        put_bytes(&line, rate);
        buf_printf(&line, "/s, %" PRId64 ":%02" PRId64 " left", left / 60, left % 60);
    }
    buf_printf(&line, ", %s", what);
    size_t width = (size_t)screen_width(report->problems) - 1;
    (void)fprintf(report->problems, "\r%.*s\033[K", (int)(line.len < width ? line.len : width), line.data);
    (void)fflush(report->problems);
    buf_free(&line);
    report->drawn = true;
    report->drawn_ms = now_ms;
}

void report_progress(struct report *report, uint64_t done, const char *what)
{
    if (!report->bar || (report->drawn && ++report->calls % CALLS_PER_CLOCK != 0))
        return;
    int64_t now_ms = clock_mono_ms();
    if (!report->drawn || now_ms - report->drawn_ms >= REDRAW_MS)
        draw(report, done, what, now_ms);
}

void report_phase(struct report *report, uint64_t done, const char *what)
{
    if (report->bar)
        draw(report, done, what, clock_mono_ms());
}

void report_end_work(struct report *report)
{
    clear_bar(report);
}
