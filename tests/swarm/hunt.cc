#include "tests/swarm/hunt.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <list>
#include <memory>
#include <new>
#include <string_view>
#include <thread>
#include <vector>

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include "base/plant.h"
#include "tests/swarm/swarm.h"

namespace understudy::swarm {

namespace {

using Clock = std::chrono::steady_clock;

struct Bug {
    const char* name;
    Plant plant;
    Scene scene;
    bool quick = false;  ///< Found so quickly that every test run can show it.
};

// The same bug may show in several scenes. Not on the list:
// - delta_across_epochs: a proxy passes nothing of an older epoch to the mirror;
// - shared_check_before_append: a job runs at one instant here, so no member takes over between two
//   of its calls, and it shows once in 2,000 seeds; journal/shared/shared_planted_test.cc stops
//   there;
// - shared_names_in_any_order: needs a power cut within one takeover, and was not found in 2,390
//   seeds; journal/shared/shared_planted_test.cc finds it.
constexpr Bug bugs[] = {
    {"no_stall_grace", Plant::no_stall_grace, Scene::platform},
    {"no_lease_check", Plant::no_lease_check, Scene::platform},
    {"last_in_line", Plant::last_in_line, Scene::platform},
    {"epoch_not_raised", Plant::epoch_not_raised, Scene::platform},
    {"forget_reported_epoch", Plant::forget_reported_epoch, Scene::platform},
    {"told_before_durable", Plant::told_before_durable, Scene::platform},
    {"proxy_ignores_epoch", Plant::proxy_ignores_epoch, Scene::platform},
    {"image_merges", Plant::image_merges, Scene::platform},
    {"delta_over_gap", Plant::delta_over_gap, Scene::platform},
    {"sent_call_retried", Plant::sent_call_retried, Scene::platform},
    {"watch_gap_ignored", Plant::watch_gap_ignored, Scene::platform},
    {"keeps_place", Plant::keeps_place, Scene::platform},
    {"told_before_durable", Plant::told_before_durable, Scene::shared, true},
    {"sync_retried", Plant::sync_retried, Scene::shared},
    {"shared_scan_before_publish", Plant::shared_scan_before_publish, Scene::shared, true},
    {"shared_no_seal", Plant::shared_no_seal, Scene::shared},
    {"shared_append_to_old", Plant::shared_append_to_old, Scene::shared, true},
    {"shared_no_directory_sync", Plant::shared_no_directory_sync, Scene::shared},
    {"shared_no_claim_check", Plant::shared_no_claim_check, Scene::shared},
    {"shared_copy_nothing", Plant::shared_copy_nothing, Scene::shared},
    {"reads_unconfirmed", Plant::reads_unconfirmed, Scene::shared},
    {"sessions_not_in_checkpoint", Plant::sessions_not_in_checkpoint, Scene::shared, true},
    {"reply_by_session", Plant::reply_by_session, Scene::shared, true},
    {"request_carried_out_again", Plant::request_carried_out_again, Scene::shared, true},
    {"abandoned_in_word_only", Plant::abandoned_in_word_only, Scene::shared},
    {"told_before_durable", Plant::told_before_durable, Scene::replicated, true},
    {"sync_retried", Plant::sync_retried, Scene::replicated},
    {"naive_host", Plant::naive_host, Scene::replicated},
    {"vote_not_kept", Plant::vote_not_kept, Scene::replicated},
    {"term_not_kept", Plant::term_not_kept, Scene::replicated},
    {"no_barrier", Plant::no_barrier, Scene::replicated, true},
    {"sent_before_durable", Plant::sent_before_durable, Scene::replicated},
    {"told_before_committed", Plant::told_before_committed, Scene::replicated, true},
    {"empty_disk_votes", Plant::empty_disk_votes, Scene::replicated},
    {"install_keeps_log", Plant::install_keeps_log, Scene::replicated},
    {"sessions_not_in_checkpoint", Plant::sessions_not_in_checkpoint, Scene::replicated},
    {"damage_cut", Plant::damage_cut, Scene::replicated, true},
    {"damage_cut", Plant::damage_cut, Scene::nodes},
    {"last_in_line", Plant::last_in_line, Scene::nodes},
    {"epoch_not_raised", Plant::epoch_not_raised, Scene::nodes, true},
};

bool wanted(const Bug& bug, const std::string& which) {
    if (which == "all" || which == bug.name) return true;
    if (which == "platform") return bug.scene == Scene::platform;
    if (which == "journals") return bug.scene != Scene::platform;
    return which == "quick" && bug.quick;
}

/// The progress that the child process reports.
struct Progress {
    std::uint64_t seeds = 0;
    bool found = false;
    Duration simulated{};
    std::array<char, 120> why = {};  ///< The first promise that was broken.
};

/// Memory that a child shares with its parent.
class SharedProgress {
public:
    SharedProgress()
        : page_(mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                     -1, 0)) {
        US_ASSERT(page_ != MAP_FAILED);
        new (page_) Progress();
    }
    SharedProgress(const SharedProgress&) = delete;
    SharedProgress& operator=(const SharedProgress&) = delete;
    ~SharedProgress() { munmap(page_, sizeof(Progress)); }
    [[nodiscard]] Progress& get() const { return *static_cast<Progress*>(page_); }

private:
    void* page_;
};

void keep(std::string_view text, std::array<char, 120>& out) {
    out.fill('\0');
    std::copy_n(text.begin(), std::min(text.size(), out.size() - 1), out.begin());
}

/// Runs seeds until one breaks a promise.
void hunt_one(const Bug& bug, const HuntOptions& options, Progress& progress) {
    plant(bug.plant);
    const auto end = Clock::now() + options.wall;
    for (std::uint64_t i = 0; i < options.seeds && Clock::now() < end; ++i) {
        progress.seeds = i + 1;
        const SwarmResult result =
            run_swarm({.seed = options.seed + i, .scene = bug.scene, .chaos = options.chaos});
        progress.simulated += result.simulated;
        if (result.violations.empty()) continue;
        keep(result.violations.front(), progress.why);
        progress.found = true;
        return;
    }
}

/// The search for one bug.
class Hunt {
public:
    Hunt(const Bug& bug, const HuntOptions& options)
        : bug_(bug), options_(options), said_(std::tmpfile(), &std::fclose) {
        US_ASSERT(said_ != nullptr);
        std::fflush(nullptr);
        child_ = fork();
        US_ASSERT(child_ >= 0);
        if (child_ != 0) return;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        // The parent prints the output of an assertion.
        dup2(fileno(said_.get()), STDERR_FILENO);
        hunt_one(bug_, options_, progress_.get());
        _exit(0);
    }
    Hunt(const Hunt&) = delete;
    Hunt& operator=(const Hunt&) = delete;
    ~Hunt() = default;

