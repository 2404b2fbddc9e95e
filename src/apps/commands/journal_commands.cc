#include "apps/commands/journal_commands.h"

#include <charconv>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include <unistd.h>

#include <fmt/format.h>

#include "apps/commands/coordinator_commands.h"
#include "apps/commands/session.h"
#include "apps/replay/group_replay.h"
#include "apps/replay/immortal_replay.h"
#include "apps/replay/journal_disk.h"
#include "apps/replay/journal_replay.h"
#include "apps/view/journal_view.h"
#include "base/checksum.h"
#include "journal/format/segment.h"
#include "journal/walk/repair.h"
#include "platform/disk.h"
#include "platform/log.h"
#include "wire/definition.h"

namespace understudy::apps {

using journal::Entry;
using journal::Walked;
using journal::WalkDepth;
using journal::WalkKind;
using wire::Dynamic;

namespace {

// A larger state is not read only to find out whether it belongs to a registry.
constexpr std::uint64_t guess_bytes_max = 256 * MiB;

struct JournalWanted {
    std::string directory;
    std::string from = "1";
    std::string to;
    std::string body = "none";
    std::string as = "auto";
    std::string service;
    std::string app_port;
    std::string app_socket;
    bool compare = false;
    std::string group;
    bool uncommitted = false;
};

/// Shows on a terminal the progress of a long walk.
class Progress {
public:
    ~Progress() { clear(); }

    void at(std::uint64_t bytes, std::uint64_t of_bytes) {
        using std::chrono::steady_clock;
        if (!terminal_ || bytes < looked_at_ + step_bytes) return;
        looked_at_ = bytes;
        const auto now = steady_clock::now();
        if (now - begun_ < 1s || now - shown_ < 200ms) return;
        shown_ = now;
        visible_ = true;
        tell(fmt::format("\r{:3} % of {} MiB", of_bytes == 0 ? 100 : bytes * 100 / of_bytes,
                         of_bytes / MiB));
    }
    void clear() {
        if (visible_) tell("\r\x1b[K");
        visible_ = false;
    }
    void restart() { looked_at_ = 0; }

private:
    static constexpr std::uint64_t step_bytes = 1 * MiB;

    const bool terminal_ = is_terminal(STDERR_FILENO);
    const std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
    std::chrono::steady_clock::time_point shown_;
    std::uint64_t looked_at_ = 0;
    bool visible_ = false;
};

class Looking : public journal::WalkVisitor {
public:
    void begin(const Walked&) override { progress_.restart(); }
    void progress(std::uint64_t bytes, std::uint64_t of_bytes) override {
        progress_.at(bytes, of_bytes);
    }

protected:
    Progress progress_;
};

/// If the files of a journal cannot be read, it is not known whether it is damaged.
[[nodiscard]] Result<Exit> unreadable(const Error& error, const std::string& directory) {
    if (error.code != Errc::disk_failed) return advise_path(error, directory);
    (void)print_error(error);
    return Exit::io_failed;
}

[[nodiscard]] Result<Exit> inspect(const Invocation& invocation, const JournalWanted& wanted) {
    ReadOnlyDisk disk;
    Looking looking;
    const auto walked = journal::walk(disk, wanted.directory, WalkDepth::entries, looking);
    if (!walked) return unreadable(walked.error(), wanted.directory);
    switch (invocation.format) {
        case Format::table:
            print(walked_text(*walked, wanted.directory, invocation.paint));
            break;
        case Format::json:
        case Format::jsonl: print(to_json_line(walked_json(*walked, wanted.directory))); break;
        case Format::csv:
        case Format::name:
            print(to_text(list_segments(*walked), invocation.format, invocation.paint));
            break;
    }
    return Exit::done;
}

[[nodiscard]] Result<Exit> verify(const Invocation& invocation, const JournalWanted& wanted) {
    ReadOnlyDisk disk;
    std::optional<Result<Walked>> walked;
    {
        Looking looking;
        walked.emplace(journal::walk(disk, wanted.directory, WalkDepth::everything, looking));
    }
    if (!*walked) return unreadable(walked->error(), wanted.directory);
    const Walked& found = **walked;
    switch (invocation.format) {
        case Format::table: print(verdict_text(found, wanted.directory)); break;
        case Format::json:
        case Format::jsonl: print(to_json_line(verdict_json(found, wanted.directory))); break;
        case Format::csv:
        case Format::name:
            print(to_text(list_damages(found), invocation.format, invocation.paint));
            break;
    }
    return found.damages.empty() ? Exit::done : Exit::no;
}

[[nodiscard]] Result<Exit> repair(const Invocation&, const JournalWanted& wanted) {
    std::optional<Result<Walked>> walked;
    {
        ReadOnlyDisk disk;
        Looking looking;
        walked.emplace(journal::walk(disk, wanted.directory, WalkDepth::everything, looking));
    }
    if (!*walked) return unreadable(walked->error(), wanted.directory);
    platform::PosixDisk disk;
    const auto repaired = journal::repair(disk, wanted.directory, **walked);
    if (!repaired) return unreadable(repaired.error(), wanted.directory);
    for (const journal::Repaired& one : *repaired) {
        print(fmt::format("{}: {} bytes of zeros appended\n", one.file, one.zeros));
    }
    print(repaired->empty() ? fmt::format("{} needs no repair\n", wanted.directory)
                            : fmt::format("{} is whole again\n", wanted.directory));
    return Exit::done;
}

/// Prints entries as they arrive.
class Replaying final : public Looking {
public:
    struct Range {
        Index from;
        Index to;
    };
    enum class As : std::uint8_t { automatic, registry, immortal, entries };

