// SPDX-License-Identifier: Apache-2.0
#include "sim/raft/store.hpp"

namespace skerry::sim {

using namespace control;

std::optional<RaftRecovered> RaftStore::recovered() const {
  RaftRecovered found{.term = std::max(term, snapshot.term), .snapshot = snapshot, .log = log};
  if (log.base().offset > snapshot.offset) return std::nullopt;
  if (!log.has(snapshot)) found.log.install(snapshot);
  return found;
}

void write_file_to(RaftStore& store, const RaftRecord& record) {
  if (const auto* snapshot = std::get_if<RaftRecord::Snapshot>(&record.what)) {
    store.snapshot = snapshot->entry;
    store.state = snapshot->state;
  } else if (const auto* install = std::get_if<RaftRecord::Install>(&record.what)) {
    store.snapshot = install->entry;
    store.state = install->state;
  }
}

void write_to(RaftStore& store, const RaftRecord& record) {
  write_file_to(store, record);
  if (const auto* begin = std::get_if<RaftRecord::Begin>(&record.what)) {
    store.term = begin->term;
  } else if (const auto* append = std::get_if<RaftRecord::Append>(&record.what)) {
    store.log.append(append->entry);
  } else if (const auto* cut = std::get_if<RaftRecord::Cut>(&record.what)) {
    store.log.cut_above(cut->last_kept);
  } else if (const auto* install = std::get_if<RaftRecord::Install>(&record.what)) {
    store.log.install(install->entry);
  } else if (const auto* trim = std::get_if<RaftRecord::Trim>(&record.what)) {
    store.log.drop_before(trim->first_kept);
  }
}

}  // namespace skerry::sim
