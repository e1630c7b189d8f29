// SPDX-License-Identifier: Apache-2.0
#include "replica/pair_lease.hpp"

#include <algorithm>

#include "replica/rules.hpp"

namespace skerry::replica {
namespace {

// On a clock as slow as may be, this much is over before lease_length is on the other.
constexpr Duration lease_counted =
    Duration(limits::lease_length) * limits::clock_rate_error_part / (limits::clock_rate_error_part + 1);

}  // namespace

Heartbeat PairLease::heartbeat(TimePoint now) {
  ++number_;
  sent_[number_ % heartbeats_remembered] = now;
  return {.incarnation = own_, .number = number_, .news_from = held_.incarnation, .news_up_to = news_taken_};
}

HeartbeatNews PairLease::answered(const HeartbeatAnswer& answer) {
  HeartbeatNews news;
  if (answer.to != own_ || answer.incarnation < held_.incarnation || !remembers(answer.number)) return news;
  if (answer.incarnation > held_.incarnation) {
    held_ = {.incarnation = answer.incarnation};
    news_taken_ = 0;
    news.restarted = true;
  }
  if (kept(Rule::lease_ends_with_news)) news.fenced = answer.news;
  news_taken_ = std::max(news_taken_, answer.news_up_to);
  const std::uint64_t counted = kept(Rule::lease_counted_from_sending) ? answer.number : number_;
  if (answer.complete) held_.until = std::max(held_.until, sent_[counted % heartbeats_remembered] + lease_counted);
  return news;
}

HeartbeatAnswer PairLease::answer(const Heartbeat& heartbeat, TimePoint now) {
  if (heartbeat.news_from == own_) {
    while (!news_.empty() && news_.front().number <= heartbeat.news_up_to) news_.pop_front();
  }
  given_ = std::max(given_, now + limits::lease_length);
  HeartbeatAnswer answer{.to = heartbeat.incarnation, .number = heartbeat.number, .incarnation = own_};
  for (const Numbered& each : news_) {
    if (answer.news.size() == limits::fenced_news_max) {
      answer.complete = false;
      break;
    }
    answer.news.push_back(each.news);
    answer.news_up_to = each.number;
  }
  if (!kept(Rule::news_until_confirmed)) news_.clear();
  return answer;
}

void PairLease::fenced(FencedNews news) { news_.push_back({++news_given_, news}); }

bool PairLease::remembers(std::uint64_t number) const {
  return number != 0 && number <= number_ && number_ - number < heartbeats_remembered;
}

}  // namespace skerry::replica
