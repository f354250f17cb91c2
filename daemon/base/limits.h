/* Every limit of the project, by name. Whatever comes from outside is checked against one of these
 * before memory is asked for. Sizes in bytes unless the name says otherwise.
 */
#pragma once

/* --- one operation, at its writer (docs/protocol.md, section 6) --- */
#define QN_VALUE_SIZE_MAX  (64 * 1024)
#define QN_VALUE_DEPTH_MAX 32
#define QN_OP_SIZE_MAX     (256 * 1024)
#define QN_OP_FIELDS_MAX   4096
#define QN_OP_REMOVED_MAX  65536
#define QN_KEY_SIZE_MAX    255
#define QN_FIELD_SIZE_MAX  127
#define QN_USER_SIZE_MAX   63
#define QN_NAME_SIZE_MAX   63
#define QN_PERSON_SIZE_MAX (QN_USER_SIZE_MAX + 1 + QN_NAME_SIZE_MAX) /* "NAME@SITE" */
#define QN_ENTITY_SIZE_MAX 255

/* --- what travels --- */
#define QN_FRAME_SIZE_MAX        (1024 * 1024)
#define QN_GUEST_FRAME_SIZE_MAX  (4 * 1024)
#define QN_GUEST_SLOTS_MAX       8
#define QN_GUEST_SLOT_SIZE_MAX   (32 * 1024)
#define QN_GUEST_TIME_MAX_MS     10000
#define QN_UNKNOWN_SLOTS_MAX     32 /* connections that have not authenticated yet */
#define QN_HANDSHAKE_TIME_MAX_MS 10000
#define QN_RECALL_SIZE           (2 * 1024 * 1024) /* of operations, of one job of a recovery */
#define QN_OPS_BATCH_SIZE        (256 * 1024)      /* wished size of one OPS message */
#define QN_OPS_BATCH_OPS_MAX     2000
#define QN_OPS_WINDOW_SIZE       (512 * 1024)      /* unacknowledged bytes a lane */
#define QN_OPS_WINDOW_COUNT      64                /* and messages */
#define QN_OPS_LINK_WINDOW_SIZE  (2 * 1024 * 1024) /* of catch-up, all collections of a link */
#define QN_OPS_ACTORS_MAX        4096
#define QN_CLOCK_ACTORS_MAX      16384

/* --- pages of a late site --- */
#define QN_PAGE_SIZE      (256 * 1024)               /* wished */
#define QN_PAGE_SIZE_MAX  (QN_FRAME_SIZE_MAX - 1024) /* what else stands in the frame */
#define QN_PAGE_HEADS_MAX 4096                       /* actors in the clock of a page */
#define QN_PAGE_NAMES_MAX 65536
#define QN_PAGE_DROP_SHARE                                                                         \
    20                       /* a pass may drop one of so many records without giving anything,    \
                              */
#define QN_PAGE_DROP_MIN 100 /* and this many at least */
#define QN_SEGS_MAX      1024
#define QN_SEG_HEADS_MAX (256 * 1024) /* in the clocks of all segments of a collection */

/* --- passes: pages on their way --- */
#define QN_PAGE_SIZE_MIN      (32 * 1024)       /* wished, on a slow line */
#define QN_PAGES_WINDOW_COUNT 24                /* unacknowledged pages of a pass, */
#define QN_PAGES_WINDOW_SIZE  (2 * 1024 * 1024) /* and their raw bytes, and one page */
#define QN_PAGES_OPS_MIN      20000             /* whoever lacks fewer gets operations */
#define QN_PINS_MAX           4                 /* reading transactions that stay open for passes */
#define QN_PIN_TIME_MAX_MS    (15 * 60 * 1000)

/* --- audits --- */
#define QN_LONG_READS_MAX 32 /* of one site, that wait: as many collections compared at once */

