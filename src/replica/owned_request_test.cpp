// SPDX-License-Identifier: Apache-2.0
#include "replica/owned_request.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace skerry::replica {
namespace {

TEST(OwnedRequest, keeps_every_field_when_the_message_it_came_in_is_gone) {
  std::unique_ptr<OwnedRequest> owned;
  {
    const Bytes key = "key", value(1000, 'v'), identity = "me", partition = "p", name = "by", secondary = "s", start = "a",
                end = "z";
    const std::uint64_t deltas[] = {1, 2, 3};
    const store::SecondaryIndex indexes[] = {{name, secondary}, {name, key}};
    store::Put put;
    put.key = key;
    put.value = value;
    put.expected_version = VersionId(7);
    put.session = SessionId(8);
    put.client_identity = identity;
    put.partition_key = partition;
    put.sequence_deltas = deltas;
    put.indexes = indexes;
    put.override_version = VersionId(9);
    put.override_modifications = 10;
    const store::Put puts[] = {put, put};
    const store::Delete deletes[] = {{key, VersionId(3)}, {secondary, {}}};
    const store::DeleteRange ranges[] = {{start, end}};
    const store::Guard guards[] = {{start, store::Guard::Kind::version, VersionId(4)}};
    using store::Step;
    const Step steps[] = {Step::erase_range, Step::put, Step::erase, Step::put, Step::erase};
    owned = std::make_unique<OwnedRequest>(store::WriteRequest{puts, deletes, ranges, true, guards, steps});
  }
  const store::WriteRequest view = owned->view();
  ASSERT_EQ(view.puts.size(), 2);
  for (const store::Put& put : view.puts) {
    EXPECT_EQ(put.key, "key");
    EXPECT_EQ(put.value, Bytes(1000, 'v'));
    EXPECT_EQ(put.expected_version, VersionId(7));
    EXPECT_EQ(put.session, SessionId(8));
    EXPECT_EQ(put.client_identity, "me");
    EXPECT_EQ(put.partition_key, "p");
    EXPECT_EQ(std::vector(put.sequence_deltas.begin(), put.sequence_deltas.end()), (std::vector<std::uint64_t>{1, 2, 3}));
    ASSERT_EQ(put.indexes.size(), 2);
    EXPECT_EQ(put.indexes[0].key, "s");
    EXPECT_EQ(put.indexes[1].key, "key");
    EXPECT_EQ(put.override_version, VersionId(9));
    EXPECT_EQ(put.override_modifications, 10);
  }
  ASSERT_EQ(view.deletes.size(), 2);
  EXPECT_EQ(view.deletes[0].expected_version, VersionId(3));
  EXPECT_EQ(view.deletes[1].key, "s");
  EXPECT_FALSE(view.deletes[1].expected_version);
  ASSERT_EQ(view.delete_ranges.size(), 1);
  EXPECT_EQ(view.delete_ranges[0].start, "a");
  EXPECT_EQ(view.delete_ranges[0].end, "z");
  EXPECT_TRUE(view.atomic);
  ASSERT_EQ(view.guards.size(), 1);
  EXPECT_EQ(view.guards[0].key, "a");
  EXPECT_EQ(view.guards[0].version, VersionId(4));
  ASSERT_EQ(view.steps.size(), 5);
  EXPECT_EQ(view.steps[0], store::Step::erase_range);
}

}  // namespace
}  // namespace skerry::replica
