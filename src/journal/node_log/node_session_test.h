#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "journal/fakes/fake_runtime_test.h"
#include "journal/node_log/node_log.h"

namespace understudy::journal {

inline constexpr const char* node_directory = "/data/node";

inline GroupEntry entry_of(std::uint64_t term, std::string_view body, std::uint8_t kind = 1) {
    auto kept = std::make_shared<std::string>(body);
    return {.term = {term}, .kind = kind, .owner = kept, .body = as_bytes(*kept)};
}

/// What a group should hold.
struct ModelGroup {
    struct Entry {
        Entry(std::uint64_t term_of, std::uint8_t kind_of, Bytes content)
            : term(term_of), kind(kind_of), body(as_text(content)), hash(hash64(content)) {}
        std::uint64_t term;
        std::uint8_t kind;
        std::string body;
        std::uint64_t hash;  ///< Of the body, which is hashed once and not after every write.
        friend bool operator==(const Entry&, const Entry&) = default;
    };
    std::string state;
    Index first{1};
    std::vector<Entry> entries;

    [[nodiscard]] Index last() const { return {first.value - 1 + entries.size()}; }
    friend bool operator==(const ModelGroup&, const ModelGroup&) = default;
};

/// What a log should hold: the meaning of GroupWrite, written in the simplest way.
struct NodeModel {
    std::map<std::uint64_t, ModelGroup> groups;

    void write(std::uint64_t id, const GroupWrite& write) {
        ModelGroup& group = groups[id];
        auto& entries = group.entries;
        if (write.state) group.state = std::string(as_text(*write.state));
        while (write.trim && group.first < *write.trim && !entries.empty()) {
            entries.erase(entries.begin());
            group.first = group.first.next();
        }
        if (write.restart) {
            entries.clear();
            group.first = write.from;
        } else if (write.from != Index{}) {
            const auto kept = static_cast<std::ptrdiff_t>(write.from.value - group.first.value);
            entries.erase(entries.begin() + kept, entries.end());
        }
        for (const GroupEntry& entry : write.entries) {
            entries.emplace_back(entry.term.value, entry.kind, entry.body);
        }
    }
    void forget(std::uint64_t id) { groups.erase(id); }

    [[nodiscard]] std::uint64_t hash() const {
        Buffer out;
        ByteWriter writer(out);
        for (const auto& [id, group] : groups) {
            writer.varint(id);
            writer.text(group.state);
            writer.varint(group.first.value);
            writer.varint(group.entries.size());
            for (const auto& entry : group.entries) {
                writer.varint(entry.term);
                writer.fixed(entry.kind);
                writer.fixed(entry.hash);
            }
        }
        return hash64(out);
    }
    friend bool operator==(const NodeModel&, const NodeModel&) = default;
};

/// One process that opens the node's log of `disk`, and the results.
class NodeSession final : private NodeLog::Observer {
public:
    struct Setup {
        std::uint64_t segment_bytes = 64 * KiB;
        std::uint64_t cache_bytes = 16 * KiB;
        std::uint64_t queue_bytes = 4 * MiB;
    };

    explicit NodeSession(FakeDisk& disk, std::uint64_t seed = 1)
        : NodeSession(disk, seed, Setup{}) {}
    NodeSession(FakeDisk& disk, std::uint64_t seed, Setup setup) : runtime(disk, seed) {
        opening = NodeLog::open(runtime, log_,
                                {.directory = node_directory,
                                 .segment_size_bytes = setup.segment_bytes,
                                 .queue_bytes_max = setup.queue_bytes,
                                 .cache_bytes_max = setup.cache_bytes},
                                *this, [this](Result<std::unique_ptr<NodeLog>> result) {
                                    if (result) {
                                        log = *std::move(result);
                                    } else {
                                        error = result.error();
                                    }
                                });
    }

    NodeSession& opened() {
        runtime.run_until([this] { return log || error; });
        return *this;
    }

    /// Adds entries after the last one of the group.
    Result<LogPosition> add(std::uint64_t group, std::vector<GroupEntry> entries,
                            Urgency urgency = Urgency::ordinary) {
        GroupWrite write;
        write.entries = std::move(entries);
        return log->write({group}, std::move(write), urgency);
    }
    /// The same, and waits until it is durable.
    bool added(std::uint64_t group, std::vector<GroupEntry> entries) {
        const auto position = add(group, std::move(entries));
        return position && runtime.run_until([&] { return log->durable() >= *position; });
    }

    Result<std::vector<GroupEntry>> load(std::uint64_t group, Index from, std::size_t count = 1000,
                                         std::size_t bytes = 1 * MiB) {
        std::optional<Result<std::vector<GroupEntry>>> result;
        log->load({group}, from, count, bytes,
                  [&](Result<std::vector<GroupEntry>> found) { result = std::move(found); });
        EXPECT_FALSE(result) << "never within the call";
        runtime.run_until([&] { return result.has_value(); });
        if (!result) return Error{.code = Errc::timed_out};
        return *std::move(result);
    }

    /// Everything that the log holds, as its functions report it.
    NodeModel contents(const std::vector<std::uint64_t>& ids) {
        NodeModel model;
        for (const std::uint64_t id : ids) {
            const auto found = log->groups().find({id});
            const bool known = found != log->groups().end();
            if (!known && log->last({id}) == Index{} && log->first({id}) == Index{1}) continue;
            ModelGroup& group = model.groups[id];
            if (known) group.state = std::string(as_text(found->second.state));
            group.first = log->first({id});
            Index next = group.first;
            while (next <= log->last({id})) {
                const auto entries = load(id, next, 7, 20'000);
                if (!entries && entries.error().code == Errc::timed_out) return model;  // Dead.
                if (!entries || entries->empty()) {
                    ADD_FAILURE() << "entry " << next.value << " of " << id
                                  << (entries ? "" : to_string(entries.error()));
                    break;
                }
                for (const GroupEntry& entry : *entries) {
                    EXPECT_EQ(log->term({id}, next), entry.term);
                    group.entries.emplace_back(entry.term.value, entry.kind, entry.body);
                    next = next.next();
                }
            }
        }
        return model;
    }

    bool close() {
        bool closed = false;
        log->close([&] { closed = true; });
        runtime.settle();
        return closed;
    }

    FakeRuntime runtime;
    std::vector<LogPosition> durable_heard;
    std::vector<Space> spaces;
    std::vector<Error> failures;
    std::optional<Error> error;
    std::unique_ptr<Opening> opening;
    std::unique_ptr<NodeLog> log;

private:
    void durable(LogPosition position) override { durable_heard.push_back(position); }
    void space_changed(Space space) override { spaces.push_back(space); }
    void failed(const Error& failure) override { failures.push_back(failure); }

    NullLog log_;
};

}  // namespace understudy::journal
