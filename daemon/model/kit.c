/* The recovery kit: its keys, and its text as it is written; see docs/formats/ledger.md. */
#include "base/text.h"
#include "model/kit_impl.h"
#include "model/secret_buf.h"
#include "proto/pack.h"

#define GROUP_LETTERS  5
#define STATEMENT_SIZE 512
#define YEAR_9999_S    253402300799u /* 9999-12-31T23:59:59Z */

static void derive(const uint8_t seed[QN_SEED_SIZE], const char *info, uint8_t ret[QN_SEED_SIZE])
{
    struct qn_span no_salt = {0};
    qn_hkdf(qn_span(seed, QN_SEED_SIZE), no_salt, info, ret, QN_SEED_SIZE);
}

enum qn_err qn_kit_signer(const uint8_t seed[QN_SEED_SIZE], struct qn_signer **ret_signer)
{
    uint8_t derived[QN_SEED_SIZE];
    derive(seed, "quoin recovery sign 1", derived);
    enum qn_err err = qn_signer_new(derived, ret_signer);
    qn_wipe(derived, sizeof(derived));
    return err;
}

void qn_kit_seal_seed(const uint8_t seed[QN_SEED_SIZE], uint8_t ret_seed[QN_SEED_SIZE])
{
    derive(seed, "quoin recovery seal 1", ret_seed);
}

enum qn_err qn_kit_keys(const uint8_t seed[QN_SEED_SIZE], struct qn_public_key *ret_sign,
                        struct qn_public_key *ret_seal)
{
    uint8_t derived[QN_SEED_SIZE];
    struct qn_public_key seal;
    struct qn_signer *signer = NULL;
    qn_kit_seal_seed(seed, derived);
    enum qn_err err = qn_x25519_public(derived, &seal);
    qn_wipe(derived, sizeof(derived));
    if (err == QN_OK)
        err = qn_kit_signer(seed, &signer);
    if (err != QN_OK)
        return err;
    *ret_seal = seal;
    *ret_sign = *qn_signer_public(signer);
    qn_signer_free(signer);
    return QN_OK;
}

/* ---- dates of the proleptic Gregorian calendar (Hinnant, "chrono-compatible low-level date
 * algorithms", days_from_civil and civil_from_days), from 1970 on ---- */

struct date {
    unsigned year, month, day;
};

static uint64_t days_of(struct date date)
{
    unsigned year = date.month <= 2 ? date.year - 1 : date.year;
    unsigned era = year / 400, year_of_era = year % 400;
    unsigned month_from_march = date.month > 2 ? date.month - 3 : date.month + 9;
    unsigned day_of_year = (153 * month_from_march + 2) / 5 + date.day - 1;
    unsigned day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return (uint64_t)era * 146097 + day_of_era - 719468;
}

static struct date date_of(uint64_t days)
{
    uint64_t shifted = days + 719468;
    unsigned era = (unsigned)(shifted / 146097), day_of_era = (unsigned)(shifted % 146097);
    unsigned year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned month_from_march = (5 * day_of_year + 2) / 153;
    unsigned month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    return (struct date){
        .year = year_of_era + era * 400 + (month <= 2),
        .month = month,
        .day = day_of_year - (153 * month_from_march + 2) / 5 + 1,
    };
}

static void print_time(uint64_t seconds, struct qn_buf *out)
{
    struct date date = date_of(seconds / 86400);
    unsigned rest = (unsigned)(seconds % 86400);
    qn_buf_printf(out, "%04u-%02u-%02uT%02u:%02u:%02uZ", date.year, date.month, date.day,
                  rest / 3600, rest / 60 % 60, rest % 60);
}

/* Digits where the pattern has '0', that letter in either case elsewhere. */
static bool fits_pattern(struct qn_span text, const char *pattern)
{
    if (text.size != strlen(pattern))
        return false;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        uint8_t wanted = (uint8_t)pattern[i];
        bool is_digit = c >= '0' && c <= '9';
        bool is_letter = wanted >= 'A' && wanted <= 'Z';
        if (wanted == '0' ? !is_digit : c != wanted && !(is_letter && c == (wanted | 0x20)))
            return false;
    }
    return true;
}

static unsigned number(struct qn_span text, size_t at, size_t size)
{
    unsigned value = 0;
    for (size_t i = at; i < at + size; i++)
        value = value * 10 + (unsigned)(text.data[i] - '0');
    return value;
}

