#include "apps/replay/journal_replay.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"
#include "journal/format/checkpoint_file.h"
#include "journal/format/segment.h"
#include "journal/node_log/node_record.h"
#include "replica/pack.h"
#include "role/cause.h"

namespace understudy::apps {

namespace pb = wire::pb;
using replica::ItemKind;
using wire::Dynamic;

namespace {

[[nodiscard]] std::string_view kind_of(ItemKind kind) {
    switch (kind) {
        case ItemKind::command: return "command";
        case ItemKind::request: return "request";
        case ItemKind::open_session: return "open_session";
        case ItemKind::close_session: return "close_session";
        case ItemKind::abandon: return "abandon";
    }
    return "unknown";
}

[[nodiscard]] std::string_view kind_of(journal::RecordWhat what) {
    using journal::RecordWhat;
    switch (what) {
        case RecordWhat::identity: return "identity";
        case RecordWhat::state: return "state";
        case RecordWhat::trim: return "trim";
        case RecordWhat::cut: return "cut";
        case RecordWhat::restart: return "restart";
        case RecordWhat::entry: return "entry";
        case RecordWhat::copy: return "copy";
        case RecordWhat::forget: return "forget";
        case RecordWhat::place: return "place";
    }
    return "unknown";
}

[[nodiscard]] std::int64_t milliseconds(Duration time) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
}

/// Leaves out fields that are not set.
[[nodiscard]] Dynamic::Map told(std::initializer_list<std::pair<const char*, Dynamic>> fields) {
    Dynamic::Map map;
    for (const auto& [key, value] : fields) {
        const auto* text = value.as<std::string>();
        const auto* number = value.as<std::int64_t>();
        if ((text != nullptr && text->empty()) || (number != nullptr && *number == 0)) continue;
        map.emplace(key, value);
    }
    return map;
}

[[nodiscard]] Dynamic::Map registry_command(const pb::RegistryCommand& command) {
    switch (command.what_case()) {
        case pb::RegistryCommand::kFound:
            return told({{"do", "found"},
                         {"platform", command.found().platform()},
                         {"registry_id", journal::hex16(command.found().registry_id())}});
        case pb::RegistryCommand::kAdd: {
            const pb::AddMember& add = command.add();
            const pb::Register& wanted = add.wanted();
            return told({{"do", "add"},
                         {"service", wanted.config().family()},
                         {"member", wanted.member()},
                         {"agent", add.agent()},
                         {"incarnation", journal::hex16(add.incarnation())},
                         {"replaces", add.replaces() == 0 ? "" : journal::hex16(add.replaces())},
                         {"unconfirmed", add.unconfirmed()},
                         {"endpoint", fmt::format("{}:{}", wanted.endpoint().host(),
                                                  wanted.endpoint().port())},
                         {"known_epoch", wanted.known_epoch()},
                         {"evidence", add.evidence()}});
        }
        case pb::RegistryCommand::kRemove: {
            const pb::RemoveMember& remove = command.remove();
            return told({{"do", "remove"},
                         {"service", remove.family()},
                         {"member", remove.member()},
                         {"incarnation", journal::hex16(remove.incarnation())},
                         {"cause", std::string(name(static_cast<role::Cause>(remove.cause())))},
                         {"evidence", remove.evidence()},
                         {"noticed_us", remove.noticed_us()},
                         {"suspects", fmt::format("{}", fmt::join(remove.suspects(), ","))}});
        }
        case pb::RegistryCommand::kSwitchover:
            return told({{"do", "hand_over"},
                         {"service", command.switchover().family()},
                         {"from", command.switchover().from()},
                         {"to", command.switchover().to()},
                         {"epoch", command.switchover().epoch()}});
        case pb::RegistryCommand::kRaise:
            return told({{"do", "raise_epoch"},
                         {"service", command.raise().family()},
                         {"epoch", command.raise().epoch()},
                         {"reporter", command.raise().reporter()},
                         {"unconfirmed", command.raise().unconfirmed()}});
        case pb::RegistryCommand::kStopWaiting:
            return told({{"do", "stop_waiting"},
                         {"service", command.stop_waiting().family()},
                         {"epoch", command.stop_waiting().epoch()}});
        case pb::RegistryCommand::kRestore:
            return told({{"do", "restore"},
                         {"platform", command.restore().platform()},
                         {"revision", command.restore().revision()},
                         {"services", command.restore().services_size()}});
        case pb::RegistryCommand::kReport:
            return told({{"do", "report"},
                         {"service", command.report().family()},
                         {"member", command.report().member()},
                         {"incarnation", journal::hex16(command.report().incarnation())},
                         {"role", std::string(name(static_cast<Role>(command.report().role())))},
                         {"epoch", command.report().epoch()},
                         {"has_checkpoint", command.report().has_checkpoint() ? "yes" : ""}});
        case pb::RegistryCommand::kDefinition: {
            const pb::DefinitionAsk& ask = command.definition();
            return told({{"do", ask.has_define()   ? "define"
                                : ask.has_add()    ? "add_replica"
                                : ask.has_remove() ? "remove_replica"
                                                   : "undefine"},
                         {"service", ask.has_define()   ? ask.define().family()
                                     : ask.has_add()    ? ask.add().family()
                                     : ask.has_remove() ? ask.remove().family()
                                                        : ask.undefine().family()},
                         {"replica", ask.has_add()      ? fmt::to_string(ask.add().number())
                                     : ask.has_remove() ? fmt::to_string(ask.remove().number())
                                                        : ""}});
        }
        case pb::RegistryCommand::kLastResort:
            return told({{"do", "last_resort"}, {"service", command.last_resort().family()}});
        case pb::RegistryCommand::WHAT_NOT_SET: break;
    }
    return told({{"do", "unknown"}});
}

[[nodiscard]] std::string fields_text(const Dynamic::Map& fields) {
    std::string out;
    for (const auto& [key, value] : fields) {
        if (key == "do") continue;
        out += fmt::format(" {}={}", key, cell_text(value));
    }
    return out;
}

[[nodiscard]] ReplayedItem item_of(const replica::Item& item, BodyAs how, bool registry) {
    const bool bodied = item.kind == ItemKind::command || item.kind == ItemKind::request;
    ReplayedItem out{.json = {{"kind", std::string(kind_of(item.kind))}},
                     .text = std::string(kind_of(item.kind))};
    if (item.request.session != SessionId{}) {
        out.json["session"] = item.request.session.value;
        out.text += fmt::format(" session {}", item.request.session.value);
    }
    if (item.kind == ItemKind::request || item.kind == ItemKind::abandon) {
        out.json["number"] = item.request.number.value;
        out.json["answered"] = item.request.answered.value;
        out.text += fmt::format(" number {}, answered {}", item.request.number.value,
                                item.request.answered.value);
    }
    if (!bodied) return out;
    out.json["bytes"] = item.body.size();
    out.text += fmt::format(" {} bytes", item.body.size());
    pb::RegistryCommand command;
    if (registry &&
        command.ParseFromArray(item.body.data(), static_cast<int>(item.body.size()))) {
        Dynamic::Map fields = registry_command(command);
        out.text += fmt::format(": {}{}", cell_text(fields.at("do")), fields_text(fields));
        out.json["wall_ms"] = command.wall_ms();
        out.json["command"] = std::move(fields);
    }
    if (how != BodyAs::none) {
        out.json["body"] = body_as(item.body, how);
        out.text += fmt::format("  {}", cell_text(out.json["body"]));
    }
    return out;
}

}  // namespace