    Replaying(Disk& disk, const JournalWanted& wanted, Range range, BodyAs body, As as, bool people,
              ImmortalReplay::Options performers)
        : performers_(performers),
          disk_(disk),
          directory_(wanted.directory),
          range_(range),
          body_(body),
          as_(as),
          people_(people) {}

    /// Called before the first entry: uses the newest checkpoint below it.
    Result<void> prepare() {
        prepared_ = true;
        if (as_ == As::entries) return {};
        if (as_ == As::automatic) {
            for (const auto& one : checkpoints_) {
                if (one.size_bytes > guess_bytes_max) return {};
            }
        }
        if (as_ != As::immortal) US_CHECK(prepare_registry());
        if (as_ == As::registry || is_registry()) return {};
        immortal_ = std::make_unique<ImmortalReplay>(performers_);
        auto begun = immortal_->begin(disk_, directory_, checkpoints_, range_.from);
        if (begun || as_ == As::immortal) return begun;
        immortal_.reset();
        return {};
    }
    Result<void> prepare_registry() {
        replay_.emplace();
        auto begun = replay_->begin(disk_, directory_, checkpoints_, range_.from);
        if (!begun && as_ == As::registry) return begun;
        const bool restored = begun && replay_->applied() != Index{};
        if (!begun || (restored && !replay_->founded())) replay_.reset();
        return {};
    }
    void begin(const Walked& walked) override {
        Looking::begin(walked);
        checkpoints_ = walked.checkpoints;
    }

    Result<void> entry(const Entry& entry, const std::string& file, std::uint64_t offset) override {
        if (entry.index <= seen_) return {};  // It was seen before.
        seen_ = entry.index;
        if (!prepared_) US_CHECK(prepare());
        if (entry.index > range_.to) return Error{.code = Errc::closed, .detail = {}};
        US_CHECK(carry_out(entry));
        if (entry.index < range_.from) return {};
        progress_.clear();
        people_ ? print_line(entry) : print_json(entry, file, offset);
        return {};
    }

    /// Entries of this group will come; called before begin(). Trimmed entries are not requested.
    void expect(const GroupWalk::Found& found) {
        directory_ = found.directory;
        if (as_ != As::entries) range_.from = std::max(range_.from, found.starts);
    }

    /// Null: it is not the journal of an immortal.
    [[nodiscard]] const ImmortalReplay* immortal() const { return immortal_.get(); }

private:
    Result<void> carry_out(const Entry& entry) {
        US_CHECK(carry_out_registry(entry));
        return carry_out_immortal(entry);
    }
    Result<void> carry_out_registry(const Entry& entry) {
        if (!replay_) return {};
        const bool undecided = as_ == As::automatic && !replay_->founded();
        if (undecided && journal::has_body(entry.type) && !founds_registry(entry.body)) {
            replay_.reset();
            return {};
        }
        auto taken = replay_->take(entry);
        if (taken) return {};
        if (as_ == As::registry) return taken;
        replay_.reset();
        if (!undecided) remark("understudy: " + taken.error().detail);
        return {};
    }
    Result<void> carry_out_immortal(const Entry& entry) {
        if (!immortal_) return {};
        const bool undecided = as_ == As::automatic && !immortal_->started();
        if (undecided && journal::has_body(entry.type) && !starts_immortal(entry.body)) {
            immortal_.reset();
            return {};
        }
        auto taken = immortal_->take(entry);
        if (taken || as_ == As::immortal) return taken;
        immortal_.reset();
        if (!undecided) remark("understudy: " + taken.error().detail);
        return {};
    }

