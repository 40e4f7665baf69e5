/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* clone3(); look and compile; one message back. It begins with 'e' and is an error, or with 'p' and has lines: "/…" is the directory
 * of the image, "image /…" a disk image, "mstack /…" a stack of layers, "disks": there are disk images to be mounted, others are properties for devices; the program comes as a descriptor. */
#include "manager/prepare-worker.h"

#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/path.h"
#include "basic/strv.h"
#include "bus/keeper.h"
#include "image/disk-attach.h"
#include "image/image-find.h"
#include "spec/seccomp-compile.h"
#include "sys/pidfd.h"
#include "sys/socket.h"
#include "sys/syscalls.h"

#define ANSWER_MAX 65536U
#define WORKER_TIMEOUT_USEC (20 * USEC_PER_SEC)
#define WORKER_FD 3 /* its end of the pair */

struct PrepareWorker {
        char *name; /* of the container */
        PidRef process;
        int fd;
        sd_event_source *source, *timer;
        PrepareDone done;
        void *userdata;
};

void preparation_done(Preparation *p) {
        p->seccomp_fd = fd_close(p->seccomp_fd);
        p->directory = mfree(p->directory);
        p->image = mfree(p->image);
        p->mstack = mfree(p->mstack);
        p->devices = strv_free(p->devices);
}

/* ---- reaping ---- */

/* A worker that was given up may hang in a file system that does not answer: nobody waits for it. */
static int on_worker_ended(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        PidRef *process = userdata;
        siginfo_t si;
        /* before the descriptor is closed: a worker that was cloned meanwhile has it as well, and epoll would go on with it */
        sd_event_source_disable_unref(s);
        (void) pidref_wait(process, /* block= */ false, &si); /* the pidfd says that it has ended */
        pidref_done(process);
        free(process);
        return 0;
}

static void reap_later(sd_event *event, PidRef *process) {
        PidRef *held = new0(PidRef, 1);
        sd_event_source *source;
        if (!held)
                return; /* one process number is lost until the manager ends */
        *held = *process;
        if (sd_event_add_io(event, &source, held->fd, EPOLLIN, on_worker_ended, held) < 0) {
                free(held);
                return;
        }
        *process = (PidRef) PIDREF_NULL;
}

PrepareWorker *prepare_worker_free(PrepareWorker *w) {
        siginfo_t si;
        if (!w)
                return NULL;
        if (pidref_is_set(&w->process)) {
                (void) pidref_kill(&w->process, SIGKILL); /* it has answered, or is not to */
                if (pidref_wait(&w->process, /* block= */ false, &si) == 0 && w->source)
                        reap_later(sd_event_source_get_event(w->source), &w->process);
        }
        sd_event_source_disable_unref(w->source);
        sd_event_source_disable_unref(w->timer);
        fd_close(w->fd);
        pidref_done(&w->process);
        free(w->name);
        free(w);
        return NULL;
}

/* ---- the answer ---- */

static void finish(PrepareWorker *w, Preparation *p, const Error *e) {
        PrepareDone done = w->done;
        void *userdata = w->userdata;
        prepare_worker_free(w);
        done(p, e, userdata);
        preparation_done(p);
}

static int read_lines(const char *text, Preparation *p) {
        _cleanup_strv_free_ char **lines = NULL;
        int r = strv_split(&lines, text, "\n", 0);
        STRV_FOREACH(line, lines) {
                if (r < 0)
                        break;
                const char *image = startswith(*line, "image ");
                const char *mstack = startswith(*line, "mstack ");
                if (image)
                        r = path_is_valid(image) ? free_and_strdup(&p->image, image) : -EBADMSG;
                else if (mstack)
                        r = path_is_valid(mstack) ? free_and_strdup(&p->mstack, mstack) : -EBADMSG;
                else if (streq(*line, "disks"))
                        p->disks = true;
                else if (!path_is_absolute(*line))
                        r = strv_extend(&p->devices, *line);
                else if (path_is_valid(*line))
                        r = free_and_strdup(&p->directory, *line);
                else
                        r = -EBADMSG;
        }
        return r;
}

static int on_answer(sd_event_source *s, int fd, uint32_t revents, void *userdata) {
        PrepareWorker *w = userdata;
        Preparation p = { .seccomp_fd = -EBADF };
        _cleanup_error_ Error e = ERROR_NULL;
        int fds[SOCKET_MAX_FDS];
        _cleanup_free_ char *text = new0(char, ANSWER_MAX + 1);
        ssize_t n = text ? socket_receive(fd, text, ANSWER_MAX, fds) : -ENOMEM;
        if (n == -EAGAIN)
                return 0;
        if (n > 1 && text[0] == 'e' && error_deserialize(text + 1, &e) >= 0)
                finish(w, &p, &e);
        else if (n > 0 && text[0] == 'p' && read_lines(text + 1, &p) >= 0) {
                p.seccomp_fd = fds[0];
                finish(w, &p, NULL);
        } else {
                error_done(&e);
                (void) error_set(&e, -EIO, ERROR_SETUP_FAILED, "Preparing the start of '%s' failed",
                                 w->name);
                finish(w, &p, &e);
        }
        return 0;
}

