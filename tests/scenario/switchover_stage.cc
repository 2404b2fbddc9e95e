#include "tests/scenario/switchover_stage.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/seed_line_test.h"
#include "sim/sim_runtime.h"
#include "wire/control.h"

namespace understudy::scenario {

namespace {

const std::string tally_name = "server";
const std::vector<std::string> names = {"one", "two", "three", "four"};
constexpr std::uint64_t ping_first = 9'000'000'000;

using Places = std::map<std::string, std::vector<hosting::Locator::Place>>;

[[nodiscard]] Places places(const std::vector<std::string>& members) {
    Places all;
    for (const std::string& member : members) {
        all[tally_name].push_back(
            {.member = member, .address = {.host = member, .port = port}, .epoch = {}});
    }
    return all;
}

}  // namespace

// --- Tally ---------------------------------------------------------------------------------------

void Tally::first_start() { after<&Tally::tick>(1ms); }

void Tally::tick() {
    send<&Tally::noted>(tally_name, ++ticks);
    if (ticks < ticks_max) after<&Tally::tick>(2ms);
}

void Tally::noted(std::uint64_t number) {
    if (number != ++notes) ++disorder;
}

std::uint64_t Tally::hit(std::uint64_t intent) {
    if (!intents_.insert(intent).second) ++doubled;
    return ++hits;
}

// --- A copy --------------------------------------------------------------------------------------

/// Gets the designation of the copy.
class TallyApp::DesignationLog final : public Log {
public:
    DesignationLog(Log& log, std::shared_ptr<bool> designated)
        : log_(log), designated_(std::move(designated)) {}
    void write(LogLevel level, std::string_view event,
               std::initializer_list<LogField> fields) override {
        if (event == "copy.designated") {
            for (const LogField& field : fields) {
                if (field.key == "role") *designated_ = field.value == name(Role::active);
            }
        }
        log_.write(level, event, fields);
    }

private:
    Log& log_;
    const std::shared_ptr<bool> designated_;
};

TallyApp::TallyApp(Runtime& runtime, Log& log, ImmortalOptions options)
    : log_(std::make_unique<DesignationLog>(log, designated_)),
      options_(std::move(options)),
      body_(runtime, *log_, options_, {std::make_shared<ImmortalClassOf<Tally>>()}, *this) {}

ImmortalStatus TallyApp::status() const {
    ImmortalStatus status;
    body_.fill(status);
    return status;
}

void TallyApp::look(std::function<void(const Tally&)> seen) {
    body_.look(
        [seen = std::move(seen)](const ImmortalObject& object) -> Result<void> {
            seen(static_cast<const ImmortalObjectOf<Tally>&>(object).object());
            return {};
        },
        [](const Result<void>&) {});
}

// --- Oracle --------------------------------------------------------------------------------------

DesignationOracle::Line DesignationOracle::line_of(const registry::Service& service) {
    Line line;
    for (const auto& [order, member] : service.line) {
        line.emplace(member.name, member.incarnation.value);
    }
    return line;
}

/// After a full stop the first copy is the checkpointer.
void DesignationOracle::look_at_start(const registry::Service& service,
                                      const role::StartOrder::Saved& saved) {
    if (service.line.empty()) {
        was_empty_ = saved.has_checkpoint;
        return;
    }
    if (!std::exchange(was_empty_, false)) return;
    const registry::Member& first = service.line.begin()->second;
    if (saved.checkpointer != first.name && service.active != first.order) {
        broken_.broken(first.name + " is the first after a full stop, and no checkpointer");
    }
}

void DesignationOracle::look(const registry::Service& service) {
    const role::StartOrder* order = service.election().start_order();
    if (order == nullptr) return;
    const role::StartOrder::Saved saved = order->save();
    look_at_start(service, saved);
    const Line line = line_of(service);
    std::erase_if(checkpointers_, [&](const auto& each) { return !line.contains(each); });
    const auto incarnation = [&](const std::string& name) -> std::uint64_t {
        const registry::Member* member = service.find(name);
        return member == nullptr ? 0 : member->incarnation.value;
    };
    if (!saved.checkpointer.empty()) {
        checkpointers_.emplace(saved.checkpointer, incarnation(saved.checkpointer));
    }
    if (checkpointers_.contains({saved.active, incarnation(saved.active)})) {
        broken_.broken("the checkpointer, " + saved.active + ", is designated active");
    }
    std::uint64_t epoch = 0;
    for (const wire::pb::Promotion& row : service.story) {
        if (row.epoch() <= epoch) {
            broken_.broken(fmt::format("{} is active in epoch {} after {}", row.member(),
                                       row.epoch(), epoch));
        }
        epoch = row.epoch();
    }
    const registry::Member* active = service.active_member();
    const bool by_journal = active != nullptr && active->name == saved.active;
    const bool switching = service.election().switchover() != nullptr;
    if (saved.active != active_ && !by_journal && !switching && !was_switching_ &&
        saved.active == giver_.first && incarnation(saved.active) == giver_.second) {
        for (const auto& [name, number] : before_giver_) {
            if (incarnation(name) != number || name == saved.checkpointer) continue;
            if (name == saved.stand_in) continue;
            broken_.broken(fmt::format("{} gave its role away, and is before {}", saved.active,
                                       name));
        }
    }
    active_ = saved.active;
    was_switching_ = switching;
}

void DesignationOracle::given(const registry::Service& service, const std::string& giver) {
    const registry::Member* member = service.find(giver);
    if (member == nullptr) return;
    giver_ = {giver, member->incarnation.value};
    before_giver_ = line_of(service);
    before_giver_.erase(giver_);
}

// --- The whole cluster ---------------------------------------------------------------------------

namespace {

/// Asks the registry for switchovers, as `understudy service switchover` does.
class OperatorApp final : public client::AgentObserver {
public:
    OperatorApp(Runtime& runtime, Log& log) {
        client::AgentOptions options;
        options.name = "operator";
        options.registry = {{"r", 22222}};
        options.listen = {"operator", 0};
        auto opened = client::Agent::open(runtime, log, std::move(options), *this);
        US_ASSERT(opened);
        agent = *std::move(opened);
    }
    void ask(const std::string& to, client::Agent::Answered answered) {
        wire::pb::Ask ask;
        ask.mutable_switchover()->set_family(tally_name);
        ask.mutable_switchover()->set_to(to);
        agent->ask(std::move(ask), 10s, std::move(answered));
    }
    std::unique_ptr<client::Agent> agent;

private:
    void registry_changed(bool, const std::string&) override {}
    void service_changed(const std::string&) override {}
};

/// Makes one call after the other, as fast as they are answered.
class PingApp final {
public:
    struct Notes {
        std::uint64_t calls = 0;
        std::uint64_t answers = 0;
        bool more = true;
        Duration longest{};
    };
    PingApp(Runtime& runtime, Log& log, ImmortalOracle& oracle, Notes& notes, const Places& where)
        : runtime_(runtime), oracle_(oracle), notes_(notes), locator_(runtime) {
        for (const auto& [family, rows] : where) locator_.set(family, rows);
        client_ = node::ImmortalClient::make(runtime, log, {.service = tally_name}, locator_);
        call();
    }

private:
    void call() {
        if (!notes_.more) return;
        Buffer arguments;
        Packer packer(arguments);
        packer.array(1);
        packer.put(ping_first + ++notes_.calls);
        const TimePoint begun = runtime_.now();
        (void)client_->call("hit", arguments, [this, begun](const Result<Bytes>& reply) {
            if (!reply) return oracle_.broken("a call fails: " + to_string(reply.error()));
            if (++notes_.answers > 1) {
                notes_.longest = std::max(notes_.longest, runtime_.now() - begun);
            }
            timer_ = runtime_.at(runtime_.now() + 1ms, [this] { call(); });
        });
    }