/* --- connections --- */
#define QN_NET_QUEUE_LOW            (256 * 1024)       /* a queue that falls below it: on_drain */
#define QN_NET_QUEUE_MAX            (12 * 1024 * 1024) /* unsent bytes of one link */
#define QN_LINKS_MAX                (3 * QN_SITES_MAX) /* of all kinds, dials included */
#define QN_LINKS_PER_KEY_MAX        4                  /* accepted, of a kind: old and new */
#define QN_BULK_UNSENT_MAX          (64 * 1024)        /* of a bulk link, in the kernel */
#define QN_DIAL_TIME_MAX_MS         10000              /* from qn_net_dial to on_up */
#define QN_DIAL_ADDRESS_TIME_MAX_MS 5000               /* for one of the addresses of a name */
#define QN_DIAL_ADDRESSES_MAX       8                  /* of one name; the rest is not tried */
#define QN_RESOLVES_MAX             64                 /* names that wait for the resolver */
#define QN_CLOSE_TIME_MAX_MS        1000               /* for the last bytes of a link that ends */
#define QN_TLS_CHAIN_SIZE_MAX       4096               /* a peer's certificates; ours: 400 */
#define QN_STREAM_READ_SIZE         (64 * 1024)        /* one read from the system */
#define QN_STREAM_WRITE_SIZE        (64 * 1024)        /* plaintext of one write to the system */
#define QN_STREAM_FLIGHT_MAX        (256 * 1024)       /* ciphertext of one stream in libuv */

/* --- groups of many sites (docs/protocol.md 3.7) --- */
#define QN_MESH_FULL_MAX   10  /* sites of which each pair is connected */
#define QN_MESH_WANTED_MAX 32  /* connections from which on second rings are left out */
#define QN_MESH_LINKS_MAX  128 /* first connections; one more is kept only if it is wanted here */

/* --- the loop --- */
#define QN_LOOP_JOBS_MAX 4096 /* jobs that wait for the thread pool or run on it */

/* --- the store --- */
#define QN_TXN_OPS_MAX 2000
/* Operation bytes of one commit, so that a batch can be cut. */
#define QN_TXN_SIZE_MAX          (768 * 1024)
#define QN_WRITER_QUEUE_MAX      4096               /* intents that wait or are being committed */
#define QN_WRITER_QUEUE_SIZE_MAX (16 * 1024 * 1024) /* and their bytes */
/* A stored record: merges never refuse below this. */
#define QN_RECORD_SIZE_MAX (64 * 1024 * 1024)
#define QN_DICT_NAMES_MAX  4096

/* --- the group --- */
#define QN_SITES_MAX             256
#define QN_COLLECTIONS_MAX       4096
#define QN_LEDGER_ENTRIES_MAX    65536
#define QN_LEDGER_ENTRY_SIZE_MAX (16 * 1024)
/* Of both, the last part is for changes of key by a kit: a thief with a site's keys may fill the
 * rest. */
#define QN_LEDGER_ENTRIES_KIT 1024
#define QN_LEDGER_SIZE_KIT    (512 * 1024)
/* Of all entries, as one array: a joining site commits it whole (QN_WRITER_QUEUE_SIZE_MAX). */
#define QN_LEDGER_SIZE_MAX  (15 * 1024 * 1024)
#define QN_ADDRESSES_MAX    8
#define QN_ADDRESS_SIZE_MAX 261 /* a host name of 255, ':' and a port */

