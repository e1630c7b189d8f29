// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "client/types.hpp"

namespace skerry::client {

// The client library for ordinary programs: plain functions that return when the work is done. Owns a thread with a core and
// the machine's network; any thread may call it, and calls from several threads share batches. What is retried and what the
// errors mean stands with Client.
//   auto client = BlockingClient::make({.addresses = {"localhost:6648"}});
//   if (auto put = (*client)->put("/colours/sky", "blue"); !put) std::cerr << put.error().message();
// The destructor closes the sessions, so that ephemeral records go, and joins the thread; calls must have returned by then.
class BlockingClient {
 public:
  static Result<std::unique_ptr<BlockingClient>> make(ClientOptions options);
  ~BlockingClient();

  Result<PutResult> put(std::string key, std::string value, PutOptions options = {});
  Result<Record> get(std::string key, GetOptions options = {});
  Result<> remove(std::string key, DeleteOptions options = {});
  Result<> remove_range(KeyRange range, DeleteOptions options = {});
  // All or nothing; a condition that fails is told in the result.
  Result<BatchResult> commit(AtomicBatch batch, BatchOptions options = {});

  // Starts a put and returns at once, or when there is room: at most pending_operations_max and pending_bytes_max are under way.
  // `done` runs on the client's thread: it must be quick and call nothing of this class. finish_puts() returns when all have
  // ended.
  void start_put(std::string key, std::string value, PutOptions options, std::function<void(Result<PutResult>)> done);
  void finish_puts();

  // Calls `visit`, in the caller's thread, for every key or record in key order until it returns false. Returns the page token
  // that takes the walk up again, when its limit has left something over; else "".
  Result<std::string> list(KeyRange range, RangeOptions options, std::function<bool(const std::string&)> visit);
  Result<std::string> scan(KeyRange range, RangeOptions options, std::function<bool(const Record&)> visit);

  // Calls `ready` once every shard is followed, then `visit` for every change, until it returns false or interrupt() is called.
  // `positions` is where to continue next time, as of the change just visited.
  using VisitChange = std::function<bool(const Change&, const Positions& positions)>;
  Result<> follow_changes(FollowOptions options, std::function<void()> ready, VisitChange visit);
  Result<> follow_sequence(std::string key, std::string partition_key, std::function<bool(const std::string&)> visit);

  // From any thread: every call under way, and every later one, fails with cancelled.
  void interrupt();
  // Why servers can't be reached just now, for people; "" when all is well.
  std::string trouble();

 private:
  struct Members;
  explicit BlockingClient(std::unique_ptr<Members> members);
  std::unique_ptr<Members> members_;
};

}   // namespace skerry::client
