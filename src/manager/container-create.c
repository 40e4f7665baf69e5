/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CreateContainer: from the settings of a call to a running container, as a table of steps.
 *
 *   compile   the settings become a spec
 *   prepare   a worker looks for the image and for device nodes, and compiles the seccomp filter: all that may take its time
 *   hooks     PreStart=, run by systemd
 *   disk      a worker mounts the disk images, if there are any
 *   spawn     the supervisor, with the descriptors of the call, by the spawner
 *   keep      a keeper at the other end of its link
 *   scope     systemd makes the scope, the keeper tells the supervisor to go on
 *   running   STARTED: the call is answered
 *
 * A step is done, or waits for something that calls creation->resume(), or fails: then the call gets the error, and the container goes with its
 * supervisor. */
#include "manager/container.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/log.h"
#include "basic/path.h"
#include "basic/strv.h"
#include "bus/bus.h"
#include "bus/systemd1.h"
#include "ipc/spawn.h"
#include "manager/disk-worker.h"
#include "manager/prepare-worker.h"
#include "manager/spawner-link.h"
#include "spec/spec-draft.h"

enum {
        STDIO_N = 3
};
typedef enum StepResult {
        STEP_DONE,
        STEP_WAIT
} StepResult;

struct Creation {
        sd_bus_message *call;
        size_t step;
        int root_fd, stdio[STDIO_N];
        bool find_image; /* neither root_fd nor Directory= were given */
        bool in_hook;    /* PreStart= is being run */
        bool stopped;    /* container_create_cancel() meanwhile */
        Preparation prepared;
        PrepareWorker *worker;
        DiskWorker *disk_worker;
        DiskTree disk; /* of Image=, or of the image of its name */
        Spawn *spawn;
        int link_fd;                  /* our end of the supervisor's, until the keeper has it */
        void (*resume)(Container *c); /* create_continue() */
};

typedef struct CreateStep {
        ContainerState state;
        int (*run)(Container *c, Error *reterr); /* StepResult or negative */
} CreateStep;

Creation *creation_free(Creation *r) {
        if (!r)
                return NULL;
        prepare_worker_free(r->worker);
        disk_worker_free(r->disk_worker);
        disk_tree_done(&r->disk);
        spawn_cancel(r->spawn);
        fd_close(r->link_fd);
        sd_bus_message_unref(r->call);
        fd_close(r->root_fd);
        preparation_done(&r->prepared);
        for (size_t i = 0; i < STDIO_N; i++)
                fd_close(r->stdio[i]);
        free(r);
        return NULL;
}

/* ---- the answer ---- */

static void creation_end(Container *c) {
        c->creation = creation_free(c->creation);
        manager_call_end(c->manager);
}

void container_create_succeed(Container *c) {
        if (!c->creation)
                return;
        (void) sd_bus_reply_method_return(c->creation->call, "o",
                                          c->path); /* the caller may be gone */
        creation_end(c);
}

void container_create_fail(Container *c, const Error *e) {
        if (!c->creation)
                return;
        _cleanup_(sd_bus_error_free) sd_bus_error b = SD_BUS_ERROR_NULL;
        (void) bus_error_from_error(&b, e);
        (void) sd_bus_reply_method_error(c->creation->call, &b);
        log_error_object(LOG_NOTICE, e);
        (void) free_and_strdup(&c->result, e->message);
        creation_end(c);
        if (c->state != STATE_FAILED)
                container_set_state(c, STATE_FAILED);
        if (c->keeper)
                keeper_end(c->keeper); /* closes the link: the supervisor ends, too */
}

static void fail_and_remove(Container *c, const Error *e) {
        container_create_fail(c, e);
        if (!pidref_is_set(&c->supervisor))
                container_remove(c); /* else when that has ended */
}

static void set_stopped(const Container *c, Error *e) {
        (void) error_set(e, -ECANCELED, ERROR_FAILED, "Container '%s' was stopped before it ran",
                         c->name);
}

static int on_cancelled(sd_event_source *s, void *userdata) {
        container_remove(userdata);
        return 0;
}

