#include "raft/engine.h"

#include <inttypes.h>
#include <raft.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The versions of the messages that this engine writes and understands; not in its header. */
enum { vote_version = 2, append_result_version = 2, feature_capacity = 1 };

struct us_engine {
    struct raft raft;
    struct raft_update update;
    struct raft_snapshot_metadata installing; /* Ours from the request to the report. */
    bool has_installing;
};

/* Every server needs an address of its own; no message is ever sent by it. */
static void name(uint64_t id, char text[32]) { snprintf(text, 32, "%" PRIu64, id); }

static int to_raft(struct us_configuration from, struct raft_configuration* to) {
    raft_configuration_init(to);
    for (size_t i = 0; i < from.n; ++i) {
        char address[32];
        name(from.servers[i].id, address);
        const int role = from.servers[i].voter ? RAFT_VOTER : RAFT_STANDBY;
        const int failed = raft_configuration_add(to, from.servers[i].id, address, role);
        if (failed != 0) {
            raft_configuration_close(to);
            return failed;
        }
    }
    return 0;
}

/* One region per entry that has a body for the engine, one for all the others. */
static int to_raft_entry(const struct us_entry* from, struct raft_entry* to) {
    memset(to, 0, sizeof *to);
    to->term = from->term;
    to->type = (enum raft_entry_type)from->kind;
    if (from->kind != US_CONFIGURATION) return 0;
    struct raft_configuration configuration;
    int failed = to_raft(from->configuration, &configuration);
    if (failed != 0) return failed;
    failed = raft_configuration_encode(&configuration, &to->buf);
    raft_configuration_close(&configuration);
    return failed;
}

static void free_bodies(struct raft_entry* entries, size_t n) {
    for (size_t i = 0; i < n; ++i) {
        if (entries[i].type == RAFT_CHANGE) raft_free(entries[i].buf.base);
    }
}

static struct raft_entry* to_raft_entries(const struct us_entry* from, size_t n) {
    struct raft_entry* to = raft_calloc(n, sizeof *to);
    if (to == NULL) return NULL;
    for (size_t i = 0; i < n; ++i) {
        if (to_raft_entry(&from[i], &to[i]) != 0) {
            free_bodies(to, i);
            raft_free(to);
            return NULL;
        }
    }
    return to;
}

static int to_raft_snapshot(const struct us_snapshot* from, struct raft_snapshot_metadata* to) {
    memset(to, 0, sizeof *to);
    to->index = from->index;
    to->term = from->term;
    to->configuration_index = from->configuration_index;
    return to_raft(from->configuration, &to->configuration);
}

static void forget_installing(struct us_engine* engine) {
    if (engine->has_installing) raft_configuration_close(&engine->installing.configuration);
    engine->has_installing = false;
}

struct us_engine* us_engine_new(uint64_t id, uint32_t seed, unsigned election_timeout,
                                unsigned heartbeat_timeout, unsigned install_timeout,
                                unsigned inflight_max) {
    struct us_engine* engine = calloc(1, sizeof *engine);
    if (engine == NULL) return NULL;
    char address[32];
    name(id, address);
    if (raft_init(&engine->raft, NULL, NULL, id, address) != 0) {
        free(engine);
        return NULL;
    }
    /* Its tracing formats each line into one buffer of the whole process, printed or not. */
    engine->raft.tracer = NULL;
    raft_seed(&engine->raft, seed);
    raft_set_election_timeout(&engine->raft, election_timeout);
    raft_set_heartbeat_timeout(&engine->raft, heartbeat_timeout);
    raft_set_install_snapshot_timeout(&engine->raft, install_timeout);
    raft_set_max_inflight_entries(&engine->raft, inflight_max);
    raft_set_pre_vote(&engine->raft, true);
    return engine;
}

void us_engine_free(struct us_engine* engine) {
    if (engine == NULL) return;
    forget_installing(engine);
    raft_close(&engine->raft, NULL);
    free(engine);
}

static enum us_result translate(int failed) {
    switch (failed) {
        case 0: return US_OK;
        case RAFT_NOTLEADER: return US_NOT_LEADER;
        case RAFT_CANTCHANGE: return US_CANNOT_CHANGE;
        case RAFT_BADID:
        case RAFT_NOTFOUND: return US_BAD_SERVER;
        default: return US_BROKEN;
    }
}

