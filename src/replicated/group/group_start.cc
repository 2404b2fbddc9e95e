#include "replicated/group/group_start.h"

#include <utility>

#include <fmt/format.h>

#include "base/plant.h"
#include "consensus/configuration.h"
#include "replicated/entry_body.h"

namespace understudy::replicated {

namespace {

constexpr std::size_t read_entries_max = 4096;
constexpr std::size_t read_bytes_max = 4 * MiB;
constexpr Duration founding_retry = 200ms;

/// The members that a command of the log lists; nullopt: it lists none, or is not readable.
std::optional<Members> listed_members(const journal::GroupEntry& entry) {
    if (kind_of(entry.kind) != consensus::EntryKind::command) return std::nullopt;
    const auto body = decode_body(entry.body);
    if (!body || body->kind != BodyKind::members) return std::nullopt;
    auto members = Members::decode(body->content);
    return members ? std::optional(*std::move(members)) : std::nullopt;
}

journal::GroupEntry owned_entry(Epoch term, consensus::EntryKind kind, Buffer body) {
    auto owner = std::make_shared<const Buffer>(std::move(body));
    return {.term = term, .kind = stored_kind(kind, true), .owner = owner, .body = *owner};
}

}  // namespace

GroupStart::GroupStart(const GroupContext& context, Owner& owner, Schedule& schedule,
                       Driver& driver, GroupMembership& membership, Delivery& delivery,
                       Checkpointing& checkpointing)
    : context_(context),
      owner_(owner),
      schedule_(schedule),
      driver_(driver),
      membership_(membership),
      delivery_(delivery),
      checkpointing_(checkpointing) {}

void GroupStart::begin() {
    for (const Member& founder : context_.options.founders) context_.surroundings.learn(founder);
    if (const Bytes bytes = context_.surroundings.state_of(context_.id); !bytes.empty()) {
        auto state = decode_group_state(bytes);
        if (!state) return owner_.fail(std::move(state).error());
        if (state->service != context_.options.service) {
            return owner_.fail({.code = Errc::bad_config,
                                .detail = fmt::format("{} has the number of {}",
                                                      context_.options.service, state->service)});
        }
        driver_.set_state(*std::move(state));
        return prepare();
    }
    for (const Member& founder : context_.options.founders) {
        if (founder.name != context_.self.name) continue;
        founding_.emplace(context_.id, context_.self.name, context_.options.founders);
        return ask_founders();
    }
    prepare();
}

// --- Founding --------------------------------------------------------------------------------

void GroupStart::ask_founders() {
    if (founding_->collects()) {
        if (const auto members = founding_->complete(context_.node_log.identity())) {
            return found_group(*members);
        }
    }
    const Buffer question =
        encode(Found{.group = context_.id, .service = context_.options.service});
    for (const Member& founder : founding_->founders()) {
        if (founder.name == context_.self.name) continue;
        context_.surroundings.tell_node(founder.name, wire::MessageType::found, question);
    }
    if (const auto missing = founding_->long_missing(context_.runtime.now()); !missing.empty()) {
        context_.log.warn("replicated.founding_waits",
                          {kv("service", context_.options.service),
                           kv("missing", fmt::format("{}", fmt::join(missing, ","))),
                           kv("founders", founding_->founders().size())});
    }
    schedule_.tend_at(context_.runtime.now() + founding_retry);
    schedule_.arm(TimePoint::max());
}

void GroupStart::found(const std::string& node, std::uint64_t identity) {
    if (!founding()) return answer(node, identity);
    founding_->heard(node, identity);
    if (!founding_->collects()) return;
    if (const auto members = founding_->complete(context_.node_log.identity())) {
        found_group(*members);
    }
}

// Only a node that has data of the group knows that it was founded. A founder gets the list with
// which the group was founded, as long as that is in the log. Others begin empty, like every member
// that joins, because their disks have no data of the group.
void GroupStart::answer(const std::string& node, std::uint64_t identity) const {
    if (!driver_.runs() || driver_.core().configuration().servers.empty()) return;
    Founded reply{.group = context_.id, .members = std::nullopt};
    const auto entries = context_.node_log.first(context_.id) == Index{1}
                             ? context_.node_log.cached(context_.id, Index{1}, 2, read_bytes_max)
                             : std::vector<journal::GroupEntry>{};
    if (entries.size() == 2) {
        auto members = listed_members(entries[1]);
        if (members && members->find(server_of(identity, context_.id)) != nullptr) {
            reply.members = std::move(members);
        }
    }
    context_.surroundings.tell_node(node, wire::MessageType::founded, encode(reply));
}

void GroupStart::founded(const Founded& message) {
    if (!message.members) {
        context_.log.info("replicated.joins_late", {kv("service", context_.options.service)});
        founded_ = true;
        return prepare();
    }
    if (auto accepted = founding_->accept(*message.members, context_.node_log.identity());
        !accepted) {
        return owner_.fail(std::move(accepted).error());
    }
    found_group(*message.members);
}

void GroupStart::node_lost(const std::string& name) {
    if (founding()) founding_->lost(name);
}

// Each founder writes the same two entries: the configuration, and the list of members.
void GroupStart::found_group(const Members& members) {
    founded_ = true;
    schedule_.tend_at(TimePoint::max());
    const Epoch term{1};
    Buffer list;
    members.encode(list);
    driver_.set_hard({.term = term, .vote = {}});
    journal::GroupWrite write;
    write.from = Index{1};
    write.entries.push_back(owned_entry(term, consensus::EntryKind::configuration,
                                        consensus::encoded(members.configuration())));
    write.entries.push_back(owned_entry(term, consensus::EntryKind::command,
                                        encode_body(BodyKind::members, std::move(list))));
    const auto position = driver_.write(std::move(write));
    if (!position) return;
    context_.log.info("replicated.founded", {kv("service", context_.options.service),
                                             kv("members", members.rows().size())});
    driver_.writes().when_durable(*position, driver_.guarded([this, members] {
        if (founding_->collects()) tell_founders(members);
        prepare();
    }));
}

void GroupStart::tell_founders(const Members& members) const {
    const Buffer list = encode(Founded{.group = context_.id, .members = members});
    for (const Member& founder : founding_->founders()) {
        if (founder.name == context_.self.name) continue;
        context_.surroundings.tell_node(founder.name, wire::MessageType::founded, list);
    }
}

// --- Reading ---------------------------------------------------------------------------------

void GroupStart::prepare() {
    checkpointing_.prepare_directory([this] { read_log(); });
}

void GroupStart::read_log() {
    const auto& snapshot = driver_.state().snapshot;
    recovered_ = {};
    recovered_.snapshot = snapshot;
    recovered_.first = context_.node_log.first(context_.id);
    if (recovered_.first.value == 0) recovered_.first = Index{1};
    if (snapshot) {
        auto members = decode_reference(snapshot->reference);
        if (!members) return owner_.fail(std::move(members).error());
        for (const MemberRow& row : members->rows()) context_.surroundings.learn(row.member);
        if (snapshot->index > delivery_.applied() || delivery_.applied().value == 0) {
            membership_.apply(*std::move(members));
            membership_.apply(snapshot->configuration);
        }
    }
    read_entries(recovered_.first);
}

void GroupStart::read_entries(Index from) {
    if (from > context_.node_log.last(context_.id)) {
        driver_.writes().set_last(context_.node_log.last(context_.id));
        if (driver_.checkpoint() <= delivery_.applied()) return raise_term();
        return checkpointing_.restore([this] { raise_term(); });
    }
    context_.node_log.load(
        context_.id, from, read_entries_max, read_bytes_max,
        driver_.guarded([this, from](Result<std::vector<journal::GroupEntry>> entries) {
            if (!entries) return owner_.fail(std::move(entries).error());
            for (const journal::GroupEntry& entry : *entries) {
                if (!take(entry)) return;
            }
            read_entries({from.value + entries->size()});
        }));
}

bool GroupStart::take(const journal::GroupEntry& entry) {
    if (!is_stored_kind(entry.kind)) {
        owner_.fail({.code = Errc::corrupt, .detail = "kind of an entry"});
        return false;
    }
    consensus::LogEntry& kept = recovered_.entries.emplace_back();
    kept.term = entry.term;
    kept.kind = kind_of(entry.kind);
    if (kept.kind == consensus::EntryKind::configuration) {
        kept.body = {.owner = entry.owner, .bytes = entry.body};
    }
    // A list of members contains the addresses of the others. They are used even if the list is not
    // committed.
    if (const auto members = listed_members(entry)) {
        for (const MemberRow& row : members->rows()) context_.surroundings.learn(row.member);
    }
    return true;
}

// A single voter must never use its term again, and a vote that was given must not be forgotten. So
// each start begins a new term, which is durable before any message is sent.
void GroupStart::raise_term() {
    if (!planted(Plant::vote_not_kept)) {
        driver_.set_hard({.term = driver_.state().hard.term.next(), .vote = {}});
        const auto position = driver_.write();
        if (!position) return;
        return driver_.writes().when_durable(
            *position, driver_.guarded([this] { owner_.run(std::exchange(recovered_, {})); }));
    }
    owner_.run(std::exchange(recovered_, {}));
}

}  // namespace understudy::replicated
