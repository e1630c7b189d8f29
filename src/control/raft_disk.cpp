// SPDX-License-Identifier: Apache-2.0
#include "control/raft_disk.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "control/metadata_document.hpp"

namespace skerry::control {
namespace {

constexpr ShardId the_log{0};
constexpr std::string_view identity_name = "raft-identity", snapshot_name = "raft-snapshot", log_name = "raft-log";
constexpr MetadataDocument identity_document{.what = "skerry coordinator identity", .format = 1};
constexpr MetadataDocument snapshot_document{.what = "skerry cluster status snapshot", .format = 1};
constexpr Duration lock_patience = 2s, folder_lock_retry = 20ms;   // for a process that is just ending
constexpr Duration space_retry = 200ms;
constexpr std::size_t read_bytes = 4 << 20;

}  // namespace

RaftDisk::RaftDisk(Core& core, disk::Disk& disk, Options options, RaftDiskListener& listener)
    : core_(core), disk_(disk), options_(std::move(options)), listener_(listener), changed_(core), tasks_(core) {}

RaftDisk::~RaftDisk() {
  if (log_) log_->remove_listener(*this);
}

// --- starting

Task<Result<std::unique_ptr<RaftDisk>>> RaftDisk::open(Core& core, disk::Disk& disk, Options options,
                                                       RaftDiskListener& listener) {
  std::unique_ptr<RaftDisk> opened(new RaftDisk(core, disk, std::move(options), listener));
  CO_TRYV(co_await opened->load());
  opened->log_->add_listener(*opened);
  opened->tasks_.spawn(opened->write_waiting());
  co_return std::move(opened);
}

Task<Result<>> RaftDisk::load() {
  CO_TRYV(co_await lock());
  const std::string log_path = folder_->file(log_name);
  if (folder_->marked()) {
    CO_TRYV(co_await check_identity());
    CO_TRY(const bool there, disk_.exists(log_path));
    const std::vector<std::string> names =
        there ? disk_.list(log_path).value_or(std::vector<std::string>()) : std::vector<std::string>();
    if (std::ranges::none_of(names, [](const std::string& name) { return name != "LOCK"; })) {
      co_return fail(
          Errc::corrupt,
          fmt::format("{} is missing, and with it what this coordinator has promised to the others: put it back as it was last",
                      log_path));
    }
  }
  CO_TRYV(disk_.make_folders(log_path));
  CO_TRY(log_,
         co_await disk::Log::open(core_, disk_, log_path, {.segment_bytes = options_.segment_bytes, .spare_segments_max = 1}));
  if (!folder_->marked()) {
    CO_TRYV(co_await disk::replace_file(disk_, folder_->file(identity_name), identity_document.seal(identity())));
    CO_TRYV(co_await folder_->mark());
  }
  CO_TRYV(load_snapshot());
  co_return co_await load_log();
}

Task<Result<>> RaftDisk::lock() {
  const TimePoint patience_ends = core_.clock().now() + lock_patience;
  for (;;) {
    auto held = MetadataFolder::open(disk_, options_.folder, "raft");
    if (held) {
      folder_ = *std::move(held);
      co_return Result<>{};
    }
    if (held.error() != make_error_code(Errc::already_exists) || core_.clock().now() >= patience_ends)
      co_return fail(held.error());
    co_await core_.sleep_for(folder_lock_retry);
  }
}

std::string RaftDisk::identity() const {
  const RaftMembers& members = options_.members;
  return fmt::format("cluster {}\ncoordinator {}\nof {}\n", options_.cluster, members.at(members.self()).name, members.names());
}

Task<Result<>> RaftDisk::check_identity() {
  const std::string path = folder_->file(identity_name);
  CO_TRY(const bool there, disk_.exists(path));
  if (!there) co_return fail(Errc::corrupt, fmt::format("{} is missing: restore it from a backup", path));
  CO_TRY(const Bytes whole, disk::read_file(disk_, path));
  CO_TRY(const BytesView found, identity_document.open(whole, path));
  if (found == identity()) co_return Result<>{};
  const auto on_one_line = [](std::string text) {
    text.pop_back();
    std::ranges::replace(text, '\n', ' ');
    return text;
  };
  co_return fail(
      Errc::invalid_argument,
      fmt::format(
          "{} belongs to \"{}\", and this coordinator is started as \"{}\": start it as what it was, or with a new folder "
          "when no other coordinator remembers it",
          options_.folder, on_one_line(std::string(found)), on_one_line(identity())));
}

Result<> RaftDisk::load_snapshot() {
  const std::string path = folder_->file(snapshot_name);
  TRY(const bool there, disk_.exists(path));
  if (!there) return {};
  TRY(const Bytes whole, disk::read_file(disk_, path));
  TRY(const BytesView body, snapshot_document.open(whole, path));
  ByteReader reader(body);
  const Term term(static_cast<std::int64_t>(reader.varint()));
  const Offset offset(static_cast<std::int64_t>(reader.varint()));
  Result<MetadataItems> items = decode_items(reader.rest());
  if (!reader.ok() || !items || term < Term(1) || offset < Offset(0)) {
    return fail(Errc::corrupt, fmt::format("{} makes no sense: restore it from a backup", path));
  }
  found_.recovered.snapshot = {term, offset};
  found_.table = MetadataTable(*std::move(items));
  return {};
}

EntryId RaftDisk::log_base() const {
  const disk::LogShard shard = log_->shard(the_log);
  if (shard.first == no_offset) return {shard.last == no_offset ? no_term : shard.last_term, shard.last};
  EntryId base{no_term, shard.first.previous()};
  if (base.offset == no_offset) return base;
  for (const disk::TermStart& each : log_->terms(the_log)) {
    if (each.first <= base.offset || base.term == no_term) base.term = each.term;
  }
  return base;
}

Task<Result<>> RaftDisk::load_log() {
  RaftRecovered& recovered = found_.recovered;
  const EntryId base = log_base();
  if (base.offset > recovered.snapshot.offset) {
    co_return fail(Errc::corrupt,
                   fmt::format("{} ends before the log begins, with entry {}: put back both as they were at one time",
                               folder_->file(snapshot_name), base.offset.value() + 1));
  }
  const disk::LogShard shard = log_->shard(the_log);
  std::deque<RaftEntry> entries;
  for (Offset from = base.offset.next(); from <= shard.last;) {
    CO_TRY(auto read, co_await log_->read(the_log, from, read_bytes));
    for (disk::LogEntry& each : read) entries.push_back({each.term, std::make_shared<const Bytes>(std::move(each.payload))});
    from = Offset(base.offset.value() + static_cast<std::int64_t>(entries.size()) + 1);
  }
  recovered.log = RaftLog(base, std::move(entries));
  recovered.term = std::max(shard.term, recovered.snapshot.term);
  if (recovered.log.has(recovered.snapshot)) co_return Result<>{};
  // The file had become durable, and what was to happen to the log had not.
  recovered.log.install(recovered.snapshot);
  CO_TRY(const disk::Sequence installed, log_->snapshot_installed(the_log, recovered.snapshot.term, recovered.snapshot.offset));
  co_return co_await log_->wait_synced(installed);
}

// --- writing

void RaftDisk::write(const RaftEffects& effects, const RaftLog& log, Bytes state, const RaftPosition& position) {
  // What is durable in between must not be taken for more: each step says how far the log is with it.
  RaftPosition at = position;
  if (effects.append_from) at.last = effects.append_from->previous();
  if (effects.record) give({Record{position.term}, {position.cuts, no_offset, position.term}});
  if (effects.install) give({Install{*effects.install, std::move(state)}, at});
  if (effects.cut_above) give({Cut{*effects.cut_above}, at});
  if (!effects.append_from) return;
  for (Offset each = *effects.append_from; each <= log.last(); each = each.next()) {
    at.last = each;
    give({Append{each, log.at(each)}, at});
  }
}

void RaftDisk::give(Step step) {
  if (failed_) return;
  if (!waiting_.empty() || std::holds_alternative<Install>(step.what)) {
    waiting_.push_back(std::move(step));
    return changed_.notify_all();
  }
  if (const auto sequence = log_step(step)) return logged(*sequence, step.position);
  else if (sequence.error() != make_error_code(Errc::resource_exhausted)) return fail_for_good(sequence.error());
  else note_full(sequence.error());
  waiting_.push_back(std::move(step));
  changed_.notify_all();
}

Result<disk::Sequence> RaftDisk::log_step(const Step& step) {
  if (const auto* record = std::get_if<Record>(&step.what)) return log_->record_term(the_log, record->term);
  if (const auto* cut = std::get_if<Cut>(&step.what)) return log_->truncate(the_log, cut->last_kept);
  if (const auto* install = std::get_if<Install>(&step.what)) {
    return log_->snapshot_installed(the_log, install->entry.term, install->entry.offset);
  }
  const auto& append = std::get<Append>(step.what);
  return log_->append(the_log, append.entry.term, append.offset, *append.entry.payload);
}

void RaftDisk::logged(disk::Sequence sequence, const RaftPosition& position) {
  written_.push_back({sequence, position});
  if (log_->synced() >= sequence) tell([this] { on_synced(log_->synced()); });   // it changed nothing
}

// The listener hears from the loop, never inside its own call.
void RaftDisk::tell(std::function<void()> what) { tasks_.spawn(tell_from_loop(std::move(what))); }

Task<> RaftDisk::tell_from_loop(std::function<void()> what) {
  what();
  co_return;
}

Task<> RaftDisk::write_waiting() {
  for (;;) {
    while (waiting_.empty()) co_await changed_.wait();
    const auto sequence = co_await write_step(waiting_.front());
    if (failed_) co_return;
    if (sequence) {
      const RaftPosition position = waiting_.front().position;
      waiting_.pop_front();
      if (waiting_.empty() && std::exchange(full_, false)) listener_.on_space();
      logged(*sequence, position);
    } else if (sequence.error() == make_error_code(Errc::resource_exhausted)) {
      note_full(sequence.error());
      co_await core_.sleep_for(space_retry);
    } else {
      co_return fail_for_good(sequence.error());
    }
  }
}

Task<Result<disk::Sequence>> RaftDisk::write_step(const Step& step) {
  if (const auto* install = std::get_if<Install>(&step.what)) CO_TRYV(co_await replace_snapshot(install->entry, install->state));
  co_return log_step(step);
}

Task<Result<>> RaftDisk::replace_snapshot(EntryId entry, BytesView state) {
  while (file_busy_) co_await changed_.wait();
  file_busy_ = true;
  Bytes body;
  append_varint(body, static_cast<std::uint64_t>(entry.term.value()));
  append_varint(body, static_cast<std::uint64_t>(entry.offset.value()));
  body += state;
  auto replaced = co_await disk::replace_file(disk_, folder_->file(snapshot_name), snapshot_document.seal(body));
  file_busy_ = false;
  changed_.notify_all();
  co_return replaced;
}

bool RaftDisk::snapshot(EntryId entry, Bytes state, Offset first_kept) {
  const bool installs =
      std::ranges::any_of(waiting_, [](const Step& step) { return std::holds_alternative<Install>(step.what); });
  if (snapshotting_ || installs || failed_) return false;
  snapshotting_ = true;
  tasks_.spawn(write_snapshot(entry, std::move(state), first_kept));
  return true;
}

// One that can't be written does no harm: the log is kept, and the next one is tried later.
Task<> RaftDisk::write_snapshot(EntryId entry, Bytes state, Offset first_kept) {
  const Result<> replaced = co_await replace_snapshot(entry, state);
  if (replaced && !failed_) {
    first_kept = std::min(first_kept, log_->shard(the_log).last.next());   // it may lag behind what is committed
    if (log_->trim(the_log, first_kept)) listener_.on_snapshot_durable(first_kept);
  } else if (!replaced) {
    co_await core_.sleep_for(space_retry);
  }
  snapshotting_ = false;
}

// --- how it went

void RaftDisk::on_synced(disk::Sequence up_to) {
  std::optional<RaftPosition> reached;
  Term term = no_term;
  while (!written_.empty() && written_.front().sequence <= up_to) {
    reached = written_.front().position;
    term = std::max(term, reached->term);
    written_.pop_front();
  }
  if (!reached) return;
  reached->term = term;
  listener_.on_durable(*reached);
}

void RaftDisk::note_full(const Error& why) {
  if (std::exchange(full_, true)) return;
  tell([this, why] { listener_.on_full(why); });
}

void RaftDisk::fail_for_good(const Error& why) {
  if (std::exchange(failed_, true)) return;
  tell([this, why] { listener_.on_failed(why); });
}

Task<> RaftDisk::stop() {
  co_await tasks_.cancel_and_join();
  failed_ = true;
  if (log_) {
    log_->remove_listener(*this);
    static_cast<void>(co_await log_->stop());
    log_.reset();
  }
  folder_.reset();
}

}  // namespace skerry::control
