// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "oxia/client.pb.h"
#include "skerry/store/v1/store.pb.h"

namespace skerry::client {

namespace pb = io::oxia::proto::v1;
// Where its messages are named as Oxia's they have the same fields under the same numbers, so one message serves both services.
namespace v1 = skerry::store::v1;

using WriteReply = std::variant<v1::PutResponse, pb::DeleteResponse, pb::DeleteRangeResponse>;

// One write on its way to a shard. Held by its caller and by the queue or batch that it is in.
class WriteOperation {
 public:
  using Request = std::variant<v1::Put, pb::DeleteRequest, pb::DeleteRangeRequest>;

  explicit WriteOperation(Request operation_request);
  virtual ~WriteOperation() = default;
  // Ends the operation; only the first call counts.
  virtual void settle(Result<WriteReply> result) = 0;
  virtual bool settled() const = 0;

  bool has_sequence() const { return has_sequence_; }
  std::size_t bytes() const { return bytes_; }
  // Whether doing it twice is the same as doing it once, as far as its caller can be told: a put or delete without conditions.
  // Everything else whose connection broke after it was sent is reported as outcome_unknown.
  bool repeatable() const { return repeatable_; }
  // Whether Oxia's service has no words for it.
  bool needs_store_v1() const { return needs_store_v1_; }

  std::optional<std::uint32_t> hash;   // by which it finds its shard; nothing: it goes to all
  Request request;               // lent to the batch while the operation is in one
  bool sent = false;             // it was handed to a connection at least once
  bool maybe_applied = false;    // an earlier attempt was sent and never answered
  bool alone = false;            // under suspicion: it gets a batch of its own, and nothing else is in flight beside it

 private:
  std::size_t bytes_;
  bool has_sequence_, repeatable_, needs_store_v1_;
};
using WriteOperationPtr = std::shared_ptr<WriteOperation>;

struct BatchLimits {
  std::size_t operations_max;
  std::size_t bytes_max;
};

// Operations that travel in one message: the request that holds their parts, and whom to answer, kind by kind.
struct WriteBatch {
  v1::WriteRequest request;
  std::vector<WriteOperationPtr> puts, deletes, ranges;
  bool alone = false;   // holds an operation that must be
  TimePoint first_sent{};   // with a request id, in the same words ever since
  bool maybe_applied = false;   // an attempt at it was never answered
  bool has_id() const { return request.has_request_id(); }
  std::size_t size() const { return puts.size() + deletes.size() + ranges.size(); }
  void mark_sent();
  bool settled() const;   // nobody waits for any of it
  void trust_answer();   // with a request id it is that of the first time, so nothing happened before it
  // Of all its operations; nothing when one goes to all shards.
  std::optional<std::vector<std::uint32_t>> hashes() const;
  // Gives every operation its reply. Fails, having settled none, when the counts do not match: the server is not one.
  Result<> answer(v1::WriteResponse& response);
  // All operations in an order in which they may be sent again, their requests back in them.
  std::vector<WriteOperationPtr> take_back();
};

// The writes that wait for one shard, in the order in which they came. Pure.
// A server applies the puts of a request first, then deletes, then ranges; take() cuts a batch where that would change what
// the operations mean in their own order.
class WriteQueue {
 public:
  void push(WriteOperationPtr operation) { operations_.push_back(std::move(operation)); }
  // Before everything else, in the order given: what is to be sent again.
  void push_front(std::vector<WriteOperationPtr> operations);
  // The next batch: as many operations as the limits allow, at least one; settled ones are dropped. Empty when nothing waits.
  WriteBatch take(const BatchLimits& limits);
  std::vector<WriteOperationPtr> take_all();
  bool has_work();               // drops settled operations at the front
  bool next_is_alone() { return has_work() && operations_.front()->alone; }

 private:
  std::deque<WriteOperationPtr> operations_;
};

}  // namespace skerry::client
