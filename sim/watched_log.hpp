// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <memory>

#include "disk/log.hpp"

namespace skerry::sim {

// Sees what is appended, in order, before anybody knows whether it will last.
class AppendListener {
 public:
  virtual ~AppendListener() = default;
  virtual void on_append(Offset offset, BytesView entry) = 0;
};

// A node's log that tells a listener of each entry. Both must outlive it.
class WatchedLog final : public disk::Log {
 public:
  WatchedLog(std::unique_ptr<disk::Log> log, AppendListener& listener) : log_(std::move(log)), listener_(listener) {}

  Result<disk::Sequence> append(ShardId shard, Term term, Offset offset, BytesView payload) override {
    TRY(const disk::Sequence sequence, log_->append(shard, term, offset, payload));
    listener_.on_append(offset, payload);
    return sequence;
  }
  Result<disk::Sequence> record_term(ShardId shard, Term term, MembershipVersion version) override {
    return log_->record_term(shard, term, version);
  }
  Result<disk::Sequence> truncate(ShardId shard, Offset last_kept) override { return log_->truncate(shard, last_kept); }
  Result<disk::Sequence> snapshot_installed(ShardId shard, Term term, Offset offset) override {
    return log_->snapshot_installed(shard, term, offset);
  }
  Result<disk::Sequence> delete_shard(ShardId shard) override { return log_->delete_shard(shard); }
  Result<disk::Sequence> trim(ShardId shard, Offset first_kept) override { return log_->trim(shard, first_kept); }
  bool has_room(std::size_t records, std::size_t bytes) const override { return log_->has_room(records, bytes); }
  disk::Sequence synced() const override { return log_->synced(); }
  std::optional<TimePoint> waiting_since() const override { return log_->waiting_since(); }
  Task<Result<>> wait_synced(disk::Sequence sequence) override { return log_->wait_synced(sequence); }
  void add_listener(disk::LogListener& listener) override { log_->add_listener(listener); }
  void remove_listener(disk::LogListener& listener) override { log_->remove_listener(listener); }
  std::map<ShardId, disk::LogShard> shards() const override { return log_->shards(); }
  disk::LogShard shard(ShardId shard) const override { return log_->shard(shard); }
  std::vector<disk::TermStart> terms(ShardId shard) const override { return log_->terms(shard); }
  Task<Result<std::vector<disk::LogEntry>>> read(ShardId shard, Offset from, std::size_t bytes_max) override {
    return log_->read(shard, from, bytes_max);
  }
  const std::optional<Error>& damage() const override { return log_->damage(); }
  std::uint64_t bytes() const override { return log_->bytes(); }
  std::uint64_t bytes_since(ShardId shard, Offset offset) const override { return log_->bytes_since(shard, offset); }
  std::optional<ShardId> oldest_holder() const override { return log_->oldest_holder(); }
  Task<Result<>> stop() override { return log_->stop(); }

 private:
  std::unique_ptr<disk::Log> log_;
  AppendListener& listener_;
};

}  // namespace skerry::sim
