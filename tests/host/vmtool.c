/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vmtool - the one helper program of host-vm, built static; four small programs in one file:
     as PID 1 (/init of the initrd): load the modules of /m in order, mount /dev/vda, switch root, exec systemd
     vmtool agent             in the guest: serve commands on every virtio-serial port /dev/virtio-ports/berth.*
     vmtool run SOCK ARG...   on the host: run ARG... in the guest through the port's socket, as ssh would
     vmtool hmp SOCK CMD...   on the host: send CMDs to QEMU's monitor, print the answers
   A frame on the port is: magic, type, length (u32), data.  To the guest: 'X' argv, 'I' stdin (empty: EOF).
   From the guest: 'O' stdout, 'E' stderr, 'S' exit status (u32).  A dropped connection kills the command; the session
   number tells its late frames from those of the next one. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
        MAXDATA = 32768
};
struct head {
        uint16_t magic;
        uint8_t type, session;
        uint32_t len;
};
#define MAGIC 0x4c42
static uint8_t session;

static void die(const char *what) {
        fprintf(stderr, "vmtool: %s: %m\n", what);
        exit(125);
}

// ---- initrd ----
static int by_name(const struct dirent **a, const struct dirent **b) {
        return strcmp((*a)->d_name, (*b)->d_name);
}
static void init(void) {
        mkdir("/dev", 0755), mkdir("/r", 0755);
        mount("dev", "/dev", "devtmpfs", 0, NULL);
        int con = open("/dev/console", O_RDWR);
        dup2(con, 0), dup2(con, 1), dup2(con, 2);
        struct dirent **l;
        int n = scandir("/m", &l, NULL, by_name);
        for (int i = 0; i < n; i++) {
                char p[512];
                snprintf(p, sizeof p, "/m/%s", l[i]->d_name);
                if (l[i]->d_name[0] == '.')
                        continue;
                int fd = open(p, O_RDONLY | O_CLOEXEC);
                if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST))
                        fprintf(stderr, "init: %s: %m\n", p);
                close(fd);
        }
        for (int i = 0; i < 1000 && access("/dev/vda", F_OK) < 0; i++)
                usleep(10000);
        if (mount("/dev/vda", "/r", "ext4", MS_NOATIME, NULL) < 0)
                die("mount /dev/vda");
        mount("/dev", "/r/dev", NULL, MS_MOVE, NULL);
        if (chdir("/r") < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 ||
            chdir("/") < 0)
                die("switch root");
        char *e[] = { "PATH=/usr/sbin:/usr/bin", "TERM=dumb", NULL };
        execle("/lib/systemd/systemd", "/lib/systemd/systemd", "--system", NULL, e);
        die("exec systemd");
}

// ---- both ends ----
static int full(int fd, void *b, size_t n,
                int wr) { // blocking or not, all n bytes or -1 (peer gone)
        // The guest hears of the host's disconnects and connects late, on another queue than the data: what looks
        // like a hangup may be the previous session's. So in the middle of a frame give it ten seconds to go away.
        int hup = 0;
        for (size_t o = 0; o < n;) {
                ssize_t k = wr ? write(fd, (char *) b + o, n - o) : read(fd, (char *) b + o, n - o);
                if (k > 0) {
                        o += k;
                        continue;
                }
                if ((k == 0 && !wr && o == 0) || (k < 0 && errno != EAGAIN && errno != EINTR))
                        return -1;
                struct pollfd p = { fd, wr ? POLLOUT : POLLIN, 0 };
                poll(&p, 1, k == 0 ? 0 : -1);
                if (k == 0 || (p.revents & POLLHUP && !(p.revents & (POLLIN | POLLOUT)))) {
                        if (++hup > 500)
                                return -1;
                        usleep(20000);
                }
        }
        return 0;
}
static int put(int fd, int type, const void *b, uint32_t n) {
        static char buf[sizeof(struct head) + MAXDATA];
        struct head h = { MAGIC, type, session, n };
        memcpy(buf, &h, sizeof h);
        if (n)
                memcpy(buf + sizeof h, b, n);
        return full(fd, buf, sizeof h + n, 1);
}
static int get(int fd, struct head *h, void *b) {
        if (full(fd, h, sizeof *h, 0) < 0)
                return -1;
        while (h->magic != MAGIC || h->len > MAXDATA) { // resynchronize after a broken connection
                memmove(h, (char *) h + 1, sizeof *h - 1);
                if (full(fd, (char *) h + sizeof *h - 1, 1, 0) < 0)
                        return -1;
        }
        return full(fd, b, h->len, 0);
}

// ---- guest ----
// A command that runs: its end of three pipes (-1 once closed), what of its stdin is not written yet
struct child {
        pid_t pid;
        int pidfd, in, out[2];
        char pending[MAXDATA];
        uint32_t pending_len, pending_off;
};

