#pragma once

#include <functional>
#include <string_view>

#include "apps/exit.h"

namespace understudy::apps {

// All output of the program is written here, with checks. Nothing else in apps/ writes to standard
// output or standard error; tools/tidy checks that. Each call writes at once, so a watcher sees
// each line immediately, and a failure ends the process before it does more.
//
// If standard output cannot be written, the process ends, whichever thread writes: with SIGPIPE and
// without a message if the reader has gone, otherwise with one line on standard error and
// Exit::io_failed.
// Thread: any.

/// Must be called first in main().
///
/// A standard descriptor that is closed is opened, so that messages cannot go to a file that is
/// opened later. Writing to a closed standard output still fails.
void open_output();

/// Writes data to standard output.
void print(std::string_view text);
/// As print(), but goes on without a reader. For servers, because they serve others too.
void announce(std::string_view text);

/// Writes to standard error, unchanged. Goes on if it cannot, because the exit code says the same.
void tell(std::string_view text);
/// Writes a line for people to standard error: progress, hints, everything that is not data.
void remark(std::string_view line);

/// Must be called last in main(): a network file system may report a failed write only now.
[[nodiscard]] Exit close_output(Exit exit);

/// Sets the function that print() calls before it ends the process. Replaces the previous one;
/// empty: none. Requires: it does not call print().
void before_output_fails(std::function<void()> leave);

[[nodiscard]] bool is_terminal(int descriptor);

}  // namespace understudy::apps
