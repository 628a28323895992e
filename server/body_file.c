#include "server/body_file.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* since Linux 6.1; glibc 2.36 does not name it */
#endif

/* A huge page of x86-64, and of arm64 with pages of 4 KiB. Elsewhere nothing is gathered. */
enum { HUGE_PAGE = 2 * 1024 * 1024 };

/* In huge pages sendfile looks up one page where it looked up 512, and hands them on in larger pieces, which saves 4 to
 * 25 % of the time of a reply (docs/performance.md). The mapping is needed for this alone. Where it fails the file is
 * as good as before. */
static void gather(int fd, size_t size)
{
    size_t whole = (size + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    if (ftruncate(fd, (off_t)whole) < 0)
        return;
    char *room = mmap(NULL, whole + HUGE_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED)
        return;
    char *aligned = room + (HUGE_PAGE - (uintptr_t)room % HUGE_PAGE) % HUGE_PAGE;
    if (mmap(aligned, whole, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED)
        (void)madvise(aligned, whole, MADV_COLLAPSE);
    (void)munmap(room, whole + HUGE_PAGE);
}

int body_file_new(struct slice bytes)
{
    int fd = memfd_create("nof0-document", MFD_CLOEXEC);
    if (fd < 0)
        return -1;
    for (size_t at = 0; at < bytes.n;) {
        ssize_t n = write(fd, bytes.p + at, bytes.n - at);
        if (n <= 0) {
            (void)close(fd);
            return -1;
        }
        at += (size_t)n;
    }
    gather(fd, bytes.n);
    return fd;
}
