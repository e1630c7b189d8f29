// SPDX-License-Identifier: Apache-2.0
#include "disk/log_inspect.hpp"

#include <fmt/format.h>

#include "disk/log_recovery.hpp"

namespace skerry::disk {
namespace {

Task<Result<SegmentReport>> scan_file(Core& core, Disk& disk, std::string path, std::uint64_t generation,
                                      const std::function<Result<>(const LogRecordView&)>& visit) {
  SegmentReport report;
  report.file = path;
  CO_TRY(const auto file, disk.open(path, OpenMode::read));
  const auto header = co_await read_segment_header(*file, path, generation);
  if (!header) {
    report.state = SegmentReport::State::unreadable;
    report.reason = header.error().message();
    co_return report;
  }
  Bytes content;
  CO_TRYV(co_await read_whole(core, *file, content));
  CO_TRY(const SegmentScan scan,
         scan_segment(content, *header, [&](const RecordHeader& record, std::uint64_t position, BytesView payload) -> Result<> {
           if (record.kind != RecordKind::batch) ++report.records;
           return visit({path, position, record, payload});
         }));
  report.end = scan.end;
  report.bad = scan.bad;
  if (scan.damaged) {
    report.state = SegmentReport::State::damaged;
  } else if (!scan.stale_markers.empty()) {
    report.state = SegmentReport::State::torn;
  } else if (scan.end == segment_data_start) {
    report.state = SegmentReport::State::never_begun;
  }
  if (scan.damaged || !scan.stale_markers.empty()) report.reason = scan.reason;
  co_return report;
}

std::optional<std::string> holder(Disk& disk, const std::string& folder) {
  const auto lock = disk.lock(folder);   // let go at once: looking must keep nobody from starting
  if (lock || lock.error() != Errc::already_exists) return std::nullopt;
  return lock.error().message();
}

}  // namespace

std::string_view name_of(SegmentReport::State state) {
  switch (state) {
    case SegmentReport::State::good: return "good";
    case SegmentReport::State::torn: return "torn";
    case SegmentReport::State::damaged: return "damaged";
    case SegmentReport::State::never_begun: return "never begun";
    case SegmentReport::State::unreadable: return "unreadable";
  }
  return "unknown";
}

Task<Result<std::vector<SegmentReport>>> scan_log(Core& core, Disk& disk, std::string folder,
                                                  std::function<Result<>(const LogRecordView&)> visit) {
  CO_TRY(const auto names, disk.list(folder));
  std::vector<SegmentReport> reports;
  for (const std::string& name : names) {   // their order is that of the generations
    const auto generation = generation_of(name);
    if (!generation) continue;
    CO_TRY(auto report, co_await scan_file(core, disk, folder + "/" + name, *generation, visit));
    reports.push_back(std::move(report));
  }
  co_return reports;
}

Task<Result<LogVerdict>> verify_log(Core& core, Disk& disk, std::string folder) {
  LogVerdict verdict;
  verdict.in_use = holder(disk, folder);
  CO_TRY(const RecoveredLog log, co_await recover_log(core, disk, folder, Repair::no));
  verdict.shards = log.table.shards();
  verdict.last_sequence = log.next_sequence - 1;
  verdict.segments = log.segments.size();
  if (log.torn_at) {
    verdict.torn = fmt::format("{}/{}: a batch that was never synced begins at byte {} and is not whole: {}", folder,
                               segment_name(log.segments.back()->header.generation), *log.torn_at, log.torn_because);
  }
  co_return verdict;
}

}  // namespace skerry::disk
