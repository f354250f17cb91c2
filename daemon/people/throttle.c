#include "people/throttle.h"

#include "base/buf.h"
#include "base/vec.h"
#include "crypto/digest.h"

#define DAY_MS             ((uint64_t)24 * 3600 * 1000)
#define NOBODY_SLOTS       1024 /* of names that nobody has */
#define TABLE_SETS         1024 /* of sources, and of accounts with a source */
#define TABLE_WAYS         4
#define KNOWN_MAX          8 /* sources that an account remembers */
#define FREE_FAILURES      3 /* typing errors that do not wait */
#define FRESH_GUESSES      3 /* after a reset */
#define DELAY_FIRST_MS     1000
#define KNOWN_DELAY_MAX_MS (60 * 1000)

/* `burst` at once, then one each `interval_ms`; failures wait up to `delay_max_ms`. */
struct pace {
    uint64_t interval_ms, burst, delay_max_ms;
};
static const struct pace pace_strangers = {DAY_MS / 50, 10, 0};
static const struct pace pace_known = {DAY_MS / 20, 20, KNOWN_DELAY_MAX_MS};
static const struct pace pace_pair = {DAY_MS / 5, 5, QN_THROTTLE_DELAY_MAX_MS};
static const struct pace pace_source = {60 * 1000, 20, QN_THROTTLE_DELAY_MAX_MS};
_Static_assert(50 + 10 + 20 + 20 <= QN_THROTTLE_DAY_MAX, "both shares of an account in a day");

struct lane {
    uint64_t due_ms; /* when it is empty again */
    uint64_t not_before_ms;
    unsigned failures;
};

struct place {
    uint64_t tag; /* 0: free */
    uint64_t seen_ms;
    struct lane lane;
};

struct table {
    struct place places[TABLE_SETS][TABLE_WAYS];
};

struct known {
    struct qn_source source;
    uint64_t seen_ms;
};

struct account {
    uint64_t tag, seen_ms;
    struct lane strangers, known;
    struct known devices[KNOWN_MAX];
    size_t device_count;
    unsigned fresh; /* guesses after a reset, wherever they come from */
};

struct qn_throttle {
    uint8_t key[QN_THROTTLE_KEY_SIZE];
    QN_VEC(struct account) accounts; /* at most QN_PEOPLE_MAX */
    struct account nobody[NOBODY_SLOTS];
    struct table sources, pairs;
};

/* ---- lanes ---- */

static uint64_t wait_of(const struct lane *lane, const struct pace *pace, uint64_t now_ms)
{
    uint64_t room_ms = (pace->burst - 1) * pace->interval_ms, wait = 0;
    if (lane->due_ms > now_ms + room_ms)
        wait = lane->due_ms - now_ms - room_ms;
    if (lane->not_before_ms > now_ms && lane->not_before_ms - now_ms > wait)
        wait = lane->not_before_ms - now_ms;
    return wait;
}

static uint64_t delay_after(unsigned failures, uint64_t max_ms)
{
    if (failures <= FREE_FAILURES)
        return 0;
    unsigned doublings = failures - FREE_FAILURES - 1;
    uint64_t delay_ms = doublings >= 20 ? max_ms : (uint64_t)DELAY_FIRST_MS << doublings;
    return delay_ms < max_ms ? delay_ms : max_ms;
}

static void take(struct lane *lane, const struct pace *pace, uint64_t now_ms)
{
    lane->due_ms = (lane->due_ms > now_ms ? lane->due_ms : now_ms) + pace->interval_ms;
    lane->failures += lane->failures < 1000;
    lane->not_before_ms = now_ms + delay_after(lane->failures, pace->delay_max_ms);
}

static void give_back(struct lane *lane, const struct pace *pace, bool is_right)
{
    lane->due_ms = lane->due_ms > pace->interval_ms ? lane->due_ms - pace->interval_ms : 0;
    lane->not_before_ms = 0;
    lane->failures = is_right || lane->failures == 0 ? 0 : lane->failures - 1;
}

