// SPDX-License-Identifier: Apache-2.0
// Asio's functions that are no templates, compiled here once (BOOST_ASIO_SEPARATE_COMPILATION).
#include <boost/asio/impl/src.hpp>
