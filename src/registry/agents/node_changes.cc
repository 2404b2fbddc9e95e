#include "registry/agents/node_changes.h"

#include <utility>

#include "base/errors.h"
#include "understudy/limits.h"

namespace understudy::registry {

namespace pb = wire::pb;

namespace {

[[nodiscard]] const std::string& node_of(const pb::NodesAsk& ask) {
    return ask.has_add()      ? ask.add().name()
           : ask.has_remove() ? ask.remove().name()
                              : ask.transfer().to();
}

/// Errors: bad_config (none).
[[nodiscard]] Result<void> check_nodes(const pb::NodesAsk& ask) {
    if (ask.what_case() == pb::NodesAsk::WHAT_NOT_SET) return bad_config("a change unknown here");
    const std::string& name = node_of(ask);
    if (!ask.has_transfer() || !name.empty()) US_CHECK(check_identifier("registry node", name));
    if (ask.has_add() && (ask.add().endpoint().host().empty() || ask.add().endpoint().port() == 0 ||
                          ask.add().endpoint().port() > 65'535)) {
        return bad_config("a node's address has a host and a port");
    }
    return {};
}

}  // namespace

void NodeChanges::set_nodes(Turn& turn, std::vector<Node> nodes) {
    if (nodes == nodes_) return;
    nodes_ = std::move(nodes);
    pb::RegistryNodes message;
    tell_nodes(nodes_, message);
    for (const auto& [id, session] : sessions_.all()) {
        turn.send(id, wire::MessageType::registry_nodes, message);
    }
}

Result<void> NodeChanges::ask(Turn& turn, SessionId session, std::uint64_t request,
                              const pb::NodesAsk& ask) {
    if (nodes_.empty()) {
        return Error{.code = Errc::refused,
                     .detail = "this registry runs alone, on a journal of its own"};
    }
    US_CHECK(check_nodes(ask));
    const std::string& name = node_of(ask);
    if (ask.has_transfer() && name == node_) {
        turn.succeed(session, request);  // It may be asked again after it was done.
        return {};
    }
    if (questions_.size() >= changes_max) {
        return Error{.code = Errc::limit_exceeded, .detail = "other changes are under way"};
    }
    questions_.emplace(++token_last_, Question{.session = session,
                                               .request = request,
                                               .ends_tenure = ask.has_transfer() && name.empty()});
    turn.out.push_back(ChangeNodes{token_last_, ask});
    return {};
}

void NodeChanges::changed(Turn& turn, std::uint64_t token, const Result<void>& result) {
    const auto row = questions_.extract(token);
    US_ASSERT(!row.empty());
    const Question& question = row.mapped();
    if (!result) return turn.fail(question.session, question.request, result.error());
    turn.succeed(question.session, question.request);
}

void NodeChanges::retire(Turn& turn, const Error& over) const {
    for (const auto& [token, question] : questions_) {
        if (question.ends_tenure) {
            turn.succeed(question.session, question.request);
        } else {
            turn.fail(question.session, question.request, over);
        }
    }
}

}  // namespace understudy::registry
