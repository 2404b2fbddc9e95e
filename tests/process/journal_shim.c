// Preloaded into a member, it stops the member at an exact point of an append. The test creates the
// file JOURNAL_SHIM_DIRECTORY/POINT; the next time that point is reached, the file is removed and
// the process stops until it is continued.
//
//     before-write   the entry is in memory only
//     after-write    the system has it, the disk does not
//     after-sync     it is durable and not yet acknowledged
//
// JOURNAL_SHIM_DIRECTORY/fail-sync: from then on no sync succeeds.

#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int path_of(char* out, size_t size, const char* point) {
    const char* const directory = getenv("JOURNAL_SHIM_DIRECTORY");
    return directory != NULL && snprintf(out, size, "%s/%s", directory, point) < (int)size;
}

static int is_segment(int file) {
    char link[64];
    char target[4096];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    const ssize_t size = readlink(link, target, sizeof target);
    return size > 4 && memcmp(target + size - 4, ".seg", 4) == 0;
}

static void pass(int file, const char* point) {
    char path[4096];
    if (!path_of(path, sizeof path, point) || access(path, F_OK) != 0 || !is_segment(file)) return;
    if (unlink(path) == 0) (void)kill(getpid(), SIGSTOP);
}

ssize_t pwrite(int file, const void* data, size_t size, off_t offset) {
    pass(file, "before-write");
    const ssize_t written = syscall(SYS_pwrite64, file, data, size, offset);
    const int error = errno;
    pass(file, "after-write");
    errno = error;
    return written;
}

int fdatasync(int file) {
    char path[4096];
    if (path_of(path, sizeof path, "fail-sync") && access(path, F_OK) == 0) {
        errno = EIO;
        return -1;
    }
    const int result = (int)syscall(SYS_fdatasync, file);
    const int error = errno;
    pass(file, "after-sync");
    errno = error;
    return result;
}
