#pragma once

#include <functional>
#include <string_view>

#include "apps/exit.h"

namespace understudy::apps {

// All that the program writes for its caller, checked. Nothing else in apps/ writes to standard
// output or standard error; tools/tidy looks. Each call writes at once: a watcher sees each line as
// it comes, and a failure ends the process before it does more.
//
// Where standard output cannot be written, whatever thread writes, the process ends: with SIGPIPE
// and without a word where the reader has gone, else with one line on standard error and
// Exit::io_failed.
// Thread: any.

/// Before anything else in main().
///
/// A standard descriptor that is closed is taken, so that no file that is opened later is written
/// to by a message. Writing to a closed standard output still fails.
void open_output();

/// Writes to standard output. For data: what the caller asked for.
void print(std::string_view text);
/// As print(), but goes on without its reader. For servers: they serve others, too.
void announce(std::string_view text);

/// Writes to standard error, as it is. Goes on if it cannot: the exit code tells the same.
void tell(std::string_view text);
/// A line for people on standard error: progress, hints, what is not data.
void remark(std::string_view line);

/// Last in main(): a file system over a network may say only now that nothing was written.
[[nodiscard]] Exit close_output(Exit exit);

/// What print() calls before it ends the process. Replaces the one before; empty: nothing.
/// Requires: it does not print().
void before_output_fails(std::function<void()> leave);

[[nodiscard]] bool is_terminal(int descriptor);

}  // namespace understudy::apps
