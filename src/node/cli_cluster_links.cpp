// SPDX-License-Identifier: Apache-2.0
#include "node/cli_cluster_links.hpp"

#include "runtime/join.hpp"

namespace skerry::node {
namespace {

constexpr std::size_t piece_bytes_max = 64 << 10;
constexpr auto connect_patience = 5s;
constexpr auto accept_pause = 50ms;   // after one that failed

}  // namespace

// What a caller says while nothing of it arrives.
struct ClusterLinks::Waiting {
  std::string said;
  bool gone = false;
};

ClusterLinks::ClusterLinks(Core& core, net::Network& network, std::map<Member, Link> links, CallerOf caller_of)
    : core_(core), network_(network), links_(std::move(links)), caller_of_(std::move(caller_of)), changed_(core), tasks_(core) {}

Result<> ClusterLinks::start() {
  for (const auto& [member, link] : links_) {
    TRY(listeners_[member], network_.listen(link.address));
  }
  for (const auto& [member, link] : links_) tasks_.spawn(accept(member));
  return {};
}

Task<> ClusterLinks::stop() {
  co_await tasks_.cancel_and_join();
  listeners_.clear();
}

void ClusterLinks::cut(Member from, Member to) { cuts_.insert({from, to}); }

void ClusterLinks::heal(Member from, Member to) {
  cuts_.erase({from, to});
  changed_.notify_all();
}

Task<> ClusterLinks::accept(Member to) {
  for (;;) {
    auto accepted = co_await listeners_.at(to)->accept();
    if (accepted) {
      tasks_.spawn(serve(to, *std::move(accepted)));
    } else if (accepted.error() == Errc::closed) {
      co_return;
    } else {
      co_await core_.sleep_for(accept_pause);
    }
  }
}

Task<> ClusterLinks::serve(Member to, std::unique_ptr<net::Stream> caller) {
  const Link& link = links_.at(to);
  const Way way{caller_of_(caller->peer().port, link.address.port), to};
  Waiting waiting;
  if (is_cut_off(way)) co_await run_beside(core_, wait_open(way, waiting), absorb(*caller, waiting));
  if (waiting.gone) co_return;
  const auto target = co_await network_.connect(link.to, core_.now() + connect_patience);
  if (!target) co_return;   // the caller sees the connection end
  const BytesView said = waiting.said;
  if (!said.empty() && !co_await (*target)->write({&said, 1})) co_return;
  std::vector<Task<>> ways;
  ways.push_back(carry(*caller, **target, way));
  ways.push_back(carry(**target, *caller, {way.second, way.first}));
  co_await run_all(core_, std::move(ways));
}

Task<> ClusterLinks::wait_open(Way way, Waiting& waiting) {
  while (is_cut_off(way) && !waiting.gone) co_await changed_.wait();
}

// So that one that gives up is let go of.
Task<> ClusterLinks::absorb(net::Stream& caller, Waiting& waiting) {
  std::vector<char> buffer(piece_bytes_max);
  while (waiting.said.size() < piece_bytes_max) {
    const auto count = co_await caller.read_some(buffer);
    if (!count || *count == 0) {
      waiting.gone = true;
      changed_.notify_all();
      co_return;
    }
    waiting.said.append(buffer.data(), *count);
  }
}

// The end of a connection is cut like its bytes are.
Task<> ClusterLinks::carry(net::Stream& from, net::Stream& to, Way way) {
  std::vector<char> buffer(piece_bytes_max);
  for (;;) {
    const auto count = co_await from.read_some(buffer);
    while (is_cut(way)) co_await changed_.wait();
    if (!count || *count == 0) break;
    const BytesView piece(buffer.data(), *count);
    if (!co_await to.write({&piece, 1})) break;
  }
  from.close();
  to.close();
}

}  // namespace skerry::node
