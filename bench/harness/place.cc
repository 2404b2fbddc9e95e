#include "bench/harness/place.h"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "bench/harness/clock.h"
#include "bench/harness/fd.h"

namespace understudy::bench {

namespace {

[[nodiscard]] sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
}

}  // namespace

Result<Place> Place::make(const std::string& parent) {
    std::error_code ignored;
    std::filesystem::create_directories(parent, ignored);
    std::string path = parent + "/understudy-bench-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) {
        return Error{.code = Errc::failed, .detail = "cannot make a directory in " + parent};
    }
    return Place(std::move(path));
}

Place::Place(Place&& other) noexcept : path_(std::exchange(other.path_, {})) {}

Place::~Place() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

Result<void> write_file(const std::string& path, std::string_view text) {
    std::ofstream file(path, std::ios::binary);
    file << text << std::flush;
    if (!file) return Error{.code = Errc::failed, .detail = "cannot write " + path};
    return {};
}

Result<std::string> read_file(const std::string& path) {
    const std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    if (!file) return Error{.code = Errc::failed, .detail = "cannot read " + path};
    return text.str();
}

std::string last_lines(const std::string& path) {
    constexpr std::size_t shown_max = 2000;
    const auto text = read_file(path);
    if (!text) return {};
    return text->size() <= shown_max ? *text : text->substr(text->size() - shown_max);
}

bool accepts(std::uint16_t port) {
    const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = loopback(port);
    return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
           0;
}

Result<void> wait_accepts(std::uint16_t port, Duration limit) {
    const TimePoint end = now() + limit;
    while (!accepts(port)) {
        if (now() >= end) {
            return Error{.code = Errc::timed_out,
                         .detail = "nobody listens on port " + std::to_string(port)};
        }
        pause_for(200us);
    }
    return {};
}

}  // namespace understudy::bench
