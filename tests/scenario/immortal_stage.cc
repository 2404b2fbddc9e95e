#include "tests/scenario/immortal_stage.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/seed_line_test.h"
#include "journal/local/local_journal.h"
#include "sim/sim_runtime.h"

namespace understudy::scenario {

namespace {

[[nodiscard]] Buffer packed(std::uint64_t number) {
    Buffer out;
    Packer packer(out);
    packer.array(1);
    packer.put(number);
    return out;
}

}  // namespace

// --- Bank ----------------------------------------------------------------------------------------

void Bank::first_start() { after<&Bank::tick>(5ms); }

void Bank::tick() {
    const std::uint64_t transfers = random() % 4 + 1;
    for (std::uint64_t i = 0; i < transfers && made < transfers_max; ++i) {
        const std::string& to = bank_names[random() % bank_names.size()];
        const auto amount = static_cast<std::int64_t>(random() % 100);
        ++made;
        balance -= amount;
        in_flight += amount;
        call<&Bank::deposit>(to, ++sent_[to], amount).then<&Bank::deposited>(amount);
        send<&Bank::note>(bank_names[random() % bank_names.size()], ++noted_);
    }
    if (made < transfers_max) {
        after<&Bank::tick>(1ms + static_cast<std::int64_t>(random() % 30) * 1ms);
    }
}

std::int64_t Bank::deposit(std::uint64_t number, std::int64_t amount) {
    std::uint64_t& seen = seen_[std::string(caller())];
    if (number != seen + 1) ++disorder;
    seen = number;
    balance += amount;
    return balance;
}

void Bank::note(std::uint64_t number) {
    std::uint64_t& last = notes_[std::string(caller())];
    if (number <= last) ++disorder;  // Some numbers go to others; none comes twice.
    last = number;
}

void Bank::deposited(const Result<std::int64_t>& answer, std::int64_t amount) {
    ++answered;
    in_flight -= amount;
    if (!answer) ++refused;
}

std::uint64_t Bank::hit(std::uint64_t intent) {
    if (!intents_.insert(intent).second) ++doubled;
    return ++hits;
}

// --- Oracle --------------------------------------------------------------------------------------

void ImmortalOracle::broken(std::string what) {
    if (violations_.size() < 20) violations_.push_back(std::move(what));
}

void ImmortalOracle::compare(States& states, const std::string& who, const std::string& service,
                             Index index, std::uint64_t hash) {
    const auto [known, is_new] = states[service].emplace(index, hash);
    if (is_new) return;
    ++compared_;
    if (known->second != hash) {
        broken(fmt::format("{} has another state after {}", who, index.value));
    }
}

void ImmortalOracle::application(const std::string& who, const std::string& service, Index index,
                                 std::uint64_t hash) {
    compare(applications_, who, service, index, hash);
}

void ImmortalOracle::state(const std::string& who, const std::string& service, Index index,
                           const immortal::Machine& machine) {
    compare(states_, who, service, index, machine.hash());
    for (const auto& [name, peer] : machine.peers()) {
        immortal::MessageNo& received = received_[service][name];
        received = std::max(received, peer.received);
        if (immortal::is_client(name)) continue;
        const immortal::MessageNo there = received_[name][service];
        if (peer.out.confirmed() > there) {
            broken(fmt::format("{} gave up message {} to {}, which has {}", who,
                               peer.out.confirmed().value, name, there.value));
        }
    }
}

// --- A copy of a bank ----------------------------------------------------------------------------

BankApp::BankApp(Runtime& runtime, Log& log, ImmortalOracle& oracle, BankSpec spec)
    : runtime_(runtime),
      log_(log),
      oracle_(oracle),
      spec_(std::move(spec)),
      application_(log, {std::make_shared<ImmortalClassOf<Bank>>()}),
      locator_(runtime) {
    for (const auto& [service, places] : spec_.places) locator_.set(service, places);
    if (spec_.journal == BankJournal::replicated) {
        open_node();
    } else {
        open(spec_.journal == BankJournal::local ? local_journal() : shared_journal());
    }
}

void BankApp::open_node() {
    node_opening_ = replicated::Node::open(
        runtime_, log_,
        {.platform = "p",
         .name = spec_.member,
         .listen = {.host = spec_.member, .port = node_port},
         .advertise = std::nullopt,
         .peers = {},
         .tls = std::nullopt,
         .directory = spec_.directory,
         .segment_size_bytes = 256 * KiB},
        spec_.make_core, [this](Result<std::unique_ptr<replicated::Node>> opened) {
            if (!opened) {
                error_ = opened.error();
                return;
            }
            node_ = *std::move(opened);
            node_->on_failed([this](const Error& error) { error_ = error; });
            open(replicated_journal());
        });
}

void BankApp::open(const journal::Open& journal) {
    const journal::Open tapped = [this, journal](journal::Observer& observer,
                                                 journal::Opened opened) {
        to_ = &observer;
        return journal(*this, std::move(opened));
    };
    opening_ = node::ImmortalMember::open(
        runtime_, log_,
        {.service = spec_.service,
         .member = spec_.member,
         .listen = {.host = spec_.member, .port = port},
         .checkpoint_every_bytes = spec_.checkpoint_every_bytes,
         .checkpoint_duty = spec_.journal == BankJournal::shared
                                ? replica::CheckpointDuty::standbys
                                : replica::CheckpointDuty::mine},
        tapped, application_, locator_,
        [this](Result<std::unique_ptr<node::ImmortalMember>> opened) {
            if (!opened) {
                error_ = opened.error();
                return;
            }
            member_ = *std::move(opened);
            member_->on_failed([this](const Error& error) { error_ = error; });
            look();
        });
}

BankApp::~BankApp() {
    opening_.reset();
    member_.reset();
    node_opening_.reset();
    node_.reset();
}

bool BankApp::alive() const { return static_cast<sim::SimRuntime&>(runtime_).alive(); }

const Bank* BankApp::bank() const {
    const ImmortalObject* object = application_.object();
    if (object == nullptr) return nullptr;
    return &static_cast<const ImmortalObjectOf<Bank>*>(object)->object();
}

journal::Open BankApp::local_journal() {
    return [this](journal::Observer& observer, journal::Opened opened) {
        return journal::LocalJournal::open(
            runtime_, log_, {.directory = spec_.directory, .segment_size_bytes = 64 * KiB},
            observer, std::move(opened));
    };
}

journal::Open BankApp::shared_journal() {
    return journal::SharedJournal::opener(
        runtime_, log_,
        {.directory = spec_.directory,
         .member = spec_.member,
         .election = journal::SharedJournal::Election::autonomous,
         .lease = 300ms,
         .segment_size_bytes = 64 * KiB});
}

journal::Open BankApp::replicated_journal() {
    replicated::GroupOptions group{.service = spec_.service,
                                   .founders = {},
                                   .trailing_entries_min = 64,
                                   .trailing_entries_max = 128};
    for (const auto& place : spec_.places.at(spec_.service)) {
        group.founders.push_back({.name = place.member,
                                  .address = {.host = place.member, .port = node_port},
                                  .kind = replicated::MemberKind::data});
    }
    return node_->journal(group);
}

void BankApp::committed(const journal::Entry& entry) {
    to_->committed(entry);
    if (!journal::has_body(entry.type)) return;
    changed_ = entry.index;
    if (bank() != nullptr && alive()) {
        oracle_.application(spec_.member, spec_.service, changed_, application_.hash());
    }
    if (member_) look();
}

void BankApp::look() {
    if (alive()) oracle_.state(spec_.member, spec_.service, changed_, member_->machine());
}

// --- A client ------------------------------------------------------------------------------------

HitApp::HitApp(Runtime& runtime, Log& log, ImmortalOracle& oracle, ClientNotes& notes,
               const std::string& service,
               const std::map<std::string, std::vector<hosting::Locator::Place>>& places)
    : runtime_(runtime), oracle_(oracle), notes_(notes), locator_(runtime) {
    for (const auto& [name, at] : places) locator_.set(name, at);
    client_ = node::ImmortalClient::make(
        runtime, log,
        {.service = service,
         .session = notes_.session,
         .answers = node::ImmortalClient::Answers::until_released},
        locator_);
    notes_.session = client_->session();
    if (client_->ready()) {
        go_on();
        return;
    }
    for (const auto& [number, intent] : notes_.calls) {
        ++notes_.resumed;
        client_->resume(number, [this, number = number](const Result<Bytes>& reply) {
            told(number, reply);
        });
    }
    client_->on_ready([this] { go_on(); });
}

bool HitApp::alive() const { return static_cast<sim::SimRuntime&>(runtime_).alive(); }

void HitApp::go_on() {
    const std::uint64_t burst = runtime_.random().below(4);
    for (std::uint64_t i = 0; i < burst && notes_.calls.size() < 8; ++i) {
        if (!notes_.to_call.empty()) {
            const std::uint64_t intent = *notes_.to_call.begin();
            notes_.to_call.erase(intent);
            call(intent);
        } else if (notes_.intents < notes_.intents_max) {
            call(++notes_.intents);
        }
    }
    timer_ = runtime_.at(
        runtime_.now() + runtime_.random().between(Duration(1ms), Duration(80ms)),
        [this] { go_on(); });
}

void HitApp::call(std::uint64_t intent) {
    const std::uint64_t number = client_->next_number();
    notes_.calls[number] = intent;
    const std::uint64_t given =
        client_->call("hit", packed(notes_.first + intent),
                      [this, number](const Result<Bytes>& reply) { told(number, reply); });
    if (given != number) oracle_.broken("a call has another number than was said");
}

void HitApp::told(std::uint64_t number, const Result<Bytes>& reply) {
    if (!alive()) return;
    const std::uint64_t intent = notes_.calls.at(number);
    if (!reply) {
        if (reply.error().code == Errc::not_found && reply.error().effect == Effect::none) {
            notes_.calls.erase(number);
            notes_.to_call.insert(intent);
            ++notes_.not_arrived;
            return;
        }
        return oracle_.broken("a client's call fails: " + to_string(reply.error()));
    }
    std::uint64_t hits = 0;
    if (!Unpacker(*reply).take(hits) || !notes_.answers.insert(hits).second) {
        oracle_.broken(fmt::format("an answer is given twice: {}", hits));
    }
    notes_.calls.erase(number);
    ++notes_.answered;
    client_->release(number);
}

// --- The whole cluster ---------------------------------------------------------------------------

namespace {

class BankCluster {
public:
    explicit BankCluster(const BankPlan& plan)
        : plan_(plan), world_(options(plan)), random_(plan.seed ^ 0x62616e6bULL) {
        if (plan_.journal == BankJournal::shared) share_ = &world_.add_disk("share");
        for (const std::string& bank : bank_names) {
            for (std::size_t copy = 0; copy < plan_.copies; ++copy) {
                const std::string member = fmt::format("{}-{}", bank, copy);
                places_[bank].push_back({.member = member,
                                         .address = {.host = member, .port = port},
                                         .epoch = {}});
            }
        }
        notes_.resize(plan_.clients);
        for (std::size_t i = 0; i < notes_.size(); ++i) notes_[i].first = i * 1'000'000;
        // Members that lose their disk report it and are started again.
        for (const char* event : {"replicated.group_failed", "replicated.node_failed"}) {
            world_.expect_error(event);
        }
    }