    [[nodiscard]] bool is_immortal() const { return immortal_ && immortal_->started(); }
    [[nodiscard]] bool is_registry() const { return replay_ && replay_->founded(); }

    [[nodiscard]] std::vector<ReplayedItem> items(const Entry& entry) const {
        if (!journal::has_body(entry.type)) return {};
        if (is_immortal()) return immortal_items(entry.body);
        // A replicated journal keeps packs as commands, and a node's log keeps its records as
        // commands.
        auto records = entry.type == journal::EntryType::command ? records_of(entry.body, body_)
                                                                  : std::vector<ReplayedItem>();
        if (!records.empty() && as_ != As::registry) return records;
        return items_of(entry.body, body_, is_registry());
    }

    [[nodiscard]] std::string hash_text() const { return journal_hash(replay_->hash()); }
    [[nodiscard]] static std::string journal_hash(std::uint64_t hash) {
        return fmt::format("{:016x}", hash);
    }

    void print_line(const Entry& entry) const {
        const auto parts = items(entry);
        std::string line = fmt::format("{} epoch {} {}", entry.index.value, entry.epoch.value,
                                       entry_type(entry.type));
        if (journal::has_body(entry.type)) line += fmt::format(" {} bytes", entry.body.size());
        if (parts.empty() && body_ != BodyAs::none && !entry.body.empty()) {
            line += fmt::format("  {}", cell_text(body_as(entry.body, body_)));
        }
        for (const ReplayedItem& part : parts) line += "\n    " + part.text;
        if (is_registry() && journal::has_body(entry.type)) {
            line += fmt::format("\n    state {}", hash_text());
        }
        if (is_immortal()) {
            for (const auto& said : immortal_->said()) line += "\n    -> " + said.text;
        }
        print(line + '\n');
    }

    void print_json(const Entry& entry, const std::string& file, std::uint64_t offset) const {
        Dynamic::Map row{{"index", entry.index.value},
                         {"epoch", entry.epoch.value},
                         {"type", std::string(entry_type(entry.type))},
                         {"bytes", entry.body.size()},
                         {"file", file},
                         {"offset", offset},
                         {"body", body_as(entry.body, body_)},
                         {"state", is_registry() ? Dynamic(hash_text()) : Dynamic()}};
        Dynamic::Array parts;
        for (ReplayedItem& part : items(entry)) parts.emplace_back(std::move(part.json));
        row["commands"] = std::move(parts);
        if (is_immortal() && performers_.performer != nullptr) {
            Dynamic::Array outputs;
            for (const auto& said : immortal_->said()) outputs.emplace_back(said.json);
            row["outputs"] = std::move(outputs);
        }
        print(to_json_line(row));
    }

    const ImmortalReplay::Options performers_;
    Disk& disk_;
    std::string directory_;  ///< Of the checkpoints.
    Range range_;
    const BodyAs body_;
    const As as_;
    const bool people_;
    std::vector<journal::WalkedCheckpoint> checkpoints_;
    std::optional<RegistryReplay> replay_;
    std::unique_ptr<ImmortalReplay> immortal_;
    bool prepared_ = false;
    Index seen_;
};

[[nodiscard]] Result<Index> index_of(std::string_view option, const std::string& text) {
    Index index;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), index.value);
    if (error != std::errc() || end != text.data() + text.size() || index == Index{}) {
        return Error{.code = Errc::bad_config,
                     .detail = fmt::format("{}: expected the index of an entry, from 1", option)};
    }
    return index;
}

