#include "vault/walk_links.h"

#include "base/mem.h"
#include "base/vec.h"
#include "vault/walk.h"

#define BUCKETS (16 * 1024)
#define NONE    UINT32_MAX

struct link {
    uint64_t device, inode;
    uint8_t *path; /* NULL: the slot is free */
    uint32_t path_size;
    uint32_t names_left; /* that were not met yet */
    uint32_t next;       /* in its bucket, or in the list of free slots */
};

struct qn_walk_links {
    uint32_t buckets[BUCKETS];
    QN_VEC(struct link) slots;
    uint32_t free;
    size_t count, size; /* in use; bytes of their paths */
    uint8_t *last;      /* path of the link that went last: its caller may still look at it */
};

struct qn_walk_links *qn_walk_links_new(void)
{
    struct qn_walk_links *links = QN_NEW(struct qn_walk_links);
    memset(links->buckets, 0xff, sizeof(links->buckets));
    links->free = NONE;
    return links;
}

void qn_walk_links_free(struct qn_walk_links *links)
{
    if (links == NULL)
        return;
    qn_vec_each (&links->slots, link)
        qn_free(link->path);
    qn_vec_free(&links->slots);
    qn_free(links->last);
    qn_free(links);
}

static uint32_t *bucket_of(struct qn_walk_links *links, uint64_t device, uint64_t inode)
{
    uint64_t mixed = (inode ^ device << 32) * 0x9e3779b97f4a7c15u; /* Fibonacci hashing */
    return &links->buckets[mixed >> 50];
}

/* The place that refers to the link, or that a new one is put into. */
static uint32_t *find(struct qn_walk_links *links, uint64_t device, uint64_t inode)
{
    uint32_t *place = bucket_of(links, device, inode);
    while (*place != NONE) {
        struct link *link = &links->slots.items[*place];
        if (link->device == device && link->inode == inode)
            break;
        place = &link->next;
    }
    return place;
}

static void drop(struct qn_walk_links *links, uint32_t *place)
{
    uint32_t index = *place;
    struct link *link = &links->slots.items[index];
    qn_free(links->last);
    links->last = link->path;
    links->size -= link->path_size;
    links->count--;
    *place = link->next;
    *link = (struct link){.next = links->free};
    links->free = index;
}

static uint32_t take_slot(struct qn_walk_links *links)
{
    uint32_t index = links->free;
    if (index != NONE) {
        links->free = links->slots.items[index].next;
        return index;
    }
    index = (uint32_t)links->slots.count;
    (void)qn_vec_push_slot(&links->slots);
    return index;
}

static void keep(struct qn_walk_links *links, const struct link *link)
{
    uint32_t index = take_slot(links); /* may move the slots, and with them the places */
    uint32_t *bucket = bucket_of(links, link->device, link->inode);
    links->slots.items[index] = *link;
    links->slots.items[index].next = *bucket;
    *bucket = index;
    links->size += link->path_size;
    links->count++;
}

struct qn_span qn_walk_links_meet(struct qn_walk_links *links, uint64_t device, uint64_t inode,
                                  uint32_t nlink, struct qn_span path, bool *ret_is_full)
{
    uint32_t *place = find(links, device, inode);
    if (*place != NONE) {
        struct link *link = &links->slots.items[*place];
        struct qn_span first = qn_span(link->path, link->path_size);
        if (--link->names_left == 0)
            drop(links, place);
        return first;
    }
    if (links->count == QN_WALK_LINKS_MAX || links->size + path.size > QN_WALK_LINKS_SIZE_MAX) {
        *ret_is_full = true;
        return qn_span(NULL, 0);
    }
    keep(links, &(struct link){.device = device,
                               .inode = inode,
                               .path = qn_memdup(path.data, path.size),
                               .path_size = (uint32_t)path.size,
                               .names_left = nlink - 1});
    return qn_span(NULL, 0);
}

void qn_walk_links_forget(struct qn_walk_links *links, uint64_t device, uint64_t inode)
{
    uint32_t *place = find(links, device, inode);
    if (*place != NONE)
        drop(links, place);
}
