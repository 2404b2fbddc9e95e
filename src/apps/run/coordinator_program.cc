#include "apps/run/coordinator_program.h"

#include <csignal>
#include <utility>

#include <fmt/format.h>

#include "apps/commands/invocation.h"
#include "journal/access.h"
#include "library/engine.h"
#include "platform/machine/memory.h"

namespace understudy::apps {

namespace {

/// The directories of the copies of a replicated journal are inside the directory that another kind
/// of journal would use. That directory records it, so that a missing option does not found a
/// second journal there.
[[nodiscard]] hosting::JournalChoice::Purpose purpose_of(const ReplicaOptions& options) {
    hosting::JournalChoice::Purpose purpose{.use = journal::DirectoryUse::immortal};
    if (const auto* group = std::get_if<ReplicatedGroup>(&options.journal)) {
        purpose.copies_in = group->directory.substr(0, group->directory.rfind('/'));
    }
    return purpose;
}

}  // namespace

CoordinatorProgram::CoordinatorProgram(platform::AsioRuntime& runtime, Log& log,
                                       Supervisor supervisor)
    : runtime_(runtime), log_(log), supervisor_(std::move(supervisor)) {}

std::string directory_of(const ReplicaOptions& journal) {
    if (const auto* local = std::get_if<LocalDirectory>(&journal.journal)) return local->path;
    if (const auto* shared = std::get_if<SharedDirectory>(&journal.journal)) return shared->path;
    return std::get<ReplicatedGroup>(journal.journal).directory;
}

Result<void> CoordinatorProgram::run(Options options) {
    // Its application may connect hours later; whatever will prevent it from serving must be
    // reported now.
    US_CHECK(journal::check_access(runtime_.disk(), directory_of(options.journal)));
    name_ = options.journal.service + "/" + options.journal.member;
    signals_ = US_TRY(platform::Signals::open(runtime_, {SIGTERM, SIGINT}, [this](int signal) {
        log_.info("coordinator.signal", {kv("signal", signal == SIGTERM ? "SIGTERM" : "SIGINT")});
        if (closing_) return end(std::nullopt);
        close();
    }));
    places_ = US_TRY(hosting::Places::open(runtime_, log_, options.places));
    hosting::Copy::World copy{
        .runtime = runtime_,
        .log = log_,
        .agent = places_->agent(),
        .make_journal = [this, journal = options.journal](hosting::Copy::Electable electable) {
            return hosting::JournalChoice::make(
                {.runtime = runtime_, .log = log_, .nodes = nodes_, .engine = library::engine()},
                journal, electable, purpose_of(journal));
        }};
    coordinator_ = US_TRY(Coordinator::open({.copy = std::move(copy), .locator = *places_},
                                            std::move(options.coordinator), *this));
    keep_watchdog_quiet();
    const platform::MemoryWatch memory(runtime_, log_);
    runtime_.run();
    // All objects on the loop are destroyed before it; no loop runs any more.
    close_timer_.reset();
    watchdog_timer_.reset();
    signals_.reset();
    coordinator_.reset();
    places_.reset();
    if (error_) return *error_;
    return {};
}

void CoordinatorProgram::say(const std::string& what) {
    if (std::exchange(said_, what) == what) return;
    announce(fmt::format("{} {}\n", name_, what));
    supervisor_.tell(fmt::format("STATUS={} {}", name_, what));
}

void CoordinatorProgram::waiting_for_application() {
    say(fmt::format("waits for its application on {}", to_string(coordinator_->applications())));
    if (!std::exchange(ready_, true)) supervisor_.tell("READY=1");
}

void CoordinatorProgram::opened(const node::ImmortalMember& member) {
    say(fmt::format("listens on {}", to_string(member.address())));
    if (!std::exchange(ready_, true)) supervisor_.tell("READY=1");
}

void CoordinatorProgram::standing_changed(Role role, Epoch epoch) {
    if (role == Role::active) return say(fmt::format("is active, epoch {}", epoch.value));
    say(fmt::format("is {}", name(role)));
}

void CoordinatorProgram::refused(const Error& reason) {
    say(fmt::format("is refused by the registry: {}", reason.detail));
}

void CoordinatorProgram::nobody_active() {
    say("is checkpointer, and nobody is active: it waits for another copy (--last-resort of the "
        "service lets it be active itself)");
}

void CoordinatorProgram::failed(const Error& error) { end(error); }

void CoordinatorProgram::keep_watchdog_quiet() {
    const auto interval = supervisor_.watchdog_interval();
    if (!interval) return;
    supervisor_.tell("WATCHDOG=1");
    watchdog_timer_ =
        runtime_.at(runtime_.now() + *interval, [this] { keep_watchdog_quiet(); });
}

void CoordinatorProgram::close() {
    closing_ = true;
    supervisor_.tell("STOPPING=1");
    close_timer_ = runtime_.at(runtime_.now() + close_limit, [this] {
        log_.warn("coordinator.close_slow", {});
        end(std::nullopt);
    });
    coordinator_->close([this] { close_places(); });
}

void CoordinatorProgram::close_places() {
    runtime_.post([this] { places_->close([this] { end(std::nullopt); }); });
}

void CoordinatorProgram::end(std::optional<Error> error) {
    if (error && !error_) error_ = std::move(error);
    runtime_.stop();
}

}  // namespace understudy::apps
