# The libraries from the distribution, one imported target each.
find_package(PkgConfig REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
pkg_check_modules(LIBUV REQUIRED IMPORTED_TARGET libuv)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(INIH REQUIRED IMPORTED_TARGET inih)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_search_module(MSGPACK REQUIRED IMPORTED_TARGET msgpack-c msgpack) # the name changed in Debian 13
find_library(LMDB_LIBRARY lmdb REQUIRED)
find_path(LMDB_INCLUDE lmdb.h REQUIRED)
add_library(qn_lmdb INTERFACE)
target_link_libraries(qn_lmdb INTERFACE ${LMDB_LIBRARY})
target_include_directories(qn_lmdb INTERFACE ${LMDB_INCLUDE})
