#include "platform/network/resolver.h"

#include <deque>
#include <mutex>
#include <system_error>
#include <utility>

#include "platform/thread.h"

namespace understudy::platform {

// The state that the threads share with the resolver, and keep when it has gone.
struct Resolver::Line {
    struct Request {
        Address address;
        Done done;
    };

    void serve();

    std::mutex mutex;
    Loop* loop = nullptr;  // Null when the resolver has gone.
    std::deque<Request> waiting;
    std::size_t threads = 0;
};

void Resolver::Line::serve() {
    std::unique_lock lock(mutex);
    while (!waiting.empty()) {
        Request request = std::move(waiting.front());
        waiting.pop_front();
        lock.unlock();
        auto found = look_up(request.address);
        lock.lock();
        if (loop == nullptr) break;
        loop->post([done = std::move(request.done), result = std::move(found)]() mutable {
            done(std::move(result));
        });
    }
    --threads;
}

Resolver::Resolver(Loop& loop) : line_(std::make_shared<Line>()) {
    line_->loop = &loop;
}

Resolver::~Resolver() {
    std::deque<Line::Request> unserved;
    const std::lock_guard lock(line_->mutex);
    line_->loop = nullptr;
    unserved.swap(line_->waiting);
}

void Resolver::resolve(const Address& address, Done done) {
    const std::lock_guard lock(line_->mutex);
    line_->waiting.push_back({address, std::move(done)});
    if (line_->threads == threads_max) return;
    try {
        start_thread("us-resolver", [line = line_] { line->serve(); }).detach();
        ++line_->threads;
    } catch (const std::system_error&) {
        // No thread could be started. A running one will handle it, or the attempt times out.
    }
}

}  // namespace understudy::platform
