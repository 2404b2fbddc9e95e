#include "immortal/linked.h"

#include <new>
#include <utility>

#include "immortal/linked_context.h"
#include "immortal/message.h"

namespace understudy {

ImmortalContext::~ImmortalContext() = default;
Immortal::~Immortal() = default;
ImmortalObject::~ImmortalObject() = default;
ImmortalClass::~ImmortalClass() = default;

namespace immortal {

namespace {

constexpr std::size_t told_max = 64;
// Converted at once from one version's map to the next.
constexpr std::size_t convert_bytes = 1 * MiB;

/// Code of the class outside of its handlers must not throw, because there is no caller to answer.
template <class Act>
[[nodiscard]] Result<void> caught(const char* what, Act&& act) {
    const auto threw = [what](const char* why) {
        return Error{.code = Errc::failed, .detail = std::string(what) + " threw: " + why};
    };
    try {
        return act();
    } catch (const std::bad_alloc&) {
        throw;
    } catch (const std::exception& thrown) {
        return threw(thrown.what());
    } catch (...) {
        return threw("an exception");
    }
}

[[nodiscard]] Result<void> take_over(const ImmortalObject& from, ImmortalObject& to) {
    const ImmortalImage image = from.view();
    US_CHECK(to.load(image.fields, from.version()));
    Buffer pairs;
    for (std::size_t which = 0; which < image.maps.size(); ++which) {
        for (bool more = true; more;) {
            pairs.clear();
            more = image.maps[which]->next(pairs, convert_bytes);
            if (!pairs.empty()) US_CHECK(to.load_map(which, pairs));
        }
    }
    return {};
}

}  // namespace

Result<void> LinkedApplication::check(const Classes& classes) {
    if (classes.empty()) return Error{.code = Errc::bad_config, .detail = "immortal: no class"};
    std::set<std::uint32_t> versions;
    for (const auto& each : classes) {
        if (each->version() == 0) {
            return Error{.code = Errc::bad_config, .detail = "immortal: versions begin with 1"};
        }
        if (versions.insert(each->version()).second) continue;
        return Error{.code = Errc::bad_config,
                     .detail = "immortal: two classes of version " +
                               std::to_string(each->version())};
    }
    return {};
}

LinkedApplication::LinkedApplication(Log& log, Classes classes) : log_(log) {
    US_ASSERT(check(classes));
    for (auto& each : classes) classes_.emplace(each->version(), std::move(each));
}

LinkedApplication::~LinkedApplication() = default;

std::uint32_t LinkedApplication::version() const {
    return state_ ? state_->object->version() : 0;
}

std::uint32_t LinkedApplication::version_newest() const { return classes_.rbegin()->first; }

const ImmortalObject* LinkedApplication::object() const {
    return state_ && !restoration_ ? state_->object.get() : nullptr;
}

std::size_t LinkedApplication::answers_awaited() const {
    return state_ ? state_->answers.size() : 0;
}

std::size_t LinkedApplication::timers() const { return state_ ? state_->timers.size() : 0; }

const ImmortalClass* LinkedApplication::find(std::uint32_t version) const {
    const auto found = classes_.find(version);
    return found == classes_.end() ? nullptr : found->second.get();
}

Error LinkedApplication::unknown(std::uint32_t version) const {
    std::string detail = "version " + std::to_string(version) +
                         " of the code is wanted, and this program has";
    for (const auto& [each, its_class] : classes_) detail += " " + std::to_string(each);
    return {.code = Errc::bad_config, .detail = std::move(detail)};
}

// --- Inputs --------------------------------------------------------------------------------------

void LinkedApplication::perform(const Input& input, Stage& stage) {
    if (broken_) return;
    const bool starts = input.kind == InputKind::start;
    if (starts == (object() != nullptr)) {
        return give_up({.code = Errc::corrupt,
                        .detail = starts ? "started twice" : "an input came before the start"},
                       stage);
    }
    switch (input.kind) {
        case InputKind::start: return start(input, stage);
        case InputKind::call: return call(input, stage);
        case InputKind::reply: return resume(input, stage);
        case InputKind::timer: return fire(input, stage);
        case InputKind::upgrade: return upgrade(input, stage);
    }
}

void LinkedApplication::start(const Input& input, Stage& stage) {
    const auto version = static_cast<std::uint32_t>(input.id);
    const ImmortalClass* its_class = find(version);
    if (its_class == nullptr) return give_up(unknown(version), stage);
    state_ = std::make_shared<State>();
    state_->object = its_class->make();
    Context context(*state_, input, stage);
    const auto started = caught("first_start()", [&]() -> Result<void> {
        state_->object->first_start(context);
        return {};
    });
    if (!started) give_up(started.error(), stage);
}

void LinkedApplication::call(const Input& input, Stage& stage) {
    reply_.clear();
    Context context(*state_, input, stage);
    answer(input, state_->object->run(context, input.name, input.body, reply_), stage);
}

void LinkedApplication::answer(const Input& input, Result<void> result, Stage& stage) {
    if (input.id == 0) return;
    if (result && reply_.size() > message_size_max) {
        result = Error{.code = Errc::limit_exceeded,
                       .effect = Effect::unknown,
                       .detail = "the answer of " + std::string(input.name) + " is too long"};
    }
    Output reply{.kind = OutputKind::reply, .to = input.source, .id = input.id, .body = reply_};
    Buffer refusal;
    if (!result) {
        refusal = encode_refusal(result.error());
        reply.body = refusal;
        reply.refused = true;
    }
    stage.output(reply);
}

void LinkedApplication::resume(const Input& input, Stage& stage) {
    const Later* found = state_->answers.find(input.id);
    if (found == nullptr) return;
    const Later later = *found;
    state_->answers.erase(input.id);
    Context context(*state_, input, stage);
    const Result<Bytes> reply =
        input.refused ? Result<Bytes>(decode_refusal(input.body)) : Result<Bytes>(input.body);
    const auto done = state_->object->resume(context, later.name, reply, later.kept);
    if (!done) log_failure("continuation", later, done.error());
}

void LinkedApplication::fire(const Input& input, Stage& stage) {
    const Later* found = state_->timers.find(input.id);
    if (found == nullptr) return;
    const Later later = *found;
    state_->timers.erase(input.id);
    Context context(*state_, input, stage);
    reply_.clear();
    const auto done = state_->object->run(context, later.name, later.kept, reply_);
    if (!done) log_failure("timer", later, done.error());
}

Result<std::shared_ptr<ImmortalObject>> LinkedApplication::converted(std::uint32_t version) const {
    const ImmortalClass* its_class = find(version);
    if (its_class == nullptr) return unknown(version);
    std::shared_ptr<ImmortalObject> next = its_class->make();
    const auto taken =
        caught("fields()", [&] { return take_over(std::as_const(*state_->object), *next); });
    if (taken) return next;
    return Error{.code = Errc::bad_config,
                 .detail = "version " + std::to_string(version) +
                           " cannot take over the state of version " +
                           std::to_string(state_->object->version()) + ": " +
                           taken.error().detail};
}

Result<void> LinkedApplication::check_upgrade(std::uint32_t version) const {
    if (object() == nullptr) return {};
    const auto next = converted(version);
    if (!next) return next.error();
    return {};
}

void LinkedApplication::upgrade(const Input& input, Stage& stage) {
    const auto version = static_cast<std::uint32_t>(input.id);
    const std::uint32_t from = state_->object->version();
    auto next = converted(version);
    if (!next) return give_up(next.error(), stage);
    state_->object = *std::move(next);  // An image under way keeps the old object.
    Context context(*state_, input, stage);
    const auto told = caught("upgraded()", [&]() -> Result<void> {
        state_->object->upgraded(context, from);
        return {};
    });
    if (!told) give_up(told.error(), stage);
}

void LinkedApplication::log_failure(std::string_view what, const Later& later, const Error& error) {
    if (told_.size() >= told_max || !told_.insert(later.name).second) return;
    log_.warn("immortal.handler_failed",
              {kv("what", what), kv("handler", later.name), kv("error", error)});
}

void LinkedApplication::give_up(Error error, Stage& stage) {
    broken_ = true;
    stage.broken(error);
}

}  // namespace immortal

}  // namespace understudy
