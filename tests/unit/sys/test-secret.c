/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keys in memory: who can read them, who can write them, and what stays of them. */
#include "sys/secret.h"

#include <sys/mman.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"

#include "test.h"

static int file_of(size_t size) {
        int fd = memfd_create("key", MFD_CLOEXEC);
        ASSERT_OK(fd);
        ASSERT_EQ(ftruncate(fd, (off_t) size), 0);
        return fd;
}

TEST(a_key_goes_to_another_process) {
        _cleanup_(secret_done) Secret s = SECRET_NULL, other = SECRET_NULL;

        ASSERT_OK(secret_new(&s));
        ASSERT_EQ(s.size, (size_t) 0);
        memcpy(s.bytes, "secret", 6);
        s.size = 6;
        ASSERT_OK(secret_seal(&s));
        int fd = fcntl(s.fd, F_DUPFD_CLOEXEC, 0);
        ASSERT_OK(secret_take(&fd, &other));
        ASSERT_EQ(fd, -EBADF);
        ASSERT_EQ(other.size, (size_t) 6);
        ASSERT_EQ(memcmp(other.bytes, "secret", 6), 0);
        /* which cannot change it, nor its size */
        ASSERT_EQ(pwrite(other.fd, "x", 1, 0), (ssize_t) -1);
        ASSERT_EQ(ftruncate(other.fd, 100), -1);
        ASSERT_EQ(ftruncate(other.fd, 0), -1);
        ASSERT_TRUE(mmap(NULL, 6, PROT_WRITE, MAP_SHARED, other.fd, 0) == MAP_FAILED);
        /* and has nothing of it when its maker is done with it */
        secret_done(&s);
        ASSERT_EQ(memcmp(other.bytes, "\0\0\0\0\0\0", 6), 0);
        ASSERT_EQ(s.fd, -EBADF);
        secret_done(&s);
}

TEST(what_is_no_key_is_not_taken) {
        Secret s = SECRET_NULL;
        int fd = file_of(10);

        ASSERT_ERROR(secret_take(&fd, &s), EBADMSG);
        ASSERT_EQ(fd, -EBADF);
        fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        ASSERT_ERROR(secret_take(&fd, &s), EBADMSG);
        fd = memfd_new_sealed("x", "abc",
                              3); /* that one could be written by nobody, and erased by nobody */
        ASSERT_ERROR(secret_take(&fd, &s), EBADMSG);
        ASSERT_NULL(s.bytes);
}

TEST(files) {
        _cleanup_(secret_done) Secret s = SECRET_NULL;
        static const size_t sizes[] = { 0, 1, 4097, SECRET_MAX };

        for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
                _cleanup_close_ int fd = file_of(sizes[i]);
                ASSERT_OK(secret_read(fd, &s));
                ASSERT_EQ(s.size, sizes[i]);
                secret_done(&s);
        }
        _cleanup_close_ int fd = file_of(SECRET_MAX + 1);
        ASSERT_ERROR(secret_read(fd, &s), E2BIG);
        ASSERT_NULL(s.bytes);
        _cleanup_close_ int directory = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ASSERT_ERROR(secret_read(directory, &s), EISDIR);
}

/* Neither swapped nor dumped nor inherited: "lo", "dd" and "dc" in VmFlags. */
TEST(memory) {
        _cleanup_(secret_done) Secret s = SECRET_NULL;
        _cleanup_free_ char *text = NULL;
        char begin[32];

        ASSERT_OK(secret_new(&s));
        (void) snprintf(begin, sizeof(begin), "%lx-", (unsigned long) (uintptr_t) s.bytes);
        ASSERT_OK(file_read_all(AT_FDCWD, "/proc/self/smaps", 1U << 20, &text, NULL));
        const char *mapping = strstr(text, begin),
                   *flags = mapping ? strstr(mapping, "VmFlags:") : NULL;
        ASSERT_NOT_NULL(flags);
        _cleanup_free_ char *line = strndup(flags, strcspn(flags, "\n"));
        if (!BERTH_SANITIZED) /* these leave mlock() out */
                ASSERT_NOT_NULL(strstr(line, " lo"));
        ASSERT_NOT_NULL(strstr(line, " dd"));
        ASSERT_NOT_NULL(strstr(line, " dc"));
}

TEST_MAIN
