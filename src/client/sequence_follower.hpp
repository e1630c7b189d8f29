// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "client/backoff.hpp"
#include "runtime/task.hpp"

namespace skerry::rpc {
class ClientCall;
}

namespace skerry::client {

class Cluster;

// Follows the highest key of one sequence. Latest only: keys that are overtaken before they could be told are left out.
// Pull: nothing runs between two calls of next(). Lives shorter than its client.
class SequenceFollower {
 public:
  SequenceFollower(Cluster& cluster, std::string key, std::string partition_key);
  ~SequenceFollower();

  // The highest key there is, then each higher one as it is told. The first call gives up after the request timeout when the
  // shard can't be reached; later ones try again for good.
  Task<Result<std::string>> next();

 private:
  Task<Result<>> open();
  Task<Result<>> recover(const struct Verdict& verdict);

  Cluster& cluster_;
  std::string key_, partition_key_;
  std::unique_ptr<rpc::ClientCall> call_;
  std::optional<std::string> last_;
  Deadline deadline_;
  Backoff backoff_;
};

}  // namespace skerry::client
