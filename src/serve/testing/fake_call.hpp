// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <google/protobuf/message_lite.h>

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "rpc/methods.hpp"
#include "runtime/core.hpp"
#include "runtime/task_scope.hpp"

namespace skerry::serve::testing {

// One call of a registered method without a connection: requests are pushed, replies are kept as bytes. The client may be slow
// (credits) or go away (cancel). For tests; lives on the core that serves it.
class FakeCall final : public rpc::ServerCall, public rpc::MessageSource, public rpc::MessageSink {
 public:
  explicit FakeCall(Core& core) : scope_(core), pushed_(core), credited_(core) {}

  // --- the client
  rpc::Metadata headers;
  std::string authority_text = "store.example:6648";
  std::optional<std::size_t> credits;   // how many replies it takes; nothing: all
  std::vector<Bytes> replies;
  std::optional<rpc::Status> status;    // once the call has ended
  bool answers_at_once = false;         // as a connection's call: its first request may be answered before it is parsed

  void start(const rpc::Method& method) {
    method_ = method.name;
    running_ = scope_.spawn_with_handle(run(method));
  }
  void push(const google::protobuf::MessageLite& request) { push_bytes(request.SerializeAsString()); }
  void push_bytes(Bytes bytes) {
    requests_.push_back(std::move(bytes));
    pushed_.wake_all();
  }
  void half_close() {
    closed_ = true;
    pushed_.wake_all();
  }
  void take_replies(std::size_t count) {
    *credits += count;
    credited_.wake_all();
  }
  void cancel() { scope_.cancel(*running_); }
  bool ended() const { return scope_.size() == 0; }
  template <class Reply>
  Reply reply(std::size_t at) const {
    Reply message;
    message.ParseFromString(replies.at(at));
    return message;
  }

  // --- the server
  const rpc::Metadata& metadata() const override { return headers; }
  std::string_view method() const override { return method_; }
  std::string_view authority() const override { return authority_text; }
  Deadline deadline() const override { return no_deadline; }
  net::Address peer() const override { return {"127.0.0.1", 1}; }
  void add_trailer(std::string, std::string) override {}

  Task<Result<std::optional<BytesView>>> next() override {
    while (requests_.empty() && !closed_) co_await pushed_.wait();
    if (requests_.empty()) co_return std::nullopt;
    current_ = std::move(requests_.front());
    requests_.pop_front();
    co_return BytesView(current_);
  }
  std::optional<BytesView> peek() const override {
    return answers_at_once && !requests_.empty() ? std::optional(BytesView(requests_.front())) : std::nullopt;
  }
  void skip() override { requests_.pop_front(); }
  bool try_write_encoded(BytesView message) override {
    if (answers_at_once) replies.emplace_back(message);
    return answers_at_once;
  }
  Task<Result<>> write(const google::protobuf::MessageLite& message) override {
    while (credits && *credits == 0) co_await credited_.wait();
    if (credits) --*credits;
    replies.push_back(message.SerializeAsString());
    co_return Result<>{};
  }

 private:
  Task<> run(const rpc::Method& method) { status = co_await method.run(*this, *this, *this); }

  TaskScope scope_;
  std::optional<TaskScope::Handle> running_;
  WaitList pushed_, credited_;
  std::string method_;
  std::deque<Bytes> requests_;
  Bytes current_;
  bool closed_ = false;
};

}  // namespace skerry::serve::testing
