// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <deque>
#include <vector>

#include "store/operations.hpp"

namespace skerry::replica {

// Bytes that a request carries and the shard must hold; a number for limits, not an exact size.
std::size_t request_bytes(const store::WriteRequest& request);

// A request with its bytes, for one that outlives the message it came in. Not movable: it refers to itself.
class OwnedRequest {
 public:
  explicit OwnedRequest(const store::WriteRequest& request);
  OwnedRequest(const OwnedRequest&) = delete;
  OwnedRequest& operator=(const OwnedRequest&) = delete;
  store::WriteRequest view() const { return {puts_, deletes_, delete_ranges_, atomic_, guards_, steps_}; }

 private:
  BytesView keep(BytesView bytes);
  store::Put keep(const store::Put& put);

  Bytes bytes_;   // reserved once, so that views into it stay
  std::deque<std::vector<std::uint64_t>> deltas_;
  std::deque<std::vector<store::SecondaryIndex>> indexes_;
  std::vector<store::Put> puts_;
  std::vector<store::Delete> deletes_;
  std::vector<store::DeleteRange> delete_ranges_;
  bool atomic_ = false;
  std::vector<store::Guard> guards_;
  std::vector<store::Step> steps_;
};

}  // namespace skerry::replica
