/* The recovery kit as text; see docs/formats/ledger.md. People copy it by hand, so the reader
 * forgives what cannot change the meaning and the checksum finds the rest. */
#include "base/text.h"
#include "model/invitation.h"
#include "model/secret_buf.h"
#include "proto/pack.h"

#define KIT_SIZE_MAX   (16 * 1024)
#define CHECKSUM_SIZE  5 /* eight letters */
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
static enum qn_err parse_time(struct qn_span text, uint64_t *ret_seconds)
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

static void checksum(const struct qn_kit *kit, uint8_t ret_checksum[CHECKSUM_SIZE])
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
    memcpy(ret_checksum, digest.bytes, CHECKSUM_SIZE);
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
    uint8_t sum[CHECKSUM_SIZE];
    checksum(kit, sum);
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

/* ---- reading ---- */

struct reading {
    struct qn_kit kit;
    uint8_t checksum[CHECKSUM_SIZE];
};

static enum qn_err read_base32(struct qn_span value, uint8_t *out, size_t size)
{
    QN_AUTO_SECRET_BUF struct qn_buf bytes;
    qn_secret_buf_init(&bytes, size);
    if (qn_text_parse_base32(value, &bytes) != QN_OK || bytes.size != size)
        return QN_ERR_INVALID;
    memcpy(out, bytes.data, size);
    return QN_OK;
}

static enum qn_err read_name(struct qn_span value, char out[QN_NAME_SIZE_MAX + 1])
{
    if (value.size > QN_NAME_SIZE_MAX || !qn_text_is_printable(value))
        return QN_ERR_INVALID;
    if (value.size > 0)
        memcpy(out, value.data, value.size);
    out[value.size] = 0;
    return QN_OK;
}

static enum qn_err read_version(struct reading *reading, struct qn_span value)
{
    return qn_span_eq_str(value, "1") ? QN_OK : QN_ERR_UNSUPPORTED;
}

static enum qn_err read_site(struct reading *reading, struct qn_span value)
{
    return qn_text_is_name(value) ? read_name(value, reading->kit.site_name) : QN_ERR_INVALID;
}

static enum qn_err read_group(struct reading *reading, struct qn_span value)
{
    return read_name(value, reading->kit.group_name);
}

static enum qn_err read_identity(struct reading *reading, struct qn_span value)
{
    return read_base32(value, reading->kit.site.bytes, sizeof(reading->kit.site.bytes));
}

static enum qn_err read_group_id(struct reading *reading, struct qn_span value)
{
    if (value.size == 0)
        return QN_OK; /* not known yet: zero */
    return read_base32(value, reading->kit.group_prefix, sizeof(reading->kit.group_prefix));
}

static enum qn_err read_made(struct reading *reading, struct qn_span value)
{
    uint64_t seconds;
    QN_TRY(parse_time(value, &seconds));
    reading->kit.made_ms = seconds * 1000;
    return QN_OK;
}

static enum qn_err read_key(struct reading *reading, struct qn_span value)
{
    return read_base32(value, reading->kit.seed, sizeof(reading->kit.seed));
}

static enum qn_err read_checksum(struct reading *reading, struct qn_span value)
{
    return read_base32(value, reading->checksum, sizeof(reading->checksum));
}

static const struct {
    const char *key;
    enum qn_err (*read)(struct reading *reading, struct qn_span value);
} lines[] = {
    {"quoin recovery kit", read_version},
    {"site", read_site},
    {"group", read_group},
    {"identity", read_identity},
    {"group-id", read_group_id},
    {"made", read_made},
    {"key", read_key},
    {"checksum", read_checksum},
};

#define LINE_COUNT (sizeof(lines) / sizeof(lines[0]))

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct qn_span trim(struct qn_span text)
{
    while (text.size > 0 && is_blank(text.data[0]))
        text = qn_span(text.data + 1, text.size - 1);
    while (text.size > 0 && is_blank(text.data[text.size - 1]))
        text.size--;
    return text;
}

static bool equals_folded(struct qn_span text, const char *lower)
{
    if (text.size != strlen(lower))
        return false;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if ((c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c) != (uint8_t)lower[i])
            return false;
    }
    return true;
}

/* `seen` has a bit for each of `lines`; a key that is not known is passed over. */
static enum qn_err read_line(struct reading *reading, struct qn_span line, unsigned *seen)
{
    line = trim(line);
    if (line.size == 0 || line.data[0] == '#')
        return QN_OK;
    const uint8_t *colon = memchr(line.data, ':', line.size);
    if (colon == NULL)
        return QN_ERR_INVALID;
    size_t key_size = (size_t)(colon - line.data);
    struct qn_span key = trim(qn_span(line.data, key_size));
    struct qn_span value = trim(qn_span_from(line, key_size + 1));
    for (size_t i = 0; i < LINE_COUNT; i++) {
        if (!equals_folded(key, lines[i].key))
            continue;
        if ((*seen & 1u << i) != 0)
            return QN_ERR_INVALID;
        *seen |= 1u << i;
        return lines[i].read(reading, value);
    }
    return QN_OK;
}

static enum qn_err read_lines(struct reading *reading, struct qn_span text)
{
    unsigned seen = 0;
    while (text.size > 0) {
        const uint8_t *end = memchr(text.data, '\n', text.size);
        size_t size = end == NULL ? text.size : (size_t)(end - text.data);
        QN_TRY(read_line(reading, qn_span(text.data, size), &seen));
        text = qn_span_from(text, size + 1);
    }
    if (seen != (1u << LINE_COUNT) - 1)
        return QN_ERR_INVALID;
    uint8_t sum[CHECKSUM_SIZE];
    checksum(&reading->kit, sum);
    return memcmp(sum, reading->checksum, sizeof(sum)) == 0 ? QN_OK : QN_ERR_INVALID;
}

enum qn_err qn_kit_parse(struct qn_span text, struct qn_kit *ret_kit)
{
    static const char mark[] = "\xef\xbb\xbf"; /* editors put it before UTF-8 */
    if (text.size > KIT_SIZE_MAX)
        return QN_ERR_LIMIT;
    if (qn_span_has_prefix(text, qn_span_str(mark)))
        text = qn_span_from(text, strlen(mark));
    struct reading reading = {0};
    enum qn_err err = read_lines(&reading, text);
    if (err == QN_OK)
        *ret_kit = reading.kit;
    qn_wipe(&reading, sizeof(reading));
    return err;
}
