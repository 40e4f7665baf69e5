/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A tar archive, compressed or not, on its whole way: to a stream, and from there to files. All is below one directory, or it is an error with words. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "archive/archive.h"
#include "basic/fd.h"
#include "fuzz.h"
#include "sys/tree-stream.h"

#define STREAM_MAX (64 << 20) /* an input of few bytes can be much */

static char place[] = "/tmp/fuzz-archive.XXXXXX";

static void remove_place(void) {
        (void) rmdir(place); /* what is in it is worth a look */
}

static int memory(const void *bytes, size_t size) {
        int fd = memfd_create("fuzz", MFD_CLOEXEC);
        FUZZ_REQUIRE(fd >= 0 && fd_write_full(fd, bytes, size) >= 0 && lseek(fd, 0, SEEK_SET) == 0);
        return fd;
}

/* Nothing but the image is there. */
static void check_place(int place_fd) {
        unsigned n = 0;
        DIR *d = fdopendir(fcntl(place_fd, F_DUPFD_CLOEXEC, 3));
        FUZZ_REQUIRE(d);
        rewinddir(d);
        for (const struct dirent *e; (e = readdir(d));)
                if (e->d_name[0] != '.') {
                        FUZZ_REQUIRE(strcmp(e->d_name, "image") == 0);
                        n++;
                }
        FUZZ_REQUIRE(n == 1);
        (void) closedir(d);
}

static void receive(int stream_fd, int place_fd, bool whole) {
        TreeLimits limits = { .files_max = 1000, .bytes_max = 1 << 20 };
        const TreeOwners owners = { .keep = geteuid() == 0, .fifos = true, .limits = &limits };
        _cleanup_free_ char *name = NULL;
        FUZZ_REQUIRE(mkdirat(place_fd, "image", 0700) >= 0);
        _cleanup_close_ int fd = openat(place_fd, "image", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int r = tree_receive_into(stream_fd, fd, &owners, NULL, &name);
        /* our own reader makes no such stream; half of one is never taken for the whole */
        FUZZ_REQUIRE(whole ? r != -ECANCELED : r < 0);
        FUZZ_REQUIRE(limits.files <= limits.files_max + 1 && limits.bytes <= limits.bytes_max * 2);
        check_place(place_fd);
        FUZZ_REQUIRE(tree_remove(place_fd, "image") >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
        static Archive archive = { .system = true, .file = "input" };
        static int place_fd = -EBADF;
        _cleanup_error_ Error e = ERROR_NULL;

        if (place_fd < 0) {
                if (archive_open_library(&archive, &e) < 0) /* there is none to be tried */
                        return 0;
                FUZZ_REQUIRE(mkdtemp(place) && atexit(remove_place) == 0);
                place_fd = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                FUZZ_REQUIRE(place_fd >= 0);
        }
        _cleanup_close_ int archive_fd = memory(bytes, size), stream_fd = memory("", 0);
        int r = archive_to_stream(&archive, archive_fd, stream_fd, NULL, &e);
        FUZZ_REQUIRE((r < 0) == error_is_set(&e));
        const off_t end = lseek(stream_fd, 0, SEEK_END);
        FUZZ_REQUIRE(end >= 0 && lseek(stream_fd, 0, SEEK_SET) == 0);
        if (end < STREAM_MAX)
                receive(stream_fd, place_fd, r >= 0);
        return 0;
}
