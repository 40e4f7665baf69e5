/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* `berth run`: from words to a process that is the supervisor. The process id stays the same, so signals, terminal, exit status
 * and Type=notify need no help. */
#include "cli/run.h"

#include <stdio.h>
#include <unistd.h>

#include "basic/fd.h"
#include "basic/log.h"
#include "basic/path.h"
#include "basic/strv.h"
#include "bus/bus.h"
#include "bus/disk-service.h"
#include "bus/hook.h"
#include "bus/keeper.h"
#include "bus/systemd1.h"
#include "cli/ask-key.h"
#include "cli/complain.h"
#include "cli/own-unit.h"
#include "cli/start-delay.h"
#include "cli/template.h"
#include "image/disk-attach.h"
#include "ipc/control.h"
#include "ipc/notify.h"
#include "ipc/spawn.h"
#include "spec/seccomp-compile.h"
#include "sys/cgroup.h"
#include "sys/lock.h"

#define SECCOMP_CACHE "/run/berth/seccomp"
#define KEY_TRIES 3U /* at the terminal, or of agents */

int run_show_help(RunFace face) {
        const OptionTable t = run_option_table(face);
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        _cleanup_free_ char *text = NULL;

        if (face == FACE_NSPAWN)
                strbuf_add(
                        &b,
                        "systemd-nspawn [OPTION…] [COMMAND [ARGUMENT…]]\n\n"
                        "Run a command or boot an operating system in a container (by berth).\n\n");
        else if (face == FACE_VERIFY)
                strbuf_add(
                        &b,
                        "berth verify [--json=MODE] NAME\n"
                        "berth verify OPTION… [NAME|--] [COMMAND [ARGUMENT…]]\n\n"
                        "Show the settings that 'berth start NAME', or 'berth run' with the same\n"
                        "options, would use, and where each one comes from.\n\n");
        else
                strbuf_add(
                        &b,
                        "berth run [OPTION…] NAME [COMMAND [ARGUMENT…]]\n"
                        "berth run [OPTION…] -D DIRECTORY [--] [COMMAND [ARGUMENT…]]\n"
                        "berth run [OPTION…] -i IMAGE [--] [COMMAND [ARGUMENT…]]\n\n"
                        "Run a command or boot an operating system in a container. Without a command\n"
                        "the root user's login shell is run.\n\n");
        strbuf_add(&b, "General:\n");
        options_format_help(&t, &b);
        strbuf_add(&b, "\n");
        int r = spec_args_print_help(&b);
        if (r >= 0 && face != FACE_VERIFY)
                strbuf_add(
                        &b,
                        "\nExit status: the payload's own; 2, 125, 126, 127 when it could not be started.\n"
                        "See berth-run(1) for details.\n");
        if (r < 0 || strbuf_finish(&b, &text) < 0)
                return 1;
        (void) fputs(text, stdout); /* checked with the stream as a whole: */
        return fflush(stdout) == 0 ? 0 : 1;
}

/* Nobody makes a scope here: is there a cgroup2 that we can make a group in? */
static CgroupMode mode_without_systemd(void) {
        _cleanup_close_ int root = -EBADF, group = -EBADF;
        _cleanup_free_ char *path = NULL, *parent = NULL;

        root = cgroup_open_root();
        if (root < 0 || cgroup_get_path(0, &path) < 0 || path_extract_directory(path, &parent) < 0)
                return CGROUP_NONE;
        group = cgroup_open(root, streq(path, "/") ? path : parent);
        return group >= 0 && faccessat(group, ".", W_OK, AT_EACCESS) == 0 ? CGROUP_OWN
                                                                          : CGROUP_NONE;
}

static bool has_hooks(const ContainerSpec *spec) {
        for (HookType t = 0; t < _HOOK_TYPE_MAX; t++)
                if (!strv_isempty(spec->hooks[t]))
                        return true;
        return false;
}

static int run_hook(const RunRequest *q, const ContainerSpec *spec, HookType type,
                    const char *result, Error *reterr) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;
        _cleanup_free_ char *unit =
                q->in_unit ? systemd1_service_name(spec->name) : systemd1_scope_name(spec->name);
        const HookFacts facts = {
                .name = spec->name,
                .root_directory = spec_root_path(spec),
                .unit = unit,
                .state = type == HOOK_PRE_START ? "compiling" : "failed",
                .result = result,
                .commands = spec->hooks[type],
                .timeout_usec = spec->hook_timeout_usec,
        };
        if (!unit)
                return error_oom(reterr);
        int r = bus_connect_system(&bus, reterr);
        return r < 0 ? r : hook_run_and_wait(bus, type, &facts, reterr);
}

