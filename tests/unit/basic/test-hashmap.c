/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests of basic/hashmap.c and basic/list.h. */
#include "test.h"

#include "basic/hashmap.h"
#include "basic/list.h"
#include "basic/str.h"

#define _cleanup_hashmap_ _cleanup_(hashmap_freep)

static void *number(size_t n) {
        static char base[8192];

        return base + n;
}

TEST(empty) {
        _cleanup_hashmap_ Hashmap *m = hashmap_new();
        size_t state = 0;

        ASSERT_NOT_NULL(m);
        ASSERT_EQ(hashmap_size(m), 0);
        ASSERT_NULL(hashmap_get(m, "a"));
        ASSERT_NULL(hashmap_remove(m, "a"));
        ASSERT_NULL(hashmap_iterate(m, &state));
}

TEST(no_map_at_all) {
        size_t state = 0;

        ASSERT_NULL(hashmap_free(NULL));
        ASSERT_NULL(hashmap_get(NULL, "a"));
        ASSERT_NULL(hashmap_remove(NULL, "a"));
        ASSERT_EQ(hashmap_size(NULL), 0);
        ASSERT_NULL(hashmap_iterate(NULL, &state));
}

TEST(put_get_remove) {
        _cleanup_hashmap_ Hashmap *m = hashmap_new();

        ASSERT_OK(hashmap_put(m, "a", number(1)));
        ASSERT_OK(hashmap_put(m, "b", number(2)));
        ASSERT_OK(hashmap_put(m, "", number(3)));
        ASSERT_ERROR(hashmap_put(m, "a", number(4)), EEXIST);
        ASSERT_ERROR(hashmap_put(m, "n", NULL), EINVAL);
        ASSERT_ERROR(hashmap_put(m, NULL, number(4)), EINVAL);
        ASSERT_EQ(hashmap_size(m), 3);
        ASSERT_TRUE(hashmap_get(m, "a") == number(1));
        ASSERT_TRUE(hashmap_get(m, "") == number(3));
        ASSERT_NULL(hashmap_get(m, "A"));
        ASSERT_NULL(hashmap_get(m, NULL));
        ASSERT_TRUE(hashmap_remove(m, "a") == number(1));
        ASSERT_NULL(hashmap_get(m, "a"));
        ASSERT_NULL(hashmap_remove(m, "a"));
        ASSERT_OK(hashmap_put(m, "a", number(5)));
        ASSERT_TRUE(hashmap_get(m, "a") == number(5));
}

TEST(keys_are_compared_by_content) {
        _cleanup_hashmap_ Hashmap *m = hashmap_new();
        _cleanup_free_ char *key = strdup("a rather long key of more than eight bytes");

        ASSERT_OK(hashmap_put(m, key, number(1)));
        ASSERT_TRUE(hashmap_get(m, "a rather long key of more than eight bytes") == number(1));
        ASSERT_NULL(hashmap_get(m, "a rather long key of more than eight byte"));
}

TEST(many_in_order) {
        enum {
                N = 5000
        };
        static char keys[N][8];
        _cleanup_hashmap_ Hashmap *m = hashmap_new();
        size_t n = 0;
        void *value;

        for (size_t i = 0; i < N; i++) {
                snprintf(keys[i], sizeof(keys[i]), "k%zu", i);
                ASSERT_OK(hashmap_put(m, keys[i], number(i)));
        }
        ASSERT_EQ(hashmap_size(m), N);
        for (size_t i = 0; i < N; i++)
                ASSERT_TRUE(hashmap_get(m, keys[i]) == number(i));
        HASHMAP_FOREACH(value, m)
                ASSERT_TRUE(value == number(n++));
        ASSERT_EQ(n, N);

        /* Every other one goes while we walk. */
        n = 0;
        HASHMAP_FOREACH(value, m) {
                if (n % 2 == 0)
                        ASSERT_TRUE(hashmap_remove(m, keys[n]) == value);
                n++;
        }
        ASSERT_EQ(n, N);
        ASSERT_EQ(hashmap_size(m), N / 2);
        for (size_t i = 0; i < N; i++)
                ASSERT_TRUE(hashmap_get(m, keys[i]) == (i % 2 ? number(i) : NULL));
        /* They come back at the end. */
        for (size_t i = 0; i < N; i += 2)
                ASSERT_OK(hashmap_put(m, keys[i], number(i)));
        n = 0;
        HASHMAP_FOREACH(value, m) {
                ASSERT_TRUE(value == number(n < N / 2 ? 2 * n + 1 : 2 * (n - N / 2)));
                n++;
        }
        ASSERT_EQ(n, N);
}

TEST(coming_and_going) {
        _cleanup_hashmap_ Hashmap *m = hashmap_new();
        char keys[4][8];
        size_t count = 0;
        void *value;

        /* A few live entries, many graves: neither lost nor found twice. */
        for (size_t i = 0; i < 100000; i++) {
                char *key = keys[i % 4];

                if (i >= 4)
                        ASSERT_TRUE(hashmap_remove(m, key) == number(i % 4));
                snprintf(key, sizeof(keys[0]), "%zu", i);
                ASSERT_OK(hashmap_put(m, key, number(i % 4)));
        }
        ASSERT_EQ(hashmap_size(m), 4);
        HASHMAP_FOREACH(value, m)
                count++;
        ASSERT_EQ(count, 4);
        ASSERT_TRUE(hashmap_get(m, "99999") == number(3));
}

TEST(remove_all_while_walking) {
        _cleanup_hashmap_ Hashmap *m = hashmap_new();
        static const char *const keys[] = { "a", "b", "c" };
        size_t n = 0;
        void *value;

        for (size_t i = 0; i < 3; i++)
                ASSERT_OK(hashmap_put(m, keys[i], number(i)));
        HASHMAP_FOREACH(value, m)
                ASSERT_TRUE(hashmap_remove(m, keys[n++]) == value);
        ASSERT_EQ(n, 3);
        ASSERT_EQ(hashmap_size(m), 0);
        ASSERT_NULL(hashmap_get(m, "b"));
}

typedef struct Node {
        int number;
        LIST_FIELDS(struct Node, nodes);
} Node;

TEST(linked_list) {
        Node a = { .number = 1 }, b = { .number = 2 }, c = { .number = 3 };
        LIST_HEAD(Node, head) = NULL;
        int sum = 0, order = 0;

        LIST_PREPEND(nodes, head, &a);
        LIST_PREPEND(nodes, head, &b);
        LIST_PREPEND(nodes, head, &c);
        LIST_FOREACH(nodes, n, head)
                order = order * 10 + n->number;
        ASSERT_EQ(order, 321);
        LIST_REMOVE(nodes, head, &b);
        LIST_FOREACH(nodes, n, head) {
                sum += n->number;
                LIST_REMOVE(nodes, head, n);
        }
        ASSERT_EQ(sum, 4);
        ASSERT_NULL(head);
}

TEST_MAIN
