#include "platform/network/fd.h"

#include <cerrno>
#include <system_error>

namespace understudy::platform {

std::optional<Errc> shortage_code(int number) {
    switch (number) {
        case EMFILE:
        case ENFILE: return Errc::no_descriptors;
        case ENOMEM:
        case ENOBUFS: return Errc::no_memory;
        default: return std::nullopt;
    }
}

Errc file_code(int number) {
    if (const auto shortage = shortage_code(number)) return *shortage;
    switch (number) {
        case ENOENT: return Errc::no_such_file;
        case ENAMETOOLONG:
        case ELOOP:
        case ENOTDIR:
        case EISDIR: return Errc::bad_path;
        case EEXIST: return Errc::already_exists;
        case ENOSPC:
        case EDQUOT: return Errc::no_space;
        case EACCES:
        case EPERM:
        case EROFS: return Errc::not_permitted;
        default: return Errc::disk_failed;
    }
}

Error system_error(Errc code, std::string_view what, int number, Effect effect) {
    return Error{code, effect, std::string(what) + ": " + std::system_category().message(number)};
}

}  // namespace understudy::platform