static struct raft_event event_at(uint64_t now, enum raft_event_type type) {
    struct raft_event event;
    memset(&event, 0, sizeof event);
    event.time = now;
    event.type = type;
    return event;
}

static enum us_result step(struct us_engine* engine, struct raft_event* event) {
    memset(&engine->update, 0, sizeof engine->update);
    const int failed = raft_step(&engine->raft, event, &engine->update);
    if (failed != 0) {
        memset(&engine->update, 0, sizeof engine->update);
        return translate(failed);
    }
    /* Each of these is set only where its flag is. */
    if (!(engine->update.flags & (RAFT_UPDATE_ENTRIES))) engine->update.entries.n = 0;
    if (!(engine->update.flags & (RAFT_UPDATE_MESSAGES))) engine->update.messages.n = 0;
    if (engine->update.flags & (RAFT_UPDATE_SNAPSHOT)) {
        forget_installing(engine);
        engine->installing = engine->update.snapshot.metadata;
        engine->has_installing = true;
    }
    /* The barrier that the engine appends when it begins to lead: only it has this region. */
    if (engine->update.entries.n > 0 && engine->update.entries.batch == &engine->raft.barrier) {
        raft_free(engine->raft.barrier.batch);
        engine->raft.barrier.batch = NULL;
    }
    return US_OK;
}

/* Requires: the step before changed nothing else, or the caller has its results. */
static bool persists(const struct us_engine* engine) { return engine->update.entries.n > 0; }

/* A lone voter makes itself leader without raising its term (defect E). A start has been raised
 * by the host; this is for one that stepped down since. */
static void raise_lone_voter(struct us_engine* engine) {
    struct raft* raft = &engine->raft;
    size_t voters = 0;
    bool self = false;
    for (unsigned i = 0; i < raft->configuration.n; ++i) {
        if (raft->configuration.servers[i].role != RAFT_VOTER) continue;
        ++voters;
        self = self || raft->configuration.servers[i].id == raft->id;
    }
    if (voters != 1 || !self) return;
    raft->current_term += 1;
    raft->voted_for = raft->id;
}

enum us_result us_engine_start(struct us_engine* engine, uint64_t now, uint64_t term, uint64_t vote,
                               const struct us_snapshot* snapshot, uint64_t first,
                               const struct us_entry* entries, size_t n) {
    struct raft_snapshot_metadata metadata;
    struct raft_event event = event_at(now, RAFT_START);
    event.start.term = term;
    event.start.voted_for = vote;
    event.start.start_index = first;
    event.start.n_entries = (unsigned)n;
    if (snapshot != NULL) {
        if (to_raft_snapshot(snapshot, &metadata) != 0) return US_BROKEN;
        event.start.metadata = &metadata;
    }
    if (n > 0) {
        event.start.entries = to_raft_entries(entries, n);
        if (event.start.entries == NULL) {
            if (snapshot != NULL) raft_configuration_close(&metadata.configuration);
            return US_BROKEN;
        }
    }
    const enum us_result result = step(engine, &event);
    /* On failure the array went with it; the bodies are lost then, once, with the whole engine. */
    if (n > 0 && result == US_OK) {
        free_bodies(event.start.entries, n);
        raft_free(event.start.entries);
    }
    return result;
}

static enum us_result receive(struct us_engine* engine, uint64_t now,
                              struct raft_message* message) {
    struct raft_event event = event_at(now, RAFT_RECEIVE);
    event.receive.message = message;
    return step(engine, &event);
}

static enum us_result receive_append(struct us_engine* engine, uint64_t now,
                                     const struct us_message* from, struct raft_message* message) {
    struct raft_append_entries* args = &message->append_entries;
    message->type = RAFT_APPEND_ENTRIES;
    args->term = from->term;
    args->prev_log_index = from->index;
    args->prev_log_term = from->index_term;
    args->leader_commit = from->commit;
    args->n_entries = from->n;
    if (from->n == 0) return receive(engine, now, message);

    struct raft_entry* entries = to_raft_entries(from->entries, from->n);
    if (entries == NULL) return US_BROKEN;
    /* The engine frees this region unless it wants the entries persisted. */
    void* region = entries[0].type == RAFT_CHANGE ? entries[0].buf.base : raft_malloc(1);
    if (region == NULL) {
        raft_free(entries);
        return US_BROKEN;
    }
    for (unsigned i = 0; i < from->n; ++i) entries[i].batch = region;
    args->entries = entries;
    const enum us_result result = receive(engine, now, message);
    if (persists(engine)) raft_free(region);
    raft_free(entries);
    return result;
}

