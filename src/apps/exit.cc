#include "apps/exit.h"

#include <fmt/format.h>

#include "apps/output.h"

namespace understudy::apps {

Exit exit_of(const Error& error) {
    if (error.code == Errc::denied || error.code == Errc::not_permitted) return Exit::denied;
    // It ran and reported a failure. Asking again does not show how much it did.
    if (error.code == Errc::failed) return Exit::no;
    if (error.effect == Effect::unknown) return Exit::again;
    switch (error.code) {
        case Errc::bad_config:
        case Errc::bad_path: return Exit::usage;
        case Errc::unavailable: return Exit::unreachable;
        case Errc::timed_out:
        case Errc::not_active:
        case Errc::session_expired:
        case Errc::stale_epoch:
        case Errc::closed:
        case Errc::no_descriptors:
        case Errc::no_memory: return Exit::again;
        case Errc::denied:
        case Errc::not_permitted: return Exit::denied;
        case Errc::limit_exceeded:
        case Errc::corrupt:
        case Errc::disk_failed:
        case Errc::refused:
        case Errc::not_found:
        case Errc::no_such_file:
        case Errc::already_exists:
        case Errc::no_space:
        case Errc::in_use:
        case Errc::failed: return Exit::no;
    }
    return Exit::no;  // The code comes from a newer peer.
}

Error advise(Error error, std::string_view next) {
    if (error.detail.find('\n') == std::string::npos) {
        error.detail += fmt::format("\ntry: {}", next);
    }
    return error;
}

Error advise_path(Error error, const std::string& path) {
    switch (error.code) {
        case Errc::not_permitted:
            return advise(
                std::move(error),
                fmt::format("namei -l {0}, and findmnt -T {0}: who owns it, and whether it "
                            "is mounted read-only",
                            path));
        case Errc::bad_path: return advise(std::move(error), fmt::format("stat {}", path));
        case Errc::no_space: return advise(std::move(error), fmt::format("df {}", path));
        case Errc::no_descriptors:
            return advise(std::move(error), "ulimit -n, or LimitNOFILE= of its unit");
        case Errc::no_memory: return advise(std::move(error), "free -m");
        case Errc::disk_failed: return advise(std::move(error), "dmesg | tail");
        default: return error;
    }
}

std::string error_text(const Error& error) {
    const std::size_t end = error.detail.find('\n');
    const std::string sentence = error.detail.substr(0, end);
    const std::string_view unknown = error.effect == Effect::unknown ? ", outcome unknown" : "";
    std::string text =
        sentence.empty()
            ? fmt::format("understudy: {}{}\n", name(error.code), unknown)
            : fmt::format("understudy: {} [{}{}]\n", sentence, name(error.code), unknown);
    if (end != std::string::npos) text += error.detail.substr(end + 1) + '\n';
    return text;
}

Exit print_error(const Error& error) {
    tell(error_text(error));
    return exit_of(error);
}

}  // namespace understudy::apps