static int spawn(struct child *c, char **argv) {
        int in[2], out[2], err[2];
        if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
                return -1;
        c->pid = fork();
        if (c->pid == 0) {
                char *environment[] = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin",
                                        "HOME=/root",
                                        "USER=root",
                                        "LANG=C.UTF-8",
                                        "TERM=dumb",
                                        NULL };
                sigset_t none;
                sigemptyset(&none);
                sigprocmask(SIG_SETMASK, &none, NULL);
                signal(SIGPIPE, SIG_DFL);
                setsid();
                dup2(in[0], 0);
                dup2(out[1], 1);
                dup2(err[1], 2);
                if (chdir("/root") < 0)
                        (void) 0; // stay
                execvpe(argv[0], argv, environment);
                dprintf(2, "%s: %m\n", argv[0]);
                _exit(127);
        }
        close(in[0]);
        close(out[1]);
        close(err[1]);
        c->in = in[1];
        c->out[0] = out[0];
        c->out[1] = err[0];
        fcntl(c->in, F_SETFL, O_NONBLOCK);
        fcntl(c->out[0], F_SETFL, O_NONBLOCK);
        fcntl(c->out[1], F_SETFL, O_NONBLOCK);
        c->pidfd = syscall(SYS_pidfd_open, c->pid, 0);
        return 0;
}

static void close_fd(int *fd) {
        if (*fd >= 0)
                close(*fd);
        *fd = -1;
}

// Pass on what the command has written; -1 when the host is gone
static int pump_output(struct child *c, int port) {
        static char buf[MAXDATA];
        for (int k = 0; k < 2; k++) {
                ssize_t n;
                while (c->out[k] >= 0 && (n = read(c->out[k], buf, sizeof buf)) >= 0) {
                        if (n == 0)
                                close_fd(&c->out[k]);
                        else if (put(port, k ? 'E' : 'O', buf, n) < 0)
                                return -1;
                }
        }
        return 0;
}

static void pump_input(struct child *c) {
        ssize_t n = write(c->in, c->pending + c->pending_off, c->pending_len - c->pending_off);
        if (n > 0)
                c->pending_off += n;
        else if (errno != EAGAIN) {
                close_fd(&c->in);
                c->pending_off = c->pending_len;
        }
        if (c->pending_off == c->pending_len)
                c->pending_len = c->pending_off = 0;
}

// Runs one command to its end. Returns the length of the next command in args, if one came meanwhile.
static uint32_t command(int port, char *args, uint32_t len) {
        static struct child c;
        char *argv[1024];
        int argc = 0, status = 0, gone = 0, hangup = 0;
        uint32_t next = 0;
        struct head h;
        for (char *p = args; p < args + len && argc < 1023; p += strlen(p) + 1)
                argv[argc++] = p;
        argv[argc] = NULL;
        c.pending_len = c.pending_off = 0;
        if (spawn(&c, argv) < 0)
                return 0;
        for (int done = 0; !done && !gone;) {
                struct pollfd p[5] = {
                        { c.pending_len || hangup ? -1 : port, POLLIN, 0 },
                        { c.out[0], POLLIN, 0 },
                        { c.out[1], POLLIN, 0 },
                        { c.pidfd, POLLIN, 0 },
                        { c.pending_len ? c.in : -1, POLLOUT, 0 },
                };
                if (poll(p, 5, hangup ? 50 : -1) < 0)
                        continue;
                if (hangup) { // for good, if it lasts ten seconds: who waits for an answer would wait for ever
                        struct pollfd q = { port, 0, 0 };
                        poll(&q, 1, 0);
                        if (!(q.revents & POLLHUP))
                                hangup = 0;
                        else if (++hangup > 200) {
                                gone = 1;
                                break;
                        }
                }
                done = p[3].revents & POLLIN; // exited: what is in the pipes now is the last of it
                if (pump_output(&c, port) < 0)
                        gone = 1;
                else if (p[0].revents && !hangup) {
                        if (get(port, &h, c.pending) < 0)
                                hangup = 1;
                        else if (h.type == 'X') {
                                memcpy(args, c.pending, h.len);
                                next = h.len;
                                session = h.session;
                                gone = 1;
                        } else if (h.session == session && h.type == 'I') {
                                if (h.len == 0)
                                        close_fd(&c.in);
                                else if (c.in >= 0)
                                        c.pending_len = h.len;
                        }
                }
                if (c.pending_len)
                        pump_input(&c);
        }
        if (gone) {
                kill(-c.pid, SIGHUP);
                usleep(200000);
                kill(-c.pid, SIGKILL);
        }
        waitpid(c.pid, &status, 0);
        close_fd(&c.in);
        close_fd(&c.out[0]);
        close_fd(&c.out[1]);
        close_fd(&c.pidfd);
        uint32_t rc = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        if (!gone)
                put(port, 'S', &rc, sizeof rc);
        return next;
}

