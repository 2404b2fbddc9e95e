#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/seed_line_test.h"
#include "raft/raft_core.h"
#include "replicated/node/node.h"
#include "sim/world.h"

namespace understudy::replicated {

/// Facts that no member of a group may ever contradict.
struct Oracle {
    struct Place {
        Epoch epoch;
        std::uint64_t hash = 0;
        friend bool operator==(const Place&, const Place&) = default;
    };

    void committed(const std::string& who, const journal::Entry& entry) {
        const Place place{entry.epoch, hash64(entry.body, static_cast<std::uint64_t>(entry.type))};
        const auto [found, is_new] = places.emplace(entry.index, place);
        EXPECT_TRUE(found->second == place) << who << " has another entry " << entry.index.value;
    }
    void state(const std::string& who, Index at, std::uint64_t hash) {
        const auto [found, is_new] = states.emplace(at, hash);
        EXPECT_EQ(found->second, hash) << who << " has another state at " << at.value;
    }
    void active(const std::string& who, Epoch epoch) {
        const auto [found, is_new] = actives.emplace(epoch, who);
        EXPECT_EQ(found->second, who) << "two active in epoch " << epoch.value;
    }

    std::map<Index, Place> places;
    std::map<Index, std::uint64_t> states;
    std::map<Epoch, std::string> actives;
    std::set<std::string> acknowledged;
    std::uint64_t next = 1;
    bool quiet = false;  ///< No member proposes any more.
};

/// The observer of a member of one group: keeps all commands, in order.
class Copy final : public journal::Observer {
public:
    Copy(Runtime& runtime, std::string node, Oracle& oracle)
        : runtime_(runtime), node_(std::move(node)), oracle_(oracle) {}

    void open(Node& node, GroupOptions options) {
        options_ = options;
        opening_ = node.open_journal(std::move(options), *this,
                                     [this](Result<std::unique_ptr<journal::Journal>> opened) {
                                         if (!opened) {
                                             error = opened.error();
                                             return;
                                         }
                                         journal = *std::move(opened);
                                     });
    }

    Result<void> restore(const journal::StateSlice& slice) override {
        if (slice.first) restored_.clear();
        restored_.insert(restored_.end(), slice.bytes.begin(), slice.bytes.end());
        if (!slice.last) return {};
        commands.clear();
        ByteReader reader(restored_);
        while (!reader.rest().empty()) {
            const auto text = reader.text();
            if (!text) return Error{.code = Errc::corrupt, .detail = "state"};
            commands.emplace_back(*text);
        }
        heard = slice.at;
        ++restores;
        oracle_.state(node_, heard, hash());
        return {};
    }
    void committed(const journal::Entry& entry) override {
        EXPECT_EQ(entry.index, heard.next()) << node_;
        heard = entry.index;
        oracle_.committed(node_, entry);
        if (entry.type == journal::EntryType::command) {
            commands.emplace_back(as_text(entry.body));
        }
        if (entry.index.value % 16 == 0) oracle_.state(node_, heard, hash());
    }
    void standing_changed(const journal::Standing& now) override {
        standing = now;
        if (now.role == Role::active) oracle_.active(node_, now.epoch);
    }
    void space_changed(journal::Space) override {}
    void failed(const Error& why) override { error = why; }

    void propose(std::size_t bytes = 0) {
        std::string text = std::to_string(oracle_.next++) + ":" + std::string(bytes, 'x');
        std::vector<journal::Draft> drafts(1);
        drafts[0].body.assign(as_bytes(text).begin(), as_bytes(text).end());
        journal->append(std::move(drafts), journal::Urgency::ordinary,
                        [this, text](const Result<Index>& result) {
                            if (!result) {
                                ++refused;
                                return;
                            }
                            EXPECT_EQ(heard, *result);
                            oracle_.acknowledged.insert(text);
                            ++acknowledged;
                        });
    }
    /// Proposes as long as it is active, at random.
    void keep_proposing(Duration mean) {
        if (active() && journal && !oracle_.quiet) propose(runtime_.random().below(200));
        timer_ = runtime_.at(runtime_.now() + runtime_.random().between(mean / 2, mean * 3 / 2),
                             [this, mean] { keep_proposing(mean); });
    }
    void take_checkpoint() {
        auto begun = journal->begin_checkpoint();
        if (!begun) return;
        writer_ = *std::move(begun);
        Buffer state;
        ByteWriter to(state);
        for (const std::string& command : commands) to.text(command);
        writer_->write(std::move(state), [this](Result<void> written) {
            if (!written) return writer_.reset();
            writer_->finish([this](Result<void> finished) {
                if (finished) ++checkpoints;
                writer_.reset();
            });
        });
    }

