/* PROPFIND: what is there, with its properties.
 *
 *   judge ── [space] ── head ── own resource ── (part of the list ── entries)* ── end
 *
 * A part of a listing is copied and written out as the client takes it; meanwhile a thread of the
 * pool reads the next one, which is kept until this one is through, and no more is asked for. So an
 * answer of any length takes the memory of two parts.
 */
#include "base/mem.h"
#include "dav/names.h"
#include "serve/dav_private.h"

#define OUT_LOW      ((size_t)64 * 1024) /* below it, more is written */
#define OUT_SIZE_MAX ((size_t)1024 * 1024)
#define NAMES_MAX    ((size_t)4 * 1024 * 1024) /* of one part */
#define PART_MAX     8192

struct listed {
    struct qn_entry_info info;
    size_t name_at, name_size; /* in `names`, which moves */
};

struct part {
    QN_VEC(struct listed) entries;
    struct qn_buf names;
    size_t next; /* to be written */
};

struct finding {
    struct qn_dav_ask ask;
    bool lists;
    struct qn_folder_call *list;
    bool may_ask;   /* for one more part: none is being read */
    bool is_last;   /* there is none that has not come */
    bool has_ended; /* the last element is written */
    bool has_quota;
    uint64_t used, free;

    struct qn_buf out;
    size_t sent;
    struct part now, ahead; /* that is written, and the next one */

    struct qn_buf path, href, row; /* of the entry that is written */
    struct qn_dav_dead dead;
};

static void part_deinit(struct part *part)
{
    qn_vec_free(&part->entries);
    qn_buf_deinit(&part->names);
}

static bool is_through(const struct part *part)
{
    return part->next == part->entries.count;
}

static void free_finding(struct dav_request *dav)
{
    struct finding *find = dav->own;
    part_deinit(&find->now);
    part_deinit(&find->ahead);
    qn_buf_deinit(&find->out);
    qn_buf_deinit(&find->path);
    qn_buf_deinit(&find->href);
    qn_buf_deinit(&find->row);
    qn_free(find);
}

/* ---- one resource ---- */

/* `href` NULL: that of the path. */
static void write_resource(struct dav_request *dav, const struct qn_entry_info *info,
                           struct qn_span path, const char *href)
{
    struct finding *find = dav->own;
    qn_buf_reset(&find->href);
    if (href)
        qn_buf_append_str(&find->href, href);
    else
        dav_href(&find->href, path, info->is_directory);
    /* of the list of folders there is nothing to read */
    bool may_read = dav->folder == NULL || dav->right >= QN_RIGHT_READ;
    bool shows_weak = may_read && info->has_weak;
    struct qn_dav_resource resource = {
        .href = qn_buf_view(&find->href),
        .name = dav_last(path),
        .path = path,
        .is_collection = info->is_directory,
        .may_write = dav->right == QN_RIGHT_WRITE,
        .size = info->size,
        .modified_ns = info->modified_ns,
        .created_ns = info->created_ns,
        .etag = qn_span_str(may_read ? info->etag : ""),
        .digest = qn_span(info->digest, may_read && info->has_digest ? sizeof(info->digest) : 0),
        .sha1 = qn_span(info->weak.sha1, shows_weak ? sizeof(info->weak.sha1) : 0),
        .md5 = qn_span(info->weak.md5, shows_weak ? sizeof(info->weak.md5) : 0),
        .has_quota = find->has_quota,
        .quota_used = find->used,
        .quota_free = find->free,
        .locks = path.size > 0 ? dav->dav->locks : NULL,
        .locks_href = DAV_PREFIX,
        .person = dav->person.name,
        .now_ms = dav_wall_ms(dav->dav),
    };
    find->dead.count = 0;
    if (path.size > 0 && may_read && qn_dav_ask_needs_dead(&find->ask)) {
        dav_dead_get(dav->dav, path, &find->row, &find->dead);
        resource.dead = &find->dead;
    }
    qn_dav_multistatus_resource(&find->out, &find->ask, &resource);
}

static void write_entry(struct dav_request *dav, const struct listed *entry)
{
    struct finding *find = dav->own;
    qn_buf_reset(&find->path);
    qn_buf_append_span(&find->path, qn_buf_view(&dav->path));
    if (dav->path.size > 0)
        qn_buf_append_str(&find->path, "/");
    qn_buf_append_span(&find->path,
                       qn_span(find->now.names.data + entry->name_at, entry->name_size));
    if (!find->path.is_over)
        write_resource(dav, &entry->info, qn_buf_view(&find->path), NULL);
}