Result<void> MachineReplay::begin(Disk& disk, const std::string& directory,
                                  const std::vector<journal::WalkedCheckpoint>& checkpoints,
                                  Index from) {
    for (auto one = checkpoints.rbegin(); one != checkpoints.rend(); ++one) {
        if (!one->checkpoint || one->checkpoint->at >= from) continue;
        const auto reader =
            US_TRY(journal::CheckpointReader::open(disk, directory, one->checkpoint->at));
        replica::CheckpointSink sink(replicated_, machine_);
        for (bool last = false; !last;) {
            const auto slice = US_TRY(reader->next());
            last = slice.last;
            US_CHECK(sink.take(slice.bytes, slice.first, slice.last));
        }
        applied_ = one->checkpoint->at;
        return {};
    }
    return {};
}

Result<void> MachineReplay::take(const journal::Entry& entry) {
    if (entry.index <= applied_) return {};
    if (entry.index != applied_.next()) {
        return Error{.code = Errc::corrupt,
                     .detail = fmt::format("entries {} to {} are missing, so nobody knows the "
                                           "state",
                                           applied_.next().value, entry.index.value - 1)};
    }
    applied_ = entry.index;
    if (!journal::has_body(entry.type)) return {};
    replica::PackReader reader(entry.body);
    replicated_.time = std::max(replicated_.time, reader.time());
    replica::Command command{.index = entry.index, .time = replicated_.time, .body = {}};
    while (const auto item = reader.next()) {
        Buffer reply;
        const auto apply = [&] {
            command.body = item->body;
            machine_.apply(command, reply);
            ++command.place;
        };
        session::Table& sessions = replicated_.sessions;
        switch (item->kind) {
            case ItemKind::command: apply(); break;
            case ItemKind::request:
                if (sessions.begin(item->request, replicated_.time).known ==
                    session::Known::fresh) {
                    apply();
                    sessions.finish(item->request, reply, replicated_.time);
                }
                break;
            case ItemKind::open_session: (void)sessions.open(replicated_.time); break;
            case ItemKind::close_session: sessions.close(item->request.session); break;
            case ItemKind::abandon:
                (void)sessions.abandon(item->request, replicated_.time);
                break;
        }
    }
    if (reader.done()) return {};
    return Error{.code = Errc::corrupt,
                 .detail = fmt::format("entry {} is not a pack", entry.index.value)};
}

