#pragma once

#include <string>
#include <string_view>

#include "understudy/types.h"

namespace understudy::apps {

/// The exit codes of the program. Documented in docs/cli.md: never renumber them.
enum class Exit : int {
    done = 0,
    no = 1,            ///< The answer is no, or not healthy; asking again will not change it.
    usage = 2,         ///< The command line or a configuration is wrong.
    unreachable = 69,  ///< No process answers at that address (EX_UNAVAILABLE).
    io_failed = 74,    ///< Standard output cannot be written, or a file cannot be read (EX_IOERR).
    again = 75,        ///< No active member yet, timed out, a shortage, outcome unknown
                       ///< (EX_TEMPFAIL).
    /// Not authenticated, not allowed, not permitted by the system (EX_NOPERM).
    denied = 77,
    interrupted = 130,  ///< Ctrl-C.
};

[[nodiscard]] Exit exit_of(const Error& error);

/// The same error with the next command to type, which print_error() prints on its own line.
[[nodiscard]] Error advise(Error error, std::string_view next);

/// Adds advice about a file or directory that cannot be used. Other errors are unchanged.
[[nodiscard]] Error advise_path(Error error, const std::string& path);

/// "understudy: no registry answers at 127.0.0.1:22222 [unavailable]", then the advice.
[[nodiscard]] std::string error_text(const Error& error);

/// Writes error_text() to standard error and returns exit_of().
Exit print_error(const Error& error);

}  // namespace understudy::apps
