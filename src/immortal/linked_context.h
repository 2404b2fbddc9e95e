#pragma once

#include <algorithm>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>

#include "base/random.h"
#include "immortal/linked.h"
#include "immortal/message.h"
#include "understudy/limits.h"

namespace understudy::immortal {

static_assert(ImmortalContext::arguments_bytes_max == message_size_max,
              "what a handler may send fits a message");

/// The context of a handler while one input is carried out.
class LinkedApplication::Context final : public ImmortalContext {
public:
    Context(State& state, const Input& input, Stage& stage)
        : state_(state), input_(input), stage_(stage) {}

    Duration time() const override { return input_.time; }
    std::uint64_t wall_ms() const override { return input_.wall_ms; }
    std::uint64_t random() override {
        if (!random_) random_.emplace(input_.random);
        return random_->next();
    }
    std::string_view caller() const override { return input_.source; }

    void send(std::string_view to, std::string_view handler, Bytes arguments) override {
        check(to, handler, arguments);
        stage_.output(
            {.kind = OutputKind::call, .to = to, .name = handler, .body = arguments});
    }
    void call(std::string_view to, std::string_view handler, Bytes arguments,
              std::string_view continuation, Bytes context) override {
        check(to, handler, arguments);
        check_name(continuation);
        check_size(context);
        const std::uint64_t id = keep(state_.answers, continuation, context);
        stage_.output(
            {.kind = OutputKind::call, .to = to, .id = id, .name = handler, .body = arguments});
    }
    ImmortalTimer after(Duration delay, std::string_view handler, Bytes arguments) override {
        check_name(handler);
        check_size(arguments);
        const std::uint64_t id = keep(state_.timers, handler, arguments);
        const Duration wait =
            std::clamp(delay, Duration::zero(), Duration::max() - input_.time);
        stage_.output({.kind = OutputKind::timer, .id = id, .due = input_.time + wait});
        return {id};
    }
    bool cancel(ImmortalTimer timer) override {
        if (!state_.timers.erase(timer.value)) return false;
        stage_.output({.kind = OutputKind::cancel, .id = timer.value});
        return true;
    }

private:
    std::uint64_t keep(SnapshotMap<std::uint64_t, Later>& rows, std::string_view name,
                       Bytes kept) {
        const std::uint64_t id = state_.next_id++;
        rows.put(id, {.name = std::string(name), .kept = Buffer(kept.begin(), kept.end())});
        return id;
    }
    static void check(std::string_view to, std::string_view handler, Bytes arguments) {
        if (const auto fits = check_service_name(to); !fits) {
            throw std::invalid_argument(fits.error().detail);
        }
        check_name(handler);
        check_size(arguments);
    }
    static void check_name(std::string_view handler) {
        if (handler.size() > name_size_max) throw std::invalid_argument("handler: name too long");
    }
    static void check_size(Bytes arguments) {
        if (arguments.size() <= arguments_bytes_max) return;
        throw std::length_error("arguments of " + std::to_string(arguments.size()) +
                                " bytes; at most " + std::to_string(arguments_bytes_max));
    }

    State& state_;
    const Input& input_;
    Stage& stage_;
    std::optional<Random> random_;
};

}  // namespace understudy::immortal
