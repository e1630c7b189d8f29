// SPDX-License-Identifier: Apache-2.0
#include "replica/owned_request.hpp"

#include "base/assert.hpp"

namespace skerry::replica {
namespace {

std::size_t put_bytes(const store::Put& put) {
  std::size_t bytes = put.key.size() + put.value.size();
  if (put.client_identity) bytes += put.client_identity->size();
  if (put.partition_key) bytes += put.partition_key->size();
  for (const auto& index : put.indexes) bytes += index.name.size() + index.key.size();
  return bytes;
}

}  // namespace

std::size_t request_bytes(const store::WriteRequest& request) {
  std::size_t bytes = 0;
  for (const auto& put : request.puts) bytes += put_bytes(put);
  for (const auto& each : request.deletes) bytes += each.key.size();
  for (const auto& range : request.delete_ranges) bytes += range.start.size() + range.end.size();
  for (const auto& guard : request.guards) bytes += guard.key.size();
  return bytes;
}

OwnedRequest::OwnedRequest(const store::WriteRequest& request)
    : atomic_(request.atomic), steps_(request.steps.begin(), request.steps.end()) {
  bytes_.reserve(request_bytes(request));
  for (const auto& put : request.puts) puts_.push_back(keep(put));
  for (const auto& each : request.deletes) deletes_.push_back({keep(each.key), each.expected_version});
  for (const auto& range : request.delete_ranges) delete_ranges_.push_back({keep(range.start), keep(range.end)});
  for (const auto& guard : request.guards) guards_.push_back({keep(guard.key), guard.kind, guard.version});
}

BytesView OwnedRequest::keep(BytesView bytes) {
  SKERRY_ASSERT(bytes_.size() + bytes.size() <= bytes_.capacity());
  const std::size_t start = bytes_.size();
  bytes_.append(bytes);
  return BytesView(bytes_).substr(start);
}

store::Put OwnedRequest::keep(const store::Put& put) {
  store::Put kept = put;
  kept.key = keep(put.key);
  kept.value = keep(put.value);
  if (put.client_identity) kept.client_identity = keep(*put.client_identity);
  if (put.partition_key) kept.partition_key = keep(*put.partition_key);
  kept.sequence_deltas = deltas_.emplace_back(put.sequence_deltas.begin(), put.sequence_deltas.end());
  auto& indexes = indexes_.emplace_back();
  for (const auto& index : put.indexes) indexes.push_back({keep(index.name), keep(index.key)});
  kept.indexes = indexes;
  return kept;
}

}  // namespace skerry::replica
