#include "link/acceptor.h"

#include <utility>

namespace understudy::link {

Acceptor::Acceptor(Runtime& runtime, Log& log, Options options, Observer& observer)
    : runtime_(runtime),
      refusals_(runtime, log),
      options_(std::move(options)),
      observer_(observer) {}

Acceptor::~Acceptor() = default;

Acceptor::Row& Acceptor::add() {
    const LinkId id{++id_last_};
    spare_.insert(id);
    return rows_.try_emplace(id, *this, id).first->second;
}

Acceptor::Rows::node_type Acceptor::extract(LinkId id) {
    spare_.erase(id);
    return rows_.extract(id);
}

void Acceptor::accept(std::unique_ptr<Connection> connection) {
    const Done done = make_room();
    if (rows_.size() < options_.links_max) {
        Row& row = add();
        row.link = std::make_unique<Link>(runtime_, std::move(connection), wire::Side::accepting,
                                          options_.link, row);
    }
    if (done) done();
}

/// Honest peers say hello at once, so the oldest silent link is closed first.
Acceptor::Done Acceptor::make_room() {
    if (rows_.size() < options_.links_max) return {};
    ++turned_away_;
    if (spare_.empty()) return {};
    return std::move(extract(*spare_.begin()).mapped().done);
}

void Acceptor::hello(Row& row, Bytes opaque) {
    if (row.stage != Stage::silent) return;
    row.stage = Stage::waiting;
    spare_.erase(row.id);
    observer_.peer_hello(row.id, opaque);
}

void Acceptor::closed(LinkId id, const Error& reason) {
    const auto kept = extract(id);  // It must live until this callback of its own returns.
    const Row& row = kept.mapped();
    if (row.stage == Stage::ending) {
        if (row.done) row.done();
        return;
    }
    report(row, reason);
    if (row.stage != Stage::silent) observer_.peer_closed(id);
}

void Acceptor::report(const Row& row, const Error& reason) {
    if (blames_peer(reason)) refusals_.heard(options_.refused_event, row.link->peer(), reason);
}

Acceptor::Row* Acceptor::find_waiting(LinkId id) {
    const auto found = rows_.find(id);
    return found == rows_.end() || found->second.stage != Stage::waiting ? nullptr : &found->second;
}

Link* Acceptor::find(LinkId id) {
    const auto found = rows_.find(id);
    if (found == rows_.end()) return nullptr;
    const Stage stage = found->second.stage;
    const bool live = stage == Stage::waiting || stage == Stage::admitted;
    return live ? found->second.link.get() : nullptr;
}

Link* Acceptor::admit(LinkId id, Bytes welcome) {
    Row* row = find_waiting(id);
    if (row == nullptr) return nullptr;
    row->stage = Stage::admitted;
    row->link->welcome(welcome);
    return row->link.get();
}

std::unique_ptr<Link> Acceptor::release(LinkId id, Bytes welcome, Link::Observer& observer) {
    if (find_waiting(id) == nullptr) return nullptr;
    const auto kept = extract(id);
    auto link = std::move(kept.mapped().link);
    link->observe(observer);
    link->welcome(welcome);
    return link;
}

void Acceptor::send_away(LinkId id, Bytes welcome, const Error& reason) {
    Row* row = find_waiting(id);
    if (row == nullptr) return;
    row->link->welcome(welcome);
    end(*row, reason, {});
}

void Acceptor::refuse(LinkId id, const Error& reason) {
    Row* row = find_waiting(id);
    if (row == nullptr) return;
    Link& link = *row->link;
    link.refuse(reason);
    end(*row, reason, {});
}

void Acceptor::finish(LinkId id, const Error& reason, Done done) {
    const auto found = rows_.find(id);
    if (found != rows_.end() && found->second.stage != Stage::ending) {
        return end(found->second, reason, std::move(done));
    }
    if (done) runtime_.post(life_.guarded(std::move(done)));
}

void Acceptor::finish(std::unique_ptr<Link> link, const Error& reason, Done done) {
    Row& row = add();
    row.link = std::move(link);
    row.link->observe(row);
    end(row, reason, std::move(done));
}

void Acceptor::end(Row& row, const Error& reason, Done done) {
    report(row, reason);
    row.stage = Stage::ending;
    row.done = std::move(done);
    spare_.insert(row.id);
    row.link->finish(reason);
}

void Acceptor::cut(LinkId id) { (void)extract(id); }

void Acceptor::clear() {
    const Lifetime::Watch here = life_.watch();
    spare_.clear();
    const auto rows = std::exchange(rows_, {});
    for (const auto& [id, row] : rows) {
        if (row.done) row.done();
        if (here.ended()) return;
    }
}

}  // namespace understudy::link
