// SPDX-License-Identifier: Apache-2.0
#include "client/write_queue.hpp"

#include <fmt/format.h>

#include <string_view>
#include <unordered_set>

namespace skerry::client {
namespace {

// What a batch holds so far, as far as it limits what may follow in it.
class Shape {
 public:
  bool admits(const WriteOperation& next) const {
    if (has_range_) return std::holds_alternative<pb::DeleteRangeRequest>(next.request);
    const auto* put = std::get_if<v1::Put>(&next.request);
    if (put == nullptr) return true;
    // A sequence counts on from the greatest key there is, so every delete before it matters.
    return next.has_sequence() ? deleted_.empty() : !deleted_.contains(put->key());
  }
  void add(const WriteOperation& operation) {
    if (const auto* one = std::get_if<pb::DeleteRequest>(&operation.request)) deleted_.insert(one->key());
    if (std::holds_alternative<pb::DeleteRangeRequest>(operation.request)) has_range_ = true;
  }

 private:
  bool has_range_ = false;
  std::unordered_set<std::string> deleted_;   // own copies: the requests move into the batch
};

void move_into(WriteBatch& batch, WriteOperationPtr operation) {
  if (auto* put = std::get_if<v1::Put>(&operation->request)) {
    batch.request.add_puts()->Swap(put);
    batch.puts.push_back(std::move(operation));
  } else if (auto* one = std::get_if<pb::DeleteRequest>(&operation->request)) {
    batch.request.add_deletes()->Swap(one);
    batch.deletes.push_back(std::move(operation));
  } else {
    batch.request.add_delete_ranges()->Swap(&std::get<pb::DeleteRangeRequest>(operation->request));
    batch.ranges.push_back(std::move(operation));
  }
}

template <class Request, class Parts>
void move_back(std::vector<WriteOperationPtr>& from, Parts& parts, std::vector<WriteOperationPtr>& into) {
  for (std::size_t i = 0; i < from.size(); ++i) {
    std::get<Request>(from[i]->request).Swap(parts.Mutable(static_cast<int>(i)));
    into.push_back(std::move(from[i]));
  }
  from.clear();
}

template <class Replies>
void settle_all(std::vector<WriteOperationPtr>& operations, Replies& replies) {
  for (std::size_t i = 0; i < operations.size(); ++i) {
    operations[i]->settle(WriteReply(std::move(*replies.Mutable(static_cast<int>(i)))));
  }
}

bool is_sequence(const WriteOperation::Request& request) {
  const auto* put = std::get_if<v1::Put>(&request);
  return put != nullptr && put->sequence_key_delta_size() > 0;
}

bool is_conditional(const WriteOperation::Request& request) {
  if (const auto* put = std::get_if<v1::Put>(&request)) return put->has_expected_version_id();
  const auto* one = std::get_if<pb::DeleteRequest>(&request);
  return one != nullptr && one->has_expected_version_id();
}

bool has_expiry(const WriteOperation::Request& request) {
  const auto* put = std::get_if<v1::Put>(&request);
  return put != nullptr && (put->has_time_to_live_ms() || put->keep_expiry());
}

}  // namespace

WriteOperation::WriteOperation(Request operation_request)
    : request(std::move(operation_request)),
      bytes_(std::visit([](const auto& each) { return each.ByteSizeLong(); }, request) + 8), has_sequence_(is_sequence(request)),
      repeatable_(!has_sequence_ && !is_conditional(request)), needs_store_v1_(has_expiry(request)) {}

Result<> WriteBatch::answer(v1::WriteResponse& response) {
  if (static_cast<std::size_t>(response.puts_size()) != puts.size() ||
      static_cast<std::size_t>(response.deletes_size()) != deletes.size() ||
      static_cast<std::size_t>(response.delete_ranges_size()) != ranges.size()) {
    return fail(Errc::internal, fmt::format("the server answered {} puts, {} deletes and {} range deletions where {}, {} and {} "
                                            "were asked",
                                            response.puts_size(), response.deletes_size(), response.delete_ranges_size(),
                                            puts.size(), deletes.size(), ranges.size()));
  }
  settle_all(puts, *response.mutable_puts());
  settle_all(deletes, *response.mutable_deletes());
  settle_all(ranges, *response.mutable_delete_ranges());
  return {};
}

void WriteBatch::mark_sent() {
  for (auto* kind : {&puts, &deletes, &ranges}) {
    for (const WriteOperationPtr& operation : *kind) operation->sent = true;
  }
}

bool WriteBatch::settled() const {
  for (const auto* operations : {&puts, &deletes, &ranges})
    for (const WriteOperationPtr& operation : *operations)
      if (!operation->settled()) return false;
  return true;
}

std::optional<std::vector<std::uint32_t>> WriteBatch::hashes() const {
  std::vector<std::uint32_t> all;
  for (const auto* operations : {&puts, &deletes, &ranges}) {
    for (const WriteOperationPtr& operation : *operations) {
      if (!operation->hash) return std::nullopt;
      all.push_back(*operation->hash);
    }
  }
  return all;
}

void WriteBatch::trust_answer() {
  if (!has_id()) return;
  for (auto* operations : {&puts, &deletes, &ranges})
    for (const WriteOperationPtr& operation : *operations) operation->maybe_applied = false;
}

std::vector<WriteOperationPtr> WriteBatch::take_back() {
  std::vector<WriteOperationPtr> all;
  all.reserve(size());
  move_back<v1::Put>(puts, *request.mutable_puts(), all);
  move_back<pb::DeleteRequest>(deletes, *request.mutable_deletes(), all);
  move_back<pb::DeleteRangeRequest>(ranges, *request.mutable_delete_ranges(), all);
  return all;
}

void WriteQueue::push_front(std::vector<WriteOperationPtr> operations) {
  operations_.insert(operations_.begin(), std::make_move_iterator(operations.begin()), std::make_move_iterator(operations.end()));
}

WriteBatch WriteQueue::take(const BatchLimits& limits) {
  WriteBatch batch;
  Shape shape;
  std::size_t bytes = 0;
  while (has_work()) {
    WriteOperationPtr& next = operations_.front();
    const bool full = batch.size() >= limits.operations_max || bytes + next->bytes() > limits.bytes_max;
    if (batch.size() > 0 && (full || next->alone || !shape.admits(*next))) break;
    batch.alone = next->alone;
    bytes += next->bytes();
    shape.add(*next);
    move_into(batch, std::move(next));
    operations_.pop_front();
    if (batch.alone) break;
  }
  return batch;
}

std::vector<WriteOperationPtr> WriteQueue::take_all() {
  std::vector<WriteOperationPtr> all(std::make_move_iterator(operations_.begin()), std::make_move_iterator(operations_.end()));
  operations_.clear();
  return all;
}

bool WriteQueue::has_work() {
  while (!operations_.empty() && operations_.front()->settled()) operations_.pop_front();
  return !operations_.empty();
}

}  // namespace skerry::client
