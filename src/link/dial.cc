#include "link/dial.h"

#include <utility>

namespace understudy::link {

Dial::Dial(Runtime& runtime, const Options& options, Hello hello, Done done)
    : runtime_(runtime),
      options_(options.link),
      hello_(std::move(hello)),
      done_(std::move(done)),
      attempt_(runtime.network().connect(options.address, options.tls, options.connect_timeout,
                                         [this](Result<std::unique_ptr<Connection>> made) {
                                             connected(std::move(made));
                                         })) {}

void Dial::connected(Result<std::unique_ptr<Connection>> made) {
    const auto attempt = std::move(attempt_);
    if (!made) return std::exchange(done_, nullptr)(std::move(made).error());
    said_hello_ = runtime_.now();
    link_ = std::make_unique<Link>(runtime_, *std::move(made), wire::Side::connecting, options_,
                                   static_cast<Link::Observer&>(*this));
    link_->hello(hello_());
}

void Dial::link_hello(Link&, Bytes) { US_ASSERT(false); }

void Dial::link_welcome(Link&, Bytes opaque) {
    std::exchange(done_, nullptr)(Welcomed{.link = std::move(link_), .opaque = opaque});
}

// A channel delivers messages only after the welcome, and from then on the owner observes the link.
void Dial::link_message(Link&, wire::MessageType, Bytes) { US_ASSERT(false); }

void Dial::link_drained(Link&) {}

void Dial::link_closed(Link&, const Error& reason) {
    const auto link = std::move(link_);
    std::exchange(done_, nullptr)(reason);
}

}  // namespace understudy::link
