#include "node/registry/standby_desk.h"

#include <utility>
#include <variant>

#include "wire/control.h"

namespace understudy::node {

using registry::Standby;

StandbyDesk::StandbyDesk(Runtime& runtime, hosting::SessionServer& sessions, Standby& machine,
                         std::function<void()> before_ask)
    : runtime_(runtime),
      sessions_(sessions),
      machine_(machine),
      before_ask_(std::move(before_ask)) {}

void StandbyDesk::active_changed(const std::string& active) {
    carry_out(machine_.active_changed(runtime_.now(), active));
}

void StandbyDesk::tick() { carry_out(machine_.tick(runtime_.now())); }

void StandbyDesk::session_hello(LinkId session, Bytes opaque) {
    const auto hello = wire::decode_as<wire::pb::Hello>(opaque);
    if (!hello) return sessions_.refuse(session, hello.error());
    carry_out(machine_.greeted(runtime_.now(), session, *hello));
}

void StandbyDesk::session_message(LinkId session, wire::MessageType type, Bytes body) {
    if (type == wire::MessageType::ask) before_ask_();
    auto effects = machine_.received(runtime_.now(), session, type, body);
    if (effects) return carry_out(*std::move(effects));
    sessions_.finish(session, effects.error());
    machine_.closed(session);
}

void StandbyDesk::carry_out(Standby::Effects effects) {
    for (const Standby::Effect& effect : effects) {
        if (const auto* greeting = std::get_if<Standby::Greet>(&effect)) {
            Buffer body;
            const Bytes welcome = wire::encode(greeting->welcome, body);
            if (greeting->last) {
                sessions_.send_away(greeting->to, welcome, not_active);
            } else {
                sessions_.open(greeting->to, welcome);
            }
        } else if (const auto* refusal = std::get_if<Standby::Refuse>(&effect)) {
            sessions_.refuse(refusal->to, refusal->reason);
        } else if (const auto* message = std::get_if<Standby::Send>(&effect)) {
            (void)sessions_.send(message->to, message->type, message->body);
        }
    }
}

}  // namespace understudy::node