static int on_timeout(sd_event_source *s, uint64_t usec, void *userdata) {
        PrepareWorker *w = userdata;
        Preparation p = { .seccomp_fd = -EBADF };
        _cleanup_error_ Error e = ERROR_NULL;
        (void) error_set(&e, -ETIMEDOUT, ERROR_TIMEOUT,
                         "Preparing the start of '%s' took longer than 20 seconds", w->name);
        error_hint(&e, "does a file system hang that its image or a bind mount is on?");
        finish(w, &p, &e);
        return 0;
}

/* ---- the worker ---- */

static int prepare(const ContainerSpec *spec, bool find_image, Preparation *p, Error *reterr) {
        _cleanup_free_ char *path = NULL;
        const char *option = NULL;
        int r = find_image ? image_find(spec->name, &path, &option, reterr) : 0;
        if (r < 0)
                return r;
        if (path && !path_is_valid(path))
                return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                 "Image '%s' leads to '%s', which is not a valid path", spec->name,
                                 path);
        *(streq_ptr(option, "image")    ? &p->image
          : streq_ptr(option, "mstack") ? &p->mstack
                                        : &p->directory) = TAKE_PTR(path);
        const ContainerSpec root = { .root = { .image = p->image ?: spec->root.image,
                                               .mstack = p->mstack ?: spec->root.mstack } };
        p->disks = disk_is_wanted(&root);
        if (keeper_find_devices(spec, &p->devices) < 0)
                return error_oom(reterr);
        return seccomp_compile(spec, SECCOMP_CACHE_DIRECTORY, &p->seccomp_fd, reterr);
}

static int format_answer(const Preparation *p, char **ret) {
        StrBuf b = { 0 };
        strbuf_add(&b, "p");
        if (p->directory)
                strbuf_addf(&b, "%s\n", p->directory);
        if (p->image)
                strbuf_addf(&b, "image %s\n", p->image);
        if (p->mstack)
                strbuf_addf(&b, "mstack %s\n", p->mstack);
        if (p->disks)
                strbuf_add(&b, "disks\n");
        STRV_FOREACH(device, p->devices)
                strbuf_addf(&b, "%s\n", *device);
        return strbuf_finish(&b, ret);
}

static _noreturn_ void worker_main(const ContainerSpec *spec, bool find_image, int fd) {
        Preparation p = { .seccomp_fd = -EBADF };
        Error e = ERROR_NULL;
        char *text = NULL, *answer = NULL;
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL); /* cannot fail with a valid signal */
        /* connections must not stay open because we hang */
        if (fd_move_to(&fd, WORKER_FD, true) < 0 || sys_close_range(WORKER_FD + 1, ~0U, 0) < 0)
                _exit(EXIT_FAILURE);
        int r = prepare(spec, find_image, &p, &e);
        if (r >= 0)
                r = format_answer(&p, &answer);
        else {
                r = error_serialize(&e, &text);
                answer = r < 0 ? NULL : strjoin("e", text);
        }
        if (answer)
                r = socket_send(fd, answer, MIN(strlen(answer), (size_t) ANSWER_MAX), &p.seccomp_fd,
                                p.seccomp_fd >= 0 ? 1 : 0);
        _exit(r < 0 || !answer ? EXIT_FAILURE : EXIT_SUCCESS);
}

static int worker_clone(PrepareWorker *w, const ContainerSpec *spec, bool find_image) {
        _cleanup_close_pair_ int pair[2] = PAIR_EBADF;
        int r = socket_pair_seqpacket(pair);
        if (r < 0)
                return r;
        w->fd = TAKE_FD(pair[0]);
        struct clone_args args = {
                .flags = CLONE_PIDFD,
                .pidfd = (uint64_t) (uintptr_t) &w->process.fd,
                .exit_signal = SIGCHLD,
        };
        w->process.pid = sys_clone3(&args);
        if (w->process.pid == 0)
                worker_main(spec, find_image, pair[1]);
        return w->process.pid < 0 ? -errno : 0;
}

int prepare_worker_start(sd_event *event, const ContainerSpec *spec, bool find_image,
                         PrepareDone done, void *userdata, PrepareWorker **ret, Error *reterr) {
        PrepareWorker *w = new0(PrepareWorker, 1);
        if (!w)
                return error_oom(reterr);
        w->process = (PidRef) PIDREF_NULL;
        w->fd = -EBADF;
        w->done = done;
        w->userdata = userdata;
        w->name = strdup(spec->name);
        int r = w->name ? worker_clone(w, spec, find_image) : -ENOMEM;
        if (r >= 0)
                r = sd_event_add_io(event, &w->source, w->fd, EPOLLIN, on_answer, w);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &w->timer, CLOCK_MONOTONIC,
                                               WORKER_TIMEOUT_USEC, 0, on_timeout, w);
        if (r < 0) {
                prepare_worker_free(w);
                return error_set_errno(reterr, r, ERROR_SETUP_FAILED,
                                       "Preparing the start of '%s' failed", spec->name);
        }
        *ret = w;
        return 0;
}
