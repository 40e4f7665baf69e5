/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* systemd's D-Bus interface: unit names, properties at run time, jobs that are waited for. */
#include "bus/systemd1.h"

#include <fcntl.h>
#include <unistd.h>

#include "basic/str.h"
#include "basic/strtable.h"
#include "basic/strv.h"
#include "basic/time.h"
#include "bus/bus.h"
#include "bus/names.h"

#define UNIT_INTERFACE "org.freedesktop.systemd1.Unit"
#define UNIT_RUN_TIMEOUT_USEC \
        (30 * USEC_PER_MINUTE) /* of one job; units have their own, shorter limits */

bool systemd_is_running(void) {
        return faccessat(AT_FDCWD, "/run/systemd/system/", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

char *systemd1_scope_name(const char *container) {
        StrBuf b = { 0 };
        strbuf_add(&b, "machine-");
        for (const char *p = container; *p; p++) {
                bool plain = (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') ||
                             (*p >= 'A' && *p <= 'Z') || *p == '_' || *p == ':' ||
                             (*p == '.' && p != container);
                if (plain)
                        strbuf_add_bytes(&b, p, 1);
                else
                        strbuf_addf(&b, "\\x%02x", (unsigned char) *p);
        }
        strbuf_add(&b, ".scope");
        char *name = NULL;
        return strbuf_finish(&b, &name) < 0 ? NULL : name;
}

char *systemd1_service_name(const char *container) {
        return strf("berth@%s.service", container);
}

static int unit_path(const char *unit, char **ret) {
        int r = sd_bus_path_encode("/org/freedesktop/systemd1/unit", unit, ret);
        return r < 0 ? r : 0;
}

int systemd1_unit_get_string(sd_bus *bus, const char *unit, const char *interface,
                             const char *property, char **ret, Error *reterr) {
        _cleanup_free_ char *path = NULL;
        if (unit_path(unit, &path) < 0)
                return error_oom(reterr);
        const BusObject o = { SYSTEMD1_BUS_NAME, path, interface };
        return bus_get_string(bus, &o, property, ret, reterr);
}

/* A property's value: the message stands in the variant, of this type. */
static int unit_get(sd_bus *bus, const char *unit, const char *property, const char *type,
                    sd_bus_message **ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_free_ char *path = NULL;

        int r = unit_path(unit, &path);
        if (r >= 0)
                r = sd_bus_call_method(bus, SYSTEMD1_BUS_NAME, path,
                                       "org.freedesktop.DBus.Properties", "Get", NULL, &m, "ss",
                                       UNIT_INTERFACE, property);
        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'v', type);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

static bool unit_rests(sd_bus *bus, const char *unit) {
        _cleanup_free_ char *state = NULL;

        return systemd1_unit_get_string(bus, unit, UNIT_INTERFACE, "ActiveState", &state, NULL) <
                       0 ||
               streq(state, "inactive") || streq(state, "failed");
}

bool systemd1_unit_is_busy(sd_bus *bus, const char *unit) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_free_ char *state = NULL;
        uint32_t job = 0;

        if (systemd1_unit_get_string(bus, unit, UNIT_INTERFACE, "ActiveState", &state, NULL) < 0)
                return false;
        if (streq(state, "activating") || streq(state, "deactivating"))
                return true;
        return unit_get(bus, unit, "Job", "(uo)", &m) >= 0 &&
               sd_bus_message_read(m, "(uo)", &job, NULL) >= 0 && job != 0;
}

/* The units of a list property that `wanted` is true of. */
static int unit_list(sd_bus *bus, const char *unit, const char *property,
                     bool (*wanted)(sd_bus *bus, const char *unit), char ***ret) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        _cleanup_strv_free_ char **found = NULL;
        const char *other;

        int r = unit_get(bus, unit, property, "as", &m);
        if (r >= 0)
                r = sd_bus_message_enter_container(m, 'a', "s");
        while (r >= 0 && (r = sd_bus_message_read_basic(m, 's', &other)) > 0)
                if (wanted(bus, other))
                        r = strv_extend(&found, other);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(found);
        return 0;
}

static bool unit_is_at_work(sd_bus *bus, const char *unit) {
        return !unit_rests(bus, unit);
}

static bool unit_has_failed(sd_bus *bus, const char *unit) {
        _cleanup_free_ char *state = NULL;

        return systemd1_unit_get_string(bus, unit, UNIT_INTERFACE, "ActiveState", &state, NULL) >=
                       0 &&
               streq(state, "failed");
}

int systemd1_unit_list_dependents(sd_bus *bus, const char *unit, char ***ret) {
        return unit_list(bus, unit, "RequiredBy", unit_is_at_work, ret);
}

int systemd1_set_properties(sd_bus *bus, const char *unit, char *const *assignments,
                            Error *reterr) {
        if (strv_isempty(assignments))
                return 0;

        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = sd_bus_message_new_method_call(bus, &m, SYSTEMD1_BUS_NAME, SYSTEMD1_PATH,
                                               SYSTEMD1_MANAGER_INTERFACE, "SetUnitProperties");
        if (r < 0)
                return error_oom(reterr);
        r = sd_bus_message_append(m, "sb", unit, true);
        if (r < 0)
                return error_oom(reterr);
        r = sd_bus_message_open_container(m, 'a', "(sv)");
        if (r < 0)
                return error_oom(reterr);
        STRV_FOREACH(a, assignments) {
                r = systemd1_append_property(m, *a, reterr);
                if (r < 0)
                        return r;
        }
        r = sd_bus_message_close_container(m);
        if (r < 0)
                return error_oom(reterr);

        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
        r = sd_bus_call(bus, m, 0, &e, NULL);
        if (r >= 0)
                return 0;
        _cleanup_free_ char *what = strf("Setting properties of '%s' failed", unit);
        return bus_error_to_error(&e, r, reterr, what);
}

/* ---- jobs ---- */

typedef struct JobWait {
        char *path;   /* of our job, once known */
        char *result; /* of our job */
        char **early; /* "path result" pairs of jobs that ended before we knew ours */
} JobWait;

static void job_wait_done(JobWait *w) {
        free(w->path);
        free(w->result);
        strv_free(w->early);
}

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error) {
        JobWait *w = userdata;
        const char *path, *result;
        if (sd_bus_message_read(m, "uoss", NULL, &path, NULL, &result) < 0)
                return 0;
        if (!w->path) {
                (void) strv_extend(&w->early,
                                   path); /* out of memory: the wait ends with its timeout */
                (void) strv_extend(&w->early, result);
        } else if (streq(path, w->path))
                (void) free_and_strdup(&w->result, result);
        return 0;
}

