#include "hosting/journal_choice.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/errors.h"
#include "hosting/options.h"
#include "hosting/shared_prompts.h"
#include "journal/local/local_journal.h"
#include "journal/shared/shared_journal.h"
#include "replicated/node/node.h"
#include "understudy/limits.h"

namespace understudy::hosting {

namespace {

constexpr std::uint64_t segment_bytes = 64 * MiB;

Error journal_closed() { return {.code = Errc::closed, .detail = "the journal is not open"}; }

journal::DirectoryWanted wanted(const ReplicaOptions& options, std::string directory,
                                journal::DirectoryUse use, journal::DirectoryForm form) {
    journal::DirectoryWanted wanted;
    wanted.directory = std::move(directory);
    wanted.identity = {.use = use, .form = form, .service = options.service};
    wanted.segment_bytes = segment_bytes;
    wanted.group = replicated::directory_of(replicated::group_of(options.service));
    return wanted;
}

// A journal in a directory needs nothing else to run.
class InDirectory final : public JournalChoice {
public:
    explicit InDirectory(journal::Open open) : open_(std::move(open)) {}
    journal::Open open() override { return open_; }
    void close(std::function<void()> done) override { done(); }

private:
    const journal::Open open_;
};

journal::Open open_local(Runtime& runtime, Log& log, journal::DirectoryWanted where) {
    return [&runtime, &log, where = std::move(where)](journal::Observer& observer,
                                                      journal::Opened opened) {
        return journal::LocalJournal::open(runtime, log,
                                           {.directory = where.directory,
                                            .segment_size_bytes = segment_bytes,
                                            .identities = {where}},
                                           observer, std::move(opened));
    };
}

// A journal in a directory that other members mount too. If it has an address to listen on, it
// tells them what is committed.
class InSharedDirectory final : public JournalChoice {
public:
    InSharedDirectory(Runtime& runtime, Log& log, const std::string& member,
                      const SharedDirectory& where, Electable electable,
                      journal::DirectoryWanted identity)
        : runtime_(runtime), log_(log) {
        using Election = journal::SharedJournal::Election;
        options_.directory = where.path;
        options_.member = member;
        // Election::granted needs a grant, which never comes: the member stays a standby.
        options_.election =
            electable == Electable::yes ? Election::autonomous : Election::granted;
        options_.lease = where.lease;
        options_.segment_size_bytes = segment_bytes;
        options_.identities = {std::move(identity)};
        if (where.listen.empty()) return;
        prompts_ = std::make_unique<SharedPrompts>(
            runtime, log,
            SharedPrompts::Options{.listen = *parse_address(where.listen),
                                   .tls = to_options(where.tls)});
    }

    journal::Open open() override {
        const auto made = [this](journal::SharedJournal& journal) { ear_ = journal.ear(); };
        if (prompts_) return prompts_->opener(options_, made);
        return journal::SharedJournal::opener(runtime_, log_, options_, made);
    }
    [[nodiscard]] Handover handover() const override { return Handover::taken; }
    void take(Epoch above, Done done) override {
        ear_.take_over(above.next(), [done = std::move(done)](const Result<Epoch>& taken) {
            done(taken ? Result<void>() : taken.error());
        });
    }
    void close(std::function<void()> done) override { done(); }

private:
    Runtime& runtime_;
    Log& log_;
    journal::SharedJournal::Options options_;
    std::unique_ptr<SharedPrompts> prompts_;
    journal::SharedJournal::Ear ear_;
};

/// If a group does not share its node, the node has the name of the member.
[[nodiscard]] std::string node_of(const ReplicatedGroup& group, const std::string& member) {
    return group.node.empty() ? member : group.node;
}

[[nodiscard]] std::string member_of(const ReplicatedGroup::Node& node) {
    return node.member.empty() ? node.name : node.member;
}

// Translates the standings of a replicated journal, which name nodes, into names of members.
class NamingMembers final : public journal::Observer {
public:
    NamingMembers(journal::Observer& observer, const std::map<std::string, std::string>& members)
        : observer_(observer), members_(members) {}

