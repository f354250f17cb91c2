#include "vault/walk_owners.h"

#include <grp.h>
#include <pwd.h>

#include "base/mem.h"

#define NAME_SIZE_MAX   255
#define SLOTS           128
#define LOOKUP_SIZE_MAX (64 * 1024) /* a group is read with all of its members */

struct slot {
    uint32_t id;
    bool is_used;
    uint8_t size;
    char name[NAME_SIZE_MAX];
};

struct qn_walk_owners {
    struct slot users[SLOTS], groups[SLOTS]; /* by the id's remainder: the last one stays */
    char lookup[LOOKUP_SIZE_MAX];
};

struct qn_walk_owners *qn_walk_owners_new(void)
{
    return QN_NEW(struct qn_walk_owners);
}

void qn_walk_owners_free(struct qn_walk_owners *owners)
{
    qn_free(owners);
}

static void set_slot(struct slot *slot, uint32_t id, const char *name)
{
    size_t size = name == NULL ? 0 : strlen(name);
    *slot = (struct slot){.id = id, .is_used = true};
    if (size == 0 || size > NAME_SIZE_MAX)
        return;
    memcpy(slot->name, name, size);
    slot->size = (uint8_t)size;
}

struct qn_span qn_walk_owners_user(struct qn_walk_owners *owners, uint32_t uid)
{
    struct slot *slot = &owners->users[uid % SLOTS];
    if (!slot->is_used || slot->id != uid) {
        struct passwd entry, *found = NULL;
        getpwuid_r(uid, &entry, owners->lookup, sizeof(owners->lookup), &found);
        set_slot(slot, uid, found == NULL ? NULL : found->pw_name);
    }
    return qn_span(slot->name, slot->size);
}

struct qn_span qn_walk_owners_group(struct qn_walk_owners *owners, uint32_t gid)
{
    struct slot *slot = &owners->groups[gid % SLOTS];
    if (!slot->is_used || slot->id != gid) {
        struct group entry, *found = NULL;
        getgrgid_r(gid, &entry, owners->lookup, sizeof(owners->lookup), &found);
        set_slot(slot, gid, found == NULL ? NULL : found->gr_name);
    }
    return qn_span(slot->name, slot->size);
}
