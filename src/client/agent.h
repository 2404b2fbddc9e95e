#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/log.h"
#include "client/directory.h"
#include "client/endpoint.h"
#include "client/enrolment.h"
#include "client/journaled.h"
#include "client/member.h"
#include "client/proxy.h"
#include "client/reader.h"
#include "client/registry_link.h"
#include "runtime/runtime.h"

namespace understudy::client {

/// Calls to the agent's owner, on the loop. They must not destroy the agent.
class AgentObserver {
public:
    virtual ~AgentObserver() = default;
    virtual void registry_changed(bool available, const std::string& detail) = 0;
    /// A followed service may have changed. The directory has its present state.
    virtual void service_changed(const std::string& family) = 0;
};

struct AgentOptions {
    std::string name;
    std::string platform;  ///< Empty: the one that the registry serves.
    std::vector<Address> registry;
    Address listen{"127.0.0.1", 0};
    std::string advertise;  ///< The host that others are told. Empty: that of `listen`.
    std::optional<TlsOptions> tls;
    std::vector<wire::Compression> compressions;
    Duration heartbeat = 200ms;  ///< Without members. With them, a sixth of the shortest lease.
    Duration ask_timeout = 10s;
};

/// The library inside an application: one connection to the registry, one port, any number of
/// members and proxies. Members of journaled services have ports of their own.
///
/// It may start before the registry, and works on while the registry cannot be reached.
/// Thread: loop only.
class Agent final : private RegistryLink::Observer,
                    private Endpoint::Router,
                    private RegistryPort {
public:
    using Answered = std::function<void(Result<wire::pb::Answer>)>;
    using Found = std::function<void(Result<wire::pb::LookupAnswer>)>;

    /// Errors: bad_config, in_use (none).
    [[nodiscard]] static Result<std::unique_ptr<Agent>> open(Runtime& runtime, Log& log,
                                                             AgentOptions options,
                                                             AgentObserver& observer);
    ~Agent() override;

    /// Errors: bad_config, limit_exceeded, already_exists in this agent (none).
    [[nodiscard]] Result<Member*> create_member(MemberOptions options, MemberObserver& observer);
    /// Takes the member out of the line. `done` is called when the registry has confirmed it, or at
    /// once if the registry cannot be reached. The member is destroyed before this returns.
    void remove_member(Member& member, std::function<void()> done);

    /// A member whose role a journal decides: its owner says the role, and registers it besides
    /// (create_journaled()). It meets its clients at the port of this agent. Errors: as
    /// create_member().
    [[nodiscard]] Result<Member*> create_hosted_member(MemberOptions options,
                                                       MemberObserver& observer);
    /// The member is destroyed before this returns.
    void remove_hosted_member(Member& member);

    /// A member of a journaled service. Errors: as create_member().
    [[nodiscard]] Result<JournaledMember*> create_journaled(JournaledOptions options,
                                                            JournaledObserver& observer);
    /// As remove_member().
    void remove_journaled(JournaledMember& member, std::function<void()> done);

    /// Errors: bad_config (none).
    [[nodiscard]] Result<std::unique_ptr<Proxy>> open_proxy(const std::string& family,
                                                            const std::string& member,
                                                            ProxyObserver& observer);
    /// Must be called before the proxy is destroyed.
    void release_proxy(Proxy& proxy);

    /// Keeps `family` (empty: all services) up to date in the directory, until unfollow().
    void follow(const std::string& family);
    void unfollow(const std::string& family);
    [[nodiscard]] const Directory& directory() const { return directory_; }

    /// Asks the registry. The request number is filled in. When another node of the registry
    /// becomes active, a question is sent to it if it may be repeated or was not taken. Errors:
    /// unavailable (none if it was not sent, unknown if the link broke), timed_out
    ///         (unknown), the error that the registry returns.
    void ask(wire::pb::Ask ask, Duration timeout, Answered answered);

    /// The services of the platform, or one of them (`family` empty: all).
    ///
    /// A linearizable lookup is answered by the active node of the registry: it includes all that
    /// was acknowledged before. A cached lookup is answered by any node that can be reached, with
    /// its revision and age. Revisions that one agent gets never decrease.
    /// Errors: as ask(); cached: unavailable, timed_out (none).
    void look_up(const std::string& family, bool cached, Duration timeout, Found found);
    /// Asks the active node, or any node that can be reached: PlatformAsk, a cached LookupAsk.
    void ask_any(wire::pb::Ask ask, Duration timeout, Answered answered);

    [[nodiscard]] bool registry_up() const { return registry_.up(); }
    /// Why no registry can be reached. With several addresses, the reason of each.
    [[nodiscard]] Error registry_error() const { return registry_.last_error(); }
    /// The node that questions go to: the active one, or the one that answers cached lookups.
    [[nodiscard]] const Address& registry_address() const {
        return registry_.up() || reader_ == nullptr ? registry_.address()
                                                    : reader_->link().address();
    }
    [[nodiscard]] const Address& address() const { return endpoint_->address(); }
    /// Where others reach its members.
    [[nodiscard]] Address advertised() const;
    [[nodiscard]] const AgentOptions& options() const { return options_; }
    [[nodiscard]] Incarnation incarnation() const { return incarnation_; }

    /// Takes all members out of the line, ends calls and closes. `done` is called after `limit` at
    /// the latest.
    void close(Duration limit, std::function<void()> done);

private:
    Agent(Runtime& runtime, Log& log, AgentOptions options, AgentObserver& observer,
          Incarnation incarnation);

    /// A question to the registry that has no answer yet.
    struct Question {
        wire::MessageType type;
        Buffer body;
        bool repeatable;  ///< It may be sent again, although it may have been carried out.
        Answered answered;
        std::unique_ptr<Timer> timer = nullptr;
        bool waiting = false;  ///< Until the registry can be reached.
    };
    using Key = std::pair<std::string, std::string>;

    [[nodiscard]] Result<void> check_new(const Key& key, Duration lease) const;
    [[nodiscard]] std::unique_ptr<Member> make_member(MemberOptions options,
                                                      MemberObserver& observer);
    void remove(const Key& key, std::function<void()> done);
    /// Calls `act` with the member of that name, of either kind, if it is still here.
    template <class Act>
    void with_member(const Key& key, Act act);
    void watch(std::uint64_t id);
    void families_changed(std::vector<std::string>& families);
    void put(std::uint64_t request, Question question, Duration timeout);
    void settle(std::uint64_t request, Result<wire::pb::Answer> answer);
    void registry_nodes_changed();
    void set_heartbeat();
    void closing_step();
    void finish_close();
    [[nodiscard]] wire::pb::Hello hello() const;

    // RegistryLink::Observer
    void registry_up(const wire::pb::Welcome& welcome) override;
    void registry_down(const Error& reason) override;
    void registry_heard(TimePoint sent) override;
    void registry_message(wire::MessageType type, Bytes body) override;
    void registry_beat() override;
    // Endpoint::Router
    Member* find_member(const std::string& family, const std::string& member) override;
    // RegistryPort
    std::optional<std::uint64_t> next_registration() override;
    void send(const wire::pb::Register& wanted) override;
    void send(const wire::pb::MemberReport& report) override;
    void send(const wire::pb::Drained& drained) override;

    Runtime& runtime_;
    Log& log_;
    const AgentOptions options_;
    AgentObserver& observer_;
    const Incarnation incarnation_;
    wire::Compressor compressor_;
    Directory directory_;
    RegistryLink registry_;
    std::unique_ptr<Endpoint> endpoint_;
    std::map<Key, std::unique_ptr<Member>> members_;
    std::map<Key, std::unique_ptr<JournaledMember>> journaled_;
    std::map<Key, std::unique_ptr<Member>> hosted_;
    std::set<Proxy*> proxies_;
    std::map<std::string, std::pair<std::uint64_t, std::size_t>> followed_;  ///< Watch id, users.
    std::map<std::uint64_t, Question> questions_;
    std::unique_ptr<Reader> reader_;  ///< Null until a cached lookup found no active node.
    LookedUp looked_up_;
    std::uint64_t request_last_ = 0;
    bool closing_ = false;
    std::size_t closing_left_ = 0;
    std::function<void()> closing_done_;
    std::unique_ptr<Timer> closing_timer_;
    std::unique_ptr<Timer> closing_first_;
};

}  // namespace understudy::client
