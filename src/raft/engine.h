#pragma once

/* C-Raft's step API as plain C, for one C++ class: raft.h itself does not compile as C++.
 *
 * The code behind it decides only what must be done inside the engine's own structures; each such
 * place names the defect. Entry bodies are never passed here, only configurations. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct us_engine;

struct us_server {
    uint64_t id;
    bool voter; /* Otherwise it only replicates. */
};

struct us_configuration {
    const struct us_server* servers;
    size_t n;
};

/* The numbers are EntryKind's. */
enum us_kind { US_COMMAND = 1, US_BARRIER = 2, US_CONFIGURATION = 3 };

struct us_entry {
    uint64_t term;
    enum us_kind kind;
    struct us_configuration configuration; /* Only for US_CONFIGURATION. */
};

struct us_snapshot {
    uint64_t index;
    uint64_t term;
    uint64_t configuration_index;
    struct us_configuration configuration;
};

enum us_message_type {
    US_VOTE_REQUEST,
    US_VOTE_RESULT,
    US_APPEND_REQUEST,
    US_APPEND_RESULT,
    US_INSTALL_REQUEST,
    US_TIMEOUT_NOW
};

struct us_message {
    enum us_message_type type;
    uint64_t peer; /* The server that sent it, or that must get it. */
    uint64_t term;
    uint64_t index;      /* Of the last entry, the previous entry, or the snapshot. */
    uint64_t index_term; /* Of the entry at `index`. */
    bool flag;           /* Disrupts the leader; granted. */
    bool pre_vote;
    uint64_t commit;
    uint64_t rejected;
    unsigned short capacity;
    const struct us_entry* entries; /* Only in received appends. */
    unsigned n;
    struct us_snapshot snapshot; /* Only in received installs. */
};

enum us_result {
    US_OK = 0,
    US_NOT_LEADER,
    US_CANNOT_CHANGE,
    US_BAD_SERVER,
    US_NOT_NOW,
    US_BROKEN /* The engine must not be used again. */
};

enum us_state { US_FOLLOWER, US_CANDIDATE, US_LEADER };

/* Returns NULL when there is no memory. Times are in milliseconds. */
struct us_engine* us_engine_new(uint64_t id, uint32_t seed, unsigned election_timeout,
                                unsigned heartbeat_timeout, unsigned install_timeout,
                                unsigned inflight_max);
void us_engine_free(struct us_engine* engine);

/* Each function is one event. The functions below return what it changed, until the next event. */
enum us_result us_engine_start(struct us_engine* engine, uint64_t now, uint64_t term, uint64_t vote,
                               const struct us_snapshot* snapshot, uint64_t first,
                               const struct us_entry* entries, size_t n);
enum us_result us_engine_receive(struct us_engine* engine, uint64_t now,
                                 const struct us_message* message);
enum us_result us_engine_persisted(struct us_engine* engine, uint64_t now, uint64_t index);
enum us_result us_engine_installed(struct us_engine* engine, uint64_t now);
enum us_result us_engine_configuration(struct us_engine* engine, uint64_t now, uint64_t index,
                                       struct us_configuration configuration);
enum us_result us_engine_snapshot(struct us_engine* engine, uint64_t now,
                                  const struct us_snapshot* snapshot, unsigned trailing);
enum us_result us_engine_timeout(struct us_engine* engine, uint64_t now);
enum us_result us_engine_submit(struct us_engine* engine, uint64_t now,
                                const struct us_entry* entries, size_t n);
enum us_result us_engine_catch_up(struct us_engine* engine, uint64_t now, uint64_t id);
enum us_result us_engine_transfer(struct us_engine* engine, uint64_t now, uint64_t id);
/* Campaigns at once, even if a leader is known. */
enum us_result us_engine_campaign(struct us_engine* engine, uint64_t now);
/* The election timeout of a server that does not campaign. It only forgets its leader. */
void us_engine_forget_leader(struct us_engine* engine, uint64_t now);
/* The next attempt of a candidate asks for pre-votes first, and disrupts no leader. */
void us_engine_calm(struct us_engine* engine);
/* Answers a vote request as a voter, even if the server's own log says that it does not vote. */
enum us_result us_engine_receive_as_voter(struct us_engine* engine, uint64_t now,
                                          const struct us_message* message);
/* A newer snapshot may take the place of the one being installed. */
void us_engine_interrupt_install(struct us_engine* engine);

/* What the last event changed. */
uint64_t us_engine_entries_index(const struct us_engine* engine); /* 0: nothing to persist. */
unsigned us_engine_entries_n(const struct us_engine* engine);
unsigned us_engine_messages_n(const struct us_engine* engine);
struct us_message us_engine_message(const struct us_engine* engine, unsigned i);
bool us_engine_install_wanted(const struct us_engine* engine);

/* The present state. */
enum us_state us_engine_state(const struct us_engine* engine);
uint64_t us_engine_term(const struct us_engine* engine);
uint64_t us_engine_vote(const struct us_engine* engine);
uint64_t us_engine_leader(const struct us_engine* engine); /* 0: none. May be of an older term. */
uint64_t us_engine_commit(const struct us_engine* engine);
uint64_t us_engine_last(const struct us_engine* engine);
uint64_t us_engine_last_stored(const struct us_engine* engine);
uint64_t us_engine_offset(const struct us_engine* engine); /* The entry before the first. */
uint64_t us_engine_snapshot_index(const struct us_engine* engine);
uint64_t us_engine_snapshot_term(const struct us_engine* engine);
uint64_t us_engine_term_of(const struct us_engine* engine, uint64_t index); /* 0: no such entry. */
/* The first entry of the log that has the term of the one at `index`. */
uint64_t us_engine_term_begins(const struct us_engine* engine, uint64_t index);
uint64_t us_engine_timeout_at(const struct us_engine* engine);
bool us_engine_installing(const struct us_engine* engine);
bool us_engine_pre_voting(const struct us_engine* engine);
uint64_t us_engine_transferee(const struct us_engine* engine);
uint64_t us_engine_promotee(const struct us_engine* engine);
uint64_t us_engine_uncommitted_configuration(const struct us_engine* engine); /* Index, or 0. */
bool us_engine_match(const struct us_engine* engine, uint64_t id, uint64_t* index);
int us_engine_catch_up_state(const struct us_engine* engine, uint64_t id); /* CatchUpState. */

#ifdef __cplusplus
}
#endif
