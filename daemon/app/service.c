#include "app/service.h"

#include <stdio.h>

#include "base/mem.h"

static void reply(struct qn_driver *driver, uint64_t request, enum qn_reply_kind kind,
                  struct qn_span packed)
{
    uint8_t *bytes = packed.size > 0 ? qn_memdup(packed.data, packed.size) : NULL;
    struct qn_effect effect = {.kind = QN_EFFECT_REPLY,
                               .token = request,
                               .reply = kind,
                               .bytes = bytes,
                               .size = packed.size};
    qn_driver_reply(driver, &effect);
    qn_free(bytes);
}

void qn_service_data(struct qn_driver *driver, uint64_t request, struct qn_span packed)
{
    reply(driver, request, QN_REPLY_DATA, packed);
}

void qn_service_end(struct qn_driver *driver, uint64_t request, struct qn_span packed)
{
    reply(driver, request, QN_REPLY_END, packed);
}

void qn_service_error(struct qn_driver *driver, uint64_t request, enum qn_err err, const char *code,
                      struct qn_span object)
{
    struct qn_effect effect = {.kind = QN_EFFECT_REPLY,
                               .token = request,
                               .reply = QN_REPLY_ERROR,
                               .err = err,
                               .code = code};
    snprintf(effect.object, sizeof(effect.object), "%.*s", (int)object.size,
             (const char *)object.data);
    qn_driver_reply(driver, &effect);
}
