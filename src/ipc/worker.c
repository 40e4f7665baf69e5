/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a berth-worker is asked: into a sealed memfd, and out of it. */
#include "ipc/worker.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "basic/alloc.h"
#include "basic/fd.h"
#include "basic/parse.h"
#include "basic/str.h"
#include "basic/strv.h"

static const char *const operation_type_table[_OPERATION_TYPE_MAX] = {
        [OPERATION_EXEC] = "exec",
        [OPERATION_SHELL] = "shell",
        [OPERATION_LOGIN] = "login",
        [OPERATION_PTY] = "pty",
        [OPERATION_ROOT_DIRECTORY] = "root-directory",
        [OPERATION_OS_RELEASE] = "os-release",
        [OPERATION_ADDRESSES] = "addresses",
        [OPERATION_COPY_TO] = "copy-to",
        [OPERATION_COPY_FROM] = "copy-from",
        [OPERATION_BIND] = "bind",
        [OPERATION_UNBIND] = "unbind",
        [OPERATION_LIST_BINDS] = "list-binds",
        [OPERATION_IMAGE_LIST] = "image-list",
        [OPERATION_IMAGE_DESCRIBE] = "image-describe",
        [OPERATION_IMAGE_IDENTITY] = "image-identity",
        [OPERATION_IMAGE_MEASURE] = "image-measure",
        [OPERATION_IMAGE_CLONE] = "image-clone",
        [OPERATION_IMAGE_RENAME] = "image-rename",
        [OPERATION_IMAGE_REMOVE] = "image-remove",
        [OPERATION_IMAGE_MARK] = "image-mark",
        [OPERATION_IMAGE_LIMIT] = "image-limit",
        [OPERATION_SNAPSHOT_LIST] = "snapshot-list",
        [OPERATION_SNAPSHOT_MAKE] = "snapshot-make",
        [OPERATION_SNAPSHOT_ROLL_BACK] = "snapshot-roll-back",
        [OPERATION_SNAPSHOT_REMOVE] = "snapshot-remove",
        [OPERATION_SNAPSHOT_PRUNE] = "snapshot-prune",
        [OPERATION_SNAPSHOT_COMPARE] = "snapshot-compare",
        [OPERATION_IMAGE_CLEAN] = "image-clean",
        [OPERATION_DISK] = "disk",
        [OPERATION_DISK_STACK] = "disk-stack",
};
DEFINE_STRING_TABLE_LOOKUP(operation_type, OperationType);

/* ---- the request ---- */

static void add_text(StrBuf *b, const char *key, const char *value) {
        if (!value)
                return;
        strbuf_add(b, key);
        strbuf_add_bytes(b, "=", 1);
        strbuf_add_bytes(b, value, strlen(value) + 1);
}

static void add_number(StrBuf *b, const char *key, uint64_t value) {
        char text[24];
        (void) snprintf(text, sizeof(text), "%" PRIu64, value); /* cannot be too long */
        add_text(b, key, text);
}

int worker_request_new(const OperationRequest *q, const char *name, const char *spec_text,
                       int *ret_fd, Error *reterr) {
        _cleanup_(strbuf_done) StrBuf b = { 0 };
        add_text(&b, "TYPE", operation_type_to_string(q->type));
        add_text(&b, "NAME", name);
        add_text(&b, "SPEC", spec_text);
        add_text(&b, "USER", q->user);
        add_text(&b, "DIRECTORY", q->working_directory);
        add_text(&b, "SOURCE", q->source);
        add_text(&b, "DESTINATION", q->destination);
        add_text(&b, "POLICY", q->policy);
        add_text(&b, "ROOT_HASH", q->root_hash);
        add_text(&b, "ROOT_HASH_SIGNATURE", q->root_hash_signature);
        add_text(&b, "VERITY_DATA", q->verity_data);
        add_text(&b, "KEY_FILE", q->key_file);
        add_number(&b, "TERMINAL", q->terminal);
        add_number(&b, "TIMEOUT", q->timeout_usec);
        add_number(&b, "FLAGS", q->flags);
        add_number(&b, "UID", q->uid);
        add_number(&b, "SIZE", q->size);
        add_number(&b, "AGE", q->age_usec);
        add_number(&b, "SUPERVISOR", (uint64_t) q->supervisor);
        STRV_FOREACH(s, q->argv)
                add_text(&b, "ARGUMENT", *s);
        STRV_FOREACH(s, q->environment)
                add_text(&b, "ENVIRONMENT", *s);
        if (b.failed)
                return error_oom(reterr);
        if (b.size > WORKER_REQUEST_MAX)
                return error_set(reterr, -E2BIG, ERROR_LIMIT_EXCEEDED,
                                 "The request is larger than %u bytes", WORKER_REQUEST_MAX);
        int fd = memfd_new_sealed("berth-request", b.text, b.size);
        if (fd < 0)
                return error_set_errno(reterr, fd, ERROR_SETUP_FAILED,
                                       "Writing the request failed");
        *ret_fd = fd;
        return 0;
}

