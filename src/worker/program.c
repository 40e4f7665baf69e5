/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A program in the container: what it is given, and the one who waits for its end.
 *
 * Two processes. The program's is born in the PID namespace and the cgroup of the container, joins the rest, looks the user up in the
 * container's own files and executes. The other stays outside, where nobody in the container can see it, with no more than the right to
 * send signals, and tells how the program ended to whoever has the status descriptor: one message "exited STATUS", "killed SIGNAL" or
 * "timeout". What comes from there ("kill SIGNAL") is sent to the program; when nobody has it any more, the program is ended. */
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "basic/fd.h"
#include "basic/parse.h"
#include "basic/str.h"
#include "basic/strv.h"
#include "rootfs/rootfs.h"
#include "spec/seccomp-compile.h"
#include "sys/caps.h"
#include "sys/syscalls.h"
#include "worker/program.h"

#define SECCOMP_CACHE_DIRECTORY "/run/berth/seccomp"
#define SECCOMP_SIZE_MAX (64U << 10)
#define PROGRAM_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define START_TIMEOUT_USEC (15 * USEC_PER_SEC)
#define END_TIMEOUT_USEC (2 * USEC_PER_SEC) /* from the request to end to SIGKILL */
#define MIB (1024U * 1024U)

void program_done(Program *p) {
        p->seccomp = mfree(p->seccomp);
        p->seccomp_size = 0;
}

/* ---- before joining ---- */

int program_prepare(Worker *w, Program *p, Error *reterr) {
        ContainerSpec *spec = w->spec;
        _cleanup_close_ int fd = -EBADF;
        if (!spec)
                return 0;
        /* what the filter allows goes by the capabilities that the leader was started with */
        spec->security.bounding = w->target.bounding;
        int r = seccomp_compile(spec, SECCOMP_CACHE_DIRECTORY, &fd, reterr);
        if (r < 0)
                return r;
        if (fd >= 0) {
                r = fd_read_all(fd, SECCOMP_SIZE_MAX, &p->seccomp, &p->seccomp_size);
                if (r < 0)
                        return error_set_errno(reterr, r, ERROR_SETUP_FAILED,
                                               "Reading the system call filter failed");
        }
        if (spec->payload.start != START_BOOT)
                return 0;
        /* A system's init raises these for itself, and not for what it starts. */
        static const struct {
                int resource;
                struct rlimit limit;
        } usual[] = {
                { RLIMIT_NOFILE, { 1024, 524288 } },
                { RLIMIT_MEMLOCK, { 8 * MIB, 8 * MIB } },
        };
        for (size_t i = 0; i < ELEMENTSOF(usual); i++) {
                const SpecLimit *given = spec->payload.limits + usual[i].resource;
                struct rlimit *l = w->target.limits + usual[i].resource;
                *l = given->set ? (struct rlimit){ given->soft, given->hard } : usual[i].limit;
        }
        return 0;
}

/* ---- inside ---- */

static void protect_from_oom(const Worker *w) {
        char text[16];
        (void) snprintf(text, sizeof(text), "%d", w->target.oom_score_adjust);
        /* the leader's; to have a lower one than we have takes CAP_SYS_RESOURCE, which may be missing */
        (void) file_write_at(AT_FDCWD, "/proc/self/oom_score_adj", text);
}

static int build_environment(const Worker *w, const Rootfs *root, char ***ret) {
        _cleanup_strv_free_ char **env = NULL;
        int r = strv_extend(&env, "PATH=" PROGRAM_PATH);
        if (r >= 0)
                r = strv_extend(&env, "container=berth");
        if (r >= 0)
                r = strv_extend(&env, "LANG=C.UTF-8");
        if (r >= 0)
                r = strv_extendf(&env, "HOME=%s", root->user.home ?: "/");
        if (r >= 0)
                r = strv_extendf(&env, "USER=%s", root->user.name);
        if (r >= 0)
                r = strv_extendf(&env, "LOGNAME=%s", root->user.name);
        if (r >= 0)
                r = strv_extendf(&env, "SHELL=%s", root->user.shell ?: "/bin/sh");
        if (r >= 0 && w->request.operation.terminal)
                r = strv_extend(&env, "TERM=linux");
        if (w->spec && w->spec->payload.start != START_BOOT) /* else it is for the init */
                STRV_FOREACH(e, w->spec->payload.environment)
                        if (r >= 0)
                                r = strv_env_replace(&env, *e);
        STRV_FOREACH(e, w->request.operation.environment)
                if (r >= 0)
                        r = strv_env_replace(&env, *e);
        if (r >= 0)
                *ret = TAKE_PTR(env);
        return r;
}