    BankOutcome run();

private:
    [[nodiscard]] static sim::WorldOptions options(const BankPlan& plan) {
        sim::WorldOptions options{.seed = plan.seed, .sink = plan.sink};
        if (plan.kills && plan.seed % 3 == 0) options.network.reset_rate = 2'000;
        if (plan.slow_disk) {
            options.disk.sync = 3ms;
            options.disk.stall_rate = 50'000;
            options.disk.stall_max = 60ms;
        }
        return options;
    }
    void start();
    void supervise();
    void harm();
    void hang_or_cut(sim::Process& victim);
    [[nodiscard]] static BankApp* app(sim::Process& process) {
        return process.alive() ? &process.app<BankApp>() : nullptr;
    }
    [[nodiscard]] BankApp* active(const std::string& bank);
    [[nodiscard]] bool rests();
    void judge();
    [[nodiscard]] std::string describe();
    void replay_older();

    const BankPlan plan_;
    sim::World world_;
    Random random_;
    sim::DiskStore* share_ = nullptr;
    ImmortalOracle oracle_;
    std::map<std::string, std::vector<hosting::Locator::Place>> places_;
    std::vector<ClientNotes> notes_;
    std::map<std::string, std::vector<sim::Process*>> banks_;
    std::vector<sim::Process*> clients_;
    std::vector<sim::Process*> all_;
    std::uint64_t kills_ = 0;
    bool calm_ = false;
};

void BankCluster::start() {
    for (const std::string& bank : bank_names) {
        for (const auto& place : places_[bank]) {
            sim::Node& node = world_.add_node(place.member);
            BankSpec spec{.service = bank,
                          .member = place.member,
                          .journal = plan_.journal,
                          .directory = "/var/lib/" + bank,
                          .places = places_,
                          .make_core = plan_.make_core};
            if (share_ != nullptr) {
                node.mount(share_path, *share_);
                spec.directory = share_path + "/" + bank;
            }
            sim::Process& process =
                node.start("bank", [this, spec](Runtime& runtime, Log& log) {
                    return std::make_unique<BankApp>(runtime, log, oracle_, spec);
                });
            banks_[bank].push_back(&process);
            all_.push_back(&process);
        }
    }
    for (std::size_t i = 0; i < plan_.clients; ++i) {
        sim::Node& node = world_.add_node(fmt::format("client{}", i));
        ClientNotes& notes = notes_[i];
        const std::string service = bank_names[i % bank_names.size()];
        sim::Process& process =
            node.start("client", [this, &notes, service](Runtime& runtime, Log& log) {
                return std::make_unique<HitApp>(runtime, log, oracle_, notes, service, places_);
            });
        clients_.push_back(&process);
        all_.push_back(&process);
    }
}

void BankCluster::supervise() {
    for (sim::Process* process : all_) {
        const bool bank = std::find(clients_.begin(), clients_.end(), process) == clients_.end();
        if (bank && process->alive() && app(*process)->error()) process->stop();
        if (!process->alive() && (calm_ || random_.chance(1, 2))) process->restart();
    }
    world_.after(random_.between(Duration(5ms), Duration(60ms)), [this] { supervise(); });
}

void BankCluster::harm() {
    if (calm_) return;
    sim::Process& victim = *all_[random_.below(all_.size())];
    ++kills_;
    if (std::find(clients_.begin(), clients_.end(), &victim) != clients_.end()) {
        // Its last messages are still under way when it returns.
        victim.crash();
        world_.after(random_.between(Duration(50us), Duration(3ms)), [&victim] {
            if (!victim.alive()) victim.restart();
        });
        world_.after(random_.between(Duration(2ms), Duration(100ms)), [this] { harm(); });
        return;
    }
    if (plan_.hangs_and_cuts && random_.chance(1, 2)) {
        hang_or_cut(victim);
        world_.after(random_.between(Duration(2ms), Duration(250ms)), [this] { harm(); });
        return;
    }
    switch (random_.below(5)) {
        case 0:
        case 1:
            victim.crash();
            break;
        case 2:
            victim.crash_at_disk_call(random_.between(std::uint64_t{1}, std::uint64_t{40}));
            break;
        case 3:
            for (sim::Process* process : all_) {
                if (random_.chance(1, 3)) process->crash();
            }
            break;
        default:
            if (plan_.journal == BankJournal::local && victim.node().powered()) {
                victim.node().power_off();
                victim.node().power_on();
            } else {
                victim.crash();
            }
    }
    world_.after(random_.between(Duration(2ms), Duration(250ms)), [this] { harm(); });
}

/// A process that hung or was cut off does not know, when it returns, that another has taken over.
void BankCluster::hang_or_cut(sim::Process& victim) {
    const Duration lasts = random_.between(Duration(20ms), Duration(1500ms));
    if (random_.chance(1, 2)) {
        if (!victim.alive() || victim.paused()) return;
        victim.pause();
        world_.after(lasts, [&victim] {
            if (victim.paused()) victim.resume();
        });
        return;
    }
    const std::string one = victim.node().name();
    const std::string other = all_[random_.below(all_.size())]->node().name();
    if (one == other) return;
    world_.cut(one, other);
    world_.after(lasts, [this, one, other] { world_.heal(one, other); });
}

BankApp* BankCluster::active(const std::string& bank) {
    for (sim::Process* process : banks_[bank]) {
        BankApp* const found = app(*process);
        if (found != nullptr && found->active() && found->bank() != nullptr) return found;
    }
    return nullptr;
}

bool BankCluster::rests() {
    for (const ClientNotes& notes : notes_) {
        if (!notes.done()) return false;
    }
    for (const std::string& bank : bank_names) {
        BankApp* const found = active(bank);
        if (found == nullptr || found->bank()->made < Bank::transfers_max ||
            found->bank()->answered < Bank::transfers_max) {
            return false;
        }
        for (sim::Process* process : banks_[bank]) {
            BankApp* const copy = app(*process);
            if (copy == nullptr || copy->member() == nullptr) return false;
            if (copy->changed() != found->changed()) return false;
        }
        for (const auto& [name, peer] : found->member()->machine().peers()) {
            if (!peer.out.empty() && !immortal::is_client(name)) return false;
        }
    }
    return true;
}

std::string BankCluster::describe() {
    std::string out;
    for (const std::string& bank : bank_names) {
        BankApp* const found = active(bank);
        if (found == nullptr) {
            out += bank + " has nobody active; ";
            continue;
        }
        out += fmt::format("{}: made {}, answered {}, hits {};", bank, found->bank()->made,
                           found->bank()->answered, found->bank()->hits);
        for (sim::Process* process : banks_[bank]) {
            BankApp* const copy = app(*process);
            out += copy == nullptr ? " dead;" : fmt::format(" at {};", copy->changed().value);
        }
        for (const auto& [name, peer] : found->member()->machine().peers()) {
            out += fmt::format(" {} has {} gave {} of {};", name, peer.received.value,
                               peer.out.confirmed().value, peer.out.next().value - 1);
        }
    }
    for (const ClientNotes& notes : notes_) {
        out += fmt::format(" client answered {} of {}, waits for {};", notes.answered,
                           notes.intents, notes.calls.size());
    }
    return out;
}

void BankCluster::judge() {
    std::int64_t sum = 0;
    std::uint64_t hits = 0;
    for (const std::string& bank : bank_names) {
        const Bank& state = *active(bank)->bank();
        sum += state.balance;
        hits += state.hits;
        if (state.in_flight != 0) oracle_.broken(bank + " has money in flight");
        if (state.made != state.answered || state.refused != 0) {
            oracle_.broken(fmt::format("{} made {}, answered {}, refused {}", bank, state.made,
                                       state.answered, state.refused));
        }
        if (state.disorder != 0) oracle_.broken(bank + " was called out of order, or twice");
        if (state.doubled != 0) oracle_.broken(bank + " carried out a client's call twice");
    }
    if (sum != Bank::balance_at_first * std::ssize(bank_names)) {
        oracle_.broken(fmt::format("the sum of all balances is {}", sum));
    }
    std::uint64_t intents = 0;
    for (const ClientNotes& notes : notes_) intents += notes.intents_max;
    if (hits != intents) {
        oracle_.broken(fmt::format("{} hits for {} answered calls", hits, intents));
    }
}

/// The older of the two checkpoints and all later entries give the same state; the oracle compares
/// it.
void BankCluster::replay_older() {
    for (const std::string& bank : bank_names) {
        sim::Process& process = *banks_[bank].front();
        process.stop();
        const std::string directory = "/var/lib/" + bank;
        process.node().start("remover", [directory](Runtime& runtime, Log&) {
            const auto names = runtime.disk().list(directory);
            std::string newest;
            std::size_t checkpoints = 0;
            for (const std::string& name : names ? *names : std::vector<std::string>()) {
                if (!name.ends_with(".ckpt")) continue;
                ++checkpoints;
                newest = name;
            }
            if (checkpoints > 1) {
                US_ASSERT(runtime.disk().remove(directory + "/" + newest));
                US_ASSERT(runtime.disk().sync_directory(directory));
            }
            return std::make_unique<int>(0);
        });
        process.restart();
    }
}

BankOutcome BankCluster::run() {
    start();
    supervise();
    const auto broken = [this] { return !oracle_.violations().empty(); };
    if (plan_.kills) {
        world_.after(50ms, [this] { harm(); });
        world_.run_until(broken, plan_.chaos);
    }
    calm_ = true;
    for (sim::Process* process : all_) {
        process->crash_at_disk_call(0);
        if (process->paused()) process->resume();
    }
    world_.heal_network();
    world_.network().reset_rate = 0;
    const auto done = [&] { return broken() || rests(); };
    bool rested = world_.run_until(done, Duration(60s));
    if (rested && !broken() && plan_.journal == BankJournal::local) {
        replay_older();
        rested = world_.run_until(done, Duration(60s));
    }
    if (!rested) oracle_.broken("no rest when all is well: " + describe());
    if (!broken()) judge();

    BankOutcome outcome;
    outcome.violations = oracle_.violations();
    for (const std::string& error : world_.errors()) outcome.violations.push_back(error);
    outcome.kills = kills_;
    outcome.compared = oracle_.compared();
    for (const ClientNotes& notes : notes_) {
        outcome.resumed += notes.resumed;
        outcome.hits += notes.answered;
    }
    for (const std::string& bank : bank_names) {
        if (BankApp* const found = active(bank)) outcome.transfers += found->bank()->answered;
    }
    outcome.trace_hash = world_.trace_hash();
    if (!outcome.violations.empty()) outcome.tail = world_.trace_tail();
    return outcome;
}

}  // namespace

BankOutcome run_banks(const BankPlan& plan) {
    const SeedLine line(plan.seed);
    BankCluster cluster(plan);
    return cluster.run();
}

}  // namespace understudy::scenario
