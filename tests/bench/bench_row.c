/* What is stored of a record beside its values: 8 fields, edited in turn at 10 sites within a year,
 * by as many people, each site at its 100,000th operation or so. One line of JSON.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/prng.h"
#include "model/row.h"
#include "proto/pack.h"
#include "support/memkv.h"

#define FIELDS  8
#define SITES   10
#define YEAR_MS ((uint64_t)365 * 24 * 3600 * 1000)
#define START   ((uint64_t)1700000000000)
#define AT_MOST 128

static const char *const fields[FIELDS] = {"chambre", "entree", "medecin",   "naissance",
                                           "nom",     "prenom", "telephone", "transmissions"};

static void must(enum qn_err err)
{
    if (err == QN_OK)
        return;
    fprintf(stderr, "bench_row: %s\n", qn_err_name(err));
    exit(1);
}

/* As by an edit of that field at that site: the pair of the edit before goes. */
static void edit(struct qn_record *record, struct qn_prng *prng, size_t site, size_t number,
                 struct qn_span value)
{
    static char users[SITES][16];
    struct qn_span name = qn_span_str(fields[number / SITES]);
    const struct qn_field *field = qn_record_field(record, name);
    uint64_t ms = START + YEAR_MS * number / (SITES * FIELDS) + qn_prng_below(prng, 1000);
    struct qn_pair pair = {
        .dot.ctr = 100000 + qn_prng_below(prng, 10000), .hlc = ms << 16, .value = value};
    memset(pair.dot.actor.bytes, (int)site + 1, sizeof(pair.dot.actor.bytes));
    snprintf(users[site], sizeof(users[site]), "user%zu", site);
    pair.user = qn_span_str(users[site]);
    if (field != NULL) {
        struct qn_dot before = field->pairs.items[0].dot;
        qn_record_remove(record, name, &before);
    }
    qn_record_add(record, name, &pair);
}

int main(void)
{
    struct memkv *store = memkv_new();
    struct qn_prng prng = {1};
    struct qn_record record = {0};
    struct qn_dict dict;
    struct qn_buf value, row;
    struct qn_row_head head = {.state = QN_RECORD_LIVE};
    qn_buf_init(&value, 64);
    qn_buf_init(&row, 4096);
    qn_pack_cstr(&value, "a value of 28 bytes, so say");
    qn_dict_init(&dict, memkv_begin(store), true);
    for (size_t i = 0; i < SITES * FIELDS; i++) /* each field by each site, last by another one */
        edit(&record, &prng, (3 * i + i / SITES) % SITES, i, qn_buf_view(&value));
    must(qn_row_encode(&dict, &head, &record, &row));
    size_t metadata = row.size - FIELDS * value.size;
    printf("{\"bench\": \"row\", \"fields\": %d, \"sites\": %d, \"row\": %zu, \"values\": %zu, "
           "\"metadata\": %zu, \"at_most\": %d, \"is_met\": %s}\n",
           FIELDS, SITES, row.size, FIELDS * value.size, metadata, AT_MOST,
           metadata <= AT_MOST ? "true" : "false");
    qn_record_deinit(&record);
    qn_dict_deinit(&dict);
    qn_buf_deinit(&row);
    qn_buf_deinit(&value);
    memkv_abort(store);
    memkv_free(store);
    return metadata <= AT_MOST ? 0 : 1;
}