/* Where to look for the program, and its arguments. */
static int find_program(const Worker *w, const Rootfs *root, char *const *env, char ***paths,
                        char ***argv) {
        char *const *given = w->request.operation.argv;
        _cleanup_strv_free_ char **directories = NULL;
        if (strv_isempty(given)) { /* a login shell */
                const char *shell = root->user.shell ?: "/bin/sh", *slash = strrchr(shell, '/');
                int r = strv_extend(paths, shell);
                if (r >= 0)
                        r = strv_extend(paths, "/bin/sh");
                return r < 0 ? r : strv_extendf(argv, "-%s", slash ? slash + 1 : shell);
        }
        int r = strv_extend_strv(argv, given);
        if (r < 0 || strchr(given[0], '/'))
                return r < 0 ? r : strv_extend(paths, given[0]);
        r = strv_split(&directories, strv_env_get(env, "PATH") ?: PROGRAM_PATH, ":", 0);
        STRV_FOREACH(d, directories)
                if (r >= 0)
                        r = strv_extendf(paths, "%s/%s", *d, given[0]);
        return r < 0 || *paths ? r : strv_extend(paths, given[0]);
}

static int execute(char **paths, char **argv, char **env) {
        int r = -ENOENT;
        STRV_FOREACH(path, paths) {
                (void) execve(*path, argv, env); /* returns only on failure */
                const int error = errno;
                if (error == EACCES || r == -ENOENT)
                        r = -error;
                if (!IN_SET(error, ENOENT, ENOTDIR, EACCES))
                        return -error;
        }
        return r;
}

static int execution_failed(int code, const char *program, Error *reterr) {
        const bool missing = IN_SET(code, -ENOENT, -ENOTDIR, -ELOOP),
                   refused = IN_SET(code, -EACCES, -EPERM, -ENOEXEC, -EISDIR);
        int r = error_set_errno(reterr, code,
                                missing   ? ERROR_INIT_NOT_FOUND
                                : refused ? ERROR_NOT_EXECUTABLE
                                          : ERROR_SETUP_FAILED,
                                "Executing '%s' in the container failed", program);
        if (missing)
                error_hint(reterr, "is it installed in the container?");
        return r;
}

static int enter_directory(const Worker *w, const Rootfs *root, Error *reterr) {
        const OperationRequest *q = &w->request.operation;
        if (q->working_directory)
                return chdir(q->working_directory) < 0
                               ? error_set_errno(
                                         reterr, -errno, ERROR_SETUP_FAILED,
                                         "Entering the directory '%s' in the container failed",
                                         q->working_directory)
                               : 0;
        if (q->terminal && root->user.home && chdir(root->user.home) < 0)
                return 0; /* it stays "/", as at a login */
        return 0;
}

/* The terminal becomes the program's; its other side goes to who asked. */
static int take_terminal(int answer_fd, uid_t uid, Error *reterr) {
        _cleanup_close_ int master = -EBADF, slave = -EBADF;
        char path[24];
        int r = worker_open_pty(uid, &master, &slave, path, reterr);
        if (r < 0)
                return r;
        r = worker_answer(answer_fd, path, strlen(path), &master, 1);
        if (r >= 0 && ioctl(slave, TIOCSCTTY, 0) < 0)
                r = -errno;
        for (int i = 0; r >= 0 && i < 3; i++)
                if (dup2(slave, i) < 0)
                        r = -errno;
        return r < 0 ? error_set_errno(reterr, r, ERROR_CONSOLE_FAILED,
                                       "Setting up the terminal failed")
                     : 0;
}

static void reset_signals(void) {
        sigset_t none;
        for (int sig = 1; sig < _NSIG; sig++)
                (void) signal(sig, SIG_DFL); /* fails for those that are what they are */
        (void) sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
}

