# SPDX-License-Identifier: Apache-2.0
# Everything Skerry links comes from Debian 12; `./dev setup` installs it.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(Protobuf REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(RocksDB REQUIRED)
find_package(mimalloc REQUIRED)
find_package(prometheus-cpp REQUIRED)
find_package(GTest REQUIRED)
find_package(benchmark REQUIRED)
pkg_check_modules(NGHTTP2 REQUIRED IMPORTED_TARGET libnghttp2)
pkg_check_modules(URING REQUIRED IMPORTED_TARGET liburing)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(EDIT REQUIRED IMPORTED_TARGET libedit)

# Asio and Beast, set up the same way in every file that sees them. What of Asio is no template is compiled once, not in every file.
add_library(skerry_asio STATIC ${PROJECT_SOURCE_DIR}/src/runtime/asio_library.cpp)
target_link_libraries(skerry_asio PUBLIC skerry_options Boost::headers Threads::Threads)
target_compile_definitions(skerry_asio PUBLIC
  BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_COROUTINE BOOST_ASIO_SEPARATE_COMPILATION)
