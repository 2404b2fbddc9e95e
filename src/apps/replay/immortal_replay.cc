#include "apps/replay/immortal_replay.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "immortal/command.h"
#include "immortal/message.h"
#include "replica/pack.h"
#include "wire/json.h"
#include "wire/msgpack.h"

namespace understudy::apps {

using immortal::Input;
using immortal::InputKind;
using immortal::Output;
using immortal::OutputKind;
using immortal::Position;
using immortal::RemoteApplication;
using replica::ItemKind;
using wire::Dynamic;

namespace {

/// The decoded MessagePack, or the bytes if they are not MessagePack.
[[nodiscard]] Dynamic decoded(Bytes body) {
    if (body.empty()) return {};
    auto value = wire::decode_msgpack(body);
    return value ? *std::move(value) : Dynamic(Buffer(body.begin(), body.end()));
}

[[nodiscard]] std::string shown(Bytes body) {
    return body.empty() ? "" : " " + wire::to_json(decoded(body));
}

struct Named {
    std::string name;
    Dynamic::Map json;
    std::string text;
};

[[nodiscard]] Named told_command(const immortal::StartCommand& start) {
    return {"start",
            {{"version", start.version}, {"wall_ms", start.wall_ms}},
            fmt::format("version {}", start.version)};
}

[[nodiscard]] Dynamic::Map message_json(const immortal::Message& message) {
    using immortal::MessageKind;
    Dynamic::Map json{{"kind", message.kind == MessageKind::one_way ? "one_way"
                               : message.kind == MessageKind::call  ? "call"
                               : message.kind == MessageKind::reply ? "reply"
                                                                    : "refusal"}};
    if (message.kind != MessageKind::one_way) json["id"] = message.id;
    if (message.kind == MessageKind::one_way || message.kind == MessageKind::call) {
        json["name"] = message.name;
        json["arguments"] = decoded(message.body);
    } else if (message.kind == MessageKind::reply) {
        json["result"] = decoded(message.body);
    } else {
        json["refusal"] = to_string(immortal::decode_refusal(message.body));
    }
    return json;
}

[[nodiscard]] std::string message_text(const immortal::Message& message) {
    using immortal::MessageKind;
    switch (message.kind) {
        case MessageKind::one_way: return fmt::format("{}{}", message.name, shown(message.body));
        case MessageKind::call:
            return fmt::format("{}{}, call {}", message.name, shown(message.body), message.id);
        case MessageKind::reply:
            return fmt::format("answer to {}:{}", message.id, shown(message.body));
        case MessageKind::refusal:
            return fmt::format("answer to {}: {}", message.id,
                               to_string(immortal::decode_refusal(message.body)));
    }
    return {};
}

[[nodiscard]] Named told_command(const immortal::ReceiveCommand& receive) {
    Named named{"receive",
                {{"source", receive.source},
                 {"first", receive.batch.first.value},
                 {"wall_ms", receive.wall_ms}},
                fmt::format("from {}, {} to {}", receive.source, receive.batch.first.value,
                            receive.batch.first.value + receive.batch.count - 1)};
    Dynamic::Array messages;
    ByteReader in(receive.batch.messages);
    for (std::uint64_t i = 0; i < receive.batch.count; ++i) {
        const auto message = immortal::decode_message(in);
        if (!message) break;
        messages.emplace_back(message_json(*message));
        named.text += "\n        " + message_text(*message);
    }
    named.json["messages"] = std::move(messages);
    return named;
}

[[nodiscard]] Named told_command(const immortal::ImpulseCommand& impulse) {
    return {"impulse",
            {{"name", impulse.name},
             {"arguments", decoded(impulse.arguments)},
             {"wall_ms", impulse.wall_ms}},
            fmt::format("{}{}", impulse.name, shown(impulse.arguments))};
}

[[nodiscard]] Named told_command(const immortal::ConfirmCommand& confirm) {
    Named named{"confirm", {}, ""};
    Dynamic::Array rows;
    for (const auto& row : confirm.rows) {
        rows.emplace_back(Dynamic::Map{{"peer", row.peer}, {"upto", row.upto.value}});
        named.text += fmt::format("{}{} has {}", named.text.empty() ? "" : ", ", row.peer,
                                  row.upto.value);
    }
    named.json["peers"] = std::move(rows);
    return named;
}

[[nodiscard]] Named told_command(const immortal::FireCommand& fire) {
    Named named{"fire", {{"wall_ms", fire.wall_ms}}, ""};
    Dynamic::Array timers;
    for (const std::uint64_t timer : fire.timers) {
        timers.emplace_back(timer);
        named.text += fmt::format("{}timer {}", named.text.empty() ? "" : ", ", timer);
    }
    named.json["timers"] = std::move(timers);
    return named;
}

[[nodiscard]] Named told_command(const immortal::UpgradeCommand& upgrade) {
    return {"upgrade",
            {{"version", upgrade.version}, {"wall_ms", upgrade.wall_ms}},
            fmt::format("to version {}", upgrade.version)};
}

[[nodiscard]] Named told_command(const immortal::ForgetCommand& forget) {
    return {"forget", {{"peer", forget.peer}}, std::string(forget.peer)};
}

[[nodiscard]] ReplayedItem immortal_item(const replica::Item& item) {
    ReplayedItem out{.json = {{"kind", "command"}, {"bytes", item.body.size()}}, .text = "command"};
    const auto command = immortal::decode_command(item.body);
    if (!command) {
        out.text += ": of an unknown kind, so it does nothing";
        return out;
    }
    Named named = std::visit([](const auto& each) { return told_command(each); }, *command);
    out.text = fmt::format("{} {}", named.name, named.text);
    named.json["do"] = named.name;
    out.json["command"] = std::move(named.json);
    return out;
}

}  // namespace

bool starts_immortal(Bytes pack) {
    replica::PackReader reader(pack);
    const auto item = reader.next();
    if (!item || item->kind != ItemKind::command) return false;
    const auto command = immortal::decode_command(item->body);
    return command && std::holds_alternative<immortal::StartCommand>(*command);
}

std::vector<ReplayedItem> immortal_items(Bytes pack) {
    std::vector<ReplayedItem> items;
    replica::PackReader reader(pack);
    while (const auto item = reader.next()) {
        if (item->kind == ItemKind::command) items.push_back(immortal_item(*item));
    }
    if (!reader.done()) items.clear();
    return items;
}

// --- An application ------------------------------------------------------------------------------

Performer::Performer(platform::AsioRuntime& runtime, immortal::ApplicationPort& port)
    : runtime_(runtime) {
    port.want([this](std::unique_ptr<RemoteApplication> arrived) {
        application_ = std::move(arrived);
        application_->set_owner(*this);
        application_->welcome();
    });
    while (application_ == nullptr) (void)runtime_.poll_for(100ms);
}

void Performer::perform(const Input& input) {
    told_ = input.position;
    application_->perform(input, *this);
}

Result<void> Performer::restore_piece(Bytes piece, PiecePlace place) {
    return application_->restore_piece(piece, place, 0, *this);
}

Result<void> Performer::settle() {
    while (!ended_ && (performed_ < told_ || application_->lag_bytes() > 0)) {
        (void)runtime_.poll_for(100ms);
    }
    if (ended_) return *ended_;
    return {};
}

std::vector<Performer::Said> Performer::take_said() { return std::exchange(said_, {}); }

Result<Buffer> Performer::image() {
    US_CHECK(settle());
    application_->want_image();
    while (!ended_ && image_ == nullptr) (void)runtime_.poll_for(100ms);
    if (ended_) return *ended_;
    return Buffer(image_->begin(), image_->end());
}

void Performer::output(const Output& output) {
    if (also_ != nullptr) also_->output(output);
    Said said;
    switch (output.kind) {
        case OutputKind::call:
            said.json = {{"do", "call"},
                         {"to", output.to},
                         {"id", output.id},
                         {"name", output.name},
                         {"arguments", decoded(output.body)}};
            said.text = fmt::format("calls {}: {}{}", output.to, output.name, shown(output.body));
            if (output.id != 0) said.text += fmt::format(", call {}", output.id);
            break;
        case OutputKind::reply: {
            Dynamic result = output.refused
                                 ? Dynamic(to_string(immortal::decode_refusal(output.body)))
                                 : decoded(output.body);
            said.text =
                fmt::format("answers {} {}: {}", output.to.empty() ? "an impulse" : output.to,
                            output.id, wire::to_json(result));
            said.json = {{"do", output.refused ? "refuse" : "answer"},
                         {"to", output.to},
                         {"id", output.id},
                         {"result", std::move(result)}};
            break;
        }
        case OutputKind::timer:
            said.json = {{"do", "timer"}, {"id", output.id}, {"due_ns", output.due.count()}};
            said.text = fmt::format("starts timer {}, due at {} ms", output.id,
                                    output.due.count() / 1'000'000);
            break;
        case OutputKind::cancel:
            said.json = {{"do", "cancel"}, {"id", output.id}};
            said.text = fmt::format("ends timer {}", output.id);
            break;
    }
    said_.push_back(std::move(said));
}

void Performer::performed(Position upto) { performed_ = upto; }

void Performer::imaged(Position, std::shared_ptr<const Buffer> image) { image_ = std::move(image); }

void Performer::broken(const Error& error) { ended_ = error; }

void Performer::application_impulse(RemoteApplication& application, std::uint64_t id,
                                    std::string_view, Bytes) {
    application.answer(id, Error{.code = Errc::not_active, .detail = "this is the past"});
}

void Performer::application_upgrade(RemoteApplication& application, std::uint64_t id,
                                    std::uint32_t) {
    application.answer(id, Error{.code = Errc::not_active, .detail = "this is the past"});
}

void Performer::application_ended(RemoteApplication&, const Error& reason) {
    if (!ended_) ended_ = reason;
}

// --- The machine and its application -------------------------------------------------------------

class ImmortalReplay::Deaf final : public immortal::Machine::Observer {
public:
    void output_ready(const std::string&) override {}
    void input_durable(const std::string&, immortal::MessageNo) override {}
    void timers_changed() override {}
    void image_ready() override {}
    void broken(const Error& error) override { why = error; }
    std::optional<Error> why;
};

/// The application of the machine: none, one, or two processes.
class ImmortalReplay::Part final : public immortal::Application {
public:
    explicit Part(Options options) : options_(options) {}