static enum us_result receive_install(struct us_engine* engine, uint64_t now,
                                      const struct us_message* from,
                                      struct raft_message* message) {
    struct raft_install_snapshot* args = &message->install_snapshot;
    message->type = RAFT_INSTALL_SNAPSHOT;
    args->term = from->term;
    args->last_index = from->snapshot.index;
    args->last_term = from->snapshot.term;
    args->conf_index = from->snapshot.configuration_index;
    if (to_raft(from->snapshot.configuration, &args->conf) != 0) return US_BROKEN;
    /* Closed by the engine, or given back in the update. */
    return receive(engine, now, message);
}

enum us_result us_engine_receive(struct us_engine* engine, uint64_t now,
                                 const struct us_message* from) {
    struct raft_message message;
    memset(&message, 0, sizeof message);
    char address[32];
    name(from->peer, address);
    message.server_id = from->peer;
    message.server_address = address;
    switch (from->type) {
        case US_VOTE_REQUEST:
            message.type = RAFT_REQUEST_VOTE;
            message.request_vote.version = vote_version;
            message.request_vote.term = from->term;
            message.request_vote.candidate_id = from->peer;
            message.request_vote.last_log_index = from->index;
            message.request_vote.last_log_term = from->index_term;
            message.request_vote.disrupt_leader = from->flag;
            message.request_vote.pre_vote = from->pre_vote;
            break;
        case US_VOTE_RESULT:
            message.type = RAFT_REQUEST_VOTE_RESULT;
            message.request_vote_result.version = vote_version;
            message.request_vote_result.term = from->term;
            message.request_vote_result.vote_granted = from->flag;
            message.request_vote_result.pre_vote = from->pre_vote;
            break;
        case US_APPEND_REQUEST: return receive_append(engine, now, from, &message);
        case US_APPEND_RESULT:
            message.type = RAFT_APPEND_ENTRIES_RESULT;
            message.append_entries_result.version = append_result_version;
            message.append_entries_result.term = from->term;
            message.append_entries_result.rejected = from->rejected;
            message.append_entries_result.last_log_index = from->index;
            message.append_entries_result.features = from->capacity > 0 ? feature_capacity : 0;
            message.append_entries_result.capacity = from->capacity;
            break;
        case US_INSTALL_REQUEST: return receive_install(engine, now, from, &message);
        case US_TIMEOUT_NOW:
            message.type = RAFT_TIMEOUT_NOW;
            message.timeout_now.term = from->term;
            message.timeout_now.last_log_index = from->index;
            message.timeout_now.last_log_term = from->index_term;
            break;
    }
    return receive(engine, now, &message);
}

enum us_result us_engine_receive_as_voter(struct us_engine* engine, uint64_t now,
                                          const struct us_message* message) {
    struct raft* raft = &engine->raft;
    if (raft->state != RAFT_FOLLOWER || raft_role(raft) == RAFT_VOTER) {
        return us_engine_receive(engine, now, message);
    }
    /* The engine looks up its own role and nothing else. */
    const struct us_server self = {.id = raft->id, .voter = true};
    const struct us_configuration alone = {.servers = &self, .n = 1};
    const struct raft_configuration real = raft->configuration;
    if (to_raft(alone, &raft->configuration) != 0) {
        raft->configuration = real;
        return US_BROKEN;
    }
    const enum us_result result = us_engine_receive(engine, now, message);
    raft_configuration_close(&raft->configuration);
    raft->configuration = real;
    return result;
}

enum us_result us_engine_persisted(struct us_engine* engine, uint64_t now, uint64_t index) {
    struct raft_event event = event_at(now, RAFT_PERSISTED_ENTRIES);
    event.persisted_entries.index = index;
    return step(engine, &event);
}