    Runtime& runtime_;
    ImmortalOracle& oracle_;
    Notes& notes_;
    hosting::StaticLocator locator_;
    std::unique_ptr<node::ImmortalClient> client_;
    std::unique_ptr<Timer> timer_;
};

class SwitchoverCluster {
public:
    explicit SwitchoverCluster(const SwitchoverPlan& plan)
        : plan_(plan),
          world_({.seed = plan.seed, .sink = plan.sink}),
          random_(plan.seed ^ 0x7377697463ULL),
          members_(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(plan.copies)) {
        notes_.resize(plan_.clients);
        for (std::size_t i = 0; i < notes_.size(); ++i) {
            notes_[i].first = i * 1'000'000;
            notes_[i].intents_max = plan_.intents;
        }
        for (const char* event : {"replicated.group_failed", "replicated.node_failed"}) {
            world_.expect_error(event);
        }
    }

    SwitchoverOutcome run();

private:
    void start();
    void start_copy(const std::string& member);
    void supervise();
    void look();
    void operate();
    void answered(const Result<wire::pb::Answer>& answer, const std::string& from);
    void harm();
    void full_stop();
    void judge();
    [[nodiscard]] TallyApp* copy(std::size_t i) {
        return copies_[i]->alive() ? &copies_[i]->app<TallyApp>() : nullptr;
    }
    [[nodiscard]] TallyApp* active();
    [[nodiscard]] const registry::Service* registered();
    [[nodiscard]] bool rests();
    [[nodiscard]] std::string describe();