int container_create_cancel(Container *c, Error *reterr) {
        _cleanup_error_ Error e = ERROR_NULL;
        c->creation->stopped = true;
        if (c->creation->in_hook) /* what it does is not to be met by PostStop= half done */
                return 0;
        /* who asks may go on using it */
        if (sd_event_add_defer(c->manager->event, &c->supervisor_source, on_cancelled, c) < 0)
                return error_oom(reterr);
        set_stopped(c, &e);
        container_create_fail(c, &e);
        return 0;
}

/* ---- steps ---- */

static void on_prepared(Preparation *p, const Error *e, void *userdata) {
        Container *c = userdata;
        c->creation->worker = NULL; /* frees itself */
        if (e) {
                fail_and_remove(c, e);
                return;
        }
        c->creation->prepared = *p;
        *p = (Preparation){ .seccomp_fd = -EBADF };
        c->creation->resume(c);
}

static int step_prepare(Container *c, Error *reterr) {
        int r = prepare_worker_start(c->manager->event, c->spec, c->creation->find_image,
                                     on_prepared, c, &c->creation->worker, reterr);
        return r < 0 ? r : STEP_WAIT;
}

static int step_root(Container *c, Error *reterr) {
        Preparation *p = &c->creation->prepared;
        if (!p->directory && !p->image && !p->mstack)
                return STEP_DONE;
        if (p->directory && spec_setting_of_images(c->spec))
                return error_set(reterr, -EINVAL, ERROR_CONFLICT,
                                 "%s= is for disk images, not for directory '%s'",
                                 spec_setting_of_images(c->spec), p->directory);
        free(c->spec->root.directory);
        c->spec->root.directory = TAKE_PTR(p->directory);
        if (p->image)
                c->spec->root.image = TAKE_PTR(p->image);
        if (p->mstack)
                c->spec->root.mstack = TAKE_PTR(p->mstack);
        int r = spec_check_root(c->spec, reterr); /* settings that such a root cannot have */
        if (r < 0)
                return r;
        return container_set_spec(c, c->spec) < 0 ? error_oom(reterr) : STEP_DONE;
}

/* From the launcher link. The same comes over the supervisor's own connection, but for GO and failures of the scope. */
static void on_keeper(Keeper *k, const ControlMessage *m, void *userdata) {
        Container *c = userdata;
        if (!m) {
                c->keeper = keeper_free(k); /* the end of the supervisor follows */
                return;
        }
        if (m->type == CONTROL_GO) {
                (void) free_and_strdup(&c->unit, keeper_unit(k)); /* shown only */
                container_changed(c, "Unit");
                if (c->state == STATE_SCOPING)
                        container_set_state(c, STATE_LAUNCHING);
                return;
        }
        container_message(c, m);
}

static void on_pre_start(Container *c, Error *e) {
        _cleanup_error_ Error failed = ERROR_NULL;
        c->creation->in_hook = false;
        if (e)
                (void) error_take(&failed, e);
        else
                hooks_set_begun(c);
        if (!e && c->creation->stopped)
                set_stopped(c, &failed);
        if (error_is_set(&failed))
                fail_and_remove(c, &failed);
        else
                c->creation->resume(c);
}

static int step_pre_start(Container *c, Error *reterr) {
        int r = hooks_pre_start(c, on_pre_start, reterr);
        c->creation->in_hook = r > 0;
        if (r != 0)
                return r < 0 ? r : STEP_WAIT;
        hooks_set_begun(c);
        return STEP_DONE;
}

static void on_disk(DiskTree *tree, const Error *e, void *userdata) {
        Container *c = userdata;
        _cleanup_error_ Error own = ERROR_NULL;
        c->creation->disk_worker = NULL; /* frees itself */
        if (e) {
                fail_and_remove(c, e);
                return;
        }
        c->creation->disk = *tree;
        *tree = (DiskTree) DISK_TREE_NULL;
        disk_tree_describe(&c->creation->disk, c->spec);
        if (container_set_spec(c, c->spec) < 0) {
                (void) error_oom(&own);
                fail_and_remove(c, &own);
        } else
                c->creation->resume(c);
}

static int step_disk(Container *c, Error *reterr) {
        if (!c->creation->prepared.disks)
                return STEP_DONE;
        int r = disk_worker_start(c->manager->event, c->manager->spawner, c->spec, on_disk, c,
                                  &c->creation->disk_worker, reterr);
        return r < 0 ? r : STEP_WAIT;
}

