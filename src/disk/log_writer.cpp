// SPDX-License-Identifier: Apache-2.0
// The background tasks of SegmentedLog: writing and syncing batches, making and recycling segments.
#include <algorithm>
#include <utility>

#include "disk/segmented_log.hpp"

namespace skerry::disk {
namespace {

constexpr std::size_t write_step = 1 << 20;   // longer batches let the loop turn in between
constexpr auto make_again_after = 1s;         // a segment that could not be made

// Wakes the housekeeper when it has waited long enough.
class Reminder final : public Timer {
 public:
  explicit Reminder(Signal& signal) : signal_(signal) {}

 private:
  void on_due() override { signal_.notify_all(); }
  Signal& signal_;
};

}  // namespace

Task<> SegmentedLog::write_batches() {
  for (;;) {
    if (sync_due()) {
      if (auto synced = co_await sync_for_release(); !synced) co_return halt(synced.error());
    } else if (!queue_.empty()) {
      Batch& batch = queue_.front();   // stays where it is: the queue only grows behind it
      batch.closed = true;
      if (auto written = co_await write(batch); !written) co_return halt(written.error());
      batch_done(batch);
    } else if (stopping_) {
      co_return;
    } else {
      co_await work_.wait();
    }
  }
}

// What lets a segment go must outlive a crash, even if with Durable::no nothing else is to. Done here and not beside the
// writer, since of two syncs of one file only one may hear of a failure.
bool SegmentedLog::sync_due() const {
  return !releases_.empty() && releases_.front().sequence <= synced_ && releases_.front().sequence > released_up_to_;
}

Task<Result<>> SegmentedLog::sync_for_release() {
  const std::uint64_t covered = synced_;
  if (options_.durable == Durable::no) CO_TRYV(co_await written_->file->sync());
  released_up_to_ = covered;
  chores_.notify_all();
  co_return Result<>{};
}

Task<Result<>> SegmentedLog::write(Batch& batch) {
  const std::shared_ptr<Segment> segment = batch.segment;
  CO_TRYV(co_await wait_made(segment));
  // A segment is written only when the one before it is durable to its end, so that only the last can be torn.
  if (written_ != segment && written_->synced < written_->end) CO_TRYV(co_await written_->file->sync());
  if (written_ != segment) written_->synced = written_->end;
  written_ = segment;
  const RecordHeader header =
      batch_header(segment->header, segment->synced, batch.bytes.size() - record_header_bytes, batch.first_sequence);
  encode_record_header(header, segment->header.seed(), batch.bytes.data());
  for (std::size_t at = 0; at < batch.bytes.size(); at += write_step) {
    if (at > 0) co_await core_.yield();
    const BytesView piece = BytesView(batch.bytes).substr(at, write_step);
    CO_TRYV(segment->file->write_at(batch.position + at, {&piece, 1}));
  }
  if (options_.durable == Durable::yes) {
    CO_TRYV(co_await segment->file->sync());
    segment->synced = batch.position + batch.bytes.size();
  }
  if (batch.position == segment_data_start) chores_.notify_all();   // the footer of the one before may be due
  co_return Result<>{};
}

Task<Result<>> SegmentedLog::wait_made(std::shared_ptr<Segment> segment) {
  while (!segment->made()) {
    if (stopping_ && segment->failure) co_return fail(*segment->failure);
    co_await made_.wait();
  }
  co_return Result<>{};
}

void SegmentedLog::batch_done(const Batch& batch) {
  gathered_bytes_ -= batch.bytes.size();
  // Its last record is the one before the next batch's first.
  synced_ = (queue_.size() > 1 ? queue_[1].first_sequence : next_sequence_) - 1;
  queue_.pop_front();
  tell_synced();
}

void SegmentedLog::tell_synced() {
  durable_.notify_all();
  std::erase(listeners_, nullptr);
  for (std::size_t i = 0; i < listeners_.size(); ++i) {   // a listener may add or remove some
    if (listeners_[i] != nullptr) listeners_[i]->on_synced(Sequence(synced_));
  }
}

void SegmentedLog::halt(Error reason) {
  if (failure_) return;
  reason.text = "the log has stopped: " + reason.message();
  failure_ = std::move(reason);
  durable_.notify_all();
  chores_.notify_all();
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    if (listeners_[i] != nullptr) listeners_[i]->on_stopped(*failure_);
  }
}

