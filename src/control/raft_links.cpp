// SPDX-License-Identifier: Apache-2.0
#include "control/raft_links.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.hpp"
#include "control/raft_wire.hpp"
#include "rpc/channel.hpp"
#include "runtime/core.hpp"
#include "runtime/join.hpp"
#include "runtime/wait_list.hpp"

namespace skerry::control {
namespace {

constexpr auto agree_method = "/skerry.control.v1.Coordinators/Agree";
constexpr auto cluster_header = "skerry-instance", from_member_header = "skerry-from", to_member_header = "skerry-to",
               names_header = "skerry-coordinators", address_header = "skerry-address";
constexpr Duration ping_interval = 300ms;
// A stream that answers nothing for so long is made again: the other, or the way to it, is not what it was.
constexpr Duration silence_max = 1s;
constexpr Duration reconnect_pause = 50ms, reconnect_pause_max = 200ms;
constexpr Duration farewell_max = 200ms;
// Of what waits to be written to one coordinator. Beyond it messages are dropped, as a network drops them.
constexpr std::size_t queued_bytes_max = 64 << 20;
constexpr std::size_t part_bytes_max = 256 << 10;   // of a snapshot
constexpr std::size_t snapshot_bytes_max = 2 * limits::metadata_bytes_max;   // with the lengths of keys and values

}  // namespace

// --- to another coordinator

class RaftLinks::Outbound {
 public:
  Outbound(RaftLinks& links, RaftMember to)
      : links_(links), to_(to),
        channel_(rpc::Channel::make(
            links.core_, links.network_, links.identity_.members.at(to).address,
            {.connect_timeout = silence_max, .backoff_min = reconnect_pause, .backoff_max = reconnect_pause_max})),
        ready_(links.core_), tasks_(links.core_) {
    tasks_.spawn(run());
  }

  void send(RaftMessage message) {
    if (!connected_ || queued_bytes_ > queued_bytes_max) return;
    if (auto* snapshot = std::get_if<RaftSnapshot>(&message)) {
      snapshot_ = std::move(*snapshot);
      snapshot_sent_ = 0;
    } else {
      write(message, *queued_.add_messages());
      if (const auto* append = std::get_if<RaftAppend>(&message)) {
        for (const RaftEntry& entry : append->entries) queued_bytes_ += entry.payload->size();
      }
    }
    ready_.wake_all();
  }

  Task<> stop() {
    const TimePoint until = links_.core_.now() + farewell_max;
    while (connected_ && unanswered_ + queued_.messages_size() > 0 && links_.core_.now() < until)
      co_await links_.core_.sleep_for(5ms);
    co_await tasks_.cancel_and_join();
    co_await channel_->stop();
  }

 private:
  Task<> run() {
    for (;;) {
      co_await serve_stream();
      connected_ = false;
      queued_.Clear();
      queued_bytes_ = 0;
      snapshot_.reset();
      co_await links_.core_.sleep_for(reconnect_pause);
    }
  }

  Task<> serve_stream() {
    const Identity& us = links_.identity_;
    rpc::CallOptions options{.deadline = no_deadline, .metadata = {}};
    options.metadata.add(cluster_header, us.cluster);
    options.metadata.add(from_member_header, us.members.at(us.members.self()).name);
    options.metadata.add(to_member_header, us.members.at(to_).name);
    options.metadata.add(names_header, us.members.names());
    options.metadata.add(address_header, us.address);
    auto call = co_await channel_->open(agree_method, std::move(options));
    if (!call) co_return;
    connected_ = true;
    unanswered_ = 0;
    answered_ = links_.core_.now();
    links_.listener_.on_connected(to_);
    co_await run_beside(links_.core_, read(**call), beside(**call));
  }

  Task<> beside(rpc::ClientCall& call) { co_await run_beside(links_.core_, write_queued(call), watch(call)); }

  // What has gathered while the message before was being written goes as one, and with it the next part of a snapshot.
  Task<> write_queued(rpc::ClientCall& call) {
    for (;;) {
      while (queued_.messages_size() == 0 && !snapshot_ && !ping_due_) co_await ready_.wait();
      v1::AgreeRequest request;
      request.Swap(&queued_);
      queued_bytes_ = 0;
      ping_due_ = false;
      if (snapshot_) add_part(request);
      ++unanswered_;
      if (!co_await call.write(request)) co_return call.cancel();
    }
  }

  void add_part(v1::AgreeRequest& request) {
    auto& part = *request.mutable_part();
    part.set_term(snapshot_->term.value());
    entry_to_wire(snapshot_->entry, *part.mutable_entry());
    part.set_sent(time_to_wire(snapshot_->sent));
    part.set_bytes(snapshot_->state->size());
    part.set_position(snapshot_sent_);
    part.set_part(snapshot_->state->substr(snapshot_sent_, part_bytes_max));
    snapshot_sent_ += part.part().size();
    if (snapshot_sent_ == snapshot_->state->size()) snapshot_.reset();
  }

  Task<> watch(rpc::ClientCall& call) {
    for (;;) {
      if (links_.core_.now() - answered_ > silence_max) co_return call.cancel();
      ping_due_ = true;
      ready_.wake_all();
      co_await links_.core_.sleep_for(ping_interval);
    }
  }

  Task<> read(rpc::ClientCall& call) {
    v1::AgreeAnswer answer;
    for (;;) {
      const auto more = co_await call.read(answer);
      if (!more || !*more) break;
      answered_ = links_.core_.now();
      --unanswered_;
      refusal_.clear();
    }
    connected_ = false;
    tell(co_await call.finish());
  }

  void tell(const rpc::Status& status) {
    const bool refused = status.code == rpc::Code::failed_precondition || status.code == rpc::Code::data_loss ||
                         status.code == rpc::Code::unimplemented;
    if (!refused || status.message == refusal_) return;
    refusal_ = status.message;
    links_.listener_.on_refused(to_, refusal_);
  }

