// SPDX-License-Identifier: Apache-2.0
#include "serve/heir_walk.hpp"

#include <algorithm>

#include "serve/heirs.hpp"

namespace skerry::serve {

Task<Result<>> HeirWalk::add(Answers<proto::RangeScanResponse> answers) {
  Heir heir{std::move(answers)};
  CO_TRY(const bool has_records, co_await settle(heir));
  if (has_records) heirs_.push_back(std::move(heir));
  co_return Result<>{};
}

proto::GetResponse* HeirWalk::record() {
  Heir* heir = first();
  return heir != nullptr ? heir->page.mutable_records(heir->at) : nullptr;
}

Task<Result<>> HeirWalk::next() {
  Heir& heir = *first();
  ++heir.at;
  CO_TRY(const bool has_records, co_await settle(heir));
  if (!has_records) heirs_.erase(heirs_.begin() + (&heir - heirs_.data()));
  co_return Result<>{};
}

Task<Result<bool>> HeirWalk::settle(Heir& heir) {
  if (heir.at == heir.page.records_size()) {
    CO_TRY(const bool more, co_await heir.answers.next(heir.page));
    if (!more) co_return false;
    heir.at = 0;
  }
  heir.place = place_of(order_, by_index_, heir.page.records(heir.at));
  co_return true;
}

HeirWalk::Heir* HeirWalk::first() {
  const auto found = std::ranges::min_element(heirs_, {}, &Heir::place);
  return found == heirs_.end() ? nullptr : &*found;
}

}   // namespace skerry::serve
