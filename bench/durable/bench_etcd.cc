// bench_etcd ADDRESS OUTSTANDING SIZE WARM_UP_MS MEASURED_MS SAMPLES_FILE
//
// The puts of etcd that our durable commands are compared with. Prints its puts per second and a
// checksum. Keys come from a set of 1,000, because users overwrite existing values.

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "bench/calls/closed_loop.h"
#include "bench/durable/etcd.grpc.pb.h"

namespace understudy::bench {

namespace {

using etcdserverpb::KV;
using etcdserverpb::PutRequest;
using etcdserverpb::PutResponse;

constexpr std::size_t keys = 1000;

struct Pending {
    TimePoint begun;
    std::unique_ptr<grpc::ClientContext> context;
    std::unique_ptr<grpc::ClientAsyncResponseReader<PutResponse>> reader;
    grpc::Status status;
    PutResponse response;
};

int run(char** arguments) {
    const auto number = [&](int which) { return std::strtoul(arguments[which], nullptr, 10); };
    const std::size_t outstanding = number(1);
    const std::size_t size = number(2);
    const Duration warm_up = std::chrono::milliseconds(number(3));
    const Duration measured = std::chrono::milliseconds(number(4));
    const auto channel = grpc::CreateChannel(arguments[0], grpc::InsecureChannelCredentials());
    if (!channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(20))) {
        return 1;
    }
    const auto stub = KV::NewStub(channel);
    grpc::CompletionQueue queue;
    Outstanding counted(warm_up, measured);
    std::vector<Pending> pending(outstanding);
    std::size_t put = 0;
    const auto begin = [&](Pending& one) {
        PutRequest request;
        request.set_key("key" + std::to_string(put++ % keys));
        request.set_value(std::string(size, 'x'));
        one.begun = now();
        one.context = std::make_unique<grpc::ClientContext>();
        one.reader = stub->AsyncPut(one.context.get(), request, &queue);
        one.reader->Finish(&one.response, &one.status, &one);
    };
    for (Pending& one : pending) begin(one);
    std::size_t live = outstanding;
    void* tag = nullptr;
    bool ok = false;
    while (live > 0 && queue.Next(&tag, &ok)) {
        auto& one = *static_cast<Pending*>(tag);
        if (counted.done(one.begun, ok && one.status.ok() ? size : 0)) {
            begin(one);
        } else {
            --live;
        }
    }
    return say_calls(counted.result(), arguments[5]);
}

}  // namespace

}  // namespace understudy::bench

int main(int count, char** arguments) {
    if (count == 7) return understudy::bench::run(arguments + 1);
    std::fputs("usage: bench_etcd ADDRESS OUTSTANDING SIZE WARM_UP_MS MEASURED_MS FILE\n", stderr);
    return 2;
}
