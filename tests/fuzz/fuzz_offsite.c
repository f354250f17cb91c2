/* A holder that says anything: messages of its side of docs/protocol.md 10 with names that the
 * owner knows and others, mixed into an exchange that goes well, with cuts and failed commits
 * between. The owner stays within its bounds; and once the holder is honest, everything comes
 * right. */
#include <string.h>

#include "support/fuzz.h"
#include "support/offsite_rig.h"

struct input {
    const uint8_t *data;
    size_t size;
};

static uint8_t next(struct input *input)
{
    if (input->size == 0)
        return 0;
    input->size--;
    return *input->data++;
}

/* A pack or a list of the owner, or nobody's. */
static struct qn_digest some_name(struct offsite_rig *rig, struct input *input)
{
    struct qn_digest name = {{next(input)}};
    uint8_t which = next(input);
    if (which < 160 && rig->pack_count > 0)
        name = rig->packs[which % rig->pack_count].name;
    else if (which < 200 && rig->lists.count > 0)
        name = rig->lists.items[which % rig->lists.count].id;
    else if (which < 220)
        name = offsite_rig_state(rig)->lists.id;
    return name;
}

static uint64_t some_number(struct input *input)
{
    static const uint64_t numbers[] = {
        0, 1, 2, 3, 4, 4096, 10240, UINT32_MAX, 1u << 20, UINT64_MAX, 65536, UINT64_MAX / 2};
    uint8_t which = next(input);
    return which < 128 ? which : numbers[which % (sizeof(numbers) / sizeof(numbers[0]))];
}

static void pack_name(struct offsite_rig *rig, struct input *input, struct qn_buf *out)
{
    struct qn_digest name = some_name(rig, input);
    qn_pack_bin(out, qn_digest_view(&name));
}

static void pack_names(struct offsite_rig *rig, struct input *input, struct qn_buf *out)
{
    QN_AUTO_BUF struct qn_buf names;
    size_t count = next(input) % 6;
    qn_buf_init(&names, 1024);
    for (size_t i = 0; i < count; i++) {
        struct qn_digest name = some_name(rig, input);
        qn_buf_append_span(&names, qn_digest_view(&name));
    }
    qn_buf_append(&names, "x", next(input) == 1);
    qn_pack_bin(out, qn_buf_view(&names));
}

static void pack_code(struct input *input, struct qn_buf *out)
{
    static const char *const codes[] = {"missing", "base", "quota", "later", "bad", "?"};
    uint8_t which = next(input);
    if (which < 100)
        qn_pack_nil(out);
    else
        qn_pack_cstr(out, codes[which % 6]);
}

static void pack_offered(struct offsite_rig *rig, struct input *input, struct qn_buf *out)
{
    size_t count = next(input) % 4;
    qn_pack_array(out, 3 * count);
    for (size_t i = 0; i < count; i++) {
        pack_name(rig, input, out);
        qn_pack_u64(out, next(input) % 8);
        qn_pack_u64(out, some_number(input));
    }
}

/* The fields in their order: n name, N names, u number, b bool, c code, o offers. */
static void pack_fields(struct offsite_rig *rig, struct input *input, const char *fields,
                        struct qn_buf *out)
{
    for (; *fields != 0; fields++) {
        if (*fields == 'n')
            pack_name(rig, input, out);
        else if (*fields == 'N')
            pack_names(rig, input, out);
        else if (*fields == 'u')
            qn_pack_u64(out, some_number(input));
        else if (*fields == 'b')
            qn_pack_bool(out, next(input) % 2 == 0);
        else if (*fields == 'c')
            pack_code(input, out);
        else
            pack_offered(rig, input, out);
    }
}

