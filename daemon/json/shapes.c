/* The objects of `--json`, member by member, in the order of the manual. */
#include "json/out.h"

#define MEMBER(name)                                                                               \
    {                                                                                              \
        .key = name, .kind = QN_JSON_VALUE                                                         \
    }
#define MARK(name)                                                                                 \
    {                                                                                              \
        .key = name, .kind = QN_JSON_MARK                                                          \
    }
#define TIME(name)                                                                                 \
    {                                                                                              \
        .key = name, .kind = QN_JSON_TIME                                                          \
    }
#define LIST(name)                                                                                 \
    {                                                                                              \
        .key = name, .kind = QN_JSON_LIST                                                          \
    }
#define MAP(name)                                                                                  \
    {                                                                                              \
        .key = name, .kind = QN_JSON_MAP                                                           \
    }
#define OBJECT(name, shape)                                                                        \
    {                                                                                              \
        .key = name, .kind = QN_JSON_OBJECT, .inner = shape                                        \
    }
#define OBJECTS(name, shape)                                                                       \
    {                                                                                              \
        .key = name, .kind = QN_JSON_OBJECTS, .inner = shape                                       \
    }
#define BY_FIELD(name, shape)                                                                      \
    {                                                                                              \
        .key = name, .kind = QN_JSON_BY_FIELD, .inner = shape                                      \
    }
#define END                                                                                        \
    {                                                                                              \
        .key = NULL                                                                                \
    }

static const struct qn_json_shape status_site[] = {
    MEMBER("name"),
    MEMBER("state"),
    TIME("last_contact"),
    MEMBER("address"),
    MEMBER("role"),
    MEMBER("version"),
    END,
};

const struct qn_json_shape qn_json_folder[] = {
    MEMBER("name"),       MEMBER("state"),
    MEMBER("home"),       MEMBER("path"),
    LIST("members"),      MEMBER("files"),
    MEMBER("bytes"),      MEMBER("complete"),
    MEMBER("free_bytes"), MEMBER("alike"),
    MEMBER("alike_path"), MEMBER("unfit"),
    MEMBER("unfit_path"), END,
};

const struct qn_json_shape qn_json_odd_name[] = {
    MEMBER("path"),
    MEMBER("fault"),
    END,
};

const struct qn_json_shape qn_json_collection_list[] = {
    MEMBER("name"), MEMBER("kind"),    MEMBER("records"),  MEMBER("conflicts"), LIST("members"),
    MAP("behind"),  MEMBER("in_sync"), MARK("incomplete"), MARK("late"),        END,
};

const struct qn_json_shape qn_json_collection[] = {
    MEMBER("name"),    MEMBER("records"),  MEMBER("conflicts"), LIST("members"), MAP("behind"),
    MEMBER("in_sync"), TIME("checked_at"), MARK("incomplete"),  MARK("late"),    END,
};

static const struct qn_json_shape backup_copy[] = {
    MEMBER("site"), MEMBER("complete"), MEMBER("missing_bytes"), TIME("verified_at"), END,
};

static const struct qn_json_shape snapshot_copy[] = {
    MEMBER("site"), MEMBER("complete"), MEMBER("missing_bytes"), TIME("locked_until"), END,
};

static const struct qn_json_shape drill[] = {
    TIME("time"), MEMBER("ok"), MEMBER("files"), MEMBER("bytes"), END,
};