static int program_run(const Worker *w, const Program *p, int answer_fd, Error *reterr) {
        _cleanup_(rootfs_done) Rootfs root = ROOTFS_NULL;
        _cleanup_strv_free_ char **env = NULL, **paths = NULL, **argv = NULL;
        const OperationRequest *q = &w->request.operation;

        protect_from_oom(w);
        int r = worker_enter(w, reterr);
        if (r < 0)
                return r;
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL); /* the change of user has cleared it */
        root.root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        r = rootfs_find_user(&root, q->user, /* want_shell= */ true, reterr);
        if (r < 0)
                return r;
        r = build_environment(w, &root, &env);
        if (r >= 0)
                r = find_program(w, &root, env, &paths, &argv);
        if (r < 0)
                return error_oom(reterr);
        (void) setsid();
        if (q->terminal) {
                r = take_terminal(answer_fd, root.user.uid, reterr);
                if (r < 0)
                        return r;
        }
        reset_signals();
        const JoinIdentity identity = { root.user.uid, root.user.gid, root.user.groups,
                                        root.user.n_groups };
        r = join_confine(&w->target, p->seccomp, p->seccomp_size, &identity);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_SETUP_FAILED,
                                       "Confining the program like the payload of '%s' failed",
                                       w->request.name);
        /* who waits for the program ends it, too, when it goes itself: from here on, or just now */
        struct pollfd watcher = { .fd = answer_fd };
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || poll(&watcher, 1, 0) != 0)
                return error_set_errno(reterr, -errno, ERROR_SETUP_FAILED,
                                       "Watching the program failed");
        r = enter_directory(w, &root, reterr);
        if (r < 0)
                return r;
        (void) sys_close_range(3, ~0U, CLOSE_RANGE_CLOEXEC); /* they all are that already */
        r = execute(paths, argv, env);
        return execution_failed(r, strv_isempty(q->argv) ? paths[0] : q->argv[0], reterr);
}

/* ---- outside ---- */

/* The whole group, and the program even where it has left that. */
static void signal_program(const PidRef *program, int sig) {
        (void) kill(-program->pid, sig); /* not reaped yet: the number is still its own */
        (void) pidref_kill(program, sig);
}

static void take_request(int fd, const PidRef *program, bool *ret_ended) {
        char text[32] = "";
        const char *name;
        ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && !IN_SET(errno, EAGAIN, EINTR)))
                *ret_ended = true;
        text[n > 0 ? n : 0] = '\0';
        name = startswith(text, "kill ");
        const int sig = name ? parse_signal(name) : -EINVAL;
        if (sig > 0)
                signal_program(program, sig);
}

/* Milliseconds for poll(2), rounded up. */
static int wait_msec(usec_t until) {
        const usec_t now = now_usec(CLOCK_MONOTONIC);
        if (until == USEC_INFINITY)
                return -1;
        return until <= now ? 0 : (int) MIN((until - now) / 1000 + 1, (usec_t) 60000);
}

int program_watch(const Worker *w, const PidRef *program, int status_fd) {
        const usec_t limit = w->request.operation.timeout_usec;
        usec_t until = limit == 0 || limit == USEC_INFINITY
                               ? USEC_INFINITY
                               : usec_add(now_usec(CLOCK_MONOTONIC), limit);
        bool timed_out = false, alone = false;
        siginfo_t si = { 0 };

        while (pidref_wait(program, false, &si) == 0) {
                struct pollfd p[] = { { .fd = program->fd, .events = POLLIN },
                                      { .fd = alone ? -1 : status_fd, .events = POLLIN } };
                (void) poll(p, ELEMENTSOF(p), wait_msec(until)); /* a signal: once more */
                if (p[0].revents)
                        continue;
                if (p[1].revents) {
                        take_request(status_fd, program, &alone);
                        if (alone) { /* as when a terminal goes; what ignores that is killed */
                                signal_program(program, SIGHUP);
                                signal_program(program, SIGCONT);
                                until = usec_add(now_usec(CLOCK_MONOTONIC), END_TIMEOUT_USEC);
                        }
                } else if (now_usec(CLOCK_MONOTONIC) >= until && (alone || timed_out)) {
                        signal_program(program, SIGKILL);
                        until = USEC_INFINITY;
                } else if (now_usec(CLOCK_MONOTONIC) >= until) {
                        timed_out = true;
                        signal_program(program, SIGTERM);
                        signal_program(program, SIGCONT);
                        until = usec_add(now_usec(CLOCK_MONOTONIC), END_TIMEOUT_USEC);
                }
        }
        char text[32];
        int n = timed_out ? snprintf(text, sizeof(text), "timeout")
                          : snprintf(text, sizeof(text), "%s %d",
                                     si.si_code == CLD_EXITED ? "exited" : "killed", si.si_status);
        return socket_send(status_fd, text, (size_t) n, NULL, 0);
}

/* Nothing is left to be done but to wait, and to send signals. */
static void shed(void) {
        const uint64_t keep = CAP_MASK(CAP_KILL);
        int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        for (int i = 0; i < 3 && null_fd >= 0; i++)
                (void) dup2(null_fd, i); /* else the program's pipes would not end with it */
        fd_close(null_fd);
        (void) caps_set(keep, keep, 0); /* fewer is always allowed */
}

