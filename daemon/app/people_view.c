/* Accounts as the control socket shows them: nothing that proves anything is in it. */
#include "app/people_private.h"
#include "proto/pack.h"

static void pack_time(struct qn_buf *out, uint64_t time_ms)
{
    if (time_ms == 0)
        qn_pack_nil(out);
    else
        qn_pack_u64(out, time_ms);
}

static void pack_app(const struct qn_people *people, const struct qn_app_password *app,
                     struct qn_buf *out)
{
    bool holds = qn_people_app_holds(people, app);
    qn_pack_map(out, holds ? 6 : 7);
    qn_pack_cstr(out, "created");
    pack_time(out, app->created_ms);
    qn_pack_cstr(out, "expires");
    pack_time(out, app->expires_ms);
    qn_pack_cstr(out, "folder");
    if (app->folder[0] == '\0')
        qn_pack_nil(out);
    else
        qn_pack_cstr(out, app->folder);
    if (!holds) {
        qn_pack_cstr(out, "gone");
        qn_pack_bool(out, true);
    }
    qn_pack_cstr(out, "label");
    qn_pack_cstr(out, app->label);
    qn_pack_cstr(out, "last_used");
    pack_time(out, app->used_ms);
    qn_pack_cstr(out, "right");
    qn_pack_cstr(out, qn_right_name(app->right));
}

static void pack_grant(const struct qn_people *people, const struct qn_grant *grant,
                       struct qn_buf *out)
{
    bool holds = qn_people_grant_holds(people, grant);
    qn_pack_map(out, holds ? 3 : 4);
    if (!holds) {
        qn_pack_cstr(out, "gone");
        qn_pack_bool(out, true);
    }
    qn_pack_cstr(out, "kind");
    qn_pack_cstr(out, grant->thing == QN_THING_FOLDER ? "folder" : "collection");
    qn_pack_cstr(out, "name");
    qn_pack_cstr(out, grant->name);
    qn_pack_cstr(out, "right");
    qn_pack_cstr(out, qn_right_name(grant->right));
}

void order_pack_account(const struct qn_people *people, const struct qn_account *account,
                        struct qn_buf *out)
{
    qn_pack_map(out, 7);
    qn_pack_cstr(out, "app_passwords");
    qn_pack_array(out, account->apps.count);
    qn_vec_each (&account->apps, app)
        pack_app(people, app, out);
    qn_pack_cstr(out, "created");
    pack_time(out, account->created_ms);
    qn_pack_cstr(out, "disabled");
    qn_pack_bool(out, account->is_disabled);
    qn_pack_cstr(out, "grants");
    qn_pack_array(out, account->grants.count);
    qn_vec_each (&account->grants, grant)
        pack_grant(people, grant, out);
    qn_pack_cstr(out, "name");
    qn_pack_cstr(out, account->name);
    qn_pack_cstr(out, "role");
    qn_pack_cstr(out, qn_role_name(account->role));
    qn_pack_cstr(out, "second_factor");
    qn_pack_bool(out, account->has_totp);
}