/* Not for a name that is in use: its container has had it. The supervisor takes the lock after us. */
static int pre_start(const RunRequest *q, const ContainerSpec *spec, Error *reterr) {
        if (strv_isempty(spec->hooks[HOOK_PRE_START]) || !systemd_is_running())
                return 0;
        _cleanup_close_ int lock_fd =
                lock_take(NAME_LOCK_DIRECTORY, spec->name, LOCK_MODE_EXCLUSIVE);
        if (lock_fd == -EBUSY) {
                int r = error_set(reterr, -EBUSY, ERROR_NAME_IN_USE,
                                  "A container named '%s' is already running", spec->name);
                error_hint(reterr,
                           "stop it with 'berth stop %s', or choose another name with -M NAME",
                           spec->name);
                return r;
        }
        if (lock_fd < 0)
                return error_set_errno(reterr, lock_fd, ERROR_SETUP_FAILED,
                                       "Locking the name in '%s' failed", NAME_LOCK_DIRECTORY);
        _cleanup_free_ char *text =
                strf("STATUS=Running PreStart=\nEXTEND_TIMEOUT_USEC=%llu",
                     (unsigned long long) usec_add(spec->hook_timeout_usec, 30 * USEC_PER_SEC));
        if (text)
                (void) notify_send(text); /* only with a service manager that listens */
        return run_hook(q, spec, HOOK_PRE_START, NULL, reterr);
}

static int refuse_limits(const ContainerSpec *spec, Error *reterr) {
        int r;

        if (!strv_isempty(spec->resources.properties))
                r = error_set(reterr, -ENOTCONN, ERROR_NO_SYSTEMD,
                              "'%s' cannot be applied: systemd is not running on this system",
                              spec->resources.properties[0]);
        else if (spec->resources.slice)
                r = error_set(reterr, -ENOTCONN, ERROR_NO_SYSTEMD,
                              "Slice '%s' cannot be used: systemd is not running on this system",
                              spec->resources.slice);
        else if (has_hooks(spec))
                r = error_set(reterr, -ENOTCONN, ERROR_NO_SYSTEMD,
                              "The commands that '%s' wants run on the host cannot be run: systemd "
                              "is not running on this system",
                              spec->name);
        else
                return 0;
        error_hint(reterr, "leave resource settings and hooks out to run without them");
        return r;
}

/* Decides where the payload's cgroup comes from; *ret_link is the supervisor's end of the keeper's link, if there is one. */
static int arrange_cgroup(const RunRequest *q, ContainerSpec *spec, int *ret_link, Error *reterr) {
        if (q->keep_unit) {
                spec->resources.cgroup = CGROUP_UNIT;
                return own_unit_apply(spec, reterr);
        }
        if (systemd_is_running()) {
                spec->resources.cgroup = CGROUP_WAIT;
                return keeper_fork(spec, ret_link, reterr);
        }

        int r = refuse_limits(spec, reterr);
        if (r < 0)
                return r;
        spec->resources.cgroup = mode_without_systemd();
        if (!q->quiet)
                log_notice("systemd is not running: no scope and no limits, %s",
                           spec->resources.cgroup == CGROUP_OWN
                                   ? "only a control group of its own"
                                   : "and no control group of its own");
        return 0;
}

/* A DiskUnlock. */
static int attach_with(const RunRequest *q, const ContainerSpec *spec, const Secret *key,
                       DiskTree *ret, Error *reterr) {
        _cleanup_(sd_bus_unrefp) sd_bus *bus = NULL;

        if (!q->keep_unit || !systemd_is_running())
                return disk_attach(spec, key->bytes ? key : NULL, ret, reterr);
        int r = bus_connect_system(&bus, reterr);
        return r < 0 ? r : disk_attach_in_service(bus, spec, key->bytes ? key : NULL, ret, reterr);
}