static void on_spawned(PidRef *process, const Error *e, void *userdata) {
        Container *c = userdata;
        _cleanup_error_ Error own = ERROR_NULL;
        c->creation->spawn = NULL;
        int r = process ? container_take_supervisor(c, process) : 0;
        if (r < 0)
                (void) error_set_errno(&own, r, ERROR_SETUP_FAILED,
                                       "Watching the supervisor of '%s' failed", c->name);
        if (e || r < 0)
                fail_and_remove(c, e ?: &own);
        else
                c->creation->resume(c);
}

static int step_spawn(Container *c, Error *reterr) {
        Creation *cr = c->creation;
        const bool own_stdio = cr->stdio[0] >= 0 || cr->stdio[1] >= 0 || cr->stdio[2] >= 0;
        _cleanup_free_ char *what = strf("Starting the supervisor of '%s' failed", c->name);
        _cleanup_close_pair_ int link[2] = PAIR_EBADF;
        if (!what)
                return error_oom(reterr);
        int r = socket_pair_seqpacket(link);
        if (r < 0)
                return error_set_errno(reterr, r, ERROR_SETUP_FAILED,
                                       "Making a link to the supervisor of '%s' failed", c->name);
        _cleanup_close_ int spec_fd =
                supervisor_describe(c->spec, own_stdio ? cr->stdio : NULL, reterr);
        if (spec_fd < 0)
                return spec_fd;
        _cleanup_close_ int null_fd = own_stdio ? open("/dev/null", O_RDWR | O_CLOEXEC) : -EBADF;
        if (own_stdio && null_fd < 0)
                return error_set_errno(reterr, -errno, ERROR_SETUP_FAILED,
                                       "Opening '/dev/null' failed");
        int fds[SPAWN_PLACES_MAX] = {
                [SUPERVISOR_SPEC_FD] = spec_fd,
                [SUPERVISOR_LINK_FD] = link[1],
                [SUPERVISOR_SECCOMP_FD] = cr->prepared.seccomp_fd,
                [SUPERVISOR_FIRST_EXTRA_FD] =
                        cr->disk.tree_fd >= 0 ? cr->disk.tree_fd : cr->root_fd,
                [SUPERVISOR_FIRST_EXTRA_FD + 1] = cr->disk.lock_fd,
        };
        for (size_t i = 0; i < STDIO_N; i++)
                fds[i] = cr->stdio[i] >= 0 ? cr->stdio[i] : null_fd;
        r = spawn_start(c->manager->spawner, SPAWN_SUPERVISOR, c->name, fds, what, on_spawned, c,
                        &cr->spawn, reterr);
        if (r < 0)
                return r;
        cr->link_fd = TAKE_FD(link[0]);
        return STEP_WAIT;
}

static int step_keep(Container *c, Error *reterr) {
        Creation *cr = c->creation;
        disk_tree_done(&cr->disk); /* the supervisor's alone, from now on */
        int r = keeper_new(c->manager->event, c->manager->bus, c->spec, &cr->link_fd, on_keeper, c,
                           &c->keeper, reterr);
        if (r < 0)
                return r;
        if (!cr->prepared.devices) /* not to be looked for: that is not for this process */
                cr->prepared.devices = strv_new(NULL);
        keeper_take_devices(c->keeper, &cr->prepared.devices);
        return STEP_DONE;
}

static int step_scope(Container *c, Error *reterr) {
        int r = keeper_start(c->keeper, reterr);
        return r < 0 ? r : STEP_WAIT; /* for GO and STARTED: messages */
}

static const CreateStep create_steps[] = {
        { STATE_COMPILING, step_prepare },   { STATE_COMPILING, step_root },
        { STATE_COMPILING, step_pre_start }, { STATE_COMPILING, step_disk },
        { STATE_SPAWNING, step_spawn },      { STATE_SPAWNING, step_keep },
        { STATE_SCOPING, step_scope },
};