/* --- vaults: what a holder keeps for an owner, and what an owner knows of it --- */
#define QN_AGREEMENT_SIZE_MAX    255
#define QN_LOCK_DAYS_MAX         3660 /* a lock must end: data of persons ages out */
#define QN_SITE_KEYS_MAX         64   /* of one site, over its life */
#define QN_SITE_KEYS_KIT         16   /* of them, the last are for its kit */
#define QN_HELD_PACK_SIZE_MAX    (20 * 1024 * 1024)
#define QN_HELD_SEALED_SIZE_MAX  (64 * 1024) /* a sealed snapshot */
#define QN_HELD_LISTS_MAX        4096        /* of one owner at one holder */
#define QN_HELD_LIST_NAMES_MAX   65536       /* packs of one snapshot */
#define QN_HELD_LIST_CHUNK_NAMES 256         /* names in a row: 8 KiB */
#define QN_HELD_LIST_BATCH_NAMES 8192        /* names in one message or intent */
#define QN_HELD_KEYS_MAX         64          /* epochs of one owner's vault key */
#define QN_HELD_KEY_SIZE_MAX     256         /* one of them, sealed */
#define QN_HELD_LEASES_MAX       16          /* of one owner at one holder */
#define QN_HELD_LEASE_DAYS       30          /* from the last sign of life of a writer */
#define QN_HELD_PARTS_MAX        4           /* packs of one owner that arrive */
#define QN_HELD_PART_DAYS        7           /* from the last piece of one */
/* What is left on the disk: the store, the ledger and the own backups still work. A share of it,
 * but no more than they need. */
#define QN_HELD_FLOOR_SHARE 20
#define QN_HELD_FLOOR_MAX   (1024 * 1024 * 1024)
#define QN_HELD_SCRUB_DAYS  30 /* each pack is read within so many */
#define QN_HELD_SCRUB_ROUND_DAYS                                                                   \
    24 /* all of them, one after the other, if none comes or goes meanwhile */
#define QN_HELD_SWEEP_PACKS_MAX 1024               /* packs looked at in one transaction */
#define QN_LOCK_UNPROVEN_MAX_MS (24 * 3600 * 1000) /* by which lock time may be ahead */
#define QN_LOCK_WITNESSES_MIN   2                  /* peers whose median confirms a gap */
#define QN_PLANS_MAX            64
#define QN_PLAN_PATHS_MAX       256
#define QN_PLAN_PATH_SIZE_MAX   4096
#define QN_PLAN_EXCLUDES_MAX    1024
#define QN_PLAN_TEXT_SIZE_MAX   255 /* of a schedule, of keep rules */
#define QN_PLAN_SIZE_MAX        (256 * 1024)
#define QN_PLAN_FIRST_SIZE_MAX  255           /* what is remembered of what went wrong in a run */
#define QN_COPIES_MAX           16            /* holders of one plan */
#define QN_COPY_NAMES_MAX       (1024 * 1024) /* packs that a holder may say it has */
#define QN_COPY_UNKNOWN_MAX     65536         /* of those, that this site knows nothing of */
#define QN_COPY_UNREAD_MAX      1024          /* counted of those that cannot be read here */
#define QN_MEND_PACKS_MAX       256           /* own packs that wait to be put right from a copy */

/* --- the control socket --- */
#define QN_CONTROL_CLIENTS_MAX    64
#define QN_CONTROL_REQUESTS_MAX   64            /* of one client, under way */
#define QN_CONTROL_QUEUE_MAX      (1024 * 1024) /* answers that wait: then it is not asked more */
#define QN_CONTROL_FRAME_SIZE_MAX (1024 * 1024)
#define QN_CONTROL_TIME_MAX_MS    (3600 * 1000)