/* Until the program is executed: its terminal, then the end of the socket; or an error. The manager gives up by closing its end. */
static int wait_started(const Worker *w, int answer_fd, char **ret_path, int *ret_master,
                        Error *reterr) {
        const usec_t until = usec_add(now_usec(CLOCK_MONOTONIC), START_TIMEOUT_USEC);
        for (;;) {
                int fds[SOCKET_MAX_FDS];
                char *path = NULL, byte;
                size_t size;
                struct pollfd p[] = { { .fd = answer_fd, .events = POLLIN },
                                      { .fd = WORKER_LINK_FD } };
                (void) poll(p, ELEMENTSOF(p), wait_msec(until)); /* a signal: once more */
                if (p[1].revents || now_usec(CLOCK_MONOTONIC) >= until) {
                        int r = error_set(reterr, -ETIMEDOUT, ERROR_TIMEOUT,
                                          "Container '%s' does not answer in time",
                                          w->request.name);
                        error_hint(reterr, "is it paused, or are its file systems?");
                        return r;
                }
                ssize_t n = recv(answer_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
                if (n == 0)
                        return 0;
                if (n < 0)
                        continue;
                int r = worker_read_answer(answer_fd, &path, &size, fds, reterr);
                if (r < 0)
                        return r;
                free(*ret_path);
                *ret_path = path;
                fd_close(*ret_master);
                *ret_master = TAKE_FD(fds[0]);
        }
}

int program_start(Worker *w, const Program *p, Error *reterr) {
        _cleanup_close_pair_ int answers[2] = PAIR_EBADF, status[2] = PAIR_EBADF;
        _cleanup_close_ int master = -EBADF;
        _cleanup_(pidref_done) PidRef program = PIDREF_NULL;
        _cleanup_free_ char *path = NULL;
        int r = socket_pair_seqpacket(answers);
        if (r >= 0)
                r = socket_pair_seqpacket(status);
        if (r >= 0)
                r = join_fork(&w->target, &program);
        if (r < 0) {
                r = error_set_errno(reterr, r, ERROR_SETUP_FAILED,
                                    "Starting a process in the container '%s' failed",
                                    w->request.name);
                return r;
        }
        if (r == 0) {
                _cleanup_error_ Error e = ERROR_NULL;
                /* without a user namespace the container's root may look at any process */
                w->target.cgroup_fd = fd_close(w->target.cgroup_fd);
                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                fd_close_pair(status);
                (void) fd_close(answers[0]);
                (void) close(WORKER_LINK_FD);
                if (program_run(w, p, answers[1], &e) < 0)
                        (void) worker_answer_error(answers[1], &e); /* no answer is one, too */
                _exit(125);
        }
        answers[1] = fd_close(answers[1]);
        shed();
        r = wait_started(w, answers[0], &path, &master, reterr);
        if (r >= 0 && !pidref_is_alive(&program) && w->request.operation.terminal && master < 0)
                r = error_set(reterr, -EIO, ERROR_FAILED, "Starting a program in '%s' failed",
                              w->request.name);
        if (r >= 0) {
                const int exec_fds[] = { status[1], master }, session_fds[] = { master, status[1] };
                r = worker_answer(WORKER_LINK_FD, strempty(path), strlen(strempty(path)),
                                  w->request.operation.type == OPERATION_EXEC ? exec_fds
                                                                              : session_fds,
                                  master >= 0 ? 2 : 1);
        }
        if (r < 0) {
                siginfo_t si;
                signal_program(&program, SIGKILL);
                (void) pidref_wait(&program, true, &si); /* it cannot refuse to end */
                return r;
        }
        master = fd_close(master);
        status[1] = fd_close(status[1]);
        (void) close(WORKER_LINK_FD);
        (void) program_watch(w, &program, status[0]); /* nobody may want to know */
        return 0;
}

/* A directory would let the program out of its root, a namespace into another one. */
static int check_stdio(Error *reterr) {
        for (int fd = 0; fd < 3; fd++) {
                const int flags = fcntl(fd, F_GETFL);
                const bool writes = fd != STDIN_FILENO;
                if (!fd_is_stream(fd))
                        return error_set(
                                reterr, -EINVAL, ERROR_INVALID_SETTING,
                                "Descriptor %d is nothing that a program can read or write", fd);
                if ((flags & O_ACCMODE) == (writes ? O_RDONLY : O_WRONLY))
                        return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                         "Descriptor %d is not open for %s", fd,
                                         writes ? "writing" : "reading");
        }
        return 0;
}

int operation_exec(Worker *w, Error *reterr) {
        _cleanup_(program_done) Program p = { 0 };
        int r = w->request.operation.terminal ? 0 : check_stdio(reterr);
        if (r >= 0)
                r = program_prepare(w, &p, reterr);
        return r < 0 ? r : program_start(w, &p, reterr);
}
