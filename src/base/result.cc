#include "understudy/result.h"

#include <cstdio>
#include <cstdlib>

namespace understudy {

void assert_failed(const char* condition, const char* file, int line) {
    // tidy: allow(fprintf, stderr) because the process ends here, and nothing may be relied on
    std::fprintf(stderr, "%s:%d: broken expectation: %s\n", file, line, condition);
    std::abort();
}

std::string_view name(Errc code) {
    switch (code) {
        case Errc::timed_out: return "timed_out";
        case Errc::not_active: return "not_active";
        case Errc::session_expired: return "session_expired";
        case Errc::limit_exceeded: return "limit_exceeded";
        case Errc::corrupt: return "corrupt";
        case Errc::disk_failed: return "disk_failed";
        case Errc::bad_config: return "bad_config";
        case Errc::unavailable: return "unavailable";
        case Errc::refused: return "refused";
        case Errc::not_found: return "not_found";
        case Errc::already_exists: return "already_exists";
        case Errc::no_space: return "no_space";
        case Errc::closed: return "closed";
        case Errc::stale_epoch: return "stale_epoch";
        case Errc::denied: return "denied";
        case Errc::in_use: return "in_use";
        case Errc::failed: return "failed";
        case Errc::no_descriptors: return "no_descriptors";
        case Errc::no_memory: return "no_memory";
        case Errc::bad_path: return "bad_path";
        case Errc::not_permitted: return "not_permitted";
        case Errc::no_such_file: return "no_such_file";
    }
    return "unrecognized";  // The code comes from a newer peer.
}

std::string to_string(const Error& error) {
    std::string text(name(error.code));
    if (!error.detail.empty()) text.append(": ").append(error.detail);
    text += error.effect == Effect::none ? " (effect: none)" : " (effect: unknown)";
    return text;
}

}  // namespace understudy