/* --- HTTPS for people (requirement W22, beside http/head.h) --- */
#define QN_WEB_CONNECTIONS_MAX      1000
#define QN_WEB_FROM_ADDRESS_MAX     64           /* of those, from one address (IPv6: one /64) */
#define QN_WEB_SHAKING_MAX          256          /* whose TLS is not up, */
#define QN_WEB_SHAKING_ADDRESS_MAX  24           /* and of those from one address */
#define QN_WEB_IN_MAX               (64 * 1024)  /* read and not taken by the handler, of one */
#define QN_WEB_OUT_MAX              (512 * 1024) /* of its answer, on its way */
#define QN_WEB_ROOM_LOW             (256 * 1024) /* from which on a handler hears that there is room */
#define QN_WEB_DISCARD_MAX          (64 * 1024) /* of a body that nobody wants */
#define QN_WEB_HEAD_FIELDS_MAX      (32 * 1024) /* of the head of an answer */
#define QN_WEB_HEAD_TIME_MAX_MS     10000
#define QN_WEB_KEPT_TIME_MAX_MS     60000 /* between two requests */
#define QN_WEB_BODY_TIME_MAX_MS     60000 /* for the next QN_WEB_BODY_STEP of a body */
#define QN_WEB_BODY_STEP            1024
#define QN_WEB_BODIES_PERSON_MAX    64    /* on their way at once, of one person, */
#define QN_WEB_BODIES_ADDRESS_MAX   48    /* and from one address */
#define QN_WEB_ANSWER_TIME_MAX_MS   60000 /* for the client to take some of the answer */
#define QN_WEB_CLOSE_TIME_MAX_MS    2000  /* for the last bytes */
#define QN_WEB_LISTENERS_MAX        8
#define QN_WEB_LINES_MAX            8     /* connections to one site whose folders are asked for */
#define QN_WEB_LINE_IDLE_MS         60000 /* without a request, then one is closed; */
#define QN_WEB_LINE_KEPT_MS         90000 /* the site that answers waits a little longer */
#define QN_WEB_LINE_TIME_MAX_MS     5000  /* for a connection, till a site counts as offline */
#define QN_WEB_LINES_FROM_MAX       16    /* of one site that asks */
#define QN_WEB_CALL_TIME_MAX_MS     2500 /* for a site that was called to dial; then it is dialled */
#define QN_WEB_FAR_CALL_TIME_MAX_MS 20000 /* likewise, where others tell it that it is called */
#define QN_WEB_ASKS_MAX             128   /* questions to other sites under way, */
#define QN_WEB_ASK_TIME_MAX_MS      6000  /* each answered by then, or not at all, */
#define QN_WEB_ASK_SIZE_MAX         (256 * 1024) /* and so long */
#define QN_WEB_NAMES_MAX            16
#define QN_WEB_COMMANDS_MAX         128 /* commands of docs/control.md under way for people */
#define QN_WEB_CERTIFICATE_SIZE_MAX (256 * 1024)
#define QN_WEB_REVOKED_MAX          1024 /* certificates of people that are good no more */

/* --- people --- */
#define QN_PEOPLE_MAX              1000
#define QN_PEOPLE_EDITS_MAX        64 /* changes of accounts that wait for the disk */
#define QN_PASSWORD_SIZE_MAX       256
#define QN_APP_PASSWORDS_MAX       32  /* of one person */
#define QN_GRANTS_MAX              256 /* of one person */
#define QN_SESSIONS_MAX            1024
#define QN_SESSIONS_PER_PERSON_MAX 16

/* --- records --- */
#define QN_LOG_OPS           200000 /* of one collection, unless the configuration says otherwise */
#define QN_LOG_SIZE          (256 * 1024 * 1024)
#define QN_LOG_DAYS          120
#define QN_HISTORY_DAYS      400   /* of replaced values, unless the configuration says otherwise */
#define QN_PURGE_OPS         200   /* records of the trash that one transaction erases by itself */
#define QN_PURGE_LOOKS       5000  /* and looks at */
#define QN_HISTORY_LOOKS     20000 /* of them in one transaction that forgets old ones */
#define QN_LOG_MARKS         32    /* places of the log whose age is known */
#define QN_TRASH_OWN_DAYS    30
#define QN_TRASH_OTHER_DAYS  37
#define QN_SWEEP_OPS         1000  /* records that one transaction erases for a person */
#define QN_SWEEP_LOOKS       20000 /* and looks at */
#define QN_CLOCK_SKEW_MAX_MS (5 * 60 * 1000)