static const struct qn_json_shape backup[] = {
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

static const struct qn_json_shape held[] = {
    MEMBER("owner"),       MEMBER("snapshots"), MEMBER("stored_bytes"),
    MEMBER("quota_bytes"), TIME("scrubbed_at"), END,
};

/* The alerts follow: status.c writes them, with their sentences. */
const struct qn_json_shape qn_json_status[] = {
    MEMBER("site"),
    MEMBER("group"),
    MEMBER("version"),
    MEMBER("state"),
    OBJECTS("sites", status_site),
    OBJECTS("collections", qn_json_collection),
    OBJECTS("backups", backup),
    OBJECTS("held", held),
    END,
};

const struct qn_json_shape qn_json_site[] = {
    MEMBER("name"),      {.key = "identity", .kind = QN_JSON_VALUE, .from = "id"},
    MEMBER("state"),     TIME("last_contact"),
    MEMBER("address"),   MEMBER("role"),
    MEMBER("version"),   {.key = "legal_entity", .kind = QN_JSON_VALUE, .from = "entity"},
    MEMBER("withdrawn"), END,
};

const struct qn_json_shape qn_json_collection_show[] = {
    MEMBER("name"), MEMBER("records"),    MEMBER("conflicts"), LIST("members"),
    MAP("behind"),  MEMBER("in_sync"),    MARK("incomplete"),  MARK("late"),
    MEMBER("id"),   MEMBER("created_by"), TIME("checked_at"),  END,
};

static const struct qn_json_shape concurrent[] = {
    MEMBER("value"),
    MEMBER("site"),
    TIME("time"),
    END,
};

static const struct qn_json_shape updated[] = {
    MEMBER("site"),
    TIME("time"),
    END,
};

const struct qn_json_shape qn_json_record[] = {
    MEMBER("collection"),
    MEMBER("key"),
    MAP("fields"),
    BY_FIELD("conflicts", concurrent),
    OBJECT("updated", updated),
    MARK("incomplete"),
    END,
};

const struct qn_json_shape qn_json_conflicts[] = {
    MEMBER("collection"),
    MEMBER("key"),
    BY_FIELD("conflicts", concurrent),
    END,
};

const struct qn_json_shape qn_json_trash[] = {
    MEMBER("key"),
    MEMBER("site"),
    TIME("time"),
    END,
};

const struct qn_json_shape qn_json_emptied[] = {
    MEMBER("erased"),
    MEMBER("kept"),
    END,
};

static const struct qn_json_shape replaced[] = {
    MEMBER("site"),
    TIME("time"),
    MEMBER("user"),
    END,
};

const struct qn_json_shape qn_json_history[] = {
    MEMBER("field"),
    MEMBER("value"),
    MEMBER("site"),
    TIME("time"),
    MEMBER("user"),
    OBJECT("replaced", replaced),
    END,
};

const struct qn_json_shape qn_json_invite[] = {
    {.key = "name", .kind = QN_JSON_VALUE, .from = "label"},
    MEMBER("state"),
    {.key = "expires", .kind = QN_JSON_TIME, .from = "expiry"},
    END,
};

const struct qn_json_shape qn_json_conflict[] = {
    MEMBER("collection"),
    MEMBER("key"),
    LIST("fields"),
    END,
};

const struct qn_json_shape qn_json_verify[] = {
    MEMBER("collection"), MEMBER("site"), MEMBER("state"), LIST("keys"), MARK("incomplete"), END,
};

const struct qn_json_shape qn_json_incident[] = {
    TIME("time"), MEMBER("collection"), MEMBER("key"), MEMBER("what"), MEMBER("site"), END,
};

const struct qn_json_shape qn_json_plan[] = {
    MEMBER("name"),   MEMBER("schedule"),  MEMBER("keep"),
    TIME("next_run"), MEMBER("lock_days"), LIST("copies"),
    LIST("paths"),    LIST("exclude"),     END,
};

const struct qn_json_shape qn_json_snapshot[] = {
    MEMBER("id"),         MEMBER("plan"),
    TIME("time"),         MEMBER("files"),
    MEMBER("size"),       MEMBER("new_bytes"),
    MEMBER("partial"),    OBJECTS("copies", snapshot_copy),
    TIME("locked_until"), END,
};

static const struct qn_json_shape verified_copy[] = {
    MEMBER("site"),         MEMBER("state"),     MEMBER("missing_packs"), MEMBER("challenge"),
    MEMBER("proven_packs"), MEMBER("bad_packs"), TIME("verified_at"),     END,
};

const struct qn_json_shape qn_json_verified[] = {
    MEMBER("bad_chunks"),
    MEMBER("bad_packs"),
    MEMBER("bytes"),
    MEMBER("chunks"),
    OBJECTS("copies", verified_copy),
    MEMBER("elsewhere"),
    MEMBER("missing_chunks"),
    MEMBER("packs"),
    MEMBER("repaired"),
    MEMBER("snapshots"),
    END,
};

const struct qn_json_shape qn_json_report[] = {
    MEMBER("owner"),           MEMBER("holder"),
    MEMBER("state"),           MEMBER("packs"),
    MEMBER("bad_packs"),       MEMBER("snapshots"),
    MEMBER("bytes"),           TIME("locked_until"),
    MEMBER("destroyed_packs"), MEMBER("destroyed_bytes"),
    TIME("reported_at"),       MEMBER("agreement"),
    TIME("agreement_until"),   END,
};

const struct qn_json_shape qn_json_held[] = {
    MEMBER("owner"),
    MEMBER("state"),
    MEMBER("snapshots"),
    MEMBER("stored_bytes"),
    MEMBER("quota_bytes"),
    MEMBER("lock_days"),
    TIME("scrubbed_at"),
    {.key = "legal_entity", .kind = QN_JSON_VALUE, .from = "entity"},
    END,
};

const struct qn_json_shape qn_json_app_password[] = {
    MEMBER("label"), MEMBER("right"),   MEMBER("folder"), MARK("gone"),
    TIME("created"), TIME("last_used"), TIME("expires"),  END,
};

static const struct qn_json_shape grant[] = {
    MEMBER("kind"), MEMBER("name"), MEMBER("right"), MARK("gone"), END,
};

const struct qn_json_shape qn_json_user[] = {
    MEMBER("name"),           MEMBER("role"),
    MEMBER("disabled"),       TIME("created"),
    MEMBER("second_factor"),  OBJECTS("app_passwords", qn_json_app_password),
    OBJECTS("grants", grant), END,
};

const struct qn_json_shape qn_json_audit[] = {
    MEMBER("seq"),     TIME("time"),     MEMBER("site"),   MEMBER("actor"),  MEMBER("device"),
    MEMBER("address"), MEMBER("action"), MEMBER("object"), MEMBER("result"), END,
};

static const struct qn_json_shape serve_certificate[] = {
    MEMBER("from"),
    TIME("end"),
    MEMBER("names"),
    END,
};

static const struct qn_json_shape serve_listener[] = {
    MEMBER("address"),
    MEMBER("error"),
    END,
};

const struct qn_json_shape qn_json_serve[] = {
    OBJECTS("listeners", serve_listener),
    OBJECT("certificate", serve_certificate),
    MEMBER("error"),
    MEMBER("connections"),
    MEMBER("requests"),
    MEMBER("refused"),
    END,
};

const struct qn_json_shape qn_json_authority[] = {
    MEMBER("pem"),
    END,
};

const struct qn_json_shape qn_json_hit[] = {
    MEMBER("kind"), MEMBER("collection"), MEMBER("key"), MEMBER("folder"),
    MEMBER("path"), MEMBER("text"),       END,
};
