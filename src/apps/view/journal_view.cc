#include "apps/view/journal_view.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "journal/format/segment.h"
#include "replicated/group/group_state.h"

namespace understudy::apps {

using journal::EntryType;
using journal::Walked;
using journal::WalkedSegment;
using journal::WalkKind;
using wire::Dynamic;

namespace {

constexpr EntryType types[] = {EntryType::tenure, EntryType::command, EntryType::mark,
                               EntryType::commands};

[[nodiscard]] Dynamic or_nil(std::uint64_t number) {
    return number == 0 ? Dynamic() : Dynamic(number);
}

[[nodiscard]] std::string_view state_of(WalkedSegment::State state) {
    switch (state) {
        case WalkedSegment::State::begun: return "begun";
        case WalkedSegment::State::reserve: return "reserve";
        case WalkedSegment::State::superseded: return "superseded";
    }
    return "unknown";
}

[[nodiscard]] std::string identity_of(const Walked& walked) {
    return walked.kind == WalkKind::node ? journal::hex16(walked.identity)
                                         : fmt::format("{:08x}", walked.journal);
}

[[nodiscard]] Listing list_checkpoints(const Walked& walked) {
    Listing listing{.columns = {{.key = "checkpoint", .title = "CHECKPOINT"},
                                {.key = "index", .title = "INDEX"},
                                {.key = "epoch", .title = "EPOCH"},
                                {.key = "bytes", .title = "BYTES"},
                                {.key = "whole", .title = "WHOLE"}},
                    .rows = {},
                    .name_key = "checkpoint"};
    for (const auto& one : walked.checkpoints) {
        listing.rows.push_back(
            {{"checkpoint", one.name},
             {"index", one.checkpoint ? Dynamic(one.checkpoint->at.value) : Dynamic()},
             {"epoch", one.checkpoint ? Dynamic(one.checkpoint->epoch.value) : Dynamic()},
             {"bytes", one.size_bytes},
             {"whole", one.checkpoint.has_value()}});
    }
    return listing;
}

[[nodiscard]] Listing list_tenures(const Walked& walked) {
    Listing listing{.columns = {{.key = "epoch", .title = "EPOCH"},
                                {.key = "first", .title = "FIRST"},
                                {.key = "last", .title = "LAST"}},
                    .rows = {},
                    .name_key = "epoch"};
    for (const auto& one : walked.tenures) {
        listing.rows.push_back({{"epoch", one.epoch.value},
                                {"first", one.first.value},
                                {"last", one.last.value}});
    }
    return listing;
}

[[nodiscard]] Listing list_seals(const Walked& walked) {
    Listing listing{.columns = {{.key = "epoch", .title = "SEAL OF EPOCH"},
                                {.key = "old", .title = "FOLLOWS EPOCH"},
                                {.key = "at", .title = "AFTER ENTRY"},
                                {.key = "last", .title = "TENURE ENTRY"}},
                    .rows = {},
                    .name_key = "epoch"};
    for (const auto& one : walked.seals) {
        listing.rows.push_back({{"epoch", one.epoch.value},
                                {"old", or_nil(one.old.value)},
                                {"at", or_nil(one.at.value)},
                                {"last", one.last.value}});
    }
    return listing;
}

[[nodiscard]] Listing list_claims(const Walked& walked) {
    Listing listing{.columns = {{.key = "claim", .title = "CLAIM"},
                                {.key = "epoch", .title = "EPOCH"},
                                {.key = "member", .title = "MEMBER"},
                                {.key = "held", .title = "HELD"},
                                {.key = "stamp", .title = "STAMP"}},
                    .rows = {},
                    .name_key = "claim"};
    for (const auto& one : walked.claims) {
        listing.rows.push_back({{"claim", one.name},
                                {"epoch", one.epoch.value},
                                {"member", one.record ? Dynamic(one.record->member) : Dynamic()},
                                {"held", one.held},
                                {"stamp", one.stamp}});
    }
    return listing;
}

[[nodiscard]] Listing list_groups(const Walked& walked) {
    Listing listing{.columns = {{.key = "group", .title = "GROUP"},
                                {.key = "service", .title = "SERVICE"},
                                {.key = "first", .title = "FIRST"},
                                {.key = "last", .title = "LAST"},
                                {.key = "term", .title = "TERM"},
                                {.key = "current_term", .title = "CURRENT TERM"},
                                {.key = "voted_for", .title = "VOTED FOR"},
                                {.key = "checkpoint", .title = "CHECKPOINT"},
                                {.key = "state_bytes", .title = "STATE BYTES"}},
                    .rows = {},
                    .name_key = "group"};
    for (const auto& one : walked.groups) {
        Dynamic::Map row{{"group", journal::hex16(one.group.value)},
                         {"first", one.first.value},
                         {"last", one.last < one.first ? Dynamic() : Dynamic(one.last.value)},
                         {"term", or_nil(one.term.value)},
                         {"state_bytes", one.state.size()}};
        if (const auto state = replicated::decode_group_state(one.state)) {
            row["service"] = state->service;
            row["current_term"] = state->hard.term.value;
            row["voted_for"] = or_nil(state->hard.vote.value);
            row["checkpoint"] = state->snapshot ? or_nil(state->snapshot->index.value) : Dynamic();
        }
        listing.rows.push_back(std::move(row));
    }
    return listing;
}

[[nodiscard]] Dynamic::Array rows_of(Listing listing) {
    Dynamic::Array rows;
    for (auto& row : listing.rows) rows.emplace_back(std::move(row));
    return rows;
}

[[nodiscard]] Dynamic::Array names_of(const std::vector<std::string>& names) {
    return Dynamic::Array(names.begin(), names.end());
}

[[nodiscard]] Dynamic::Map counts_of(const Walked& walked) {
    Dynamic::Map counts;
    for (const EntryType type : types) {
        counts[std::string(entry_type(type))] = walked.counts[static_cast<std::size_t>(type)];
    }
    return counts;
}

[[nodiscard]] Dynamic::Array strays_of(const Walked& walked) {
    Dynamic::Array strays;
    for (const auto& one : walked.strays) {
        strays.emplace_back(
            Dynamic::Map{{"file", one.file}, {"offset", one.offset}, {"bytes", one.bytes}});
    }
    return strays;
}

[[nodiscard]] std::string heading(const Walked& walked, const std::string& directory) {
    return fmt::format("{}: {}, {}", directory,
                       walked.kind == WalkKind::node     ? "a node's log"
                       : walked.kind == WalkKind::shared ? "shared journal"
                                                         : "local journal",
                       walked.live ? "in use by a live process" : "not in use");
}

[[nodiscard]] std::string strays_text(const Walked& walked) {
    std::string out;
    for (const auto& one : walked.strays) {
        out +=
            fmt::format("{} bytes after the last entry, at {} of {}: {}\n", one.bytes, one.offset,
                        one.file, walked.live ? "being written, or torn" : "a torn write");
    }
    return out;
}

[[nodiscard]] std::string names_text(std::string_view what, const std::vector<std::string>& names) {
    if (names.empty()) return {};
    std::vector<std::string> shown;
    for (const std::string& name : names) shown.push_back(printable(name));
    return fmt::format("{:<11} {}\n", what, fmt::join(shown, " "));
}

}  // namespace

std::string_view entry_type(EntryType type) {
    switch (type) {
        case EntryType::tenure: return "tenure";
        case EntryType::command: return "command";
        case EntryType::mark: return "mark";
        case EntryType::commands: return "commands";
    }
    return "unknown";
}

Listing list_segments(const Walked& walked) {
    Listing listing{.columns = {{.key = "segment", .title = "SEGMENT"},
                                {.key = "state", .title = "STATE"},
                                {.key = "first", .title = "FIRST"},
                                {.key = "last", .title = "LAST"},
                                {.key = "used", .title = "USED"},
                                {.key = "bytes", .title = "BYTES"}},
                    .rows = {},
                    .name_key = "segment"};
    for (const WalkedSegment& one : walked.segments) {
        listing.rows.push_back({{"segment", one.name},
                                {"state", std::string(state_of(one.state))},
                                {"first", or_nil(one.first.value)},
                                {"last", or_nil(one.last.value)},
                                {"used", one.used_bytes},
                                {"bytes", one.size_bytes},
                                {"epoch", or_nil(one.epoch.value)}});
    }
    return listing;
}

Listing list_damages(const Walked& walked) {
    Listing listing{.columns = {{.key = "entry", .title = "ENTRY"},
                                {.key = "file", .title = "FILE"},
                                {.key = "offset", .title = "OFFSET"},
                                {.key = "why", .title = "DAMAGE"}},
                    .rows = {},
                    .name_key = "file"};
    for (const auto& one : walked.damages) {
        listing.rows.push_back({{"entry", or_nil(one.entry.value)},
                                {"file", one.file.empty() ? Dynamic() : Dynamic(one.file)},
                                {"offset", one.file.empty() ? Dynamic() : Dynamic(one.offset)},
                                {"why", one.why}});
    }
    return listing;
}

std::string walked_text(const Walked& walked, const std::string& directory, Paint paint) {
    std::string out = heading(walked, directory) + '\n';
    out += fmt::format("{:<11} {}\n", "identity", identity_of(walked));
    if (walked.last == Index{}) {
        out += fmt::format("{:<11} none\n", "entries");
    } else {
        out += fmt::format("{:<11} {} to {}, {} bytes of bodies\n", "entries", walked.first.value,
                           walked.last.value, walked.body_bytes);
    }
    const auto up_to = [](Index index) {
        return index == Index{} ? std::string("nothing is known")
                                : fmt::format("at least to {}", index.value);
    };
    out += fmt::format("{:<11} {}\n", "durable", up_to(walked.durable));
    if (walked.kind == WalkKind::shared) {
        out += fmt::format("{:<11} {}\n", "committed", up_to(walked.committed));
        out += walked.published
                   ? fmt::format("{:<11} epoch {}, {}\n", "published",
                                 walked.published->epoch.value, printable(walked.published->member))
                   : fmt::format("{:<11} none\n", "published");
    }
    std::vector<std::string> counts;
    for (const EntryType type : types) {
        const std::uint64_t count = walked.counts[static_cast<std::size_t>(type)];
        if (count > 0) counts.push_back(fmt::format("{} {}", entry_type(type), count));
    }
    if (!counts.empty()) out += fmt::format("{:<11} {}\n", "types", fmt::join(counts, ", "));
    out += names_text("spares", walked.spares);
    out += names_text("unfinished", walked.temporaries);
    out += names_text("others", walked.foreign);
    out += strays_text(walked);
    for (const Listing& listing :
         {list_segments(walked), list_checkpoints(walked), list_tenures(walked),
          list_seals(walked), list_claims(walked), list_groups(walked), list_damages(walked)}) {
        if (!listing.rows.empty()) out += '\n' + to_text(listing, Format::table, paint);
    }
    return out;
}

Dynamic::Map walked_json(const Walked& walked, const std::string& directory) {
    Dynamic published;
    if (walked.published) {
        published = Dynamic::Map{{"epoch", walked.published->epoch.value},
                                 {"member", walked.published->member}};
    }
    return {{"directory", directory},
            {"kind", std::string(name(walked.kind))},
            {"live", walked.live},
            {"identity", identity_of(walked)},
            {"journal", fmt::format("{:08x}", walked.journal)},
            {"first", or_nil(walked.first.value)},
            {"last", or_nil(walked.last.value)},
            {"durable", walked.durable.value},
            {"committed", walked.committed.value},
            {"body_bytes", walked.body_bytes},
            {"counts", counts_of(walked)},
            {"published", std::move(published)},
            {"segments", rows_of(list_segments(walked))},
            {"checkpoints", rows_of(list_checkpoints(walked))},
            {"tenures", rows_of(list_tenures(walked))},
            {"seals", rows_of(list_seals(walked))},
            {"claims", rows_of(list_claims(walked))},
            {"groups", rows_of(list_groups(walked))},
            {"spares", names_of(walked.spares)},
            {"unfinished", names_of(walked.temporaries)},
            {"others", names_of(walked.foreign)},
            {"torn", strays_of(walked)},
            {"damages", rows_of(list_damages(walked))}};
}

std::string verdict_text(const Walked& walked, const std::string& directory) {
    std::string out = heading(walked, directory) + '\n';
    for (const auto& one : walked.damages) {
        const std::string place =
            one.file.empty() ? std::string() : fmt::format("{} at {}: ", one.file, one.offset);
        const std::string entry =
            one.entry == Index{} ? std::string() : fmt::format("entry {}: ", one.entry.value);
        out += fmt::format("damaged: {}{}{}\n", place, entry, printable(one.why));
    }
    out += strays_text(walked);
    if (!walked.damages.empty()) return out + fmt::format("{} damaged\n", walked.damages.size());
    out += walked.last == Index{}
               ? std::string("good: no entries\n")
               : fmt::format("good: entries {} to {}, {} segment(s), {} checkpoint(s)\n",
                             walked.first.value, walked.last.value, walked.segments.size(),
                             walked.checkpoints.size());
    return out;
}

Dynamic::Map verdict_json(const Walked& walked, const std::string& directory) {
    return {{"directory", directory},
            {"kind", std::string(name(walked.kind))},
            {"live", walked.live},
            {"good", walked.damages.empty()},
            {"first", or_nil(walked.first.value)},
            {"last", or_nil(walked.last.value)},
            {"segments", walked.segments.size()},
            {"checkpoints", walked.checkpoints.size()},
            {"torn", strays_of(walked)},
            {"damages", rows_of(list_damages(walked))}};
}

Dynamic body_as(Bytes body, BodyAs how) {
    if (how == BodyAs::none) return {};
    if (how == BodyAs::text) return std::string(printable(as_text(body)));
    std::string text;
    text.reserve(body.size() * 2);
    for (const std::byte one : body) {
        text += fmt::format("{:02x}", std::to_integer<unsigned>(one));
    }
    return text;
}

}  // namespace understudy::apps
