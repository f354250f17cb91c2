/* Peers that do not play by the rules, written with plain sockets and plain OpenSSL. */
#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include "sites.h"
#include "stream/certificate.h"

/* A blocking client would wait for a loop that waits for the client: so it does not block, and the
 * loop turns between its steps. */
struct client {
    struct pair *pair;
    int fd;
    SSL_CTX *context;
    SSL *ssl;
};

static void connect_plain(struct client *client, struct pair *pair)
{
    struct sockaddr_in name = {.sin_family = AF_INET};
    struct qn_endpoint endpoint;
    struct timeval patience = {.tv_usec = 1000};
    *client = (struct client){.pair = pair};
    cr_assert_eq(qn_endpoint_parse(qn_net_listen_address(pair->b.net), &endpoint), QN_OK);
    name.sin_port = htons(endpoint.port);
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client->fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(connect(client->fd, (struct sockaddr *)&name, sizeof(name)), 0);
    setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

static void connect_tls(struct client *client, struct pair *pair, int version, const char *alpn)
{
    connect_plain(client, pair);
    client->context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_max_proto_version(client->context, version);
    client->ssl = SSL_new(client->context);
    if (alpn != NULL)
        SSL_set_alpn_protos(client->ssl, (const unsigned char *)alpn, (unsigned)strlen(alpn));
    SSL_set_fd(client->ssl, client->fd);
    SSL_set_connect_state(client->ssl);
}

/* With the key of site a, which b admits. */
static void use_key_of_a(struct client *client)
{
    uint8_t seed[QN_SEED_SIZE];
    EVP_PKEY *key;
    X509 *certificate;
    memset(seed, 1, sizeof(seed));
    cr_assert_eq(qn_certificate_make(seed, &key, &certificate), QN_OK);
    cr_assert_eq(SSL_use_certificate(client->ssl, certificate), 1);
    cr_assert_eq(SSL_use_PrivateKey(client->ssl, key), 1);
    EVP_PKEY_free(key);
    X509_free(certificate);
}

static bool must_wait(struct client *client, int result)
{
    some_turns(client->pair->loop);
    return result <= 0 && SSL_get_error(client->ssl, result) == SSL_ERROR_WANT_READ;
}

static int shake(struct client *client)
{
    int result;
    do
        result = SSL_do_handshake(client->ssl);
    while (must_wait(client, result));
    return result;
}

static int read_tls(struct client *client, void *out, int size)
{
    int result;
    do
        result = SSL_read(client->ssl, out, size);
    while (must_wait(client, result));
    return result;
}

static void client_close(struct client *client)
{
    SSL_free(client->ssl);
    SSL_CTX_free(client->context);
    close(client->fd);
}

static void connect_as_a(struct client *client, struct pair *pair)
{
    static const char zeros[QN_WELCOME_SIZE];
    char welcome[QN_WELCOME_SIZE];
    connect_tls(client, pair, TLS1_3_VERSION, "\x07quoin/1");
    use_key_of_a(client);
    cr_assert_eq(shake(client), 1);
    cr_assert_eq(read_tls(client, welcome, sizeof(welcome)), sizeof(welcome));
    cr_assert_arr_eq(welcome, zeros, sizeof(zeros));
    turn_until(pair->loop, pair->b.up_count == 1);
}

static void expect_refused(struct pair *pair)
{
    turn_until(pair->loop, counters_of(&pair->b).handshakes_failed == 1);
    cr_assert_eq(pair->b.up_count, 0);
    cr_assert_eq(pair->b.frame_count, 0);
}

Test(hostile, garbage_instead_of_tls)
{
    struct pair pair;
    struct client client;
    pair_init(&pair);
    connect_plain(&client, &pair);
    cr_assert_gt(send(client.fd, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27, 0), 0);
    expect_refused(&pair);
    client_close(&client);
    pair_deinit(&pair);
}

Test(hostile, every_byte_of_a_record_header_at_once_or_alone)
{
    struct pair pair;
    struct client client;
    pair_init(&pair);
    connect_plain(&client, &pair);
    for (const char *at = "\x16\x03\x01\xff\xff"; *at != 0; at++) {
        cr_assert_eq(send(client.fd, at, 1, 0), 1);
        some_turns(pair.loop);
    }
    expect_refused(&pair);
    client_close(&client);
    pair_deinit(&pair);
}

Test(hostile, an_end_in_the_middle_of_the_handshake)
{
    struct pair pair;
    struct client client;
    pair_init(&pair);
    connect_tls(&client, &pair, TLS1_3_VERSION, "\x07quoin/1");
    cr_assert_leq(SSL_do_handshake(client.ssl), 0); /* only the first flight leaves */
    some_turns(pair.loop);
    client_close(&client);
    expect_refused(&pair);
    pair_deinit(&pair);
}

Test(hostile, tls_1_2_is_refused)
{
    struct pair pair;
    struct client client;
    pair_init(&pair);
    connect_tls(&client, &pair, TLS1_2_VERSION, "\x07quoin/1");
    use_key_of_a(&client);
    cr_assert_leq(shake(&client), 0);
    expect_refused(&pair);
    client_close(&client);
    pair_deinit(&pair);
}

Test(hostile, no_certificate_is_refused)
{
    struct pair pair;
    struct client client;
    char byte;
    pair_init(&pair);
    connect_tls(&client, &pair, TLS1_3_VERSION, "\x07quoin/1");
    if (shake(&client) == 1)
        cr_assert_leq(read_tls(&client, &byte, 1), 0);
    expect_refused(&pair);
    client_close(&client);
    pair_deinit(&pair);
}

Test(hostile, no_protocol_name_is_refused)
{
    struct pair pair;
    struct client client;
    char byte;
    pair_init(&pair);
    connect_tls(&client, &pair, TLS1_3_VERSION, NULL);
    use_key_of_a(&client);
    if (shake(&client) == 1)
        cr_assert_leq(read_tls(&client, &byte, 1), 0);
    expect_refused(&pair);
    client_close(&client);
    pair_deinit(&pair);
}

Test(hostile, another_protocol_is_refused)
{
    struct pair pair;
    struct client client;
    pair_init(&pair);
    connect_tls(&client, &pair, TLS1_3_VERSION, "\x08http/1.1");
    use_key_of_a(&client);
    cr_assert_leq(shake(&client), 0);
    expect_refused(&pair);
    client_close(&client);
    pair_deinit(&pair);
}

Test(hostile, an_unknown_key_that_sends_at_once_delivers_nothing)
{
    struct pair pair;
    struct client client;
    pair_init(&pair);
    qn_net_admit(pair.b.net, NULL, 0, false);
    connect_tls(&client, &pair, TLS1_3_VERSION, "\x07quoin/1");
    use_key_of_a(&client);
    cr_assert_eq(shake(&client), 1); /* for it the handshake is over */
    (void)SSL_write(client.ssl, "\0\0\0\1x", 5);
    expect_refused(&pair);
    cr_assert_eq(counters_of(&pair.b).unknown_keys_refused, 1);
    client_close(&client);
    pair_deinit(&pair);
}

static enum qn_err reason_after(const char *bytes, int size)
{
    struct pair pair;
    struct client client;
    pair_init(&pair);
    connect_as_a(&client, &pair);
    cr_assert_eq(SSL_write(client.ssl, bytes, size), size);
    turn_until(pair.loop, pair.b.down_count == 1);
    enum qn_err reason = pair.b.links[0].reason;
    cr_assert_eq(pair.b.frame_count, 0);
    client_close(&client);
    pair_deinit(&pair);
    return reason;
}

Test(hostile, frames_too_long_or_empty_end_the_link)
{
    cr_assert_eq(reason_after("\0\x10\0\1", 4), QN_ERR_LIMIT);
    cr_assert_eq(reason_after("\xff\xff\xff\xff", 4), QN_ERR_LIMIT);
    cr_assert_eq(reason_after("\0\0\0\0", 4), QN_ERR_INVALID);
}

Test(hostile, a_guest_with_a_frame_of_a_member)
{
    struct pair pair;
    struct client client;
    pair_init(&pair);
    qn_net_admit(pair.b.net, NULL, 0, true);
    connect_tls(&client, &pair, TLS1_3_VERSION, "\x0dquoin-guest/1");
    use_key_of_a(&client);
    cr_assert_eq(shake(&client), 1);
    turn_until(pair.loop, pair.b.up_count == 1);
    cr_assert_eq(SSL_write(client.ssl, "\0\0\x10\1", 4), 4);
    turn_until(pair.loop, pair.b.down_count == 1);
    cr_assert_eq(pair.b.links[0].reason, QN_ERR_LIMIT);
    client_close(&client);
    pair_deinit(&pair);
}

Test(hostile, an_end_without_goodbye_in_the_middle_of_a_frame)
{
    struct pair pair;
    struct client client;
    pair_init(&pair);
    connect_as_a(&client, &pair);
    cr_assert_eq(SSL_write(client.ssl, "\0\0\0\5abc", 7), 7);
    some_turns(pair.loop);
    client_close(&client);
    turn_until(pair.loop, pair.b.down_count == 1);
    cr_assert_eq(pair.b.links[0].reason, QN_ERR_CLOSED);
    cr_assert_eq(pair.b.frame_count, 0);
    pair_deinit(&pair);
}

Test(hostile, plain_bytes_behind_the_handshake)
{
    struct pair pair;
    struct client client;
    pair_init(&pair);
    connect_as_a(&client, &pair);
    cr_assert_eq(send(client.fd, "\x17\x03\x03\0\x20 this is no record of ours, is it", 37, 0), 37);
    turn_until(pair.loop, pair.b.down_count == 1);
    cr_assert_eq(pair.b.links[0].reason, QN_ERR_INVALID);
    client_close(&client);
    pair_deinit(&pair);
}

/* Each asks for an answer; the answers are never read. Nothing may pile up without a bound. */
Test(hostile, a_flood_of_key_updates)
{
    struct pair pair;
    struct client client;
    pair_init(&pair);
    connect_as_a(&client, &pair);
    for (int i = 0; i < 2000 && pair.b.down_count == 0; i++) {
        SSL_key_update(client.ssl, SSL_KEY_UPDATE_REQUESTED);
        SSL_do_handshake(client.ssl);
        if (i % 100 == 0)
            some_turns(pair.loop);
    }
    cr_assert_leq(qn_net_queued(pair.b.net, link_of(&pair.b)), QN_STREAM_FLIGHT_MAX);
    client_close(&client);
    turn_until(pair.loop, pair.b.down_count == 1);
    pair_deinit(&pair);
}

/* Says it is a listener of ours, admits everybody and then answers with something else. */
Test(hostile, a_listener_without_a_welcome)
{
    struct pair pair;
    pair_init(&pair);
    struct qn_link *link = NULL;
    dial_b(&pair, QN_NET_MEMBER, NULL, 1);
    while (link == NULL || link->state != QN_LINK_WAITING) {
        qn_loop_turn(pair.loop);
        for (size_t i = 0; i < QN_LINKS_MAX && link == NULL; i++)
            link = pair.a.net->links[i];
        cr_assert_eq(pair.a.up_count, 0, "missed it");
    }
    link->welcome[0] = 'H'; /* as if it had begun otherwise */
    link->welcome_size = 1;
    turn_until(pair.loop, pair.a.failed_count == 1);
    cr_assert_eq(pair.a.failed_reason, QN_ERR_INVALID);
    cr_assert_str_eq(pair.a.failed_detail, "what answers is not Quoin");
    pair_deinit(&pair);
}
