/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Intrusive doubly linked list: `LIST_HEAD(Foo, foos)` in the owner, `LIST_FIELDS(Foo, foos)` in Foo. */
#pragma once

#include "basic/macros.h"

#define LIST_HEAD(type, name) type *name
#define LIST_FIELDS(type, name) type *name##_next, *name##_prev

#define LIST_PREPEND(name, head, item)                                  \
        ({                                                              \
                __typeof__(*(head)) **_head = &(head), *_item = (item); \
                _item->name##_prev = NULL;                              \
                _item->name##_next = *_head;                            \
                if (*_head)                                             \
                        (*_head)->name##_prev = _item;                  \
                *_head = _item;                                         \
        })

#define LIST_REMOVE(name, head, item)                                         \
        ({                                                                    \
                __typeof__(*(head)) **_head = &(head), *_item = (item);       \
                if (_item->name##_next)                                       \
                        _item->name##_next->name##_prev = _item->name##_prev; \
                if (_item->name##_prev)                                       \
                        _item->name##_prev->name##_next = _item->name##_next; \
                else                                                          \
                        *_head = _item->name##_next;                          \
                _item->name##_next = _item->name##_prev = NULL;               \
        })

#define LIST_FOREACH(name, i, head)                                                        \
        for (__typeof__(*(head)) *i = (head), *i##_n; i && (i##_n = i->name##_next, true); \
             i = i##_n)