static void create_continue(Container *c) {
        _cleanup_error_ Error e = ERROR_NULL;
        for (int r = STEP_DONE; r == STEP_DONE && c->creation->step < ELEMENTSOF(create_steps);) {
                const CreateStep *step = &create_steps[c->creation->step++];
                container_set_state(c, step->state);
                r = step->run(c, &e);
                if (r < 0) {
                        fail_and_remove(c, &e);
                        return;
                }
        }
}

/* ---- the arguments ---- */

static int bad_message(int r, Error *reterr) {
        return error_set_errno(reterr, r, ERROR_PROTOCOL,
                               "The arguments of the call cannot be read");
}

/* Something to read from or to write to, not a name or a handle of something else. */
static int check_stdio(const char *name, int fd, bool writes, Error *reterr) {
        int flags = fcntl(fd, F_GETFL);
        if (flags < 0)
                return error_set_errno(reterr, -errno, ERROR_SETUP_FAILED,
                                       "Looking at descriptor '%s' failed", name);
        if (!fd_is_stream(fd))
                return error_set(
                        reterr, -EINVAL, ERROR_INVALID_SETTING,
                        "Descriptor '%s' is no file, terminal, pipe or socket that is open", name);
        if ((flags & O_ACCMODE) == (writes ? O_RDONLY : O_WRONLY))
                return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                 "Descriptor '%s' is not open for %s", name,
                                 writes ? "writing" : "reading");
        return 0;
}

static int take_descriptor(Creation *cr, const char *name, int fd, Error *reterr) {
        static const char *const names[] = { "stdin", "stdout", "stderr" };
        int *slot = streq(name, "root") ? &cr->root_fd : NULL;
        for (size_t i = 0; i < STDIO_N; i++)
                if (streq(names[i], name))
                        slot = &cr->stdio[i];
        if (!slot) {
                int r = error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                  "Unknown descriptor '%.80s'", name);
                error_hint(reterr, "'root', 'stdin', 'stdout' and 'stderr' are known");
                return r;
        }
        if (*slot >= 0)
                return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                 "Descriptor '%s' is given twice", name);
        struct stat st;
        if (slot == &cr->root_fd && (fstat(fd, &st) < 0 || !S_ISDIR(st.st_mode)))
                return error_set(reterr, -ENOTDIR, ERROR_NOT_A_ROOT,
                                 "Descriptor 'root' is not a directory");
        if (slot != &cr->root_fd) {
                int r = check_stdio(name, fd, slot != &cr->stdio[STDIN_FILENO], reterr);
                if (r < 0)
                        return r;
        }
        *slot = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return *slot < 0 ? error_set_errno(reterr, -errno, ERROR_SETUP_FAILED,
                                           "Keeping descriptor '%s' failed", name)
                         : 0;
}

static int read_descriptors(sd_bus_message *m, Creation *cr, Error *reterr) {
        int r = sd_bus_message_enter_container(m, 'a', "(sh)");
        if (r < 0)
                return bad_message(r, reterr);
        const char *name;
        int fd;
        while ((r = sd_bus_message_read(m, "(sh)", &name, &fd)) > 0) {
                r = take_descriptor(cr, name, fd, reterr);
                if (r < 0)
                        return r;
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        return r < 0 ? bad_message(r, reterr) : 0;
}

/* The path that the kernel has for a descriptor: for people, the supervisor uses the descriptor. Whoever named the directory must
 * not add lines to the description. */
static int root_descriptor_path(int fd, char **ret, Error *reterr) {
        char link[32], path[PATH_MAX];
        (void) snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, path, sizeof(path) - 1);
        if (n < 0)
                return error_set_errno(reterr, -errno, ERROR_SETUP_FAILED,
                                       "Finding the path of descriptor 'root' failed");
        path[n] = '\0';
        if (!path_is_absolute(path) || !path_is_valid(path))
                return error_set(reterr, -EINVAL, ERROR_INVALID_SETTING,
                                 "Descriptor 'root' leads to '%s', which is not a valid path",
                                 path);
        return free_and_strdup(ret, path) < 0 ? error_oom(reterr) : 0;
}

