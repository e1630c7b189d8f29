// SPDX-License-Identifier: Apache-2.0
// Boost.JSON, compiled here once, so that nothing needs its shared library.
#include <boost/json/src.hpp>
