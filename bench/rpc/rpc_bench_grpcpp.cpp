// SPDX-License-Identifier: Apache-2.0
// The lookup of bench.proto on grpc++'s completion queue, one thread, as its performance guide advises: many calls posted
// in advance and used again, messages on an arena, no deadline or compression work. `rpc_bench_grpcpp HOST:PORT`.
#include <google/protobuf/arena.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/resource_quota.h>

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench.grpc.pb.h"

namespace {

using skerry::bench::GetReply;
using skerry::bench::GetRequest;

// One call after another in the same place.
class Slot {
 public:
  Slot(skerry::bench::Store::AsyncService& service, grpc::ServerCompletionQueue& queue) : service_(service), queue_(queue) {
    post();
  }
  void proceed(bool ok) {
    if (!ok && !answering_) return;   // the queue is shutting down
    if (answering_) {
      post();
    } else {
      answer();
    }
  }

 private:
  void post() {
    answering_ = false;
    writer_.reset();
    context_.emplace();
    writer_.emplace(&*context_);
    request_.Clear();
    service_.RequestGet(&*context_, &request_, &*writer_, &queue_, &queue_, this);
  }
  void answer() {
    answering_ = true;
    reply_.set_value(std::string(128, request_.key().empty() ? '-' : request_.key().front()));
    writer_->Finish(reply_, grpc::Status::OK, this);
  }

  skerry::bench::Store::AsyncService& service_;
  grpc::ServerCompletionQueue& queue_;
  std::optional<grpc::ServerContext> context_;
  std::optional<grpc::ServerAsyncResponseWriter<GetReply>> writer_;
  GetRequest request_;
  GetReply reply_;
  bool answering_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  const std::string address = argc > 1 ? argv[1] : "127.0.0.1:16702";
  skerry::bench::Store::AsyncService service;
  grpc::ServerBuilder builder;
  grpc::ResourceQuota quota;
  quota.SetMaxThreads(2);
  builder.SetResourceQuota(quota);
  builder.AddListeningPort(address, grpc::InsecureServerCredentials());
  builder.RegisterService(&service);
  const auto queue = builder.AddCompletionQueue();
  const auto server = builder.BuildAndStart();
  if (server == nullptr) return std::fprintf(stderr, "cannot listen on %s\n", address.c_str()), 1;
  std::printf("listening on %s\n", address.c_str());
  std::fflush(stdout);
  constexpr std::size_t slot_count = 256;
  std::vector<std::unique_ptr<Slot>> slots;
  slots.reserve(slot_count);
  while (slots.size() < slot_count) slots.push_back(std::make_unique<Slot>(service, *queue));
  void* tag = nullptr;
  bool ok = false;
  while (queue->Next(&tag, &ok)) static_cast<Slot*>(tag)->proceed(ok);
}