/* ---- the way out ---- */

static void ask_for_part(struct dav_request *dav);

static bool send_some(struct dav_request *dav)
{
    struct finding *find = dav->own;
    size_t room = qn_web_room(dav->web), left = find->out.size - find->sent;
    size_t size = left < room ? left : room;
    if (size == 0)
        return false;
    qn_web_send(dav->web, qn_span(find->out.data + find->sent, size));
    find->sent += size;
    if (find->sent == find->out.size) {
        qn_buf_reset(&find->out);
        find->sent = 0;
    }
    return true;
}

/* The next part takes the place of one that is through. */
static void turn_page(struct finding *find)
{
    struct part through = find->now;
    find->now = find->ahead;
    find->ahead = through;
    find->ahead.entries.count = find->ahead.next = 0;
}

static void write_some(struct dav_request *dav)
{
    struct finding *find = dav->own;
    if (is_through(&find->now))
        turn_page(find);
    while (!is_through(&find->now) && find->out.size < OUT_LOW)
        write_entry(dav, &find->now.entries.items[find->now.next++]);
    if (!is_through(&find->now) || !is_through(&find->ahead) || !find->is_last || find->has_ended)
        return;
    qn_dav_multistatus_end(&find->out);
    find->has_ended = true;
}

static void finish(struct dav_request *dav)
{
    qn_web_finish(dav->web);
    free_finding(dav);
    dav->own = NULL;
    dav->free_own = NULL;
}

static void pump(struct dav_request *dav)
{
    struct finding *find = dav->own;
    do
        write_some(dav);
    while (send_some(dav));
    if (find->out.is_over) {
        qn_web_cut(dav->web);
        return;
    }
    if (find->may_ask && is_through(&find->ahead))
        ask_for_part(dav);
    if (find->has_ended && find->out.size == 0)
        finish(dav);
}

void dav_find_room(struct dav_request *dav)
{
    struct finding *find = dav->own;
    if (find && find->out.size > 0)
        pump(dav);
}

/* ---- the list of a directory ---- */

static void add_entry(struct part *part, const struct qn_entry_info *info)
{
    struct listed entry = {
        .info = *info, .name_at = part->names.size, .name_size = info->name.size};
    qn_buf_append_span(&part->names, info->name);
    qn_vec_push(&part->entries, entry);
}

static void keep_part(struct part *part, const struct qn_entry_info *entries, size_t count)
{
    part->entries.count = part->next = 0;
    qn_buf_reset(&part->names);
    for (size_t i = 0; i < count && i < PART_MAX; i++)
        add_entry(part, &entries[i]);
}

static void on_part(void *context, enum qn_err err, const struct qn_entry_info *entries,
                    size_t count, bool is_end)
{
    struct dav_request *dav = context;
    if (err != QN_OK || is_end) {
        if (!dav_resume(dav))
            return;
        ((struct finding *)dav->own)->list = NULL;
    } else if (!dav->web) {
        return; /* it was cancelled; the end comes */
    }
    struct finding *find = dav->own;
    if (err != QN_OK) {
        qn_web_cut(dav->web);
        return;
    }
    keep_part(&find->ahead, entries, count);
    find->may_ask = !is_end;
    find->is_last = is_end;
    pump(dav);
}

static void ask_for_part(struct dav_request *dav)
{
    struct finding *find = dav->own;
    find->may_ask = false;
    dav->folder->ops->more(find->list);
}

/* ---- the list of folders ---- */

static void add_folder(void *context, struct qn_span name)
{
    struct dav_request *dav = context;
    struct finding *find = dav->own;
    const struct qn_dav_options *options = &dav->dav->options;
    if (find->now.entries.count == QN_COLLECTIONS_MAX ||
        options->right(options->context, &dav->person, name) == QN_RIGHT_NONE)
        return;
    add_entry(&find->now, &(struct qn_entry_info){.is_directory = true, .name = name});
}

/* ---- the beginning ---- */

/* Times of folders are not looked at: some may be at a site that is down. Below "/" there is
 * "/dav/" only. */
