#include "understudy/types.h"

#include <charconv>

namespace understudy {

namespace {

Error bad_address(std::string_view text, std::string_view why) {
    return {.code = Errc::bad_config,
            .detail = "address '" + std::string(text) + "': " + std::string(why)};
}

}  // namespace

Result<Address> parse_address(std::string_view text) {
    std::string_view host;
    std::string_view port;
    if (text.starts_with('[')) {
        const std::size_t close = text.find(']');
        if (close == text.npos) return bad_address(text, "'[' is not closed");
        host = text.substr(1, close - 1);
        if (host.find(':') == host.npos) return bad_address(text, "brackets are for IPv6 hosts");
        if (!text.substr(close + 1).starts_with(':')) return bad_address(text, "wants [HOST]:PORT");
        port = text.substr(close + 2);
    } else {
        const std::size_t colon = text.find(':');
        if (colon == text.npos) return bad_address(text, "wants HOST:PORT");
        if (text.find(':', colon + 1) != text.npos) {
            const std::size_t last = text.rfind(':');
            return bad_address(text, "an IPv6 host goes in brackets: [" +
                                         std::string(text.substr(0, last)) +
                                         "]:" + std::string(text.substr(last + 1)));
        }
        host = text.substr(0, colon);
        port = text.substr(colon + 1);
    }
    for (const char c : host) {
        if (c <= ' ' || c == '/' || c == '[' || c == ']' || c == '\x7f') {
            return bad_address(text, "a host has no such character");
        }
    }

    Address address{.host = std::string(host)};
    const auto [end, failure] =
        std::from_chars(port.data(), port.data() + port.size(), address.port);
    if (port.empty() || failure != std::errc() || end != port.data() + port.size()) {
        return bad_address(text, "a port is a number from 0 to 65535");
    }
    return address;
}

std::string to_string(const Address& address) {
    const bool is_path = address.host.find('/') != std::string::npos;
    if (is_path) return address.host;
    const bool bracketed = address.host.find(':') != std::string::npos;
    std::string text = bracketed ? "[" + address.host + "]" : address.host;
    return text.append(":").append(std::to_string(address.port));
}

std::string_view name(Role role) {
    switch (role) {
        case Role::joining: return "joining";
        case Role::standby: return "standby";
        case Role::active: return "active";
        case Role::checkpointer: return "checkpointer";
    }
    return "unrecognized";
}

std::string_view name(Redundancy redundancy) {
    switch (redundancy) {
        case Redundancy::fault_tolerant: return "fault_tolerant";
        case Redundancy::load_balanced: return "load_balanced";
        case Redundancy::journaled: return "journaled";
    }
    return "unrecognized";
}

}  // namespace understudy
