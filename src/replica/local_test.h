#pragma once

#include <utility>

#include "journal/local/local_journal.h"
#include "replica/replica.h"

namespace understudy::replica {

/// A local journal, for code that opens a journal of any kind.
inline journal::Open local(Runtime& runtime, Log& log, journal::LocalJournal::Options options) {
    return [&runtime, &log, options = std::move(options)](journal::Observer& observer,
                                                          journal::Opened opened) {
        return journal::LocalJournal::open(runtime, log, options, observer, std::move(opened));
    };
}

/// Takes checkpoints after a number of commands; 0: only when asked.
inline Replica::Options every(std::uint64_t commands) {
    return {.checkpoints = {.every_commands = commands, .every_bytes = 0}};
}

}  // namespace understudy::replica
