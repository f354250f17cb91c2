/* Who is let in, and who has to go when places are taken. */
#include "serve/serve_private.h"

/* IPv6: the network of a machine, which has as many addresses as it likes. */
bool serve_is_same_client(const union qn_address *a, const union qn_address *b)
{
    if (a->any.sa_family != b->any.sa_family)
        return false;
    if (a->any.sa_family == AF_INET)
        return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
    size_t size = IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr) ? 16 : 8;
    return memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, size) == 0;
}

static size_t count_from(const struct qn_serve *serve, const union qn_address *address)
{
    size_t count = 0;
    for (size_t i = 0; i < QN_WEB_CONNECTIONS_MAX; i++)
        if (serve->connections[i] != NULL &&
            serve_is_same_client(&serve->connections[i]->address, address))
            count++;
    return count;
}

static void put_out(struct connection *connection)
{
    connection->serve->refused_count++;
    connection_abort(connection);
    connection_pump(connection); /* tells its handler the end, and frees it */
}

/* When all places are taken, whoever came longest ago, or had their last answer then, goes, unless
 * a known person waits for an answer: slow clients cannot keep others out. */
bool serve_make_room(struct qn_serve *serve)
{
    struct connection *oldest = NULL;
    if (serve->connection_count < QN_WEB_CONNECTIONS_MAX)
        return true;
    for (size_t i = 0; i < QN_WEB_CONNECTIONS_MAX; i++) {
        struct connection *connection = serve->connections[i];
        if (connection->stream != NULL && connection_gives_way(connection) &&
            (oldest == NULL || connection->since_ms < oldest->since_ms))
            oldest = connection;
    }
    if (oldest == NULL)
        return false;
    put_out(oldest);
    return true;
}

bool serve_may_come(const struct qn_serve *serve, const union qn_address *address)
{
    return (serve->config.is_public || qn_address_is_private(address)) &&
           count_from(serve, address) < QN_WEB_FROM_ADDRESS_MAX;
}

bool serve_wants_certificate(const struct qn_serve *serve, const union qn_address *address)
{
    return !serve->config.is_for_everybody && !qn_address_is_private(address);
}

/* ---- handshakes ---- */

struct shaking {
    struct connection *connections[QN_WEB_SHAKING_MAX];
    size_t count;
};

static struct shaking find_shaking(const struct qn_serve *serve)
{
    struct shaking shaking = {.count = 0};
    for (size_t i = 0; i < QN_WEB_CONNECTIONS_MAX && shaking.count < QN_WEB_SHAKING_MAX; i++) {
        struct connection *connection = serve->connections[i];
        if (connection != NULL && connection->stream != NULL &&
            connection->state == CONNECTION_SHAKING)
            shaking.connections[shaking.count++] = connection;
    }
    return shaking;
}

static size_t count_shaking_from(const struct shaking *shaking, const union qn_address *address)
{
    size_t count = 0;
    for (size_t i = 0; i < shaking->count; i++)
        count += serve_is_same_client(&shaking->connections[i]->address, address);
    return count;
}

static struct connection *oldest_from(const struct shaking *shaking,
                                      const union qn_address *address)
{
    struct connection *oldest = NULL;
    for (size_t i = 0; i < shaking->count; i++) {
        struct connection *connection = shaking->connections[i];
        if (serve_is_same_client(&connection->address, address) &&
            (oldest == NULL || connection->tag < oldest->tag))
            oldest = connection;
    }
    return oldest;
}

static const union qn_address *fullest_address(const struct shaking *shaking)
{
    const union qn_address *fullest = NULL;
    size_t most = 0;
    for (size_t i = 0; i < shaking->count; i++) {
        const union qn_address *address = &shaking->connections[i]->address;
        size_t count = count_shaking_from(shaking, address);
        if (count > most) {
            most = count;
            fullest = address;
        }
    }
    return fullest;
}

/* TLS takes more memory for a handshake than for a connection that is up. Who only begins is put
 * out for the next one, first at the address that begins the most: whoever does it in earnest is
 * done within a few round trips. */
void serve_make_room_to_shake(struct qn_serve *serve, const union qn_address *address)
{
    struct shaking shaking = find_shaking(serve);
    if (count_shaking_from(&shaking, address) >= QN_WEB_SHAKING_ADDRESS_MAX)
        put_out(oldest_from(&shaking, address));
    else if (shaking.count == QN_WEB_SHAKING_MAX)
        put_out(oldest_from(&shaking, fullest_address(&shaking)));
}
