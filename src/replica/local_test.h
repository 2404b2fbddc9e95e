#pragma once

#include <utility>

#include "journal/local/local_journal.h"
#include "replica/replica.h"

namespace understudy::replica {

/// A local journal, for who opens one without knowing of which kind.
inline journal::Open local(Runtime& runtime, Log& log, journal::LocalJournal::Options options) {
    return [&runtime, &log, options = std::move(options)](journal::Observer& observer,
                                                          journal::Opened opened) {
        return journal::LocalJournal::open(runtime, log, options, observer, std::move(opened));
    };
}

/// Checkpoints by number of commands only; 0: when asked.
inline Replica::Options every(std::uint64_t commands) {
    return {.checkpoints = {.every_commands = commands, .every_bytes = 0}};
}

}  // namespace understudy::replica