    [[nodiscard]] bool immediate() const override { return false; }
    [[nodiscard]] std::uint32_t version() const override { return version_; }
    [[nodiscard]] std::uint32_t version_newest() const override { return version_; }
    [[nodiscard]] Result<void> check_upgrade(std::uint32_t) const override { return {}; }
    void perform(const Input& input, immortal::Stage& stage) override {
        stage_ = &stage;
        last_ = input.position;
        if (input.kind == InputKind::start || input.kind == InputKind::upgrade) {
            version_ = static_cast<std::uint32_t>(input.id);
        }
        if (options_.performer == nullptr) return;
        options_.performer->tell(&stage);
        options_.performer->perform(input);
        if (options_.other != nullptr) perform_other(input);
    }
    [[nodiscard]] std::unique_ptr<Snapshot> begin_image() override {
        assert_failed("nobody takes a checkpoint of the past", __FILE__, __LINE__);
    }
    void want_image() override {}
    [[nodiscard]] Result<void> restore_piece(Bytes piece, PiecePlace place, std::uint32_t version,
                                             immortal::Stage& stage) override {
        stage_ = &stage;
        version_ = version;
        if (options_.performer != nullptr) {
            US_CHECK(options_.performer->restore_piece(piece, place));
        }
        if (options_.other == nullptr) return {};
        other_upgraded_ = false;
        return options_.other->restore_piece(piece, place);
    }
    [[nodiscard]] std::uint64_t hash() const override { return 0; }

