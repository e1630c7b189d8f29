// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace skerry {

// Gives a private member of Asio a name: an explicit instantiation may write one. Should Asio rename it, this fails to compile.
//   struct Size { using type = int Queue::*; friend type member_of(Size); };
//   template struct Reveal<Size, &Queue::size_>;   // from here on queue.*member_of(Size{})
template <class Tag, typename Tag::type Member>
struct Reveal {
  friend typename Tag::type member_of(Tag) { return Member; }
};

}   // namespace skerry
