/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verbs of `berth`: one row each in main.c. */
#pragma once

#include <systemd/sd-bus.h>

#include "basic/strv.h"
#include "basic/time.h"
#include "cli/options.h"
#include "cli/sampler.h"
#include "cli/table.h"
#include "ipc/transfer.h"

#define LINES_MAX 1000U /* of the log */
#define LINES_UNSET UINT32_MAX

typedef enum WaitTarget {
        WAIT_STOPPED,
        WAIT_RUNNING,
        WAIT_READY,
        WAIT_HEALTHY,
        _WAIT_TARGET_MAX
} WaitTarget;
const char *wait_target_to_string(WaitTarget t);

/* Everything that verbs other than run and verify can be given. */
typedef struct VerbOptions {
        bool help, version;
        JsonMode json;
        bool no_legend;
        bool all, full;
        char **properties;
        bool value;
        int signal;
        char *whom;
        usec_t timeout_usec;
        bool now;
        bool tty, force, history;
        bool read_only, mkdir, no_idmap;
        char *user, *working_directory, **environment;
        unsigned lines; /* LINES_UNSET: as the verb likes it */
        bool follow;
        WaitTarget wait_target;
        size_t max_addresses; /* 0: as the verb likes it */
        usec_t delay_usec;    /* between samples */
        unsigned iterations;  /* 0: as the verb likes it */
        SampleOrder order;
        bool batch, no_stream;
        bool runtime, from_stdin;
        char *drop_in;
        uint64_t keep;         /* snapshots; 0: any number */
        usec_t max_age_usec;   /* 0: any */
        uint64_t max_size;     /* UINT64_MAX: as the pool has room */
        TransferFormat format; /* negative: by the file's name */
        char *verify, *sha256; /* of a download; NULL: not given */
        bool quiet;
        bool no_ask_password, no_pager;
        char *host, *machine; /* whose berthd is asked; NULL: ours */
} VerbOptions;
#define VERB_OPTIONS_NULL                                                                        \
        {                                                                                        \
                .timeout_usec = USEC_INFINITY, .lines = LINES_UNSET, .delay_usec = USEC_PER_SEC, \
                .order = ORDER_CPU, .max_size = UINT64_MAX, .format = _TRANSFER_FORMAT_INVALID   \
        }
void verb_options_done(VerbOptions *o);

typedef struct Invocation {
        VerbOptions options;
        char **arguments; /* behind the verb */
} Invocation;

/* Returns the exit status, or a negative errno with an Error. A verb that is given several names goes on after one has failed: it
 * shows that error itself and ends with 1. */
typedef int (*VerbRun)(const Invocation *v, Error *reterr);

typedef enum VerbFlags {
        VERB_CONTAINERS = 1 << 0, /* arguments are names of containers that run */
        VERB_IMAGES = 1 << 1,     /* arguments are names of images */
        VERB_ALIAS = 1 << 2,      /* another name of the verb above: works, is in no list */
        VERB_ITSELF = 1 << 3,     /* reads its own words: run, verify, help */
        VERB_COMMAND =
                1 << 4, /* what follows the first argument is a command: its words are no options */
        VERB_POOL =
                1 << 5, /* arguments are names of images, also of those that cannot be started */
} VerbFlags;

typedef struct Verb {
        const char *name;
        const char *arguments; /* for help: "NAME…" */
        uint64_t scope;        /* this verb's bit in the options' scopes */
        unsigned min, max;     /* number of arguments */
        uint32_t flags;
        VerbRun run;       /* NULL with VERB_ITSELF */
        const char *group; /* help's headline */
        const char *help;  /* one line */
} Verb;

/* Another system's containers are meant: what this one has in files, groups and its journal says nothing of them. */
bool verb_is_remote(const Invocation *v);
/* ERROR_USAGE with this reason, if so. */
int verb_refuse_remote(const Invocation *v, const char *why, Error *reterr);

extern const Verb verbs[];
extern const size_t n_verbs;
const Verb *verb_by_name(const char *name);
/* A pager may show what it prints. */
bool verb_is_paged(const Verb *v);
/* ERROR_UNSUPPORTED for a verb of machinectl(1) that is not built yet, ERROR_USAGE for one that nobody knows. */
int verb_set_unknown(const char *name, Error *reterr);