/// The applications to which the past is replayed, as many as are wanted.
class Performers {
public:
    [[nodiscard]] static Result<std::unique_ptr<Performers>> wait(const JournalWanted& wanted) {
        const Address listen = US_TRY(where_to_wait(wanted));
        std::unique_ptr<Performers> made(new Performers);
        immortal::RemoteApplication::Options options;
        options.member = "replay";
        options.mode = immortal::CoordinatorMode::replay;
        options.stall_max = Performer::patience;
        made->port_ = US_TRY(immortal::ApplicationPort::open(
            made->runtime_, made->log_, listen, options));
        const std::string where = to_string(made->port_->address());
        remark(fmt::format("understudy: waits for the application on {}", where));
        made->first_ = std::make_unique<Performer>(made->runtime_, *made->port_);
        if (!wanted.compare) return made;
        remark(fmt::format("understudy: waits for the application of newer code on {}", where));
        made->second_ = std::make_unique<Performer>(made->runtime_, *made->port_);
        return made;
    }
    [[nodiscard]] ImmortalReplay::Options both() const { return {first_.get(), second_.get()}; }

private:
    Performers() = default;

    [[nodiscard]] static Result<Address> where_to_wait(const JournalWanted& wanted) {
        if (!wanted.app_socket.empty()) return socket_address(wanted.app_socket);
        std::uint16_t number = 0;
        const char* const end_of_text = wanted.app_port.data() + wanted.app_port.size();
        const auto [end, error] = std::from_chars(wanted.app_port.data(), end_of_text, number);
        if (error != std::errc() || end != end_of_text) {
            return Error{.code = Errc::bad_config, .detail = "--app-port: expected a port, or 0"};
        }
        return Address{"127.0.0.1", number};
    }

    platform::LineLog log_{{.level = LogLevel::warn}};
    platform::AsioRuntime runtime_{log_};
    std::unique_ptr<immortal::ApplicationPort> port_;
    std::unique_ptr<Performer> first_;
    std::unique_ptr<Performer> second_;
};

/// Prints the final state of the application, and whether newer code would have had the same
/// outputs.
[[nodiscard]] Result<Exit> conclude(const ImmortalReplay& replay, ImmortalReplay::Options both,
                                    bool people) {
    const Buffer image = US_TRY(both.performer->image());
    const std::string hash = fmt::format("{:016x}", hash64(image));
    const auto& difference = replay.difference();
    if (people) {
        print(fmt::format("after entry {}, position {}: image {}, {} bytes\n",
                          replay.applied().value, replay.machine().position().value, hash,
                          image.size()));
        if (difference) {
            print(fmt::format("entry {}: {}\n    newer code: {}\n", difference->index.value,
                              difference->first, difference->second));
        } else if (both.other != nullptr) {
            print(fmt::format("newer code, version {}, says the same\n", both.other->version()));
        }
    } else {
        Dynamic::Map row{{"index", replay.applied().value},
                         {"position", replay.machine().position().value},
                         {"image", hash},
                         {"image_bytes", image.size()},
                         {"difference", Dynamic()}};
        if (difference) {
            row["difference"] = Dynamic::Map{{"index", difference->index.value},
                                             {"first", difference->first},
                                             {"second", difference->second}};
        }
        print(to_json_line(row));
    }
    return difference ? Exit::no : Exit::done;
}

/// The journal of a registered service.
[[nodiscard]] Result<std::string> directory_of(const Invocation& invocation,
                                               const std::string& family) {
    auto session = US_TRY(Session::open(invocation));
    const auto info = US_TRY(session.service(family));
    const wire::pb::Definition& definition = info.definition();
    if (definition.journal() == static_cast<std::uint32_t>(wire::JournalKind::replicated)) {
        return Error{.code = Errc::bad_config,
                     .detail = fmt::format("each copy of {} has its own log: name one, as "
                                           "DIR/replica-N",
                                           family)};
    }
    if (!definition.directory().empty()) return journal_directory(definition.directory(), family);
    return Error{.code = Errc::not_found,
                 .detail = fmt::format("the registry does not know where the journal of {} is",
                                       family)};
}

/// A node's directory stands for one of its groups. The log alone is a journal of its own, like a
/// local one, unless an option says that it is a node's.
[[nodiscard]] std::optional<NodePlace> group_wanted(Disk& disk, const JournalWanted& wanted) {
    auto place = node_place(disk, wanted.directory);
    const bool asked = !wanted.group.empty() || wanted.uncommitted;
    if (place && place->log == wanted.directory && !asked) return std::nullopt;
    return place;
}

[[nodiscard]] std::string proof_text(const GroupWalk::Found& found) {
    switch (found.proof) {
        case GroupWalk::Proof::none: break;
        case GroupWalk::Proof::checkpoint:
            return fmt::format("proven committed up to {} (a checkpoint)", found.committed.value);
        case GroupWalk::Proof::later_command:
            return fmt::format("proven committed up to {} (its leader took commands after it)",
                               found.committed.value);
        case GroupWalk::Proof::only_voter:
            return fmt::format("committed up to {} (this node alone decides)",
                               found.committed.value);
    }
    return "none proven committed";
}

