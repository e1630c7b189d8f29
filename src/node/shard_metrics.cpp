// SPDX-License-Identifier: Apache-2.0
#include "node/shard_metrics.hpp"

namespace skerry::node {

struct ShardMetrics::Series {
  using Figure = std::uint64_t replica::ShardFigures::*;
  struct Total {
    Counter counter;
    Figure figure;
  };

  const replica::Shard& shard;
  Gauge head, commit, sessions, followers, entries_in_flight, bytes_in_flight;
  std::vector<Total> totals;
};

void ShardMetrics::add(const std::string& space, const replica::Shard& shard) {
  const Labels labels{{"oxia_namespace", space}, {"shard", std::to_string(shard.id().value())}};
  const auto gauge = [&](const char* name, const char* help) { return metrics_.gauge(name, help, labels); };
  const auto series = std::make_shared<Series>(
      Series{.shard = shard,
             .head = gauge("oxia_server_leader_head_offset", "Offset of the newest entry in the log"),
             .commit = gauge("oxia_server_leader_commit_offset", "Offset of the newest committed entry"),
             .sessions = gauge("oxia_server_session_active", "Sessions that are alive"),
             .followers = gauge("skerry_shard_followers", "Streams that follow the shard's changes"),
             .entries_in_flight = gauge("skerry_shard_entries_in_flight", "Entries proposed and not yet committed"),
             .bytes_in_flight = gauge("skerry_shard_bytes_in_flight", "Bytes proposed and not yet committed"),
             .totals = {}});
  using Figures = replica::ShardFigures;
  const auto total = [&](const char* name, const char* help, Series::Figure figure) {
    series->totals.push_back({metrics_.counter(name, help, labels), figure});
  };
  total("oxia_server_db_puts_total", "Puts that were asked for", &Figures::puts);
  total("oxia_server_db_deletes_total", "Deletes that were asked for", &Figures::deletes);
  total("oxia_server_db_delete_ranges_total", "Range deletions that were asked for", &Figures::delete_ranges);
  total("oxia_server_db_gets_total", "Gets", &Figures::gets);
  total("oxia_server_db_lists_total", "Lists", &Figures::lists);
  total("oxia_server_db_range_scans_total", "Range scans", &Figures::range_scans);
  total("oxia_server_db_get_sequence_updates_total", "Followers of sequences", &Figures::sequence_follows);
  total("oxia_server_sessions_created_total", "Sessions created", &Figures::sessions_created);
  total("oxia_server_sessions_expired_total", "Sessions that were silent for their timeout", &Figures::sessions_expired);
  total("oxia_server_sessions_closed_total", "Sessions closed by their clients", &Figures::sessions_closed);
  total("oxia_server_notifications_read_total", "Notifications sent to followers", &Figures::notifications_read);
  total("oxia_server_notifications_read_batches_total", "Batches of them", &Figures::notification_batches_read);
  total("oxia_server_wal_entries_total", "Entries appended to the log", &Figures::entries_logged);
  total("oxia_server_wal_append_bytes_total", "Bytes of entries appended to the log", &Figures::bytes_logged);
  shards_.push_back(series);
}

void ShardMetrics::remove(ShardId shard) {
  std::erase_if(shards_, [shard](const auto& series) { return series->shard.id() == shard; });
}

void ShardMetrics::collect() {
  for (const auto& series : shards_) {
    const replica::ShardFigures figures = series->shard.figures();
    series->head.set(static_cast<double>(figures.head.value()));
    series->commit.set(static_cast<double>(figures.commit.value()));
    series->sessions.set(static_cast<double>(figures.sessions));
    series->followers.set(static_cast<double>(figures.followers));
    series->entries_in_flight.set(static_cast<double>(figures.entries_in_flight));
    series->bytes_in_flight.set(static_cast<double>(figures.bytes_in_flight));
    for (const auto& total : series->totals) total.counter.set(static_cast<double>(figures.*total.figure));
  }
}

}  // namespace skerry::node