/* ---- places ---- */

void qn_source_of(const uint8_t address[16], struct qn_source *ret_source)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    *ret_source = (struct qn_source){0};
    bool is_four = memcmp(address, mapped, sizeof(mapped)) == 0;
    memcpy(ret_source->bytes, address, is_four ? 16 : 8);
}

static uint64_t tag_of(const struct qn_throttle *throttle, struct qn_span a, struct qn_span b)
{
    struct qn_digest mac;
    QN_AUTO_BUF struct qn_buf text;
    qn_buf_init(&text, 4096);
    qn_buf_append_u32(&text, (uint32_t)a.size);
    qn_buf_append_span(&text, a);
    qn_buf_append_span(&text, b);
    qn_hmac(QN_SPAN_OF(throttle->key), qn_buf_view(&text), &mac);
    return qn_read_u64(mac.bytes) | 1;
}

/* A place of that tag, or that of the one in its set that was longest not seen. */
static struct lane *lane_in(struct table *table, uint64_t tag, uint64_t now_ms)
{
    struct place *set = table->places[(tag >> 32) % TABLE_SETS], *oldest = set;
    for (size_t i = 0; i < TABLE_WAYS; i++) {
        if (set[i].tag == tag) {
            set[i].seen_ms = now_ms;
            return &set[i].lane;
        }
        if (oldest->tag != 0 && (set[i].tag == 0 || set[i].seen_ms < oldest->seen_ms))
            oldest = &set[i];
    }
    *oldest = (struct place){.tag = tag, .seen_ms = now_ms};
    return &oldest->lane;
}

static struct account *new_account(struct qn_throttle *throttle, uint64_t tag)
{
    struct account *oldest = throttle->accounts.items;
    if (throttle->accounts.count < QN_PEOPLE_MAX) {
        oldest = qn_vec_push_slot(&throttle->accounts);
    } else { /* of people that were removed since */
        qn_vec_each (&throttle->accounts, account)
            if (account->seen_ms < oldest->seen_ms)
                oldest = account;
    }
    *oldest = (struct account){.tag = tag};
    return oldest;
}

static struct account *account_of(struct qn_throttle *throttle, const struct qn_guess *guess,
                                  uint64_t now_ms)
{
    uint64_t tag = tag_of(throttle, guess->name, qn_span(NULL, 0));
    if (!guess->is_account)
        return &throttle->nobody[(tag >> 32) % NOBODY_SLOTS];
    struct account *found = NULL;
    qn_vec_each (&throttle->accounts, account)
        if (account->tag == tag)
            found = account;
    if (found == NULL)
        found = new_account(throttle, tag);
    found->seen_ms = now_ms;
    return found;
}

static struct known *device_of(struct account *account, const struct qn_source *source)
{
    for (size_t i = 0; i < account->device_count; i++)
        if (memcmp(&account->devices[i].source, source, sizeof(*source)) == 0)
            return &account->devices[i];
    return NULL;
}

static void remember_device(struct account *account, const struct qn_source *source,
                            uint64_t now_ms)
{
    struct known *device = device_of(account, source);
    if (device == NULL && account->device_count < KNOWN_MAX) {
        device = &account->devices[account->device_count++];
    } else if (device == NULL) {
        device = account->devices;
        for (size_t i = 1; i < KNOWN_MAX; i++)
            if (account->devices[i].seen_ms < device->seen_ms)
                device = &account->devices[i];
    }
    *device = (struct known){.source = *source, .seen_ms = now_ms};
}

/* ---- a guess ---- */

struct lanes {
    struct lane *lane[3];
    const struct pace *pace[3];
    size_t count;
};

static void add_lane(struct lanes *lanes, struct lane *lane, const struct pace *pace)
{
    lanes->lane[lanes->count] = lane;
    lanes->pace[lanes->count++] = pace;
}