enum us_result us_engine_installed(struct us_engine* engine, uint64_t now) {
    struct raft_event event = event_at(now, RAFT_PERSISTED_SNAPSHOT);
    event.persisted_snapshot.metadata = engine->installing;
    event.persisted_snapshot.last = true;
    engine->has_installing = false; /* The engine's from here. */
    return step(engine, &event);
}

enum us_result us_engine_configuration(struct us_engine* engine, uint64_t now, uint64_t index,
                                       struct us_configuration configuration) {
    struct raft* raft = &engine->raft;
    struct raft_event event = event_at(now, RAFT_CONFIGURATION);
    event.configuration.index = index;
    if (to_raft(configuration, &event.configuration.conf) != 0) return US_BROKEN;
    /* A second configuration may have come before the first was known to be committed. The engine
     * would forget the first, and roll the second back to what was before both (defect K). */
    if (raft->configuration_uncommitted_index > index &&
        raft->configuration_committed_index < index) {
        raft_configuration_close(&raft->configuration_committed);
        raft->configuration_committed = event.configuration.conf;
        raft->configuration_committed_index = index;
        memset(&engine->update, 0, sizeof engine->update);
        return US_OK;
    }
    return step(engine, &event);
}

enum us_result us_engine_snapshot(struct us_engine* engine, uint64_t now,
                                  const struct us_snapshot* snapshot, unsigned trailing) {
    struct raft_event event = event_at(now, RAFT_SNAPSHOT);
    event.snapshot.trailing = trailing;
    if (to_raft_snapshot(snapshot, &event.snapshot.metadata) != 0) return US_BROKEN;
    return step(engine, &event);
}

enum us_result us_engine_timeout(struct us_engine* engine, uint64_t now) {
    struct raft_event event = event_at(now, RAFT_TIMEOUT);
    if (engine->raft.state == RAFT_FOLLOWER && now >= raft_timeout(&engine->raft)) {
        raise_lone_voter(engine);
    }
    return step(engine, &event);
}

enum us_result us_engine_submit(struct us_engine* engine, uint64_t now,
                                const struct us_entry* entries, size_t n) {
    struct raft_event event = event_at(now, RAFT_SUBMIT);
    event.submit.entries = to_raft_entries(entries, n);
    if (event.submit.entries == NULL) return US_BROKEN;
    event.submit.n = (unsigned)n;
    for (size_t i = 0; i < n; ++i) event.submit.entries[i].batch = event.submit.entries;
    const enum us_result result = step(engine, &event);
    free_bodies(event.submit.entries, n);
    raft_free(event.submit.entries);
    return result;
}

enum us_result us_engine_catch_up(struct us_engine* engine, uint64_t now, uint64_t id) {
    struct raft_event event = event_at(now, RAFT_CATCH_UP);
    event.catch_up.server_id = id;
    return step(engine, &event);
}

enum us_result us_engine_transfer(struct us_engine* engine, uint64_t now, uint64_t id) {
    struct raft_event event = event_at(now, RAFT_TRANSFER);
    event.transfer.server_id = id;
    return step(engine, &event);
}

enum us_result us_engine_campaign(struct us_engine* engine, uint64_t now) {
    struct raft* raft = &engine->raft;
    if (raft_role(raft) != RAFT_VOTER || raft->snapshot.installing ||
        raft->last_stored != raft_last_index(raft)) {
        return US_NOT_NOW;
    }
    if (raft->state == RAFT_CANDIDATE && raft->candidate_state.in_pre_vote) {
        raft->candidate_state.in_pre_vote = false;
        raft->candidate_state.disrupt_leader = true;
        raft->candidate_state.randomized_election_timeout = 0;
        raft->election_timer_start = now;
        return us_engine_timeout(engine, now);
    }
    if (raft->state != RAFT_FOLLOWER) return US_NOT_NOW;

