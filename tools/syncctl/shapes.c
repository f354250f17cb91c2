/* The objects of `--json`, member by member, in the order of the manual. */
#include "json_out.h"

#define MEMBER(name)                                                                               \
    {                                                                                              \
        .key = name, .kind = CTL_VALUE                                                             \
    }
#define TIME(name)                                                                                 \
    {                                                                                              \
        .key = name, .kind = CTL_TIME                                                              \
    }
#define LIST(name)                                                                                 \
    {                                                                                              \
        .key = name, .kind = CTL_LIST                                                              \
    }
#define MAP(name)                                                                                  \
    {                                                                                              \
        .key = name, .kind = CTL_MAP                                                               \
    }
#define OBJECT(name, shape)                                                                        \
    {                                                                                              \
        .key = name, .kind = CTL_OBJECT, .inner = shape                                            \
    }
#define OBJECTS(name, shape)                                                                       \
    {                                                                                              \
        .key = name, .kind = CTL_OBJECTS, .inner = shape                                           \
    }
#define BY_FIELD(name, shape)                                                                      \
    {                                                                                              \
        .key = name, .kind = CTL_BY_FIELD, .inner = shape                                          \
    }
#define END                                                                                        \
    {                                                                                              \
        .key = NULL                                                                                \
    }

static const struct ctl_shape status_site[] = {
    MEMBER("name"),
    MEMBER("state"),
    TIME("last_contact"),
    MEMBER("address"),
    MEMBER("role"),
    MEMBER("version"),
    END,
};

const struct ctl_shape ctl_collection_shape[] = {
    MEMBER("name"),
    MEMBER("records"),
    MEMBER("conflicts"),
    LIST("members"),
    MAP("behind"),
    MEMBER("in_sync"),
    END,
};

static const struct ctl_shape backup_copy[] = {
    MEMBER("site"), MEMBER("complete"), MEMBER("missing_bytes"), TIME("verified_at"), END,
};

static const struct ctl_shape snapshot_copy[] = {
    MEMBER("site"), MEMBER("complete"), MEMBER("missing_bytes"), TIME("locked_until"), END,
};

static const struct ctl_shape drill[] = {
    TIME("time"), MEMBER("ok"), MEMBER("files"), MEMBER("bytes"), END,
};

static const struct ctl_shape backup[] = {
    MEMBER("name"),
    TIME("last_success"),
    TIME("next_run"),
    MEMBER("snapshots"),
    MEMBER("size_bytes"),
    MEMBER("stored_bytes"),
    OBJECTS("copies", backup_copy),
    OBJECT("last_drill", drill),
    END,
};

static const struct ctl_shape held[] = {
    MEMBER("owner"),       MEMBER("snapshots"), MEMBER("stored_bytes"),
    MEMBER("quota_bytes"), TIME("scrubbed_at"), END,
};

/* The alerts follow: status.c writes them, with their sentences. */
const struct ctl_shape ctl_status_shape[] = {
    MEMBER("site"),
    MEMBER("group"),
    MEMBER("version"),
    MEMBER("state"),
    OBJECTS("sites", status_site),
    OBJECTS("collections", ctl_collection_shape),
    OBJECTS("backups", backup),
    OBJECTS("held", held),
    END,
};

const struct ctl_shape ctl_site_shape[] = {
    MEMBER("name"),      {.key = "identity", .kind = CTL_VALUE, .from = "id"},
    MEMBER("state"),     TIME("last_contact"),
    MEMBER("address"),   MEMBER("role"),
    MEMBER("version"),   {.key = "legal_entity", .kind = CTL_VALUE, .from = "entity"},
    MEMBER("withdrawn"), END,
};

const struct ctl_shape ctl_collection_show_shape[] = {
    MEMBER("name"),  MEMBER("records"),    MEMBER("conflicts"),
    LIST("members"), MAP("behind"),        MEMBER("in_sync"),
    MEMBER("id"),    MEMBER("created_by"), END,
};

static const struct ctl_shape concurrent[] = {
    MEMBER("value"),
    MEMBER("site"),
    TIME("time"),
    END,
};

static const struct ctl_shape updated[] = {
    MEMBER("site"),
    TIME("time"),
    END,
};

