// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <optional>
#include <string>

#include "client/types.hpp"
#include "oxia/client.pb.h"

namespace skerry::client {

// Picks, of what every shard answered to one get, the record that a single shard holding all keys would have answered: the
// greatest for floor and lower, the least for equal (of an index), ceiling and higher. Pure.
class BestRecord {
 public:
  BestRecord(KeyOrder order, const io::oxia::proto::v1::GetRequest& request);
  void offer(io::oxia::proto::v1::GetResponse response);
  // KEY_NOT_FOUND when no shard had one.
  io::oxia::proto::v1::GetResponse take();

 private:
  std::string place(const io::oxia::proto::v1::GetResponse& response) const;

  KeyOrder order_;
  std::string asked_key_;
  bool by_index_, greatest_;
  std::optional<io::oxia::proto::v1::GetResponse> best_;
  std::string best_place_;
};

}  // namespace skerry::client