    /// True if a run without the bug passes; otherwise the run has found something else.
    [[nodiscard]] bool good_without() const;
    /// True if it has ended. Requires: not called again after that.
    [[nodiscard]] bool over() {
        const pid_t ended = waitpid(child_, &status_, WNOHANG);
        if (ended == child_) return true;
        // A run that does not end does not count as found.
        const bool stuck = Clock::now() > begun_ + 2 * options_.wall;
        if (stuck) kill(child_, SIGKILL);
        return false;
    }
    [[nodiscard]] bool found() const {
        return progress_.get().found || (WIFSIGNALED(status_) && WTERMSIG(status_) == SIGABRT);
    }
    [[nodiscard]] Duration simulated() const { return progress_.get().simulated; }
    [[nodiscard]] std::string line() const;
    [[nodiscard]] std::string under_way() const {
        return fmt::format("{} ({}): seed {}", bug_.name, name(bug_.scene), progress_.get().seeds);
    }

private:
    [[nodiscard]] std::string why() const;

    const Bug& bug_;
    const HuntOptions& options_;
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> said_;
    SharedProgress progress_;
    const Clock::time_point begun_ = Clock::now();
    pid_t child_ = -1;
    int status_ = 0;
};

bool Hunt::good_without() const {
    std::fflush(nullptr);
    const pid_t child = fork();
    US_ASSERT(child >= 0);
    if (child == 0) {
        plant(Plant::none);
        const std::uint64_t seed = options_.seed + progress_.get().seeds - 1;
        const SwarmResult result =
            run_swarm({.seed = seed, .scene = bug_.scene, .chaos = options_.chaos});
        if (!result.violations.empty()) fmt::print("{}\n", result.repro);
        std::fflush(stdout);
        _exit(result.violations.empty() ? 0 : 1);
    }
    int status = 0;
    return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

std::string Hunt::why() const {
    if (progress_.get().found) return progress_.get().why.data();
    if (!WIFSIGNALED(status_)) return "NOT FOUND";
    if (!found()) return fmt::format("NOT FOUND: ended by signal {}", WTERMSIG(status_));
    std::array<char, 200> said{};
    std::rewind(said_.get());
    const std::size_t length = std::fread(said.data(), 1, said.size() - 1, said_.get());
    const std::string_view text(said.data(), length);
    return "an assertion: " + std::string(text.substr(0, text.find('\n')));
}

std::string Hunt::line() const {
    const double wall = std::chrono::duration<double>(Clock::now() - begun_).count();
    return fmt::format("{:<28} {:<10} {:>6} {:>6.1f}  {}", bug_.name, name(bug_.scene),
                       progress_.get().seeds, wall, why());
}

}  // namespace

int hunt(const HuntOptions& options) {
    constexpr auto look_interval = std::chrono::milliseconds(10);
    constexpr auto word_interval = 15s;
    const auto begun = Clock::now();
    auto word_at = begun + word_interval;
    std::list<Hunt> hunts;
    std::size_t hunted = 0;
    std::size_t found = 0;
    Duration simulated{};
    std::puts("planted bug                  scene       seeds      s  found by");
    const Bug* next = std::begin(bugs);
    while (next != std::end(bugs) || !hunts.empty()) {
        while (next != std::end(bugs) && hunts.size() < std::max<std::size_t>(options.jobs, 1)) {
            if (wanted(*next, options.bugs)) {
                ++hunted;
                hunts.emplace_back(*next, options);
            }
            ++next;
        }
        for (auto each = hunts.begin(); each != hunts.end();) {
            if (!each->over()) {
                ++each;
                continue;
            }
            const bool good_without = !each->found() || each->good_without();
            found += each->found() && good_without ? 1 : 0;
            simulated += each->simulated();
            fmt::print("{}{}\n", each->line(), good_without ? "" : " BUT ALSO WITHOUT IT");
            std::fflush(stdout);
            each = hunts.erase(each);
        }
        if (Clock::now() >= word_at) {
            word_at = Clock::now() + word_interval;
            for (const Hunt& each : hunts) fmt::print("  ... {}\n", each.under_way());
            std::fflush(stdout);
        }
        if (!hunts.empty()) std::this_thread::sleep_for(look_interval);
    }
    const double wall = std::chrono::duration<double>(Clock::now() - begun).count();
    const double seconds = std::chrono::duration<double>(simulated).count();
    fmt::print("{} of {} planted bugs found; {:.2f} simulated hours in {:.1f} s ({:.0f}x)\n", found,
               hunted, seconds / 3600, wall, seconds / wall);
    return found == hunted && hunted > 0 ? 0 : 1;
}

}  // namespace understudy::swarm
