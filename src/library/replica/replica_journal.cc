#include "library/replica/replica_journal.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/errors.h"
#include "journal/local/local_journal.h"
#include "journal/shared/shared_journal.h"
#include "library/engine.h"
#include "library/options.h"
#include "node/shared_prompts.h"
#include "replicated/node/node.h"
#include "understudy/limits.h"

namespace understudy::library {

namespace {

constexpr std::uint64_t segment_bytes = 64 * MiB;

Error journal_closed() { return {.code = Errc::closed, .detail = "the journal is not open"}; }

journal::DirectoryWanted wanted(const ReplicaOptions& options, std::string directory,
                                journal::DirectoryUse use, journal::DirectoryForm form) {
    journal::DirectoryWanted wanted;
    wanted.directory = std::move(directory);
    wanted.identity = {.use = use, .form = form, .service = options.service};
    // Another member of a local journal is its only one by another name.
    if (form == journal::DirectoryForm::node) wanted.identity.node = options.member;
    wanted.segment_bytes = segment_bytes;
    wanted.group = replicated::directory_of(replicated::group_of(options.service));
    return wanted;
}

// A journal in a directory runs on nothing but that.
class InDirectory final : public ReplicaJournal {
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

// A journal in a directory that others mount too, who are told what is committed.
class InSharedDirectory final : public ReplicaJournal {
public:
    InSharedDirectory(Runtime& runtime, Log& log, const std::string& member,
                      const SharedDirectory& where, Electable electable,
                      journal::DirectoryWanted identity)
        : runtime_(runtime), log_(log) {
        using Election = journal::SharedJournal::Election;
        options_.directory = where.path;
        options_.member = member;
        // One that is granted is active only when somebody grants it: nobody does.
        options_.election =
            electable == Electable::yes ? Election::autonomous : Election::granted;
        options_.lease = where.lease;
        options_.segment_size_bytes = segment_bytes;
        options_.identities = {std::move(identity)};
        if (where.listen.empty()) return;
        prompts_ = std::make_unique<node::SharedPrompts>(
            runtime, log,
            node::SharedPrompts::Options{.listen = *parse_address(where.listen),
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
    std::unique_ptr<node::SharedPrompts> prompts_;
    journal::SharedJournal::Ear ear_;
};

// A journal on a node of its own: of one group, that of the service.
class OnNode final : public ReplicaJournal {
public:
    OnNode(Runtime& runtime, Log& log, const ReplicaOptions& options, Electable electable,
           const Purpose& purpose)
        : runtime_(runtime), log_(log), service_(options.service), member_(options.member),
          group_(std::get<ReplicatedGroup>(options.journal)), electable_(electable) {
        using journal::DirectoryForm;
        identities_.push_back(
            wanted(options, group_.directory, purpose.use, DirectoryForm::node));
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
        if (!node_) return done(journal_closed());
        node_->transfer(service_, member, std::move(done));
    }

    void close(std::function<void()> done) override {
        if (!node_) return done();
        node_->close(std::move(done));
    }

private:
    // First the node, then the journal on it.
    class Opening final : public journal::Opening {
    public:
        Opening(OnNode& on, journal::Observer& observer, journal::Opened opened) {
            node_ = replicated::Node::open(
                on.runtime_, on.log_, on.node_options(), engine(),
                [this, &on, &observer,
                 opened = std::move(opened)](Result<std::unique_ptr<replicated::Node>> node) {
                    if (!node) return opened(std::move(node).error());
                    on.node_ = *std::move(node);
                    journal_ = on.node_->open_journal(on.group_options(), observer, opened);
                });
        }

    private:
        std::unique_ptr<journal::Opening> node_;
        std::unique_ptr<journal::Opening> journal_;
    };

    [[nodiscard]] replicated::Node::Options node_options() const {
        replicated::Node::Options options;
        options.platform = "understudy";
        options.name = member_;
        options.family = service_;
        options.directory = group_.directory;
        options.identities = identities_;
        options.tls = to_options(group_.tls);
        for (const ReplicatedGroup::Node& node : group_.nodes) {
            const Address address = *parse_address(node.address);
            if (node.name == member_) {
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

    Runtime& runtime_;
    Log& log_;
    const std::string service_;
    const std::string member_;
    const ReplicatedGroup group_;
    const Electable electable_;
    std::vector<journal::DirectoryWanted> identities_;
    std::unique_ptr<replicated::Node> node_;
};

Result<void> check_group(const ReplicatedGroup& group, const std::string& member) {
    if (engine() == nullptr) {
        return bad_config("this build has no replicated journal (UNDERSTUDY_RAFT=OFF)");
    }
    if (group.directory.empty()) return bad_config("journal: the directory is missing");
    std::vector<std::string> names;
    for (const ReplicatedGroup::Node& node : group.nodes) {
        US_CHECK(check_identifier("node", node.name));
        const bool listens = node.name == member;
        auto address =
            check_listen(node.address, group.tls.has_value(), group.insecure || !listens);
        if (!address) return std::move(address).error();
        if (address->port == 0) return bad_config("nodes: " + node.name + " needs a port");
        names.push_back(node.name);
    }
    if (std::find(names.begin(), names.end(), member) == names.end()) {
        return bad_config("nodes: " + member + " is not among them");
    }
    std::sort(names.begin(), names.end());
    if (std::adjacent_find(names.begin(), names.end()) != names.end()) {
        return bad_config("nodes: a name is listed twice");
    }
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

void ReplicaJournal::take(Epoch, Done done) { done(journal_closed()); }
void ReplicaJournal::give(const std::string&, Done done) { done(journal_closed()); }

Result<void> ReplicaJournal::check(const ReplicaOptions& options) {
    US_CHECK(check_service_name(options.service));
    US_CHECK(check_member_name(options.member));
    if (const auto* group = std::get_if<ReplicatedGroup>(&options.journal)) {
        return check_group(*group, options.member);
    }
    const auto* local = std::get_if<LocalDirectory>(&options.journal);
    const auto* shared = std::get_if<SharedDirectory>(&options.journal);
    if ((local != nullptr ? local->path : shared->path).empty()) {
        return bad_config("journal: the directory is missing");
    }
    return shared != nullptr ? check_shared(*shared) : Result<void>();
}

std::unique_ptr<ReplicaJournal> ReplicaJournal::make(Runtime& runtime, Log& log,
                                                     const ReplicaOptions& options,
                                                     Electable electable, const Purpose& purpose) {
    using journal::DirectoryForm;
    if (const auto* local = std::get_if<LocalDirectory>(&options.journal)) {
        return std::make_unique<InDirectory>(open_local(
            runtime, log, wanted(options, local->path, purpose.use, DirectoryForm::alone)));
    }
    if (const auto* shared = std::get_if<SharedDirectory>(&options.journal)) {
        return std::make_unique<InSharedDirectory>(
            runtime, log, options.member, *shared, electable,
            wanted(options, shared->path, purpose.use, DirectoryForm::shared));
    }
    return std::make_unique<OnNode>(runtime, log, options, electable, purpose);
}

}  // namespace understudy::library