/* An option of machinectl(1) that is not built yet: refused by name. */
bool verb_option_is_unsupported(const char *word);

/* The system bus. Unless the user does not want to be asked, calls may wait for polkit to ask. */
int verb_connect(const Invocation *v, sd_bus **ret, Error *reterr);

/* Rows of all verbs' options; scope: a verb's bit, or UINT64_MAX. */
OptionTable verb_option_table(uint64_t scope);
void verbs_format_help(StrBuf *out);
void verb_format_help(const Verb *v, StrBuf *out);

/* `berth complete WHAT…`, for the shells' completions: verbs, options VERB, arguments VERB, changes (of `set`); one word a line (a verb with its help
 * behind a tab). They ask this program, so they cannot be out of date. */
int verb_complete(const Invocation *v, Error *reterr);

int verb_list(const Invocation *v, Error *reterr);
int verb_status(const Invocation *v, Error *reterr);
int verb_show(const Invocation *v, Error *reterr);
int verb_top(const Invocation *v, Error *reterr);
int verb_stats(const Invocation *v, Error *reterr);
int verb_stop(const Invocation *v, Error *reterr);
int verb_terminate(const Invocation *v, Error *reterr);
int verb_reboot(const Invocation *v, Error *reterr);
int verb_restart(const Invocation *v, Error *reterr);
int verb_pause(const Invocation *v, Error *reterr);
int verb_resume(const Invocation *v, Error *reterr);
int verb_kill(const Invocation *v, Error *reterr);
int verb_attach(const Invocation *v, Error *reterr);
int verb_exec(const Invocation *v, Error *reterr);
int verb_shell(const Invocation *v, Error *reterr);
int verb_login(const Invocation *v, Error *reterr);
int verb_copy_to(const Invocation *v, Error *reterr);
int verb_copy_from(const Invocation *v, Error *reterr);
int verb_bind(const Invocation *v, Error *reterr);
int verb_unbind(const Invocation *v, Error *reterr);
int verb_list_binds(const Invocation *v, Error *reterr);
int verb_wait(const Invocation *v, Error *reterr);
int verb_events(const Invocation *v, Error *reterr);
int verb_logs(const Invocation *v, Error *reterr);
int verb_set(const Invocation *v, Error *reterr);
int verb_cat(const Invocation *v, Error *reterr);
int verb_edit(const Invocation *v, Error *reterr);
int verb_revert(const Invocation *v, Error *reterr);
int verb_images(const Invocation *v, Error *reterr);
int verb_image_status(const Invocation *v, Error *reterr);
int verb_show_image(const Invocation *v, Error *reterr);
int verb_du(const Invocation *v, Error *reterr);
int verb_clone(const Invocation *v, Error *reterr);
int verb_rename(const Invocation *v, Error *reterr);
int verb_remove(const Invocation *v, Error *reterr);
int verb_read_only(const Invocation *v, Error *reterr);
int verb_set_limit(const Invocation *v, Error *reterr);
int verb_clean(const Invocation *v, Error *reterr);
int verb_snapshot(const Invocation *v, Error *reterr);
int verb_snapshots(const Invocation *v, Error *reterr);
int verb_diff(const Invocation *v, Error *reterr);
int verb_rollback(const Invocation *v, Error *reterr);
int verb_remove_snapshot(const Invocation *v, Error *reterr);
int verb_prune_snapshots(const Invocation *v, Error *reterr);
int verb_import_tar(const Invocation *v, Error *reterr);
int verb_import_raw(const Invocation *v, Error *reterr);
int verb_export_raw(const Invocation *v, Error *reterr);
int verb_import_fs(const Invocation *v, Error *reterr);
int verb_pull_tar(const Invocation *v, Error *reterr);
int verb_pull_raw(const Invocation *v, Error *reterr);
int verb_export_tar(const Invocation *v, Error *reterr);
int verb_start(const Invocation *v, Error *reterr);
int verb_enable(const Invocation *v, Error *reterr);
int verb_disable(const Invocation *v, Error *reterr);
