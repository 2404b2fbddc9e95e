// bench_grpc serve sync|async
// bench_grpc call ADDRESS OUTSTANDING SIZE WARM_UP_MS MEASURED_MS SAMPLES_FILE
// bench_grpc stream ADDRESS one_way|echo SIZE WARM_UP_MS MEASURED_MS SAMPLES_FILE
//
// The gRPC echo that our calls are compared with, in separate processes. `serve` prints "ready
// PORT" and ends with its standard input. `call` and `stream` (which needs `serve sync`) print
// their calls per second and a checksum.

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <unistd.h>

#include <grpcpp/grpcpp.h>

#include "bench/calls/closed_loop.h"
#include "bench/calls/echo.grpc.pb.h"

namespace understudy::bench {

namespace {

constexpr std::size_t calls_armed = 128;  // In the async server; more than are outstanding.
constexpr std::size_t stream_window = 1000;  // Echoes of a stream that are outstanding.

class SyncEcho final : public Echo::Service {
    grpc::Status Call(grpc::ServerContext*, const Data* request, Data* response) override {
        response->set_data(request->data());
        return grpc::Status::OK;
    }
    grpc::Status Exchange(grpc::ServerContext*,
                          grpc::ServerReaderWriter<Data, Data>* stream) override {
        Data data;
        while (stream->Read(&data)) stream->Write(data);
        return grpc::Status::OK;
    }
    grpc::Status Take(grpc::ServerContext*, grpc::ServerReader<Data>* stream,
                      Data* response) override {
        Data data;
        std::uint64_t count = 0;
        while (stream->Read(&data)) ++count;
        response->set_data(std::to_string(count));
        return grpc::Status::OK;
    }
};

/// One call of the async server: it waits for a call, answers it, and then waits for the next.
class AsyncCall {
public:
    AsyncCall(Echo::AsyncService& service, grpc::ServerCompletionQueue& queue)
        : service_(service), queue_(queue) {
        wait();
    }

    void go_on() {
        if (answered_) return wait();
        answered_ = true;
        Data response;
        response.set_data(request_.data());
        responder_->Finish(response, grpc::Status::OK, this);
    }

private:
    void wait() {
        answered_ = false;
        context_ = std::make_unique<grpc::ServerContext>();
        responder_ = std::make_unique<grpc::ServerAsyncResponseWriter<Data>>(context_.get());
        service_.RequestCall(context_.get(), &request_, responder_.get(), &queue_, &queue_, this);
    }