static bool is_known(struct account *account, const struct qn_guess *guess)
{
    return guess->is_account &&
           (guess->is_known_device || device_of(account, &guess->source) != NULL);
}

bool qn_throttle_is_known(struct qn_throttle *throttle, const struct qn_guess *guess,
                          uint64_t now_ms)
{
    return is_known(account_of(throttle, guess, now_ms), guess);
}

static void find_lanes(struct qn_throttle *throttle, const struct qn_guess *guess, uint64_t now_ms,
                       struct lanes *lanes)
{
    struct account *account = account_of(throttle, guess, now_ms);
    struct qn_span source = QN_SPAN_OF(guess->source.bytes);
    *lanes = (struct lanes){0};
    if (is_known(account, guess)) {
        add_lane(lanes, &account->known, &pace_known);
        return;
    }
    add_lane(lanes, &account->strangers, &pace_strangers);
    if (account->fresh > 0)
        return;
    add_lane(lanes, lane_in(&throttle->pairs, tag_of(throttle, guess->name, source), now_ms),
             &pace_pair);
    add_lane(lanes, lane_in(&throttle->sources, tag_of(throttle, source, source), now_ms),
             &pace_source);
}

static void use_fresh(struct qn_throttle *throttle, const struct qn_guess *guess, uint64_t now_ms)
{
    struct account *account = account_of(throttle, guess, now_ms);
    if (account->fresh > 0)
        account->fresh--;
}

enum qn_err qn_throttle_ask(struct qn_throttle *throttle, const struct qn_guess *guess,
                            uint64_t now_ms, uint64_t *ret_wait_ms)
{
    struct lanes lanes;
    uint64_t wait = 0;
    find_lanes(throttle, guess, now_ms, &lanes);
    for (size_t i = 0; i < lanes.count; i++) {
        uint64_t of_lane = wait_of(lanes.lane[i], lanes.pace[i], now_ms);
        wait = of_lane > wait ? of_lane : wait;
    }
    if (wait > 0) {
        *ret_wait_ms = wait;
        return QN_ERR_BUSY;
    }
    for (size_t i = 0; i < lanes.count; i++)
        take(lanes.lane[i], lanes.pace[i], now_ms);
    use_fresh(throttle, guess, now_ms);
    return QN_OK;
}

static void give_all_back(struct qn_throttle *throttle, const struct qn_guess *guess,
                          uint64_t now_ms, bool is_right)
{
    struct lanes lanes;
    find_lanes(throttle, guess, now_ms, &lanes);
    for (size_t i = 0; i < lanes.count; i++)
        give_back(lanes.lane[i], lanes.pace[i], is_right);
}

void qn_throttle_right(struct qn_throttle *throttle, const struct qn_guess *guess, uint64_t now_ms)
{
    give_all_back(throttle, guess, now_ms, true);
    if (guess->is_account)
        remember_device(account_of(throttle, guess, now_ms), &guess->source, now_ms);
}

void qn_throttle_undo(struct qn_throttle *throttle, const struct qn_guess *guess, uint64_t now_ms)
{
    give_all_back(throttle, guess, now_ms, false);
}

void qn_throttle_reset(struct qn_throttle *throttle, struct qn_span name)
{
    uint64_t tag = tag_of(throttle, name, qn_span(NULL, 0));
    qn_vec_each (&throttle->accounts, account)
        if (account->tag == tag) {
            account->strangers = account->known = (struct lane){0};
            account->fresh = FRESH_GUESSES;
        }
}

struct qn_throttle *qn_throttle_new(const uint8_t key[QN_THROTTLE_KEY_SIZE])
{
    struct qn_throttle *throttle = QN_NEW(struct qn_throttle);
    memcpy(throttle->key, key, sizeof(throttle->key));
    return throttle;
}

void qn_throttle_free(struct qn_throttle *throttle)
{
    if (throttle == NULL)
        return;
    qn_vec_free(&throttle->accounts);
    qn_wipe(throttle, sizeof(*throttle));
    qn_free(throttle);
}
