/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an idle supervisor gives back. Most of its program is for the start; while it only waits, the kernel may have those pages, and
 * the rest of the heap. They are the file's: they come back from the page cache when they are touched.
 *
 * Calls: madvise(MADV_DONTNEED) on each segment of ours that cannot be written, and then poll, both by syscall(2): so the one page
 * of libc that must come back at once is known. */
#include <link.h>
#include <malloc.h>
#include <poll.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "launch/supervisor.h"
#include "sys/syscalls.h"

extern const char __ehdr_start[] __attribute__((visibility("hidden"))); /* ld(1) sets it */

int idle_wait(struct pollfd *p, size_t n, int timeout_msec) {
        const ElfW(Phdr) *segment = (const void *) getauxval(AT_PHDR);
        const uintptr_t page = (uintptr_t) getauxval(AT_PAGESZ);
        const size_t n_segments = getauxval(AT_PHNUM);
        const struct timespec timeout = { timeout_msec / 1000, timeout_msec % 1000 * 1000000L };
        uintptr_t begin[4], end[4];
        size_t count = 0;

        (void) malloc_trim(0);
        for (size_t i = 0; i < n_segments && count < ELEMENTSOF(begin); i++)
                if (segment[i].p_type == PT_LOAD && !(segment[i].p_flags & PF_W)) {
                        begin[count] =
                                ((uintptr_t) __ehdr_start + segment[i].p_vaddr) & ~(page - 1);
                        end[count] =
                                (uintptr_t) __ehdr_start + segment[i].p_vaddr + segment[i].p_memsz;
                        count++;
                }
        /* it is advice: where it fails there is more memory in use */
        for (size_t i = 0; i < count; i++)
                (void) syscall(SYS_madvise, begin[i], end[i] - begin[i], MADV_DONTNEED);
        return (int) syscall(SYS_ppoll, p, n, timeout_msec < 0 ? NULL : &timeout, NULL, 0);
}
