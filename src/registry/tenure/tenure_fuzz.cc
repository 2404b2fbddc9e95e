// No messages of a peer, in any order, may stop a registry or break its state.
//
// Input: messages, each a size byte, a type byte and a body. A size of 0 stands for something that
// is no message: the connection breaks, a process ends, time passes.

#include "registry/tenure/tenure.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/log.h"

namespace {

using namespace understudy;
using namespace understudy::registry;

/// A registry whose journal commits every command at once.
class Stage {
public:
    Stage() {
        take(tenure_.start(now_, 0, 77));
        open();
    }

    void feed(wire::MessageType type, Bytes body) {
        now_ += 1ms;
        auto effects = tenure_.received(now_, 0, session_, type, body);
        if (!effects) {
            take(tenure_.closed(now_, session_));
            return open();
        }
        take(*std::move(effects));
    }

    void happen(std::uint8_t what) {
        switch (what % 4) {
            case 0:
                take(tenure_.closed(now_, session_));
                open();
                break;
            case 1:
                take(tenure_.process_gone(now_, 0, Incarnation{1 + sessions_ % 3}));
                break;
            case 2:
                now_ += 500ms;
                break;
            case 3:
                take(tenure_.tick(now_, 0));
                break;
        }
    }

private:
    void open() {
        session_ = registry::SessionId{++sessions_};
        wire::pb::Hello hello;
        hello.set_agent("fuzz");
        hello.set_incarnation(1 + sessions_ % 3);
        take(tenure_.opened(now_, session_, hello));
    }

    void take(Effects effects) {
        for (registry::Effect& effect : effects) {
            if (auto* propose = std::get_if<Propose>(&effect)) {
                index_ = index_.next();
                Buffer reply;
                state_.apply({.index = index_, .body = propose->command}, reply);
                take(tenure_.committed(now_, 0, propose->token, Applied::from(index_, reply)));
            } else if (const auto* close = std::get_if<Close>(&effect)) {
                take(tenure_.closed(now_, close->session));
                if (close->session == session_) open();
            }
        }
        tenure_.check_invariants();
    }

    State state_;
    NullLog log_;
    TimePoint now_{1000s};
    Tenure tenure_{Tenure::Options{}, state_, log_, now_};
    Index index_;
    registry::SessionId session_;
    std::uint64_t sessions_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Bytes rest(reinterpret_cast<const std::byte*>(data), size);
    Stage stage;
    while (rest.size() >= 2) {
        const auto length = std::to_integer<std::size_t>(rest[0]);
        const auto type = std::to_integer<std::uint8_t>(rest[1]);
        rest = rest.subspan(2);
        if (length == 0) {
            stage.happen(type);
            continue;
        }
        const Bytes body = rest.first(std::min(length - 1, rest.size()));
        rest = rest.subspan(body.size());
        stage.feed(static_cast<wire::MessageType>(type), body);
    }
    return 0;
}