    [[nodiscard]] bool active() const { return standing.role == Role::active && !error; }
    [[nodiscard]] std::uint64_t hash() const {
        std::uint64_t value = 0;
        for (const std::string& command : commands) value = hash64(as_bytes(command), value);
        return value;
    }

    std::unique_ptr<journal::Journal> journal;
    journal::Standing standing;
    std::optional<Error> error;
    std::vector<std::string> commands;
    Index heard;
    int restores = 0;
    int checkpoints = 0;
    std::uint64_t acknowledged = 0;
    std::uint64_t refused = 0;

private:
    Runtime& runtime_;
    const std::string node_;
    Oracle& oracle_;
    GroupOptions options_;
    Buffer restored_;
    std::unique_ptr<journal::Opening> opening_;
    std::unique_ptr<journal::CheckpointWriter> writer_;
    std::unique_ptr<Timer> timer_;
};

/// A process with a node in it, and a member of each service.
class Program final {
public:
    struct Spec {
        Node::Options node;
        std::vector<GroupOptions> groups;
        Duration propose_every{};
        Duration checkpoint_every{};
    };

    Program(Runtime& runtime, Log& log, Spec spec, std::map<std::string, Oracle>& oracles)
        : runtime_(runtime), spec_(std::move(spec)) {
        for (const GroupOptions& group : spec_.groups) {
            members.emplace(group.service, std::make_unique<Copy>(runtime, spec_.node.name,
                                                                  oracles[group.service]));
        }
        opening_ = Node::open(runtime, log, spec_.node, raft::make_core,
                              [this](Result<std::unique_ptr<Node>> opened) {
                                  if (!opened) {
                                      error = opened.error();
                                      return;
                                  }
                                  node = *std::move(opened);
                                  for (const GroupOptions& group : spec_.groups) open(group);
                              });
    }
    ~Program() { members.clear(); }
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    void open(const GroupOptions& group) {
        Copy& member = *members.at(group.service);
        member.open(*node, group);
        if (spec_.propose_every > Duration::zero()) member.keep_proposing(spec_.propose_every);
        if (spec_.checkpoint_every > Duration::zero()) keep_checkpointing();
    }
    void keep_checkpointing() {
        timer_ = runtime_.at(runtime_.now() + spec_.checkpoint_every, [this] {
            for (auto& [service, member] : members) {
                if (member->journal && !member->error) member->take_checkpoint();
            }
            keep_checkpointing();
        });
    }

    [[nodiscard]] Copy& member(const std::string& service = "s") { return *members.at(service); }
    [[nodiscard]] bool broken() const {
        if (error) return true;
        for (const auto& [service, member] : members) {
            if (member->error) return true;
        }
        return false;
    }

    std::unique_ptr<Node> node;
    std::optional<Error> error;
    std::map<std::string, std::unique_ptr<Copy>> members;

private:
    Runtime& runtime_;
    const Spec spec_;
    std::unique_ptr<journal::Opening> opening_;
    std::unique_ptr<Timer> timer_;
};

/// Several hosts, each with one node.
class Cluster {
public:
    static constexpr std::uint16_t port = 7400;

    /// Gets every trace line, for people.
    static inline std::function<void(std::string_view)> sink;