/* The image's file systems, mounted by a worker; a descriptor of them is all that we get. Who asks for a key if there has to be one, is us. */
static int attach_image(const RunRequest *q, ContainerSpec *spec, DiskTree *ret, Error *reterr) {
        _cleanup_(secret_done) Secret key = SECRET_NULL;
        const char *image = spec_root_path(spec);

        if (!disk_is_wanted(spec))
                return 0;
        int r = spec->root.image_key_file ? 0 : key_from_credential(&key, reterr);
        if (r < 0)
                return r;
        const bool may_ask = r == 0;
        for (unsigned asked = 0;; asked++) {
                r = attach_with(q, spec, &key, ret, reterr);
                if (r <= 0)
                        break;
                const DiskUnlock outcome = r;
                secret_done(&key);
                r = may_ask && asked < KEY_TRIES
                            ? key_ask(image, q->in_unit, asked > 0, &key, reterr)
                            : 0;
                if (r <= 0)
                        return r < 0 ? r : disk_key_error(image, outcome, reterr);
        }
        if (r < 0)
                return r;
        disk_tree_describe(ret, spec);
        return 0;
}

static int start(const RunRequest *q, ContainerSpec *spec, Error *reterr) {
        _cleanup_close_ int link_fd = -EBADF, seccomp_fd = -EBADF;
        _cleanup_(disk_tree_done) DiskTree tree = DISK_TREE_NULL;

        if (q->in_unit)
                start_delay(spec);
        int r = template_use(q, spec, reterr);
        if (r >= 0)
                r = pre_start(q, spec, reterr);
        if (r >= 0)
                r = attach_image(q, spec, &tree, reterr);
        if (r < 0)
                return r;
        r = arrange_cgroup(q, spec, &link_fd, reterr);
        if (r >= 0)
                r = seccomp_compile(spec, SECCOMP_CACHE, &seccomp_fd, reterr);
        if (r >= 0)
                r = supervisor_become(spec, link_fd, seccomp_fd,
                                      (const int[]){ tree.tree_fd, tree.lock_fd },
                                      tree.tree_fd >= 0 ? 2 : 0, reterr);
        /* no supervisor, so nobody else knows of it */
        if (!strv_isempty(spec->hooks[HOOK_POST_STOP]) && systemd_is_running())
                (void) run_hook(q, spec, HOOK_POST_STOP, error_message(reterr), NULL);
        return r;
}

/* The service manager shows the reason, `berth start` repeats it. */
static void tell_service_manager(const Error *e) {
        _cleanup_free_ char *text = strf("STATUS=%s\nERRNO=%d\n", strempty(e->message), -e->code);
        if (text)
                (void) notify_send(text); /* the exit status and the log say it too */
}

static int check_privileges(Error *reterr) {
        if (geteuid() == 0)
                return 0;
        int r = error_set(reterr, -EPERM, ERROR_NO_PRIVILEGES, "Only root can run a container");
        error_hint(
                reterr,
                "use sudo, or 'berth start NAME' for a container that an administrator has set up");
        return r;
}

/* *ret_words: failed because of the words alone. */
static int compile_and_start(int argc, char **argv, RunRequest *q, bool *ret_words, Error *reterr) {
        _cleanup_(spec_draft_freep) SpecDraft *d = spec_draft_new();
        _cleanup_spec_ ContainerSpec *spec = NULL;

        if (!d)
                return error_oom(reterr);
        int r = compile_arguments(argc, argv, q, d, reterr);
        *ret_words = r < 0;
        if (r < 0 || q->help || q->version)
                return r;
        r = check_privileges(reterr);
        if (r >= 0)
                r = compile_settings(q, d, /* ret_files= */ NULL, reterr);
        if (r >= 0)
                r = compile_finish(q, d, /* resolve_console= */ true, &spec, reterr);
        STRV_FOREACH(w, spec_draft_warnings(d))
                log_warning("%s", *w);
        return r < 0 ? r : start(q, spec, reterr);
}

int run_main(RunFace face, int argc, char **argv) {
        _cleanup_(run_request_done) RunRequest q = RUN_REQUEST_NULL(face);
        Error e = ERROR_NULL;
        bool words = false;

        int r = compile_and_start(argc, argv, &q, &words, &e);
        if (r >= 0 && q.help)
                return run_show_help(face);
        if (r >= 0 && q.version) {
                (void) puts("berth " BERTH_VERSION);
                return fflush(stdout) == 0 ? 0 : 1;
        }
        if (q.in_unit)
                tell_service_manager(&e);
        const int usage = words ? compile_usage_status(&e, 0) : 0,
                  status = complain(&e, EXIT_OF_RUN);
        return usage ?: status;
}
