/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fib_trie and if_inet6 → addresses.
 *
 * Calls: open of /proc/PID/net, stat of its "dev" and ours, openat, read of fib_trie (routes as a tree: an address of the namespace is a leaf with the route "/32 host
 * LOCAL") and if_inet6 (a line an address), close. Both are made by the kernel page by page, so that the beginning of an
 * endless one is as cheap as all of a short one. Source: net/ipv4/fib_trie.c, net/ipv6/addrconf.c. */
#include "sys/net-addresses.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/stat.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/str.h"

#define FILE_MAX (64U << 10)

typedef struct AddressList {
        NetAddress *items;
        size_t n;
} AddressList;

static int add(AddressList *l, const NetAddress *a) {
        for (size_t i = 0; i < l->n; i++) /* the trie shows two tables */
                if (l->items[i].family == a->family &&
                    memcmp(l->items[i].bytes, a->bytes, sizeof(a->bytes)) == 0)
                        return 0;
        if (l->n >= NET_ADDRESSES_MAX)
                return 0;
        NetAddress *at = ARRAY_APPEND(l->items, l->n);
        if (!at)
                return -ENOMEM;
        *at = *a;
        return 0;
}

/* All of a file, or its first FILE_MAX bytes up to a line's end. */
static int read_beginning(int dir_fd, const char *path, char **ret) {
        _cleanup_close_ int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return -errno;
        _cleanup_free_ char *text = malloc(FILE_MAX + 1);
        size_t n = 0;
        if (!text)
                return -ENOMEM;
        for (ssize_t got; n < FILE_MAX && (got = read(fd, text + n, FILE_MAX - n)) != 0;) {
                if (got < 0)
                        return -errno;
                n += (size_t) got;
        }
        if (n == FILE_MAX)
                while (n > 0 && text[n - 1] != '\n')
                        n--;
        text[n] = '\0';
        *ret = TAKE_PTR(text);
        return 0;
}

/* Cuts the next line off *p; NULL at the end. */
static char *next_line(char **p) {
        char *line = *p;

        if (line[0] == '\0')
                return NULL;
        char *end = strchr(line, '\n');
        *p = end ? end + 1 : line + strlen(line);
        if (end)
                *end = '\0';
        return line;
}

/*      |-- 10.0.0.2
 *         /32 host LOCAL */
static int add_ipv4(char *text, AddressList *l) {
        NetAddress last = { .family = AF_UNSPEC };

        for (char *line; (line = next_line(&text));) {
                const char *p = line + strspn(line, " ");
                const char *address = startswith(p, "|-- ");
                if (address) {
                        last = (NetAddress){ .family = AF_INET };
                        if (inet_pton(AF_INET, address, last.bytes) != 1)
                                last.family = AF_UNSPEC;
                        last.link_local = last.bytes[0] == 169 && last.bytes[1] == 254;
                } else if (last.family == AF_INET && last.bytes[0] != 127 &&
                           streq(p, "/32 host LOCAL")) {
                        int r = add(l, &last);
                        if (r < 0)
                                return r;
                }
        }
        return 0;
}

/* fe80000000000000a8bbccfffeddeeff 02 40 20 80 host0: address, index, prefix, scope, flags, name */
static int add_ipv6(char *text, AddressList *l) {
        for (char *line; (line = next_line(&text));) {
                NetAddress a = { .family = AF_INET6 };
                unsigned scope;
                bool valid = strlen(line) > 32 && sscanf(line + 32, " %*x %*x %x", &scope) == 1;
                for (size_t i = 0; valid && i < 16; i++) {
                        const int high = ascii_hex_value(line[2 * i]),
                                  low = ascii_hex_value(line[2 * i + 1]);
                        valid = high >= 0 && low >= 0;
                        a.bytes[i] = (uint8_t) (high * 16 + low);
                }
                if (!valid || scope == 0x10) /* IPV6_ADDR_LOOPBACK */
                        continue;
                a.link_local = scope == 0x20; /* IPV6_ADDR_LINKLOCAL */
                int r = add(l, &a);
                if (r < 0)
                        return r;
        }
        return 0;
}

static void wide_first(AddressList *l) {
        size_t to = 0;

        for (size_t i = 0; i < l->n; i++) {
                const NetAddress a = l->items[i];
                if (a.link_local)
                        continue;
                memmove(l->items + to + 1, l->items + to, (i - to) * sizeof(a));
                l->items[to++] = a;
        }
}

static int read_all(int dir_fd, AddressList *l) {
        static const struct {
                const char *file;
                int (*add)(char *text, AddressList *l);
        } files[] = { { "fib_trie", add_ipv4 }, { "if_inet6", add_ipv6 } };

        for (size_t i = 0; i < ELEMENTSOF(files); i++) {
                _cleanup_free_ char *text = NULL;
                int r = read_beginning(dir_fd, files[i].file, &text);
                if (r >= 0)
                        r = files[i].add(text, l);
                if (r < 0 && r != -ENOENT) /* a kernel without one of the two protocols */
                        return r;
        }
        wide_first(l);
        return 0;
}

int net_addresses_read_at(int proc_fd, NetAddress **ret, size_t *ret_n) {
        AddressList l = { 0 };
        int r = read_all(proc_fd, &l);

        if (r < 0) {
                free(l.items);
                return r;
        }
        *ret = l.items;
        *ret_n = l.n;
        return 0;
}

/* The files of a network namespace have inode numbers that no other's have. That can be seen without the right to look at the process, which
 * the link /proc/PID/ns/net takes. We may have a network of our own: the host's is that of its first process. */
static bool is_hosts_network(int proc_fd) {
        struct stat own, other;

        return stat("/proc/1/net/dev", &own) >= 0 && fstatat(proc_fd, "dev", &other, 0) >= 0 &&
               own.st_dev == other.st_dev && own.st_ino == other.st_ino;
}

int net_addresses_read(pid_t pid, NetAddress **ret, size_t *ret_n) {
        char path[32];

        (void) snprintf(path, sizeof(path), "/proc/%d/net", (int) pid);
        _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return errno == ENOENT ? -ESRCH : -errno;
        if (pid != 1 && is_hosts_network(fd))
                return -ENONET;
        return net_addresses_read_at(fd, ret, ret_n);
}
