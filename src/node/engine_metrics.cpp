// SPDX-License-Identifier: Apache-2.0
#include "node/engine_metrics.hpp"

#include "runtime/core.hpp"

namespace skerry::node {

EngineMetrics::EngineMetrics(Core& core, Metrics& metrics, Logger log, const store::TableEngine& engine, std::uint32_t node)
    : core_(core), log_(log), engine_(engine), node_(node), tasks_(core) {
  const Labels labels{{"node", std::to_string(node)}};
  const auto gauge = [&](const char* name, const char* help) { return metrics.gauge(name, help, labels); };
  const auto counter = [&](const char* name, const char* help) { return metrics.counter(name, help, labels); };
  of_tables_ = {
      {gauge("skerry_engine_active_bytes", "Memory of the table that takes writes"), {}, &Tables::active_bytes},
      {gauge("skerry_engine_frozen_tables", "Tables on their way to disk"), {}, &Tables::frozen_tables},
      {gauge("skerry_engine_frozen_bytes", "Memory of tables on their way to disk"), {}, &Tables::frozen_bytes},
      {gauge("skerry_engine_written_bytes", "Memory of tables on disk that are kept as a cache"), {}, &Tables::written_bytes},
      {gauge("skerry_engine_loaded_bytes", "Memory of records read from disk that are kept as a cache"),
       {},
       &Tables::loaded_bytes},
      {{}, counter("skerry_engine_ingests_total", "Tables written and taken in by the database"), &Tables::ingests},
      {{}, counter("skerry_engine_ingested_bytes_total", "Bytes of their files"), &Tables::ingested_bytes},
      {{},
       counter("skerry_engine_write_failures_total", "Attempts to write a table that found the disk full"),
       &Tables::failures}};
  of_database_ = {
      {gauge("skerry_engine_cache_bytes", "Memory of the database's blocks"), {}, &Database::cache_bytes_used},
      {gauge("skerry_engine_cache_bytes_max", "What the tables leave for them of the budget"), {}, &Database::cache_bytes_max},
      {gauge("skerry_engine_disk_bytes", "Size of the database's files"), {}, &Database::table_bytes},
      {gauge("skerry_engine_compaction_pending_bytes", "Bytes that wait for compaction"),
       {},
       &Database::compaction_pending_bytes},
      {{}, counter("skerry_engine_cache_hits_total", "Blocks that were in memory"), &Database::cache_hits},
      {{}, counter("skerry_engine_cache_misses_total", "Blocks that were not"), &Database::cache_misses},
      {{}, counter("skerry_engine_compactions_total", "Compactions"), &Database::compactions},
      {{}, counter("skerry_engine_compaction_read_bytes_total", "Bytes they read"), &Database::compaction_read_bytes},
      {{}, counter("skerry_engine_compaction_written_bytes_total", "Bytes they wrote"), &Database::compaction_written_bytes},
      {{}, counter("skerry_engine_cold_reads_total", "Reads that had to be loaded from disk"), &Database::cold_reads},
      {{}, counter("skerry_engine_waiting_reads_total", "Reads that waited for the disk on the core"), &Database::waiting_reads}};
  last_ingest_ = gauge("skerry_engine_last_ingest_seconds", "When the last table was taken in, since the epoch; 0: not yet");
  has_room_ = gauge("skerry_engine_has_room", "0 while writers wait because memory is full of what is not on disk yet");
  obstructed_ = gauge("skerry_engine_disk_full", "1 while the disk is full; it is tried again and again");
  metrics.add(*this);
  tasks_.spawn(watch());
}

void EngineMetrics::collect() {
  const Tables tables = engine_.figures();
  const Database database = engine_.database_figures();
  const auto show = [](const auto& shown, const auto& figures) {
    for (const auto& each : shown) {
      const auto value = static_cast<double>(figures.*each.figure);
      each.gauge.set(value);
      each.counter.set(value);
    }
  };
  show(of_tables_, tables);
  show(of_database_, database);
  last_ingest_.set(std::chrono::duration<double>(tables.last_ingest.time_since_epoch()).count());
  has_room_.set(tables.has_room ? 1 : 0);
  obstructed_.set(engine_.obstacle() ? 1 : 0);
}

Task<> EngineMetrics::watch() {
  bool told = false;
  for (;;) {
    co_await core_.sleep_for(1s);
    const std::optional<Error> obstacle = engine_.obstacle();
    if (obstacle && !told) {
      log_.error("the engine can't write to disk; it goes on trying, writers wait once memory is full; free some space",
                 {{"node", node_}, {"reason", *obstacle}});
    } else if (!obstacle && told) {
      log_.info("the engine writes to disk again", {{"node", node_}});
    }
    told = obstacle.has_value();
  }
}

}  // namespace skerry::node
