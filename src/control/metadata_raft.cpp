// SPDX-License-Identifier: Apache-2.0
#include "control/metadata_raft.hpp"

#include <fmt/format.h>

#include <utility>

#include "base/limits.hpp"

namespace skerry::control {
namespace {

constexpr std::size_t bytes_in_flight_max = 2 * limits::metadata_change_bytes_max;
constexpr std::size_t entries_before_snapshot = 10'000;
constexpr char changes_follow = 1;   // an entry's first byte; an entry without any begins a term

}  // namespace

class MetadataRaft::Candidacy {
 public:
  explicit Candidacy(MetadataRaft& owner) : owner_(owner) {
    if (++owner_.candidacies_ == 1) owner_.raft_->stand();
    owner_.carry_out({});
  }
  Candidacy(const Candidacy&) = delete;
  Candidacy& operator=(const Candidacy&) = delete;
  ~Candidacy() {
    if (--owner_.candidacies_ == 0) owner_.raft_->sit();
  }

 private:
  MetadataRaft& owner_;
};

MetadataRaft::MetadataRaft(Core& core, disk::Disk& disk, net::Network& network, Options options, Logger logger)
    : core_(core), files_(disk), options_(std::move(options)), log_(logger),
      links_(core, network, {options_.cluster, options_.members, options_.address}, *this), room_(core, bytes_in_flight_max),
      changed_(core), tasks_(core) {}

MetadataRaft::~MetadataRaft() = default;

// --- office

Task<Result<>> MetadataRaft::open() {
  CO_TRY(auto opened,
         co_await RaftDisk::open(core_, files_, {options_.folder, options_.cluster, options_.members, options_.log_segment_bytes},
                                 *this));
  if (stopping_) {
    co_await opened->stop();
    co_return fail(Errc::closed, "this coordinator is stopping");
  }
  RaftDisk::Found found = opened->take_found();
  disk_ = std::move(opened);
  table_ = std::move(found.table);
  applied_ = found.recovered.snapshot.offset;
  const RaftSeat seat{.self = options_.members.self(),
                      .members = options_.members.count(),
                      .timing = options_.timing,
                      .seed = core_.random().next()};
  raft_ = std::make_unique<RaftCore>(seat, std::move(found.recovered), core_.now());
  links_.start();
  co_return Result<>{};
}

Task<Result<Metadata::Office>> MetadataRaft::take_office() {
  if (stopping_) co_return fail(Errc::closed, "this coordinator is stopping");
  if (!raft_) CO_TRYV(co_await open());
  if (raft_->leads()) carry_out(raft_->resign(core_.now()));
  leave_office({Errc::aborted, "office was taken again"});
  co_return co_await wait_for_office();
}

Task<Result<Metadata::Office>> MetadataRaft::wait_for_office() {
  const Candidacy candidacy(*this);
  for (;;) {
    CO_TRYV(usable());
    if (raft_->in_office(core_.now())) break;
    co_await changed_.wait();
  }
  tenure_ = std::make_shared<Tenure>(Tenure{.term = raft_->term()});
  bytes_in_flight_ = 0;
  log_.info("in office", {{"term", raft_->term()}, {"items", table_.items().size()}});
  co_return Office{raft_->term().value(), table_.items()};
}

Result<> MetadataRaft::usable() const {
  if (stopping_) return fail(Errc::closed, "this coordinator is stopping");
  if (failed_) return fail(Errc::io_failed, failed_->message());
  if (full_) return fail(Errc::io_failed, full_->message());
  return {};
}

void MetadataRaft::leave_office(Error reason) {
  if (!in_office()) return;
  log_.info("no longer in office", {{"term", tenure_->term}, {"reason", reason}});
  tenure_->ended = std::move(reason);
  changed_.notify_all();
}

Task<Result<>> MetadataRaft::commit(std::vector<MetadataChange> changes) {
  const Error not_in_office{Errc::aborted, "this coordinator is not in office"};
  if (!in_office()) co_return fail(not_in_office);
  const std::shared_ptr<Tenure> tenure = tenure_;
  auto payload = std::make_shared<Bytes>(1, changes_follow);
  *payload += encode(changes);
  const auto room = co_await room_.acquire(payload->size());
  if (!room || tenure->ended) co_return fail(tenure->ended.value_or(not_in_office));
  CO_TRYV(table_.check(changes, bytes_in_flight_));
  bytes_in_flight_ += payload->size();
  carry_out(raft_->propose(payload));
  const Offset mine = raft_->log().last();
  while (tenure->committed < mine && !tenure->ended) co_await changed_.wait();
  if (tenure == tenure_) bytes_in_flight_ -= payload->size();
  if (tenure->committed < mine) co_return fail(*tenure->ended);
  co_return Result<>{};
}

Task<> MetadataRaft::wait_ousted() {
  const std::shared_ptr<Tenure> tenure = tenure_;
  while (tenure && !tenure->ended) co_await changed_.wait();
}

std::string MetadataRaft::holder() const {
  if (!raft_ || !raft_->leader()) return {};
  return links_.address_of(*raft_->leader());
}

Task<> MetadataRaft::stop() {
  stopping_ = true;
  tick_.cancel();
  if (raft_ && raft_->leads()) carry_out(raft_->resign(core_.now()));
  tick_.cancel();
  leave_office({Errc::aborted, "this coordinator is stopping"});
  changed_.notify_all();
  room_.close();
  co_await links_.stop();
  co_await tasks_.cancel_and_join();
  if (disk_) co_await disk_->stop();
}

// --- carrying out

void MetadataRaft::tick() { carry_out(raft_->tick(core_.now())); }

void MetadataRaft::carry_out(const RaftEffects& effects, const std::shared_ptr<const Bytes>& state) {
  if (effects.lost) leave_office({Errc::aborted, "this coordinator was not answered by a majority, or another has taken office"});
  if (effects.record || effects.install || effects.cut_above || effects.append_from) {
    disk_->write(effects, raft_->log(), effects.install ? *state : Bytes(), raft_->position());
  }
  if (effects.install) applied_ = effects.install->offset;
  if (effects.commit) apply(*effects.commit);
  for (const RaftEffects::Outgoing& each : effects.send) links_.send(each.to, each.message);
  if (effects.flush) core_.at_turn_end(*this);
  if (effects.office && candidacies_ == 0) {   // who waited for it was cancelled
    return carry_out(raft_->resign(core_.now()));
  }
  changed_.notify_all();
  if (stopping_ || failed_) return;
  if (const TimePoint next = raft_->next_tick(); next != TimePoint::max()) {
    core_.timers().arm(tick_, next);
  } else {
    tick_.cancel();
  }
}

void MetadataRaft::on_turn_end() {
  if (!raft_ || !raft_->leads() || failed_) return;
  for (RaftEffects::Outgoing& each : raft_->appends(core_.now())) {
    if (auto* snapshot = std::get_if<RaftSnapshot>(&each.message)) {
      snapshot->state = std::make_shared<const Bytes>(encode(table_.items()));
    }
    links_.send(each.to, std::move(each.message));
  }
}

void MetadataRaft::apply(Offset up_to) {
  while (applied_ < up_to && !failed_) {
    const Offset offset = applied_.next();
    if (const Result<> done = apply(raft_->log().at(offset)); !done) return give_up_for_good(done.error());
    applied_ = offset;
  }
  if (in_office() && raft_->leads()) tenure_->committed = applied_;
  snapshot_if_due();
}

Result<> MetadataRaft::apply(const RaftEntry& entry) {
  const BytesView payload = *entry.payload;
  if (payload.empty()) return {};
  if (payload.front() != changes_follow) {
    return fail(Errc::unsupported,
                fmt::format("{} holds a change of a newer kind: start the newer Skerry that runs elsewhere", options_.folder));
  }
  TRY(const std::vector<MetadataChange> changes, decode_changes(payload.substr(1)));
  table_.apply(changes);
  return {};
}

// --- snapshots

void MetadataRaft::snapshot_if_due() {
  const RaftLog& log = raft_->log();
  const std::size_t bytes_max = std::max(options_.snapshot_after_bytes, table_.bytes());
  const auto entries = static_cast<std::size_t>(log.last().value() - log.base().offset.value());
  if (log.bytes() <= bytes_max && entries <= entries_before_snapshot) return;
  const Offset first_kept = first_to_keep();
  if (first_kept <= log.first()) return;
  disk_->snapshot({*log.term_of(applied_), applied_}, encode(table_.items()), first_kept);
}

// Some entries stay, so that who is a little behind needs no snapshot.
Offset MetadataRaft::first_to_keep() const {
  const RaftLog& log = raft_->log();
  std::size_t bytes = 0, entries = 0;
  Offset first = applied_.next();
  while (log.holds(first.previous())) {
    bytes += log.at(first.previous()).payload->size();
    if (bytes > options_.snapshot_after_bytes / 2 || ++entries > entries_before_snapshot / 2) break;
    first = first.previous();
  }
  return first;
}

void MetadataRaft::on_snapshot_durable(Offset first_kept) { raft_->drop_before(first_kept); }

// --- what others say

Result<> MetadataRaft::on_message(RaftMember from, const RaftMessage& message) {
  if (stopping_ || failed_) return {};
  const auto* snapshot = std::get_if<RaftSnapshot>(&message);
  std::optional<MetadataItems> items;
  if (snapshot != nullptr) {
    TRY(items, decode_items(*snapshot->state));
  }
  const auto effects = raft_->receive(from, message, core_.now());
  if (!effects) {
    log_.warn("another coordinator was not understood",
              {{"coordinator", options_.members.at(from).name}, {"reason", effects.error()}});
    return fail(effects.error());
  }
  if (effects->install) table_ = MetadataTable(*std::move(items));
  carry_out(*effects, snapshot != nullptr ? snapshot->state : nullptr);
  return {};
}

void MetadataRaft::on_connected(RaftMember to) {
  if (!stopping_ && !failed_) carry_out(raft_->reconnected(to));
}

void MetadataRaft::on_refused(RaftMember by, const std::string& why) {
  log_.warn("another coordinator refuses this one", {{"coordinator", options_.members.at(by).name}, {"reason", why}});
}

// --- what the disk says

void MetadataRaft::on_durable(const RaftPosition& position) {
  if (!failed_) carry_out(raft_->persisted(position, core_.now()));
}

// Another, whose disk has space, should be in office.
void MetadataRaft::on_full(const Error& why) {
  log_.error("the disk is full: nothing is stored here until there is space", {{"reason", why}});
  full_ = why;
  leave_office({Errc::io_failed, why.message()});
  if (raft_->leads()) carry_out(raft_->resign(core_.now()));
  changed_.notify_all();
}

void MetadataRaft::on_space() {
  log_.info("the disk has space again");
  full_.reset();
}

void MetadataRaft::on_failed(const Error& why) { give_up_for_good(why); }

void MetadataRaft::give_up_for_good(const Error& why) {
  if (failed_) return;
  log_.error("the cluster's status can't be kept here any more", {{"reason", why}});
  leave_office({Errc::io_failed, why.message()});
  if (raft_->leads()) carry_out(raft_->resign(core_.now()));
  failed_ = why;
  tick_.cancel();
  changed_.notify_all();
}

}  // namespace skerry::control