const struct ctl_shape ctl_record_shape[] = {
    MEMBER("collection"),       MEMBER("key"), MAP("fields"), BY_FIELD("conflicts", concurrent),
    OBJECT("updated", updated), END,
};

const struct ctl_shape ctl_conflicts_shape[] = {
    MEMBER("collection"),
    MEMBER("key"),
    BY_FIELD("conflicts", concurrent),
    END,
};

const struct ctl_shape ctl_trash_shape[] = {
    MEMBER("key"),
    MEMBER("site"),
    TIME("time"),
    END,
};

static const struct ctl_shape replaced[] = {
    MEMBER("site"),
    TIME("time"),
    MEMBER("user"),
    END,
};

const struct ctl_shape ctl_history_shape[] = {
    MEMBER("field"),
    MEMBER("value"),
    MEMBER("site"),
    TIME("time"),
    MEMBER("user"),
    OBJECT("replaced", replaced),
    END,
};

const struct ctl_shape ctl_invite_shape[] = {
    {.key = "name", .kind = CTL_VALUE, .from = "label"},
    MEMBER("state"),
    {.key = "expires", .kind = CTL_TIME, .from = "expiry"},
    END,
};

const struct ctl_shape ctl_conflict_shape[] = {
    MEMBER("collection"),
    MEMBER("key"),
    LIST("fields"),
    END,
};

const struct ctl_shape ctl_verify_shape[] = {
    MEMBER("collection"), MEMBER("site"), MEMBER("state"), LIST("keys"), END,
};

const struct ctl_shape ctl_plan_shape[] = {
    MEMBER("name"),   MEMBER("schedule"),  MEMBER("keep"),
    TIME("next_run"), MEMBER("lock_days"), LIST("copies"),
    LIST("paths"),    LIST("exclude"),     END,
};

const struct ctl_shape ctl_snapshot_shape[] = {
    MEMBER("id"),         MEMBER("plan"),
    TIME("time"),         MEMBER("files"),
    MEMBER("size"),       MEMBER("new_bytes"),
    MEMBER("partial"),    OBJECTS("copies", snapshot_copy),
    TIME("locked_until"), END,
};

const struct ctl_shape ctl_held_shape[] = {
    MEMBER("owner"),
    MEMBER("state"),
    MEMBER("snapshots"),
    MEMBER("stored_bytes"),
    MEMBER("quota_bytes"),
    MEMBER("lock_days"),
    TIME("scrubbed_at"),
    {.key = "legal_entity", .kind = CTL_VALUE, .from = "entity"},
    END,
};

const struct ctl_shape ctl_app_password_shape[] = {
    MEMBER("label"), MEMBER("right"), MEMBER("folder"), TIME("created"), TIME("last_used"), END,
};

static const struct ctl_shape grant[] = {
    MEMBER("kind"),
    MEMBER("name"),
    MEMBER("right"),
    END,
};

const struct ctl_shape ctl_user_shape[] = {
    MEMBER("name"),           MEMBER("role"),
    MEMBER("disabled"),       TIME("created"),
    MEMBER("second_factor"),  OBJECTS("app_passwords", ctl_app_password_shape),
    OBJECTS("grants", grant), END,
};

const struct ctl_shape ctl_audit_shape[] = {
    MEMBER("seq"),     TIME("time"),     MEMBER("site"),   MEMBER("actor"),  MEMBER("device"),
    MEMBER("address"), MEMBER("action"), MEMBER("object"), MEMBER("result"), END,
};

static const struct ctl_shape serve_certificate[] = {
    MEMBER("from"),
    TIME("end"),
    MEMBER("names"),
    END,
};

static const struct ctl_shape serve_listener[] = {
    MEMBER("address"),
    MEMBER("error"),
    END,
};

const struct ctl_shape ctl_serve_shape[] = {
    OBJECTS("listeners", serve_listener),
    OBJECT("certificate", serve_certificate),
    MEMBER("error"),
    MEMBER("connections"),
    MEMBER("requests"),
    MEMBER("refused"),
    END,
};

const struct ctl_shape ctl_authority_shape[] = {
    MEMBER("pem"),
    END,
};

const struct ctl_shape ctl_hit_shape[] = {
    MEMBER("kind"), MEMBER("collection"), MEMBER("key"), MEMBER("folder"),
    MEMBER("path"), MEMBER("text"),       END,
};
