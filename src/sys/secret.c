/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keys and passphrases in memory that is locked, left out of core dumps and of children, and erased.
 *
 * Calls: memfd_create; ftruncate; mmap; mlock, madvise(MADV_DONTDUMP, MADV_DONTFORK); F_ADD_SEALS with F_SEAL_FUTURE_WRITE (Linux 5.1), so that the mapping it
 * was written by is the only one that can write, which is needed to erase it. */
#include "sys/secret.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "basic/fd.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif
#define SEALS (F_SEAL_FUTURE_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

void secret_done(Secret *s) {
        if (s->bytes && s->ours)
                explicit_bzero(s->bytes, s->size);
        if (s->bytes)
                (void) munmap(s->bytes, SECRET_MAX); /* of ours, so it cannot fail */
        fd_close(s->fd);
        *s = (Secret) SECRET_NULL;
}

/* Beyond the end of the file nothing of it is touched. */
static int map(Secret *s, int protection) {
        void *p = mmap(NULL, SECRET_MAX, protection, MAP_SHARED, s->fd, 0);
        if (p == MAP_FAILED)
                return -errno;
        s->bytes = p;
        (void) mlock(p, SECRET_MAX); /* without the right to it, it may be swapped */
        (void) madvise(p, SECRET_MAX, MADV_DONTDUMP); /* cannot fail */
        (void) madvise(p, SECRET_MAX, MADV_DONTFORK); /* nor this */
        return 0;
}

int secret_new(Secret *ret) {
        Secret s = SECRET_NULL;

        s.fd = memfd_create("berth-secret", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
        if (s.fd < 0 && errno == EINVAL) /* before Linux 6.3 */
                s.fd = memfd_create("berth-secret", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        int r = s.fd < 0 || ftruncate(s.fd, SECRET_MAX) < 0 ? -errno : 0;
        if (r >= 0)
                r = map(&s, PROT_READ | PROT_WRITE);
        if (r < 0) {
                secret_done(&s);
                return r;
        }
        s.ours = true;
        *ret = s;
        return 0;
}

int secret_read(int fd, Secret *ret) {
        Secret s = SECRET_NULL;
        char more;

        int r = secret_new(&s);
        while (r >= 0) {
                const size_t room = SECRET_MAX - s.size;
                ssize_t n = room > 0 ? read(fd, s.bytes + s.size, room) : read(fd, &more, 1);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n == 0)
                        break;
                if (n > 0 && room > 0)
                        s.size += (size_t) n;
                else
                        r = n < 0 ? -errno : -E2BIG;
        }
        explicit_bzero(&more, 1);
        if (r < 0) {
                secret_done(&s);
                return r;
        }
        *ret = s;
        return 0;
}

int secret_seal(Secret *s) {
        if (ftruncate(s->fd, (off_t) s->size) < 0 || fcntl(s->fd, F_ADD_SEALS, SEALS) < 0)
                return -errno;
        return 0;
}

int secret_take(int *fd, Secret *ret) {
        Secret s = { .fd = TAKE_FD(*fd) };
        struct stat st;

        const int seals = fcntl(s.fd, F_GET_SEALS);
        int r = seals < 0 || (seals & SEALS) != SEALS ? -EBADMSG
                : fstat(s.fd, &st) < 0                ? -errno
                : st.st_size > (off_t) SECRET_MAX     ? -EBADMSG
                                                      : map(&s, PROT_READ);
        if (r < 0) {
                secret_done(&s);
                return r;
        }
        s.size = (size_t) st.st_size;
        *ret = s;
        return 0;
}
