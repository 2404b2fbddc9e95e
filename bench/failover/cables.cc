#include "bench/failover/cables.h"

#include <cerrno>
#include <cstring>
#include <string_view>
#include <thread>

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <fmt/format.h>

#include "bench/harness/child.h"

namespace understudy::bench {

namespace {

constexpr const char* own_namespace = "/proc/thread-self/ns/net";

// A namespace exists as long as a thread is in it or a descriptor is open. A thread creates it and
// leaves.
[[nodiscard]] Result<Fd> make_namespace() {
    Fd made;
    int error = 0;
    std::thread([&] {
        if (::unshare(CLONE_NEWNET) == 0) made = Fd(::open(own_namespace, O_RDONLY | O_CLOEXEC));
        if (!made) error = errno;
    }).join();
    if (made) return made;
    return Error{.code = Errc::failed, .detail = std::strerror(error)};
}

[[nodiscard]] Result<void> tell(const char* program, const char* option, int network,
                                std::string_view input) {
    (void)US_TRY(Child::run({.command = {program, option, "-"}, .network = network}, 10s, input));
    return {};
}

}  // namespace

Result<Cables> Cables::lay(std::size_t ends) {
    Cables cables;
    cables.hub_ = US_TRY(make_namespace());
    US_CHECK(
        tell("ip", "-batch", cables.hub_.get(), "link add br0 type bridge\nlink set br0 up\n"));
    for (std::size_t i = 0; i < ends; ++i) {
        cables.ends_.push_back(US_TRY(make_namespace()));
        US_CHECK(
            tell("ip", "-batch", cables.hub_.get(),
                 fmt::format("link add end{0} type veth peer name eth0 netns /proc/{1}/fd/{2}\n"
                             "link set end{0} master br0\n"
                             "link set end{0} up\n",
                             i, ::getpid(), cables.end(i))));
        US_CHECK(tell("ip", "-batch", cables.end(i),
                      fmt::format("addr add {}/24 dev eth0\nlink set eth0 up\nlink set lo up\n",
                                  address(i))));
    }
    US_CHECK(tell("nft", "-f", cables.hub_.get(),
                  "table bridge cables {\n"
                  "  set cut { type ifname; }\n"
                  "  chain forward {\n"
                  "    type filter hook forward priority 0;\n"
                  "    iifname @cut drop\n"
                  "    oifname @cut drop\n"
                  "  }\n"
                  "}\n"));
    return cables;
}

Result<void> Cables::cut(std::size_t which) const {
    return tell("nft", "-f", hub_.get(),
                fmt::format("add element bridge cables cut {{ \"end{}\" }}\n", which));
}

Result<void> Cables::heal(std::size_t which) const {
    return tell("nft", "-f", hub_.get(),
                fmt::format("delete element bridge cables cut {{ \"end{}\" }}\n", which));
}

Result<Cables::Inside> Cables::enter(std::size_t which) const {
    Fd home(::open(own_namespace, O_RDONLY | O_CLOEXEC));
    if (!home || ::setns(end(which), CLONE_NEWNET) != 0) {
        return Error{.code = Errc::failed, .detail = std::strerror(errno)};
    }
    return Inside(std::move(home));
}

Cables::Inside::~Inside() {
    if (home_) ::setns(home_.get(), CLONE_NEWNET);
}

}  // namespace understudy::bench
