// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <vector>

#include "oxia/client.pb.h"
#include "serve/shard_router.hpp"
#include "store/key_order.hpp"

namespace skerry::serve {

// A walk over what a shard was split into, as if it were still one: the heirs' records in one order. One core's.
class HeirWalk {
 public:
  HeirWalk(store::KeyOrder order, bool by_index) : order_(order), by_index_(by_index) {}
  Task<Result<>> add(Answers<proto::RangeScanResponse> heir);

  proto::GetResponse* record();   // null: the end. Until the next step
  Task<Result<>> next();          // Requires: record()

 private:
  struct Heir {
    Answers<proto::RangeScanResponse> answers;
    proto::RangeScanResponse page = {};
    int at = 0;
    Bytes place = {};   // of the record there
  };
  Task<Result<bool>> settle(Heir& heir);   // false: it has no more
  Heir* first();

  const store::KeyOrder order_;
  const bool by_index_;
  std::vector<Heir> heirs_;   // that have records left
};

}   // namespace skerry::serve
