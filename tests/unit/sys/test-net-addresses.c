/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of sys/net-addresses.c: files as the kernel writes them, and a network namespace of our own. */
#include "sys/net-addresses.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/str.h"

#include "test.h"

static char directory[] = "/tmp/test-net-addresses-XXXXXX";

static int begin(const char *fib_trie, const char *if_inet6) {
        ASSERT_TRUE(mkdtemp(strcpy(directory, "/tmp/test-net-addresses-XXXXXX")) != NULL);
        int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ASSERT_OK(fd);
        const char *const texts[] = { fib_trie, if_inet6 }, *const names[] = { "fib_trie",
                                                                               "if_inet6" };
        for (size_t i = 0; i < 2; i++) {
                if (!texts[i])
                        continue;
                _cleanup_close_ int f = openat(fd, names[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
                ASSERT_OK(f);
                ASSERT_OK(fd_write_full(f, texts[i], strlen(texts[i])));
        }
        return fd;
}

static void end(int fd) {
        (void) unlinkat(fd, "fib_trie", 0); /* may not be there */
        (void) unlinkat(fd, "if_inet6", 0);
        fd_close(fd);
        ASSERT_OK(rmdir(directory));
}

/* "10.0.0.2 fd00::2", in their order */
static char *words(const NetAddress *list, size_t n) {
        StrBuf b = { 0 };
        char *text;

        for (size_t i = 0; i < n; i++) {
                char address[INET6_ADDRSTRLEN];
                ASSERT_TRUE(inet_ntop(list[i].family, list[i].bytes, address, sizeof(address)) !=
                            NULL);
                strbuf_addf(&b, "%s%s", i > 0 ? " " : "", address);
        }
        ASSERT_OK(strbuf_finish(&b, &text));
        return text;
}

static void expect(const char *fib_trie, const char *if_inet6, const char *expected) {
        _cleanup_free_ NetAddress *list = NULL;
        size_t n = 0;
        int fd = begin(fib_trie, if_inet6);

        ASSERT_OK(net_addresses_read_at(fd, &list, &n));
        _cleanup_free_ char *text = words(list, n);
        ASSERT_STREQ(text, expected);
        end(fd);
}

#define TRIE                              \
        "  +-- 0.0.0.0/0 3 0 5\n"         \
        "     |-- 0.0.0.0\n"              \
        "        /0 universe UNICAST\n"   \
        "     +-- 127.0.0.0/8 2 0 2\n"    \
        "        |-- 127.0.0.1\n"         \
        "           /32 host LOCAL\n"     \
        "     +-- 169.254.0.0/16 2 0 2\n" \
        "        |-- 169.254.7.7\n"       \
        "           /32 host LOCAL\n"     \
        "     +-- 192.0.2.0/24 2 0 2\n"   \
        "        |-- 192.0.2.0\n"         \
        "           /24 link UNICAST\n"   \
        "        |-- 192.0.2.2\n"         \
        "           /32 host LOCAL\n"     \
        "        |-- 192.0.2.255\n"       \
        "           /32 link BROADCAST\n"

TEST(files) {
        expect("Main:\n" TRIE "Local:\n" TRIE,
               "fe8000000000000000fc00fffe000001 04 40 20 80     eth0\n"
               "fd000000000000000000000000000002 04 40 00 82     eth0\n"
               "00000000000000000000000000000001 01 80 10 80       lo\n",
               "192.0.2.2 fd00::2 169.254.7.7 fe80::fc:ff:fe00:1");
        expect("", "", "");
        expect(NULL, NULL, ""); /* a kernel without either */
        expect("|-- 10.0.0.1\n/32 host LOCAL", NULL, "10.0.0.1");
        expect("|-- 10.0.0.1\n/24 host LOCAL\n|-- x\n/32 host LOCAL\n/32 host LOCAL\n",
               "fe80\n"
               "zz800000000000000000000000000001 04 40 00 82 x\nfd000000000000000000000000000002\n",
               "");
}

TEST(limits) {
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        _cleanup_free_ NetAddress *list = NULL;
        size_t n = 0;

        for (unsigned i = 0; i < 5000; i++) /* 200 KiB */
                strbuf_addf(&b, "     |-- 10.0.%u.%u\n        /32 host LOCAL\n", i / 250, i % 250);
        int fd = begin(b.text, NULL);
        ASSERT_OK(net_addresses_read_at(fd, &list, &n));
        ASSERT_EQ(n, NET_ADDRESSES_MAX);
        end(fd);
}

static void child_main(int ready_fd, int end_fd) {
        struct ifreq q = { .ifr_name = "lo" };
        struct sockaddr_in *in = (struct sockaddr_in *) (void *) &q.ifr_addr;
        char c;

        if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
                _exit(77);
        int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        in->sin_family = AF_INET;
        in->sin_addr.s_addr = htonl(0xc6336407); /* 198.51.100.7 */
        if (s < 0 || ioctl(s, SIOCSIFADDR, &q) < 0)
                _exit(1);
        q.ifr_flags = IFF_UP;
        if (ioctl(s, SIOCSIFFLAGS, &q) < 0 || write(ready_fd, "", 1) != 1)
                _exit(1);
        _exit(read(end_fd, &c, 1) == 0 ? 0 : 1);
}

TEST(a_namespace) {
        int ready[2], ending[2], status = 0;
        char c;
        _cleanup_free_ NetAddress *list = NULL;
        size_t n = 0;

        ASSERT_OK(pipe2(ready, O_CLOEXEC));
        ASSERT_OK(pipe2(ending, O_CLOEXEC));
        pid_t pid = fork();
        ASSERT_OK(pid);
        if (pid == 0) {
                fd_close(ending[1]);
                child_main(ready[1], ending[0]);
        }
        fd_close(ready[1]);
        const bool is_ready = read(ready[0], &c, 1) == 1;
        int r = is_ready ? net_addresses_read(pid, &list, &n) : 0;
        fd_close(ready[0]);
        fd_close_pair(ending);
        ASSERT_EQ(waitpid(pid, &status, 0), pid);
        if (!is_ready && WIFEXITED(status) && WEXITSTATUS(status) == 77)
                TEST_SKIP("no user namespaces here");
        ASSERT_TRUE(is_ready);
        ASSERT_OK(r);
        _cleanup_free_ char *text = words(list, n);
        ASSERT_STREQ(text, "198.51.100.7");
        ASSERT_ERROR(net_addresses_read(pid, &list, &n), ESRCH); /* it was waited for */
}

TEST(our_own_network) {
        NetAddress *list;
        size_t n;

        ASSERT_ERROR(net_addresses_read(getpid(), &list, &n), ENONET);
        ASSERT_ERROR(net_addresses_read(getppid(), &list, &n), ENONET);
}

TEST_MAIN
