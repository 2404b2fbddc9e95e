#pragma once

#include <functional>
#include <string>

#include "hosting/session_server.h"
#include "registry/standby.h"
#include "runtime/runtime.h"

namespace understudy::node {

/// Why a node of a registry ends a session.
inline const Error not_active{.code = Errc::not_active,
                              .detail = "this node of the registry is not active"};

/// Answers the peers of a registry node that is not active: binds registry::Standby to sessions.
///
/// Shell: decides nothing. Thread: loop only.
class StandbyDesk final : public hosting::SessionServer::Desk {
public:
    /// `before_ask` is called before a question is answered, so that the machine can be told what
    /// it must know. All outlive this.
    StandbyDesk(Runtime& runtime, hosting::SessionServer& sessions, registry::Standby& machine,
                std::function<void()> before_ask);

    void active_changed(const std::string& active);
    void tick();

    // hosting::SessionServer::Desk
    void session_hello(LinkId session, Bytes opaque) override;
    void session_message(LinkId session, wire::MessageType type, Bytes body) override;
    void session_closed(LinkId session) override { machine_.closed(session); }

private:
    void carry_out(registry::Standby::Effects effects);

    Runtime& runtime_;
    hosting::SessionServer& sessions_;
    registry::Standby& machine_;
    const std::function<void()> before_ask_;
};

}  // namespace understudy::node