    void settled() {
        if (stage_ != nullptr && last_ > Position{}) stage_->performed(last_);
    }

private:
    /// The newer code is used from the beginning, as if the upgrade had come just before.
    void perform_other(Input input) {
        Performer& other = *options_.other;
        const std::uint32_t newest = other.version_newest();
        if (input.kind == InputKind::start) input.id = std::max<std::uint64_t>(input.id, newest);
        const bool upgrades = !std::exchange(other_upgraded_, true) &&
                              input.kind != InputKind::start && other.version() < newest;
        if (upgrades) {
            Input upgrade = input;
            upgrade.kind = InputKind::upgrade;
            upgrade.source = {};
            upgrade.name = {};
            upgrade.body = {};
            upgrade.id = newest;
            upgrade.position = {input.position.value - 1};
            other.perform(upgrade);
            (void)other.settle();
            (void)other.take_said();
        }
        // The upgrade was already done, so a timer that does not exist takes its place.
        if (input.kind == InputKind::upgrade && input.id <= newest) {
            input.kind = InputKind::timer;
            input.id = ~std::uint64_t{0};
        }
        other.perform(input);
    }

    const Options options_;
    immortal::Stage* stage_ = nullptr;
    Position last_;
    std::uint32_t version_ = 0;
    bool other_upgraded_ = false;
};

ImmortalReplay::ImmortalReplay(Options options)
    : options_(options),
      part_(std::make_unique<Part>(options)),
      observer_(std::make_unique<Deaf>()),
      machine_(std::make_unique<immortal::Machine>("?", *part_, *observer_)),
      replay_(*machine_) {}

ImmortalReplay::~ImmortalReplay() = default;

Result<void> ImmortalReplay::begin(Disk& disk, const std::string& directory,
                                   const std::vector<journal::WalkedCheckpoint>& checkpoints,
                                   Index from) {
    US_CHECK(replay_.begin(disk, directory, checkpoints, from));
    if (applied() == Index{}) return {};
    return settle(applied());
}

Result<void> ImmortalReplay::take(const journal::Entry& entry) {
    said_.clear();
    const bool news = entry.index > applied() && journal::has_body(entry.type);
    US_CHECK(replay_.take(entry));
    if (!news) return {};
    US_CHECK(settle(entry.index));
    if (observer_->why) return *observer_->why;
    return {};
}

Result<void> ImmortalReplay::settle(Index index) {
    if (options_.performer == nullptr) return {};
    US_CHECK(options_.performer->settle());
    said_ = options_.performer->take_said();
    part_->settled();
    if (options_.other == nullptr) return {};
    auto settled = options_.other->settle();
    if (!settled) {
        if (!difference_) {
            difference_ = Difference{index, "goes on", to_string(settled.error())};
        }
        return settled;
    }
    const auto others = options_.other->take_said();
    for (std::size_t i = 0; i < std::max(said_.size(), others.size()) && !difference_; ++i) {
        const std::string first = i < said_.size() ? said_[i].text : "has no further output";
        const std::string second = i < others.size() ? others[i].text : "has no further output";
        const bool same = i < said_.size() && i < others.size() && said_[i].json == others[i].json;
        if (!same) difference_ = Difference{index, first, second};
    }
    return {};
}

}  // namespace understudy::apps