/// Prints what is known about a group before its entries.
void print_found(const GroupWalk::Found& found, bool uncommitted, bool people) {
    if (people) {
        print(fmt::format("group {} of {}, entries {} to {}, {}\n",
                          journal::hex16(found.group.value), found.service, found.first.value,
                          found.last.value, proof_text(found)));
    } else {
        print(to_json_line(Dynamic::Map{{"group", journal::hex16(found.group.value)},
                                        {"service", found.service},
                                        {"first", found.first.value},
                                        {"last", found.last.value},
                                        {"starts", found.starts.value},
                                        {"committed", found.committed.value},
                                        {"proof", std::string(name(found.proof))}}));
    }
    if (found.committed >= found.last) return;
    remark(uncommitted ? fmt::format("understudy: after entry {} another copy may hold something "
                                     "else",
                                     found.committed.value)
                       : fmt::format("understudy: entries {} to {} may not be committed; "
                                     "--uncommitted replays them",
                                     std::max(found.committed.next(), found.first).value,
                                     found.last.value));
}

[[nodiscard]] Result<Exit> replay(const Invocation& invocation, const JournalWanted& given) {
    if (invocation.format == Format::csv || invocation.format == Format::name) {
        return Error{.code = Errc::bad_config,
                     .detail = "journal replay prints table, json or jsonl"};
    }
    JournalWanted wanted = given;
    if (wanted.directory.empty() == wanted.service.empty()) {
        return Error{.code = Errc::bad_config,
                     .detail = "DIR and --service NAME exclude each other; one is needed"};
    }
    if (wanted.directory.empty()) {
        wanted.directory = US_TRY(directory_of(invocation, wanted.service));
    }
    if (!wanted.app_port.empty() && !wanted.app_socket.empty()) {
        return Error{.code = Errc::bad_config,
                     .detail = "--app-port and --app-socket exclude each other"};
    }
    const bool performs = !wanted.app_port.empty() || !wanted.app_socket.empty();
    if (wanted.compare && !performs) {
        return Error{.code = Errc::bad_config,
                     .detail = "--compare also needs --app-port or --app-socket"};
    }
    const Replaying::Range range{
        .from = US_TRY(index_of("--from", wanted.from)),
        .to = wanted.to.empty() ? Index{UINT64_MAX} : US_TRY(index_of("--to", wanted.to))};
    const BodyAs body = wanted.body == "hex"    ? BodyAs::hex
                        : wanted.body == "text" ? BodyAs::text
                                                : BodyAs::none;
    auto as = wanted.as == "registry"   ? Replaying::As::registry
              : wanted.as == "immortal" ? Replaying::As::immortal
              : wanted.as == "entries"  ? Replaying::As::entries
                                        : Replaying::As::automatic;
    std::unique_ptr<Performers> performers;
    ImmortalReplay::Options both;
    if (performs) {
        as = Replaying::As::immortal;
        performers = US_TRY(Performers::wait(wanted));
        both = performers->both();
    }
    ReadOnlyDisk disk;
    Replaying replaying(disk, wanted, range, body, as, invocation.for_people(), both);
    std::optional<GroupWalk> group;
    if (const auto place = group_wanted(disk, wanted)) {
        group.emplace(disk, *place,
                      GroupWalk::Options{.group = wanted.group, .uncommitted = wanted.uncommitted},
                      replaying, [&](const GroupWalk::Found& found) {
                          replaying.expect(found);
                          print_found(found, wanted.uncommitted, invocation.for_people());
                      });
        wanted.directory = place->log;
    } else if (!wanted.group.empty() || wanted.uncommitted) {
        return Error{.code = Errc::bad_config,
                     .detail = wanted.directory + " is not the directory or the log of a node"};
    }
    journal::WalkVisitor& visitor =
        group ? static_cast<journal::WalkVisitor&>(*group) : replaying;
    const auto walked = journal::walk(disk, wanted.directory, WalkDepth::entries, visitor);
    if (!walked && walked.error().code != Errc::closed) {
        return unreadable(walked.error(), wanted.directory);
    }
    if (walked && !walked->damages.empty()) {
        const auto& first = walked->damages.front();
        return advise({.code = Errc::corrupt,
                       .detail = fmt::format("{} is damaged, at {}: {}",
                                             first.file.empty() ? wanted.directory : first.file,
                                             first.offset, first.why)},
                      "understudy journal verify " + wanted.directory);
    }
    if (walked && group && !group->found()) {
        return Error{.code = Errc::bad_config,
                     .detail = wanted.directory + " is not the log of a node"};
    }
    if (performers && replaying.immortal() != nullptr && replaying.immortal()->started()) {
        return conclude(*replaying.immortal(), both, invocation.for_people());
    }
    return Exit::done;
}

}  // namespace