/* Only what print_time writes: the date is printed again and compared. */
enum qn_err qn_kit_parse_time(struct qn_span text, uint64_t *ret_seconds)
{
    if (!fits_pattern(text, "0000-00-00T00:00:00Z"))
        return QN_ERR_INVALID;
    struct date date = {number(text, 0, 4), number(text, 5, 2), number(text, 8, 2)};
    unsigned hour = number(text, 11, 2), minute = number(text, 14, 2), second = number(text, 17, 2);
    if (date.year < 1970 || date.month < 1 || date.month > 12 || date.day < 1 || date.day > 31)
        return QN_ERR_INVALID;
    struct date again = date_of(days_of(date));
    if (again.month != date.month || hour > 23 || minute > 59 || second > 59)
        return QN_ERR_INVALID;
    *ret_seconds = days_of(date) * 86400 + hour * 3600 + minute * 60 + second;
    return QN_OK;
}

/* ---- the checksum ---- */

static void pack_folded(struct qn_buf *out, const char *name)
{
    char folded[QN_NAME_SIZE_MAX + 1];
    size_t size = strlen(name);
    for (size_t i = 0; i < size; i++)
        folded[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] | 0x20) : name[i];
    qn_pack_str(out, qn_span(folded, size));
}

static uint64_t made_seconds(const struct qn_kit *kit)
{
    uint64_t seconds = kit->made_ms / 1000;
    return seconds < YEAR_9999_S ? seconds : YEAR_9999_S;
}

void qn_kit_checksum(const struct qn_kit *kit, uint8_t ret_checksum[QN_KIT_CHECKSUM_SIZE])
{
    QN_AUTO_SECRET_BUF struct qn_buf values;
    qn_secret_buf_init(&values, STATEMENT_SIZE);
    qn_pack_array(&values, 6);
    pack_folded(&values, kit->site_name);
    pack_folded(&values, kit->group_name);
    qn_pack_bin(&values, QN_SPAN_OF(kit->site.bytes));
    qn_pack_bin(&values, QN_SPAN_OF(kit->group_prefix));
    qn_pack_u64(&values, made_seconds(kit));
    qn_pack_bin(&values, QN_SPAN_OF(kit->seed));
    static const char domain[] = "quoin kit 1";
    struct qn_digest digest;
    QN_DIGEST(&digest, qn_span(domain, sizeof(domain)), qn_buf_view(&values));
    memcpy(ret_checksum, digest.bytes, QN_KIT_CHECKSUM_SIZE);
}

/* ---- writing ---- */

static const char explanation[] =
    "# Quoin recovery kit. Print it, lock it away, keep no copy on this machine.\n"
    "# With it and one other site of the group, an empty machine becomes this site\n"
    "# again: syncctl recover --kit FILE --from HOST:PORT. Whoever holds it can act\n"
    "# as this site and read its backups.\n"
    "#\n"
    "# Trousse de secours Quoin. À imprimer et à mettre sous clé, sans copie sur cette\n"
    "# machine. Avec elle et un autre site du groupe, une machine vide redevient ce\n"
    "# site : syncctl recover --kit FICHIER --from HÔTE:PORT. Qui la détient peut agir\n"
    "# au nom de ce site et lire ses sauvegardes.\n"
    "\n";

static bool has_group(const struct qn_kit *kit)
{
    static const uint8_t nothing[QN_GROUP_PREFIX_SIZE] = {0};
    return memcmp(kit->group_prefix, nothing, sizeof(nothing)) != 0;
}

void qn_kit_print(const struct qn_kit *kit, struct qn_buf *out)
{
    uint8_t sum[QN_KIT_CHECKSUM_SIZE];
    qn_kit_checksum(kit, sum);
    qn_buf_append_str(out, explanation);
    qn_buf_printf(out, "Quoin recovery kit: 1\nsite: %s\ngroup: %s\nidentity: ", kit->site_name,
                  kit->group_name);
    qn_site_id_print(&kit->site, out);
    qn_buf_append_str(out, "\ngroup-id: ");
    if (has_group(kit))
        qn_text_append_base32(out, QN_SPAN_OF(kit->group_prefix), GROUP_LETTERS);
    qn_buf_append_str(out, "\nmade: ");
    print_time(made_seconds(kit), out);
    qn_buf_append_str(out, "\nkey: ");
    qn_text_append_base32(out, QN_SPAN_OF(kit->seed), GROUP_LETTERS);
    qn_buf_append_str(out, "\nchecksum: ");
    qn_text_append_base32(out, QN_SPAN_OF(sum), GROUP_LETTERS);
    qn_buf_append_str(out, "\n");
}