    Result<void> restore(const journal::StateSlice& slice) override {
        return observer_.restore(slice);
    }
    void committed(const journal::Entry& entry) override { observer_.committed(entry); }
    void standing_changed(const journal::Standing& standing) override {
        journal::Standing named = standing;
        const auto found = members_.find(standing.active);
        if (found != members_.end()) named.active = found->second;
        observer_.standing_changed(named);
    }
    void space_changed(journal::Space space) override { observer_.space_changed(space); }
    void failed(const Error& error) override { observer_.failed(error); }

private:
    journal::Observer& observer_;
    const std::map<std::string, std::string>& members_;
};

// A journal on a replicated node of this process. It is the group of the service.
class OnNode final : public JournalChoice {
public:
    OnNode(const World& world, const ReplicaOptions& options, Electable electable,
           const Purpose& purpose)
        : world_(world),
          service_(options.service),
          group_(std::get<ReplicatedGroup>(options.journal)),
          name_(node_of(group_, options.member)),
          electable_(electable) {
        using journal::DirectoryForm;
        journal::DirectoryWanted node =
            wanted(options, group_.directory, purpose.use, DirectoryForm::node);
        node.identity.node = name_;
        if (!group_.node.empty()) {
            node.identity.service = journal::several_services;
            node.group.clear();
        }
        identities_.push_back(std::move(node));
        for (const ReplicatedGroup::Node& each : group_.nodes) {
            members_[each.name] = each.name == name_ ? options.member : member_of(each);
        }
        if (purpose.copies_in.empty()) return;
        identities_.push_back(
            wanted(options, purpose.copies_in, purpose.use, DirectoryForm::copies));
    }

    journal::Open open() override {
        return [this](journal::Observer& observer, journal::Opened opened) {
            return std::make_unique<Opening>(*this, observer, std::move(opened));
        };
    }

    [[nodiscard]] Handover handover() const override { return Handover::given; }
    void give(const std::string& member, Done done) override {
        if (node_ == nullptr) return done(journal_closed());
        const auto found = std::find_if(members_.begin(), members_.end(),
                                        [&](const auto& each) { return each.second == member; });
        node_->transfer(service_, found == members_.end() ? member : found->first, std::move(done));
    }

    void close(std::function<void()> done) override {
        if (!std::exchange(entered_, false)) return done();
        node_ = nullptr;
        world_.nodes.leave(group_.directory, std::move(done));
    }

private:
    // Opens the node, then the journal on it.
    class Opening final : public journal::Opening {
    public:
        Opening(OnNode& on, journal::Observer& observer, journal::Opened opened) {
            on.entered_ = true;
            on.naming_.emplace(observer, on.members_);
            node_ = on.world_.nodes.enter(
                on.world_.runtime, on.node_options(), on.world_.engine,
                [this, &on, opened = std::move(opened)](Result<replicated::Node*> node) {
                    if (!node) return opened(std::move(node).error());
                    on.node_ = *node;
                    journal_ = on.node_->open_journal(on.group_options(), *on.naming_, opened);
                });
        }

    private:
        std::unique_ptr<journal::Opening> node_;
        std::unique_ptr<journal::Opening> journal_;
    };

    [[nodiscard]] replicated::Node::Options node_options() const {
        replicated::Node::Options options;
        options.platform = "understudy";
        options.name = name_;
        // If several services share a node, its certificate names the node and not a service.
        if (group_.node.empty()) options.family = service_;
        options.directory = group_.directory;
        options.identities = identities_;
        options.tls = to_options(group_.tls);
        for (const ReplicatedGroup::Node& node : group_.nodes) {
            const Address address = *parse_address(node.address);
            if (node.name == name_) {
                options.listen = address;
            } else {
                options.peers.push_back({.name = node.name, .address = address});
            }
        }
        return options;
    }

