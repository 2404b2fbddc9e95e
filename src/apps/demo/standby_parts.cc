#include "apps/demo/standby_parts.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <mutex>

#include <fmt/format.h>

#include "apps/commands/invocation.h"
#include "apps/demo/play.h"
#include "understudy/immortal_client.h"
#include "understudy/immortal_member.h"

namespace understudy::apps::demo {

namespace {

class Server : public Immortal {
public:
    std::uint64_t ask() { return ++answers_; }
    std::uint64_t count() const { return answers_; }

    template <class F>
    void fields(F& f) {
        f(answers_);
    }
    template <class H>
    static void handlers(H& h) {
        h("ask", &Server::ask);
        h("count", &Server::count);
    }

private:
    std::uint64_t answers_ = 0;
};

class Client : public Immortal {
public:
    void ask() {
        ++asked_;
        call<&Server::ask>(server_name).then<&Client::answered>();
    }
    void answered(const Result<std::uint64_t>& count) {
        if (count) ++answers_;
    }
    void compare() { call<&Server::count>(server_name).then<&Client::compared>(); }
    void compared(const Result<std::uint64_t>& count) {
        if (count) counted_ = *count;
        compared_ = true;
    }

    template <class F>
    void fields(F& f) {
        f(asked_, answers_, counted_, compared_);
    }
    template <class H>
    static void handlers(H& h) {
        h("ask", &Client::ask);
        h("answered", &Client::answered);
        h("compare", &Client::compare);
        h("compared", &Client::compared);
    }

    std::uint64_t asked_ = 0;
    std::uint64_t answers_ = 0;
    std::uint64_t counted_ = 0;
    bool compared_ = false;
};

constexpr Duration settled_after = 300ms;
constexpr std::timespec look_interval{.tv_sec = 0, .tv_nsec = 100'000};

using Clock = std::chrono::steady_clock;

/// Prints the role `active` at once, and any other role when it has lasted for a moment.
class RolePrinter {
public:
    void changed(Role role) {
        {
            const std::lock_guard lock(mutex_);
            role_ = role;
        }
        changed_.notify_all();
    }
    [[noreturn]] void run() {
        Role printed = Role::joining;
        std::unique_lock lock(mutex_);
        for (;;) {
            changed_.wait(lock, [&] { return role_ != printed && role_ != Role::joining; });
            const Role seen = role_;
            if (seen != Role::active &&
                changed_.wait_for(lock, settled_after, [&] { return role_ != seen; })) {
                continue;
            }
            printed = seen;
            print(std::string(name(printed)) + '\n');
        }
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    Role role_ = Role::joining;
};

[[nodiscard]] sigset_t questions() {
    sigset_t set;
    (void)::sigemptyset(&set);
    (void)::sigaddset(&set, SIGUSR1);
    (void)::sigaddset(&set, SIGUSR2);
    return set;
}

/// The signal that has arrived, or 0.
[[nodiscard]] int taken_signal(const sigset_t& set, std::timespec wait) {
    const int number = ::sigtimedwait(&set, nullptr, &wait);
    return number < 0 ? 0 : number;
}

}  // namespace

Result<Exit> run_server_copy(const CopyOptions& options) {
    RolePrinter roles;
    auto member = US_TRY(ImmortalMember::open<Server>(
        {.service = server_name,
         .member = options.member,
         .journal = SharedDirectory{.path = options.directory, .lease = 1s},
         .registry = {options.registry}}));
    member.on_role([&roles](const ImmortalStatus& status) { roles.changed(status.role); });
    US_CHECK(member.wait_open());
    roles.run();
}

Result<Exit> run_asking_client(const CopyOptions& options) {
    const sigset_t set = questions();
    (void)::pthread_sigmask(SIG_BLOCK, &set, nullptr);  // Before there are other threads.
    auto member = US_TRY(
        ImmortalMember::open<Client>({.service = client_name,
                                      .member = options.member,
                                      .journal = LocalDirectory{options.directory},
                                      .registry = {options.registry}}));
    US_CHECK(member.wait_active());
    Client seen;
    const auto look = [&] {
        return member.look<Client>([&seen](const Client& client) {
            seen.asked_ = client.asked_;
            seen.answers_ = client.answers_;
            seen.counted_ = client.counted_;
            seen.compared_ = client.compared_;
        });
    };
    print("ready\n");
    ClientReport report;
    bool reporting = false;
    for (bool asking = true; asking;) {
        const auto asked = Clock::now();
        US_CHECK(member.impulse<&Client::ask>());
        do {
            const int signal = taken_signal(set, look_interval);
            reporting = reporting || signal == SIGUSR1;
            asking = asking && signal != SIGUSR2;
            US_CHECK(look());
        } while (seen.answers_ < seen.asked_);
        report.answers = seen.answers_;
        report.longest_us = std::max(report.longest_us, microseconds(Clock::now() - asked));
        if (!reporting) continue;
        print(to_line(report) + '\n');
        report.longest_us = 0;
        reporting = false;
    }
    US_CHECK(member.impulse<&Client::compare>());
    while (!seen.compared_) {
        (void)taken_signal(set, look_interval);
        US_CHECK(look());
    }
    print(to_line(ClientTotal{seen.asked_, seen.answers_, seen.counted_}) + '\n');
    for (;;) (void)taken_signal(set, {.tv_sec = 3600, .tv_nsec = 0});
}

std::string to_line(const ClientReport& report) {
    return fmt::format("{} answers, longest wait {} us", report.answers, report.longest_us);
}

bool from_line(const std::string& line, ClientReport& report) {
    return std::sscanf(line.c_str(), "%lu answers, longest wait %lu us", &report.answers,
                       &report.longest_us) == 2;
}

std::string to_line(const ClientTotal& total) {
    return fmt::format("asked {}, answered {}, counted {}", total.asked, total.answered,
                       total.counted);
}

bool from_line(const std::string& line, ClientTotal& total) {
    return std::sscanf(line.c_str(), "asked %lu, answered %lu, counted %lu", &total.asked,
                       &total.answered, &total.counted) == 3;
}

}  // namespace understudy::apps::demo