    const SwitchoverPlan plan_;
    sim::World world_;
    Random random_;
    const std::vector<std::string> members_;
    sim::DiskStore* share_ = nullptr;
    ImmortalOracle oracle_;
    DesignationOracle designations_{oracle_};
    std::vector<ClientNotes> notes_;
    PingApp::Notes pings_;
    sim::Process* registry_ = nullptr;
    sim::Process* operator_ = nullptr;
    std::vector<sim::Process*> copies_;
    std::vector<sim::Process*> all_;
    SwitchoverOutcome outcome_;
    bool calm_ = false;
    bool stopped_ = false;  ///< All copies were stopped on purpose.
    bool asking_ = false;
    int twice_ = 0;  ///< How often two designated copies were seen.
    struct Counts {
        std::uint64_t hits = 0;
        std::uint64_t doubled = 0;
        std::uint64_t ticks = 0;
        std::uint64_t notes = 0;
        std::uint64_t disorder = 0;
    };
    std::optional<Counts> tally_;
};

void SwitchoverCluster::start_copy(const std::string& member) {
    sim::Node& node = world_.add_node(member);
    ImmortalOptions options{.service = tally_name, .member = member};
    options.listen = fmt::format("{}:{}", member, port);
    options.insecure = true;
    options.registry = {"r:22222"};
    options.checkpoint_every_bytes = 32 * KiB;
    if (plan_.replicated) {
        ReplicatedGroup group;
        group.directory = "/var/lib/server";
        group.insecure = true;
        for (const std::string& other : members_) {
            group.nodes.push_back(
                {.name = other, .address = fmt::format("{}:{}", other, node_port)});
        }
        options.journal = group;
    } else {
        node.mount(share_path, *share_);
        SharedDirectory shared;
        shared.path = share_path + "/server";
        shared.lease = 400ms;
        options.journal = shared;
    }
    copies_.push_back(&node.start("copy", [options](Runtime& runtime, Log& log) {
        return std::make_unique<TallyApp>(runtime, log, options);
    }));
    all_.push_back(copies_.back());
}

void SwitchoverCluster::start() {
    if (!plan_.replicated) share_ = &world_.add_disk("share");
    registry_ = &world_.add_node("r").start("registry", [](Runtime& runtime, Log& log) {
        return std::make_unique<RegistryApp>(runtime, log, "/data");
    });
    all_.push_back(registry_);
    world_.run_for(100ms);
    for (const std::string& member : members_) {
        start_copy(member);
        world_.run_for(100ms);
    }
    operator_ = &world_.add_node("operator").start("operator", [](Runtime& runtime, Log& log) {
        return std::make_unique<OperatorApp>(runtime, log);
    });
    for (std::size_t i = 0; i < plan_.clients; ++i) {
        ClientNotes& notes = notes_[i];
        all_.push_back(&world_.add_node(fmt::format("client{}", i))
                            .start("client", [this, &notes](Runtime& runtime, Log& log) {
                                return std::make_unique<HitApp>(runtime, log, oracle_, notes,
                                                                tally_name, places(members_));
                            }));
    }
    world_.add_node("pinger").start("ping", [this](Runtime& runtime, Log& log) {
        return std::make_unique<PingApp>(runtime, log, oracle_, pings_, places(members_));
    });
}

TallyApp* SwitchoverCluster::active() {
    for (std::size_t i = 0; i < copies_.size(); ++i) {
        TallyApp* const found = copy(i);
        if (found != nullptr && found->status().role == Role::active) return found;
    }
    return nullptr;
}

const registry::Service* SwitchoverCluster::registered() {
    if (!registry_->alive() || registry_->paused()) return nullptr;
    const RegistryApp& app = registry_->app<RegistryApp>();
    return app.serving ? app.server->state().find(tally_name) : nullptr;
}

void SwitchoverCluster::look() {
    if (const registry::Service* found = registered()) designations_.look(*found);
    // A message to one copy can be under way to another, or wait for a connection.
    std::size_t designated = 0;
    for (std::size_t i = 0; i < copies_.size(); ++i) {
        const TallyApp* const found = copy(i);
        if (found != nullptr && found->designated_active()) ++designated;
    }
    twice_ = calm_ && designated > 1 ? twice_ + 1 : 0;
    if (twice_ == 5'000) oracle_.broken("two copies are designated active");
    world_.after(1ms, [this] { look(); });
}

void SwitchoverCluster::supervise() {
    for (sim::Process* process : all_) {
        const auto at = std::find(copies_.begin(), copies_.end(), process);
        if (at != copies_.end()) {
            if (stopped_) continue;
            if (process->alive() && process->app<TallyApp>().error()) process->stop();
        }
        if (!process->alive() && (calm_ || random_.chance(1, 2))) process->restart();
    }
    world_.after(random_.between(Duration(5ms), Duration(80ms)), [this] { supervise(); });
}

void SwitchoverCluster::operate() {
    if (calm_) return;
    const auto pause = random_.between(Duration(5ms), Duration(plan_.harm ? 300ms : 150ms));
    world_.after(pause, [this] { operate(); });
    const registry::Service* found = registered();
    if (asking_ || found == nullptr || found->active_member() == nullptr) return;
    asking_ = true;
    ++outcome_.asked;
    const std::string from = found->active_member()->name;
    const std::string to = random_.chance(1, 3) ? members_[random_.below(members_.size())] : "";
    operator_->app<OperatorApp>().ask(
        to, [this, from](const Result<wire::pb::Answer>& answer) { answered(answer, from); });
}

void SwitchoverCluster::answered(const Result<wire::pb::Answer>& answer, const std::string& from) {
    asking_ = false;
    if (!answer) {
        outcome_.refusals.insert(answer.error().detail);
        return;
    }
    ++outcome_.done;
    if (answer->member() == from) oracle_.broken("a switchover from and to " + from);
    const registry::Service* found = registered();
    if (found == nullptr || found->epoch.value != answer->epoch()) return;
    designations_.given(*found, from);
    const wire::pb::Promotion& row = found->story.back();
    if (row.member() != answer->member() ||
        row.cause() != static_cast<std::uint32_t>(role::Cause::switchover)) {
        oracle_.broken(fmt::format("the story of a switchover to {} ends with {}",
                                   answer->member(), row.evidence()));
    }
}

void SwitchoverCluster::harm() {
    if (calm_) return;
    world_.after(random_.between(Duration(10ms), Duration(500ms)), [this] { harm(); });
    sim::Process& victim = *all_[random_.below(all_.size())];
    ++outcome_.harmed;
    const Duration lasts = random_.between(Duration(20ms), Duration(1500ms));
    switch (random_.below(12)) {
        case 0:
            return full_stop();
        case 1:
        case 2: {
            if (!victim.alive() || victim.paused()) return;
            victim.pause();
            world_.after(lasts, [&victim] {
                if (victim.paused()) victim.resume();
            });
            return;
        }
        case 3:
        case 4: {
            const std::string one = victim.node().name();
            const std::string other = all_[random_.below(all_.size())]->node().name();
            if (one == other) return;
            world_.cut(one, other);
            world_.after(lasts, [this, one, other] { world_.heal(one, other); });
            return;
        }
        case 5:
            victim.crash_at_disk_call(random_.between(std::uint64_t{1}, std::uint64_t{40}));
            return;
        default:
            victim.crash();
    }
}

/// Waits until the registry has noticed and no copy is in line.
void SwitchoverCluster::full_stop() {
    if (std::exchange(stopped_, true)) return;
    for (sim::Process* process : copies_) process->crash();
    world_.after(1500ms, [this] { stopped_ = false; });
}

bool SwitchoverCluster::rests() {
    if (asking_) return false;
    for (const ClientNotes& notes : notes_) {
        if (!notes.done()) return false;
    }
    TallyApp* const found = active();
    if (found == nullptr) return false;
    tally_.reset();
    found->look([this](const Tally& tally) {
        tally_ = Counts{.hits = tally.hits,
                        .doubled = tally.doubled,
                        .ticks = tally.ticks,
                        .notes = tally.notes,
                        .disorder = tally.disorder};
    });
    world_.run_for(20ms);
    if (!tally_ || tally_->notes < Tally::ticks_max) return false;
    if (pings_.more || pings_.calls != pings_.answers) {
        pings_.more = false;
        return false;
    }
    const std::uint64_t inputs = found->status().inputs;
    for (std::size_t i = 0; i < copies_.size(); ++i) {
        TallyApp* const each = copy(i);
        if (each == nullptr || each->status().inputs != inputs) return false;
    }
    const registry::Service* known = registered();
    return known != nullptr && known->active_member() != nullptr &&
           known->line.size() == copies_.size();
}

std::string SwitchoverCluster::describe() {
    std::string out;
    for (std::size_t i = 0; i < copies_.size(); ++i) {
        const TallyApp* const each = copy(i);
        out += each == nullptr
                   ? members_[i] + " dead; "
                   : fmt::format("{} {} at {}; ", members_[i], name(each->status().role),
                                 each->status().applied.value);
    }
    for (const ClientNotes& notes : notes_) {
        out += fmt::format("client answered {} of {}; ", notes.answered, notes.intents);
    }
    out += fmt::format("pings {} of {}; ", pings_.answers, pings_.calls);
    if (tally_) out += fmt::format("ticks {}, notes {}", tally_->ticks, tally_->notes);
    return out;
}

void SwitchoverCluster::judge() {
    std::uint64_t expected = pings_.answers;
    for (const ClientNotes& notes : notes_) expected += notes.intents_max;
    if (tally_->hits != expected) {
        oracle_.broken(fmt::format("{} hits for {} answered calls", tally_->hits, expected));
    }
    if (tally_->doubled != 0) oracle_.broken("a client's call was carried out twice");
    if (tally_->disorder != 0) oracle_.broken("a call to itself came out of order, or twice");
}

SwitchoverOutcome SwitchoverCluster::run() {
    start();
    look();
    supervise();
    const auto broken = [this] { return !oracle_.violations().empty(); };
    world_.run_until([this] { return active() != nullptr && pings_.answers > 0; }, 10s);
    operate();
    if (plan_.harm) harm();
    world_.run_until(broken, plan_.lasts);
    calm_ = true;
    stopped_ = false;
    for (sim::Process* process : all_) {
        process->crash_at_disk_call(0);
        if (process->paused()) process->resume();
    }
    world_.heal_network();
    bool rested = false;
    for (int i = 0; i < 6000 && !rested && !broken(); ++i) {
        world_.run_for(20ms);
        rested = rests();
    }
    if (!rested && !broken()) oracle_.broken("no rest when all is well: " + describe());
    world_.run_until(broken,
                     6s);  // Long enough to notice a copy that was not told its designation.
    if (!broken()) judge();
    outcome_.violations = oracle_.violations();
    for (const std::string& error : world_.errors()) outcome_.violations.push_back(error);
    outcome_.hits = tally_ ? tally_->hits : 0;
    outcome_.stall = pings_.longest;
    if (!outcome_.violations.empty()) outcome_.tail = world_.trace_tail();
    return std::move(outcome_);
}

}  // namespace

SwitchoverOutcome run_switchovers(const SwitchoverPlan& plan) {
    const SeedLine line(plan.seed);
    SwitchoverCluster theatre(plan);
    return theatre.run();
}

}  // namespace understudy::scenario
