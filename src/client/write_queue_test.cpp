// SPDX-License-Identifier: Apache-2.0
#include "client/write_queue.hpp"

#include <gtest/gtest.h>

namespace skerry::client {
namespace {

class Recorded final : public WriteOperation {
 public:
  using WriteOperation::WriteOperation;
  void settle(Result<WriteReply> outcome) override {
    if (!result) result.emplace(std::move(outcome));
  }
  bool settled() const override { return result.has_value(); }
  std::optional<Result<WriteReply>> result;
};
using RecordedPtr = std::shared_ptr<Recorded>;

RecordedPtr put(const std::string& key, std::size_t value_bytes = 1) {
  v1::Put request;
  request.set_key(key);
  request.set_value(std::string(value_bytes, 'x'));
  return std::make_shared<Recorded>(request);
}
RecordedPtr sequence_put(const std::string& key) {
  v1::Put request;
  request.set_key(key);
  request.set_partition_key("p");
  request.add_sequence_key_delta(1);
  return std::make_shared<Recorded>(request);
}
RecordedPtr remove(const std::string& key) {
  pb::DeleteRequest request;
  request.set_key(key);
  return std::make_shared<Recorded>(request);
}
RecordedPtr remove_range(const std::string& start, const std::string& end) {
  pb::DeleteRangeRequest request;
  request.set_start_inclusive(start);
  request.set_end_exclusive(end);
  return std::make_shared<Recorded>(request);
}

constexpr BatchLimits roomy{100, 1 << 20};

// Sizes of the batches into which the queue falls.
std::vector<std::size_t> batches(WriteQueue& queue, const BatchLimits& limits) {
  std::vector<std::size_t> sizes;
  while (queue.has_work()) sizes.push_back(queue.take(limits).size());
  return sizes;
}

TEST(WriteQueue, takes_everything_that_waits_in_one_batch) {
  WriteQueue queue;
  for (const char* key : {"a", "b", "c"}) queue.push(put(key));
  queue.push(remove("d"));
  queue.push(remove_range("e", "f"));
  const WriteBatch batch = queue.take(roomy);
  EXPECT_EQ(batch.request.puts_size(), 3);
  EXPECT_EQ(batch.request.puts(2).key(), "c");
  EXPECT_EQ(batch.request.deletes_size(), 1);
  EXPECT_EQ(batch.request.delete_ranges_size(), 1);
  EXPECT_FALSE(queue.has_work());
}

TEST(WriteQueue, cuts_batches_at_the_limits_of_count_and_bytes) {
  WriteQueue queue;
  for (int i = 0; i < 5; ++i) queue.push(put("k" + std::to_string(i)));
  EXPECT_EQ(batches(queue, {2, 1 << 20}), (std::vector<std::size_t>{2, 2, 1}));
  for (int i = 0; i < 4; ++i) queue.push(put("k" + std::to_string(i), 600));
  EXPECT_EQ(batches(queue, {100, 1300}), (std::vector<std::size_t>{2, 2}));
}

TEST(WriteQueue, sends_an_operation_above_the_limit_alone_rather_than_never) {
  WriteQueue queue;
  queue.push(put("small"));
  queue.push(put("large", 5000));
  queue.push(put("small again"));
  EXPECT_EQ(batches(queue, {100, 1000}), (std::vector<std::size_t>{1, 1, 1}));
}

TEST(WriteQueue, never_lets_a_put_overtake_a_delete_of_its_key) {
  WriteQueue queue;
  queue.push(remove("a"));
  queue.push(put("b"));   // another key may travel along
  queue.push(put("a"));   // in the same request it would be applied before the delete
  EXPECT_EQ(batches(queue, roomy), (std::vector<std::size_t>{2, 1}));
}

TEST(WriteQueue, lets_nothing_but_range_deletions_follow_a_range_deletion) {
  WriteQueue queue;
  queue.push(remove_range("a", "b"));
  queue.push(remove_range("c", "d"));
  queue.push(put("x"));
  queue.push(remove_range("a", "b"));
  queue.push(remove("x"));
  EXPECT_EQ(batches(queue, roomy), (std::vector<std::size_t>{2, 2, 1}));
}

TEST(WriteQueue, counts_a_sequence_on_only_after_every_delete_before_it) {
  WriteQueue queue;
  queue.push(remove("s-00000000000000000001"));
  queue.push(sequence_put("s"));
  EXPECT_EQ(batches(queue, roomy), (std::vector<std::size_t>{1, 1}));
}

TEST(WriteQueue, drops_operations_that_nobody_waits_for) {
  WriteQueue queue;
  const RecordedPtr late = put("late");
  queue.push(put("a"));
  queue.push(late);
  queue.push(put("b"));
  late->settle(fail(Errc::deadline_exceeded));
  EXPECT_EQ(queue.take(roomy).request.puts_size(), 2);
}

TEST(WriteQueue, sends_again_in_the_old_order_and_before_anything_newer) {
  WriteQueue queue;
  queue.push(put("a"));
  queue.push(remove("b"));
  queue.push(put("c"));
  WriteBatch sent = queue.take(roomy);
  queue.push(put("newer"));
  queue.push_front(sent.take_back());
  const WriteBatch again = queue.take(roomy);
  ASSERT_EQ(again.request.puts_size(), 3);
  EXPECT_EQ(again.request.puts(0).key(), "a");
  EXPECT_EQ(again.request.puts(1).key(), "c");
  EXPECT_EQ(again.request.puts(2).key(), "newer");
  EXPECT_EQ(again.request.deletes(0).key(), "b");
}

TEST(WriteQueue, gives_an_operation_that_must_be_alone_its_own_batch) {
  WriteQueue queue;
  const RecordedPtr alone = put("b");
  alone->alone = true;
  queue.push(put("a"));
  queue.push(alone);
  queue.push(put("c"));
  EXPECT_EQ(batches(queue, roomy), (std::vector<std::size_t>{1, 1, 1}));
}

TEST(WriteBatch, answers_each_operation_by_its_position) {
  WriteQueue queue;
  const RecordedPtr first = put("a"), second = put("b"), gone = remove("c");
  for (const RecordedPtr& operation : {first, gone, second}) queue.push(operation);
  WriteBatch batch = queue.take(roomy);
  v1::WriteResponse response;
  response.add_puts()->mutable_version()->set_version_id(7);
  response.add_puts()->set_status(pb::UNEXPECTED_VERSION_ID);
  response.add_deletes()->set_status(pb::KEY_NOT_FOUND);
  ASSERT_TRUE(batch.answer(response));
  EXPECT_EQ(std::get<v1::PutResponse>(**first->result).version().version_id(), 7);
  EXPECT_EQ(std::get<v1::PutResponse>(**second->result).status(), pb::UNEXPECTED_VERSION_ID);
  EXPECT_EQ(std::get<pb::DeleteResponse>(**gone->result).status(), pb::KEY_NOT_FOUND);
}

TEST(WriteBatch, settles_nothing_when_the_counts_do_not_match) {
  WriteQueue queue;
  const RecordedPtr only = put("a");
  queue.push(only);
  WriteBatch batch = queue.take(roomy);
  v1::WriteResponse response;
  EXPECT_EQ(batch.answer(response).error(), Errc::internal);
  EXPECT_FALSE(only->settled());
}

TEST(WriteOperation, is_repeatable_only_without_condition_and_sequence) {
  EXPECT_TRUE(put("a")->repeatable());
  EXPECT_TRUE(remove("a")->repeatable());
  EXPECT_TRUE(remove_range("a", "b")->repeatable());
  EXPECT_FALSE(sequence_put("a")->repeatable());
  v1::Put guarded;
  guarded.set_expected_version_id(-1);
  EXPECT_FALSE(Recorded(guarded).repeatable());
  pb::DeleteRequest guarded_delete;
  guarded_delete.set_expected_version_id(0);
  EXPECT_FALSE(Recorded(guarded_delete).repeatable());
}

}  // namespace
}  // namespace skerry::client