  RaftLinks& links_;
  const RaftMember to_;
  std::unique_ptr<rpc::Channel> channel_;
  bool connected_ = false, ping_due_ = false;
  TimePoint answered_;
  int unanswered_ = 0;
  v1::AgreeRequest queued_;
  std::size_t queued_bytes_ = 0;   // of entries
  std::optional<RaftSnapshot> snapshot_;
  std::size_t snapshot_sent_ = 0;   // bytes of it
  std::string refusal_;
  WaitList ready_;
  TaskScope tasks_;
};

// --- from another coordinator

class RaftLinks::Inbound {
 public:
  Inbound(RaftLinks& links, RaftMember from) : links_(links), from_(from) {}

  Result<> take(const v1::AgreeRequest& request) {
    for (const auto& each : request.messages()) {
      TRY(const RaftMessage message, control::read(each));
      TRYV(links_.listener_.on_message(from_, message));
    }
    return request.has_part() ? take(request.part()) : Result<>();
  }

 private:
  Result<> take(const v1::RaftSnapshotPart& part) {
    if (part.position() == 0) arriving_.clear();
    const bool follows = part.position() == arriving_.size() && part.bytes() <= snapshot_bytes_max &&
                         part.part().size() <= part.bytes() - std::min<std::uint64_t>(part.position(), part.bytes());
    if (!follows) return fail(Errc::corrupt, "a part of a snapshot does not follow the one before");
    arriving_ += part.part();
    if (arriving_.size() < part.bytes()) return {};
    return links_.listener_.on_message(from_, RaftSnapshot{.term = Term(part.term()),
                                                           .entry = entry_from_wire(part.entry()),
                                                           .state = std::make_shared<const Bytes>(std::exchange(arriving_, {})),
                                                           .sent = time_from_wire(part.sent())});
  }

  RaftLinks& links_;
  const RaftMember from_;
  Bytes arriving_;   // of a snapshot
};

// --- all of them

RaftLinks::RaftLinks(Core& core, net::Network& network, Identity identity, RaftListener& listener)
    : core_(core), network_(network), identity_(std::move(identity)), listener_(listener) {}

RaftLinks::~RaftLinks() = default;

void RaftLinks::register_in(rpc::Methods& methods) {
  methods.bidirectional<v1::AgreeRequest, v1::AgreeAnswer>(
      agree_method, [this](rpc::ServerCall& call, rpc::Requests<v1::AgreeRequest>& requests,
                           rpc::Replies<v1::AgreeAnswer>& replies) { return answer(call, requests, replies); });
}

void RaftLinks::start() {
  started_ = true;
  for (RaftMember each{0}; each.value() < identity_.members.count(); each = each.next()) {
    if (each != identity_.members.self()) outbound_[each] = std::make_unique<Outbound>(*this, each);
  }
}

Task<> RaftLinks::stop() {
  started_ = false;
  for (const auto& [to, link] : outbound_) co_await link->stop();
  outbound_.clear();
}

void RaftLinks::send(RaftMember to, RaftMessage message) {
  if (const auto link = outbound_.find(to); link != outbound_.end()) link->second->send(std::move(message));
}

std::string RaftLinks::address_of(RaftMember member) const {
  if (member == identity_.members.self()) return identity_.address;
  const auto found = addresses_.find(member);
  return found == addresses_.end() ? std::string() : found->second;
}

std::expected<RaftMember, rpc::Status> RaftLinks::check_caller(const rpc::ServerCall& call) const {
  const auto refuse = [](std::string why) {
    return std::unexpected(rpc::Status(rpc::Code::failed_precondition, std::move(why)));
  };
  const RaftMembers& members = identity_.members;
  const auto header = [&call](const char* name) { return call.header(name).value_or("none"); };
  if (header(cluster_header) != identity_.cluster) {
    return refuse(
        fmt::format("this coordinator belongs to the cluster {}, the caller to {}: an address is wrong, or a folder was moved",
                    identity_.cluster, header(cluster_header)));
  }
  if (header(to_member_header) != members.at(members.self()).name) {
    return refuse(fmt::format("this is the coordinator {}, the caller looks for {}: an address in its list is wrong",
                              members.at(members.self()).name, header(to_member_header)));
  }
  if (header(names_header) != members.names()) {
    return refuse(fmt::format("this coordinator was given the coordinators {}, the caller {}: give all of them the same list",
                              members.names(), header(names_header)));
  }
  const auto from = members.find(header(from_member_header));
  if (!from || *from == members.self()) {
    return refuse(fmt::format("the caller says it is the coordinator {}, which is not another of {}", header(from_member_header),
                              members.names()));
  }
  return *from;
}

Task<rpc::Status> RaftLinks::answer(rpc::ServerCall& call, rpc::Requests<v1::AgreeRequest>& requests,
                                    rpc::Replies<v1::AgreeAnswer>& replies) {
  const auto from = check_caller(call);
  if (!from) co_return from.error();
  if (!started_) co_return rpc::Status(rpc::Code::unavailable, "this coordinator is not ready yet, or stopping");
  addresses_[*from] = call.header(address_header).value_or("");
  Inbound inbound(*this, *from);
  v1::AgreeRequest request;
  for (;;) {
    const auto more = co_await requests.next(request);
    if (!more) co_return rpc::Status::from(more.error());
    if (!*more || !started_) co_return rpc::Status();
    if (const auto taken = inbound.take(request); !taken) co_return rpc::Status(rpc::Code::data_loss, taken.error().message());
    if (!co_await replies.write(v1::AgreeAnswer())) co_return rpc::Status();
  }
}

}  // namespace skerry::control
