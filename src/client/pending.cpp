// SPDX-License-Identifier: Apache-2.0
#include "client/pending.hpp"

#include <fmt/format.h>

namespace skerry::client {
namespace {

std::string because(const Cluster& cluster) {
  return cluster.trouble().empty() ? std::string() : fmt::format("; last trouble: {}", cluster.trouble());
}

}  // namespace

PendingWrite::PendingWrite(Core& core, Cluster& cluster, Request operation_request, Deadline deadline)
    : WriteOperation(std::move(operation_request)), answer(core, deadline) {
  answer.late = [this, &cluster] {
    if (sent)
      return Error{ClientErrc::outcome_unknown,
                   "outcome unknown: the write was sent and not answered in time" + because(cluster)};
    return Error{Errc::deadline_exceeded, "the write could not be sent in time; nothing was changed" + because(cluster)};
  };
}

PendingRead::PendingRead(Core& core, Cluster& cluster, pb::GetRequest operation_request, Deadline deadline)
    : ReadOperation(std::move(operation_request)), answer(core, deadline) {
  answer.late = [&cluster] { return Error{Errc::deadline_exceeded, "no answer in time" + because(cluster)}; };
}

}  // namespace skerry::client