static void write_members(struct dav_request *dav)
{
    struct finding *find = dav->own;
    const struct qn_serve_host *host = dav->dav->options.host;
    find->is_last = true;
    if (dav->is_server_root)
        write_resource(dav, &dav->info, qn_span(NULL, 0), DAV_PREFIX);
    else if (!dav->folder)
        host->each_folder(host->context, add_folder, dav);
    else
        find->is_last = false;
    if (find->is_last)
        return;
    find->list = dav->folder->ops->list(dav->folder, dav->inner, on_part, dav);
    dav_wait(dav, find->list);
}

static void write_own(struct dav_request *dav)
{
    struct finding *find = dav->own;
    if (find->lists && !dav_note_read(dav))
        return;
    struct qn_buf *head = dav_head(dav, 207, QN_HTTP_NO_LENGTH);
    dav_text_field(head, "Content-Type", QN_DAV_XML_TYPE);
    qn_web_head_end(dav->web);
    qn_dav_multistatus_start(&find->out);
    write_resource(dav, &dav->info, qn_buf_view(&dav->path), dav->is_server_root ? "/" : NULL);
    if (find->lists && dav->info.is_directory)
        write_members(dav);
    else
        find->is_last = true;
    pump(dav);
}

static void on_space(void *context, enum qn_err err, uint64_t used, uint64_t free)
{
    struct dav_request *dav = context;
    if (!dav_resume(dav))
        return;
    struct finding *find = dav->own;
    find->has_quota = err == QN_OK;
    find->used = used;
    find->free = free;
    write_own(dav);
}

static void init_finding(struct finding *find)
{
    qn_buf_init(&find->out, OUT_SIZE_MAX);
    qn_buf_init(&find->now.names, NAMES_MAX);
    qn_buf_init(&find->ahead.names, NAMES_MAX);
    qn_buf_init(&find->path, DAV_PATH_SIZE_MAX);
    qn_buf_init(&find->href, 4 * DAV_PATH_SIZE_MAX);
    qn_buf_init(&find->row, QN_LOCAL_ROW_SIZE_MAX);
}

/* Without a Depth it is all of the tree: that nobody gets. */
static bool read_depth(struct dav_request *dav)
{
    struct finding *find = dav->own;
    struct qn_span field = dav_field(dav, "Depth");
    enum qn_dav_depth depth = QN_DAV_DEPTH_INFINITY;
    if (field.size > 0 && qn_dav_depth_read(field, &depth) != QN_OK) {
        dav_refuse(dav, 400);
        return false;
    }
    find->lists = depth == QN_DAV_DEPTH_1;
    if (depth != QN_DAV_DEPTH_INFINITY)
        return true;
    dav_refuse_condition(dav, 403, "propfind-finite-depth", qn_span(NULL, 0));
    return false;
}

static void go(struct dav_request *dav)
{
    struct finding *find = dav->own;
    if (!dav->folder) {
        int64_t now_ns = (int64_t)dav_wall_ms(dav->dav) * 1000000;
        dav->info = (struct qn_entry_info){
            .is_directory = true, .modified_ns = now_ns, .created_ns = now_ns};
        dav->exists = true;
    }
    bool is_virtual = !dav->exists && qn_dav_name_is_virtual(dav->inner);
    if (!dav->exists && !is_virtual)
        dav_refuse(dav, 404);
    else if (dav->folder && (qn_dav_ask_has(&find->ask, QN_DAV_QUOTA_AVAILABLE) ||
                             qn_dav_ask_has(&find->ask, QN_DAV_QUOTA_USED)))
        dav_wait(dav, dav->folder->ops->space(dav->folder, on_space, dav));
    else
        write_own(dav);
}

static void before(struct dav_request *dav)
{
    struct finding *find = QN_NEW(struct finding);
    init_finding(find);
    dav->own = find;
    dav->free_own = free_finding;
    if (qn_dav_ask_read(dav->xml, &find->ask) != QN_OK)
        dav_refuse(dav, 400);
    else if (!read_depth(dav))
        return;
    else if (dav->folder)
        dav_judge(dav);
    else
        go(dav);
}

const struct dav_method dav_find = {.method = QN_HTTP_PROPFIND,
                                    .action = "list",
                                    .takes_xml = true,
                                    .value_depth = QN_DAV_PROPFIND_VALUES,
                                    .before = before,
                                    .go = go};
