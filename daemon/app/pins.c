#include "app/pins.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/vec.h"

#define LONG_READS 1 /* of the driver, at a time */

struct pin {
    struct qn_pins *pins;
    uint64_t name;
    struct qn_store_pin *store_pin;
    struct qn_read *read; /* under way; NULL: none */
    struct qn_read_result result;
    bool is_ending;
};

struct qn_pins {
    struct qn_pins_options options;
    QN_VEC(struct pin *) list;
};

struct qn_pins *qn_pins_new(const struct qn_pins_options *options)
{
    struct qn_pins *pins = QN_NEW(struct qn_pins);
    pins->options = *options;
    return pins;
}

void qn_pins_free(struct qn_pins *pins)
{
    if (pins == NULL)
        return;
    QN_ASSERT(pins->list.count == 0);
    qn_vec_free(&pins->list);
    qn_free(pins);
}

static struct pin *find(const struct qn_pins *pins, uint64_t name)
{
    qn_vec_each (&pins->list, pin)
        if ((*pin)->name == name)
            return *pin;
    return NULL;
}

static enum qn_err open_pin(struct qn_pins *pins, uint64_t name, struct pin **ret_pin)
{
    struct qn_store_pin *store_pin;
    if (pins->list.count >= QN_PINS_MAX + LONG_READS)
        return QN_ERR_BUSY;
    QN_TRY(qn_store_pin(pins->options.store, &store_pin));
    struct pin *pin = QN_NEW(struct pin);
    *pin = (struct pin){.pins = pins, .name = name, .store_pin = store_pin};
    qn_vec_push(&pins->list, pin);
    *ret_pin = pin;
    return QN_OK;
}

static void close_pin(struct pin *pin)
{
    struct qn_pins *pins = pin->pins;
    for (size_t i = 0; i < pins->list.count; i++)
        if (pins->list.items[i] == pin) {
            qn_vec_remove(&pins->list, i);
            break;
        }
    qn_store_unpin(pin->store_pin);
    qn_free(pin);
}

/* On a thread of the pool. */
static void work(void *context)
{
    struct pin *pin = context;
    qn_core_read(qn_store_pin_kv(pin->store_pin), pin->read, &pin->result);
}

static void done(void *context)
{
    struct pin *pin = context;
    const struct qn_pins_options *options = &pin->pins->options;
    struct qn_read_result result = pin->result;
    qn_read_free(pin->read);
    pin->read = NULL;
    if (pin->is_ending)
        close_pin(pin);
    else
        options->on_read(options->context, &result); /* which may end the pin */
    qn_read_result_deinit(&result);
}

enum qn_err qn_pins_read(struct qn_pins *pins, struct qn_read *take_read)
{
    struct pin *pin = find(pins, take_read->pin);
    enum qn_err err = pin != NULL ? QN_OK : open_pin(pins, take_read->pin, &pin);
    if (err == QN_OK) {
        QN_ASSERT(pin->read == NULL && !pin->is_ending);
        pin->read = take_read;
        err = qn_loop_job(pins->options.loop, work, done, pin);
        if (err == QN_OK)
            return QN_OK;
        pin->read = NULL;
    }
    qn_read_free(take_read);
    return err;
}

static void end_pin(struct pin *pin)
{
    pin->is_ending = true;
    if (pin->read == NULL)
        close_pin(pin);
}

void qn_pins_end(struct qn_pins *pins, uint64_t name)
{
    struct pin *pin = find(pins, name);
    if (pin != NULL)
        end_pin(pin);
}

void qn_pins_end_all(struct qn_pins *pins)
{
    for (size_t i = pins->list.count; i-- > 0;)
        end_pin(pins->list.items[i]);
}

bool qn_pins_are_ended(const struct qn_pins *pins)
{
    return pins->list.count == 0;
}