Task<Result<>> SegmentedLog::stop() {
  if (std::exchange(stopping_, true)) co_return fail(Errc::closed, "the log is closed");
  work_.notify_all();
  made_.notify_all();
  while (!queue_.empty() && !failure_) co_await durable_.wait();
  if (!failure_) co_await write_closing_batch();
  co_await tasks_.cancel_and_join();
  durable_.notify_all();
  if (failure_) co_return fail(*failure_);
  co_return Result<>{};
}

// An empty batch tells the next opening that everything before it was synced, so that damage there is found even though no
// records follow.
Task<> SegmentedLog::write_closing_batch() {
  Segment& last = *segments_.back();
  if (!last.begun() || !last.made()) co_return;
  if (last.synced < last.end) {
    if (auto synced = co_await last.file->sync(); !synced) co_return halt(synced.error());
    last.synced = last.end;
  }
  if (last.header.bytes - last.end < record_header_bytes) co_return;
  Bytes bytes(record_header_bytes, '\0');
  encode_record_header(batch_header(last.header, last.end, 0, next_sequence_), last.header.seed(), bytes.data());
  const BytesView piece = bytes;
  if (auto written = last.file->write_at(last.end, {&piece, 1}); !written) co_return halt(written.error());
  last.end += record_header_bytes;
  if (auto synced = co_await last.file->sync(); !synced) halt(synced.error());
}

Task<> SegmentedLog::keep_house() {
  Reminder reminder(chores_);
  while (!failure_) {
    const bool release = !releases_.empty() && releases_.front().sequence <= released_up_to_;
    // Segments that can't be recycled now are read and found unneeded at the next opening.
    if (release && co_await recycle_released()) reminder.cancel();
    const std::shared_ptr<Segment> wanted = reminder.armed() ? nullptr : unmade();
    if (wanted) {
      auto made = co_await pool_.make(wanted);
      wanted->failure = made ? std::nullopt : std::optional(made.error());
      if (!made) core_.timers().arm(reminder, core_.now() + make_again_after);
      made_.notify_all();
    }
    const std::shared_ptr<Segment> closed = without_footer();
    if (closed && !wanted) {   // the next segment is waited for, a footer is not
      if (auto written = co_await write_footer(closed); !written) co_return halt(written.error());
    }
    if (!release && !wanted && !closed) co_await chores_.wait();
  }
}

// The oldest segment that has no file yet.
std::shared_ptr<Segment> SegmentedLog::unmade() const {
  for (const auto& segment : segments_) {
    if (!segment->made()) return segment;
  }
  return next_->made() ? nullptr : next_;
}

// The oldest segment whose footer is due: when all before it is synced, and the head of the next segment too.
std::shared_ptr<Segment> SegmentedLog::without_footer() const {
  for (std::size_t i = 0; i + 1 < segments_.size(); ++i) {
    const Segment& segment = *segments_[i];
    const bool synced = segment.synced == segment.end && segments_[i + 1]->synced > segment_data_start;
    if (segment.footer && synced) return segments_[i];
  }
  return nullptr;
}

// Synced, so that openings after a crash are quick too. It goes to a file that the writer is done with: of two syncs of one
// file only one may hear of a failure.
Task<Result<>> SegmentedLog::write_footer(std::shared_ptr<Segment> segment) {
  const Bytes footer = std::move(*segment->footer);
  segment->footer.reset();
  const BytesView piece = footer;
  CO_TRYV(segment->file->write_at(segment->header.bytes - footer.size(), {&piece, 1}));
  CO_TRYV(co_await segment->file->sync());
  segment->footed = true;
  co_return Result<>{};
}

Task<bool> SegmentedLog::recycle_released() {
  std::vector<std::uint64_t> released;
  while (!releases_.empty() && releases_.front().sequence <= released_up_to_) {
    while (segments_.front()->header.generation < releases_.front().generation) {
      released.push_back(segments_.front()->header.generation);
      segments_.pop_front();
    }
    releases_.pop_front();
  }
  const auto recycled = co_await pool_.recycle(std::move(released));
  co_return recycled.has_value();
}

}  // namespace skerry::disk
