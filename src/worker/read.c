/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is read from inside a container: os-release, addresses, its root directory; and a new terminal.
 *
 * The files are hostile: the process has joined the container, opens only regular files, and reads only so much of them. A file that
 * never answers holds up this process alone. */
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>

#include "basic/env-file.h"
#include "basic/fd.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "sys/resolve.h"
#include "worker/worker.h"

#define OS_RELEASE_MAX (64U << 10)
#define ADDRESSES_MAX 1024U

static int answer(const Worker *w, const StrBuf *b, const int *fds, size_t n_fds, Error *reterr) {
        int r = b && b->failed ? -ENOMEM
                               : worker_answer(WORKER_LINK_FD, b && b->text ? b->text : "",
                                               b ? b->size : 0, fds, n_fds);
        return r < 0 ? error_set_errno(reterr, r, ERROR_FAILED, "Answering for '%s' failed",
                                       w->request.name)
                     : 0;
}

int operation_root_directory(Worker *w, Error *reterr) {
        int r = worker_enter(w, reterr);
        if (r < 0)
                return r;
        _cleanup_close_ int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return error_set_errno(reterr, -errno, ERROR_FAILED,
                                       "Opening the root directory of '%s' failed",
                                       w->request.name);
        return answer(w, NULL, &fd, 1, reterr);
}

int operation_pty(Worker *w, Error *reterr) {
        _cleanup_close_ int master = -EBADF, slave = -EBADF;
        char path[24];
        int r = worker_enter(w, reterr);
        if (r >= 0)
                r = worker_open_pty(0, &master, &slave, path, reterr);
        if (r < 0)
                return r;
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        strbuf_add(&b, path);
        return answer(w, &b, &master, 1, reterr);
}

int operation_os_release(Worker *w, Error *reterr) {
        static const char *const places[] = { "/etc/os-release", "/usr/lib/os-release" };
        _cleanup_free_ char *text = NULL;
        _cleanup_strv_free_ char **fields = NULL;
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        int r = worker_enter(w, reterr);
        if (r < 0)
                return r;
        _cleanup_close_ int root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        r = root_fd < 0 ? -errno : -ENOENT;
        for (size_t i = 0; IN_SET(r, -ENOENT, -ENOTDIR) && i < ELEMENTSOF(places); i++)
                r = resolve_read_file(root_fd, places[i], OS_RELEASE_MAX, &text, NULL);
        if (r == -ENOENT || r == -ENOTDIR)
                return error_set(reterr, -ENOENT, ERROR_UNSUPPORTED,
                                 "Container '%s' has no /etc/os-release", w->request.name);
        if (r >= 0)
                r = env_file_parse(text, &fields);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_FAILED,
                                       "Reading /etc/os-release of '%s' failed", w->request.name);
        STRV_FOREACH(f, fields)
                if (utf8_is_valid(*f, strlen(*f))) /* else D-Bus cannot carry it */
                        strbuf_add_bytes(&b, *f, strlen(*f) + 1);
        return answer(w, &b, NULL, 0, reterr);
}

/* ---- addresses ---- */

typedef enum Scope {
        SCOPE_WIDE,
        SCOPE_LINK,
        _SCOPE_MAX
} Scope;

static void add_address(StrBuf *b, const struct ifaddrs *a, Scope wanted) {
        const uint8_t *bytes;
        size_t n;
        Scope scope = SCOPE_WIDE;
        if (a->ifa_addr->sa_family == AF_INET) {
                bytes = (const uint8_t *) &((const struct sockaddr_in *) (const void *) a->ifa_addr)
                                ->sin_addr;
                n = 4;
                if (bytes[0] == 169 && bytes[1] == 254)
                        scope = SCOPE_LINK;
        } else {
                bytes = (const uint8_t *) &(
                                (const struct sockaddr_in6 *) (const void *) a->ifa_addr)
                                ->sin6_addr;
                n = 16;
                if (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80)
                        scope = SCOPE_LINK;
        }
        if (scope != wanted)
                return;
        strbuf_addf(b, "%u ", (unsigned) a->ifa_addr->sa_family);
        for (size_t i = 0; i < n; i++)
                strbuf_addf(b, "%02x", bytes[i]);
        strbuf_add_bytes(b, "", 1);
}

int operation_addresses(Worker *w, Error *reterr) {
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        struct ifaddrs *list = NULL;
        unsigned n = 0;
        if (!(w->target.namespaces & CLONE_NEWNET)) {
                int r = error_set(
                        reterr, -ENONET, ERROR_UNSUPPORTED,
                        "Container '%s' has the host's network, and no addresses of its own",
                        w->request.name);
                error_hint(reterr, "see PrivateNetwork= in berth.settings(5)");
                return r;
        }
        int r = worker_enter(w, reterr);
        if (r < 0)
                return r;
        if (getifaddrs(&list) < 0)
                return error_set_errno(reterr, -errno, ERROR_NETWORK_FAILED,
                                       "Asking for the addresses of '%s' failed", w->request.name);
        for (Scope scope = 0; scope < _SCOPE_MAX; scope++)
                for (const struct ifaddrs *a = list; a && n < ADDRESSES_MAX; a = a->ifa_next)
                        if (a->ifa_addr && !(a->ifa_flags & IFF_LOOPBACK) &&
                            IN_SET(a->ifa_addr->sa_family, AF_INET, AF_INET6)) {
                                add_address(&b, a, scope);
                                n++;
                        }
        freeifaddrs(list);
        return answer(w, &b, NULL, 0, reterr);
}