    Echo::AsyncService& service_;
    grpc::ServerCompletionQueue& queue_;
    std::unique_ptr<grpc::ServerContext> context_;
    std::unique_ptr<grpc::ServerAsyncResponseWriter<Data>> responder_;
    Data request_;
    bool answered_ = false;
};

void wait_for_end_of_input() {
    char byte;
    while (::read(STDIN_FILENO, &byte, 1) > 0) {
    }
}

int serve(std::string_view kind) {
    SyncEcho sync;
    Echo::AsyncService async;
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    std::unique_ptr<grpc::ServerCompletionQueue> queue;
    if (kind == "async") {
        builder.RegisterService(&async);
        queue = builder.AddCompletionQueue();
    } else {
        builder.RegisterService(&sync);
    }
    const auto server = builder.BuildAndStart();
    if (!server) return 1;
    std::printf("ready %d\n", port);
    std::fflush(stdout);
    if (!queue) {
        wait_for_end_of_input();
        std::_Exit(0);
    }
    std::thread([] {
        wait_for_end_of_input();
        std::_Exit(0);  // An orderly end would have to end each waiting call.
    }).detach();
    std::vector<std::unique_ptr<AsyncCall>> calls;
    for (std::size_t i = 0; i < calls_armed; ++i) {
        calls.push_back(std::make_unique<AsyncCall>(async, *queue));
    }
    void* tag = nullptr;
    bool ok = false;
    while (queue->Next(&tag, &ok)) {
        if (ok) static_cast<AsyncCall*>(tag)->go_on();
    }
    return 0;
}

struct Spans {
    Duration warm_up;
    Duration measured;
};

Calls call_in_turn(Echo::Stub& stub, const Data& request, const Spans& spans) {
    Data response;
    return one_at_a_time(spans.warm_up, spans.measured, [&]() -> std::size_t {
        grpc::ClientContext context;
        return stub.Call(&context, request, &response).ok() ? response.data().size() : 0;
    });
}

struct Pending {
    TimePoint begun;
    std::unique_ptr<grpc::ClientContext> context;
    std::unique_ptr<grpc::ClientAsyncResponseReader<Data>> reader;
    grpc::Status status;
    Data response;
};

Calls call_many(Echo::Stub& stub, const Data& request, std::size_t outstanding,
                const Spans& spans) {
    grpc::CompletionQueue queue;
    Outstanding counted(spans.warm_up, spans.measured);
    std::vector<Pending> pending(outstanding);
    const auto begin = [&](Pending& one) {
        one.begun = now();
        one.context = std::make_unique<grpc::ClientContext>();
        one.reader = stub.AsyncCall(one.context.get(), request, &queue);
        one.reader->Finish(&one.response, &one.status, &one);
    };
    for (Pending& one : pending) begin(one);
    std::size_t live = outstanding;
    void* tag = nullptr;
    bool ok = false;
    while (live > 0 && queue.Next(&tag, &ok)) {
        auto& one = *static_cast<Pending*>(tag);
        const bool answered = ok && one.status.ok();
        if (counted.done(one.begun, answered ? one.response.data().size() : 0)) {
            begin(one);
        } else {
            --live;
        }
    }
    return counted.result();
}

/// Writes as fast as the stream takes the messages. The server must have received all of them.
Calls write_stream(Echo::Stub& stub, const Data& request, const Spans& spans) {
    grpc::ClientContext context;
    Data response;
    const auto writer = stub.Take(&context, &response);
    const TimePoint start = now() + spans.warm_up;
    const TimePoint end = start + spans.measured;
    std::uint64_t before = 0;
    std::uint64_t written = 0;
    for (TimePoint at = now(); at < end; at = now()) {
        if (at < start) before = written + 1;
        if (!writer->Write(request, grpc::WriteOptions().set_buffer_hint())) return {};
        ++written;
    }
    Calls calls;
    calls.per_second = static_cast<double>(written - before) / in_seconds(spans.measured);
    writer->WritesDone();
    if (!writer->Finish().ok() || response.data() != std::to_string(written)) return {};
    calls.checksum = written;
    return calls;
}

Calls exchange_stream(Echo::Stub& stub, const Data& request, const Spans& spans) {
    grpc::ClientContext context;
    const auto stream = stub.Exchange(&context);
    Outstanding counted(spans.warm_up, spans.measured);
    std::vector<TimePoint> begun(stream_window);  // A place is read before it is written again.
    std::atomic<std::uint64_t> answered{0};
    std::thread reader([&] {
        Data response;
        for (std::uint64_t i = 0; stream->Read(&response); ++i) {
            (void)counted.done(begun[i % stream_window], response.data().size());
            answered.store(i + 1);
            answered.notify_one();
        }
    });
    const TimePoint end = now() + spans.warm_up + spans.measured;
    for (std::uint64_t i = 0; now() < end; ++i) {
        for (std::uint64_t had = answered.load(); i - had >= stream_window; had = answered.load()) {
            answered.wait(had);
        }
        begun[i % stream_window] = now();
        if (!stream->Write(request)) break;
    }
    stream->WritesDone();
    reader.join();
    if (!stream->Finish().ok()) return {};
    return counted.result();
}

int stream(char** arguments) {
    const auto number = [&](int which) { return std::strtoul(arguments[which], nullptr, 10); };
    const Spans spans{.warm_up = std::chrono::milliseconds(number(3)),
                      .measured = std::chrono::milliseconds(number(4))};
    Data request;
    request.set_data(std::string(number(2), 'x'));
    const auto stub =
        Echo::NewStub(grpc::CreateChannel(arguments[0], grpc::InsecureChannelCredentials()));
    const Calls calls = std::string_view(arguments[1]) == "echo"
                            ? exchange_stream(*stub, request, spans)
                            : write_stream(*stub, request, spans);
    return say_calls(calls, arguments[5]);
}

int call(char** arguments) {
    const auto number = [&](int which) { return std::strtoul(arguments[which], nullptr, 10); };
    const std::size_t outstanding = number(1);
    const Spans spans{.warm_up = std::chrono::milliseconds(number(3)),
                      .measured = std::chrono::milliseconds(number(4))};
    Data request;
    request.set_data(std::string(number(2), 'x'));
    const auto stub =
        Echo::NewStub(grpc::CreateChannel(arguments[0], grpc::InsecureChannelCredentials()));
    const Calls calls = outstanding == 1 ? call_in_turn(*stub, request, spans)
                                         : call_many(*stub, request, outstanding, spans);
    return say_calls(calls, arguments[5]);
}

}  // namespace

}  // namespace understudy::bench

int main(int count, char** arguments) {
    const std::string_view verb = count > 1 ? arguments[1] : "";
    if (verb == "serve" && count == 3) return understudy::bench::serve(arguments[2]);
    if (verb == "call" && count == 8) return understudy::bench::call(arguments + 2);
    if (verb == "stream" && count == 8) return understudy::bench::stream(arguments + 2);
    std::fputs(
        "usage: bench_grpc serve sync|async\n"
        "       bench_grpc call ADDRESS OUTSTANDING SIZE WARM_UP_MS MEASURED_MS FILE\n"
        "       bench_grpc stream ADDRESS one_way|echo SIZE WARM_UP_MS MEASURED_MS FILE\n",
        stderr);
    return 2;
}
