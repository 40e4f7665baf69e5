/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who may call what: one row a method. Root may; others ask polkit, asynchronously. */
#pragma once

#include "manager/manager.h"

/* Every method of ours begins here. userdata: the Manager. */
int access_method(sd_bus_message *m, void *userdata, sd_bus_error *reterr_error);
Access *access_free(Access *a);

/* Bodies, called when access is granted; the message is at its start. They reply themselves, or return an error that is replied. */
typedef int (*MethodBody)(Manager *m, sd_bus_message *call, const char *container, Error *reterr);
/* What else polkit is told of a call, from its arguments; the message is behind the container's name, as for the body. */
typedef int (*MethodDetails)(sd_bus_message *call, const char **ret_user, const char **ret_program,
                             Error *reterr);
typedef struct Method {
        const char *member;
        const char *action; /* polkit */
        const char *
                signature; /* of the Manager interface's method: it begins with the name ("s…"), or has none */
        MethodBody body;
        MethodDetails details; /* or NULL */
        bool of_image;         /* the name, if there is one, is an image's; else a container's */
} Method;
/* In bus-manager.c: ends with an empty row. The Container interface's methods ("Stop", "OpenShell") are the Manager's ("StopContainer",
 * "OpenContainerShell") without the word and without the argument, which comes from the path. */
extern const Method manager_methods[];

/* For other interfaces with methods of such rows. The arguments are not too many? ERROR_LIMIT_EXCEEDED. */
int access_measure(sd_bus_message *call, Error *reterr);
/* Has the body called when polkit allows the action (NULL: at once). named: the container's name is the first argument, and
 * skipped. */
int access_begin(Manager *m, sd_bus_message *call, const Method *method, const char *action,
                 const char *container, bool named, Error *reterr);