/* Jobs' results and what they mean to a reader. */
static const struct {
        const char *result, *words;
} job_words[] = {
        { "canceled", "was canceled" },
        { "timeout", "timed out" },
        { "dependency", "failed because something that it needs failed" },
        { "skipped", "was skipped: nothing to do" },
        { "collected", "was dropped" },
        { "once", "was refused: it has run once already" },
};

/* What it needs and what has failed, with its own words. 1: told; 0: nothing of that is known. */
static int explain_dependency(sd_bus *bus, const char *unit, Error *reterr) {
        _cleanup_strv_free_ char **failed = NULL;
        _cleanup_free_ char *words = NULL;

        if (unit_list(bus, unit, "Requires", unit_has_failed, &failed) < 0 || strv_isempty(failed))
                return 0;
        (void) systemd1_unit_get_string(bus, failed[0], "org.freedesktop.systemd1.Service",
                                        "StatusText", &words, NULL); /* of a service */
        (void) error_set(reterr, -EIO, ERROR_UNIT_FAILED,
                         "Unit '%s' was not started, for it requires '%s', which has failed%s%s",
                         unit, failed[0], isempty(words) ? "" : ": ", strempty(words));
        error_hint(reterr, "that one's log: journalctl -u '%s'", failed[0]);
        return 1;
}

