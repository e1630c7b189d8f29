// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <deque>
#include <optional>
#include <utility>

#include "runtime/semaphore.hpp"
#include "runtime/wait_list.hpp"

namespace skerry {

// A bounded queue between coroutines of one core. Full: push() waits, in order. close() lets what is in it be taken, then ends.
template <class T>
class Queue {
 public:
  Queue(Core& core, std::size_t capacity) : places_(core, capacity), ready_(core) {}

  // False when the queue is closed; the item is then dropped.
  Task<bool> push(T item) {
    auto place = co_await places_.acquire();
    if (!place) co_return false;
    put(std::move(item), *std::move(place));
    co_return true;
  }
  // Takes the item only if there is room at once.
  bool try_push(T& item) {
    auto place = places_.try_acquire();
    if (place.count() == 0) return false;
    put(std::move(item), std::move(place));
    return true;
  }

  // Nothing once the queue is closed and empty.
  Task<std::optional<T>> pop() {
    while (items_.empty() && !closed_) co_await ready_.wait();
    co_return try_pop();
  }
  std::optional<T> try_pop() {
    if (items_.empty()) return std::nullopt;
    std::optional<T> item(std::move(items_.front().item));
    items_.pop_front();
    return item;
  }

  void close() {
    closed_ = true;
    places_.close();
    ready_.wake_all();
  }
  std::size_t size() const { return items_.size(); }
  bool empty() const { return items_.empty(); }
  bool closed() const { return closed_; }

 private:
  struct Item {
    T item;
    SemaphoreUnits place;
  };
  void put(T item, SemaphoreUnits place) {
    items_.push_back(Item{std::move(item), std::move(place)});
    ready_.wake_one();
  }

  Semaphore places_;       // before items_: they give their places back
  std::deque<Item> items_;
  WaitList ready_;
  bool closed_ = false;
};

}  // namespace skerry