    [[nodiscard]] replicated::GroupOptions group_options() const {
        replicated::GroupOptions options;
        options.service = service_;
        options.electable = electable_ == Electable::yes;
        for (const ReplicatedGroup::Node& node : group_.nodes) {
            options.founders.push_back(
                {.name = node.name, .address = *parse_address(node.address)});
        }
        return options;
    }

    const World world_;
    const std::string service_;
    const ReplicatedGroup group_;
    const std::string name_;  ///< Of the node.
    const Electable electable_;
    std::map<std::string, std::string> members_;  ///< Of the service, by node.
    std::vector<journal::DirectoryWanted> identities_;
    std::optional<NamingMembers> naming_;
    bool entered_ = false;
    replicated::Node* node_ = nullptr;
};

Result<void> check_group(const ReplicatedGroup& group, const std::string& member,
                         const consensus::MakeCore& engine) {
    if (engine == nullptr) {
        return bad_config("this build has no replicated journal (UNDERSTUDY_RAFT=OFF)");
    }
    if (group.directory.empty()) return bad_config("journal: the directory is missing");
    const std::string own = node_of(group, member);
    std::set<std::string> names;
    std::set<std::string> members;
    for (const ReplicatedGroup::Node& node : group.nodes) {
        US_CHECK(check_identifier("node", node.name));
        const bool listens = node.name == own;
        auto address =
            check_listen(node.address, group.tls.has_value(), group.insecure || !listens);
        if (!address) return std::move(address).error();
        if (address->port == 0) return bad_config("nodes: " + node.name + " needs a port");
        if (!names.insert(node.name).second) return bad_config("nodes: a name is listed twice");
        const std::string its = listens ? member : member_of(node);
        US_CHECK(check_member_name(its));
        if (!members.insert(its).second) {
            return bad_config("nodes: member " + its + " is on two of them");
        }
    }
    if (!names.contains(own)) return bad_config("nodes: " + own + " is not among them");
    return {};
}

Result<void> check_shared(const SharedDirectory& shared) {
    if (shared.lease < 100ms) return bad_config("journal: the lease must be at least 100 ms");
    if (shared.listen.empty()) return {};
    const auto address = check_listen(shared.listen, shared.tls.has_value(), false);
    if (!address) return address.error();
    if (address->host == "0.0.0.0" || address->host == "::") {
        return bad_config(
            "journal: listen needs an address to which the other members can connect");
    }
    return {};
}

}  // namespace

void JournalChoice::take(Epoch, Done done) { done(journal_closed()); }
void JournalChoice::give(const std::string&, Done done) { done(journal_closed()); }

Result<void> JournalChoice::check(const ReplicaOptions& options,
                                  const consensus::MakeCore& engine) {
    US_CHECK(check_service_name(options.service));
    US_CHECK(check_member_name(options.member));
    if (const auto* group = std::get_if<ReplicatedGroup>(&options.journal)) {
        return check_group(*group, options.member, engine);
    }
    const auto* local = std::get_if<LocalDirectory>(&options.journal);
    const auto* shared = std::get_if<SharedDirectory>(&options.journal);
    if ((local != nullptr ? local->path : shared->path).empty()) {
        return bad_config("journal: the directory is missing");
    }
    return shared != nullptr ? check_shared(*shared) : Result<void>();
}

std::unique_ptr<JournalChoice> JournalChoice::make(const World& world,
                                                   const ReplicaOptions& options,
                                                   Electable electable, const Purpose& purpose) {
    using journal::DirectoryForm;
    if (const auto* local = std::get_if<LocalDirectory>(&options.journal)) {
        return std::make_unique<InDirectory>(
            open_local(world.runtime, world.log,
                       wanted(options, local->path, purpose.use, DirectoryForm::alone)));
    }
    if (const auto* shared = std::get_if<SharedDirectory>(&options.journal)) {
        return std::make_unique<InSharedDirectory>(
            world.runtime, world.log, options.member, *shared, electable,
            wanted(options, shared->path, purpose.use, DirectoryForm::shared));
    }
    return std::make_unique<OnNode>(world, options, electable, purpose);
}

}  // namespace understudy::hosting