static void serve(const char *path) {
        int port;
        while ((port = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC)) < 0)
                usleep(50000); // udev makes the link
        static char buf[MAXDATA + 1];
        struct head h;
        sigset_t io;
        sigemptyset(&io), sigaddset(&io, SIGIO), sigprocmask(SIG_BLOCK, &io, NULL);
        fcntl(port, F_SETOWN, getpid()), fcntl(port, F_SETFL, O_NONBLOCK | O_ASYNC);
        for (;;) {
                // while no one is connected poll() and read() return at once; the driver's SIGIO tells of a change
                struct pollfd p = { port, POLLIN, 0 };
                if (poll(&p, 1, -1) < 0 || !(p.revents & POLLIN) || get(port, &h, buf) < 0) {
                        sigtimedwait(&io, NULL, &(struct timespec){ 10, 0 });
                        continue;
                }
                if (h.type != 'X')
                        continue;
                session = h.session;
                for (uint32_t n = h.len; n;) {
                        buf[n] = 0;
                        n = command(port, buf, n);
                }
        }
}
static int agent(void) {
        signal(SIGPIPE, SIG_IGN);
        for (int i = 0; i < 8; i++)
                if (fork() == 0) {
                        char p[64];
                        snprintf(p, sizeof p, "/dev/virtio-ports/berth.%d", i);
                        serve(p);
                }
        while (wait(NULL) > 0 || pause())
                ;
        return 0;
}

// ---- host ----
static int dial(const char *path) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        strncpy(a.sun_path, path, sizeof a.sun_path - 1);
        if (connect(fd, (void *) &a, sizeof a) < 0)
                die(path);
        return fd;
}
static int run(int argc, char **argv) {
        int fd = dial(argv[0]);
        static char buf[MAXDATA + 1];
        uint32_t n = 0;
        struct head h;
        for (int i = 1; i < argc; i++) {
                size_t l = strlen(argv[i]) + 1;
                if (n + l > MAXDATA) {
                        errno = E2BIG;
                        die("arguments");
                }
                memcpy(buf + n, argv[i], l);
                n += l;
        }
        session = getpid();
        if (put(fd, 'X', buf, n) < 0)
                die("send");
        pid_t feeder = fork(); // stdin has a process of its own: neither way can block the other
        if (feeder == 0) {
                ssize_t k;
                while ((k = read(0, buf, MAXDATA / 2)) > 0)
                        if (put(fd, 'I', buf, k) < 0)
                                _exit(1);
                put(fd, 'I', buf, 0);
                _exit(0);
        }
        int rc = -1;
        while (rc < 0) {
                if (get(fd, &h, buf) < 0) {
                        fprintf(stderr, "vmtool: guest gone\n");
                        rc = 125;
                        break;
                }
                if (h.session != session)
                        continue;
                if (h.type == 'O' || h.type == 'E')
                        full(h.type == 'O' ? 1 : 2, buf, h.len, 1);
                if (h.type == 'S')
                        rc = *(uint32_t *) buf;
        }
        kill(feeder, SIGKILL);
        waitpid(feeder, NULL, 0);
        return rc;
}
static int hmp(int argc, char **argv) { // the prompt "(qemu) " ends each answer
        int fd = dial(argv[0]);
        static char buf[65536];
        size_t n;
        ssize_t k;
        for (int i = 0; i < argc; i++) {
                if (i && (full(fd, argv[i], strlen(argv[i]), 1) < 0 || full(fd, "\n", 1, 1) < 0))
                        return 1;
                for (n = 0; n < sizeof buf - 1;) {
                        if ((k = read(fd, buf + n, sizeof buf - 1 - n)) <= 0)
                                return i && !strcmp(argv[i], "quit") ? 0 : 1;
                        buf[n += k] = 0;
                        if (n >= 7 && !strcmp(buf + n - 7, "(qemu) "))
                                break;
                }
                if (i) {
                        buf[n - 7] = 0;
                        char *nl = strchr(buf, '\n');
                        fputs(nl ? nl + 1 : "", stdout);
                }
        }
        return 0;
}

int main(int argc, char **argv) {
        if (getpid() == 1)
                init();
        if (argc == 2 && !strcmp(argv[1], "agent"))
                return agent();
        if (argc == 3 && !strcmp(argv[1], "serve"))
                serve(argv[2]);
        signal(SIGPIPE, SIG_IGN);
        if (argc > 3 && !strcmp(argv[1], "run"))
                return run(argc - 2, argv + 2);
        if (argc > 2 && !strcmp(argv[1], "hmp"))
                return hmp(argc - 2, argv + 2);
        fprintf(stderr, "vmtool agent | run SOCK ARG... | hmp SOCK CMD...\n");
        return 2;
}
