#include "app/mail_book.h"

#include <string.h>

#include "proto/cursor.h"
#include "proto/pack.h"

#define VERSION      1
#define HOUR_MS      ((uint64_t)3600 * 1000)
#define ENTRY_FIELDS 5

void qn_mail_book_deinit(struct qn_mail_book *book)
{
    qn_vec_free(&book->entries);
}

void qn_mail_plan_deinit(struct qn_mail_plan *plan)
{
    qn_vec_free(&plan->fresh);
    qn_vec_free(&plan->again);
    qn_vec_free(&plan->known);
}

/* ---- the entries ---- */

static bool is_told(const struct qn_alert *alert)
{
    return strcmp(alert->severity, "hint") != 0 && strcmp(alert->code, "mail-failed") != 0;
}

/* A line that is down for a while is no news. */
static uint64_t wait_ms(const char *code)
{
    static const char *const patient[] = {"site-offline", "site-never-seen", "clock-skew",
                                          "joining"};
    for (size_t i = 0; i < sizeof(patient) / sizeof(patient[0]); i++)
        if (strcmp(code, patient[i]) == 0)
            return HOUR_MS;
    return 0;
}

static struct qn_mail_entry *find(struct qn_mail_book *book, const struct qn_alert *alert)
{
    qn_vec_each (&book->entries, entry)
        if (strcmp(entry->code, alert->code) == 0 && strcmp(entry->object, alert->object) == 0)
            return entry;
    return NULL;
}

static struct qn_mail_entry *add(struct qn_mail_book *book, const struct qn_alert *alert,
                                 uint64_t now_ms)
{
    if (book->entries.count == QN_MAIL_ALERTS_MAX)
        return NULL;
    struct qn_mail_entry *entry = qn_vec_push_slot(&book->entries);
    *entry = (struct qn_mail_entry){.since_ms = now_ms};
    strncpy(entry->code, alert->code, sizeof(entry->code) - 1);
    memcpy(entry->object, alert->object, sizeof(entry->object));
    return entry;
}

/* A clock that was set back makes nothing wait for longer. */
static void not_after(uint64_t *time_ms, uint64_t now_ms)
{
    if (*time_ms > now_ms)
        *time_ms = now_ms;
}

static void forget_gone(struct qn_mail_book *book, uint64_t now_ms)
{
    for (size_t i = book->entries.count; i-- > 0;) {
        const struct qn_mail_entry *entry = &book->entries.items[i];
        bool is_calm = entry->told_ms == 0 || now_ms >= entry->gone_ms + QN_MAIL_CALM_MS;
        if (entry->gone_ms != 0 && is_calm)
            qn_vec_remove(&book->entries, i);
    }
}

static void mark(struct qn_mail_book *book, const struct qn_alert *alerts, size_t count,
                 uint64_t now_ms)
{
    qn_vec_each (&book->entries, entry) {
        not_after(&entry->since_ms, now_ms);
        not_after(&entry->told_ms, now_ms);
        not_after(&entry->gone_ms, now_ms);
        if (entry->gone_ms == 0)
            entry->gone_ms = now_ms; /* unless it is found below */
    }
    for (size_t i = 0; i < count; i++) {
        struct qn_mail_entry *entry = is_told(&alerts[i]) ? find(book, &alerts[i]) : NULL;
        if (entry == NULL && is_told(&alerts[i]))
            entry = add(book, &alerts[i], now_ms);
        if (entry != NULL)
            entry->gone_ms = 0;
    }
    forget_gone(book, now_ms);
}

/* ---- the rate ---- */

/* A bucket of QN_MAIL_BURST mails that fills by one in QN_MAIL_EVERY_MS, seen as time. */
static uint64_t used_ms(const struct qn_mail_book *book, uint64_t now_ms)
{
    uint64_t passed = now_ms > book->tokens_at_ms ? now_ms - book->tokens_at_ms : 0;
    return book->tokens_ms > passed ? book->tokens_ms - passed : 0;
}

static bool has_room(const struct qn_mail_book *book, uint64_t now_ms)
{
    return used_ms(book, now_ms) <= (QN_MAIL_BURST - 1) * QN_MAIL_EVERY_MS;
}

/* ---- the plan ---- */

static void sort_in(struct qn_mail_book *book, const struct qn_alert *alerts, size_t i,
                    uint64_t now_ms, uint64_t remind_ms, struct qn_mail_plan *plan)
{
    const struct qn_mail_entry *entry = is_told(&alerts[i]) ? find(book, &alerts[i]) : NULL;
    if (entry == NULL)
        return;
    if (entry->told_ms == 0) {
        if (now_ms >= entry->since_ms + wait_ms(entry->code))
            qn_vec_push(&plan->fresh, i);
    } else if (now_ms >= entry->told_ms + remind_ms) {
        qn_vec_push(&plan->again, i);
    } else {
        qn_vec_push(&plan->known, i);
    }
}