/* Where the root is: a descriptor, else Directory=, else the image of this name. */
static int find_root(SpecDraft *draft, const char *name, Creation *cr, Error *reterr) {
        ContainerSpec *spec = spec_draft_spec(draft);
        if (cr->root_fd >= 0 && (spec->root.image || spec->root.mstack))
                return error_set(reterr, -EINVAL, ERROR_CONFLICT,
                                 "Descriptor 'root' and %s= exclude each other",
                                 spec->root.image ? "Image" : "MountStack");
        if (cr->root_fd >= 0) {
                spec->root.fd = SUPERVISOR_FIRST_EXTRA_FD;
                return root_descriptor_path(cr->root_fd, &spec->root.directory, reterr);
        }
        if (spec->root.directory && spec_setting_of_images(spec))
                return error_set(reterr, -EINVAL, ERROR_CONFLICT,
                                 "%s= is for disk images, not for directory '%s'",
                                 spec_setting_of_images(spec), spec->root.directory);
        if (spec_root_path(spec))
                return 0;
        /* where it most likely is, until the worker has looked */
        cr->find_image = true;
        spec->root.directory = path_join("/var/lib/machines", name);
        return spec->root.directory ? 0 : error_oom(reterr);
}

static int compile(sd_bus_message *call, Creation *cr, ContainerSpec **ret, Error *reterr) {
        const char *name;
        int r = sd_bus_message_read_basic(call, 's', &name);
        if (r < 0)
                return bad_message(r, reterr);
        _cleanup_(spec_draft_freep) SpecDraft *draft = spec_draft_new();
        if (!draft)
                return error_oom(reterr);
        r = bus_read_settings(call, draft, reterr);
        if (r >= 0)
                r = read_descriptors(call, cr, reterr);
        if (r < 0)
                return r;

        ContainerSpec *spec = spec_draft_spec(draft);
        if (free_and_strdup(&spec->name, name) < 0)
                return error_oom(reterr);
        r = find_root(draft, name, cr, reterr);
        if (r < 0)
                return r;
        bool own_stdio = cr->stdio[0] >= 0 || cr->stdio[1] >= 0 || cr->stdio[2] >= 0;
        if (spec->console.mode == CONSOLE_AUTO)
                spec->console.mode = own_stdio ? CONSOLE_PIPE : CONSOLE_PASSIVE;
        if (spec->console.mode == CONSOLE_INTERACTIVE &&
            (cr->stdio[STDIN_FILENO] < 0 || cr->stdio[STDOUT_FILENO] < 0)) {
                r = error_set(reterr, -EINVAL, ERROR_CONFLICT,
                              "An interactive console needs descriptors 'stdin' and 'stdout'");
                error_hint(reterr, "pass a terminal as both, or leave Console= out");
                return r;
        }
        spec->resources.cgroup = CGROUP_WAIT;
        STRV_FOREACH(p, spec->resources.properties) {
                r = systemd1_check_property(*p, reterr);
                if (r < 0)
                        return r;
        }
        return spec_check(draft, ret, reterr);
}

static Creation *creation_new(sd_bus_message *call) {
        Creation *cr = new0(Creation, 1);
        if (!cr)
                return NULL;
        cr->call = sd_bus_message_ref(call);
        cr->root_fd = cr->prepared.seccomp_fd = cr->link_fd = -EBADF;
        cr->disk = (DiskTree) DISK_TREE_NULL;
        for (size_t i = 0; i < STDIO_N; i++)
                cr->stdio[i] = -EBADF;
        return cr;
}

int container_create(Manager *m, sd_bus_message *call, Error *reterr) {
        Creation *cr = creation_new(call);
        if (!cr)
                return error_oom(reterr);
        _cleanup_spec_ ContainerSpec *spec = NULL;
        Container *c = NULL;
        int r = compile(call, cr, &spec, reterr);
        if (r >= 0)
                r = manager_call_begin(m, reterr);
        if (r < 0) {
                creation_free(cr);
                return r;
        }
        r = container_new(m, spec->name, &c, reterr);
        if (r < 0) {
                manager_call_end(m);
                creation_free(cr);
                return r;
        }
        cr->resume = create_continue;
        c->creation = cr;
        c->spec = TAKE_PTR(spec);
        (void) container_set_spec(c, c->spec); /* out of memory: the HELLO brings it again */
        container_announce(c);
        create_continue(c);
        return 0;
}
