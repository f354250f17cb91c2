#include "app/dials.h"

#include <stdio.h>

#define CAUSE_SIZE_MAX 127

struct qn_dial_place {
    char address[QN_ADDRESS_SIZE_MAX + 1];
    char cause[CAUSE_SIZE_MAX + 1];
};

struct qn_dial_try {
    uint64_t token;
    char address[QN_ADDRESS_SIZE_MAX + 1];
};

void qn_dials_deinit(struct qn_dials *dials)
{
    qn_vec_free(&dials->places);
    qn_vec_free(&dials->tries);
}

void qn_dials_started(struct qn_dials *dials, uint64_t token, const char *address)
{
    if (dials->tries.count >= QN_LINKS_MAX)
        qn_vec_remove(&dials->tries, 0);
    struct qn_dial_try *try = qn_vec_push_slot(&dials->tries);
    try->token = token;
    snprintf(try->address, sizeof(try->address), "%s", address);
}

/* Takes a try out of the table; an empty address if it is not there. */
static struct qn_dial_try take_try(struct qn_dials *dials, uint64_t token)
{
    for (size_t i = 0; i < dials->tries.count; i++) {
        struct qn_dial_try try = dials->tries.items[i];
        if (try.token != token)
            continue;
        qn_vec_remove(&dials->tries, i);
        return try;
    }
    return (struct qn_dial_try){0};
}

static struct qn_dial_place *find_place(struct qn_dials *dials, const char *address)
{
    qn_vec_each (&dials->places, place)
        if (strcmp(place->address, address) == 0)
            return place;
    if (dials->places.count >= QN_LINKS_MAX)
        qn_vec_remove(&dials->places, 0);
    struct qn_dial_place *place = qn_vec_push_slot(&dials->places);
    *place = (struct qn_dial_place){0};
    strcpy(place->address, address);
    return place;
}

bool qn_dials_failed(struct qn_dials *dials, uint64_t token, const char *cause,
                     const char **ret_address)
{
    struct qn_dial_try try = take_try(dials, token);
    *ret_address = "?";
    if (try.address[0] == '\0')
        return false;
    struct qn_dial_place *place = find_place(dials, try.address);
    char known[sizeof(place->cause)];
    memcpy(known, place->cause, sizeof(known));
    snprintf(place->cause, sizeof(place->cause), "%s", cause);
    *ret_address = place->address;
    return strcmp(known, place->cause) != 0;
}

bool qn_dials_reached(struct qn_dials *dials, uint64_t token, const char **ret_address)
{
    struct qn_dial_try try = take_try(dials, token);
    *ret_address = "?";
    if (try.address[0] == '\0')
        return false;
    struct qn_dial_place *place = find_place(dials, try.address);
    bool is_news = place->cause[0] != '\0';
    place->cause[0] = '\0';
    *ret_address = place->address;
    return is_news;
}
