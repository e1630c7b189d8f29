// SPDX-License-Identifier: Apache-2.0
#include "client/shard_scan.hpp"

#include "client/cancel_at.hpp"
#include "client/wire.hpp"

namespace skerry::client {

namespace pb = io::oxia::proto::v1;

ShardScan::ShardScan(Cluster& cluster, ShardId shard, const KeyRange& range, const RangeOptions& options, Scan::Kind kind)
    : cluster_(cluster), shard_(shard), range_(range), options_(options), kind_(kind),
      backoff_(cluster.options().retry_pause_min, cluster.options().retry_pause_max) {}

template <class Request>
Request ShardScan::request() const {
  Request request;
  request.set_shard(shard_.value());
  request.set_start_inclusive(last_ ? *last_ : range_.start);
  request.set_end_exclusive(range_.end);
  if (options_.index) request.set_secondary_index_name(*options_.index);
  request.set_include_internal_keys(options_.internal_keys == InternalKeys::shown);
  return request;
}

Task<Result<>> ShardScan::open(Deadline deadline) {
  while (!call_) {
    CO_TRY(rpc::Channel* const channel, co_await cluster_.leader(shard_, deadline));
    const bool keys = kind_ == Scan::Kind::keys;
    // The call lives as long as the walk; each step has its own deadline.
    auto opened = co_await channel->open(method(keys ? "List" : "RangeScan"),
                                         cluster_.call_options(options_.deadline.value_or(no_deadline)));
    if (!opened) {
      CO_TRYV(co_await recover(judge(opened.error()), deadline));
      continue;
    }
    call_ = std::move(*opened);
    const Result<> written =
        keys ? co_await call_->write(request<pb::ListRequest>()) : co_await call_->write(request<pb::RangeScanRequest>());
    if (written) static_cast<void>(co_await call_->finish_writing());   // else the read tells why
  }
  co_return Result<>();
}

Task<Result<>> ShardScan::fill(Deadline deadline) {
  while (buffer_.empty() && !ended_) {
    CO_TRYV(co_await open(deadline));
    std::optional<rpc::Status> status;
    {
      const CancelAt cancel(cluster_.core(), *call_, deadline);
      if (!co_await read_chunk()) status = co_await call_->finish();
    }
    if (!status) continue;
    call_.reset();
    if (status->ok()) {
      ended_ = true;
    } else {
      CO_TRYV(co_await recover(judge(*status), deadline));
    }
  }
  co_return Result<>();
}

Task<bool> ShardScan::read_chunk() {
  if (kind_ == Scan::Kind::keys) {
    pb::ListResponse chunk;
    const auto more = co_await call_->read(chunk);
    if (!more || !*more) co_return false;
    for (std::string& key : *chunk.mutable_keys()) accept(Record{std::move(key), {}, {}, std::nullopt});
  } else {
    pb::RangeScanResponse chunk;
    const auto more = co_await call_->read(chunk);
    if (!more || !*more) co_return false;
    for (pb::GetResponse& each : *chunk.mutable_records()) accept(from_wire(each, {}));
  }
  backoff_.reset();
  co_return true;
}

void ShardScan::accept(Record record) {
  // A walk that was taken up again begins with the key that it stopped at.
  if (!options_.index && last_ && record.key == *last_) return;
  last_ = record.key;
  buffer_.push_back(std::move(record));
}

Task<Result<>> ShardScan::recover(Verdict verdict, Deadline deadline) {
  cluster_.learn(verdict);
  const bool resumable = !options_.index || !last_;
  if (verdict.action == Verdict::Action::reroute) {
    co_return fail(Errc::aborted, "the shard moved during the walk; start it again");
  }
  if (cluster_.core().now() >= deadline) co_return fail(Errc::deadline_exceeded, "no answer in time: " + verdict.error.message());
  if (verdict.action == Verdict::Action::give_up) co_return fail(verdict.error);
  if (!resumable)
    co_return fail(Errc::aborted, "the walk over an index was interrupted; start it again: " + verdict.error.message());
  co_await cluster_.pause(backoff_.next(cluster_.core().random()), deadline);
  co_return Result<>();
}

Record ShardScan::pop() {
  Record record = std::move(buffer_.front());
  buffer_.pop_front();
  return record;
}

}  // namespace skerry::client