    explicit Cluster(std::uint64_t seed, sim::WorldOptions options = {})
        : seed_line(seed), world(with_seed(std::move(options), seed)) {}

    static sim::WorldOptions with_seed(sim::WorldOptions options, std::uint64_t seed) {
        options.seed = seed;
        if (sink) options.sink = sink;
        return options;
    }
    static replicated::Member founder(const std::string& name, MemberKind kind = MemberKind::data) {
        return {.name = name, .address = {name, port}, .kind = kind};
    }
    Program::Spec spec(const std::string& name, std::vector<GroupOptions> groups) {
        return {.node = {.platform = "p",
                         .name = name,
                         .listen = {name, port},
                         .advertise = std::nullopt,
                         .peers = {},
                         .tls = std::nullopt,
                         .directory = "/var/lib/node",
                         .segment_size_bytes = 256 * KiB},
                .groups = std::move(groups)};
    }
    sim::Process& start(const Program::Spec& what) {
        bool known = false;
        for (const auto& each : world.nodes()) known = known || each->name() == what.node.name;
        if (!known) world.add_node(what.node.name);
        return world.node(what.node.name).start("node", [this, what](Runtime& runtime, Log& log) {
            return std::make_unique<Program>(runtime, log, what, oracles);
        });
    }
    /// Three data members of "s".
    void start_three(Duration propose_every = {}, Duration checkpoint_every = {}) {
        for (const char* name : {"n1", "n2", "n3"}) {
            auto what = spec(name, {group()});
            what.propose_every = propose_every;
            what.checkpoint_every = checkpoint_every;
            start(what);
        }
    }
    static GroupOptions group() {
        GroupOptions options;
        options.service = "s";
        options.founders = {founder("n1"), founder("n2"), founder("n3")};
        return options;
    }

    [[nodiscard]] sim::Process& process(const std::string& name) {
        return world.node(name).process("node");
    }
    [[nodiscard]] Program& program(const std::string& name) { return process(name).app<Program>(); }
    [[nodiscard]] Copy& member(const std::string& name) { return program(name).member(); }
    [[nodiscard]] bool up(const std::string& name) {
        return process(name).alive() && member(name).journal != nullptr;
    }
    /// The active member with the newest tenure; empty if no member is active.
    [[nodiscard]] std::string active(const std::vector<std::string>& names = {"n1", "n2", "n3"}) {
        std::string best;
        Epoch epoch;
        for (const std::string& name : names) {
            if (!process(name).alive() || !member(name).active()) continue;
            if (member(name).standing.epoch > epoch) {
                best = name;
                epoch = member(name).standing.epoch;
            }
        }
        return best;
    }
    std::string wait_active(const std::vector<std::string>& names = {"n1", "n2", "n3"},
                            Duration within = 10s) {
        std::string name;
        world.run_until([&] { return !(name = active(names)).empty(); }, within);
        return name;
    }
    /// Expects that all members were told the same, and everything that was ever acknowledged.
    void expect_agreement(const std::vector<std::string>& names = {"n1", "n2", "n3"}) {
        oracles["s"].quiet = true;
        const bool met = world.run_until(
            [&] {
                const std::string name = active(names);
                if (name.empty()) return false;
                for (const std::string& each : names) {
                    if (!up(each) || member(each).heard != member(name).heard) return false;
                }
                return true;
            },
            20s);
        EXPECT_TRUE(met) << "they do not come together";
        if (!met) return;
        for (const std::string& each : names) {
            const std::set<std::string> has(member(each).commands.begin(),
                                            member(each).commands.end());
            EXPECT_EQ(has.size(), member(each).commands.size()) << each << " applied one twice";
            EXPECT_EQ(member(each).hash(), member(names.front()).hash());
            for (const std::string& command : oracles["s"].acknowledged) {
                EXPECT_TRUE(has.contains(command)) << each << " has lost " << command;
            }
        }
    }

    const SeedLine seed_line;
    sim::World world;
    std::map<std::string, Oracle> oracles;
};

}  // namespace understudy::replicated