bool founds_registry(Bytes pack) {
    replica::PackReader reader(pack);
    const auto item = reader.next();
    if (!item || item->kind != ItemKind::command) return false;
    pb::RegistryCommand command;
    return command.ParseFromArray(item->body.data(), static_cast<int>(item->body.size())) &&
           (command.has_found() || command.has_restore());
}

std::vector<ReplayedItem> items_of(Bytes pack, BodyAs how, bool registry) {
    std::vector<ReplayedItem> items;
    replica::PackReader reader(pack);
    while (const auto item = reader.next()) {
        items.push_back(item_of(*item, how, registry));
        items.back().json["time_ms"] = milliseconds(reader.time());
    }
    if (!reader.done()) items.clear();
    return items;
}

std::vector<ReplayedItem> records_of(Bytes body, BodyAs how) {
    using journal::RecordWhat;
    std::vector<ReplayedItem> items;
    ByteReader reader(body);
    while (!reader.done()) {
        const auto record = journal::decode_record(reader);
        if (!record) return {};
        ReplayedItem item{.json = {{"kind", std::string(kind_of(record->what))}},
                          .text = std::string(kind_of(record->what))};
        if (record->what == RecordWhat::identity) {
            item.json["number"] = journal::hex16(record->number);
            item.text += " " + journal::hex16(record->number);
        } else {
            item.json["group"] = journal::hex16(record->group.value);
            item.text += fmt::format(" group {}", journal::hex16(record->group.value));
        }
        if (record->index != Index{}) {
            item.json["index"] = record->index.value;
            item.text += fmt::format(" index {}", record->index.value);
        }
        if (record->term != Epoch{}) {
            item.json["term"] = record->term.value;
            item.json["type"] = record->kind;
            item.text += fmt::format(" term {} type {}", record->term.value, record->kind);
        }
        const bool bodied = record->what == RecordWhat::state ||
                            record->what == RecordWhat::entry || record->what == RecordWhat::copy;
        if (bodied) {
            item.json["bytes"] = record->body.size();
            item.text += fmt::format(" {} bytes", record->body.size());
            if (how != BodyAs::none) {
                item.json["body"] = body_as(record->body, how);
                item.text += fmt::format("  {}", cell_text(item.json["body"]));
            }
        }
        items.push_back(std::move(item));
    }
    return items;
}

}  // namespace understudy::apps