void add_journal_commands(const Command& root, Globals& globals) {
    const auto given = std::make_shared<JournalWanted>();
    const auto running = [&](Result<Exit> (*body)(const Invocation&, const JournalWanted&)) {
        return globals.running(
            [given, body](const Invocation& invocation) { return body(invocation, *given); });
    };
    const Parameter directory{.names = "directory",
                              .value_name = "DIR",
                              .about = "A journal: local, shared, or the log of a node.",
                              .completes = Completes::directory};

    const Command journal =
        root.add("journal", "Reads journals on disk, also while they are in use.");
    const Command inspecting =
        journal.add("inspect", "What is there: segments, checkpoints, epochs, groups, counts.");
    inspecting.argument(directory, given->directory);
    inspecting.runs(running(inspect));

    const Command verifying =
        journal.add("verify", "Reads everything and checks each checksum, link and claim.");
    verifying.argument(directory, given->directory);
    verifying.runs(running(verify));
    verifying.footer("Exit codes: 0 good; 1 damaged, the output names each place; 2 no journal, or "
                     "of a newer\nversion; 74 a file cannot be read; 77 not allowed.");

    const Command repairing = journal.add(
        "repair",
        "Appends the zeros that a segment lacks, if every entry is whole; does nothing else.");
    repairing.argument(directory, given->directory);
    repairing.runs(running(repair));
    repairing.footer(
        "Refused while a process has the journal open, and if anything else is damaged. "
        "Exit codes:\n0 whole; 1 refused, nothing was changed; 2 no journal, or of a "
        "newer version; 74 a file\ncannot be read or written; 77 not allowed.");

    const Command replaying = journal.add(
        "replay", "Prints each entry, and what it did: a registry's state, an immortal's inputs.");
    Parameter perhaps = directory;
    perhaps.required = false;
    replaying.argument(perhaps, given->directory);
    replaying.option({.names = "--service", .value_name = "NAME",
                      .about = "Instead of DIR: the journal of a registered service.",
                      .completes = Completes::service},
                     given->service);
    replaying.option({.names = "--from", .value_name = "INDEX", .about = "The first entry."},
                     given->from);
    replaying.option({.names = "--to,--until", .value_name = "INDEX", .about = "The last entry."},
                     given->to);
    replaying.option({.names = "--body", .value_name = "HOW", .about = "How bodies are shown.",
                      .choices = "none|text|hex"},
                     given->body);
    replaying.option({.names = "--as",
                      .value_name = "WHAT",
                      .about = "registry, immortal: commands are decoded and carried out. auto: "
                               "chosen by their contents.",
                      .choices = "auto|registry|immortal|entries"},
                     given->as);
    replaying.option({.names = "--group",
                      .value_name = "NAME",
                      .about = "With a replicated journal: the service; DIR is the directory of a "
                               "node, or its log. Not needed if there is only one service."},
                     given->group);
    replaying.flag(
        "--uncommitted",
        "With a replicated journal: also entries that are not proven committed; they may "
        "differ at other nodes.",
        given->uncommitted);
    replaying.option(
        {.names = "--app-port",
         .value_name = "PORT",
         .about = "An immortal's application connects here and gets the past; its "
                  "outputs and a hash of its state are printed. 0: the system chooses."},
        given->app_port);
    replaying.option({.names = "--app-socket",
                      .value_name = "PATH",
                      .about = "In place of --app-port: the application connects to this "
                               "Unix-domain socket.",
                      .completes = Completes::file},
                     given->app_socket);
    replaying.flag(
        "--compare",
        "A second application, of newer code, connects and gets the same: exit code 1 at "
        "the first output that differs.",
        given->compare);
    replaying.runs(running(replay));
}

}  // namespace understudy::apps