    /* As if the leader had asked this server to take the lead; without a leader, as if it had
     * itself. */
    const bool alone = raft->follower_state.current_leader.id == 0;
    if (alone) raft->follower_state.current_leader.id = raft->id;
    raise_lone_voter(engine);
    const struct us_message message = {
        .type = US_TIMEOUT_NOW,
        .peer = raft->follower_state.current_leader.id,
        .term = raft->current_term,
        .index = raft_last_index(raft),
        .index_term = us_engine_term_of(engine, raft_last_index(raft)),
    };
    const enum us_result result = us_engine_receive(engine, now, &message);
    if (raft->state == RAFT_FOLLOWER && alone) raft->follower_state.current_leader.id = 0;
    return result;
}

void us_engine_forget_leader(struct us_engine* engine, uint64_t now) {
    struct raft* raft = &engine->raft;
    memset(&engine->update, 0, sizeof engine->update);
    if (raft->state != RAFT_FOLLOWER || now < raft_timeout(raft)) return;
    raft_free(raft->follower_state.current_leader.address);
    raft->follower_state.current_leader.address = NULL;
    raft->follower_state.current_leader.id = 0;
    raft->election_timer_start = now;
}

void us_engine_calm(struct us_engine* engine) {
    struct raft* raft = &engine->raft;
    if (raft->state != RAFT_CANDIDATE) return;
    raft->candidate_state.disrupt_leader = false;
    raft->candidate_state.in_pre_vote = raft->pre_vote;
}

void us_engine_interrupt_install(struct us_engine* engine) {
    engine->raft.snapshot.installing = false;
    forget_installing(engine);
}

uint64_t us_engine_entries_index(const struct us_engine* engine) {
    return engine->update.entries.n > 0 ? engine->update.entries.index : 0;
}
unsigned us_engine_entries_n(const struct us_engine* engine) { return engine->update.entries.n; }
unsigned us_engine_messages_n(const struct us_engine* engine) { return engine->update.messages.n; }
bool us_engine_install_wanted(const struct us_engine* engine) {
    return (engine->update.flags & (RAFT_UPDATE_SNAPSHOT)) != 0;
}

struct us_message us_engine_message(const struct us_engine* engine, unsigned i) {
    const struct raft_message* from = &engine->update.messages.batch[i];
    struct us_message to;
    memset(&to, 0, sizeof to);
    to.peer = from->server_id;
    switch (from->type) {
        case RAFT_REQUEST_VOTE:
            to.type = US_VOTE_REQUEST;
            to.term = from->request_vote.term;
            to.index = from->request_vote.last_log_index;
            to.index_term = from->request_vote.last_log_term;
            to.flag = from->request_vote.disrupt_leader;
            to.pre_vote = from->request_vote.pre_vote;
            break;
        case RAFT_REQUEST_VOTE_RESULT:
            to.type = US_VOTE_RESULT;
            to.term = from->request_vote_result.term;
            to.flag = from->request_vote_result.vote_granted;
            to.pre_vote = from->request_vote_result.pre_vote;
            break;
        case RAFT_APPEND_ENTRIES:
            to.type = US_APPEND_REQUEST;
            to.term = from->append_entries.term;
            to.index = from->append_entries.prev_log_index;
            to.index_term = from->append_entries.prev_log_term;
            to.commit = from->append_entries.leader_commit;
            to.n = from->append_entries.n_entries;
            break;
        case RAFT_APPEND_ENTRIES_RESULT:
            to.type = US_APPEND_RESULT;
            to.term = from->append_entries_result.term;
            to.rejected = from->append_entries_result.rejected;
            to.index = from->append_entries_result.last_log_index;
            to.capacity = from->append_entries_result.capacity;
            break;
        case RAFT_INSTALL_SNAPSHOT:
            to.type = US_INSTALL_REQUEST;
            to.term = from->install_snapshot.term;
            to.index = from->install_snapshot.last_index;
            to.index_term = from->install_snapshot.last_term;
            break;
        case RAFT_TIMEOUT_NOW:
            to.type = US_TIMEOUT_NOW;
            to.term = from->timeout_now.term;
            to.index = from->timeout_now.last_log_index;
            to.index_term = from->timeout_now.last_log_term;
            break;
    }
    return to;
}

