#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/log.h"
#include "client/backoff.h"
#include "client/directory.h"
#include "client/endpoint.h"
#include "client/journaled.h"
#include "client/member.h"
#include "client/proxy.h"
#include "client/reader.h"
#include "client/registry_link.h"
#include "runtime/runtime.h"

namespace understudy::client {

/// What an agent's owner hears. All on the loop; must not destroy the agent.
class AgentObserver {
public:
    virtual ~AgentObserver() = default;
    virtual void registry_changed(bool available, const std::string& detail) = 0;
    /// A followed service may have changed; the directory says how.
    virtual void service_changed(const std::string& family) = 0;
};

struct AgentOptions {
    std::string name;
    std::string platform;  ///< Empty: whichever the registry serves.
    std::vector<Address> registry;
    Address listen{"127.0.0.1", 0};
    std::string advertise;  ///< Host told to others; empty: that of `listen`.
    std::optional<TlsOptions> tls;
    std::vector<wire::Compression> compressions;
    Duration heartbeat = 200ms;  ///< Without members; with them a sixth of the shortest lease.
    Duration ask_timeout = 10s;
};

/// The library inside an application: one connection to the registry, one port, any number of
/// members and proxies. Members of services with a journal have ports of their own. Binds their
/// machines to a Runtime.
///
/// Starts before its registry and goes on without it.
/// Thread: loop only.
class Agent final : private RegistryLink::Observer,
                    private Endpoint::Router,
                    private Member::Host,
                    private JournaledMember::Host {
public:
    using Answered = std::function<void(Result<wire::pb::Answer>)>;
    using Found = std::function<void(Result<wire::pb::LookupAnswer>)>;

    /// Errors: bad_config, in_use (none).
    [[nodiscard]] static Result<std::unique_ptr<Agent>> open(Runtime& runtime, Log& log,
                                                             AgentOptions options,
                                                             AgentObserver& observer);
    ~Agent() override;

    /// Errors: bad_config, limit_exceeded, already_exists (none): in this agent.
    [[nodiscard]] Result<Member*> create_member(MemberOptions options, MemberObserver& observer);
    /// Takes the member out of the line; `done` when the registry has confirmed, or at once when it
    /// is away. The member is destroyed before this returns.
    void remove_member(Member& member, std::function<void()> done);

    /// A member of a service whose journal says who is active. Errors: as create_member().
    [[nodiscard]] Result<JournaledMember*> create_journaled(JournaledOptions options,
                                                            JournaledObserver& observer);
    /// As remove_member().
    void remove_journaled(JournaledMember& member, std::function<void()> done);

    /// Errors: bad_config (none).
    [[nodiscard]] Result<std::unique_ptr<Proxy>> open_proxy(const std::string& family,
                                                            const std::string& member,
                                                            ProxyObserver& observer);
    /// To be called before the proxy is destroyed.
    void release_proxy(Proxy& proxy);

    /// Keeps the directory informed on `family` (empty: all) until unfollow().
    void follow(const std::string& family);
    void unfollow(const std::string& family);
    [[nodiscard]] const Directory& directory() const { return directory_; }

    /// Asks the registry; the request number is filled in. What may be asked twice, and what was
    /// not taken, is asked again where the registry has moved to. Errors: unavailable (none if it
    /// was not sent, unknown if the link broke), timed_out (unknown), and what the registry says.
    void ask(wire::pb::Ask ask, Duration timeout, Answered answered);

    /// The services of the platform as they are, or one of them (empty: all).
    ///
    /// Linearizable: by the active node of the registry, which sees all that was acknowledged
    /// before. Cached: by whichever node can be reached, with its revision and age; what one agent
    /// is told so never goes back. Errors: as ask(), cached: unavailable, timed_out (none).
    void look_up(const std::string& family, bool cached, Duration timeout, Found found);
    /// Asks the active node, or whichever can be reached: PlatformAsk, a cached LookupAsk.
    void ask_any(wire::pb::Ask ask, Duration timeout, Answered answered);

    [[nodiscard]] bool registry_up() const { return registry_.up(); }
    /// Why no registry serves; of several addresses, each one's reason.
    [[nodiscard]] Error registry_error() const { return registry_.last_error(); }
    /// Where questions go: of the node that serves, or of the one that answers meanwhile.
    [[nodiscard]] const Address& registry_address() const {
        return registry_.up() || reader_ == nullptr ? registry_.address()
                                                    : reader_->link().address();
    }
    [[nodiscard]] const Address& address() const { return endpoint_->address(); }
    [[nodiscard]] const AgentOptions& options() const { return options_; }
    [[nodiscard]] Incarnation incarnation() const { return incarnation_; }

    /// Takes all members out of the line, ends calls, closes; `done` at the latest after `limit`.
    void close(Duration limit, std::function<void()> done);

private:
    Agent(Runtime& runtime, Log& log, AgentOptions options, AgentObserver& observer,
          Incarnation incarnation);

    struct Local {
        std::unique_ptr<Member> member;
        std::uint64_t request = 0;  ///< Registration under way; 0: none.
        TimePoint sent;
        std::uint64_t registry_id = 0;  ///< That has it in line.
        bool refused = false;           ///< The registry's last word on it.
        Backoff backoff{200ms, 2s};     ///< Between refusals.
        std::unique_ptr<Timer> retry = nullptr;
    };
    /// Said to the registry, not answered yet.
    struct Question {
        wire::MessageType type;
        Buffer body;
        bool repeatable;  ///< May be asked again although it may have been carried out.
        Answered answered;
        std::unique_ptr<Timer> timer = nullptr;
        bool waiting = false;  ///< For the registry to be back.
    };
    using Key = std::pair<std::string, std::string>;

    [[nodiscard]] Result<void> check_new(const Key& key, Duration lease) const;
    void unregister(const Key& key, std::function<void()> done);
    void register_member(Local& local);
    void refused(Local& local, const Error& reason);
    void watch(std::uint64_t id);
    void families_changed(std::vector<std::string>& families);
    void put(std::uint64_t request, Question question, Duration timeout);
    void settle(std::uint64_t request, Result<wire::pb::Answer> answer);
    void registry_nodes_changed();
    void set_heartbeat();
    void closing_step();
    void finish_close();
    [[nodiscard]] Local* find(const std::string& family, const std::string& member);
    [[nodiscard]] JournaledMember* find_journaled(const std::string& family,
                                                  const std::string& member);
    [[nodiscard]] wire::pb::Hello hello() const;
    [[nodiscard]] Address advertised() const;

    // RegistryLink::Observer
    void registry_up(const wire::pb::Welcome& welcome) override;
    void registry_down(const Error& reason) override;
    void registry_heard(TimePoint sent) override;
    void registry_message(wire::MessageType type, Bytes body) override;
    void registry_beat() override;
    // Endpoint::Router
    Member* find_member(const std::string& family, const std::string& member) override;
    // Member::Host
    void member_drained(Member& member) override;
    wire::pb::ActiveHint active_hint(const std::string& family) override;
    void member_heard_epoch(Member& member, Epoch epoch) override;
    // JournaledMember::Host
    std::optional<std::uint64_t> next_registration() override;
    void send_register(const wire::pb::Register& wanted) override;
    void send_report(const wire::pb::MemberReport& report) override;
    void send_drained(const wire::pb::Drained& drained) override;

    Runtime& runtime_;
    Log& log_;
    const AgentOptions options_;
    AgentObserver& observer_;
    const Incarnation incarnation_;
    wire::Compressor compressor_;
    Directory directory_;
    RegistryLink registry_;
    std::unique_ptr<Endpoint> endpoint_;
    std::map<Key, Local> locals_;
    std::map<Key, std::unique_ptr<JournaledMember>> journaled_;
    std::set<Proxy*> proxies_;
    std::map<std::string, std::pair<std::uint64_t, std::size_t>> followed_;  ///< watch id, users
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
