// SPDX-License-Identifier: Apache-2.0
#include "disk/sync_ring.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <boost/asio/posix/descriptor_base.hpp>
#include <cerrno>

#include "runtime/core.hpp"

namespace skerry::disk {

Descriptor::~Descriptor() { ::close(number_); }

std::unique_ptr<SyncRing> SyncRing::open(Core& core) {
  io_uring ring{};
  if (::io_uring_queue_init(entries, &ring, 0) < 0) return nullptr;
  const int event = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (event < 0 || ::io_uring_register_eventfd(&ring, event) < 0) {
    if (event >= 0) ::close(event);
    ::io_uring_queue_exit(&ring);
    return nullptr;
  }
  return std::unique_ptr<SyncRing>(new SyncRing(core, ring, event));
}

SyncRing::SyncRing(Core& core, io_uring ring, int event) : core_(core), ring_(ring), event_(core.io(), event) { listen(); }

SyncRing::~SyncRing() { ::io_uring_queue_exit(&ring_); }

Task<long> SyncRing::sync(std::shared_ptr<Descriptor> file, SyncKind kind) {
  const auto pending = std::make_shared<PendingCall>(core_);
  waiting_.push_back({std::move(file), kind, pending});
  submit_waiting();
  co_await pending->done.wait();
  co_return pending->result;
}

void SyncRing::submit_waiting() {
  while (!waiting_.empty() && submitted_.size() < entries) {
    io_uring_sqe* const entry = ::io_uring_get_sqe(&ring_);
    if (entry == nullptr) return;
    Request& request = waiting_.front();
    ::io_uring_prep_fsync(entry, request.file->number(), request.kind == SyncKind::data ? IORING_FSYNC_DATASYNC : 0);
    ::io_uring_sqe_set_data64(entry, next_);
    const auto position = submitted_.emplace(next_++, std::move(request)).first;
    waiting_.pop_front();
    const int result = submit();
    if (result >= 0) continue;
    // The kernel may still take it with a later one; then its completion is for a number that nobody knows.
    position->second.pending->finish(result);
    submitted_.erase(position);
  }
}

int SyncRing::submit() {
  constexpr int attempts_max = 100;   // the kernel may lack memory, or a signal come in, for a moment
  int result = 0;
  for (int attempt = 0; attempt < attempts_max; ++attempt) {
    result = ::io_uring_submit(&ring_);
    if (result >= 0 || (result != -EINTR && result != -EAGAIN && result != -EBUSY)) break;
  }
  return result;
}

void SyncRing::listen() {
  const auto wait_read = asio::posix::descriptor_base::wait_read;
  event_.async_wait(wait_read, [this, alive = std::weak_ptr(alive_)](boost::system::error_code error) {
    if (error || alive.expired()) return;
    std::uint64_t count = 0;
    [[maybe_unused]] const auto taken = ::read(event_.native_handle(), &count, sizeof count);
    take_completions();
    listen();
  });
}

void SyncRing::take_completions() {
  io_uring_cqe* completion = nullptr;
  while (::io_uring_peek_cqe(&ring_, &completion) == 0) {
    const auto found = submitted_.find(::io_uring_cqe_get_data64(completion));
    const long result = completion->res;
    ::io_uring_cqe_seen(&ring_, completion);
    if (found == submitted_.end()) continue;
    found->second.pending->finish(result);
    submitted_.erase(found);
  }
  submit_waiting();
}

}  // namespace skerry::disk
