#include "tests/swarm/journal_swarm.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <sstream>

#include <fmt/format.h>

#include "base/bytes.h"
#include "journal/format/checkpoint.h"
#include "sim/draw.h"
#include "sim/faults.h"
#include "sim/world.h"
#include "tests/history/judge.h"
#include "tests/swarm/journal_client.h"
#include "tests/swarm/journal_member.h"
#include "tests/swarm/journal_operator.h"
#include "tests/swarm/journal_oracle.h"
#include "tests/swarm/rotten_disk.h"
#include "tests/swarm/sometimes.h"

namespace understudy::swarm {

namespace json = boost::json;

namespace {

constexpr std::uint16_t port = 7400;
constexpr std::uint64_t progress_min = 20;  ///< Operations of each client, once all is well.
constexpr Duration supervisor_interval = 50ms;
constexpr std::uint64_t disk_looks_every = 24;  ///< Acknowledgements; the check is expensive.
const std::string mount_path = "/mnt/share";
const std::string share_directory = "/journal";

[[nodiscard]] std::string directory_of(const std::string& node) { return "/var/lib/" + node; }

/// Faults that sim::Faults does not have, each included with probability 1/2.
struct Extras {
    bool blackout = false;  ///< All machines lose power at once, and the store too.
    bool store_error = false;
    bool store_stall = false;
    bool store_full = false;
    bool storage_cut = false;  ///< A machine cannot reach the store.
    bool disk_lost = false;    ///< A machine gets a new, empty disk; once.
    bool transfer = false;     ///< The leader is asked to transfer the leadership.
    bool rot = false;          ///< A bit flips on the disk of one member; once.
    bool members = false;      ///< Members are added and removed. Then no disk is lost.
};

[[nodiscard]] sim::Swarm drawn(const SwarmOptions& options) {
    sim::Swarm swarm = sim::draw_swarm(options.seed);
    swarm.world.sink = options.sink;
    // A run is short: faults come often enough to coincide, and end early enough for a recovery.
    swarm.faults.between = std::min<Duration>(swarm.faults.between, 3s);
    swarm.faults.lasts_max = std::min<Duration>(swarm.faults.lasts_max, 8s);
    return swarm;
}

class JournalCluster {
public:
    explicit JournalCluster(const SwarmOptions& options)
        : options_(options),
          plan_(options.seed ^ 0x6a6f'7572'6e61'6cULL),
          swarm_(drawn(options)),
          world_(swarm_.world),
          workload_(world_, oracle_, sometimes_),
          rotten_(world_, sometimes_,
                  {.broken = [this](std::string what) { oracle_.broken(std::move(what)); },
                   .start_again =
                       [](sim::Node& node) {
                           for (const auto& process : node.processes()) process->restart();
                       }}) {
        sometimes_.listen(world_);
        // Members whose disk fails report it and are started again.
        for (const char* event : {"replicated.group_failed", "replicated.node_failed"}) {
            world_.expect_error(event);
        }
        build();
        faults_ = std::make_unique<sim::Faults>(world_, swarm_.faults);
    }
    ~JournalCluster() { faults_.reset(); }
    JournalCluster(const JournalCluster&) = delete;
    JournalCluster& operator=(const JournalCluster&) = delete;

    SwarmResult run();

private:
    void build();
    void build_shared();
    void build_replicated();
    void start(const std::string& name, MemberSpec spec);
    void prompt(const std::string& from, Index committed, Epoch epoch);
    void supervise();
    void revive_all();
    void extra_later();
    void extra();
    void blackout();
    void lose_disk();
    void rot();
    [[nodiscard]] bool all_run() const;
    [[nodiscard]] bool belongs(sim::Process& process) const;
    [[nodiscard]] bool sick() const;
    void look_at_disks(std::uint64_t value, Index index);
    [[nodiscard]] bool on_disk(const sim::DiskStore& store, const std::string& directory,
                               Bytes wanted, Index index) const;
    void heal_disks();
    void heal_core();
    void heal();
    [[nodiscard]] bool progress(const std::vector<std::uint64_t>& before) const;
    [[nodiscard]] std::vector<std::uint64_t> counts() const;
    [[nodiscard]] JournalMember* member(sim::Process* process) const;
    [[nodiscard]] bool agreed() const;
    [[nodiscard]] std::string describe() const;
    void check_progress(const char* when);
    bool drain();
    void judge(bool drained);
    [[nodiscard]] std::string history_lines() const;

    const SwarmOptions options_;
    Random plan_;
    const sim::Swarm swarm_;
    JournalOracle oracle_;
    Sometimes sometimes_;
    sim::World world_;
    Workload workload_;
    RottenDisk rotten_;
    std::unique_ptr<JournalOperator> operator_;  ///< If members are added and removed.
    sim::DiskStore* store_ = nullptr;
    std::vector<std::string> names_;
    /// All members; those of the workload are the ones that may answer.
    std::vector<sim::Process*> members_;
    std::vector<std::unique_ptr<JournalClient>> clients_;
    std::unique_ptr<sim::Faults> faults_;
    Extras extras_;
    std::size_t voters_ = 0;
    bool witness_ = false;
    bool chaos_ = true;
    bool disk_lost_ = false;
    std::uint64_t extras_done_ = 0;
    std::uint64_t looks_ = 0;
};

void JournalCluster::build() {
    const bool calm = swarm_.faults.mask.bits() == 0;
    for (bool Extras::*extra : {&Extras::blackout, &Extras::store_error, &Extras::store_stall,
                                &Extras::store_full, &Extras::storage_cut, &Extras::disk_lost,
                                &Extras::transfer, &Extras::rot, &Extras::members}) {
        extras_.*extra = plan_.chance(1, 2) && !calm;
    }
    workload_.loss_per_mille =
        calm || plan_.chance(1, 3) ? 0 : static_cast<std::uint32_t>(plan_.between(1, 50));
    workload_.pad_bytes_max = plan_.chance(1, 2) ? 200 : 6000;
    workload_.on_acknowledged = [this](std::uint64_t value, Index index) {
        if (++looks_ % disk_looks_every == 0 || sick()) look_at_disks(value, index);
    };
    workload_.history.header = {{"h", 1},
                                {"run", repro_of(options_)},
                                {"seed", options_.seed},
                                {"workload", "registers and lists"},
                                {"clock", "harness-monotonic-ns"},
                                {"model", {{"epochs", {{"one_service", false}}}}}};
    if (options_.scene == Scene::shared) {
        build_shared();
    } else {
        build_replicated();
    }
    const std::uint64_t clients = plan_.between(2, 4);
    for (std::uint64_t i = 0; i < clients; ++i) {
        clients_.push_back(std::make_unique<JournalClient>(workload_, plan_.next()));
    }
}

void JournalCluster::build_shared() {
    store_ = &world_.add_disk("share");
    store_->options().kill_loses_unsynced = plan_.chance(1, 2);
    MemberSpec spec;
    spec.shared = journal::SharedJournal::Options{
        .directory = mount_path + share_directory,
        .member = {},
        .election = journal::SharedJournal::Election::autonomous,
        .lease = plan_.between(Duration(200ms), Duration(1s)),
        .poll_interval = plan_.between(Duration(5ms), Duration(50ms)),
        .segment_size_bytes = plan_.chance(1, 2) ? 64 * KiB : 256 * KiB};
    spec.replica.checkpoints = {.every_commands = plan_.chance(1, 4) ? 0 : plan_.between(20, 400),
                                .every_bytes = 0,
                                .slice_bytes = 4 * KiB};
    spec.replica.checkpoint_duty =
        plan_.chance(1, 2) ? replica::CheckpointDuty::standbys : replica::CheckpointDuty::mine;
    if (plan_.chance(2, 3)) {
        spec.prompt = [this](const std::string& from, Index committed, Epoch epoch) {
            prompt(from, committed, epoch);
        };
    }
    const std::uint64_t count = plan_.between(2, 3);
    for (std::uint64_t i = 1; i <= count; ++i) {
        const std::string name = fmt::format("n{}", i);
        world_.add_node(name).mount(mount_path, *store_);
        spec.name = name;
        spec.shared->member = name;
        start(name, spec);
    }
}

void JournalCluster::build_replicated() {
    using replicated::MemberKind;
    std::vector<MemberKind> kinds(3, MemberKind::data);
    switch (plan_.below(6)) {
        case 0:
            kinds = {MemberKind::data, MemberKind::data, MemberKind::witness};
            break;
        case 1:
            kinds = {MemberKind::data, MemberKind::data, MemberKind::data, MemberKind::checkpointer,
                     MemberKind::witness};
            break;
        case 2:
            kinds.assign(5, MemberKind::data);
            break;
        default:
            break;
    }
    MemberSpec spec;
    spec.group.service = "s";
    spec.group.trailing_entries_min = plan_.chance(1, 2) ? 16 : 512;
    spec.group.trailing_entries_max = 2 * spec.group.trailing_entries_min;
    for (std::size_t i = 0; i < kinds.size(); ++i) {
        const std::string name = fmt::format("n{}", i + 1);
        world_.add_node(name).disk().options().kill_loses_unsynced = plan_.chance(1, 2);
        spec.group.founders.push_back({.name = name, .address = {name, port}, .kind = kinds[i]});
        witness_ = witness_ || kinds[i] == MemberKind::witness;
    }
    voters_ = kinds.size();
    // A disk that is lost while another member leaves may be one too many.
    const bool members = extras_.members && plan_.chance(1, 2);
    if (members) {
        const std::string name = fmt::format("n{}", kinds.size() + 1);
        world_.add_node(name);
        kinds.push_back(MemberKind::data);
        extras_.disk_lost = false;
        extras_.rot = false;
    }
    const auto member_at = [&](std::size_t i) {
        const std::string name = fmt::format("n{}", i + 1);
        return replicated::Member{.name = name, .address = {name, port}, .kind = kinds[i]};
    };
    const std::uint64_t every = plan_.chance(1, 4) ? 0 : plan_.between(20, 400);
    const std::size_t cache = plan_.chance(1, 2) ? 16 * KiB : 64 * MiB;
    for (std::size_t i = 0; i < kinds.size(); ++i) {
        spec.name = member_at(i).name;
        spec.group.kind = kinds[i];
        spec.node = replicated::Node::Options{.platform = "p",
                                              .name = spec.name,
                                              .listen = {spec.name, port},
                                              .advertise = std::nullopt,
                                              .peers = {},
                                              .tls = std::nullopt,
                                              .directory = directory_of(spec.name),
                                              .segment_size_bytes = 256 * KiB,
                                              .cache_bytes_max = cache};
        spec.replica.checkpoints = {
            .every_commands = every, .every_bytes = 0, .slice_bytes = 4 * KiB};
        spec.replica.witness = kinds[i] == MemberKind::witness;
        start(spec.name, spec);
    }
    if (!members) return;
    operator_ = std::make_unique<JournalOperator>(world_, sometimes_, plan_.next(),
                                                  spec.group.founders, member_at(kinds.size() - 1));
    operator_->start(members_);
}

void JournalCluster::start(const std::string& name, MemberSpec spec) {
    names_.push_back(name);
    spec.became_active = [this, name] { sometimes_.serves(world_.node(name).process("member")); };
    auto life = std::make_shared<std::uint64_t>(0);
    sim::Process& process =
        world_.node(name).start("member", [this, spec, life](Runtime& runtime, Log& log) {
            return std::make_unique<JournalMember>(runtime, log, oracle_, spec, ++*life);
        });
    members_.push_back(&process);
    if (!spec.replica.witness) workload_.members.push_back(&process);
}

/// A message between members, which may be lost or late.
void JournalCluster::prompt(const std::string& from, Index committed, Epoch epoch) {
    for (sim::Process* to : members_) {
        if (to->node().name() == from || plan_.chance(1, 20)) continue;
        world_.after(plan_.between(Duration(30us), Duration(400us)), [to, committed, epoch] {
            if (!to->alive()) return;
            to->runtime().post(
                [to, committed, epoch] { to->app<JournalMember>().prompted(committed, epoch); });
        });
    }
}

/// Restarts every process that has ended, at once.
void JournalCluster::supervise() {
    for (sim::Process* process : members_) {
        JournalMember* const app = member(process);
        if (app == nullptr || process->paused()) continue;
        if (app->node() != nullptr) rotten_.opened(*process);
        if (!app->broken()) continue;
        if (rotten_.ended(*process, *app->error())) {
            process->stop();
            continue;
        }
        if (app->error()->code == Errc::corrupt) {
            oracle_.broken(fmt::format("J10: {} calls what it has written corrupt: {}", app->who(),
                                       to_string(*app->error())));
        }
        process->stop();
        process->restart();
    }
    world_.after(supervisor_interval, [this] { supervise(); });
}

JournalMember* JournalCluster::member(sim::Process* process) const {
    return process->alive() ? &process->app<JournalMember>() : nullptr;
}

void JournalCluster::revive_all() {
    for (sim::Process* process : members_) {
        process->node().power_on();
        if (!process->alive()) process->restart();
        if (process->paused()) process->resume();
    }
}

void JournalCluster::extra_later() {
    world_.after(sim::exponential(plan_, 3s), [this] {
        if (!chaos_) return;
        extra();
        extra_later();
    });
}

void JournalCluster::extra() {
    std::vector<std::pair<const char*, std::function<void()>>> kinds;
    const auto lasting = [this](const std::function<void()>& undo) {
        world_.after(sim::log_uniform(plan_, 20ms, 6s), undo);
    };
    if (extras_.blackout) kinds.emplace_back("fault: blackout", [this] { blackout(); });
    if (store_ != nullptr) {
        sim::DiskOptions& disk = store_->options();
        if (extras_.store_error) {
            kinds.emplace_back("fault: store error", [this, &disk, lasting] {
                disk.sync_error_rate = plan_.chance(1, 2) ? 100'000 : 0;
                disk.write_error_rate = plan_.chance(1, 2) ? 100'000 : 0;
                disk.read_error_rate = plan_.chance(1, 2) ? 50'000 : 0;
                lasting([this] { heal_disks(); });
            });
        }
        if (extras_.store_stall) {
            kinds.emplace_back("fault: store stall", [this, &disk, lasting] {
                disk.stall_rate = static_cast<std::uint32_t>(plan_.between(1'000, 300'000));
                lasting([this] { heal_disks(); });
            });
        }
        if (extras_.store_full) {
            kinds.emplace_back("fault: store full", [this, &disk, lasting] {
                disk.capacity_bytes = store_->used_bytes() + plan_.below(128 * KiB);
                lasting([this] { heal_disks(); });
            });
        }
        if (extras_.storage_cut) {
            kinds.emplace_back("fault: storage cut", [this, lasting] {
                sim::Node& victim = members_[plan_.below(members_.size())]->node();
                victim.cut_storage(true);
                lasting([&victim] { victim.cut_storage(false); });
            });
        }
    } else {
        if (extras_.disk_lost) kinds.emplace_back("fault: disk lost", [this] { lose_disk(); });
        if (extras_.rot) kinds.emplace_back("fault: rot", [this] { rot(); });
        if (operator_) kinds.emplace_back("fault: members", [this] { operator_->change(); });
        if (extras_.transfer) {
            kinds.emplace_back("fault: transfer", [this] {
                sim::Process* const process = members_[plan_.below(members_.size())];
                const std::string to = names_[plan_.below(names_.size())];
                if (!process->alive()) return;
                process->runtime().post([process, to] {
                    auto& app = process->app<JournalMember>();
                    if (app.node() == nullptr || app.broken()) return;
                    app.node()->transfer("s", to, [](const Result<void>&) {});
                });
            });
        }
    }
    if (kinds.empty()) return;
    ++extras_done_;
    const auto& [what, act] = kinds[plan_.below(kinds.size())];
    sometimes_.happened(what);
    act();
}

/// All machines lose their power at once: what was durable then is left.
void JournalCluster::blackout() {
    for (sim::Process* process : members_) {
        if (!process->node().powered()) return;
    }
    for (sim::Process* process : members_) process->node().power_off();
    if (store_ != nullptr) store_->crash(std::nullopt);
    world_.after(plan_.between(Duration(10ms), Duration(1s)), [this] { revive_all(); });
}

/// One member of a majority loses all its data and must return as another server.
void JournalCluster::lose_disk() {
    if (disk_lost_ || !all_run()) return;
    sim::Process* const victim = members_[plan_.below(members_.size())];
    disk_lost_ = true;
    victim->node().power_off();
    victim->node().disk().wipe();
    victim->node().power_on();
    victim->restart();
}

/// The same with only a bit, which the member must find.
void JournalCluster::rot() {
    if (disk_lost_ || !all_run()) return;
    sim::Process& victim = *members_[plan_.below(members_.size())];
    rotten_.flip_bit(victim, directory_of(victim.node().name()), plan_);
    disk_lost_ = rotten_.struck();
}

bool JournalCluster::all_run() const {
    return std::all_of(members_.begin(), members_.end(), [this](sim::Process* process) {
        JournalMember* const app = member(process);
        return app != nullptr && !process->paused() && app->replica() != nullptr && !app->broken();
    });
}

/// True if it is a member, or is meant to be one.
bool JournalCluster::belongs(sim::Process& process) const {
    return !operator_ || operator_->wants(process.node().name());
}

/// True if syncs fail somewhere: then each acknowledgement is checked.
bool JournalCluster::sick() const {
    const auto fails = [](sim::DiskStore& store) {
        return store.options().sync_error_rate > 1'000;
    };
    if (store_ != nullptr) return fails(*store_);
    return std::any_of(members_.begin(), members_.end(),
                       [&](sim::Process* process) { return fails(process->node().disk()); });
}

/// At the moment of an acknowledgement, a majority must have the entry durably, whatever the power
/// does.
void JournalCluster::look_at_disks(std::uint64_t value, Index index) {
    Order order;
    order.value = value;
    const Buffer whole = encoded(order);
    const Bytes wanted = Bytes(whole).first(2 * sizeof(std::uint64_t));
    if (store_ != nullptr) {
        if (on_disk(*store_, share_directory, wanted, index)) return;
        oracle_.broken(fmt::format("J11: {} is acknowledged, and not durable", value));
        return;
    }
    std::size_t found = 0;
    for (sim::Process* process : members_) {
        found +=
            on_disk(process->node().disk(), directory_of(process->node().name()), wanted, index)
                ? 1
                : 0;
    }
    if (2 * found > voters_) return;
    oracle_.broken(
        fmt::format("J11: {} is acknowledged, and durable at {} of {}", value, found, voters_));
}

/// As an entry or in a checkpoint, because an answer may come after the entry has been trimmed.
bool JournalCluster::on_disk(const sim::DiskStore& store, const std::string& directory,
                             Bytes wanted, Index index) const {
    const auto names = store.list(directory);
    if (!names) return false;
    const bool of_service = !directory.ends_with("/log");  // A node's log has its own numbers.
    // The newest first.
    for (auto name = names->rbegin(); name != names->rend(); ++name) {
        const std::string path = directory + "/" + *name;
        const auto bytes = store.durable(path);
        if (bytes) {
            const auto at = std::search(bytes->begin(), bytes->end(), wanted.begin(), wanted.end());
            if (at != bytes->end()) return true;
            const auto checkpoint = journal::parse_checkpoint_name(*name);
            if (of_service && checkpoint && *checkpoint >= index) return true;
        } else if (store.list(path) && on_disk(store, path, wanted, index)) {
            return true;
        }
    }
    return false;
}

void JournalCluster::heal_disks() {
    const auto well = [](sim::DiskStore& store) {
        sim::DiskOptions& disk = store.options();
        disk.read_error_rate = 0;
        disk.write_error_rate = 0;
        disk.sync_error_rate = 0;
        disk.stall_rate = 0;
        disk.capacity_bytes = sim::DiskOptions().capacity_bytes;
    };
    if (store_ != nullptr) well(*store_);
    if (chaos_) return;
    for (sim::Process* process : members_) well(process->node().disk());
}

/// Heals a majority, or one member of a shared directory; the others stay cut off.
void JournalCluster::heal_core() {
    heal();
    // The others must not be the only members that know the last disk or the list of members, so
    // they first get time to pass that on.
    world_.run_for(disk_lost_ ? 10s : 1s);
    if (operator_ && !world_.run_until([this] { return operator_->settled(); }, heal_limit)) {
        return oracle_.broken("J15: the members are not those that were wanted: " + describe());
    }
    std::vector<std::string> names;
    for (sim::Process* process : members_) {
        if (belongs(*process)) names.push_back(process->node().name());
    }
    const std::size_t needed = store_ != nullptr ? 1 : names.size() / 2 + 1;
    std::vector<std::string> core;
    // A witness cannot be active, so the core contains a member that can.
    const std::size_t first = plan_.below(names.size());
    for (std::size_t i = 0; core.size() < needed; ++i) {
        core.push_back(names[(first + i) % names.size()]);
    }
    faults_->heal_core(core);
    if (store_ != nullptr) {
        for (sim::Process* process : members_) {
            sim::Node& node = process->node();
            const bool out = std::find(core.begin(), core.end(), node.name()) == core.end();
            if (out && node.powered()) node.cut_storage(true);
        }
    }
}

void JournalCluster::heal() {
    chaos_ = false;
    if (operator_) operator_->healed();
    faults_->heal();
    world_.heal_network();
    world_.network().reset_rate = 0;
    world_.network().tail_rate = 0;
    heal_disks();
    for (sim::Process* process : members_) process->node().cut_storage(false);
    revive_all();
}

std::vector<std::uint64_t> JournalCluster::counts() const {
    std::vector<std::uint64_t> done;
    for (const auto& client : clients_) done.push_back(client->done());
    return done;
}

bool JournalCluster::progress(const std::vector<std::uint64_t>& before) const {
    for (std::size_t i = 0; i < clients_.size(); ++i) {
        if (clients_[i]->done() < before[i] + progress_min) return false;
    }
    return true;
}

void JournalCluster::check_progress(const char* when) {
    const std::vector<std::uint64_t> before = counts();
    const auto over = [&] { return progress(before) || !oracle_.violations().empty(); };
    if (world_.run_until(over, heal_limit)) return;
    oracle_.broken(
        fmt::format("J12: nothing gets on within {} s {}: {}", heal_limit / 1s, when, describe()));
}

/// True if the states are equal. A standby need not have received the last mark, which no
/// acknowledgement depends on.
bool JournalCluster::agreed() const {
    std::optional<std::uint64_t> state;
    if (operator_ && !operator_->settled()) return false;
    for (sim::Process* process : workload_.members) {
        if (!belongs(*process)) continue;
        JournalMember* const app = member(process);
        if (app == nullptr || app->broken() || app->replica() == nullptr) return false;
        if (state && app->machine().hash() != *state) return false;
        state = app->machine().hash();
    }
    return std::any_of(workload_.members.begin(), workload_.members.end(),
                       [this](sim::Process* process) {
                           return member(process) != nullptr && member(process)->active();
                       });
}

bool JournalCluster::drain() {
    workload_.draining = true;
    const auto idle = [this] {
        return std::all_of(clients_.begin(), clients_.end(),
                           [](const auto& client) { return client->idle(); });
    };
    if (!world_.run_until(idle, heal_limit)) {
        oracle_.broken("J12: a request is not answered when all is well: " + describe());
        return false;
    }
    // Abandoned requests may still be under way.
    world_.run_for(1s);
    if (!world_.run_until([this] { return agreed(); }, heal_limit)) {
        oracle_.broken("J13: members do not come together: " + describe());
        return false;
    }
    return true;
}

void JournalCluster::judge(bool drained) {
    if (drained) {
        const RegisterMachine* first = nullptr;
        Buffer first_state;
        for (sim::Process* process : workload_.members) {
            if (!belongs(*process)) continue;
            JournalMember* const app = member(process);
            oracle_.found(app->who(), app->machine().done());
            Buffer state;
            app->machine().snapshot(state);
            if (first == nullptr) {
                first = &app->machine();
                first_state = std::move(state);
            } else if (state != first_state) {
                oracle_.broken("J2: " + app->who() + " has another state in the end");
            }
        }
        for (const auto& [key, list] : first->lists()) {
            json::array values(list.begin(), list.end());
            workload_.line({.process = -1,
                            .witness = "node:" + names_.front(),
                            .type = history::Type::ok,
                            .f = "final",
                            .key = key,
                            .value = std::move(values)});
        }
        // A list without an effect.
        std::set<std::string> lists;
        for (const history::Event& event : workload_.history.events) {
            if (event.f == "append") lists.insert(event.key);
        }
        for (const std::string& key : lists) {
            if (first->lists().contains(key)) continue;
            workload_.line({.process = -1,
                            .witness = "node:" + names_.front(),
                            .type = history::Type::ok,
                            .f = "final",
                            .key = key,
                            .value = json::array()});
        }
    }
    workload_.history.end = json::object{
        {"t", "end"}, {"ops", std::ssize(workload_.history.events)}, {"drained", drained}};
    if (!drained) return;
    for (const std::string& fault : history::judge(workload_.history).faults) {
        oracle_.broken("history: " + fault);
    }
}

std::string JournalCluster::history_lines() const {
    std::ostringstream out;
    out << json::serialize(workload_.history.header) << '\n';
    for (const history::Event& event : workload_.history.events) {
        out << history::to_line(event) << '\n';
    }
    if (workload_.history.end) out << json::serialize(*workload_.history.end) << '\n';
    return out.str();
}

std::string JournalCluster::describe() const {
    std::string out;
    for (sim::Process* process : members_) {
        out += process->node().name();
        if (!belongs(*process)) out += " (removed)";
        JournalMember* const app = member(process);
        if (app == nullptr) {
            out += " dead; ";
        } else if (app->broken()) {
            out += " broken (" + to_string(*app->error()) + "); ";
        } else if (app->replica() == nullptr) {
            out += " opening; ";
        } else {
            out += fmt::format(" {} epoch {} applied {}; ", app->active() ? "active" : "standby",
                               app->replica()->epoch().value, app->replica()->applied().value);
        }
    }
    return out;
}

SwarmResult JournalCluster::run() {
    const TimePoint begin = world_.now();
    supervise();
    for (const auto& client : clients_) client->start();
    world_.run_for(1s);
    faults_->start();
    extra_later();
    // After a promise is broken nothing more happens, so that the trace ends there.
    const auto broken = [this] { return !oracle_.violations().empty(); };
    (void)world_.run_until(broken, options_.chaos);
    if (!broken()) {
        if (swarm_.faults.mask.bits() != 0 && plan_.chance(1, 3) && !witness_ &&
            !rotten_.rotten()) {
            heal_core();
            check_progress("with a majority that is well");
        }
        heal();
        check_progress("when all is well");
        judge(!broken() && drain());
    }

    SwarmResult result;
    result.violations = oracle_.violations();
    for (const std::string& error : world_.errors()) result.violations.push_back(error);
    result.repro = repro_of(options_);
    if (!result.violations.empty()) {
        result.tail = world_.trace_tail();
        result.history = history_lines();
    }
    result.trace_hash = world_.trace_hash();
    result.events = world_.events();
    result.simulated = world_.now() - begin;
    result.promotions = oracle_.tenures();
    result.calls_done = workload_.done;
    result.calls_refused = workload_.refused;
    result.calls_unknown = workload_.open_ended;
    result.changes = oracle_.entries();
    result.faults = faults_->injected() + extras_done_;
    for (std::size_t i = 0; i < sim::fault_count; ++i) {
        const auto fault = static_cast<sim::Fault>(i);
        sometimes_.happened(fmt::format("fault: {}", sim::name(fault)), faults_->injected(fault));
    }
    result.rare = sometimes_.counts();
    return result;
}

}  // namespace

SwarmResult run_journal_swarm(const SwarmOptions& options) {
    US_ASSERT(options.scene == Scene::shared || options.scene == Scene::replicated);
    JournalCluster cluster(options);
    return cluster.run();
}

}  // namespace understudy::swarm