static bool has_told(const struct qn_mail_book *book)
{
    qn_vec_each (&book->entries, entry)
        if (entry->told_ms != 0)
            return true;
    return false;
}

void qn_mail_book_look(struct qn_mail_book *book, const struct qn_alert *alerts, size_t count,
                       uint64_t now_ms, uint64_t remind_ms, struct qn_mail_plan *ret_plan)
{
    *ret_plan = (struct qn_mail_plan){0};
    not_after(&book->tokens_at_ms, now_ms);
    mark(book, alerts, count, now_ms);
    for (size_t i = 0; i < count; i++)
        sort_in(book, alerts, i, now_ms, remind_ms, ret_plan);
    ret_plan->is_calm = book->owes_calm && !has_told(book) && ret_plan->fresh.count == 0;
    bool has_news = ret_plan->fresh.count + ret_plan->again.count > 0;
    ret_plan->is_due = (has_news || ret_plan->is_calm) && has_room(book, now_ms);
}

static void tell(struct qn_mail_book *book, const struct qn_alert *alert, uint64_t now_ms)
{
    struct qn_mail_entry *entry = find(book, alert);
    if (entry != NULL)
        entry->told_ms = now_ms;
}

void qn_mail_book_sent(struct qn_mail_book *book, const struct qn_alert *alerts,
                       const struct qn_mail_plan *plan, uint64_t now_ms)
{
    qn_vec_each (&plan->fresh, i)
        tell(book, &alerts[*i], now_ms);
    qn_vec_each (&plan->again, i)
        tell(book, &alerts[*i], now_ms);
    book->owes_calm = !plan->is_calm;
    book->tokens_ms = used_ms(book, now_ms) + QN_MAIL_EVERY_MS;
    book->tokens_at_ms = now_ms;
}

/* ---- as it is stored ---- */

void qn_mail_book_pack(const struct qn_mail_book *book, struct qn_buf *out)
{
    qn_pack_array(out, 5);
    qn_pack_u64(out, VERSION);
    qn_pack_bool(out, book->owes_calm);
    qn_pack_u64(out, book->tokens_ms);
    qn_pack_u64(out, book->tokens_at_ms);
    qn_pack_array(out, book->entries.count);
    qn_vec_each (&book->entries, entry) {
        qn_pack_array(out, ENTRY_FIELDS);
        qn_pack_cstr(out, entry->code);
        qn_pack_bin(out, qn_span_str(entry->object));
        qn_pack_u64(out, entry->since_ms);
        qn_pack_u64(out, entry->told_ms);
        qn_pack_u64(out, entry->gone_ms);
    }
}

static enum qn_err unpack_entry(struct qn_cursor *cursor, struct qn_mail_entry *entry)
{
    struct qn_span code, object;
    size_t fields;
    QN_TRY(qn_cursor_array(cursor, ENTRY_FIELDS, &fields));
    if (fields != ENTRY_FIELDS)
        return QN_ERR_INVALID;
    QN_TRY(qn_cursor_str(cursor, sizeof(entry->code) - 1, &code));
    QN_TRY(qn_cursor_bin(cursor, sizeof(entry->object) - 1, &object));
    memcpy(entry->code, code.data, code.size);
    memcpy(entry->object, object.data, object.size);
    QN_TRY(qn_cursor_u64(cursor, &entry->since_ms));
    QN_TRY(qn_cursor_u64(cursor, &entry->told_ms));
    return qn_cursor_u64(cursor, &entry->gone_ms);
}

static enum qn_err unpack(struct qn_cursor *cursor, struct qn_mail_book *book)
{
    uint64_t version;
    size_t count;
    QN_TRY(qn_cursor_array(cursor, 5, &count));
    QN_TRY(qn_cursor_u64(cursor, &version));
    if (count != 5 || version != VERSION)
        return QN_ERR_INVALID;
    QN_TRY(qn_cursor_bool(cursor, &book->owes_calm));
    QN_TRY(qn_cursor_u64(cursor, &book->tokens_ms));
    QN_TRY(qn_cursor_u64(cursor, &book->tokens_at_ms));
    if (book->tokens_ms > (QN_MAIL_BURST + 1) * QN_MAIL_EVERY_MS)
        return QN_ERR_INVALID;
    QN_TRY(qn_cursor_array(cursor, QN_MAIL_ALERTS_MAX, &count));
    for (size_t i = 0; i < count; i++) {
        struct qn_mail_entry *entry = qn_vec_push_slot(&book->entries);
        *entry = (struct qn_mail_entry){0};
        QN_TRY(unpack_entry(cursor, entry));
    }
    return qn_cursor_finish(cursor);
}

enum qn_err qn_mail_book_unpack(struct qn_span packed, struct qn_mail_book *ret_book)
{
    struct qn_cursor cursor = qn_cursor(packed);
    struct qn_mail_book book = {0};
    enum qn_err err = unpack(&cursor, &book);
    if (err != QN_OK)
        qn_mail_book_deinit(&book);
    *ret_book = err == QN_OK ? book : (struct qn_mail_book){0};
    return err;
}