enum us_state us_engine_state(const struct us_engine* engine) {
    switch (engine->raft.state) {
        case RAFT_LEADER: return US_LEADER;
        case RAFT_CANDIDATE: return US_CANDIDATE;
        default: return US_FOLLOWER;
    }
}
uint64_t us_engine_term(const struct us_engine* engine) { return engine->raft.current_term; }
uint64_t us_engine_vote(const struct us_engine* engine) { return engine->raft.voted_for; }
uint64_t us_engine_leader(const struct us_engine* engine) {
    const struct raft* raft = &engine->raft;
    if (raft->state == RAFT_LEADER) return raft->id;
    return raft->state == RAFT_FOLLOWER ? raft->follower_state.current_leader.id : 0;
}
uint64_t us_engine_commit(const struct us_engine* engine) { return engine->raft.commit_index; }
uint64_t us_engine_last_stored(const struct us_engine* engine) { return engine->raft.last_stored; }
uint64_t us_engine_offset(const struct us_engine* engine) { return engine->raft.trail.offset; }
uint64_t us_engine_snapshot_index(const struct us_engine* engine) {
    return engine->raft.trail.snapshot.index;
}
uint64_t us_engine_snapshot_term(const struct us_engine* engine) {
    return engine->raft.trail.snapshot.term;
}

/* The records of the trail, oldest first: each tells the last entry of one term. */
static unsigned records(const struct raft_trail* trail) {
    if (trail->front <= trail->back) return trail->back - trail->front;
    return trail->size - trail->front + trail->back;
}
static unsigned record_at(const struct raft_trail* trail, unsigned i) {
    return (trail->front + i) % trail->size;
}

uint64_t us_engine_last(const struct us_engine* engine) {
    const struct raft_trail* trail = &engine->raft.trail;
    const unsigned n = records(trail);
    if (n == 0) return trail->snapshot.index;
    return trail->records[record_at(trail, n - 1)].index;
}

uint64_t us_engine_term_of(const struct us_engine* engine, uint64_t index) {
    const struct raft_trail* trail = &engine->raft.trail;
    if (index > trail->offset) {
        /* The newest are asked for most. */
        uint64_t term = 0;
        for (unsigned i = records(trail); i > 0; --i) {
            const unsigned at = record_at(trail, i - 1);
            if (trail->records[at].index < index) return term;
            term = trail->records[at].term;
        }
        if (term != 0) return term;
    }
    return index != 0 && index == trail->snapshot.index ? trail->snapshot.term : 0;
}

uint64_t us_engine_term_begins(const struct us_engine* engine, uint64_t index) {
    const struct raft_trail* trail = &engine->raft.trail;
    uint64_t begins = trail->offset + 1;
    for (unsigned i = 0; i < records(trail); ++i) {
        const uint64_t end = trail->records[record_at(trail, i)].index;
        if (end >= index) return begins;
        begins = end + 1;
    }
    return begins;
}

uint64_t us_engine_timeout_at(const struct us_engine* engine) {
    return raft_timeout(&engine->raft);
}
bool us_engine_installing(const struct us_engine* engine) {
    return engine->raft.snapshot.installing;
}
bool us_engine_pre_voting(const struct us_engine* engine) {
    return engine->raft.state == RAFT_CANDIDATE && engine->raft.candidate_state.in_pre_vote;
}
uint64_t us_engine_transferee(const struct us_engine* engine) {
    return raft_transferee(&engine->raft);
}
uint64_t us_engine_promotee(const struct us_engine* engine) {
    return engine->raft.state == RAFT_LEADER ? engine->raft.leader_state.promotee_id : 0;
}
uint64_t us_engine_uncommitted_configuration(const struct us_engine* engine) {
    return engine->raft.configuration_uncommitted_index;
}
bool us_engine_match(const struct us_engine* engine, uint64_t id, uint64_t* index) {
    raft_index match = 0;
    if (raft_match_index(&engine->raft, id, &match) != 0) return false;
    *index = match;
    return true;
}
int us_engine_catch_up_state(const struct us_engine* engine, uint64_t id) {
    int status = RAFT_CATCH_UP_NONE;
    if (raft_catch_up(&engine->raft, id, &status) != 0) return 0;
    switch (status) {
        case RAFT_CATCH_UP_RUNNING: return 1;
        case RAFT_CATCH_UP_ABORTED: return 2;
        case RAFT_CATCH_UP_FINISHED: return 3;
        default: return 0;
    }
}