void worker_request_done(WorkerRequest *r) {
        free(r->argv);
        free(r->environment);
        free(r->text);
        *r = (WorkerRequest){ 0 };
}

/* Appends to a list that does not own its strings. */
static int list_add(char ***l, char *s) {
        const size_t n = strv_length(*l);
        char **longer = reallocarray(*l, n + 2, sizeof(char *));
        if (!longer)
                return -ENOMEM;
        longer[n] = s;
        longer[n + 1] = NULL;
        *l = longer;
        return 0;
}

static int take_field(WorkerRequest *r, const char *key, char *value) {
        OperationRequest *q = &r->operation;
        uint64_t n;
        const struct {
                const char *key, **at;
        } texts[] = {
                { "NAME", &r->name },
                { "SPEC", &r->spec_text },
                { "USER", &q->user },
                { "DIRECTORY", &q->working_directory },
                { "SOURCE", &q->source },
                { "DESTINATION", &q->destination },
                { "POLICY", &q->policy },
                { "ROOT_HASH", &q->root_hash },
                { "ROOT_HASH_SIGNATURE", &q->root_hash_signature },
                { "VERITY_DATA", &q->verity_data },
                { "KEY_FILE", &q->key_file },
        };
        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                if (streq(key, texts[i].key)) {
                        *texts[i].at = value;
                        return 0;
                }
        if (streq(key, "ARGUMENT"))
                return list_add(&r->argv, value);
        if (streq(key, "ENVIRONMENT"))
                return list_add(&r->environment, value);
        if (streq(key, "TYPE")) {
                q->type = operation_type_from_string(value);
                return q->type < 0 ? -EBADMSG : 0;
        }
        if (parse_u64(value, &n) < 0)
                return -EBADMSG;
        if (streq(key, "TERMINAL"))
                q->terminal = n != 0;
        else if (streq(key, "TIMEOUT"))
                q->timeout_usec = n;
        else if (streq(key, "FLAGS"))
                q->flags = n;
        else if (streq(key, "UID"))
                q->uid = (uid_t) n;
        else if (streq(key, "SIZE"))
                q->size = n;
        else if (streq(key, "AGE"))
                q->age_usec = n;
        else if (streq(key, "SUPERVISOR"))
                q->supervisor = (pid_t) n;
        return 0;
}

int worker_request_read(int fd, WorkerRequest *ret) {
        _cleanup_(worker_request_done)
                WorkerRequest r = { .operation.type = _OPERATION_TYPE_INVALID };
        size_t size;
        int k = fd_read_all(fd, WORKER_REQUEST_MAX, &r.text, &size);
        if (k < 0)
                return k;
        for (size_t i = 0, n; i < size; i += n + 1) {
                char *field = r.text + i, *equals;
                n = strlen(field);
                equals = strchr(field, '=');
                if (!equals)
                        return -EBADMSG;
                *equals = '\0';
                k = take_field(&r, field, equals + 1);
                if (k < 0)
                        return k;
        }
        if (r.operation.type < 0 || !r.name)
                return -EBADMSG;
        r.operation.argv = r.argv;
        r.operation.environment = r.environment;
        *ret = r;
        r = (WorkerRequest){ 0 };
        return 0;
}
