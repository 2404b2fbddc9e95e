#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "replicated/surroundings.h"

namespace understudy::replicated {

/// A log in memory that becomes durable when the test says so.
class FakeNodeLog final : public journal::NodeLog {
public:
    struct Log {
        Index first{1};
        std::vector<journal::GroupEntry> entries;
    };
    struct Loading {
        GroupId group;
        Index from;
        std::size_t count = 0;
        Read done;
    };

    std::uint64_t identity() const override { return 77; }
    const std::map<GroupId, Group>& groups() const override { return groups_; }
    Result<journal::LogPosition> write(GroupId group, journal::GroupWrite write,
                                       journal::Urgency urgency) override {
        if (refuse) return *refuse;
        if (full && urgency == journal::Urgency::ordinary) {
            space_now = journal::Space::reserve_only;
            return no_space();
        }
        urgencies.push_back(urgency);
        Log& log = logs[group];
        if (write.restart) log = {.first = write.from, .entries = {}};
        if (write.from.value != 0) {
            log.entries.resize(static_cast<std::size_t>(write.from.value - log.first.value));
        }
        for (auto& entry : write.entries) log.entries.push_back(std::move(entry));
        if (write.state) states[group] = *write.state;
        return written = written.next();
    }
    journal::LogPosition durable() const override { return durable_position; }
    journal::Space space() const override { return space_now; }
    Error no_space() const override {
        return {.code = Errc::no_space, .detail = "1 MiB free, 2 MiB wanted for a segment"};
    }
    Index first(GroupId group) const override { return at(group).first; }
    Index last(GroupId group) const override {
        return {at(group).first.value + at(group).entries.size() - 1};
    }
    std::optional<Epoch> term(GroupId group, Index index) const override {
        const Log& log = at(group);
        if (index < log.first || index > last(group)) return std::nullopt;
        return log.entries.at(static_cast<std::size_t>(index.value - log.first.value)).term;
    }
    std::vector<journal::GroupEntry> cached(GroupId group, Index from, std::size_t count,
                                            std::size_t) const override {
        if (from < cached_from) return {};
        return slice(group, from, count);
    }
    void load(GroupId group, Index from, std::size_t count, std::size_t, Read done) override {
        loading.push_back({.group = group, .from = from, .count = count, .done = std::move(done)});
    }
    Result<journal::LogPosition> forget(GroupId group) override {
        logs.erase(group);
        return written = written.next();
    }
    void close(std::function<void()> done) override { done(); }

    void finish_loading() {
        for (Loading& each : std::exchange(loading, {})) {
            each.done(slice(each.group, each.from, each.count));
        }
    }
    void append(GroupId group, Epoch term, std::string_view body,
                consensus::EntryKind kind = consensus::EntryKind::command) {
        const auto owner =
            std::make_shared<const Buffer>(as_bytes(body).begin(), as_bytes(body).end());
        logs[group].entries.push_back({.term = term,
                                       .kind = static_cast<std::uint8_t>(kind),
                                       .owner = owner,
                                       .body = *owner});
    }

    std::map<GroupId, Log> logs;
    std::map<GroupId, Buffer> states;
    std::vector<journal::Urgency> urgencies;
    std::vector<Loading> loading;
    journal::LogPosition written;
    journal::LogPosition durable_position;
    journal::Space space_now = journal::Space::ok;
    bool full = false;  ///< The next ordinary write notices it.
    Index cached_from;
    std::optional<Error> refuse;

private:
    const Log& at(GroupId group) const {
        static const Log none;
        const auto found = logs.find(group);
        return found == logs.end() ? none : found->second;
    }
    std::vector<journal::GroupEntry> slice(GroupId group, Index from, std::size_t count) const {
        const Log& log = at(group);
        if (from < log.first || from > last(group)) return {};
        const auto begin =
            log.entries.begin() + static_cast<std::ptrdiff_t>(from.value - log.first.value);
        const auto left = static_cast<std::size_t>(log.entries.end() - begin);
        return {begin, begin + static_cast<std::ptrdiff_t>(std::min(count, left))};
    }

    std::map<GroupId, Group> groups_;
};

/// Remembers what was sent.
class FakeSurroundings final : public Surroundings {
public:
    struct Sent {
        ServerId to;
        consensus::Message message;
        std::vector<std::string> bodies;
    };

    explicit FakeSurroundings(FakeNodeLog& log) : log_(log) {}

    void send(ServerId to, GroupId, const consensus::Message& message) override {
        sent.push_back({.to = to, .message = message, .bodies = {}});
    }
    void send(ServerId to, GroupId, const consensus::AppendRequest& request,
              std::span<const journal::GroupEntry> entries) override {
        Sent& each = sent.emplace_back();
        each.to = to;
        each.message = request;
        for (const auto& entry : entries) each.bodies.emplace_back(as_text(entry.body));
    }
    void tell(ServerId to, GroupId, wire::MessageType type, Bytes body) override {
        told.push_back({to, type, Buffer(body.begin(), body.end())});
    }
    void tell_node(std::string_view name, wire::MessageType type, Bytes body) override {
        told_nodes.push_back({std::string(name), type, Buffer(body.begin(), body.end())});
    }
    void tell_all(wire::MessageType type, Bytes body) override { tell_node("*", type, body); }
    bool congested(ServerId to, GroupId) const override { return congested_to.contains(to); }
    std::optional<std::uint64_t> identity_of(std::string_view name) const override {
        const auto found = identities.find(std::string(name));
        return found == identities.end() ? std::nullopt : std::optional(found->second);
    }
    std::string name_of(ServerId server, GroupId group) const override {
        for (const auto& [name, identity] : identities) {
            if (server_of(identity, group) == server) return name;
        }
        return {};
    }
    void learn(const Member&) override {}
    Result<journal::LogPosition> write(GroupId group, journal::GroupWrite write,
                                       journal::Urgency urgency) override {
        return log_.write(group, std::move(write), urgency);
    }
    Bytes state_of(GroupId group) const override {
        const auto found = log_.states.find(group);
        return found == log_.states.end() ? Bytes{} : Bytes(found->second);
    }
    bool disk_congested() const override { return disk_is_congested; }
    void ended(GroupId) override { ++ends; }

    struct Told {
        ServerId to;
        wire::MessageType type;
        Buffer body;
    };
    struct ToldNode {
        std::string name;
        wire::MessageType type;
        Buffer body;
    };
    std::vector<Sent> sent;
    std::vector<Told> told;
    std::vector<ToldNode> told_nodes;
    std::set<ServerId> congested_to;
    std::map<std::string, std::uint64_t> identities;
    bool disk_is_congested = false;
    int ends = 0;

private:
    FakeNodeLog& log_;
};

}  // namespace understudy::replicated