static int explain_failure(sd_bus *bus, const char *unit, const char *result, Error *reterr) {
        const char *words = "failed";
        for (size_t i = 0; i < ELEMENTSOF(job_words); i++)
                if (streq(job_words[i].result, result))
                        words = job_words[i].words;

        if (streq(result, "dependency") && explain_dependency(bus, unit, reterr) > 0)
                return -EIO;
        _cleanup_free_ char *unit_result = NULL, *status_text = NULL, *path = NULL;
        int32_t status = 0;
        if (endswith(unit, ".service") && unit_path(unit, &path) >= 0) {
                const char *service = "org.freedesktop.systemd1.Service";
                /* best effort: the failure itself is known, these only add to its description */
                (void) systemd1_unit_get_string(bus, unit, service, "Result", &unit_result, NULL);
                (void) systemd1_unit_get_string(bus, unit, service, "StatusText", &status_text,
                                                NULL);
                (void) sd_bus_get_property_trivial(bus, SYSTEMD1_BUS_NAME, path, service,
                                                   "ExecMainStatus", NULL, 'i', &status);
        }

        StrBuf b = { 0 };
        strbuf_addf(&b, "Unit '%s' %s", unit, words);
        if (!isempty(unit_result) && !streq(unit_result, "success"))
                strbuf_addf(&b, " (%s", unit_result);
        else
                strbuf_addf(&b, " (%s", result);
        if (status != 0)
                strbuf_addf(&b, ", status %i", status);
        strbuf_add(&b, ")");
        if (!isempty(status_text))
                strbuf_addf(&b, ": %s", status_text);
        _cleanup_free_ char *text = NULL;
        if (strbuf_finish(&b, &text) < 0)
                return error_oom(reterr);

        int r = error_set(reterr, streq(result, "timeout") ? -ETIMEDOUT : -EIO, ERROR_UNIT_FAILED,
                          "%s", text);
        error_hint(reterr, "its log: journalctl -u '%s'", unit);
        return r;
}

static int wait_for_job(sd_bus *bus, JobWait *w) {
        for (char **e = w->early; e && e[0] && e[1]; e += 2)
                if (streq(e[0], w->path) && free_and_strdup(&w->result, e[1]) < 0)
                        return -ENOMEM;

        usec_t deadline = usec_add(now_usec(CLOCK_MONOTONIC), UNIT_RUN_TIMEOUT_USEC);
        while (!w->result) {
                int r = sd_bus_process(bus, NULL);
                if (r < 0)
                        return r;
                if (r > 0)
                        continue;
                usec_t now = now_usec(CLOCK_MONOTONIC);
                if (now >= deadline)
                        return -ETIMEDOUT;
                r = sd_bus_wait(bus, deadline - now);
                if (r < 0 && r != -EINTR)
                        return r;
        }
        return 0;
}

static const char *const unit_action_method[] = {
        [UNIT_START] = "StartUnit", [UNIT_STOP] = "StopUnit", [UNIT_RESTART] = "RestartUnit"
};
static const char *const unit_action_word[] = {
        [UNIT_START] = "Starting", [UNIT_STOP] = "Stopping", [UNIT_RESTART] = "Restarting"
};

