/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One map from strings to pointers that remembers the order of insertion.
 *
 * Entries lie in an array, in order; a table of slots (open addressing, linear probing) holds entry numbers plus one. A
 * removed entry stays as a grave, so that iteration and probing go on undisturbed, until the array is full: then the
 * living move together, into a larger array if they need it. The hash is SipHash-1-3, keyed by the kernel's AT_RANDOM. */
#include "basic/hashmap.h"

#include <sys/auxv.h>

#include "basic/alloc.h"

#define CAPACITY_MIN 8
#define CAPACITY_MAX (UINT32_MAX / 4)

typedef struct Entry {
        const char *key; /* NULL: a grave */
        void *value;
        uint64_t hash;
} Entry;

struct Hashmap {
        Entry *entries;
        uint32_t *slots; /* 2 * capacity of them; 0 = free */
        size_t capacity; /* a power of two, or 0 */
        size_t n_used;   /* the living and the graves */
        size_t n_live;
        uint64_t seed[2];
};

static uint64_t rotate_left(uint64_t x, unsigned bits) {
        return (x << bits) | (x >> (64 - bits));
}

static void sip_round(uint64_t v[static 4]) {
        v[0] += v[1];
        v[1] = rotate_left(v[1], 13) ^ v[0];
        v[0] = rotate_left(v[0], 32);
        v[2] += v[3];
        v[3] = rotate_left(v[3], 16) ^ v[2];
        v[0] += v[3];
        v[3] = rotate_left(v[3], 21) ^ v[0];
        v[2] += v[1];
        v[1] = rotate_left(v[1], 17) ^ v[2];
        v[2] = rotate_left(v[2], 32);
}

static uint64_t hash_string(const char *s, const uint64_t seed[static 2]) {
        uint64_t v[4] = {
                seed[0] ^ 0x736f6d6570736575ULL,
                seed[1] ^ 0x646f72616e646f6dULL,
                seed[0] ^ 0x6c7967656e657261ULL,
                seed[1] ^ 0x7465646279746573ULL,
        };
        size_t n = strlen(s);
        uint64_t last = (uint64_t) n << 56;

        for (; n >= 8; s += 8, n -= 8) {
                uint64_t word;

                memcpy(&word, s, 8);
                v[3] ^= word;
                sip_round(v);
                v[0] ^= word;
        }
        for (size_t i = 0; i < n; i++)
                last |= (uint64_t) (unsigned char) s[i] << (8 * i);
        v[3] ^= last;
        sip_round(v);
        v[0] ^= last;
        v[2] ^= 0xff;
        for (int i = 0; i < 3; i++)
                sip_round(v);
        return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static size_t slot_first(size_t capacity, uint64_t hash) {
        return (size_t) hash & (2 * capacity - 1);
}

static size_t slot_next(size_t capacity, size_t slot) {
        return (slot + 1) & (2 * capacity - 1);
}

static void slot_fill(uint32_t *slots, size_t capacity, uint64_t hash, size_t number) {
        size_t slot = slot_first(capacity, hash);

        while (slots[slot] != 0)
                slot = slot_next(capacity, slot);
        slots[slot] = (uint32_t) number + 1;
}

static Entry *entry_find(const Hashmap *m, const char *key, uint64_t hash) {
        if (m->n_live == 0)
                return NULL;
        /* At most half of the slots are in use, so a free one ends the loop. */
        for (size_t slot = slot_first(m->capacity, hash); m->slots[slot] != 0;
             slot = slot_next(m->capacity, slot)) {
                Entry *e = m->entries + m->slots[slot] - 1;

                if (e->key && e->hash == hash && strcmp(e->key, key) == 0)
                        return e;
        }
        return NULL;
}

/* Moves the living to a new array with room for one more. */
static int hashmap_rebuild(Hashmap *m) {
        size_t capacity = MAX(m->capacity, (size_t) CAPACITY_MIN), n = 0;
        _cleanup_free_ uint32_t *slots = NULL;
        Entry *entries;

        /* Many graves: the same size will do. */
        if (m->n_live > capacity / 2)
                capacity *= 2;
        if (capacity > CAPACITY_MAX)
                return -ENOMEM;
        slots = new0(uint32_t, 2 * capacity);
        entries = new0(Entry, capacity);
        if (!slots || !entries) {
                free(entries);
                return -ENOMEM;
        }
        for (size_t i = 0; i < m->n_used; i++)
                if (m->entries[i].key) {
                        entries[n] = m->entries[i];
                        slot_fill(slots, capacity, entries[n].hash, n);
                        n++;
                }
        free(m->entries);
        free(m->slots);
        m->entries = entries;
        m->slots = TAKE_PTR(slots);
        m->capacity = capacity;
        m->n_used = n;
        return 0;
}

Hashmap *hashmap_new(void) {
        Hashmap *m = new0(Hashmap, 1);
        const void *random;

        if (!m)
                return NULL;
        /* 16 bytes that the kernel gives every process at exec; without them the hash is merely guessable. */
        random = (const void *) getauxval(AT_RANDOM); /* NOLINT(performance-no-int-to-ptr) */
        if (random)
                memcpy(m->seed, random, sizeof(m->seed));
        return m;
}

Hashmap *hashmap_free(Hashmap *m) {
        if (m) {
                free(m->entries);
                free(m->slots);
                free(m);
        }
        return NULL;
}

int hashmap_put(Hashmap *m, const char *key, void *value) {
        uint64_t hash;
        int r;

        if (!key || !value)
                return -EINVAL;
        hash = hash_string(key, m->seed);
        if (entry_find(m, key, hash))
                return -EEXIST;
        if (m->n_used == m->capacity) {
                r = hashmap_rebuild(m);
                if (r < 0)
                        return r;
        }
        m->entries[m->n_used] = (Entry){ .key = key, .value = value, .hash = hash };
        slot_fill(m->slots, m->capacity, hash, m->n_used);
        m->n_used++;
        m->n_live++;
        return 0;
}

void *hashmap_get(const Hashmap *m, const char *key) {
        const Entry *e;

        if (!m || !key)
                return NULL;
        e = entry_find(m, key, hash_string(key, m->seed));
        return e ? e->value : NULL;
}

void *hashmap_remove(Hashmap *m, const char *key) {
        void *value;
        Entry *e;

        if (!m || !key)
                return NULL;
        e = entry_find(m, key, hash_string(key, m->seed));
        if (!e)
                return NULL;
        value = e->value;
        *e = (Entry){ 0 };
        m->n_live--;
        return value;
}

size_t hashmap_size(const Hashmap *m) {
        return m ? m->n_live : 0;
}

void *hashmap_iterate(const Hashmap *m, size_t *state) {
        while (m && *state < m->n_used) {
                const Entry *e = m->entries + (*state)++;

                if (e->key)
                        return e->value;
        }
        return NULL;
}