static void say_anything(struct offsite_rig *rig, struct input *input)
{
    static const struct {
        enum qn_message number;
        const char *fields;
    } messages[] = {
        {QN_MSG_VAULT_STATE, "bbuuuuuu"},
        {QN_MSG_NAMES, "ubN"},
        {QN_MSG_PACK_OFFERED, "o"},
        {QN_MSG_PACK_ACK, "nubu"},
        {QN_MSG_LIST_ACK, "ncuN"},
        {QN_MSG_LIST_FORGOT, "N"},
        {QN_MSG_PROOF, "ucn"},
        {QN_MSG_KEY_ACK, "u"},
        {QN_MSG_VAULT_REFUSED, "c"},
        {QN_MSG_PACK_BAD, "N"},
    };
    uint8_t which = next(input) % (sizeof(messages) / sizeof(messages[0]));
    struct qn_buf out;
    rig_message(&out, messages[which].number, strlen(messages[which].fields));
    pack_fields(rig, input, messages[which].fields, &out);
    offsite_rig_say(rig, &out);
}

static void say_bytes(struct offsite_rig *rig, struct input *input)
{
    struct qn_buf out;
    size_t size = next(input) % 40;
    qn_buf_init(&out, 64);
    for (size_t i = 0; i < size; i++)
        qn_buf_append_u8(&out, next(input));
    offsite_rig_say(rig, &out);
}

static void check(struct offsite_rig *rig)
{
    const struct offsite *offsite = offsite_rig_state(rig);
    struct qn_copy copy = offsite_rig_copy(rig);
    FUZZ_CHECK(offsite->files <= FILE_WORK_MAX);
    FUZZ_CHECK(offsite->packs.queue.count <= OFFERS_AHEAD + OFFERS_LOW);
    FUZZ_CHECK(offsite->packs.inflight <= BULK_WINDOW_MAX);
    FUZZ_CHECK(copy.own_packs <= rig->pack_count && copy.own_packs <= copy.packs);
    uint64_t inflight = 0;
    qn_vec_each (&offsite->packs.flights, flight)
        inflight += flight->size;
    FUZZ_CHECK(inflight == offsite->packs.inflight);
}

static void act(struct offsite_rig *rig, struct input *input)
{
    uint8_t what = next(input);
    if (what < 140)
        for (uint8_t units = what % 16; units > 0 && offsite_rig_unit(rig); units--)
            ;
    else if (what < 200 && rig->is_up)
        say_anything(rig, input);
    else if (what < 205 && rig->is_up)
        say_bytes(rig, input);
    else if (what < 215)
        rig_wait(&rig->rig, some_number(input) % 1000000);
    else if (what < 220 && rig->rig.intents.count > 0)
        rig_fail_commit(&rig->rig, QN_ERR_NOSPACE);
    else if (what < 225)
        offsite_rig_cut(rig);
    else if (!rig->is_up)
        offsite_rig_up(rig);
}

/* Whatever was believed is corrected when the two compare; what was put off is tried again. */
static void check_recovery(struct offsite_rig *rig)
{
    rig->lies = (struct holder_lies){.is_mad = true};
    for (int i = 0; i < 3 && !offsite_rig_is_complete(rig, 0); i++) {
        offsite_rig_cut(rig);
        FUZZ_CHECK(offsite_rig_run(rig, 100000, 0));
        offsite_rig_up(rig);
        FUZZ_CHECK(offsite_rig_run(rig, 100000, FULL_MS + 1000));
    }
    FUZZ_CHECK(offsite_rig_is_complete(rig, 0));
    offsite_rig_cut(rig);
    FUZZ_CHECK(offsite_rig_run(rig, 100000, 0));
    offsite_rig_up(rig); /* complete, but by the book: is it there? */
    FUZZ_CHECK(offsite_rig_run(rig, 100000, FULL_MS + 1000));
    FUZZ_CHECK(offsite_rig_is_complete(rig, 0) && rig->lists.count > 0);
    for (size_t i = 0; i < rig->pack_count; i++)
        FUZZ_CHECK(offsite_rig_holds(rig, &rig->packs[i].name));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct offsite_rig rig;
    struct input input = {data, size};
    offsite_rig_init(&rig);
    rig.lies.is_mad = true;
    offsite_rig_backup(&rig, 3, 20 * 1024, true);
    offsite_rig_up(&rig);
    while (input.size > 0) {
        act(&rig, &input);
        check(&rig);
    }
    check_recovery(&rig);
    offsite_rig_deinit(&rig);
    return 0;
}
