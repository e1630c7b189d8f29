// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <set>

#include "runtime/random.hpp"
#include "store/engine.hpp"

namespace skerry::store::testing {

// Another engine's shard with a small, forgetful memory: keys are cold at random until loaded, and forgotten at random with
// every entry applied. A place in a walk is as cold as the key found there.
class ColdEngine final : public ShardEngine {
 public:
  ColdEngine(ShardEngine& inner, std::uint64_t seed, double cold) : inner_(inner), random_(seed), cold_(cold) {}

  Lookup try_get(Space space, BytesView key, Bytes& value) override {
    return is_cold(space, key) ? Lookup::cold : inner_.try_get(space, key, value);
  }
  Task<Result<>> load(Space space, std::vector<Bytes> keys) override {
    for (Bytes& key : keys) warm(space, key);
    co_return Result<>{};
  }
  std::unique_ptr<Cursor> cursor(Space space) override { return std::make_unique<ColdCursor>(*this, space); }
  void apply(std::span<const Write> writes, Offset offset) override {
    std::erase_if(warm_, [&](const auto&) { return random_.chance(cold_); });
    inner_.apply(writes, offset);
  }
  Offset applied() const override { return inner_.applied(); }
  Offset durable() const override { return inner_.durable(); }
  std::uint64_t approximate_bytes() const override { return inner_.approximate_bytes(); }
  void stage_anew() override { inner_.stage_anew(); }
  void stage(std::span<const Write> writes) override { inner_.stage(writes); }
  Task<Result<>> finish_staging(Offset offset) override { return inner_.finish_staging(offset); }
  std::optional<Offset> staged() const override { return inner_.staged(); }
  void take_staged() override { inner_.take_staged(); }
  std::uint64_t times_cold() const { return times_cold_; }

 private:
  class ColdCursor final : public Cursor {
   public:
    ColdCursor(ColdEngine& engine, Space space) : engine_(engine), space_(space), inner_(engine.inner_.cursor(space)) {}
    void seek(BytesView key) override { inner_->seek(key), moved(); }
    void seek_below(BytesView key) override { inner_->seek_below(key), moved(); }
    void seek_last() override { inner_->seek_last(), moved(); }
    void next() override { inner_->next(), moved(); }
    void previous() override { inner_->previous(), moved(); }
    State state() const override { return cold_ ? State::cold : inner_->state(); }
    Task<Result<>> load() override {
      engine_.warm(space_, place());
      cold_ = false;
      co_return Result<>{};
    }
    BytesView key() const override { return inner_->key(); }
    BytesView value() const override { return inner_->value(); }
    Error error() const override { return inner_->error(); }

   private:
    Bytes place() const { return inner_->state() == State::record ? Bytes(inner_->key()) : Bytes("the end"); }
    void moved() { cold_ = engine_.is_cold(space_, place()); }
    ColdEngine& engine_;
    Space space_;
    std::unique_ptr<Cursor> inner_;
    bool cold_ = false;
  };

  bool is_cold(Space space, BytesView key) {
    if (warm_.contains({space, Bytes(key)})) return false;
    if (random_.chance(cold_)) return ++times_cold_, true;
    warm(space, key);
    return false;
  }
  void warm(Space space, BytesView key) { warm_.emplace(space, Bytes(key)); }

  ShardEngine& inner_;
  Random random_;
  double cold_;
  std::set<std::pair<Space, Bytes>> warm_;
  std::uint64_t times_cold_ = 0;
};

}  // namespace skerry::store::testing