int systemd1_unit_run(sd_bus *bus, UnitAction action, const char *unit, Error *reterr) {
        _cleanup_(job_wait_done) JobWait w = { 0 };
        _cleanup_(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_free_ char *what = strf("%s '%s' failed", unit_action_word[action], unit);

        /* systemd sends JobRemoved to who queued the job, Subscribe() is not needed */
        int r = sd_bus_match_signal(bus, &slot, SYSTEMD1_BUS_NAME, SYSTEMD1_PATH,
                                    SYSTEMD1_MANAGER_INTERFACE, "JobRemoved", on_job_removed, &w);
        if (r < 0)
                return bus_error_to_error(NULL, r, reterr, what);
        r = sd_bus_call_method(bus, SYSTEMD1_BUS_NAME, SYSTEMD1_PATH, SYSTEMD1_MANAGER_INTERFACE,
                               unit_action_method[action], &e, &reply, "ss", unit, "replace");
        if (r < 0)
                return bus_error_to_error(&e, r, reterr, what);
        const char *path;
        r = sd_bus_message_read(reply, "o", &path);
        if (r < 0)
                return bus_error_to_error(NULL, r, reterr, what);
        if (free_and_strdup(&w.path, path) < 0)
                return error_oom(reterr);

        r = wait_for_job(bus, &w);
        if (r == -ENOMEM)
                return error_oom(reterr);
        if (r == -ETIMEDOUT)
                return error_set(reterr, r, ERROR_TIMEOUT,
                                 "%s: its job did not end within 30 minutes", what);
        if (r < 0)
                return bus_error_to_error(NULL, r, reterr, what);
        if (streq(w.result, "done") || (action == UNIT_START && streq(w.result, "skipped")))
                return 0;
        return explain_failure(bus, unit, w.result, reterr);
}

/* It reads all unit files, and answers then: seconds on a slow machine. */
#define RELOAD_TIMEOUT_USEC (60 * USEC_PER_SEC)

int systemd1_reload(sd_bus *bus, Error *reterr) {
        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = sd_bus_message_new_method_call(bus, &m, SYSTEMD1_BUS_NAME, SYSTEMD1_PATH,
                                               SYSTEMD1_MANAGER_INTERFACE, "Reload");
        if (r >= 0)
                r = sd_bus_call(bus, m, RELOAD_TIMEOUT_USEC, &e, NULL);
        return r < 0 ? bus_error_to_error(&e, r, reterr, "Having systemd reload its units failed")
                     : 0;
}

/* Was there one? */
static int remove_drop_in(const char *unit, const char *name, const char *suffix, Error *reterr) {
        _cleanup_free_ char *path =
                strf("/run/systemd/system.control/%s.d/50-%s%s.conf", unit, name, suffix);

        if (!path)
                return error_oom(reterr);
        if (unlink(path) == 0)
                return 1;
        if (errno == ENOENT)
                return 0;
        return error_set_errno(reterr, -errno, ERROR_UNIT_FAILED,
                               "'%s' of '%s' cannot be taken back: removing '%s' failed", name,
                               unit, path);
}

int systemd1_forget_properties(sd_bus *bus, const char *unit, char *const *names, Error *reterr) {
        bool any = false;

        STRV_FOREACH(name, names) {
                /* a percentage has a file of its own */
                int r = remove_drop_in(unit, *name, "", reterr),
                    scale = r < 0 ? r : remove_drop_in(unit, *name, "Scale", reterr);
                if (scale < 0)
                        return scale;
                any = any || r > 0 || scale > 0;
        }
        return any ? systemd1_reload(bus, reterr) : 0;
}

int systemd1_unit_enable(sd_bus *bus, char *const *units, bool enable, Error *reterr) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
        int r = sd_bus_message_new_method_call(bus, &m, SYSTEMD1_BUS_NAME, SYSTEMD1_PATH,
                                               SYSTEMD1_MANAGER_INTERFACE,
                                               enable ? "EnableUnitFiles" : "DisableUnitFiles");
        if (r < 0)
                return error_oom(reterr);
        r = sd_bus_message_append_strv(m, (char **) units);
        if (r < 0)
                return error_oom(reterr);
        r = enable ? sd_bus_message_append(m, "bb", false, false)
                   : sd_bus_message_append(m, "b", false);
        if (r < 0)
                return error_oom(reterr);

        _cleanup_(sd_bus_error_free) sd_bus_error e = SD_BUS_ERROR_NULL;
        r = sd_bus_call(bus, m, 0, &e, NULL);
        if (r < 0) {
                _cleanup_free_ char *names = strv_join(units, "', '");
                _cleanup_free_ char *what =
                        strf("%s '%s' failed", enable ? "Enabling" : "Disabling", strempty(names));
                return bus_error_to_error(&e, r, reterr, what);
        }
        return systemd1_reload(bus, reterr);
}
